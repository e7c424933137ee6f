"""Fit, sample, read the statement: GS-WGAN on the small digits of scikit-learn, in a minute or so.

    python examples/digits.py [FOLDER]

Writes FOLDER/generator.safetensors and FOLDER/samples.npz; both may be shared. GOSSAMER_EXAMPLE_STEPS makes it shorter,
and the images worse.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from gossamer import GSWGAN, load, load_records


def main(folder: Path) -> None:
    """Learn, save, and draw from what was saved."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_records("digits").train
    assert digits.y is not None
    # In your own case: x is (records, height, width), y (records,), and the number of classes is yours to name.
    x, y = digits.x.numpy(), digits.y.numpy()

    num_steps = int(os.environ.get("GOSSAMER_EXAMPLE_STEPS", "1000"))
    model = GSWGAN(epsilon=10.0, recipe="digits-cpu", num_classes=10, num_steps=num_steps).fit(x, y)
    model.save(folder / "generator.safetensors")

    # What follows needs the saved file alone, and no private record.
    released = load(folder / "generator.safetensors")
    images, labels = released.sample(1000, seed=1)
    assert labels is not None
    np.savez_compressed(folder / "samples.npz", x=images, y=labels)

    print(released.statement.to_markdown())
    print(f"{len(images)} images of shape {images.shape[1:]}: {folder / 'samples.npz'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "digits-example"))
