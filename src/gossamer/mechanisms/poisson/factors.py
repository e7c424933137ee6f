"""Clipped sums of gradients of dense layers, from inputs and deltas alone: no gradient of a unit is ever held.

A record's gradient of a dense layer is the outer product of its delta (the slope of the loss at the layer's output) and
its input. So its norm is the product of two norms, and a sum of such gradients is one product of matrices. Goodfellow
2015, "Efficient per-example gradient computations", has the norms. Li, Tramer, Liang, Hashimoto 2022, "Large language
models can be strong differentially private learners", have the clipped sum, as "ghost clipping". Bu, Mao, Xu 2022,
"Scalable and efficient training of large convolutional neural networks with differential privacy", have the norms of
several rows, by their inner products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.mechanisms.grid import PublicGrid

INPUT_BITS: Final = 24
"""Bits that an input of length one is rounded to, as many as a float32 number has."""

_MOST_CANCELLED: Final = 16
"""Part of the mean of its records' norms that the norm of a unit's mean gradient counts as at least."""

_EXACT_BITS: Final = 53
_MOST_RECORDS: Final = 2**28
_MOST_MOVED: Final = 2.0**-8
_ROUNDED_NORM: Final = 2.0**-36


@dataclass(frozen=True, kw_only=True)
class LayerFactors:
    """One layer's part of the gradients of units: the sum over a unit's records of ``delta (x) input``.

    Attributes:
        inputs: (units, m, in), the constant 1 of a bias included.
        deltas: (units, m, out), the slopes of the mean loss of the unit's records.
    """

    inputs: Tensor
    deltas: Tensor


@dataclass(frozen=True, kw_only=True)
class FactoredGrid:
    r"""The public grids of a sum of products: a fine one for each unit, and the coarse one for the whole sum and noise.

    Inputs are scaled to length one and rounded to multiples of :math:`2^{-24}`. Deltas take over that length, the clip
    and the rounding to a public power of two, `delta_spacing`. So a unit adds products of whole numbers. In a chunk all
    sums of them stay below :math:`2^{53}`, so float64 adds them exactly, in any order.

    Guarantee: let S be the sum of some units, and S + v the sum with one unit more, in multiples of the fine grid. The
    whole numbers v depend on that unit alone, and on its place in a chunk, which is its own. With C the radius,
    :math:`\eta = 2^{-10}` and d the number of coordinates, v is a vector of norm :math:`(1 - \eta) C` at most, rounding
    included. Both sums are exact, in any order and however they are cut. Each is rounded once to the coarse grid g.
    Hence they come out apart by

    .. math:: |\mathrm{round}(S + v) - \mathrm{round}(S)| \le |v| + 2 \cdot \sqrt d\, g / 2 \le C.

    `PublicGrid` with two roundings keeps :math:`\sqrt d\, g \le \eta C`. The rounded sum is a function of the drawn
    units alone, so the proof for Poisson samples holds as it stands (docs/concepts/poisson.md).

    Args:
        radius: bound C on the norm of one unit's contribution, public.
        layers: (in, out) of every layer, the constant 1 of a bias included.
        records_per_unit: m, public.
        chunk_size: units in a chunk, public.

    Raises:
        InputError: chunks of so many units that too few bits are left for each.
    """

    radius: float
    layers: tuple[tuple[int, int], ...]
    records_per_unit: int
    chunk_size: int

    def __post_init__(self) -> None:
        if self._moved > _MOST_MOVED * self.radius or self.chunk_size * self.records_per_unit > _MOST_RECORDS:
            raise InputError(f"chunks of {self.chunk_size} units are too large for exact sums: use smaller chunks")

    @property
    def coarse(self) -> PublicGrid:
        """The grid that the whole sum is rounded to, and the noise."""
        return PublicGrid(radius=self.radius, num_coordinates=sum(a * b for a, b in self.layers), num_roundings=2)

    @property
    def most_cancelled(self) -> int:
        """Largest ratio of the sum of a unit's records' norms to the norm that the unit is clipped by."""
        return 1 if self.records_per_unit == 1 else _MOST_CANCELLED

    @property
    def delta_spacing(self) -> float:
        """Spacing of the grid of deltas, a power of two.

        With it ``chunk_size 2^24 (1 + 2^-10) (most_cancelled C / spacing + m / 2)`` is below ``2^53``, and that bounds
        every partial sum of a chunk.
        """
        bits = _EXACT_BITS - INPUT_BITS - 1 - math.ceil(math.log2(self.chunk_size * self.most_cancelled))
        return 2.0 ** (math.frexp(self.radius)[1] - bits)

    @property
    def fine_spacing(self) -> float:
        """Spacing of the grid of products."""
        return self.delta_spacing * 2.0**-INPUT_BITS

    @property
    def inner_radius(self) -> float:
        """Radius that units are shrunk to before their deltas are rounded, so that they lie in that of `coarse` after."""
        return self.coarse.inner_radius - self._moved

    @property
    def _moved(self) -> float:
        """Largest distance that the rounding of its deltas moves a unit.

        The deltas of a record, of all layers, move by ``sqrt(out) spacing / 2`` at most. An input of length one,
        rounded, has a length of ``1 + 2^-12`` at most, up to 2^24 numbers.
        """
        outputs = sum(out for _, out in self.layers)
        return (1 + 2.0**-12) * self.records_per_unit * math.sqrt(outputs) * self.delta_spacing / 2


class FactoredSum:
    """A sum of clipped gradients of units, chunk after chunk, exactly.

    Args:
        grid: of the sum.
        device: of the factors.
    """

    def __init__(self, grid: FactoredGrid, device: torch.device) -> None:
        self._grid = grid
        # In multiples of the coarse grid, and the rest in multiples of the fine one.
        self._whole = torch.zeros(grid.coarse.num_coordinates, dtype=torch.int64, device=device)
        self._rest = torch.zeros_like(self._whole)

    @property
    def _fine_per_coarse(self) -> int:
        return round(self._grid.coarse.spacing / self._grid.fine_spacing)

    def add(self, factors: Sequence[LayerFactors], is_counted: Tensor) -> None:
        """Add the units of a chunk that count.

        Args:
            factors: of each layer.
            is_counted: bool (units,).
        """
        products = exact_products(factors, is_counted, self._grid)
        # Exact: a power of two, and whole numbers below 2^53.
        whole = (products / self._fine_per_coarse).floor_()
        self._whole += whole.to(torch.int64)
        self._rest += (products - whole * self._fine_per_coarse).to(torch.int64)

    def exact(self) -> tuple[Tensor, Tensor]:
        """Return the sum as int64 multiples of the coarse grid, and the rest as multiples of the fine grid."""
        carried = self._rest // self._fine_per_coarse
        return self._whole + carried, self._rest - carried * self._fine_per_coarse

    def rounded(self) -> Tensor:
        """Return the sum rounded once, in multiples of the coarse grid: int64 (coordinates,)."""
        # Privacy: one rounding of an exact sum. Both neighbours' sums are moved by half a multiple at most.
        return self._whole + (self._rest + self._fine_per_coarse // 2) // self._fine_per_coarse


def exact_products(factors: Sequence[LayerFactors], is_counted: Tensor, grid: FactoredGrid) -> Tensor:
    """Sum the clipped gradients of the units of a chunk that count, in multiples of the fine grid, exactly.

    Args:
        factors: of each layer, as many units as the grid has in a chunk.
        is_counted: bool (units,).
        grid: of the sum.

    Returns:
        float64 whole numbers (coordinates,): each layer as (out, in), flattened, one after the other.
    """
    inputs, deltas = whole_factors(factors, is_counted, grid)
    products = [d.flatten(end_dim=1).T @ a.flatten(end_dim=1) for a, d in zip(inputs, deltas, strict=True)]
    return torch.cat([product.flatten() for product in products])


def whole_factors(
    factors: Sequence[LayerFactors], is_counted: Tensor, grid: FactoredGrid
) -> tuple[list[Tensor], list[Tensor]]:
    r"""Clip units, and round their factors to whole numbers.

    With a_j and d_j the factors of record j of one layer, the squared norm of the unit's gradient is

    .. math:: \sum_{\mathrm{layers}} \sum_{j, k} (a_j \cdot a_k) (d_j \cdot d_k),

    for one record the product of two squares. What float64 rounds in it is added. If the gradients of a unit's records
    cancel to less than a sixteenth of the mean of their norms, the unit is clipped as if it were a sixteenth.

    Guarantee: a unit's numbers depend on its own factors. The sum of their products times the fine spacing has norm
    ``(1 - 2^-10) radius`` at most, for any input. They are zero if the unit does not count or is not finite.

    Returns:
        For every layer inputs (units, m, in) and deltas (units, m, out), float64.
    """
    # Privacy: a unit with a factor that is not finite becomes zero before the clip, without a branch.
    is_used = is_counted & torch.stack([_is_finite(part) for layer in factors for part in _parts(layer)]).all(dim=0)
    kept = is_used[:, None, None]
    inputs, deltas, square = [], [], torch.zeros(len(is_used), dtype=torch.float64, device=is_used.device)
    squares = torch.zeros(factors[0].deltas.shape[:2], dtype=torch.float64, device=is_used.device)
    for layer in factors:
        a, d = (part.detach().to(torch.float64).masked_fill(~kept, 0.0) for part in _parts(layer))
        length = torch.linalg.vector_norm(a, dim=2, keepdim=True)
        a = torch.where(length > 0, a * (2.0**INPUT_BITS / length), 0.0).round_()
        d = d * length
        one = a * 2.0**-INPUT_BITS
        square += ((one @ one.mT) * (d @ d.mT)).sum(dim=(1, 2))
        squares += one.square().sum(dim=2) * d.square().sum(dim=2)
        inputs.append(a)
        deltas.append(d)
    together = squares.sqrt().sum(dim=1)
    # Privacy: never less than the true norm. Inner products of up to 2^15 numbers round by less than this part.
    norm = (square.clamp_min(0.0) + _ROUNDED_NORM * together.square()).sqrt()
    norm = torch.maximum(norm, together / grid.most_cancelled)
    factor = (grid.inner_radius / norm).clamp_max(1.0)[:, None, None] / grid.delta_spacing
    return inputs, [(d * factor).round_() for d in deltas]


def _parts(layer: LayerFactors) -> tuple[Tensor, Tensor]:
    return layer.inputs, layer.deltas


def _is_finite(part: Tensor) -> Tensor:
    return part.isfinite().flatten(start_dim=1).all(dim=1)
