"""The event read back from a statement alone, for a reader without the run, so that it can be priced again."""

from __future__ import annotations

import dataclasses
import math
import re

from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.event_data import event_of_parts
from gossamer.privacy.events import (
    GaussianPart,
    OneOfManyPart,
    Part,
    PoissonPart,
    ReplacedPoissonPart,
    compose_events,
    flatten,
    gaussian_event,
    merge_gaussians,
    one_of_many_event,
    poisson_event,
    replaced_poisson_event,
    sum_of_many_event,
)
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.privacy.statement import PrivacyStatement

_OF_SUMS, _OF_SAMPLES = "noise_of_sums_over_multiplier", "noise_of_samples_over_multiplier"
PRINTED_TOLERANCE = 1e-4
"""Relative error of epsilon that six printed digits of a noise multiplier may leave."""


def event_of(statement: PrivacyStatement) -> DpEvent:
    """Return the mechanism that a statement describes, as an event that an accountant can price.

    Only the statement is read. Nothing here shows that the run followed it.

    Args:
        statement: of any method of this library.

    Raises:
        InputError: a statement of an older format lacks a number.
        PrivacyError: a noise multiplier of 0.
    """
    return event_before_format_3(statement) if statement.event is None else event_of_parts(statement.event)


def is_in_keeping(statement: PrivacyStatement) -> bool | None:
    """Tell if the numbers that a statement prints describe the event that it carries.

    The reader of older formats knows the printed numbers of three mechanisms. The answer is None for a mechanism that
    it does not know: the event alone can then be priced.
    """
    if statement.event is None:
        return True
    try:
        printed = event_before_format_3(statement)
    except (InputError, PrivacyError):
        return None
    # Privacy: an event of another kind is no other mechanism's: it would be priced in place of the printed numbers.
    return is_same_event(printed, event_of_parts(statement.event))


def event_before_format_3(statement: PrivacyStatement) -> DpEvent:
    """Return the mechanism of a statement of format 1 or 2, by the names of its printed numbers.

    These formats carry no event. The noise of the first step of the retired method gs-wgan-started is printed to six
    digits, so that its epsilon comes out within `PRINTED_TOLERANCE`.

    Raises:
        InputError: a number is missing, or no number.
        PrivacyError: a noise multiplier of 0.
    """
    names = {name for name, _ in statement.parameters}
    if names & {_OF_SUMS, _OF_SAMPLES}:
        return _sums_and_samples(statement, names)
    if "sample_rate" in names:
        return _samples(statement, statement.noise_multiplier)
    if "num_releases" in names:
        return gaussian_event(noise_multiplier=statement.noise_multiplier)
    if "times step 1 is paid for" in names:
        return _started(statement)
    if "critics_per_draw" in names:
        return _sums(statement)
    return _draws(statement, _count(statement, "num_steps"))


def slots_of(statement: PrivacyStatement) -> PublicSlots:
    """Return the public number of slots that a statement is of."""
    source = CountSource.READ if statement.adjacency is Adjacency.REPLACE_ONE else CountSource.GIVEN
    share, said = 1.0, dict(statement.parameters)
    if "sample_rate" in said:
        share = _real(statement, "expected_batch_size") / (_real(statement, "sample_rate") * statement.num_slots)
    return PublicSlots(statement.num_slots, statement.unit, source, min(1.0, share))


def is_same_event(one: DpEvent, other: DpEvent) -> bool:
    """Tell if two events have one price: the same samplings, and Gaussians that are worth the same together.

    Multipliers may differ by the error that six printed digits leave.
    """
    mine, others = _merged(one), _merged(other)
    return len(mine) == len(others) and all(map(_is_same_part, mine, others))


def describe_event(event: DpEvent) -> str:
    """Describe an event in words.

    Example:
        >>> describe_event(poisson_event(sample_rate=0.01, noise_multiplier=1.0, num_steps=300))
        '300 Poisson samples at rate 0.01 with noise multiplier 1'
    """
    return " and ".join(map(_describe_part, _merged(event)))


