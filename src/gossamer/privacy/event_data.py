"""The event of a mechanism as plain data, so that a statement can carry it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from dp_accounting import dp_event

from gossamer.errors import InputError
from gossamer.privacy.events import (
    GaussianPart,
    OneOfManyPart,
    Part,
    PoissonPart,
    ReplacedPoissonPart,
    check_count,
    check_noise_multiplier,
    compose_events,
    gaussian_event,
    one_of_many_event,
    poisson_event,
    replaced_poisson_event,
)

_NAMES: Mapping[str, type[Part]] = {
    "gaussian": GaussianPart,
    "one-of-many": OneOfManyPart,
    "poisson": PoissonPart,
    "replaced-poisson": ReplacedPoissonPart,
}


def to_data(part: Part) -> dict[str, Any]:
    """Return a part of an event as a table of plain values, with the name of its mechanism."""
    name = next(name for name, kind in _NAMES.items() if isinstance(part, kind))
    return {"mechanism": name, **dataclasses.asdict(part)}


def from_data(table: Mapping[str, Any]) -> Part:
    """Return the part that a table stands for.

    Raises:
        InputError: an unknown mechanism, a missing or unknown number, or a number out of range.
        PrivacyError: a noise multiplier of 0.
    """
    kind = _NAMES.get(str(table.get("mechanism")))
    numbers = {name: value for name, value in table.items() if name != "mechanism"}
    if kind is None or {field.name for field in dataclasses.fields(kind)} != set(numbers):
        raise InputError("the privacy statement has an event of no known mechanism: use the file as it was written")
    for name, value in numbers.items():
        if name in ("count", "num_critics"):
            check_count(name, value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(
                f"the event of the privacy statement has no number {name!r}: use the file as it was written"
            )
    part = kind(**numbers)
    event_of_part(part)
    return part


def event_of_part(part: Part) -> dp_event.DpEvent:
    """Return the event of one part.

    Raises:
        InputError: a number out of range.
        PrivacyError: a noise multiplier of 0.
    """
    check_noise_multiplier(part.noise_multiplier)
    match part:
        case GaussianPart():
            return gaussian_event(noise_multiplier=part.noise_multiplier, num_releases=part.count)
        case OneOfManyPart():
            return one_of_many_event(
                num_critics=part.num_critics,
                noise_multiplier=part.noise_multiplier,
                num_steps=part.count,
                batch_size=1,
                draws_per_step=1,
            )
        case PoissonPart():
            make = poisson_event
        case ReplacedPoissonPart():
            make = replaced_poisson_event
    return make(sample_rate=part.sample_rate, noise_multiplier=part.noise_multiplier, num_steps=part.count)


def event_of_parts(parts: tuple[Part, ...]) -> dp_event.DpEvent:
    """Return the one event of all parts, run one after the other.

    Raises:
        InputError: no part.
        PrivacyError: parts of different adjacencies.
    """
    return event_of_part(parts[0]) if len(parts) == 1 else compose_events(*map(event_of_part, parts))
