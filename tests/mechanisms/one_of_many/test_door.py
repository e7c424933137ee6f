"""The door: what it asks, in which order, and when it stays shut. Its joint law is in tests/statistical."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.errors import PrivacyError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.grid import PublicGrid
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.privacy.adjacency import Unit

PLAN = OneOfManyPlan(
    unit=Unit.RECORD,
    num_slots=9,
    num_critics=5,
    num_steps=3,
    batch_size=6,
    draws_per_step=3,
    clip_norm=1.0,
    noise_multiplier=1.0,
)


def releaser(**gate: Any) -> OneOfManyReleaser:
    return OneOfManyReleaser(PLAN, DeterministicNoise(0), gate=StepGate(PLAN, **gate))


def zeros(coins: Tensor) -> Tensor:
    return torch.zeros(len(coins), 2, 1, 2, 2)


def signal(released: Tensor) -> Tensor:
    """What was released at step 0 without its noise: (samples, coordinates), multiples of the grid."""
    flat = released.double().flatten(start_dim=1)
    spacing = grid(2 * flat.shape[1]).spacing
    noise = DeterministicNoise(0).gaussian(0, tuple(released.shape)).view_as(flat)
    return flat - (PLAN.noise_std * noise / spacing).round() * spacing


def grid(num_coordinates: int) -> PublicGrid:
    """That of both answers of a draw together."""
    return PublicGrid(radius=2**0.5, num_coordinates=num_coordinates)


def test_the_critics_are_asked_once_a_step_with_the_steps_own_coins() -> None:
    asked: list[Tensor] = []
    door = releaser()
    for step in range(3):
        door.release(step, lambda coins: asked.append(coins) or zeros(coins))
    expected = [DeterministicNoise(0).coins(step, 3, 5) for step in range(3)]
    assert [coins.tolist() for coins in asked] == [coins.tolist() for coins in expected]


def test_released_vectors_keep_the_order_of_groups_and_the_shape_of_the_view() -> None:
    answers = torch.arange(6.0).view(3, 2, 1, 1, 1).expand(3, 2, 1, 2, 3) / 100
    released = releaser().release(0, lambda coins: answers)
    assert released.shape == (6, 1, 2, 3)
    nearest = grid(12).rounded(answers.double()) * grid(12).spacing
    assert torch.allclose(signal(released), nearest.view(6, 6), atol=1e-6)
    assert float((nearest - answers).abs().max()) <= grid(12).spacing / 2


def test_all_answers_of_a_draw_are_clipped_as_one_vector() -> None:
    """One answer of norm 3 beside one of zero: the draw's bound is sqrt(2), so sqrt(2) is left of it."""
    answers = torch.zeros(3, 2, 1, 1, 2)
    answers[0, 0, 0, 0, 1] = 3.0
    answers[1] = 0.5
    released = releaser().release(0, lambda coins: answers)
    left = signal(released).view(3, 2, 2)
    expected = torch.tensor([[[0.0, 2**0.5], [0.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]], [[0.0, 0.0], [0.0, 0.0]]])
    assert torch.allclose(left, expected.double(), atol=2**0.5 * 2**-10 + 1e-6)
    assert float(left.flatten(start_dim=1).norm(dim=1).max()) <= 2**0.5 * (1 + 1e-6)


@pytest.mark.parametrize("step", [1, 2, -1])
def test_a_step_out_of_order_is_refused(step: int) -> None:
    with pytest.raises(PrivacyError, match="is next"):
        releaser().release(step, zeros)


def test_a_step_asked_twice_is_refused() -> None:
    door = releaser()
    door.release(0, zeros)
    with pytest.raises(PrivacyError, match="no noise is used twice"):
        door.release(0, zeros)


def test_a_step_whose_critics_failed_is_spent() -> None:
    door = releaser()

    def fail(coins: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        door.release(0, fail)
    with pytest.raises(PrivacyError, match="no noise is used twice"):
        door.release(0, zeros)


def test_no_step_beyond_the_plan_is_answered() -> None:
    door = releaser()
    for step in range(3):
        door.release(step, zeros)
    with pytest.raises(PrivacyError, match="3 steps and all are spent"):
        door.release(3, zeros)


def test_a_run_taken_up_again_goes_on_at_its_step_and_ends_earlier_by_what_was_lost() -> None:
    door = releaser(next_step=1, lost_steps=(1,))
    with pytest.raises(PrivacyError):
        door.release(0, zeros)
    door.release(1, zeros)
    with pytest.raises(PrivacyError, match="all are spent"):
        door.release(2, zeros)


def test_a_step_is_charged_before_anything_of_it_is_drawn() -> None:
    events: list[str] = []

    class Noise(DeterministicNoise):
        def coins(self, step: int, num_draws: int, num_critics: int) -> Tensor:
            events.append(f"coins {step}")
            return super().coins(step, num_draws, num_critics)

    door = OneOfManyReleaser(PLAN, Noise(0), gate=StepGate(PLAN, charge=lambda step: events.append(f"charge {step}")))
    door.release(0, zeros)
    door.release(1, zeros)
    assert events == ["charge 0", "coins 0", "charge 1", "coins 1"]


def test_a_ledger_that_refuses_shuts_the_door() -> None:
    def refuse(step: int) -> None:
        raise PrivacyError("the ledger is full")

    asked: list[Tensor] = []
    with pytest.raises(PrivacyError, match="ledger"):
        releaser(charge=refuse).release(0, lambda coins: asked.append(coins) or zeros(coins))
    assert not asked


@pytest.mark.parametrize("shape", [(6, 1, 2, 2), (2, 3, 1, 2, 2), (3, 1, 1, 2, 2)])
def test_answers_of_another_number_or_grouping_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the plan says"):
        releaser().release(0, lambda coins: torch.zeros(shape))


def test_no_gradient_runs_through_the_door() -> None:
    weight = torch.ones((), requires_grad=True)
    assert not releaser().release(0, lambda coins: weight * torch.ones(3, 2, 1, 2, 2)).requires_grad
