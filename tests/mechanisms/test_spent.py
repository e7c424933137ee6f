"""What a ledger's blocks cost, by plan: lost steps are paid for, and nothing is charged that the plan has not."""

from __future__ import annotations

from typing import Any

import pytest

from gossamer.errors import PrivacyError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import GroupedVectors
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.privacy import Ledger, LedgerEntry, Unit
from gossamer.privacy.events import gaussian_event
from gossamer.privacy.restated import is_same_event

VECTORS = GroupedVectors(num_groups=3, dim=4, radius=1.0)
SUMS = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=500,
    releases=tuple(Release(name=name, contribution=VECTORS, share=share) for name, share in (("a", 1.0), ("b", 3.0))),
    noise_multiplier=4.0,
)
DRAWS = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=500, num_critics=50, num_steps=20, batch_size=6, draws_per_step=3, clip_norm=0.7,
    noise_multiplier=1.3,
)  # fmt: skip
SAMPLES = PoissonPlan(
    unit=Unit.RECORD, num_slots=500, sample_rate=0.1, num_steps=20, clip_norm=1.0, noise_multiplier=2.0
)


def ledger(*blocks: tuple[int, int, int]) -> Ledger:
    return Ledger(
        entries=tuple(
            LedgerEntry(first_step=first, num_steps=num, process_index=process) for first, num, process in blocks
        )
    )


@pytest.mark.parametrize("plan", [SUMS, DRAWS, SAMPLES], ids=lambda plan: type(plan).__name__)
def test_a_whole_plan_charged_costs_what_the_plan_costs_and_nothing_charged_nothing(plan: Any) -> None:
    assert plan.spent_by(Ledger()) is None
    assert is_same_event(plan.spent_by(ledger((0, 1, 0), (1, plan.num_steps - 1, 0))), plan.event)


@pytest.mark.parametrize("plan", [DRAWS, SAMPLES], ids=lambda plan: type(plan).__name__)
def test_lost_steps_count_as_taken(plan: Any) -> None:
    spent = plan.spent_by(ledger((0, 10, 0), (3, 5, 1)))
    assert is_same_event(spent, plan.first_steps(15).event)


def test_a_one_shot_release_charged_twice_costs_twice_what_it_costs() -> None:
    event = SUMS.spent_by(ledger((0, 1, 0), (0, 1, 1)))
    alone = gaussian_event(noise_multiplier=SUMS.release_multiplier(0), num_releases=2)
    assert event is not None
    assert is_same_event(event, alone)
    assert not is_same_event(event, SUMS.event)


@pytest.mark.parametrize("plan", [SUMS, DRAWS, SAMPLES], ids=lambda plan: type(plan).__name__)
@pytest.mark.parametrize("blocks", [((0, 10**12, 0),), ((0, 1, 0), (10**12, 1, 0)), ((0, 15, 0), (0, 15, 1))])
def test_what_the_plan_has_not_is_refused_and_takes_no_memory(plan: Any, blocks: Any) -> None:
    with pytest.raises(PrivacyError, match="edited, or it is of another run"):
        plan.spent_by(ledger(*blocks))
