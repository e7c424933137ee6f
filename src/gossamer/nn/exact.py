"""Matrix products in which every row is the same to the last bit, whatever stands in the other rows.

An ordinary product rounds by the shape of the whole and by the place of a row in it. The library chooses the kernel and
the order of its sums. The last bits of a private record's product would then depend on the number of other records. A
nearest centre or a rounding to a grid would enlarge that difference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor


_DIGITS: Final = 52
"""Bits that sums may take, since whole numbers up to 2^53 are exact in float64."""


def matmul_of_rows(rows: Tensor, matrix: Tensor) -> Tensor:
    """Compute ``rows @ matrix``, each row a function of its own row and of the matrix alone, to the last bit.

    Both are rounded to whole numbers of so few bits that every partial sum is a whole number below 2^53. A row keeps
    about ``(52 - log2 k) / 2`` bits of its own largest entry, and the matrix as many of its largest. All sums are then
    exact, in any order and on any device. At k = 784 the rounding is 2^-21 of the largest entry.

    Args:
        rows: (..., k), finite, of any floating type.
        matrix: (k, n), public.

    Returns:
        float64 (..., n).

    >>> import torch
    >>> matmul_of_rows(torch.tensor([[0.5, 0.25]]), torch.tensor([[1.0], [2.0]])).tolist()
    [[1.0]]
    """
    import torch

    bits = _DIGITS - math.ceil(math.log2(max(matrix.shape[0], 1)))
    left = bits // 2
    own, exponent = _whole(rows.double(), rows.double().abs().amax(dim=-1, keepdim=True), left)
    public, shared = _whole(matrix.double(), matrix.double().abs().max(), bits - left)
    return torch.ldexp(own @ public, exponent + shared)


def _whole(values: Tensor, largest: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return whole numbers of at most so many bits, and the power of two that each stands for."""
    import torch

    exponent = torch.frexp(largest).exponent - bits
    return torch.ldexp(values, -exponent).round(), exponent
