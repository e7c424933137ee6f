"""Likeness of records to those of a release: every public fact in which they may differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gossamer.data.images import ImageSpec
from gossamer.data.likeness import (
    are_other_numbers,
    brings_facts,
    check_like,
    classes_in,
    facts_of_classes,
    facts_of_series,
    taken_by_order,
)
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError

IMAGES = ImageSpec(channels=1, height=8, width=8, class_names=("well", "ill"))
SERIES = SeriesSpec(
    channels=2,
    length=12,
    low=(-2.0, 0.0),
    high=(3.0, 300.0),
    sample_rate=125.0,
    channel_names=("II", "flow"),
    units=("mV", "l/min"),
    class_names=("a", "b", "c"),
)


@pytest.mark.parametrize(
    "found",
    [
        replace(SERIES, class_names=()),
        replace(SERIES, sample_rate=None),
        replace(SERIES, units=()),
        replace(SERIES, channel_names=("ii", "FLOW")),
    ],
)
def test_facts_that_one_side_does_not_say_are_not_compared(found: SeriesSpec) -> None:
    check_like("x", found, SERIES)
    check_like("x", SERIES, found)


UNLIKE: dict[str, tuple[Any, Any, str]] = {
    "images for series": (IMAGES, SERIES, "images, and the release is of series"),
    "series for images": (SERIES, IMAGES, "series, and the release is of images"),
    "another size": (replace(IMAGES, width=9), IMAGES, r"\(1, 8, 9\), .* have \(1, 8, 8\); give --resize"),
    "colour for gray": (replace(IMAGES, channels=3), IMAGES, "--gray reads colour as gray"),
    "gray for colour": (IMAGES, replace(IMAGES, channels=3), "give images of as many channels"),
    "another length": (replace(SERIES, length=13), SERIES, "give series of that length"),
    "other bounds": (replace(SERIES, low=(-2.0, -1.0)), SERIES, "between the bounds -2, -1 and 3, 300"),
    "another rate": (replace(SERIES, sample_rate=250.0), SERIES, "other sample rates"),
    "other units": (replace(SERIES, units=("V", "l/min")), SERIES, "other units"),
    "channels in another order": (replace(SERIES, channel_names=("flow", "II")), SERIES, "other channels"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNLIKE)
def test_records_that_mean_something_else_are_refused_in_one_line(case: str) -> None:
    found, released, words = UNLIKE[case]
    with pytest.raises(InputError, match=words) as caught:
        check_like("mine.npz", found, released)
    assert str(caught.value).startswith("mine.npz: ")
    assert "\n" not in str(caught.value)


def test_classes_are_matched_by_names_that_somebody_wrote_and_else_by_order() -> None:
    assert classes_in("x", replace(IMAGES, class_names=("ill",)), IMAGES).tolist() == [1]
    assert classes_in("x", replace(IMAGES, class_names=("ill", "well")), IMAGES).tolist() == [1, 0]
    numbered = replace(IMAGES, class_names=("0", "1"), are_classes_named=False)
    assert classes_in("x", numbered, IMAGES).tolist() == [0, 1]
    for wrong in (replace(IMAGES, class_names=("ill", "dead")), replace(numbered, class_names=("0", "1", "2"))):
        with pytest.raises(InputError, match="are not the 2 of the release"):
            classes_in("x", wrong, IMAGES)


OTHER_NUMBERS = [("1", "2"), ("1", "0"), ("0", "2"), ("01", "02"), ("1.0", "-1.0")]


@pytest.mark.parametrize("names", OTHER_NUMBERS, ids=",".join)
def test_labels_without_names_are_not_taken_for_classes_named_by_other_numbers(names: tuple[str, ...]) -> None:
    """A label 1 may be the class of that name, or the second one."""
    numbered = replace(IMAGES, class_names=("0", "1"), are_classes_named=False)
    with pytest.raises(InputError, match=f"other numbers for names .{names[0]}, {names[1]}.; save class_names") as told:
        classes_in("x", numbered, replace(IMAGES, class_names=names))
    assert "\n" not in str(told.value)
    assert classes_in("x", replace(IMAGES, class_names=names[::-1]), replace(IMAGES, class_names=names)).tolist() == [
        1,
        0,
    ]


def test_names_that_are_no_other_numbers_do_not_refuse() -> None:
    assert not any(map(are_other_numbers, [(), ("0", "1"), ("1", "two"), ("a", "b")]))


def test_matches_by_order_are_told_and_those_by_name_are_not() -> None:
    unnamed = replace(SERIES, class_names=("0", "1", "2"), are_classes_named=False)
    (line,) = taken_by_order("x", unnamed, SERIES)
    assert "labels have no names" in line
    assert line.endswith("a, b, c")
    for found, side in ((replace(SERIES, channel_names=()), "the release"), (SERIES, "these records")):
        released = SERIES if side == "the release" else replace(SERIES, channel_names=())
        (line,) = taken_by_order("x", found, released)
        assert f"names in {side} alone" in line
        assert line.endswith("II, flow")
    for silent in (SERIES, replace(SERIES, class_names=()), replace(unnamed, class_names=(), are_classes_named=True)):
        assert taken_by_order("x", silent, SERIES) == ()
    numbers = replace(SERIES, class_names=("0", "1", "2"))
    assert taken_by_order("x", unnamed, numbers) == ()
    many = replace(IMAGES, class_names=tuple("abcdefg"))
    (line,) = taken_by_order("x", replace(many, class_names=tuple("0123456"), are_classes_named=False), many)
    assert line.endswith("a, b, c, d, e, ...")


def test_the_facts_of_a_release_are_those_that_a_reader_takes() -> None:
    assert facts_of_series(IMAGES, is_long=True) == {}
    known = {"low": (-2.0, 0.0), "high": (3.0, 300.0), "sample_rate": 125.0}
    assert facts_of_series(SERIES, is_long=False) == known
    assert facts_of_series(replace(SERIES, sample_rate=None), is_long=True) == {
        "low": (-2.0, 0.0), "high": (3.0, 300.0), "length": 12,
    }  # fmt: skip
    assert facts_of_classes(IMAGES) == (("well", "ill"), None)
    assert facts_of_classes(replace(IMAGES, class_names=("0", "1"))) == ((), 2)
    assert facts_of_classes(replace(IMAGES, class_names=())) == ((), None)


def test_published_sets_and_recordings_with_beats_bring_their_facts(tmp_path: Path) -> None:
    (tmp_path / "100.hea").write_text("100 1 360 10\n")
    assert brings_facts("mitdb", is_windowed=False)
    assert brings_facts(str(tmp_path), is_windowed=False)
    assert not brings_facts(str(tmp_path), is_windowed=True)
    assert not brings_facts("mine.csv", is_windowed=False)
