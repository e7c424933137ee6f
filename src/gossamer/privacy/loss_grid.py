r"""Privacy loss distributions on a grid: connect-the-dots from a privacy profile, and composition by FFT.

Notation: P, Q are a dominating pair of output laws, and L = log dP/dQ under P is the privacy loss. The privacy profile
is the hockey-stick divergence :math:`H(\epsilon) = \sup_S P(S) - e^\epsilon Q(S) = E_P[(1 - e^{\epsilon - L})_+]`. A
mechanism with this pair guarantees at delta the smallest epsilon with H(epsilon) <= delta.

Every rounding here goes up: the grid, the tails cut from it and the window of the FFT may raise epsilon, never lower
it. The reasons stand in docs/concepts/accounting.md.

References:
    Doroshenko, Ghazi, Kamath, Kumar, Manurangsi 2022, "Connect the dots", algorithm 1 (discretisation).
    Koskela, Jälkö, Honkela 2020, "Computing tight differential privacy guarantees using FFT".
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from gossamer.privacy.profile import Array, PrivacyProfile

# Shares of delta spent on cutting the tails of one step, on the window of the sum, and kept back for float rounding.
_TAIL_SHARE = 1e-6
_WINDOW_SHARE = 1e-6
_ROUNDING_SHARE = 1e-6
_FOLDED_MASS = 1e-11
_MAX_WINDOW_GROWTHS = 12
# Relative error of one factor of a transform that is raised to a power: some units in the last place.
_FACTOR_ROUNDING = 1e-15
_MOST_TILT = 20.0
# Below the log of the smallest positive float, -744.4.
_SMALLEST_LOG = -750.0
# From the best order for the Chernoff bound at delta, and the loss there, to an order of the tilt.
Tilt = Callable[[float, float], float]


class AbstractDominatingPair(abc.ABC):
    """A pair of laws (P, Q) of a single step, known through its privacy profiles in both orders."""

    @abc.abstractmethod
    def log_profile(self, epsilon: Array) -> Array:
        """Return log H(epsilon) of (P, Q) for epsilon >= 0, decreasing, shape (n,) to (n,)."""

    @abc.abstractmethod
    def log_dual_profile(self, epsilon: Array) -> Array:
        """Return log H(epsilon) of (Q, P) for epsilon >= 0, decreasing, shape (n,) to (n,)."""

    @abc.abstractmethod
    def integrate_losses(self, half_width: float) -> tuple[Array, Array]:
        """Return a quadrature of the law of L under P: losses and log weights, both (n,).

        The quadrature places grids and proves nothing.

        Args:
            half_width: reach into the Gaussian tails, in standard deviations.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repeated:
    """A pair composed ``count`` times with itself."""

    pair: AbstractDominatingPair
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridPrecision:
    """The fineness of a grid. Its interval is the smallest one wished for, with at most ``max_points`` points.

    Args:
        max_interval: largest interval between losses, in nats.
        spread_fraction: interval / standard deviation of one step's loss. The grid adds about a sixth of this
            fraction's square to the variance, relative to the true one.
        max_points: largest number of points. If the range of losses needs more, the interval grows. Epsilon is then
            hundreds, and the interval still a small part of the spread.
    """

    max_interval: float
    spread_fraction: float
    max_points: int


FINE = GridPrecision(max_interval=1e-4, spread_fraction=0.02, max_points=2**20)
MIDDLE = GridPrecision(max_interval=1e-3, spread_fraction=0.06, max_points=2**18)
COARSE = GridPrecision(max_interval=1e-2, spread_fraction=0.3, max_points=2**17)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossGrid:
    """A discrete loss law: ``probabilities[i]`` at loss ``(i + first) * interval``, ``infinity_mass`` at infinity."""

    interval: float
    first: int
    probabilities: Array
    infinity_mass: float

    def log_moment(self, order: float) -> float:
        r"""Compute log E[exp(order L)] over the finite losses."""
        (index,) = np.nonzero(self.probabilities)
        exponents = order * self.interval * (index + self.first)
        shift = float(np.max(exponents))
        return shift + math.log(float(np.dot(self.probabilities[index], np.exp(exponents - shift))))


