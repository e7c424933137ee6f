"""EDF and BDF recordings, a file at a time: its structure is checked, and pyedflib reads header, signals and notes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from gossamer.data.files import damage_refused, open_regular, shown
from gossamer.errors import InputError
from gossamer.extras import from_extra

EDF_ENDINGS: Final = (".edf", ".bdf")
"""Endings of recordings, upper or lower case."""
MAX_EDF_SIGNALS: Final = 512
"""Largest number of signals in a recording."""
_NOTES: Final = ("edf annotations", "bdf annotations")
_BYTES: Final = {b"0       ": 2, b"\xffBIOSEMI": 3}
# Fields of a header that the package may complain of. Its other words are dropped, since they may quote the header.
_FIELDS: Final = (
    "Physical Dimension", "Physical Minimum", "Physical Maximum", "Digital Minimum", "Digital Maximum",
    "Sample in Datarecord", "Recordingfield", "startdate", "starttime", "label",
)  # fmt: skip
_REPAIR: Final = "repair the header (EDFbrowser can) or export the recording again"


@dataclass(frozen=True, kw_only=True)
class EdfSignal:
    """A signal of a recording, by its header.

    Attributes:
        place: number of the signal, as the package counts them.
        label: name.
        unit: physical dimension, empty if the header says none.
        sample_rate: samples a second, Hz.
        range: physical minimum and maximum, the lower one first.
        num_samples: samples in the recording.
    """

    place: int
    label: str
    unit: str
    sample_rate: float
    range: tuple[float, float]
    num_samples: int


def edf_package(purpose: str) -> ModuleType:
    """Import the package `pyedflib`, only when a file of its kind is read or written."""
    with from_extra("series", purpose):
        import pyedflib
    return pyedflib


def read_edf_header(path: Path) -> tuple[EdfSignal, ...]:
    """Read the signals that a recording has, without its annotations. The rest of the header is never looked at.

    Raises:
        InputError: The file is none of the format, is cut short, breaks its rules, or is discontinuous.
    """
    _check_structure(path)
    with _opened(path, notes=False) as file:
        found = [_signal(file, place) for place in range(file.signals_in_file)]
    signals = tuple(signal for signal in found if signal.label.casefold() not in _NOTES)
    if not signals:
        raise InputError(f"{shown(path)} holds annotations and no signal: move it out of the folder")
    return signals


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

    Raises:
        InputError: The file is damaged, or has changed since its header was read.
    """
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
    with _opened(path, notes=True) as file:
        begins, durations, texts = file.readAnnotations()
    numbers = {name: number for number, name in enumerate(class_names)}
    without = -1 - (np.arange(num_samples, dtype=np.int64) % 2).astype(np.int16)
    classes = without.copy()
    for begin, duration, text in zip(begins, durations, texts, strict=True):
        number = numbers.get(str(text).strip())
        if number is None or not duration > 0 or not math.isfinite(begin):
            continue
        first, last = (max(0, round(float(time) * sample_rate)) for time in (begin, begin + duration))
        part = classes[first:last]
        classes[first:last] = np.where((part < 0) | (part == number), number, without[first:last])
    return classes


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
            at = "" if field is None else f" in the field {field}"
            raise InputError(f"{where} breaks a rule of EDF{at}: {_REPAIR}") from None
        try:
            yield file
        finally:
            file.close()


def _check_structure(path: Path) -> None:
    """Refuse a file that the package would read in part, or print about, by the sizes that its header promises."""
    where = shown(path)
    with open_regular(path) as file:
        head = file.read(256)
        num_signals = _whole(head[252:256])
        if head[:8] not in _BYTES or num_signals is None or not 1 <= num_signals <= MAX_EDF_SIGNALS:
            raise InputError(f"{where} does not begin as an EDF or BDF recording: export it again, or move it away")
        sizes = file.read(256 * num_signals)[216 * num_signals : 224 * num_signals]
        found = file.seek(0, 2)
    if head[192:197] in (b"EDF+D", b"BDF+D"):
        raise InputError(
            f"{where} is discontinuous ({head[192:197].decode()}), which is not read: export each continuous part as a "
            "file of its own (EDFbrowser: Tools, Convert EDF+D to EDF+C), with a line each in people.csv"
        )
    samples = [_whole(sizes[8 * place : 8 * place + 8]) for place in range(num_signals)]
    num_records = _whole(head[236:244])
    if num_records is None or num_records < 1 or any(number is None or number < 1 for number in samples):
        raise InputError(f"{where} does not say how many data records it has, or how long they are: {_REPAIR}")
    promised = 256 * (num_signals + 1) + num_records * sum(number or 0 for number in samples) * _BYTES[head[:8]]
    if found != promised:
        raise InputError(f"{where} has {found} bytes and its header promises {promised}: copy the file again")


def _whole(field: bytes) -> int | None:
    text = field.strip()
    return int(text) if re.fullmatch(rb"[0-9]{1,8}", text) else None
