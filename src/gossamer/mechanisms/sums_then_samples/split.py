"""The split of a noise multiplier between one-shot sums and Poisson samples, by a public rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gossamer.errors import InputError
from gossamer.privacy.adjacency import Adjacency


@dataclass(frozen=True, kw_only=True)
class Split:
    r"""The noise of two parts that together cost about as much as one Gaussian of multiplier :math:`\sigma`.

    Let w be the share of the samples, q their rate and T their number. The sums get the multiplier
    :math:`\sigma_1 = \sigma / \sqrt{1 - w}`, and each sample the multiplier s with

    .. math:: q^2 T\, (e^{1 / s^2} - 1) = w / \sigma^2, \qquad
        \text{or}\quad 4 q^2 T \sinh(1 / s^2) = w / \sigma^2 \text{ if a unit is replaced}.

    The left sides are :math:`\mu^2` of T samples, by the central limit theorem of composition. The rule says only where
    the noise goes. It is no part of any claim, because both parts are priced together by their loss distributions.

    Attributes:
        share: w, part of the budget for the samples, in (0, 1).

    Raises:
        InputError: a share out of range.

    References: Bu, Dong, Long, Su 2020, "Deep learning with Gaussian differential privacy", for the limit.

    Example:
        >>> split = Split(share=0.5)
        >>> round(split.of_sums(3.0), 3)
        4.243
        >>> round(split.of_sample(3.0, 0.08, 250, Adjacency.ADD_OR_REMOVE_ONE), 3)
        5.413
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"the share of the samples must lie between 0 and 1, got {self.share}")

    def of_sums(self, noise_multiplier: float) -> float:
        """Compute the multiplier of all sums together."""
        return noise_multiplier / math.sqrt(1 - self.share)

    def of_sample(self, noise_multiplier: float, sample_rate: float, num_samples: int, adjacency: Adjacency) -> float:
        """Compute the multiplier of one sample. It rises with ``noise_multiplier``."""
        each = math.sqrt(self.share / num_samples) / sample_rate / noise_multiplier
        if adjacency is Adjacency.REPLACE_ONE:
            return 1 / math.sqrt(math.asinh(min(each / 2, _LARGEST) ** 2))
        return 1 / math.sqrt(math.log1p(min(each, _LARGEST) ** 2))


_LARGEST = 1e150
"""A ratio beyond which squares overflow. So little noise has no price in any case."""
