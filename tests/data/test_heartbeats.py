"""The named heartbeats: made-up ones, and with real data MIT-BIH and PTB as they were published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import accuracy_score, f1_score

from gossamer.data.beats import KaggleLayout, WindowLayout
from gossamer.data.catalogue import NAMED_SERIES, load_records
from gossamer.data.kaggle import load_kaggle_mitbih, load_kaggle_ptb
from gossamer.data.made_beats import load_made_beats
from gossamer.data.mitdb import BETWEEN_PEOPLE, DE_CHAZAL, DS1, DS2, LEADS, PACED, PUBLISHED, load_mitdb, read_mitdb
from gossamer.data.ptb import load_ptb
from gossamer.data.r_peaks import find_r_peaks
from gossamer.data.reading import SeriesReading
from gossamer.data.records import PublishedCounts, RecordData
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import WHOLE, RandomSplit, Rows, divide
from gossamer.data.tables import WideColumns
from gossamer.data.wfdb_records import MainLead, read_annotated
from gossamer.privacy.dealing import UnitKey


def ridge(data: RecordData) -> tuple[float, float]:
    """Accuracy and macro-F1 of ridge regression on the raw values."""
    assert data.test is not None
    model = RidgeClassifier(alpha=1.0).fit(data.train.x.flatten(1).numpy(), data.train.y)
    said = model.predict(data.test.x.flatten(1).numpy())
    return float(accuracy_score(data.test.y, said)), float(f1_score(data.test.y, said, average="macro"))


def test_made_beats_are_the_same_each_time_and_as_listed() -> None:
    listed = next(data for data in NAMED_SERIES if data.name == "beats")
    one, two = load_made_beats(), load_records("beats")
    assert torch.equal(one.train.x, two.train.x)
    assert one.test is not None
    assert one.train.spec == listed.spec
    assert (one.train.num_records, one.test.num_records) == (listed.num_train, listed.num_test)
    assert one.train.people is not None
    assert one.test.people is not None
    assert not set(one.train.people.tolist()) & set(one.test.people.tolist())
    assert any("no person behind them" in note for note in one.public_notes)


def test_made_beats_can_be_learnt_and_are_not_clipped() -> None:
    data = load_made_beats()
    accuracy, macro_f1 = ridge(data)
    assert accuracy > 0.95
    assert macro_f1 > 0.9
    assert 0 < data.train.x.min() < data.train.x.max() < 1


@pytest.fixture(scope="module")
def mitdb(data_dir: Path) -> Rows:
    """All beats in the layout of the Kaggle table, read once."""
    return read_mitdb(data_dir, KaggleLayout(), LEADS)


def test_mitdb_has_the_published_rows_classes_and_people(mitdb) -> None:
    data = divide(mitdb, RandomSplit(), ())
    listed = next(data for data in NAMED_SERIES if data.name == "mitdb")
    counts = torch.bincount(data.train.y) + torch.bincount(data.test.y)
    assert counts.tolist() == [90_589, 2_779, 7_236, 803, 8_039]
    assert (data.train.num_records + data.test.num_records, listed.num_test) == (listed.num_train, 0)
    assert binomtest(data.test.num_records, listed.num_train, 0.2).pvalue > 1e-6
    assert data.train.num_people == data.test.num_people == PUBLISHED.num_people == listed.num_people == 47
    assert data.train.spec == listed.spec


def test_ridge_regression_on_a_random_split_of_mitdb_is_where_it_was_published(mitdb) -> None:
    accuracy, macro_f1 = ridge(divide(mitdb, RandomSplit(), ()))
    assert accuracy == pytest.approx(0.898, abs=0.006)
    assert macro_f1 == pytest.approx(0.443, abs=0.012)


def test_ridge_regression_between_people_is_no_better_than_the_majority(mitdb) -> None:
    data = divide(mitdb, DE_CHAZAL, ())
    accuracy, macro_f1 = ridge(data)
    assert accuracy == pytest.approx(0.873, abs=0.006)
    assert macro_f1 == pytest.approx(0.199, abs=0.006)
    assert data.test is not None
    assert accuracy < float((data.test.y == 0).float().mean())


def test_the_lists_of_de_chazal_share_one_man_and_ours_nobody(mitdb) -> None:
    assert len({*DS1, *DS2, *PACED}) == 48
    shared = []
    for split in (DE_CHAZAL, BETWEEN_PEOPLE):
        data = divide(mitdb, split, ())
        assert data.test is not None
        assert data.train.people is not None
        assert data.test.people is not None
        shared.append(len(set(data.train.people.tolist()) & set(data.test.people.tolist())))
    assert shared == [1, 0]


def test_the_window_around_the_peak_keeps_the_last_beats_too(data_dir) -> None:
    data = load_mitdb(data_dir, layout=WindowLayout(), split=WHOLE)
    # The layout that loses no beat: as many as are published, so that the published number is never too small.
    assert data.train.x.shape == (PUBLISHED.num_records, 1, 192)
    # Bounds that are public are not fitted to the values: a few are clipped, most lie in the middle.
    assert 0 < ((data.train.x == 0) | (data.train.x == 1)).float().mean() < 0.005
    assert data.train.x.median() == pytest.approx(0.5, abs=0.01)


def test_ptb_takes_the_diagnosis_from_the_header_and_the_person_from_the_folder(data_dir) -> None:
    data = load_ptb(data_dir, split=WHOLE)
    assert data.train.y is not None
    assert set(data.train.y.tolist()) == {1}
    assert data.train.num_people == 1
    assert data.train.spec.class_names == ("healthy control", "myocardial infarction")
    # Three recordings of 38, 115 and 115 s of a heart that beats 60 to 110 times a minute.
    assert 268 < data.train.num_records < 491
    # One of 290 people: the claim is on the published number, and nobody is told that the others are missing.
    assert data.published == PublishedCounts(num_people=290)


@pytest.mark.parametrize(("name", "found"), [("100", 0.999), ("208", 0.97)])
def test_r_peaks_are_found_where_the_annotations_have_them(data_dir, name, found) -> None:
    recording = read_annotated(data_dir / "mitdb", name, MainLead(preferred="MLII"), "atr")
    peaks = find_r_peaks(recording.signal[:, 0], recording.sample_rate)
    distances = np.abs(recording.peaks[:, None] - peaks[None])
    assert (distances.min(axis=1) <= 36).mean() > found
    assert (distances.min(axis=0) <= 36).mean() > 0.97


def test_no_r_peaks_are_found_in_a_moment() -> None:
    assert find_r_peaks(np.ones(100), 360.0).size == 0


@pytest.mark.parametrize("name", ["mitdb", "ptbdb", "kaggle-mitbih", "kaggle-ptbdb"])
def test_heartbeats_that_are_not_there_say_where_they_should_be(tmp_path, refusal, name) -> None:
    message = refusal(load_records, name, tmp_path)
    assert str(tmp_path) in message
    assert "--data-dir" in message


@pytest.mark.parametrize(
    ("name", "reading", "word"),
    [
        ("digits", SeriesReading(facts=SeriesFacts(length=3)), "holds images"),
        ("mitdb", SeriesReading(facts=SeriesFacts(low=(0.0,), high=(1.0,))), "published"),
        ("beats", SeriesReading(layout=WindowLayout()), "cut already"),
        ("beats", SeriesReading(split=WHOLE), "own split"),
        ("mitdb", SeriesReading(columns=WideColumns(label="y")), "columns"),
    ],
)
def test_options_that_mean_nothing_for_a_named_set_are_refused(refusal, name, reading, word) -> None:
    assert word in refusal(load_records, name, None, None, reading)


def write_kaggle(folder: Path, name: str, labels: list[float], cells: str = "") -> None:
    folder.mkdir(exist_ok=True)
    rows = [",".join(["1.0", "0.25", *["0.0"] * 185, f"{label:.18e}"]) for label in labels]
    (folder / name).write_text("\n".join(rows) + "\n" + cells)


def test_the_kaggle_table_loses_no_row(tmp_path) -> None:
    write_kaggle(tmp_path / "heartbeat", "mitbih_train.csv", [0, 4, 2])
    write_kaggle(tmp_path / "heartbeat", "mitbih_test.csv", [3, 1])
    data = load_kaggle_mitbih(tmp_path)
    assert data.test is not None
    assert data.train.y is not None
    assert data.test.y is not None
    assert data.train.y.tolist() == [0, 4, 2]
    assert data.test.y.tolist() == [3, 1]
    assert data.train.x[0, 0, :3].tolist() == [1, 0.25, 0]


def test_the_kaggle_tables_of_ptb_are_split_once(tmp_path) -> None:
    write_kaggle(tmp_path, "ptbdb_normal.csv", [0] * 10)
    write_kaggle(tmp_path, "ptbdb_abnormal.csv", [1] * 20)
    data = load_kaggle_ptb(tmp_path, key=UnitKey(bytes(32)))
    assert data.test is not None
    counts = torch.bincount(data.train.y, minlength=2) + torch.bincount(data.test.y, minlength=2)
    assert counts.tolist() == [10, 20]
    # Rows that are alike are copies of one another, each held out by itself.
    assert 0 < data.test.num_records < 20
    again = load_kaggle_ptb(tmp_path, key=UnitKey(bytes(32)))
    assert torch.equal(again.train.x, data.train.x)


@pytest.mark.parametrize(
    ("labels", "cells", "word"),
    [
        ([0.0], "1,2,3\n", "line 2 has 3 cells"),
        ([0.0], ",".join(["a"] * 188) + "\n", "row 2 is text"),
        ([0.0], ",".join(["0"] * 187 + [""]) + "\n", "row 2, column 188 is no finite number"),
        ([0.0], ",".join(["2"] * 187 + ["0"]) + "\n", "row 2 has a value outside [0, 1]"),
        ([0.0, 5.0], "", "row 2 has no class 0 to 4"),
        ([0.5], "", "row 1 has no class"),
    ],
)
def test_a_kaggle_table_that_is_none_is_refused(tmp_path, refusal, labels, cells, word) -> None:
    write_kaggle(tmp_path, "mitbih_test.csv", [0])
    write_kaggle(tmp_path, "mitbih_train.csv", labels, cells)
    assert word in refusal(load_kaggle_mitbih, tmp_path)


def test_an_empty_kaggle_table_is_refused(tmp_path, refusal) -> None:
    write_kaggle(tmp_path, "mitbih_test.csv", [0])
    (tmp_path / "mitbih_train.csv").write_text("")
    assert "is empty" in refusal(load_kaggle_mitbih, tmp_path)
