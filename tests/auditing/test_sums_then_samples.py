"""Honest doors of sums and samples stay within their one claim, broken ones do not. Noise comes from seeds."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any

import pytest

from gossamer.auditing.mechanism import Effort, audits_of
from gossamer.auditing.one_shot import audit_sums
from gossamer.auditing.result import AuditResult
from gossamer.auditing.sums_then_samples import MakeDoors, audit_both, guard_both
from gossamer.errors import InputError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_shot.contributions import GroupedMoments
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.neighbours import ComingOrLeaving
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.mechanisms.sums_then_samples.split import Split
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import CountSource

DELTA = 1e-5
EFFORT = Effort(num_games=2000, num_bits=2000, confidence=0.99)
MEANS = GroupedMoments(num_groups=3, dim=5, radius=2, count_weight=1, mean_weight=1)
SQUARES = GroupedMoments(num_groups=3, dim=6, radius=1, square_weight=1)


def plan(share: float = 0.5, noise: float = 0.4, source: CountSource = CountSource.GIVEN) -> SumsThenSamplesPlan:
    shared: Any = {"unit": Unit.RECORD, "num_slots": 500, "source": source, "noise_multiplier": None}
    releases = (Release(name="means", contribution=MEANS), Release(name="squares", contribution=SQUARES, share=0.5))
    return SumsThenSamplesPlan(
        sums=OneShotPlan(releases=releases, neighbours=ComingOrLeaving(), **shared),
        samples=PoissonPlan(sample_rate=0.5, num_steps=4, clip_norm=0.5, **shared),
        split=Split(share=share),
        **{**shared, "noise_multiplier": noise},
    )


def doors() -> MakeDoors:
    seeds = itertools.count()
    return lambda plan, tags: guard_both(plan, tags, lambda: DeterministicNoise(next(seeds)))


@functools.cache
def found(priced: SumsThenSamplesPlan) -> AuditResult:
    return audit_both(priced, DELTA, EFFORT, doors())


def test_both_parts_together_show_less_than_is_claimed_and_more_than_nothing() -> None:
    result = found(plan())
    assert 0.5 < result.lower_bound_epsilon <= result.claimed_epsilon


def test_the_audit_sees_more_in_both_parts_than_in_one() -> None:
    """Evidence of the two is added: a claim of the sums alone would be exceeded if it were theirs."""
    whole = found(plan(share=0.5)).lower_bound_epsilon
    little_teacher = found(plan(share=0.01, noise=0.4 / 0.5**0.5)).lower_bound_epsilon
    assert whole > little_teacher


class Unpaid(SumsThenSamplesPlan):
    """The break: the price of the sums alone."""

    def _event_with(self, noise_multiplier: float) -> Any:
        return self._parts(noise_multiplier)[0].event


def test_a_teacher_that_is_not_paid_for_is_caught() -> None:
    unpaid = Unpaid(**vars(plan(share=0.98, noise=0.25)))
    result = found(unpaid)
    assert result.lower_bound_epsilon > result.claimed_epsilon
    assert (
        found(plan(share=0.98, noise=0.25)).lower_bound_epsilon <= plan(share=0.98, noise=0.25).budget_at(DELTA).epsilon
    )


def sums_audited(factor: float) -> list[AuditResult]:
    """The games of the sums alone, whose doors have a part of their noise."""
    seeds = itertools.count()

    def make(priced: OneShotPlan) -> OneShotReleaser:
        assert priced.noise_multiplier is not None
        quiet = replace(priced, noise_multiplier=factor * priced.noise_multiplier)
        return OneShotReleaser(quiet, DeterministicNoise(next(seeds)), gate=StepGate(quiet))

    return list(audit_sums(plan(noise=1.0).of_sums, DELTA, replace(EFFORT, num_games=4000), make))


def test_sums_that_a_unit_enters_or_leaves_stay_within_their_claim_and_half_their_noise_does_not() -> None:
    assert all(result.lower_bound_epsilon <= result.claimed_epsilon for result in sums_audited(1.0))
    assert any(result.lower_bound_epsilon > result.claimed_epsilon for result in sums_audited(0.5))


def test_all_games_of_a_plan_are_played_and_a_replacement_has_no_canaries() -> None:
    kinds = [
        result.kind for result in audits_of(plan(), DELTA, replace(EFFORT, num_games=64, num_bits=64), lambda *_: None)
    ]
    assert kinds == [
        "mechanism: one-shot sums", "mechanism: sum means", "mechanism: sum squares",
        "mechanism: one gradient of dense layers", "mechanism: composition",
    ]  # fmt: skip
    with pytest.raises(InputError, match="replaced"):
        found(plan(source=CountSource.READ))
