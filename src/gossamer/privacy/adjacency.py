"""Who is protected, and against which change of the data: the adjacency and the unit of protection."""

from __future__ import annotations

import enum
from typing import Literal

UnitName = Literal["record", "person"]
"""The values of `Unit`, as options and files have them."""


class Unit(enum.Enum):
    """What one public slot holds.

    ``RECORD``: one record (an image, a beat, a row). ``PERSON``: all records of one person; their number is private.
    """

    RECORD = "record"
    PERSON = "person"

    @property
    def protected(self) -> str:
        """What is protected, in words."""
        return "one record" if self is Unit.RECORD else "all records of one person"

    @property
    def plural(self) -> str:
        """Several of them, in words."""
        return "records" if self is Unit.RECORD else "people"

    @property
    def overlap(self) -> str:
        """What no price of one unit covers: somebody who is in several slots."""
        whose = "slots that belong to one person" if self is Unit.RECORD else "names of one person, a slot each"
        return f"several {whose}, beyond what their number multiplies epsilon to"


class Adjacency(enum.Enum):
    """Which data sets count as neighbours. The price of a mechanism holds for one adjacency only.

    ``SLOT``: two data sets are neighbours when they differ in the content of one public slot, which may be filled,
    emptied or replaced. The number of slots is public without the data; who is in which is not. Methods with shards and
    critics, and one-shot sums, use it.

    ``ADD_OR_REMOVE_ONE``: two data sets are neighbours when one is the other with one unit added. Methods that draw
    units by Poisson sampling use it where the number of slots is public without the data.

    ``REPLACE_ONE``: two data sets are neighbours when one unit of the one is replaced by any other; how many there are
    is public. Every method claims it where the number was counted in the data.

    Prices under two of them never share a budget, unless one part is priced anew.
    """

    SLOT = "slot"
    ADD_OR_REMOVE_ONE = "add-or-remove-one"
    REPLACE_ONE = "replace-one"

    def describe(self, unit: Unit) -> str:
        """One sentence for a person.

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
