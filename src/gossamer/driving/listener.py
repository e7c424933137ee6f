"""Whom a driven training calls back: with notes in words, and with each of its reports."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from gossamer.methods.training import AbstractTraining


class AbstractListener(abc.ABC):
    """A follower of a training that is driven to its release. The driver itself prints nothing."""

    @abc.abstractmethod
    def note(self, line: str) -> None:
        """Take in a sentence: steps that were lost, a generator that was saved, a picture that is missing."""

    @abc.abstractmethod
    def hear(self, training: AbstractTraining, report: Any) -> None:
        """Take in a report. It may hold losses on records, and stays private."""

    @contextlib.contextmanager
    def listening(self, is_stopping: Callable[[], bool]) -> Iterator[None]:
        """Surround all the reports of a training.

        Args:
            is_stopping: whether a stop was asked for, which is granted at the next safe place.
        """
        yield
