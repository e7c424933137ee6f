"""Columns of a Parquet file: their names, and their content as long as it would not fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from gossamer.data.files import check_expansion, shown
from gossamer.data.records import check_num_values
from gossamer.data.table import Piece
from gossamer.errors import InputError
from gossamer.extras import from_extra

_MAX_METADATA_ITEMS: Final = 2 * 10**6
_BYTES_AT_ONCE: Final = 2**20
_VALUES_AT_ONCE: Final = 2**16


def parquet_schema(file: BinaryIO) -> Any:
    """Return the names and types of the columns, in their order, as a schema of pyarrow."""
    return _opened(file).schema_arrow


def read_parquet(file: BinaryIO, wanted: list[str], where: str) -> Any:
    """Read some columns as a table of pyarrow, with text as a dictionary of words and indices, for `spelled_out`.

    Args:
        file: An open file.
        wanted: Names of the columns.
        where: Beginning of the message, the file.

    Raises:
        InputError: A column holds lists or records, or the file would unpack to an absurd multiple of its size.
    """
    refuse_nested(parquet_schema(file), wanted, where)
    return _checked(file, wanted, where).read(columns=wanted)


def parquet_pieces(file: BinaryIO, wanted: list[str], where: str) -> Iterator[Piece]:
    """Read some columns of a Parquet file in its row groups, a few columns at a time where a group is large.

    Args:
        file: An open file.
        wanted: Names of the columns.
        where: Beginning of the message, the file.

    Yields:
        Pieces in which each row of each column stands once.

    Raises:
        InputError: The file would unpack to an absurd multiple of its size.
    """
    opened = _checked(file, wanted, where)
    first = 0
    for group in range(opened.metadata.num_row_groups):
        sizes = opened.metadata.row_group(group)
        # A reader of a column holds a page of it and a dictionary, so many readers at once would fill the memory.
        bytes_each = max(1, sizes.total_byte_size // max(1, sizes.num_columns))
        num_columns = max(1, _BYTES_AT_ONCE // bytes_each)
        for columns in (wanted[start : start + num_columns] for start in range(0, len(wanted), num_columns)):
            row, num_rows = first, max(256, _VALUES_AT_ONCE // len(columns))
            for batch in opened.iter_batches(num_rows, row_groups=[group], columns=columns, use_threads=False):
                yield Piece(first=row, table=batch)
                row += batch.num_rows
        first += sizes.num_rows


def parquet_num_rows(file: BinaryIO) -> int:
    """Return the number of rows that the file states."""
    return _opened(file).metadata.num_rows


def _checked(file: BinaryIO, wanted: list[str], where: str) -> Any:
    """Open a file of which the wanted columns do not fill the memory."""
    schema = _opened(file).schema_arrow
    # A word may be long and stand in every row, so its length is checked before it is written out.
    texts = [name for name in wanted if is_text(schema.field(name).type)]
    opened = _opened(file, read_dictionary=texts, pre_buffer=False, buffer_size=2**16)
    # One value over and over is packed to almost nothing, so a small file may promise any number of rows.
    metadata = opened.metadata
    check_num_values(where, metadata.num_rows * len(wanted))
    pages = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    check_expansion(where, 8 * metadata.num_rows * len(wanted) + pages, file.seek(0, 2))
    return opened


def spelled_out(column: Any, max_length: int, at: str) -> Any:
    """Write a column of words and indices out as a word for each row, and return any other column unchanged.

    Args:
        column: Column of a table of pyarrow.
        max_length: Largest number of characters of a word.
        at: Beginning of the message, file and column.

    Raises:
        InputError: A word is longer.
    """
    from pyarrow import types

    if not types.is_dictionary(column.type):
        return column
    if is_text(column.type.value_type):
        chunks = getattr(column, "chunks", [column])
        words = (word for chunk in chunks for word in chunk.dictionary.to_pylist() if word is not None)
        if max(map(len, words), default=0) > max_length:
            raise InputError(f"{at} has a text of more than {max_length} characters")
    return column.cast(column.type.value_type)


def refuse_nested(schema: Any, columns: list[str], where: str) -> None:
    """Refuse columns of lists or records.

    Raises:
        InputError: Naming the first such column.
    """
    from pyarrow import types

    for name in columns:
        if types.is_nested(schema.field(name).type):
            raise InputError(f"{where}: column {shown(name[:40])} holds lists or records: give every row one value")


def _opened(file: BinaryIO, **options: Any) -> Any:
    with from_extra("series", "a Parquet file"):
        from pyarrow import parquet

    return parquet.ParquetFile(file, thrift_container_size_limit=_MAX_METADATA_ITEMS, **options)


def is_string(kind: Any) -> bool:
    """Return True if a type of pyarrow is one of text."""
    from pyarrow import types

    return any(is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_string_view))


def is_text(kind: Any) -> bool:
    """Return True if a type of pyarrow is one of text or bytes."""
    from pyarrow import types

    return is_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
