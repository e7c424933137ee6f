"""Likeness of records to those of a release: every public fact in which they may differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gossamer.data.images import ImageSpec
from gossamer.data.likeness import brings_facts, check_like, classes_in, facts_of_classes, facts_of_series
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
