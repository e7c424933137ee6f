"""Epsilon of an event by PLD and by RDP, and the ways back: noise multiplier or number of steps from a budget.

A statement claims the figure by PLD, or by RDP where that proves less for Poisson samples. RDP is shown beside it as a
second, independent upper bound. No valid accountant can come below the figure of the fixed pair.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import itertools
import math
from collections.abc import Callable, Sequence

import scipy
from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.budget import PrivacyBudget, check_delta_range
from gossamer.privacy.composition import (
    composed_epsilon,
    composed_profile,
    fixed_pair_epsilon_on,
    leading_order,
    lone_gaussian,
)
from gossamer.privacy.events import OneOfManyPart, find_adjacency, flatten
from gossamer.privacy.loss_grid import COARSE, FINE, MIDDLE, GridPrecision
from gossamer.privacy.one_of_many import AbstractFixedPair
from gossamer.privacy.rdp import ORDERS, SPARSE_ORDERS, epsilon_by_orders, replaced_epsilon_by_orders

EventOfNoise = Callable[[float], DpEvent]
EventOfSteps = Callable[[int], DpEvent]

PLD_ACCOUNTANT = "PLD (connect-the-dots, FFT)"
RDP_ACCOUNTANT = "RDP (dp-accounting)"
RDP_OF_REPLACED = "RDP (quadrature, dp-accounting)"
FIXED_PAIR = "one fixed pair of data sets (lower)"

_NOISE_LIMITS = (1e-4, 1e8)
_MAX_STEPS = 10**9
_EPSILON_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpsilonBound:
    """An epsilon of an event, with its delta, its adjacency and the accountant that computed it.

    Args:
        epsilon: in nats, at least 0. It is an upper bound, except from ``fixed_pair_epsilon``.
        delta: the delta for which epsilon holds.
        adjacency: None if only Gaussians were released. Their multipliers were each derived for one adjacency.
        accountant: the accountant's name.
    """

    epsilon: float
    delta: float
    adjacency: Adjacency | None
    accountant: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """A noise multiplier and the bound that holds with it. ``bound.epsilon`` is at most the epsilon asked for."""

    noise_multiplier: float
    bound: EpsilonBound


def describe_accountants() -> tuple[tuple[str, str], ...]:
    """Return the names and versions of the libraries that compute epsilon, for the statement."""
    return tuple((name, importlib.metadata.version(name)) for name in ("dp-accounting", "scipy", "numpy"))


def epsilon_by_pld(event: DpEvent, delta: float, precision: GridPrecision = FINE) -> EpsilonBound:
    """Compute epsilon by privacy loss distributions: tight, and always rounded up.

    One-of-K draws, Poisson samples and Gaussians, in any number of stages, are composed on one grid. Gaussians alone
    are priced exactly, by their closed form.

    Guarantee:
        An upper bound for the adjacency that the result names, on the conditions of each event's function.

    Args:
        event: made by the functions of ``events``.
        delta: in (0, 1).
        precision: the grid. A coarse one is faster and looser.

    Raises:
        PrivacyError: delta outside (0, 1), adjacencies mixed, or a mechanism without a price.

    Example:
        >>> from gossamer.privacy.events import one_of_many_event
        >>> event = one_of_many_event(
        ...     num_critics=1000, noise_multiplier=1.07, num_steps=20_000, batch_size=32, draws_per_step=32
        ... )
        >>> round(epsilon_by_pld(event, 1e-5).epsilon, 2)
        5.51
    """
    adjacency = _check(event, delta)
    epsilon = composed_epsilon(event, delta, precision)
    return EpsilonBound(epsilon=epsilon, delta=delta, adjacency=adjacency, accountant=PLD_ACCOUNTANT)


def proved_epsilon(event: DpEvent, delta: float, precision: GridPrecision = FINE) -> EpsilonBound:
    """Compute the epsilon that a statement claims: by PLD, or by RDP where that proves less for Poisson samples.

    Guarantee:
        As ``epsilon_by_pld``. The result names the accountant, and is finite.

    Args:
        event: made by the functions of ``events``.
        delta: in (0, 1).
        precision: the grid of the PLD.

    Raises:
        PrivacyError: as ``epsilon_by_pld``.
        InputError: neither bound is finite.
    """
    bound = epsilon_by_pld(event, delta, precision)
    # Privacy: a one-of-K draw is claimed by the theorem that is proved here, and by no other bound.
    if lone_gaussian(event) is None and not any(isinstance(part, OneOfManyPart) for part in flatten(event)):
        bound = min(bound, epsilon_by_rdp(event, delta), key=lambda one: one.epsilon)
    if not math.isfinite(bound.epsilon):
        raise InputError(f"no finite epsilon is proved at delta {delta:g}: ask for a larger delta, or more noise")
    return bound


def profile_by_pld(event: DpEvent, deltas: Sequence[float]) -> tuple[EpsilonBound, ...]:
    """Compute epsilons at several deltas, from one composition on a grid between fine and coarse.

    Guarantee:
        Each is a bound as from ``epsilon_by_pld``. All of them hold at once, since they are of one mechanism.

    Args:
        event: made by the functions of ``events``.
        deltas: at least one, each in (0, 1).

    Raises:
        PrivacyError: as ``epsilon_by_pld``.
    """
    adjacency = find_adjacency(event)
    for delta in deltas:
        check_delta_range(delta)
    if lone_gaussian(event) is not None:
        epsilons = [composed_epsilon(event, delta, MIDDLE) for delta in deltas]
    else:
        profile = composed_profile(event, min(deltas), MIDDLE)
        epsilons = [profile.epsilon_at(delta) for delta in deltas]
    return tuple(
        EpsilonBound(epsilon=epsilon, delta=delta, adjacency=adjacency, accountant=PLD_ACCOUNTANT)
        for epsilon, delta in zip(epsilons, deltas, strict=True)
    )


def epsilon_by_rdp(event: DpEvent, delta: float, orders: tuple[float, ...] = ORDERS) -> EpsilonBound:
    """Compute epsilon by Rényi differential privacy, which is looser than the PLD and independent of it.

    dp-accounting computes it, except for Poisson samples priced for a replacement: dp-accounting has no formula for
    them. Their pair's Rényi divergence is integrated here, and dp-accounting converts it.

    Guarantee:
        As ``epsilon_by_pld``.

    Args:
        event: made by the functions of ``events``.
        delta: in (0, 1).
        orders: of the divergences, above 1. Fewer are faster and looser.

    Raises:
        PrivacyError: delta outside (0, 1), adjacencies mixed, or a mechanism without a price.
    """
    adjacency = _check(event, delta)
    if adjacency is Adjacency.REPLACE_ONE:
        epsilon, accountant = replaced_epsilon_by_orders(event, delta, orders), RDP_OF_REPLACED
    else:
        epsilon, accountant = epsilon_by_orders(event, delta, orders, adjacency), RDP_ACCOUNTANT
    return EpsilonBound(epsilon=epsilon, delta=delta, adjacency=adjacency, accountant=accountant)


def fixed_pair_epsilon(event: DpEvent, delta: float, order: type[AbstractFixedPair] | None = None) -> EpsilonBound:
    """Compute the epsilon of one fixed pair of data sets: no valid accountant can claim less for this event.

    In this pair every critic but one answers alike, and that one answers the opposite (``MixtureFirstPair``). Each
    order of the two gives such an epsilon. A grid of half the resolution shows how much the grid adds. Twice that much
    is taken off, so that the figure errs below.

    Args:
        event: one-of-K draws and Gaussians, made by the functions of ``events``.
        delta: in (0, 1).
        order: of the two data sets. None for the one with the larger epsilon, on a coarse grid.

    Raises:
        PrivacyError: delta outside (0, 1), or the event is Poisson-sampled.
    """
    adjacency = _check(event, delta)
    order = order or leading_order(event, delta)
    epsilon = fixed_pair_epsilon_on(event, delta, FINE, order)
    doubled = dataclasses.replace(
        FINE,
        max_interval=2 * FINE.max_interval,
        spread_fraction=2 * FINE.spread_fraction,
        max_points=FINE.max_points // 2,
    )
    lower = max(0.0, 2 * epsilon - fixed_pair_epsilon_on(event, delta, doubled, order))
    return EpsilonBound(epsilon=min(epsilon, lower), delta=delta, adjacency=adjacency, accountant=FIXED_PAIR)


def calibrate_noise_multiplier(event_of_noise: EventOfNoise, budget: PrivacyBudget) -> Calibration:
    """Find the smallest noise multiplier with an epsilon within the budget, to one part in ten thousand of it.

    Guarantee:
        The bound returned is that of ``proved_epsilon`` at the multiplier returned, and at most ``budget.epsilon``.

    Args:
        event_of_noise: the event as a function of its noise multiplier.
        budget: the epsilon and delta that may be spent.

    Raises:
        PrivacyError: no noise multiplier up to 1e8 is enough.

    Example:
        >>> from gossamer.privacy.events import gaussian_event
        >>> found = calibrate_noise_multiplier(
        ...     lambda noise: gaussian_event(noise_multiplier=noise), PrivacyBudget(epsilon=1.0, delta=1e-5)
        ... )
        >>> round(found.noise_multiplier, 2)
        3.73
    """
    return _calibrate(
        event_of_noise, budget, proved_epsilon, lambda event, delta: epsilon_by_pld(event, delta, COARSE).epsilon
    )


def calibrate_noise_multiplier_by_rdp(event_of_noise: EventOfNoise, budget: PrivacyBudget) -> Calibration:
    """Find a multiplier as ``calibrate_noise_multiplier`` does, with epsilon by RDP.

    Guarantee:
        The bound returned is one by RDP at the multiplier returned, and at most ``budget.epsilon``. Orders far from the
        best one are left out, since they take most of the time: without them epsilon can only be larger.

    Raises:
        PrivacyError: no noise multiplier is enough. At a tiny delta RDP proves no small epsilon, whatever the noise.
    """
    search = _SearchOfOrders()
    return _calibrate(event_of_noise, budget, search.exact, search.coarse)


def calibrate_noise_multiplier_by_fixed_pair(event_of_noise: EventOfNoise, budget: PrivacyBudget) -> Calibration:
    """Find the noise multiplier at which the fixed pair alone spends the budget.

    Guarantee:
        None: it shows how much a better accountant could still save, and is no noise to train with.
    """
    order = leading_order(event_of_noise(1.0), budget.delta)
    return _calibrate(
        event_of_noise,
        budget,
        lambda event, delta: fixed_pair_epsilon(event, delta, order),
        lambda event, delta: fixed_pair_epsilon_on(event, delta, COARSE, order),
    )


class _SearchOfOrders:
    """Epsilons by RDP at the best order, which is looked for from the best one of the last event on.

    Epsilon falls with the order, and then grows. So the search ends where both neighbours have larger epsilons. Two
    things break the rule. The lowest order alone may prove an epsilon of zero. A series that does not converge gives
    an infinite one. So the lowest order and that of the start are always tried.
    """

    _LOWEST, _START = 0, SPARSE_ORDERS.index(2.0)

    def __init__(self) -> None:
        self._place = self._START

    def coarse(self, event: DpEvent, delta: float) -> float:
        """Compute epsilon at the best of a few orders."""

        @functools.cache
        def epsilon_at(place: int) -> float:
            return epsilon_by_rdp(event, delta, (SPARSE_ORDERS[place],)).epsilon

        # Each move lowers epsilon. At the same epsilon it lowers the place.
        while (best := min(self._tried(), key=epsilon_at)) != self._place:
            self._place = best
        return epsilon_at(best)

    def exact(self, event: DpEvent, delta: float) -> EpsilonBound:
        """Compute epsilon at the lowest orders, and at all between the neighbours of the best of a few."""
        self.coarse(event, delta)
        lowest, least = SPARSE_ORDERS[self._LOWEST], SPARSE_ORDERS[max(self._place - 1, self._LOWEST)]
        most = SPARSE_ORDERS[self._place + 1] if self._place + 1 < len(SPARSE_ORDERS) else math.inf
        orders = tuple(order for order in ORDERS if least <= order <= most or order <= lowest)
        return epsilon_by_rdp(event, delta, orders)

    def _tried(self) -> list[int]:
        """Return the places to compare, in order."""
        places = range(len(SPARSE_ORDERS))
        return [place for place in places if abs(place - self._place) <= 1 or place in (self._LOWEST, self._START)]


def num_steps_for_budget(event_of_steps: EventOfSteps, budget: PrivacyBudget) -> int:
    """Find the largest number of steps with an epsilon within the budget, 0 if not even one step fits.

    Args:
        event_of_steps: the event as a function of its number of steps.
        budget: the epsilon and delta that may be spent.

    Raises:
        InputError: more than a thousand million steps would fit.
    """

    def epsilon_at(precision: GridPrecision) -> Callable[[int], float]:
        return lambda num_steps: proved_epsilon(event_of_steps(num_steps), budget.delta, precision).epsilon

    if all(epsilon_at(precision)(1) > budget.epsilon for precision in (COARSE, FINE)):
        return 0
    # The coarse grid only errs towards fewer steps, so the fine search starts where it ends.
    low = _last_within(epsilon_at(COARSE), budget.epsilon, 1, 2)
    return _last_within(epsilon_at(FINE), budget.epsilon, low, low + 1 + low // 256)


def _last_within(epsilon_at: Callable[[int], float], target: float, low: int, high: int) -> int:
    """Find the last integer from ``low`` on with an epsilon within the target: ``low`` if no later one has.

    Epsilon grows with the steps, and no faster than they do. So a number of steps is multiplied by the target over its
    epsilon, or doubled, until epsilon is beyond the target. It is never far beyond, since that takes long to compute.
    Then the last one is found by straight lines between logarithms, and by halves every third time.
    """
    below, above = 0.0, epsilon_at(high)
    while above <= target:
        if high > _MAX_STEPS:
            raise InputError(f"the budget buys more than {_MAX_STEPS} steps: ask for a smaller epsilon or less noise")
        low, below = high, above
        high = min(math.ceil(high * max(2.0, target / max(above, 1e-9))), 2 * _MAX_STEPS)
        above = epsilon_at(high)
    for number in itertools.count():
        if high - low <= 1:
            return low
        middle = (low + high) // 2 if number % 3 == 2 else _between(low, high, below, above, target)
        found = epsilon_at(middle)
        if found <= target:
            low, below = middle, found
        else:
            high, above = middle, found
    raise AssertionError


def _between(low: int, high: int, below: float, above: float, target: float) -> int:
    """Estimate by a straight line between logarithms where epsilon reaches the target, strictly between two numbers."""
    if not 0.0 < below < above < math.inf:
        return (low + high) // 2
    share = math.log(target / below) / math.log(above / below)
    return min(max(math.floor(low * (high / low) ** share), low + 1), high - 1)


def _check(event: DpEvent, delta: float) -> Adjacency | None:
    check_delta_range(delta)
    return find_adjacency(event)


def _calibrate(
    event_of_noise: EventOfNoise,
    budget: PrivacyBudget,
    exact: Callable[[DpEvent, float], EpsilonBound],
    coarse: Callable[[DpEvent, float], float],
) -> Calibration:
    """Solve on the coarse function, then approach on the exact one until it is just below the target."""
    delta, target = budget.delta, budget.epsilon

    @functools.cache  # the search and the bracket before it ask for some numbers twice
    def log_excess(log_noise: float) -> float:
        return math.log(min(max(coarse(event_of_noise(math.exp(log_noise)), delta), 1e-30), 1e30) / target)

    low, high = _bracket(log_excess, budget)
    log_noise = float(scipy.optimize.root_scalar(log_excess, bracket=(low, high), xtol=1e-4).root)
    slope = min(-0.1, (log_excess(log_noise + 0.02) - log_excess(log_noise)) / 0.02)
    best: Calibration | None = None
    for _ in range(12):
        bound = exact(event_of_noise(math.exp(log_noise)), delta)
        gap = math.log(max(bound.epsilon, 1e-30) / target)
        if gap <= 0.0 and (best is None or log_noise < math.log(best.noise_multiplier)):
            best = Calibration(noise_multiplier=math.exp(log_noise), bound=bound)
        if -_EPSILON_TOLERANCE <= gap <= 0.0:
            break
        # Epsilon may fall to zero at once. A straight line would lead beyond all numbers then.
        log_noise = min(max(log_noise - (gap + 0.3 * _EPSILON_TOLERANCE) / slope, low), high)
    if best is None:
        raise PrivacyError(f"no noise multiplier was found for epsilon {target:g}: try another epsilon or delta")
    return best


def _bracket(log_excess: Callable[[float], float], budget: PrivacyBudget) -> tuple[float, float]:
    """Find two log noise multipliers, the first with too much epsilon and the second with too little."""
    stride, log_low, log_high = math.log(4.0), math.log(_NOISE_LIMITS[0]), math.log(_NOISE_LIMITS[1])
    point, excess = 0.0, log_excess(0.0)
    if excess > 0.0:
        while (above := log_excess(point + stride)) > 0.0:
            point += stride
            # At a tiny delta RDP has a floor that no noise lowers. An epsilon of 1e30 stands for an infinite one.
            is_floor = excess - 1e-3 < above < math.log(1e29 / budget.epsilon)
            if is_floor or point + stride > log_high:
                raise PrivacyError(
                    f"no noise multiplier up to 1e8 reaches epsilon {budget.epsilon:g} at delta {budget.delta:g}: use "
                    "fewer steps, a larger epsilon or a larger delta"
                )
            excess = above
        return point, point + stride
    while log_excess(point - stride) <= 0.0:
        point -= stride
        if point < log_low:
            raise InputError("the budget is so large that almost no noise is needed: ask for a smaller epsilon")
    return point - stride, point
