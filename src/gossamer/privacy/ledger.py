"""The spending of a run, as data. Reading and writing it belongs to the run folder.

A block of steps is charged before it runs and never refunded. After a crash the steps since the last checkpoint run
again under a new key. They are charged again, since somebody may have seen the noise of the lost steps.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from gossamer.errors import InputError, PrivacyError, told


@dataclasses.dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """A block of steps charged at once.

    Args:
        first_step: index of the first step of the block, from 0.
        num_steps: length of the block, at least 1.
        process_index: number of the process that charged it, from 0. Every process that trains has its own noise key.
        tag: a number that the process drew when it began, at random and at least 0. Two ledgers that share a block
            with its tag share the noise that the block paid for. Blocks that are equal but for their tags were taken
            twice, by branches of one run. None if the process drew no number.

    Raises:
        InputError: a number is out of range.
    """

    first_step: int
    num_steps: int
    process_index: int
    tag: int | None = None

    def __post_init__(self) -> None:
        for name in ("first_step", "num_steps", "process_index", "tag"):
            if not isinstance(getattr(self, name), int if name != "tag" else int | None):
                raise InputError(f"{name} of a ledger entry must be a whole number, not {told(getattr(self, name))}")
        if self.first_step < 0 or self.num_steps < 1 or self.process_index < 0:
            raise InputError(f"a ledger entry needs first_step >= 0, num_steps >= 1, process_index >= 0, not {self}")
        if self.tag is not None and self.tag < 0:
            raise InputError(f"the tag of a ledger entry must be 0 or more, not {self.tag}")

    @property
    def end_step(self) -> int:
        """Index after the last step of the block."""
        return self.first_step + self.num_steps


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ledger:
    """All blocks charged, oldest first.

    Args:
        entries: the blocks.
        num_only_copies: number of times that the owner of a moved, copied or restored run folder declared that no
            other copy of it goes on.

    Raises:
        InputError: a number of declarations below 0.
        PrivacyError: a process charged steps out of order, or appears again after a later one.

    Example:
        >>> ledger = Ledger().charge(LedgerEntry(first_step=0, num_steps=50, process_index=0), num_planned_steps=100)
        >>> ledger.num_charged_steps, ledger.remaining_steps(100)
        (50, 50)
    """

    entries: tuple[LedgerEntry, ...] = ()
    num_only_copies: int = 0

    def __post_init__(self) -> None:
        if self.num_only_copies < 0:
            raise InputError(f"num_only_copies of a ledger must be 0 or more, not {self.num_only_copies}")
        for before, after in zip(self.entries, self.entries[1:], strict=False):
            # Privacy: the same step under the same key would reuse its noise on another signal, which cancels it.
            is_same_process = after.process_index == before.process_index
            if after.process_index < before.process_index or (is_same_process and after.first_step < before.end_step):
                raise PrivacyError(
                    f"the ledger charges step {after.first_step} after step {before.end_step - 1} under one noise key: "
                    "it was edited or copied; do not resume this run"
                )

    @property
    def num_charged_steps(self) -> int:
        """Steps paid for, those lost in a crash included."""
        return sum(entry.num_steps for entry in self.entries)

    @property
    def next_process_index(self) -> int:
        """The index that the next process takes."""
        return self.entries[-1].process_index + 1 if self.entries else 0

    def lost_steps(self, num_done: int) -> tuple[int, ...]:
        """List the steps that were charged in vain: all charges but one for each of the first ``num_done`` steps.

        Raises:
            PrivacyError: one of the steps done was never charged.

        Example:
            >>> blocks = [LedgerEntry(first_step=0, num_steps=2, process_index=process) for process in (0, 1)]
            >>> Ledger(entries=tuple(blocks)).lost_steps(1)
            (0, 1, 1)
        """
        charged = Counter(step for entry in self.entries for step in range(entry.first_step, entry.end_step))
        missing = next((step for step in range(num_done) if not charged[step]), None)
        if missing is not None:
            # Privacy: with an older or absent ledger the same steps would be paid once and taken twice.
            raise PrivacyError(
                f"the ledger does not charge step {missing}, though {num_done} steps are done, so it was changed or "
                "removed; put it back, or start a new run"
            )
        charged.subtract(range(num_done))
        return tuple(sorted(charged.elements()))

    def remaining_steps(self, num_planned_steps: int) -> int:
        """Count the steps of the plan that are not paid for yet, at least 0."""
        return max(0, num_planned_steps - self.num_charged_steps)

    def find_gap(self, num_done_steps: int) -> str | None:
        """Find the place of a missing block that a run of so many steps must have charged, None if no block is missing.

        Processes are numbered from 0 without a gap. Each takes the run up at a step that an earlier process had
        reached, and charges block after block from there.

        Example:
            >>> blocks = [LedgerEntry(first_step=first, num_steps=10, process_index=0) for first in (0, 20)]
            >>> Ledger(entries=tuple(blocks)).find_gap(30)
            'no block charges step 10'
        """
        expected, charged_until = 0, 0
        for entry in self.entries:
            if entry.process_index > expected:
                return f"no block is of process {expected}"
            is_same_process = entry.process_index == expected - 1
            if entry.first_step > charged_until or (is_same_process and entry.first_step != charged_until):
                return f"no block charges step {charged_until}"
            expected, charged_until = entry.process_index + 1, entry.end_step
        return None if num_done_steps <= charged_until else f"no block charges step {charged_until}"

    def charge(self, entry: LedgerEntry, *, num_planned_steps: int) -> Ledger:
        """Return a new ledger with one more block.

        Raises:
            PrivacyError: the block would exceed the plan, or repeats a step under the same key.
        """
        remaining = self.remaining_steps(num_planned_steps)
        # Privacy: refused before the step that would exceed the budget, not after.
        if entry.num_steps > remaining:
            raise PrivacyError(
                f"{entry.num_steps} steps were asked for and {remaining} of {num_planned_steps} planned are unpaid: "
                "the budget is spent; release the generator as it is"
            )
        return dataclasses.replace(self, entries=(*self.entries, entry))


def steps_of_branches(ledgers: Sequence[Ledger]) -> tuple[int, ...]:
    """List the steps that branches of one run paid for together, in rising order, each as often as it was paid for.

    Guarantee:
        Branches that go on from one state are one adaptive mechanism. Its steps are the shared steps and the steps of
        each branch. A block counts once for all ledgers that begin alike until it, tag by tag. Without a tag a block
        may have been taken twice, and counts for each ledger.

    Args:
        ledgers: of copies of one run's folder.

    Example:
        >>> shared = LedgerEntry(first_step=0, num_steps=2, process_index=0, tag=5)
        >>> own = [LedgerEntry(first_step=2, num_steps=1, process_index=1, tag=tag) for tag in (6, 7)]
        >>> steps_of_branches([Ledger(entries=(shared, one)) for one in own])
        (0, 1, 2, 2)
    """
    begin: dict[LedgerEntry, Any] = {}
    steps: list[int] = []
    for ledger in ledgers:
        alike = begin
        for entry in ledger.entries:
            if entry.tag is None or entry not in alike:
                steps += range(entry.first_step, entry.end_step)
            # Privacy: a block charged without a tag is shared with no ledger, nor are the blocks after it.
            alike = {} if entry.tag is None else alike.setdefault(entry, {})
    return tuple(sorted(steps))
