"""Watchers of a training: a panel, bars or lines for a person, event files for TensorBoard. The work knows none."""

from __future__ import annotations

import abc
import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from rich.console import Console

from gossamer.cli.progress import AbstractProgress
from gossamer.data.records import AbstractSpec
from gossamer.errors import GossamerError
from gossamer.methods.training import AbstractStepReport, AbstractTraining

NUM_GLIMPSED = 10
SECONDS_BETWEEN_GLIMPSES = 10.0
GLIMPSE_SHARE = 0.015
"""Largest part of the processor's time that glimpses may take."""
FIRST_GLIMPSE_AFTER = 2.0


@dataclass(frozen=True, kw_only=True)
class Watching:
    """The wishes of a person who watches a training.

    Attributes:
        plain: lines in place of moving pictures.
        tensorboard: event files, too.
    """

    plain: bool = False
    tensorboard: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Glimpse:
    """The release of a training if it ended now, and nothing but the released side of it.

    Attributes:
        step: steps paid for.
        epsilon: their price.
        x: samples (num, *shape) in [0, 1].
        spec: of the samples.
    """

    step: int
    epsilon: float
    x: np.ndarray
    spec: AbstractSpec


class Glimpses:
    """A source of glimpses: at most every ten seconds, and for at most 1.5 % of the processor's time.

    Guarantee: it asks for a release that is priced at that step, as a generator saved on the way is. It changes
    nothing in the training: latents come from a stream of their own.
    """

    def __init__(self) -> None:
        # By the processor's clock as well: on a busy machine the training is slower, too.
        self._due, self._due_on_processor = time.monotonic() + FIRST_GLIMPSE_AFTER, 0.0

    def take(self, training: AbstractTraining, report: Any) -> Glimpse | None:
        """Take a glimpse if it is time for one and there is something to be seen."""
        is_step = isinstance(report, AbstractStepReport)
        begin = time.thread_time()
        is_due = time.monotonic() >= self._due and begin >= self._due_on_processor
        if not is_step or not (is_due or training.is_over):
            return None
        glimpse = _glimpse(training)
        now = time.thread_time()
        self._due = time.monotonic() + SECONDS_BETWEEN_GLIMPSES
        self._due_on_processor = now + (now - begin) / GLIMPSE_SHARE
        return glimpse


def _glimpse(training: AbstractTraining) -> Glimpse | None:
    """Draw from the generator so far, None if there is none or it fails: the training itself will say so."""
    try:
        trained = training.trained_so_far()
        x, _ = trained.sample(NUM_GLIMPSED)
    except GossamerError:
        return None
    return Glimpse(
        step=training.num_paid_steps, epsilon=trained.statement.epsilon, x=x.numpy(), spec=trained.recipe.spec
    )


@dataclass(frozen=True, kw_only=True)
class Price:
    """The price of a training at one of its steps.

    Attributes:
        step: steps paid for.
        epsilon: their price.
    """

    step: int
    epsilon: float


class Prices:
    """A source of prices, which are cheaper than glimpses and dearer than a step: for 1.5 % of the time as well."""

    def __init__(self) -> None:
        self._due = 0.0

    def take(self, training: AbstractTraining, *, is_last: bool) -> Price | None:
        """Compute the price of the step that the training is at, None if it is too early for another one.

        Args:
            training: at a step.
            is_last: compute it in any case.
        """
        begin = time.thread_time()
        if training.num_paid_steps == 0 or (begin < self._due and not is_last):
            return None
        price = Price(step=training.num_paid_steps, epsilon=training.epsilon_so_far())
        now = time.thread_time()
        self._due = now + (now - begin) / GLIMPSE_SHARE
        return price


class AbstractWatcher(AbstractContextManager["AbstractWatcher"], abc.ABC):
    """A watcher, which is shown every report of a training.

    Attributes:
        wants_glimpses: it has a use for glimpses.
    """

    wants_glimpses: bool = True

    def __exit__(self, *ended: object) -> None:
        pass

    @abc.abstractmethod
    def show(self, training: AbstractTraining, report: Any, glimpse: Glimpse | None) -> None:
        """Take in a report, and a glimpse if there is one."""


class Plain(AbstractWatcher):
    """Bars or lines for the progress of each part.

    Args:
        progress: shows it.
    """

    wants_glimpses = False

    def __init__(self, progress: AbstractProgress) -> None:
        self._progress = progress

    def __enter__(self) -> Plain:
        self._progress.__enter__()
        return self

    def __exit__(self, *ended: Any) -> None:
        self._progress.__exit__(*ended)

    def show(self, training: AbstractTraining, report: Any, glimpse: Glimpse | None) -> None:
        """Say the progress."""
        part = training.progress(report)
        self._progress.count(part.part, part.num_done, part.num_all)


class Watch:
    """Several watchers as one.

    Args:
        watchers: each is shown everything.
    """

    def __init__(self, watchers: Sequence[AbstractWatcher]) -> None:
        self._watchers = tuple(watchers)
        self._glimpses = Glimpses() if any(one.wants_glimpses for one in watchers) else None

    @contextlib.contextmanager
    def opened(self) -> Iterator[Watch]:
        """Begin, and end in good order whatever happens."""
        with contextlib.ExitStack() as stack:
            for watcher in self._watchers:
                stack.enter_context(watcher)
            yield self

    def show(self, training: AbstractTraining, report: Any) -> None:
        """Show a report to all."""
        glimpse = None if self._glimpses is None else self._glimpses.take(training, report)
        for watcher in self._watchers:
            watcher.show(training, report, glimpse)


def figures_of(report: Any) -> dict[str, float]:
    """Pick the finite numbers of a report, which can be drawn as curves, losses first, by name."""
    if not isinstance(report, AbstractStepReport):
        return {}
    found = {field.name: getattr(report, field.name) for field in fields(report)}
    numbers = {name: value for name, value in found.items() if isinstance(value, float) and math.isfinite(value)}
    return dict(sorted(numbers.items(), key=lambda pair: "loss" not in pair[0]))


def can_show_panel(console: Console) -> bool:
    """Ask for a terminal that is large enough, takes characters beyond ASCII, and lets lines be drawn over."""
    is_wide_enough = console.size.width >= 40 and console.size.height >= 6
    return (
        console.is_terminal
        and not console.is_dumb_terminal
        and console.encoding.lower().replace("-", "").startswith("utf")
        and is_wide_enough
    )
