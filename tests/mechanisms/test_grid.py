"""The public grid: rounding never leaves the ball, sums are exact, and the old ways of rounding are caught."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gossamer.errors import InputError
from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.grid import GRID_SHARE, PublicGrid, noisy_sum
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import Contribution, GroupedMoments, GroupedVectors, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.privacy.adjacency import Unit

# ---- the rule -------------------------------------------------------------------------------------------------------

_radii = st.floats(1e-60, 1e60) | st.sampled_from([1.0, 0.5, 1.1, 2.0, 2.0**-30])
_dims = st.integers(1, 10**9) | st.sampled_from([1, 4, 784, 102_000, 300_000])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(radius=_radii, dim=_dims)
def test_the_spacing_is_the_largest_power_of_two_whose_slack_stays_within_its_share(radius: float, dim: int) -> None:
    grid = PublicGrid(radius=radius, num_coordinates=dim)
    assert math.frexp(grid.spacing)[0] == 0.5
    assert grid.slack == pytest.approx(math.sqrt(dim) * grid.spacing / 2)
    assert grid.inner_radius + grid.slack < radius * (1 - 2.0**-21)
    assert 2 * grid.slack > 0.998 * GRID_SHARE * radius
    assert grid.inner_radius == pytest.approx(radius * (1 - 2.0**-10), rel=1e-15)


@pytest.mark.parametrize(("radius", "dim"), [(0.0, 1), (math.nan, 1), (math.inf, 1), (1e-200, 1), (1.0, 0)])
def test_a_grid_without_a_ball_or_a_coordinate_is_refused(radius: float, dim: int) -> None:
    with pytest.raises(InputError):
        PublicGrid(radius=radius, num_coordinates=dim)


# ---- rounding -------------------------------------------------------------------------------------------------------

GRID = PublicGrid(radius=1.0, num_coordinates=3)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.floats(-1, 1) | st.integers(-4000, 4000).map(lambda k: k * 2.0**-12))
def test_a_number_moves_by_half_the_spacing_at_most_and_alike_on_both_sides_of_zero(value: float) -> None:
    number = torch.tensor([value, -value], dtype=torch.float64)
    rounded = GRID.rounded(number)
    assert torch.equal(rounded, rounded.round())
    assert rounded[0] == -rounded[1]
    assert float((rounded * GRID.spacing - number).abs().max()) <= GRID.spacing / 2


def test_a_half_is_rounded_to_the_even_number_on_both_sides_of_zero() -> None:
    grid = PublicGrid(radius=1.0, num_coordinates=4)
    halves = torch.tensor([0.5, 1.5, 2.5, 3.5, 1023.5, 2.0**40 + 0.5], dtype=torch.float64)
    expected = torch.tensor([0.0, 2.0, 2.0, 4.0, 1024.0, 2.0**40], dtype=torch.float64)
    assert torch.equal(grid.rounded(halves * grid.spacing), expected)
    assert torch.equal(grid.rounded(-halves * grid.spacing), -expected)
    for to, moved in ((0.0, -0.5), (math.inf, 0.5)):
        beside = torch.nextafter(halves, torch.full_like(halves, to))
        assert torch.equal(grid.rounded(beside * grid.spacing), halves + moved)


def test_the_largest_number_below_a_half_is_rounded_down() -> None:
    """Adding a half and cutting off would round it up, by more than half the spacing."""
    below = torch.tensor([math.nextafter(0.5, 0), math.nextafter(0.5, 1)], dtype=torch.float64) * GRID.spacing
    assert GRID.rounded(below).tolist() == [0.0, 1.0]


def mostly_rounded_up(norm: float, grid: PublicGrid) -> Tensor:
    """A vector of this norm at most whose coordinates all lie just above the middle between two multiples."""
    each = norm / math.sqrt(grid.num_coordinates) / grid.spacing
    lower = math.floor(each - 0.5) + 0.5
    share = (each**2 - lower**2) / (2 * lower + 1)
    vector = torch.full((1, grid.num_coordinates), lower, dtype=torch.float64)
    vector[:, : math.floor(share * grid.num_coordinates)] += 1
    return vector * grid.spacing * (1 + 1e-9)


@pytest.mark.parametrize("dim", [1, 2, 3, 17, 784, 10_625, 102_000, 300_000])
@pytest.mark.parametrize("radius", [1.0, 1.1, 0.3, 37.0])
def test_no_rounded_vector_leaves_the_ball_however_it_lies_at_the_clip(dim: int, radius: float) -> None:
    grid = PublicGrid(radius=radius, num_coordinates=dim)
    rng = torch.Generator().manual_seed(dim)
    vectors = [
        10 * radius * torch.randn(1, dim, generator=rng, dtype=torch.float64),
        torch.full((1, dim), 1e6, dtype=torch.float64),
        mostly_rounded_up(grid.inner_radius, grid),
    ]
    for vector in vectors:
        rounded = grid.rounded(clip_to_ball(vector, grid.inner_radius))
        assert float(rounded.norm()) * grid.spacing <= radius
        assert float(rounded.abs().max()) <= grid.largest


@pytest.mark.parametrize("dim", [784, 102_000, 300_000])
def test_a_clip_to_the_bound_itself_would_leave_the_ball_after_rounding(dim: int) -> None:
    """The break: rounding without shrinking first."""
    grid = PublicGrid(radius=1.0, num_coordinates=dim)
    rounded = grid.rounded(clip_to_ball(mostly_rounded_up(1.0, grid), 1.0))
    assert float(rounded.norm()) * grid.spacing > 1 + GRID_SHARE / 4


# ---- sums -----------------------------------------------------------------------------------------------------------


def test_as_many_units_as_are_said_to_be_exact_are_added_exactly_in_any_order() -> None:
    """Largest integers of both signs and ones: a rounding anywhere would lose a one."""
    grid = PublicGrid(radius=1.0, num_coordinates=784)
    assert grid.num_exact() * grid.largest <= 2**53 < (grid.num_exact() + 1) * grid.largest
    assert grid.num_exact(2) * grid.largest**2 <= 2**53
    largest = float(grid.largest) ** 2 * (grid.num_exact(2) // 2)
    numbers = torch.tensor([largest, 1.0, 1.0, -largest, largest / 2, 1.0, -largest / 2], dtype=torch.float64)
    for order in (numbers, numbers.flip(0), numbers[torch.randperm(7, generator=torch.Generator().manual_seed(0))]):
        assert float(order.cumsum(dim=0)[-1]) == 3.0


def test_sums_beyond_the_integers_are_refused() -> None:
    grid = PublicGrid(radius=1.0, num_coordinates=784)
    grid.check_sum(2**40)
    with pytest.raises(InputError, match="exact integers"):
        grid.check_sum(2**48)
    with pytest.raises(InputError, match="exact integers"):
        grid.check_sum(2**34, power=2)
    with pytest.raises(InputError, match="too many for a grid"):
        PublicGrid(radius=1.0, num_coordinates=2**40).num_exact(2)


def test_noise_that_is_coarser_than_the_grid_is_refused_and_a_float_sum_is() -> None:
    total, normals = torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.float64)
    noisy_sum(total, 1e11, normals, 2.0**-10)
    with pytest.raises(InputError, match="too large for a grid"):
        noisy_sum(total, 1e13, normals, 2.0**-10)
    with pytest.raises(ValueError, match="integers"):
        noisy_sum(total.double(), 1.0, normals, 2.0**-10)


def test_sum_and_noise_meet_as_integers() -> None:
    """2^60 + 1: the one is lost only where the result is written as a float."""
    total = torch.tensor([2**60 + 1, -3, 0])
    noise = torch.tensor([-(2.0**50), 1.4, -0.6], dtype=torch.float64)
    assert noisy_sum(total, 1.0, noise, 1.0).tolist() == [float(2**60 + 1 - 2**50), -2.0, -1.0]


# ---- the releaser: what an output tells of the answer --------------------------------------------------------------

PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=9, num_critics=5, num_steps=1, batch_size=1, draws_per_step=1, clip_norm=1.0,
    noise_multiplier=0.8,
)  # fmt: skip
WIDTH = 4096
SPACING = 2.0**-16
"""The largest power of two with sqrt(4096) g / 2 <= 2^-10 (1 - 2^-10), by hand."""


class NearlyCancels(DeterministicNoise):
    """Noise that nearly cancels an answer: sums are below 2^-31, where float32 is finer than the answer's own bits."""

    def __init__(self, answer: float) -> None:
        super().__init__(0)
        self.answer = answer

    def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
        tiny = 2.0**-32 * super().gaussian(step, shape)
        return (tiny - self.answer) / PLAN.noise_std


