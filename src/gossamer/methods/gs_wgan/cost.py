"""The time and memory of GS-WGAN: each kind of work timed by itself, on as few samples and critics as tell it."""

from __future__ import annotations

import abc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec
from gossamer.mechanisms.grid import PublicGrid
from gossamer.mechanisms.pieces import in_pieces
from gossamer.mechanisms.sum_of_many.door import usual_chunks
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.methods.cost import PATIENCE_S, Cost, random_records, seconds_each
from gossamer.methods.gs_wgan.centre import AbstractTwins, NoCentre
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.public_generator import PublicGenerator
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig, Stage, plan
from gossamer.methods.gs_wgan.trained_side import WIDE_NETWORK, lies_in_file
from gossamer.methods.training import RunContext
from gossamer.nn.choices import CriticConfig
from gossamer.nn.ensemble import stack
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import PublicSlots

_PROCESS_BYTES: Final = 320 * 2**20
"""Memory of a process that has imported all that a training needs, as measured with torch 2.13 for CPUs."""
_FEW: Final = 4
_RECORDS_A_CRITIC: Final = 20


def estimate(config: GSWGANConfig, spec: AbstractSpec, slots: PublicSlots, device: torch.device) -> Cost:
    """Time the work of every stage on random records, and add it up as often as the training does it.

    Slow networks are timed on a few samples, and the rest is extrapolated: the measurement takes `PATIENCE_S`, near
    enough.

    Args:
        config: settings with a noise multiplier.
        spec: shape and classes.
        slots: their public number.
        device: where to compute.
    """
    seconds = 0.0
    starts = config.stage_starts()
    for number, stage in enumerate(config.stages):
        work = _work_of(config, stage, spec, device)
        timed = work.timed(PATIENCE_S / len(config.stages))
        amount = work.amount(slots.number)
        seconds += timed.of_stage(amount, starts[number + 1] - starts[number], slots.number)
    num_bytes = peak_memory(config, spec, slots.number, device)
    return Cost(seconds=seconds, num_bytes=num_bytes, device=device)


def peak_memory(config: GSWGANConfig, spec: AbstractSpec, num_records: int, device: torch.device) -> int:
    """Compute the memory of a training at its peak, in bytes, from sizes alone: process, records and critics.

    Args:
        config: settings.
        spec: shape and classes.
        num_records: their public number.
        device: where to compute.
    """
    views = (math.prod(stage.view.shape(spec.shape)) for stage in config.stages)
    values = math.prod(spec.shape) + config.augmentation.num_variants * max(views)
    critics = max(_bytes_of_critics(config, stage, spec, device) for stage in config.stages)
    return _PROCESS_BYTES + num_records * values * torch.float32.itemsize + critics


def _bytes_of_critics(config: GSWGANConfig, stage: Stage, spec: AbstractSpec, device: torch.device) -> int:
    """Return the memory of a stage's critics: those that start together with their modules, and all if in memory."""
    if isinstance(stage.critic, DistanceCritic):
        return 0
    network = stage.critic.build(stage.view.shape(spec.shape), spec.num_classes, torch.Generator())
    each = stack([network]).num_bytes
    starting = min(config.critics_at_once, config.num_critics) * each * 4 // 3
    return starting + (0 if lies_in_file(each, config.num_critics, device) else config.num_critics * each)


@dataclass(frozen=True, kw_only=True)
class _Amount:
    """The work of a stage, in numbers.

    Attributes:
        warm: updates of critics before the first step.
        tune: updates or answers of critics in a step.
        draw: samples without gradients in a step.
        learn: samples with gradients in a step.
    """

    warm: float
    tune: float
    draw: float
    learn: float


@dataclass(frozen=True, kw_only=True)
class _Timed:
    """Seconds for one of each kind of work in a stage.

    Attributes:
        look: a record brought into the view, in all its variants.
        warm: an update of a critic in its warm start.
        tune: an update of a critic later on, or the clipped answer of a distance critic.
        draw: a sample without gradients.
        learn: a sample with gradients, and its part of the generator's update.
    """

    look: float
    warm: float
    tune: float
    draw: float
    learn: float

    def of_stage(self, amount: _Amount, num_steps: int, num_records: int) -> float:
        """Return the seconds of a stage of so many steps."""
        step = amount.tune * self.tune + amount.draw * self.draw + amount.learn * self.learn
        return num_records * self.look + amount.warm * self.warm + num_steps * step


