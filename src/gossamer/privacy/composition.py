"""The composition of an event: its epsilon and its whole privacy profile, on our grid or by dp-accounting's PLD.

Every function here takes an event after its adjacency was found, and prices the event for that adjacency.
"""

from __future__ import annotations

import math

import dp_accounting
import numpy as np
from dp_accounting import gaussian_mechanism, pld, rdp

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
    AbstractDominatingPair,
    GridPrecision,
    Repeated,
    find_epsilon,
    find_profile,
)
from gossamer.privacy.one_of_many import GaussianFirstPair, MixtureFirstPair, OneOfManyPair
from gossamer.privacy.profile import PrivacyProfile
from gossamer.privacy.replaced_poisson import ReplacedPoissonPair

_NUM_EPSILONS = 1024
_ORDERS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_WIDEST = 0.05
_LARGEST_EXPONENT = 700.0
_FINER = (1.0, 0.9, 0.8)
_MANY_STEPS = 300_000
_LEAST_POINTS = 1_100


def composed_epsilon(event: dp_accounting.DpEvent, delta: float, precision: GridPrecision) -> float:
    """Compute epsilon at delta, from above. Gaussians alone have a closed form.

    Raises:
        PrivacyError: a mechanism without a price.
    """
    gaussian = lone_gaussian(event)
    if gaussian is not None:
        # A root found to 1e-12; rounded up by more.
        return float(gaussian_mechanism.get_epsilon_gaussian(gaussian, delta)) + 1e-11
    if _is_poisson(event):
        return _poisson_epsilon(event, delta, precision)
    return find_epsilon(_steps(event), delta, precision)


def composed_profile(event: dp_accounting.DpEvent, delta: float, precision: GridPrecision) -> PrivacyProfile:
    """Compute the profile from epsilon 0 to the epsilon at delta, from above, by one composition.

    Raises:
        PrivacyError: a mechanism without a price.
    """
    if not _is_poisson(event):
        return find_profile(_steps(event), delta, precision)
    accountant = _poisson_accountant(event, delta, precision)
    # No epsilon is finite at a delta below the mass at which its tails were cut: the table ends above that mass.
    reachable = max(delta, 2.0 * accountant.get_delta(math.inf))
    # A little beyond, so that the last delta is at most the one asked for.
    epsilons = np.linspace(0.0, max(1e-6, accountant.get_epsilon(reachable) * (1.0 + 1e-9)), _NUM_EPSILONS)
    # Privacy: dp-accounting multiplies by exp(epsilon), which has no float above 709. A delta holds for all larger
    # epsilons, too.
    small = np.minimum(epsilons, _LARGEST_EXPONENT)
    deltas = np.asarray(accountant.get_delta(small), dtype=np.float64)  # type: ignore[arg-type]
    return PrivacyProfile(epsilons=epsilons, deltas=np.minimum(1.0, deltas))


