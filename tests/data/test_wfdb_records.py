"""WFDB recordings: read as they were written, and refused in one line when they are not whole."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from gossamer.data.beats import KaggleLayout
from gossamer.data.wfdb_folder import load_wfdb_folder
from gossamer.data.wfdb_records import MainLead, NamedLeads, find_recordings, read_annotated, read_signal

RATE = 360
PEAKS = np.arange(200, 3400, 300)
SYMBOLS = ["N", "+", "A", "V", "F", "/", "~", "N", "L", "N", "N"]
FIRST = MainLead(preferred="ECG")


def write_recording(folder: Path, name: str = "100", *, leads: tuple[str, ...] = ("MLII", "V5")) -> np.ndarray:
    """A recording of ten seconds with eleven annotations, and the millivolts in it."""
    folder.mkdir(parents=True, exist_ok=True)
    times = np.arange(10 * RATE)
    beat = sum(np.exp(-0.5 * ((times - peak) / 5.0) ** 2) for peak in PEAKS)
    values = np.stack([beat * (1 + channel) for channel in range(len(leads))], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb

        wfdb.wrsamp(
            name, fs=RATE, units=["mV"] * len(leads), sig_name=list(leads), p_signal=values,
            fmt=["212"] * len(leads), adc_gain=[200.0] * len(leads), baseline=[0] * len(leads), write_dir=str(folder),
        )  # fmt: skip
        wfdb.wrann(name, "atr", sample=PEAKS, symbol=SYMBOLS, write_dir=str(folder))
    return values


@pytest.fixture
def folder(tmp_path) -> Path:
    write_recording(tmp_path / "mine")
    return tmp_path / "mine"


def test_a_recording_is_read_as_it_was_written(folder) -> None:
    values = write_recording(folder)
    signal = read_signal(folder, "100", NamedLeads(names=("v5", "MLII")))
    assert (signal.name, signal.sample_rate) == ("100", 360.0)
    np.testing.assert_allclose(signal.values, values[:, ::-1], atol=0.5 / 200)


def test_annotations_become_classes_and_what_is_no_beat_is_left_out(folder) -> None:
    recording = read_annotated(folder, "100", FIRST, "atr")
    assert recording.labels.tolist() == [0, 1, 2, 3, 4, 0, 0, 0, 0]
    assert recording.peaks.tolist() == [int(peak) for peak, symbol in zip(PEAKS, SYMBOLS) if symbol not in "+~"]


def test_the_main_lead_is_the_preferred_one_or_else_the_first(folder) -> None:
    values = write_recording(folder)
    for preferred, column in (("v5", 1), ("V1", 0)):
        found = read_signal(folder, "100", MainLead(preferred=preferred)).values
        np.testing.assert_allclose(found[:, 0], values[:, column], atol=0.5 / 200)


def test_a_named_signal_that_is_missing_is_refused(folder, refusal) -> None:
    assert "no signal 'aVF'" in refusal(read_signal, folder, "100", NamedLeads(names=("aVF",)))


def test_a_truncated_signal_file_is_refused(folder, refusal) -> None:
    path = folder / "100.dat"
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut short" in refusal(read_signal, folder, "100", FIRST)


def test_a_missing_header_is_refused(folder, refusal) -> None:
    (folder / "100.hea").unlink()
    assert "NAME.hea with its NAME.dat is needed" in refusal(find_recordings, folder)


def test_a_recording_that_is_listed_and_absent_is_refused(folder, refusal) -> None:
    (folder / "RECORDS").write_text("100\n101\n")
    assert "101'.hea is missing" in refusal(find_recordings, folder)


@pytest.mark.parametrize("name", ["100.dat", "100.atr"])
def test_a_missing_file_is_refused(folder, refusal, name) -> None:
    (folder / name).unlink()
    assert "does not exist" in refusal(read_annotated, folder, "100", FIRST, "atr")


def test_an_annotation_past_the_end_is_refused(folder, refusal) -> None:
    header = folder / "100.hea"
    header.write_text(header.read_text().replace(" 3600", " 3000", 1))
    assert "annotation 10 lies past the end" in refusal(read_annotated, folder, "100", FIRST, "atr")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        # The package wfdb does not even parse a path; were it ever to, the reader would refuse it.
        ("100.dat", "../100.dat", "hea"),
        (" 3600", " 0", "how many samples"),
        (" 212 ", " 99 ", "format"),
        (" 212 ", " 516 ", "damaged"),
        ("/mV", "/mmHg", "no voltage"),
        ("100 2 360 3600", "", "damaged"),
    ],
)
def test_a_header_that_cannot_be_believed_is_refused(folder, refusal, old, new, word) -> None:
    header = folder / "100.hea"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new))
    assert word in refusal(read_signal, folder, "100", FIRST)


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"\xff" * 500, "ä".encode() * 40])
@pytest.mark.parametrize("suffix", ["hea", "atr"])
def test_noise_in_place_of_a_file_is_read_or_refused_in_one_line(folder, read_or_refused, content, suffix) -> None:
    (folder / f"100.{suffix}").write_bytes(content)
    read_or_refused(read_annotated, folder, "100", FIRST, "atr")


def test_an_empty_folder_is_refused(tmp_path, refusal) -> None:
    assert "no WFDB recording" in refusal(find_recordings, tmp_path)


def test_a_folder_without_a_word_on_people_names_nobody(folder) -> None:
    data = load_wfdb_folder(folder)
    assert data.train.people is None
    assert data.train.x.shape == (8, 1, 187)
    assert data.test is None


def test_people_come_from_a_table_beside_the_recordings(folder) -> None:
    write_recording(folder, "101")
    write_recording(folder, "102")
    (folder / "people.csv").write_text("100,anna\n102,anna\n101,bert\n")
    data = load_wfdb_folder(folder)
    assert data.train.people is not None
    assert data.train.people.tolist() == [0] * 8 + [1] * 8 + [0] * 8


def test_people_are_sub_folders(tmp_path) -> None:
    write_recording(tmp_path / "all/anna", "x")
    write_recording(tmp_path / "all/anna", "y")
    write_recording(tmp_path / "all/bert", "x")
    data = load_wfdb_folder(tmp_path / "all", leads=NamedLeads(names=("MLII", "V5")), layout=KaggleLayout())
    assert data.train.people is not None
    assert data.train.people.tolist() == [0] * 16 + [1] * 8
    assert data.train.x.shape == (24, 2, 187)


def test_folders_of_machines_are_no_people(tmp_path) -> None:
    write_recording(tmp_path / "all/anna", "x")
    for name in ("__MACOSX", "@eaDir"):
        (tmp_path / "all" / name).mkdir()
        (tmp_path / "all" / name / "._x.hea").write_bytes(b"not a header")
        (tmp_path / "all" / name / "x.hea").write_bytes(b"not a header")
    data = load_wfdb_folder(tmp_path / "all", leads=None)
    assert data.train.people is not None
    assert data.train.people.tolist() == [0] * 8
    assert any("__MACOSX" in note and "@eaDir" in note for note in data.public_notes)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ("100,anna\n", "nobody for the recording '101'"),
        ("100,anna\n101,bert\n101,carl\n", "second person"),
        ("100,anna\n101\n", "line 2"),
    ],
)
def test_a_table_of_people_that_does_not_decide_is_refused(folder, refusal, table, word) -> None:
    write_recording(folder, "101")
    (folder / "people.csv").write_text(table)
    assert word in refusal(load_wfdb_folder, folder)


def test_recordings_beside_sub_folders_are_refused(folder, refusal) -> None:
    write_recording(folder / "anna", "101")
    assert "sub-folder" in refusal(load_wfdb_folder, folder)


def test_a_recording_and_its_person_are_one_however_a_spreadsheet_wrote_them(folder) -> None:
    write_recording(folder, "101")
    write_recording(folder, "0102")
    text = "\ufeff100.0,7\n0101,8\n102,7.0\n101,8.00\n"
    (folder / "people.csv").write_text(text, encoding="utf-8")
    data = load_wfdb_folder(folder)
    assert data.train.people is not None
    # Sorted, 0102 comes first.
    assert data.train.people.tolist() == [0] * 16 + [1] * 8


def test_sub_folders_of_one_name_are_one_person(tmp_path) -> None:
    for name in ("7", "007", "8"):
        write_recording(tmp_path / "all" / name, "x")
    people = load_wfdb_folder(tmp_path / "all").train.people
    assert people is not None
    assert people.tolist() == [0] * 16 + [1] * 8


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ("100,nan\n", "people.csv': line 1 is empty"),
        ("100,anna\n7,1e300\n", "people.csv': line 2 is a number with a point or an exponent"),
        ("100,anna\n100.0,bert\n", "line 2 names a second person"),
    ],
)
def test_a_name_in_the_table_of_people_that_is_none_is_refused(folder, refusal, table, word) -> None:
    (folder / "people.csv").write_text(table)
    assert word in refusal(load_wfdb_folder, folder)


def test_recordings_that_the_table_cannot_tell_apart_are_refused(folder, refusal) -> None:
    write_recording(folder, "0100")
    (folder / "people.csv").write_text("100,anna\n0100,bert\n")
    assert "second person" in refusal(load_wfdb_folder, folder)
    (folder / "people.csv").write_text("100,anna\n")
    assert "'0100' and '100' have one name" in refusal(load_wfdb_folder, folder)
