"""The door of Poisson sums: whom it asks, what it adds up, when it stays shut, and broken doors that are caught.

Sums are compared as integers on the public grid, so that nothing here has a false alarm. The joint law of noise and
coins is in tests/statistical.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.grid import PublicGrid
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.mechanisms.pieces import Pieces
from gossamer.mechanisms.sum_of_many.door import Ask, SumOfManyReleaser, usual_chunks
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.privacy.adjacency import Unit

K, GROUPS, STEPS = 12, 3, 3
PLAN = SumOfManyPlan(
    unit=Unit.RECORD, num_slots=30, num_critics=K, critics_per_draw=3, num_steps=STEPS, batch_size=2 * GROUPS,
    draws_per_step=GROUPS, clip_norm=1.0, noise_multiplier=1.0,
)  # fmt: skip
RADIUS = 2**0.5
GRID = PublicGrid(radius=RADIUS, num_coordinates=12)
"""That of both answers to a group together, of shape (1, 2, 3) each."""
# From far below the bound to far above it.
LENGTHS = torch.logspace(-4, 4, K)[:, None, None, None, None, None]
TABLE = LENGTHS * torch.randn(K, GROUPS, 2, 1, 2, 3, generator=torch.Generator().manual_seed(0))
CHUNK_SIZES = [1, 5, 12, 32]
"""One place, some of which the critics are no multiple, all critics, and more than there are."""


class Everybody(DeterministicNoise):
    """Every critic in every group."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return torch.ones(num_units, dtype=torch.bool)


class Nobody(DeterministicNoise):
    """No critic in any group."""

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return torch.zeros(num_units, dtype=torch.bool)


def answered(critics: Tensor, groups: Tensor) -> Tensor:
    """The answers of the table."""
    return TABLE[critics, groups]


def releaser(
    kind: type[SumOfManyReleaser] = SumOfManyReleaser,
    noise: AbstractNoise | None = None,
    plan: SumOfManyPlan = PLAN,
    chunk_size: int = 5,
    **gate: Any,
) -> SumOfManyReleaser:
    return kind(plan, noise or DeterministicNoise(0), chunk_size=chunk_size, gate=StepGate(plan, **gate))


def included(step: int = 0, plan: SumOfManyPlan = PLAN) -> Tensor:
    """Who is in which group by the coins of the noise: bool (groups, critics)."""
    return DeterministicNoise(0).inclusions(step, GROUPS * K, plan.sample_rate).view(GROUPS, K)


def integers(released: Tensor, plan: SumOfManyPlan = PLAN, step: int = 0) -> Tensor:
    """The sums under the noise of a release, over the spacing of the grid: (groups, 2, 1, 2, 3), whole numbers."""
    number = released.double() * plan.critics_per_draw / GRID.spacing
    # Whole numbers, but for the rounding of what is released to float32.
    assert torch.allclose(number, number.round(), rtol=2**-22, atol=1e-9)
    noise = DeterministicNoise(0).gaussian(step, tuple(released.shape))
    return (number.round() - (plan.noise_std * noise / GRID.spacing).round()).unflatten(0, (GROUPS, 2))


def textbook(who: Tensor) -> Tensor:
    """The sums by hand: every included critic's answers to a group, clipped as one vector and rounded."""
    total = torch.zeros(GROUPS, *TABLE.shape[2:], dtype=torch.float64)
    for group, critic in who.nonzero().tolist():
        vector = TABLE[critic, group].double()
        shrunk = vector * min(1.0, GRID.inner_radius / float(vector.norm()))
        total[group] += (shrunk / GRID.spacing).round()
    return total


# ---- the same as by hand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
@pytest.mark.parametrize("step", range(STEPS))
def test_a_release_is_the_sum_over_the_included_of_answers_each_clipped_by_itself(chunk_size: int, step: int) -> None:
    door = releaser(chunk_size=chunk_size, next_step=step)
    released = door.release(step, answered)
    assert 0 < int(included(step).sum()) < GROUPS * K
    assert torch.equal(integers(released, step=step), textbook(included(step)))