def fixed_pair_epsilon_on(event: dp_accounting.DpEvent, delta: float, precision: GridPrecision) -> float:
    """Compute the epsilon of the fixed pair of data sets on a grid: the larger of the two orders.

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
    return max(
        find_epsilon(
            [Repeated(pair=order(probability=q, noise_multiplier=s), count=n) for q, s, n in laws], delta, precision
        )
        for order in (MixtureFirstPair, GaussianFirstPair)
    )


def lone_gaussian(event: dp_accounting.DpEvent) -> float | None:
    """Return the multiplier of the one Gaussian that an event equals exactly, None if the event samples.

    One critic of one, and a Poisson sample that holds every unit, are Gaussians too.
    """
    return None if any(map(_is_sampled, flatten(event))) else gaussian_without_sampling(event)


def gaussian_without_sampling(event: dp_accounting.DpEvent) -> float:
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


def _steps(event: dp_accounting.DpEvent) -> list[Repeated]:
    """Return the dominating pair of every part, with all Gaussians merged into one."""
    parts = tuple(flatten(event))
    steps = [Repeated(pair=_sampled_pair(part), count=part.count) for part in parts if _is_sampled(part)]
    gaussians = tuple(_as_gaussian(part) for part in parts if not _is_sampled(part))
    if gaussians:
        steps.append(Repeated(pair=OneOfManyPair(num_critics=1, noise_multiplier=merge_gaussians(gaussians)), count=1))
    return steps


def _sampled_pair(part: Part) -> AbstractDominatingPair:
    match part:
        case OneOfManyPart():
            return OneOfManyPair(num_critics=part.num_critics, noise_multiplier=part.noise_multiplier)
        case ReplacedPoissonPart():
            return ReplacedPoissonPair(probability=part.sample_rate, noise_multiplier=part.noise_multiplier)
        case _:
            raise PrivacyError(f"a {type(part).__name__} has no pair that dominates both orders of its neighbours")


def _is_poisson(event: dp_accounting.DpEvent) -> bool:
    """Tell if dp-accounting prices the event: Poisson samples under add or remove one need a pair for each order."""
    return any(isinstance(part, PoissonPart) for part in flatten(event))


def _poisson_epsilon(event: dp_accounting.DpEvent, delta: float, precision: GridPrecision) -> float:
    # dp-accounting divides by exp(-epsilon). Above 709 that may overflow on one grid, to an infinite bound, and not on
    # a finer one.
    bounds = (_poisson_accountant(event, delta, precision, finer).get_epsilon(delta) for finer in _FINER)
    with np.errstate(over="ignore"):
        return next((float(bound) for bound in bounds if math.isfinite(bound)), math.inf)


def _poisson_accountant(
    event: dp_accounting.DpEvent, delta: float, precision: GridPrecision, finer: float = 1.0
) -> pld.PLDAccountant:
    # Privacy: an upper bound on every interval, and a wider one is looser. Time grows with the points up to epsilon, so
    # an epsilon in the thousands has no finer grid than one of a hundred. RDP bounds epsilon in an instant.
    least = min(_WIDEST, _epsilon_by_rdp(event, delta) / precision.max_points)
    interval = min(max(least, _poisson_interval(event, precision.max_interval)), _dense_interval(event)) * finer
    accountant = pld.PLDAccountant(
        dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=interval
    )
    accountant.compose(event)
    return accountant


def _dense_interval(event: dp_accounting.DpEvent) -> float:
    """Return the widest interval at which dp-accounting 0.6.0 composes many steps without a number of as many digits.

    It keeps a loss of up to 1,000 points as a table. Before a table is composed n times its size is raised to the n-th
    power, which takes minutes at ten million. So the loss of one of many steps gets more points than that.
    """
    reaches = [
        math.log1p(
            part.sample_rate * math.expm1(min(600.0, 0.5 / part.noise_multiplier**2 + 9.0 / part.noise_multiplier))
        )
        for part in flatten(event)
        if isinstance(part, PoissonPart) and part.count > _MANY_STEPS
    ]
    return max(1e-6, min(reaches) / _LEAST_POINTS) if reaches else math.inf


def _epsilon_by_rdp(event: dp_accounting.DpEvent, delta: float) -> float:
    """Bound epsilon by a few integer orders. Their series are finite sums."""
    accountant = rdp.RdpAccountant(_ORDERS, dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    accountant.compose(event)
    return float(accountant.get_epsilon(delta))


def _poisson_interval(event: dp_accounting.DpEvent, largest: float) -> float:
    """Return a grid interval well below the spread of one batch's loss (about rate / multiplier), at least 1e-6."""
    spreads = [
        part.sample_rate / part.noise_multiplier if isinstance(part, PoissonPart) else 1.0 / part.noise_multiplier
        for part in flatten(event)
    ]
    return min(largest, max(1e-6, 0.1 * min(spreads)))
