"""The rule by which earlier versions priced Poisson samples under add or remove one: dp-accounting's PLD.

No price is computed by it any more. A statement that an earlier version wrote is compared with it, too. Both rules are
upper bounds. They differ in the last digits, and far more below delta 1e-13. For dp-accounting 0.6.0 cuts about 1e-15
off the tails of every composition, and counts the rest as infinite loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from dp_accounting.dp_event import DpEvent
from dp_accounting.privacy_accountant import NeighboringRelation
from dp_accounting.rdp import RdpAccountant

from gossamer.privacy.events import PoissonPart, flatten
from gossamer.privacy.loss_grid import FINE, MIDDLE, GridPrecision
from gossamer.privacy.profile import PrivacyProfile

if TYPE_CHECKING:
    from dp_accounting.pld import PLDAccountant

MAX_GRID = 3e6
"""Most points of the losses of all Poisson samples. A million takes about a minute."""
_NUM_EPSILONS = 1024
_ORDERS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_WIDEST = 0.05
_LARGEST_EXPONENT = 700.0
_FINER = (1.0, 0.9, 0.8)


def has_earlier_price(event: DpEvent) -> bool:
    """Tell if an earlier version priced the event by another rule, and the price is within a small machine's reach."""
    poisson = [part for part in flatten(event) if isinstance(part, PoissonPart)]
    return bool(poisson) and sum(map(_num_points, poisson)) <= MAX_GRID


def earlier_epsilon(event: DpEvent, delta: float) -> float:
    """Compute epsilon by the earlier rule, infinite where it had none.

    Args:
        event: has an earlier price.
        delta: in (0, 1).
    """
    # dp-accounting divides by exp(-epsilon). Above 709 that may overflow on one grid, to an infinite bound, and not on
    # a finer one.
    bounds = (_poisson_accountant(event, delta, FINE, finer).get_epsilon(delta) for finer in _FINER)
    with np.errstate(over="ignore"):
        return next((float(bound) for bound in bounds if math.isfinite(bound)), math.inf)


def earlier_profile(event: DpEvent, delta: float) -> PrivacyProfile:
    """Compute the profile from epsilon 0 to the epsilon at delta by the earlier rule.

    Args:
        event: has an earlier price.
        delta: in (0, 1).
    """
    accountant = _poisson_accountant(event, delta, MIDDLE)
    # No epsilon is finite at a delta below the mass at which its tails were cut: the table ends above that mass.
    reachable = max(delta, 2.0 * accountant.get_delta(math.inf))
    # A little beyond, so that the last delta is at most the one asked for.
    epsilons = np.linspace(0.0, max(1e-6, accountant.get_epsilon(reachable) * (1.0 + 1e-9)), _NUM_EPSILONS)
    # Privacy: dp-accounting multiplies by exp(epsilon), which has no float above 709. A delta holds for all larger
    # epsilons, too.
    small = np.minimum(epsilons, _LARGEST_EXPONENT)
    deltas = np.asarray(accountant.get_delta(small), dtype=np.float64)  # type: ignore[arg-type]
    return PrivacyProfile(epsilons=epsilons, deltas=np.minimum(1.0, deltas))


def _poisson_accountant(event: DpEvent, delta: float, precision: GridPrecision, finer: float = 1.0) -> PLDAccountant:
    from dp_accounting.pld import PLDAccountant  # not at the beginning: it needs scipy.stats

    # Privacy: an upper bound on every interval, and a wider one is looser. Time grows with the points up to epsilon, so
    # an epsilon in the thousands has no finer grid than one of a hundred. RDP bounds epsilon in an instant.
    least = min(_WIDEST, _epsilon_by_rdp(event, delta) / precision.max_points)
    interval = max(least, _poisson_interval(event, precision.max_interval)) * finer
    accountant = PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=interval)
    accountant.compose(event)
    return accountant


def _epsilon_by_rdp(event: DpEvent, delta: float) -> float:
    """Bound epsilon by a few integer orders. Their series are finite sums."""
    accountant = RdpAccountant(_ORDERS, NeighboringRelation.ADD_OR_REMOVE_ONE)
    accountant.compose(event)
    return float(accountant.get_epsilon(delta))


def _poisson_interval(event: DpEvent, largest: float) -> float:
    """Return a grid interval well below the spread of one batch's loss (about rate / multiplier), at least 1e-6."""
    spreads = [
        part.sample_rate / part.noise_multiplier if isinstance(part, PoissonPart) else 1.0 / part.noise_multiplier
        for part in flatten(event)
    ]
    return min(largest, max(1e-6, 0.1 * min(spreads)))


def _num_points(part: PoissonPart) -> float:
    """Compute the reach of the loss of one sample over the interval that the accountant takes."""
    noise = part.noise_multiplier
    interval = min(1e-4, max(1e-6, 0.1 * part.sample_rate / noise))
    return (0.5 / noise**2 + 10 / noise) / interval
