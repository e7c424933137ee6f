"""The time and memory of GS-WGAN: an update and a few steps of every stage, with as few critics as tell it."""

from __future__ import annotations

import dataclasses
import time

import torch

from gossamer.data.records import AbstractSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.cost import Cost, random_records
from gossamer.methods.gs_wgan.settings import GSWGANConfig, Stage
from gossamer.methods.gs_wgan.training import GSWGANTraining, StepReport
from gossamer.methods.training import RunContext
from gossamer.privacy.slots import PublicSlots

_TIMED_STEPS = 2
_SMALL_NETWORK = 100_000
_FEW = 4


def estimate(config: GSWGANConfig, spec: AbstractSpec, slots: PublicSlots, device: torch.device) -> Cost:
    """Time an update and a few steps of every stage on random records.

    Args:
        config: settings with a noise multiplier.
        spec: shape and classes.
        slots: their public number.
        device: where to compute.
    """
    seconds, num_bytes = 0.0, 0
    starts = config.stage_starts()
    for number, stage in enumerate(config.stages):
        probe = _probe(config, stage, spec)
        warm, step, size = _time(probe, spec, min(slots.number, 20 * probe.num_critics), device)
        steps = starts[number + 1] - starts[number]
        seconds += warm * config.num_critics / probe.num_critics * stage.warm_start.num_updates
        seconds += steps * step * _num_tuned(config) / _num_tuned(probe)
        num_bytes = max(num_bytes, size * config.num_critics // probe.num_critics)
    return Cost(seconds=seconds, num_bytes=num_bytes, device=device)


def _probe(config: GSWGANConfig, stage: Stage, spec: AbstractSpec) -> GSWGANConfig:
    """Return settings with the same work for each critic, and only as many critics as tell its time soon enough."""
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
    """Return the updates of critics in a step: its work, near enough."""
    return config.draws_per_step * (config.fork_steps + 1) + config.renewals_per_step * config.renewal_steps


def _time(config: GSWGANConfig, spec: AbstractSpec, num_records: int, device: torch.device) -> tuple[float, float, int]:
    """Return seconds for the warm start of one chunk, seconds for a step, and bytes of the chunk's critics."""
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
