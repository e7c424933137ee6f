"""WFDB recordings cut in windows, without a beat; the classes of beats that a user names; and their private range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data import wfdb_windows, windows
from gossamer.data.beats import KaggleLayout, WindowLayout
from gossamer.data.catalogue import describe, load_records
from gossamer.data.reading import SeriesReading
from gossamer.data.series import SeriesSpec
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.wfdb_annotations import BEAT_CODES
from gossamer.data.windows import MISSING
from gossamer.errors import InputError
from gossamer.estimators import load_series
from gossamer.privacy.adjacency import Unit

RATE = 100
VALUES = np.random.default_rng(0).normal(size=(400, 2)).round(3)


def write(
    folder: Path, name: str, values: np.ndarray = VALUES, *, rate: int = RATE, names: str = "II V5", unit: str = "mV"
) -> None:
    """Two signals of 1000 steps a unit in 16 bits, as NAME.dat with its header. NaN is written as a missing sample."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} 2 {rate} {len(values)}"]
    lines += [f"{name}.dat 16 1000(0)/{unit} 16 0 0 0 0 {signal}" for signal in names.split()]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    np.where(np.isnan(values), -32768, np.rint(values * 1000)).astype("<i2").tofile(folder / f"{name}.dat")


def annotate(folder: Path, name: str, beats: list[tuple[int, str]], ending: str = "atr") -> None:
    """Beats, (sample, symbol), less than 1024 samples apart."""
    content, now = b"", 0
    for sample, symbol in beats:
        word = BEAT_CODES[symbol] << 10 | (sample - now)
        content, now = content + word.to_bytes(2, "little"), sample
    (folder / f"{name}.{ending}").write_bytes(content + bytes(2))


def loaded(path: Path, **said: Any) -> Any:
    choice = {"low": (-4.0,), "high": (4.0,), "window": 50, **said}
    return load_records(path, reading=SeriesChoice(**choice).reading(str(path)))


def refused(path: Path, **said: Any) -> str:
    with pytest.raises(InputError) as caught:
        loaded(path, **said)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_recordings_are_cut_in_windows_without_an_annotation(tmp_path: Path) -> None:
    write(tmp_path, "100")
    write(tmp_path, "101", VALUES[::-1][:230])
    data = loaded(tmp_path, channel_names=("V5", "II"), stride=25)
    assert data.train.x.shape == (15 + 8, 2, 50)
    for place, window in enumerate(data.train.x[:15].numpy()):
        expected = VALUES[25 * place : 25 * place + 50, ::-1].T
        np.testing.assert_allclose(window, (expected + 4) / 8, atol=1e-6)
    np.testing.assert_allclose(data.train.x[15, 1], (VALUES[::-1][:50, 0] + 4) / 8, atol=1e-6)
    spec = data.train.spec
    assert isinstance(spec, SeriesSpec)
    assert (spec.channel_names, spec.units, spec.sample_rate) == (("V5", "II"), ("mV", "mV"), 100.0)
    assert data.train.y is None
    assert spec.class_names == ()
    assert any("windows of 50 samples, one every 25" in note for note in data.public_notes)
    assert any("V5 (mV), II (mV), named by the user" in note for note in data.public_notes)
    assert not any("AAMI" in note for note in data.public_notes)


def test_the_first_signal_is_taken_if_nobody_names_one(tmp_path: Path) -> None:
    write(tmp_path, "100")
    assert loaded(tmp_path).train.spec.channel_names == ("II",)
    write(tmp_path, "101", names="V5 II")
    assert "All recordings have: 'II', 'V5'" in refused(tmp_path)


def with_gaps(folder: Path) -> np.ndarray:
    """Two segments, 70 samples apart, and an invalid sample in the second. Return II with NaN where it lacks."""
    second = VALUES[200:].copy()
    second[120, 1] = np.nan
    write(folder, "s1", VALUES[:200])
    write(folder, "s2", second)
    (folder / "m.hea").write_text(f"m/3 2 {RATE} 470\ns1 200\n~ 70\ns2 200\n")
    gap = np.full((70, 2), np.nan)
    return np.concatenate([VALUES[:200], gap, second])


def test_gaps_and_missing_samples_stand_in_no_window(tmp_path: Path) -> None:
    values = with_gaps(tmp_path)
    data = loaded(tmp_path, channel_names=("II", "V5"))
    starts = [start for start in range(0, 450, 50) if np.isfinite(values[start : start + 50]).all()]
    assert starts == [0, 50, 100, 150, 300, 400]
    expected = np.stack([values[start : start + 50].T for start in starts])
    np.testing.assert_allclose(data.train.x, (expected + 4) / 8, atol=1e-6)
    assert data.left_out[MISSING] == 3
    assert (data.usual_unit, data.train.num_people) == (Unit.RECORDING, 1)
    # The first channel alone has that sample.
    assert loaded(tmp_path, channel_names=("II",)).left_out[MISSING] == 2


