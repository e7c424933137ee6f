"""The public map from slots to shards, and batches that tell nothing of other shards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from gossamer.errors import InputError
from gossamer.mechanisms.partition import ShardTable, SlotPartition, partition_slots


def members(table: ShardTable) -> list[set[int]]:
    """The records that a shard can select."""
    zero = torch.zeros(len(table.cumulative), 1, dtype=torch.float64)
    present = torch.diff(table.cumulative, dim=1, prepend=zero) > 0
    return [set(row[mask].tolist()) for row, mask in zip(table.records, present, strict=True)]


def random_labels(num_slots: int, seed: int, num_classes: int = 4) -> Tensor:
    return torch.randint(0, num_classes, (num_slots,), generator=torch.Generator().manual_seed(seed))


sizes = st.integers(1, 40).flatmap(lambda slots: st.tuples(st.just(slots), st.integers(1, slots)))


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 2**32 - 1))
def test_shards_are_disjoint_cover_all_slots_and_differ_by_one_at_most(size: tuple[int, int], seed: int) -> None:
    num_slots, num_shards = size
    partition = partition_slots(num_slots, num_shards, seed)
    counts = torch.bincount(partition.shard_of_slot, minlength=num_shards)
    assert int(counts.max() - counts.min()) <= 1
    shards = members(partition.shard_table())
    assert sorted(slot for shard in shards for slot in shard) == list(range(num_slots))
    for number, shard in enumerate(shards):
        assert all(int(partition.shard_of_slot[slot]) == number for slot in shard)


def test_the_map_follows_from_slots_shards_and_seed_alone() -> None:
    first, second = partition_slots(50, 7, 3), partition_slots(50, 7, 3)
    assert torch.equal(first.shard_of_slot, second.shard_of_slot)
    assert not torch.equal(first.shard_of_slot, partition_slots(50, 7, 4).shard_of_slot)


def stays_when_content_changes(deal: Callable[[Tensor], ShardTable], num_slots: int = 60) -> bool:
    """Whether every shard holds the same slots, and every other shard the same weights, when one label changes."""
    labels = random_labels(num_slots, 0)
    before = deal(labels)
    for slot in range(num_slots):
        changed = labels.clone()
        changed[slot] = (changed[slot] + 1) % 4
        after = deal(changed)
        if members(after) != members(before) or not torch.equal(after.records, before.records):
            return False
        other = [number for number, shard in enumerate(members(before)) if slot not in shard]
        if not torch.equal(after.cumulative[other], before.cumulative[other]):
            return False
    return True


def dealt_by_label(labels: Tensor) -> ShardTable:
    """A map that moves: slots are dealt in the order of their labels."""
    shard_of_slot = torch.empty_like(labels)
    shard_of_slot[torch.argsort(labels, stable=True)] = torch.arange(len(labels)) % 6
    return SlotPartition(shard_of_slot=shard_of_slot, num_shards=6).shard_table(labels)


def test_the_map_does_not_move_when_content_changes() -> None:
    assert stays_when_content_changes(partition_slots(60, 6, 1).shard_table)


def test_a_map_that_moves_with_the_labels_is_caught() -> None:
    assert not stays_when_content_changes(dealt_by_label)


def p_of_counts(table: ShardTable, shard: int, weights: dict[int, float]) -> float:
    """p-value, by chi-square, that records of a shard are drawn with the given probabilities."""
    uniform = torch.rand(1, 60_000, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    drawn = table.select(torch.tensor([shard]), uniform)[0]
    counts = torch.bincount(drawn, minlength=max(weights) + 1)
    assert set(drawn.tolist()) <= set(weights)
    expected = [60_000 * weight for weight in weights.values()]
    return float(stats.chisquare([int(counts[record]) for record in weights], expected).pvalue)


def test_batches_are_uniform_without_labels_and_balanced_over_classes_with_them() -> None:
    """Deterministic draws; a law that is 3 % off in one of two halves is rejected at 1e-6."""
    partition = SlotPartition(shard_of_slot=torch.tensor([0, 1, 0, 0, 1, 0, 0, 0, 0, 0]), num_shards=2)
    shard = [0, 2, 3, 5, 6, 7, 8, 9]
    labels = torch.tensor([0, 3, 1, 1, 3, 1, 1, 1, 1, 1])
    uniform = dict.fromkeys(shard, 1 / 8)
    balanced = {record: 1 / 2 if record == 0 else 1 / 14 for record in shard}
    assert p_of_counts(partition.shard_table(), 0, uniform) > 1e-6
    assert p_of_counts(partition.shard_table(labels), 0, balanced) > 1e-6
    off = {record: weight * (1.03 if record == 0 else 0.97) for record, weight in balanced.items()}
    assert p_of_counts(partition.shard_table(labels), 0, off) < 1e-6
    assert p_of_counts(partition.shard_table(), 0, balanced) < 1e-6


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 1000), st.lists(st.sampled_from([0.0, 0.5, 1 - 2**-53, 2**-53]), min_size=1, max_size=5))
def test_only_records_of_the_shard_are_drawn_even_at_the_ends_of_the_interval(
    size: tuple[int, int], seed: int, uniform: list[float]
) -> None:
    num_slots, num_shards = size
    table = partition_slots(num_slots, num_shards, seed).shard_table(random_labels(num_slots, seed))
    numbers = torch.tensor([uniform] * num_shards, dtype=torch.float64)
    drawn = table.select(torch.arange(num_shards), numbers)
    assert drawn.shape == numbers.shape
    for shard, records in zip(members(table), drawn, strict=True):
        assert set(records.tolist()) <= shard


def test_a_row_of_a_selection_depends_on_its_own_shard_and_numbers_alone_bit_for_bit() -> None:
    labels, rng = random_labels(40, 1), torch.Generator().manual_seed(0)
    partition = partition_slots(40, 6, 2)
    critics, uniform = torch.tensor([2, 5, 2, 0]), torch.rand(4, 9, generator=rng, dtype=torch.float64)
    reference = partition.shard_table(labels).select(critics, uniform)
    changed_labels, changed_uniform = labels.clone(), torch.rand(4, 9, generator=rng, dtype=torch.float64)
    changed_labels[partition.shard_of_slot != 2] = 0
    changed_uniform[0], changed_uniform[2] = uniform[0], uniform[2]
    row = partition.shard_table(changed_labels).select(torch.tensor([2, 1, 2, 4]), changed_uniform)
    assert torch.equal(row[0], reference[0])
    assert torch.equal(row[2], reference[2])


def test_an_empty_shard_is_known_as_such_and_selects_as_many_records_as_any_other() -> None:
    table = SlotPartition(shard_of_slot=torch.tensor([0, 2, 2]), num_shards=3).shard_table(torch.tensor([1, 0, 1]))
    assert table.is_empty(torch.tensor([0, 1, 2, 1])).tolist() == [False, True, False, True]
    assert table.select(torch.tensor([1]), torch.full((1, 4), 0.7, dtype=torch.float64)).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(("num_slots", "num_shards"), [(3, 4), (0, 1), (5, 0), (5, -1)])
def test_fewer_records_than_critics_is_bad_input_that_names_the_way_out(num_slots: int, num_shards: int) -> None:
    with pytest.raises(InputError, match="--num-critics"):
        partition_slots(num_slots, num_shards, 0)