class _AbstractWork(abc.ABC):
    """The kinds of work in a stage, on random records, which are nobody's.

    Args:
        config: settings.
        stage: the stage.
        spec: shape and classes.
        device: where to compute.
    """

    def __init__(self, config: GSWGANConfig, stage: Stage, spec: AbstractSpec, device: torch.device) -> None:
        self._config, self._stage, self._spec, self._device = config, stage, spec, device
        self._at_once = min(config.critics_at_once, config.num_critics)

    def timed(self, patience: float) -> _Timed:
        """Time everything within so many seconds, near enough."""
        config, classes = self._config, max(self._spec.num_classes, 1)
        draw = seconds_each(self._draw, config.pool_per_class, patience / 5) / classes
        learn = seconds_each(self._learn, config.batch_size, patience / 5)
        return self._with_critics(draw, learn)

    @abc.abstractmethod
    def amount(self, num_records: int) -> _Amount:
        """Return how much of each kind of work the stage has."""

    @abc.abstractmethod
    def _with_critics(self, draw: float, learn: float) -> _Timed:
        """Time the critics' part, and return it with the seconds of the generator's."""

    @property
    def _drawn(self) -> int:
        return self._config.pool_per_class * max(self._spec.num_classes, 1)

    def _generator(self, batch_size: int) -> PublicGenerator:
        config = replace(self._config, batch_size=batch_size, pool_per_class=1)
        return PublicGenerator(config, self._spec, self._device, torch.float32)

    def _draw(self, per_class: int) -> Callable[[], object]:
        generator = self._generator(1)
        return lambda: generator.pool(self._stage.view, 0, times=per_class)

    def _learn(self, num_samples: int) -> Callable[[], object]:
        generator, view = self._generator(num_samples), self._stage.view

        def learn() -> None:
            looked = view.apply(generator.samples(0)[0])
            generator.improve(looked, looked.detach(), 0)

        return learn


def _work_of(config: GSWGANConfig, stage: Stage, spec: AbstractSpec, device: torch.device) -> _AbstractWork:
    """Return the work of a stage by the kind of its critics."""
    match stage.critic:
        case DistanceCritic():
            return _DistanceWork(config, stage, spec, device)
        case critic:
            return _TrainedWork(config, stage, spec, device, critic)


class _DistanceWork(_AbstractWork):
    """The work of distance critics, which answer and do nothing else."""

    def amount(self, num_records: int) -> _Amount:
        """Return how much of each kind of work the stage has."""
        config = self._config
        return _Amount(warm=0, tune=_asked_per_step(config), draw=self._drawn, learn=config.batch_size)

    def _with_critics(self, draw: float, learn: float) -> _Timed:
        look, tune = self._looked_and_answered()
        return _Timed(look=look, warm=0.0, tune=tune, draw=draw, learn=learn)

    def _looked_and_answered(self) -> tuple[float, float]:
        """Return the seconds for a look at a record, and for the clipped answer of a distance critic."""
        config, view = self._config, self._stage.view
        at_once, size = self._at_once, config.batch_size // config.draws_per_step
        settings = replace(config, num_critics=at_once, stages=(self._stage,), centre=NoCentre())
        records = random_records(self._spec, at_once * _RECORDS_A_CRITIC)
        # These records are random, so delta says nothing.
        context = RunContext(delta=0.5 / records.num_records, device=self._device)
        critics = PrivateCritics(settings, records, Unit.RECORD, context)
        generator = PublicGenerator(replace(config, batch_size=size), self._spec, self._device, torch.float32)
        samples, labels = generator.samples(0)
        looked, classes = view.apply(samples.detach())[None], None if labels is None else labels[None]
        question = Question(looked=looked, labels=classes, pool=generator.pool(view, 0), step=0)
        began = time.perf_counter()
        for _ in critics.enter(0, question.pool):
            pass
        look = (time.perf_counter() - began) / records.num_records
        every, group = torch.arange(at_once), torch.zeros(at_once, dtype=torch.int64)
        critics.answer(every, group, question)  # the public part, once for all critics
        began, grid = time.perf_counter(), PublicGrid(radius=1.0, num_coordinates=looked[0].numel())
        in_pieces(critics.answer(every, group, question), 1).clipped_sums(group, every >= 0, grid)
        return look, (time.perf_counter() - began) / at_once


