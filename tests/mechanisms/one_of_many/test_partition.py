"""Units dealt by a secret key and their own identity: one unit moves one shard, and batches tell nothing of others.

A data set is a list of contents here, equal ones among them; an identity is the digest of a content and the number of
its copy, as for records, or the digest of a name, as for people. All comparisons are exact but the three of laws, which
are of fixed keys: a false alarm is seen at once or never.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.partition import Partition, ShardTable, deal
from gossamer.privacy.dealing import Dealt, Identities, UnitKey
from gossamer.privacy.keystream import key_from_seed

KEY, OTHER_KEY = UnitKey(bytes(32)), UnitKey(bytes(31) + b"\1")
K = 6
LEVEL = 1e-6

Dealer = Callable[[Identities], Partition]
Shard = list[tuple[int, float]]
"""What a shard holds, in its order: contents, and the running sums that a draw is made by."""


def identities(contents: list[int]) -> Identities:
    """Records by their content, in the order of the file."""
    digests = [hashlib.blake2b(f"content {one}".encode(), digest_size=32).digest() for one in contents]
    return Identities.of_digests(np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32))


def by_key(units: Identities) -> Partition:
    return deal(units, K, KEY)


def members(table: ShardTable) -> list[list[int]]:
    """The records that a shard can select, in its order."""
    present = table.present(torch.arange(len(table.records)))
    return [row[mask].tolist() for row, mask in zip(table.records, present, strict=True)]


def shards_of(dealer: Dealer, contents: list[int]) -> list[Shard]:
    """All shards as a draw sees them: the class of a content is its remainder by 3."""
    held = torch.tensor(contents)
    table = dealer(identities(contents)).shard_table(held % 3)
    return [
        list(zip(held[records].tolist(), running[: len(records)].tolist(), strict=True))
        for records, running in zip(members(table), table.cumulative, strict=True)
    ]


def num_moved(first: list[Shard], second: list[Shard]) -> int:
    """How many shards differ, down to the order of what they hold and the last bit of a weight."""
    return sum(one != other for one, other in zip(first, second, strict=True))


contents = st.lists(st.integers(0, 7), min_size=1, max_size=40)
"""Few contents and many records: nearly all of them have copies."""


# ---- what a shard holds ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True)
@given(contents, st.integers(1, 12), st.binary(min_size=32, max_size=32))
def test_shards_are_disjoint_and_cover_all_units(contents: list[int], num_shards: int, secret: bytes) -> None:
    partition = deal(identities(contents), num_shards, UnitKey(secret))
    shards = members(partition.shard_table())
    assert len(shards) == partition.num_shards == num_shards
    assert sorted(unit for shard in shards for unit in shard) == list(range(len(contents)))
    assert sorted(partition.order.tolist()) == list(range(len(contents)))
    for number, shard in enumerate(shards):
        assert all(int(partition.shard_of_unit[unit]) == number for unit in shard)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(contents, st.randoms(use_true_random=False))
def test_the_order_of_the_file_moves_nothing(contents: list[int], random: object) -> None:
    shuffled = list(contents)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert shards_of(by_key, shuffled) == shards_of(by_key, contents)


def test_a_shard_and_a_place_are_those_of_the_identity_whoever_else_is_there() -> None:
    """Each unit by itself, in a pair and in a crowd: the same shard, and the same of two stands first."""
    crowd = identities(list(range(50)))
    partition = deal(crowd, K, KEY)
    rank = torch.argsort(partition.order)
    for unit in range(50):
        alone = Identities(digests=crowd.digests[unit : unit + 1], copies=crowd.copies[unit : unit + 1])
        assert deal(alone, K, KEY).shard_of_unit.tolist() == [int(partition.shard_of_unit[unit])]
        pair = [unit, (7 * unit + 1) % 50]
        two = deal(Identities(digests=crowd.digests[pair], copies=crowd.copies[pair]), K, KEY)
        assert (two.order.tolist() == [0, 1]) == bool(rank[pair[0]] < rank[pair[1]])


def test_another_key_deals_otherwise() -> None:
    units = identities(list(range(50)))
    first, second = deal(units, K, KEY), deal(units, K, OTHER_KEY)
    assert torch.equal(first.shard_of_unit, deal(units, K, UnitKey(bytes(32))).shard_of_unit)
    assert not torch.equal(first.shard_of_unit, second.shard_of_unit)
    assert not torch.equal(first.order, second.order)


# ---- one unit, one shard --------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, derandomize=True)
@given(contents, st.integers(0, 39), st.integers(0, 7))
def test_a_record_that_comes_or_leaves_moves_one_shard_copies_or_not(
    contents: list[int], place: int, content: int
) -> None:
    where = place % (len(contents) + 1)
    more = [*contents[:where], content, *contents[where:]]
    assert num_moved(shards_of(by_key, contents), shards_of(by_key, more)) == 1


class ExchangingKey(UnitKey):
    """The coupling of the lemma: the key with the tags of two identities exchanged. Its labels have the same law."""

    def __init__(self, secret: bytes, units: Identities, first: int, second: int) -> None:
        super().__init__(secret)
        self._pair = Identities(digests=units.digests[[first, second]], copies=units.copies[[first, second]])

    def _tags(self, what: Dealt, units: Identities) -> np.ndarray:
        digests, copies = units.digests.copy(), units.copies.copy()
        for one, other in ((0, 1), (1, 0)):
            here = (units.digests == self._pair.digests[one]).all(axis=1) & (units.copies == self._pair.copies[one])
            digests[here], copies[here] = self._pair.digests[other], self._pair.copies[other]
        return super()._tags(what, Identities(digests=digests, copies=copies))


def exchanged(contents: list[int], place: int, content: int) -> Dealer:
    """Deals by the key in which who leaves, the last copy of one content, and who comes for it have changed places."""
    leaving = [number for number, one in enumerate(contents) if one == contents[place]][-1]
    units = identities([*contents, content])
    key = ExchangingKey(bytes(32), units, leaving, len(contents))
    return lambda units: deal(units, K, key)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(contents, st.integers(0, 39), st.integers(0, 7))
def test_a_record_replaced_by_any_other_moves_one_shard_under_the_coupling(
    contents: list[int], place: int, content: int
) -> None:
    """The key is secret: the neighbour may be looked at under the key with both exchanged, which is as likely."""
    where = place % len(contents)
    replaced = [*contents[:where], content, *contents[where + 1 :]]
    dealer = by_key if content == contents[where] else exchanged(contents, where, content)
    assert num_moved(shards_of(by_key, contents), shards_of(dealer, replaced)) == (content != contents[where])


def people_shards(people: dict[int, list[int]]) -> list[Shard]:
    """Shards of people by name, records of all of them taken in turn."""
    turns = sorted((turn, name) for name, records in people.items() for turn in range(len(records)))
    held = torch.tensor([people[name][turn] for turn, name in turns])
    names = list(people)
    owners = torch.tensor([names.index(name) for _, name in turns])
    table = by_key(replace(identities(names), copies=np.zeros(len(names), dtype=np.int64))).shard_table(
        held % 3, owners
    )
    return [
        list(zip(held[records].tolist(), running[: len(records)].tolist(), strict=True))
        for records, running in zip(members(table), table.cumulative, strict=True)
    ]


own_records = st.lists(st.integers(0, 20), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.integers(0, 30), own_records, min_size=2, max_size=12), st.integers(0, 11), own_records)
def test_a_person_who_changes_comes_or_leaves_moves_that_persons_shard_alone(
    people: dict[int, list[int]], who: int, other: list[int]
) -> None:
    name = sorted(people)[who % len(people)]
    own = int(deal(identities([name]), K, KEY).shard_of_unit)
    before = people_shards(people)
    rest = {one: records for one, records in people.items() if one != name}
    for after in (people_shards(rest), people_shards(people | {name: other}), people_shards({name: other} | rest)):
        assert all(before[shard] == after[shard] for shard in range(K) if shard != own)
    assert before[own] != people_shards(rest)[own]


# ---- planted breaks -------------------------------------------------------------------------------------------------


def partition(labels: Tensor, order: Tensor | None = None) -> Partition:
    return Partition(
        shard_of_unit=labels % K, order=torch.arange(len(labels)) if order is None else order, num_shards=K
    )


def by_rank(units: Identities) -> Partition:
    """The break: slots by the rank of who is there, dealt by a public permutation of a fixed number."""
    rank = torch.from_numpy(np.lexsort((units.copies, *units.digests.T)).argsort())
    return partition(torch.randperm(64, generator=torch.Generator().manual_seed(1))[rank], rank.argsort())


def by_permutation(units: Identities) -> Partition:
    """The break: as many slots as there are units, dealt in an order that a seed shuffles."""
    return partition(torch.randperm(len(units), generator=torch.Generator().manual_seed(1)))


def by_place(units: Identities) -> Partition:
    """The break: a public function of the place in the file."""
    return partition(torch.randperm(64, generator=torch.Generator().manual_seed(1))[: len(units)])


def in_order_of_the_file(units: Identities) -> Partition:
    """The break: shards by identity, but units in a shard as they stand in the file."""
    return replace(by_key(units), order=torch.arange(len(units)))


def most_moved(dealer: Dealer) -> int:
    """The most shards that one record moves which leaves a list with copies."""
    rng = np.random.default_rng(0)
    lists = [rng.integers(0, 8, size=40).tolist() for _ in range(5)]
    return max(
        num_moved(shards_of(dealer, one), shards_of(dealer, one[:place] + one[place + 1 :]))
        for one in lists
        for place in range(40)
    )


def test_nothing_moves_more_than_one_shard_on_the_lists_that_the_breaks_are_tried_on() -> None:
    assert most_moved(by_key) == 1


@pytest.mark.parametrize("broken", [by_rank, by_permutation, by_place, in_order_of_the_file])
def test_a_map_that_moves_others_is_caught(broken: Dealer) -> None:
    assert most_moved(broken) > 1


def replacements(num: int = 40) -> Iterator[tuple[list[int], int, int]]:
    """Lists, a place in each, and what comes there."""
    rng = np.random.default_rng(1)
    for _ in range(num):
        contents = rng.integers(0, 8, size=30).tolist()
        yield contents, int(rng.integers(30)), int(rng.integers(8, 100))


def test_a_public_key_lets_a_replacement_by_another_name_move_two_shards() -> None:
    """The break: with a key that follows from the seed nobody may exchange two labels, since all know them."""
    public = UnitKey(key_from_seed(5, "shards"))

    def most(dealer_after: Callable[[list[int], int, int], Dealer], before: Dealer) -> int:
        return max(
            num_moved(
                shards_of(before, contents),
                shards_of(dealer_after(contents, place, content), [*contents[:place], content, *contents[place + 1 :]]),
            )
            for contents, place, content in replacements()
        )

    def by_public(units: Identities) -> Partition:
        return deal(units, K, public)

    assert most(lambda *_: by_public, by_public) == 2
    assert most(exchanged, by_key) == 1


def test_a_run_that_goes_on_with_another_key_has_a_unit_in_two_shards() -> None:
    """The break: dealt anew on the way, one record that leaves moves a shard of the first part and another later."""

    def moved_in(keys: tuple[UnitKey, ...]) -> set[int]:
        contents = list(range(30))
        moved = set()
        for key in keys:
            first, second = (
                shards_of(lambda units, key=key: deal(units, K, key), one) for one in (contents, contents[1:])
            )
            moved |= {shard for shard in range(K) if first[shard] != second[shard]}
        return moved

    assert len(moved_in((KEY, KEY))) == 1
    assert len(moved_in((KEY, OTHER_KEY))) == 2


# ---- laws -----------------------------------------------------------------------------------------------------------


def p_uniform(counts: np.ndarray) -> float:
    return float(stats.chisquare(counts.ravel()).pvalue)


def many(num: int = 60_000) -> Identities:
    """So many digests, three copies of each."""
    digests = np.random.default_rng(2).integers(0, 256, size=(num // 3, 32), dtype=np.uint8)
    return Identities.of_digests(np.repeat(digests, 3, axis=0))


def test_labels_are_uniform_and_independent() -> None:
    """Chi-square at 1e-6 with fixed keys; counter-tests: what depends by 3 % in a hundred is rejected."""
    units = many()
    labels = deal(units, 50, KEY).shard_of_unit.numpy()
    assert p_uniform(np.bincount(labels, minlength=50)) > LEVEL
    off = np.where(np.arange(len(labels)) % 33 == 0, 0, labels)
    assert p_uniform(np.bincount(off, minlength=50)) < LEVEL
    tens = labels // 5
    pairs = [
        (tens[0::3], tens[1::3]),  # copies of one content
        (tens[:-1], tens[1:]),  # neighbours in the file
        (tens, deal(units, 10, OTHER_KEY).shard_of_unit.numpy()),  # another key
        (tens, np.argsort(deal(units, 50, KEY).order.numpy()) * 10 // len(labels)),  # the place in the shard
    ]
    for first, second in pairs:
        assert p_uniform(np.histogram2d(first, second, bins=10)[0]) > LEVEL
        bound = np.where(np.arange(len(first)) % 10 == 0, first, second)
        assert p_uniform(np.histogram2d(first, bound, bins=10)[0]) < LEVEL


def p_of_side_and_shard(side: np.ndarray, shard: np.ndarray) -> float:
    return float(stats.chi2_contingency(np.histogram2d(side, shard, bins=(2, 10))[0]).pvalue)


def test_side_and_shard_share_nothing() -> None:
    units = many()
    shard = deal(units, 10, KEY).shard_of_unit.numpy()
    numbers = KEY.uniform(Dealt.SIDE, units)
    assert p_of_side_and_shard(numbers < 0.8, shard) > LEVEL
    assert abs(stats.pearsonr(numbers, KEY.uniform(Dealt.SHARD, units)).statistic) < 5 / np.sqrt(len(units))
    # The break: one number for both.
    assert p_of_side_and_shard(KEY.uniform(Dealt.SHARD, units) < 0.8, shard) < LEVEL


# ---- batches --------------------------------------------------------------------------------------------------------


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
    two = Partition(shard_of_unit=torch.tensor([0, 1, 0, 0, 1, 0, 0, 0, 0, 0]), order=torch.arange(10), num_shards=2)
    shard = [0, 2, 3, 5, 6, 7, 8, 9]
    labels = torch.tensor([0, 3, 1, 1, 3, 1, 1, 1, 1, 1])
    uniform = dict.fromkeys(shard, 1 / 8)
    balanced = {record: 1 / 2 if record == 0 else 1 / 14 for record in shard}
    assert p_of_counts(two.shard_table(), 0, uniform) > 1e-6
    assert p_of_counts(two.shard_table(labels), 0, balanced) > 1e-6
    off = {record: weight * (1.03 if record == 0 else 0.97) for record, weight in balanced.items()}
    assert p_of_counts(two.shard_table(labels), 0, off) < 1e-6
    assert p_of_counts(two.shard_table(), 0, balanced) < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    contents,
    st.integers(1, 12),
    st.lists(st.sampled_from([0.0, 0.5, 1 - 2**-53, 2**-53]), min_size=1, max_size=5),
)
def test_only_records_of_the_shard_are_drawn_even_at_the_ends_of_the_interval(
    contents: list[int], num_shards: int, uniform: list[float]
) -> None:
    table = deal(identities(contents), num_shards, KEY).shard_table(torch.tensor(contents) % 3)
    numbers = torch.tensor([uniform] * num_shards, dtype=torch.float64)
    drawn = table.select(torch.arange(num_shards), numbers)
    assert drawn.shape == numbers.shape
    for shard, records in zip(members(table), drawn, strict=True):
        assert set(records.tolist()) <= set(shard) or shard == []


def test_a_row_of_a_selection_depends_on_its_own_shard_and_numbers_alone_bit_for_bit() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = by_key(identities(list(range(140)))).shard_of_unit.tolist()
    own = [one for one in range(40) if labels[one] == 2]
    others = [[one for one in some if labels[one] != 2] for some in (range(40), range(90, 140))]
    uniform = torch.rand(4, 9, generator=rng, dtype=torch.float64)
    other_uniform = torch.rand(4, 9, generator=rng, dtype=torch.float64)
    other_uniform[0], other_uniform[2] = uniform[0], uniform[2]
    found = []
    for held, critics, numbers in (
        (own + others[0], [2, 5, 2, 0], uniform),
        (others[1] + own, [2, 1, 2, 4], other_uniform),
    ):
        values = torch.tensor(held)
        table = by_key(identities(held)).shard_table(values % 3)
        found.append(values[table.select(torch.tensor(critics), numbers)])
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][2], found[1][2])
    assert len(found[0][0].unique()) > 1


def test_an_empty_shard_is_known_as_such_and_selects_as_many_records_as_any_other() -> None:
    three = Partition(shard_of_unit=torch.tensor([0, 2, 2]), order=torch.arange(3), num_shards=3)
    table = three.shard_table(torch.tensor([1, 0, 1]))
    assert table.is_empty(torch.tensor([0, 1, 2, 1])).tolist() == [False, True, False, True]
    assert table.select(torch.tensor([1]), torch.full((1, 4), 0.7, dtype=torch.float64)).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("num_shards", [0, -1, 2**33 + 1])
def test_a_number_of_shards_out_of_range_is_bad_input(num_shards: int) -> None:
    with pytest.raises(InputError, match="1 to"):
        deal(identities([1, 2]), num_shards, KEY)
