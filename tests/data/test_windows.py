"""Windows of long recordings: which there are, which are left out, and whose they are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gossamer.data.catalogue import describe, load_records
from gossamer.data.layouts import LongColumns, WideColumns
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import PeopleSplit
from gossamer.data.windowed import Recordings
from gossamer.data.windows import Windows, cut, cut_all
from gossamer.errors import InputError
from gossamer.estimators import as_series, load_series
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

LONG = LongColumns(series="id", time="t", values=("v",), label="kind")


@pytest.mark.parametrize(
    ("length", "window", "stride", "starts"),
    [
        (10, 4, None, [0, 4]),
        (8, 4, None, [0, 4]),
        (10, 4, 3, [0, 3, 6]),
        (9, 4, 3, [0, 3]),
        (10, 4, 6, [0, 6]),
        (3, 4, None, []),
        (4, 4, 1, [0]),
    ],
)
def test_window_k_begins_at_k_times_the_stride(length: int, window: int, stride: int | None, starts: list[int]) -> None:
    windows = Windows(window=window, stride=stride)
    values = np.stack([np.arange(length), 100 + np.arange(length)]).astype(float)
    found = cut(values, windows)
    assert found.shape == (len(starts), 2, window)
    assert windows.count(length) == len(starts)
    for one, start in zip(found, starts, strict=True):
        assert one.tolist() == values[:, start : start + window].tolist()


@pytest.mark.parametrize("wrong", [{"window": 1}, {"window": 4, "stride": 0}, {"window": 2.5}, {"window": True}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"window|stride"):
        Windows(**wrong)


def test_windows_with_a_missing_value_or_a_change_of_class_are_left_out_and_counted() -> None:
    values = [np.arange(12.0)[None], np.array([[1.0, np.nan, 3.0, 4.0, 5.0, 6.0]]), np.zeros((1, 2))]
    classes = [np.array(list("aaaabbbbbbcc")), np.array(list("aaaccc")), np.array(list("aa"))]
    found = cut_all(values, Windows(window=3), "here", classes)
    assert found.values[:, 0].tolist() == [[0, 1, 2], [6, 7, 8], [4, 5, 6]]
    assert found.recordings.tolist() == [0, 0, 1]
    assert found.classes is not None
    assert found.classes.tolist() == ["a", "b", "c"]
    assert (found.num_short, found.num_missing, found.num_changed) == (1, 1, 2)
    assert list(found.left_out.values()) == [1, 1, 2]


def test_no_window_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="not one whole window of 9 samples"):
        cut_all([np.zeros((1, 8)), np.full((1, 9), np.nan)], Windows(window=9), "here")


# ---- readers --------------------------------------------------------------------------------------------------------


def long_table(path: Path) -> Path:
    """Three recordings: of 10 samples with a change of class after the sixth, of 8, and of 2."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "t", "v", "kind", "who"])
        for name, length, who in (("r7", 10, "anna"), ("r2", 8, "bert"), ("r5", 2, "carl")):
            for step in range(length):
                writer.writerow([name, step / 10, step, "still" if step < 6 or name == "r2" else "moving", who])
    return path


def load(path: Path, **others: Any) -> RecordData:
    facts = SeriesFacts(low=(0.0,), high=(10.0,), class_names=("still", "moving"))
    usual = {"facts": facts, "columns": LONG, "windows": Windows(window=4)}
    return load_records(str(path), reading=SeriesReading(**{**usual, **others}))


def test_a_long_table_is_cut_and_its_recordings_are_told_apart(tmp_path: Path) -> None:
    data = load(long_table(tmp_path / "a.csv"))
    assert (data.train.x * 10).round().int()[:, 0].tolist() == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert data.train.y is not None
    assert data.train.y.tolist() == [0, 0, 0]
    assert data.train.people is not None
    assert data.train.people.tolist() == [0, 1, 1]
    assert data.train.num_people == 3, "a recording without a window keeps its slot"
    assert (data.train.owners, data.usual_unit) == (Unit.RECORDING, Unit.RECORDING)
    assert any("windows of 4 samples, one every 4" in note for note in data.public_notes)
    found = describe(data)
    assert (found["num_people"], found["num_recordings"]) == (None, 2)
    assert list(found["private"]["left_out"].values()) == [1, 1]
    assert not any("shorter than a window and give none." in note and note[0].isdigit() for note in found["public"])


def test_a_person_column_makes_the_person_the_owner(tmp_path: Path) -> None:
    columns = LongColumns(series="id", time="t", values=("v",), label="kind", person="who")
    data = load(long_table(tmp_path / "a.csv"), columns=columns)
    assert (data.train.owners, data.usual_unit, data.train.num_people) == (Unit.PERSON, Unit.PERSON, 3)


