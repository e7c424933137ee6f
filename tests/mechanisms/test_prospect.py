"""What a price can buy: signal beside noise, from public numbers alone. Every comparison is exact or a proved bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import GroupedMoments
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.privacy import PrivacyBudget, Unit

TEN = PrivacyBudget(epsilon=10.0, delta=1e-3)
ONE = PrivacyBudget(epsilon=1.0, delta=1e-3)
SUMS = OneShotPlan(
    unit=Unit.PERSON,
    num_slots=47,
    releases=(
        Release(
            name="mean",
            contribution=GroupedMoments(num_groups=5, dim=500, radius=1.0, count_weight=1.0, mean_weight=1.0),
        ),
    ),
    noise_multiplier=None,
)
CRITICS = OneOfManyPlan(
    unit=Unit.PERSON, num_slots=47, num_critics=15, num_steps=2000, batch_size=320, draws_per_step=64, clip_norm=1.0,
    noise_multiplier=None,
)  # fmt: skip
SAMPLES = PoissonPlan(
    unit=Unit.PERSON, num_slots=47, sample_rate=1.0, num_steps=2000, clip_norm=1.0, noise_multiplier=None
)


def priced(plan: OneShotPlan, budget: PrivacyBudget) -> OneShotPlan:
    """The plan with its noise; of samples of everybody, which are Gaussians, by the noise of one Gaussian."""
    if not isinstance(plan, PoissonPlan):
        return plan.calibrated(budget)
    one = SUMS.calibrated(budget).noise_multiplier
    assert one is not None
    return replace(plan, noise_multiplier=one * plan.num_steps**0.5)


@pytest.mark.parametrize("plan", [SUMS, CRITICS, SAMPLES])
@pytest.mark.parametrize("budget", [TEN, ONE])
def test_at_forty_seven_people_there_is_no_hope(plan: OneShotPlan, budget: PrivacyBudget) -> None:
    found = priced(plan, budget).prospect(budget, 10_000 if isinstance(plan, PoissonPlan) else 187)
    assert found.is_hopeless
    assert found.num_slots == 47
    assert found.num_slots_needed > 47


@pytest.mark.parametrize("plan", [SUMS, CRITICS, SAMPLES])
def test_a_smaller_budget_wants_more_people(plan: OneShotPlan) -> None:
    few, many = (priced(plan, budget).prospect(budget, 187) for budget in (TEN, ONE))
    assert few.num_slots_needed < many.num_slots_needed
    assert few.ratio > many.ratio


def test_sums_over_the_people_that_are_needed_are_as_long_as_their_noise() -> None:
    needed = SUMS.calibrated(TEN).prospect(TEN, 187).num_slots_needed
    found = replace(SUMS, num_slots=needed).calibrated(TEN).prospect(TEN, 187)
    assert found.ratio == pytest.approx(1.0, rel=0.02)
    assert found.num_slots_needed in (needed, needed + 1)


def test_signal_and_noise_of_sums_are_those_of_the_definition() -> None:
    plan = replace(SUMS, num_slots=5000, noise_multiplier=0.5)
    # A thousand people a class, each of norm sqrt 2; noise of deviation 2 x 0.5 on 501 numbers.
    assert plan.prospect(TEN, 187).ratio == pytest.approx(1000 * 2**0.5 / 501**0.5)


def test_critics_with_the_people_that_are_needed_are_about_as_loud_as_their_noise() -> None:
    """The central limit theorem is off by a third at most here."""
    needed = CRITICS.calibrated(TEN).prospect(TEN, 187).num_slots_needed
    plan = replace(CRITICS, num_slots=needed, num_critics=needed // 3).calibrated(TEN)
    assert 0.75 < plan.prospect(TEN, 187).ratio < 1.35


def test_samples_of_the_people_that_are_needed_are_about_as_loud_as_their_noise() -> None:
    """The central limit theorem is off by a third at most here."""
    few = replace(SAMPLES, num_steps=100)
    needed = priced(few, TEN).prospect(TEN, 10_000).num_slots_needed
    plan = replace(few, num_slots=needed, sample_rate=47 / needed).calibrated(TEN)
    assert 0.75 < plan.prospect(TEN, 10_000).ratio < 1.35


def test_one_person_a_critic_is_hopeless_however_loud() -> None:
    loud = replace(CRITICS, num_critics=47, noise_multiplier=0.01)
    found = loud.prospect(TEN, 187)
    assert found.ratio > 1
    assert found.is_hopeless


def test_noise_on_a_matrix_is_as_long_as_its_largest_eigenvalue() -> None:
    """A mean of 40 draws; its deviation is below 1 % of it, so that 10 % are never exceeded by chance."""
    squares = GroupedMoments(num_groups=1, dim=60, radius=1.0, square_weight=1.0)
    rng = torch.Generator().manual_seed(0)
    drawn = [squares.squares(torch.randn(squares.size, generator=rng, dtype=torch.float64))[0] for _ in range(40)]
    longest = torch.stack([torch.linalg.eigvalsh(matrix).abs().max() for matrix in drawn]).mean()
    assert 1 / squares.clarity == pytest.approx(float(longest), rel=0.1)
