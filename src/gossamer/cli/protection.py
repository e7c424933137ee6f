"""Whom a training protects, records or people, and what can be hoped for at their number."""

from __future__ import annotations

from dataclasses import replace

from gossamer.cli.arguments import UnitName
from gossamer.data.records import RecordData
from gossamer.errors import InputError
from gossamer.mechanisms.prospect import Prospect
from gossamer.methods.protected import public_slots
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import PublicSlots


def protect(
    data: RecordData, unit: UnitName, num_people: int | None, num_records: int | None
) -> tuple[RecordData, PublicSlots]:
    """The data with a sentence on its public number of slots, and that number.

    Args:
        data: as read.
        unit: what is protected.
        num_people: public number of people, a part held out included; None for the published one, or those in the data.
        num_records: public number of records, likewise.

    Raises:
        InputError: people are to be protected and the data names none, or more than there are slots for; or the number
            of what is not protected is given.
        PrivacyError: people are to be protected and their records were split at random.
    """
    numbers = {"record": num_records, "person": num_people}
    for other, option in (("record", "--num-records"), ("person", "--num-people")):
        if other != unit and numbers[other] is not None:
            raise InputError(f"{option} goes with --unit {other}: give both, or neither")
    slots, note = public_slots(data, Unit(unit), numbers[unit])
    return replace(data, public_notes=(*data.public_notes, note)), slots


def describe_unit(data: RecordData, unit: UnitName) -> str | None:
    """A line for whoever protects records although the data names people; None for all others."""
    if unit == "person" or data.train.people is None:
        return None
    return (
        "protected: one record. The data names people, and what the records of one person tell together is not "
        "covered: --unit person covers it"
    )


def describe_prospect(prospect: Prospect, epsilon: float, unit: Unit) -> str:
    """What the chosen epsilon can buy at this number of people or records, in a line.

    >>> print(describe_prospect(Prospect(ratio=0.2, num_slots=47, num_slots_needed=235), 10.0, Unit.PERSON))
    advice: 47 people are too few for a useful guarantee by person at epsilon 10 with these settings: the longest \
possible signal is 0.20 times the noise. It would take about 235 people or more. What is released will hold its \
promise, look like noise and teach little.
    """
    who = unit.plural
    beside = f"the longest possible signal is {prospect.ratio:.2g} times the noise"
    if prospect.ratio < 0.995:
        beside = f"the longest possible signal is {prospect.ratio:.2f} times the noise"
    if not prospect.is_hopeless:
        return (
            f"advice: at epsilon {epsilon:.10g} and {prospect.num_slots} {who} {beside} (at least 1 from about "
            f"{prospect.num_slots_needed} {who} on): something can be learnt; that is a bound and no forecast"
        )
    if prospect.num_slots >= prospect.num_slots_needed:
        return (
            f"advice: {beside}, so nothing useful can be learnt with these settings; {prospect.num_slots} {who} would "
            f"do with more critics, each with a few {who}"
        )
    return (
        f"advice: {prospect.num_slots} {who} are too few for a useful guarantee by {unit.value} at epsilon "
        f"{epsilon:.10g} with these settings: {beside}. It would take about {prospect.num_slots_needed} {who} or more. "
        "What is released will hold its promise, look like noise and teach little."
    )
