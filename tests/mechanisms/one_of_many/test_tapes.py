"""Streams that are not secret: what each is indexed by, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from gossamer.mechanisms.one_of_many.tapes import CriticTapes, TapeUse
from gossamer.mechanisms.streams import public_stream


def test_a_tape_is_indexed_by_critic_and_not_by_its_place_among_the_drawn() -> None:
    tapes = CriticTapes(3)
    drawn = tapes.uniform(TapeUse.FORK, torch.tensor([5, 2, 5, 9]), 7, 11)
    alone = tapes.uniform(TapeUse.FORK, torch.tensor([5]), 7, 11)
    assert torch.equal(drawn[0], alone[0])
    assert torch.equal(drawn[2], alone[0])
    assert not torch.equal(drawn[1], alone[0])


def test_a_tape_does_not_depend_on_what_was_read_before() -> None:
    busy, fresh = CriticTapes(3), CriticTapes(3)
    busy.uniform(TapeUse.RENEWAL, torch.arange(50), 7, 100)
    critics = torch.tensor([1, 4])
    assert torch.equal(busy.uniform(TapeUse.FORK, critics, 7, 9), fresh.uniform(TapeUse.FORK, critics, 7, 9))


def test_tapes_of_other_uses_critics_steps_and_seeds_share_no_number() -> None:
    tapes = [
        CriticTapes(seed).uniform(use, torch.arange(3), step, 8)
        for seed in (0, 1)
        for use in TapeUse
        for step in (0, 1, 2)
    ]
    numbers = torch.stack(tapes).flatten()
    assert len(numbers.unique()) == len(numbers)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_tape_gives_as_many_numbers_as_asked_and_a_longer_reading_begins_like_a_shorter(count: int) -> None:
    tapes, critics = CriticTapes(0), torch.tensor([1, 2, 1])
    numbers = tapes.uniform(TapeUse.WARM_START, critics, 0, count)
    assert numbers.shape == (3, count)
    assert numbers.dtype == torch.float64
    assert torch.equal(numbers, tapes.uniform(TapeUse.WARM_START, critics, 0, 20)[:, :count])


def test_numbers_of_a_tape_are_uniform() -> None:
    """Deterministic; a law that is 3 % too narrow is rejected."""
    numbers = CriticTapes(1).uniform(TapeUse.FORK, torch.arange(100), 3, 500).numpy().ravel()
    assert stats.kstest(numbers, "uniform").pvalue > 1e-6
    assert stats.kstest(0.97 * numbers, "uniform").pvalue < 1e-6
    assert np.min(numbers) >= 0
    assert np.max(numbers) < 1


def test_public_streams_differ_by_seed_purpose_and_step_and_repeat_otherwise() -> None:
    first = {
        float(torch.rand(1, generator=public_stream(seed, purpose, step), dtype=torch.float64))
        for seed in (0, 1)
        for purpose in ("latents", "pool")
        for step in (0, 1, 11)
    }
    assert len(first) == 12
    twice = [torch.rand(4, generator=public_stream(0, "pool", 2)) for _ in range(2)]
    assert torch.equal(*twice)


def test_no_stream_touches_the_global_one() -> None:
    before = torch.get_rng_state()
    torch.rand(3, generator=public_stream(0, "pool"))
    CriticTapes(0).uniform(TapeUse.FORK, torch.arange(2), 0, 4)
    assert torch.equal(before, torch.get_rng_state())