def test_released_vectors_have_the_shape_of_the_view_and_the_order_of_groups() -> None:
    """Critic 0 answers each group with its own number, and everybody else is silent."""
    own = 0.01 * torch.arange(1.0, 1 + 2 * GROUPS).view(GROUPS, 2, 1, 1, 1).expand(GROUPS, 2, 1, 2, 3)
    released = releaser(noise=Everybody(0)).release(
        0, lambda critics, groups: own[groups] * (critics == 0).view(-1, 1, 1, 1, 1)
    )
    assert (released.shape, released.dtype) == ((2 * GROUPS, 1, 2, 3), torch.float32)
    assert torch.equal(integers(released), GRID.rounded(own.double()))


def test_all_answers_of_a_critic_to_a_group_are_clipped_as_one_vector() -> None:
    """One answer of norm 9 beside one of zero: the group's bound is sqrt(2), so sqrt(2) is left of it."""
    one = torch.zeros(2, 1, 2, 3)
    one[0, 0, 0, 1] = 9.0
    silent = torch.zeros_like(one)
    released = releaser(noise=Everybody(0)).release(
        0, lambda critics, groups: torch.stack([one if critic == 4 else silent for critic in critics.tolist()])
    )
    left = integers(released) * GRID.spacing
    assert left[:, 0, 0, 0, 1].tolist() == pytest.approx([RADIUS] * GROUPS, rel=2e-3)
    assert float(left.flatten(start_dim=1).norm(dim=1).max()) <= RADIUS


@pytest.mark.parametrize("critics_per_draw", [1, 3, K])
def test_sums_are_divided_by_the_public_number_whoever_was_included(critics_per_draw: int) -> None:
    plan = replace(PLAN, critics_per_draw=critics_per_draw)
    released = releaser(plan=plan).release(0, answered)
    assert torch.equal(integers(released, plan), textbook(included(plan=plan)))


def test_with_all_critics_expected_every_critic_answers_every_group() -> None:
    plan = replace(PLAN, critics_per_draw=K)
    assert plan.sample_rate == 1.0
    assert bool(included(plan=plan).all())
    released = releaser(plan=plan, chunk_size=4).release(0, answered)
    assert torch.equal(integers(released, plan), textbook(torch.ones(GROUPS, K, dtype=torch.bool)))


def test_a_sum_without_any_critic_is_released_like_the_others() -> None:
    asked: list[int] = []
    released = releaser(noise=Nobody(0)).release(
        0, lambda critics, groups: asked.append(len(critics)) or answered(critics, groups)
    )
    assert torch.equal(integers(released), torch.zeros(GROUPS, 2, 1, 2, 3, dtype=torch.float64))
    assert asked == [5] * usual_chunks(PLAN, 5)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_not_finite_counts_as_zero_and_moves_no_other(value: float) -> None:
    spoilt = TABLE.clone()
    spoilt[7, :, 0, 0, 1, 1] = value
    released = releaser(noise=Everybody(0)).release(0, lambda critics, groups: spoilt[critics, groups])
    others = torch.ones(GROUPS, K, dtype=torch.bool)
    others[:, 7] = False
    assert torch.equal(integers(released), textbook(others))


def test_no_gradient_runs_through_the_door() -> None:
    weight = torch.ones((), requires_grad=True)
    assert not releaser().release(0, lambda critics, groups: weight * answered(critics, groups)).requires_grad


# ---- how far one critic moves a sum ---------------------------------------------------------------------------------


class ClipsTheSum(SumOfManyReleaser):
    """The break: one clip for the sum, and none for a critic."""

    def _sum(self, included: Tensor, ask: Ask) -> tuple[Tensor, PublicGrid]:
        _, grid = super()._sum(included, ask)
        total: Any = 0
        for critics, groups, counts in self._chunks(included):
            total = total + torch.zeros(len(included), *TABLE.shape[2:], dtype=torch.float64).index_add_(
                0, groups, ask(critics, groups).double() * counts.view(-1, 1, 1, 1, 1)
            )
        return grid.rounded(clip_to_ball(total, grid.inner_radius)).to(torch.int64).flatten(end_dim=1), grid


