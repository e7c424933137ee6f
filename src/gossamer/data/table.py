"""A table with named columns, on the disk or in memory, and the columns that were read from it."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Final

import numpy as np

from gossamer.data.files import shown
from gossamer.errors import InputError, told

MAX_COLUMNS: Final = 100_000
"""Largest number of columns of a table."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Columns of one table, all of one length. Private.

    Args:
        where: The file, for messages.
        numbers: Name -> float64 (num_rows,), with NaN in place of an empty cell.
        words: Name -> names by the rule of `names`, text (num_rows,).
        times: Name -> float64 (num_rows,), in seconds if they were dates.
    """

    where: str
    numbers: dict[str, np.ndarray]
    words: dict[str, np.ndarray]
    times: dict[str, np.ndarray]


class AbstractTable(abc.ABC):
    """A table with named columns, on the disk or in memory. The names are public, the cells private."""

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """Columns, in their order, each with a name of its own."""

    @property
    @abc.abstractmethod
    def where(self) -> str:
        """Beginning of a message."""

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """Public name of the records."""

    @abc.abstractmethod
    def read(self, *, numbers: tuple[str, ...], words: tuple[str, ...], times: tuple[str, ...] = ()) -> Table:
        """Read the columns that are needed.

        Args:
            numbers: Columns of values.
            words: Columns of names, by the rule of `names`.
            times: Columns of numbers or of dates with a time.

        Raises:
            InputError: A cell is not of its column's kind, or rows differ in length.
        """

    def check(self, values: tuple[str, ...], others: tuple[str, ...]) -> None:
        """Refuse a column that is not there or wanted twice.

        Args:
            values: Columns of values.
            others: Columns with another meaning.

        Raises:
            InputError: Naming the column, one of values by its place.
        """
        known, seen = set(self.names), set[str]()
        for place, name in enumerate((*values, *others)):
            if name not in known:
                # Privacy: a list may be a column of cells, handed over by mistake. A single name was written by hand.
                told_as = f"for value column {place + 1}" if place < len(values) else told(name)
                raise InputError(f"{self.where} has no column {told_as}: {_described(self.names)}")
            if name in seen:
                raise InputError(f"the column {shown(name[:40])} was named for two things: a column has one meaning")
            seen.add(name)


def check_head(names: tuple[str, ...], where: str) -> None:
    """Refuse names of columns of which there are too many, or one is missing or given twice.

    Raises:
        InputError: Naming the place, and never the name.
    """
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{where} has more than {MAX_COLUMNS} columns: leave some out, or save the series as NPZ")
    if not names or not all(name.strip() for name in names):
        raise InputError(f"{where} has a column without a name: give every column a name in the head line")
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        first = places.setdefault(name, place)
        if first != place:
            # Privacy: places, not names: where the head line is missing, these are values of the first record.
            raise InputError(f"{where} has one name for its columns {first + 1} and {place + 1}: give each its own")


def _described(names: tuple[str, ...]) -> str:
    """Name the columns that there are."""
    # Privacy: a table whose head line is missing has the first record in its place, and so a number among the names.
    if any(_is_number(name) for name in names):
        return f"it has {len(names)}, some with a number for a name; is the head line missing?"
    return f"it has {', '.join(shown(name[:40]) for name in names[:6])}{', ...' * (len(names) > 6)}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
