"""A folder of PNG files to a generator, its samples as PNG files, and the statement, in seconds.

    python examples/your_images.py scans/ out/ --epsilon 2

scans/ holds a sub-folder for each class, or PNG files alone; what is in it is only read. Everything in out/ may be
shared; samples/ can take the place of scans/ wherever that was used.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from gossamer import DPMixture, GossamerError


def main(scans: Path, out: Path, epsilon: float) -> None:
    """Learn, save the generator, draw as many images again, and write down what was promised."""
    model = DPMixture(epsilon=epsilon).fit(scans)
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / "generator.safetensors")
    model.released.picture().save(out / "grid.png")
    (out / "PRIVACY.md").write_text(model.statement.to_markdown(), encoding="utf-8")

    # The number of slots is public, so as many may be drawn.
    x, y = model.sample(model.statement.num_slots)
    names = model.released.spec.class_names
    for number, image in enumerate(x):
        place = out / "samples" / (names[y[number]] if y is not None else "")
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.rint(np.moveaxis(image, 0, -1).squeeze() * 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number:06d}.png")
    print(f"{len(x)} images in {out / 'samples'}; the generator is {model.statement.claim}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Learn a generator from a folder of PNG files.")
    parser.add_argument("scans", type=Path, help="a sub-folder for each class, or PNG files alone")
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--epsilon", type=float, default=1.0)
    asked = parser.parse_args()
    try:
        main(asked.scans, asked.out, asked.epsilon)
    except GossamerError as error:
        sys.exit(str(error))
