"""Events of the mechanisms that the library runs: a function for each, and the reading of events as parts.

The noise multiplier means one thing everywhere: standard deviation of the noise / L2 sensitivity of the released vector
under the stated adjacency.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from dp_accounting import dp_event

from gossamer.errors import InputError, PrivacyError, told
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.budget import check_number


def one_of_many_event(
    *, num_critics: int, noise_multiplier: float, num_steps: int, batch_size: int, draws_per_step: int
) -> dp_event.DpEvent:
    r"""Return the event of one-of-K sampling: T steps, B answers a step, c secret draws a step.

    A draw names one of K critics, uniformly and with replacement. The critic answers B / c samples, each clipped and
    noised. So one draw is a Gaussian of multiplier :math:`\sigma / \sqrt{B/c}` behind a 1-of-K choice:

    SelfComposed(SampledWithoutReplacement(K, 1, SelfComposed(Gaussian(sigma), B / c)), T c)

    Guarantee:
        Valid under ``Adjacency.SLOT`` on one condition (docs/concepts/one-of-many.md, theorem 1). Every critic's state
        must be a function of its own shard, its own random tape and the public transcript, whichever critics were
        drawn.

    Args:
        num_critics: K, number of critics and of disjoint shards, at least 1.
        noise_multiplier: sigma, noise of one answer / (2 clip_norm), above 0.
        num_steps: T, updates of the released generator, at least 1.
        batch_size: B, answers per step, at least 1.
        draws_per_step: c, a divisor of B. With B there is one coin for each sample, and with 1 the published one for
            each batch.

    Raises:
        InputError: a count is no positive integer, c does not divide B, or the noise multiplier is negative or NaN.
        PrivacyError: the noise multiplier is 0.

    Example:
        >>> event = one_of_many_event(
        ...     num_critics=10, noise_multiplier=1.0, num_steps=5, batch_size=4, draws_per_step=2
        ... )
        >>> event.count, event.event.source_dataset_size, event.event.event.count
        (10, 10, 2)
    """
    for name, value in (
        ("num_critics", num_critics),
        ("num_steps", num_steps),
        ("batch_size", batch_size),
        ("draws_per_step", draws_per_step),
    ):
        check_count(name, value)
    check_noise_multiplier(noise_multiplier)
    if batch_size % draws_per_step:
        raise InputError(f"draws_per_step {draws_per_step} must divide batch_size {batch_size}: choose a divisor")
    # Privacy: all answers of one draw share its coin, so they are composed INSIDE the sampling, never outside.
    answers = dp_event.SelfComposedDpEvent(
        dp_event.GaussianDpEvent(float(noise_multiplier)), batch_size // draws_per_step
    )
    draw = dp_event.SampledWithoutReplacementDpEvent(num_critics, 1, answers)
    return dp_event.SelfComposedDpEvent(draw, num_steps * draws_per_step)


def poisson_event(*, sample_rate: float, noise_multiplier: float, num_steps: int) -> dp_event.DpEvent:
    """Return the event of T noisy sums over Poisson samples of units (DP-SGD).

    Guarantee:
        Valid under ``Adjacency.ADD_OR_REMOVE_ONE`` when every unit is drawn independently with a public rate and sums
        are not divided by the drawn batch size.

    Args:
        sample_rate: probability with which a unit is in a batch, in (0, 1].
        noise_multiplier: noise / L2 bound of one unit's contribution, above 0.
        num_steps: number of batches, at least 1.

    Raises:
        InputError: a parameter is out of range.
        PrivacyError: the noise multiplier is 0.
    """
    check_count("num_steps", num_steps)
    return dp_event.SelfComposedDpEvent(_poisson_sample(sample_rate, noise_multiplier), num_steps)


@dataclasses.dataclass(frozen=True)
class ReplacedPoissonDpEvent(dp_event.DpEvent):
    """One noisy sum over a Poisson sample, priced for a unit that is replaced by another.

    In dp-accounting the accountants name an adjacency, and events do not. This event carries its own, so that no
    accountant prices it for another. No accountant of dp-accounting takes it at all.
    """

    sample: dp_event.PoissonSampledDpEvent


def replaced_poisson_event(*, sample_rate: float, noise_multiplier: float, num_steps: int) -> dp_event.DpEvent:
    """Return the event of T noisy sums over Poisson samples of units (DP-SGD), priced for replacing one unit.

    Guarantee:
        On the conditions of ``poisson_event``, valid under ``Adjacency.REPLACE_ONE`` (docs/concepts/poisson.md, theorem
        2). On the same conditions, valid for a public slot that is filled, emptied or replaced, too.

    Args:
        sample_rate: probability with which a unit is in a batch, in (0, 1].
        noise_multiplier: noise / L2 bound of one unit's contribution, as in ``poisson_event``. A unit that is replaced
            moves a sum by twice that bound. The price has that factor, and the multiplier does not.
        num_steps: number of batches, at least 1.

    Raises:
        InputError: a parameter is out of range.
        PrivacyError: the noise multiplier is 0.
    """
    check_count("num_steps", num_steps)
    sample = ReplacedPoissonDpEvent(_poisson_sample(sample_rate, noise_multiplier))
    return dp_event.SelfComposedDpEvent(sample, num_steps)


def sum_of_many_event(
    *,
    num_critics: int,
    critics_per_draw: int,
    noise_multiplier: float,
    num_steps: int,
    batch_size: int,
    draws_per_step: int,
) -> dp_event.DpEvent:
    r"""Return the event of Poisson sums of critics: T steps, B answers a step, c secret draws a step.

    In a draw each of K critics is included by a coin of its own, with probability :math:`q = m / K`. The included
    critics answer B / c samples each, and their clipped answers are summed and noised once. So a draw is a
    Poisson-sampled sum of units, with a shard for a unit. Its noise over the bound :math:`C \sqrt{B/c}` of one
    critic's contribution is :math:`2 \sigma / \sqrt{B/c}`.

    Guarantee:
        Valid for any change of one slot on the conditions of ``one_of_many_event`` (docs/concepts/sum-of-many.md). The
        event is that of ``replaced_poisson_event``, and its price covers a slot that is filled, emptied or replaced.

    Args:
        num_critics: K, number of critics and of disjoint shards, at least 1.
        critics_per_draw: m, expected number of critics in a draw, 1 to K.
        noise_multiplier: sigma, noise of one answer / (2 clip_norm), above 0, as in ``one_of_many_event``.
        num_steps: T, updates of the released generator, at least 1.
        batch_size: B, answers per step, at least 1.
        draws_per_step: c, a divisor of B.

    Raises:
        InputError: as ``one_of_many_event``, and more critics in a draw than there are.
        PrivacyError: the noise multiplier is 0.

    Example:
        >>> event = sum_of_many_event(
        ...     num_critics=1000, critics_per_draw=2, noise_multiplier=0.4, num_steps=5, batch_size=8, draws_per_step=2
        ... )
        >>> event.count, event.event.sample
        (10, PoissonSampledDpEvent(sampling_probability=0.002, event=GaussianDpEvent(noise_multiplier=0.4)))
    """
    check_count("critics_per_draw", critics_per_draw)
    one_of_many_event(
        num_critics=num_critics,
        noise_multiplier=noise_multiplier,
        num_steps=num_steps,
        batch_size=batch_size,
        draws_per_step=draws_per_step,
    )
    if critics_per_draw > num_critics:
        raise InputError(f"critics_per_draw {critics_per_draw} is above the {num_critics} critics: give fewer")
    # Privacy: all answers of one critic in one draw share its coin, so they are one contribution.
    contribution = math.sqrt(batch_size / draws_per_step)
    return replaced_poisson_event(
        sample_rate=critics_per_draw / num_critics,
        noise_multiplier=2.0 * noise_multiplier / contribution,
        num_steps=num_steps * draws_per_step,
    )


def under_replacement(event: dp_event.DpEvent, claimed: Adjacency | None = None) -> dp_event.DpEvent:
    """Return the same mechanism, priced for one unit that is replaced by another.

    Poisson samples become replaced ones. One-of-K draws, and Gaussians without Poisson samples beside them, are priced
    under ``Adjacency.SLOT``, which covers a replacement: they stay. A Gaussian beside Poisson samples, or one that is
    claimed for a unit added or removed, was priced for that alone. A replacement moves it by up to twice as much, so
    its multiplier is halved.

    Guarantee:
        A price of the event returned holds for the mechanism of ``event``, when a unit is replaced.

    Args:
        event: made by the functions of this module.
        claimed: adjacency of the claim, which Gaussians alone do not tell. None for the one that the event tells.

    Raises:
        PrivacyError: adjacencies are mixed, or a mechanism has no price.
    """
    if (find_adjacency(event) or claimed) is not Adjacency.ADD_OR_REMOVE_ONE:
        return event
    found = [_replaced(part) for part in flatten(event)]
    return found[0] if len(found) == 1 else compose_events(*found)


def _replaced(part: Part) -> dp_event.DpEvent:
    match part:
        case PoissonPart():
            return replaced_poisson_event(
                sample_rate=part.sample_rate, noise_multiplier=part.noise_multiplier, num_steps=part.count
            )
        case _:
            # Privacy: one unit is removed and one is added, and each moves the sum as far as the multiplier allows.
            return gaussian_event(noise_multiplier=part.noise_multiplier / 2.0, num_releases=part.count)


def _poisson_sample(sample_rate: float, noise_multiplier: float) -> dp_event.PoissonSampledDpEvent:
    check_noise_multiplier(noise_multiplier)
    check_number("sample_rate", sample_rate)
    if not 0.0 < sample_rate <= 1.0:
        raise InputError(f"sample_rate must lie in (0, 1], not {told(sample_rate)}: give expected batch size / units")
    gaussian = dp_event.GaussianDpEvent(float(noise_multiplier))
    return dp_event.PoissonSampledDpEvent(float(sample_rate), gaussian)


def gaussian_event(*, noise_multiplier: float, num_releases: int = 1) -> dp_event.DpEvent:
    """Return the event of Gaussian releases without sampling.

    Guarantee:
        Valid under the adjacency for which the multiplier's sensitivity was derived.

    Args:
        noise_multiplier: noise / L2 sensitivity, above 0.
        num_releases: number of releases, at least 1.

    Raises:
        InputError: a parameter is out of range.
        PrivacyError: the noise multiplier is 0.
    """
    check_count("num_releases", num_releases)
    check_noise_multiplier(noise_multiplier)
    return dp_event.SelfComposedDpEvent(dp_event.GaussianDpEvent(float(noise_multiplier)), num_releases)


def compose_events(*events: dp_event.DpEvent) -> dp_event.DpEvent:
    """Compose several mechanisms run on the same data, adaptively, one after the other, into one event.

    Raises:
        InputError: no event was given.
        PrivacyError: the events hold under different adjacencies.
    """
    if not events:
        raise InputError("no event to compose: give at least one")
    composed = dp_event.ComposedDpEvent(list(events))
    find_adjacency(composed)
    return composed


@dataclasses.dataclass(frozen=True, kw_only=True)
class GaussianPart:
    """Gaussian releases: multiplier and number."""

    noise_multiplier: float
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneOfManyPart:
    """Draws of one of K: K, the multiplier of one draw (all its answers together), and number of draws."""

    num_critics: int
    noise_multiplier: float
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoissonPart:
    """Poisson-sampled Gaussian releases: rate, multiplier and number."""

    sample_rate: float
    noise_multiplier: float
    count: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplacedPoissonPart:
    """As ``PoissonPart``, priced for a unit that is replaced. The multiplier is still of one unit's contribution."""

    sample_rate: float
    noise_multiplier: float
    count: int


