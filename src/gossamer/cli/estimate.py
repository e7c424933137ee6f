"""What a training will take in time and memory, from a few steps on random images; no record is touched."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import torch

from gossamer.data.images import ImageSet, ImageSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.gs_wgan import GSWGANConfig, GSWGANTraining, StepReport

_TIMED_UPDATES = 3
_TIMED_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Expected time in seconds, and memory in bytes beside the data."""

    seconds: float
    num_bytes: int


def estimate_cost(config: GSWGANConfig, spec: ImageSpec, num_records: int, device: torch.device) -> Cost:
    """Time a few updates and steps of every stage on random images of the same shape.

    Args:
        config: settings with a noise multiplier.
        spec: shape and classes.
        num_records: public number of slots.
        device: where to compute.
    """
    seconds, num_bytes = 0.0, 0
    starts = config.stage_starts()
    for number, stage in enumerate(config.stages):
        updates = min(_TIMED_UPDATES, max(1, stage.warm_start.num_updates))
        at_once = min(config.critics_at_once, config.num_critics)
        short = dataclasses.replace(
            config,
            num_critics=at_once,
            renewals_per_step=min(config.renewals_per_step, at_once),
            num_steps=_TIMED_STEPS + 1,
            stages=(dataclasses.replace(stage, warm_start=dataclasses.replace(stage.warm_start, num_updates=updates)),),
        )
        warm, step, size = _time(short, spec, min(num_records, 20 * at_once), device)
        num_chunks = -(-config.num_critics // at_once)
        seconds += warm * num_chunks * stage.warm_start.num_updates / updates
        # Renewals beyond one chunk were left out of the timed step.
        seconds += (starts[number + 1] - starts[number]) * step * max(1.0, config.renewals_per_step / at_once)
        num_bytes = max(num_bytes, size * config.num_critics // at_once)
    return Cost(seconds=seconds, num_bytes=num_bytes)


def _time(
    config: GSWGANConfig, spec: ImageSpec, num_records: int, device: torch.device
) -> tuple[float, float, int]:
    """Seconds for the warm start of one chunk, seconds for a step, bytes of the chunk's critics."""
    rng = torch.Generator().manual_seed(0)
    images = ImageSet(
        name="random images",
        spec=spec,
        x=torch.rand(num_records, *spec.shape, generator=rng),
        y=torch.randint(0, spec.num_classes, (num_records,), generator=rng) if spec.num_classes else None,
    )
    # These records are random, so the noise need not be secret, and delta says nothing.
    training = GSWGANTraining(config, images, DeterministicNoise(0), delta=0.5 / num_records, device=device)
    begin = time.perf_counter()
    times = []
    for report in training:
        times.append(time.perf_counter() - begin)
        if isinstance(report, StepReport) and report.step == 0:
            times, begin = [times[0]], time.perf_counter()
    critics = training.state_dict()["critics"] or {}
    size = sum(tensor.numel() * tensor.element_size() for tensor in critics.values())
    return times[0], times[-1] / _TIMED_STEPS, size