class RoundsTheFloatSum(OneOfManyReleaser):
    """The break, and how it was done before: the sum is formed in float64 and rounded to float32."""

    def release(self, step: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
        clipped = clip_to_ball(ask(torch.zeros(1)), self.plan.group_clip_norm).flatten(end_dim=1)
        return (clipped + self.plan.noise_std * self._noise.gaussian(step, tuple(clipped.shape))).float()


def lattice(kind: type[OneOfManyReleaser], answer: float) -> float:
    """The coarsest power of two, 2^-60 at least, that all released numbers are multiples of; infinite for zeros."""
    door = kind(PLAN, NearlyCancels(answer), gate=StepGate(PLAN))
    released = door.release(0, lambda coins: torch.full((1, 1, WIDTH), answer, dtype=torch.float64)).double()
    if not released.any():
        return math.inf
    exponents = range(-10, -61, -1)
    fits = (2.0**e for e in exponents if torch.equal(released / 2.0**e, (released / 2.0**e).round()))
    return next(fits, 2.0**-60)


def test_an_output_near_zero_told_the_answers_that_it_cannot_come_from_and_no_longer_does() -> None:
    """Old way: with an answer of 0.0123 every small output is a multiple of 2^-59 and more, with zero it is not."""
    assert lattice(RoundsTheFloatSum, 0.0123) > 2.0**-60
    assert lattice(RoundsTheFloatSum, 0.0) == 2.0**-60
    for answer in (0.0, 0.0123, -0.0071, 2.0**-20, 1e-9):
        assert lattice(OneOfManyReleaser, answer) >= SPACING


def is_on_grid(kind: type[OneOfManyReleaser]) -> bool:
    """Whether whatever is released is a multiple of the public spacing, for answers of every size."""
    rng = torch.Generator().manual_seed(1)
    answers = torch.randn(1, 1, WIDTH, generator=rng, dtype=torch.float64) * torch.logspace(-12, 0, WIDTH)
    released = kind(PLAN, DeterministicNoise(2), gate=StepGate(PLAN)).release(0, lambda coins: answers).double()
    return torch.equal(released / SPACING, (released / SPACING).round())


def test_every_released_number_is_a_multiple_of_the_public_grid_whatever_was_answered() -> None:
    assert is_on_grid(OneOfManyReleaser)
    assert not is_on_grid(RoundsTheFloatSum)


# ---- one-shot sums --------------------------------------------------------------------------------------------------

KINDS: dict[str, Contribution] = {
    "vectors": GroupedVectors(num_groups=3, dim=50, radius=1.5),
    "moments": GroupedMoments(num_groups=3, dim=20, radius=2.0, count_weight=0.7, mean_weight=1.0, square_weight=0.8),
    "squares": GroupedMoments(num_groups=2, dim=20, radius=2.0, square_weight=1.3),
    "means": GroupedMoments(num_groups=3, dim=50, radius=0.5, count_weight=0.3, mean_weight=1.0),
}


def some_slots(contribution: Contribution, num: int = 60) -> Slots:
    """Vectors from far below the radius to far above it, one of them broken."""
    rng = torch.Generator().manual_seed(3)
    vectors = torch.randn(num, contribution.dim, generator=rng) * torch.logspace(-4, 3, num)[:, None]
    vectors[7, 2] = math.nan
    return Slots(vectors=vectors, groups=torch.randint(0, contribution.num_groups, (num,), generator=rng))


def taken(slots: Slots, rows: Tensor) -> Slots:
    owners = None if slots.owners is None else slots.owners[rows]
    return Slots(vectors=slots.vectors[rows], groups=slots.groups[rows], owners=owners)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7, 60])
