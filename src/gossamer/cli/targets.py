"""What can be scored: a run, one of its saved generators, a generator's file, or images that another program made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gossamer.data.catalogue import SeriesReading, load_records
from gossamer.data.folder import load_png_folder
from gossamer.data.npz import has_unnamed_classes, load_npz
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.tables import LongColumns, WideColumns
from gossamer.errors import InputError, one_line
from gossamer.estimators import load_generator
from gossamer.evaluation.suite import SyntheticRecords
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import saved_generators

_OF_SERIES = (".npz", ".csv", ".parquet")
_NO_COLUMNS = WideColumns()


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Synthetic images, drawn anew for each seed where there is a generator.

    Attributes:
        name: as tables and pictures call it.
        draw: (number of images, seed) -> images; a file gives what it has, in an order that the seed decides.
        num_images: how many there are, None for a generator, which has no end.
        statement: what is claimed for the generator, None for foreign images.
        step: of a saved generator, None for a final one and for files.
        run: the run folder, None for single files.
        series: the line that it is a point of in a picture over epsilon: a run's name for its saved generators, else
            the mechanism; empty for images of unknown origin.
        notes: what a reader of the scores has to know of how the images were drawn.
    """

    name: str
    draw: Callable[[int, int], SyntheticRecords]
    num_images: int | None = None
    statement: PrivacyStatement | None = None
    step: int | None = None
    run: RunFolder | None = None
    series: str = ""
    notes: tuple[str, ...] = ()


def find_target(
    path: Path,
    real: AbstractSpec,
    columns: WideColumns | LongColumns = _NO_COLUMNS,
    evenness: float | None = None,
) -> Target:
    """The target at a path.

    Args:
        path: run folder, folder or file of a released generator, NPZ, folder of PNGs, or table of series.
        real: shape and classes of the data that it will be scored against; bounds and length of series, too.
        columns: of tables of series.
        evenness: of the classes that a generator draws, from its released shares (0) to all alike (1); None, and where
            no shares were released: in turn.

    Raises:
        InputError: nothing there, or images of another shape or of other classes.
    """
    if (path / "config.json").is_file():
        folder = RunFolder(path)
        return _of_generator(path, _plain_name(path), real, evenness, run=folder)
    if isinstance(real, SeriesSpec) and path.suffix.lower() in _OF_SERIES:
        return _of_records(path, _load_series(path, real, columns), real)
    if path.suffix.lower() == ".npz":
        images = load_npz(path, num_classes=real.num_classes if has_unnamed_classes(path) else None).train
        return _of_records(path, images, real)
    if path.is_dir() and not _holds_generator(path):
        return _of_records(path, load_png_folder(path).train, real)
    return _of_generator(path, _plain_name(path), real, evenness)


def find_checkpoints(path: Path, real: AbstractSpec, evenness: float | None = None) -> tuple[Target, ...]:
    """The generators that a run saved on its way, in the order of their steps, and the final one if it is there.

    Classes are drawn as by ``find_target``.

    Raises:
        InputError: not a run, or one that saved none.
    """
    run, name = RunFolder(path), _plain_name(path)
    saved = saved_generators(run)
    if not saved:
        raise InputError(
            f"{path}: no saved generators; train with --save-at-epsilon 1,2,5,10 or --save-at-step, or leave "
            "--checkpoints out"
        )
    found = [
        _of_generator(one.path, f"{name} step {one.step}", real, evenness, run=run, step=one.step, series=name)
        for one in saved
    ]
    if run.generator_file.is_file():
        final = _of_generator(path, name, real, evenness, run=run, series=name)
        # The last saved one is often the final one, under another name.
        if _epsilon(final) > _epsilon(found[-1]):
            found.append(final)
    return tuple(found)


def _epsilon(target: Target) -> float:
    return 0.0 if target.statement is None else target.statement.epsilon


def _plain_name(path: Path) -> str:
    resolved = path.resolve()
    inside = {"generator.safetensors": resolved.parent, "release": resolved}.get(resolved.name)
    if inside is not None:
        return _plain_name(inside.parent) if inside.name == "release" else inside.name
    # A name may come with a file from elsewhere, and is written to terminals.
    return one_line(resolved.stem if resolved.is_file() else resolved.name)


