"""Discontinuous EDF+D and BDF+D recordings: every data record at its own time, and no window across a gap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest

from gossamer.data import edf_gaps
from gossamer.data.catalogue import load_records
from gossamer.data.edf import read_edf_header
from gossamer.data.edf_gaps import read_notes_with_gaps, read_signals_with_gaps, signals_with_gaps
from gossamer.data.edf_layout import read_layout
from gossamer.data.reading import SeriesReading
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.windows import MISSING, Windows
from gossamer.errors import InputError

RATE, SECONDS = 10, 2
NOTE_BYTES = 120
LIMITS = {2: 32767, 3: 8_388_607}


def write(
    path: Path,
    digits: np.ndarray,
    times: Sequence[str | float],
    notes: Sequence[str] = (),
    *,
    kind: str = "EDF+D",
    label: str = "ECG",
    fields: dict[int, str] | None = None,
) -> None:
    """A recording of one signal at 10 Hz, (num_records, 20), in data records of two seconds, written by hand."""
    fields, size = fields or {}, 3 if kind.startswith("BDF") else 2
    words = [
        (label, 16), ("", 80), ("uV", 8), ("-200", 8), ("200", 8),
        (str(-LIMITS[size] - 1), 8), (str(LIMITS[size]), 8), ("", 80), (str(digits.shape[1]), 8), ("", 32),
    ]  # fmt: skip
    of_notes = [
        (f"{kind[:3]} Annotations", 16), ("", 80), ("", 8), ("-1", 8), ("1", 8), words[5], words[6], ("", 80),
        (str(NOTE_BYTES // size), 8), ("", 32),
    ]  # fmt: skip
    version = b"\xffBIOSEMI" if size == 3 else b"0".ljust(8)
    general = [
        ("X X X X", 80), ("Startdate 01-JAN-1985 X X X", 80), ("01.01.85", 8), ("00.00.00", 8), ("768", 8), (kind, 44),
        (str(len(digits)), 8), (str(SECONDS), 8), ("2", 4),
    ]  # fmt: skip
    signals = [field for pair in zip(words, of_notes, strict=True) for field in pair]
    changed = [(fields.get(place, text), width) for place, (text, width) in enumerate(signals)]
    content = version + b"".join(text.encode("latin-1").ljust(width) for text, width in (*general, *changed))
    for number, (record, time) in enumerate(zip(digits, times, strict=True)):
        own = notes[number] if number < len(notes) else ""
        marks = (f"{time:+g}\x14\x14\0" if isinstance(time, float | int) else time) + own
        raw = record.astype("<i4").tobytes()
        content += b"".join(raw[place : place + size] for place in range(0, len(raw), 4))
        content += marks.encode("utf-8").ljust(NOTE_BYTES, b"\0")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def made(num_records: int, size: int = 2) -> np.ndarray:
    limit = LIMITS[size]
    return np.random.default_rng(num_records).integers(-limit, limit, (num_records, RATE * SECONDS))


def loaded(path: Path, window: int = 4, **facts: Any) -> Any:
    facts = {"low": (-250.0,), "high": (250.0,), **facts}
    return load_records(path, reading=SeriesReading(facts=SeriesFacts(**facts), windows=Windows(window=window)))


def in_units(digits: np.ndarray) -> np.ndarray:
    return -200 + (digits + 32768) * 400 / 65535


@pytest.mark.parametrize("kind", ["EDF+C", "BDF+C"])
def test_a_continuous_recording_is_read_here_as_pyedflib_reads_it(tmp_path: Path, kind: str) -> None:
    """The reader of gaps, and the writer of these tests, are held against the package."""
    notes = ["+0.5\x151.5\x14deep\x14\0", "+2\x151\x14one\x14two\x14\0", "+4.25\x14no duration\x14\0"]
    write(tmp_path / "a.edf", made(3, 2 if kind == "EDF+C" else 3), [0, 2, 4], notes, kind=kind)
    layout = read_layout(tmp_path / "a.edf")
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as file:
        theirs, said = file.readSignal(0), file.readAnnotations()
    assert np.abs(theirs).max() > 100
    (ours,) = read_signals_with_gaps(layout, [0])
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    found = read_notes_with_gaps(layout, RATE)
    assert [(begin, text) for begin, _, text in found] == list(zip(said[0].tolist(), said[2].tolist(), strict=True))
    assert [duration for _, duration, _ in found if duration] == [duration for duration in said[1] if duration > 0]
    assert signals_with_gaps(layout) == read_edf_header(tmp_path / "a.edf")


@pytest.mark.parametrize("kind", ["EDF+D", "BDF+D"])
def test_windows_lie_between_gaps_and_never_cross_one(tmp_path: Path, kind: str) -> None:
    digits = made(3, 2 if kind == "EDF+D" else 3)
    # A gap of 1.5 s, which is 15 samples, before the third data record.
    write(tmp_path / "a.edf", digits, [0, 2, 5.5], kind=kind)
    (signal,) = read_edf_header(tmp_path / "a.edf")
    assert (signal.label, signal.unit, signal.sample_rate, signal.num_samples) == ("ECG", "uV", 10.0, 75)
    limit = LIMITS[2 if kind == "EDF+D" else 3]
    values = np.full(75, np.nan)
    values[:40], values[55:] = (
        -200 + (part.ravel() + limit + 1) * 400 / (2 * limit + 1) for part in (digits[:2], digits[2])
    )
    data = loaded(tmp_path / "a.edf")
    starts = [start for start in range(0, 72, 4) if np.isfinite(values[start : start + 4]).all()]
    assert starts == [*range(0, 40, 4), 56, 60, 64, 68]
    expected = np.stack([(values[start : start + 4] + 250) / 500 for start in starts])
    np.testing.assert_allclose(data.train.x[:, 0], expected, atol=1e-6)
    assert data.left_out[MISSING] == 4
    assert data.train.num_people == 1


def test_data_records_that_are_put_side_by_side_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def side_by_side(layout: Any, times: np.ndarray, size: int) -> np.ndarray:
        return np.arange(len(times)) * size

    monkeypatch.setattr(edf_gaps, "_starts", side_by_side)
    with pytest.raises(AssertionError):
        test_windows_lie_between_gaps_and_never_cross_one(tmp_path, "EDF+D")


@pytest.mark.parametrize(
    ("third", "num_missing"),
    [(4, 0), (4.04, 0), (3.96, 0), (4.06, 1), (4.1, 1), (4.3, 3), (1004.0, 10_000)],
)
def test_a_gap_is_half_a_sample_or_more_and_leaves_one_missing_sample_at_least(
    tmp_path: Path, third: float, num_missing: int
) -> None:
    write(tmp_path / "a.edf", made(3), [0, 2, third])
    (values,) = read_signals_with_gaps(read_layout(tmp_path / "a.edf"), [0])
    assert np.isnan(values).sum() == num_missing == len(values) - 60
    np.testing.assert_allclose(values[np.isfinite(values)], in_units(made(3)).ravel(), atol=1e-9)


def test_a_recording_without_gaps_is_the_same_as_a_continuous_one(tmp_path: Path) -> None:
    write(tmp_path / "a.edf", made(4), [0.25, 2.25, 4.25, 6.25])
    write(tmp_path / "b.edf", made(4), [0, 2, 4, 6], kind="EDF+C")
    assert (loaded(tmp_path / "a.edf").train.x == loaded(tmp_path / "b.edf").train.x).all()


def test_classes_are_at_the_times_of_their_annotations_behind_a_gap(tmp_path: Path) -> None:
    # The clock of the file begins at 100 s, and the third second of the recording is missing.
    notes = ["+100\x152\x14rest\x14\0", "+103\x151\x14work\x14\0+104\x151\x14rest\x14\0"]
    write(tmp_path / "a.edf", made(2), [100, 103], notes)
    data = loaded(tmp_path / "a.edf", window=10, class_names=("rest", "work"))
    assert data.train.y is not None
    assert data.train.y.tolist() == [0, 0, 1, 0]
    values = in_units(made(2)).reshape(4, 10)
    np.testing.assert_allclose(data.train.x[:, 0], (values + 250) / 500, atol=1e-6)


@pytest.mark.parametrize(
    ("times", "notes", "fields", "words"),
    [
        ([0, 1.9], (), {}, "begins before the one in front of it has ended"),
        ([2, 0], (), {}, "begins before the one in front of it has ended"),
        ([0, "+2\x14late\x14\0"], (), {}, "a data record without a time of its own"),
        ([0, ""], (), {}, "a data record without a time of its own"),
        ([0, "2\x14\x14\0"], (), {}, "annotations that break a rule"),
        ([0, "+2\x14\x14open\0"], (), {}, "annotations that break a rule"),
        ([0, "+2\x14\x14\0+9e9\x14x\x14\0"], (), {}, "annotations that break a rule"),
        ([0, "+999999999999\x14\x14\0"], (), {}, "its gaps would take more than 200 times the memory"),
        ([0, 2], (), {1: "Other"}, "no times of its data records"),
        ([0, 2], (), {6: "nan"}, "in the field Physical Minimum"),
        ([0, 2], (), {8: "-200"}, "in the field Physical Maximum"),
        ([0, 2], (), {12: "-40000"}, "in the field Digital Maximum"),
        ([0, 2], (), {4: "\xb5V"}, "in the field Physical Dimension"),
    ],
)
def test_what_breaks_a_rule_is_refused_in_a_line(
    tmp_path: Path, times: list[Any], notes: list[str], fields: dict[int, str], words: str
) -> None:
    write(tmp_path / "a.edf", made(2), times, notes, fields=fields)
    with pytest.raises(InputError) as caught:
        loaded(tmp_path / "a.edf")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "+2" not in str(caught.value)


@pytest.mark.parametrize("seconds", [b"0", b"-2", b"abc", b""])
def test_a_duration_that_is_none_is_refused(tmp_path: Path, seconds: bytes) -> None:
    write(tmp_path / "a.edf", made(2), [0, 2])
    content = bytearray((tmp_path / "a.edf").read_bytes())
    content[244:252] = seconds.ljust(8)
    (tmp_path / "a.edf").write_bytes(content)
    with pytest.raises(InputError, match="in the field duration"):
        loaded(tmp_path / "a.edf")


def test_blocks_of_data_records_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.edf", made(7), [0, 2, 4, 7, 9, 11, 13])
    whole = loaded(tmp_path / "a.edf").train.x
    monkeypatch.setattr(edf_gaps, "CHUNK_BYTES", 400)
    assert (loaded(tmp_path / "a.edf").train.x == whole).all()


def test_annotations_go_by_the_clock_of_the_data_record_that_they_are_in(tmp_path: Path) -> None:
    # Each data record begins 0.4 samples late, which is no gap. After fifty of them that is two windows of ten samples.
    times = [f"+{2.04 * number:.2f}\x14\x14\0" for number in range(100)]
    notes = ["+0\x15102\x14rest\x14\0", "+102\x15102\x14work\x14\0"]
    write(tmp_path / "a.edf", made(100), times, notes)
    data = loaded(tmp_path / "a.edf", window=10, class_names=("rest", "work"))
    assert data.train.y is not None
    assert data.train.y.tolist() == [0] * 100 + [1] * 100


def test_an_annotation_that_ends_in_a_gap_says_nothing_of_the_data_record_behind_it(tmp_path: Path) -> None:
    # Ten records that are late add up to four samples. The gap behind them is of two samples by the clock.
    times = [2.04 * number for number in range(10)]
    marks = [f"+{time:.2f}\x14\x14\0" for time in (*times, 20.6)]
    write(tmp_path / "a.edf", made(11), marks, ["+0\x1520.5\x14rest\x14\0", "+20.6\x152\x14work\x14\0"])
    data = loaded(tmp_path / "a.edf", window=2, class_names=("rest", "work"))
    assert data.train.y is not None
    assert data.train.y.tolist() == [0] * 100 + [1] * 10
