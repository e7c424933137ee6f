"""Columns of a CSV or Parquet file as arrays. Text in place of a number is refused in one line that says where."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from gossamer.data.files import damage_refused, open_regular, shown
from gossamer.data.names import MAX_WORD_LENGTH, names_of_column
from gossamer.data.parquet_columns import parquet_names, read_parquet, spelled_out
from gossamer.data.records import check_num_values
from gossamer.data.table import MAX_COLUMNS, AbstractTable, Table, check_head
from gossamer.errors import InputError
from gossamer.extras import need

MAX_HEAD_BYTES: Final = 2**22
"""Longest first line of a CSV file, in bytes."""
_SUFFIXES: Final = (".csv", ".parquet")


def is_table(path: Path) -> bool:
    """Return True if the name is that of a CSV or Parquet file."""
    return path.suffix.lower() in _SUFFIXES


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


@dataclass(frozen=True, kw_only=True)
class TableFile(AbstractTable):
    """A table on disk.

    Args:
        path: A file that ends in .csv (with a head line) or .parquet.
        columns: Their names, in their order.
    """

    path: Path
    columns: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> TableFile:
        """Read the names of the columns.

        Raises:
            InputError: The file is absent, empty or damaged, or a name is missing or given twice.
        """
        where = shown(path)
        with open_regular(path) as file, damage_refused(where):
            if file.seek(0, 2) == 0:
                raise InputError(f"{where} is empty: a head line and at least one row are needed")
            file.seek(0)
            names = tuple(_first_cells(file, where)) if _is_csv(path) else parquet_names(file)
        check_head(names, where)
        return cls(path=path, columns=names)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns, in their order."""
        return self.columns

    @property
    def where(self) -> str:
        """Path, quoted."""
        return shown(self.path)

    @property
    def title(self) -> str:
        """Name of the file."""
        return self.path.stem if self.path.stem.isprintable() else "series"

    def read(self, *, numbers: tuple[str, ...], words: tuple[str, ...], times: tuple[str, ...] = ()) -> Table:
        """Read the columns that are needed."""
        need("series", "a table")
        with damage_refused(self.where):
            read = self._read_csv if _is_csv(self.path) else self._read_parquet
            found = read(numbers, (*words, *times))
            return table_of(found, self.where, numbers=numbers, words=words, times=times)

    def _read_parquet(self, numbers: tuple[str, ...], texts: tuple[str, ...]) -> Any:
        with open_regular(self.path) as file:
            return read_parquet(file, [*numbers, *texts], shown(self.path))

    def _read_csv(self, numbers: tuple[str, ...], texts: tuple[str, ...]) -> Any:
        import pyarrow

        kinds = dict.fromkeys(numbers, pyarrow.float64()) | dict.fromkeys(texts, pyarrow.string())
        try:
            return read_csv(self.path, kinds, column_names=None)
        except pyarrow.ArrowInvalid:
            # Read once more as text, to say where it is wrong, since pyarrow's own message would quote the cell.
            found = _as_text(self.path, list(kinds), column_names=None)
            for name in numbers:
                _as_numbers(found.column(name), name, shown(self.path))
            raise


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
    if found.num_rows == 0:
        raise InputError(f"{where} has no row under its head line: at least 1 is needed")
    check_num_values(where, found.num_rows * len(numbers))
    return Table(
        where=where,
        numbers={name: _as_numbers(found.column(name), name, where) for name in numbers},
        words={name: _as_words(found.column(name), name, where) for name in words},
        times={name: _as_times(found.column(name), name, where) for name in times},
    )


def read_csv_numbers(path: Path) -> np.ndarray:
    """Read a CSV file of numbers alone, without a head line.

    Returns:
        float64 (num_rows, num_columns).

    Raises:
        InputError: The file is absent, empty or damaged, rows differ in length, or a cell is no number.
    """
    need("series", "a table")
    where = shown(path)
    with open_regular(path) as file, damage_refused(where):
        num_columns = len(_first_cells(file, where))
    with damage_refused(where):
        import pyarrow

        names = [str(column) for column in range(num_columns)]
        kinds = dict.fromkeys(names, pyarrow.float64())
        try:
            found = read_csv(path, kinds, column_names=names)
        except pyarrow.ArrowInvalid:
            found = _as_text(path, names, column_names=names)
        columns = [_as_numbers(found.column(name), str(int(name) + 1), where) for name in names]
    table = np.stack(columns, axis=1)
    missing = np.argwhere(~np.isfinite(table))
    if len(missing):
        raise InputError(
            f"{where}: row {missing[0][0] + 1}, column {missing[0][1] + 1} is no finite number: fill the cell, or "
            "leave the row out"
        )
    return table


