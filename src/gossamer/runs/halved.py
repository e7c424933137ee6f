"""Symmetric matrices in a generator's file: their lower halves alone, so that covariances take half the room."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

LOWER: Final = ":lower"
"""Ending of a tensor's name of which the file has the lower halves. No attribute of Python can end so."""


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a file: (..., d, d) becomes (..., d (d + 1) / 2) where it is symmetric to the last bit.

    Nothing is lost, and `whole` gives the same bits back. All others stay as they are.

    >>> {name: list(half.shape) for name, half in halved({"a": torch.eye(3), "b": torch.ones(2, 3)}).items()}
    {'a:lower': [6], 'b': [2, 3]}
    """
    found = {}
    for name, weight in weights.items():
        if _is_symmetric(weight):
            row, column = torch.tril_indices(*weight.shape[-2:])
            found[f"{name}{LOWER}"] = weight[..., row, column]
        else:
            found[name] = weight
    return found


def whole(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a generator from those of its file: the inverse of `halved`.

    Raises:
        ValueError: the half of no matrix, or two tensors of one name.
    """
    found = {name.removesuffix(LOWER): _mirrored(weight) if name.endswith(LOWER) else weight
             for name, weight in weights.items()}  # fmt: skip
    if len(found) < len(weights):
        raise ValueError("two tensors of one name")
    return found


def _is_symmetric(weight: Tensor) -> bool:
    if weight.ndim < 2 or weight.shape[-1] != weight.shape[-2] or weight.shape[-1] < 2 or not weight.numel():
        return False
    # Bits, and not values: 0 equals -0, and no number equals a NaN.
    mirrored, own = weight.mT.contiguous(), weight.contiguous()
    return torch.equal(mirrored.view(torch.uint8), own.view(torch.uint8))


def _mirrored(half: Tensor) -> Tensor:
    # A tensor without a number may claim a side of any length, and costs its file no byte.
    dim = (math.isqrt(8 * half.shape[-1] + 1) - 1) // 2 if half.ndim and half.numel() else 0
    if dim < 2 or dim * (dim + 1) // 2 != half.shape[-1]:
        raise ValueError("the half of no matrix")
    row, column = torch.tril_indices(dim, dim)
    matrix = half.new_empty(*half.shape[:-1], dim, dim)
    matrix[..., row, column] = half
    matrix[..., column, row] = half
    return matrix
