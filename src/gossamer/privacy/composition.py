"""The composition of an event on our grid: its epsilon and its whole privacy profile.

Every function here takes an event after its adjacency was found, and prices the event for that adjacency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy
from dp_accounting.dp_event import DpEvent

from gossamer.errors import PrivacyError
from gossamer.privacy.events import (
    GaussianPart,
    OneOfManyPart,
    Part,
    PoissonPart,
    ReplacedPoissonPart,
    flatten,
    merge_gaussians,
)
from gossamer.privacy.loss_grid import (
    COARSE,
    AbstractDominatingPair,
    GridPrecision,
    Repeated,
    find_epsilon,
    find_profile,
    order_near_zero,
)
from gossamer.privacy.one_of_many import AbstractFixedPair, GaussianFirstPair, MixtureFirstPair, OneOfManyPair
from gossamer.privacy.profile import PrivacyProfile, larger_profile, smaller_profile
from gossamer.privacy.replaced_poisson import ReplacedPoissonPair

# One unit is in the first of two neighbours alone, or in the second alone.
_ORDERS: tuple[type[AbstractFixedPair], ...] = (MixtureFirstPair, GaussianFirstPair)


def composed_epsilon(event: DpEvent, delta: float, precision: GridPrecision) -> float:
    """Compute epsilon at delta, from above. Gaussians alone have a closed form.

    Poisson samples under add or remove one have a pair for each order of the neighbours. The larger epsilon counts.

    Raises:
        PrivacyError: a mechanism without a price.
    """
    gaussian = lone_gaussian(event)
    if gaussian is not None:
        # A root found to 1e-12; rounded up by more.
        return _gaussian_epsilon(gaussian, delta) + 1e-11
    return max(find_epsilon(steps, delta, precision) for steps in _steps_by_order(event))


def composed_profile(event: DpEvent, delta: float, precision: GridPrecision) -> PrivacyProfile:
    """Compute the profile from epsilon 0 to the epsilon at delta, from above.

    Raises:
        PrivacyError: a mechanism without a price.
    """
    orders = _steps_by_order(event)
    if len(orders) == 1:
        return find_profile(orders[0], delta, precision)
    # The losses of one order have a bound. So the tilt that is right at delta leaves nothing but rounding at loss 0.
    first, other = (
        smaller_profile(find_profile(steps, delta, precision), find_profile(steps, delta, precision, order_near_zero))
        for steps in orders
    )
    return larger_profile(first, other)


def leading_order(event: DpEvent, delta: float) -> type[AbstractFixedPair]:
    """Return the order of the fixed pair with the larger epsilon, on a coarse grid.

    Raises:
        PrivacyError: the event is Poisson-sampled.
    """
    return max(_ORDERS, key=lambda order: fixed_pair_epsilon_on(event, delta, COARSE, order))


def fixed_pair_epsilon_on(
    event: DpEvent, delta: float, precision: GridPrecision, order: type[AbstractFixedPair]
) -> float:
    """Compute the epsilon of the fixed pair of data sets in one order, on a grid.

    Raises:
        PrivacyError: the event is Poisson-sampled.
    """
    laws: list[tuple[float, float, int]] = []
    for part in flatten(event):
        match part:
            case OneOfManyPart():
                laws.append((1.0 / part.num_critics, part.noise_multiplier, part.count))
            case GaussianPart():
                laws.append((1.0, part.noise_multiplier, part.count))
            case _:
                raise PrivacyError("a Poisson-sampled event has no one-of-K price: account for it by epsilon_by_pld")
    steps = [Repeated(pair=order(probability=q, noise_multiplier=s), count=n) for q, s, n in laws]
    return find_epsilon(steps, delta, precision)


def _gaussian_epsilon(noise_multiplier: float, delta: float) -> float:
    r"""Compute the epsilon of one Gaussian: the root of its privacy profile less delta, 0 if delta is not reached.

    .. math:: \delta(\epsilon) = \Phi(1/\sigma - t) - e^\epsilon \Phi(-t), \quad t = \epsilon \sigma + 1 / (2 \sigma)

    dp-accounting has the same function, with the same numbers to the last bit, in a module that takes half a second to
    import.

    References:
        Balle, Wang 2018, "Improving the Gaussian mechanism for differential privacy", theorem 8.
    """

    def log_excess(epsilon: float) -> float:
        """Compute the logarithm of the profile over delta, which falls with epsilon and is 0 at the root."""
        centre = epsilon * noise_multiplier + 1 / (2 * noise_multiplier)
        first = scipy.special.log_ndtr(1 / noise_multiplier - centre)
        second = epsilon + scipy.special.log_ndtr(-centre)
        # Rounding may exchange the two if hardly anything is left of their difference.
        return float(first + np.log1p(-np.exp(second - first)) - np.log(delta)) if second < first else -math.inf

    if log_excess(0.0) < 0.0:
        return 0.0
    low, high = 0.0, 1.0
    while log_excess(high) > 0.0:
        low, high = high, 10.0 * high
    return float(scipy.optimize.root_scalar(log_excess, bracket=(low, high), xtol=1e-12).root)


def lone_gaussian(event: DpEvent) -> float | None:
    """Return the multiplier of the one Gaussian that an event equals exactly, None if the event samples.

    One critic of one, and a Poisson sample that holds every unit, are Gaussians too.
    """
    return None if any(map(_is_sampled, flatten(event))) else gaussian_without_sampling(event)


def gaussian_without_sampling(event: DpEvent) -> float:
    """Return the multiplier of one Gaussian that dominates an event: every part is taken as if it did not sample."""
    return merge_gaussians(tuple(map(_as_gaussian, flatten(event))))


def _is_sampled(part: Part) -> bool:
    match part:
        case OneOfManyPart():
            return part.num_critics > 1
        case PoissonPart() | ReplacedPoissonPart():
            return part.sample_rate < 1.0
        case GaussianPart():
            return False


def _as_gaussian(part: Part) -> GaussianPart:
    # Privacy: the replacement of a unit moves a sum by two contributions.
    divisor = 2.0 if isinstance(part, ReplacedPoissonPart) else 1.0
    return GaussianPart(noise_multiplier=part.noise_multiplier / divisor, count=part.count)


def _steps_by_order(event: DpEvent) -> list[list[Repeated]]:
    """Return the dominating pairs of all parts, once for each order of the neighbours that has pairs of its own."""
    parts = tuple(flatten(event))
    # Privacy: an order is kept through the whole composition, since the unit is in the same data set at every step.
    orders = _ORDERS if any(isinstance(part, PoissonPart) and _is_sampled(part) for part in parts) else _ORDERS[:1]
    return [_steps(parts, order) for order in orders]


def _steps(parts: Sequence[Part], order: type[AbstractFixedPair]) -> list[Repeated]:
    """Return the dominating pair of every part, with all Gaussians merged into one."""
    steps = [Repeated(pair=_sampled_pair(part, order), count=part.count) for part in parts if _is_sampled(part)]
    gaussians = tuple(_as_gaussian(part) for part in parts if not _is_sampled(part))
    if gaussians:
        steps.append(Repeated(pair=OneOfManyPair(num_critics=1, noise_multiplier=merge_gaussians(gaussians)), count=1))
    return steps


def _sampled_pair(part: Part, order: type[AbstractFixedPair]) -> AbstractDominatingPair:
    match part:
        case OneOfManyPart():
            return OneOfManyPair(num_critics=part.num_critics, noise_multiplier=part.noise_multiplier)
        case ReplacedPoissonPart():
            return ReplacedPoissonPair(probability=part.sample_rate, noise_multiplier=part.noise_multiplier)
        case PoissonPart():
            return order(probability=part.sample_rate, noise_multiplier=part.noise_multiplier)
        case _:
            raise PrivacyError(f"a {type(part).__name__} is not sampled: it is priced as a Gaussian")
