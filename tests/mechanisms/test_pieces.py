"""Answers in pieces: the same sums as of whole answers, and no critic beyond its bound whatever its pieces say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gossamer.mechanisms.clipping import clipped_sums
from gossamer.mechanisms.grid import PublicGrid
from gossamer.mechanisms.pieces import Pieces, in_pieces, whole

N, PIECES, GROUPS, SAMPLES, SHAPE = 9, 3, 2, 7, (1, 2)
PLACES = torch.tensor([[[0, 3, 5], [1, 6, 7], [2, 4, 7]], [[6, 2, 1], [0, 7, 7], [3, 4, 5]]])
"""Samples of three blocks of two groups, 7 where a block has fewer than three."""
GRID = PublicGrid(radius=1.5, num_coordinates=SAMPLES * math.prod(SHAPE))
OF_GROUP = torch.tensor([0, 1, 1, 0, 0, 1, 0, 1, 1])
EVERYBODY = torch.ones(N, dtype=torch.bool)


def pieces(seed: int = 0) -> Pieces:
    """Answers from far below the bound to far above it, each in pieces of distinct blocks, some of none."""
    rng = torch.Generator().manual_seed(seed)
    lengths = torch.logspace(-3, 3, N)[torch.randperm(N, generator=rng)]
    blocks = torch.stack([torch.randperm(4, generator=rng)[:PIECES] for _ in range(N)])
    is_sample = torch.cat([PLACES < SAMPLES, torch.zeros(GROUPS, 1, 3, dtype=torch.bool)], dim=1)
    values = lengths.view(-1, 1, 1, 1, 1) * torch.randn(N, PIECES, 3, *SHAPE, generator=rng)
    values = values * is_sample[OF_GROUP[:, None], blocks][..., None, None]
    return Pieces(values=values, blocks=blocks, places=PLACES, num_samples=SAMPLES)


def by_hand(made: Pieces) -> Tensor:
    """The whole answers, number after number: (n, r, *shape)."""
    found = torch.zeros(N, SAMPLES, *SHAPE)
    for critic in range(N):
        for piece, block in enumerate(made.blocks[critic].tolist()):
            for number, place in enumerate(PLACES[OF_GROUP[critic], block].tolist() if block < 3 else []):
                if place < SAMPLES:
                    found[critic, place] = made.values[critic, piece, number]
    return found


def sums_of(made: Pieces, groups: Tensor = OF_GROUP, is_included: Tensor = EVERYBODY) -> Tensor:
    return made.placed(made.clipped_sums(groups, is_included, GRID)).unflatten(0, (GROUPS, SAMPLES))


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_pieces_are_those_of_whole_answers_bit_for_bit(seed: int) -> None:
    made, is_included = pieces(seed), torch.arange(N) != 4
    answers = made.whole_answers(OF_GROUP)
    assert torch.equal(answers, by_hand(made))
    expected = clipped_sums([answers], torch.where(is_included, OF_GROUP, -1), GRID, num_sums=GROUPS)
    found = sums_of(made, is_included=is_included)
    assert found.any()
    assert torch.equal(found.flatten(start_dim=1), expected)


def test_whole_answers_are_one_piece_each() -> None:
    answers = torch.randn(N, SAMPLES, *SHAPE, generator=torch.Generator().manual_seed(3))
    made = in_pieces(answers, GROUPS)
    assert torch.equal(whole(made, OF_GROUP), answers)
    expected = clipped_sums([answers], OF_GROUP, GRID, num_sums=GROUPS)
    assert torch.equal(sums_of(made).flatten(start_dim=1), expected)


@pytest.mark.parametrize("block", [-1, 3, 4, 10**6])
def test_a_piece_of_no_block_adds_nothing_not_even_to_the_next_group(block: int) -> None:
    made = pieces()
    found = sums_of(replace(made, blocks=torch.full_like(made.blocks, block)))
    assert not found.any()


def test_no_critic_leaves_the_ball_whatever_blocks_its_pieces_name() -> None:
    """Three pieces of one block that add up would have up to the root of three times the bound."""
    ones = torch.ones(N, PIECES, 3, *SHAPE) * 100
    for blocks in torch.cartesian_prod(*[torch.arange(-1, 4)] * PIECES):
        made = Pieces(values=ones, blocks=blocks.expand(N, -1), places=PLACES, num_samples=SAMPLES)
        for group in range(GROUPS):
            found = sums_of(made, torch.full((N,), group), torch.arange(N) == 2)
            assert float(found.double().norm()) * GRID.spacing <= GRID.radius
            assert not found[1 - group].any()


class AddsUp(Pieces):
    """The break: every piece is added to the block that it names."""

    def _rows(self, groups: Tensor) -> Tensor:
        return groups[:, None] * self.places.shape[1] + self.blocks


def test_pieces_that_add_up_and_pieces_in_another_group_are_caught() -> None:
    ones, first, one = torch.ones(N, PIECES, 3, *SHAPE) * 100, torch.zeros(N, dtype=torch.int64), torch.arange(N) == 2
    same = AddsUp(values=ones, blocks=torch.zeros(N, PIECES).long(), places=PLACES, num_samples=SAMPLES)
    assert float(sums_of(same, first, one).double().norm()) * GRID.spacing > 1.5 * GRID.radius
    beyond = replace(same, blocks=torch.arange(1, 4).expand(N, -1))
    assert sums_of(beyond, first, one)[1].any()


def test_of_several_pieces_of_one_block_the_first_counts() -> None:
    made = pieces()
    same = replace(made, blocks=torch.full_like(made.blocks, 1), values=made.values * 1e-6)
    first = replace(same, blocks=same.blocks[:, :1], values=same.values[:, :1])
    assert torch.equal(same.whole_answers(OF_GROUP), first.whole_answers(OF_GROUP))
    assert torch.equal(sums_of(same), sums_of(first))


def test_a_critic_moves_no_bit_of_what_others_add() -> None:
    made = pieces()
    total = sums_of(made)
    for critic in range(N):
        alone, others = (sums_of(made, is_included=EVERYBODY & mark) for mark in _sides(critic))
        assert torch.equal(alone + others, total)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    mixed = replace(made, values=made.values[order], blocks=made.blocks[order])
    assert torch.equal(sums_of(mixed, OF_GROUP[order]), total)


def _sides(critic: int) -> tuple[Tensor, Tensor]:
    return torch.arange(N) == critic, torch.arange(N) != critic


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_piece_that_is_not_finite_makes_its_critic_zero_and_no_other(bad: float) -> None:
    made = pieces()
    spoilt = replace(made, values=made.values.clone())
    spoilt.values[5, 1, 0] = bad
    assert torch.equal(sums_of(spoilt), sums_of(made, is_included=torch.arange(N) != 5))


@pytest.mark.parametrize(
    "places",
    [
        [[[0, 1], [1, 2]]],  # a sample in two blocks
        [[[0, 0], [1, 2]]],  # a sample twice in one
        [[[0, 1], [2, 4]]],  # no such sample: there are three
        [[[0, -1], [1, 2]]],
    ],
)
def test_blocks_that_share_a_sample_are_refused(places: list[list[list[int]]]) -> None:
    made = Pieces(
        values=torch.zeros(1, 1, 2, 1),
        blocks=torch.zeros(1, 1, dtype=torch.int64),
        places=torch.tensor(places),
        num_samples=3,
    )
    with pytest.raises(ValueError, match="each of 3 once at most"):
        made.check_places()


def test_blocks_of_distinct_samples_pass() -> None:
    pieces().check_places()


def test_groups_and_marks_may_lie_on_another_device_than_the_pieces() -> None:
    """The releaser numbers critics and groups on the CPU, and critics answer on the device of the training."""
    made = pieces()
    there = replace(made, **{name: getattr(made, name).to("meta") for name in ("values", "blocks", "places")})
    assert there.whole_answers(OF_GROUP).shape == (N, SAMPLES, *SHAPE)
    assert there.clipped_sums(OF_GROUP, EVERYBODY, GRID).shape == (GROUPS * 3, 3, math.prod(SHAPE))
