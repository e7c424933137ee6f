"""Lists of a table as recordings of any length, which are cut in windows: a row is a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gossamer.data.cells import as_words, check_num_rows
from gossamer.data.files import shown
from gossamer.data.list_columns import flat_numbers, lengths_of
from gossamer.data.records import check_num_values
from gossamer.data.row_names import RowNames, RunningNames
from gossamer.data.table import AbstractTable
from gossamer.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ListMeaning:
    """The public meaning of columns of lists.

    Args:
        names: Columns of lists of numbers, a channel each, or one column of lists of lists.
        channels: Number of channels.
        outer: Meaning of outer lists, channels or times. None if there are none.
    """

    names: tuple[str, ...]
    channels: int
    outer: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ListsRead:
    """The rows of a table. Private.

    Args:
        values: Each (channels, time), NaN for a missing value.
        words: Name of a column -> the name of each row in it.
    """

    values: list[np.ndarray]
    words: dict[str, RowNames]


def read_list_recordings(source: AbstractTable, meaning: ListMeaning, words: tuple[str, ...]) -> ListsRead:
    """Read lists of any length, a recording for each row.

    Args:
        source: Columns of the table.
        meaning: Public meaning of the lists.
        words: Columns of names.

    Raises:
        InputError: A list is missing, or channels of a row differ in length. The row is named, and no length.
    """
    running = {name: RunningNames() for name in words}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in meaning.names}
    num_values = 0
    # Pieces of a column come in the order of its rows.
    for piece in source.pieces(numbers=meaning.names, words=words):
        here = set(piece.table.schema.names)
        for name in running.keys() & here:
            running[name].add(as_words(piece.table.column(name), name, source.where, piece.first))
        for name in rows.keys() & here:
            found = _recordings_of(piece.table.column(name), meaning, name, source.where, piece.first)
            num_values += sum(one.size for one in found)
            check_num_values(source.where, num_values)
            rows[name] += found
    check_num_rows(len(rows[meaning.names[0]]), source.where)
    return ListsRead(
        values=_joined(list(rows.values()), source.where),
        words={name: names.names() for name, names in running.items()},
    )


def _joined(columns: list[list[np.ndarray]], where: str) -> list[np.ndarray]:
    """Join the channels of each row."""
    if len(columns) == 1:
        return columns[0]
    for row, channels in enumerate(zip(*columns, strict=True)):
        if len({one.shape[1] for one in channels}) > 1:
            raise InputError(f"{where}: row {row + 1} has lists of several lengths: give its channels one length")
    return [np.concatenate(channels) for channels in zip(*columns, strict=True)]


def _recordings_of(column: Any, meaning: ListMeaning, name: str, where: str, first: int) -> list[np.ndarray]:
    """Return the lists of a column as (channels, time) each, with one channel if they hold numbers."""
    import pyarrow

    at = f"{where}: column {shown(name[:40])}"
    chunk = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    lengths = lengths_of(chunk)
    _refuse_row(lengths < 0, first, at, "has no list: fill it in, or leave the row out")
    inside = chunk.flatten()
    if meaning.outer is None:
        return [part[None] for part in _parts(flat_numbers(inside, at), lengths)]
    sizes, values = lengths_of(inside), flat_numbers(inside.flatten(), at)
    rule = f"has not {meaning.channels} channels in its lists: correct it, or name as many with --channel-names"
    if meaning.outer == "times":
        times, row_of = lengths, np.repeat(np.arange(len(lengths)), lengths)
        _refuse_row(np.isin(np.arange(len(lengths)), row_of[sizes != meaning.channels]), first, at, rule)
        return [part.reshape(-1, meaning.channels).T for part in _parts(values, times * meaning.channels)]
    _refuse_row(lengths != meaning.channels, first, at, rule)
    each = sizes.reshape(len(lengths), meaning.channels)
    uneven = (each != each[:, :1]).any(axis=1) | (each < 0).any(axis=1)
    _refuse_row(uneven, first, at, "has lists of several lengths: give its channels one length")
    return [part.reshape(meaning.channels, -1) for part in _parts(values, each.sum(axis=1))]


def _parts(values: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
    return np.split(values, np.cumsum(sizes)[:-1]) if len(sizes) else []


def _refuse_row(is_wrong: np.ndarray, first: int, at: str, rule: str) -> None:
    if is_wrong.any():
        # Privacy: the place, never how long a list is.
        raise InputError(f"{at}, row {first + int(np.argmax(is_wrong)) + 1} {rule}")