class ClipsEachSample(SumOfManyReleaser):
    """The break: every sample of a group clipped to the bound of the whole group."""

    def _sum(self, included: Tensor, ask: Ask) -> tuple[Tensor, PublicGrid]:
        def apart(critics: Tensor, groups: Tensor) -> Tensor:
            answers = ask(critics, groups)
            return clip_to_ball(answers.flatten(end_dim=1), GRID.inner_radius).view(answers.shape) / RADIUS

        total, grid = super()._sum(included, apart)
        return (total.double() * RADIUS).round().to(torch.int64), grid


def farthest_move(kind: type[SumOfManyReleaser]) -> float:
    """How far one critic's coming moves a sum, at most of some answers, over the bound that the event prices."""
    far = torch.zeros(K, GROUPS, 2, 1, 2, 3)
    far[:, :, 0, 0, 0, 0] = 0.7
    moves = []
    for own in (-100.0 * torch.ones(2, 1, 2, 3), -far[0, 0] * 3, 50 * far[0, 0]):
        totals = []
        for last in (torch.zeros(2, 1, 2, 3), own):
            table = far.clone()
            table[K - 1] = last
            released = releaser(kind, Everybody(0)).release(0, lambda critics, groups, t=table: t[critics, groups])
            totals.append(integers(released) * GRID.spacing)
        moves.append(float((totals[1] - totals[0]).flatten(start_dim=1).norm(dim=1).max()))
    return max(moves) / RADIUS


def test_one_critic_moves_a_sum_by_the_bound_of_its_group_at_most_and_attains_it() -> None:
    assert 0.99 < farthest_move(SumOfManyReleaser) <= 1


@pytest.mark.parametrize("kind", [ClipsTheSum, ClipsEachSample])
def test_a_clip_of_the_sum_or_of_each_sample_is_caught_by_how_far_one_critic_moves_it(
    kind: type[SumOfManyReleaser],
) -> None:
    assert farthest_move(kind) > 1.2


class DividedByTheDrawn(SumOfManyReleaser):
    """The break: divided by the number of included critics."""

    def _included(self, step: int) -> Tensor:
        self.number = super()._included(step).sum(dim=1)
        return super()._included(step)

    def _divisor(self, step: int) -> float:
        return max(1.0, float(self.number.double().mean()))


class Of(DeterministicNoise):
    """Coins as they were given."""

    def __init__(self, coins: Tensor) -> None:
        super().__init__(0)
        self.coins_given = coins

    def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
        return self.coins_given.flatten()


def scale_follows_the_coins(kind: type[SumOfManyReleaser]) -> bool:
    """Whether silent critics change what is released: then it tells how many there were."""
    silent = [
        releaser(kind, noise).release(0, lambda critics, groups: 0 * answered(critics, groups))
        for noise in (Nobody(0), DeterministicNoise(0), Everybody(0))
    ]
    return not all(torch.equal(silent[0], other) for other in silent[1:])


def test_silent_critics_change_nothing_and_a_division_by_the_number_drawn_is_caught() -> None:
    assert not scale_follows_the_coins(SumOfManyReleaser)
    assert scale_follows_the_coins(DividedByTheDrawn)


# ---- a public centre ------------------------------------------------------------------------------------------------

CENTRE = 0.4 * torch.randn(2 * GROUPS, 1, 2, 3, generator=torch.Generator().manual_seed(1))
"""A prediction of the answers to each sample, about as long as the clip permits a group's answers to be."""


def around_the_centre(critics: Tensor, groups: Tensor) -> Tensor:
    """The table's answers about the centre."""
    return answered(critics, groups) + CENTRE.unflatten(0, (GROUPS, 2))[groups]


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_a_centre_is_subtracted_before_the_clip_and_itself_added_back(chunk_size: int) -> None:
    plain = releaser(chunk_size=chunk_size).release(
        0, lambda *pair: around_the_centre(*pair) - CENTRE.unflatten(0, (GROUPS, 2))[pair[1]]
    )
    released = releaser(chunk_size=chunk_size).release(0, around_the_centre, CENTRE)
    assert torch.allclose(released, plain + CENTRE, rtol=0, atol=1e-6)
    # Twice the clip away from it, so that it does matter whether the clip is before or after.
    assert not torch.allclose(released, releaser(chunk_size=chunk_size).release(0, around_the_centre), atol=0.01)


