"""One object for claim and run: its price is the accountant's, its refusals are the contract's."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy import Adjacency, PrivacyBudget, Unit, epsilon_by_pld, epsilon_by_rdp, one_of_many_event
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.truncation import truncation_delta

PLAN = OneOfManyPlan(
    unit=Unit.RECORD,
    num_slots=500,
    num_critics=50,
    num_steps=20,
    batch_size=6,
    draws_per_step=3,
    clip_norm=0.7,
    noise_multiplier=1.3,
)
EVENT = one_of_many_event(num_critics=50, noise_multiplier=1.3, num_steps=20, batch_size=6, draws_per_step=3)


def test_the_price_is_that_of_the_accountant_for_the_plans_own_numbers() -> None:
    assert PLAN.event == EVENT
    assert PLAN.adjacency is Adjacency.SLOT
    budget = PLAN.budget_at(1e-5)
    assert budget == PrivacyBudget(epsilon=epsilon_by_pld(EVENT, 1e-5).epsilon, delta=1e-5)
    claim = PLAN.statement(ClaimTerms(delta=1e-5, method="gs-wgan", sample_size=64, is_secure=True))
    assert (claim.epsilon, claim.epsilon_rdp) == (budget.epsilon, epsilon_by_rdp(EVENT, 1e-5).epsilon)
    assert dict(claim.parameters) == {"num_critics": 50, "num_steps": 20, "batch_size": 6, "draws_per_step": 3}
    assert (claim.noise_multiplier, claim.clip_norm, claim.num_slots, claim.unit) == (1.3, 0.7, 500, Unit.RECORD)
    assert claim.truncation_delta == truncation_delta(60, 128, 1.3 / math.sqrt(2))


def test_noise_is_the_multiplier_times_the_distance_of_two_answers() -> None:
    assert PLAN.sensitivity == pytest.approx(1.4)
    assert PLAN.noise_std == pytest.approx(1.82)


def test_two_draws_differ_by_what_the_event_prices_them_at() -> None:
    """Twice the bound of a draw, over the noise, is sqrt(B/c) / noise_multiplier."""
    assert PLAN.group_clip_norm == pytest.approx(0.7 * math.sqrt(2))
    assert 2 * PLAN.group_clip_norm / PLAN.noise_std == pytest.approx(math.sqrt(2) / 1.3)
    assert replace(PLAN, draws_per_step=6).group_clip_norm == pytest.approx(0.7)


def test_the_truncation_is_that_of_one_vector_a_draw_also_when_an_image_has_an_odd_number_of_values() -> None:
    claim = replace(PLAN, draws_per_step=1).statement(
        ClaimTerms(delta=1e-5, method="gs-wgan", sample_size=7, is_secure=True)
    )
    assert claim.truncation_delta == truncation_delta(20, 48, 1.3 / math.sqrt(6))
