"""The plan of DP-SGD: its price is the accountant's, whoever asks it; its refusals are the contract's."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import dp_accounting
import pytest
from dp_accounting import pld, rdp

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import truncation_delta
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.privacy import Adjacency, PrivacyBudget, Unit, epsilon_by_pld, epsilon_by_rdp
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.events import poisson_event, under_replacement
from gossamer.privacy.published import PUBLISHED_DP_CGAN, published_dp_cgan_epsilon

PLAN = PoissonPlan(
    unit=Unit.RECORD, num_slots=1000, sample_rate=0.05, num_steps=40, clip_norm=0.7, noise_multiplier=1.3
)
EVENT = poisson_event(sample_rate=0.05, noise_multiplier=1.3, num_steps=40)


def independent_epsilon(sample_rate: float, noise: float, num_steps: int, delta: float) -> tuple[float, float]:
    """By dp-accounting called directly: (RDP, PLD), add or remove one."""
    event = dp_accounting.SelfComposedDpEvent(
        dp_accounting.PoissonSampledDpEvent(sample_rate, dp_accounting.GaussianDpEvent(noise)), num_steps
    )
    by_rdp, by_pld = rdp.RdpAccountant(), pld.PLDAccountant()
    return tuple(float(a.compose(event).get_epsilon(delta)) for a in (by_rdp, by_pld))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("expected", "slots", "noise", "steps"),
    [(600, 60_000, 1.12, 10_000), (600, 60_000, 4.0, 30_000), (50, 1000, 2, 80)],
)
def test_the_price_is_that_of_dp_accounting_called_directly(
    expected: int, slots: int, noise: float, steps: int
) -> None:
    plan = replace(PLAN, num_slots=slots, sample_rate=expected / slots, noise_multiplier=noise, num_steps=steps)
    by_rdp, by_pld = independent_epsilon(expected / slots, float(noise), steps, 1e-5)
    claim = plan.statement(ClaimTerms(delta=1e-5, method="dp-cgan", sample_size=100, is_secure=True))
    assert claim.epsilon == pytest.approx(by_pld, rel=0.01)
    assert claim.epsilon_rdp == pytest.approx(by_rdp, rel=0.01)
    assert claim.epsilon < claim.epsilon_rdp


@pytest.mark.parametrize(
    ("noise", "steps", "by_rdp", "by_pld"), [(1.12, 35_113, 11.314, 10.523), (1.12, 30_303, 10.358, 9.623)]
)
def test_epsilon_of_the_published_setting_is_golden(noise: float, steps: int, by_rdp: float, by_pld: float) -> None:
    """600 of 60,000 at a time."""
    plan = replace(PLAN, num_slots=60_000, sample_rate=0.01, noise_multiplier=noise, num_steps=steps)
    assert epsilon_by_rdp(plan.event, 1e-5).epsilon == pytest.approx(by_rdp, rel=0.01)
    assert plan.budget_at(1e-5).epsilon == pytest.approx(by_pld, rel=0.01)


def test_the_statement_is_of_the_plans_own_numbers() -> None:
    assert PLAN.event == EVENT
    assert PLAN.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    claim = PLAN.statement(ClaimTerms(delta=1e-4, method="dp-cgan", sample_size=64, is_secure=True, num_tuning_runs=3))
    assert (claim.epsilon, claim.epsilon_rdp) == (
        epsilon_by_pld(EVENT, 1e-4).epsilon,
        epsilon_by_rdp(EVENT, 1e-4).epsilon,
    )
    assert dict(claim.parameters) == {"sample_rate": 0.05, "expected_batch_size": 50.0, "num_steps": 40}
    assert (claim.noise_multiplier, claim.clip_norm, claim.num_slots, claim.unit) == (1.3, 0.7, 1000, Unit.RECORD)
    assert claim.truncation_delta == truncation_delta(40, 64, 1.3)
    assert claim.num_tuning_runs == 3
    assert (claim.published_epsilon, claim.published_caveat) == (None, None)
    assert claim.epsilon_replaced == epsilon_by_pld(under_replacement(EVENT), 1e-4).epsilon > 1.4 * claim.epsilon
    assert "a unit replaced by another" in claim.to_markdown()


def test_a_statement_about_persons_prints_no_number_of_records() -> None:
    plan = replace(PLAN, unit=Unit.PERSON, records_per_unit=4)
    claim = plan.statement(ClaimTerms(delta=1e-4, method="dp-cgan", sample_size=64, is_secure=True))
    assert dict(claim.parameters)["records_per_unit"] == 4
    assert "num_records" not in dict(claim.parameters)
    assert "one person, with all records of that person" in claim.to_markdown()


def test_the_published_figure_stands_beside_ours_with_its_caveat() -> None:
    plan = replace(PLAN, published=PUBLISHED_DP_CGAN)
    claim = plan.statement(ClaimTerms(delta=1e-4, method="dp-cgan", sample_size=64, is_secure=True))
    assert claim.published_epsilon == published_dp_cgan_epsilon(
        sample_rate=0.05, noise_multiplier=1.3, clip_norm=0.7, num_steps=40, delta=1e-4
    )
    assert "clipped on its own" in claim.to_markdown()


def test_noise_is_the_multiplier_times_the_clip() -> None:
    assert PLAN.sensitivity == 0.7
    assert PLAN.noise_std == pytest.approx(0.91)
    assert PLAN.expected_batch_size == pytest.approx(50)


@pytest.mark.parametrize("change", [{"sample_rate": 0.06}, {"num_steps": 45}, {"noise_multiplier": 1.25}])
def test_every_number_of_the_run_moves_the_price(change: dict[str, float]) -> None:
    assert replace(PLAN, **change).budget_at(1e-5).epsilon > PLAN.budget_at(1e-5).epsilon  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"clip_norm": 7.0}, {"num_slots": 4000}, {"published": PUBLISHED_DP_CGAN}])
def test_the_price_depends_on_nothing_else(change: dict[str, object]) -> None:
    assert replace(PLAN, **change).event == EVENT  # type: ignore[arg-type]


def test_everybody_in_every_batch_is_the_plain_gaussian() -> None:
    plan = replace(PLAN, sample_rate=1.0, num_steps=4, noise_multiplier=4.0)
    exact = dp_accounting.gaussian_mechanism.get_epsilon_gaussian(2.0, 1e-5)
    assert plan.budget_at(1e-5).epsilon == pytest.approx(exact, rel=0.001)


def test_a_calibrated_plan_keeps_within_its_budget_and_three_percent_less_noise_does_not() -> None:
    budget = PrivacyBudget(epsilon=2.0, delta=1e-4)
    plan = replace(PLAN, noise_multiplier=None).calibrated(budget)
    assert plan.noise_multiplier is not None
    assert plan.budget_at(1e-4).epsilon <= 2.0
    assert replace(plan, noise_multiplier=0.97 * plan.noise_multiplier).budget_at(1e-4).epsilon > 2.0


def test_a_budget_buys_the_most_steps_that_keep_within_it() -> None:
    budget = PrivacyBudget(epsilon=1.0, delta=1e-4)
    steps = PLAN.num_steps_within(budget)
    assert 1 < steps < 40
    assert PLAN.first_steps(steps).budget_at(1e-4).epsilon <= 1.0 < PLAN.first_steps(steps + 1).budget_at(1e-4).epsilon
    assert PLAN.num_steps_within(PrivacyBudget(epsilon=50.0, delta=1e-4)) == 40
    for number in (0, 41):
        with pytest.raises(InputError, match="first"):
            PLAN.first_steps(number)


def test_the_first_steps_are_claimed_as_such() -> None:
    claim = PLAN.first_steps(10).statement(
        ClaimTerms(delta=1e-4, method="dp-cgan", sample_size=64, is_secure=True, num_planned_steps=40)
    )
    assert claim.epsilon < PLAN.budget_at(1e-4).epsilon
    assert "after 10 of the 40 steps" in claim.covered[0]


@pytest.mark.parametrize("delta", [1 / 1000, 0.1, 0.0, 1.0, math.nan])
def test_a_delta_of_one_over_the_slots_or_out_of_range_is_refused(delta: float) -> None:
    for ask in (
        PLAN.budget_at,
        lambda d: PLAN.statement(ClaimTerms(delta=d, method="dp-cgan", sample_size=1, is_secure=True)),
    ):
        with pytest.raises(PrivacyError, match="delta"):
            ask(delta)


def test_no_noise_is_refused() -> None:
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        replace(PLAN, noise_multiplier=0.0)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_norm": math.inf}, "clip_norm"),
        ({"noise_multiplier": -1.0}, "noise_multiplier"),
        ({"sample_rate": 0.0}, "sample_rate"),
        ({"sample_rate": 1.1}, "sample_rate"),
        ({"sample_rate": math.nan}, "sample_rate"),
        ({"num_steps": 0}, "num_steps"),
        ({"num_slots": 0}, "num_slots"),
        ({"records_per_unit": 2}, "records_per_unit"),
        ({"unit": Unit.PERSON, "records_per_unit": 0}, "records_per_unit"),
    ],
)
def test_a_number_out_of_range_is_bad_input(change: dict[str, object], word: str) -> None:
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
