"""The plan of DP-SGD: its price is the accountant's, whoever asks it; its refusals are the contract's."""

from __future__ import annotations

from dataclasses import replace

import dp_accounting
import pytest
from dp_accounting import pld, rdp

from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.privacy import Adjacency, Unit, epsilon_by_pld, epsilon_by_rdp
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.events import poisson_event, under_replacement
from gossamer.privacy.published import PUBLISHED_DP_CGAN, published_dp_cgan_epsilon
from gossamer.privacy.slots import CountSource
from gossamer.privacy.truncation import least_truncation, truncation_delta

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


def test_the_range_of_noise_is_that_of_the_shift_that_is_claimed() -> None:
    """A unit that is replaced by another shifts the sum twice as far as one that comes or leaves."""
    assert PLAN.truncation_delta(64) == truncation_delta(40, 64, 1.3)
    replaced = replace(PLAN, source=CountSource.READ)
    assert replaced.truncation_delta(64) == truncation_delta(40, 64, 0.65)
    assert least_truncation(PLAN.event) == truncation_delta(40, 1, 1.3)
    assert least_truncation(replaced.event) == truncation_delta(40, 1, 0.65) <= replaced.truncation_delta(64)


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


def test_everybody_in_every_batch_is_the_plain_gaussian() -> None:
    plan = replace(PLAN, sample_rate=1.0, num_steps=4, noise_multiplier=4.0)
    exact = dp_accounting.gaussian_mechanism.get_epsilon_gaussian(2.0, 1e-5)
    assert plan.budget_at(1e-5).epsilon == pytest.approx(exact, rel=0.001)
