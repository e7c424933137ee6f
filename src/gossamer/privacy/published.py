"""The privacy figure that the published GS-WGAN computes, shown beside ours; it does not hold.

References:
    Chen, Orekondy, Fritz 2020, "GS-WGAN", NeurIPS (the figure). Wang, Balle, Kasiviswanathan 2019, "Subsampled Rényi
    differential privacy and analytical moments accountant", theorem 9 (the bound), arXiv:1808.00087.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from gossamer.privacy.budget import check_delta_range
from gossamer.privacy.events import check_count, check_noise_multiplier

PUBLISHED_CAVEAT = (
    "The published figure does not hold: it treats every sample of a batch as answered by a critic drawn afresh, "
    "while the published system draws one critic for the whole batch, whose answers share one secret coin."
)

_LARGEST_ORDER = 512


def published_gs_wgan_epsilon(
    *, num_critics: int, noise_multiplier: float, num_steps: int, batch_size: int, delta: float
) -> float:
    r"""Epsilon as the published system computes it: 1-of-K sampling composed T B times, by Rényi divergence.

    .. math:: \epsilon = \min_\alpha T B \frac{\log A_\alpha}{\alpha - 1} + \frac{\log(1/\delta)}{\alpha - 1}

    with A the bound of theorem 9 of Wang et al. for a Gaussian, :math:`\epsilon(j) = j / (2 \sigma^2)`.

    Guarantee:
        None for the published system; see ``PUBLISHED_CAVEAT``.

    Args:
        num_critics: K.
        noise_multiplier: sigma.
        num_steps: T.
        batch_size: B.
        delta: in (0, 1).

    Raises:
        InputError: a count is no positive integer, or the noise multiplier is negative or NaN.
        PrivacyError: the noise multiplier is 0, or delta is outside (0, 1).

    Example:
        >>> round(published_gs_wgan_epsilon(
        ...     num_critics=1000, noise_multiplier=1.07, num_steps=20_000, batch_size=32, delta=1e-5
        ... ), 3)
        9.993
    """
    for name, value in (("num_critics", num_critics), ("num_steps", num_steps), ("batch_size", batch_size)):
        check_count(name, value)
    check_noise_multiplier(noise_multiplier)
    check_delta_range(delta)
    # Between integer orders the bound is interpolated and the quotient monotone: the minimum is at an integer.
    return min(
        (num_steps * batch_size * _log_bound(order, num_critics, noise_multiplier) - math.log(delta)) / (order - 1)
        for order in range(2, _LARGEST_ORDER + 1)
    )


def _log_bound(order: int, num_critics: int, noise_multiplier: float) -> float:
    """log A of theorem 9 at an integer order of at least 2."""
    index = np.arange(2, order + 1)
    log_binomials = special.gammaln(order + 1) - special.gammaln(index + 1) - special.gammaln(order - index + 1)
    divergences = index / (2.0 * noise_multiplier**2)
    terms = log_binomials - index * math.log(num_critics) + math.log(2.0) + (index - 1) * divergences
    second = float(divergences[0])
    # min(4 (e^x - 1), 2 e^x), the first only where it can be smaller, so that e^x does not overflow.
    if second < 1.0:
        terms[0] += min(0.0, math.log(2.0 * -math.expm1(-second)))
    return float(np.logaddexp.reduce(np.concatenate(([0.0], terms))))
