"""`gossamer sample`: synthetic images or series from a released generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from gossamer.cli.arguments import Names, read_arguments
from gossamer.cli.options import Mark
from gossamer.cli.outputs import say
from gossamer.cli.progress import AbstractProgress, progress
from gossamer.data.class_words import class_numbers
from gossamer.data.folder_names import folder_name
from gossamer.data.layouts import TableColumns, as_long, as_wide
from gossamer.data.series import SeriesSpec
from gossamer.driving.job import data_of_run
from gossamer.errors import InputError
from gossamer.runs.files import check_is_none_of
from gossamer.runs.pieces import Pieces

if TYPE_CHECKING:
    from gossamer.methods.trained import GeneratorRecipe, Spec

TableName = Literal["wide", "long"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Draw synthetic images or series. Samples cost no privacy: draw as many as you like.

    Example: gossamer sample runs/mnist --num-samples 10000 --out synthetic.npz

    Args:
        source: run folder, the folder of a generator saved on the way, a generator.safetensors, or zoo:NAME
        num_samples: how many
        out: X.npz (keys x and y), X.png (a picture of the first of them). For images also a folder (PNGs, a sub-folder
            a class), X.imagefolder (PNGs and metadata.csv, for Hugging Face) or X.dpimagebench (gen/gen.npz, for its
            eval.py). For series X.csv, X.parquet, X.ts, X.edf or X.wfdb (a folder)
        table: of X.csv and X.parquet: wide, a row a series, or long, a row a time. Default: as the series came
        labels: classes to draw in turn, by name, or by number from 0 if no class has a number for a name. Default: all
            classes in turn, as many of each, whatever their shares among the data
        evenness: draw classes between the released shares (0) and all alike (1), for methods that release shares.
            0.5 suits training a classifier on data with rare classes
        seed: the same seed gives the same samples
        soft_labels: write the teacher's probabilities of all classes into X.npz, as probabilities, for methods that
            have a teacher (labelled-mixture)
    """

    source: Annotated[Path, Mark.POSITIONAL]
    num_samples: int
    out: Path
    table: TableName | None = None
    labels: Names = ()
    evenness: float | None = None
    seed: int = 0
    soft_labels: bool = False


def run(arguments: Sequence[str]) -> int:
    """Draw samples and write them."""
    asked = read_arguments(Sample, arguments, program="sample")
    import torch

    from gossamer.cli.worth import warning
    from gossamer.driving.handing_over import drawn_pieces, drawn_probabilities, write_folder_cards, write_records
    from gossamer.estimators import load_generator

    check_is_none_of(asked.out, data_of_run(asked.source))
    trained = load_generator(asked.source)
    labels = None
    if asked.labels:
        numbers = class_numbers(asked.labels, trained.recipe.spec.class_names, "--labels")
        labels = torch.tensor(numbers)[torch.arange(max(asked.num_samples, 0)) % len(numbers)]
    if asked.evenness is not None:
        if labels is not None:
            raise InputError("--labels and --evenness both say which classes to draw: name one of them")
        labels = trained.uneven_labels(asked.num_samples, evenness=asked.evenness, seed=asked.seed)
    drawn = trained.drawn_labels(asked.num_samples, labels)
    columns = _columns(asked, trained.recipe.spec)
    soft = drawn_probabilities(trained, asked.num_samples, labels, asked.seed) if asked.soft_labels else None
    with progress() as display:
        records = _counted(drawn_pieces(trained, asked.num_samples, labels, asked.seed), display)
        y = None if drawn is None else drawn.numpy()
        notes = write_records(asked.out, records, y, trained.recipe.spec, columns, soft)
    write_folder_cards(asked.out, trained, asked.num_samples)
    print(f"{asked.num_samples} samples: {asked.out} (seed {asked.seed}; another --seed draws others)")
    if asked.out.is_dir() and drawn is not None:
        _say_folders(trained.recipe.spec)
    for note in notes:
        print(note)
    noise = warning(trained)
    if noise is not None:
        say(noise)
    if labels is None and drawn is not None:
        print(_of_classes(trained.recipe))
    return 0


def _counted(pieces: Pieces, display: AbstractProgress) -> Pieces:
    """Return pieces that are counted on the display. One piece alone is there at once, so it is not."""

    def draw() -> Iterator[np.ndarray]:
        for first, piece in pieces.numbered():
            yield piece
            if len(piece) < len(pieces):
                display.count("samples", first + len(piece), len(pieces))

    return Pieces(num_records=len(pieces), draw=draw)


def _say_folders(spec: Spec) -> None:
    """Say which folders have another name than their class, since no folder can have that name."""
    others = [f"{folder_name(name)} is {name}" for name in spec.class_names if folder_name(name) != name]
    if others and not isinstance(spec, SeriesSpec):
        say(f"folders of classes: {', '.join(others[:6])}{', ...' * (len(others) > 6)}")


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