def test_gaps_that_are_filled_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = windows.cut
    monkeypatch.setattr(windows, "cut", lambda values, rule: cut(np.nan_to_num(values), rule))
    with pytest.raises(AssertionError):
        test_gaps_and_missing_samples_stand_in_no_window(tmp_path)


def test_people_are_sub_folders_or_a_table_and_else_recordings_are_told_apart(tmp_path: Path) -> None:
    for person, name in (("anna", "1"), ("anna", "2"), ("berta", "1")):
        write(tmp_path / "folders" / person, name)
        write(tmp_path / "table", f"{person}{name}")
    data = loaded(tmp_path / "folders")
    assert (data.usual_unit, data.train.owners, data.train.num_people) == (Unit.PERSON, Unit.PERSON, 2)
    alone = loaded(tmp_path / "table")
    assert (alone.usual_unit, alone.train.owners, alone.train.num_people) == (Unit.RECORDING, Unit.RECORDING, 3)
    (tmp_path / "table" / "people.csv").write_text("anna1,anna\nanna2,anna\nberta1,berta\n", encoding="utf-8")
    assert (loaded(tmp_path / "table").usual_unit, loaded(tmp_path / "table").train.num_people) == (Unit.PERSON, 2)


def test_a_recording_without_a_window_keeps_its_slot_and_names_tell_recordings_apart(tmp_path: Path) -> None:
    write(tmp_path, "100")
    write(tmp_path, "101", VALUES[:20])
    assert loaded(tmp_path).train.num_people == 2
    write(tmp_path, "0100")
    assert "two recordings have the name '100'" in refused(tmp_path)


