"""Synthetic series as one EDF+ recording: one after the other, in their own units, each under an annotation."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from itertools import chain, count, repeat
from math import gcd
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from gossamer.data.edf import edf_package
from gossamer.data.series import SeriesSpec
from gossamer.data.units import plain_unit
from gossamer.errors import InputError
from gossamer.runs.files import whole_file
from gossamer.runs.header_words import header_words
from gossamer.runs.pieces import Pieces
from gossamer.runs.series_files import channel_names

LONGEST_LABEL: Final = 16
"""Longest label of a signal, in ASCII characters."""
LONGEST_UNIT: Final = 8
"""Longest unit of a signal, in ASCII characters."""
LONGEST_NOTE: Final = 40
"""Longest annotation that the package writes, in bytes. It cuts longer ones without a word."""
_WITHOUT_CLASS: Final = "series"
_FILL: Final = "(fill)"
_DIGITS: Final = (-32768, 32767)
_MAX_WIDENING: Final = 1.05
_MAX_RECORD_BYTES: Final = 61_440
_SECONDS: Final = (0.001, 60.0)
_TICKS: Final = 100_000  # of a second, in which the package keeps the duration of a data record
_MAX_NOTES_A_RECORD: Final = 64
_FASTEST: Final = 10_000.0  # Hz, above which the package rounds the begin of an annotation by half a sample
_ELSEWHERE: Final = "choose .npz or .csv"
# The format wants a date. It is always this one, so that the same seed gives the same file.
_DATE: Final = datetime(1985, 1, 1)


@dataclass(frozen=True, kw_only=True)
class DataRecords:
    """The division of a recording into data records of one length.

    Attributes:
        size: samples of each signal in a data record.
        seconds: duration of a data record. Size over seconds is the sample rate.
        number: data records of the recording.
        fill: samples behind the last series that fill the last data record.
    """

    size: int
    seconds: float
    number: int
    fill: int


def write_edf(path: Path, x: np.ndarray | Pieces, y: np.ndarray | None, spec: SeriesSpec) -> tuple[str, ...]:
    """Write all series one after the other as a recording in EDF+. An annotation spans each, and names its class.

    A value is written to within (high - low) / 120,000. Data records are so long that the series fill them, if there
    is such a length. No body does so: neighbours in the recording have nothing to do with each other.

    Args:
        path: file ending in .edf.
        x: float32 (num_samples, channels, time) in [0, 1].
        y: int64 (num_samples,), or None.
        spec: bounds, names, units and sample rate.

    Returns:
        Sentences on the things that the format could not hold as they are.

    Raises:
        InputError: no sample rate, or one or bounds that the format cannot hold.
        ResourceError: the file cannot be written.
    """
    records = data_records(len(x), spec)
    bounds = [_header_bounds(low, high, place) for place, (low, high) in enumerate(zip(spec.low, spec.high))]
    labels = header_words(channel_names(spec), longest=LONGEST_LABEL, what="channel")
    classes = header_words(spec.class_names, longest=LONGEST_NOTE, what="class")
    units = [plain_unit(unit) for unit in spec.shown_units]
    units = [unit if unit.isascii() and len(unit) <= LONGEST_UNIT else "" for unit in units]
    signals = [
        {
            "label": label, "dimension": unit, "sample_frequency": records.size / records.seconds,
            "physical_min": low, "physical_max": high, "digital_min": _DIGITS[0], "digital_max": _DIGITS[1],
            "prefilter": "", "transducer": "",
        }
        for label, unit, (low, high) in zip(labels.words, units, bounds, strict=True)
    ]  # fmt: skip
    words = repeat(_WITHOUT_CLASS, len(x)) if y is None else (classes.words[label] for label in y)
    package = edf_package("an EDF recording")
    with whole_file(path) as file, warnings.catch_warnings():
        # The package warns of every duration that is set, and writes each number of samples right for these.
        warnings.simplefilter("ignore")
        digits = _whole_records(Pieces.of(x).mapped(lambda piece: _digits(piece, spec, bounds)), records)
        notes = chain(_notes(words, spec), _note_of_fill(records))
        _write(package, file.name, signals, len(x) + (records.fill > 0), digits, notes, records)
    said = (labels.note, classes.note, _lost(units, spec), _rounded(spec), _filled(records))
    return tuple(note for note in said if note is not None)


def words_of_edf(spec: SeriesSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels of the signals and the annotations of the classes, as `write_edf` writes them.

    Args:
        spec: names of channels and classes.
    """
    labels = header_words(channel_names(spec), longest=LONGEST_LABEL, what="channel")
    classes = header_words(spec.class_names, longest=LONGEST_NOTE, what="class")
    return labels.words, classes.words