def discretise(pair: AbstractDominatingPair, interval: float, num_upper: int, num_lower: int) -> LossGrid:
    r"""Connect the dots: return the loss law with the polygon through the true profile's grid points as its profile.

    H_i is the profile at :math:`\epsilon_i = i h`. At :math:`\epsilon_i`, i >= 1, the polygon in :math:`e^\epsilon` has
    the mass :math:`p_i = (H_{i-1} - H_i) / (1 - e^{-h}) - (H_i - H_{i+1}) / (e^h - 1)`. Losses below zero are losses of
    the exchanged pair, :math:`p_{-i} = e^{-ih} p'_i`: their own formula would subtract numbers near one. The rest of
    the mass lies at zero.

    Guarantee:
        The polygon lies above the convex profile, so this law dominates the pair.

    Args:
        pair: the pair of one step.
        interval: h, above 0.
        num_upper: grid points above zero. The profile at the last one becomes mass at infinity.
        num_lower: grid points below zero.

    Returns:
        Losses from ``-num_lower * h`` to ``num_upper * h``.
    """
    upper, infinity_mass = _half_masses(pair.log_profile, interval, num_upper)
    lower, _ = _half_masses(pair.log_dual_profile, interval, num_lower)
    lower = lower * np.exp(-interval * np.arange(1, num_lower + 1))
    # Privacy: the rest stays at loss 0, so that the masses sum to one and none is lost.
    rest = max(0.0, 1.0 - infinity_mass - float(upper.sum()) - float(lower.sum()))
    probabilities = np.concatenate((lower[::-1], [rest], upper))
    return LossGrid(interval=interval, first=-num_lower, probabilities=probabilities, infinity_mass=infinity_mass)


def _half_masses(log_profile: Callable[[Array], Array], interval: float, num_points: int) -> tuple[Array, float]:
    """Compute the masses at the grid points 1..n of a polygon, (n,), and the mass at infinity."""
    profile = np.exp(log_profile(interval * np.arange(num_points + 1, dtype=np.float64)))
    drops = np.maximum(0.0, -np.diff(profile))
    masses = drops / -math.expm1(-interval)
    masses[:-1] -= drops[1:] / math.expm1(interval)
    return np.maximum(0.0, masses), float(profile[-1])


def find_epsilon(steps: Sequence[Repeated], delta: float, precision: GridPrecision = FINE) -> float:
    r"""Find the epsilon that a composition guarantees at delta, from above.

    The law of the sum is computed after an exponential tilt, :math:`\tilde p(l) \propto p(l) e^{\lambda l}`. Its order
    is the best one for the Chernoff bound at this delta. The sum then has its bulk at epsilon, and the FFT's rounding
    error is relative to delta instead of to one.

    Args:
        steps: pairs and the number of times that each is composed, in any order.
        delta: in (0, 1).
        precision: the grid.

    Returns:
        epsilon >= 0, in nats.
    """
    plan = _plan_window(steps, delta, precision, lambda chernoff, _: chernoff, math.inf)
    grids, counts = _discretised(steps, plan), tuple(step.count for step in steps)
    bottom, top = _window(grids, counts, plan, delta)
    # Privacy: the mass cut off by the tails and the window is charged to delta as if it revealed everything.
    allowed = delta * (1.0 - _WINDOW_SHARE - _ROUNDING_SHARE) - _cut_off(grids, counts)
    lowest = _lowest(grids, counts)
    for _ in range(_MAX_WINDOW_GROWTHS):
        epsilon = _epsilon_in_window(grids, counts, plan, bottom, max(top, bottom + 1), allowed)
        if epsilon is not None:
            return max(0.0, epsilon)
        if bottom <= max(lowest, -1):
            return 0.0
        bottom = max(lowest, -1, 2 * bottom - top)
    # Privacy: delta is already met at the bottom of the window, so its bottom is a valid, if loose, epsilon.
    return max(0.0, bottom * plan.interval)


