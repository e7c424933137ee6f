"""Synthetic series as a WFDB recording: units, steps between the bounds, and marks, as wfdb itself reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data.beats import AAMI_CLASSES, KaggleLayout, WindowLayout
from gossamer.data.made_beats import BEATS_SPEC
from gossamer.data.series import SeriesSpec
from gossamer.data.wfdb_records import wfdb_package
from gossamer.errors import InputError
from gossamer.runs import wfdb_file
from gossamer.runs.series_files import in_own_units
from gossamer.runs.wfdb_file import write_wfdb

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

SPEC = SeriesSpec(
    channels=2, length=5, low=(-1.0, 0.0), high=(1.0, 10.0), sample_rate=50.0,
    channel_names=("left", "right"), class_names=("walk", "run"),
)  # fmt: skip
X = np.random.default_rng(0).random((7, 2, 5)).astype(np.float32)
Y = np.arange(7) % 2


def _read(folder: Path) -> tuple[Any, Any]:
    where = str(folder / "synthetic")
    return wfdb_package().rdrecord(where), wfdb_package().rdann(where, "atr")


def test_a_recording_holds_all_series_and_a_mark_in_each(tmp_path: Path) -> None:
    notes = write_wfdb(tmp_path / "out", X, Y, SPEC)
    record, marks = _read(tmp_path / "out")
    assert record.fs == 50
    assert record.sig_name == ["left", "right"]
    expected = np.moveaxis(in_own_units(X, SPEC), 1, 2).reshape(-1, 2)
    np.testing.assert_allclose(record.p_signal, expected, atol=10 / 60_000)
    assert marks.sample.tolist() == [2, 7, 12, 17, 22, 27, 32]
    assert [note.rstrip("\0") for note in marks.aux_note] == ["walk", "run"] * 3 + ["walk"]
    assert len(notes) == 1
    assert "middle of each series" in notes[0]


@pytest.mark.parametrize(
    ("low", "high", "unit"), [(30.0, 45.0, "degC"), (95_000.0, 105_000.0, "Pa"), (-0.001, 0.002, "V"), (-5e8, 3e8, "")]
)
def test_a_channel_has_60000_steps_between_its_bounds_wherever_they_lie(
    tmp_path: Path, low: float, high: float, unit: str
) -> None:
    spec = SeriesSpec(channels=1, length=3000, low=(low,), high=(high,), sample_rate=50.0, units=(unit,))
    x = np.linspace(0, 1, 9000).reshape(3, 1, 3000)
    write_wfdb(tmp_path / "out", x, None, spec)
    record, _ = _read(tmp_path / "out")
    expected = low + x.reshape(-1) * (high - low)
    assert np.abs(record.p_signal[:, 0] - expected).max() <= (high - low) / 60_000
    assert len(np.unique(record.p_signal)) == 9000
    assert record.units == [unit or "NU"]


def test_gain_and_baseline_over_the_larger_bound_would_be_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wfdb_file, "_scales", lambda spec: ([30_000 / max(map(abs, spec.low + spec.high))], [0]))
    with pytest.raises(AssertionError):
        test_a_channel_has_60000_steps_between_its_bounds_wherever_they_lie(tmp_path, 30.0, 45.0, "degC")


def test_bounds_too_near_to_each_other_for_a_header_are_refused(tmp_path: Path) -> None:
    spec = SeriesSpec(channels=1, length=5, low=(1e9,), high=(1e9 + 1,), sample_rate=50.0)
    with pytest.raises(InputError, match=r"low\[0\] and high\[0\] lie too near .* choose \.npz or \.csv"):
        write_wfdb(tmp_path / "out", X[:, :1], None, spec)


def test_a_unit_in_other_letters_is_written_in_those_that_wfdb_reads_back(tmp_path: Path) -> None:
    # wfdb 4.3.1 writes µV and reads V, a million times as much.
    spec = replace(SPEC, units=("µV", "N·m"))
    notes = write_wfdb(tmp_path / "out", X, Y, spec)
    record, _ = _read(tmp_path / "out")
    assert record.units == ["uV", "NU"]
    assert record.sig_name == ["left", "right"]
    assert any("'N·m'" in note for note in notes)


def test_names_in_other_letters_are_written_in_plain_ones_and_said(tmp_path: Path) -> None:
    spec = replace(SPEC, channel_names=("µ sig", "脑电"), class_names=("Mühe", "静息"))
    notes = write_wfdb(tmp_path / "out", X, Y, spec)
    record, marks = _read(tmp_path / "out")
    assert record.sig_name == ["channel 0", "channel 1"]
    assert set(marks.aux_note) == {"class 0", "class 1"}
    assert len([note for note in notes if "ASCII" in note]) == 2


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        (KaggleLayout(length=5), [0, 5, 10, 15]),
        (WindowLayout(length=5, before=1), [1, 6, 11, 16]),
        (WindowLayout(length=5, before=4), [4, 9, 14, 19]),
    ],
)
def test_beats_are_marked_by_their_symbols_at_their_r_peaks(
    tmp_path: Path, layout: KaggleLayout | WindowLayout, places: list[int]
) -> None:
    spec = layout.spec(("MLII",), AAMI_CLASSES)
    assert write_wfdb(tmp_path / "out", X[:4, :1], np.array([0, 2, 1, 4]), spec) == ()
    record, marks = _read(tmp_path / "out")
    assert marks.symbol == ["N", "V", "S", "Q"]
    assert marks.sample.tolist() == places
    assert record.units == ["NU" if isinstance(layout, KaggleLayout) else "mV"]


def test_marks_in_the_middle_of_beats_would_be_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KaggleLayout, "peak", None)
    with pytest.raises(AssertionError):
        test_beats_are_marked_by_their_symbols_at_their_r_peaks(tmp_path, KaggleLayout(length=5), [0, 5, 10, 15])


def test_a_note_at_the_very_first_sample_stands_one_late_so_that_it_is_not_lost(tmp_path: Path) -> None:
    spec = KaggleLayout(length=5).spec(("ii",), ("normal", "abnormal"))
    write_wfdb(tmp_path / "out", X[:3, :1], np.array([1, 0, 1]), spec)
    _, marks = _read(tmp_path / "out")
    assert marks.sample.tolist() == [1, 5, 10]
    assert marks.aux_note == ["abnormal", "normal", "abnormal"]


def test_the_r_peak_of_made_up_beats_is_where_their_layout_says() -> None:
    from gossamer.data.made_beats import load_made_beats

    train = load_made_beats().train
    assert train.y is not None
    means = train.x[train.y == 0].mean(dim=0)[0]
    assert abs(int(means.argmax()) - (BEATS_SPEC.peak or 0)) <= 2
    assert BEATS_SPEC.units == ("mV",)


def test_a_recording_wants_a_sample_rate_and_an_empty_folder(tmp_path: Path) -> None:
    spec = SeriesSpec(channels=1, length=5, low=(0.0,), high=(1.0,))
    with pytest.raises(InputError, match="needs a sample rate"):
        write_wfdb(tmp_path / "out", X[:, :1], None, spec)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "theirs").touch()
    with pytest.raises(InputError, match="exists and is not empty"):
        write_wfdb(tmp_path / "full", X, Y, SPEC)
