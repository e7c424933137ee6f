"""One-shot sums: exact price, sensitivity never exceeded and attained, each release once, and planted breaks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise, KeyedNoise
from gossamer.mechanisms.one_shot import contributions
from gossamer.mechanisms.one_shot.contributions import Contribution, GroupedMoments, GroupedVectors, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.privacy import Adjacency, PrivacyBudget, Unit, epsilon_by_pld
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.events import gaussian_event

LEVEL = 1e-7

VECTORS = GroupedVectors(num_groups=3, dim=4, radius=1.5)
MOMENTS = GroupedMoments(num_groups=3, dim=4, radius=2.0, count_weight=0.7, mean_weight=1.0, square_weight=0.8)
KINDS: dict[str, Contribution] = {
    "vectors": VECTORS,
    "one group of vectors": replace(VECTORS, num_groups=1),
    "moments": MOMENTS,
    "moments of one group": replace(MOMENTS, num_groups=1),
    "squares": GroupedMoments(num_groups=2, dim=4, radius=2.0, square_weight=1.0),
    "squares of one group": GroupedMoments(num_groups=1, dim=4, radius=2.0, square_weight=1.0),
    "means": GroupedMoments(num_groups=3, dim=4, radius=0.5, count_weight=0.3, mean_weight=1.0),
    "means of one group": GroupedMoments(num_groups=1, dim=4, radius=0.5, mean_weight=1.0),
    "means and squares of one group": GroupedMoments(
        num_groups=1, dim=4, radius=1.0, mean_weight=1.0, square_weight=1.0
    ),
    "counts": GroupedMoments(num_groups=3, dim=4, radius=1.0, count_weight=1.0),
}
PLAN = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=500,
    releases=(
        Release(name="vectors", contribution=VECTORS, share=1.0),
        Release(name="moments", contribution=MOMENTS, share=3.0),
    ),
    noise_multiplier=0.9,
)


def one_release(contribution: Contribution, noise_multiplier: float | None = 1.0, num_slots: int = 500) -> OneShotPlan:
    release = Release(name="sum", contribution=contribution)
    return OneShotPlan(unit=Unit.RECORD, num_slots=num_slots, releases=(release,), noise_multiplier=noise_multiplier)


def slots(vectors: object, groups: object) -> Slots:
    return Slots(vectors=torch.as_tensor(vectors, dtype=torch.float64), groups=torch.as_tensor(groups))


# ---- the price ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epsilon", "multiplier"), [(1.0, 3.73), (10.0, 0.50), (0.2, 16.3)])
def test_one_release_costs_what_the_analytic_gaussian_mechanism_says(epsilon: float, multiplier: float) -> None:
    plan = one_release(VECTORS, None, 60_000).calibrated(PrivacyBudget(epsilon=epsilon, delta=1e-5))
    assert plan.noise_multiplier == pytest.approx(multiplier, rel=0.005)
    s = plan.noise_multiplier
    assert s is not None
    mu = 1 / s
    spent = stats.norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)
    assert 0.995e-5 < spent <= 1e-5


def test_several_releases_cost_what_their_merged_multiplier_costs_however_the_budget_is_shared() -> None:
    for shares in ((1.0, 3.0), (5.0, 0.1), (1.0, 1.0)):
        releases = tuple(replace(release, share=share) for release, share in zip(PLAN.releases, shares, strict=True))
        plan = replace(PLAN, releases=releases)
        assert sum(plan.release_multiplier(step) ** -2 for step in range(2)) == pytest.approx(0.9**-2)
        assert plan.budget_at(1e-5).epsilon == pytest.approx(one_release(VECTORS, 0.9).budget_at(1e-5).epsilon)


def test_noise_on_a_sum_is_its_multiplier_times_its_sensitivity() -> None:
    assert PLAN.release_noise_std(0) == pytest.approx(0.9 * 2 * 3.0)
    assert PLAN.release_noise_std(1) == pytest.approx(0.9 * math.sqrt(4 / 3) * MOMENTS.sensitivity)
    assert PLAN.noise_std / PLAN.sensitivity == pytest.approx(0.9)
    assert PLAN.adjacency is Adjacency.SLOT
    assert PLAN.num_steps == 2


def test_the_first_releases_keep_their_noise_and_cost_less() -> None:
    first = PLAN.first_steps(1)
    assert first.release_noise_std(0) == pytest.approx(PLAN.release_noise_std(0))
    assert first.budget_at(1e-5).epsilon < PLAN.budget_at(1e-5).epsilon
    assert PLAN.first_steps(2) == PLAN
    between = PrivacyBudget(epsilon=(first.budget_at(1e-5).epsilon + PLAN.budget_at(1e-5).epsilon) / 2, delta=1e-5)
    assert PLAN.num_steps_within(between) == 1
    assert PLAN.num_steps_within(PLAN.budget_at(1e-5)) == 2
    assert PLAN.num_steps_within(PrivacyBudget(epsilon=0.01, delta=1e-5)) == 0
    for number in (0, 3):
        with pytest.raises(InputError, match="at least 1"):
            PLAN.first_steps(number)


def test_the_statement_is_built_from_the_plan() -> None:
    claim = PLAN.statement(ClaimTerms(delta=1e-5, method="m", sample_size=7, is_secure=True, num_tuning_runs=2))
    assert claim.epsilon == PLAN.budget_at(1e-5).epsilon
    assert claim.epsilon_rdp is not None
    assert claim.epsilon_rdp >= claim.epsilon
    assert (claim.num_slots, claim.noise_multiplier, claim.num_tuning_runs) == (500, 0.9, 2)
    assert dict(claim.parameters)["num_releases"] == 2
    assert "sensitivity 3," in str(dict(claim.parameters)["release 1, vectors"])
    assert 0 < claim.truncation_delta < 1e-20
    assert "500" in claim.to_markdown()
    part = PLAN.first_steps(1).statement(
        ClaimTerms(delta=1e-5, method="m", sample_size=7, is_secure=True, num_planned_steps=2)
    )
    assert "1 of the 2 sums" in part.covered[0]


def test_a_plan_without_noise_without_releases_or_not_yet_calibrated_is_refused() -> None:
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        replace(PLAN, noise_multiplier=0.0)
    with pytest.raises(InputError, match="at least one release"):
        replace(PLAN, releases=())
    with pytest.raises(InputError, match="own name"):
        replace(PLAN, releases=(PLAN.releases[0], PLAN.releases[0]))
    with pytest.raises(InputError, match="num_slots"):
        replace(PLAN, num_slots=0)
    with pytest.raises(InputError, match="share"):
        replace(PLAN.releases[0], share=0.0)
    with pytest.raises(InputError, match="calibrate"):
        _ = replace(PLAN, noise_multiplier=None).event
    with pytest.raises(FrozenInstanceError):
        PLAN.noise_multiplier = 0.1  # type: ignore[misc]


@pytest.mark.parametrize(
    "change", [{"num_groups": 0}, {"dim": 0}, {"radius": 0.0}, {"radius": math.nan}, {"count_weight": -1.0}]
)
def test_a_contribution_with_a_number_out_of_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change)).split("_")[-1]):
        replace(MOMENTS, **change)  # type: ignore[arg-type]


def test_moments_of_weight_zero_alone_are_refused() -> None:
    with pytest.raises(InputError, match="not all 0"):
        GroupedMoments(num_groups=1, dim=2, radius=1.0)


# ---- sensitivity ----------------------------------------------------------------------------------------------------

_numbers = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, 1.0, -1.0, math.nan, math.inf, 1e-30, 1e38])
_rows = st.tuples(st.lists(_numbers, min_size=4, max_size=4), st.integers(-1, 3))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(old=_rows, new=_rows)
def test_a_slot_never_moves_a_sum_by_more_than_its_sensitivity(
    kind: str, old: tuple[list[float], int], new: tuple[list[float], int]
) -> None:
    contribution = KINDS[kind]
    added = [contribution.total(slots([row[0]], [row[1]])) for row in (old, new)]
    bound = 1 + 1e-9
    assert float((added[0] - added[1]).norm()) <= bound * contribution.sensitivity
    assert max(float(one.norm()) for one in added) <= bound * min(contribution.norm_bound, contribution.sensitivity)


def largest_move(contribution: Contribution) -> float:
    """The largest distance over pairs of contents on a fine net: two vectors at an angle, at the bound or empty."""
    angles = torch.linspace(0, math.pi, 721, dtype=torch.float64)
    vectors = 10 * torch.stack([angles.cos(), angles.sin(), 0 * angles, 0 * angles], dim=1)
    first = contribution.total(slots(vectors[:1], [0]))
    moves = [first.norm()]
    for group in range(min(2, contribution.num_groups)):
        moves += [(first - contribution.total(slots(v[None], [group]))).norm() for v in vectors]
    return float(torch.stack(moves).max())


@pytest.mark.parametrize("kind", KINDS)
def test_the_sensitivity_is_attained(kind: str) -> None:
    """But for the 2^-10 that is left to rounding, and twice that for products of two coordinates; never exceeded."""
    found = largest_move(KINDS[kind])
    assert found == pytest.approx(KINDS[kind].sensitivity, rel=2**-9)
    assert found <= KINDS[kind].sensitivity * (1 + 1e-12)


def test_half_the_factor_two_would_be_exceeded() -> None:
    """The break: sensitivity R in place of 2 R, or sqrt 2 R for vectors."""
    assert largest_move(VECTORS) > 1.9 * VECTORS.norm_bound
    assert largest_move(VECTORS) > math.sqrt(2) * VECTORS.norm_bound * 1.4


def test_squares_of_one_group_lie_closer_together_than_twice_their_bound() -> None:
    squares = KINDS["squares of one group"]
    assert squares.sensitivity == pytest.approx(math.sqrt(2) * squares.norm_bound)


@pytest.mark.parametrize("kind", KINDS)
def test_replacing_one_record_of_many_moves_the_released_sum_by_the_sensitivity_at_most(kind: str) -> None:
    """Through the door, noise and all: the same noise on both neighbours, so that it cancels."""
    contribution = KINDS[kind]
    rng = torch.Generator().manual_seed(3)
    vectors, groups = 3 * torch.randn(40, 4, generator=rng), torch.randint(0, contribution.num_groups, (40,))
    plan = one_release(contribution, num_slots=40)

    def run(rows: Tensor, labels: Tensor) -> Tensor:
        return OneShotReleaser(plan, DeterministicNoise(1), gate=StepGate(plan)).release(
            0, [Slots(vectors=rows, groups=labels)]
        )

    base, worst = run(vectors, groups), 0.0
    for trial in range(60):
        other, labels = vectors.clone(), groups.clone()
        other[trial % 40] = -vectors[trial % 40] if trial % 2 else 50 * torch.randn(4, generator=rng)
        labels[trial % 40] = trial % contribution.num_groups
        worst = max(worst, float((run(other, labels) - base).norm()))
    assert worst <= contribution.sensitivity * (1 + 1e-4) + 1e-4
    assert worst > 0.3 * contribution.sensitivity or kind == "counts"


def test_what_is_not_finite_or_of_no_class_adds_nothing() -> None:
    good = slots([[1.0, 0, 0, 0]], [1])
    bad = slots([[1.0, 0, 0, 0], [math.nan, 1, 1, 1], [math.inf, 0, 0, 0], [1, 1, 1, 1]], [1, 0, 0, 7])
    for contribution in (VECTORS, MOMENTS):
        assert torch.equal(contribution.total(bad), contribution.total(good))


# ---- what is released -----------------------------------------------------------------------------------------------


def test_released_moments_are_the_sums_that_they_are_named_after() -> None:
    rng = torch.Generator().manual_seed(0)
    vectors = torch.rand(30, 4, generator=rng, dtype=torch.float64)  # norms below 2: none is shrunk
    groups = torch.randint(0, 3, (30,), generator=rng)
    total = MOMENTS.total(Slots(vectors=vectors, groups=groups))
    spacing = MOMENTS.radius * 2.0**-11
    for group in range(3):
        # Each record by itself on the grid, no farther than half its spacing from where it was.
        of_group = (vectors[groups == group] / spacing).round() * spacing
        assert float((of_group - vectors[groups == group]).abs().max()) <= spacing / 2
        assert torch.allclose(MOMENTS.counts(total)[group], torch.tensor(float(len(of_group)), dtype=torch.float64))
        assert torch.allclose(MOMENTS.sums(total)[group], of_group.sum(dim=0))
        assert torch.allclose(MOMENTS.squares(total)[group], of_group.T @ of_group)
        expected = VECTORS.sums(VECTORS.total(Slots(vectors=vectors, groups=groups)))[group]
        whole = vectors[groups == group]
        shrunk = whole * (1.5 * (1 - 2**-10) / whole.norm(dim=1, keepdim=True)).clamp_max(1)
        spacing_of_vectors = 1.5 * 2.0**-11
        assert torch.allclose(expected, (shrunk / spacing_of_vectors).round().sum(dim=0) * spacing_of_vectors)
    with pytest.raises(ValueError, match="mean_weight"):
        KINDS["squares"].sums(KINDS["squares"].total(Slots(vectors=vectors, groups=groups)))  # type: ignore[union-attr]


def chunked(vectors: Tensor, groups: Tensor, size: int) -> Iterator[Slots]:
    for start in range(0, len(groups), size):
        yield Slots(vectors=vectors[start : start + size], groups=groups[start : start + size])


def test_how_slots_are_cut_into_chunks_changes_nothing() -> None:
    rng = torch.Generator().manual_seed(0)
    vectors, groups = torch.randn(50, 4, generator=rng), torch.randint(0, 3, (50,), generator=rng)
    released = [
        OneShotReleaser(one_release(MOMENTS), DeterministicNoise(2), gate=StepGate(one_release(MOMENTS))).release(
            0, chunked(vectors, groups, size)
        )
        for size in (50, 7, 1)
    ]
    for other in released[1:]:
        assert torch.equal(other, released[0])
    assert released[0].dtype is torch.float32


def nothing() -> list[Slots]:
    return [slots(torch.zeros(1, 4), [0])]


def test_each_release_is_made_once_in_order_and_none_after_the_last() -> None:
    door = OneShotReleaser(PLAN, DeterministicNoise(0), gate=StepGate(PLAN))
    with pytest.raises(PrivacyError, match="is next"):
        door.release(1, nothing())
    door.release(0, nothing())
    with pytest.raises(PrivacyError, match="no noise is used twice"):
        door.release(0, nothing())
    door.release(1, nothing())
    with pytest.raises(PrivacyError, match="2 steps and all are spent"):
        door.release(2, nothing())
    lost = OneShotReleaser(PLAN, DeterministicNoise(0), gate=StepGate(PLAN, next_step=1, lost_steps=(1,)))
    with pytest.raises(PrivacyError, match="all are spent"):
        lost.release(1, nothing())


@pytest.mark.parametrize(
    "shares", [(1.0, 1.0, 1.0, 1.0), (1.0, 5.0, 1.0, 20.0), (9.0, 1.0, 1.0, 1.0), (1.0, 9.0, 1.0, 1.0)]
)
def test_releases_lost_in_crashes_and_those_still_made_never_cost_more_than_the_plan(shares: tuple[float, ...]) -> None:
    """Every way to lose up to three: crash at a release, resume there, crash again."""
    releases = tuple(replace(PLAN.releases[0], name=str(i), share=share) for i, share in enumerate(shares))
    plan = replace(PLAN, releases=releases)

    def costs(step: int, spent: float, lost: tuple[int, ...]) -> None:
        assert spent <= sum(shares) * (1 + 1e-9)
        if step or lost:
            paid = plan.paid_for(step, lost)
            assert sum(release.share for release in paid.releases) == pytest.approx(spent)
            alone = gaussian_event(noise_multiplier=plan.noise_multiplier * math.sqrt(sum(shares) / spent))
            assert paid.budget_at(1e-5).epsilon == pytest.approx(epsilon_by_pld(alone, 1e-5).epsilon, rel=1e-6)
        end = plan.end_step(step, lost)
        assert end == step or spent - sum(shares[:step]) + sum(shares[:end]) <= sum(shares) * (1 + 1e-9)
        assert end >= 4 - len(lost) or spent + sum(shares[step : end + 1]) > sum(shares)
        for next_step in range(step, end):
            spent += shares[next_step]
            if len(lost) < 3:  # paid for, and lost
                costs(next_step, spent, (*lost, next_step))
        assert spent <= sum(shares) * (1 + 1e-9)

    costs(0, 0.0, ())
    assert plan.end_step(0) == plan.end_step(0, ()) == 4
    assert plan.end_step(2, (2,)) <= 3
    with pytest.raises(InputError, match="nothing to price"):
        plan.paid_for(0)


def test_the_ledger_is_charged_before_a_slot_is_read() -> None:
    events: list[str] = []

    def read() -> Iterator[Slots]:
        events.append("read")
        yield from nothing()

    OneShotReleaser(
        PLAN, DeterministicNoise(0), gate=StepGate(PLAN, charge=lambda step: events.append(f"charge {step}"))
    ).release(0, read())
    assert events == ["charge 0", "read"]


def test_a_release_whose_reading_failed_is_spent() -> None:
    def fail() -> Iterator[Slots]:
        raise RuntimeError("out of memory")
        yield

    door = OneShotReleaser(PLAN, DeterministicNoise(0), gate=StepGate(PLAN))
    with pytest.raises(RuntimeError):
        door.release(0, fail())
    with pytest.raises(PrivacyError):
        door.release(0, nothing())


def test_more_rows_than_slots_are_refused() -> None:
    door = OneShotReleaser(
        one_release(VECTORS, num_slots=3), DeterministicNoise(0), gate=StepGate(one_release(VECTORS, num_slots=3))
    )
    with pytest.raises(ValueError, match="every row once"):
        door.release(0, [slots(torch.zeros(2, 4), [0, 0]), slots(torch.zeros(2, 4), [0, 0])])


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="4 numbers"):
        VECTORS.total(slots(torch.zeros(2, 5), [0, 0]))


# ---- the law of the noise -------------------------------------------------------------------------------------------

WIDE = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=500,
    releases=(
        Release(name="vectors", contribution=GroupedVectors(num_groups=10, dim=5000, radius=0.3)),
        Release(
            name="squares",
            contribution=GroupedMoments(num_groups=10, dim=100, radius=2.0, square_weight=1.0),
            share=2.0,
        ),
    ),
    noise_multiplier=1.3,
)


def standardised_noise(kind: type[OneShotReleaser], plan: OneShotPlan, seed: int | None) -> list[np.ndarray]:
    """The noise of each release over its promised standard deviation: released sums of empty slots."""
    noise = KeyedNoise() if seed is None else DeterministicNoise(seed)
    door = kind(plan, noise, gate=StepGate(plan))
    return [
        door.release(step, [slots(torch.zeros(1, release.contribution.dim), [0])]).double().numpy()
        / WIDE.release_noise_std(step)
        for step, release in enumerate(plan.releases)
    ]


def p_law(noise: np.ndarray) -> float:
    """Variance 1 by the exact chi-square law, and Kolmogorov-Smirnov. Bonferroni over two."""
    square, law = float(np.square(noise).sum()), stats.chi2(noise.size)
    scale = 2 * min(law.cdf(square), law.sf(square))
    return float(min(1.0, 2 * min(scale, stats.kstest(noise, "norm", method="asymp").pvalue)))


def test_every_release_has_normal_noise_of_its_promised_scale() -> None:
    """False-alarm rate: 2.4e-7, with secret noise: two laws and one correlation."""
    noise = standardised_noise(OneShotReleaser, WIDE, None)
    assert all(p_law(part) > LEVEL for part in noise)
    length = min(map(len, noise))
    together = float(noise[0][:length] @ noise[1][:length] / math.sqrt(length))
    assert abs(together) < 5.5  # two independent normal vectors: beyond it with probability 4e-8


def test_an_error_of_three_percent_in_the_scale_is_caught() -> None:
    """The same noise at every run."""
    for part in standardised_noise(OneShotReleaser, WIDE, 1):
        assert p_law(part) > LEVEL
        assert p_law(1.03 * part) < LEVEL
        assert p_law(0.97 * part) < LEVEL


class NoisesTheFirstAlone(OneShotReleaser):
    """Adds noise to the first release and to no other."""

    def release(self, step: int, chunks: object) -> Tensor:
        released = super().release(step, chunks)  # type: ignore[arg-type]
        return released if step == 0 else torch.zeros_like(released)


class SensitivityOfOneRecord(OneShotPlan):
    """Takes the norm of one contribution for the distance between two."""

    def release_noise_std(self, step: int) -> float:
        return self.releases[step].contribution.norm_bound * self.release_multiplier(step)


class FullBudgetForEach(OneShotPlan):
    """Gives every release the noise that the whole budget would allow it alone."""

    def release_multiplier(self, step: int) -> float:
        return self._chosen_multiplier()


def altered(kind: type[OneShotPlan]) -> OneShotPlan:
    return kind(**{name: getattr(WIDE, name) for name in WIDE.__dataclass_fields__})


def test_noise_on_one_release_only_is_caught() -> None:
    broken = standardised_noise(NoisesTheFirstAlone, WIDE, 1)
    assert p_law(broken[0]) > LEVEL
    assert p_law(broken[1]) < LEVEL


@pytest.mark.parametrize("kind", [SensitivityOfOneRecord, FullBudgetForEach])
def test_too_little_noise_is_caught(kind: type[OneShotPlan]) -> None:
    for honest, broken in zip(
        standardised_noise(OneShotReleaser, WIDE, 1), standardised_noise(OneShotReleaser, altered(kind), 1), strict=True
    ):
        assert p_law(honest) > LEVEL
        assert p_law(broken) < LEVEL


def longest(radius: float) -> float:
    """The longest row, over its bound, of a contribution of this radius."""
    contribution = GroupedVectors(num_groups=1, dim=3, radius=radius)
    rows = torch.cat([torch.ones(1, 3), torch.randn(200, 3, generator=torch.Generator().manual_seed(0))]).double()
    group = torch.zeros(1, dtype=torch.int64)
    counted = [contribution.counted(Slots(vectors=row[None], groups=group)).double() for row in rows]
    return max(float(one.norm()) * contribution.record_grid.spacing for one in counted)


def test_a_radius_that_rounds_too_far_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip to denormal numbers leaves the ball by a quarter, and the noise would be too small by as much."""
    assert longest(1e-100) <= 1
    assert longest(1e100) <= 1
    for radius in (0.0, 1.5e-323, 1e-101, 1e101, math.inf, math.nan):
        with pytest.raises(InputError, match="radius of a contribution"):
            longest(radius)
    monkeypatch.setattr(contributions, "_LEAST_RADIUS", 1e-323)
    assert longest(1.5e-323) > 1.2
