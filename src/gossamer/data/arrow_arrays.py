"""Columns of pyarrow as arrays of numpy. The way of pyarrow imports pandas, and so takes memory for it."""

from __future__ import annotations

from typing import Any

import numpy as np


def plain_array(column: Any) -> np.ndarray:
    """Return a column as an array (num_rows,) of its own type, without a copy if it is one chunk.

    Args:
        column: Array or chunked array of pyarrow, of integers or floats, none of them missing.
    """
    from pyarrow import types

    kind = column.type
    letter = "f" if types.is_floating(kind) else "u" if types.is_unsigned_integer(kind) else "i"
    dtype = np.dtype(f"{letter}{kind.bit_width // 8}")
    parts = [_of_chunk(chunk, dtype) for chunk in getattr(column, "chunks", [column])]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])


def _of_chunk(chunk: Any, dtype: np.dtype) -> np.ndarray:
    values = chunk.buffers()[1]
    if values is None:
        return np.empty(0, dtype)
    return np.frombuffer(values, dtype=dtype)[chunk.offset : chunk.offset + len(chunk)]
