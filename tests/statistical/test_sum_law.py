"""The joint law of coins and noise as the releaser of Poisson sums releases them, and broken releasers that are caught.

The checks of noise and their levels are those of `test_sanitizer_law`. Who was included is read from what was released:
critic k answers along coordinate k, so that the whole path from coins to sums is under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.grid import PublicGrid
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.sum_of_many.door import SumOfManyReleaser
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.privacy.adjacency import Unit

from .test_sanitizer_law import AXES, LEVEL, has_exact_tail, p_law, p_uncorrelated, two_sided

K, GROUPS = 7, 12
PLAN = SumOfManyPlan(
    unit=Unit.RECORD, num_slots=70, num_critics=K, critics_per_draw=3, num_steps=40, batch_size=2 * GROUPS,
    draws_per_step=GROUPS, clip_norm=0.3, noise_multiplier=0.9,
)  # fmt: skip
VIEW = (1, 12, 17)  # 204 coordinates: 195,840 released numbers a run
PROMISED_STD = 2 * 0.3 * 0.9

Noise = Callable[[], AbstractNoise]


def door(
    kind: type[SumOfManyReleaser] = SumOfManyReleaser, noise: AbstractNoise | None = None, plan: SumOfManyPlan = PLAN
) -> SumOfManyReleaser:
    return kind(plan, noise or DeterministicNoise(11), chunk_size=5, gate=StepGate(plan))


# ---- noise ----------------------------------------------------------------------------------------------------------


def silence() -> Tensor:
    return torch.zeros(K, GROUPS, 2, *VIEW)


def answers() -> Tensor:
    """Norms from far below the bound to far above it, and one critic that is not finite."""
    lengths = torch.logspace(-6, 6, K).view(K, *[1] * 5)
    found = lengths * torch.randn(K, GROUPS, 2, *VIEW, generator=torch.Generator().manual_seed(5))
    found[3, :, 0, 0, 2, 2] = math.nan
    return found


class KnownCoins(AbstractNoise):
    """Secret or deterministic noise, and coins that the test knows: they belong to the promise, not to the noise."""

    def __init__(self, noise: AbstractNoise) -> None:
        self._noise = noise

    @property
    def is_secure(self) -> bool:
        return self._noise.is_secure

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return self._noise.gaussian(step, shape)

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return DeterministicNoise(2).inclusions(step, num_units, sample_rate)


def clipped_sums(table: Tensor, step: int) -> Tensor:
    """The sums over the included that should lie under the noise, in float64: (2 GROUPS, *VIEW)."""
    radius = 0.3 * math.sqrt(2) * (1 - 2**-10)
    who = DeterministicNoise(2).inclusions(step, GROUPS * K, PLAN.sample_rate).view(GROUPS, K)
    clipped = clip_to_ball(table.flatten(end_dim=1), radius).view(table.shape)
    return torch.einsum("gk,kg...->g...", who.double(), clipped).flatten(end_dim=1)


def released_noise(releaser: SumOfManyReleaser, table: Tensor) -> np.ndarray:
    """What a whole run adds to the sums of clipped answers, over the promised deviation: (steps, samples, numbers)."""
    added = []
    for step in range(PLAN.num_steps):
        released = releaser.release(step, lambda critics, groups: table[critics, groups])
        added.append(released.double() * PLAN.critics_per_draw - clipped_sums(table, step))
    return torch.stack(added).flatten(start_dim=2).numpy() / PROMISED_STD


@pytest.mark.parametrize("table", [silence, answers])
@pytest.mark.parametrize("noise", [lambda: DeterministicNoise(11), KeyedNoise])
def test_released_noise_is_normal_with_twice_clip_times_multiplier_and_independent(
    noise: Noise, table: Callable[[], Tensor]
) -> None:
    """Mean, scale, tail beyond 3.5, samples, steps. False-alarm rate: 5e-7 for each set with secret noise."""
    found = p_law(released_noise(door(noise=KnownCoins(noise())), table()))
    assert min(found.values()) > LEVEL, found


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_three_percent_off_in_scale_is_rejected(factor: float) -> None:
    wrong = replace(PLAN, noise_multiplier=0.9 * factor)
    assert p_law(released_noise(door(plan=wrong), silence()))["scale"] < LEVEL


@pytest.mark.parametrize("name", AXES)
def test_three_percent_of_variance_in_common_is_rejected(name: str) -> None:
    found = released_noise(door(), silence())
    shared = np.random.default_rng(0).standard_normal(
        [1 if axis == AXES[name] else length for axis, length in enumerate(found.shape)]
    )
    assert p_law(math.sqrt(0.97) * found + math.sqrt(0.03) * shared)[name] < LEVEL


def test_noise_is_uncorrelated_between_runs() -> None:
    """False-alarm rate: 1e-7."""
    runs = np.stack([released_noise(door(noise=KeyedNoise()), silence()) for _ in range(2)])
    assert p_uncorrelated(runs, axis=0) > LEVEL
    same = np.stack([released_noise(door(), silence()) for _ in range(2)])
    assert p_uncorrelated(same, axis=0) < LEVEL


def test_noise_beyond_the_range_of_float32_reaches_what_is_released() -> None:
    """Exact: a normal number of twelve stands in a release as it is, and the tail of the normals is the true one."""

    class Far(DeterministicNoise):
        def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
            return torch.full(shape, 12.0, dtype=torch.float64)

    assert has_exact_tail(lambda: DeterministicNoise(0))
    released = door(noise=Far(0)).release(0, lambda critics, groups: silence()[critics, groups])
    spacing = PublicGrid(radius=0.3 * math.sqrt(2), num_coordinates=2 * 204).spacing
    assert torch.allclose(released * 3, torch.full_like(released, 12 * PROMISED_STD), rtol=0, atol=spacing)


# ---- coins ----------------------------------------------------------------------------------------------------------

COINS = replace(
    PLAN, num_slots=64, num_critics=64, critics_per_draw=16, num_steps=240, batch_size=20, draws_per_step=20,
    noise_multiplier=1e-3,
)  # fmt: skip


def who_was_included(noise: AbstractNoise, plan: SumOfManyPlan = COINS) -> np.ndarray:
    """Read from the releases of a run who was in which sum: bool (steps, groups, critics)."""
    releaser = SumOfManyReleaser(plan, noise, chunk_size=64, gate=StepGate(plan))
    own = plan.clip_norm * torch.eye(plan.num_critics).view(-1, 1, 1, plan.num_critics)
    released = [
        releaser.release(step, lambda critics, groups: own[critics]).squeeze(1) for step in range(plan.num_steps)
    ]
    return (torch.stack(released) * plan.critics_per_draw > plan.clip_norm / 2).numpy()


def p_inclusions(who: np.ndarray, rate: float) -> dict[str, float]:
    """Six p-values of coins (steps, groups, critics) that are independent and of one rate.

    The number of a group is Binomial(K, q), by chi-square over pooled cells, and all coins together are binomial. How
    often each critic is in has the spread of independent coins. Two neighbours, among critics, groups and steps, that
    share no coin with another pair, are both in with probability q^2.
    """
    num_critics = who.shape[2]
    sizes = np.bincount(who.sum(axis=2).ravel(), minlength=num_critics + 1)
    expected = who.shape[0] * who.shape[1] * stats.binom.pmf(np.arange(num_critics + 1), num_critics, rate)
    usual = expected >= 20
    cells = [np.append(one[usual], one[~usual].sum()) for one in (sizes, expected)]
    often, num = who.sum(axis=(0, 1)), who.shape[0] * who.shape[1]
    spread = float(((often - num * rate) ** 2).sum()) / (num * rate * (1 - rate))
    found = {
        "all": float(stats.binomtest(int(who.sum()), who.size, rate).pvalue),
        "sizes": float(stats.chisquare(*cells, sum_check=False).pvalue),
        "critics alike": two_sided(stats.chi2(num_critics), spread),
    }
    for axis, name in enumerate(("steps", "groups", "critics")):
        first, second = np.moveaxis(who, axis, 0)[0::2], np.moveaxis(who, axis, 0)[1::2]
        found[name] = float(stats.binomtest(int((first & second).sum()), first.size, rate**2).pvalue)
    return found


@pytest.mark.parametrize("noise", [lambda: DeterministicNoise(2), KeyedNoise])
def test_each_critic_is_in_each_group_by_a_coin_of_its_own(noise: Noise) -> None:
    """The number included is Binomial(K, q). False-alarm rate: 6e-7 with secret coins."""
    found = p_inclusions(who_was_included(noise()), COINS.sample_rate)
    assert min(found.values()) > LEVEL, found


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_critics_that_are_in_three_percent_too_rarely_or_too_often_are_caught(factor: float) -> None:
    class Off(DeterministicNoise):
        def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
            return super().inclusions(step, num_units, factor * sample_rate)

    assert p_inclusions(who_was_included(Off(2)), COINS.sample_rate)["all"] < LEVEL


class OneCoinForAllGroups(DeterministicNoise):
    """A critic that is in one group is in all groups of the step."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        coins = super().inclusions(step, num_units, sample_rate).view(COINS.draws_per_step, -1)
        return coins[:1].expand(coins.shape).flatten()