def find_profile(
    steps: Sequence[Repeated], delta: float, precision: GridPrecision = MIDDLE, tilt: Tilt | None = None
) -> PrivacyProfile:
    r"""Find the privacy profile of a composition from epsilon 0 to the one at delta, from above, by a single FFT.

    The window of the sum reaches down to loss 0. The tilt lies half-way between the tilts of the window's two ends. So
    the rounding error is small beside delta at the one end, and beside the rest up to 1 at the other.

    Guarantee:
        Every delta is at least the true one. Mass folded into the window from outside only adds to it. Mass above the
        window, and the tails cut from each step, are charged in full. Every entry of the law is raised by a bound on
        its rounding error.

    Args:
        steps: as in ``find_epsilon``.
        delta: in (0, 1), the end of the profile.
        precision: the grid.
        tilt: chooses another order than the one half-way. Rounding alone depends on it.
    """
    plan = _plan_window(steps, delta, precision, tilt or _order_between_ends, 0.0)
    grids, counts = _discretised(steps, plan), tuple(step.count for step in steps)
    bottom, top = _window(grids, counts, plan, delta)
    law, log_moment, rounding = _convolve_tilted(grids, counts, plan.order, bottom, top)
    # Privacy: raised before it is tilted back, so that no probability in the window is below the true one.
    losses, above, weighted = _tails(law + rounding, log_moment, plan, bottom)
    cut_off = _cut_off(grids, counts) + (_WINDOW_SHARE + _ROUNDING_SHARE) * delta
    deltas = np.minimum(1.0, (above - weighted + cut_off)[-bottom:])
    # Above the top nothing is left but the mass that was cut off.
    num_points = 1 + max(1, int(np.count_nonzero(deltas > delta)))
    return PrivacyProfile(epsilons=losses[-bottom:][:num_points], deltas=deltas[:num_points])


def _discretised(steps: Sequence[Repeated], plan: _WindowPlan) -> tuple[LossGrid, ...]:
    return tuple(
        discretise(step.pair, plan.interval, num_upper, num_lower)
        for step, (num_upper, num_lower) in zip(steps, plan.num_points, strict=True)
    )


def _window(grids: Sequence[LossGrid], counts: Sequence[int], plan: _WindowPlan, delta: float) -> tuple[int, int]:
    """Return the indices of the lowest and the highest loss. The sum exceeds the highest with a tiny share of delta."""
    top = max(math.ceil(plan.top / plan.interval), _find_top(grids, counts, plan.top_order, _WINDOW_SHARE * delta))
    bottom = max(_lowest(grids, counts), math.floor(plan.bottom / plan.interval))
    return bottom, max(top, bottom + 1)


def _cut_off(grids: Sequence[LossGrid], counts: Sequence[int]) -> float:
    """Bound the probability that the tail of some step was cut from its grid."""
    return sum(count * grid.infinity_mass for grid, count in zip(grids, counts, strict=True))


def _lowest(grids: Sequence[LossGrid], counts: Sequence[int]) -> int:
    """Return the index of the smallest loss that the sum can have."""
    return sum(count * grid.first for grid, count in zip(grids, counts, strict=True))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _WindowPlan:
    """The place of the sum: orders of tilts, lowest and highest loss, interval, and points per step."""

    order: float
    top_order: float
    bottom: float
    top: float
    interval: float
    num_points: tuple[tuple[int, int], ...]


def _order_between_ends(order: float, _loss: float) -> float:
    """Return the order half-way to -1/2, at which the bulk of the sum would be at loss 0, but no order below 0."""
    return max(0.0, 0.5 * (order - 0.5))


def order_near_zero(order: float, loss: float) -> float:
    """Return an order with little rounding at loss 0, for losses with a bound: their best orders have no bound."""
    return min(_order_between_ends(order, loss), _MOST_TILT / max(loss, 1e-9))