def test_a_sum_over_slots_is_the_same_in_any_order_and_any_chunking_bit_for_bit(kind: str, size: int) -> None:
    contribution, slots = KINDS[kind], some_slots(KINDS[kind])
    whole = contribution.counted(slots)
    assert whole.dtype == torch.int64
    for trial in range(4):
        order = torch.randperm(60, generator=torch.Generator().manual_seed(trial))
        parts = [contribution.counted(taken(slots, rows)) for rows in order.split(size)]
        assert torch.equal(torch.stack(parts).sum(dim=0), whole)


def rest_moves(total: Callable[[Contribution, Slots], Tensor], contribution: Contribution) -> float:
    """How far the coming of one slot moves the sum beyond what the slot adds itself, in integers."""
    slots, every = some_slots(contribution), torch.arange(60)
    without = total(contribution, taken(slots, every[every != 31]))
    return float((total(contribution, slots) - without - total(contribution, taken(slots, every[31:32]))).abs().max())


def float_sum(contribution: Contribution, slots: Slots) -> Tensor:
    """The break: what slots add is added in float64, and the sum is rounded to the grid."""
    points, one_hot = contribution._bounded(slots, contribution.record_grid.inner_radius)
    sums = contribution._added(points, one_hot, 1.0) * contribution.weights
    return (sums / contribution.steps).round().to(torch.int64)


