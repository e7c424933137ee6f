"""An orderly interrupt: a signal that becomes a wish, granted at the next safe place."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType
from typing import Any


class Interruption:
    """A first SIGINT or SIGTERM as a wish that is granted at the next safe place. The second is at once.

    A terminal that is closed (SIGHUP) makes the same wish. It says so twice if a shell passes it on, so it is never at
    once. If the caller ignores it, as nohup does, it stays ignored.
    """

    def __init__(self) -> None:
        self.is_asked = self.is_signalled = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        with contextlib.suppress(ValueError):  # not the main thread: nobody can interrupt it but its owner
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ask(self) -> None:
        """Make the wish by a call."""
        self.is_asked = True

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.is_signalled and number != signal.SIGHUP:
            raise KeyboardInterrupt
        self.is_asked = self.is_signalled = True
