"""Every plan: what it refuses, what moves its price, how it is calibrated and cut short, and what it claims.

Which change of the data a plan claims its price for is decided by the one who says how many slots there are.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import dp_accounting
import pytest
from dp_accounting import pld

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import DeterministicNoise, KeyedNoise
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import GroupedVectors
from gossamer.mechanisms.one_shot.neighbours import ComingOrLeaving
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.plan import TUNING, AbstractPlan
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.privacy import Adjacency, PrivacyBudget, Unit
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.published import PUBLISHED_DP_CGAN
from gossamer.privacy.restated import slots_of
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.privacy.statement import PrivacyStatement

DELTA = 1e-4
MEANS = Release(name="means", contribution=GroupedVectors(num_groups=3, dim=4, radius=1.0))
SUMS = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=500,
    releases=(MEANS, replace(MEANS, name="again", share=3.0), replace(MEANS, name="and again", share=2.0)),
    noise_multiplier=4.0,
)
DRAWS = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=500, num_critics=50, num_steps=20, batch_size=6, draws_per_step=3, clip_norm=0.7,
    noise_multiplier=1.3,
)  # fmt: skip
SAMPLES = PoissonPlan(
    unit=Unit.RECORD, num_slots=500, sample_rate=0.1, num_steps=20, clip_norm=1.0, noise_multiplier=2.0
)
DRAWN_SUMS = SumOfManyPlan(critics_per_draw=3, **vars(DRAWS))
BOTH = SumsThenSamplesPlan(
    unit=Unit.RECORD,
    num_slots=500,
    sums=replace(SUMS, neighbours=ComingOrLeaving(), noise_multiplier=None),
    samples=replace(SAMPLES, noise_multiplier=None),
    noise_multiplier=2.0,
)
TERMS = ClaimTerms(delta=DELTA, method="m", sample_size=16, is_secure=True)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A plan, and what its own fields do.

    Attributes:
        plan: priced, of the unit record, with a number of slots that was given.
        dearer: changes of its fields that cost more.
        equal: changes of its fields that cost the same.
        refused: changes of its fields that are out of range, and a word of the refusal.
    """

    plan: Any
    dearer: tuple[dict[str, Any], ...]
    equal: tuple[dict[str, Any], ...]
    refused: tuple[tuple[dict[str, Any], str], ...]


CASES = (
    Case(
        plan=SUMS,
        dearer=({"noise_multiplier": 3.9},),
        equal=({"num_slots": 4000}, {"releases": (MEANS,)}, {"releases": (replace(MEANS, share=7.0),)}),
        refused=(
            ({"releases": ()}, "at least one release"),
            ({"releases": (MEANS, MEANS)}, "own name"),
            ({"num_slots": 0}, "num_slots"),
        ),
    ),
    Case(
        plan=DRAWS,
        dearer=(
            {"num_critics": 49}, {"num_steps": 21}, {"batch_size": 9}, {"draws_per_step": 2}, {"noise_multiplier": 1.26}
        ),
        equal=({"clip_norm": 0.35}, {"clip_norm": 7.0}, {"num_slots": 4000}),
        refused=(
            ({"clip_norm": 0.0}, "clip_norm"),
            ({"clip_norm": math.inf}, "clip_norm"),
            ({"clip_norm": math.nan}, "clip_norm"),
            ({"draws_per_step": 4}, "divide"),
            ({"num_critics": 501}, "num-critics 500"),
            ({"num_slots": 0}, "num_critics = 50"),
            ({"num_critics": 0}, "num_critics"),
            ({"num_steps": 0}, "num_steps"),
            ({"batch_size": 0}, "batch_size"),
        ),
    ),
    Case(
        plan=DRAWN_SUMS,
        dearer=(
            {"num_critics": 48}, {"critics_per_draw": 4}, {"num_steps": 21}, {"batch_size": 9}, {"draws_per_step": 2},
            {"noise_multiplier": 1.26},
        ),
        equal=({"clip_norm": 7.0}, {"num_slots": 4000}),
        refused=(
            ({"critics_per_draw": 0}, "critics_per_draw"),
            ({"critics_per_draw": 51}, "above the 50 critics"),
            ({"draws_per_step": 4}, "divide"),
            ({"num_critics": 501}, "num-critics 500"),
            ({"num_steps": 0}, "num_steps"),
        ),
    ),
    Case(
        plan=SAMPLES,
        dearer=({"sample_rate": 0.12}, {"num_steps": 23}, {"noise_multiplier": 1.92}),
        equal=({"clip_norm": 7.0}, {"num_slots": 4000}, {"published": PUBLISHED_DP_CGAN}),
        refused=(
            ({"clip_norm": 0.0}, "clip_norm"),
            ({"clip_norm": math.inf}, "clip_norm"),
            ({"clip_norm": math.nan}, "clip_norm"),
            ({"sample_rate": 0.0}, "sample_rate"),
            ({"sample_rate": 1.1}, "sample_rate"),
            ({"sample_rate": math.nan}, "sample_rate"),
            ({"num_steps": 0}, "num_steps"),
            ({"num_slots": 0}, "num_slots"),
            ({"records_per_unit": 2}, "records_per_unit"),
            ({"unit": Unit.PERSON, "records_per_unit": 0}, "records_per_unit"),
        ),
    ),
    Case(
        plan=BOTH,
        dearer=({"noise_multiplier": 1.95},),
        equal=(),
        refused=(
            ({"sums": None, "samples": None}, "at least one"),
            ({"num_slots": 400}, "same slots"),
            ({"sums": SUMS}, "same change"),
        ),
    ),
)  # fmt: skip
ALWAYS_REFUSED = (
    ({"noise_multiplier": -1.0}, "noise_multiplier"),
    ({"noise_multiplier": math.nan}, "noise_multiplier"),
)
PLANS: list[Any] = [case.plan for case in CASES]

