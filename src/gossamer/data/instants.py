"""Dates with a time, written as text by ISO 8601, as instants: a zone behind the time is taken off, to UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from gossamer.data.names import Place
from gossamer.errors import InputError

# A time of day must stand before the zone, or the day of a plain date would be taken for an offset.
_ZONED: Final = re.compile(r"(.+[T ]\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d+)?)?)?) ?(?:([Zz])|([+-])(\d{2})(?::?(\d{2}))?)")
# Of a text with a zone in another place numpy would drop the zone, and a word such as "today" would be the owner's day.
_PLAIN: Final = re.compile(r"[0-9T :.-]+")
_MISSING: Final = ("", "nat")
_WRONG: Final = "is neither a number nor a date: write it as 2026-01-31T08:15:00.250"
_MIXED: Final = (
    "and row 1 are not both times with a zone or both without: write the zone, as in 2026-01-31T08:15:00+01:00, behind "
    "all times of the column or behind none"
)


def instants_of_texts(cells: Sequence[str | None], place: Place) -> np.ndarray:
    """Return dates with a time as instants. With a zone they are in UTC, and so each may have an offset of its own.

    Args:
        cells: ISO 8601, such as ``2026-01-31T08:15:00.250`` or ``2026-01-31T08:15:00+01:00``. None or empty if missing.
        place: Beginning of a message.

    Returns:
        datetime64[ns] (num_rows,), NaT in place of a missing one.

    Raises:
        InputError: Naming the first row that holds no date, or one with a zone among others without.

    Example:
        >>> cells = ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]
        >>> instants_of_texts(cells, lambda row: f"row {row + 1}").astype("datetime64[m]").tolist()
        [datetime.datetime(2026, 10, 25, 0, 30), datetime.datetime(2026, 10, 25, 1, 30)]
    """
    instants = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[ns]")
    has_zone: bool | None = None
    for row, cell in enumerate(cells):
        text = (cell or "").strip()
        if text.casefold() in _MISSING:
            continue
        zoned = _ZONED.fullmatch(text)
        if has_zone not in (None, zoned is not None):
            # Privacy: the place, never the cell. A local time beside an instant says nothing of the time between them.
            raise InputError(f"{place(row)} {_MIXED}")
        has_zone = zoned is not None
        try:
            instants[row] = _instant(text, zoned)
        except (ValueError, ArithmeticError):
            raise InputError(f"{place(row)} {_WRONG}") from None
    return instants


def _instant(cell: str, zoned: re.Match[str] | None) -> np.datetime64:
    if not _PLAIN.fullmatch(cell if zoned is None else zoned[1].replace(",", ".")):
        raise ValueError(cell)
    if zoned is None:
        return np.datetime64(cell)
    local = np.datetime64(zoned[1].replace(",", "."), "ns")
    if zoned[2]:
        return local
    hours, minutes = int(zoned[4]), int(zoned[5] or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(cell)
    offset = np.timedelta64(60 * hours + minutes, "m")
    return local - offset if zoned[3] == "+" else local + offset
