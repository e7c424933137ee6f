"""The releaser of one-shot sums: it adds up contributions of slots and releases each sum with its noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from gossamer.errors import PrivacyError
from gossamer.mechanisms.crew import AbstractCrew, Alone, Order, Task
from gossamer.mechanisms.gate import AbstractGate
from gossamer.mechanisms.grid import noisy_sum
from gossamer.mechanisms.noise import AbstractNoise
from gossamer.mechanisms.one_shot.contributions import Contribution, Slots
from gossamer.mechanisms.one_shot.plan import OneShotPlan


class OneShotReleaser:
    """Releaser that adds up contributions of slots and releases each sum of a plan once, in order, with its noise.

    The contribution of a slot and the noise are rounded to a public grid, each by itself, and added as integers.

    Guarantee: the results of all releases together have the privacy of ``plan.event``, on one condition. A row may
    depend on the content of its own slot, on public things and on earlier releases, and on nothing else. A slot adds
    one row, or the mean of its rows if it holds a person. A mean lies in the convex hull of the contributions of single
    rows. The diameter of that hull is the sensitivity of one row (docs/concepts/one-shot.md).

    Args:
        plan: sums and noise. The statement is written from the same object.
        noise: secret randomness, used by this object alone.
        slot_sizes: int64 (num_slots,), number of rows of each slot, if slots hold people. Private. None if every row is
            a slot of its own.
        gate: of the run. It lets each step pass once, in order and charged.
        crew: the processes that share the slots. Default: this one alone.
        known: returns earlier releases, which other processes need for their own slots.

    Raises:
        PrivacyError: slots of people without their sizes, or sizes of other slots, or a gate of another plan.
        InputError: more slots than integers hold.
    """

    def __init__(
        self,
        plan: OneShotPlan,
        noise: AbstractNoise,
        *,
        slot_sizes: Tensor | None = None,
        gate: AbstractGate,
        crew: AbstractCrew | None = None,
        known: Callable[[], Sequence[Tensor]] = tuple,
    ) -> None:
        is_person = plan.unit.is_group
        # Privacy: if every row counted as one, the price would be for a record and the claim for a person.
        if (slot_sizes is not None) != is_person or (slot_sizes is not None and len(slot_sizes) != plan.num_slots):
            raise PrivacyError(
                f"the plan protects a {plan.unit.value}: hand over the sizes of its slots for people alone"
            )
        for release in plan.releases:
            release.contribution.check_slots(plan.num_slots)
        gate.check_pays_for(plan)
        self.plan = plan
        self._noise = noise
        self._slot_sizes = slot_sizes
        self._gate = gate
        self._crew = Alone() if crew is None else crew
        self._known = known

    def release(self, step: int, chunks: Iterable[Slots]) -> Tensor:
        """Release one noisy sum.

        Args:
            step: must be the release after the last one made.
            chunks: all slots, in pieces as memory allows, every row once, and all rows of a person in one piece. They
                are read after the ledger is charged. If several processes share the slots, this process's own.

        Returns:
            float32 (size,), on the CPU: safe to use for anything. Never the sum without its noise.

        Raises:
            PrivacyError: a release asked twice, out of order, or beyond the plan.
            ValueError: more rows than the plan has slots, or than a slot has, or a person's rows in several pieces.
        """
        self._gate.take(step)
        self._crew.order(Order(task=Task.RELEASE, number=step, tensors=tuple(self._known())))
        total, given = self._summed(step, chunks)
        # Privacy: a slot that two processes read would count twice in a sum that is priced for once.
        if bool((given > self._allowed).any()):
            raise ValueError(f"more rows than the {self.plan.num_slots} slots of the plan hold: give every row once")
        contribution = self.plan.releases[step].contribution
        normals = self._noise.gaussian(step, (1, contribution.size))[0]
        return noisy_sum(total, self.plan.release_noise_std(step), normals, self._steps(contribution)).to(torch.float32)

    def help(self, step: int, chunks: Iterable[Slots]) -> None:
        """Add this process's own slots to a sum that the leader releases. Nothing is drawn and nothing is returned.

        Args:
            step: of the release.
            chunks: as of `release`.
        """
        self._summed(step, chunks)

    def _summed(self, step: int, chunks: Iterable[Slots]) -> tuple[Tensor, Tensor]:
        """Sum the slots of all processes, as integers, and count the rows that each slot gave."""
        contribution = self.plan.releases[step].contribution
        total = torch.zeros(contribution.size, dtype=torch.int64)
        every = torch.ones(self.plan.num_slots, dtype=torch.int64)
        left = every if self._slot_sizes is None else self._slot_sizes.clone()
        num_rows = 0
        for slots in chunks:
            owners = self._owners(slots, num_rows)
            self._take_rows(left, owners)
            total += self._added(contribution, slots, owners).cpu()
            num_rows += len(owners)
        given = torch.tensor([num_rows]) if self._slot_sizes is None else self._slot_sizes - left
        return self._crew.total(total), self._crew.total(given)

    @property
    def _allowed(self) -> Tensor:
        """Rows that may be given in all: one for each slot, or those of each person."""
        return torch.tensor([self.plan.num_slots]) if self._slot_sizes is None else self._slot_sizes

    def _owners(self, slots: Slots, num_rows: int) -> Tensor:
        """Return the slot of each row: the next slots in turn, if every row is a slot."""
        if self._slot_sizes is None:
            return torch.arange(num_rows, num_rows + len(slots.groups)).clamp_max(self.plan.num_slots - 1)
        if slots.owners is None or slots.owners.shape != slots.groups.shape:
            raise ValueError("rows of people must come with owners, the slot of each row")
        return slots.owners.cpu()

    def _take_rows(self, left: Tensor, owners: Tensor) -> None:
        """Take rows from the number of each slot that is still to come. Only the slots of these rows are looked at."""
        slots, given = torch.unique(owners, return_counts=True)
        # Privacy: the price is that of one row for each slot, or of the mean of all its rows.
        if bool((slots >= self.plan.num_slots).any()) or bool((given > left[slots]).any()):
            raise ValueError(f"more rows than the {self.plan.num_slots} slots of the plan hold: give every row once")
        if bool((given < left[slots]).any()):
            raise ValueError("some rows of a person, and not all: give all rows of a person in one piece")
        left[slots] = 0

    def _added(self, contribution: Contribution, slots: Slots, owners: Tensor) -> Tensor:
        if self._slot_sizes is None:
            return contribution.counted(slots)
        total = torch.zeros(contribution.size, dtype=torch.int64, device=slots.vectors.device)
        for person in _people(slots, owners):
            total += contribution.averaged(person)
        return total

    def _steps(self, contribution: Contribution) -> Tensor | float:
        return contribution.steps if self._slot_sizes is None else contribution.person_grid.spacing


def _people(slots: Slots, owners: Tensor) -> Iterator[Slots]:
    """Yield the rows of each person, in their order, copied: the rounding of a row then depends on nobody else."""
    order = torch.argsort(owners, stable=True)
    _, counts = torch.unique_consecutive(owners[order], return_counts=True)
    for rows in order.split(counts.tolist()):
        yield Slots(vectors=slots.vectors[rows], groups=slots.groups[rows])