all_plans = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: type(plan).__name__)


def each(name: str) -> pytest.MarkDecorator:
    """Parametrize a test by every plan with each of its changes of one kind."""
    found = [(case.plan, change) for case in CASES for change in getattr(case, name)]
    return pytest.mark.parametrize(("plan", "change"), found)


both_units = pytest.mark.parametrize("unit", Unit)


def of(plan: Any, unit: Unit, source: CountSource) -> Any:
    """The plan for another unit and source."""
    parts = {"sums": plan.sums, "samples": plan.samples} if isinstance(plan, SumsThenSamplesPlan) else {}
    changed = {name: of(part, unit, source) for name, part in parts.items()}
    return replace(plan, unit=unit, source=source, **changed)


def claims_coming_or_leaving(claim: PrivacyStatement) -> bool:
    """Whether a word of the statement speaks of a unit that is added, removed or emptied."""
    sentences = (*claim.describe_claim(), *claim.covered, *claim.not_covered, *claim.public_inputs, *claim.voids())
    return bool(re.search(r"\b(added|removed|emptied|filled)\b", " ".join(sentences)))


# ---- the change that is claimed -------------------------------------------------------------------------------------


@both_units
@all_plans
def test_a_number_that_was_given_covers_who_comes_and_who_leaves(plan: Any, unit: Unit) -> None:
    given = of(plan, unit, CountSource.GIVEN)
    claim = given.statement(TERMS)
    expected = Adjacency.ADD_OR_REMOVE_ONE if plan in (SAMPLES, BOTH) else Adjacency.SLOT
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


@pytest.mark.parametrize("plan", [SUMS, DRAWS, DRAWN_SUMS], ids=lambda plan: type(plan).__name__)
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
        assert names == (plan in (SAMPLES, BOTH))


def test_a_share_held_out_lowers_the_expected_batch_and_is_read_back() -> None:
    held_out = replace(SAMPLES, training_share=0.8)
    assert held_out.expected_batch_size == pytest.approx(40)
    assert held_out.event == SAMPLES.event
    assert slots_of(held_out.statement(TERMS)).training_share == pytest.approx(0.8)


# ---- the price ------------------------------------------------------------------------------------------------------


@each("dearer")
def test_every_number_of_the_run_moves_the_price(plan: Any, change: dict[str, Any]) -> None:
    assert replace(plan, **change).budget_at(1e-5).epsilon > plan.budget_at(1e-5).epsilon


@each("equal")
def test_the_price_depends_on_nothing_else(plan: Any, change: dict[str, Any]) -> None:
    assert replace(plan, **change).budget_at(1e-5).epsilon == pytest.approx(plan.budget_at(1e-5).epsilon, rel=1e-9)
    if "releases" not in change:
        assert replace(plan, **change).event == plan.event


@all_plans
def test_a_calibrated_plan_keeps_within_its_budget_and_three_percent_less_noise_does_not(plan: Any) -> None:
    budget = PrivacyBudget(epsilon=2.0, delta=DELTA)
    found = replace(plan, noise_multiplier=None).calibrated(budget)
    assert found.noise_multiplier is not None
    assert found == replace(plan, noise_multiplier=found.noise_multiplier)
    assert found.budget_at(DELTA).epsilon <= 2.0
    assert replace(found, noise_multiplier=0.97 * found.noise_multiplier).budget_at(DELTA).epsilon > 2.0


@all_plans
def test_a_plan_cannot_be_changed_after_it_was_priced(plan: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        plan.noise_multiplier = 0.1


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [1 / 500, 0.1, 0.0, 1.0, math.nan])
@all_plans
def test_a_delta_of_one_over_the_slots_or_out_of_range_is_refused(plan: Any, delta: float) -> None:
    with pytest.raises(PrivacyError, match="delta"):
        plan.budget_at(delta)
    with pytest.raises(PrivacyError, match="delta"):
        plan.statement(replace(TERMS, delta=delta))
    if 0 < delta < 1:
        with pytest.raises(PrivacyError, match="delta"):
            replace(plan, noise_multiplier=None).calibrated(PrivacyBudget(epsilon=1.0, delta=delta))


