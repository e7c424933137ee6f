"""The time and memory of a training, from its first seconds on random records. No private record is touched."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.methods.training import AbstractTraining
from gossamer.privacy.adjacency import Unit

PATIENCE_S: Final = 20.0
"""Seconds that a measurement may take, near enough: a piece of work that was begun is ended."""
_LONG_S = 2 * 86_400.0
_MOST_VALUES: Final = 2**26
_LEAST_RECORDS: Final = 2**11


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The time and the memory of a training.

    Attributes:
        seconds: expected time.
        num_bytes: peak memory of the process, records included. None for methods that need little beside their records.
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
        return f"{time_line}\nmemory: about {self.num_bytes / 2**20:.0f} MiB at the peak, the records included"


def _duration(seconds: float) -> str:
    """Return a duration in a unit that a person can read.

    >>> _duration(3), _duration(200), _duration(5e5)
    ('3 s', '3.3 minutes', '5.8 days')
    """
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds > 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(math.ceil(seconds), 1)} s"


def time_of_parts(training: AbstractTraining, records_each: float = 1.0) -> float:
    """Return the seconds of a training on random records, as long as patience lasts. The last part is extrapolated.

    Args:
        training: on random records.
        records_each: records that each random one stands for. The sums of a one-shot method take as many times longer.
    """
    began = before = part_began = time.perf_counter()
    part, seconds, sums = "", 0.0, 0.0
    for report in training:
        done, now = training.progress(report), time.perf_counter()
        if done.part != part:
            part, part_began = done.part, before
        rest = (now - part_began) / done.num_done * (done.num_all - done.num_done)
        seconds = now - began + rest
        if training.plan.step_names and report.step < training.step:
            sums = seconds
        if now - began > PATIENCE_S / 2:
            break
        before = now
    return seconds + (records_each - 1) * sums


def seconds_each(prepare: Callable[[int], Callable[[], object]], most: int, patience: float) -> float:
    """Time a piece of work on 1, 2, 4 and more things, and return the seconds for one of them, by the largest piece.

    Args:
        prepare: number of things -> the work on them. The preparation is not timed.
        most: things of the largest piece, the one that a training does.
        patience: seconds that all pieces may take together. The first is done in any case.
    """
    number, spent = 1, 0.0
    while True:
        work = prepare(number)
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        spent += seconds
        # The next piece takes about twice as long.
        if number >= most or spent + 2 * seconds > patience:
            return seconds / number
        number = min(2 * number, most)


def num_timed(spec: AbstractSpec, num_slots: int) -> int:
    """Return how many random records tell the time of so many: all of them, or as many as a small memory holds."""
    return min(num_slots, max(_LEAST_RECORDS, _MOST_VALUES // math.prod(spec.shape)))


def random_records(spec: AbstractSpec, num_records: int, unit: Unit = Unit.PERSON) -> RecordSet:
    """Return random records with a person or recording each, for work that is to touch no private record."""
    rng = torch.Generator().manual_seed(0)
    return RecordSet(
        name="random records",
        spec=spec,
        x=torch.rand(num_records, *spec.shape, generator=rng),
        y=torch.randint(0, spec.num_classes, (num_records,), generator=rng) if spec.num_classes else None,
        people=torch.arange(num_records),
        owners=unit if unit.is_group else Unit.PERSON,
    )
