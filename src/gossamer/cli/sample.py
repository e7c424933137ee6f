"""`gossamer sample`: synthetic images or series from a released generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch

from gossamer.cli.arguments import Names, read_arguments
from gossamer.cli.options import Mark
from gossamer.cli.outputs import say
from gossamer.cli.worth import warning
from gossamer.data.class_words import classes_asked
from gossamer.data.folder_names import renamed
from gossamer.data.layouts import TableColumns, as_long, as_wide
from gossamer.data.series import SeriesSpec
from gossamer.driving.handing_over import write_folder_cards, write_records
from gossamer.errors import InputError
from gossamer.estimators import load_generator
from gossamer.methods.trained import GeneratorRecipe, Spec

TableName = Literal["wide", "long"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Draw synthetic images or series. Samples cost no privacy: draw as many as you like.

    Example: gossamer sample runs/mnist --num-samples 10000 --out synthetic.npz

    Args:
        source: run folder, the folder of a generator saved on the way, or a generator.safetensors
        num_samples: how many
        out: X.npz (keys x, y and class_names), X.png (a picture of the first of them). For images also a folder (PNGs,
            a sub-folder a class), for series X.csv, X.parquet or X.wfdb (a folder)
        table: of X.csv and X.parquet: wide, a row a series, or long, a row a time. Default: as the series came
        labels: classes to draw in turn, all by name or all by number. If a name is a number, numbers are names.
            Default: all classes in turn, as many of each, whatever their shares among the data
        evenness: draw classes between the released shares (0) and all alike (1), for methods that release shares.
            0.5 suits training a classifier on data with rare classes
        seed: the same seed gives the same samples, another one gives others
    """

    source: Annotated[Path, Mark.POSITIONAL]
    num_samples: int
    out: Path
    table: TableName | None = None
    labels: Names = ()
    evenness: float | None = None
    seed: int = 0


def run(arguments: Sequence[str]) -> int:
    """Draw samples and write them."""
    asked = read_arguments(Sample, arguments, program="sample")
    trained = load_generator(asked.source)
    labels = None
    if asked.labels:
        told_as = [f"--labels {label}" for label in asked.labels]
        numbers = classes_asked(asked.labels, trained.recipe.spec.class_names, told_as)
        labels = torch.from_numpy(numbers)[torch.arange(max(asked.num_samples, 0)) % len(numbers)]
    if asked.evenness is not None:
        if labels is not None:
            raise InputError("--labels and --evenness both say which classes to draw: name one of them")
        labels = trained.uneven_labels(asked.num_samples, evenness=asked.evenness, seed=asked.seed)
    records, drawn = trained.sample(asked.num_samples, labels=labels, seed=asked.seed)
    columns = _columns(asked, trained.recipe.spec)
    write_records(asked.out, records.numpy(), None if drawn is None else drawn.numpy(), trained.recipe.spec, columns)
    write_folder_cards(asked.out, trained, asked.num_samples)
    print(f"{asked.num_samples} samples: {asked.out}")
    print(f"drawn with seed {asked.seed}, the same samples every time: --seed {asked.seed + 1} draws others")
    if drawn is not None and asked.out.is_dir() and not isinstance(trained.recipe.spec, SeriesSpec):
        for name, folder in renamed(trained.recipe.spec.class_names).items():
            print(f"the folder of class {name} is {folder}: gossamer reads it back under the name of the class")
    noise = warning(trained)
    if noise is not None:
        say(noise)
    if labels is None and drawn is not None:
        print(_of_classes(trained.recipe))
    return 0


def _of_classes(recipe: GeneratorRecipe) -> str:
    """Say that the shares of the classes are not those of the data, and the way to those if there is one."""
    drawn = "classes were drawn in turn, as many of each, whatever their shares among the data"
    if not recipe.class_shares:
        return f"{drawn}; this method released no shares, so --labels is the way to others"
    return f"{drawn}: --evenness 0 draws them in the shares that were released"


def _columns(asked: Sample, spec: Spec) -> TableColumns | None:
    """Return the layout that was asked for, or None for the one in which the series came."""
    if asked.table is None:
        return None
    if not isinstance(spec, SeriesSpec) or asked.out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError("--table is of series as X.csv or X.parquet: leave it out, or name such an --out")
    return as_long(spec.table) if asked.table == "long" else as_wide(spec.table)
