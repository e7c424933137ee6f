r"""The privacy loss of one-of-K sampling, and of the fixed pair of data sets that no accountant can go below.

Notation: a draw is a Gaussian of multiplier s (all answers of the draw together) behind a uniform choice of one of K.
Also, mu = 1 / s and gamma = 1 / K. Theorem, proof and conditions: docs/concepts/one-of-many.md.

References:
    Balle, Barthe, Gaboardi 2018, "Privacy amplification by subsampling", theorem 2 (advanced joint convexity).
    Balle, Wang 2018, "Improving the Gaussian mechanism", theorem 8 (profile of the Gaussian).
    Zhu, Dong, Wang 2022, "Optimal accounting of differential privacy via characteristic function" (dominating pairs).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy

from gossamer.privacy.loss_grid import AbstractDominatingPair, Array

_NUM_NODES = 4001


def gaussian_log_profile(epsilon: Array, noise_multiplier: float) -> Array:
    r"""Compute the log of the privacy profile of the Gaussian mechanism, for any epsilon.

    .. math:: H(\epsilon) = \Phi(\mu/2 - \epsilon/\mu) - e^\epsilon \Phi(-\mu/2 - \epsilon/\mu), \quad \mu = 1/s

    In the tail the two terms agree to many digits. Their ratio, the second over the first, is computed there as a
    quotient of scaled complementary error functions.

    Args:
        epsilon: (n,), in nats, of any sign.
        noise_multiplier: s, noise / sensitivity.

    Returns:
        (n,), at most 0.
    """
    mu = 1.0 / noise_multiplier
    near, far = epsilon / mu - mu / 2.0, epsilon / mu + mu / 2.0
    log_first = scipy.special.log_ndtr(-near)
    # The two densities differ by exactly e^epsilon, so in the tail the exponentials cancel and erfcx is left.
    tail = near > 0.0
    log_ratio = np.empty_like(near)
    log_ratio[tail] = np.log(scipy.special.erfcx(far[tail] / math.sqrt(2.0))) - np.log(
        scipy.special.erfcx(near[tail] / math.sqrt(2.0))
    )
    bulk = ~tail
    log_ratio[bulk] = epsilon[bulk] + scipy.special.log_ndtr(-far[bulk]) - log_first[bulk]
    with np.errstate(divide="ignore"):  # a ratio that rounds to one has no profile left: log 0
        return log_first + np.log(-np.expm1(np.minimum(0.0, log_ratio)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneOfManyPair(AbstractDominatingPair):
    r"""The dominating pair of one draw of one-of-K sampling.

    .. math:: H'(\epsilon') = \gamma H(\epsilon), \quad e^{\epsilon'} = 1 + \gamma (e^\epsilon - 1) \ge 1

    For losses below zero it is the same curve exchanged: the pair is self-dual.

    Guarantee:
        Dominates one draw under ``Adjacency.SLOT``, in both orders of the neighbours (theorem 1).

    Args:
        num_critics: K, at least 1. With 1 this is the plain Gaussian.
        noise_multiplier: s = sigma / sqrt(B / c), of all answers of a draw together.
    """

    num_critics: int
    noise_multiplier: float

    def log_profile(self, epsilon: Array) -> Array:
        """Return the log of gamma H of the Gaussian at the base epsilon, (n,) to (n,)."""
        base = _unsample(epsilon, 1.0 / self.num_critics)
        return gaussian_log_profile(base, self.noise_multiplier) - math.log(self.num_critics)

    def log_dual_profile(self, epsilon: Array) -> Array:
        """Return the same curve: the pair is self-dual."""
        return self.log_profile(epsilon)

    def integrate_losses(self, half_width: float) -> tuple[Array, Array]:
        """Return losses and log weights under P on nodes of the underlying normal variable."""
        # Above zero the law of the loss under Q is that of the Gaussian with its losses moved; the rest is at zero.
        mu = 1.0 / self.noise_multiplier
        nodes = np.linspace(mu / 2.0, mu + half_width, _NUM_NODES)
        losses = sampled_loss(mu * nodes - mu * mu / 2.0, 1.0 / self.num_critics)
        log_weights = log_trapezoid(nodes) + log_density(nodes)
        atom = 1.0 - float(np.exp(log_weights + losses).sum() + np.exp(log_weights).sum())
        log_atom = math.log(max(atom, 1e-300))
        return (
            np.concatenate((-losses, [0.0], losses)),
            np.concatenate((log_weights, [log_atom], log_weights + losses)),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AbstractFixedPair(AbstractDominatingPair):
    r"""The laws (1 - gamma) N(0, s^2) + gamma N(1, s^2) and N(0, s^2), in one of the two orders.

    All other critics answer alike, and the differing one answers the opposite. Such data sets occur, so no valid
    accountant can go below the exact epsilon of this pair. It is also the exact pair of a Poisson-sampled Gaussian of
    rate gamma under ``Adjacency.ADD_OR_REMOVE_ONE``.

    Args:
        probability: gamma in (0, 1]: 1 / K, or the sampling rate.
        noise_multiplier: s.
    """

    probability: float
    noise_multiplier: float

    def _log_mixture_first(self, epsilon: Array) -> Array:
        """Compute the log profile of (mixture, N(0)): gamma H(base epsilon)."""
        base = _unsample(epsilon, self.probability)
        return gaussian_log_profile(base, self.noise_multiplier) + math.log(self.probability)

    def _log_gaussian_first(self, epsilon: Array) -> Array:
        """Compute the log profile of (N(0), mixture): gamma e^(epsilon + base) H(-base).

        Here base = unsample(-epsilon) < 0.
        """
        log_profile = np.full(epsilon.shape, -np.inf)
        # The mixture is at least (1 - gamma) N(0), so no loss in this order exceeds -log(1 - gamma).
        inside = np.exp(-epsilon) > 1.0 - self.probability
        base = _unsample(-epsilon[inside], self.probability)
        scale = math.log(self.probability) + epsilon[inside] + base
        log_profile[inside] = scale + gaussian_log_profile(-base, self.noise_multiplier)
        return log_profile

    def _nodes(self, half_width: float) -> tuple[Array, Array]:
        """Return nodes x and the losses of (mixture, N(0)) at them."""
        mu = 1.0 / self.noise_multiplier
        nodes = np.linspace(-half_width, mu + half_width, _NUM_NODES)
        return nodes, sampled_loss(mu * nodes - mu * mu / 2.0, self.probability)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixtureFirstPair(AbstractFixedPair):
    """The fixed pair with P the mixture."""

    def log_profile(self, epsilon: Array) -> Array:
        """Compute log H of (mixture, N(0)), (n,) to (n,)."""
        return self._log_mixture_first(epsilon)

    def log_dual_profile(self, epsilon: Array) -> Array:
        """Compute log H of (N(0), mixture), (n,) to (n,)."""
        return self._log_gaussian_first(epsilon)

    def integrate_losses(self, half_width: float) -> tuple[Array, Array]:
        """Return losses and log weights under P on nodes of the underlying normal variable."""
        nodes, losses = self._nodes(half_width)
        return losses, losses + log_trapezoid(nodes) + log_density(nodes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianFirstPair(AbstractFixedPair):
    """The fixed pair with Q the mixture."""

    def log_profile(self, epsilon: Array) -> Array:
        """Compute log H of (N(0), mixture), (n,) to (n,)."""
        return self._log_gaussian_first(epsilon)

    def log_dual_profile(self, epsilon: Array) -> Array:
        """Compute log H of (mixture, N(0)), (n,) to (n,)."""
        return self._log_mixture_first(epsilon)

    def integrate_losses(self, half_width: float) -> tuple[Array, Array]:
        """Return losses and log weights under P on nodes of the underlying normal variable."""
        nodes, losses = self._nodes(half_width)
        return -losses, log_trapezoid(nodes) + log_density(nodes)


def sampled_loss(epsilon: Array, probability: float) -> Array:
    r"""Compute log(1 + gamma (e^epsilon - 1)), without overflow and exact near zero."""
    if probability == 1.0:
        return epsilon
    small = np.log1p(probability * np.expm1(np.minimum(epsilon, 1.0)))
    return np.where(epsilon < 1.0, small, np.logaddexp(math.log1p(-probability), epsilon + math.log(probability)))


def _unsample(epsilon: Array, probability: float) -> Array:
    r"""Invert ``sampled_loss``: log(1 + (e^epsilon - 1) / gamma), for epsilon > log(1 - gamma)."""
    if probability == 1.0:
        return epsilon
    small = np.log1p(np.maximum(np.expm1(np.minimum(epsilon, 1.0)) / probability, -1.0 + 1e-300))
    large = epsilon + np.log1p(-(1.0 - probability) * np.exp(-np.maximum(epsilon, 1.0))) - math.log(probability)
    return np.where(epsilon < 1.0, small, large)


def log_density(nodes: Array) -> Array:
    """Compute the log density of the standard normal."""
    return -0.5 * nodes**2 - 0.5 * math.log(2.0 * math.pi)


def log_trapezoid(nodes: Array) -> Array:
    """Compute the log weights of the trapezoid rule on equidistant nodes."""
    weights = np.full(nodes.shape, nodes[1] - nodes[0])
    weights[[0, -1]] /= 2.0
    return np.log(weights)