def _plan_window(
    steps: Sequence[Repeated],
    delta: float,
    precision: GridPrecision,
    order_from: Tilt,
    highest_bottom: float,
) -> _WindowPlan:
    """Choose tilt, window and interval. Only accuracy and time depend on this choice, never validity."""
    half_width = 8.0 + math.sqrt(2.0 * -math.log(_WINDOW_SHARE * delta))
    laws = tuple(step.pair.integrate_losses(half_width) for step in steps)
    counts = np.array([step.count for step in steps], dtype=np.float64)
    num_steps = float(counts.sum())
    variance = float(sum(n * _variance(law) for n, law in zip(counts, laws, strict=True)))
    spread = math.sqrt(max(variance, 1e-300))
    tail = math.log(_TAIL_SHARE * delta / num_steps)
    ranges = tuple((_reach(step.pair.log_profile, tail), _reach(step.pair.log_dual_profile, tail)) for step in steps)
    # Steeper tilts than this see the largest loss alone, and their exponents lose digits.
    steepest = min(1e2 / spread + 1e2, 1e4 / max(up for up, _ in ranges))
    limits = (min(1e-3 / spread, 1e-3 * steepest), steepest)
    order = order_from(*_chernoff(laws, counts, delta, limits))
    top_order, top = _chernoff(laws, counts, _WINDOW_SHARE * delta, limits)
    # Mass outside the window is folded into it, so the tilted law must hardly reach beyond either end.
    tilted = tuple(_tilt(law, order) for law in laws)
    _, tilted_top = _chernoff(tilted, counts, _FOLDED_MASS, limits)
    top = max(top, tilted_top)
    _, depth = _chernoff(tuple((-losses, weights) for losses, weights in tilted), counts, _FOLDED_MASS, limits)
    bottom = min(-depth, top, highest_bottom)
    widest = max(top - bottom, *(up + down for up, down in ranges))
    interval = min(precision.max_interval, precision.spread_fraction * spread / math.sqrt(num_steps))
    interval = max(interval, widest / precision.max_points)
    points = tuple((math.ceil(up / interval) + 1, math.ceil(down / interval) + 1) for up, down in ranges)
    return _WindowPlan(order=order, top_order=top_order, bottom=bottom, top=top, interval=interval, num_points=points)


def _tilt(law: tuple[Array, Array], order: float) -> tuple[Array, Array]:
    """Return the law with weights multiplied by exp(order L) and normalised."""
    losses, log_weights = law
    exponents = order * losses + log_weights
    return losses, exponents - scipy.special.logsumexp(exponents)


def _variance(law: tuple[Array, Array]) -> float:
    """Compute the variance of a quadrature."""
    losses, log_weights = law
    weights = np.exp(log_weights)
    mean = float(np.dot(weights, losses))
    return float(np.dot(weights, (losses - mean) ** 2))


def _chernoff(
    laws: Sequence[tuple[Array, Array]], counts: Array, delta: float, limits: tuple[float, float]
) -> tuple[float, float]:
    """Find the order that minimises the Chernoff bound on the loss exceeded with probability delta, and that bound."""

    def bound(log_order: float) -> float:
        order = math.exp(log_order)
        log_moments = sum(n * scipy.special.logsumexp(order * x + w) for n, (x, w) in zip(counts, laws, strict=True))
        return float((log_moments - math.log(delta)) / order)

    log_limits = (math.log(limits[0]), math.log(limits[1]))
    found = scipy.optimize.minimize_scalar(bound, bounds=log_limits, method="bounded", options={"xatol": 1e-2})
    return math.exp(found.x), float(found.fun)


def _reach(log_profile: Callable[[Array], Array], log_mass: float) -> float:
    """Find a loss at which a decreasing log profile has fallen to ``log_mass``, by doubling and halving."""
    low, high = 0.0, 1e-7
    while log_profile(np.array([high]))[0] > log_mass:
        low, high = high, 2.0 * high
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if log_profile(np.array([middle]))[0] > log_mass else (low, middle)
    return high


def _find_top(grids: Sequence[LossGrid], counts: Sequence[int], order: float, mass: float) -> int:
    """Find the index of a loss that the sum exceeds with probability at most ``mass``.

    It comes from the Chernoff bound, or from the sum of all maxima.
    """
    log_moments = sum(count * grid.log_moment(order) for grid, count in zip(grids, counts, strict=True))
    bound = (log_moments - math.log(mass)) / order
    highest = sum(count * (grid.first + grid.probabilities.size - 1) for grid, count in zip(grids, counts, strict=True))
    return min(highest, math.ceil(bound / grids[0].interval))


