"""A table with named columns, on the disk or in memory, and the columns that were read from it."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gossamer.data.files import shown
from gossamer.data.row_names import RowNames
from gossamer.errors import InputError, told

MAX_COLUMNS: Final = 100_000
"""Largest number of columns of a table."""
LEAST_COUNTED: Final = 5
"""Least number of columns that may be named by counting. A record of fewer values could read as such a head line."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Columns of one table, all of one length. Private.

    Args:
        where: The file, for messages.
        numbers: Name -> float64 (num_rows,), with NaN in place of an empty cell.
        words: Name -> the name of each row, by the rule of `names`.
        times: Name -> float64 (num_rows,), in seconds if they were dates.
    """

    where: str
    numbers: dict[str, np.ndarray]
    words: dict[str, RowNames]
    times: dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """Some rows of some columns of a table. Private.

    Args:
        first: Number of rows before it in the table.
        table: Columns, a table or a batch of pyarrow.
    """

    first: int
    table: Any


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

    @property
    def index(self) -> tuple[str, ...]:
        """Columns that hold no more than the numbers or names of the rows, by the format's own word."""
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the parts of the table that are no columns, for the statement."""
        return ()

    @property
    @abc.abstractmethod
    def lists(self) -> Mapping[str, tuple[int | None, ...]]:
        """Columns of lists: the sizes of their lists from the outer ones on, None for a size that the type leaves open.

        They follow from the types of the columns alone.
        """

    @property
    @abc.abstractmethod
    def most_rows(self) -> int:
        """Upper bound of the number of rows."""

    @abc.abstractmethod
    def pieces(self, *, numbers: tuple[str, ...], words: tuple[str, ...]) -> Iterator[Piece]:
        """Read the columns that are needed piece by piece, so that never all of them lie in the memory.

        Args:
            numbers: Columns of values, or of lists of values.
            words: Columns of names.

        Yields:
            Pieces in which each row of each column stands once.

        Raises:
            InputError: A cell is not of its column's kind, or rows differ in length.
        """

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

    def check(self, values: tuple[str, ...], others: tuple[str, ...], dropped: tuple[str, ...] = ()) -> None:
        """Refuse a column that is not there or wanted twice.

        Args:
            values: Columns of values.
            others: Columns with another meaning.
            dropped: Columns to leave out.

        Raises:
            InputError: Naming the column, one of a list by its place.
        """
        known, seen = set(self.names), set[str]()
        # Privacy: a list may be a column of cells, handed over by mistake. A single name was written by hand.
        listed = [(name, f"for value column {place + 1}") for place, name in enumerate(values)]
        listed += [(name, f"for column {place + 1} of those to leave out") for place, name in enumerate(dropped)]
        for name, told_as in (*listed, *((name, told(name)) for name in others)):
            if name not in known:
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
    if is_counted(names):
        return f"it has the columns {shown(names[0])} to {shown(names[-1])}"
    # Privacy: a table whose head line is missing has the first record in its place, and so a number among the names.
    if any(is_number(name) for name in names):
        return (
            f"it has {len(names)}, some with a number for a name; is the head line missing? Then say --no-header "
            "(no_header=True in Python), and its columns are named 0, 1, ..."
        )
    return f"it has {', '.join(shown(name[:40]) for name in names[:6])}{', ...' * (len(names) > 6)}"


def is_counted(names: tuple[str, ...]) -> bool:
    """Return True if names count the columns from 0 or 1 on, as pandas does of columns that nobody named.

    >>> is_counted(("0", "1", "2", "3", "4")), is_counted(("0.5", "1"))
    (True, False)
    """
    counts = (tuple(map(str, range(start, start + len(names)))) for start in (0, 1))
    return len(names) >= LEAST_COUNTED and names in counts


def is_number(text: str) -> bool:
    """Return True if a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
