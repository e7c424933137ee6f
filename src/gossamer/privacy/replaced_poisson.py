r"""The privacy loss of one Poisson-sampled sum when a unit is replaced by another, and its Rényi divergence.

Notation: q is the sampling rate, s the noise over the bound of one unit's contribution, mu = 1 / s. Theorem, proof and
conditions: docs/concepts/poisson.md.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy

from gossamer.privacy.loss_grid import AbstractDominatingPair
from gossamer.privacy.one_of_many import (
    gaussian_log_profile,
    log_density,
    log_trapezoid,
    sampled_loss,
)
from gossamer.privacy.profile import Array

_NUM_NODES = 4001
_MOST_NODES = 200_000
_HALF_WIDTH = 12.0
# The most that float arithmetic may take from the logarithm of one moment.
_MOMENT_ROUNDING = 1e-13


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplacedPoissonPair(AbstractDominatingPair):
    r"""The dominating pair of one Poisson-sampled sum under replacement. The pair is its own mirror image.

    .. math:: P = (1 - q) N(0, s^2) + q N(1, s^2), \quad Q = (1 - q) N(0, s^2) + q N(-1, s^2)

    The loss rises with the output. Where it equals epsilon, at x standard deviations, the density of N(0) drops out of
    the divergence, and two profiles of Gaussians are left:

    .. math:: H(\epsilon) = q (G(\mu x - \mu^2/2) + e^{\epsilon - \mu x - \mu^2/2} G(\mu x + \mu^2/2))

    Guarantee:
        Dominates one sum under ``Adjacency.REPLACE_ONE``, in both orders of the neighbours (theorem 2 there).

    Args:
        probability: q in (0, 1].
        noise_multiplier: s, noise / bound of one unit's contribution.
    """

    probability: float
    noise_multiplier: float

    def log_profile(self, epsilon: Array) -> Array:
        """Compute log H for epsilon >= 0, (n,) to (n,)."""
        mu = 1.0 / self.noise_multiplier
        lower, upper = self._crossing(epsilon) + np.array([[-0.5], [0.5]]) * mu * mu
        added = np.logaddexp(
            gaussian_log_profile(lower, self.noise_multiplier),
            epsilon - upper + gaussian_log_profile(upper, self.noise_multiplier),
        )
        return math.log(self.probability) + added

    def log_dual_profile(self, epsilon: Array) -> Array:
        """Return the same curve: the pair is its own mirror image."""
        return self.log_profile(epsilon)

    def integrate_losses(self, half_width: float) -> tuple[Array, Array]:
        """Return losses and log weights under P on nodes of the underlying normal variable."""
        nodes = np.linspace(-half_width, 1.0 / self.noise_multiplier + half_width, _NUM_NODES)
        first, second = self._log_ratios(nodes)
        return first - second, first + log_trapezoid(nodes) + log_density(nodes)

    def log_moment(self, order: float) -> float:
        r"""Compute log E_Q[(P/Q)^order], from above: (order - 1) times the Rényi divergence.

        The trapezoid rule computes it. For so smooth a function its error falls exponentially as the nodes draw
        nearer. If it would need too many nodes, a bound without sampling is returned.

        Args:
            order: above 1.
        """
        mu = 1.0 / self.noise_multiplier
        without_sampling = 2.0 * mu * mu * order * (order - 1.0)
        distance, reach = min(0.1, 0.5 / mu), order * mu + 2.0 * _HALF_WIDTH + mu
        if reach > _MOST_NODES * distance:
            return without_sampling
        nodes = np.arange(-_HALF_WIDTH - mu, order * mu + _HALF_WIDTH, distance)
        first, second = self._log_ratios(nodes)
        exponents = order * first + (1.0 - order) * second + log_density(nodes)
        # Privacy: rounded up by more than the arithmetic can lose.
        moment = float(scipy.special.logsumexp(exponents)) + math.log(distance)
        return min(without_sampling, moment * (1.0 + 1e-9) + _MOMENT_ROUNDING)

    def _log_ratios(self, nodes: Array) -> tuple[Array, Array]:
        """Compute log P / N(0) and log Q / N(0) at x standard deviations."""
        mu = 1.0 / self.noise_multiplier
        first = sampled_loss(mu * nodes - 0.5 * mu * mu, self.probability)
        return first, sampled_loss(-mu * nodes - 0.5 * mu * mu, self.probability)

    def _crossing(self, epsilon: Array) -> Array:
        r"""Compute mu x at which the loss is epsilon.

        .. math:: \mu x = \epsilon / 2 + \mathrm{arsinh}((1 - q) / q \cdot e^{\mu^2/2} \sinh(\epsilon / 2))

        For the loss is epsilon where :math:`a z^2 - (1 - q) (e^\epsilon - 1) z - a e^\epsilon = 0`. Here
        :math:`z = e^{\mu x}` and :math:`a = q e^{-\mu^2/2}`.
        """
        with np.errstate(divide="ignore"):  # no loss, or every unit in every sample: log 0
            log_sinh = 0.5 * epsilon + np.log(-np.expm1(-epsilon)) - math.log(2.0)
            log_odds = np.log1p(-self.probability) - math.log(self.probability)
        log_argument = log_odds + 0.5 / self.noise_multiplier**2 + log_sinh
        small = np.arcsinh(np.exp(np.minimum(log_argument, 20.0)))
        return 0.5 * epsilon + np.where(log_argument < 20.0, small, log_argument + math.log(2.0))
