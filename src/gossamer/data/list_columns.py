"""Columns of lists, as Parquet and Arrow have them: a row is a series, and a list holds its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gossamer.data.arrow_arrays import plain_array
from gossamer.data.cells import as_array
from gossamer.data.files import shown
from gossamer.data.parquet_columns import is_text
from gossamer.errors import InputError

Sizes = tuple[int | None, ...]
"""Sizes of lists from the outer ones on, None for a size that the type leaves open."""


def sizes_of_lists(schema: Any) -> dict[str, Sizes]:
    """Return the columns of lists of numbers, or of lists of such lists, with the sizes that their types state.

    Args:
        schema: Names and types of a table of pyarrow.
    """
    found = {str(name): _sizes(kind) for name, kind in zip(schema.names, schema.types, strict=True)}
    return {name: sizes for name, sizes in found.items() if sizes}


def _sizes(kind: Any) -> Sizes:
    """Return the sizes of lists of a type, empty for one that is no list."""
    from pyarrow import types

    if types.is_fixed_size_list(kind):
        return (kind.list_size, *_sizes(kind.value_type))
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_list_view(kind)
    return (None, *_sizes(kind.value_type)) if is_list else ()


@dataclass(frozen=True, kw_only=True)
class ListShape:
    """The public shape of the lists of one column.

    Args:
        sizes: Number of items, of the lists from the outer ones on.
        permit_shorter: True if a list of numbers may have fewer items.
    """

    sizes: tuple[int, ...]
    permit_shorter: bool


def numbers_of_lists(
    column: Any, shape: ListShape, name: str, where: str, first: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values of lists.

    Args:
        column: Column of a table of pyarrow.
        shape: Public shape of a row.
        name: Name of the column.
        where: Beginning of a message.
        first: Number of rows before it, of which a message counts on.

    Returns:
        float64 (num_rows, *shape.sizes), NaN in place of a missing value. And booleans of this shape, true where a
        shorter list has no item, or None if all lists are whole.

    Raises:
        InputError: A list is missing, or of another length than the public one.
    """
    import pyarrow

    at = f"{where}: column {shown(name[:40])}"
    chunk = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    num_rows, per_row, gaps = len(chunk), 1, None
    for depth, size in enumerate(shape.sizes):
        is_last = depth == len(shape.sizes) - 1
        lengths = lengths_of(chunk)
        wrong = (lengths > size) | (lengths < (0 if shape.permit_shorter and is_last else size))
        if wrong.any():
            place = int(np.argmax(wrong))
            # Privacy: the place and the public size, never how long the list is.
            raise InputError(f"{at}, row {first + place // per_row + 1} {_rule(int(lengths[place]), size)}")
        if is_last and (lengths < size).any():
            gaps = np.arange(size) >= lengths[:, None]
        chunk, per_row = chunk.flatten(), per_row * size
    values = flat_numbers(chunk, at)
    whole = (num_rows, *shape.sizes)
    if gaps is None:
        return values.reshape(whole), None
    filled = np.zeros(gaps.shape)
    filled[~gaps] = values
    return filled.reshape(whole), gaps.reshape(whole)


def _rule(length: int, size: int) -> str:
    if length < 0:
        return "has no list: fill it in, or leave the row out"
    if length > size:
        return f"has a list of not {size} items but more: cut it, or state the right size (--length)"
    return f"has a list of not {size} items but fewer: leave the row out, or pad with --pad-shorter"


def lengths_of(lists: Any) -> np.ndarray:
    """Return the number of items of each list, -1 for a missing one."""
    from pyarrow import compute

    lengths = compute.call_function("list_value_length", [lists])
    # To fill gaps imports pandas, and a table with a missing list is refused.
    return plain_array(lengths.fill_null(-1) if lengths.null_count else lengths).astype(np.int64)


def flat_numbers(chunk: Any, at: str) -> np.ndarray:
    """Return the numbers in lists, one list after the other, float64, with NaN for a missing one.

    Raises:
        InputError: The lists hold something else.
    """
    from pyarrow import types

    kind = chunk.type
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)
    if not is_number or is_text(kind):
        raise InputError(f"{at} holds lists of something else than numbers: leave it out or convert it")
    return as_array(chunk)
