"""Which change of the data a plan claims its price for: who says how many slots there are decides it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import dp_accounting
import pytest
from dp_accounting import pld

from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import GroupedVectors
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.privacy import Adjacency, Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.restated import slots_of
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.privacy.statement import PrivacyStatement

SUMS = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=500,
    releases=(Release(name="means", contribution=GroupedVectors(num_groups=3, dim=4, radius=1.0)),),
    noise_multiplier=4.0,
)
DRAWS = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=500, num_critics=50, num_steps=20, batch_size=6, draws_per_step=3, clip_norm=0.7,
    noise_multiplier=1.3,
)  # fmt: skip
SAMPLES = PoissonPlan(
    unit=Unit.RECORD, num_slots=500, sample_rate=0.1, num_steps=20, clip_norm=1.0, noise_multiplier=2.0
)
PLANS: list[Any] = [SUMS, DRAWS, SAMPLES]
TERMS = ClaimTerms(delta=1e-4, method="m", sample_size=16, is_secure=True)

all_plans = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: type(plan).__name__)
both_units = pytest.mark.parametrize("unit", Unit)


def of(plan: Any, unit: Unit, source: CountSource) -> Any:
    """The plan for another unit and source."""
    return replace(plan, unit=unit, source=source)


def claims_coming_or_leaving(claim: PrivacyStatement) -> bool:
    """Whether a word of the statement speaks of a unit that is added, removed or emptied."""
    sentences = (*claim.describe_claim(), *claim.covered, *claim.not_covered, *claim.public_inputs, *claim.voids())
    return bool(re.search(r"\b(added|removed|emptied|filled)\b", " ".join(sentences)))


@both_units
@all_plans
def test_a_number_that_was_given_covers_who_comes_and_who_leaves(plan: Any, unit: Unit) -> None:
    given = of(plan, unit, CountSource.GIVEN)
    claim = given.statement(TERMS)
    expected = Adjacency.ADD_OR_REMOVE_ONE if plan is SAMPLES else Adjacency.SLOT
    assert given.adjacency is claim.adjacency is expected
    assert claims_coming_or_leaving(claim)
    assert unit.protected in claim.to_markdown()
    assert "came or left" not in claim.to_markdown()
    assert "in the data" not in claim.public_inputs[0]
    assert slots_of(claim) == PublicSlots(500, unit)


@both_units
@all_plans
def test_a_number_that_was_counted_covers_a_replacement_and_says_no_more(plan: Any, unit: Unit) -> None:
    read = of(plan, unit, CountSource.READ)
    claim = read.statement(TERMS)
    assert read.adjacency is claim.adjacency is Adjacency.REPLACE_ONE
    assert not claims_coming_or_leaving(claim)
    text = claim.to_markdown()
    assert f"differ in one unit ({unit.protected}), which is replaced by any other" in text
    assert f"how many {unit.plural} there are is public" in text
    assert claim.public_inputs[0].endswith(f"the number of slots is that of the {unit.plural} in the data")
    assert sum("whether one came or left" in sentence for sentence in claim.not_covered) == 1
    assert PrivacyStatement.from_json(claim.to_json()) == claim
    assert slots_of(claim) == PublicSlots(500, unit, CountSource.READ)


@dataclass(frozen=True, kw_only=True)
class AlwaysSlot(OneOfManyPlan):
    """The break: coming and leaving are claimed whoever said the number."""

    @property
    def adjacency(self) -> Adjacency:
        return Adjacency.SLOT


def test_a_counted_number_that_claims_coming_and_leaving_is_caught() -> None:
    broken = AlwaysSlot(**vars(of(DRAWS, Unit.RECORD, CountSource.READ)))
    assert claims_coming_or_leaving(broken.statement(TERMS))


@pytest.mark.parametrize("plan", [SUMS, DRAWS], ids=lambda plan: type(plan).__name__)
def test_a_change_of_one_slot_costs_what_a_replacement_does(plan: Any) -> None:
    """Both are priced for any two contents of a slot, the empty one among them."""
    assert of(plan, Unit.RECORD, CountSource.READ).event == of(plan, Unit.RECORD, CountSource.GIVEN).event


def test_a_replacement_among_samples_costs_what_an_independent_accountant_says() -> None:
    read = of(SAMPLES, Unit.RECORD, CountSource.READ)
    event = dp_accounting.SelfComposedDpEvent(
        dp_accounting.PoissonSampledDpEvent(0.1, dp_accounting.GaussianDpEvent(2.0)), 20
    )
    replaced = pld.PLDAccountant(dp_accounting.NeighboringRelation.REPLACE_ONE).compose(event).get_epsilon(1e-4)
    assert read.budget_at(1e-4).epsilon == pytest.approx(replaced, rel=0.01)
    assert read.budget_at(1e-4).epsilon > 1.2 * SAMPLES.budget_at(1e-4).epsilon
    beside = SAMPLES.statement(TERMS)
    assert beside.epsilon_replaced == pytest.approx(replaced, rel=0.01)
    assert f"replaced by any other, at the same delta | {beside.epsilon_replaced:.1f}"[:-1] in beside.to_markdown()
    assert read.statement(TERMS).epsilon_replaced is None


def test_a_unit_replaced_by_another_is_named_as_uncovered_where_coming_and_leaving_are_priced() -> None:
    for plan in PLANS:
        names = "replaced by another" in " ".join(plan.statement(TERMS).not_covered)
        assert names == (plan is SAMPLES)


def test_a_share_held_out_lowers_the_expected_batch_and_is_read_back() -> None:
    held_out = replace(SAMPLES, training_share=0.8)
    assert held_out.expected_batch_size == pytest.approx(40)
    assert held_out.event == SAMPLES.event
    assert slots_of(held_out.statement(TERMS)).training_share == pytest.approx(0.8)


def test_every_plan_is_here() -> None:
    assert {type(plan) for plan in PLANS} == {
        kind for kind in AbstractPlan.__subclasses__() if kind.__module__.startswith("gossamer.")
    }
