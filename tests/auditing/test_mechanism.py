"""Honest doors stay within their claims, broken ones do not. Noise comes from seeds: the same result at every run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gossamer.auditing.mechanism import (
    Effort,
    MakeOneOfMany,
    MakePoisson,
    MakeSumOfMany,
    audit_answers,
    audit_draws,
    audit_gradients,
    audit_samples,
    audit_summed_answers,
    audits_of,
    num_critic_canaries,
)
from gossamer.auditing.mechanism import audit_sums as audit_critic_sums
from gossamer.auditing.one_shot import MakeReleaser, audit_sums, worst_pair
from gossamer.auditing.result import AuditResult
from gossamer.errors import InputError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import Contribution, GroupedMoments, GroupedVectors
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.pieces import whole
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import Units
from gossamer.mechanisms.sum_of_many.door import Ask, SumOfManyReleaser
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.privacy.adjacency import Unit

from .fixed_pair import audit_fixed_pair, audit_opposite_pair

DELTA = 1e-5
EFFORT = Effort(num_games=4000, num_bits=1000, confidence=0.99)
# A draw of two samples is a Gaussian of multiplier 1.98.
PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=50, num_critics=20, num_steps=5, batch_size=200, draws_per_step=100, clip_norm=0.7,
    noise_multiplier=2.8,
)  # fmt: skip
CRITIC_SUMS = SumOfManyPlan(critics_per_draw=4, **vars(PLAN))
POISSON = PoissonPlan(
    unit=Unit.RECORD, num_slots=60, sample_rate=0.1, num_steps=10, clip_norm=0.5, noise_multiplier=1.5
)
SUMS = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=40,
    releases=(
        Release(
            name="means", contribution=GroupedMoments(num_groups=3, dim=5, radius=2, count_weight=1, mean_weight=1)
        ),
        Release(name="squares", contribution=GroupedMoments(num_groups=3, dim=6, radius=1, square_weight=1), share=0.5),
    ),
    noise_multiplier=2.0,
)

ATTAINED = replace(
    CRITIC_SUMS, num_steps=2, num_critics=5, critics_per_draw=1, batch_size=40, draws_per_step=10, noise_multiplier=2.0
)

Noise = Callable[[int], AbstractNoise]


def doors(kind: type[OneOfManyPlan] = OneOfManyPlan, noise: Noise = DeterministicNoise) -> MakeOneOfMany:
    """Doors for plans of a kind, each with noise of its own."""
    seeds = itertools.count()
    return lambda plan: OneOfManyReleaser(
        kind(**fields_of(plan)), noise(next(seeds)), gate=StepGate(kind(**fields_of(plan)))
    )


def sums(
    kind: type[SumOfManyPlan] = SumOfManyPlan,
    noise: Noise = DeterministicNoise,
    door: type[SumOfManyReleaser] = SumOfManyReleaser,
) -> MakeSumOfMany:
    seeds = itertools.count()
    return lambda plan: door(
        kind(**fields_of(plan)), noise(next(seeds)), chunk_size=64, gate=StepGate(kind(**fields_of(plan)))
    )


def gradient(kind: type[PoissonPlan] = PoissonPlan, noise: Noise = DeterministicNoise) -> MakePoisson:
    seeds = itertools.count()

    def make(plan: PoissonPlan, units: Units, records: tuple[Tensor, ...]) -> PoissonReleaser:
        return PoissonReleaser(
            kind(**fields_of(plan)),
            units,
            records,
            noise(next(seeds)),
            chunk_size=64,
            gate=StepGate(kind(**fields_of(plan))),
        )

    return make


def releaser(kind: type[OneShotPlan] = OneShotPlan) -> MakeReleaser:
    seeds = itertools.count()
    return lambda plan: OneShotReleaser(
        kind(**fields_of(plan)), DeterministicNoise(next(seeds)), gate=StepGate(kind(**fields_of(plan)))
    )


def fields_of(plan: object) -> dict:
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__}  # type: ignore[attr-defined]


# ---- honest doors ---------------------------------------------------------------------------------------------------


def test_honest_doors_stay_within_their_claims_and_show_much_of_mu() -> None:
    """At confidence 0.99: secret noise would raise a false alarm in one audit of a hundred at most."""
    found = [
        audit_answers(PLAN, DELTA, EFFORT, doors()),
        audit_summed_answers(CRITIC_SUMS, DELTA, EFFORT, sums()),
        audit_gradients(POISSON, DELTA, replace(EFFORT, num_games=2000), gradient()),
        *audit_sums(SUMS, DELTA, replace(EFFORT, num_games=8000), releaser()),
    ]
    for result in found:
        assert result.is_within_claim, result
        assert result.lower_bound_mu is not None
        assert result.claimed_mu is not None
        assert result.lower_bound_mu > 0.35 * result.claimed_mu, result
        assert 0 < result.lower_bound_epsilon <= result.claimed_epsilon


def test_what_is_claimed_is_the_plans_own_price() -> None:
    assert audit_draws(PLAN, DELTA, replace(EFFORT, num_bits=20), doors()).claimed_epsilon == (
        PLAN.budget_at(DELTA).epsilon
    )
    assert audit_critic_sums(CRITIC_SUMS, DELTA, replace(EFFORT, num_bits=20), sums()).claimed_epsilon == (
        CRITIC_SUMS.budget_at(DELTA).epsilon
    )
    answers = audit_answers(PLAN, DELTA, replace(EFFORT, num_games=100), doors())
    summed = audit_summed_answers(CRITIC_SUMS, DELTA, replace(EFFORT, num_games=100), sums())
    assert answers.claimed_mu == summed.claimed_mu == pytest.approx(2**0.5 / 2.8)
    whole, *each = audit_sums(SUMS, DELTA, replace(EFFORT, num_games=100), releaser())
    assert whole.claimed_mu == pytest.approx(1 / 2.0)
    assert whole.claimed_epsilon == pytest.approx(SUMS.budget_at(DELTA).epsilon)
    assert [one.kind for one in each] == ["mechanism: sum means", "mechanism: sum squares"]
    assert sum(one.claimed_mu**2 for one in each) == pytest.approx(1 / 4)  # type: ignore[operator]


def test_honest_draws_stay_within_their_claim() -> None:
    few = replace(PLAN, num_steps=1, num_critics=5, batch_size=20, draws_per_step=20, noise_multiplier=2.4)
    told = audit_draws(few, DELTA, replace(EFFORT, num_bits=2000, confidence=0.95), doors())
    assert told.claimed_epsilon / 3 < told.lower_bound_epsilon < told.claimed_epsilon


@pytest.mark.parametrize("critics_per_draw", [1, 4])
def test_honest_sums_stay_within_their_claim(critics_per_draw: int) -> None:
    few = replace(
        CRITIC_SUMS, num_steps=1, num_critics=5, critics_per_draw=critics_per_draw, batch_size=20, draws_per_step=20,
        noise_multiplier=2.0,
    )  # fmt: skip
    told = audit_critic_sums(few, DELTA, replace(EFFORT, num_bits=2000, confidence=0.95), sums())
    assert told.claimed_epsilon / 3.5 < told.lower_bound_epsilon < told.claimed_epsilon


def around(plan: SumOfManyPlan) -> Tensor:
    """A public centre as long as the clip."""
    return plan.clip_norm * torch.nn.functional.normalize(torch.ones(num_critic_canaries(plan)), dim=0)


def test_honest_sums_around_a_public_centre_stay_within_their_claim_and_show_as_much() -> None:
    few = replace(
        CRITIC_SUMS, num_steps=1, num_critics=5, critics_per_draw=1, batch_size=20, draws_per_step=20,
        noise_multiplier=2.0,
    )  # fmt: skip
    effort = replace(EFFORT, num_bits=2000, confidence=0.95)
    told = audit_critic_sums(few, DELTA, effort, sums(), centre=around(few))
    assert told.claimed_epsilon / 3.5 < told.lower_bound_epsilon < told.claimed_epsilon
    plain = audit_critic_sums(few, DELTA, effort, sums())
    assert told.lower_bound_epsilon == pytest.approx(plain.lower_bound_epsilon, rel=0.05)


def test_an_honest_sum_on_the_pair_that_attains_its_price_stays_within_its_claim_and_shows_a_third() -> None:
    told = audit_opposite_pair(ATTAINED, 1e-2, replace(EFFORT, num_games=1500), sums())
    assert told.claimed_epsilon / 3 < told.lower_bound_epsilon < told.claimed_epsilon, told


def test_an_honest_run_on_the_fixed_pair_stays_within_its_claim() -> None:
    few = replace(PLAN, num_steps=2, num_critics=5, batch_size=40, draws_per_step=10, noise_multiplier=2.0)
    told = audit_fixed_pair(few, 1e-2, replace(EFFORT, num_games=1000), doors())
    assert told.claimed_epsilon / 3 < told.lower_bound_epsilon < told.claimed_epsilon


def test_honest_samples_stay_within_their_claim() -> None:
    loud = replace(POISSON, num_steps=5, sample_rate=0.5, noise_multiplier=1.6)
    told = audit_samples(loud, DELTA, replace(EFFORT, num_bits=1500, confidence=0.95), gradient())
    assert told.claimed_epsilon / 3 < told.lower_bound_epsilon < told.claimed_epsilon


def test_people_are_played_as_wholes() -> None:
    people = replace(POISSON, unit=Unit.PERSON, records_per_unit=3, num_steps=2, sample_rate=0.9, noise_multiplier=0.5)
    told = audit_samples(people, DELTA, replace(EFFORT, num_bits=240), gradient())
    assert 1 < told.lower_bound_epsilon < told.claimed_epsilon


def test_progress_is_told_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    audit_draws(PLAN, DELTA, replace(EFFORT, num_bits=50), doors(), lambda *done: seen.append(done))
    assert seen == [(20, 60), (40, 60), (60, 60)]


def test_a_plan_registers_the_audits_of_its_mechanism_and_others_are_refused() -> None:
    effort = replace(EFFORT, num_games=100, num_bits=20)
    plans = (PLAN, CRITIC_SUMS, POISSON, SUMS)
    kinds = [[one.kind for one in audits_of(plan, DELTA, effort, lambda *_: None)] for plan in plans]
    assert [len(found) for found in kinds] == [2, 2, 3, 3]
    assert kinds[1] == ["mechanism: one answer", "mechanism: composition"]

    class NewPlan:
        """A mechanism that is not there yet."""

    with pytest.raises(InputError, match="no audit is known for a NewPlan"):
        audits_of(NewPlan(), DELTA, effort, lambda *_: None)  # type: ignore[arg-type]
    audits_of.register(NewPlan, lambda plan, delta, effort, watch: ["its own"])
    assert audits_of(NewPlan(), DELTA, effort, lambda *_: None) == ["its own"]  # type: ignore[arg-type]


# ---- planted breaks -------------------------------------------------------------------------------------------------


class NoFactorTwo(OneOfManyPlan):
    """The norm of one answer taken for the distance between two."""

    @property
    def sensitivity(self) -> float:
        return self.clip_norm


class HalvedNoise(OneOfManyPlan):
    @property
    def noise_std(self) -> float:
        return 0.5 * super().noise_std


class ClipsToTwice(OneOfManyPlan):
    """A clip twice as wide as the noise was made for."""

    @property
    def group_clip_norm(self) -> float:
        return 2 * super().group_clip_norm


class OneCoin(DeterministicNoise):
    """One coin for all samples of a batch: what the published system drew, and priced as one for each."""

    def coins(self, step: int, num_draws: int, num_critics: int) -> Tensor:
        return super().coins(step, 1, num_critics).expand(num_draws)


class HalvedGradientNoise(PoissonPlan):
    @property
    def noise_std(self) -> float:
        return 0.5 * super().noise_std


class EverybodyDrawn(DeterministicNoise):
    """Every unit in every batch, priced as a sample."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return torch.ones(num_units, dtype=torch.bool)