class _TrainedWork(_AbstractWork):
    """The work of trained critics: warm starts, forks and renewals.

    Args:
        config: settings.
        stage: the stage.
        spec: shape and classes.
        device: where to compute.
        critic: architecture of the critics.
    """

    def __init__(
        self, config: GSWGANConfig, stage: Stage, spec: AbstractSpec, device: torch.device, critic: CriticConfig
    ) -> None:
        super().__init__(config, stage, spec, device)
        network = critic.build(stage.view.shape(spec.shape), spec.num_classes, torch.Generator())
        self._is_small = sum(parameter.numel() for parameter in network.parameters()) < WIDE_NETWORK

    def amount(self, num_records: int) -> _Amount:
        """Return how much of each kind of work the stage has, that of public twins included."""
        config, twins = self._config, 0
        if isinstance(config.centre, AbstractTwins):
            twins = config.centre.num_critics
        # Twins are tuned, asked and renewed like critics, on samples that are drawn anew at every step.
        a_critic = twins / config.num_critics
        tuned = (_asked_per_step(config) + twins) * (config.fork_steps + 1)
        return _Amount(
            warm=(config.num_critics + twins) * self._stage.warm_start.num_updates,
            tune=tuned + config.renewals_per_step * config.renewal_steps * (1 + a_critic),
            draw=self._drawn + a_critic * num_records,
            learn=config.batch_size,
        )

    def _with_critics(self, draw: float, learn: float) -> _Timed:
        pool = self._generator(1).pool(self._stage.view, 0)
        num, num_updates = self._at_once, _FEW
        if not self._is_small:
            num, num_updates = 1, 1
        critics, look, warm = self._entered(num, pool, num_updates)
        began = time.perf_counter()
        critics.renew(pool, 0)
        tune = (time.perf_counter() - began) / num
        return _Timed(look=look, warm=warm, tune=tune, draw=draw, learn=learn)

    def _entered(self, num: int, pool: Tensor, num_updates: int) -> tuple[PrivateCritics, float, float]:
        """Return critics that entered the stage, the seconds for a look at a record, and those for a warm update.

        The critics enter in two chunks. Before the first chunk all records are brought into the view.
        """
        stage = replace(self._stage, warm_start=replace(self._stage.warm_start, num_updates=num_updates))
        config = replace(
            self._config,
            num_critics=2 * num,
            critics_at_once=num,
            renewals_per_step=num,
            renewal_steps=1,
            stages=(stage,),
        )
        records = random_records(self._spec, 2 * num * _RECORDS_A_CRITIC)
        # These records are random, so delta says nothing.
        context = RunContext(delta=0.5 / records.num_records, device=self._device)
        critics = PrivateCritics(config, records, Unit.RECORD, context)
        times = [time.perf_counter(), *(time.perf_counter() for _ in critics.enter(0, pool))]
        first, second = times[1] - times[0], times[2] - times[1]
        return critics, max(0.0, first - second) / records.num_records, second / (num * num_updates)


def _asked_per_step(config: GSWGANConfig) -> int:
    """Return the number of critics that are asked in a step, those that are not counted included."""
    # The price does not matter here, and one record for each critic is the least that a plan takes.
    priced = plan(config, PublicSlots(config.num_critics))
    if not isinstance(priced, SumOfManyPlan):
        return config.draws_per_step
    at_once = min(config.critics_at_once, config.num_critics)
    return usual_chunks(priced, at_once) * at_once