Part = GaussianPart | OneOfManyPart | PoissonPart | ReplacedPoissonPart


_ADJACENCIES = (
    (OneOfManyPart, Adjacency.SLOT),
    (PoissonPart, Adjacency.ADD_OR_REMOVE_ONE),
    (ReplacedPoissonPart, Adjacency.REPLACE_ONE),
)


def flatten(event: dp_event.DpEvent, count: int = 1) -> Iterator[Part]:
    """Yield the elementary mechanisms of an event, each with the number of its repetitions.

    Raises:
        PrivacyError: the event holds a mechanism that this library cannot price.
    """
    match event:
        case dp_event.SelfComposedDpEvent():
            yield from flatten(event.event, count * event.count)
        case dp_event.ComposedDpEvent():
            for inner in event.events:
                yield from flatten(inner, count)
        case dp_event.GaussianDpEvent():
            check_noise_multiplier(event.noise_multiplier)
            yield GaussianPart(noise_multiplier=event.noise_multiplier, count=count)
        case dp_event.SampledWithoutReplacementDpEvent(sample_size=1):
            multiplier = _merged_gaussian(event.event)
            yield OneOfManyPart(num_critics=event.source_dataset_size, noise_multiplier=multiplier, count=count)
        case dp_event.PoissonSampledDpEvent():
            multiplier = _merged_gaussian(event.event)
            yield PoissonPart(sample_rate=event.sampling_probability, noise_multiplier=multiplier, count=count)
        case ReplacedPoissonDpEvent():
            rate, multiplier = event.sample.sampling_probability, _merged_gaussian(event.sample.event)
            yield ReplacedPoissonPart(sample_rate=rate, noise_multiplier=multiplier, count=count)
        case _:
            raise PrivacyError(f"no price is known for a {type(event).__name__}: compose the events of this package")