@all_plans
def test_no_noise_is_refused(plan: Any) -> None:
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        replace(plan, noise_multiplier=0.0)


@pytest.mark.parametrize(
    ("plan", "change", "word"),
    [(case.plan, change, word) for case in CASES for change, word in (*ALWAYS_REFUSED, *case.refused)],
)
def test_a_number_out_of_range_is_bad_input(plan: Any, change: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        replace(plan, **change)


@all_plans
def test_a_plan_whose_noise_is_not_chosen_yet_has_no_price(plan: Any) -> None:
    undecided = replace(plan, noise_multiplier=None)
    for read in (
        lambda: undecided.noise_std,
        lambda: undecided.event,
        lambda: undecided.budget_at(1e-5),
        lambda: undecided.statement(TERMS),
    ):
        with pytest.raises(InputError, match="calibrate"):
            read()


# ---- the first steps of a run ---------------------------------------------------------------------------------------


@functools.cache
def cost_of_first(plan: Any, step: int) -> float:
    """Epsilon of the first steps of a plan."""
    return plan.first_steps(step).budget_at(DELTA).epsilon


def some_steps(plan: Any) -> tuple[int, ...]:
    """Numbers of steps that are not yet the whole: the first, one in the middle, the last but one."""
    return tuple(sorted({1, plan.num_steps // 2, plan.num_steps - 1}))


@all_plans
def test_the_first_steps_are_a_plan_of_their_own_and_cost_less(plan: Any) -> None:
    costs = [cost_of_first(plan, step) for step in (*some_steps(plan), plan.num_steps)]
    assert costs == sorted(set(costs))
    assert [plan.first_steps(step).num_steps for step in some_steps(plan)] == [*some_steps(plan)]
    assert plan.first_steps(plan.num_steps) == plan
    for step in (-1, 0, plan.num_steps + 1):
        with pytest.raises(InputError, match=r"first .* at least 1"):
            plan.first_steps(step)


@pytest.mark.parametrize("plan", [DRAWS, SAMPLES, DRAWN_SUMS], ids=lambda plan: type(plan).__name__)
def test_the_first_steps_cost_what_a_plan_of_so_many_costs(plan: Any) -> None:
    assert plan.first_steps(7) == replace(plan, num_steps=7)


@all_plans
def test_a_budget_buys_the_most_steps_that_keep_within_it(plan: Any) -> None:
    one, whole = cost_of_first(plan, 1), cost_of_first(plan, plan.num_steps)
    bought = {100.0: plan.num_steps, whole: plan.num_steps, one: 1, 0.99 * one: 0}
    bought |= {(cost_of_first(plan, step) + cost_of_first(plan, step + 1)) / 2: step for step in some_steps(plan)}
    found = {epsilon: plan.num_steps_within(PrivacyBudget(epsilon=epsilon, delta=DELTA)) for epsilon in bought}
    assert found == bought


@all_plans
def test_a_statement_of_the_first_steps_says_so_and_warns_of_choosing(plan: Any) -> None:
    whole = plan.first_steps(2).statement(TERMS)
    part = plan.first_steps(2).statement(replace(TERMS, num_planned_steps=plan.num_steps))
    assert replace(part, covered=whole.covered, not_covered=whole.not_covered) == whole
    assert part.epsilon < plan.budget_at(DELTA).epsilon
    assert re.search(rf"\b2 of the {plan.num_steps} (steps|sums)\b", part.covered[0])
    assert part.not_covered == (TUNING, *whole.not_covered)
    assert plan is SUMS or "do not add up" in part.covered[1]


# ---- the statement --------------------------------------------------------------------------------------------------


@all_plans
def test_a_statement_leaves_evaluations_and_choices_by_them_uncovered(plan: Any) -> None:
    claim = plan.statement(TERMS)
    sentence = next(text for text in claim.not_covered if text.startswith("evaluations"))
    assert "score on real data" in sentence
    assert "choices made by them" in sentence
    assert sentence in claim.to_markdown()


@all_plans
def test_a_statement_says_whether_the_noise_was_secret(plan: Any) -> None:
    for noise in (DeterministicNoise(0), KeyedNoise()):
        claim = plan.statement(replace(TERMS, is_secure=noise.is_secure))
        assert claim.is_secure is isinstance(noise, KeyedNoise)


def final_kinds(kind: type[AbstractPlan]) -> set[type[AbstractPlan]]:
    """The plans of the library that have no plan below them."""
    below = [one for one in kind.__subclasses__() if one.__module__.startswith("gossamer.")]
    return set().union(*map(final_kinds, below)) if below else {kind}


def test_every_plan_is_here() -> None:
    assert {type(plan) for plan in PLANS} == final_kinds(AbstractPlan)
