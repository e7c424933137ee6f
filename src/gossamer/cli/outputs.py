"""Standard output and error of the process, made so that a reader who leaves ends nothing that was paid for."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

_GONE = (errno.EPIPE, errno.EIO)
"""Errors of a pipe after its reader has left, and of a terminal that was closed."""


def outlive_readers() -> None:
    """Go on when nobody reads the output any more: ``gossamer train ... | head`` trains to its end.

    On standard output a full disk is still an error, once, since the text there may be the one that was asked for.
    Text on standard error goes along with a work and must not end it, even if it is lost. An output that was closed
    from the start is opened to nowhere. Otherwise a file of a run could take its number and get the text.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    # A caller who has put something else there knows why.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(_Output(1), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(_Aside(2), sys.stderr)


def say(line: str) -> None:
    """Print a line about progress, on standard error."""
    print(f"gossamer: {line}", file=sys.stderr)


class _Output(io.FileIO):
    """A descriptor that swallows text without a reader, and says once that it cannot be written for another reason."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._has_failed = False

    def write(self, data: Any) -> int:
        """Write bytes and return their number. Without a reader all of them count as written.

        Raises:
            OSError: the first time that it cannot be written for another reason.
        """
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE and not self._has_failed:
                self._has_failed = True
                raise
            return memoryview(data).nbytes


class _Aside(_Output):
    """A descriptor that swallows all that cannot be said."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._has_failed = True


def _stream(raw: _Output, before: TextIO | None) -> TextIO:
    encoding, errors = ("utf-8", "replace") if before is None else (before.encoding, before.errors)
    # Line by line where a person may be watching, as Python does by itself.
    is_by_line = raw.fileno() == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=is_by_line)
