"""A rehearsal of a method of sums on stand-ins: settings and noise as asked for, and nothing private in it."""

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
from gossamer.mechanisms.gate import AbstractGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_shot.contributions import Contribution, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.poisson.units import Units
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
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
        share_fitted: part of the work after the sums that there was time for, in [0, 1].
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

    def __init__(self, plan: OneShotPlan, noise: DeterministicNoise, gate: AbstractGate, times: int) -> None:
        super().__init__(plan, noise, gate=gate)
        self._times = times

    def _added(self, contribution: Contribution, slots: Slots, owners: Tensor) -> Tensor:
        return self._times * super()._added(contribution, slots, owners)


def can_be_rehearsed(plan: AbstractPlan) -> bool:
    """Return true for plans of sums, alone or before the samples of a teacher: these take seconds."""
    return isinstance(plan, OneShotPlan | SumsThenSamplesPlan)


def in_many_slots(units: Units, times: int) -> Units:
    """Put each record in several slots, for stand-ins alone: a sample then draws each of them several times.

    Args:
        units: each of one record, the filled slots first, with ``times`` as many slots or more.
        times: slots of a record.

    Returns:
        Units of as many slots, of which slot i holds record ``i // times``.

    >>> from gossamer.mechanisms.poisson.units import units_of_records
    >>> units = in_many_slots(units_of_records(2, num_slots=5), 2)
    >>> units.order[units.starts[units.present(torch.arange(5))]].tolist()
    [0, 0, 1, 1]
    """
    slots = torch.arange(units.num_slots)
    num_filled = times * len(units.order)
    filled = slots < num_filled
    return replace(units, starts=torch.where(filled, slots // times, 0), counts=filled.to(torch.int64), marks=slots)


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
    """Let a method of sums learn from stand-ins in place of records, with the settings and the noise of a training.

    Sums and samples are those of as many stand-ins as there are slots to learn from. Few of them are computed, and each
    counts several times. People have one stand-in each.

    Guarantee: no record is read. The result is a function of public settings and numbers, its noise included.

    Args:
        method: with a plan that `can_be_rehearsed`.
        config: settings with a noise multiplier.
        spec: shape and classes.
        slots: their public number.
        device: where to compute.
        patience: seconds after which the work after the sums is broken off.

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
    num_sums = _count_several_times(training, noise, times)
    share = 1.0
    for report in training:
        done = training.progress(report)
        share = done.num_done / done.num_all
        if share < 1 and training.step >= num_sums and time.perf_counter() - began > patience:
            break
    return Rehearsal(trained=training.trained(), num_slots=num_slots, num_computed=made.num_records, share_fitted=share)


def _count_several_times(training: Any, noise: DeterministicNoise, times: int) -> int:
    """Let sums and samples of a training count each stand-in several times. Return the number of sums."""
    plan: OneShotPlan | SumsThenSamplesPlan = training.plan
    if isinstance(plan, OneShotPlan):
        training.releaser = _Repeated(plan, noise, training.gate, times)
        return plan.num_steps
    training.releaser = _Repeated(plan.of_sums, noise, training.gate.of_part(plan.of_sums), times)
    training.units = in_many_slots(training.units, times)
    return plan.num_sums
