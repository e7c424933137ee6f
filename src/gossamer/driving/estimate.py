"""An estimate of the time and memory of a training, from a few steps on random images. No record is touched."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TypeVar

import torch

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.gs_wgan.training import GSWGANConfig, GSWGANTraining, Stage, StepReport
from gossamer.methods.method import Method, RunContext
from gossamer.privacy.slots import PublicSlots

_TIMED_STEPS = 2
_SMALL_NETWORK = 100_000
_FEW = 4
_PATIENCE_S = 10.0
_LONG_S = 2 * 86_400.0

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The time and the memory of a training.

    Attributes:
        seconds: expected time.
        num_bytes: memory of critics beside the data, None if there are none.
        device: where.
    """

    seconds: float
    num_bytes: int | None
    device: torch.device

    def __str__(self) -> str:
        """In one line or two."""
        where = f"on this machine ({self.device.type}), as measured on random records just now"
        time_line = f"time: about {_duration(self.seconds)} {where}"
        if self.seconds > _LONG_S:
            time_line += "; make the images smaller, take fewer steps (--num-steps), or try dp-mixture"
        if self.num_bytes is None:
            return time_line
        return f"{time_line}\nmemory: about {self.num_bytes / 2**20:.0f} MiB of critics, beside the data"


def _duration(seconds: float) -> str:
    """In a unit that a person can read.

    >>> _duration(3), _duration(200), _duration(5e5)
    ('3 s', '3.3 minutes', '5.8 days')
    """
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds > 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(math.ceil(seconds), 1)} s"


def estimate_cost(
    method: Method[C],
    config: C,
    spec: AbstractSpec,
    slots: PublicSlots,
    device: torch.device,
) -> Cost:
    """Time the first seconds of a training on random images of the same shape.

    Args:
        method: which.
        config: settings with a noise multiplier.
        spec: shape and classes.
        slots: how many there are, in public. A person is taken to have one record, for the true number is private.
        device: where to compute.
    """
    if isinstance(config, GSWGANConfig):
        return _estimate_gs_wgan(config, spec, slots.number, device)
    return Cost(seconds=_time_of_parts(method, config, spec, slots, device), num_bytes=None, device=device)


def _time_of_parts(method: Method[C], config: C, spec: AbstractSpec, slots: PublicSlots, device: torch.device) -> float:
    """Return the seconds of all parts, as long as patience lasts. The last part seen is extrapolated."""
    images = random_records(spec, slots.number)
    # These records are random, so the noise need not be secret, and delta says nothing.
    context = RunContext(delta=0.5 / slots.number, slots=slots, device=device)
    training = method.start(config, images, DeterministicNoise(0), context)
    began = before = part_began = time.perf_counter()
    part, seconds = "", 0.0
    for report in training:
        done, now = training.progress(report), time.perf_counter()
        if done.part != part:
            part, part_began = done.part, before
        seconds = now - began + (now - part_began) / done.num_done * (done.num_all - done.num_done)
        if now - began > _PATIENCE_S:
            break
        before = now
    return seconds


def _estimate_gs_wgan(config: GSWGANConfig, spec: AbstractSpec, num_records: int, device: torch.device) -> Cost:
    """Time an update and a few steps of every stage.

    Args:
        config: settings with a noise multiplier.
        spec: shape and classes.
        num_records: public number of slots.
        device: where to compute.
    """
    seconds, num_bytes = 0.0, 0
    starts = config.stage_starts()
    for number, stage in enumerate(config.stages):
        probe = _probe(config, stage, spec)
        warm, step, size = _time(probe, spec, min(num_records, 20 * probe.num_critics), device)
        steps = starts[number + 1] - starts[number]
        seconds += warm * config.num_critics / probe.num_critics * stage.warm_start.num_updates
        seconds += steps * step * _num_tuned(config) / _num_tuned(probe)
        num_bytes = max(num_bytes, size * config.num_critics // probe.num_critics)
    return Cost(seconds=seconds, num_bytes=num_bytes, device=device)


def _probe(config: GSWGANConfig, stage: Stage, spec: AbstractSpec) -> GSWGANConfig:
    """Make settings with the same work for each critic, and only as many critics as tell its time soon enough."""
    critic = stage.critic.build(stage.view.shape(spec.shape), spec.num_classes, torch.Generator())
    is_small = sum(parameter.numel() for parameter in critic.parameters()) < _SMALL_NETWORK
    num_critics = min(config.critics_at_once if is_small else _FEW, config.num_critics)
    draws = min(config.draws_per_step, config.draws_per_step if is_small else _FEW)
    return dataclasses.replace(
        config,
        num_critics=num_critics,
        draws_per_step=draws,
        batch_size=config.batch_size // config.draws_per_step * draws,
        renewals_per_step=min(config.renewals_per_step, num_critics),
        num_steps=_TIMED_STEPS + 1,
        stages=(dataclasses.replace(stage, warm_start=dataclasses.replace(stage.warm_start, num_updates=1)),),
    )


def _num_tuned(config: GSWGANConfig) -> int:
    """Count the updates of critics in a step: its work, near enough."""
    return config.draws_per_step * (config.fork_steps + 1) + config.renewals_per_step * config.renewal_steps


def _time(config: GSWGANConfig, spec: AbstractSpec, num_records: int, device: torch.device) -> tuple[float, float, int]:
    """Return the seconds for the warm start of one chunk, those for a step, and the bytes of the chunk's critics."""
    images = random_records(spec, num_records)
    # These records are random, so the noise need not be secret, and delta says nothing.
    context = RunContext(delta=0.5 / num_records, device=device)
    training = GSWGANTraining(config, images, DeterministicNoise(0), context)
    times, size = [time.perf_counter()], 0
    for report in training:
        times.append(time.perf_counter())
        if isinstance(report, StepReport) and report.step == 0:
            size = sum(
                tensor.numel() * tensor.element_size()
                for tensor in training.state_dict()["critics"]["critics"].values()
            )
    first_step = times[-1 - _TIMED_STEPS]
    return times[1] - times[0], (times[-1] - first_step) / _TIMED_STEPS, size


def random_records(spec: AbstractSpec, num_records: int) -> RecordSet:
    """Draw random records, a person each, for work that is to touch no private record."""
    rng = torch.Generator().manual_seed(0)
    return RecordSet(
        name="random images",
        spec=spec,
        x=torch.rand(num_records, *spec.shape, generator=rng),
        y=torch.randint(0, spec.num_classes, (num_records,), generator=rng) if spec.num_classes else None,
        people=torch.arange(num_records),
    )
