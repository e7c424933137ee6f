"""The series of one file of the UCR and UEA archives, and the parts that its readers share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.files import open_regular, shown
from gossamer.data.records import check_num_values
from gossamer.errors import InputError

MISSING: Final = ("?", "")
"""Cells that stand for a missing value, beside NaN."""
STEP_TOLERANCE: Final = 0.01
"""Largest part by which a step in time may differ from one over the sample rate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cases:
    """The series of a file, as they stand there. Private but for the names of the header.

    Args:
        values: Each float64 (channels, time), NaN where a value is missing. All have one number of channels.
        words: Class of each series, as it was written, or None if the file has none.
        class_names: Names that the header lists, in its order. Empty if it lists none.
        length: Samples of each series by the header, or by the columns of the file. None if lengths differ by the
            header.
        clocks: Times of each series, rising, in seconds if they were dates. None if the file has none.
        notes: Sentences on public things in the file.
    """

    values: list[np.ndarray]
    words: list[str] | None
    class_names: tuple[str, ...] = ()
    length: int | None = None
    clocks: list[list[float] | None] | None = None
    notes: tuple[str, ...] = ()


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not empty, from 1 on.

    Raises:
        InputError: The file is absent or no text in UTF-8.
    """
    where = shown(path)
    with open_regular(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise InputError(f"{where}: line {number} is not UTF-8 text: save the file as UTF-8") from None
            if text:
                yield number, text


def numbers_of(cells: list[str], at: str) -> list[float]:
    """Return values of one channel, NaN in place of a missing one.

    Args:
        cells: As they were written.
        at: Words for the place: the beginning of a message.

    Raises:
        InputError: A cell is no number.
    """
    try:
        return list(map(float, cells))
    except ValueError:
        return [_number_of(cell.strip(), f"{at}, value {place + 1}") for place, cell in enumerate(cells)]


def _number_of(cell: str, at: str) -> float:
    if cell in MISSING:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        # Privacy: the place, never the cell. `from None`, since Python quotes it.
        raise InputError(f"{at} is no number: write decimal points, and ? for a missing value") from None


def stacked(channels: list[list[float]], at: str) -> np.ndarray:
    """Return the channels of one series as an array, float64 (channels, time).

    Raises:
        InputError: They differ in length, or have no sample.
    """
    lengths = {len(channel) for channel in channels}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(f"{at} has channels of several lengths: give all channels of a series one length")
    return np.array(channels, dtype=np.float64)


def check_cases(values: list[np.ndarray], where: str) -> None:
    """Refuse no series, and more values than a usual machine's memory holds.

    Raises:
        InputError: There is none, or too many values.
    """
    if not values:
        raise InputError(f"{where} has no series under its header: at least 1 is needed")
    check_num_values(where, sum(one.size for one in values))


def check_clocks(cases: Cases, sample_rate: float, where: str) -> None:
    """Refuse times that do not follow each other by one over the sample rate, to 1 %.

    Raises:
        InputError: Naming the first such series.
    """
    for place, clock in enumerate(cases.clocks or ()):
        if (np.abs(np.diff(np.array(clock)) * sample_rate - 1) > STEP_TOLERANCE).any():
            raise InputError(
                f"{where}: the times of series {place} do not follow each other by 1/{sample_rate:g} s: resample, or "
                "leave --sample-rate out"
            )


def without_end(values: np.ndarray) -> np.ndarray:
    """Return a series without the samples at its end that are missing in all channels.

    The archives fill shorter series up so. At least one sample stays.

    Example:
        >>> without_end(np.array([[1.0, np.nan, 2.0, np.nan]])).tolist()
        [[1.0, nan, 2.0]]
    """
    is_there = ~np.isnan(values).all(axis=0)
    last = int(np.flatnonzero(is_there)[-1]) if is_there.any() else 0
    return values[:, : last + 1]