def read_csv(path: Path, kinds: dict[str, Any], *, column_names: list[str] | None) -> Any:
    """Read a CSV file as a table of pyarrow, every row of one length.

    Args:
        path: The file.
        kinds: Name of a column -> its type of pyarrow. Other columns are not read.
        column_names: Names for a file without a head line.

    Raises:
        InputError: A row has more or fewer cells than the first one.
    """
    from pyarrow import csv as arrow_csv

    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "skip"

    with open_regular(path) as file:
        found = arrow_csv.read_csv(
            file,
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=column_names, block_size=2**24),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=refuse),
            convert_options=arrow_csv.ConvertOptions(column_types=kinds, include_columns=list(kinds)),
        )
    if ragged:
        row = ragged[0]
        raise InputError(
            f"{shown(path)}: line {row.number} has {row.actual_columns} cells, the first line {row.expected_columns}: "
            "all rows need one length"
        )
    return found


def _as_text(path: Path, columns: list[str], *, column_names: list[str] | None) -> Any:
    import pyarrow

    try:
        return read_csv(path, dict.fromkeys(columns, pyarrow.string()), column_names=column_names)
    except pyarrow.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        raise InputError(f"{shown(path)} is not UTF-8 text: save the table as UTF-8") from None


def _first_cells(file: BinaryIO, where: str) -> list[str]:
    """Return the cells of the first line of a CSV file."""
    line = file.readline(MAX_HEAD_BYTES + 1)
    if len(line) > MAX_HEAD_BYTES:
        raise InputError(
            f"{where} begins with a line of more than {MAX_HEAD_BYTES} bytes: put every row on its own line"
        )
    if line.count(b",") >= MAX_COLUMNS:
        raise InputError(f"{where} has more than {MAX_COLUMNS} columns: leave some out, or save the series as NPZ")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{where} is not UTF-8 text: save the table as UTF-8") from None
    if not text.strip():
        raise InputError(f"{where} is empty or begins with an empty line: a head line and at least one row are needed")
    names = next(csv.reader(io.StringIO(text, newline="")))
    if len(names) == 1 and (";" in text or "\t" in text):
        raise InputError(
            f"{where} is separated by semicolons or tabs, as some spreadsheets write it: save it with commas between "
            "cells and points in numbers, as pandas.read_csv(path, sep=';', decimal=',').to_csv(new, index=False) does"
        )
    return names


def _as_numbers(column: Any, name: str, where: str) -> np.ndarray:
    """Return values as float64, with NaN in place of a missing one."""
    import pyarrow
    from pyarrow import types

    column = _plain(column, name, where)
    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        return _parsed(column.to_pylist(), name, where)
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)):
        raise InputError(f"{where}: column {shown(name[:40])} holds no numbers: leave it out or convert it")
    return column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)


def _parsed(cells: list[str | None], name: str, where: str) -> np.ndarray:
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell) if cell else np.nan
        except ValueError:
            # Privacy: the place, never the cell.
            raise InputError(
                f"{where}: column {shown(name[:40])}, row {row + 1} is text, not a number: name the column of the "
                "class (--class-column), of the person (--person-column), or in a long table of the series "
                "(--series-column), name those of the values (--value-columns), or write decimal points"
            ) from None
    return values


def _as_words(column: Any, name: str, where: str) -> np.ndarray:
    """Return names as text, none missing."""
    at = f"{where}: column {shown(name[:40])}"
    return names_of_column(_plain(column, name, where), lambda row: f"{at}, row {row + 1}")


def _as_times(column: Any, name: str, where: str) -> np.ndarray:
    """Return times as float64, in seconds if they are dates."""
    from pyarrow import types

    column = _plain(column, name, where)
    if types.is_timestamp(column.type) or types.is_date(column.type):
        return _seconds(column.to_numpy(zero_copy_only=False).astype("datetime64[ns]"), name, where)
    if types.is_string(column.type) or types.is_large_string(column.type):
        cells = column.to_pylist()
        try:
            values = np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            return _seconds(_dates(cells, name, where), name, where)
    else:
        values = _as_numbers(column, name, where)
    _refuse_empty(~np.isfinite(values), name, where)
    return values


def _plain(column: Any, name: str, where: str) -> Any:
    return spelled_out(column, MAX_WORD_LENGTH, f"{where}: column {shown(name[:40])}")


def _dates(cells: list[str | None], name: str, where: str) -> np.ndarray:
    dates = np.empty(len(cells), dtype="datetime64[ns]")
    for row, cell in enumerate(cells):
        try:
            # A Z behind a time is read as if it were not there, since numpy would warn about it in every row.
            dates[row] = np.datetime64((cell or "NaT").removesuffix("Z"))
        except (ValueError, ArithmeticError):
            raise InputError(
                f"{where}: column {shown(name[:40])}, row {row + 1} is neither a number nor a date: write it as "
                "2026-01-31T08:15:00.250"
            ) from None
    return dates


def _seconds(dates: np.ndarray, name: str, where: str) -> np.ndarray:
    _refuse_empty(np.isnat(dates), name, where)
    # Seconds since the first date, because nanoseconds since 1970 have more digits than a float.
    return (dates - dates.min()).astype(np.int64) / 1e9


def _refuse_empty(is_empty: np.ndarray, name: str, where: str) -> None:
    if is_empty.any():
        row = int(np.argmax(is_empty)) + 1
        raise InputError(f"{where}: column {shown(name[:40])}, row {row} is empty: every row needs a time")
