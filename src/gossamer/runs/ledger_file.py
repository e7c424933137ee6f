"""The write-ahead ledger: a block of steps is on the disk as spent before its first answer is given."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

from gossamer.errors import InputError, PrivacyError, ResourceError
from gossamer.privacy.ledger import Ledger, LedgerEntry
from gossamer.runs.files import flush_folder, read_bounded

MAX_LEDGER_BYTES = 2**26
"""Longest ledger that is read: a million blocks."""
_MAX_LINE_BYTES = 1000

BLOCK = 10
"""Steps charged at once: an orderly stop comes at the end of a block, a crash loses at most this many unused steps."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LedgerPosition:
    """How far a ledger had come when a checkpoint was written: the file only grows, so its beginning never changes.

    Attributes:
        num_charged_steps: in all blocks until then, at least 0.
        num_bytes: length of the file then, at least 0.
        sha256: of those bytes.

    Raises:
        InputError: a number below 0.
    """

    num_charged_steps: int
    num_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if min(self.num_charged_steps, self.num_bytes) < 0:
            raise InputError("a position in a ledger counts steps and bytes from 0")

    def check(self, path: Path) -> None:
        """Refuse a ledger that does not begin as it did then.

        Raises:
            PrivacyError: it is shorter, or another one.
        """
        content = read_bounded(path, MAX_LEDGER_BYTES) if path.is_file() else b""
        # Privacy: with an older or absent ledger the same steps would be paid once and taken twice.
        if len(content) < self.num_bytes:
            raise PrivacyError(
                f"{path}: fewer steps are charged than the {self.num_charged_steps} when the checkpoint was written, "
                "so it was changed or removed; put it back, or start a new run"
            )
        if hashlib.sha256(content[: self.num_bytes]).hexdigest() != self.sha256:
            raise PrivacyError(
                f"{path}: the blocks charged before the checkpoint are not those that were written, so it was "
                "changed; put it back, or start a new run"
            )


class LedgerFile:
    """Appends to the ledger of a run. One instance a process, and a new key of the noise with it.

    Guarantee: when `charge` returns, the step and the rest of its block are on the disk as spent; nothing is ever taken
    back. A process that dies has therefore spent at most what the file says.

    Args:
        path: the file, made when the first block is charged.
        num_planned_steps: what the budget pays for in all.
        stops: steps that no block crosses, because a run may be interrupted there.
        marks: numbers of charged steps, lost ones included, that no block crosses, because a generator is released
            there at the price of exactly so many.
    """

    def __init__(
        self, path: Path, *, num_planned_steps: int, stops: tuple[int, ...] = (), marks: tuple[int, ...] = ()
    ) -> None:
        self.path = path
        self._stops = stops
        self._marks = marks
        self.ledger = read_ledger(path)
        self._num_planned = num_planned_steps
        self._process_index = self.ledger.next_process_index
        self._charged_until = 0
        self._end_step = num_planned_steps

    def end_at(self, end_step: int) -> None:
        """Let no block reach beyond the step that the training ends before: what is never taken is not charged."""
        self._end_step = end_step

    def position(self) -> LedgerPosition:
        """How far the file has come, whole lines alone: what a crash left of the last one may yet be dropped."""
        content = self.path.read_bytes() if self.path.is_file() else b""
        content = content[: content.rfind(b"\n") + 1]
        return LedgerPosition(
            num_charged_steps=self.ledger.num_charged_steps,
            num_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def charge(self, step: int) -> None:
        """Charge the block that begins with this step, unless this process has charged the step already.

        Raises:
            PrivacyError: the budget is spent.
            ResourceError: the ledger cannot be written; the step must not be taken.
        """
        if step < self._charged_until:
            return
        charged = self.ledger.num_charged_steps
        to_stop = min((stop - step for stop in self._stops if stop > step), default=BLOCK)
        to_mark = min((mark - charged for mark in self._marks if mark > charged), default=BLOCK)
        to_end = min(self._end_step - step, self.ledger.remaining_steps(self._num_planned))
        size = max(1, min(BLOCK, to_stop, to_mark, to_end))
        entry = LedgerEntry(first_step=step, num_steps=size, process_index=self._process_index)
        ledger = self.ledger.charge(entry, num_planned_steps=self._num_planned)
        try:
            _mend_end(self.path)
            with self.path.open("ab") as file:
                file.write((json.dumps(dataclasses.asdict(entry)) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
            if not self._charged_until:
                # Privacy: a file whose name does not outlast a power cut has charged nothing.
                flush_folder(self.path.parent)
        except OSError as error:
            raise ResourceError(
                f"{self.path}: the ledger cannot be written ({error.strerror}); free space, then `gossamer resume`"
            ) from None
        self.ledger = ledger
        self._charged_until = entry.end_step

    def is_block_end(self, num_steps_done: int) -> bool:
        """Whether every charged step is done, so that stopping here loses nothing."""
        return num_steps_done >= self._charged_until


def read_ledger(path: Path) -> Ledger:
    """The ledger of a run, empty when nothing was charged yet.

    A last line cut off by a crash was never relied on: its steps had not begun.

    Raises:
        InputError: a line before the last cannot be read.
    """
    lines = read_bounded(path, MAX_LEDGER_BYTES).split(b"\n") if path.is_file() else []
    entries = []
    for number, line in enumerate(lines):
        if line:
            try:
                entries.append(_entry(line))
            except (ValueError, TypeError, AttributeError, RecursionError):
                if number < len(lines) - 1:
                    raise InputError(
                        f"{path}: line {number + 1} is no ledger entry; the run cannot go on, start a new one, whose "
                        "epsilon adds to this one's"
                    ) from None
    return Ledger(entries=tuple(entries))


def _entry(line: bytes) -> LedgerEntry:
    if len(line) > _MAX_LINE_BYTES:
        raise ValueError("too long for a ledger entry")
    values = json.loads(line)
    if any(type(value) is not int for value in values.values()):
        raise TypeError("a ledger entry holds whole numbers")
    return LedgerEntry(**values)


def _mend_end(path: Path) -> None:
    """End a last line that a crash cut off, so that the next stands alone: keep it if it can be read, else drop it."""
    content = path.read_bytes() if path.is_file() else b""
    torn = content.rpartition(b"\n")[2]
    if not torn:
        return
    try:
        _entry(torn)
    except (ValueError, TypeError, AttributeError, RecursionError):
        os.truncate(path, len(content) - len(torn))
    else:
        with path.open("ab") as file:
            file.write(b"\n")
