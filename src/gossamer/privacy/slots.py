"""The public number of units: its source, and the change of the data that a price may therefore be claimed for."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from gossamer.errors import InputError, told
from gossamer.privacy.adjacency import Adjacency, Unit


class CountSource(enum.Enum):
    """The source of the number of slots.

    ``GIVEN``: from the user or from the format of a published set, independent of the data. Slots may then stand empty.
    ``READ``: counted in the data. A reader of the number may then learn from it that somebody is among the units. So no
    guarantee may speak of anybody who comes or leaves. The number is said to be public, and the guarantee covers one
    unit replaced by another.
    """

    GIVEN = "given"
    READ = "read"

    @property
    def of_slots(self) -> Adjacency:
        """The adjacency that a mechanism may claim if it is priced for any change of one slot."""
        return Adjacency.SLOT if self is CountSource.GIVEN else Adjacency.REPLACE_ONE

    @property
    def of_samples(self) -> Adjacency:
        """The adjacency that a mechanism may claim if it draws units by Poisson sampling."""
        return Adjacency.ADD_OR_REMOVE_ONE if self is CountSource.GIVEN else Adjacency.REPLACE_ONE


@dataclass(frozen=True)
class PublicSlots:
    """The largest number of units, the unit of protection, and the share of the units learnt from. All of it is public.

    Guarantee:
        Settings, rates and deltas may follow from these numbers without a price. If the number was given, two numbers
        stay private: the units really present, and the units on the training side of a split.

    Args:
        number: N, slots of the whole data, a part held out included, at least 1.
        unit: the content of a slot.
        source: the source of the number.
        training_share: expected share of the units that is learnt from, in (0, 1]: 1 without a part held out by a key.

    Raises:
        InputError: a number out of range.
    """

    number: int
    unit: Unit = Unit.RECORD
    source: CountSource = CountSource.GIVEN
    training_share: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.number, bool) or not isinstance(self.number, int) or self.number < 1:
            raise InputError(f"the number of slots must be a positive integer, not {told(self.number)}: give 1 or more")
        if not 0.0 < self.training_share <= 1.0:
            raise InputError(f"training_share must lie in (0, 1], not {self.training_share}: give 1 to learn from all")

    @property
    def expected_training(self) -> float:
        """Expected number of units learnt from, ``N training_share``: public, and no function of the units present."""
        return self.number * self.training_share

    @property
    def to_learn_from(self) -> int:
        """The same as a whole number, rounded down and at least 1. Sizes of settings may follow from it."""
        return max(1, math.floor(self.expected_training))