def test_a_centre_of_zeros_changes_no_bit() -> None:
    assert torch.equal(releaser().release(0, answered, torch.zeros_like(CENTRE)), releaser().release(0, answered))


def test_one_critic_moves_a_sum_around_a_centre_by_the_bound_of_its_group_at_most() -> None:
    """From the centre, where a critic that says nothing is, in any direction."""
    nothing = CENTRE.unflatten(0, (GROUPS, 2)).expand(K, -1, -1, -1, -1, -1)
    for own in (-1e3 * torch.ones(2, 1, 2, 3), -5 * CENTRE[:2], 5 * CENTRE[:2]):
        table = nothing.clone()
        table[K - 1] = own
        totals = [
            releaser(noise=Everybody(0)).release(0, lambda critics, groups, t=t: t[critics, groups], CENTRE).double()
            for t in (nothing, table)
        ]
        moved = (PLAN.critics_per_draw * (totals[1] - totals[0])).unflatten(0, (GROUPS, 2)).flatten(start_dim=1)
        assert 0.99 * RADIUS < float(moved.norm(dim=1).min()) <= float(moved.norm(dim=1).max()) < RADIUS * (1 + 1e-6)


class AddsBackForTheIncluded(SumOfManyReleaser):
    """The break: the number of included critics times the centre is added back."""

    def _included(self, step: int) -> Tensor:
        self.number = super()._included(step).sum(dim=1)
        return super()._included(step)

    def _added_back(self, step: int, centre: Tensor) -> Tensor:
        return (self.number[:, None, None, None, None] * centre.unflatten(0, (GROUPS, 2))).flatten(end_dim=1)


def centre_follows_the_coins(kind: type[SumOfManyReleaser]) -> bool:
    """Whether critics that say the centre and no more change what is released: then it tells how many there were."""
    predicted = CENTRE.unflatten(0, (GROUPS, 2))
    silent = [
        releaser(kind, noise).release(0, lambda critics, groups: predicted[groups], CENTRE)
        for noise in (Nobody(0), DeterministicNoise(0), Everybody(0))
    ]
    return not all(torch.equal(silent[0], other) for other in silent[1:])


def test_the_centre_is_added_back_once_and_as_often_as_critics_were_included_is_caught() -> None:
    assert not centre_follows_the_coins(SumOfManyReleaser)
    assert centre_follows_the_coins(AddsBackForTheIncluded)


@pytest.mark.parametrize("centre", [CENTRE[:-1], CENTRE / 0.0, torch.full_like(CENTRE, float("nan"))])
def test_a_centre_of_another_number_or_that_is_not_finite_is_refused(centre: Tensor) -> None:
    with pytest.raises(ValueError, match="finite vectors, one for each sample"):
        releaser().release(0, answered, centre)


# ---- company changes no bit -----------------------------------------------------------------------------------------


class FloatSum(SumOfManyReleaser):
    """The break: clipped answers are added as floats, one after the other, and their sum is put on the grid."""

    def _sum(self, included: Tensor, ask: Ask) -> tuple[Tensor, PublicGrid]:
        _, grid = super()._sum(included, ask)
        total = torch.zeros(len(included), *TABLE.shape[2:], dtype=torch.float64)
        for critics, groups, counts in self._chunks(included):
            clipped = clip_to_ball(ask(critics, groups), grid.inner_radius) * counts.view(-1, 1, 1, 1, 1)
            total.index_add_(0, groups, clipped)
        return grid.rounded(total).to(torch.int64).flatten(end_dim=1), grid


def rounded_by_place(critics: Tensor, groups: Tensor) -> Tensor:
    """Answers as kernels may round them that take the last rows of a product otherwise, only more so."""
    return answered(critics, groups) * (1 + 2.0**-10 * torch.arange(len(critics))).view(-1, 1, 1, 1, 1)