def test_python_command_and_frame_cut_alike(tmp_path: Path) -> None:
    path = long_table(tmp_path / "a.csv")
    words = {
        "series_column": "id", "time_column": "t", "value_columns": ["v"], "class_column": "kind", "low": 0, "high": 10,
        "class_names": ["still", "moving"], "window": 4, "stride": 2,
    }  # fmt: skip
    choice = SeriesChoice(
        series_column="id", time_column="t", value_columns=("v",), class_column="kind", low=(0.0,), high=(10.0,),
        class_names=("still", "moving"), window=4, stride=2,
    )  # fmt: skip
    by_command = load_records(str(path), reading=choice.reading(str(path)))
    for source in (path, pd.read_csv(path)):
        data = load_series(source, **words)
        assert data.train.x.tolist() == by_command.train.x.tolist()
        assert data.usual_unit is Unit.RECORDING
        assert data.train.person_digests is not None
        assert by_command.train.person_digests is not None
        assert (data.train.person_digests == by_command.train.person_digests).all()


def test_series_of_arrays_of_npz_and_of_wide_tables_are_cut(tmp_path: Path) -> None:
    x = np.arange(40.0).reshape(2, 2, 10)
    np.savez(tmp_path / "a.npz", x=x, y=np.array([1, 0]), low=0.0, high=40.0)
    pd.DataFrame(x.reshape(2, -1), columns=[f"c{place}" for place in range(20)]).assign(kind=[1, 0]).to_csv(
        tmp_path / "a.csv", index=False
    )
    facts = SeriesFacts(low=(0.0,), high=(40.0,), num_classes=2)
    wide = SeriesReading(
        facts=SeriesFacts(low=(0.0,), high=(40.0,), num_classes=2, channel_names=("a", "b")),
        columns=WideColumns(label="kind"),
        windows=Windows(window=4, stride=3),
    )
    sets = [
        as_series(x, np.array([1, 0]), low=0, high=40, num_classes=2, window=4, stride=3),
        load_records(str(tmp_path / "a.npz"), reading=SeriesReading(facts=facts, windows=Windows(window=4, stride=3))),
        load_records(str(tmp_path / "a.csv"), reading=wide),
    ]
    for data in sets:
        assert data.train.x.shape == (6, 2, 4)
        assert (data.train.x[2, 1] * 40).round().int().tolist() == [16, 17, 18, 19]
        assert data.train.y is not None
        assert data.train.y.tolist() == [1, 1, 1, 0, 0, 0]
        assert (data.usual_unit, data.train.num_people) == (Unit.RECORDING, 2)


def test_people_beside_arrays_own_the_windows_of_all_their_recordings() -> None:
    data = as_series(np.zeros((3, 10)), people=np.array(["a", "b", "a"]), window=5)
    assert (data.usual_unit, data.train.num_people) == (Unit.PERSON, 2)
    with pytest.raises(InputError, match="people has 2 entries for 3 recordings"):
        as_series(np.zeros((3, 10)), people=np.array(["a", "b"]), window=5)


def test_a_split_between_recordings_leaves_no_recording_on_both_sides(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((30, 1, 12))
    np.savez(tmp_path / "a.npz", x=x, low=0.0, high=1.0)
    reading = SeriesReading(windows=Windows(window=4), split=PeopleSplit(), key=UnitKey(bytes(32)))
    data = load_records(str(tmp_path / "a.npz"), reading=reading)
    assert data.test is not None
    assert data.train.people is not None
    assert data.test.people is not None
    assert not set(data.train.people.tolist()) & set(data.test.people.tolist())
    assert len(data.train.x) + len(data.test.x) == 90
    # Nobody says the people, so nothing may be stated of them.
    assert data.public_notes[-1].startswith("A share of about 0.2 of the recordings was held out")
    named = load_records(
        str(_with_people(tmp_path / "b.npz", x)),
        reading=SeriesReading(windows=Windows(window=4), split=PeopleSplit(), key=UnitKey(bytes(32))),
    )
    assert named.public_notes[-1].startswith("A share of about 0.2 of the people was held out")


def _with_people(path: Path, x: np.ndarray) -> Path:
    np.savez(path, x=x, low=0.0, high=1.0, person=np.arange(len(x)) // 2)
    return path


def test_recordings_without_a_name_are_told_apart_by_content_and_copy_alone() -> None:
    values = [np.full((1, 4), 1.0), np.full((1, 4), 2.0), np.full((1, 4), 1.0)]
    names = Recordings(values=values).owner_names.tolist()
    assert len(set(names)) == 3
    assert Recordings(values=values[1:]).owner_names.tolist() == [names[1], names[0]], "no place is in a name"


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [{"length": 8}, {"pad_shorter": True}, {"layout": "window"}])
def test_what_a_window_says_is_not_said_twice(others: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="--window says the length"):
        SeriesChoice(window=4, **others).reading("a.csv")
    with pytest.raises(InputError, match="goes with a window"):
        SeriesChoice(stride=4).reading("a.csv")


@pytest.mark.parametrize("source", ["beats", "digits"])
def test_published_sets_are_not_cut_again(source: str) -> None:
    with pytest.raises(InputError, match="leave them out"):
        load_records(source, reading=SeriesReading(windows=Windows(window=4)))


def test_a_second_person_within_a_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame({"id": [1] * 4, "t": range(4), "v": [0.5] * 4, "who": [1, 1, 2, 2]}).to_csv(path, index=False)
    with pytest.raises(InputError, match="names a second person"):
        load_series(path, series_column="id", time_column="t", person_column="who", value_columns=["v"], window=2)
