"""A run of `fit` driven to its end, with notes in the log and progress for the caller."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from gossamer.driving.driver import Ending, drive
from gossamer.driving.generator_file import load_generator
from gossamer.driving.listener import AbstractListener
from gossamer.driving.run import Run
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractTraining, Progress

LOG: Final = logging.getLogger("gossamer")
"""Told of notes, such as the number of steps that a crash lost."""


def driven(run: Run, progress: Callable[[Progress], None] | None) -> TrainedGenerator:
    """Drive a run to its release, and return its generator. A run that has ended gives it again.

    Raises:
        KeyboardInterrupt: the training was interrupted.
    """
    if not run.folder.generator_file.is_file() and drive(run, _Caller(progress)) is not Ending.RELEASED:
        raise KeyboardInterrupt
    return load_generator(run.folder.path)


class _Caller(AbstractListener):
    """Listener that tells the caller of `fit` the progress, and logs notes."""

    def __init__(self, progress: Callable[[Progress], None] | None) -> None:
        self._progress = progress

    def note(self, line: str) -> None:
        """Log the line."""
        LOG.warning(line)

    def hear(self, training: AbstractTraining, report: Any) -> None:
        """Tell the caller the progress."""
        if self._progress is not None:
            self._progress(training.progress(report))
