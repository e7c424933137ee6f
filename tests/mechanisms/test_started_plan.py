"""Two mechanisms, one budget: the composed price, its refusals, and what is lost in crashes. Nothing is random here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import dp_accounting
import pytest
import torch
from dp_accounting import rdp

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import DeterministicNoise, KeyedNoise, LaterNoise, NoiseOfOneStep
from gossamer.mechanisms.one_shot import GroupedVectors, OneShotPlan, Release
from gossamer.mechanisms.plan import OneOfManyPlan
from gossamer.mechanisms.poisson_plan import PoissonPlan
from gossamer.mechanisms.started_plan import StartedPlan
from gossamer.privacy import Adjacency, PrivacyBudget, Unit, epsilon_by_pld
from gossamer.privacy.accounting import fixed_pair_epsilon
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.events import compose_events, gaussian_event, one_of_many_event
from gossamer.privacy.slots import CountSource

DELTA = 1e-4
VECTORS = GroupedVectors(num_groups=3, dim=4, radius=1.0)
START = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=500,
    releases=(Release(name="means", contribution=VECTORS), Release(name="centres", contribution=VECTORS, share=3.0)),
    noise_multiplier=4.0,
)
REST = OneOfManyPlan(
    unit=Unit.RECORD,
    num_slots=500,
    num_critics=50,
    num_steps=20,
    batch_size=6,
    draws_per_step=3,
    clip_norm=0.7,
    noise_multiplier=1.3,
)
PLAN = StartedPlan(start=START, rest=REST)


def cost(starts: int, steps: int, noise_of_start: float = 4.0) -> float:
    """Epsilon of so many starts and steps, from events made anew."""
    events = [gaussian_event(noise_multiplier=noise_of_start)] * starts
    if steps:
        numbers: dict[str, Any] = {"num_critics": 50, "batch_size": 6, "draws_per_step": 3}
        events.append(one_of_many_event(noise_multiplier=1.3, num_steps=steps, **numbers))
    return epsilon_by_pld(compose_events(*events), DELTA).epsilon


# ---- price ----------------------------------------------------------------------------------------------------------


def test_the_golden_composition_of_the_contract() -> None:
    """One Gaussian of epsilon 1 and GS-WGAN as published, with a coin for each sample: 5.665 in one budget."""
    golden = StartedPlan(
        start=replace(START, num_slots=60_000, releases=START.releases[:1], noise_multiplier=3.7306),
        rest=replace(
            REST, num_slots=60_000, num_critics=1000, num_steps=20_000, batch_size=32, draws_per_step=32,
            noise_multiplier=1.07,
        ),
    )  # fmt: skip
    epsilon = golden.budget_at(1e-5).epsilon
    assert epsilon == pytest.approx(5.665, rel=0.01)
    assert fixed_pair_epsilon(golden.event, 1e-5).epsilon <= epsilon
    assert golden.num_steps == 20_001


def test_the_price_is_that_of_both_and_independent_accountants_agree() -> None:
    assert PLAN.budget_at(DELTA).epsilon == pytest.approx(cost(1, 20), rel=1e-6)
    accountant = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    claim = PLAN.statement(ClaimTerms(delta=DELTA, method="m", sample_size=64, is_secure=True))
    assert claim.epsilon_rdp is not None
    assert claim.epsilon <= claim.epsilon_rdp
    assert claim.epsilon_rdp == pytest.approx(accountant.compose(PLAN.event).get_epsilon(DELTA), rel=0.05)
    assert max(START.budget_at(DELTA).epsilon, REST.budget_at(DELTA).epsilon) < claim.epsilon
    assert claim.epsilon < START.budget_at(DELTA).epsilon + REST.budget_at(DELTA).epsilon
    assert PLAN.adjacency is claim.adjacency is Adjacency.SLOT


@dataclass(frozen=True, kw_only=True)
class StartForFree(StartedPlan):
    """The break: the one-shot is left out of the price."""

    def _event_with(self, noise_multiplier: float) -> dp_accounting.DpEvent:
        assert self.rest is not None
        return replace(self.rest, noise_multiplier=noise_multiplier).event


@dataclass(frozen=True, kw_only=True)
class DearestAlone(StartedPlan):
    """The break: the larger of two epsilons in place of their composition."""

    def budget_at(self, delta: float) -> PrivacyBudget:
        parts = (self.start, self.rest)
        return PrivacyBudget(epsilon=max(part.budget_at(delta).epsilon for part in parts if part), delta=delta)


@pytest.mark.parametrize("kind", [StartForFree, DearestAlone])
def test_a_start_that_is_not_paid_for_is_caught(kind: type[StartedPlan]) -> None:
    broken = kind(start=START, rest=REST)
    assert broken.budget_at(DELTA).epsilon < cost(1, 20) * (1 - 1e-3)


def test_the_start_gets_its_share_and_the_rest_the_smallest_noise_that_keeps_within_the_budget() -> None:
    budget = PrivacyBudget(epsilon=2.0, delta=DELTA)
    for share in (0.1, 0.5):
        found = replace(PLAN, start_share=share).calibrated(budget)
        assert found.rest is not None
        assert 0.999 * share * 2 < found.start.budget_at(DELTA).epsilon <= share * 2
        assert 0.999 * 2 < found.budget_at(DELTA).epsilon <= 2
        alone = REST.calibrated(budget).noise_multiplier
        assert alone is not None
        assert found.rest.noise_multiplier is not None
        assert found.rest.noise_multiplier > alone
    unpriced = replace(PLAN, start=replace(START, noise_multiplier=None), rest=replace(REST, noise_multiplier=None))
    assert unpriced.calibrated(budget) == PLAN.calibrated(budget)  # whatever the noise was
    with pytest.raises(InputError, match="noise_multiplier"):
        unpriced.budget_at(DELTA)
    with pytest.raises(InputError, match="calibrate its start"):
        PLAN.first_steps(1).calibrated(budget)


def test_the_first_step_is_the_start_and_the_others_are_those_of_the_rest() -> None:
    assert (PLAN.num_steps, PLAN.noise_multiplier, PLAN.noise_std) == (21, 1.3, REST.noise_std)
    assert PLAN.first_steps(1).budget_at(DELTA).epsilon == pytest.approx(START.budget_at(DELTA).epsilon, rel=1e-6)
    assert PLAN.first_steps(1).noise_multiplier == 4.0
    assert PLAN.first_steps(8).budget_at(DELTA).epsilon == pytest.approx(cost(1, 7), rel=1e-6)
    assert PLAN.first_steps(21) == PLAN
    for number in (0, 22):
        with pytest.raises(InputError, match="at least 1"):
            PLAN.first_steps(number)


def test_the_steps_within_a_budget_are_the_most_that_fit() -> None:
    def within(epsilon: float) -> int:
        return PLAN.num_steps_within(PrivacyBudget(epsilon=epsilon, delta=DELTA))

    assert within(cost(1, 20) * 1.01) == 21
    assert within(cost(1, 0) * 0.99) == 0
    assert within(cost(1, 0) * 1.0001) == 1
    middle = within(cost(1, 9) * 1.0001)
    assert middle in (9, 10)
    assert cost(1, middle - 1) <= cost(1, 9) * 1.0001


# ---- refusals -------------------------------------------------------------------------------------------------------


def test_another_adjacency_another_unit_or_other_slots_are_refused() -> None:
    numbers: dict[str, Any] = {"sample_rate": 0.01, "num_steps": 5, "clip_norm": 1.0, "noise_multiplier": 1.0}
    poisson: Any = PoissonPlan(unit=Unit.RECORD, num_slots=500, **numbers)
    with pytest.raises(PrivacyError, match="add-or-remove-one"):
        StartedPlan(start=START, rest=poisson)
    with pytest.raises(PrivacyError, match="account for them apart"):
        StartedPlan(start=poisson, rest=REST)
    with pytest.raises(InputError, match="unit"):
        replace(PLAN, rest=replace(REST, unit=Unit.PERSON))
    with pytest.raises(InputError, match="num_slots"):
        replace(PLAN, start=replace(START, num_slots=501))
    with pytest.raises(InputError, match="source"):
        replace(PLAN, start=replace(START, source=CountSource.READ))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_leaves_one_part_nothing_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="start_share"):
        replace(PLAN, start_share=share)


def test_no_start_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="num_starts"):
        replace(PLAN, num_starts=0)


# ---- crashes --------------------------------------------------------------------------------------------------------


def test_steps_lost_after_the_start_count_as_steps() -> None:
    assert PLAN.end_step(next_step=5, lost_steps=(3, 4, 5), delta=DELTA) == 18
    assert PLAN.covering(5, (3, 4, 5)) == PLAN.first_steps(8)
    assert PLAN.covering(5, ()) == PLAN.covering(5) == PLAN.first_steps(5)


@pytest.mark.parametrize("lost", [1, 3])
def test_starts_lost_in_crashes_are_paid_again_and_the_run_costs_no_more_than_planned(lost: int) -> None:
    plan = StartedPlan(start=replace(START, noise_multiplier=12.0), rest=REST)
    planned = cost(1, 20, 12.0) * (1 + 1e-6)
    for draws in ((), (2, 2)):  # what else was lost: draws, which are paid for as draws
        end = plan.end_step(next_step=0, lost_steps=(0,) * lost + draws, delta=DELTA)
        assert 1 < end < 21
        assert cost(1 + lost, end - 1 + len(draws), 12.0) <= planned
        assert cost(1 + lost, end + 1 + len(draws), 12.0) > planned
        claimed = plan.covering(end, (0,) * lost + draws).budget_at(DELTA).epsilon
        assert claimed == pytest.approx(cost(1 + lost, end - 1 + len(draws), 12.0), rel=1e-6)
        assert claimed <= planned


def test_a_run_whose_starts_cost_more_than_the_plan_goes_nowhere() -> None:
    assert PLAN.end_step(next_step=0, lost_steps=(0,) * 59, delta=DELTA) == 0


# ---- statement ------------------------------------------------------------------------------------------------------


def test_the_statement_names_both_mechanisms_with_their_multipliers() -> None:
    claim = PLAN.statement(ClaimTerms(delta=DELTA, method="m", sample_size=64, is_secure=True, num_tuning_runs=2))
    assert claim.epsilon == PLAN.budget_at(DELTA).epsilon
    assert claim.mechanism.startswith("m: Gaussian noise on 2 sums")
    assert "one of K critics" in claim.mechanism
    parameters = dict(claim.parameters)
    assert str(parameters["noise multiplier of step 1"]).startswith("4 (epsilon ")
    assert str(parameters["noise multiplier of the steps after it"]) == "1.3, in 20 steps"
    assert (parameters["num_steps"], parameters["num_critics"], parameters["times step 1 is paid for"]) == (21, 50, 1)
    assert "sensitivity 2, 12 numbers" in str(parameters["step 1, release 2, centres"])
    assert (claim.noise_multiplier, claim.clip_norm, claim.num_tuning_runs) == (1.3, 0.7, 2)
    assert claim.published_epsilon is None
    assert claim.truncation_delta == START.truncation_delta(64) + REST.truncation_delta(64)
    assert "4 (epsilon " in claim.to_markdown()


def test_the_statement_of_the_start_alone_speaks_of_no_critic() -> None:
    claim = PLAN.first_steps(1).statement(
        ClaimTerms(delta=DELTA, method="m", sample_size=64, is_secure=True, num_planned_steps=21)
    )
    assert "critic" not in claim.mechanism
    assert (claim.noise_multiplier, claim.clip_norm) == (4.0, None)
    assert "num_critics" not in dict(claim.parameters)
    assert "after 1 of the 21 steps" in claim.covered[0]
    assert any("tuning" in sentence for sentence in claim.not_covered)


# ---- one noise for two parts ----------------------------------------------------------------------------------------


def test_parts_of_a_run_share_no_number_of_its_noise() -> None:
    whole = DeterministicNoise(5)
    begin, later = NoiseOfOneStep(whole, 0, (6, 4)), LaterNoise(whole, 1)
    drawn = whole.gaussian(0, (2, 6))
    assert torch.equal(begin.gaussian(0, (1, 6)), drawn[:1])
    assert torch.equal(begin.gaussian(1, (1, 4)), drawn[1:, :4])
    assert torch.equal(later.gaussian(0, (3, 5)), whole.gaussian(1, (3, 5)))
    assert torch.equal(later.coins(2, 7, 50), whole.coins(3, 7, 50))
    assert torch.equal(later.inclusions(2, 7, 0.5), whole.inclusions(3, 7, 0.5))
    assert not torch.equal(later.gaussian(0, (1, 6)), drawn[:1])
    assert not begin.is_secure
    assert not later.is_secure
    secure = KeyedNoise()
    assert LaterNoise(secure, 1).is_secure
    assert NoiseOfOneStep(secure, 0, (1,)).is_secure


def test_the_noise_of_a_release_is_given_once_in_order_and_for_its_size_alone() -> None:
    noise = NoiseOfOneStep(DeterministicNoise(5), 0, (6, 4))
    with pytest.raises(PrivacyError, match="none is used twice"):
        noise.gaussian(1, (1, 4))
    with pytest.raises(ValueError, match="6 numbers"):
        noise.gaussian(0, (1, 7))
    noise.gaussian(0, (1, 6))
    with pytest.raises(PrivacyError, match="none is used twice"):
        noise.gaussian(0, (1, 6))
    for draw in (lambda: noise.coins(0, 1, 2), lambda: noise.inclusions(0, 1, 0.5)):
        with pytest.raises(PrivacyError, match="no coins"):
            draw()


def test_secure_noise_refuses_a_step_that_another_part_has_drawn() -> None:
    secure = KeyedNoise()
    LaterNoise(secure, 1).gaussian(0, (1, 2))
    with pytest.raises(PrivacyError, match="noise object of its own"):
        NoiseOfOneStep(secure, 0, (3,)).gaussian(0, (1, 3))
