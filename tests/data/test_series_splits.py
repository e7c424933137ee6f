"""Splits of records: public, complete, and between people where that is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.data.series import SeriesSpec
from gossamer.data.splits import WHOLE, PeopleSplit, RandomSplit, RecordingLists, Rows, divide

SPEC = SeriesSpec(channels=1, length=2, low=(0.0,), high=(1.0,))


def rows(number: int = 50, *, people: bool = True) -> Rows:
    """Records that can be told apart by their value; ten people, named as a hospital might."""
    values = np.arange(number, dtype=np.float32) / number
    owners = np.array([f"patient {index % 10}" for index in range(number)])
    return Rows(
        name="mine",
        spec=SPEC,
        x=np.stack([values, values], axis=1)[:, None],
        people=owners if people else None,
        recordings=np.array([str(100 + index % 5) for index in range(number)]),
    )


@pytest.mark.parametrize("split", [RandomSplit(), PeopleSplit(), RandomSplit(seed=3, test_share=0.5)])
def test_every_record_is_on_one_side(split) -> None:
    data = divide(rows(), split, ())
    assert data.test is not None
    values = np.concatenate([data.train.x[:, 0, 0].numpy(), data.test.x[:, 0, 0].numpy()])
    assert sorted(values) == sorted(rows().x[:, 0, 0])


def test_a_share_is_held_out() -> None:
    data = divide(rows(), RandomSplit(test_share=0.3), ())
    assert data.test is not None
    assert (data.train.num_records, data.test.num_records) == (35, 15)


def test_nobody_stands_on_both_sides_of_a_split_between_people() -> None:
    given = rows()
    sides = PeopleSplit(seed=1).sides(given)
    assert given.people is not None
    assert not set(given.people[sides == 0]) & set(given.people[sides == 1])
    data = divide(given, PeopleSplit(seed=1), ())
    assert data.test is not None
    assert data.train.people is not None
    assert data.test.people is not None
    assert set(data.train.people.tolist()) == set(range(8))
    assert set(data.test.people.tolist()) == {8, 9}


def test_a_random_split_leaves_people_on_both_sides() -> None:
    # The counter-test: what the split between people must not do.
    given = rows()
    sides = RandomSplit(seed=1).sides(given)
    assert given.people is not None
    assert set(given.people[sides == 0]) & set(given.people[sides == 1])


def test_a_person_has_one_slot_on_both_sides() -> None:
    given = rows()
    data = divide(given, RandomSplit(seed=1), ())
    assert data.test is not None
    assert given.people is not None
    names: dict[int, str] = {}
    for side in (data.train, data.test):
        assert side.people is not None
        for value, slot in zip(side.x[:, 0, 0].tolist(), side.people.tolist()):
            owner = given.people[round(value * 50)]
            assert names.setdefault(slot, owner) == owner


def test_the_seed_decides_and_nothing_else() -> None:
    one, same, other = (RandomSplit(seed=seed).sides(rows()) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    changed = rows()
    changed.x[:] = 0.5
    assert np.array_equal(RandomSplit(seed=1).sides(changed), one)


def test_recordings_in_neither_list_are_left_out() -> None:
    split = RecordingLists(title="t", train=("100", "101"), test=("103",))
    data = divide(rows(), split, ())
    assert data.test is not None
    assert (data.train.num_records, data.test.num_records) == (20, 10)


def test_no_split_has_no_test_set() -> None:
    data = divide(rows(), WHOLE, ("first",))
    assert data.test is None
    assert data.train.num_records == 50
    assert data.public_notes == ("first", "No record was held out.")


@pytest.mark.parametrize(
    ("split", "given", "word"),
    [
        (PeopleSplit(), rows(people=False), "--person-column"),
        (PeopleSplit(), rows(1), "one person"),
        (RandomSplit(), rows(1), "1 record"),
        (RecordingLists(title="t", train=("999",), test=("100",)), rows(), "999"),
    ],
)
def test_what_cannot_be_split_is_refused(refusal, split, given, word) -> None:
    assert word in refusal(divide, given, split, ())


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_share_that_leaves_a_side_empty_is_refused(refusal, share) -> None:
    assert "test_share" in refusal(RandomSplit, test_share=share)
