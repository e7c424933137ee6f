"""Kinds of WFDB recordings: several samples a frame, clocks, segments, gaps, compressed signals, leads and units."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data import beats, wfdb_records
from gossamer.data.beats import GAPS, KaggleLayout, Recording, WindowLayout, label_symbols
from gossamer.data.catalogue import describe, load_records
from gossamer.data.mitdb import _note_on_leads
from gossamer.data.r_peaks import find_r_peaks
from gossamer.data.reading import SeriesReading
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.wfdb_annotations import BEAT_CODES, read_annotations
from gossamer.data.wfdb_folder import STRAYS, load_wfdb_folder
from gossamer.data.wfdb_headers import find_recordings
from gossamer.data.wfdb_records import MainLead, NamedLeads, read_annotated, read_signal
from gossamer.errors import InputError

RATE = 360
PEAKS = np.arange(200, 3400, 300)
II = NamedLeads(names=("II",))
SAMPLES = os.environ.get("GOSSAMER_WFDB_SAMPLES")


def made(num_samples: int = 3600, height: float = 1.188, width: float = 2.0) -> np.ndarray:
    """Thin R peaks of this height in millivolts, (time,)."""
    times = np.arange(num_samples)
    return sum(height * np.exp(-0.5 * ((times - peak) / width) ** 2) for peak in PEAKS)


def write(folder: Path, name: str, lines: list[str], signals: np.ndarray, *, forms: str = "100") -> None:
    """A header of these lines after the first, and 16-bit samples in the order of the file, as NAME.dat."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_text("\n".join([f"{name} {forms}", *lines]) + "\n")
    signals.astype("<i2").tofile(folder / f"{name}.dat")