class RadiusForDistance(OneShotPlan):
    """Sums priced as if an emptied slot were the worst."""

    def release_noise_std(self, step: int) -> float:
        return self.releases[step].contribution.norm_bound * self.release_multiplier(step)


class NoiseOnTheFirstSum(OneShotPlan):
    def release_noise_std(self, step: int) -> float:
        return super().release_noise_std(step) * (1.0 if step == 0 else 1e-6)


class WholeBudgetForEach(OneShotPlan):
    def release_multiplier(self, step: int) -> float:
        return self.noise_multiplier or 0.0


@pytest.mark.parametrize("kind", [NoFactorTwo, HalvedNoise, ClipsToTwice])
def test_noise_half_as_large_as_claimed_on_answers_is_caught_by_mu(kind: type[OneOfManyPlan]) -> None:
    """The plain form of epsilon, which needs the far tail, misses all three at this number of games."""
    told = audit_answers(PLAN, DELTA, EFFORT, doors(kind))
    assert told.lower_bound_mu > 1.5 * told.claimed_mu  # type: ignore[operator]
    assert dict(told.details)["epsilon without assuming a Gaussian"] < told.claimed_epsilon  # type: ignore[operator]


def test_one_coin_a_batch_priced_as_one_a_sample_is_caught_by_the_likelihood_ratio() -> None:
    """What the published system did. On the fixed pair, by independent games."""
    one = replace(PLAN, num_steps=1, num_critics=10, batch_size=256, draws_per_step=256, noise_multiplier=2.0)
    told = audit_fixed_pair(one, 1e-2, replace(EFFORT, num_games=1400, confidence=0.95), doors(noise=OneCoin))
    assert told.lower_bound_epsilon > told.claimed_epsilon, told


