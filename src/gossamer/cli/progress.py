"""Signs of life of a long training: bars on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import abc
import sys
import time
from contextlib import AbstractContextManager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

SECONDS_BETWEEN_LINES = 30.0


class AbstractProgress(AbstractContextManager["AbstractProgress"], abc.ABC):
    """A display of the progress of a long work."""

    @abc.abstractmethod
    def count(self, what: str, num_done: int, num_all: int) -> None:
        """Show the progress of a part."""


class Bars(AbstractProgress):
    """One bar for each part."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._progress = RichProgress(
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

    def __exit__(self, *ended: object) -> None:
        self._progress.stop()

    def count(self, what: str, num_done: int, num_all: int) -> None:
        """Move the part's bar."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=num_all)
        self._progress.update(self._tasks[what], completed=num_done)


class Lines(AbstractProgress):
    """A line every half minute, with the time that is left of the present part: for logs."""

    def __init__(self) -> None:
        self._what = ""
        self._begin, self._num_before, self._said = 0.0, 0, 0.0

    def __exit__(self, *ended: object) -> None:
        pass

    def count(self, what: str, num_done: int, num_all: int) -> None:
        """Say a line if it is time for one."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._begin, self._num_before, self._said = what, now, num_done, now
        elif now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            seconds = (now - self._begin) / max(1, num_done - self._num_before) * (num_all - num_done)
            print(f"gossamer: {what} {num_done} of {num_all}, about {seconds / 60:.0f} min left", file=sys.stderr)


def progress() -> AbstractProgress:
    """Choose bars if a person is watching, else lines."""
    return Bars() if sys.stderr.isatty() else Lines()
