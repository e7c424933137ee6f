"""A rehearsal of a one-shot method on stand-ins: settings and noise as asked for, and nothing private in it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec
from gossamer.data.stand_ins import stand_ins
from gossamer.driving.job import start_training
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_shot.contributions import Contribution, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.methods.method import Method
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import PublicSlots

MOST_VALUES: Final = 2**24
"""Most values of all stand-ins that are computed, however many slots there are."""
MOST_STAND_INS: Final = 4000
LEAST_STAND_INS: Final = 200
PATIENCE_S: Final = 30.0
"""Seconds after which a rehearsal is taken as it is, near enough."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rehearsal:
    """The result of a rehearsal: no release, and no forecast for anybody's data.

    Attributes:
        trained: generator that learnt from stand-ins. Its statement is of no meaning.
        num_slots: public number of slots that a training would learn from.
        num_computed: stand-ins that were computed. Each counts so often that together they are as many as the slots.
        share_fitted: part of the work after the last release that there was time for, in [0, 1].
    """

    trained: TrainedGenerator
    num_slots: int
    num_computed: int
    share_fitted: float


class _Repeated(OneShotReleaser):
    """A releaser that counts every row several times, for stand-ins alone: the price of its plan is not theirs.

    Args:
        plan: sums and noise.
        noise: public.
        gate: of the training.
        times: how often a row counts.
    """

    def __init__(self, plan: OneShotPlan, noise: DeterministicNoise, gate: StepGate, times: int) -> None:
        super().__init__(plan, noise, gate=gate)
        self._times = times

    def _added(self, contribution: Contribution, slots: Slots, owners: Tensor) -> Tensor:
        return self._times * super()._added(contribution, slots, owners)


def times_counted(spec: AbstractSpec, num_slots: int) -> int:
    """Return how often each stand-in counts, so that few of them are computed for many slots."""
    most = min(MOST_STAND_INS, max(LEAST_STAND_INS, MOST_VALUES // math.prod(spec.shape)))
    return -(-num_slots // most)


def rehearsed(
    method: Method[Any],
    config: Any,
    spec: AbstractSpec,
    slots: PublicSlots,
    device: torch.device,
    patience: float = PATIENCE_S,
) -> Rehearsal:
    """Let a one-shot method learn from stand-ins in place of records, with the settings and the noise of a training.

    The sums are those of as many stand-ins as there are slots to learn from. Few of them are computed, and each counts
    several times. People have one stand-in each.

    Guarantee: no record is read. The result is a function of public settings and numbers, its noise included.

    Args:
        method: a one-shot method.
        config: settings with a noise multiplier.
        spec: shape and classes.
        slots: their public number.
        device: where to compute.
        patience: seconds after which the work after the releases is broken off.

    Raises:
        InputError: settings that do not fit.
        PrivacyError: settings without an honest guarantee.
    """
    began, noise = time.perf_counter(), DeterministicNoise(1)
    num_slots = slots.to_learn_from
    times = times_counted(spec, num_slots)
    made = stand_ins(spec, max(1, num_slots // times))
    # The stand-ins are public, so the noise need not be secret, and delta says nothing.
    context = RunContext(delta=0.5 / slots.number, slots=replace(slots, unit=Unit.RECORD), device=device)
    training: Any = start_training(method, config, made, noise, context)
    training.releaser = _Repeated(training.plan, noise, training.gate, times)
    share = 1.0
    for report in training:
        done = training.progress(report)
        share = done.num_done / done.num_all
        if share < 1 and training.step >= training.end_step and time.perf_counter() - began > patience:
            break
    return Rehearsal(trained=training.trained(), num_slots=num_slots, num_computed=made.num_records, share_fitted=share)