class OneCoinForTwoCritics(DeterministicNoise):
    """Critics 2i and 2i + 1 share a coin."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return super().inclusions(step, num_units, sample_rate)[torch.arange(num_units) // 2 * 2]


class OneCoinForTwoSteps(DeterministicNoise):
    """Steps 2t and 2t + 1 share their coins."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return super().inclusions(step // 2, num_units, sample_rate)


class FixedNumber(DeterministicNoise):
    """As many critics in every group as are expected."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        order = torch.rand(COINS.draws_per_step, COINS.num_critics, generator=torch.Generator().manual_seed(step))
        return (order.argsort(dim=1).argsort(dim=1) < COINS.critics_per_draw).flatten()


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (OneCoinForAllGroups, "groups"),
        (OneCoinForTwoCritics, "critics"),
        (OneCoinForTwoSteps, "steps"),
        (FixedNumber, "sizes"),
    ],
)
def test_one_coin_for_several_groups_critics_or_steps_and_a_fixed_number_are_caught(
    broken: type[DeterministicNoise], check: str
) -> None:
    assert p_inclusions(who_was_included(broken(2)), COINS.sample_rate)[check] < LEVEL


def test_coins_tell_nothing_about_the_noise() -> None:
    """No correlation between the number in a group and its noise: a t law given the coins. False alarms: 1e-7."""

    def p_told(extra: float) -> float:
        plan, kept = replace(PLAN, num_steps=400), []
        releaser, noise = door(noise=KnownCoins(KeyedNoise()), plan=plan), DeterministicNoise(2)
        for step in range(plan.num_steps):
            released = releaser.release(step, lambda critics, groups: silence()[critics, groups])
            number = noise.inclusions(step, GROUPS * K, plan.sample_rate).view(GROUPS, K).sum(dim=1).double()
            heard = released.double().view(GROUPS, -1).sum(dim=1) * 3 / PROMISED_STD / math.sqrt(2 * 204)
            kept.append(torch.stack([number, heard + extra * (number - 3)]))
        return float(stats.pearsonr(*torch.cat(kept, dim=1).numpy()).pvalue)

    assert p_told(0.0) > LEVEL
    assert p_told(0.1) < LEVEL


# ---- planted breaks: each goes through the checks above -------------------------------------------------------------


class HalvedNoise(SumOfManyPlan):
    """A run with half the noise that its plan states."""

    @property
    def noise_std(self) -> float:
        return 0.5 * super().noise_std


class NoFactorTwo(SumOfManyPlan):
    """A run that takes the norm of one answer for the distance between two."""

    @property
    def sensitivity(self) -> float:
        return self.clip_norm


def altered(kind: type[SumOfManyPlan]) -> SumOfManyPlan:
    return kind(**{name: getattr(PLAN, name) for name in PLAN.__dataclass_fields__})


@pytest.mark.parametrize("broken", [HalvedNoise, NoFactorTwo])
def test_too_little_noise_on_a_sum_is_caught(broken: type[SumOfManyPlan]) -> None:
    assert p_law(released_noise(door(plan=altered(broken)), silence()))["scale"] < LEVEL


def covers_the_worst_distance(plan: SumOfManyPlan) -> bool:
    """One critic may answer a group with a vector at the bound, or with its opposite. Exact.

    Each is `group_clip_norm` from what the others add. Over the noise, that may be what the event prices.
    """
    priced = plan.event.event.sample.event.noise_multiplier  # type: ignore[attr-defined]
    return plan.group_clip_norm / plan.noise_std <= 1 / priced * (1 + 1e-12)


def test_a_sensitivity_without_the_factor_two_is_caught() -> None:
    assert covers_the_worst_distance(PLAN)
    assert not covers_the_worst_distance(altered(NoFactorTwo))


class DividedByTheDrawn(SumOfManyReleaser):
    """Divides by the mean number that was included."""

    def _divisor(self, step: int) -> float:
        return max(1.0, float(self._included(step).sum()) / GROUPS)


def test_a_sum_divided_by_the_number_drawn_is_caught_by_the_scale_of_its_noise() -> None:
    assert p_law(released_noise(door(DividedByTheDrawn), silence()))["scale"] < LEVEL


class SkipsNonFinite(SumOfManyReleaser):
    """Leaves a group without noise if an answer to it is not finite."""

    def release(self, step: int, ask: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        every = torch.arange(K).repeat_interleave(GROUPS), torch.arange(GROUPS).repeat(K)
        finite = ask(*every).flatten(start_dim=1).isfinite().all(dim=1).view(K, GROUPS)
        spoilt = (~finite & self._included(step).T).any(dim=0)
        return torch.where(spoilt.repeat_interleave(2)[:, None, None, None], 0.0, super().release(step, ask))


def test_an_answer_that_is_not_finite_and_takes_the_noise_away_is_caught() -> None:
    assert p_law(released_noise(door(noise=KnownCoins(DeterministicNoise(11))), answers()))["scale"] > LEVEL
    assert p_law(released_noise(door(SkipsNonFinite, KnownCoins(DeterministicNoise(11))), answers()))["scale"] < LEVEL


class SharedNoise(DeterministicNoise):
    """The same noise on every sample of a step."""

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return super().gaussian(step, (1, *shape[1:])).expand(shape)


class StepBlindNoise(DeterministicNoise):
    """The same noise at every step."""

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return super().gaussian(0, shape)


@pytest.mark.parametrize(("broken", "axis"), [(SharedNoise, "samples"), (StepBlindNoise, "steps")])
def test_noise_shared_by_samples_or_steps_is_caught(broken: type[DeterministicNoise], axis: str) -> None:
    assert p_law(released_noise(door(noise=broken(11)), silence()))[axis] < LEVEL
