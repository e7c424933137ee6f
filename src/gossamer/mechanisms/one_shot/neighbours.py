"""Neighbours of one-shot sums: the change of the data that the noise on a sum is measured by."""

from __future__ import annotations

import abc
from dataclasses import dataclass

from gossamer.mechanisms.one_shot.contributions import Contribution
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.slots import CountSource


class AbstractNeighbours(abc.ABC):
    """The change of the data that sums are priced for, and the distance that it moves one of them."""

    @abc.abstractmethod
    def adjacency(self, source: CountSource) -> Adjacency:
        """Return the adjacency that may be claimed, by the source of the number of slots."""

    @abc.abstractmethod
    def distance(self, contribution: Contribution, source: CountSource) -> float:
        """Return the largest distance that a sum moves under that adjacency."""


@dataclass(frozen=True, kw_only=True)
class AnyChange(AbstractNeighbours):
    """Any change of one slot: filled, emptied or replaced. It covers the most."""

    def adjacency(self, source: CountSource) -> Adjacency:
        """Return any change of one slot, or one unit replaced if the number of slots was counted in the data."""
        return source.of_slots

    def distance(self, contribution: Contribution, source: CountSource) -> float:
        """Return the diameter of all contributions of a slot, zero included."""
        return contribution.sensitivity


@dataclass(frozen=True, kw_only=True)
class ComingOrLeaving(AbstractNeighbours):
    """One unit added or removed, for sums that share a budget with Poisson samples. It is the weaker promise.

    A unit that comes or leaves moves a sum by its own contribution, since an empty slot adds zero
    (docs/concepts/labelled-mixture.md). If the number of slots was counted in the data, one unit is replaced, and the
    distance is that of `AnyChange`.
    """

    def adjacency(self, source: CountSource) -> Adjacency:
        """Return one unit added or removed, or one replaced if the number of slots was counted in the data."""
        return source.of_samples

    def distance(self, contribution: Contribution, source: CountSource) -> float:
        """Return the largest norm of a contribution, or the diameter of all of them if a unit is replaced."""
        # Privacy: the price of coming and leaving covers no replacement.
        is_replaced = self.adjacency(source) is Adjacency.REPLACE_ONE
        return contribution.sensitivity if is_replaced else contribution.norm_bound


Neighbours = AnyChange | ComingOrLeaving