def _epsilon_in_window(
    grids: Sequence[LossGrid], counts: Sequence[int], plan: _WindowPlan, bottom: int, top: int, allowed: float
) -> float | None:
    """Find the smallest epsilon in [bottom, top] with divergence at most ``allowed``, None if it lies lower."""
    law, log_moment, _ = _convolve_tilted(grids, counts, plan.order, bottom, top)
    losses, above, weighted = _tails(law, log_moment, plan, bottom)
    exceeding = np.flatnonzero(above - weighted > allowed)
    if exceeding.size == 0:
        return None
    last = int(exceeding[-1])
    # Between two grid points H(l_j + x) = above_j - e^x weighted_j exactly.
    return float(losses[last]) + math.log((float(above[last]) - allowed) / float(weighted[last]))


def _tails(law: Array, log_moment: float, plan: _WindowPlan, bottom: int) -> tuple[Array, Array, Array]:
    """Return the window's losses l_j, P(L > l_j), and exp(l_j - L) integrated over L > l_j.

    H(l_j) is the second less the third.
    """
    losses = plan.interval * np.arange(bottom, bottom + law.size, dtype=np.float64)
    # Exponents of losses far below epsilon may overflow and do not matter.
    probabilities = law * np.exp(np.minimum(log_moment - plan.order * losses, 600.0))
    reverse = probabilities[::-1]
    above = np.concatenate(([0.0], np.cumsum(reverse[:-1])))[::-1]
    return losses, above, _discounted_before(reverse, math.exp(-plan.interval))[::-1]


def _discounted_before(values: Array, ratio: float) -> Array:
    r"""Compute :math:`y_i = \sum_{j < i} ratio^{i - j} values_j`, shape (n,) to (n,), each from the one before it.

    It is the solution of :math:`y_{i+1} - ratio \, y_i = ratio \, values_i`, in bands. scipy.signal has a filter that
    computes the same, and takes half a second to import.
    """
    bands = np.empty((2, values.size), order="F")
    bands[0], bands[1] = 1.0, -ratio
    solve = scipy.linalg.get_blas_funcs("tbsv", dtype=np.float64)
    return np.asarray(solve(1, bands, np.concatenate(([0.0], ratio * values[:-1])), lower=1, diag=1))


def _convolve_tilted(
    grids: Sequence[LossGrid], counts: Sequence[int], order: float, bottom: int, top: int
) -> tuple[Array, float, float]:
    """Compute the tilted law of the sum on [bottom, bottom + n), its log E[exp(order L)], and a bound on rounding.

    The transform is periodic: mass from outside the window is folded into it. That only adds to losses in the window.
    The mass that it takes from losses above the window has been charged to delta.
    """
    size = scipy.fft.next_fast_len(top - bottom + 1, real=True)
    transform = np.ones(size // 2 + 1, dtype=np.complex128)
    total = 0.0
    for grid, count in zip(grids, counts, strict=True):
        log_moment = grid.log_moment(order)
        index = np.arange(grid.first, grid.first + grid.probabilities.size)
        exponents = np.where(grid.probabilities > 0.0, order * grid.interval * index - log_moment, -np.inf)
        tilted = grid.probabilities * np.exp(exponents)
        transform *= _power(scipy.fft.rfft(_fold(tilted, grid.first, size)), count)
        total += count * log_moment
    law = np.maximum(0.0, scipy.fft.irfft(transform, size))
    # Every entry is a mean over the transform. A power multiplies the transform's relative error. Half of the transform
    # is stored.
    rounding = _FACTOR_ROUNDING * (sum(counts) + 64) * 2.0 * float(np.abs(transform).sum()) / size
    return np.roll(law, -(bottom % size)), total, rounding


def _power(values: NDArray[np.complex128], count: int) -> NDArray[np.complex128]:
    """Raise each value to a power. Of many steps nearly all powers are too small for a float, and zero is written."""
    found = np.zeros_like(values)
    large = np.abs(values) > math.exp(_SMALLEST_LOG / count)
    found[large] = np.power(values[large], count)
    return found


def _fold(values: Array, first: int, size: int) -> Array:
    """Add up the values at indices first, first + 1, ... modulo ``size``."""
    offset = first % size
    padded = np.zeros(-(-(offset + values.size) // size) * size)
    padded[offset : offset + values.size] = values
    return padded.reshape(-1, size).sum(axis=0)