def test_recordings_of_two_rates_are_refused_and_a_stated_rate_is_checked(tmp_path: Path) -> None:
    write(tmp_path, "100")
    assert loaded(tmp_path, sample_rate=100.0).train.spec.sample_rate == 100.0
    assert "have 100 samples a second" in refused(tmp_path, sample_rate=250.0)
    write(tmp_path, "101", rate=250)
    assert "have 100, 250 samples a second" in refused(tmp_path)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"low": (), "high": ()}, "give public bounds of the values in mV"),
        ({"class_names": ("N", "V")}, "windows, which have no classes: leave --class-names out"),
        ({"units": ("uV",)}, "leave --units out"),
        ({"annotator": "qrs"}, "windows are cut without annotations"),
        ({"person_column": "who"}, "have no columns"),
        ({"window": None}, "--window cuts without beats"),
        ({"window": 5000}, "smaller --window"),
        ({"channel_names": ("V9",)}, "no signal 'V9'"),
        ({"window": None, "low": (), "high": ()}, "cut windows without annotations (--window)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(tmp_path: Path, said: dict[str, Any], words: str) -> None:
    write(tmp_path, "100")
    assert words in refused(tmp_path, **said)


def test_a_unit_other_than_a_voltage_is_read_if_the_signal_was_named(tmp_path: Path) -> None:
    write(tmp_path, "100", unit="mmHg")
    assert "which is no voltage" in refused(tmp_path)
    assert "in mmHg" in refused(tmp_path, channel_names=("II",), low=(), high=())
    assert loaded(tmp_path, channel_names=("II",)).train.spec.units == ("mmHg",)


def test_one_recording_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next recording is read when the windows of the one before are cut."""
    for name in ("1", "2", "3"):
        write(tmp_path, name)
    events: list[str] = []
    read, cut = wfdb_windows.read_signal, windows.cut
    monkeypatch.setattr(wfdb_windows, "read_signal", lambda *given: events.append("read") or read(*given))
    monkeypatch.setattr(windows, "cut", lambda *given: events.append("cut") or cut(*given))
    loaded(tmp_path)
    assert events == ["read", "cut"] * 3


def test_python_cuts_as_the_command_does(tmp_path: Path) -> None:
    write(tmp_path, "100")
    found = load_series(tmp_path, window=50, low=-4, high=4)
    assert (found.train.x == loaded(tmp_path).train.x).all()


# ---- beats ----------------------------------------------------------------------------------------------------------

SYMBOLS = "NVNNSVNNVN"


def with_beats(folder: Path, name: str = "100", symbols: str = SYMBOLS, ending: str = "atr") -> None:
    write(folder, name, np.random.default_rng(1).normal(size=(1200, 2)).round(3))
    annotate(folder, name, [(100 + 100 * place, symbol) for place, symbol in enumerate(symbols)], ending)


def beats(path: Path, **said: Any) -> Any:
    return load_records(path, reading=SeriesChoice(layout="window", length=50, **said).reading(str(path)))


def test_classes_that_were_named_are_kept_in_their_order_and_the_others_counted(tmp_path: Path) -> None:
    with_beats(tmp_path)
    everything, some = beats(tmp_path), beats(tmp_path, class_names=("V", "N"))
    assert everything.train.spec.class_names == ("N", "S", "V", "F", "Q")
    assert some.train.spec.class_names == ("V", "N")
    y = everything.train.y
    assert y is not None
    assert some.train.y is not None
    assert some.train.y.tolist() == [{2: 0, 0: 1}[label] for label in y.tolist() if label in (0, 2)]
    assert (some.train.x == everything.train.x[y != 1]).all()
    assert describe(some)["private"]["left_out"] == {"beats of classes that were not named": 1}
    assert any("those of AAMI that the user named; beats of others were left out" in note for note in some.public_notes)
    with pytest.raises(InputError, match="give some of N, S, V, F, Q as --class-names"):
        beats(tmp_path, class_names=("N", "normal"))
    with pytest.raises(InputError, match="all others are of classes that were not named"):
        beats(tmp_path, class_names=("Q",))


def test_a_person_without_a_beat_of_these_classes_keeps_the_slot(tmp_path: Path) -> None:
    with_beats(tmp_path / "anna")
    with_beats(tmp_path / "berta", symbols="NNNNNNN")
    assert beats(tmp_path, class_names=("V",)).train.num_people == 2


def test_the_owner_alone_is_told_of_classes_without_a_beat(tmp_path: Path) -> None:
    with_beats(tmp_path)
    found = describe(beats(tmp_path))
    (said,) = [line for line in found["private"]["warnings"] if "No record is of the classes" in line]
    assert "F, Q" in said
    assert "--class-names" in said
    assert not any("F, Q" in line for line in found["public"])
    some = describe(beats(tmp_path, class_names=("N", "V")))["private"]["warnings"]
    assert not any("No record" in line for line in some)


NARROW = WindowLayout(length=50, sample_rate=100.0, before=25, low=-1.0, high=0.5)


@pytest.mark.parametrize("layout", [KaggleLayout(length=50, sample_rate=100.0), NARROW])
def test_the_private_range_of_beats_is_counted_before_they_are_clipped(tmp_path: Path, layout: Any) -> None:
    with_beats(tmp_path)
    data = load_records(tmp_path, reading=SeriesReading(facts=SeriesFacts(), layout=layout))
    (found,) = describe(data)["private"]["values"]
    low, high = layout.bounds
    assert (found["low"], found["high"]) == (low, high)
    if isinstance(layout, KaggleLayout):
        assert (found["share_below"], found["share_above"], found["least"], found["greatest"]) == (0.0, 0.0, 0.0, 1.0)
        return
    signal = np.random.default_rng(1).normal(size=(1200, 2)).round(3)[:, 0]
    own = np.stack([signal[peak - 25 : peak + 25] for peak in range(100, 1100, 100)])
    own -= np.median(own, axis=1, keepdims=True)
    for key, value in (("least", own.min()), ("greatest", own.max()), ("mean", own.mean())):
        assert found[key] == pytest.approx(value, abs=1e-9)
    assert found["share_below"] == pytest.approx((own < low).mean())
    assert found["share_above"] == pytest.approx((own > high).mean())
    assert found["share_above"] > 0.1


def test_a_range_of_clipped_beats_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = WindowLayout.beats
    clipped = lambda layout, recording: (np.clip(whole(layout, recording)[0], -1, 0.5), whole(layout, recording)[1])  # noqa: E731
    monkeypatch.setattr(WindowLayout, "beats", clipped)
    with pytest.raises(AssertionError):
        test_the_private_range_of_beats_is_counted_before_they_are_clipped(tmp_path, NARROW)


@pytest.mark.parametrize("read", [load_records, load_series])
def test_python_takes_the_ending_of_the_annotation_files(tmp_path: Path, read: Any) -> None:
    with_beats(tmp_path, ending="qrs")
    assert read(tmp_path, annotator="qrs").train.num_records == 9
    with pytest.raises(InputError, match=r"100\.atr' does not exist"):
        read(tmp_path)


@pytest.mark.parametrize("place", ["people.csv", "anna/people.csv"])
def test_a_table_of_people_beside_a_folder_for_each_is_refused(tmp_path: Path, place: str) -> None:
    for person in ("anna", "bert"):
        write(tmp_path / person, "100")
    assert loaded(tmp_path).train.num_people == 2
    (tmp_path / place).write_text("100,carl\n")
    assert "names people, and so do the sub-folders" in refused(tmp_path)
    assert "carl" not in refused(tmp_path)


def test_a_named_signal_of_which_a_recording_has_two_is_refused_and_not_guessed(tmp_path: Path) -> None:
    write(tmp_path, "100", names="ECG ECG")
    first = loaded(tmp_path).train.x[0, 0].numpy()
    np.testing.assert_allclose(first, (VALUES[:50, 0] + 4) / 8, atol=1e-6)
    assert "has several signals 'ecg'" in refused(tmp_path, channel_names=("ecg",))
