"""One object for claim and run of Poisson sums of critics: its price is the accountant's, its sizes are the event's."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gossamer.errors import InputError
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.privacy import Adjacency, PrivacyBudget, Unit, epsilon_by_pld, epsilon_by_rdp, sum_of_many_event
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.truncation import truncation_delta

PLAN = SumOfManyPlan(
    unit=Unit.RECORD, num_slots=500, num_critics=50, critics_per_draw=4, num_steps=20, batch_size=6, draws_per_step=3,
    clip_norm=0.7, noise_multiplier=1.3,
)  # fmt: skip
EVENT = sum_of_many_event(
    num_critics=50, critics_per_draw=4, noise_multiplier=1.3, num_steps=20, batch_size=6, draws_per_step=3
)
TERMS = ClaimTerms(delta=1e-5, method="gs-wgan", sample_size=64, is_secure=True)


def test_the_price_is_that_of_the_accountant_for_the_plans_own_numbers() -> None:
    assert PLAN.event == EVENT
    assert PLAN.adjacency is Adjacency.SLOT
    budget = PLAN.budget_at(1e-5)
    assert budget == PrivacyBudget(epsilon=epsilon_by_pld(EVENT, 1e-5).epsilon, delta=1e-5)
    claim = PLAN.statement(TERMS)
    assert (claim.epsilon, claim.epsilon_rdp) == (budget.epsilon, epsilon_by_rdp(EVENT, 1e-5).epsilon)
    numbers = {"num_critics": 50, "num_steps": 20, "batch_size": 6, "draws_per_step": 3, "critics_per_draw": 4}
    assert dict(claim.parameters) == numbers
    assert (claim.noise_multiplier, claim.clip_norm, claim.num_slots, claim.unit) == (1.3, 0.7, 500, Unit.RECORD)
    assert claim.truncation_delta == truncation_delta(60, 128, 1.3 / math.sqrt(2))


def test_the_statement_says_what_is_summed_and_that_its_number_stays_secret() -> None:
    claim = PLAN.statement(TERMS)
    assert "the sum of the clipped answers of a Poisson sample of K critics" in claim.mechanism
    assert "which critics were included in a sum, and how many" in claim.not_covered


def test_a_contribution_over_its_noise_is_what_the_event_prices_it_at() -> None:
    """The bound of one critic's answers to a group, over the noise, is that of the Poisson-sampled Gaussian."""
    sample = PLAN.event.event.sample  # type: ignore[attr-defined]
    assert PLAN.noise_std / PLAN.group_clip_norm == pytest.approx(sample.event.noise_multiplier, rel=1e-12)
    assert PLAN.sample_rate == sample.sampling_probability == 4 / 50
    assert PLAN.event.count == 20 * 3  # type: ignore[attr-defined]
    assert PLAN.noise_std == pytest.approx(1.82)


def test_more_answers_to_a_coin_are_one_longer_contribution() -> None:
    one = replace(PLAN, draws_per_step=1)
    assert one.group_clip_norm == pytest.approx(0.7 * math.sqrt(6))
    assert one.noise_std / one.group_clip_norm == pytest.approx(2 * 1.3 / math.sqrt(6))


@pytest.mark.parametrize("number", [0, -1, 51, 2.5, True])
def test_a_number_of_critics_in_a_draw_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(InputError, match="critics_per_draw"):
        replace(PLAN, critics_per_draw=number)
