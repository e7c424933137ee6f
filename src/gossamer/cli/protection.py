"""Whom a training protects, records or people, and what can be hoped for at their number."""

from __future__ import annotations

from gossamer.cli.arguments import UnitName
from gossamer.data.records import RecordData
from gossamer.errors import InputError
from gossamer.mechanisms.prospect import Prospect
from gossamer.methods.protected import reserve_people
from gossamer.privacy.adjacency import Unit


def protect(data: RecordData, unit: UnitName, num_people: int | None) -> RecordData:
    """The data with its public number of slots for people, where people are protected.

    Args:
        data: as read.
        unit: what is protected.
        num_people: public number of slots, at least the people in the data; None for just those.

    Raises:
        InputError: people are to be protected and the data names none, or more than there are slots for; or their
            number is given where records are protected.
    """
    if unit == "person":
        return reserve_people(data, num_people)
    if num_people is not None:
        raise InputError("--num-people goes with --unit person: give both, or neither")
    return data


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
