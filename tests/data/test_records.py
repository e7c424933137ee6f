"""Records of any kind: the people behind them, and specifications of series."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.data.series import SeriesSpec

SPEC = ImageSpec(channels=1, height=4, width=5)
SERIES = SeriesSpec(channels=2, length=24, low=(-1.0, 0.0), high=(1.0, 5.0), sample_rate=125.0, class_names=("N", "V"))


def test_series_are_records_like_any_other() -> None:
    made = RecordSet(name="beats", spec=SERIES, x=torch.rand(3, 2, 24), y=torch.tensor([0, 1, 1]))
    assert (made.num_records, made.spec.shape, made.spec.num_classes) == (3, (2, 24), 2)
    assert made.people is None
    assert made.num_people == 0


def test_slots_of_people_are_counted_unless_their_number_is_given() -> None:
    people = torch.tensor([2, 0, 2])
    assert RecordSet(name="a", spec=SPEC, x=torch.rand(3, 1, 4, 5), people=people).num_people == 3
    assert RecordSet(name="a", spec=SPEC, x=torch.rand(3, 1, 4, 5), people=people, num_people=9).num_people == 9


@pytest.mark.parametrize(
    ("people", "num_people", "word"),
    [
        (torch.tensor([0, 1]), 0, "one slot per record"),
        (torch.tensor([0, 1, 1], dtype=torch.int32), 0, "int64"),
        (torch.tensor([0, -1, 1]), 0, "people[1]"),
        (torch.tensor([0, 1, 2]), 2, "people[2]"),
        (None, 3, "both, or neither"),
    ],
)
def test_people_that_break_a_rule_are_refused(refusal, people, num_people: int, word: str) -> None:
    x = torch.rand(3, 1, 4, 5)
    assert word in refusal(RecordSet, name="mine", spec=SPEC, x=x, people=people, num_people=num_people)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"channels": 0, "low": (), "high": ()}, "channels"),
        ({"length": 1}, "length"),
        ({"low": (0.0,)}, "one of each per channel"),
        ({"low": (1.0, 0.0)}, "low[0]"),
        ({"high": (1.0, float("inf"))}, "high[1]"),
        ({"low": (float("nan"), 0.0)}, "low[0]"),
        ({"sample_rate": 0.0}, "sample_rate"),
        ({"channel_names": ("I",)}, "1 names for 2 channels"),
        ({"channel_names": ("I", "I")}, "repeats"),
        ({"class_names": ("N", "")}, "class_names[1]"),
    ],
)
def test_a_specification_of_series_that_breaks_a_rule_is_refused(refusal, changes: dict[str, Any], word: str) -> None:
    assert word in refusal(dataclasses.replace, SERIES, **changes)
