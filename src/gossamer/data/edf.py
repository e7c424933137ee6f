"""EDF and BDF recordings, a file at a time: pyedflib reads continuous ones, and those with gaps are read here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from gossamer.data.edf_gaps import Note, read_notes_with_gaps, read_signals_with_gaps, signals_with_gaps
from gossamer.data.edf_layout import EdfSignal, broken, read_layout
from gossamer.data.files import damage_refused, shown
from gossamer.errors import InputError
from gossamer.extras import from_extra

EDF_ENDINGS: Final = (".edf", ".bdf")
"""Endings of recordings, upper or lower case."""
# Fields of a header that the package may complain of. Its other words are dropped, since they may quote the header.
_FIELDS: Final = (
    "Physical Dimension", "Physical Minimum", "Physical Maximum", "Digital Minimum", "Digital Maximum",
    "Sample in Datarecord", "Recordingfield", "startdate", "starttime", "label",
)  # fmt: skip


def edf_package(purpose: str) -> ModuleType:
    """Import the package `pyedflib`, only when a file of its kind is read or written."""
    with from_extra("series", purpose):
        import pyedflib
    return pyedflib


def holds_signals(path: Path) -> bool:
    """Return True if a file has a signal, and False if it holds annotations alone.

    Raises:
        InputError: The file is none of the format, or is cut short.
    """
    return bool(read_layout(path).places(of_notes=False))


def read_edf_header(path: Path) -> tuple[EdfSignal, ...]:
    """Read the signals that a recording has, without its annotations. The rest of the header is never looked at.

    Raises:
        InputError: The file is none of the format, is cut short, or breaks its rules. Or it holds annotations alone.
    """
    layout = read_layout(path)
    places = layout.places(of_notes=False)
    if not places:
        raise InputError(
            f"{shown(path)} holds annotations and no signal: hand over the recording that they belong to, or the folder"
        )
    with damage_refused(shown(path)):
        if not layout.is_continuous:
            return signals_with_gaps(layout)
    with _opened(path, notes=False) as file:
        found = [_signal(file, place) for place in range(file.signals_in_file)]
    # The package takes annotations for signals if the header does not say that it is EDF+.
    is_plain = len(found) == len(layout.samples)
    return tuple(signal for signal in found if not is_plain or signal.place in places)


def _signal(file: Any, place: int) -> EdfSignal:
    ends = float(file.getPhysicalMinimum(place)), float(file.getPhysicalMaximum(place))
    return EdfSignal(
        place=place,
        label=file.getLabel(place).strip(),
        unit=file.getPhysicalDimension(place).strip(),
        sample_rate=float(file.getSampleFrequency(place)),
        range=(min(ends), max(ends)),
        num_samples=int(file.getNSamples()[place]),
    )


def read_edf_signals(path: Path, places: Sequence[int]) -> Iterator[np.ndarray]:
    """Read signals one by one, as physical values by the minimum and maximum of the header, float64 (time,).

    In the gaps of a discontinuous recording stands NaN.

    Raises:
        InputError: The file is damaged, or has changed since its header was read.
    """
    layout = read_layout(path)
    if not layout.is_continuous:
        with damage_refused(shown(path)):
            yield from read_signals_with_gaps(layout, places)
        return
    with _opened(path, notes=False) as file:
        for place in places:
            yield file.readSignal(place)


def read_edf_classes(path: Path, class_names: Sequence[str], num_samples: int, sample_rate: float) -> np.ndarray:
    """Return the class of each sample by the annotations that name a class and have a duration.

    Args:
        path: The file.
        class_names: Public names of the classes. An annotation of any other text is none.
        num_samples: Number of samples.
        sample_rate: Hz.

    Returns:
        Classes, int16 (num_samples,). A sample without a class, or with two, has a number below 0, other than that of
        its neighbours. So a window with such a sample never has one class.

    Raises:
        InputError: The file is damaged.
    """
    numbers = {name: number for number, name in enumerate(class_names)}
    without = -1 - (np.arange(num_samples, dtype=np.int64) % 2).astype(np.int16)
    classes = without.copy()
    for begin, duration, text in _notes(path, sample_rate):
        number = numbers.get(text.strip())
        if number is None or not duration > 0 or not math.isfinite(begin):
            continue
        first, last = (max(0, round(float(time) * sample_rate)) for time in (begin, begin + duration))
        part = classes[first:last]
        classes[first:last] = np.where((part < 0) | (part == number), number, without[first:last])
    return classes


def _notes(path: Path, sample_rate: float) -> Iterable[Note]:
    """Return begin and duration in seconds, and text of each annotation."""
    layout = read_layout(path)
    if not layout.is_continuous:
        with damage_refused(shown(path)):
            return read_notes_with_gaps(layout, sample_rate)
    with _opened(path, notes=True) as file:
        found = file.readAnnotations()
    return [(float(begin), float(duration), str(text)) for begin, duration, text in zip(*found, strict=True)]


@contextmanager
def _opened(path: Path, *, notes: bool) -> Iterator[Any]:
    where = shown(path)
    package = edf_package(f"{where}, an EDF recording,")
    mode = package.READ_ALL_ANNOTATIONS if notes else package.DO_NOT_READ_ANNOTATIONS
    with damage_refused(where):
        try:
            file = package.EdfReader(str(path), mode, package.DO_NOT_CHECK_FILE_SIZE)
        except OSError as error:
            # Privacy: of the package's words only the name of a field is kept.
            field = next((field for field in _FIELDS if field in str(error).removeprefix(str(path))), None)
            raise broken(where, field) from None
        try:
            yield file
        finally:
            file.close()
