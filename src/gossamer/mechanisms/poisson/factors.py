"""Clipped sums of gradients of dense layers, from inputs and deltas alone: no gradient of a unit is ever held.

A record's gradient of a dense layer is the outer product of its delta and its input. The delta is the slope of the loss
at the layer's output. So its norm is the product of two norms, and a sum of such gradients is one product of matrices.

References:
    Goodfellow 2015, "Efficient per-example gradient computations": the norms.
    Li, Tramer, Liang, Hashimoto 2022, "Large language models can be strong differentially private learners": the
    clipped sum, "ghost clipping".
    Bu, Mao, Xu 2022, "Scalable and efficient training of large convolutional neural networks with differential
    privacy": the norms of several rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.mechanisms.grid import MOST_SUMMED, PublicGrid

_ROWS_AT_ONCE: Final = 256
"""Records that enter one product: more of them save time, and leave fewer bits for each."""

_MOST_CANCELLED: Final = 8
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

    Inputs are scaled to length one and rounded to multiples of ``2^-input_bits``. Deltas take over that length and are
    clipped. They are rounded to a public power of two, `delta_spacing`. So a unit adds products of whole numbers. All
    sums of so many units as are added at once stay below :math:`2^{53}`. So float64 adds them exactly, in any order.

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
        is_coarse = self._moved > _MOST_MOVED * self.radius or self._longest > 1 + _MOST_MOVED
        if is_coarse or self.chunk_size * self.records_per_unit > _MOST_RECORDS:
            raise InputError(f"chunks of {self.chunk_size} units are too large for exact sums: use smaller chunks")

    @property
    def coarse(self) -> PublicGrid:
        """The grid that the whole sum is rounded to, and the noise."""
        return PublicGrid(radius=self.radius, num_coordinates=sum(a * b for a, b in self.layers), num_roundings=2)

    @property
    def fine_per_coarse(self) -> int:
        """Multiples of the fine grid in one of the coarse grid, a power of two."""
        return round(self.coarse.spacing / self.fine_spacing)

    def check_sum(self, num_units: int) -> None:
        """Refuse a sum that int64 cannot hold exactly.

        There are no more products than units. Each leaves a rest below one multiple of the coarse grid, and rounds a
        whole number down by one at most. So the two parts of the sum stay below ``2^62`` if these bounds do.

        Raises:
            InputError: the sum over so many units may reach ``2^62``.
        """
        self.coarse.check_sum(num_units)
        if num_units * max(self.fine_per_coarse, self.coarse.largest + 1) >= MOST_SUMMED:
            raise InputError(
                f"a sum over {num_units} units of {self.coarse.num_coordinates} products may leave the range of exact "
                "integers: take fewer units"
            )

    @property
    def chunks_at_once(self) -> int:
        """Chunks that enter one product."""
        return max(1, _ROWS_AT_ONCE // (self.chunk_size * self.records_per_unit))

    @property
    def units_at_once(self) -> int:
        """Units that enter one product."""
        return self.chunks_at_once * self.chunk_size

    @property
    def most_cancelled(self) -> int:
        """Largest ratio of the sum of a unit's records' norms to the norm that the unit is clipped by."""
        return 1 if self.records_per_unit == 1 else _MOST_CANCELLED

    @property
    def rounded_norm(self) -> float:
        """Bound on the rounding of a unit's squared norm, as a part of the squared sum of its records' norms.

        In any order a sum of n products rounds by n units in the last place at most. Such sums go over outputs, pairs
        of records and layers. Those over inputs are of whole numbers, and exact.
        """
        longest_sum = max(out for _, out in self.layers) + self.records_per_unit**2 + len(self.layers)
        return max(_ROUNDED_NORM, (longest_sum + 8) * 2.0 ** (1 - _EXACT_BITS))

    @property
    def _bits(self) -> int:
        """Bits of inputs and deltas together.

        With k units at once and spacings 2^-a and s, ``k 2^a (1 + 2^-6) (most_cancelled C / s + m / 2)`` is below
        ``2^53``, and that bounds every partial sum.
        """
        return _EXACT_BITS - 1 - math.ceil(math.log2(self.units_at_once * self.most_cancelled))

    @property
    def input_bits(self) -> int:
        """Bits that an input of length one is rounded to, half of all."""
        return self._bits // 2

    @property
    def delta_spacing(self) -> float:
        """Spacing of the grid of deltas, a power of two: the other half below the radius."""
        return 2.0 ** (math.frexp(self.radius)[1] - self._bits + self.input_bits)

    @property
    def fine_spacing(self) -> float:
        """Spacing of the grid of products."""
        return self.delta_spacing * 2.0**-self.input_bits

    @property
    def inner_radius(self) -> float:
        """Radius that units are shrunk to. Once their deltas are rounded, they lie in the inner radius of `coarse`."""
        return self.coarse.inner_radius - self._moved

    @property
    def _longest(self) -> float:
        """Largest length of an input of length one after rounding."""
        return 1 + math.sqrt(max(inputs for inputs, _ in self.layers)) * 2.0 ** -(self.input_bits + 1)

    @property
    def _moved(self) -> float:
        """Largest distance that the rounding of its deltas moves a unit.

        The deltas of a record, of all layers, move by ``sqrt(out) spacing / 2`` at most, times a rounded input."""
        outputs = sum(out for _, out in self.layers)
        return self._longest * self.records_per_unit * math.sqrt(outputs) * self.delta_spacing / 2


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
        self._waiting: list[list[LayerFactors]] = []

    def add(self, factors: Sequence[LayerFactors], is_counted: Tensor) -> None:
        """Add the units of a chunk that count.

        Args:
            factors: of each layer.
            is_counted: bool (units,).
        """
        self._waiting.append(whole_factors(factors, is_counted, self._grid))
        if len(self._waiting) == self._grid.chunks_at_once:
            self._multiply()

    def add_up(self, total: Callable[[Tensor], Tensor]) -> None:
        """Take the sum over all processes in place of this one's part. It is exact, so it does not depend on the cut.

        Args:
            total: adds up the int64 tensors of all processes.
        """
        self._whole, self._rest = total(torch.stack(self.exact())).unbind()

    def exact(self) -> tuple[Tensor, Tensor]:
        """Return the sum as int64 multiples of the coarse grid, and the rest as multiples of the fine grid."""
        self._multiply()
        carried = self._rest // self._grid.fine_per_coarse
        return self._whole + carried, self._rest - carried * self._grid.fine_per_coarse

    def rounded(self) -> Tensor:
        """Return the sum rounded once, in multiples of the coarse grid: int64 (coordinates,)."""
        whole, rest = self.exact()
        # Privacy: one rounding of an exact sum. Each of two neighbouring sums is moved by half a multiple at most.
        return whole + (2 * rest >= self._grid.fine_per_coarse)

    def _multiply(self) -> None:
        """Add the products of all chunks that wait."""
        if not self._waiting:
            return
        products = torch.cat([_product(layers) for layers in zip(*self._waiting, strict=True)])
        self._waiting = []
        # Exact: a power of two, and whole numbers below 2^53.
        whole = (products / self._grid.fine_per_coarse).floor_()
        self._whole += whole.to(torch.int64)
        self._rest += products.sub_(whole, alpha=self._grid.fine_per_coarse).to(torch.int64)


def _product(chunks: Sequence[LayerFactors]) -> Tensor:
    """Sum the products of one layer over all records: whole numbers, float64 (out * in,), exactly."""
    inputs = torch.cat([chunk.inputs.flatten(end_dim=1) for chunk in chunks])
    return (torch.cat([chunk.deltas.flatten(end_dim=1) for chunk in chunks]).T @ inputs).flatten()


def whole_factors(factors: Sequence[LayerFactors], is_counted: Tensor, grid: FactoredGrid) -> list[LayerFactors]:
    r"""Clip units, and round their factors to whole numbers.

    With a_j and d_j the factors of record j of one layer, the squared norm of the unit's gradient is

    .. math:: \sum_{\mathrm{layers}} \sum_{j, k} (a_j \cdot a_k) (d_j \cdot d_k),

    for one record the product of two squares. A bound on its rounding in float64 is added. The gradients of a unit's
    records may cancel to less than an eighth of the mean of their norms. Then that eighth counts as the norm.

    Guarantee: a unit's numbers depend on its own factors. The sum of their products times the fine spacing has norm
    ``(1 - 2^-10) radius`` at most, for any input. They are zero if the unit does not count or is not finite. A number
    beyond the range of float32 counts as not finite.

    Args:
        factors: of each layer, one chunk.
        is_counted: bool (units,).
        grid: of the sum.

    Returns:
        Whole numbers in float64: inputs over ``2^-input_bits``, and deltas over their spacing.
    """
    # Privacy: a unit with a factor that is not finite becomes zero before the clip, without a branch.
    is_used = is_counted & torch.stack([_is_finite(layer) for layer in factors]).all(dim=0)
    scaled = [_scaled(layer, ~is_used[:, None, None], 2.0**grid.input_bits) for layer in factors]
    products = [_inner(layer, 2.0**grid.input_bits) for layer in scaled]
    square = torch.stack([inner.sum(dim=(1, 2)) for inner in products]).sum(dim=0)
    of_records = torch.stack([inner.diagonal(dim1=1, dim2=2) for inner in products]).sum(dim=0)
    together = of_records.sqrt().sum(dim=1)
    # Privacy: never less than the true norm.
    norm = (square.clamp_min(0.0) + grid.rounded_norm * together.square()).sqrt()
    norm = torch.maximum(norm, together / grid.most_cancelled)
    # Privacy: the clip comes last, and the rounding after it stays within the radius.
    factor = (grid.inner_radius / norm).clamp_max(1.0)[:, None, None] / grid.delta_spacing
    return [LayerFactors(inputs=layer.inputs, deltas=(layer.deltas * factor).round_()) for layer in scaled]


def _scaled(layer: LayerFactors, is_left_out: Tensor, one: float) -> LayerFactors:
    """Scale inputs to a length and round them. The deltas take over their own length."""
    inputs = layer.inputs.detach().to(torch.float64, copy=True).masked_fill_(is_left_out, 0.0)
    deltas = layer.deltas.detach().to(torch.float64, copy=True).masked_fill_(is_left_out, 0.0)
    length = torch.linalg.vector_norm(inputs, dim=2, keepdim=True)
    # A length of zero leaves zeros.
    scale = one / length.clamp_min(torch.finfo(torch.float32).tiny ** 2)
    return LayerFactors(inputs=inputs.mul_(scale).round_(), deltas=deltas.mul_(length))


def _inner(layer: LayerFactors, one: float) -> Tensor:
    """Compute the inner products of the gradients of a unit's records, (units, m, m)."""
    inputs = layer.inputs / one
    return (inputs @ inputs.mT) * (layer.deltas @ layer.deltas.mT)


def _is_finite(layer: LayerFactors) -> Tensor:
    # Squares of float32 numbers neither overflow nor vanish in float64. Wider numbers count as not finite, and a NaN is
    # no smaller than any number.
    largest = torch.finfo(torch.float32).max
    return (_longest_entry(layer.inputs) <= largest) & (_longest_entry(layer.deltas) <= largest)


def _longest_entry(factors: Tensor) -> Tensor:
    return factors.detach().abs().amax(dim=(1, 2))
