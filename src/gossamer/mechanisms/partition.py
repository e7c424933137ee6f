"""The public map from slots to shards, and the records that lie in each shard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gossamer.errors import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class SlotPartition:
    """Disjoint shards of slots. Public: it is a function of the number of slots, of K and of a seed alone.

    Guarantee: the content of one slot is seen by one shard only, and the map does not move when a slot is emptied or
    filled, so that one price covers adding, removing and replacing a slot's content.

    Attributes:
        shard_of_slot: int64 (num_slots,), values in [0, num_shards).
        num_shards: K.
    """

    shard_of_slot: Tensor
    num_shards: int

    @property
    def num_slots(self) -> int:
        """Number of slots, public."""
        return self.shard_of_slot.shape[0]

    def shard_table(self, labels: Tensor | None = None, slot_of_record: Tensor | None = None) -> ShardTable:
        """The records of every shard, and how a batch draws from them.

        A draw takes a slot of the shard, all alike, then a record of that slot, all alike. With labels it takes a class
        that the shard holds, then a slot that holds the class, then a record of that class and slot.

        Guarantee: what a shard holds and how it is drawn from depends on the slots of that shard alone.

        Args:
            labels: int64 (num_records,): batches are then balanced over the classes that a shard holds.
            slot_of_record: int64 (num_records,) in [0, num_slots), the person of a record; None where slot i holds
                record i and nothing else (unit of protection: record).
        """
        slots = torch.arange(self.num_slots) if slot_of_record is None else slot_of_record
        order = torch.argsort(self.shard_of_slot[slots], stable=True)
        shard = self.shard_of_slot[slots[order]]
        sizes = torch.bincount(shard, minlength=self.num_shards)
        capacity = int(sizes.max())
        place = torch.arange(len(slots)) - (torch.cumsum(sizes, dim=0) - sizes)[shard]
        records = torch.zeros(self.num_shards, capacity, dtype=torch.int64)
        weights = torch.zeros(self.num_shards, capacity, dtype=torch.float64)
        records[shard, place] = order
        weights[shard, place] = self._weights(slots, labels)[order]
        return ShardTable(records=records, cumulative=torch.cumsum(weights, dim=1))

    def _weights(self, slots: Tensor, labels: Tensor | None) -> Tensor:
        """What each record weighs in its shard: one over the records of its slot and class times the slots with it."""
        if labels is None:
            return 1 / torch.bincount(slots)[slots].double()
        num_classes = int(labels.max()) + 1
        held, inverse, counts = torch.unique(slots * num_classes + labels, return_inverse=True, return_counts=True)
        shard_and_class = self.shard_of_slot[held // num_classes] * num_classes + held % num_classes
        num_slots = torch.bincount(shard_and_class)[shard_and_class]
        return 1 / (counts * num_slots)[inverse].double()


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardTable:
    """Which records lie in which shard, and how likely each is to be drawn. Private.

    Attributes:
        records: int64 (K, capacity) record numbers; the capacity is private where slots hold people.
        cumulative: float64 (K, capacity), running sums of the weights along each shard; an absent record weighs 0.
    """

    records: Tensor
    cumulative: Tensor

    def select(self, shards: Tensor, uniform: Tensor) -> Tensor:
        """Draw records with replacement, each with probability proportional to its weight.

        A batch has the size of ``uniform`` whatever the shard holds: a size that followed the shard would tell it. An
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
        # Privacy: a product rounded up to the whole weight would fall on an absent place, another shard's record.
        below = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
        place = torch.searchsorted(running, below, right=True)
        return self.records[shards].gather(1, place.clamp_max(running.shape[1] - 1))

    def present(self, shards: Tensor) -> Tensor:
        """Which places of the shards hold a record: bool (c, capacity)."""
        return self.cumulative[shards].diff(dim=1, prepend=torch.zeros(len(shards), 1, dtype=torch.float64)) > 0

    def is_empty(self, shards: Tensor) -> Tensor:
        """Whether each of the shards holds no record: bool (c,)."""
        return self.cumulative[shards, -1] == 0


def partition_slots(num_slots: int, num_shards: int, seed: int) -> SlotPartition:
    """Deal slots to shards by a public random permutation, sizes as equal as can be.

    Args:
        num_slots: public number of slots, >= num_shards.
        num_shards: number K of shards, one a critic.
        seed: public.

    Raises:
        InputError: fewer slots than shards.

    >>> torch.bincount(partition_slots(10, 3, seed=0).shard_of_slot).tolist()
    [4, 3, 3]
    """
    if not 1 <= num_shards <= num_slots:
        raise InputError(
            f"num_critics = {num_shards} but there are {num_slots} slots: every critic needs a shard of at "
            f"least one slot; pass --num-critics {num_slots} or fewer"
        )
    dealt = np.random.default_rng(seed).permutation(num_slots)
    shard_of_slot = np.empty(num_slots, dtype=np.int64)
    shard_of_slot[dealt] = np.arange(num_slots) % num_shards
    return SlotPartition(shard_of_slot=torch.from_numpy(shard_of_slot), num_shards=num_shards)
