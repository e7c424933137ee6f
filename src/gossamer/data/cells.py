"""Cells of a table as numbers, names or times. A cell of another kind is refused in one line that names its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gossamer.data.arrow_arrays import plain_array
from gossamer.data.files import shown
from gossamer.data.instants import instants_of_texts
from gossamer.data.names import MAX_WORD_LENGTH, names_of_column
from gossamer.data.parquet_columns import is_string, spelled_out
from gossamer.data.records import check_num_values
from gossamer.data.row_names import RowNames
from gossamer.data.table import Table
from gossamer.errors import InputError


def table_of(
    found: Any, where: str, *, numbers: tuple[str, ...], words: tuple[str, ...], times: tuple[str, ...] = ()
) -> Table:
    """Return columns of a table of pyarrow as arrays.

    Args:
        found: The table.
        where: Beginning of a message.
        numbers: As for `AbstractTable.read`, and so are the other two.
        words: Columns of names.
        times: Columns of numbers or of dates with a time.

    Raises:
        InputError: There is no row, or a cell is not of its column's kind.
    """
    check_num_rows(found.num_rows, where)
    check_num_values(where, found.num_rows * len(numbers))
    return Table(
        where=where,
        numbers={name: as_numbers(found.column(name), name, where) for name in numbers},
        words={name: as_words(found.column(name), name, where) for name in words},
        times={name: as_times(found.column(name), name, where) for name in times},
    )


def check_num_rows(num_rows: int, where: str) -> None:
    """Refuse a table without a row.

    Raises:
        InputError: Naming the table.
    """
    if num_rows == 0:
        raise InputError(f"{where} has no row under its head line: at least 1 is needed")


def as_numbers(column: Any, name: str, where: str, first: int = 0) -> np.ndarray:
    """Return values as float64 (num_rows,), with NaN in place of a missing one.

    Args:
        column: Column of a table of pyarrow.
        name: Its name.
        where: Beginning of a message.
        first: Number of rows before it, of which a message counts on.

    Raises:
        InputError: The column holds no numbers, or one of its texts is none.
    """
    from pyarrow import types

    column = _plain(column, name, where)
    kind = column.type
    if is_string(kind):
        return _parsed(column.to_pylist(), name, where, first)
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)):
        raise InputError(f"{where}: column {shown(name[:40])} holds no numbers: leave it out or convert it")
    return as_array(column)


def as_rows(table: Any, names: Sequence[str], where: str, first: int = 0) -> np.ndarray:
    """Return some columns of numbers side by side, float64 (num_rows, columns), with NaN in place of a missing one.

    Args:
        table: Table or batch of pyarrow.
        names: Of the columns, at least one.
        where: Beginning of a message.
        first: Number of rows before the first, of which a message counts on.

    Raises:
        InputError: As of `as_numbers`.
    """
    import pyarrow

    chosen = table.select(list(names))
    if isinstance(chosen, pyarrow.RecordBatch) and set(chosen.schema.types) == {pyarrow.float64()}:
        # All columns in one call. A call for each would take longer than the numbers of a small block do.
        return chosen.to_tensor(null_to_nan=True, memory_pool=pyarrow.system_memory_pool()).to_numpy()
    return np.stack([as_numbers(chosen.column(name), name, where, first) for name in names], axis=1)


def as_array(column: Any) -> np.ndarray:
    """Return a column of integers, floats or decimals as 64-bit floats, with NaN in place of a missing one."""
    import pyarrow
    from pyarrow import types

    is_plain = types.is_integer(column.type) or types.is_floating(column.type)
    if is_plain and column.null_count == 0:
        # pyarrow's own casts import its functions, and its way to numpy pandas: both take the memory of many records.
        return plain_array(column).astype(np.float64, copy=False)
    return column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)


def _parsed(cells: list[Any], name: str, where: str, first: int) -> np.ndarray:
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell) if cell else np.nan
        except ValueError:
            # Privacy: the place, never the cell.
            raise InputError(
                f"{where}: column {shown(name[:40])}, row {first + row + 1} is text, not a number: name the column of "
                "the class (--class-column), of the person (--person-column), or in a long table of the series "
                "(--series-column), name those of the values (--value-columns), or write decimal points; in Python "
                "label=, person=, series=, values="
            ) from None
    return values


def as_words(column: Any, name: str, where: str, first: int = 0) -> RowNames:
    """Return the name of each row, none missing, by the rule of `names`.

    Args:
        column: Column of a table of pyarrow.
        name: Its name.
        where: Beginning of a message.
        first: Number of rows before it, of which a message counts on.

    Raises:
        InputError: A cell is no name.
    """
    at = f"{where}: column {shown(name[:40])}"
    return names_of_column(column, lambda row: f"{at}, row {first + row + 1}")


def as_times(column: Any, name: str, where: str) -> np.ndarray:
    """Return times as float64 (num_rows,), in seconds if they are dates.

    Raises:
        InputError: A cell is empty, or neither a number nor a date.
    """
    from pyarrow import types

    column = _plain(column, name, where)
    if types.is_timestamp(column.type) or types.is_date(column.type):
        return _seconds(column.to_numpy(zero_copy_only=False).astype("datetime64[ns]"), name, where)
    if is_string(column.type):
        cells = column.to_pylist()
        try:
            values = np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            dates = instants_of_texts(cells, lambda row: f"{where}: column {shown(name[:40])}, row {row + 1}")
            return _seconds(dates, name, where)
    else:
        values = as_numbers(column, name, where)
    _refuse_empty(~np.isfinite(values), name, where)
    return values


def _plain(column: Any, name: str, where: str) -> Any:
    return spelled_out(column, MAX_WORD_LENGTH, f"{where}: column {shown(name[:40])}")


def _seconds(dates: np.ndarray, name: str, where: str) -> np.ndarray:
    _refuse_empty(np.isnat(dates), name, where)
    # Seconds since the first date, because nanoseconds since 1970 have more digits than a float.
    return (dates - dates.min()).astype(np.int64) / 1e9


def _refuse_empty(is_empty: np.ndarray, name: str, where: str) -> None:
    if is_empty.any():
        row = int(np.argmax(is_empty)) + 1
        raise InputError(f"{where}: column {shown(name[:40])}, row {row} is empty: every row needs a time")
