"""Discontinuous EDF+D and BDF+D recordings: each data record at its own time, and missing samples in the gaps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gossamer.data.edf_layout import EdfLayout, EdfSignal, broken
from gossamer.data.files import CHUNK_BYTES, FREE_BYTES, MAX_EXPANSION, open_regular, read_part
from gossamer.errors import InputError

LEAST_GAP: Final = 0.5
"""Least gap between two data records, in samples. Times are written with few decimals, and less is their rounding."""
_VALUE_BYTES: Final = 8
_BEGIN: Final = re.compile(rb"([+-]\d{1,12}(?:\.\d{0,12})?)(?:\x15(\d{1,12}(?:\.\d{0,12})?))?")

Note = tuple[float, float, str]
"""An annotation: begin in seconds after the first data record, duration in seconds (0 for none), and text."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Marks:
    """The annotations of a file. Private.

    Args:
        times: Begin of each data record in seconds, (num_records,).
        notes: All other annotations, by the same clock.
    """

    times: np.ndarray
    notes: list[Note]


def signals_with_gaps(layout: EdfLayout) -> tuple[EdfSignal, ...]:
    """Return the signals of a discontinuous recording by its header, with the gaps in their lengths.

    Raises:
        InputError: A field or a time breaks a rule, or the gaps would take an absurd number of samples.
    """
    times = _read_marks(layout).times
    found = []
    for place in layout.places(of_notes=False):
        ends = layout.number("Physical Minimum", place), layout.number("Physical Maximum", place)
        num_samples = int(_starts(layout, times, layout.samples[place])[-1]) + layout.samples[place]
        _check_size(layout, num_samples)
        found.append(
            EdfSignal(
                place=place,
                label=layout.text("label", place),
                unit=layout.text("Physical Dimension", place),
                sample_rate=layout.samples[place] / layout.duration,
                range=(min(ends), max(ends)),
                num_samples=num_samples,
            )
        )
    return tuple(found)


def _check_size(layout: EdfLayout, num_samples: int) -> None:
    # A time of a few letters may promise years of gaps.
    if _VALUE_BYTES * num_samples > max(FREE_BYTES, MAX_EXPANSION * layout.num_bytes):
        # Privacy: no word on the length of the gaps.
        raise InputError(
            f"{layout.where}: its gaps would take more than {MAX_EXPANSION} times the memory of the file: export each "
            "part as a file of its own, with a line each in people.csv (EDFbrowser: Tools, Convert EDF+D to EDF+C)"
        )


def read_signals_with_gaps(layout: EdfLayout, places: Sequence[int]) -> Iterator[np.ndarray]:
    """Read signals of a discontinuous recording one by one, as physical values, float64 (time,).

    Behind a gap a data record stands at its own time after the first one, to half a sample, and NaN stands between.
    Without a gap it follows the one in front. So no window without a missing value crosses a gap.

    Raises:
        InputError: A field or a time breaks a rule.
    """
    times = _read_marks(layout).times
    for place in places:
        begin, end = layout.parts[place]
        size = layout.samples[place]
        starts = _starts(layout, times, size)
        values = np.full(int(starts[-1]) + size, np.nan)
        for first, block in _blocks(layout):
            digits = _digits(block[:, begin:end], layout.sample_bytes)
            values[starts[first : first + len(block), None] + np.arange(size)] = _physical(layout, place, digits)
        yield values


def read_notes_with_gaps(layout: EdfLayout, sample_rate: float) -> list[Note]:
    """Return the annotations of a discontinuous recording by the clock of its samples, which begins with the first one.

    A device counts time a little faster or slower than its header says. So the times of an annotation are counted from
    the begin of the data record that they fall in.

    Args:
        layout: Structure of the file.
        sample_rate: Hz, of the signals beside which the annotations stand.

    Raises:
        InputError: An annotation or a time breaks a rule of the format.
    """
    marks = _read_marks(layout)
    starts = _starts(layout, marks.times, round(sample_rate * layout.duration))

    def counted(time: float) -> float:
        record = max(0, int(np.searchsorted(marks.times, time, side="right")) - 1)
        found = float(starts[record]) + (time - float(marks.times[record])) * sample_rate
        # A time in a gap never reaches into the record behind it.
        return (found if record == len(starts) - 1 else min(found, float(starts[record + 1]))) / sample_rate

    return [(counted(begin), counted(begin + duration) - counted(begin), text) for begin, duration, text in marks.notes]


