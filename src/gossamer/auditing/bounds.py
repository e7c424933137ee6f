"""Lower bounds on epsilon, and on mu of Gaussian differential privacy, from an adversary's share of right guesses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from dp_accounting import gaussian_mechanism
from numpy.typing import NDArray
from scipy import optimize, stats

from gossamer.errors import InputError

Floats = NDArray[np.float64]
Counts = int | NDArray[np.int64]

_NUM_THRESHOLDS = 200
_TINY = 1e-300
_MOST = 50.0
_SHARES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, kw_only=True, eq=False)
class Games:
    """Statistics of independent games against a mechanism, played on two neighbouring data sets.

    Attributes:
        first: (n,), the adversary's statistic on the first data set. A large value speaks for that data set.
        second: (n,), the same statistic on the second data set.
    """

    first: Floats
    second: Floats

    def __post_init__(self) -> None:
        if len(self.first) != len(self.second) or len(self.first) < 2:
            raise InputError(f"an audit needs at least 2 games on either side, got {len(self.first)}; play more")

    def parted(self) -> tuple[Games, Games]:
        """Split the games: the first quarter chooses a threshold, and the others count with it."""
        end = len(self.first) // 4
        return (
            Games(first=self.first[:end], second=self.second[:end]),
            Games(first=self.first[end:], second=self.second[end:]),
        )


def proportion_bounds(num_hits: Counts, num_all: int, error: float) -> tuple[Floats, Floats]:
    """Bound probabilities. Each bound holds but for a probability of ``error`` (Clopper and Pearson 1934).

    Args:
        num_hits: a count, or an array of counts, of ``num_all`` trials each.
        num_all: trials.
        error: of each bound.

    Returns:
        Lower and upper bounds, in the shape of ``num_hits``.

    >>> low, high = proportion_bounds(0, 100, 0.05)
    >>> float(low), round(float(high), 3)
    (0.0, 0.03)
    """
    hits = np.asarray(num_hits)
    low = np.where(hits > 0, stats.beta.ppf(error, np.maximum(hits, 1), num_all - hits + 1), 0.0)
    misses = np.maximum(num_all - hits, 1)
    high = np.where(hits < num_all, stats.beta.ppf(1 - error, hits + 1, misses), 1.0)
    return low, high


def epsilon_bound(games: Games, delta: float, confidence: float) -> float:
    r"""Compute a lower bound on epsilon at delta, from independent games.

    For an event E, :math:`P(E) \le e^\varepsilon Q(E) + \delta` in both orders of the neighbours, so

    .. math:: \varepsilon \ge \log \frac{P(E) - \delta}{Q(E)},

    with the lower end of P(E) and the upper end of Q(E). The event, a threshold and a side of it, is chosen by the
    first quarter of the games and counted in the others.

    Args:
        games: independent.
        delta: in (0, 1).
        confidence: probability with which the bound holds, for any mechanism.

    Returns:
        epsilon >= 0, and 0 if nothing was shown.

    References: Jagielski, Ullman, Oprea 2020, "Auditing differentially private machine learning".
    """

    def epsilon(low: Floats, high: Floats) -> Floats:
        return np.log(np.maximum(low - delta, _TINY)) - np.log(np.maximum(high, _TINY))

    return max(0.0, _bound(games, epsilon, confidence))


def mu_bound(games: Games, confidence: float) -> float:
    r"""Compute a lower bound on mu of Gaussian differential privacy, from independent games.

    A mu-GDP mechanism has :math:`\Phi^{-1}(P(E)) - \Phi^{-1}(Q(E)) \le \mu` for every event E. All events near the
    middle of the laws show mu, so few games are enough. A bound on epsilon would need the far tail. A factor of two
    that is missing in the noise doubles mu, and is seen at once.

    Args:
        games: independent.
        confidence: probability with which the bound holds, for any mechanism.

    References: Dong, Roth, Su 2022, "Gaussian differential privacy". Nasr et al. 2023, "Tight auditing of
        differentially private machine learning".
    """

    def mu(low: Floats, high: Floats) -> Floats:
        return stats.norm.ppf(np.maximum(low, _TINY)) - stats.norm.ppf(np.minimum(high, 1 - 1e-12))

    return max(0.0, _bound(games, mu, confidence))


def _bound(games: Games, value: Callable[[Floats, Floats], Floats], confidence: float) -> float:
    """Compute the value at an event that a quarter of the games chooses and the others count."""
    error = (1 - confidence) / 2
    chosen, counted = games.parted()
    levels = np.linspace(0, 1, _NUM_THRESHOLDS + 2)[1:-1]
    thresholds = np.unique(np.quantile(np.concatenate([chosen.first, chosen.second]), levels))
    best = int(np.argmax(_values_at(chosen, thresholds, value, error)))
    threshold = thresholds[best % len(thresholds)]
    return float(_values_at(counted, np.array([threshold]), value, error)[best // len(thresholds)])


def _values_at(games: Games, thresholds: Floats, value: Callable[[Floats, Floats], Floats], error: float) -> Floats:
    """Compute the value at the events above each threshold, then at those not above it: (2 thresholds,)."""
    num_all = len(games.first)
    first, second = (
        num_all - np.searchsorted(np.sort(side), thresholds, "right") for side in (games.first, games.second)
    )
    likely = np.concatenate([first, num_all - second])
    unlikely = np.concatenate([second, num_all - first])
    return value(proportion_bounds(likely, num_all, error)[0], proportion_bounds(unlikely, num_all, error)[1])


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.root_scalar(function, bracket=(low, high), xtol=1e-9).root)


def epsilon_of_mu(mu: float, delta: float) -> float:
    """Compute epsilon at delta of a Gaussian mechanism with a sensitivity of mu standard deviations of its noise."""
    return float(gaussian_mechanism.get_epsilon_gaussian(1 / mu, delta)) if mu > 1e-9 else 0.0


def mu_of_epsilon(epsilon: float, delta: float) -> float:
    """Compute mu of the Gaussian mechanism that has this epsilon at delta.

    >>> round(1 / mu_of_epsilon(1.0, 1e-5), 2)
    3.73
    """
    return _root(lambda mu: epsilon_of_mu(mu, delta) - epsilon, 1e-6, 1e3)


# ---- many canaries in one run ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class Guesses:
    """The evidence on secret bits, several of them in each run of a mechanism.

    Attributes:
        evidence: (m,), large speaks for +1.
        bits: (m,), -1 or +1, each tossed fairly and independently before the run.
    """

    evidence: Floats
    bits: NDArray[np.int64]

    def num_right(self, num_guesses: int) -> int:
        """Count the right guesses, if only the clearest are made: half of them +1, the others -1."""
        order = np.argsort(self.evidence, kind="stable")
        half = num_guesses // 2
        return int((self.bits[order[:half]] < 0).sum() + (self.bits[order[len(order) - half :]] > 0).sum())


def epsilon_bound_of_guesses(num_right: int, num_guesses: int, num_bits: int, delta: float, confidence: float) -> float:
    r"""Compute a lower bound on epsilon at delta, from guesses of secret bits that one mechanism saw together.

    A mechanism that is epsilon-delta-private for a change of each bit lets nobody guess more of them right than

    .. math:: P(\text{right} \ge v) \le f(v) + 2 m \delta \max_{1 \le i \le m} \frac{f(v - i) - f(v)}{i}, \qquad
        f(v) = P\bigl(\mathrm{Bin}(r, e^\varepsilon / (1 + e^\varepsilon)) \ge v\bigr),

    with r guesses of m bits. Neither the bits' effects nor the guesses need be independent: the bits alone are. Several
    runs are one mechanism on all their bits.

    Args:
        num_right: v.
        num_guesses: r, chosen without a look at the evidence.
        num_bits: m.
        delta: in [0, 1).
        confidence: probability with which the bound holds.

    Returns:
        The largest epsilon that is refuted, 0 if none is.

    References: Steinke, Nasr, Jagielski 2023, "Privacy auditing with one (1) training run", theorem 5.2.

    >>> round(epsilon_bound_of_guesses(100, 100, 1000, 1e-6, 0.95), 2)
    3.49
    """

    def excess(epsilon: float) -> float:
        return _chance(num_right, num_guesses, num_bits, epsilon, delta) - (1 - confidence)

    if num_guesses < 1 or excess(0.0) >= 0:
        return 0.0
    return _root(excess, 0.0, _MOST) if excess(_MOST) > 0 else _MOST


def _chance(num_right: int, num_guesses: int, num_bits: int, epsilon: float, delta: float) -> float:
    """Bound the probability of so many right guesses under epsilon and delta."""
    tail = stats.binom.sf(np.arange(num_right, -1, -1) - 1, num_guesses, 1 / (1 + math.exp(-epsilon)))
    steps = np.arange(1, num_right + 1)
    steepest = float(((tail[1:] - tail[0]) / steps).max()) if num_right else 0.0
    return min(1.0, float(tail[0]) + 2 * num_bits * delta * steepest)


def choose_num_guesses(epsilon: float, num_bits: int, delta: float, confidence: float) -> int:
    """Choose the number of guesses of so many bits by which a mechanism with just this epsilon shows the most of it.

    Public: it is a function of the claim, and of no evidence. The mechanism is taken for a Gaussian.

    Args:
        epsilon: claimed.
        num_bits: m.
        delta: of the claim.
        confidence: of the bound to come.
    """
    mu = mu_of_epsilon(max(epsilon, 1e-3), delta)

    def promise(num_guesses: int) -> tuple[float, float]:
        share = _share_right(mu, num_guesses / num_bits)
        bound = epsilon_bound_of_guesses(round(num_guesses * share), num_guesses, num_bits, delta, confidence)
        # If no bound can be promised, the number of guesses that tells right from wrong best is taken.
        return bound, (share - 0.5) * math.sqrt(num_guesses)

    options = sorted({max(2, 2 * round(share * num_bits / 2)) for share in (*_SHARES, 1.0)})
    return max((option for option in options if option <= num_bits), key=promise, default=num_bits)


def _share_right(mu: float, share: float) -> float:
    """Compute the share of right guesses among the clearest of a Gaussian mechanism.

    Evidence is N(+-mu/2, 1), with the sign of the bit.
    """

    def is_beyond(threshold: float) -> float:
        return float(stats.norm.sf(threshold - mu / 2) + stats.norm.sf(threshold + mu / 2)) / 2 - share / 2

    threshold = _root(is_beyond, -1.0 - mu, 40.0 + mu)
    right = float(stats.norm.sf(threshold - mu / 2))
    return right / (right + float(stats.norm.sf(threshold + mu / 2)))
