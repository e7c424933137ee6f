"""Columns of a CSV or Parquet file as arrays. Text in place of a number is refused in one line that says where."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from gossamer.data.cells import as_numbers, table_of
from gossamer.data.files import CHUNK_BYTES, damage_refused, open_regular, shown, title_of
from gossamer.data.head_line import MAX_HEAD_BYTES, first_cells, leading_index, names_of_head, refuse_record
from gossamer.data.list_columns import sizes_of_lists
from gossamer.data.parquet_columns import parquet_num_rows, parquet_pieces, parquet_schema, read_parquet, refuse_nested
from gossamer.data.table import AbstractTable, Piece, Table, check_head
from gossamer.errors import InputError
from gossamer.extras import need

_SUFFIXES: Final = (".csv", ".parquet")
# The reader of CSV files reads some thirty blocks ahead, and keeps as much as they take.
_BLOCK_BYTES: Final = 2**17
# A row must fit into a block. For a long text, which may stand in a column that nobody needs, blocks grow up to this.
_MOST_BLOCK_BYTES: Final = 2**25


def is_table(path: Path) -> bool:
    """Return True if the name is that of a CSV or Parquet file."""
    return path.suffix.lower() in _SUFFIXES


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


@dataclass(frozen=True, kw_only=True)
class TableFile(AbstractTable):
    """A table on disk.

    Args:
        path: A file that ends in .csv or .parquet.
        columns: Their names, in their order.
        has_head: False for a CSV file in which the first line is a record.
        index: Columns that hold the index of pandas.
        list_sizes: Columns of lists, with the sizes of their lists.
    """

    path: Path
    columns: tuple[str, ...]
    has_head: bool = True
    index: tuple[str, ...] = ()
    list_sizes: Mapping[str, tuple[int | None, ...]]

    @classmethod
    def open(cls, path: Path, *, has_head: bool = True) -> TableFile:
        """Read the names and types of the columns, and no row.

        Args:
            path: The file.
            has_head: False for a CSV file in which the first line is a record. Its columns are named 0, 1, ...

        Raises:
            InputError: The file is absent, empty or damaged, or a name is missing or given twice. Or the head line is a
                record.
        """
        where = shown(path)
        with open_regular(path) as file, damage_refused(where):
            if file.seek(0, 2) == 0:
                raise InputError(f"{where} is empty: a head line and at least one row are needed")
            file.seek(0)
            return cls._of_csv(path, file, has_head) if _is_csv(path) else cls._of_parquet(path, file, has_head)

    @classmethod
    def _of_csv(cls, path: Path, file: BinaryIO, has_head: bool) -> TableFile:
        cells = first_cells(file, shown(path))
        names = names_of_head(cells, path) if has_head else tuple(map(str, range(len(cells))))
        check_head(names, shown(path))
        index = leading_index(names) if has_head else ()
        return cls(path=path, columns=names, has_head=has_head, index=index, list_sizes={})

    @classmethod
    def _of_parquet(cls, path: Path, file: BinaryIO, has_head: bool) -> TableFile:
        if not has_head:
            raise InputError(f"{shown(path)} is a Parquet file, which names its columns: leave --no-header out")
        schema = parquet_schema(file)
        names = tuple(map(str, schema.names))
        check_head(names, shown(path))
        refuse_record(names, None)
        return cls(path=path, columns=names, index=index_of_schema(schema), list_sizes=sizes_of_lists(schema))

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
        return title_of(self.path.stem, "series")

    @property
    def lists(self) -> Mapping[str, tuple[int | None, ...]]:
        """Columns of lists, with the sizes of their lists."""
        return self.list_sizes

    @property
    def most_rows(self) -> int:
        """Upper bound of the number of rows: lines of a CSV file, or the number that a Parquet file states."""
        with open_regular(self.path) as file, damage_refused(self.where):
            if not _is_csv(self.path):
                return parquet_num_rows(file)
            # A row takes a byte for each of its cells at least, so a file of empty lines promises few rows.
            return min(_num_lines(file), (file.tell() + 1) // len(self.columns) + 1)

    def pieces(self, *, numbers: tuple[str, ...], words: tuple[str, ...]) -> Iterator[Piece]:
        """Read the columns that are needed piece by piece."""
        need("series", "a table")
        with damage_refused(self.where):
            if _is_csv(self.path):
                yield from self._csv_pieces(numbers, words)
            else:
                with open_regular(self.path) as file:
                    single = [name for name in numbers if name not in self.lists]
                    refuse_nested(parquet_schema(file), [*words, *single], self.where)
                    yield from parquet_pieces(file, [*words, *numbers], self.where)
        _let_go()

    def _csv_pieces(self, numbers: tuple[str, ...], texts: tuple[str, ...]) -> Iterator[Piece]:
        import pyarrow

        kinds = dict.fromkeys(numbers, pyarrow.float64()) | dict.fromkeys(texts, pyarrow.string())
        try:
            yield from self._streamed(kinds)
        except pyarrow.ArrowInvalid:
            # Read once more as text, to say where it is wrong, since pyarrow's own message would quote the cell.
            for piece in self._as_text(list(kinds)):
                for name in numbers:
                    as_numbers(piece.table.column(name), self._told(name), self.where, piece.first)
            raise

    def _told(self, name: str) -> str:
        """Name a column as a message does."""
        return name

    def _as_text(self, columns: list[str]) -> Iterator[Piece]:
        import pyarrow

        try:
            yield from self._streamed(dict.fromkeys(columns, pyarrow.string()))
        except pyarrow.ArrowInvalid as error:
            if "UTF8" not in str(error):
                raise
            raise InputError(f"{self.where} is not UTF-8 text: save the table as UTF-8") from None

    def _streamed(self, kinds: dict[str, Any]) -> Iterator[Piece]:
        """Read a CSV file block by block, and on in larger blocks from a row that is longer than a block."""
        import pyarrow

        size, done = _BLOCK_BYTES, 0
        while True:
            try:
                for piece in self._blocks(kinds, size):
                    # Rows that smaller blocks gave are left out.
                    rest = piece.table.slice(max(0, done - piece.first))
                    if rest.num_rows:
                        yield Piece(first=done, table=rest)
                        done += rest.num_rows
                return
            except pyarrow.ArrowInvalid as error:
                if "straddling" not in str(error):
                    raise
                size *= 4
            if size > _MOST_BLOCK_BYTES:
                raise InputError(
                    f"{self.where}: a row has more than {_MOST_BLOCK_BYTES // 4} bytes: close its quotation marks, or "
                    "leave out the column of long texts"
                )

    def _blocks(self, kinds: dict[str, Any], size: int) -> Iterator[Piece]:
        """Read a CSV file block by block, every row of one length. Columns of no kind are not read."""
        import pyarrow
        from pyarrow import csv as arrow_csv

        ragged: list[Any] = []
        with open_regular(self.path) as file:
            # Read past the head line here, since pyarrow calls a file empty that holds no other.
            head = file.readline() if self.has_head else b""
            start = file.tell()
            record = file.readline(MAX_HEAD_BYTES)
            while record and not record.strip():
                record = file.readline(MAX_HEAD_BYTES)
            if not record:
                return
            file.seek(start)
            reader = arrow_csv.open_csv(
                file,
                read_options=arrow_csv.ReadOptions(
                    use_threads=False,
                    column_names=list(self.columns),
                    block_size=max(size, 4 * (len(head) + len(record))),
                ),
                # A cell in quotation marks may have several lines, and a block may end within it.
                parse_options=arrow_csv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=functools.partial(_kept_aside, ragged)
                ),
                convert_options=arrow_csv.ConvertOptions(column_types=kinds, include_columns=list(kinds)),
                # The usual pool keeps many times what it hands out.
                memory_pool=pyarrow.system_memory_pool(),
            )
            first = 0
            for batch in reader:
                self._refuse_ragged(ragged)
                yield Piece(first=first, table=batch)
                first += batch.num_rows
        self._refuse_ragged(ragged)

    def _refuse_ragged(self, ragged: list[Any]) -> None:
        if ragged:
            row = ragged[0]
            raise InputError(
                f"{self.where}: line {row.number + int(self.has_head)} has {row.actual_columns} cells, the first line "
                f"{row.expected_columns}: all rows need one length"
            )

    def read(self, *, numbers: tuple[str, ...], words: tuple[str, ...], times: tuple[str, ...] = ()) -> Table:
        """Read the columns that are needed."""
        need("series", "a table")
        with damage_refused(self.where):
            wanted = [*numbers, *words, *times]
            if _is_csv(self.path):
                found = self._joined(numbers, (*words, *times))
            else:
                with open_regular(self.path) as file:
                    found = read_parquet(file, wanted, self.where)
            return table_of(found, self.where, numbers=numbers, words=words, times=times)

    def _joined(self, numbers: tuple[str, ...], texts: tuple[str, ...]) -> Any:
        import pyarrow

        batches = [piece.table for piece in self._csv_pieces(numbers, texts)]
        if batches:
            return pyarrow.Table.from_batches(batches)
        return pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in (*numbers, *texts)})


def index_of_schema(schema: Any) -> tuple[str, ...]:
    """Return the columns that hold the index of pandas: by the metadata that pandas wrote, or by their names.

    Args:
        schema: Names, types and metadata of a table of pyarrow.
    """
    names = tuple(map(str, schema.names))
    try:
        listed = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        listed = []
    said = {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()
    said.update(leading_index(names))
    return tuple(name for name in names if name in said)


def read_csv_numbers(path: Path) -> np.ndarray:
    """Read a CSV file of numbers alone, without a head line.

    Returns:
        float64 (num_rows, num_columns).

    Raises:
        InputError: The file is absent, empty or damaged, rows differ in length, or a cell is no number.
    """
    found = _Numbered.open(path, has_head=False)
    read = found.read(numbers=found.names, words=())
    table = np.stack([read.numbers[name] for name in found.names], axis=1)
    missing = np.argwhere(~np.isfinite(table))
    if len(missing):
        raise InputError(
            f"{found.where}: row {missing[0][0] + 1}, column {missing[0][1] + 1} is no finite number: fill the cell, "
            "or leave the row out"
        )
    return table


class _Numbered(TableFile):
    """A published file of numbers alone, in which columns are told by their place, from 1."""

    def _told(self, name: str) -> str:
        return str(int(name) + 1)


def _let_go() -> None:
    """Hand memory that is no longer used back to the system. Pools keep it, and so it would lie beside the records."""
    import pyarrow

    for pool in (pyarrow.default_memory_pool(), pyarrow.system_memory_pool()):
        pool.release_unused()


def _kept_aside(ragged: list[Any], row: Any) -> str:
    ragged.append(row)
    return "skip"


def _num_lines(file: BinaryIO) -> int:
    """Return an upper bound of the number of lines: a line within quotation marks counts twice, and so may its end."""
    count = 1
    while chunk := file.read(CHUNK_BYTES):
        count += chunk.count(b"\n") + chunk.count(b"\r")
    return count
