"""What a statement says is what its plan costs: the event read back from a statement is the plan's."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import GroupedVectors
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.privacy import PrivacyStatement, Unit, compose_events, epsilon_by_pld, gaussian_event, poisson_event
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.restated import PRINTED_TOLERANCE, describe_event, event_of, is_same_event

DELTA = 1e-4
VECTORS = GroupedVectors(num_groups=3, dim=4, radius=1.0)
SUMS = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=500,
    releases=(Release(name="means", contribution=VECTORS), Release(name="centres", contribution=VECTORS, share=3.0)),
    noise_multiplier=3.987654321,
)
DRAWS = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=500, num_critics=50, num_steps=20, batch_size=6, draws_per_step=3, clip_norm=0.7,
    noise_multiplier=1.3,
)  # fmt: skip
SAMPLES = PoissonPlan(
    unit=Unit.RECORD, num_slots=500, sample_rate=0.1, num_steps=9, clip_norm=1.0, noise_multiplier=2.0
)
DRAWN_SUMS = SumOfManyPlan(critics_per_draw=3, **vars(DRAWS))
PLANS: list[Any] = [SUMS, DRAWS, SAMPLES, DRAWN_SUMS]


STATEMENTS = Path(__file__).parent / "statements"
OF_STARTED = PrivacyStatement.from_json(json.loads((STATEMENTS / "format-2-gs-wgan-started.json").read_text()))
"""Of a method that was retired: one-shot sums, paid for twice, and then draws."""


@functools.cache
def statement_of(plan: Any) -> PrivacyStatement:
    made = plan.statement(ClaimTerms(delta=DELTA, method="any", sample_size=4, is_secure=True))
    return PrivacyStatement.from_json(made.to_json())


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: type(plan).__name__)
def test_a_statement_alone_gives_the_price_that_it_states(plan: Any) -> None:
    statement = statement_of(plan)
    event = event_of(statement)
    assert is_same_event(event, plan.event)
    assert epsilon_by_pld(event, DELTA).epsilon == pytest.approx(statement.epsilon, rel=PRINTED_TOLERANCE)


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(DRAWS, noise_multiplier=1.301),
        dataclasses.replace(DRAWS, num_critics=49),
        dataclasses.replace(DRAWS, num_steps=21),
        dataclasses.replace(DRAWS, draws_per_step=2),
        SAMPLES,
        SUMS,
        DRAWN_SUMS,
    ],
    ids=str,
)
def test_another_mechanism_is_told_apart(changed: Any) -> None:
    assert not is_same_event(DRAWS.event, changed.event)
    assert not is_same_event(changed.event, DRAWS.event)
    assert describe_event(DRAWS.event) != describe_event(changed.event)


def test_rates_of_poisson_samples_are_told_apart() -> None:
    one, other = (poisson_event(sample_rate=rate, noise_multiplier=1.0, num_steps=3) for rate in (0.1, 0.2))
    assert not is_same_event(one, other)
    assert describe_event(gaussian_event(noise_multiplier=2.0, num_releases=4)) == "a Gaussian of noise multiplier 1"


def test_numbers_of_critics_in_a_draw_are_told_apart() -> None:
    one, other = (dataclasses.replace(DRAWN_SUMS, critics_per_draw=number).event for number in (2, 3))
    assert not is_same_event(one, other)
    assert describe_event(one) != describe_event(other)


@pytest.mark.parametrize("value", [None, True, 3.5, "20", [20]])
@pytest.mark.parametrize("name", ["num_steps", "num_critics", "critics_per_draw"])
def test_a_statement_whose_numbers_are_none_is_refused(name: str, value: Any) -> None:
    parameters = dict(statement_of(DRAWN_SUMS).parameters) | {name: value}
    damaged = dataclasses.replace(statement_of(DRAWN_SUMS), parameters=tuple(parameters.items()), event=None)
    with pytest.raises(InputError, match=f"no whole number '{name}'"):
        event_of(damaged)


def test_a_statement_of_the_retired_method_gives_the_price_that_it_states() -> None:
    event = event_of(OF_STARTED)
    assert is_same_event(event, compose_events(SUMS.event, SUMS.event, DRAWS.event))
    assert epsilon_by_pld(event, DELTA).epsilon == pytest.approx(OF_STARTED.epsilon, rel=PRINTED_TOLERANCE)


@pytest.mark.parametrize("said", ["none", "nan (", "-3 (", ""])
def test_a_start_whose_noise_cannot_be_read_is_refused(said: str) -> None:
    parameters = dict(OF_STARTED.parameters) | {"noise multiplier of step 1": said}
    damaged = dataclasses.replace(OF_STARTED, parameters=tuple(parameters.items()))
    with pytest.raises(InputError, match="noise multiplier of step 1"):
        event_of(damaged)
