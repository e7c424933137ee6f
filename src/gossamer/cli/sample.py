"""`gossamer sample`: synthetic images or series from a released generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from gossamer.cli.arguments import read_arguments
from gossamer.cli.handing_over import write_records
from gossamer.errors import InputError
from gossamer.estimators import load_generator


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Draw synthetic images or series. Samples cost no privacy: draw as many as you like.

    Example: gossamer sample runs/mnist --num-samples 10000 --out synthetic.npz

    Args:
        source: run folder, the folder of a generator saved on the way, or a generator.safetensors
        num_samples: how many
        out: X.npz (keys x and y), X.png (a picture of the first of them); for images a folder (PNGs, a sub-folder a
            class), for series X.csv, X.parquet (a row a series) or X.wfdb (a folder)
        labels: classes to draw, by number, in turn; default: all classes in turn
        evenness: draw classes between the released shares (0) and all alike (1), for methods that release shares;
            0.5 suits training a classifier on data with rare classes
        seed: the same seed gives the same samples
    """

    source: Annotated[Path, tyro.conf.Positional]
    num_samples: int
    out: Path
    labels: tuple[int, ...] | None = None
    evenness: float | None = None
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
    if asked.evenness is not None:
        if labels is not None:
            raise InputError("--labels and --evenness both say which classes to draw: name one of them")
        labels = trained.uneven_labels(asked.num_samples, evenness=asked.evenness, seed=asked.seed)
    records, drawn = trained.sample(asked.num_samples, labels=labels, seed=asked.seed)
    write_records(asked.out, records.numpy(), None if drawn is None else drawn.numpy(), trained.recipe.spec)
    print(f"{asked.num_samples} samples: {asked.out}")
    return 0
