r"""mu of Gaussian differential privacy and rho of zero-concentrated differential privacy: one number for a whole curve.

A mechanism is mu-GDP on one condition. Telling its neighbouring data sets apart is at least as hard as telling ``N(0,
1)`` from ``N(mu, 1)``, at any rate of false alarms. In terms of the privacy profile: its delta is at most that of this
Gaussian, at every epsilon.

References:
    Dong, Roth, Su 2022, "Gaussian differential privacy", definition 4 and corollary 1.
    Bun, Steinke 2016, "Concentrated differential privacy", definition 1.1 and proposition 1.6.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from dp_accounting.dp_event import DpEvent

from gossamer.privacy.budget import check_delta_range
from gossamer.privacy.composition import composed_profile, gaussian_without_sampling, lone_gaussian
from gossamer.privacy.events import find_adjacency
from gossamer.privacy.loss_grid import MIDDLE
from gossamer.privacy.one_of_many import gaussian_log_profile
from gossamer.privacy.profile import PrivacyProfile

_MOST_POINTS = 1024
_TOLERANCE = 1e-6


def mu_of(event: DpEvent, delta: float) -> float:
    r"""Compute mu such that a Gaussian of sensitivity mu and noise 1 bounds a mechanism's leak, from delta up.

    For Gaussians alone mu is exactly :math:`1 / \sigma`, and holds for every delta. For all other mechanisms mu is the
    smallest that passes a test, to about one part in a thousand and never below it. The test compares the Gaussian's
    delta with the mechanism's own, in both orders of the neighbours. At every epsilon from 0 to the mechanism's epsilon
    at ``delta``, the Gaussian's must be at least as large.

    Guarantee:
        It speaks of the deltas from ``delta`` up to 1 alone. Below ``delta`` NOTHING is said: a sampled mechanism has a
        heavier tail than any Gaussian of a useful mu. So an epsilon at a smaller delta must never be computed from this
        figure. Nor may two such figures be composed as if they were figures of Gaussians.

    Args:
        event: made by the functions of ``events``.
        delta: in (0, 1), the delta of the statement.

    Returns:
        mu > 0, rounded up.

    Raises:
        PrivacyError: delta outside (0, 1), adjacencies mixed, or a mechanism without a price.

    Example:
        >>> from gossamer.privacy.events import gaussian_event
        >>> mu_of(gaussian_event(noise_multiplier=2.0, num_releases=4), 1e-5)
        1.0
    """
    check_delta_range(delta)
    find_adjacency(event)
    gaussian = lone_gaussian(event)
    if gaussian is not None:
        return 1.0 / gaussian
    return mu_of_profile(event, delta, composed_profile(event, delta, MIDDLE))


def mu_of_profile(event: DpEvent, delta: float, profile: PrivacyProfile) -> float:
    """Compute mu as ``mu_of`` does, for a mechanism that samples, from a profile that is there already.

    Args:
        event: made by the functions of ``events``.
        delta: in (0, 1), the end of the profile.
        profile: of the event, from epsilon 0 to the epsilon at delta, never below the truth.
    """
    # Sampling never costs, so the price without sampling is a bound too, if a loose one. It stays finite if the numbers
    # of the profile run out.
    without_sampling = 1.0 / gaussian_without_sampling(event)
    # Privacy: a table that ends above delta says nothing of the deltas below its end.
    if profile.deltas[-1] > delta:
        return without_sampling
    return _smallest_mu(_thinned(profile, delta), without_sampling)


def rho_of(event: DpEvent) -> float | None:
    r"""Compute rho of zero-concentrated privacy, :math:`1 / (2 \sigma^2)`, for Gaussians alone, None for all others.

    Guarantee:
        Under the adjacency for which the multiplier's sensitivity was derived, at every order.

    Args:
        event: made by the functions of ``events``.

    Raises:
        PrivacyError: adjacencies are mixed, or a mechanism without a price.

    Example:
        >>> from gossamer.privacy.events import gaussian_event
        >>> rho_of(gaussian_event(noise_multiplier=2.0, num_releases=4))
        0.5
    """
    find_adjacency(event)
    gaussian = lone_gaussian(event)
    return None if gaussian is None else 0.5 / gaussian**2


def _smallest_mu(profile: PrivacyProfile, largest: float) -> float:
    """Find the smallest mu of a Gaussian that dominates a profile, by halving: the upper end, at most ``largest``."""
    if profile.deltas[0] >= 1.0:
        return largest
    low, high = 0.0, min(largest, 1.0)
    while high < largest and not _is_dominated(profile, high):
        low, high = high, min(largest, 2.0 * high)
    while high - low > _TOLERANCE * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if _is_dominated(profile, middle) else (middle, high)
    return high


def _is_dominated(profile: PrivacyProfile, mu: float) -> bool:
    r"""Tell if the Gaussian's delta is at least the profile's, at every epsilon of the table and between any two.

    Both curves are convex in :math:`x = e^\epsilon`. Between two points the profile lies below its chord. The
    Gaussian's curve lies above its tangent at the left point, of slope :math:`-\Phi(-\mu/2 - \epsilon/\mu)`. A line
    that is below another at both ends is below it between them.
    """
    epsilons = profile.epsilons
    gaussian = np.exp(gaussian_log_profile(epsilons, 1.0 / mu))
    if not np.all(gaussian >= profile.deltas):
        return False
    start, stride = epsilons[:-1], np.diff(epsilons)
    log_fall = start + scipy.special.log_ndtr(-0.5 * mu - start / mu) + stride + np.log(-np.expm1(-stride))
    # Privacy: both ends of the chord are compared, since two dominated points say nothing of the curve between them.
    return bool(np.all(gaussian[:-1] - np.exp(np.minimum(log_fall, 700.0)) >= profile.deltas[1:]))


def _thinned(profile: PrivacyProfile, delta: float) -> PrivacyProfile:
    """Keep some of the points above a delta, and the one at it: above the truth as well, on longer chords."""
    num_above = int(np.count_nonzero(profile.deltas > delta))
    if num_above == 0:
        return PrivacyProfile(epsilons=profile.epsilons[:1], deltas=profile.deltas[:1])
    chosen = np.arange(0, num_above, math.ceil(num_above / _MOST_POINTS))
    return PrivacyProfile(
        epsilons=np.append(profile.epsilons[chosen], profile.epsilon_at(delta)),
        deltas=np.append(profile.deltas[chosen], delta),
    )
