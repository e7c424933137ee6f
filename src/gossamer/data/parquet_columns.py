"""Columns of a Parquet file: their names, and their content as long as it would not fill the memory."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

from gossamer.data.files import check_expansion, shown
from gossamer.data.records import check_num_values
from gossamer.errors import InputError
from gossamer.extras import from_extra

_MAX_METADATA_ITEMS: Final = 2 * 10**6


def parquet_names(file: BinaryIO) -> tuple[str, ...]:
    """Return the names of the columns, in their order."""
    return tuple(str(name) for name in _opened(file).schema_arrow.names)


def read_parquet(file: BinaryIO, wanted: list[str], where: str) -> Any:
    """Read some columns as a table of pyarrow, with text as a dictionary of words and indices, for `spelled_out`.

    Args:
        file: An open file.
        wanted: Names of the columns.
        where: Beginning of the message, the file.

    Raises:
        InputError: A column holds lists or records, or the file would unpack to an absurd multiple of its size.
    """
    # A word may be long and stand in every row, so its length is checked before it is written out.
    opened = _opened(file, read_dictionary=_texts_among(_opened(file).schema_arrow, wanted, where))
    # One value over and over is packed to almost nothing, so a small file may promise any number of rows.
    metadata = opened.metadata
    check_num_values(where, metadata.num_rows * len(wanted))
    pages = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    check_expansion(where, 8 * metadata.num_rows * len(wanted) + pages, file.seek(0, 2))
    return opened.read(columns=wanted)


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
    if _is_text(column.type.value_type):
        words = (word for chunk in column.chunks for word in chunk.dictionary.to_pylist() if word is not None)
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


def _texts_among(schema: Any, columns: list[str], where: str) -> list[str]:
    """Return the columns of text, and refuse columns of lists or records."""
    refuse_nested(schema, columns, where)
    return [name for name in columns if _is_text(schema.field(name).type)]


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return any(
        is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    )
