"""The joint law of coins and noise as the releaser releases them, and the broken releasers that these checks catch.

Every check is a p-value; a law is rejected below ``LEVEL`` = 1e-7. `false_alarms` says how many p-values a check takes,
so that a test of secret noise fails a correct build at most that often times 1e-7. Tests with `DeterministicNoise` give
the same result at every run.
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
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.keystream import Keystream

LEVEL = 1e-7

PLAN = OneOfManyPlan(
    unit=Unit.RECORD,
    num_slots=70,
    num_critics=7,
    num_steps=40,
    batch_size=24,
    draws_per_step=12,
    clip_norm=0.3,
    noise_multiplier=0.9,
)
VIEW = (1, 12, 17)  # 204 coordinates: 195,840 released numbers a run

Release = Callable[[OneOfManyReleaser], Tensor]


# ---- the checks: each gives p-values that are uniform, or larger, under the promised law -----------------------------


def p_scale(standardised: np.ndarray) -> float:
    """Variance 1, by the exact chi-square law of the sum of squares. One p-value."""
    return two_sided(stats.chi2(standardised.size), float(np.square(standardised).sum()))


def p_shape(standardised: np.ndarray) -> float:
    """Standard normal: mean, Kolmogorov-Smirnov, and how many lie beyond 3.5. Bonferroni over three."""
    flat = standardised.ravel()
    mean = two_sided(stats.norm, float(flat.sum() / math.sqrt(flat.size)))
    distance = float(stats.kstest(flat, "norm", method="asymp").pvalue)
    beyond = stats.binomtest(int((np.abs(flat) > 3.5).sum()), flat.size, float(2 * stats.norm.sf(3.5))).pvalue
    return min(1.0, 3 * min(mean, distance, float(beyond)))


def p_uncorrelated(standardised: np.ndarray, axis: int) -> float:
    """No correlation between the slices along ``axis``. Bonferroni over all pairs and one sum.

    The correlation of two independent normal vectors has an exact law (Student's t), and the sum of m independent
    slices over sqrt(m) is standard normal again: the pairs see two slices that agree, the sum sees a little of
    something common to all.
    """
    slices = np.moveaxis(standardised, axis, 0).reshape(standardised.shape[axis], -1)
    num_slices, length = slices.shape
    unit = slices / np.linalg.norm(slices, axis=1, keepdims=True)
    correlation = np.clip((unit @ unit.T)[np.triu_indices(num_slices, 1)], -1, 1)
    largest = float(np.abs(correlation).max())
    student = math.inf if largest == 1 else largest * math.sqrt((length - 1) / (1 - largest**2))
    pairs = min(1.0, len(correlation) * 2 * float(stats.t.sf(student, length - 1)))
    return min(1.0, 2 * min(pairs, p_scale(slices.sum(axis=0) / math.sqrt(num_slices))))


def p_uniform(coins: np.ndarray, num_critics: int) -> float:
    """Every critic as likely as every other, by chi-square. One p-value."""
    return float(stats.chisquare(np.bincount(coins.ravel(), minlength=num_critics)).pvalue)


def p_independent_draws(coins: np.ndarray, num_critics: int) -> float:
    """Two draws of one step are equal with probability 1/K: independent, with replacement. coins: (steps, draws)."""
    first, second = coins[:, 0::2], coins[:, 1::2]
    width = min(first.shape[1], second.shape[1])
    equal = int((first[:, :width] == second[:, :width]).sum())
    return float(stats.binomtest(equal, first[:, :width].size, 1 / num_critics).pvalue)


def p_coins_tell_nothing(coins: np.ndarray, standardised: np.ndarray) -> float:
    """No correlation between a group's coin and the sum of its noise: exact t law given the coins."""
    groups = standardised.reshape(*coins.shape, -1)
    centred = coins - coins.mean()
    noise = groups.sum(axis=-1)
    r = float((centred * noise).sum() / np.linalg.norm(centred) / np.linalg.norm(noise))
    return float(2 * stats.t.sf(abs(r) * math.sqrt((coins.size - 1) / (1 - r * r)), coins.size - 1))


def two_sided(law: object, value: float) -> float:
    return float(2 * min(law.cdf(value), law.sf(value)))  # type: ignore[attr-defined]


AXES = {"steps": 0, "samples": 1, "coordinates": 2}


def p_law(standardised: np.ndarray) -> dict[str, float]:
    """All checks of one run's noise, (steps, samples, coordinates): five p-values."""
    return {
        "scale": p_scale(standardised),
        "shape": p_shape(standardised),
        **{name: p_uncorrelated(standardised, axis) for name, axis in AXES.items()},
    }


# ---- running a releaser --------------------------------------------------------------------------------------------


class Spy:
    """Answers a releaser's questions from a fixed table of gradients, and remembers the coins."""

    def __init__(self, plan: OneOfManyPlan, gradients: Tensor) -> None:
        self.groups = (plan.draws_per_step, plan.batch_size // plan.draws_per_step)
        self.gradients = gradients
        self.coins: list[Tensor] = []

    def __call__(self, coins: Tensor) -> Tensor:
        self.coins.append(coins.clone())
        return self.gradients.unflatten(0, self.groups)


def released_noise(
    releaser: OneOfManyReleaser, gradients: Tensor, promised: OneOfManyPlan = PLAN
) -> tuple[np.ndarray, np.ndarray]:
    """What a whole run adds to the clipped answers, over the promised standard deviation; and the coins.

    Returns:
        (steps, samples, coordinates) and (steps, draws).
    """
    spy = Spy(promised, gradients)
    # As the door shrinks them: rounding to the grid moves each number by less than 10^-4 of the noise.
    clipped = jointly_clipped(gradients, replace(promised, clip_norm=promised.clip_norm * (1 - 2**-10)))
    added = [releaser.release(step, spy).double() - clipped for step in range(promised.num_steps)]
    promised_std = 2 * promised.clip_norm * 0.9
    return torch.stack(added).flatten(start_dim=2).numpy() / promised_std, torch.stack(spy.coins).numpy()


def jointly_clipped(gradients: Tensor, plan: OneOfManyPlan) -> Tensor:
    """All answers of one draw as one vector of norm ``C sqrt(B/c)`` at most, written out."""
    per_draw = plan.batch_size // plan.draws_per_step
    groups = gradients.unflatten(0, (plan.draws_per_step, per_draw))
    return clip_to_ball(groups, plan.clip_norm * math.sqrt(per_draw)).flatten(end_dim=1)


def zero_gradients() -> Tensor:
    return torch.zeros(PLAN.batch_size, *VIEW)


def known_gradients() -> Tensor:
    """Norms from far below the bound to far above it, one answer that is not finite."""
    rng = torch.Generator().manual_seed(5)
    gradients = torch.randn(PLAN.batch_size, *VIEW, generator=rng)
    gradients *= torch.logspace(-6, 6, PLAN.batch_size)[:, None, None, None]
    gradients[3, 0, 2, 2] = math.nan  # the whole of the second draw counts as zero
    return gradients


# ---- the honest releaser -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gradients", [zero_gradients, known_gradients])
@pytest.mark.parametrize("noise", [lambda: DeterministicNoise(11), KeyedNoise])
def test_released_noise_is_normal_with_twice_clip_times_multiplier_and_independent(
    noise: Callable[[], AbstractNoise], gradients: Callable[[], Tensor]
) -> None:
    """False-alarm rate: 5e-7 for each of the two parameter sets with secret noise."""
    standardised, _ = released_noise(OneOfManyReleaser(PLAN, noise(), gate=StepGate(PLAN)), gradients())
    assert min(p_law(standardised).values()) > LEVEL, p_law(standardised)


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_three_percent_off_in_scale_is_rejected(factor: float) -> None:
    wrong = replace(PLAN, noise_multiplier=0.9 * factor)
    standardised, _ = released_noise(
        OneOfManyReleaser(wrong, DeterministicNoise(11), gate=StepGate(wrong)), zero_gradients()
    )
    assert p_law(standardised)["scale"] < LEVEL


@pytest.mark.parametrize("name", AXES)
def test_three_percent_of_variance_in_common_is_rejected(name: str) -> None:
    standardised, _ = released_noise(
        OneOfManyReleaser(PLAN, DeterministicNoise(11), gate=StepGate(PLAN)), zero_gradients()
    )
    rng = np.random.default_rng(0)
    shared = rng.standard_normal([1 if axis == AXES[name] else n for axis, n in enumerate(standardised.shape)])
    mixed = math.sqrt(0.97) * standardised + math.sqrt(0.03) * shared
    assert p_law(mixed)["scale"] > LEVEL
    assert p_law(mixed)[name] < LEVEL


def test_a_shape_other_than_the_normal_is_rejected() -> None:
    """Student's t with 30 degrees of freedom, brought to variance one."""
    heavy = np.random.default_rng(0).standard_t(30, size=(40, 24, 204)) * math.sqrt(28 / 30)
    assert p_law(heavy)["shape"] < LEVEL


def test_noise_is_uncorrelated_between_runs() -> None:
    """False-alarm rate: 2e-7."""
    runs = np.stack(
        [
            released_noise(OneOfManyReleaser(PLAN, KeyedNoise(), gate=StepGate(PLAN)), zero_gradients())[0]
            for _ in range(2)
        ]
    )
    assert p_uncorrelated(runs, axis=0) > LEVEL
    shared = math.sqrt(0.95) * runs + math.sqrt(0.05) * np.random.default_rng(0).standard_normal(runs.shape[1:])
    assert p_uncorrelated(shared, axis=0) < LEVEL
    same = [
        released_noise(OneOfManyReleaser(PLAN, DeterministicNoise(1), gate=StepGate(PLAN)), zero_gradients())[0]
        for _ in range(2)
    ]
    assert p_uncorrelated(np.stack(same), axis=0) < LEVEL


def test_the_release_is_float32_of_integers_on_a_public_grid_answers_and_noise_each_rounded_by_itself() -> None:
    gradients = known_gradients().nan_to_num()
    released = OneOfManyReleaser(PLAN, DeterministicNoise(3), gate=StepGate(PLAN)).release(0, Spy(PLAN, gradients))
    noise = DeterministicNoise(3).gaussian(0, tuple(gradients.shape))
    assert noise.dtype == torch.float64
    assert released.dtype == torch.float32
    spacing = 2.0**-15  # the largest power of two with sqrt(2 x 204) g / 2 <= 2^-10 sqrt(2) 0.3
    shrunk = jointly_clipped(gradients, replace(PLAN, clip_norm=PLAN.clip_norm * (1 - 2**-10)))
    expected = (shrunk / spacing).round() + (PLAN.noise_std * noise / spacing).round()
    assert torch.equal(released, (expected * spacing).float())
    assert bool((shrunk / spacing).round().flatten(start_dim=1).any(dim=1).sum() > PLAN.batch_size / 2)


# ---- the tail -------------------------------------------------------------------------------------------------------


class InjectedStream:
    """A stand-in for a keystream that gives one word, wherever it is asked."""

    def __init__(self, word: int) -> None:
        self.word = word

    def words(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        return np.full((*np.broadcast_shapes(np.shape(high), np.shape(low)), 2), self.word, dtype=np.uint64)


def radius_of(noise: AbstractNoise, word: int) -> float:
    """Radius of the pair of normals that is made from one word."""
    noise._stream = InjectedStream(word)  # type: ignore[assignment]
    return float(noise.gaussian(0, (1, 2)).norm())


def has_exact_tail(make: Callable[[], AbstractNoise]) -> bool:
    """P(radius > r) = exp(-r^2/2): a word w uniform on 64 bits gives sqrt(-2 ln w/2^64), out to 9 and beyond.

    Words are uniform by assumption, so this is exact and has no false alarms.
    """
    words = [2**64 - 1, 2**63, 2**40, 2**24, 2**10, 2**5]
    exact = [math.sqrt(2 * (64 - math.log2(word)) * math.log(2)) for word in words]
    found = [radius_of(make(), word) for word in words]
    far = radius_of(make(), 0)
    return bool(np.allclose(found, exact, rtol=0.01, atol=1e-6)) and far > 13


class SinglePrecision(DeterministicNoise):
    """Box and Muller with 24 random bits in the radius, as in float32."""

    def _words(self, domain: int, step: int, low: np.ndarray) -> np.ndarray:
        words = super()._words(domain, step, low)
        return ((words >> np.uint64(40)) + np.uint64(1)) << np.uint64(39)


def test_the_tail_reaches_beyond_thirteen_standard_deviations() -> None:
    assert has_exact_tail(lambda: DeterministicNoise(0))
    assert has_exact_tail(KeyedNoise)


def test_a_tail_that_ends_at_float32_is_caught() -> None:
    assert not has_exact_tail(lambda: SinglePrecision(0))
    assert radius_of(SinglePrecision(0), 0) < 6


def test_the_largest_uniform_word_gives_no_invalid_number() -> None:
    for word in (0, 2**64 - 1):
        noise = DeterministicNoise(0)
        noise._stream = InjectedStream(word)  # type: ignore[assignment]
        assert bool(noise.gaussian(0, (3, 5)).isfinite().all())


# ---- coins ----------------------------------------------------------------------------------------------------------


def many_coins(noise: AbstractNoise, num_critics: int, steps: int = 20) -> np.ndarray:
    return np.stack([noise.coins(step, 10_000, num_critics).numpy() for step in range(steps)])


@pytest.mark.parametrize("num_critics", [1000, 7])
@pytest.mark.parametrize("noise", [lambda: DeterministicNoise(2), KeyedNoise])
def test_coins_are_uniform_independent_and_with_replacement(
    noise: Callable[[], AbstractNoise], num_critics: int
) -> None:
    """False-alarm rate: 3e-7 for each of the two parameter sets with secret coins."""
    coins = many_coins(noise(), num_critics)
    assert coins.min() >= 0
    assert coins.max() < num_critics
    assert p_uniform(coins, num_critics) > LEVEL
    assert p_independent_draws(coins, num_critics) > LEVEL
    assert p_independent_draws(coins.T, num_critics) > LEVEL


def test_critics_that_are_drawn_three_percent_too_often_are_caught() -> None:
    rng = np.random.default_rng(0)
    weights = np.where(np.arange(8) < 4, 1.03, 0.97) / 8
    assert p_uniform(rng.choice(8, size=300_000, p=weights), 8) < LEVEL


def test_draws_without_replacement_are_caught() -> None:
    rng = np.random.default_rng(0)
    coins = np.stack([rng.permutation(8)[:6] for _ in range(500)])
    assert p_uniform(coins, 8) > LEVEL
    assert p_independent_draws(coins, 8) < LEVEL


class ModuloBiased(DeterministicNoise):
    """Coins by remainder of one byte, without rejection: 256 words do not fall evenly on 100 critics."""

    def coins(self, step: int, num_draws: int, num_critics: int) -> Tensor:
        words = self._words(1, step, np.arange(num_draws))[:, 0]
        return torch.from_numpy(((words & np.uint64(0xFF)) % np.uint64(num_critics)).astype(np.int64))


def test_coins_with_modulo_bias_are_caught() -> None:
    assert p_uniform(many_coins(ModuloBiased(2), 100), 100) < LEVEL
    assert p_uniform(many_coins(DeterministicNoise(2), 100), 100) > LEVEL


def test_a_word_beyond_the_last_full_multiple_is_drawn_again() -> None:
    class Injected:
        def words(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
            first = 2**64 - 1, 2**64 - 2  # 2^64 leaves 2 on division by 7: both words are in excess
            rest = [(int(block), int(block) + 1) for block in low[1:]] if low[0] == 0 else [(4, 5)] * len(low)
            return np.array([first, *rest][: len(low)] if low[0] == 0 else rest, dtype=np.uint64)

    noise = DeterministicNoise(0)
    noise._stream = Injected()  # type: ignore[assignment]
    assert noise.coins(0, 3, 7).tolist() == [1, 2, 2]
    noise._stream = Injected()  # type: ignore[assignment]
    assert noise.coins(1, 1, 7).tolist() == [4]


def test_coins_tell_nothing_about_the_noise() -> None:
    """False-alarm rate: 1e-7."""
    standardised, coins = released_noise(OneOfManyReleaser(PLAN, KeyedNoise(), gate=StepGate(PLAN)), zero_gradients())
    assert p_coins_tell_nothing(coins, standardised) > LEVEL
    told = standardised + 0.03 * (coins - coins.mean())[..., None].repeat(2, axis=1).reshape(40, 24, 1)
    assert p_coins_tell_nothing(coins, told) < LEVEL


# ---- planted breaks: each goes through the checks above -------------------------------------------------------------


class HalvedNoise(OneOfManyPlan):
    """A run with half the noise that its plan states."""

    @property
    def noise_std(self) -> float:
        return 0.5 * super().noise_std


class NoFactorTwo(OneOfManyPlan):
    """A run that takes the norm of one answer for the distance between two."""

    @property
    def sensitivity(self) -> float:
        return self.clip_norm


class ClipsEachToTheGroup(OneOfManyReleaser):
    """Clips every sample to the bound of its whole group."""

    def release(self, step: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
        seen: list[Tensor] = []
        released = super().release(step, lambda coins: seen.append(ask(coins)) or seen[0])
        excess = clip_to_ball(seen[0].flatten(end_dim=1), self.plan.group_clip_norm)
        return released + (excess - clip_to_ball(seen[0], self.plan.group_clip_norm).flatten(end_dim=1)).float()


class SharedNoise(DeterministicNoise):
    """The same noise on every sample of a step."""

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return super().gaussian(step, (1, *shape[1:])).expand(shape)


class StepBlindNoise(DeterministicNoise):
    """The same noise at every step."""

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        return super().gaussian(0, shape)


class SkipsNonFinite(OneOfManyReleaser):
    """Leaves an answer that is not finite at zero and adds no noise to it."""

    def release(self, step: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
        answers = []
        released = super().release(step, lambda coins: answers.append(ask(coins)) or answers[0])
        finite = answers[0].flatten(start_dim=1).isfinite().all(dim=1)
        return torch.where(finite.repeat_interleave(2)[:, None, None, None], released, 0.0)


class OneDrawAStep(DeterministicNoise):
    """One coin a step, repeated as if every group had drawn its own."""

    def coins(self, step: int, num_draws: int, num_critics: int) -> Tensor:
        return super().coins(step, 1, num_critics).expand(num_draws)


def altered(kind: type[OneOfManyPlan]) -> OneOfManyPlan:
    return kind(**{name: getattr(PLAN, name) for name in PLAN.__dataclass_fields__})


@pytest.mark.parametrize("broken", [HalvedNoise, NoFactorTwo])
def test_too_little_noise_is_caught(broken: type[OneOfManyPlan]) -> None:
    standardised, _ = released_noise(
        OneOfManyReleaser(altered(broken), DeterministicNoise(11), gate=StepGate(altered(broken))), zero_gradients()
    )
    assert p_law(standardised)["scale"] < LEVEL


def covers_the_worst_distance(plan: OneOfManyPlan) -> bool:
    """Two critics may answer all samples of a draw with opposite vectors at the bound.

    Over the noise, their distance may be what the event prices one draw at: ``sqrt(B/c) / noise_multiplier``. Exact, no
    false alarms.
    """
    per_draw = plan.event.event.event.count
    opposite = torch.tensor([[[5.0, 0.0]] * per_draw, [[-7.0, 0.0]] * per_draw])
    vectors = clip_to_ball(opposite, plan.group_clip_norm)
    distance = float((vectors[0] - vectors[1]).norm()) / plan.noise_std
    return distance <= math.sqrt(per_draw) / plan.event.event.event.event.noise_multiplier * (1 + 1e-12)


def test_a_sensitivity_without_the_factor_two_is_caught() -> None:
    assert covers_the_worst_distance(PLAN)
    assert not covers_the_worst_distance(altered(NoFactorTwo))


def draws_stay_in_their_ball(kind: type[OneOfManyReleaser]) -> bool:
    """Whether what is released, less its noise, has norm ``C sqrt(B/c)`` at most in every draw, at huge answers."""
    gradients = 1e6 * torch.randn(PLAN.batch_size, *VIEW, generator=torch.Generator().manual_seed(0))
    released = kind(PLAN, DeterministicNoise(3), gate=StepGate(PLAN)).release(0, Spy(PLAN, gradients))
    signal = released.double() - PLAN.noise_std * DeterministicNoise(3).gaussian(0, tuple(gradients.shape))
    norms = signal.unflatten(0, (PLAN.draws_per_step, -1)).flatten(start_dim=1).norm(dim=1)
    return bool((norms <= PLAN.clip_norm * math.sqrt(2) * (1 + 1e-5)).all())


def test_all_answers_of_a_draw_lie_in_one_ball_and_a_clip_of_each_to_that_ball_is_caught() -> None:
    assert draws_stay_in_their_ball(OneOfManyReleaser)
    assert not draws_stay_in_their_ball(ClipsEachToTheGroup)


def test_noise_shared_across_the_batch_is_caught() -> None:
    standardised, _ = released_noise(OneOfManyReleaser(PLAN, SharedNoise(11), gate=StepGate(PLAN)), zero_gradients())
    assert p_law(standardised)["samples"] < LEVEL


def test_noise_repeated_at_every_step_is_caught() -> None:
    standardised, _ = released_noise(OneOfManyReleaser(PLAN, StepBlindNoise(11), gate=StepGate(PLAN)), zero_gradients())
    assert p_law(standardised)["steps"] < LEVEL


def test_an_answer_that_is_not_finite_and_gets_no_noise_is_caught() -> None:
    honest, _ = released_noise(OneOfManyReleaser(PLAN, DeterministicNoise(11), gate=StepGate(PLAN)), known_gradients())
    broken, _ = released_noise(SkipsNonFinite(PLAN, DeterministicNoise(11), gate=StepGate(PLAN)), known_gradients())
    assert p_scale(honest[:, 2:4]) > LEVEL
    assert p_scale(broken[:, 2:4]) < LEVEL


def run_keeps_to_its_price(releaser: OneOfManyReleaser, plan: OneOfManyPlan) -> bool:
    """The event's draws and answers are those of the run: so many coins a step, independent, each for so many answers.

    False-alarm rate: 1e-7 with secret coins.
    """
    _, coins = released_noise(releaser, zero_gradients(), plan)
    draws, answers = plan.event.count, plan.event.event.event.count
    groups = Spy(plan, zero_gradients()).groups
    return (
        coins.size == draws
        and groups == (plan.draws_per_step, answers)
        and draws * answers == plan.num_steps * plan.batch_size
        and p_independent_draws(coins, plan.num_critics) > LEVEL
    )


def test_one_draw_a_step_priced_as_one_a_group_is_caught() -> None:
    assert run_keeps_to_its_price(OneOfManyReleaser(PLAN, KeyedNoise(), gate=StepGate(PLAN)), PLAN)
    assert not run_keeps_to_its_price(OneOfManyReleaser(PLAN, OneDrawAStep(11), gate=StepGate(PLAN)), PLAN)
    assert replace(PLAN, draws_per_step=1).budget_at(1e-3).epsilon > 1.2 * PLAN.budget_at(1e-3).epsilon


def test_the_keystream_used_for_noise_is_the_hidden_one() -> None:
    """Without this, patching it in the tests above would prove nothing."""
    assert isinstance(KeyedNoise()._stream, Keystream)