def find_adjacency(event: dp_event.DpEvent) -> Adjacency | None:
    """Return the adjacency that an event is priced under, or None for Gaussians alone: their multiplier carries it.

    Raises:
        PrivacyError: mechanisms that are priced under different adjacencies are mixed.
    """
    kinds = {type(part) for part in flatten(event)}
    found = [adjacency for kind, adjacency in _ADJACENCIES if kind in kinds]
    if len(found) > 1:
        raise PrivacyError(
            f"mechanisms priced under different adjacencies ({' and '.join(one.value for one in found)}; one-of-K "
            "sampling knows slots alone, Poisson sampling either of the others) cannot share one budget: account for "
            "them apart"
        )
    return found[0] if found else None


def check_count(name: str, value: int) -> None:
    """Refuse a count that is not a positive integer.

    Raises:
        InputError: it is none. The error names the parameter.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} must be a positive integer, not {told(value)}: give 1 or more")


def check_noise_multiplier(noise_multiplier: float) -> None:
    """Refuse a noise multiplier that is no finite number above 0.

    Raises:
        PrivacyError: it is 0.
        InputError: it is negative, infinite or NaN.
    """
    check_number("noise_multiplier", noise_multiplier)
    if noise_multiplier == 0:
        raise PrivacyError("noise_multiplier 0 has no guarantee at any epsilon: give a number above 0, or an epsilon")
    if not (math.isfinite(noise_multiplier) and noise_multiplier > 0):
        raise InputError(
            f"noise_multiplier must be a finite number above 0, not {told(noise_multiplier)}: give one above 0"
        )


def _merged_gaussian(event: dp_event.DpEvent) -> float:
    """Return the multiplier of one Gaussian that is worth all Gaussians of an event together."""
    parts = tuple(flatten(event))
    if not all(isinstance(part, GaussianPart) for part in parts):
        raise PrivacyError("only Gaussian answers can be priced behind sampling: do not nest samplings")
    return merge_gaussians(parts)


def merge_gaussians(parts: tuple[Part, ...]) -> float:
    r"""Compute the multiplier of the one Gaussian equal to several, :math:`(\sum_i n_i \sigma_i^{-2})^{-1/2}`."""
    # Scaled by the smallest multiplier, so that the squares neither overflow nor vanish.
    smallest = min(part.noise_multiplier for part in parts)
    return smallest / math.sqrt(sum(part.count * (smallest / part.noise_multiplier) ** 2 for part in parts))