class NoFactorTwoOfSums(SumOfManyPlan):
    """The norm of one answer taken for the distance between two."""

    @property
    def sensitivity(self) -> float:
        return self.clip_norm


class HalvedNoiseOfSums(SumOfManyPlan):
    @property
    def noise_std(self) -> float:
        return 0.5 * super().noise_std


class ClipsSumsToTwice(SumOfManyPlan):
    """A clip twice as wide as the noise was made for."""

    @property
    def group_clip_norm(self) -> float:
        return 2 * super().group_clip_norm


@pytest.mark.parametrize("kind", [NoFactorTwoOfSums, HalvedNoiseOfSums, ClipsSumsToTwice])
def test_noise_half_as_large_as_claimed_on_a_sum_of_answers_is_caught_by_mu(kind: type[SumOfManyPlan]) -> None:
    told = audit_summed_answers(CRITIC_SUMS, DELTA, EFFORT, sums(kind))
    assert told.lower_bound_mu > 1.5 * told.claimed_mu  # type: ignore[operator]


class OneCoinForAllGroups(DeterministicNoise):
    """A critic that is in one group is in all of them, which are priced as one coin each."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return super().inclusions(step, num_units, sample_rate)[:10].repeat(num_units // 10)


def test_one_coin_for_several_groups_priced_as_one_each_is_caught_by_the_likelihood_ratio() -> None:
    """On the pair that is attained, by independent games."""
    one = replace(ATTAINED, num_steps=1, num_critics=10, batch_size=64, draws_per_step=64, noise_multiplier=1.3)
    effort = replace(EFFORT, num_games=2000, confidence=0.95)
    told = audit_opposite_pair(one, 1e-2, effort, sums(noise=OneCoinForAllGroups))
    assert told.lower_bound_epsilon > told.claimed_epsilon, told


class EveryCriticIncluded(DeterministicNoise):
    """Every critic in every draw, priced as a sample."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return torch.ones(num_units, dtype=torch.bool)


