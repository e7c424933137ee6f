"""Splits: complete, by a secret key and each unit's own identity, and between people where that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from gossamer.data import identities
from gossamer.data.identities import digests_of_contents, digests_of_names
from gossamer.data.series import SeriesSpec
from gossamer.data.splits import (
    LEFT_OUT,
    TEST,
    TRAIN,
    WHOLE,
    AbstractSplit,
    PeopleSplit,
    RandomSplit,
    RecordingLists,
    Rows,
    divide,
)
from gossamer.privacy.dealing import Dealt, Identities, UnitKey

SPEC = SeriesSpec(channels=1, length=2, low=(0.0,), high=(1.0,))
LABELLED = replace(SPEC, class_names=("a", "b"))
LISTS = RecordingLists(title="t", train=("100", "101"), test=("103",))
Sides = Callable[[Rows, UnitKey], np.ndarray]


def key_of(number: int) -> UnitKey:
    return UnitKey(number.to_bytes(32, "little"))


def rows(number: int = 50, *, people: bool = True, num_people: int = 10) -> Rows:
    """Records that can be told apart by their value; people named as a hospital might."""
    values = np.arange(number, dtype=np.float32) / number
    owners = np.array([f"patient {index % num_people}" for index in range(number)])
    return Rows(
        name="mine",
        spec=SPEC,
        x=np.stack([values, values], axis=1)[:, None],
        people=owners if people else None,
        recordings=np.array([str(100 + index % 5) for index in range(number)]),
    )


def of(given: Rows, places: np.ndarray) -> Rows:
    """Those rows, in that order."""
    assert given.people is not None
    assert given.recordings is not None
    return replace(given, x=given.x[places], people=given.people[places], recordings=given.recordings[places])


def renamed(given: Rows, old: str, new: str) -> Rows:
    assert given.people is not None
    return replace(given, people=np.where(given.people == old, new, given.people))


def others_alike(split: Sides, given: Rows, changed: Rows, places: np.ndarray, keys: int = 40) -> bool:
    """Whether each of these rows, which stand in this order in both, has one side with it under many keys."""
    moved = np.arange(len(places))
    return all(
        np.array_equal(split(given, key_of(number))[places], split(changed, key_of(number))[moved])
        for number in range(keys)
    )


# ---- nobody moves another ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [RandomSplit(), PeopleSplit(), LISTS])
def test_one_that_leaves_or_comes_moves_nobody_else(split: AbstractSplit) -> None:
    given = rows(200, num_people=40)
    for place in (0, 7, 100, 199):
        stay = np.delete(np.arange(200), place)
        assert others_alike(split.sides, given, of(given, stay), stay)


def test_a_person_who_leaves_or_comes_moves_nobody_else() -> None:
    given = rows(200, num_people=40)
    for person in ("patient 0", "patient 17", "patient 39"):
        stay = np.flatnonzero(given.people != person)
        assert len(stay) == 195
        assert others_alike(PeopleSplit().sides, given, of(given, stay), stay)


@pytest.mark.parametrize("split", [RandomSplit(), PeopleSplit(), LISTS])
def test_the_order_of_a_file_says_nothing(split: AbstractSplit) -> None:
    given, order = rows(200, num_people=40), np.random.default_rng(0).permutation(200)
    assert others_alike(split.sides, given, of(given, order), order)


def test_a_person_with_another_number_of_records_moves_nobody_and_keeps_their_side() -> None:
    given = rows(200, num_people=40)
    more = np.concatenate([np.arange(200), np.flatnonzero(given.people == "patient 3")])
    fewer = np.delete(np.arange(200), np.flatnonzero(given.people == "patient 3")[:4])
    assert others_alike(PeopleSplit().sides, given, of(given, more), more)
    assert others_alike(PeopleSplit().sides, given, of(given, fewer), fewer)


def test_a_person_of_another_name_moves_nobody_else() -> None:
    given = rows(200, num_people=40)
    # Names that sort before, between and behind the others: a rank would shift them.
    for name in ("a", "patient 30b", "z"):
        stay = np.flatnonzero(given.people != "patient 3")
        assert others_alike(PeopleSplit().sides, given, of(renamed(given, "patient 3", name), stay), stay)


def test_what_a_record_holds_moves_nobody_else_and_no_person() -> None:
    given = rows(200, num_people=40)
    changed = replace(given, x=given.x.copy())
    changed.x[50] = 0.123456
    stay = np.delete(np.arange(200), 50)
    assert others_alike(RandomSplit().sides, given, of(changed, stay), stay)
    assert others_alike(PeopleSplit().sides, given, changed, np.arange(200))


def by_rank(given: Rows, key: UnitKey) -> np.ndarray:
    """As it once was: a fifth of the names, by an order of their ranks."""
    assert given.people is not None
    names, ranks = np.unique(given.people, return_inverse=True)
    numbers = Identities.of_digests(digests_of_names(map(str, range(len(names)))))
    order = np.argsort(key.uniform(Dealt.SIDE, numbers))
    return np.where(np.isin(ranks, order[: len(names) // 5]), TEST, TRAIN)


def by_place(given: Rows, key: UnitKey) -> np.ndarray:
    """As it once was for records: a fifth of the rows, by a permutation of their places."""
    places = Identities.of_digests(digests_of_names(map(str, range(len(given.x)))))
    order = np.argsort(key.uniform(Dealt.SIDE, places))
    return np.where(np.isin(np.arange(len(given.x)), order[: len(given.x) // 5]), TEST, TRAIN)


def by_hash_of_place(given: Rows, key: UnitKey) -> np.ndarray:
    """Nearly right: a coin for each row, but by its place."""
    places = Identities.of_digests(digests_of_names(map(str, range(len(given.x)))))
    return np.where(key.uniform(Dealt.SIDE, places) < 0.2, TEST, TRAIN)


@pytest.mark.parametrize("broken", [by_rank, by_place, by_hash_of_place])
def test_a_side_by_rank_or_place_would_be_seen(broken: Sides) -> None:
    given = rows(200, num_people=40)
    stay = np.flatnonzero(given.people != "patient 3")
    assert not others_alike(broken, given, of(given, stay), stay)


# ---- a key decides, and nothing else -------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [RandomSplit(), PeopleSplit()])
def test_the_same_key_gives_the_same_sides_and_another_key_others(split: AbstractSplit) -> None:
    given = rows(200, num_people=40)
    one, same, other = (split.sides(given, key_of(number)) for number in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_without_a_key_every_call_divides_anew() -> None:
    divided = [divide(rows(200), RandomSplit(), ()).train.x for _ in range(2)]
    assert divided[0].shape != divided[1].shape or not torch.equal(*divided)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_the_shares_are_about_right(share: float) -> None:
    given = rows(2000, num_people=500)
    records = sum((RandomSplit(test_share=share).sides(given, key_of(n)) == TEST).sum() for n in range(20))
    assert binomtest(int(records), 20 * 2000, share).pvalue > 1e-4
    # Five hundred people with four records each: a coin is thrown for the person.
    people = sum((PeopleSplit(test_share=share).sides(given, key_of(n))[:500] == TEST).sum() for n in range(20))
    assert binomtest(int(people), 20 * 500, share).pvalue > 1e-4
    assert RandomSplit(test_share=share).training_share == PeopleSplit(test_share=share).training_share == 1 - share


def test_how_many_are_held_out_is_drawn_too() -> None:
    # A fixed number would tell of one whether another is held out.
    given = rows(2000)
    counts = [int((RandomSplit().sides(given, key_of(n)) == TEST).sum()) for n in range(400)]
    expected = 2000 * 0.2 * 0.8
    # The variance of 400 draws lies within a fifth or so of that of the binomial law: five standard errors.
    assert abs(np.var(counts) / expected - 1) < 5 * np.sqrt(2 / 400)


def test_a_unit_is_held_out_under_some_keys_and_independently_of_others() -> None:
    given = rows(100, num_people=100)
    for split in (RandomSplit(), PeopleSplit()):
        held = np.stack([split.sides(given, key_of(n)) == TEST for n in range(2000)])
        for one in range(100):
            assert binomtest(int(held[:, one].sum()), 2000, 0.2).pvalue > 1e-6
        together = [int((held[:, one] & held[:, (one + 1) % 100]).sum()) for one in range(100)]
        assert all(binomtest(number, 2000, 0.04).pvalue > 1e-6 for number in together)


def test_sides_and_shards_are_independent() -> None:
    units = Identities.of_digests(digests_of_names(f"patient {number}" for number in range(2000)))
    table = np.zeros((2, 5), dtype=int)
    for number in range(10):
        held = key_of(number).uniform(Dealt.SIDE, units) < 0.5
        shards, _ = key_of(number).deal(Dealt.SHARD, units, 5)
        np.add.at(table, (held.astype(int), shards), 1)
    assert all(binomtest(int(cell), 20_000, 0.1).pvalue > 1e-4 for cell in table.ravel())


def test_sides_that_share_their_numbers_with_shards_would_be_seen() -> None:
    # The break: shards dealt by the numbers that decide sides, so that who is held out stood in shards of their own.
    units = Identities.of_digests(digests_of_names(f"patient {number}" for number in range(2000)))
    held = key_of(0).uniform(Dealt.SIDE, units) < 0.5
    shards, _ = key_of(0).deal(Dealt.SIDE, units, 5)
    assert binomtest(int((held & (shards == 0)).sum()), 2000, 0.1).pvalue < 1e-9


# ---- what a record is ----------------------------------------------------------------------------------------------


def test_the_label_belongs_to_what_a_record_is() -> None:
    given = replace(rows(200), spec=LABELLED, y=np.zeros(200, dtype=np.int64))
    other = replace(given, y=np.ones(200, dtype=np.int64))
    key = key_of(1)
    assert not np.array_equal(RandomSplit().sides(given, key), RandomSplit().sides(other, key))


def test_equal_records_are_dealt_one_by_one() -> None:
    alike = Rows(name="mine", spec=SPEC, x=np.full((4000, 1, 2), 0.5, dtype=np.float32))
    held = int((RandomSplit().sides(alike, key_of(5)) == TEST).sum())
    assert binomtest(held, 4000, 0.2).pvalue > 1e-4


def test_equal_records_that_went_all_to_one_side_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    alike = Rows(name="mine", spec=SPEC, x=np.full((4000, 1, 2), 0.5, dtype=np.float32))
    monkeypatch.setattr("gossamer.privacy.dealing._copies", lambda digests: np.zeros(len(digests), dtype=np.int64))
    with pytest.raises(Exception, match="no record fell"):
        RandomSplit().sides(alike, key_of(5))


def test_a_record_has_one_digest_however_its_array_lies() -> None:
    x, y = torch.rand(6, 1, 4, 3), torch.arange(6)
    turned = x.transpose(2, 3).contiguous().transpose(2, 3)
    assert not turned.is_contiguous()
    assert np.array_equal(digests_of_contents(x, y), digests_of_contents(turned, y))
    assert len({row.tobytes() for row in digests_of_contents(x, y)}) == 6
    assert not np.array_equal(digests_of_contents(x, y), digests_of_contents(x, None))


def test_a_name_and_a_content_never_have_one_digest() -> None:
    x = torch.zeros(1, 1, 2)
    assert digests_of_contents(x, None).tobytes() != digests_of_names(["\0" * 8]).tobytes()
    assert identities.DIGEST_BYTES == digests_of_names(["a"]).shape[1] == digests_of_contents(x, None).shape[1]


# ---- two sides -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [RandomSplit(), PeopleSplit(), RandomSplit(test_share=0.5)])
def test_every_record_is_on_one_side(split: AbstractSplit) -> None:
    data = divide(rows(), split, (), key_of(1))
    assert data.test is not None
    values = np.concatenate([data.train.x[:, 0, 0].numpy(), data.test.x[:, 0, 0].numpy()])
    assert sorted(values) == sorted(rows().x[:, 0, 0])


def test_nobody_stands_on_both_sides_of_a_split_between_people() -> None:
    for number in range(20):
        data = divide(rows(200, num_people=40), PeopleSplit(), (), key_of(number))
        assert data.test is not None
        assert data.train.people is not None
        assert data.test.people is not None
        assert not set(data.train.people.tolist()) & set(data.test.people.tolist())
        assert len({*data.train.people.tolist(), *data.test.people.tolist()}) == 40
        assert not data.is_split_by_record
        assert data.is_split_by_key


def test_a_random_split_leaves_people_on_both_sides_and_says_so() -> None:
    # The counter-test: what the split between people must not do.
    given = rows()
    data = divide(given, RandomSplit(), (), key_of(1))
    assert data.test is not None
    assert data.train.people is not None
    assert data.test.people is not None
    assert set(data.train.people.tolist()) & set(data.test.people.tolist())
    assert data.is_split_by_record
    assert data.is_split_by_key


def test_a_person_has_one_number_and_one_digest_on_both_sides() -> None:
    given = rows()
    data = divide(given, RandomSplit(), (), key_of(1))
    assert data.test is not None
    assert given.people is not None
    names: dict[int, str] = {}
    for side in (data.train, data.test):
        assert side.people is not None
        assert side.person_digests is not None
        assert side.num_people == 10
        for value, number in zip(side.x[:, 0, 0].tolist(), side.people.tolist()):
            owner = given.people[round(value * 50)]
            assert names.setdefault(number, owner) == owner
            assert side.person_digests[number].tobytes() == digests_of_names([owner])[0].tobytes()


def test_recordings_in_neither_list_are_left_out() -> None:
    data = divide(rows(), LISTS, ())
    assert data.test is not None
    assert (data.train.num_records, data.test.num_records) == (20, 10)
    assert (LISTS.sides(rows(), key_of(0)) == LEFT_OUT).sum() == 20
    assert not data.is_split_by_key
    assert data.training_share == 2 / 3


def test_no_split_has_no_test_set() -> None:
    data = divide(rows(), WHOLE, ("first",))
    assert data.test is None
    assert data.train.num_records == 50
    assert data.public_notes == ("first", "No record was held out.")
    assert data.training_share == 1
    assert not data.is_split_by_key


@pytest.mark.parametrize("split", [RandomSplit(), PeopleSplit(), LISTS, WHOLE])
def test_the_note_is_the_same_whatever_the_data_hold(split: AbstractSplit) -> None:
    notes = {divide(given, split, (), key_of(3)).public_notes for given in (rows(), rows(200, num_people=40))}
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("split", "given", "word"),
    [
        (PeopleSplit(), rows(people=False), "--person-column"),
        (PeopleSplit(), rows(num_people=1), "no person fell on the side for"),
        (RandomSplit(), rows(1), "no record fell on the side for"),
        (RandomSplit(), rows(1), "--split none"),
        (RecordingLists(title="t", train=("999",), test=("100",)), rows(), "999"),
    ],
)
def test_what_cannot_be_split_is_refused_with_a_way_out(refusal, split, given, word) -> None:
    assert word in refusal(divide, given, split, ())


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_share_that_leaves_a_side_empty_is_refused(refusal, share) -> None:
    assert "test_share" in refusal(RandomSplit, test_share=share)
    assert "test_share" in refusal(PeopleSplit, test_share=share)
