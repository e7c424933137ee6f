"""The write-ahead ledger: a block of steps is on the disk as spent before its first answer is given."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.ledger import Ledger, LedgerEntry
from gossamer.runs.files import append_durably, read_bounded, read_lines, strict_json

MAX_LEDGER_BYTES = 2**26
"""Longest ledger that is read: a million blocks."""
_MAX_LINE_BYTES = 1000
_TAG_BITS = 62

BLOCK = 10
"""Steps charged at once: an orderly stop comes at the end of a block, a crash loses at most this many unused steps."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LedgerPosition:
    """The length of a ledger at some moment: the file only grows, so its beginning never changes.

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

    @classmethod
    def from_json(cls, tree: Any) -> LedgerPosition:
        """Read the tree that `dataclasses.asdict` gave.

        Raises:
            InputError, ValueError, TypeError, LookupError: any other tree.
        """
        position = cls(**tree)
        if any(type(number) is not int for number in (position.num_charged_steps, position.num_bytes)):
            raise TypeError("a position in a ledger counts whole steps and bytes")
        if not isinstance(position.sha256, str):
            raise TypeError("a position in a ledger has a digest")
        return position

    def check(self, path: Path, then: str = "the checkpoint was written") -> None:
        """Refuse a ledger that does not begin as it did then.

        Args:
            path: of the ledger.
            then: the event at that moment, as a clause.

        Raises:
            PrivacyError: the ledger is shorter, or another one.
        """
        content = read_bounded(path, MAX_LEDGER_BYTES) if path.is_file() else b""
        # Privacy: with an older or absent ledger the same steps would be paid once and taken twice.
        if len(content) < self.num_bytes:
            raise PrivacyError(
                f"{path}: fewer steps are charged than the {self.num_charged_steps} when {then}, so it was changed, "
                "removed or put back from a backup; put back the one of then, or start a new run"
            )
        if hashlib.sha256(content[: self.num_bytes]).hexdigest() != self.sha256:
            raise PrivacyError(
                f"{path}: the blocks charged before {then} are not those that were written, so it was changed or put "
                "back from a backup; put back the one of then, or start a new run"
            )


class LedgerFile:
    """The writer of a run's ledger. Each process has one instance, and a new key of the noise with it.

    Guarantee: when `charge` returns, the step and the rest of its block are on the disk as spent. Nothing is ever taken
    back. A process that dies has therefore spent at most the steps in the file.

    Args:
        path: the file, made when the first block is charged.
        num_planned_steps: number of steps that the budget pays for in all.
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
        # Not a secret: it tells blocks of two branches apart that would be equal otherwise.
        self._tag = secrets.randbits(_TAG_BITS)
        self._charged_until = 0
        self._end_step = num_planned_steps

    def end_at(self, end_step: int) -> None:
        """Let no block reach beyond the step that the training ends before: steps never taken are not charged."""
        self._end_step = end_step

    def position(self) -> LedgerPosition:
        """Return the position of the file, whole lines alone: a last line that a crash cut off may yet be dropped."""
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
            ResourceError: the ledger cannot be written, so that the step must not be taken.
        """
        if step < self._charged_until:
            return
        charged = self.ledger.num_charged_steps
        to_stop = min((stop - step for stop in self._stops if stop > step), default=BLOCK)
        to_mark = min((mark - charged for mark in self._marks if mark > charged), default=BLOCK)
        to_end = min(self._end_step - step, self.ledger.remaining_steps(self._num_planned))
        size = max(1, min(BLOCK, to_stop, to_mark, to_end))
        entry = LedgerEntry(first_step=step, num_steps=size, process_index=self._process_index, tag=self._tag)
        ledger = self.ledger.charge(entry, num_planned_steps=self._num_planned)
        # Privacy: a file has charged nothing if its name does not outlast a power cut.
        _append(self.path, dataclasses.asdict(entry), is_first=not self._charged_until)
        self.ledger = ledger
        self._charged_until = entry.end_step

    def is_block_end(self, num_steps_done: int) -> bool:
        """Tell if every charged step is done, so that stopping here loses nothing."""
        return num_steps_done >= self._charged_until


def declare_only_copy(path: Path) -> None:
    """Write into a ledger that its run goes on in this folder alone, which was moved, copied or restored.

    Raises:
        ResourceError: the ledger cannot be written.
    """
    _append(path, {"only_copy": 1, "process_index": read_ledger(path).next_process_index}, is_first=True)


def read_ledger(path: Path) -> Ledger:
    """Read the ledger of a run, empty if nothing was charged yet.

    A last line that a crash cut off is no entry: its steps had not begun.

    Raises:
        InputError: a line before the last cannot be read.
    """
    content = read_bounded(path, MAX_LEDGER_BYTES) if path.is_file() else b""
    lines = read_lines(path, content, _entry, "is no ledger entry; the run cannot go on, so")
    return Ledger(entries=tuple(filter(None, lines)), num_only_copies=lines.count(None))


def _entry(line: bytes) -> LedgerEntry | None:
    """Read the block that a line charges, None for a line that declares this folder to be the only copy."""
    if len(line) > _MAX_LINE_BYTES:
        raise ValueError("too long for a ledger entry")
    values = strict_json(line)
    if any(type(value) is not int for name, value in values.items() if (name, value) != ("tag", None)):
        raise TypeError("a ledger entry holds whole numbers")
    if "only_copy" in values:
        if values.keys() != {"only_copy", "process_index"} or values["only_copy"] != 1 or values["process_index"] < 0:
            raise ValueError("not a declaration")
        return None
    return LedgerEntry(**values)


def _append(path: Path, values: dict[str, int | None], *, is_first: bool) -> None:
    append_durably(path, json.dumps(values).encode(), _entry, is_first=is_first)
