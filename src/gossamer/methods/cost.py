"""The time and memory of a training, from its first seconds on random records. No private record is touched."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.methods.training import AbstractTraining

_PATIENCE_S = 10.0
_LONG_S = 2 * 86_400.0


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
            time_line += (
                "; make the records smaller (images by --resize), take fewer steps (--num-steps), or try another method"
            )
        if self.num_bytes is None:
            return time_line
        return f"{time_line}\nmemory: about {self.num_bytes / 2**20:.0f} MiB of critics, beside the data"


def _duration(seconds: float) -> str:
    """Return a duration in a unit that a person can read.

    >>> _duration(3), _duration(200), _duration(5e5)
    ('3 s', '3.3 minutes', '5.8 days')
    """
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds > 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(math.ceil(seconds), 1)} s"


def time_of_parts(training: AbstractTraining) -> float:
    """Return the seconds of a training on random records, as long as patience lasts. The last part is extrapolated."""
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


def random_records(spec: AbstractSpec, num_records: int) -> RecordSet:
    """Return random records with a person each, for work that is to touch no private record."""
    rng = torch.Generator().manual_seed(0)
    return RecordSet(
        name="random records",
        spec=spec,
        x=torch.rand(num_records, *spec.shape, generator=rng),
        y=torch.randint(0, spec.num_classes, (num_records,), generator=rng) if spec.num_classes else None,
        people=torch.arange(num_records),
    )
