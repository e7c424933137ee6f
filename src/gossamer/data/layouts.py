"""The two layouts of a table of series: wide, a row for each series, and long, a row for each time of a series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gossamer.errors import InputError

MAX_KEPT: Final = 1000
"""Most names of value columns that a specification keeps."""
MAX_NAME: Final = 100
"""Longest name of a column that a specification keeps, in characters."""
SERIES: Final = "series"
"""The usual name for the column of the series."""
TIME: Final = "time"
"""The usual name for the column of the time."""
LABEL: Final = "class"
"""The usual name for the column of the class."""


@dataclass(frozen=True, kw_only=True)
class WideColumns:
    """The columns of a wide table: a row is a series, and its values stand side by side, channel after channel.

    Args:
        values: Columns of the values, in the order of time. Empty for all columns that have no other meaning.
        label: Column of the class, or None.
        person: Column of the person, or None.
    """

    values: tuple[str, ...] = ()
    label: str | None = None
    person: str | None = None


@dataclass(frozen=True, kw_only=True)
class LongColumns:
    """The columns of a long table: a row is one time of one series.

    Args:
        series: Column of the series that a row belongs to.
        time: Column of the time, rising within a series.
        values: A column for each channel. Empty for all columns that have no other meaning.
        label: Column of the class, the same in all rows of a series, or None.
        person: Column of the person, the same in all rows of a series, or None.
    """

    series: str
    time: str
    values: tuple[str, ...] = ()
    label: str | None = None
    person: str | None = None


TableColumns = WideColumns | LongColumns
"""The layout of a table of series, with the names of its columns. A file tells the two apart by their type's name."""


def public_columns(columns: TableColumns) -> TableColumns:
    """Return the layout as a specification keeps it, so that samples come back as a table of the same layout.

    Guarantee:
        Names of columns are public inputs, since the user named them. The person is left out, since no sample has one.
        A name that the user did not give, or that could not stand in a table, is left out too.

    Args:
        columns: The layout, as the user named it.

    Example:
        >>> public_columns(WideColumns(label="kind", person="patient"))
        WideColumns(values=(), label='kind', person=None)
    """
    values = columns.values if len(columns.values) <= MAX_KEPT and all(map(_is_plain, columns.values)) else ()
    label = columns.label if columns.label is not None and _is_plain(columns.label) else None
    if isinstance(columns, WideColumns):
        return WideColumns(values=values, label=label)
    names = [name if _is_plain(name) else usual for name, usual in ((columns.series, SERIES), (columns.time, TIME))]
    return LongColumns(series=names[0], time=names[1], values=values, label=label)


def named_columns(columns: TableColumns) -> tuple[str, ...]:
    """Return the columns that were named.

    >>> named_columns(LongColumns(series="id", time="t", values=("a", "b")))
    ('id', 't', 'a', 'b')
    """
    first = (columns.series, columns.time) if isinstance(columns, LongColumns) else ()
    others = (name for name in (columns.label, columns.person) if name is not None)
    return (*first, *others, *columns.values)


LONG: Final = LongColumns(series=SERIES, time=TIME)
"""A long table with the usual names."""
WIDE: Final = WideColumns()
"""A wide table with the usual names."""


def as_long(columns: TableColumns) -> LongColumns:
    """Return a layout itself if it is long, else a long one with the usual names and the same name of the class."""
    return columns if isinstance(columns, LongColumns) else replace(LONG, label=columns.label)


def as_wide(columns: TableColumns) -> WideColumns:
    """Return a layout itself if it is wide, else a wide one with the usual names and the same name of the class."""
    return columns if isinstance(columns, WideColumns) else replace(WIDE, label=columns.label)


def check_columns(columns: TableColumns, num_values: int) -> None:
    """Refuse names of columns, from a file, that could not stand in a table.

    Raises:
        InputError: A name is empty, unprintable, too long or given twice, or the values have another number.
    """
    names = named_columns(columns)
    if not all(map(_is_plain, names)) or len(set(names)) < len(names):
        raise InputError(f"a column of the table must have 1 to {MAX_NAME} printable characters, and its own name")
    if columns.values and len(columns.values) != num_values:
        raise InputError(f"the table has {len(columns.values)} value columns for {num_values} values of a row")


def _is_plain(name: str) -> bool:
    return len(name.strip()) > 0 and len(name) <= MAX_NAME and name.isprintable()
