"""Synthetic records as files and pictures. Here alone the kind of the records decides which."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor

from gossamer.data.catalogue import NamedData
from gossamer.data.layouts import TableColumns
from gossamer.data.published import is_of_others
from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.extras import from_extra
from gossamer.methods.catalogue import names_of
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.verdict import Verdict
from gossamer.reports.grid import image_grid, save_png
from gossamer.runs.cards import CardFacts
from gossamer.runs.drawn import bench_files, picture_table_files, recording_files, write_cards
from gossamer.runs.edf_file import write_edf
from gossamer.runs.pieces import Pieces
from gossamer.runs.samples import write_bench_folder, write_image_folder, write_npz, write_png_folder
from gossamer.runs.series_files import write_series_npz, write_series_table
from gossamer.runs.ts_files import write_ts
from gossamer.runs.wfdb_file import write_wfdb

WFDB_ENDING = ".wfdb"
EDF_ENDING = ".edf"
IMAGE_FOLDER_ENDING = ".imagefolder"
"""Ending of a folder of pictures with a table, as Hugging Face reads it."""
BENCH_ENDING = ".dpimagebench"
"""Ending of the folder of an experiment, as DPImageBench reads it."""
_LISTED = {
    WFDB_ENDING: recording_files,
    IMAGE_FOLDER_ENDING: picture_table_files,
    BENCH_ENDING: bench_files,
}
_OF_BENCH = 60_000
_SHOWN_OF_A_CLASS = 10


def drawn_pieces(trained: TrainedGenerator, num_samples: int, labels: Tensor | None, seed: int) -> Pieces:
    """Return the records that `TrainedGenerator.sample` draws with these arguments, in pieces.

    Raises:
        InputError: as `sample`.
    """
    trained.drawn_labels(num_samples, labels)

    def draw() -> Iterator[np.ndarray]:
        return (piece.numpy() for piece in trained.pieces(num_samples, labels=labels, seed=seed))

    return Pieces(num_records=num_samples, draw=draw)


def drawn_probabilities(trained: TrainedGenerator, num_samples: int, labels: Tensor | None, seed: int) -> Pieces:
    """Return the soft labels that `TrainedGenerator.probabilities` gives for these arguments, in pieces.

    Raises:
        InputError: as `probabilities`.
    """
    trained.probability_pieces(num_samples, labels=labels, seed=seed)

    def draw() -> Iterator[np.ndarray]:
        return (piece.numpy() for piece in trained.probability_pieces(num_samples, labels=labels, seed=seed))

    return Pieces(num_records=num_samples, draw=draw)


def card_facts(trained: TrainedGenerator, source: NamedData | None) -> CardFacts:
    """Gather the facts for the cards of a generator, and of the records drawn from it.

    A published set is named as the source unless the statement says that other files lay in its place.
    """
    facts = CardFacts(
        statement=trained.statement,
        spec=trained.recipe.spec,
        network=type(trained.recipe.network).__name__.removesuffix("Config"),
        num_weights=sum(weight.numel() for weight in trained.weights.values()),
        source=None if is_of_others(trained.statement.public_inputs) else source,
        worth=() if trained.verdict is None else _worth(trained.verdict),
    )
    return dataclasses.replace(facts, paper=names_of(facts.method).paper)


def _worth(verdict: Verdict) -> tuple[str, ...]:
    """Return the sentences of a card: the grade, its reasons, and the advice against sharing noise."""
    advice = () if verdict.advice is None else (f"This release {verdict.advice}.",)
    return (f"Verdict: {verdict.grade.value}.", *verdict.sentences, *advice)


def write_folder_cards(folder: Path, trained: TrainedGenerator, num_samples: int) -> None:
    """Write the data card and Croissant metadata into a folder of drawn records. A file alone gets none."""
    if folder.is_dir():
        files = _LISTED[folder.suffix.lower()](folder) if folder.suffix.lower() in _LISTED else ()
        write_cards(folder, card_facts(trained, None), num_samples, files)


def write_records(
    path: Path,
    x: np.ndarray | Pieces,
    y: np.ndarray | None,
    spec: AbstractSpec,
    columns: TableColumns | None = None,
    probabilities: np.ndarray | Pieces | None = None,
) -> tuple[str, ...]:
    """Write synthetic records as the ending of the path says.

    Args:
        path: X.npz, or X.png for a picture. For images also X.imagefolder, X.dpimagebench or a folder. For series also
            X.csv, X.parquet, X.ts, X.edf or X.wfdb.
        x: float32 (num_samples, *spec.shape) in [0, 1], or pieces of it, of which a picture takes the first alone.
        y: int64 (num_samples,), or None.
        spec: of the records.
        columns: layout of a table of series. None for the one in which they came.
        probabilities: soft labels, float32 (num_samples, num_classes), for X.npz alone. None if there are none.

    Returns:
        Sentences on the things that the format could not hold as they are.

    Raises:
        InputError: an ending that records of this kind are not written as, or one without a place for soft labels.
    """
    if probabilities is not None and path.suffix.lower() != ".npz":
        raise InputError(
            f"--out {path}: soft labels stand in an NPZ file alone: name X.npz, or leave --soft-labels out"
        )
    match path.suffix.lower(), spec:
        case ".png", _:
            shown = Pieces.of(x).first(_SHOWN_OF_A_CLASS * max(_SHOWN_OF_A_CLASS, spec.num_classes))
            write_picture(path, shown, None if y is None else y[: len(shown)], spec)
        case ".npz", SeriesSpec() as series:
            write_series_npz(path, x, y, series, probabilities)
        case ((".csv" | ".parquet"), SeriesSpec() as series):
            write_series_table(path, x, y, series, columns)
        case ".ts", SeriesSpec() as series:
            write_ts(path, x, y, series)
        case suffix, SeriesSpec() as series if suffix == WFDB_ENDING:
            return write_wfdb(path, x, y, series)
        case suffix, SeriesSpec() as series if suffix == EDF_ENDING:
            return write_edf(path, x, y, series)
        case suffix, SeriesSpec():
            what = f"{suffix} of series" if suffix else "series as a folder"
            names = "X.npz, X.csv, X.parquet, X.ts, X.edf, X.wfdb or X.png"
            raise InputError(f"--out {path}: cannot write {what}; name {names}")
        case ".npz", _:
            write_npz(path, x, y, spec.class_names if spec.are_classes_named else (), probabilities)
        case suffix, _ if suffix == IMAGE_FOLDER_ENDING:
            write_image_folder(path, x, y, spec.class_names)
        case suffix, _ if suffix == BENCH_ENDING:
            return _write_for_bench(path, x, y)
        case "", _:
            write_png_folder(path, x, y, spec.class_names)
        case suffix, _:
            raise InputError(
                f"--out {path}: cannot write {suffix} of images; name X.npz, X.png, X.imagefolder, X.dpimagebench or a "
                "folder"
            )
    return ()


def _write_for_bench(path: Path, x: np.ndarray | Pieces, y: np.ndarray | None) -> tuple[str, ...]:
    if y is None:
        raise InputError(f"--out {path}: DPImageBench trains classifiers, and these images have no classes; name X.npz")
    write_bench_folder(path, x, y)
    if len(x) == _OF_BENCH:
        return ()
    return (f"DPImageBench trains on 55,000 of {_OF_BENCH:,} samples and chooses by the others; here are {len(x):,}",)


def write_picture(path: Path, x: np.ndarray, y: np.ndarray | None, spec: AbstractSpec) -> None:
    """Write some of the records as one PNG.

    Raises:
        MissingExtra: they are time series, and the package that draws those is not installed.
    """
    if isinstance(spec, SeriesSpec):
        with from_extra("series", "a picture of time series"):
            from gossamer.reports.curves import save_png_of
            from gossamer.reports.series_grid import series_grid
        save_png_of(series_grid(x, y, spec), path)
    else:
        save_png(path, image_grid(x, y, spec.class_names))
