"""A resumed run answers the steps that a crash lost once more, on another signal: with noise that it never used."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy.adjacency import Unit

PLAN = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=20, num_critics=4, num_steps=6, batch_size=3, draws_per_step=3, clip_norm=1.0,
    noise_multiplier=1.0,
)  # fmt: skip


def repeats_noise(make: Callable[[], AbstractNoise]) -> bool:
    """Whether the difference of two answers to one step, before a crash and after the resume, is free of noise.

    To a multiple of the grid, 2^-11: with fresh noise the chance is below 2^-100.
    """
    first, second = torch.zeros(3, 1, 8), torch.full((3, 1, 8), 0.1)

    def played(signal: Tensor, steps: range, num_lost_steps: int) -> list[Tensor]:
        door = OneOfManyReleaser(
            PLAN, make(), gate=StepGate(PLAN, next_step=steps[0], lost_steps=(0,) * num_lost_steps)
        )
        return [door.release(step, lambda coins: signal) for step in steps]

    before, after = played(first, range(4), 0), played(second, range(2, 4), 2)
    return any(
        torch.allclose(later - earlier, (second - first).flatten(end_dim=1), atol=1e-3)
        for later, earlier in zip(after, before[2:], strict=True)
    )


def test_a_resumed_run_uses_no_noise_twice() -> None:
    assert not repeats_noise(KeyedNoise)


def test_a_key_reused_after_a_resume_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key from a seed, and one that was kept: both give the noise of the lost steps once more."""
    assert repeats_noise(lambda: DeterministicNoise(7))
    monkeypatch.setattr("os.urandom", lambda size: b"k" * size)
    assert repeats_noise(KeyedNoise)
