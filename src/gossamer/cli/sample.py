"""`gossamer sample`: synthetic images from a released generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from gossamer.cli.arguments import read_arguments
from gossamer.cli.driving import picture_of
from gossamer.errors import InputError
from gossamer.estimators import load_generator
from gossamer.reports.grid import save_png
from gossamer.runs.samples import write_npz, write_png_folder


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Draw synthetic images. Samples cost no privacy: draw as many as you like.

    Example: gossamer sample runs/mnist --num-samples 10000 --out synthetic.npz

    Args:
        source: run folder, the folder of a generator saved on the way, or a generator.safetensors
        num_samples: how many images
        out: X.npz (keys x and y), X.png (a picture of the first of them), or a folder (PNGs, a sub-folder a class)
        labels: classes to draw, by number, in turn; default: all classes in turn
        seed: the same seed gives the same images
    """

    source: Annotated[Path, tyro.conf.Positional]
    num_samples: int
    out: Path
    labels: tuple[int, ...] | None = None
    seed: int = 0


def run(arguments: Sequence[str]) -> int:
    """Draw samples and write them."""
    asked = read_arguments(Sample, arguments, program="sample")
    trained = load_generator(asked.source)
    labels = None
    if asked.labels is not None:
        if not asked.labels:
            raise InputError("--labels names no class; name some, or leave it out for all classes in turn")
        num_classes = trained.recipe.spec.num_classes
        if not all(0 <= label < num_classes for label in asked.labels):
            raise InputError(f"--labels must be whole numbers below {num_classes}, the classes of this generator")
        labels = torch.tensor(asked.labels)[torch.arange(max(asked.num_samples, 0)) % len(asked.labels)]
    images, drawn = trained.sample(asked.num_samples, labels=labels, seed=asked.seed)
    x, y = images.numpy(), None if drawn is None else drawn.numpy()
    match asked.out.suffix.lower():
        case ".npz":
            write_npz(asked.out, x, y)
        case ".png":
            save_png(asked.out, picture_of(x, y))
        case "":
            write_png_folder(asked.out, x, y, trained.recipe.spec.class_names)
        case suffix:
            raise InputError(f"--out {asked.out}: cannot write {suffix}; name X.npz, X.png or a folder")
    print(f"{asked.num_samples} samples: {asked.out}")
    return 0
