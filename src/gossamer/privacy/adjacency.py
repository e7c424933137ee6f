"""The unit of protection and the adjacency: who is protected, and against which change of the data."""

from __future__ import annotations

import enum
from typing import Literal

from gossamer.errors import InputError, told

UnitName = Literal["record", "person", "recording"]
"""The values of `Unit`, as options and files have them."""


class Unit(enum.Enum):
    """The content of one public slot.

    ``RECORD``: one record (an image, a beat, a row, a window). ``PERSON``: all records of one person, in a private
    number. ``RECORDING``: all records that were cut from one recording, if nobody says the person behind it.
    """

    RECORD = "record"
    PERSON = "person"
    RECORDING = "recording"

    @classmethod
    def _missing_(cls, value: object) -> Unit:
        raise InputError(f"a unit is record, person or recording, not {told(value)}")

    @property
    def protected(self) -> str:
        """The protected content, in words."""
        return "one record" if self is Unit.RECORD else f"all records of one {self.value}"

    @property
    def whole(self) -> str:
        """The protected unit with all that is in it, in words."""
        return "one record" if self is Unit.RECORD else f"one {self.value}, with all records of that {self.value}"

    @property
    def is_group(self) -> bool:
        """True if a slot holds a private number of records, and not one."""
        return self is not Unit.RECORD

    def holds(self, part: Unit) -> bool:
        """Tell if a unit of this kind holds whole units of the other kind. A person holds recordings and records.

        Example:
            >>> Unit.PERSON.holds(Unit.RECORDING), Unit.RECORDING.holds(Unit.PERSON)
            (True, False)
        """
        rising = (Unit.RECORD, Unit.RECORDING, Unit.PERSON)
        return rising.index(self) >= rising.index(part)

    @property
    def plural(self) -> str:
        """Several units, in words."""
        return "people" if self is Unit.PERSON else f"{self.value}s"

    @property
    def overlap(self) -> str:
        """The case that no price of one unit covers: somebody who is in several slots."""
        whose = {
            Unit.RECORD: "slots that belong to one person",
            Unit.PERSON: "names of one person, a slot each",
            Unit.RECORDING: "recordings of one person, a slot each",
        }
        return f"several {whose[self]}, beyond what their number multiplies epsilon to"


class Adjacency(enum.Enum):
    """The relation by which two data sets count as neighbours. The price of a mechanism holds for one adjacency only.

    ``SLOT``: two data sets are neighbours when they differ in the content of one public slot. The slot may be filled,
    emptied or replaced. The number of slots is public without the data. Who is in which slot is not public. Methods
    with shards and critics, and one-shot sums, use this adjacency.

    ``ADD_OR_REMOVE_ONE``: two data sets are neighbours when one is the other with one unit added. Methods that draw
    units by Poisson sampling use this adjacency if the number of slots is public without the data.

    ``REPLACE_ONE``: two data sets are neighbours when one unit of the one is replaced by any other. The number of
    units is public. Every method claims this adjacency if the number was counted in the data.

    Prices under two adjacencies never share a budget, unless one part is priced anew.
    """

    SLOT = "slot"
    ADD_OR_REMOVE_ONE = "add-or-remove-one"
    REPLACE_ONE = "replace-one"

    @classmethod
    def _missing_(cls, value: object) -> Adjacency:
        raise InputError(f"an adjacency is slot, add-or-remove-one or replace-one, not {told(value)}")

    def covers(self, claimed: Adjacency) -> bool:
        """Tell if a price under this adjacency holds under a claimed one.

        The price of a slot covers every change. The price of a replaced unit of Poisson samples covers a slot, too
        (docs/concepts/poisson.md, theorem 2). It is never claimed for a unit added or removed. The price of a unit
        added or removed covers nothing else.

        Example:
            >>> Adjacency.SLOT.covers(Adjacency.REPLACE_ONE), Adjacency.ADD_OR_REMOVE_ONE.covers(Adjacency.REPLACE_ONE)
            (True, False)
        """
        if self is Adjacency.ADD_OR_REMOVE_ONE or claimed is Adjacency.ADD_OR_REMOVE_ONE:
            return self in (Adjacency.SLOT, claimed)
        return True

    def describe(self, unit: Unit) -> str:
        """Return one sentence that says the adjacency to a reader.

        Example:
            >>> Adjacency.ADD_OR_REMOVE_ONE.describe(Unit.RECORD)
            'Neighbouring data sets differ by one record, added or removed.'
        """
        if self is Adjacency.SLOT:
            return (
                f"Neighbouring data sets differ in one public slot, whose content ({unit.protected}) "
                "is added, removed or replaced by anything."
            )
        if self is Adjacency.REPLACE_ONE:
            return (
                f"Neighbouring data sets differ in one unit ({unit.protected}), which is replaced by any other; how "
                f"many {unit.plural} there are is public."
            )
        return f"Neighbouring data sets differ by {unit.protected}, added or removed."
