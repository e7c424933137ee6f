"""The partition of units into shards, and the records that lie in each shard."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.privacy.dealing import Dealt, Identities, UnitKey


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """Disjoint shards of units, each unit dealt by itself. Private: it is a function of a secret key and of identities.

    Guarantee: a unit that comes, leaves, changes or is replaced moves one shard at most, in the sense of the lemma of
    docs/concepts/dealing.md. Its own label and place are functions of its own identity and the key, so it moves no
    other unit's label or place. One price covers all of these changes.

    Attributes:
        shard_of_unit: int64 (units,), values in [0, num_shards).
        order: int64 (units,), the units in the order in which they stand in their shards.
        num_shards: K.
    """

    shard_of_unit: Tensor
    order: Tensor
    num_shards: int

    def shard_table(self, labels: Tensor | None = None, unit_of_record: Tensor | None = None) -> ShardTable:
        """Return the records of every shard, and how a batch draws from them.

        A draw takes a unit of the shard, all alike, then a record of that unit, all alike. With labels it takes a class
        that the shard holds, then a unit that holds the class, then a record of that class and unit.

        Guarantee: the content of a shard, its order, and the law of draws from it depend on the units of that shard
        alone.

        Args:
            labels: int64 (num_records,): batches are then balanced over the classes that a shard holds.
            unit_of_record: int64 (num_records,) in [0, units), the person of a record. None if unit i is record i and
                nothing else (unit of protection: record).
        """
        units = torch.arange(len(self.shard_of_unit)) if unit_of_record is None else unit_of_record
        rank = torch.empty_like(self.order)
        rank[self.order] = torch.arange(len(self.order))
        # Privacy: by shard, then by the units' own order. Records of one unit stay as they stand in its own file.
        order = torch.argsort(rank[units], stable=True)
        order = order[torch.argsort(self.shard_of_unit[units[order]], stable=True)]
        shard = self.shard_of_unit[units[order]]
        sizes = torch.bincount(shard, minlength=self.num_shards)
        capacity = int(sizes.max())
        place = torch.arange(len(units)) - (torch.cumsum(sizes, dim=0) - sizes)[shard]
        records = torch.zeros(self.num_shards, capacity, dtype=torch.int64)
        weights = torch.zeros(self.num_shards, capacity, dtype=torch.float64)
        records[shard, place] = order
        weights[shard, place] = self._weights(units, labels)[order]
        return ShardTable(records=records, cumulative=torch.cumsum(weights, dim=1))

    def _weights(self, units: Tensor, labels: Tensor | None) -> Tensor:
        """Weigh records in their shards: one over the records of its unit and class times the units with that class."""
        if labels is None:
            return 1 / torch.bincount(units)[units].double()
        num_classes = int(labels.max()) + 1
        held, inverse, counts = torch.unique(units * num_classes + labels, return_inverse=True, return_counts=True)
        shard_and_class = self.shard_of_unit[held // num_classes] * num_classes + held % num_classes
        num_units = torch.bincount(shard_and_class)[shard_and_class]
        return 1 / (counts * num_units)[inverse].double()


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardTable:
    """The records of each shard, and how likely each is to be drawn. Private.

    Attributes:
        records: int64 (K, capacity) record numbers. The capacity is private if slots hold people.
        cumulative: float64 (K, capacity), running sums of the weights along each shard. An absent record weighs 0.
    """

    records: Tensor
    cumulative: Tensor

    def select(self, shards: Tensor, uniform: Tensor) -> Tensor:
        """Draw records with replacement, each with probability proportional to its weight.

        A batch has the size of ``uniform`` whatever the shard holds: a size that followed the shard would reveal it. An
        empty shard selects record 0, and its critic's answer is replaced by zero (`is_empty`).

        Guarantee: row j of the result depends on shard ``shards[j]`` and on row j of ``uniform`` alone.

        Args:
            shards: int64 (c,).
            uniform: float64 (c, n) in [0, 1), from a tape indexed by critic and step.

        Returns:
            int64 record numbers (c, n).
        """
        running = self.cumulative[shards]
        total = running[:, -1:]
        # Privacy: a product rounded up to the whole weight would select an absent place, so another shard's record.
        below = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
        place = torch.searchsorted(running, below, right=True)
        return self.records[shards].gather(1, place.clamp_max(running.shape[1] - 1))

    def of_shards(self, shards: Tensor) -> tuple[ShardTable, Tensor]:
        """Return the table of some shards in place, all others empty, and the records that lie in them, in their order.

        The table numbers these records from 0 on. Draws from the shards are those of the whole table.

        Args:
            shards: int64 (c,), distinct.
        """
        is_kept = torch.zeros(len(self.records), dtype=torch.bool)
        is_kept[shards] = True
        here = torch.zeros_like(self.records, dtype=torch.bool)
        here[shards] = self.present(shards)
        rows = self.records[here].sort().values
        numbers = torch.where(here, torch.searchsorted(rows, self.records), 0)
        return ShardTable(records=numbers, cumulative=torch.where(is_kept[:, None], self.cumulative, 0.0)), rows

    def present(self, shards: Tensor) -> Tensor:
        """Mark the places of the shards that hold a record: bool (c, capacity)."""
        return self.cumulative[shards].diff(dim=1, prepend=torch.zeros(len(shards), 1, dtype=torch.float64)) > 0

    def is_empty(self, shards: Tensor) -> Tensor:
        """Mark the shards that hold no record: bool (c,)."""
        return self.cumulative[shards, -1] == 0


def deal(units: Identities, num_shards: int, key: UnitKey) -> Partition:
    """Deal units to shards, each by itself: shards hold about as many each, and some may stand empty.

    Args:
        units: their identities.
        num_shards: number K of shards, one a critic.
        key: secret, of the run.
    """
    labels, order = key.deal(Dealt.SHARD, units, num_shards)
    return Partition(shard_of_unit=torch.from_numpy(labels), order=torch.from_numpy(order), num_shards=num_shards)