def test_every_critic_in_every_sum_priced_as_a_sample_is_caught() -> None:
    quiet = replace(CRITIC_SUMS, critics_per_draw=1, batch_size=20, draws_per_step=20, noise_multiplier=1.5)
    told = audit_critic_sums(quiet, DELTA, EFFORT, sums(noise=EveryCriticIncluded))
    assert told.lower_bound_epsilon > told.claimed_epsilon, told


class PredictsByTheAnswers(SumOfManyReleaser):
    """A centre that saw records: the mean of the answers of all critics is put in its place."""

    def release(self, step: int, ask: Ask, centre: Tensor | None = None) -> Tensor:
        every = torch.arange(self.plan.num_critics)
        groups = [torch.full_like(every, group) for group in range(self.plan.draws_per_step)]
        seen = torch.stack([whole(ask(every, group), group).mean(dim=0) for group in groups])
        return super().release(step, ask, seen.flatten(end_dim=1))


def test_a_centre_that_saw_records_is_caught_by_the_likelihood_ratio() -> None:
    few = replace(
        CRITIC_SUMS, num_steps=1, num_critics=20, critics_per_draw=1, batch_size=20, draws_per_step=20,
        noise_multiplier=2.0,
    )  # fmt: skip
    told = audit_critic_sums(few, DELTA, EFFORT, sums(door=PredictsByTheAnswers), centre=around(few))
    assert told.lower_bound_epsilon > told.claimed_epsilon, told


