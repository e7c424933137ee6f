"""The unit of protection, records or people, and the prospects at their number."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

from gossamer.data.records import RecordData
from gossamer.errors import InputError, told
from gossamer.mechanisms.prospect import Prospect
from gossamer.methods.method import Method
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.slots import PublicSlots


def protect(
    data: RecordData, unit: UnitName | None, num_people: int | None, num_records: int | None
) -> tuple[RecordData, PublicSlots]:
    """Add to the data a sentence on the public number of slots, and return them with that number.

    Args:
        data: as read.
        unit: of protection. None for the usual one of the data: records, or if these are windows of recordings, people
            if the data name them and else recordings.
        num_people: public number of people or recordings, a part held out included. None for the published one, or
            those in the data.
        num_records: public number of records, likewise.

    Raises:
        InputError: people are to be protected and the data names none, or more than there are slots for. Or the number
            is given of the other unit.
        PrivacyError: people are to be protected and their records were split at random.
    """
    from gossamer.methods.protected import public_slots

    # Privacy: a window protected by itself protects little, so that must be asked for in so many words.
    chosen = data.usual_unit if unit is None else Unit(unit)
    check_unit(chosen.value, num_people, num_records)
    slots, note = public_slots(data, chosen, num_people if chosen.is_group else num_records)
    return replace(data, public_notes=(*data.public_notes, *_of_windows(data, chosen), note)), slots


def _of_windows(data: RecordData, unit: Unit) -> tuple[str, ...]:
    """Return a sentence on the windows that are protected together, or none if there are no windows."""
    if data.usual_unit is Unit.RECORD:
        return ()
    if unit is Unit.RECORD:
        owner = "recording" if data.train.owners is Unit.RECORDING else "recording or of one person"
        return (
            f"A record is a single window, as the user asked for. The windows of one {owner} together are not "
            "protected, nor is a sample that stands in several of them.",
        )
    return (f"All windows of one {unit.value} are protected together.",)


def check_unit(unit: str | None, num_people: int | None, num_records: int | None) -> None:
    """Refuse an unknown unit of protection, and a number of the other unit. None is a unit that is not known yet.

    Raises:
        InputError: always then.
    """
    if unit is None:
        return
    if not isinstance(unit, str) or unit not in get_args(UnitName):
        raise InputError(f"unit must be record, person or recording, not {told(unit)}")
    if num_people is not None and unit == "record":
        raise InputError("num_people goes with unit person (--unit person): give both, or neither")
    if num_records is not None and unit != "record":
        raise InputError("num_records goes with unit record: give both, or neither")


def check_roster(method: Method[Any], unit: str | None, num_people: int | None) -> None:
    """Refuse a public roster where nobody gets a critic by it. See `gossamer.data.roster`.

    Args:
        method: that is to learn.
        unit: of protection, None if nothing was said of it.
        num_people: that was said beside the roster, or None.

    Raises:
        InputError: another method, unit, or number of people.
    """
    if "num_critics" not in {field.name for field in fields(method.config)}:
        raise InputError(f"a roster gives each person a critic, and {method.name} has none: use gs-wgan")
    if unit != "person":
        raise InputError('a roster (--roster) goes with --unit person (unit="person" in Python): give both, or neither')
    if num_people is not None:
        raise InputError("the number of people (num_people) is that of the names on the roster: leave it out")


def describe_unit(data: RecordData, unit: UnitName) -> str | None:
    """Return a line on the people who are not protected, or None if nothing is to be said.

    It warns if records are protected although the data names people or recordings. And it says that one recording is
    not one person.
    """
    if unit == "recording":
        return (
            "protected: one recording, with all its windows. The data names no people, and several recordings of one "
            "person together are not covered: name the person of each (--person-column) where there are such"
        )
    if unit == "person" or data.train.people is None:
        return None
    if data.train.owners is Unit.RECORDING:
        return (
            "protected: one window, as was asked for. What the windows of one recording tell together is not covered: "
            '--unit recording (unit="recording" in Python) covers it'
        )
    one, all_of = ("window, as was asked for", "windows") if data.usual_unit.is_group else ("record", "records")
    return (
        f"protected: one {one}. The data names people, and what the {all_of} of one person tell together "
        'is not covered: --unit person (unit="person" in Python) covers it'
    )


def describe_prospect(prospect: Prospect, epsilon: float, unit: Unit) -> str:
    """Say in a line how much the chosen epsilon can buy at this number of people or records.

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
        forecast = "that is a bound and no forecast"
        if prospect.ratio < prospect.clear_ratio:
            forecast = (
                f"that is a bound. Below {prospect.clear_ratio:g} some of the records tried gave clear samples and "
                "others noise, so expect noise until the verdict after the training says more"
            )
        return (
            f"advice: at epsilon {epsilon:.10g} and {prospect.num_slots} {who} {beside} (at least 1 from about "
            f"{prospect.num_slots_needed} {who} on): {forecast}"
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
