"""Arrays, tables and paths as records: what is public is said, what breaks a rule is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import gossamer
from gossamer.data.reading import SeriesReading
from gossamer.data.series import SeriesSpec
from gossamer.data.splits import PeopleSplit, RandomSplit
from gossamer.errors import InputError
from gossamer.estimators import GSWGAN, DPMixture, as_images, as_series, load_series

NUM_RECORDS = 40


@pytest.fixture
def series() -> np.ndarray:
    return np.linspace(-1, 4, NUM_RECORDS * 2 * 12).reshape(NUM_RECORDS, 2, 12)


def test_series_are_scaled_by_the_bounds_that_were_given_and_never_by_their_own(series: np.ndarray) -> None:
    records = as_series(series, low=[-1.0, -2.0], high=[4.0, 2.0]).train
    assert records.spec.shape == (2, 12)
    assert torch.allclose(records.x[:, 0], torch.from_numpy((series[:, 0] + 1) / 5).float(), atol=1e-6)
    assert torch.allclose(records.x[:, 1], torch.from_numpy(((series[:, 1] + 2) / 4).clip(0, 1)).float(), atol=1e-6)
    wider = as_series(series, low=-11.0, high=14.0).train
    assert 0.39 < float(wider.x.min()) < float(wider.x.max()) < 0.61


def test_what_was_said_of_series_stands_in_their_specification(series: np.ndarray) -> None:
    y = np.arange(NUM_RECORDS) % 2
    data = as_series(
        series, y, low=-9, high=9, sample_rate=50.0, channel_names=["left", "right"], class_names=["calm", "wild"]
    )
    spec = data.train.spec
    assert isinstance(spec, SeriesSpec)
    assert (spec.low, spec.high, spec.sample_rate) == ((-9.0, -9.0), (9.0, 9.0), 50.0)
    assert (spec.channel_names, spec.class_names) == (("left", "right"), ("calm", "wild"))
    assert any("bounds of the values were given" in note for note in data.public_notes)
    assert as_series(series[:, 0], low=-9, high=9).train.spec.shape == (1, 12)


@pytest.mark.parametrize(
    ("change", "given", "line"),
    [
        (lambda x: x, {}, "outside .0, 1.: give public bounds low and high .*, one for each channel, as in --low 0,-5"),
        (lambda x: np.where(x == x[5, 1, 3], np.nan, x), {"low": -9, "high": 9}, "series 5, channel 1, time 3 is NaN"),
        (lambda x: x, {"low": -9}, "belong together"),
        (lambda x: x, {"low": (-9, -9, -9), "high": 9}, "3 numbers for 2 channels"),
        (lambda x: x, {"low": 9, "high": -9}, "low below high"),
        (lambda x: x, {"low": "a", "high": "b"}, "must be one number"),
        (lambda x: x[0, 0], {"low": -9, "high": 9}, "series are .records, channels, time."),
        (lambda x: x.astype(str), {"low": -9, "high": 9}, "numpy array of numbers"),
        (lambda x: x.tolist(), {"low": -9, "high": 9}, "numpy array of numbers"),
        (lambda x: x, {"low": -9, "high": 9, "num_classes": 3}, "no labels, but classes were given"),
        (lambda x: x, {"low": -9, "high": 9, "sample_rate": "fast"}, "sample_rate must be a number"),
        (lambda x: x, {"low": -9, "high": 9, "channel_names": "ab"}, "channel_names must be a list of names"),
    ],
)
def test_series_that_break_a_rule_are_refused_in_one_line(
    change: Any, given: dict[str, Any], line: str, series: np.ndarray
) -> None:
    with pytest.raises(InputError, match=line) as caught:
        as_series(change(series), **given)
    assert str(caught.value).isprintable()


def test_series_are_never_taken_for_images(series: np.ndarray) -> None:
    for x in (series, series[:, 0], series[:, :1]):
        with pytest.raises(InputError, match="as_series"):
            DPMixture(epsilon=10.0).fit(x / 10 + 0.2)


def test_images_get_the_classes_that_were_named() -> None:
    x, y = np.zeros((NUM_RECORDS, 3, 8, 8), dtype=np.uint8), np.arange(NUM_RECORDS) % 2
    data = as_images(x, torch.from_numpy(y), class_names=["well", "ill"])
    assert data.train.spec.class_names == ("well", "ill")
    assert any("class names were given" in note for note in data.public_notes)
    assert as_images(torch.zeros(NUM_RECORDS, 8, 8), y, num_classes=4).train.spec.num_classes == 4
    with pytest.raises(InputError, match="make them agree"):
        as_images(x, y, class_names=["well", "ill"], num_classes=3)
    with pytest.raises(InputError, match="no labels y"):
        as_images(x, class_names=["well", "ill"])


def test_a_notebook_that_shows_records_shows_none_of_them_and_not_their_number() -> None:
    x = np.random.default_rng(0).random((NUM_RECORDS, 8, 8))
    shown = repr(as_images(x, np.arange(NUM_RECORDS) % 3, np.arange(NUM_RECORDS), num_classes=3))
    assert "ImageSpec" in shown
    assert "tensor" not in shown
    assert str(NUM_RECORDS) not in shown


def test_what_is_done_to_an_array_later_reaches_no_record() -> None:
    for x in (np.zeros((NUM_RECORDS, 8, 8)), torch.zeros(NUM_RECORDS, 8, 8)):
        kept = as_images(x).train.x
        x[:] = 1
        assert float(kept.max()) == 0
    values = np.zeros((NUM_RECORDS, 12), dtype=np.float32)
    kept = as_series(values).train.x
    values[:] = 1
    assert float(kept.max()) == 0


def test_a_number_of_classes_beside_records_that_have_another_is_refused(series: np.ndarray) -> None:
    with pytest.raises(InputError, match="these records have 0 classes"):
        GSWGAN(epsilon=10.0, num_classes=3).fit(as_series(series, low=-9, high=9))


def test_a_wide_table_is_read_with_the_words_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "beats.csv"
    rows = [f"{index % 3 - 1},{index % 5 - 2},{0.5},{'ab'[index % 2]},p{index % 7}" for index in range(NUM_RECORDS)]
    file.write_text("\n".join(["t0,t1,t2,kind,who", *rows]), encoding="utf-8")
    data = load_series(
        file, low=-2, high=2, class_column="kind", class_names=["a", "b"], person_column="who", split=RandomSplit()
    )
    assert data.train.spec.shape == (1, 3)
    assert data.train.num_people == 7
    assert data.test is not None
    assert data.train.num_records + data.test.num_records == NUM_RECORDS
    with pytest.raises(InputError, match="series_column and time_column belong together"):
        load_series(file, time_column="t0")


def test_the_same_key_holds_the_same_series_out(tmp_path: Path) -> None:
    file = tmp_path / "beats.csv"
    rows = [f"{index / 400},{index / 500},p{index % 80}" for index in range(400)]
    file.write_text("\n".join(["t0,t1,who", *rows]), encoding="utf-8")
    for split in (RandomSplit(), PeopleSplit()):
        one, again, other = (
            load_series(file, person_column="who", split=split, key=key).train.x
            for key in (gossamer.UnitKey(bytes(32)), gossamer.UnitKey(bytes(32)), None)
        )
        assert torch.equal(one, again)
        assert one.shape != other.shape or not torch.equal(one, other)


def test_a_key_goes_with_every_source(tmp_path: Path) -> None:
    key = gossamer.UnitKey.drawn()
    assert gossamer.load_records("digits", key=key).train.num_records == 1437
    x = np.random.default_rng(0).random((200, 1, 12))
    np.savez(tmp_path / "mine.npz", x=x, low=np.array(0.0), high=np.array(1.0))
    reading = SeriesReading(split=RandomSplit())
    one, again = (gossamer.load_records(str(tmp_path / "mine.npz"), reading=reading, key=key) for _ in range(2))
    assert torch.equal(one.train.x, again.train.x)
    assert gossamer.UnitKey(bytes.fromhex(key.to_hex())).digest == key.digest
    assert key.to_hex() not in repr(key)


def test_a_long_table_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "steps.csv"
    rows = [f"{series},{time},{0.1 * time}" for series in range(12) for time in range(5)]
    file.write_text("\n".join(["step,second,height", *rows]), encoding="utf-8")
    data = load_series(file, series_column="step", time_column="second", length=5, low=0, high=1)
    assert (data.train.num_records, data.train.spec.shape) == (12, (1, 5))


def test_people_of_arrays_are_told_apart_by_the_rule_of_all_readers(series: np.ndarray) -> None:
    whose = 10**7 + np.arange(NUM_RECORDS) % 7
    frame = pd.DataFrame({"who": whose})
    for people in (
        whose,
        whose.astype(float),
        torch.from_numpy(whose),
        whose.astype(str),
        np.array([f"{one}.0" for one in whose]),
        np.array([one if row % 2 else f" {one}.00" for row, one in enumerate(whose.tolist())], dtype=object),
        frame["who"],
        frame["who"].astype("string"),
        frame["who"].astype("category"),
        frame["who"].astype(object),
    ):
        for records in (
            as_series(series, people=people, low=-9, high=9),
            as_images(np.zeros((40, 8, 8)), people=people),
        ):
            assert records.train.people is not None
            assert records.train.people.tolist() == (np.arange(NUM_RECORDS) % 7).tolist()


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({5: np.nan}, "people.5. is empty"),
        ({5: None}, "people.5. is empty"),
        ({6: pd.NA}, "people.6. is empty"),
        ({7: 2.0**53 + 2}, r"people.7. is a float of 2\*\*53 or more"),
        ({8: [1]}, "people.8. is neither text nor a number"),
        ({9: "a" * 300}, "people.9. has more than 256"),
    ],
)
def test_an_array_that_names_nobody_is_refused_by_its_place(
    series: np.ndarray, changed: dict[int, Any], line: str
) -> None:
    people: list[Any] = [f"p{row}" for row in range(NUM_RECORDS)]
    for row, cell in changed.items():
        people[row] = cell
    array = np.empty(NUM_RECORDS, dtype=object)
    array[:] = people
    with pytest.raises(InputError, match=line) as caught:
        as_series(series, people=array, low=-9, high=9)
    assert str(caught.value).isprintable()
    assert str(2**53)[:8] not in str(caught.value)


def test_a_float_of_32_bits_names_people_only_as_far_as_it_counts(series: np.ndarray) -> None:
    whose = torch.arange(2**24 - NUM_RECORDS, 2**24).float()
    assert as_series(series, people=whose, low=-9, high=9).train.num_people == NUM_RECORDS
    with pytest.raises(InputError, match=r"people.39. is a float of 2\*\*24"):
        as_series(series, people=whose + 1, low=-9, high=9)


@pytest.mark.parametrize("x", [[[[0.5]]], ([0.5],), {"x": 1}])
def test_lists_are_no_records_and_the_line_says_what_is(x: Any) -> None:
    for y in (None, [0, 1]):
        with pytest.raises(InputError, match="x must be a numpy array, a table, a data set of torch"):
            DPMixture(epsilon=1.0, num_classes=2).fit(x, y)


@pytest.mark.parametrize("read", [as_images, as_series])
def test_a_mask_is_not_lost_without_a_word(read) -> None:
    x = np.ma.masked_array(np.full((3, 4, 4), 0.5), mask=np.eye(4, dtype=bool)[None].repeat(3, axis=0))
    with pytest.raises(InputError, match="masked array"):
        read(x)
    assert read(x.filled(0)).train.num_records == 3