def _merged(event: DpEvent) -> list[Part]:
    """Return samplings in their order, then the one Gaussian that is worth all Gaussians."""
    parts = tuple(flatten(event))
    sampled: list[Part] = [part for part in parts if not isinstance(part, GaussianPart)]
    gaussians = tuple(part for part in parts if isinstance(part, GaussianPart))
    if gaussians:
        sampled.append(GaussianPart(noise_multiplier=merge_gaussians(gaussians), count=1))
    return sampled


def _is_same_part(one: Part, other: Part) -> bool:
    is_close = math.isclose(one.noise_multiplier, other.noise_multiplier, rel_tol=1e-5)
    return is_close and dataclasses.replace(one, noise_multiplier=other.noise_multiplier) == other


def _describe_part(part: Part) -> str:
    with_noise = f"noise multiplier {part.noise_multiplier:.6g}"
    match part:
        case OneOfManyPart():
            return f"{part.count} draws of one of {part.num_critics}, each with {with_noise}"
        case PoissonPart():
            return f"{part.count} Poisson samples at rate {part.sample_rate:.6g} with {with_noise}"
        case ReplacedPoissonPart():
            return (
                f"{part.count} Poisson samples at rate {part.sample_rate:.6g} with {with_noise}, a unit being replaced"
            )
        case GaussianPart():
            return f"a Gaussian of {with_noise}"


def _draws(statement: PrivacyStatement, num_steps: int) -> DpEvent:
    return one_of_many_event(
        num_critics=_count(statement, "num_critics"),
        noise_multiplier=statement.noise_multiplier,
        num_steps=num_steps,
        batch_size=_count(statement, "batch_size"),
        draws_per_step=_count(statement, "draws_per_step"),
    )


def _sums(statement: PrivacyStatement) -> DpEvent:
    names = ("num_critics", "critics_per_draw", "num_steps", "batch_size", "draws_per_step")
    counts = {name: _count(statement, name) for name in names}
    return sum_of_many_event(noise_multiplier=statement.noise_multiplier, **counts)


def _samples(statement: PrivacyStatement, noise_multiplier: float) -> DpEvent:
    # Privacy: the price of coming and leaving covers nothing else.
    is_replaced = statement.adjacency is not Adjacency.ADD_OR_REMOVE_ONE
    return (replaced_poisson_event if is_replaced else poisson_event)(
        sample_rate=_real(statement, "sample_rate"),
        noise_multiplier=noise_multiplier,
        num_steps=_count(statement, "num_steps"),
    )


def _sums_and_samples(statement: PrivacyStatement, names: set[str]) -> DpEvent:
    events = []
    if _OF_SUMS in names:
        events.append(gaussian_event(noise_multiplier=statement.noise_multiplier * _real(statement, _OF_SUMS)))
    if _OF_SAMPLES in names:
        events.append(_samples(statement, statement.noise_multiplier * _real(statement, _OF_SAMPLES)))
    return compose_events(*events)


def _started(statement: PrivacyStatement) -> DpEvent:
    said = str(dict(statement.parameters).get("noise multiplier of step 1"))
    printed = re.match(r"([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?) ", said)
    if printed is None:
        raise InputError("the privacy statement does not say the noise multiplier of step 1: use it as it was written")
    start = gaussian_event(
        noise_multiplier=float(printed[1]), num_releases=_count(statement, "times step 1 is paid for")
    )
    num_steps = _count(statement, "num_steps")
    return start if num_steps == 1 else compose_events(start, _draws(statement, num_steps - 1))


def _count(statement: PrivacyStatement, name: str) -> int:
    value = dict(statement.parameters).get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"the privacy statement has no whole number {name!r}: use it as it was written")
    return value


def _real(statement: PrivacyStatement, name: str) -> float:
    value = dict(statement.parameters).get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"the privacy statement has no number {name!r}: use it as it was written")
    return float(value)