def test_half_the_noise_on_gradients_is_caught_by_mu() -> None:
    effort = replace(EFFORT, num_games=1000)
    assert not audit_gradients(POISSON, DELTA, effort, gradient(HalvedGradientNoise)).is_within_claim


def test_everybody_in_every_batch_priced_as_a_sample_is_caught() -> None:
    told = audit_samples(POISSON, DELTA, EFFORT, gradient(noise=EverybodyDrawn))
    assert told.lower_bound_epsilon > told.claimed_epsilon, told


@pytest.mark.parametrize(
    ("kind", "num_games"), [(RadiusForDistance, 20_000), (NoiseOnTheFirstSum, 3000), (WholeBudgetForEach, 10_000)]
)
def test_too_little_noise_on_sums_is_caught_by_mu(kind: type[OneShotPlan], num_games: int) -> None:
    told = audit_sums(SUMS, DELTA, replace(EFFORT, num_games=num_games), releaser(kind))
    assert not all(result.is_within_claim for result in told)


# ---- neighbours and refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "contribution",
    [
        GroupedVectors(num_groups=1, dim=1, radius=3.0),
        GroupedVectors(num_groups=4, dim=7, radius=0.5),
        GroupedMoments(num_groups=1, dim=4, radius=2.0, square_weight=1.0),
        GroupedMoments(num_groups=3, dim=4, radius=2.0, count_weight=1.0, mean_weight=1.0),
        GroupedMoments(num_groups=1, dim=3, radius=1.0, mean_weight=0.6, square_weight=1.0),
        GroupedMoments(num_groups=2, dim=3, radius=1.0, count_weight=2.0, mean_weight=0.3, square_weight=0.2),
        GroupedMoments(num_groups=1, dim=3, radius=1.0, count_weight=5.0, mean_weight=0.1),
    ],
)
def test_the_worst_pair_that_is_found_by_trying_attains_the_sensitivity(contribution: Contribution) -> None:
    first, second = worst_pair(contribution)
    distance = float((contribution.total(first) - contribution.total(second)).norm())
    # Vectors are shrunk by 2^-10 before they are rounded, and products of two by twice that.
    assert distance == pytest.approx(contribution.sensitivity, rel=2**-9 + 1e-4)
    assert distance <= contribution.sensitivity * (1 + 1e-12)


@pytest.mark.parametrize("change", [{"num_games": 2}, {"num_bits": 0}, {"confidence": 1.0}, {"confidence": 0.1}])
def test_an_effort_out_of_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        Effort(**change)  # type: ignore[arg-type]


def test_a_result_knows_whether_it_is_within_its_claim_and_says_so_in_json() -> None:
    result = AuditResult(
        kind="x", lower_bound_epsilon=0.5, claimed_epsilon=1.0, delta=1e-5, confidence=0.95, num_games=9,
        lower_bound_mu=0.3, claimed_mu=0.2, details=(("guesses", 4),),
    )  # fmt: skip
    assert not result.is_within_claim
    assert replace(result, claimed_mu=0.3).is_within_claim
    assert not replace(result, lower_bound_mu=None, claimed_mu=None, lower_bound_epsilon=1.1).is_within_claim
    tree = result.to_json()
    assert (tree["details"], tree["is_within_claim"], tree["confidence"]) == ({"guesses": 4}, False, 0.95)
    with pytest.raises(InputError, match="go together"):
        replace(result, claimed_mu=None)
    with pytest.raises(InputError, match="lower_bound_epsilon"):
        replace(result, lower_bound_epsilon=float("nan"))
