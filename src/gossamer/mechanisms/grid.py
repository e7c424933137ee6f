"""The public grid that contributions and noise are rounded to, each by itself, so that they are added as integers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.errors import InputError
from gossamer.privacy.truncation import TAIL_BITS

if TYPE_CHECKING:
    from torch import Tensor

GRID_SHARE = 2.0**-10
"""Part of a bound that is left to rounding. Contributions are shrunk by it, and rounding takes no more than it."""

_HAIR = 2.0**-10
"""Part of that share that float64 gets. Clips, scales and means round by far less than ``2^-20`` of the bound."""

_MOST_EXACT = 2.0**53
"""Bound up to which integers, and sums of them in any order, are float64 numbers."""

MOST_SUMMED = 2.0**62
"""Bound that sums of int64 stay below. Noise, below ``2^53``, then fits beside them."""

_FARTHEST_NORMAL = math.sqrt(2 * (TAIL_BITS + 1) * math.log(2))


@dataclass(frozen=True, kw_only=True)
class PublicGrid:
    r"""The multiples of a power of two g that vectors of a ball are rounded to, without leaving the ball.

    With R the radius, d the number of coordinates and :math:`\eta = 2^{-10}`, g is the largest power of two with

    .. math:: r \sqrt d\, g / 2 \le \eta R (1 - 2^{-10}),

    with r the number of roundings, one if each contribution is rounded by itself.

    A vector is first shrunk into `inner_radius` :math:`= (1 - \eta) R`, up to one part in :math:`2^{20}`. Rounding
    moves it by `slack` at most. So the vector still lies in the ball of radius R, and is priced as one
    of that ball.

    Guarantee: g is a function of R and d alone, both public. A sum of rounded vectors is a sum of integers. The sum is
    exact in any order and however it is cut, so one unit changes nothing in the contributions of others. Noise is
    rounded to the same grid, so the released sum is a multiple of g whatever was summed. The sum of the two roundings
    is the rounding of the sum of the ideal noise and the rounded vectors. That is post-processing of the Gaussian
    mechanism. Numbers are rounded to the nearest integer, a half to the even one. Ties have probability zero in the
    noise.

    Args:
        radius: bound R on the norm of one unit's contribution, > 0, public.
        num_coordinates: d, of the whole vector that is bounded, public.
        num_roundings: r, roundings that stand between two neighbouring sums. Two if exact sums are rounded as a whole.

    Raises:
        InputError: a number out of range.

    References: Mironov 2012, "On significance of the least significant bits for differential privacy".

    >>> PublicGrid(radius=1.0, num_coordinates=784).exponent
    -14
    """

    radius: float
    num_coordinates: int
    num_roundings: int = 1

    def __post_init__(self) -> None:
        if self.num_coordinates < 1:
            raise InputError(f"a grid needs at least one coordinate, got {self.num_coordinates}")
        # Within these limits powers of two, and squares of them, are float64 numbers.
        if not 1e-100 <= self.radius <= 1e100:
            raise InputError(f"a bound on one unit's contribution must lie in 1e-100 .. 1e100, got {self.radius}")

    @property
    def exponent(self) -> int:
        """Exponent of the spacing."""
        widest = 2 * GRID_SHARE * (1 - _HAIR) * self.radius / math.sqrt(self.num_coordinates) / self.num_roundings
        # frexp gives a mantissa in [1/2, 1) exactly, while a logarithm might round up.
        return math.frexp(widest)[1] - 1

    @property
    def spacing(self) -> float:
        """Spacing g, a power of two."""
        return 2.0**self.exponent

    @property
    def slack(self) -> float:
        """Largest distance that all roundings move a vector, ``r sqrt(d) g / 2``."""
        return self.num_roundings * math.sqrt(self.num_coordinates) * self.spacing / 2

    @property
    def inner_radius(self) -> float:
        """Radius that vectors are to be shrunk to before they are rounded."""
        return (1 - GRID_SHARE) * self.radius

    @property
    def largest(self) -> int:
        """Largest coordinate of a rounded vector, ``floor(R / g)``, about ``2^10 sqrt(d)`` at most."""
        return math.floor(self.radius / self.spacing)

    def rounded(self, values: Tensor) -> Tensor:
        """Round each number over g to the nearest integer, a half to the even one: by at most ``g / 2``.

        Args:
            values: float64, any shape. Vectors of units must lie in the ball of `inner_radius`.

        Returns:
            float64 of that shape, integers exactly.

        >>> grid = PublicGrid(radius=1.0, num_coordinates=4)
        >>> import torch
        >>> grid.spacing, grid.rounded(torch.tensor([0.0, 0.7, -0.7], dtype=torch.float64)).tolist()
        (0.00048828125, [0.0, 1434.0, -1434.0])
        """
        # Multiplying by a power of two rounds nothing.
        return self.nearest_(values * (1 / self.spacing))

    @staticmethod
    def nearest_(scaled: Tensor) -> Tensor:
        """Round numbers that were divided by g in place, alike on both sides of zero. This is the only rule."""
        return scaled.round_()

    def num_exact(self, power: int = 1) -> int:
        """Compute how many units' integers float64 adds exactly, in any order: k with ``k largest^power <= 2^53``.

        Args:
            power: 1 for vectors, 2 for products of two coordinates.

        Raises:
            InputError: not even one.
        """
        number = math.floor(_MOST_EXACT / float(self.largest) ** power)
        if number < 1:
            raise InputError(f"{self.num_coordinates} coordinates are too many for a grid of exact integers")
        return number

    def check_sum(self, num_units: int, power: int = 1) -> None:
        """Refuse a sum that int64 cannot hold exactly.

        Raises:
            InputError: the sum over so many units may reach ``2^62``.
        """
        if num_units * float(self.largest) ** power >= MOST_SUMMED:
            raise InputError(
                f"a sum over {num_units} units with {self.num_coordinates} coordinates may leave the range of exact "
                "integers: take fewer of either"
            )


def noisy_sum(total: Tensor, noise_std: float, normals: Tensor, step: float | Tensor) -> Tensor:
    r"""Release a sum of integers with noise: ``(total + round(noise_std * normals / step)) * step``.

    Only the integers of the sum reach the result, and the noise is rounded to integers before the two are added. Both
    are exact: sums of int64 below ``2^62`` in size, and noise below ``2^53``. All later steps are post-processing, the
    rounding of large sums to float64 included.

    Args:
        total: int64, the sum of the units' contributions. Private.
        noise_std: standard deviation of the noise in the units of the result, > 0.
        normals: float64 in the shape of ``total``, standard normal.
        step: value of the integer 1 in the result, public: a number, or one for each coordinate.

    Returns:
        float64.

    Raises:
        InputError: so much noise that float64 is coarser than the grid.
    """
    import torch
    from torch import Tensor

    if total.dtype != torch.int64:
        raise ValueError(f"a sum on a public grid is of integers, got {total.dtype}")
    finest = float(step.min()) if isinstance(step, Tensor) else step
    if not noise_std / finest * _FARTHEST_NORMAL < _MOST_EXACT:
        raise InputError(f"noise of standard deviation {noise_std:g} is too large for a grid of {finest:g}")
    # Privacy: noise and contributions are rounded each by itself, and added as integers.
    noise = (noise_std * normals / step).round_().to(torch.int64)
    return (total + noise).to(torch.float64) * step
