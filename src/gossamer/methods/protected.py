"""Records by slots: whose they are under the unit of protection, and what is computed of each slot by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gossamer.data.records import RecordData, RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.units import Units, units_of_persons, units_of_records
from gossamer.privacy.adjacency import Unit


def num_slots_of(records: RecordSet, unit: Unit) -> int:
    """The public number of slots: of records, or of people.

    Raises:
        InputError: people are to be protected and nobody says whose a record is.
    """
    if unit is Unit.RECORD:
        return records.num_records
    if records.people is None:
        raise InputError(
            f"{records.name}: names no people, so that no person can be protected: say whose each record is (the key "
            "person of an NPZ file, --person-column of a table, people beside an array), or protect records (--unit "
            "record)"
        )
    return records.num_people


def reserve_people(data: RecordData, num_people: int | None) -> RecordData:
    """The data with its public number of slots for people, and a sentence on where that number comes from.

    Args:
        data: as read.
        num_people: public number of slots, at least the people in the data; None for just those.

    Raises:
        InputError: the data names no people, or more than there are slots for.
    """
    found = num_slots_of(data.train, Unit.PERSON)
    if num_people is None:
        note = (
            f"The number of people in the data, {found}, is taken as public: there are as many slots. num_people "
            "(--num-people) gives a number that does not come from the data."
        )
    elif num_people < found:
        raise InputError(f"num_people {num_people}: the data names more people than that; give at least as many")
    else:
        note = f"The number of slots for people, {num_people}, was given by the user."
    train = replace(data.train, num_people=found if num_people is None else num_people)
    return replace(data, train=train, public_notes=(*data.public_notes, note))


def owners_of(records: RecordSet, unit: Unit) -> Tensor | None:
    """The slot of every record, int64 (num_records,), private; None where every record is a slot of its own."""
    num_slots_of(records, unit)
    return records.people if unit is Unit.PERSON else None


def slot_sizes_of(records: RecordSet, unit: Unit) -> Tensor | None:
    """How many records each slot holds, int64 (num_slots,), private; None where every record is a slot of its own."""
    owners = owners_of(records, unit)
    return None if owners is None else torch.bincount(owners, minlength=records.num_people)


def units_of(records: RecordSet, unit: Unit, *, records_per_person: int, seed: int) -> Units:
    """The units of Poisson sampling.

    Args:
        records: private.
        unit: what a slot holds.
        records_per_person: how many records of a drawn person are read; public.
        seed: public.
    """
    owners = owners_of(records, unit)
    if owners is None:
        return units_of_records(records.num_records)
    return units_of_persons(owners, records.num_people, records_per_unit=records_per_person, seed=seed)


def bundles(records: RecordSet, unit: Unit, size: int) -> Iterator[list[Tensor]]:
    """All records in bundles of about ``size``, for memory: a bundle is a list of pieces, each of record numbers.

    Where slots hold people a piece is one person, to be worked at by itself: in larger pieces the roundings of one
    person's rows would depend on how many records others have. Else a bundle is one piece.

    Yields:
        int64 tensors (n,), every record in one of them.
    """
    owners = owners_of(records, unit)
    if owners is None:
        yield from ([piece] for piece in torch.arange(records.num_records).split(size))
        return
    slots = units_of_persons(owners, records.num_people, records_per_unit=1, seed=0)
    bundle: list[Tensor] = []
    for piece in slots.order.split(slots.counts.tolist()):
        bundle += [piece] if len(piece) else []
        if sum(map(len, bundle)) >= size:
            yield bundle
            bundle = []
    if bundle:
        yield bundle


def described(describe: Callable[[Tensor, int], Tensor], records: RecordSet, unit: Unit, seed: int) -> Tensor:
    """A description of every record: a row for each, in their order.

    Guarantee: the rows of a slot are a function of the content of that slot, of its number and of public things, down
    to the last bit. Where slots hold people each is described by itself: in one piece, the roundings and the random
    motions of one person's records would depend on how many records others have.

    Args:
        describe: (values (n, ...), public seed) -> (n, ...), row by row.
        records: private.
        unit: what a slot holds.
        seed: public.
    """
    owners = owners_of(records, unit)
    if owners is None:
        return describe(records.x, seed)
    slots = units_of_persons(owners, records.num_people, records_per_unit=1, seed=seed)
    pieces = enumerate(slots.order.split(slots.counts.tolist()))
    rows = torch.cat([describe(records.x[piece], _slot_seed(seed, slot)) for slot, piece in pieces if len(piece)])
    return rows[torch.argsort(slots.order)]


def _slot_seed(seed: int, slot: int) -> int:
    digest = hashlib.sha256(f"{seed}/slot {slot}".encode()).digest()
    return int.from_bytes(digest[:6], "little")
