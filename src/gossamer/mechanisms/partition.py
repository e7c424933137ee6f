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

    def shard_table(self, labels: Tensor | None = None) -> ShardTable:
        """The records of every shard when slot i holds record i and nothing else (unit of protection: record).

        Args:
            labels: int64 (num_slots,): batches are then balanced over the classes that a shard holds. None: every
                record of a shard is as likely as any other.
        """
        order = torch.argsort(self.shard_of_slot, stable=True)
        shard = self.shard_of_slot[order]
        sizes = torch.bincount(shard, minlength=self.num_shards)
        capacity = int(sizes.max())
        place = torch.arange(self.num_slots) - (torch.cumsum(sizes, dim=0) - sizes)[shard]
        records = torch.zeros(self.num_shards, capacity, dtype=torch.int64)
        weights = torch.zeros(self.num_shards, capacity, dtype=torch.float64)
        records[shard, place] = order
        weights[shard, place] = 1.0
        if labels is not None:
            weights /= _class_counts(labels[records], weights)
        return ShardTable(records=records, cumulative=torch.cumsum(weights, dim=1))


def _class_counts(labels: Tensor, present: Tensor) -> Tensor:
    """How many records of its shard share each record's class, at least 1: (shards, capacity)."""
    counts = torch.zeros(labels.shape[0], int(labels.max()) + 1, dtype=torch.float64)
    counts.scatter_add_(1, labels, present)
    return counts.gather(1, labels).clamp_min(1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardTable:
    """Which records lie in which shard, and how likely each is to be drawn. Private.

    Attributes:
        records: int64 (K, capacity) record numbers; the capacity follows from the public map.
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
        place = torch.searchsorted(running, uniform * running[:, -1:], right=True)
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
            f"num_critics = {num_shards} but the data holds {num_slots} records: every critic needs a shard of at "
            f"least one record; pass --num-critics {num_slots} or fewer"
        )
    dealt = np.random.default_rng(seed).permutation(num_slots)
    shard_of_slot = np.empty(num_slots, dtype=np.int64)
    shard_of_slot[dealt] = np.arange(num_slots) % num_shards
    return SlotPartition(shard_of_slot=torch.from_numpy(shard_of_slot), num_shards=num_shards)
