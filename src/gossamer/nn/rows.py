"""Products of rows by a matrix that round each row alike, wherever it stands among others."""

from __future__ import annotations

from typing import Final

from torch import Tensor
from torch.nn import functional

_STRETCH: Final = 16


def product_of_rows(rows: Tensor, matrix: Tensor) -> Tensor:
    """``rows @ matrix``, the same bits of a row at every place.

    Privacy: kernels read memory in stretches of 16, 32 or 64 bytes, and add up a row that begins within a stretch in
    another order than one that begins with it. The last bit of a row's product would then say whether an odd or an even
    number of others stands before it, and one that leaves would move all behind it. Filled up by zeros to a multiple of
    16 numbers on both sides, all rows begin alike. How many rows there are must be fixed, too: that is the caller's.

    Args:
        rows: (..., n).
        matrix: (n, m).

    Returns:
        (..., m).
    """
    num_inner, num_outer = matrix.shape
    weight = functional.pad(matrix.T, (0, -num_inner % _STRETCH, 0, -num_outer % _STRETCH)).contiguous()
    filled = functional.pad(rows, (0, -num_inner % _STRETCH)).contiguous()
    return functional.linear(filled, weight)[..., :num_outer]