def plain(folder: Path, name: str, values: np.ndarray, lead: str = "II", unit: str = "mV", more: str = "") -> None:
    """One signal of 1000 steps a unit."""
    line = f"{name}.dat 16 1000(0)/{unit} 16 0 0 0 0 {lead}"
    second = [f"{name}.dat 16 1000(0)/mV 16 0 0 0 0 {more}"] if more else []
    digits = np.where(np.isnan(values), -32768, np.rint(values * 1000))
    both = np.stack([digits, digits // 2], axis=1) if more else digits
    write(folder, name, [line, *second], both, forms=f"{1 + len(second)} {RATE} {len(values)}")


def annotate(folder: Path, name: str, ticks: np.ndarray = PEAKS, ending: str = "atr", clock: str = "") -> None:
    """Normal beats, in bytes: each a skip of four bytes and a word, and at time 0 the clock if there is one."""
    note = f"## time resolution: {clock}".encode()
    head = bytes([0, 22 << 2, len(note), 63 << 2]) + note + bytes(len(note) % 2) if clock else b""
    steps = np.diff(ticks, prepend=0).tolist()
    words = [bytes([0, 59 << 2, step >> 16 & 255, step >> 24, step & 255, step >> 8 & 255, 0, 4]) for step in steps]
    (folder / f"{name}.{ending}").write_bytes(head + b"".join(words) + bytes(2))


def test_samples_of_a_frame_are_read_one_by_one_and_not_averaged(tmp_path: Path) -> None:
    values = made()
    digits = np.rint(values * 1000)
    frames = np.concatenate([digits.reshape(-1, 8), np.zeros((450, 1))], axis=1)
    lines = ["m.dat 16x8 1000(0)/mV 16 0 0 0 0 II", "m.dat 16 1000(0)/mV 16 0 0 0 0 RESP"]
    write(tmp_path, "m", lines, frames, forms=f"2 {RATE // 8} 450")
    # Without a clock of its own an annotation counts frames, not samples.
    annotate(tmp_path, "m", PEAKS // 8)
    found = read_annotated(tmp_path, "m", II, "atr")
    assert found.sample_rate == RATE
    np.testing.assert_allclose(found.signal[:, 0], values, atol=5.1e-4)
    assert found.signal.max() == pytest.approx(1.188)
    assert found.peaks.tolist() == (PEAKS // 8 * 8).tolist()
    assert read_signal(tmp_path, "m", NamedLeads(names=("RESP",))).sample_rate == RATE / 8


def test_the_average_over_a_frame_would_be_seen(tmp_path: Path) -> None:
    import wfdb

    test_samples_of_a_frame_are_read_one_by_one_and_not_averaged(tmp_path)
    assert np.max(wfdb.rdrecord(str(tmp_path / "m")).p_signal) < 0.8


def test_signals_of_two_rates_are_refused(tmp_path: Path, refusal: Any) -> None:
    test_samples_of_a_frame_are_read_one_by_one_and_not_averaged(tmp_path)
    assert "360 and 45 samples a second" in refusal(read_signal, tmp_path, "m", NamedLeads(names=("II", "RESP")))


@pytest.mark.parametrize(("clock", "factor"), [("", 1), ("360", 1), ("1440", 4), ("90.0", 0.25), ("1000", 1000 / 360)])
def test_an_annotation_file_with_a_clock_of_its_own_is_converted(tmp_path: Path, clock: str, factor: float) -> None:
    plain(tmp_path, "m", made())
    annotate(tmp_path, "m", np.rint(PEAKS * factor).astype(int), clock=clock)
    found = read_annotated(tmp_path, "m", II, "atr")
    assert found.peaks.tolist() == PEAKS.tolist()
    assert (found.signal[found.peaks, 0] > 1.18).all()


def test_annotations_are_read_as_the_package_reads_them(tmp_path: Path) -> None:
    import wfdb

    symbols = ["N", "+", "A", "V", "F", "/", "~", "N", "L", "r", "?", "B", "e", "j", "n", "a", "J", "S", "E", "f", "Q"]
    ticks = np.cumsum(np.arange(len(symbols)) * 700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        notes = ["(AFIB"] * len(symbols)
        wfdb.wrann("m", "atr", ticks, symbol=symbols, aux_note=notes, fs=250, write_dir=str(tmp_path))
        theirs = wfdb.rdann(str(tmp_path / "m"), "atr")
    # The first is the note that holds the clock.
    ours = read_annotations(tmp_path / "m.atr")
    assert ours.ticks[1:].tolist() == theirs.sample.tolist() == ticks.tolist()
    assert ours.labels[1:].tolist() == label_symbols(symbols).tolist()
    assert ours.clock == theirs.fs == 250
    assert set(BEAT_CODES) == set("".join(beats.AAMI_SYMBOLS))


def test_two_clocks_are_refused(tmp_path: Path, refusal: Any) -> None:
    annotate(tmp_path, "m", clock="360")
    annotate(tmp_path, "n", clock="250")
    (tmp_path / "m.atr").write_bytes((tmp_path / "m.atr").read_bytes()[:28] + (tmp_path / "n.atr").read_bytes())
    assert "two time resolutions" in refusal(read_annotations, tmp_path / "m.atr")


def segmented(folder: Path) -> np.ndarray:
    """A recording of variable layout: II and V, a gap, V alone, and II and V. Return II with NaN where it lacks."""
    values = made()
    plain(folder, "s1", values[:1200], more="V")
    plain(folder, "s2", values[1500:2000], lead="V")
    plain(folder, "s3", values[2000:], more="V")
    (folder / "lay.hea").write_text(f"lay 2 {RATE} 0\n~ 0 1000/mV 16 0 0 0 0 II\n~ 0 1000/mV 16 0 0 0 0 V\n")
    lines = ["lay 0", "s1 1200", "~ 300", "s2 500", "s3 1600"]
    (folder / "m.hea").write_text("\n".join([f"m/5 2 {RATE} 3600", *lines]) + "\n")
    annotate(folder, "m")
    return np.where((np.arange(3600) >= 1200) & (np.arange(3600) < 2000), np.nan, values)


def test_segments_of_variable_layout_are_joined_with_gaps(tmp_path: Path) -> None:
    import wfdb

    values = segmented(tmp_path)
    assert find_recordings(tmp_path) == ["m"]
    found = read_signal(tmp_path, "m", II)
    np.testing.assert_allclose(found.values[:, 0], values, atol=5.1e-4)
    theirs = wfdb.rdrecord(str(tmp_path / "m"), channels=[0, 1], smooth_frames=False).e_p_signal
    both = read_signal(tmp_path, "m", NamedLeads(names=("II", "V"))).values
    np.testing.assert_allclose(both, np.stack(theirs, axis=1), atol=1e-6)


def test_segments_of_fixed_layout_are_joined(tmp_path: Path) -> None:
    values = made()
    plain(tmp_path, "s1", values[:1800])
    plain(tmp_path, "s2", values[1800:])
    (tmp_path / "m.hea").write_text(f"m/2 1 {RATE} 3600\ns1 1800\ns2 1800\n")
    annotate(tmp_path, "m")
    assert find_recordings(tmp_path) == ["m"]
    np.testing.assert_allclose(read_signal(tmp_path, "m", II).values[:, 0], values, atol=5.1e-4)
    assert load_wfdb_folder(tmp_path).train.num_records == len(PEAKS) - 1


@pytest.mark.parametrize(
    ("name", "old", "new", "word"),
    [
        ("m", "m/5 2 360 3600", "m/5 2 360 3700", "not as many or not as long"),
        ("s1", "1200", "1100", "another length or rate"),
        ("s1", "360", "250", "another length or rate"),
        ("s1", "/mV", "/mmHg", "another unit"),
    ],
)
def test_segments_that_do_not_fit_are_refused(
    tmp_path: Path, refusal: Any, name: str, old: str, new: str, word: str
) -> None:
    segmented(tmp_path)
    header = tmp_path / f"{name}.hea"
    header.write_text(header.read_text().replace(old, new))
    assert word in refusal(read_signal, tmp_path, "m", II)


def test_a_segmented_recording_is_described_without_the_beats_that_reach_into_gaps(tmp_path: Path) -> None:
    segmented(tmp_path)
    found = describe(load_wfdb_folder(tmp_path))
    # Peaks at 200, 500, 800, 1100, 1400, ...: with T = 300 samples a beat takes 360 samples from its peak on, and the
    # filter reaches 29 more. The last beat is dropped.
    kept = [peak for peak in PEAKS[:-1] if peak + 360 + 29 < 1200 or peak - 29 > 2000]
    assert found["num_records"] == len(kept)
    assert found["private"]["left_out"] == {GAPS: len(PEAKS) - 1 - len(kept)}


@pytest.mark.parametrize("layout", [KaggleLayout(), WindowLayout()], ids=["kaggle", "window"])
@pytest.mark.parametrize("place", [210, 1234, 2290])
def test_one_missing_sample_leaves_out_the_beats_near_it_and_changes_no_other(layout: Any, place: int) -> None:
    signal = np.random.default_rng(3).normal(size=(3600, 2))
    whole = Recording(
        name="r", signal=signal, sample_rate=360.0, peaks=PEAKS, labels=np.arange(len(PEAKS), dtype=np.int64) % 5
    )
    broken = signal.copy()
    broken[place, 1] = np.nan
    x, _ = layout.cut(whole)
    kept, labels = layout.cut(dataclasses.replace(whole, signal=broken))
    same = [index for index, beat in enumerate(x) if any(np.array_equal(beat, other) for other in kept)]
    assert len(same) == len(kept) == len(labels) < len(x)
    assert len(kept) >= len(x) - 3
    assert np.isfinite(kept).all()


def test_a_filter_that_mixes_a_missing_sample_unseen_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "_FILTER_REACH", 0)
    # A beat from 860 takes 360 samples: this one comes just after its end, within the reach of the filter.
    with pytest.raises(AssertionError):
        test_one_missing_sample_leaves_out_the_beats_near_it_and_changes_no_other(KaggleLayout(), 863)


def test_from_one_side_of_a_gap_to_the_other_is_no_interval() -> None:
    peaks = np.array([100, 400, 3000, 3300])
    signal = np.zeros((3600, 1))
    signal[800:2900] = np.nan
    given = Recording(name="r", signal=signal, sample_rate=360.0, peaks=peaks, labels=np.zeros(4, np.int64))
    lengths = beats._nearby_intervals(given) * 360
    assert lengths.tolist() == pytest.approx([300, 300, 300])


def test_r_peaks_are_found_between_missing_samples() -> None:
    values = made(width=5.0)
    values[1250] = np.nan
    found = find_r_peaks(values, 360.0)
    assert all(np.abs(found - peak).min() < 10 for peak in PEAKS if peak not in (1100, 1400))
    assert find_r_peaks(np.full(3600, np.nan), 360.0).size == 0


def folder_of(root: Path, firsts: dict[str, str], **kind: str) -> Path:
    for name, lead in firsts.items():
        plain(root, name, made(), lead=lead, **kind)
        annotate(root, name)
    return root


def test_first_signals_that_differ_are_refused_with_those_that_all_have(tmp_path: Path, refusal: Any) -> None:
    folder_of(tmp_path, {"100": "MLII", "201": "MLII"}, more="V5")
    folder_of(tmp_path, {"114": "V5"}, more="MLII")
    message = refusal(load_records, tmp_path)
    assert "--channel-names. All recordings have: 'MLII', 'V5'" in message
    chosen = SeriesReading(leads=NamedLeads(names=("mlii",)))
    data = load_records(tmp_path, reading=chosen)
    first, of_114, last = data.train.x[0], data.train.x[10], data.train.x[20]
    np.testing.assert_array_equal(first, last)
    np.testing.assert_allclose(first, of_114, atol=0.01)
    assert any("mlii (mV), named by the user" in note for note in data.public_notes)


def test_no_signal_in_all_recordings_is_said(tmp_path: Path, refusal: Any) -> None:
    folder_of(tmp_path, {"100": "MLII", "114": "V5"})
    assert "No signal is in all recordings" in refusal(load_records, tmp_path)
    assert "114'.hea has no signal 'MLII'" in refusal(load_wfdb_folder, tmp_path, leads=NamedLeads(names=("MLII",)))


def test_a_first_signal_that_all_share_is_called_by_its_name_and_nobody_is_said_to_have_named_it(tmp_path) -> None:
    data = load_records(folder_of(tmp_path, {"100": "MLII", "201": "mlii"}))
    assert data.train.spec.channel_names == ("MLII",)
    assert any("which nobody chose" in note for note in data.public_notes)
    assert not any("named by the user" in note for note in data.public_notes)


def test_mitdb_says_which_recordings_have_no_mlii() -> None:
    assert "V5 in the recordings 102 and 104" in _note_on_leads(MainLead(preferred="MLII"))
    assert _note_on_leads(NamedLeads(names=("V1",))) == "The signals were named by the user."


def test_a_signal_file_that_no_header_names_is_passed_over_and_counted(tmp_path: Path) -> None:
    folder_of(tmp_path, {"100": "MLII"})
    (tmp_path / "notes.dat").write_bytes(b"not a recording")
    assert describe(load_records(tmp_path))["private"]["left_out"] == {STRAYS: 1}


def test_annotations_of_another_ending(tmp_path: Path, refusal: Any) -> None:
    folder_of(tmp_path, {"100": "MLII"})
    annotate(tmp_path, "100", PEAKS[:4], ending="qrs")
    reading = SeriesChoice(annotator="qrs").reading(str(tmp_path))
    assert load_records(tmp_path, reading=reading).train.num_records == 3
    assert "--annotator is the ending" in refusal(load_wfdb_folder, tmp_path, annotator="../100")
    assert "annotations are published" in refusal(load_records, "mitdb", None, None, reading)
    assert "do not fit" in refusal(load_records, "digits", None, None, reading)


def test_a_unit_other_than_a_voltage_is_kept_if_somebody_names_the_signal(tmp_path: Path, refusal: Any) -> None:
    folder_of(tmp_path, {"100": "ABP"}, unit="mmHg")
    leads = NamedLeads(names=("ABP",))
    assert read_signal(tmp_path, "100", leads).units == ("mmHg",)
    assert "no voltage" in refusal(load_wfdb_folder, tmp_path)
    assert "give --low and --high" in refusal(load_wfdb_folder, tmp_path, leads=leads, layout=WindowLayout())
    data = load_wfdb_folder(tmp_path, leads=leads, layout=WindowLayout(low=-100.0, high=100.0))
    assert any("ABP (mmHg)" in note for note in data.public_notes)
    folder_of(tmp_path, {"101": "ABP"}, unit="kPa")
    assert "one unit in some recordings" in refusal(load_wfdb_folder, tmp_path, leads=leads)


@pytest.mark.parametrize(("unit", "scale"), [("uV", 1e-3), ("V", 1e3), ("mV", 1.0)])
def test_every_voltage_is_read_in_millivolts(tmp_path: Path, unit: str, scale: float) -> None:
    plain(tmp_path, "m", made(), unit=unit)
    found = read_signal(tmp_path, "m", II)
    assert found.units == ("mV",)
    assert found.values.max() == pytest.approx(1.188 * scale)


@pytest.mark.parametrize(("form", "kind"), [("508", "PCM_S8"), ("516", "PCM_16"), ("524", "PCM_24")])
def test_compressed_signals_are_read(tmp_path: Path, form: str, kind: str) -> None:
    import soundfile

    digits = np.rint(made() * 50).astype(np.int32)
    bits = {"508": 24, "516": 16, "524": 8}[form]
    path = tmp_path / "m.dat"
    soundfile.write(path, digits << bits, 96000, subtype=kind, format="FLAC")
    (tmp_path / "m.hea").write_text(f"m 1 {RATE} 3600\nm.dat {form} 50(0)/mV 8 0 0 0 0 II\n")
    np.testing.assert_allclose(read_signal(tmp_path, "m", II).values[:, 0], digits / 50)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError):
        read_signal(tmp_path, "m", II)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("unit", ["\u00b5V", "\u03bcV"])
def test_a_unit_beyond_ascii_is_read_as_it_was_written(tmp_path: Path, unit: str, encoding: str) -> None:
    """wfdb drops the letter, and V in place of a micro sign makes values a million times too large."""
    if encoding == "latin-1" and unit[0] == "\u03bc":
        pytest.skip("Latin-1 has no Greek letters")
    plain(tmp_path, "a", made(), unit="mV")
    header = tmp_path / "a.hea"
    header.write_bytes(header.read_text().replace("1000(0)/mV", f"1(0)/{unit}").encode(encoding))
    found = read_signal(tmp_path, "a", II)
    assert found.units == ("mV",)
    np.testing.assert_allclose(found.values[:, 0], made(), rtol=0, atol=1e-3)


@pytest.mark.skipif(SAMPLES is None, reason="GOSSAMER_WFDB_SAMPLES names no folder of the samples of wfdb-python")
def test_the_samples_of_the_package_are_read_as_it_reads_them_or_refused_with_a_way_out() -> None:
    folder = Path(SAMPLES or "")
    read, refused = {}, {}
    for path in sorted(folder.glob("*.hea")):
        for ending in sorted(file.suffix[1:] for file in folder.glob(f"{path.stem}.*") if _is_annotation(file)):
            try:
                read[f"{path.stem}.{ending}"] = _compared(folder, path.stem, ending)
            except InputError as error:
                refused[f"{path.stem}.{ending}"] = str(error)
    print(read, refused)
    assert {"100.atr", "100.qrs", "03700181.gqrsh", "03700181.gqrsl", "03700181.sqrs"} <= set(read)
    assert all(": " in message and "\n" not in message for message in refused.values())


def _is_annotation(path: Path) -> bool:
    return path.suffix in (".atr", ".qrs", ".wqrs", ".wabp", ".gqrsh", ".gqrsl", ".sqrs", ".anI")


def _compared(folder: Path, name: str, ending: str) -> int:
    import wfdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = wfdb.rdheader(str(folder / name))
    beats_found = 0
    for place, lead in enumerate(header.sig_name):
        found = read_annotated(folder, name, NamedLeads(names=(lead,)), ending)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = wfdb.rdrecord(str(folder / name), channels=[place], smooth_frames=False)
            notes = wfdb.rdann(str(folder / name), ending)
        scale = wfdb_records._MILLIVOLTS.get(str(header.units[place]).casefold(), 1.0)
        np.testing.assert_allclose(found.signal[:, 0], theirs.e_p_signal[0] * scale, rtol=0, atol=1e-6)
        is_beat = label_symbols([str(symbol) for symbol in notes.symbol]) >= 0
        seconds = notes.sample[is_beat] / notes.fs
        late = np.abs(found.peaks / found.sample_rate - seconds)
        # An annotation file may hold notes alone, as 12726.anI does.
        assert late.max(initial=0.0) <= 0.5 / found.sample_rate + 1e-9
        beats_found = len(found.peaks)
    return beats_found


def test_signals_without_a_name_are_told_apart_by_their_place(tmp_path: Path) -> None:
    values = made()
    both = np.stack([np.rint(values * 1000), np.rint(values * 500)], axis=1)
    write(tmp_path, "r", ["r.dat 16 1000(0)/mV 16 0 0 0 0"] * 2, both, forms=f"2 {RATE} {len(values)}")
    annotate(tmp_path, "r")
    second = read_signal(tmp_path, "r", NamedLeads(names=("signal 1",)))
    assert second.values.max() == pytest.approx(1.188 / 2, abs=1e-3)
