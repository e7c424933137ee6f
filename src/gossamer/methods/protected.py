"""Records by units: their owners under the unit of protection, and functions of each unit by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from gossamer.data.records import RecordData, RecordSet
from gossamer.data.room import NEIGHBOURS_BYTES
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.poisson.units import Units, units_of_persons, units_of_records
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import Identities
from gossamer.privacy.slots import CountSource, PublicSlots

_AT_ONCE: Final = 1024
# An odd number without pattern, so that marks of one unit's records do not meet the marks of another unit's.
_STRIDE: Final = 0x9E3779B97F4A7C15


# ---- the public number of units --------------------------------------------------------------------------------------


def public_slots(data: RecordData, unit: Unit, number: int | None = None) -> tuple[PublicSlots, str]:
    """Return the public number of units of a data set, and a sentence on its origin, for the statement.

    The number is the user's, or else that of the published format, or else it is counted. A counted number becomes
    public, and then only a replacement can be covered (`CountSource`).

    Args:
        data: as read.
        unit: of protection.
        number: as the user gave it, a part held out included. None if the user gave none.

    Raises:
        InputError: the records name no people though people are to be protected, or there are more units than the
            number.
        PrivacyError: people are to be protected and a key has dealt their records to both sides.
    """
    found = num_present(data, unit)
    if unit.is_group and data.is_split_by_record:
        # Privacy: a draw for each record would decide how many of a person's records are learnt from.
        raise PrivacyError(
            f"{data.train.name}: records were split at random, one by one, but {unit.plural} are to be protected: "
            f"split between {unit.plural} (--split people), or leave --split out"
        )
    published = data.published.num_people if unit.is_group else data.published.num_records
    what = f"The number of {unit.plural}, a part held out included,"
    if number is not None:
        slots, note = number, f"{what} is at most {number}, as the user says."
    elif published is not None:
        slots, note = published, f"{what} is at most {published}, as published."
    else:
        note = (
            f"{what} is {found}, counted in the data, and is taken as public; so one of them replaced by another is "
            f"what is covered. {_option(unit)} gives a number that does not come from the data, and then coming and "
            "leaving are covered, too."
        )
        return PublicSlots(found, unit, CountSource.READ, data.training_share), note
    if found > slots:
        raise InputError(
            f"{data.train.name}: {_option(unit)} {slots}: the data holds more {unit.plural} than that; give at least "
            "as many"
        )
    return PublicSlots(slots, unit, CountSource.GIVEN, data.training_share), note


def num_present(data: RecordData, unit: Unit) -> int:
    """Count the units in the data, those held out included. Private unless their number is said to be public.

    Raises:
        InputError: people are to be protected and the records name none.
    """
    if unit.is_group:
        check_named(data.train, unit)
        return data.train.num_people
    held_out = data.test.num_records if data.test is not None and data.training_share < 1 else 0
    return data.train.num_records + held_out


def check_named(records: RecordSet, unit: Unit) -> None:
    """Refuse records that name no people, or no recordings if those are to be protected.

    Raises:
        InputError: the records name none, or the other of the two.
    """
    if records.people is not None and records.owners is unit:
        return
    if unit is Unit.RECORDING:
        # Privacy: a recording beside a named person would protect less than the data allow.
        raise InputError(
            f"{records.name}: --unit recording goes with windows of recordings of which nobody says the person "
            "(--window): protect people (--unit person) or records (--unit record)"
        )
    if records.people is None or records.owners is Unit.RECORDING:
        raise InputError(
            f"{records.name}: names no people, so no person can be protected: name the person of each record (the key "
            "person of an NPZ file, --person-column of a table, people beside an array), or protect records (--unit "
            "record)"
        )


def check_fits(records: RecordSet, slots: PublicSlots) -> None:
    """Refuse more units than there are slots.

    Raises:
        InputError: there are more, or people are to be protected and the records name none.
    """
    if slots.unit.is_group:
        check_named(records, slots.unit)
    present = records.num_people if slots.unit.is_group else records.num_records
    if present > slots.number:
        raise InputError(
            f"{records.name}: {_option(slots.unit)} {slots.number}: there are more {slots.unit.plural} than that; give "
            "at least as many"
        )


def _option(unit: Unit) -> str:
    if unit is Unit.RECORDING:
        return "--num-people (num_people), here the number of recordings,"
    return "--num-people (num_people)" if unit.is_group else "--num-records (num_records)"


# ---- owners of records -----------------------------------------------------------------------------------------------


def owners_of(records: RecordSet, unit: Unit) -> Tensor | None:
    """Return the slot of every record, int64 (num_records,), private, or None if every record is a slot of its own."""
    if not unit.is_group:
        return None
    check_named(records, unit)
    return records.people


def identities_of(records: RecordSet, unit: Unit) -> Identities:
    """Identify units, in the order of `owners_of` or of the records: people by name, records by content and copy."""
    if not unit.is_group:
        return Identities.of_digests(records.content_digests)
    check_named(records, unit)
    assert records.person_digests is not None
    return Identities(digests=records.person_digests, copies=np.zeros(records.num_people, dtype=np.int64))


def slot_sizes_of(records: RecordSet, plan: AbstractPlan) -> Tensor | None:
    """Count the records of each slot, int64 (num_slots,), private. None if every record is a slot of its own."""
    owners = owners_of(records, plan.unit)
    return None if owners is None else torch.bincount(owners, minlength=plan.num_slots)


def units_of(records: RecordSet, slots: PublicSlots, *, records_per_person: int, seed: int) -> Units:
    """Return the units of Poisson sampling.

    Args:
        records: private.
        slots: their public number, and the unit of protection.
        records_per_person: number of records of a drawn person that are read, public.
        seed: public.
    """
    owners, marks = owners_of(records, slots.unit), _marks(identities_of(records, slots.unit))
    if owners is None:
        return units_of_records(records.num_records, slots.number, marks=marks)
    return units_of_persons(
        owners, slots.number, records_per_unit=records_per_person, seed=seed, marks=marks, unit=slots.unit
    )


# ---- functions of each unit ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """Records that are worked at together, in pieces that are computed apart. Private.

    Attributes:
        pieces: int64 (n,) each, record numbers: those of one person, or as many records as `height` says.
        height: rows at which pieces of records are computed, filled up by the first record. None if pieces are people.
    """

    pieces: list[Tensor]
    height: int | None

    @property
    def rows(self) -> Tensor:
        """Numbers of all records."""
        return torch.cat(self.pieces)

    def compute(self, function: Callable[..., Tensor], *values: Tensor) -> Tensor:
        """Compute a function of the records' rows, row by row, in the order of `rows`.

        Guarantee: down to the last bit, a person's results depend on that person's rows alone, and those of a record on
        the record alone. All records are computed at one shape. A kernel may round by the shape, and otherwise the
        number of other records would decide the shape.

        Args:
            function: (values (n, ...) of the given ones, in turn) -> (n, ...).
            values: each (num_records, ...).
        """
        return torch.cat([self._of(piece, function, values) for piece in self.pieces])

    def _of(self, piece: Tensor, function: Callable[..., Tensor], values: tuple[Tensor, ...]) -> Tensor:
        filled = piece
        if self.height is not None and len(piece) < self.height:
            filled = torch.cat([piece, piece[:1].expand(self.height - len(piece))])
        return function(*(one[filled] for one in values))[: len(piece)]


def bundles(records: RecordSet, unit: Unit, size: int, rows: Tensor | None = None) -> Iterator[Bundle]:
    """Yield all records in bundles of about ``size``, for memory. Each record is in one, all of a person in the same.

    The memory that records on the disk take is given back on the way (`data.room`).

    Args:
        records: private.
        unit: content of a slot, a record or a person.
        size: rows, public.
        rows: int64, the only records to yield, in their order, all of a person or none. None for all records.
    """
    owners, room, num_each = owners_of(records, unit), records.room, records.x[0].nbytes
    every = torch.arange(records.num_records) if rows is None else rows
    if owners is None:
        for piece in every.split(size):
            yield Bundle(pieces=[piece], height=size)
            # The values, and at most as much that was computed of them.
            room.touched(2 * len(piece) * num_each)
        room.let_go()
        return
    is_asked = torch.zeros(records.num_records, dtype=torch.bool)
    is_asked[every] = True
    of_person = units_of_persons(owners, records.num_people, records_per_unit=1, seed=0)
    pieces: list[Tensor] = []
    for piece in of_person.order.split(of_person.counts.tolist()):
        pieces += [piece] if len(piece) and bool(is_asked[piece[0]]) else []
        if sum(map(len, pieces)) >= size:
            yield Bundle(pieces=pieces, height=None)
            room.touched(sum(map(len, pieces)) * 2 * max(num_each, NEIGHBOURS_BYTES))
            pieces = []
    if pieces:
        yield Bundle(pieces=pieces, height=None)
    room.let_go()


def described(
    describe: Callable[[Tensor, Tensor], Tensor], records: RecordSet, unit: Unit, rows: Tensor | None = None
) -> Tensor:
    """Compute a description of every record: a row for each, in their order.

    Guarantee: down to the last bit, the rows of a unit are a function of its content, its identity and public things
    (`Bundle.compute`). Random motions are included: they follow from the mark of each record. The mark follows from the
    record's own content and copy, or from its person's name and its place among that person's own records.

    Args:
        describe: (values (n, ...), marks int64 (n,)) -> (n, ...), row by row.
        records: private.
        unit: content of a slot, a record or a person.
        rows: int64, the only records to describe, as of `bundles`, at least one.
    """
    marks, found = record_marks(records, unit), None
    every = torch.arange(records.num_records) if rows is None else rows
    for bundle in bundles(records, unit, _AT_ONCE, rows):
        part = bundle.compute(describe, records.x, marks)
        if found is None:
            found = torch.from_numpy(records.room.array((len(every), *part.shape[1:]), part.numpy().dtype))
        found[torch.searchsorted(every, bundle.rows)] = part
    assert found is not None
    return found


def record_marks(records: RecordSet, unit: Unit) -> Tensor:
    """Return a number for each record that no other unit changes, int64 (num_records,). Private."""
    marks, owners = _marks(identities_of(records, unit)), owners_of(records, unit)
    if owners is None:
        return marks
    of_person = units_of_persons(owners, records.num_people, records_per_unit=1, seed=0)
    place = torch.empty(records.num_records, dtype=torch.int64)
    place[of_person.order] = torch.arange(records.num_records)
    return _strided(marks[owners], place - of_person.starts[owners])


def _marks(units: Identities) -> Tensor:
    """Return a number for each unit from its digest and copy, int64 (units,)."""
    words = np.ascontiguousarray(units.digests).view("<u8").reshape(len(units), 4)[:, 0]
    return _strided(torch.from_numpy(words.astype(np.uint64).view(np.int64).copy()), torch.from_numpy(units.copies))


def _strided(marks: Tensor, numbers: Tensor) -> Tensor:
    with np.errstate(over="ignore"):
        moved = marks.numpy().view(np.uint64) + numbers.numpy().astype(np.uint64) * np.uint64(_STRIDE)
    return torch.from_numpy(moved.view(np.int64))
