"""The contribution of one unit of protection to a batch: a record, or a bounded number of one person's records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.keystream import Keystream, key_from_seed, unit_interval


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """The records of every public slot. Private, except for the numbers of slots and of records read of a unit.

    Attributes:
        unit: content of a slot, a record or a person.
        order: int64 (num_records,), record numbers, slot after slot.
        starts: int64 (num_slots,), place in ``order`` at which the records of a slot begin.
        counts: int64 (num_slots,), number of records of a slot, 0 for an empty one.
        records_per_unit: m, >= 1, public: number of records of a unit that are read when it is drawn.
        marks: int64 (num_slots,), a number from each unit's identity alone. No other unit's content or place changes
            it.
        seed: public.
    """

    unit: Unit
    order: Tensor
    starts: Tensor
    counts: Tensor
    records_per_unit: int
    marks: Tensor
    seed: int

    @property
    def num_slots(self) -> int:
        """Number of slots, public."""
        return self.counts.shape[0]

    def present(self, slots: Tensor) -> Tensor:
        """Return the slots that hold a record, int64 (at most as many,), as secret as the given slots."""
        return slots[self.counts[slots] > 0]

    def choose(self, slots: Tensor, step: int) -> Tensor:
        """Choose the records with which drawn units answer at a step.

        Of a unit's n records, in the order in which they are kept, m are read at equal distances from a random start.
        These are the records ``floor((j + u) n / m)`` for j = 0 .. m - 1. Each is as likely as any other. No record is
        read twice if n is at least m. A unit with fewer records gives them all about equally often.

        Guarantee: the records of a unit that are read depend on its own records, its identity, the step and a public
        seed alone. So a unit added or removed changes no other unit's answer.

        Args:
            slots: int64 (k,), none of them empty.
            step: number of the step.

        Returns:
            int64 record numbers (k, m).
        """
        m = self.records_per_unit
        counts = self.counts[slots].double()[:, None]
        place = ((torch.arange(m).double() + self._start(slots, step)[:, None]) * counts / m).long()
        return self.order[self.starts[slots][:, None] + torch.minimum(place, counts.long() - 1)]

    def _start(self, slots: Tensor, step: int) -> Tensor:
        """Return uniform numbers in [0, 1) for each slot, from the seed, a unit's own mark and the step."""
        stream = Keystream(key_from_seed(self.seed, "records of a unit"))
        words = stream.words(np.uint64(step), self.marks[slots].numpy().view(np.uint64))
        return torch.from_numpy(unit_interval(words[:, 0]))


def units_of_records(num_records: int, num_slots: int | None = None, *, marks: Tensor | None = None) -> Units:
    """Make every record a unit: slot i holds record i and nothing else, and slots beyond the records stand empty.

    Args:
        num_records: private if the number of slots was given.
        num_slots: public, at least the number of records. None for exactly that number.
        marks: int64 (num_records,), a number for the identity of each record. None if the record's own number is its
            identity.
    """
    slots = torch.arange(num_records if num_slots is None else num_slots)
    counts = (slots < num_records).to(torch.int64)
    every = torch.arange(num_records)
    return Units(
        unit=Unit.RECORD,
        order=every,
        starts=slots * counts,
        counts=counts,
        records_per_unit=1,
        marks=_marked(slots, marks),
        seed=0,
    )


def units_of_persons(
    slot_of_record: Tensor,
    num_slots: int,
    *,
    records_per_unit: int,
    seed: int,
    marks: Tensor | None = None,
    unit: Unit = Unit.PERSON,
) -> Units:
    """Make every person a unit, with all records of that person.

    Args:
        slot_of_record: int64 (num_records,), the person to whom a record belongs, in [0, num_slots). Private.
        num_slots: public number of persons. A person without records leaves a slot empty.
        records_per_unit: m, public.
        seed: public.
        marks: int64, a number for the identity of each person that may be named. None if the numbers in
            ``slot_of_record`` are the identities.
        unit: a person, or a recording that stands in the place of one.

    Raises:
        InputError: no record to read, or a person beyond the slots (the first record of one is named).

    >>> units_of_persons(torch.tensor([2, 0, 2]), 3, records_per_unit=1, seed=0).counts.tolist()
    [1, 0, 2]
    """
    if records_per_unit < 1:
        raise InputError(f"records_per_unit must be at least 1, got {records_per_unit}")
    is_outside = (slot_of_record < 0) | (slot_of_record >= num_slots)
    if is_outside.any():
        index = int(is_outside.nonzero()[0])
        raise InputError(f"record {index} belongs to a person outside 0 .. {num_slots - 1}: raise the number of slots")
    counts = torch.bincount(slot_of_record, minlength=num_slots)
    return Units(
        unit=unit,
        order=torch.argsort(slot_of_record, stable=True),
        starts=torch.cumsum(counts, dim=0) - counts,
        counts=counts,
        records_per_unit=records_per_unit,
        marks=_marked(torch.arange(num_slots), marks),
        seed=seed,
    )


def _marked(slots: Tensor, marks: Tensor | None) -> Tensor:
    """Return the given marks, and for empty slots beyond them, which nobody computes, their numbers."""
    return slots.clone() if marks is None else torch.cat([marks, slots[len(marks) :]])[: len(slots)]
