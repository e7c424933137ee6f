"""How a long training shows that it lives: bars on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import abc
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gossamer.methods.gs_wgan import StepReport, WarmStartReport

SECONDS_BETWEEN_LINES = 30.0


class AbstractProgress(AbstractContextManager["AbstractProgress"], abc.ABC):
    """Shows the reports of a training.

    Args:
        num_steps: steps to come to in all.
    """

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps

    def show(self, report: WarmStartReport | StepReport) -> None:
        """Bring what is seen up to date."""
        if isinstance(report, WarmStartReport):
            self._show(f"critics of stage {report.stage + 1}", report.num_ready, report.num_critics)
        else:
            self._show("generator", report.step + 1, self._num_steps)

    def count(self, what: str, num_done: int, num_all: int) -> None:
        """Say how far some other part has come."""
        self._show(what, num_done, num_all)

    @abc.abstractmethod
    def _show(self, what: str, num_done: int, num_all: int) -> None: ...


class Bars(AbstractProgress):
    """One bar for the warm start of each stage, one for the steps."""

    def __init__(self, num_steps: int) -> None:
        super().__init__(num_steps)
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def _show(self, what: str, num_done: int, num_all: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=num_all)
        self._progress.update(self._tasks[what], completed=num_done)


class Lines(AbstractProgress):
    """A line every half minute, with the time that is left of the present part: for logs."""

    def __init__(self, num_steps: int) -> None:
        super().__init__(num_steps)
        self._what = ""
        self._begin, self._num_before, self._said = 0.0, 0, 0.0

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def _show(self, what: str, num_done: int, num_all: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._begin, self._num_before, self._said = what, now, num_done, now
        elif now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            seconds = (now - self._begin) / max(1, num_done - self._num_before) * (num_all - num_done)
            print(f"gossamer: {what} {num_done} of {num_all}, about {seconds / 60:.0f} min left", file=sys.stderr)


def progress(num_steps: int) -> AbstractProgress:
    """Bars if a person is watching, else lines."""
    return Bars(num_steps) if sys.stderr.isatty() else Lines(num_steps)
