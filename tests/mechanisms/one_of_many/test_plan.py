"""One object for claim and run: its price is the accountant's, its refusals are the contract's."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import DeterministicNoise, KeyedNoise, truncation_delta
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy import Adjacency, PrivacyBudget, Unit, epsilon_by_pld, epsilon_by_rdp, one_of_many_event
from gossamer.privacy.claim import ClaimTerms

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


@pytest.mark.parametrize(("name", "value"), [("clip_norm", 0.35), ("clip_norm", 7.0)])
def test_the_price_does_not_depend_on_the_clip(name: str, value: float) -> None:
    assert replace(PLAN, **{name: value}).event == EVENT


@pytest.mark.parametrize(
    "change",
    [{"num_critics": 49}, {"num_steps": 21}, {"batch_size": 9}, {"draws_per_step": 2}, {"noise_multiplier": 1.26}],
)
def test_every_number_of_the_run_moves_the_price(change: dict[str, float]) -> None:
    assert replace(PLAN, **change).budget_at(1e-5).epsilon > PLAN.budget_at(1e-5).epsilon  # type: ignore[arg-type]


def test_a_calibrated_plan_keeps_within_its_budget_and_three_percent_less_noise_does_not() -> None:
    budget = PrivacyBudget(epsilon=2.0, delta=1e-4)
    plan = replace(PLAN, noise_multiplier=None).calibrated(budget)
    assert plan.noise_multiplier is not None
    assert plan.budget_at(1e-4).epsilon <= 2.0
    less = replace(plan, noise_multiplier=0.97 * plan.noise_multiplier)
    assert less.budget_at(1e-4).epsilon > 2.0


@pytest.mark.parametrize("delta", [1 / 500, 0.1, 0.0, 1.0, math.nan])
def test_a_delta_of_one_over_the_slots_or_out_of_range_is_refused(delta: float) -> None:
    with pytest.raises(PrivacyError, match="delta"):
        PLAN.budget_at(delta)
    with pytest.raises(PrivacyError, match="delta"):
        PLAN.statement(ClaimTerms(delta=delta, method="gs-wgan", sample_size=1, is_secure=True))
    if 0 < delta < 1:
        with pytest.raises(PrivacyError, match="delta"):
            replace(PLAN, noise_multiplier=None).calibrated(PrivacyBudget(epsilon=1.0, delta=delta))


def test_no_noise_is_refused() -> None:
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        replace(PLAN, noise_multiplier=0.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_norm": math.inf}, "clip_norm"),
        ({"clip_norm": math.nan}, "clip_norm"),
        ({"noise_multiplier": -1.0}, "noise_multiplier"),
        ({"noise_multiplier": math.nan}, "noise_multiplier"),
        ({"draws_per_step": 4}, "divide"),
        ({"num_critics": 501}, "num-critics 500"),
        ({"num_critics": 0}, "num_critics"),
        ({"num_steps": 0}, "num_steps"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_a_number_out_of_range_is_bad_input(change: dict[str, float], word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(PLAN, **change)  # type: ignore[arg-type]


def test_a_plan_whose_noise_is_not_chosen_yet_has_no_price() -> None:
    open_plan = replace(PLAN, noise_multiplier=None)
    for read in (lambda: open_plan.noise_std, lambda: open_plan.event, lambda: open_plan.budget_at(1e-5)):
        with pytest.raises(InputError, match="calibrate"):
            read()


def test_a_plan_cannot_be_changed_after_it_was_priced() -> None:
    with pytest.raises(FrozenInstanceError):
        PLAN.noise_multiplier = 0.1  # type: ignore[misc]


def test_a_statement_leaves_evaluations_and_choices_by_them_uncovered() -> None:
    claim = PLAN.statement(ClaimTerms(delta=1e-5, method="gs-wgan", sample_size=1, is_secure=True))
    sentence = next(text for text in claim.not_covered if text.startswith("evaluations"))
    assert "score on real data" in sentence
    assert "choices made by them" in sentence
    assert sentence in claim.to_markdown()


def test_a_statement_says_whether_the_noise_was_secret() -> None:
    for noise in (DeterministicNoise(0), KeyedNoise()):
        claim = PLAN.statement(ClaimTerms(delta=1e-5, method="gs-wgan", sample_size=1, is_secure=noise.is_secure))
        assert claim.is_secure is isinstance(noise, KeyedNoise)


def test_the_first_steps_cost_what_a_plan_of_so_many_costs() -> None:
    assert PLAN.first_steps(7) == replace(PLAN, num_steps=7)
    assert PLAN.first_steps(20) == PLAN
    for num_steps in (0, -1, 21):
        with pytest.raises(InputError, match="first"):
            PLAN.first_steps(num_steps)


@pytest.mark.parametrize("epsilon", [1.0, 1.2, 1.5])
def test_no_more_steps_fit_a_budget_than_are_found(epsilon: float) -> None:
    found = PLAN.num_steps_within(PrivacyBudget(epsilon=epsilon, delta=1e-5))
    assert 1 <= found < 20
    within, beyond = (PLAN.first_steps(num_steps).budget_at(1e-5).epsilon for num_steps in (found, found + 1))
    assert within <= epsilon < beyond


def test_a_budget_above_the_whole_or_below_one_step() -> None:
    whole, one = PLAN.budget_at(1e-5).epsilon, PLAN.first_steps(1).budget_at(1e-5).epsilon
    assert PLAN.num_steps_within(PrivacyBudget(epsilon=whole, delta=1e-5)) == 20
    assert PLAN.num_steps_within(PrivacyBudget(epsilon=100.0, delta=1e-5)) == 20
    assert PLAN.num_steps_within(PrivacyBudget(epsilon=one, delta=1e-5)) == 1
    assert PLAN.num_steps_within(PrivacyBudget(epsilon=one * 0.99, delta=1e-5)) == 0


def test_a_statement_of_the_first_steps_says_so_and_warns_of_choosing() -> None:
    options: dict = {"method": "gs-wgan", "sample_size": 64, "is_secure": True}
    whole = PLAN.first_steps(7).statement(ClaimTerms(delta=1e-5, **options))
    part = PLAN.first_steps(7).statement(ClaimTerms(delta=1e-5, num_planned_steps=20, **options))
    assert replace(part, covered=whole.covered, not_covered=whole.not_covered) == whole
    assert "after 7 of the 20 steps" in part.covered[0]
    assert "do not add up" in part.covered[1]
    assert "tuning" in part.not_covered[0]
    assert set(whole.not_covered) < set(part.not_covered)
