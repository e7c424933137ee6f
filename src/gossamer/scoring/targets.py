"""Targets: a run, one of its saved generators, a generator's file, or records that another program made."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from gossamer.data.catalogue import load_records
from gossamer.data.edf import EDF_ENDINGS
from gossamer.data.folder import load_picture_folder
from gossamer.data.layouts import LongColumns, WideColumns
from gossamer.data.npz import has_unnamed_classes, load_npz
from gossamer.data.picture_table import NO_WORDS, PictureWords, find_picture_table
from gossamer.data.reading import SeriesReading
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import WHOLE
from gossamer.data.windows import Windows
from gossamer.errors import InputError, one_line
from gossamer.evaluation.listed import SyntheticRecords
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.edf_file import words_of_edf
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import saved_generators
from gossamer.runs.zoo import is_in_zoo, resolved

_OF_ARCHIVES = (".ts", ".arff", ".tsv")
_OF_SERIES = (".npz", ".csv", ".parquet", *_OF_ARCHIVES, *EDF_ENDINGS)
_NO_COLUMNS = WideColumns()
_RESCALED = "drawn between other bounds than those of the real series: values were brought to these, and clipped"


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Synthetic records, drawn anew for each seed if there is a generator.

    Attributes:
        name: as tables and pictures call it.
        draw: (number of records, seed) -> records. A file gives all it has, in an order that the seed decides.
        num_images: number of records, None for a generator, which has no end.
        statement: the claim for the generator, None for foreign records.
        step: of a saved generator, None for a final one and for files.
        run: the run folder, None for single files.
        series: the line that it is a point of in a picture over epsilon: a run's name for its saved generators, else
            the mechanism. Empty for records of unknown origin.
        notes: sentences on how the records were drawn, for readers of the scores.
    """

    name: str
    draw: Callable[[int, int], SyntheticRecords]
    num_images: int | None = None
    statement: PrivacyStatement | None = None
    step: int | None = None
    run: RunFolder | None = None
    series: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TargetFinder:
    """Finds targets at paths.

    Args:
        real: shape and classes of the data that they will be scored against. Bounds and length of series, too.
        load: reads a released generator, of which only public parts are read.
        columns: of tables of series.
        evenness: of the classes that a generator draws, from its released shares (0) to all alike (1). None for
            classes in turn, as if no shares were released.
    """

    real: AbstractSpec
    load: Callable[[Path], TrainedGenerator]
    columns: WideColumns | LongColumns = _NO_COLUMNS
    evenness: float | None = None

    def find(self, path: Path) -> Target:
        """Return the target at a path.

        Args:
            path: run folder, folder or file of a released generator, ``zoo:NAME``, NPZ, folder of pictures, or table of
                series. Or an EDF recording, which is cut in windows of the length of the real series.

        Raises:
            InputError: nothing there, or records of another shape or of other classes.
        """
        if is_in_zoo(path):
            return self._generator(resolved(path), str(path))
        if (path / "config.json").is_file():
            return self._generator(path, _plain_name(path), run=RunFolder(path))
        if isinstance(self.real, SeriesSpec) and path.suffix.lower() in _OF_SERIES:
            return _of_records(path, _load_series(path, self.real, self.columns), self.real)
        if path.suffix.lower() == ".npz":
            num_classes = self.real.num_classes if has_unnamed_classes(path) else None
            return _of_records(path, load_npz(path, num_classes=num_classes).train, self.real)
        if path.is_dir() and not _holds_generator(path):
            return _of_records(path, _load_pictures(path, self.real), self.real)
        return self._generator(path, _plain_name(path))

    def find_saved(self, path: Path) -> tuple[Target, ...]:
        """Return the generators that a run saved on its way, in the order of their steps, and the final one if any.

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
            self._generator(one.path, f"{name} step {one.step}", run=run, step=one.step, series=name) for one in saved
        ]
        if run.generator_file.is_file():
            final = self._generator(path, name, run=run, series=name)
            # The last saved one is often the final one, under another name.
            if _epsilon(final) > _epsilon(found[-1]):
                found.append(final)
        return tuple(found)

    def _generator(
        self, path: Path, name: str, *, run: RunFolder | None = None, step: int | None = None, series: str | None = None
    ) -> Target:
        found = generator_target(self.load(path), self.real, name, where=str(path), evenness=self.evenness)
        return dataclasses.replace(found, step=step, run=run, series=found.series if series is None else series)


def generator_target(
    trained: TrainedGenerator, real: AbstractSpec, name: str, *, where: str, evenness: float | None = None
) -> Target:
    """Return a generator as a target, drawn anew for each seed.

    Args:
        trained: the generator.
        real: shape and classes of the data that it will be scored against.
        name: as tables call it.
        where: file or object, for messages.
        evenness: as of `TargetFinder`.

    Raises:
        InputError: samples of another shape or of other classes.
    """
    spec, shares = trained.recipe.spec, trained.recipe.class_shares
    _check_shape(where, spec, real)
    relabel, rescale = _relabelling(where, spec, real), _rescaling(spec, real)
    asked = evenness if shares else None

    def draw(num_images: int, seed: int) -> SyntheticRecords:
        labels = None if asked is None else trained.uneven_labels(num_images, evenness=asked, seed=seed)
        x, y = trained.sample(num_images, labels=labels, seed=seed)
        x = x.numpy() if rescale is None else rescale(x.numpy())
        return SyntheticRecords(x=x, y=None if y is None else relabel(y.numpy()))

    return Target(
        name=name,
        draw=draw,
        statement=trained.statement,
        series=trained.statement.mechanism,
        notes=(*_notes(evenness, shares), *(() if rescale is None else (_RESCALED,)), *_advice(trained)),
    )


def named_apart(groups: Sequence[Sequence[Target]]) -> list[Target]:
    """Return all targets. Those of a name that an earlier group has taken get a number behind it.

    Args:
        groups: targets found at each path: one, or all the saved generators of a run.
    """
    apart: dict[str, Target] = {}
    for group in groups:
        numbered = (_numbered(group, number) for number in itertools.count(1))
        free = next(targets for targets in numbered if not any(target.name in apart for target in targets))
        apart |= {target.name: target for target in free}
    return list(apart.values())


def _numbered(group: Sequence[Target], number: int) -> list[Target]:
    if number == 1:
        return list(group)
    named = [dataclasses.replace(target, name=f"{target.name} ({number})") for target in group]
    # Saved generators are a line of their own in a picture; single ones share that of their mechanism.
    return [dataclasses.replace(one, series=f"{one.series} ({number})") if len(group) > 1 else one for one in named]


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


def _notes(evenness: float | None, class_shares: tuple[float, ...]) -> tuple[str, ...]:
    if evenness is None:
        return ()
    if not class_shares:
        return ("classes drawn in turn: the release carries no shares of them, and --evenness does nothing",)
    return (f"classes drawn between the released shares (0) and all alike (1), at evenness {evenness:g}",)


def _advice(trained: TrainedGenerator) -> tuple[str, ...]:
    """Say that a release is noise, by the verdict that it carries."""
    verdict = trained.verdict
    return () if verdict is None or verdict.warning is None else (verdict.warning,)


def _of_records(path: Path, images: RecordSet, real: AbstractSpec) -> Target:
    _check_shape(str(path), images.spec, real)
    x = images.x.numpy()
    y = None if images.y is None else _relabelling(str(path), images.spec, real)(images.y.numpy())

    def draw(num_images: int, seed: int) -> SyntheticRecords:
        # A folder is sorted by class: its first images would be of one.
        chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:num_images].numpy()
        return SyntheticRecords(x=x[chosen], y=None if y is None else y[chosen])

    return Target(name=_plain_name(path), draw=draw, num_images=len(x))


def _load_pictures(path: Path, real: AbstractSpec) -> RecordSet:
    """Read a folder of pictures. A table beside them names the classes of the real ones."""
    words = NO_WORDS if find_picture_table(path) is None else PictureWords(class_names=real.class_names)
    return load_picture_folder(path, words=words).train


def _load_series(path: Path, real: SeriesSpec, columns: WideColumns | LongColumns) -> RecordSet:
    """Read series in the unit of the real ones: bounds, length and classes are known, whatever else the file says."""
    if path.suffix.lower() in EDF_ENDINGS:
        return _load_recording(path, real)
    is_archive = path.suffix.lower() == ".npz"
    is_ucr = path.suffix.lower() in _OF_ARCHIVES
    is_unnamed = is_archive and has_unnamed_classes(path)
    is_labelled = not is_archive and columns.label is not None
    if is_ucr:
        # Such a file says by itself if it has classes. Its names are those of the real ones, or refused.
        is_labelled = bool(real.class_names)
    facts = SeriesFacts(
        low=real.low,
        high=real.high,
        length=real.length,
        sample_rate=real.sample_rate,
        # An archive names its own, which are compared with the real ones.
        channel_names=() if is_archive else real.channel_names,
        class_names=real.class_names if is_labelled else (),
        # Labels that nobody named are matched by their order.
        num_classes=(real.num_classes or None) if is_unnamed else None,
    )
    # Samples are of nobody, so their tables have no column of people.
    columns = _NO_COLUMNS if is_archive or is_ucr else replace(columns, person=None)
    # A whole file, even if its name says that a test set lies beside it.
    return load_records(str(path), reading=SeriesReading(facts=facts, columns=columns, split=WHOLE)).train


def _load_recording(path: Path, real: SeriesSpec) -> RecordSet:
    """Read an EDF recording, which holds one series after the other, in windows of their length."""
    labels, classes = words_of_edf(real)
    facts = SeriesFacts(
        low=real.low,
        high=real.high,
        sample_rate=real.sample_rate,
        # Without names, the signals of the file are taken in their order.
        channel_names=labels if real.channel_names else (),
        units=real.units,
        class_names=classes,
    )
    reading = SeriesReading(facts=facts, windows=Windows(window=real.length), split=WHOLE)
    return load_records(str(path), reading=reading).train


def _check_shape(where: str, found: AbstractSpec, real: AbstractSpec) -> None:
    if found.shape != real.shape:
        (kind, axes), (_, axes_of_real) = _words(found), _words(real)
        raise InputError(
            f"{where}: {kind} of shape {found.shape} ({axes}), the real ones have {real.shape} ({axes_of_real}); "
            "resize one, or name other --data"
        )
    if isinstance(found, SeriesSpec) and isinstance(real, SeriesSpec):
        own, others = ([name.casefold() for name in spec.channel_names] for spec in (found, real))
        if own != others and sorted(own) == sorted(others):
            raise InputError(
                f"{where}: series of the channels {', '.join(found.channel_names)}, the real ones have them in the "
                f"order {', '.join(real.channel_names)}: give --channel-names in one order"
            )


def _rescaling(found: AbstractSpec, real: AbstractSpec) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return the way from [0, 1] between a generator's bounds to [0, 1] between the real ones. None if they are alike.

    Both bounds are of the values in their own units, (channels,) each.
    """
    if not (isinstance(found, SeriesSpec) and isinstance(real, SeriesSpec)):
        return None
    if (found.low, found.high) == (real.low, real.high):
        return None
    low, high, to_low, to_high = (
        np.asarray(bounds)[:, None] for bounds in (found.low, found.high, real.low, real.high)
    )
    return lambda x: np.clip((x * (high - low) + low - to_low) / (to_high - to_low), 0, 1).astype(np.float32)


def _words(spec: AbstractSpec) -> tuple[str, str]:
    is_series = isinstance(spec, SeriesSpec)
    return ("series", "channels, time") if is_series else ("images", "channels, height, width")


def _relabelling(where: str, found: AbstractSpec, real: AbstractSpec) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map from the target's classes to the real ones: by names that somebody wrote, else by order."""
    numbers = {name: number for number, name in enumerate(real.class_names)}
    is_named = found.are_classes_named and real.are_classes_named
    if is_named and all(name in numbers for name in found.class_names):
        table = np.array([numbers[name] for name in found.class_names], dtype=np.int64)
    elif found.num_classes == real.num_classes:
        table = np.arange(real.num_classes)
    else:
        raise InputError(
            f"{where}: {found.num_classes} classes, the real data have {real.num_classes}, and their names do not "
            "match; give it as many classes"
        )
    return lambda labels: table[labels]