def _blocks(layout: EdfLayout) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of a first data record, and bytes of it and of those behind it, (records, record_bytes)."""
    step = max(1, CHUNK_BYTES // layout.record_bytes)
    with open_regular(layout.path) as file:
        file.seek(layout.header_bytes)
        for first in range(0, layout.num_records, step):
            promised = min(step, layout.num_records - first) * layout.record_bytes
            content = read_part(file, promised, layout.where, promised)
            yield first, np.frombuffer(content, dtype=np.uint8).reshape(-1, layout.record_bytes)


def _digits(block: np.ndarray, sample_bytes: int) -> np.ndarray:
    """Return whole numbers with a sign, least byte first, int32 (records, samples), of their bytes."""
    found = block.reshape(len(block), -1, sample_bytes).astype(np.int32)
    total = sum(found[:, :, place] << (8 * place) for place in range(sample_bytes))
    top = 1 << (8 * sample_bytes - 1)
    return np.asarray((total ^ top) - top)


def _physical(layout: EdfLayout, place: int, digits: np.ndarray) -> np.ndarray:
    """Return values in the unit of the signal, by the line through the two ends that the header states."""
    low, high = (layout.number(f"Physical {end}", place) for end in ("Minimum", "Maximum"))
    least, greatest = (layout.number(f"Digital {end}", place) for end in ("Minimum", "Maximum"))
    if least >= greatest:
        raise broken(layout.where, "Digital Maximum")
    if low == high:
        raise broken(layout.where, "Physical Maximum")
    return low + (digits - least) * ((high - low) / (greatest - least))


def _starts(layout: EdfLayout, times: np.ndarray, size: int) -> np.ndarray:
    """Return the place of the first of the `size` samples of each data record, int64 (num_records,)."""
    rate = size / layout.duration
    gaps = (np.diff(times) - layout.duration) * rate
    if (gaps <= -LEAST_GAP).any():
        raise InputError(
            f"{layout.where}: a data record begins before the one in front of it has ended: export the recording again"
        )
    starts = np.zeros(len(times), dtype=np.int64)
    for number, gap in enumerate(gaps.tolist(), start=1):
        starts[number] = starts[number - 1] + size
        if gap >= LEAST_GAP:
            # One missing sample at least, so that no window can cross the gap.
            starts[number] = max(starts[number] + 1, round(float(times[number] - times[0]) * rate))
    return starts


def _read_marks(layout: EdfLayout) -> _Marks:
    """Read the time of each data record, which its first annotation states, and all other annotations."""
    times, notes = np.empty(layout.num_records), []
    parts = [layout.parts[place] for place in layout.places(of_notes=True)]
    if not parts:
        raise InputError(f"{layout.where} is discontinuous and has no times of its data records: export it again")
    for first, block in _blocks(layout):
        for number, record in enumerate(block, start=first):
            lists = [_lists(record[begin:end].tobytes(), layout.where) for begin, end in parts]
            if not lists[0] or lists[0][0][2][0] != b"":
                raise InputError(f"{layout.where} has a data record without a time of its own: export it again")
            times[number] = lists[0][0][0]
            notes += [
                (begin, duration, text.decode("utf-8", errors="replace"))
                for one in lists
                for begin, duration, texts in one
                for text in texts
                if text
            ]
    return _Marks(times=times, notes=notes)


def _lists(content: bytes, where: str) -> list[tuple[float, float, list[bytes]]]:
    """Return the lists of annotations in a data record: begin, duration and texts of each."""
    found = []
    for written in filter(None, content.split(b"\0")):
        head, *texts = written.split(b"\x14")
        begin = _BEGIN.fullmatch(head)
        # Every text has its end marked, and so nothing stands behind the last mark.
        if begin is None or len(texts) < 2 or texts[-1]:
            raise InputError(f"{where} has annotations that break a rule of EDF: export it again")
        found.append((float(begin[1]), float(begin[2] or 0), texts[:-1]))
    return found