def rest_moves(kind: type[SumOfManyReleaser], ask: Ask, chunk_size: int) -> float:
    """How far what all others add moves when a critic is left out of a group, in multiples of the grid, at most."""

    def total(who: Tensor) -> Tensor:
        return integers(releaser(kind, Of(who), chunk_size=chunk_size).release(0, ask))

    everyone, moves = included(1), []
    for group, critic in everyone.nonzero().tolist():
        alone = torch.zeros_like(everyone)
        alone[group, critic] = True
        moves.append(float((total(everyone) - total(everyone & ~alone) - total(alone)).abs().max()))
    assert len(moves) >= 5
    return max(moves)


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_a_critic_moves_no_bit_of_what_others_add(chunk_size: int) -> None:
    assert rest_moves(SumOfManyReleaser, answered, chunk_size) == 0


def test_in_chunks_of_one_critic_no_answer_can_depend_on_its_place() -> None:
    assert rest_moves(SumOfManyReleaser, rounded_by_place, 1) == 0


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES[1:])
def test_answers_that_depend_on_their_place_are_caught_by_what_others_add(chunk_size: int) -> None:
    """A place counts who was included before. So the size of chunks must be one at which places are alike."""
    assert rest_moves(SumOfManyReleaser, rounded_by_place, chunk_size) > 0


def test_a_float_sum_that_is_rounded_to_the_grid_is_caught() -> None:
    assert rest_moves(FloatSum, answered, 5) > 0


# ---- chunks ---------------------------------------------------------------------------------------------------------


def asked_sizes(kind: type[SumOfManyReleaser], chunk_size: int, num_steps: int = 60) -> list[list[int]]:
    """The sizes of the chunks that are asked, step by step."""
    plan = replace(PLAN, num_steps=num_steps)
    door, sizes = releaser(kind, plan=plan, chunk_size=chunk_size), []
    for step in range(num_steps):
        sizes.append([])
        door.release(step, lambda critics, groups: sizes[-1].append(len(critics)) or answered(critics, groups))
    return sizes


@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
def test_chunks_have_one_shape_and_their_usual_number_whoever_was_included(chunk_size: int) -> None:
    usual = [chunk_size] * usual_chunks(PLAN, chunk_size)
    assert asked_sizes(SumOfManyReleaser, chunk_size) == [usual] * 60


