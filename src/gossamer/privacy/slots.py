"""The public number of units: who says it, and which change of the data may therefore be claimed to cost so much."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from gossamer.errors import InputError
from gossamer.privacy.adjacency import Adjacency, Unit


class CountSource(enum.Enum):
    """Where the number of slots comes from.

    ``GIVEN``: from the user or from the format of a published set, whatever the data hold; slots may then stand empty.
    ``READ``: counted in the data. Who knows the number then knows whether somebody is among them, so that no guarantee
    may speak of anybody who comes or leaves: the number is said to be public, and one unit replaced by another is
    what is covered.
    """

    GIVEN = "given"
    READ = "read"

    @property
    def of_slots(self) -> Adjacency:
        """What a mechanism may claim that is priced for any change of one slot."""
        return Adjacency.SLOT if self is CountSource.GIVEN else Adjacency.REPLACE_ONE

    @property
    def of_samples(self) -> Adjacency:
        """What a mechanism may claim that draws units by Poisson sampling."""
        return Adjacency.ADD_OR_REMOVE_ONE if self is CountSource.GIVEN else Adjacency.REPLACE_ONE


@dataclass(frozen=True)
class PublicSlots:
    """How many units there are at most, what a unit is, and what share of them is learnt from. All of it is public.

    Guarantee:
        Settings, rates and deltas may follow from these numbers without paying for it. How many units are really there,
        and how many fell on the training side of a split, stays private where the number was given.

    Args:
        number: N, slots of the whole data, a part held out included; at least 1.
        unit: what a slot holds.
        source: who says the number.
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
            raise InputError(f"the number of slots must be a positive integer, not {self.number!r}: give 1 or more")
        if not 0.0 < self.training_share <= 1.0:
            raise InputError(f"training_share must lie in (0, 1], not {self.training_share}")

    @property
    def expected_training(self) -> float:
        """Expected number of units that are learnt from, ``N training_share``: public, however many there are."""
        return self.number * self.training_share

    @property
    def to_learn_from(self) -> int:
        """The same as a whole number, rounded down and at least 1. Sizes of settings may follow from it."""
        return max(1, math.floor(self.expected_training))
