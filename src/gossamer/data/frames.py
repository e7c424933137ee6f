"""Tables in memory: data frames of pandas, tables of pyarrow, and all others that speak Arrow, such as polars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from gossamer.data.cells import table_of
from gossamer.data.columns import index_of_schema
from gossamer.data.files import shown
from gossamer.data.head_line import leading_index, refuse_record
from gossamer.data.list_columns import sizes_of_lists
from gossamer.data.names import names_of_array
from gossamer.data.parquet_columns import refuse_nested
from gossamer.data.table import AbstractTable, Piece, Table, check_head
from gossamer.errors import GossamerError, InputError, ResourceError
from gossamer.extras import need

_WHERE: Final = "the table"
_VALUES_AT_ONCE: Final = 2**19
_INDEX_LEFT: Final = "The index of the data frame was left out: a level of it is a column only if it is named."


@runtime_checkable
class ArrowStream(Protocol):
    """An object that hands columns over by the Arrow protocol."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the stream."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TableInMemory(AbstractTable):
    """A table in memory, read by the rules of tables on the disk.

    Args:
        columns: Their names, in their order.
        gather: Returns the columns of these names as a table of pyarrow.
        num_rows: Number of rows.
        index: Columns that hold the index of pandas.
        notes: Sentence on an index that no column holds, or none.
        list_sizes: Columns of lists, with the sizes of their lists.
    """

    columns: tuple[str, ...]
    gather: Callable[[tuple[str, ...], tuple[str, ...], tuple[str, ...]], Any]
    num_rows: int
    index: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    list_sizes: Mapping[str, tuple[int | None, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns, in their order."""
        return self.columns

    @property
    def where(self) -> str:
        """The words *the table*, since no path leads to it."""
        return _WHERE

    @property
    def title(self) -> str:
        """The word *table*."""
        return "table"

    @property
    def lists(self) -> Mapping[str, tuple[int | None, ...]]:
        """Columns of lists, with the sizes of their lists."""
        return self.list_sizes

    @property
    def most_rows(self) -> int:
        """Number of rows."""
        return self.num_rows

    def pieces(self, *, numbers: tuple[str, ...], words: tuple[str, ...]) -> Iterator[Piece]:
        """Hand the columns that are needed over, a number of rows at a time."""
        need("series", "a table")
        step = max(256, _VALUES_AT_ONCE // max(1, len(numbers)))
        with _unreadable_refused():
            found = self.gather(numbers, words, ())
            for first in range(0, found.num_rows, step):
                yield Piece(first=first, table=found.slice(first, step))

    def read(self, *, numbers: tuple[str, ...], words: tuple[str, ...], times: tuple[str, ...] = ()) -> Table:
        """Read the columns that are needed."""
        need("series", "a table")
        with _unreadable_refused():
            return table_of(self.gather(numbers, words, times), _WHERE, numbers=numbers, words=words, times=times)


def is_frame(value: object) -> bool:
    """Return True if a value is a table in memory, and no single column of one."""
    return _is_pandas(value) or (isinstance(value, ArrowStream) and not _is_column(value))


def table_in_memory(frame: Any, wanted: Iterable[str]) -> TableInMemory:
    """Return a table in memory.

    Args:
        frame: A data frame of pandas, a table of pyarrow, or any other object that hands over Arrow.
        wanted: Columns that were named. A level of the index of a data frame is a column if it was.

    Raises:
        InputError: A column has no name or that of another, or stands under several head lines.
    """
    found = _of_pandas(frame, tuple(wanted)) if _is_pandas(frame) else _of_arrow(frame)
    check_head(found.columns, _WHERE)
    refuse_record(found.columns, None)
    return found


def _is_pandas(value: object) -> bool:
    # A data frame is there only if its user has imported pandas.
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def _is_column(value: object) -> bool:
    pandas, pyarrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    kinds = (pandas.Series, pandas.Index) if pandas is not None else ()
    kinds += (pyarrow.ChunkedArray, pyarrow.Array) if pyarrow is not None else ()
    return isinstance(value, kinds) or type(value).__name__ == "Series"


def _of_arrow(frame: ArrowStream) -> TableInMemory:
    need("series", "a table")
    import pyarrow

    with _unreadable_refused():
        table = pyarrow.table(frame)

    def gather(*names: tuple[str, ...]) -> Any:
        wanted = [name for group in names for name in group]
        refuse_nested(table.schema, [name for name in wanted if name not in lists], _WHERE)
        return table.select(wanted)

    lists = sizes_of_lists(table.schema)
    return TableInMemory(
        columns=tuple(map(str, table.column_names)),
        gather=gather,
        num_rows=table.num_rows,
        index=index_of_schema(table.schema),
        list_sizes=lists,
    )


def _of_pandas(frame: Any, wanted: tuple[str, ...]) -> TableInMemory:
    if frame.columns.nlevels > 1:
        raise InputError(f"{_WHERE} has {frame.columns.nlevels} head lines: give every column one name")
    named = set(map(str, frame.columns))
    levels = [name for name in frame.index.names if str(name) in wanted and str(name) not in named]
    # An index counts as a column only if it was named: an unnamed one would become a channel.
    is_plain = frame.index.nlevels == 1 and frame.index.name is None and type(frame.index).__name__ == "RangeIndex"
    notes = () if is_plain or len(levels) == frame.index.nlevels else (_INDEX_LEFT,)
    frame = frame.reset_index(level=levels) if levels else frame
    places = {str(name): place for place, name in enumerate(frame.columns)}

    def gather(numbers: tuple[str, ...], words: tuple[str, ...], times: tuple[str, ...]) -> Any:
        """Return the columns of these names as a table of pyarrow, those of words as names.

        Raises:
            InputError: a column holds nested values, or names that break the rule for names.
        """
        import pyarrow

        kept = {name: _values_of(frame.iloc[:, places[name]]) for name in (*numbers, *times)}
        kept |= {name: _names_of(frame.iloc[:, places[name]], name) for name in words}
        table = pyarrow.table(kept)
        refuse_nested(table.schema, [name for name in kept if name not in lists], _WHERE)
        return table

    names = tuple(map(str, frame.columns))
    lists = _lists_of_pandas(frame)
    return TableInMemory(
        columns=names, gather=gather, num_rows=len(frame), index=leading_index(names), notes=notes, list_sizes=lists
    )


def _lists_of_pandas(frame: Any) -> dict[str, tuple[int | None, ...]]:
    """Return the columns of lists. Of a column of objects the type of the first cell that is there decides."""
    found = {}
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        kind = type(column.dtype).__name__
        first = column.dropna().iloc[:1].tolist() if kind == "ObjectDType" else []
        if kind == "ArrowDtype" or any(isinstance(cell, list | tuple | np.ndarray) for cell in first):
            found |= sizes_of_lists(_schema_of(str(name), column))
    return found


def _schema_of(name: str, column: Any) -> Any:
    import pyarrow

    with _unreadable_refused():
        return pyarrow.schema([(name, _values_of(column).type)])


def _values_of(column: Any) -> Any:
    """Return a column as one of pyarrow. Where it holds several kinds of things, all are written as text."""
    import pyarrow

    try:
        return pyarrow.array(column, from_pandas=True)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
        pass
    cells = [None if is_missing else str(cell) for cell, is_missing in zip(column, column.isna(), strict=True)]
    return pyarrow.array(cells, type=pyarrow.string())


def _names_of(column: Any, name: str) -> Any:
    import pyarrow

    names = names_of_array(column.to_numpy(), lambda row: f"{_WHERE}: column {shown(name[:40])}, row {row + 1}")
    return pyarrow.DictionaryArray.from_arrays(names.numbers, pyarrow.array(names.distinct, type=pyarrow.string()))


@contextmanager
def _unreadable_refused() -> Iterator[None]:
    """Turn the errors of packages that hold tables into one line, without their own words."""
    try:
        yield
    except GossamerError:
        raise
    except MemoryError:
        raise ResourceError(f"{_WHERE}: not enough memory to read it: hand over fewer rows") from None
    except Exception:
        # All exceptions, because packages of tables share no ancestor of their errors.
        # Privacy: `from None`, because their messages quote the cell that they failed on.
        raise InputError(f"{_WHERE} has a column that cannot be read: convert it to plain numbers or text") from None