class AsManyChunksAsDrawn(SumOfManyReleaser):
    """The break: no more chunks than the included critics fill."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._usual_chunks = 1


@pytest.mark.parametrize("chunk_size", [1, 5])
def test_chunks_as_many_as_were_drawn_are_caught_by_their_number(chunk_size: int) -> None:
    assert len({len(step) for step in asked_sizes(AsManyChunksAsDrawn, chunk_size)}) > 3


def test_a_step_with_more_critics_than_usual_gets_the_chunks_that_it_needs_and_loses_none() -> None:
    plan = replace(PLAN, critics_per_draw=1)
    assert usual_chunks(plan, 4) < K * GROUPS // 4
    released = releaser(noise=Everybody(0), plan=plan, chunk_size=4).release(0, answered)
    assert torch.equal(integers(released, plan), textbook(torch.ones(GROUPS, K, dtype=torch.bool)))


@pytest.mark.parametrize(
    ("num_critics", "critics_per_draw", "num_groups", "chunk_size"),
    [(60, 2, 16, 8), (100, 1, 64, 32), (100, 10, 5, 7), (30, 30, 4, 8), (20, 1, 1, 50), (50, 4, 10, 1)],
)
def test_all_but_one_step_in_a_thousand_have_room_in_the_usual_chunks(
    num_critics: int, critics_per_draw: int, num_groups: int, chunk_size: int
) -> None:
    """By simulation, 4000 steps with fixed coins. With two chunks less there would be no room."""
    plan = replace(
        PLAN, num_slots=200, num_critics=num_critics, critics_per_draw=critics_per_draw, batch_size=num_groups,
        draws_per_step=num_groups,
    )  # fmt: skip
    numbers = np.random.default_rng(0).binomial(num_groups * num_critics, plan.sample_rate, size=4000)
    needed, usual = -(-numbers // chunk_size), usual_chunks(plan, chunk_size)
    beyond = int((needed > usual).sum())
    assert stats.binomtest(beyond, 4000, 1e-3, alternative="greater").pvalue > 1e-4
    # A simulated share, not an exact one: one in a thousand of 4000 steps may be none.
    assert usual * chunk_size < 100 or int((needed > usual - 2).sum()) > 0


def test_a_chunk_without_critics_is_refused() -> None:
    with pytest.raises(InputError, match="chunk_size"):
        releaser(chunk_size=0)


@pytest.mark.parametrize("shape", [(4, 2, 1, 2, 3), (5, 1, 1, 2, 3), (5, 3, 1, 2, 3), (5, 12)])
def test_answers_of_another_number_or_grouping_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the plan says"):
        releaser().release(0, lambda critics, groups: torch.zeros(shape))


def test_a_piece_that_would_be_spread_over_several_samples_is_refused() -> None:
    """One number of a piece for two samples of its block: clipped as one, and added to both."""
    places = torch.arange(2).expand(GROUPS, 1, -1)

    def ask(critics: Tensor, groups: Tensor) -> Pieces:
        values, blocks = torch.ones(len(critics), 1, 1, 1, 2, 3), torch.zeros(len(critics), 1, dtype=torch.int64)
        return Pieces(values=values, blocks=blocks, places=places, num_samples=2)

    with pytest.raises(ValueError, match="differ in shape"):
        releaser().release(0, ask)


def test_a_later_chunk_of_another_shape_is_refused() -> None:
    chunks = iter([(5, 2, 1, 2, 3), *[(5, 2, 1, 1, 1)] * 9])
    with pytest.raises(ValueError, match="differ in shape"):
        releaser().release(0, lambda critics, groups: torch.ones(next(chunks)))


# ---- steps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, -1])
def test_a_step_out_of_order_is_refused(step: int) -> None:
    with pytest.raises(PrivacyError, match="is next"):
        releaser().release(step, answered)


def test_a_step_asked_twice_or_beyond_the_plan_is_refused() -> None:
    door = releaser()
    for step in range(STEPS):
        door.release(step, answered)
        with pytest.raises(PrivacyError, match=r"no noise is used twice|all are spent"):
            door.release(step, answered)
    with pytest.raises(PrivacyError, match="3 steps and all are spent"):
        door.release(STEPS, answered)


def test_a_step_whose_critics_failed_is_spent() -> None:
    door = releaser()

    def fail(critics: Tensor, groups: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        door.release(0, fail)
    with pytest.raises(PrivacyError, match="no noise is used twice"):
        door.release(0, answered)


def test_a_step_is_charged_before_anything_of_it_is_drawn_and_a_ledger_that_refuses_shuts_the_door() -> None:
    events: list[str] = []

    class Noise(DeterministicNoise):
        def inclusions(self, step: int, num_units: int, sample_rate: float) -> Tensor:
            events.append(f"coins {step}")
            return super().inclusions(step, num_units, sample_rate)

        def gaussian(self, step: int, shape: tuple[int, ...]) -> Tensor:
            events.append(f"noise {step}")
            return super().gaussian(step, shape)

    def charge(step: int) -> None:
        events.append(f"charge {step}")
        if step == 1:
            raise PrivacyError("the ledger is full")

    door = releaser(noise=Noise(0), charge=charge)
    door.release(0, answered)
    with pytest.raises(PrivacyError, match="ledger"):
        door.release(1, answered)
    assert events == ["charge 0", "coins 0", "noise 0", "charge 1"]


def test_a_gate_of_another_plan_is_refused() -> None:
    other = replace(PLAN, critics_per_draw=2)
    with pytest.raises(PrivacyError):
        SumOfManyReleaser(PLAN, DeterministicNoise(0), gate=StepGate(other))
