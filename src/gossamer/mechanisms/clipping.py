"""The bound on one answer, a ball of radius `clip_norm`, and exact sums of answers within it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.mechanisms.grid import PublicGrid

_NUMBERS_AT_ONCE = 2**18
"""Numbers of all rows that are clipped and rounded at once on a CPU: two megabytes of float64."""


def clip_to_ball(vectors: Tensor, clip_norm: float) -> Tensor:
    """Shrink every vector into the ball of radius ``clip_norm``, and turn one that is not finite into zero.

    ``clip(g) = g min(1, C / |g|)``, one norm over all axes but the first, in float64.

    Guarantee: every returned vector has Euclidean norm at most ``clip_norm`` up to one part in 10^15, whatever came in.
    Every vector depends on its own row alone.

    Args:
        vectors: (batch, ...), any floating type.
        clip_norm: radius C, at least 1e-290, since denormal numbers would round by more.

    Returns:
        float64 tensor of the same shape.

    >>> clip_to_ball(torch.tensor([[3.0, 4.0], [0.3, 0.4], [float("nan"), 1.0]]), 1.0).tolist()
    [[0.6, 0.8], [0.30000001192092896, 0.4000000059604645], [0.0, 0.0]]
    """
    flat = vectors.detach().to(torch.float64).flatten(start_dim=1)
    # Privacy: rows that are not finite become zero before the clip, without a branch. Else inf * 0 would be NaN and
    # pass the bound.
    flat = torch.where(flat.isfinite().all(dim=1, keepdim=True), flat, 0.0)
    # Two stages, so that squares neither overflow nor vanish: the largest entry first, the norm of the rest then.
    largest = flat.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    norm = largest * (flat / largest).norm(dim=1, keepdim=True)
    clipped = torch.where(norm > clip_norm, (flat / norm) * clip_norm, flat)
    return clipped.reshape(vectors.shape)


def clipped_sums(
    vectors: Iterable[Tensor], sums: Tensor, grid: PublicGrid, *, num_sums: int = 1, together: int = 1
) -> Tensor:
    r"""Compute ``sum_u round(g_u min(1, C' / |g_u|) / spacing)`` over the rows g_u of each of several sums.

    C' is the inner radius of the grid. The function does to one vector the same as `clip_to_ball` and
    `PublicGrid.rounded`, a piece of it at a time: no clipped vector is ever kept. Squares of float32 numbers neither
    overflow nor vanish in float64. If wider numbers overflow, the vector counts as not finite.

    Guarantee: a row adds a vector of integers that depends on that row alone. Times the spacing the vector has norm at
    most ``grid.radius``, for any input. The vector is zero if the row is not finite or does not count. The sums are
    exact, and bit for bit the same in any order of the rows. The sum of two sets of rows is the sum of their sums.

    Args:
        vectors: tensors (rows, ...), together the coordinates of each row.
        sums: int64 (rows,), the sum that each row adds to. A row does not count if it names none, -1 for example.
        grid: of the ball of radius C, of as many coordinates.
        num_sums: number of the sums.
        together: rows that are clipped as one vector, each run of so many. Those of a run that count must add to sums
            that stand for different coordinates.

    Returns:
        int64 (sums, coordinates).

    Raises:
        InputError: more rows than float64 adds exactly, some 2^42 over the root of their coordinates.
    """
    blocks = [block for part in vectors for block in _blocks(part.detach().flatten(start_dim=1))]
    if len(sums) > grid.num_exact():
        raise InputError(f"{len(sums)} units at once are more than float64 adds exactly: use smaller chunks")
    norms = torch.stack([torch.linalg.vector_norm(block, dim=1, dtype=torch.float64) for block in blocks])
    of_runs = norms.unflatten(1, (-1, together)).transpose(1, 2).flatten(end_dim=1)
    norm = of_runs.norm(dim=0).repeat_interleave(together)
    counts = (sums >= 0) & (sums < num_sums)
    is_used = norm.isfinite() & counts
    # Over the spacing at once: it is a power of two, so that this rounds nothing that two products would not.
    factor = torch.where(is_used, (grid.inner_radius / norm).clamp_max(1.0) / grid.spacing, 0.0)[:, None]

    def clipped_and_added(block: Tensor) -> Tensor:
        # Privacy: rows that are not finite become zero without a branch. Their factor is 0, and 0 * inf, which would
        # pass the bound as NaN, becomes 0. A row that is used has no such number: its product is finite.
        clipped = block.to(torch.float64, copy=True).mul_(factor).nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
        return _added(PublicGrid.nearest_(clipped), torch.where(counts, sums, num_sums), num_sums)

    return torch.cat([clipped_and_added(block) for block in blocks], dim=1).to(torch.int64)


def _added(integers: Tensor, sums: Tensor, num_sums: int) -> Tensor:
    """Add rows to their sums, (sums, columns). It is exact: float64 adds so few integers without rounding.

    Args:
        integers: float64 (rows, columns).
        sums: int64 (rows,), ``num_sums`` for a row that does not count.
        num_sums: number of the sums.
    """
    if num_sums == 1:  # a product of a vector is the fastest way to one sum, and many rows of it waste most to several
        return (sums == 0).to(integers)[None] @ integers
    return integers.new_zeros(num_sums + 1, integers.shape[1]).index_add_(0, sums, integers)[:num_sums]


def _blocks(rows: Tensor) -> tuple[Tensor, ...]:
    """Cut rows into pieces of columns, small enough for float64 copies to stay in a CPU's cache."""
    return rows.split(max(1, _NUMBERS_AT_ONCE // len(rows)), dim=1) if rows.device.type == "cpu" else (rows,)