def _holds_generator(path: Path) -> bool:
    return (path / "generator.safetensors").is_file() or (path / "release").is_dir()


def _of_generator(
    path: Path,
    name: str,
    real: AbstractSpec,
    evenness: float | None,
    *,
    run: RunFolder | None = None,
    step: int | None = None,
    series: str | None = None,
) -> Target:
    trained = load_generator(path)
    spec = trained.recipe.spec
    _check_shape(path, spec, real)
    asked = evenness if trained.recipe.class_shares else None

    def draw(num_images: int, seed: int) -> SyntheticRecords:
        labels = None if asked is None else trained.uneven_labels(num_images, evenness=asked, seed=seed)
        x, y = trained.sample(num_images, labels=labels, seed=seed)
        return SyntheticRecords(x=x.numpy(), y=None if y is None else relabel(y.numpy()))

    relabel = _relabelling(path, spec, real)
    return Target(
        name=name,
        draw=draw,
        statement=trained.statement,
        step=step,
        run=run,
        series=trained.statement.mechanism if series is None else series,
        notes=_notes(evenness, trained.recipe.class_shares),
    )


def _notes(evenness: float | None, class_shares: tuple[float, ...]) -> tuple[str, ...]:
    if evenness is None:
        return ()
    if not class_shares:
        return ("classes drawn in turn: the release carries no shares of them, and --evenness does nothing",)
    return (f"classes drawn between the released shares (0) and all alike (1), at evenness {evenness:g}",)


def _of_records(path: Path, images: RecordSet, real: AbstractSpec) -> Target:
    _check_shape(path, images.spec, real)
    x = images.x.numpy()
    y = None if images.y is None else _relabelling(path, images.spec, real)(images.y.numpy())

    def draw(num_images: int, seed: int) -> SyntheticRecords:
        # A folder is sorted by class: its first images would be of one.
        chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:num_images].numpy()
        return SyntheticRecords(x=x[chosen], y=None if y is None else y[chosen])

    return Target(name=_plain_name(path), draw=draw, num_images=len(x))


def _load_series(path: Path, real: SeriesSpec, columns: WideColumns | LongColumns) -> RecordSet:
    """Series in the unit of the real ones: bounds, length and classes are known, whatever else the file says."""
    is_archive = path.suffix.lower() == ".npz"
    is_labelled = has_unnamed_classes(path) if is_archive else columns.label is not None
    facts = SeriesFacts(
        low=real.low,
        high=real.high,
        length=real.length,
        sample_rate=real.sample_rate,
        channel_names=real.channel_names,
        class_names=real.class_names if is_labelled else (),
    )
    columns = _NO_COLUMNS if is_archive else columns
    return load_records(str(path), reading=SeriesReading(facts=facts, columns=columns)).train


def _check_shape(path: Path, found: AbstractSpec, real: AbstractSpec) -> None:
    if found.shape != real.shape:
        raise InputError(
            f"{path}: {_words(found)} of shape {found.shape} ({_axes(found)}), the real ones have {real.shape} "
            f"({_axes(real)}); resize one, or name other --data"
        )


def _words(spec: AbstractSpec) -> str:
    return "series" if isinstance(spec, SeriesSpec) else "images"


def _axes(spec: AbstractSpec) -> str:
    return "channels, time" if isinstance(spec, SeriesSpec) else "channels, height, width"


def _relabelling(path: Path, found: AbstractSpec, real: AbstractSpec) -> Callable[[np.ndarray], np.ndarray]:
    """From the target's class numbers to those of the real data: by name where the names are known, else by order."""
    numbers = {name: number for number, name in enumerate(real.class_names)}
    if all(name in numbers for name in found.class_names):
        table = np.array([numbers[name] for name in found.class_names], dtype=np.int64)
    elif found.num_classes == real.num_classes:
        table = np.arange(real.num_classes)
    else:
        raise InputError(
            f"{path}: {found.num_classes} classes, the real data have {real.num_classes}, and their names do not "
            "match; give it as many classes"
        )
    return lambda labels: table[labels]