def data_records(num_series: int, spec: SeriesSpec) -> DataRecords:
    """Return the division into data records: a series each if that can be, and else one that leaves least to fill.

    A data record of n samples lasts n / rate seconds, a number that must have five decimals at most. It may take 61,440
    bytes and between 0.001 and 60 s.

    Raises:
        InputError: there is no sample rate, or no duration of data records fits it.

    Example:
        >>> data_records(10, SeriesSpec(channels=1, length=187, low=(0.0,), high=(1.0,), sample_rate=125.0))
        DataRecords(size=187, seconds=1.496, number=10, fill=0)
    """
    if spec.sample_rate is None:
        raise InputError(f"an EDF recording needs a sample rate and these series have none: {_ELSEWHERE}")
    rate = Fraction(spec.sample_rate).limit_denominator(10_000)
    # The least number of samples that last a whole number of the package's ticks.
    least = rate.numerator // gcd(rate.numerator, _TICKS * rate.denominator)
    smallest, largest = _sizes(rate, least, spec.channels)
    if abs(float(rate) / spec.sample_rate - 1) > 1e-9 or largest < smallest:
        raise InputError(f"an EDF header cannot hold the sample rate {spec.sample_rate:g} Hz exactly: {_ELSEWHERE}")
    total = num_series * spec.length
    for size in _fitting(spec.length, total, least, smallest, largest):
        number = -(-total // size)
        # One annotation for each series, and one for the fill.
        if num_series < number * _MAX_NOTES_A_RECORD:
            return DataRecords(size=size, seconds=float(size / rate), number=number, fill=number * size - total)
    raise InputError(f"an EDF recording cannot name so many series of {spec.length} samples: {_ELSEWHERE}")


def _sizes(rate: Fraction, least: int, channels: int) -> tuple[int, int]:
    """Return the smallest and largest number of samples of a data record, both multiples of the least one."""
    most = min(_MAX_RECORD_BYTES // (2 * channels), int(rate * Fraction(_SECONDS[1])))
    fewest = max(1, -(-rate * Fraction(1, 1000) // least)) * least
    return int(fewest), most // least * least


def _fitting(length: int, total: int, least: int, smallest: int, largest: int) -> Iterator[int]:
    """Yield sizes of data records, the best first: parts of a series, parts of all of them, and one about a series."""
    for whole in (length, total):
        sizes = range(min(largest, whole) // least * least, smallest - 1, -least)
        yield from (size for size in sizes if not whole % size)
    yield max(smallest, min(largest, length // least * least))


def _header_bounds(low: float, high: float, channel: int) -> tuple[float, float]:
    """Return the nearest bounds around these that eight characters can hold."""
    found = _in_eight(low, ROUND_FLOOR), _in_eight(high, ROUND_CEILING)
    if found[0] is None or found[1] is None or found[1] - found[0] > _MAX_WIDENING * (high - low):
        raise InputError(
            f"low[{channel}] and high[{channel}] take more than the 8 characters of an EDF header: {_ELSEWHERE}"
        )
    return found[0], found[1]


def _in_eight(bound: float, rounding: str) -> float | None:
    for decimals in range(6, -1, -1):
        rounded = Decimal(repr(float(bound))).quantize(Decimal(1).scaleb(-decimals), rounding=rounding)
        if len(f"{rounded.normalize():f}") <= 8:
            return float(rounded)
    return None


def _digits(x: np.ndarray, spec: SeriesSpec, bounds: list[tuple[float, float]]) -> np.ndarray:
    """Return the whole numbers of the signals, int32 (all times, channels)."""
    found = np.empty((len(x) * spec.length, spec.channels), dtype=np.int32)
    for channel, (low, high) in enumerate(bounds):
        own = spec.low[channel], spec.high[channel]
        values = x[:, channel].astype(np.float64).reshape(-1) * (own[1] - own[0]) + own[0]
        # The package cuts decimals off when it is given values, which costs a whole step: so it is given digits.
        found[:, channel] = np.rint((values - low) / (high - low) * (_DIGITS[1] - _DIGITS[0])) + _DIGITS[0]
    return found


def _whole_records(digits: Pieces, records: DataRecords) -> Iterator[np.ndarray]:
    """Yield digits in whole data records, since the package fills up each time. The last value is repeated as the fill.

    Args:
        digits: pieces (some times, channels).
        records: division into data records.

    Yields:
        (some data records of times, channels).
    """
    rest: np.ndarray | None = None
    for piece in digits:
        piece = piece if rest is None else np.concatenate([rest, piece])
        whole = len(piece) // records.size * records.size
        rest = piece[whole:]
        if whole:
            yield piece[:whole]
    if rest is not None and len(rest):
        yield np.pad(rest, ((0, records.fill), (0, 0)), mode="edge")


def _notes(words: Iterable[str], spec: SeriesSpec) -> Iterator[tuple[float, float, str]]:
    """Yield begin and duration in seconds, and text of an annotation for each series."""
    assert spec.sample_rate is not None
    seconds = spec.length / spec.sample_rate
    return ((number * seconds, seconds, word) for number, word in zip(count(), words))


def _note_of_fill(records: DataRecords) -> Iterator[tuple[float, float, str]]:
    if records.fill:
        end = (records.number * records.size - records.fill) / records.size * records.seconds
        yield end, records.fill / records.size * records.seconds, _FILL


def _write(
    package: ModuleType,
    path: str,
    signals: list[dict[str, Any]],
    num_notes: int,
    digits: Iterator[np.ndarray],
    notes: Iterator[tuple[float, float, str]],
    records: DataRecords,
) -> None:
    with package.EdfWriter(path, len(signals), package.FILETYPE_EDFPLUS) as writer:
        writer.setDatarecordDuration(records.seconds)
        writer.setSignalHeaders(signals)
        writer.setStartdatetime(_DATE)
        writer.setEquipment("gossamer")
        writer.setRecordingAdditional("synthetic")
        # The package drops without a word the annotations for which the data records have no room.
        writer.set_number_of_annotation_signals(-(-num_notes // records.number))
        for part in digits:
            writer.writeSamples(list(np.ascontiguousarray(part.T)), digital=True)
        for note in notes:
            writer.writeAnnotation(*note)


def _lost(units: list[str], spec: SeriesSpec) -> str | None:
    lost = sorted({unit for unit, written in zip(spec.shown_units, units, strict=True) if unit and not written})
    if not lost:
        return None
    return f"An EDF header has 8 ASCII characters for a unit: {', '.join(map(repr, lost))} was left out."


def _rounded(spec: SeriesSpec) -> str | None:
    if spec.sample_rate is None or spec.sample_rate <= _FASTEST:
        return None
    return "An annotation begins at a multiple of 0.1 ms, which can be a sample and more beside its series."


def _filled(records: DataRecords) -> str | None:
    if not records.fill:
        return None
    return (
        f"The last {records.fill} samples are no series: they repeat the last value to fill the last data record, and "
        f"the annotation {_FILL} spans them."
    )
