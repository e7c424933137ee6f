"""Structure of EDF and BDF files: sizes and fields that the header states, checked against the file itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from gossamer.data.files import open_regular, shown
from gossamer.errors import InputError

MAX_EDF_SIGNALS: Final = 512
"""Largest number of signals in a recording."""
REPAIR: Final = "repair the header (EDFbrowser can) or export the recording again"
"""Way out of a header that breaks a rule."""
_NOTES: Final = (b"edf annotations", b"bdf annotations")
_BYTES: Final = {b"0       ": 2, b"\xffBIOSEMI": 3}
_WIDTHS: Final = {
    "label": 16, "transducer": 80, "Physical Dimension": 8, "Physical Minimum": 8, "Physical Maximum": 8,
    "Digital Minimum": 8, "Digital Maximum": 8, "prefilter": 80, "Sample in Datarecord": 8, "reserved": 32,
}  # fmt: skip
_NUMBER: Final = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?"


@dataclass(frozen=True, kw_only=True)
class EdfSignal:
    """A signal of a recording, by its header.

    Attributes:
        place: number of the signal, as its reader counts them.
        label: name.
        unit: physical dimension, empty if the header says none.
        sample_rate: samples a second, Hz.
        range: physical minimum and maximum, the lower one first.
        num_samples: samples in the recording, gaps included.
    """

    place: int
    label: str
    unit: str
    sample_rate: float
    range: tuple[float, float]
    num_samples: int


@dataclass(frozen=True, kw_only=True, eq=False)
class EdfLayout:
    """The structure of a file. All of it but names and units of signals is private.

    Args:
        path: The file.
        signals: Bytes of the header that describe the signals.
        num_records: Number of data records.
        seconds: Field of the duration of a data record.
        samples: Samples of each signal, or pairs of bytes of annotations, in a data record.
        sample_bytes: Bytes of a sample, 2 in EDF and 3 in BDF.
        is_continuous: False if the header allows gaps between data records.
    """

    path: Path
    signals: bytes
    num_records: int
    seconds: bytes
    samples: tuple[int, ...]
    sample_bytes: int
    is_continuous: bool

    @property
    def where(self) -> str:
        """Path, quoted: the beginning of a message."""
        return shown(self.path)

    @property
    def header_bytes(self) -> int:
        """Bytes before the first data record."""
        return 256 * (len(self.samples) + 1)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Begin and end of each signal in the bytes of a data record."""
        ends = list(accumulate(self.sample_bytes * number for number in self.samples))
        return list(zip([0, *ends[:-1]], ends, strict=True))

    @property
    def record_bytes(self) -> int:
        """Bytes of a data record."""
        return self.sample_bytes * sum(self.samples)

    @property
    def num_bytes(self) -> int:
        """Bytes of the file, by its header."""
        return self.header_bytes + self.num_records * self.record_bytes

    def places(self, *, of_notes: bool) -> list[int]:
        """Return the places of the signals, or those of the annotations."""
        every = range(len(self.samples))
        return [place for place in every if (self._field("label", place).lower() in _NOTES) is of_notes]

    def _field(self, name: str, place: int) -> bytes:
        names = list(_WIDTHS)
        start = len(self.samples) * sum(_WIDTHS[other] for other in names[: names.index(name)])
        start += place * _WIDTHS[name]
        return self.signals[start : start + _WIDTHS[name]].strip()

    def text(self, name: str, place: int) -> str:
        """Return a field of a signal as text.

        Raises:
            InputError: It is not in printable ASCII.
        """
        field = self._field(name, place)
        if not field.isascii() or not field.decode("ascii").isprintable():
            raise broken(self.where, name)
        return field.decode("ascii")

    def number(self, name: str, place: int) -> float:
        """Return a field of a signal as a number.

        Raises:
            InputError: It is none.
        """
        return self._number(self.text(name, place), name)

    @property
    def duration(self) -> float:
        """Seconds of a data record.

        Raises:
            InputError: The field is no number above 0.
        """
        seconds = self._number(self.seconds.decode("latin-1"), "duration")
        if seconds <= 0:
            raise broken(self.where, "duration")
        return seconds

    def _number(self, text: str, name: str) -> float:
        if not re.fullmatch(_NUMBER, text):
            raise broken(self.where, name)
        return float(text)


def broken(where: str, field: str | None) -> InputError:
    """Return the error on a header that breaks a rule of the format in a field, if that is known."""
    at = "" if field is None else f" in the field {field}"
    return InputError(f"{where} breaks a rule of EDF{at}: {REPAIR}")


def read_layout(path: Path) -> EdfLayout:
    """Read the structure of a file, and compare its size with the one that the header promises.

    Raises:
        InputError: The file is none of the format, is cut short, or goes on behind its last data record.
    """
    where = shown(path)
    with open_regular(path) as file:
        head = file.read(256)
        num_signals = _whole(head[252:256])
        if head[:8] not in _BYTES or num_signals is None or not 1 <= num_signals <= MAX_EDF_SIGNALS:
            raise InputError(f"{where} does not begin as an EDF or BDF recording: export it again, or move it away")
        signals = file.read(256 * num_signals)
        found = file.seek(0, 2)
    sizes = signals[216 * num_signals : 224 * num_signals]
    samples = [_whole(sizes[8 * place : 8 * place + 8]) for place in range(num_signals)]
    num_records = _whole(head[236:244])
    if num_records is None or num_records < 1 or any(number is None or number < 1 for number in samples):
        raise InputError(f"{where} does not say how many data records it has, or how long they are: {REPAIR}")
    layout = EdfLayout(
        path=path,
        signals=signals,
        num_records=num_records,
        seconds=head[244:252].strip(),
        samples=tuple(number or 0 for number in samples),
        sample_bytes=_BYTES[head[:8]],
        is_continuous=head[192:197] not in (b"EDF+D", b"BDF+D"),
    )
    if found != layout.num_bytes:
        raise InputError(f"{where} has {found} bytes and its header promises {layout.num_bytes}: copy the file again")
    return layout


def _whole(field: bytes) -> int | None:
    text = field.strip()
    return int(text) if re.fullmatch(rb"[0-9]{1,8}", text) else None
