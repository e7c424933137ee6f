"""The one rule of every releaser: each step once, in order, charged first, and none beyond the plan."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from gossamer.errors import PrivacyError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.contributions import GroupedVectors, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan, Release
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import units_of_records
from gossamer.privacy.adjacency import Unit

STEPS = 4
DRAWS = OneOfManyPlan(
    unit=Unit.RECORD, num_slots=6, num_critics=3, num_steps=STEPS, batch_size=2, draws_per_step=2, clip_norm=1.0,
    noise_multiplier=1.0,
)  # fmt: skip
SAMPLES = PoissonPlan(
    unit=Unit.RECORD, num_slots=6, sample_rate=0.5, num_steps=STEPS, clip_norm=1.0, noise_multiplier=1.0
)
SUMS = OneShotPlan(
    unit=Unit.RECORD,
    num_slots=6,
    releases=tuple(
        Release(name=f"sum {number}", contribution=GroupedVectors(num_groups=1, dim=2, radius=1.0))
        for number in range(STEPS)
    ),
    noise_multiplier=1.0,
)


def ask_draws(gate: StepGate, step: int) -> Any:
    door = OneOfManyReleaser(DRAWS, DeterministicNoise(0), gate=gate)
    return door.release(step, lambda coins: torch.zeros(2, 1, 3))


def ask_samples(gate: StepGate, step: int) -> Any:
    door = PoissonReleaser(
        SAMPLES, units_of_records(6, 6), (torch.ones(6, 1),), DeterministicNoise(0), gate=gate, chunk_size=3
    )
    return door.release(step, {"w": torch.zeros(1)}, lambda parameters, x: (parameters["w"] * x[:, 0]).square())


def ask_sums(gate: StepGate, step: int) -> Any:
    rows = Slots(vectors=torch.zeros(6, 2), groups=torch.zeros(6, dtype=torch.int64))
    return OneShotReleaser(SUMS, DeterministicNoise(0), gate=gate).release(step, [rows])


every_releaser = pytest.mark.parametrize(
    ("plan", "ask"), [(DRAWS, ask_draws), (SAMPLES, ask_samples), (SUMS, ask_sums)], ids=["draws", "samples", "sums"]
)


@every_releaser
def test_each_step_passes_once_in_order_and_none_after_the_last(plan: Any, ask: Any) -> None:
    charged: list[int] = []
    gate = StepGate(plan, charge=charged.append)
    for step in range(STEPS):
        for wrong in {step - 1, step + 1}:
            with pytest.raises(PrivacyError, match="no noise is used twice"):
                ask(gate, wrong)
        ask(gate, step)
    assert charged == list(range(STEPS))
    with pytest.raises(PrivacyError, match="all are spent"):
        ask(gate, STEPS)
    assert charged == list(range(STEPS))


@every_releaser
def test_a_step_whose_charge_fails_is_not_taken_and_nothing_is_drawn(
    plan: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(step: int) -> None:
        raise OSError("no ledger")

    def drawn(*_: object) -> Any:
        raise AssertionError("noise was drawn before the ledger was written")

    for name in ("gaussian", "coins", "inclusions"):
        monkeypatch.setattr(DeterministicNoise, name, drawn)
    gate = StepGate(plan, charge=refuse)
    with pytest.raises(OSError, match="no ledger"):
        ask(gate, 0)
    assert gate.next_step == 0


@every_releaser
def test_lost_steps_leave_fewer(plan: Any, ask: Any) -> None:
    gate = StepGate(plan, next_step=1, lost_steps=(1,))
    assert gate.end_step == STEPS - 1
    for step in range(1, gate.end_step):
        ask(gate, step)
    with pytest.raises(PrivacyError, match=f"pays for {STEPS} steps"):
        ask(gate, gate.end_step)


@every_releaser
def test_a_gate_that_lets_a_step_pass_twice_is_caught(plan: Any, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The break: the same step again, with the noise that it had."""

    def lax(self: StepGate, step: int) -> None:
        self.next_step = step + 1

    monkeypatch.setattr(StepGate, "take", lax)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_each_step_passes_once_in_order_and_none_after_the_last(plan, ask)


@every_releaser
def test_a_releaser_takes_no_gate_of_another_plan(plan: Any, ask: Any) -> None:
    gate = StepGate(dataclasses.replace(plan, noise_multiplier=2.0))
    with pytest.raises(PrivacyError, match="of another plan"):
        ask(gate, 0)
    assert gate.next_step == 0
