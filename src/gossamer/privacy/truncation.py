"""The part of delta that the finite range of drawn noise adds, and the refusal of noise that is too little for it."""

from __future__ import annotations

import math
from collections.abc import Callable

from dp_accounting.dp_event import DpEvent

from gossamer.errors import PrivacyError
from gossamer.privacy.events import Part, ReplacedPoissonPart, flatten

TAIL_BITS = 128
"""Random bits in the radius of a pair of normals: the largest radius is beyond sqrt(2 ln 2^128) = 13.3."""


def truncation_delta(num_samples: int, sample_size: int, noise_multiplier: float) -> float:
    """Bound the part of delta that the bounded radius of `mechanisms.noise` adds, over all released vectors.

    The drawn noise is the ideal noise conditioned on no pair beyond the radius R, ``exp(-R^2/2) = 2^-128``. The drawn
    law of one neighbour then exceeds the bound only where the other neighbour's noise would have been cut. There some
    pair, shifted by s_i, lies beyond R. For a vector of n pairs with ``sum s_i^2 <= s^2``, ``s = 1/noise_multiplier``,

        sum exp(-(R - s_i)^2/2) <= 2^-128 (n + R s sqrt(n) + exp(R s)),

    by expanding ``exp(R s_i)`` and ``sum s_i^k <= s^k`` for k >= 2, ``sum s_i <= s sqrt(n)``.

    Args:
        num_samples: released vectors in the whole run.
        sample_size: coordinates of one vector.
        noise_multiplier: noise standard deviation over sensitivity.

    >>> truncation_delta(640_000, 784, 0.816) < 1e-20
    True
    """
    radius, shift, pairs = math.sqrt(2 * TAIL_BITS * math.log(2)), 1 / noise_multiplier, (sample_size + 1) // 2
    per_sample = pairs + radius * shift * math.sqrt(pairs) + math.exp(min(radius * shift, 700.0))
    return min(1.0, num_samples * per_sample * 2.0**-TAIL_BITS)


def check_truncation(added: float, delta: float, noise_multiplier: float) -> None:
    """Refuse noise so little that its finite range alone costs delta.

    Args:
        added: the part of delta that the finite range adds, at least.
        delta: of the guarantee.
        noise_multiplier: as the user knows it, for the message.

    Raises:
        PrivacyError: `added` is not below delta.
    """
    if added >= delta:
        raise PrivacyError(
            f"noise multiplier {noise_multiplier:.4g} is too little: the finite range of drawn noise costs "
            f"{added:.2g} of delta {delta:g}: ask for a smaller epsilon, or give a larger noise multiplier"
        )


def least_truncation(event: DpEvent) -> float:
    """Bound from below the part of delta that `truncation_delta` gives for vectors of any size.

    Args:
        event: made by the functions of ``events``.
    """
    return min(1.0, sum(truncation_delta(part.count, 1, _over_the_shift(part)) for part in flatten(event)))


def _over_the_shift(part: Part) -> float:
    """Return the noise over the longest shift between two neighbours."""
    # Privacy: a unit that is replaced moves the sum by twice its bound, which the multiplier is over.
    return part.noise_multiplier / (2.0 if isinstance(part, ReplacedPoissonPart) else 1.0)


def least_noise(truncation: Callable[[float], float], delta: float) -> float:
    """Find the least noise multiplier that `check_truncation` permits, to one part in a thousand.

    Args:
        truncation: the part of delta that the finite range adds, at least, as a falling function of the noise.
        delta: of the guarantee.

    >>> round(least_noise(lambda noise: truncation_delta(1, 1, noise), 1e-5), 2)
    0.17
    """
    low, high = 1e-3, 1.0
    while truncation(high) >= delta and high < 1e6:
        high *= 10
    while high > 1.001 * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if truncation(middle) >= delta else (low, middle)
    return high
