"""Synthetic series as an EDF+ recording, as pyedflib reads it back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest

from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.runs import edf_file
from gossamer.runs.edf_file import data_records, write_edf

SPEC = SeriesSpec(
    channels=2, length=187, low=(-1.5, 30.0), high=(2.5, 45.0), sample_rate=125.0,
    channel_names=("MLII", "skin temperature"), class_names=("normal", "early"), units=("mV", "°C"),
)  # fmt: skip
X = np.random.default_rng(0).random((6, 2, 187)).astype(np.float32)
Y = np.array([0, 1, 1, 0, 1, 0])


def _values(x: np.ndarray, spec: SeriesSpec) -> np.ndarray:
    low, high = np.array(spec.low), np.array(spec.high)
    return np.moveaxis(x.astype(np.float64), 1, 2).reshape(-1, spec.channels) * (high - low) + low


def _read(path: Path) -> tuple[dict[str, Any], np.ndarray, list[tuple[float, float, str]]]:
    with pyedflib.EdfReader(str(path)) as file:
        signals = range(file.signals_in_file)
        facts = {
            "labels": file.getSignalLabels(),
            "units": [file.getPhysicalDimension(signal) for signal in signals],
            "rates": file.getSampleFrequencies().tolist(),
            "patient": (file.getPatientName(), file.getPatientCode(), file.getPatientAdditional()),
        }
        values = np.stack([file.readSignal(signal) for signal in signals], axis=1)
        return facts, values, [(float(on), float(for_), str(text)) for on, for_, text in zip(*file.readAnnotations())]


def test_values_units_names_and_classes_come_back(tmp_path: Path) -> None:
    assert write_edf(tmp_path / "x.edf", X, Y, SPEC) == ()
    facts, values, notes = _read(tmp_path / "x.edf")
    assert facts["labels"] == ["MLII", "skin temperature"]
    assert facts["units"] == ["mV", "degC"]
    assert facts["rates"] == [125.0, 125.0]
    assert facts["patient"] == ("X", "", "") or set(facts["patient"]) <= {"", "X"}
    assert values.shape == (6 * 187, 2)
    for channel, width in enumerate((4.0, 15.0)):
        assert np.abs(values - _values(X, SPEC))[:, channel].max() <= width / 60_000
    assert [text for _, _, text in notes] == [SPEC.class_names[label] for label in Y]
    assert [begin for begin, _, _ in notes] == pytest.approx(np.arange(6) * 1.496)
    assert {duration for _, duration, _ in notes} == {1.496}


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.edf", "b.edf"):
        write_edf(tmp_path / name, X, Y, SPEC)
    assert (tmp_path / "a.edf").read_bytes() == (tmp_path / "b.edf").read_bytes()


@pytest.mark.parametrize(
    ("length", "rate", "num", "size", "fill"),
    [
        (187, 125.0, 6, 187, 0),  # a series a record
        (3000, 10.0, 4, 600, 0),  # at most 60 s
        (40_000, 1000.0, 2, 20_000, 0),  # at most 61,440 bytes
        (256, 360.0, 10, 252, 212),  # 256 / 360 s has no end, and no part of it either
        (256, 360.0, 36, 9216, 0),  # all together have one
        (8, 20_000.0, 5, 40, 0),  # at least 0.001 s
        (2, 128.5, 3, 257, 251),
    ],
)
def test_data_records_are_filled_by_the_series_if_they_can_be(
    tmp_path: Path, length: int, rate: float, num: int, size: int, fill: int
) -> None:
    spec = SeriesSpec(channels=1, length=length, low=(0.0,), high=(1.0,), sample_rate=rate)
    found = data_records(num, spec)
    assert (found.size, found.fill) == (size, fill)
    x = np.random.default_rng(1).random((num, 1, length))
    notes = write_edf(tmp_path / "x.edf", x, None, spec)
    facts, values, annotations = _read(tmp_path / "x.edf")
    assert facts["rates"] == pytest.approx([rate], rel=1e-12)
    assert len(values) == num * length + fill
    np.testing.assert_allclose(values[: num * length], _values(x, spec), atol=1 / 60_000)
    assert [text for _, _, text in annotations] == ["series"] * num + ["(fill)"] * (fill > 0)
    assert any(f"The last {fill} samples are no series" in note for note in notes) == (fill > 0)
    assert set(values[num * length :, 0]) <= {values[num * length - 1, 0]}


def test_annotations_that_have_no_room_would_be_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyedflib.EdfWriter, "set_number_of_annotation_signals", lambda self, number: None)
    with pytest.raises(AssertionError):
        test_data_records_are_filled_by_the_series_if_they_can_be(tmp_path, 8, 20_000.0, 5, 40, 0)


def test_a_record_that_the_package_fills_would_be_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_second = edf_file.DataRecords(size=125, seconds=1.0, number=9, fill=0)
    monkeypatch.setattr(edf_file, "data_records", lambda num, spec: one_second)
    with pytest.raises(AssertionError):
        test_values_units_names_and_classes_come_back(tmp_path)


@pytest.mark.parametrize("bounds", [(-1 / 3, 1 / 3), (95_000.0, 105_000.0), (-123.456789, 9.87654321), (-0.02, 0.0)])
def test_bounds_of_many_digits_are_written_without_loss(tmp_path: Path, bounds: tuple[float, float]) -> None:
    spec = replace(SPEC, channels=1, channel_names=(), units=(), low=bounds[:1], high=bounds[1:])
    write_edf(tmp_path / "x.edf", X[:, :1], Y, spec)
    _, values, _ = _read(tmp_path / "x.edf")
    assert np.abs(values - _values(X[:, :1], spec)).max() <= (bounds[1] - bounds[0]) / 60_000


@pytest.mark.parametrize("bounds", [(1e-7, 2e-7), (1e8, 2e8), (1013.2512, 1013.2514)])
def test_bounds_that_eight_characters_cannot_hold_are_refused(tmp_path: Path, bounds: tuple[float, float]) -> None:
    spec = replace(SPEC, channels=1, channel_names=(), units=(), low=bounds[:1], high=bounds[1:])
    with pytest.raises(InputError, match="8 characters of an EDF header: choose"):
        write_edf(tmp_path / "x.edf", X[:, :1], Y, spec)
    assert not list(tmp_path.iterdir())


def test_words_that_a_header_cannot_hold_are_changed_and_said(tmp_path: Path) -> None:
    spec = replace(
        SPEC,
        channel_names=("left ventricular pressure 1", "left ventricular pressure 2"),
        class_names=("x" * 60 + "a", "x" * 60 + "b"),
        units=("furlongs", "very long unit"),
    )
    notes = write_edf(tmp_path / "x.edf", X, Y, spec)
    facts, _, annotations = _read(tmp_path / "x.edf")
    assert facts["labels"] == ["channel 0", "channel 1"]
    assert facts["units"] == ["furlongs", ""]
    assert {text for _, _, text in annotations} == {"class 0", "class 1"}
    assert len(notes) == 3


@pytest.mark.parametrize(("rate", "match"), [(None, "needs a sample rate"), (62.4725, "sample rate"), (0.01, "rate")])
def test_a_rate_that_a_header_cannot_hold_is_refused(tmp_path: Path, rate: float | None, match: str) -> None:
    with pytest.raises(InputError, match=match):
        write_edf(tmp_path / "x.edf", X, Y, replace(SPEC, sample_rate=rate))
