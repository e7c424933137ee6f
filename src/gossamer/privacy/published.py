"""The privacy figures that the published GS-WGAN and DP-CGAN compute, shown beside ours. They do not hold.

References:
    Chen, Orekondy, Fritz 2020, "GS-WGAN", NeurIPS (the figure). Wang, Balle, Kasiviswanathan 2019, "Subsampled Rényi
    differential privacy and analytical moments accountant", theorem 9 (the bound), arXiv:1808.00087.
    Torkzadehmahani, Kairouz, Paten 2019, "DP-CGAN", CVPR workshops. Mironov, Talwar, Zhang 2019, "Rényi differential
    privacy of the sampled Gaussian mechanism", arXiv:1908.10530 (its bound).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from gossamer.privacy.budget import check_delta_range
from gossamer.privacy.events import check_count, check_noise_multiplier

PUBLISHED_CAVEAT = (
    "The published figure does not hold: it treats every sample of a batch as answered by a critic drawn afresh, "
    "while the published system draws one critic for the whole batch, whose answers share one secret coin."
)

PUBLISHED_CAVEAT_OF_SUMS = f"{PUBLISHED_CAVEAT} It also knows one critic a draw alone, and no sum of several."

PUBLISHED_DP_CGAN_CAVEAT = (
    "The published figure does not hold, and for the published system no finite epsilon is proved: its accountant is "
    "given noise multiplier times clip norm in place of the noise multiplier; each weight tensor is clipped on its own "
    "but all are priced as one; batches are shuffled but priced as Poisson samples; and labels of real records drive "
    "the synthetic half of the loss and the generator without noise."
)

_LARGEST_ORDER = 512
_DP_CGAN_ORDERS = (*(1 + tenth / 10 for tenth in range(1, 100)), *map(float, range(12, 64)))


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """The price that a published system computes for a Poisson-sampled run.

    Attributes:
        epsilon: its own computation, from sample_rate, noise_multiplier, clip_norm, num_steps and delta.
        caveat: the reason why that figure does not hold.
    """

    epsilon: Callable[..., float]
    caveat: str


def published_gs_wgan_epsilon(
    *, num_critics: int, noise_multiplier: float, num_steps: int, batch_size: int, delta: float
) -> float:
    r"""Compute epsilon as the published system does: 1-of-K sampling composed T B times, by Rényi divergence.

    .. math:: \epsilon = \min_\alpha T B \frac{\log A_\alpha}{\alpha - 1} + \frac{\log(1/\delta)}{\alpha - 1}

    with A the bound of theorem 9 of Wang et al. for a Gaussian, :math:`\epsilon(j) = j / (2 \sigma^2)`.

    Guarantee:
        None for the published system: see ``PUBLISHED_CAVEAT``.

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
    """Compute log A of theorem 9 at an integer order of at least 2."""
    index = np.arange(2, order + 1)
    log_binomials = (
        scipy.special.gammaln(order + 1) - scipy.special.gammaln(index + 1) - scipy.special.gammaln(order - index + 1)
    )
    divergences = index / (2.0 * noise_multiplier**2)
    terms = log_binomials - index * math.log(num_critics) + math.log(2.0) + (index - 1) * divergences
    second = float(divergences[0])
    # min(4 (e^x - 1), 2 e^x), the first only where it can be smaller, so that e^x does not overflow.
    if second < 1.0:
        terms[0] += min(0.0, math.log(2.0 * -math.expm1(-second)))
    return float(np.logaddexp.reduce(np.concatenate(([0.0], terms))))


def published_dp_cgan_epsilon(
    *, sample_rate: float, noise_multiplier: float, clip_norm: float, num_steps: int, delta: float
) -> float:
    r"""Compute epsilon as the published DP-CGAN does: with :math:`s = \sigma C` in place of its accountant's sigma.

    .. math:: \epsilon = \min_\alpha \frac{T \log E_{z \sim N(0, s^2)} \bigl[ \bigl(1 - q
        + q e^{(2 z - 1) / (2 s^2)} \bigr)^\alpha \bigr] + \log(1/\delta)}{\alpha - 1}

    over the orders of its code, 1.1 to 10.9 by tenths and 12 to 63.

    Guarantee:
        None for the published system: see ``PUBLISHED_DP_CGAN_CAVEAT``.

    Args:
        sample_rate: q, batch size over the number of records.
        noise_multiplier: sigma, noise standard deviation over the clip norm.
        clip_norm: C.
        num_steps: T, updates of the discriminator.
        delta: in (0, 1).

    Raises:
        InputError: a number is out of range.
        PrivacyError: the noise multiplier is 0, or delta is outside (0, 1).

    Example:
        >>> round(published_dp_cgan_epsilon(
        ...     sample_rate=0.01, noise_multiplier=1.12, clip_norm=1.1, num_steps=30_300, delta=1e-5
        ... ), 2)
        9.6
    """
    check_count("num_steps", num_steps)
    check_noise_multiplier(noise_multiplier)
    check_delta_range(delta)
    told = noise_multiplier * clip_norm
    return min(
        (num_steps * _log_moment(order, sample_rate, told) - math.log(delta)) / (order - 1) for order in _DP_CGAN_ORDERS
    )


def _log_moment(order: float, sample_rate: float, noise_multiplier: float) -> float:
    """Compute the logarithm of the expectation above by the trapezoidal rule, exact to rounding for such integrands.

    The integrand is at most a sum of bells of width s, centred between 0 and the order.
    """
    reach = 12.0 * noise_multiplier
    z = np.arange(-reach, order + reach, noise_multiplier / 50.0)
    log_loss = np.logaddexp(
        math.log1p(-sample_rate) if sample_rate < 1.0 else -math.inf,
        math.log(sample_rate) + (2.0 * z - 1.0) / (2.0 * noise_multiplier**2),
    )
    log_density = -((z / noise_multiplier) ** 2) / 2.0 - 0.5 * math.log(2.0 * math.pi)
    return float(scipy.special.logsumexp(order * log_loss + log_density) + math.log(1.0 / 50.0))


PUBLISHED_DP_CGAN = PublishedFigure(epsilon=published_dp_cgan_epsilon, caveat=PUBLISHED_DP_CGAN_CAVEAT)
"""The figure that DP-CGAN's reference code would have claimed."""
