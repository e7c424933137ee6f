"""What a unit gives to a batch: its own records, a bounded number of them, each as likely as any other."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from gossamer.errors import InputError
from gossamer.mechanisms.poisson.units import Units, units_of_persons, units_of_records
from gossamer.privacy.adjacency import Unit

PERSONS = torch.tensor([3, 0, 3, 1, 3, 0, 3, 3])
"""Slot 2 is empty; slot 3 holds five records."""


def persons(records_per_unit: int, slot_of_record: torch.Tensor = PERSONS) -> Units:
    return units_of_persons(slot_of_record, 4, records_per_unit=records_per_unit, seed=5)


def test_a_record_as_a_unit_gives_itself() -> None:
    units = units_of_records(6)
    slots = torch.tensor([4, 1])
    assert units.unit is Unit.RECORD
    assert units.choose(slots, 9).tolist() == [[4], [1]]
    assert units.present(slots).tolist() == [4, 1]


@pytest.mark.parametrize("records_per_unit", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("step", [0, 1, 77])
def test_a_person_gives_the_bounded_number_of_its_own_records(records_per_unit: int, step: int) -> None:
    units = persons(records_per_unit)
    slots = torch.tensor([0, 1, 3])
    chosen = units.choose(slots, step)
    assert chosen.shape == (3, records_per_unit)
    assert (PERSONS[chosen] == slots[:, None]).all()


def test_no_record_is_read_twice_where_there_are_enough_and_all_are_read_where_there_are_few() -> None:
    for step in range(50):
        assert len(persons(5).choose(torch.tensor([3]), step).unique()) == 5
        assert len(persons(3).choose(torch.tensor([3]), step).unique()) == 3
        assert persons(7).choose(torch.tensor([0]), step).unique().tolist() == [1, 5]


def test_an_empty_slot_gives_nothing() -> None:
    assert persons(2).present(torch.tensor([0, 2, 3])).tolist() == [0, 3]


def test_every_record_of_a_person_is_as_likely_as_any_other() -> None:
    """50,000 persons of 5 records, m = 2: each count is Binomial(50,000, 2/5), p at least 1e-6; the seed is fixed.

    Counter-test: a share 3 % too large would be 5.5 deviations off.
    """
    num = 50_000
    units = units_of_persons(torch.arange(num).repeat(5), num, records_per_unit=2, seed=5)
    place = units.choose(torch.arange(num), 3) // num
    counts = torch.bincount(place.ravel(), minlength=5).tolist()
    assert min(stats.binomtest(count, num, 0.4).pvalue for count in counts) > 1e-6
    assert stats.binomtest(round(1.03 * 0.4 * num), num, 0.4).pvalue < 1e-6
    assert sum(counts) == 2 * num


def test_a_person_added_or_removed_changes_nothing_in_what_others_give() -> None:
    """Records of person 0 are emptied: the others' choices name the same records, by their new numbers."""
    kept = (PERSONS != 0).nonzero()[:, 0]
    fewer = persons(2, PERSONS[kept])
    for step in range(20):
        before = persons(2).choose(torch.tensor([1, 3]), step)
        assert kept[fewer.choose(torch.tensor([1, 3]), step)].tolist() == before.tolist()


def choices_of(name: int, names: list[int], is_marked: bool = True) -> list[list[int]]:
    """Which of a person's own five records are read at some steps, people being numbered as they stand in a list."""
    marks = torch.tensor([7919 * one for one in names]) if is_marked else None
    slot_of_record = torch.arange(len(names)).repeat(5)
    units = units_of_persons(slot_of_record, len(names) + 2, records_per_unit=2, seed=5, marks=marks)
    own = torch.tensor([names.index(name)])
    return [(units.choose(own, step)[0] // len(names)).tolist() for step in range(20)]


def test_what_a_person_gives_follows_from_who_that_is_and_not_from_its_number() -> None:
    for others in ([11, 12, 13], [10, 11, 12, 13], [13, 12, 11, 9, 8], [12]):
        assert choices_of(12, others) == choices_of(12, [11, 12, 13])
    assert choices_of(12, [11, 12, 13]) != choices_of(13, [11, 12, 13])


def test_choices_by_the_number_of_a_person_are_caught() -> None:
    assert choices_of(12, [10, 11, 12, 13], is_marked=False) != choices_of(12, [11, 12, 13], is_marked=False)


def test_slots_beyond_the_records_stand_empty() -> None:
    units = units_of_records(3, 5)
    assert units.counts.tolist() == [1, 1, 1, 0, 0]
    assert units.present(torch.arange(5)).tolist() == [0, 1, 2]


def test_records_of_nobody_are_refused_by_their_number() -> None:
    with pytest.raises(InputError, match="record 2 belongs to a person outside 0"):
        persons(1, torch.tensor([0, 1, 4, 5]))
    with pytest.raises(InputError, match="record 0"):
        persons(1, torch.tensor([-1, 1]))
    with pytest.raises(InputError, match="records_per_unit"):
        persons(0)