@pytest.mark.parametrize("kind", KINDS)
def test_one_slot_moves_nothing_of_what_others_add_and_rounding_the_sum_of_all_is_caught(kind: str) -> None:
    assert rest_moves(lambda contribution, slots: contribution.counted(slots), KINDS[kind]) == 0
    assert rest_moves(float_sum, KINDS[kind]) >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_few_rows_at_a_time_add_is_what_all_add(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = KINDS[kind].counted(some_slots(KINDS[kind]))
    monkeypatch.setattr(PublicGrid, "num_exact", lambda self, power=1: 7)
    assert torch.equal(KINDS[kind].counted(some_slots(KINDS[kind])), whole)


def released_of(contribution: Contribution, slots: Slots, sizes: Tensor | None = None) -> tuple[Tensor, OneShotPlan]:
    unit, num_slots = (Unit.RECORD, 60) if sizes is None else (Unit.PERSON, len(sizes))
    release = Release(name="sum", contribution=contribution)
    plan = OneShotPlan(unit=unit, num_slots=num_slots, releases=(release,), noise_multiplier=1.0)
    return OneShotReleaser(plan, DeterministicNoise(1), slot_sizes=sizes, gate=StepGate(plan)).release(0, [slots]), plan


def are_multiples(released: Tensor, steps: Tensor | float) -> bool:
    """Whether released float32 numbers are what integers times their steps are rounded to."""
    integers = (released.double() / steps).round()
    return torch.equal((integers * steps).float(), released)


@pytest.mark.parametrize("kind", KINDS)
def test_every_released_sum_is_integers_times_public_steps(kind: str) -> None:
    contribution = KINDS[kind]
    released, plan = released_of(contribution, some_slots(contribution))
    assert are_multiples(released, contribution.steps)
    noise = plan.release_noise_std(0) * DeterministicNoise(1).gaussian(0, (1, contribution.size))[0]
    before = (contribution.total(some_slots(contribution)) + noise).float()
    assert not are_multiples(before, contribution.steps) or "square" in kind
    # The noise that is added is that of the plan, to half a step.
    added = released.double() - contribution.total(some_slots(contribution))
    assert bool(((added - noise).abs() <= contribution.steps / 2 + 1e-5 * released.abs()).all())


# ---- people ---------------------------------------------------------------------------------------------------------


def some_people(contribution: Contribution, *, others: int = 60) -> Slots:
    """Person 0 with 25 rows among the rows of 4 others."""
    mixed = torch.randperm(25 + others, generator=torch.Generator().manual_seed(6))
    slots = taken(some_slots(contribution, 25 + others), mixed)
    owners = torch.cat([torch.zeros(25, dtype=torch.int64), 1 + torch.arange(others) % 4])
    return replace(slots, owners=owners)


def summed(contribution: Contribution, slots: Slots, sizes: Tensor) -> Tensor:
    """The integers that the door adds its noise to."""
    totals: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gossamer.mechanisms.one_shot.door.noisy_sum", lambda total, *rest: totals.append(total) or total)
        released_of(contribution, slots, sizes)
    return totals[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_person_moves_no_bit_of_what_other_people_add_wherever_the_rows_lie(kind: str) -> None:
    contribution, slots = KINDS[kind], some_people(KINDS[kind])
    assert slots.owners is not None
    sizes, rows = torch.bincount(slots.owners), torch.arange(85)
    whole = summed(contribution, slots, sizes)
    # Everybody's rows in their own order, among those of others.
    mixed = torch.argsort(torch.cat([torch.arange(25) * 3, torch.arange(60)]), stable=True)
    assert torch.equal(summed(contribution, taken(slots, mixed), sizes), whole)
    without = summed(contribution, taken(slots, rows[25:]), sizes)
    alone = contribution.averaged(taken(slots, rows[:25]))
    assert alone.any()
    assert torch.equal(whole - without, alone)


def test_people_in_one_matrix_product_are_caught() -> None:
    """The break: weights of one over the size, and the float sum over all rows rounded to the grid."""
    contribution, slots = KINDS["moments"], some_people(KINDS["moments"])
    assert slots.owners is not None
    weights = 1 / torch.bincount(slots.owners).double()[slots.owners]

    def at_once(rows: Tensor) -> Tensor:
        points, one_hot = contribution._bounded(taken(slots, rows), 1.0)
        sums = contribution._added(points, one_hot * weights[rows, None], 1.0) * contribution.weights
        return contribution.person_grid.rounded(sums * (1 - GRID_SHARE)).long()

    rows = torch.arange(85)
    assert (at_once(rows) - at_once(rows[25:]) - at_once(rows[:25])).abs().max() >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_people_add_is_released_as_integers_times_one_public_step(kind: str) -> None:
    slots = some_people(KINDS[kind])
    assert slots.owners is not None
    released, plan = released_of(KINDS[kind], slots, torch.bincount(slots.owners))
    assert are_multiples(released, KINDS[kind].person_grid.spacing)
    means = [KINDS[kind].total(taken(slots, rows)) / len(rows) for rows in people_of(slots)]
    noise = plan.release_noise_std(0) * DeterministicNoise(1).gaussian(0, (1, KINDS[kind].size))[0]
    apart = float((released.double() - torch.stack(means).sum(dim=0) - noise).norm())
    assert apart <= 5 * 2 * GRID_SHARE * KINDS[kind].norm_bound + KINDS[kind].person_grid.slack


def people_of(slots: Slots) -> list[Tensor]:
    assert slots.owners is not None
    return [(slots.owners == person).nonzero()[:, 0] for person in range(5)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_two_people_add_is_the_sensitivity_apart_at_most(kind: str) -> None:
    """Opposite vectors far beyond the radius, of one group and of two; and nobody."""
    contribution = KINDS[kind]
    far = torch.zeros(9, contribution.dim)
    far[:, 0] = 100.0
    turned = -far
    turned[:, 1] = 30.0
    groups = torch.zeros(9, dtype=torch.int64)
    contents = [(far, groups), (-far, groups), (turned, groups), (far, groups + 1), (far.roll(1, dims=1), groups)]
    added = [contribution.averaged(Slots(vectors=v, groups=g)) for v, g in contents] + [
        torch.zeros(contribution.size, dtype=torch.int64)
    ]
    apart = max(float((a - b).double().norm()) for a in added for b in added) * contribution.person_grid.spacing
    assert 0.8 * contribution.sensitivity < apart <= contribution.sensitivity
