"""EDF and BDF recordings: values as pyedflib reads them, people, channels, units, and refusals in a line."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest

from gossamer.data import edf_folder
from gossamer.data.catalogue import describe, load_records
from gossamer.data.reading import SeriesReading
from gossamer.data.series import SeriesSpec
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit
from gossamer.runs.edf_file import write_edf

SECRET = "Katharina"
BOUNDS = {"low": (-100.0,), "high": (100.0,)}


def _signal(label: str, rate: float = 100.0, unit: str = "uV", ends: tuple[float, float] = (-200.0, 200.0)) -> Any:
    return {
        "label": label, "dimension": unit, "sample_frequency": rate, "physical_min": ends[0], "physical_max": ends[1],
        "digital_min": -32768, "digital_max": 32767, "prefilter": "", "transducer": "",
    }  # fmt: skip


def _write(
    path: Path,
    signals: Sequence[Any],
    seconds: int = 4,
    seed: int = 0,
    notes: Sequence[tuple[float, float, str]] = (),
    kind: int = pyedflib.FILETYPE_EDFPLUS,
) -> list[np.ndarray]:
    """Write a recording of a named patient, and return its digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    digits = [rng.integers(-30_000, 30_000, int(one["sample_frequency"] * seconds)).astype(np.int32) for one in signals]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pyedflib.EdfWriter(str(path), len(signals), kind) as file:
            file.setSignalHeaders([dict(one) for one in signals])
            file.setPatientName(SECRET)
            file.setPatientCode("MCH-0234567")
            if notes:
                file.set_number_of_annotation_signals(len(notes))
            file.writeSamples(digits, digital=True)
            for note in notes:
                file.writeAnnotation(*note)
    return digits


def _reading(**said: Any) -> SeriesReading:
    window, stride = said.pop("window", 50), said.pop("stride", None)
    return SeriesReading(facts=SeriesFacts(**{**BOUNDS, **said}), windows=Windows(window=window, stride=stride))


def _refused(path: Path, reading: SeriesReading) -> str:
    with pytest.raises(InputError) as error:
        load_records(path, reading=reading)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert SECRET not in message
    assert "0234567" not in message
    return message


@pytest.mark.parametrize("kind", [pyedflib.FILETYPE_EDFPLUS, pyedflib.FILETYPE_EDF, pyedflib.FILETYPE_BDFPLUS])
def test_windows_have_the_physical_values_that_pyedflib_reads(tmp_path: Path, kind: int) -> None:
    ends = [(-200.0, 200.0), (-50.0, 150.0), (300.0, -300.0)]
    signals = [_signal(f"EEG {place}", ends=each) for place, each in enumerate(ends)]
    path = tmp_path / ("nächte" if kind else "") / "night.edf"
    _write(path, signals, kind=kind)
    data = load_records(path, reading=_reading(window=64, stride=32))
    with pyedflib.EdfReader(str(path)) as file:
        real = np.stack([file.readSignal(signal) for signal in range(3)])
    assert data.train.num_records == (400 - 64) // 32 + 1
    for place, window in enumerate(data.train.x.numpy()):
        expected = np.clip((real[:, 32 * place : 32 * place + 64] + 100) / 200, 0, 1)
        np.testing.assert_allclose(window, expected, atol=1e-6)
    spec = data.train.spec
    assert isinstance(spec, SeriesSpec)
    assert (spec.channel_names, spec.units) == (("EEG 0", "EEG 1", "EEG 2"), ("uV",) * 3)
    assert (spec.sample_rate, spec.low, spec.high) == (100.0, (-100.0,) * 3, (100.0,) * 3)


def test_the_private_range_is_in_the_units_of_the_file_and_counts_values_outside_the_bounds(tmp_path: Path) -> None:
    _write(tmp_path / "night.edf", [_signal("EEG")])
    with pyedflib.EdfReader(str(tmp_path / "night.edf")) as file:
        real = file.readSignal(0)
    (found,) = describe(load_records(tmp_path / "night.edf", reading=_reading()))["private"]["values"]
    assert (found["low"], found["high"]) == (-100.0, 100.0)
    for name, value in (("least", real.min()), ("greatest", real.max()), ("mean", real.mean())):
        assert found[name] == pytest.approx(value, abs=0.01)
    assert found["share_below"] == pytest.approx((real < -100).mean())
    assert found["share_above"] == pytest.approx((real > 100).mean())


def test_digits_taken_for_values_would_be_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = pyedflib.EdfReader.readSignal

    def digits(self: Any, place: int) -> np.ndarray:
        return read(self, place, digital=True).astype(float)

    monkeypatch.setattr(edf_folder, "read_edf_signals", lambda path, places: _digits_of(path, places, digits))
    with pytest.raises(AssertionError):
        test_windows_have_the_physical_values_that_pyedflib_reads(tmp_path, pyedflib.FILETYPE_EDFPLUS)


def _digits_of(path: Path, places: Sequence[int], digits: Any) -> Any:
    with pyedflib.EdfReader(str(path)) as file:
        yield from [digits(file, place) for place in places]


def test_the_unit_is_the_recording_unless_somebody_says_the_people(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _write(tmp_path / "all" / f"{name}.EDF", [_signal("ECG")], seed=ord(name))
    alone = load_records(tmp_path / "all", reading=_reading())
    assert (alone.usual_unit, alone.train.owners, alone.train.num_people) == (Unit.RECORDING, Unit.RECORDING, 3)
    (tmp_path / "all" / "people.csv").write_text("a,anna\nb,berta\nc,anna\n", encoding="utf-8")
    said = load_records(tmp_path / "all", reading=_reading())
    assert (said.usual_unit, said.train.num_people) == (Unit.PERSON, 2)
    assert said.train.people is not None
    assert said.train.people.tolist() == [0] * 8 + [1] * 8 + [0] * 8
    (tmp_path / "all" / "people.csv").write_text("a,anna\nb,berta\n", encoding="utf-8")
    assert "says nobody for the recording 'c'" in _refused(tmp_path / "all", _reading())
    (tmp_path / "all" / "people.csv").write_text("a.edf,anna\nb.edf,berta\nc.edf,anna\n", encoding="utf-8")
    assert "without the ending of the file" in _refused(tmp_path / "all", _reading())


def test_a_sub_folder_is_a_person(tmp_path: Path) -> None:
    for person, night in (("anna", "1"), ("anna", "2"), ("berta", "1")):
        _write(tmp_path / "all" / person / f"{night}.edf", [_signal("ECG")], seed=len(person + night))
    data = load_records(tmp_path / "all", reading=_reading())
    assert (data.usual_unit, data.train.num_people, data.train.num_records) == (Unit.PERSON, 2, 24)
    (tmp_path / "all" / "people.csv").write_text("1,carl\n2,carl\n", encoding="utf-8")
    assert "names people, and so do the sub-folders" in _refused(tmp_path / "all", _reading())
    _write(tmp_path / "all" / "3.edf", [_signal("ECG")])
    assert "put every person into a sub-folder" in _refused(tmp_path / "all", _reading())


def test_signals_are_chosen_by_label_or_by_rate(tmp_path: Path) -> None:
    signals = [_signal("ECG", 50), _signal("EEG Fpz-Cz"), _signal("Temp rectal", 1, "degC"), _signal("EEG Pz-Oz")]
    _write(tmp_path / "all" / "a.edf", signals)
    # The signals stand elsewhere in another file.
    _write(tmp_path / "all" / "b.edf", signals[::-1], seed=1)
    named = load_records(tmp_path / "all", reading=_reading(channel_names=("eeg pz-oz", "EEG Fpz-Cz")))
    assert named.train.spec.channel_names == ("eeg pz-oz", "EEG Fpz-Cz")  # type: ignore[attr-defined]
    with pyedflib.EdfReader(str(tmp_path / "all" / "b.edf")) as file:
        first = file.readSignal(file.getSignalLabels().index("EEG Pz-Oz"))[:50]
    np.testing.assert_allclose(named.train.x[8, 0], np.clip((first + 100) / 200, 0, 1), atol=1e-6)
    message = _refused(tmp_path / "all", _reading())
    assert "all have ECG, EEG Fpz-Cz, Temp rectal, EEG Pz-Oz" in message
    assert "--channel-names" in message
    (tmp_path / "all" / "b.edf").unlink()
    assert "1, 50, 100 samples a second" in _refused(tmp_path / "all", _reading())
    by_rate = load_records(tmp_path / "all", reading=_reading(sample_rate=100.0))
    assert by_rate.train.spec.channel_names == ("EEG Fpz-Cz", "EEG Pz-Oz")  # type: ignore[attr-defined]
    assert "no signal of 3 samples" in _refused(tmp_path / "all", _reading(sample_rate=3.0))
    assert "no signal 'V9'" in _refused(tmp_path / "all", _reading(channel_names=("V9",)))
    wrong = _reading(channel_names=("ECG",), sample_rate=100.0)
    assert "50 samples a second" in _refused(tmp_path / "all", wrong)


def test_units_are_those_of_the_headers_or_converted_to_the_one_that_is_asked_for(tmp_path: Path) -> None:
    _write(tmp_path / "all" / "a.edf", [_signal("ECG", unit="uV")])
    _write(tmp_path / "all" / "b.edf", [_signal("ECG", unit="mV", ends=(-0.2, 0.2))])
    assert "--units uV (volts are converted)" in _refused(tmp_path / "all", _reading())
    data = load_records(tmp_path / "all", reading=_reading(units=("uV",)))
    # The same digits: what differs is the unit of the header.
    np.testing.assert_allclose(data.train.x[:8], data.train.x[8:], atol=1e-6)
    in_millivolts = _reading(units=("mV",), low=(-0.1,), high=(0.1,))
    np.testing.assert_allclose(load_records(tmp_path / "all", reading=in_millivolts).train.x, data.train.x, atol=1e-5)
    assert "cannot be converted" in _refused(tmp_path / "all", _reading(units=("degC",)))
    _write(tmp_path / "all" / "b.edf", [_signal("ECG", unit="")])
    assert "different units" in _refused(tmp_path / "all", _reading())
    assert load_records(tmp_path / "all", reading=_reading(units=("uV",))).train.num_records == 16


def test_bounds_are_asked_for_and_the_range_of_the_recorder_is_offered_if_headers_agree(tmp_path: Path) -> None:
    bare = SeriesReading(windows=Windows(window=50))
    _write(tmp_path / "all" / "a.edf", [_signal("ECG"), _signal("EMG", ends=(-51.25, 80.5))])
    assert "51.25" not in _refused(tmp_path / "all", bare)  # the least value of one recording, for all that is known
    _write(tmp_path / "all" / "b.edf", [_signal("ECG"), _signal("EMG", ends=(-51.25, 80.5))], seed=2)
    assert "--low -200,-51.25 --high 200,80.5 takes it" in _refused(tmp_path / "all", bare)
    _write(tmp_path / "all" / "c.edf", [_signal("ECG"), _signal("EMG", ends=(-51.0, 80.5))], seed=2)
    assert "51" not in _refused(tmp_path / "all", bare)


def test_windows_are_asked_for(tmp_path: Path) -> None:
    _write(tmp_path / "a.edf", [_signal("ECG")])
    message = _refused(tmp_path / "a.edf", SeriesReading(facts=SeriesFacts(**BOUNDS)))
    assert "give --window" in message
    assert "100 samples a second" in message


def test_classes_are_those_of_annotations_that_name_one(tmp_path: Path) -> None:
    notes = [(0, 1, "W"), (1, 1, "N1"), (1.25, 0.5, "movement"), (2, 1, "W"), (2.9, 1.1, "N1"), (0.5, -1, "N1")]
    _write(tmp_path / "a.edf", [_signal("EEG")], notes=notes)
    data = load_records(tmp_path / "a.edf", reading=_reading(window=100, class_names=("N1", "W")))
    assert data.train.y is not None
    # The third second has both classes at its end, and is no record.
    assert data.train.y.tolist() == [1, 0, 0]
    assert data.left_out["windows in which the class changes"] == 1
    assert data.train.spec.class_names == ("N1", "W")


def test_samples_that_were_written_are_read_back_with_their_classes(tmp_path: Path) -> None:
    spec = SeriesSpec(
        channels=2, length=96, low=(-1.0, 20.0), high=(2.0, 45.0), sample_rate=100.0, class_names=("normal", "early"),
        channel_names=("ECG", "T"), units=("mV", "degC"),
    )  # fmt: skip
    x = np.random.default_rng(0).random((7, 2, 96)).astype(np.float32)
    y = np.array([0, 1, 1, 0, 0, 1, 0])
    write_edf(tmp_path / "x.edf", x, y, spec)
    reading = _reading(window=96, low=spec.low, high=spec.high, class_names=spec.class_names)
    back = load_records(tmp_path / "x.edf", reading=reading).train
    np.testing.assert_allclose(back.x, x, atol=1 / 60_000)
    assert back.y is not None
    assert back.y.tolist() == y.tolist()
    assert isinstance(back.spec, SeriesSpec)
    assert (back.spec, back.spec.units) == (spec, spec.units)


def _patched(path: Path, at: int, text: bytes, width: int) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + width] = text.ljust(width)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("at", "text", "width", "words"),
    [
        (236, b"-1", 8, "does not say how many data records"),
        (236, b"3", 8, "its header promises"),
        (236, b"5", 8, "its header promises"),
        (0, b"1", 8, "does not begin as an EDF"),
        (252, b"9999", 4, "does not begin as an EDF"),
        (256 + 2 * 96, b"\xb5V", 8, "in the field Physical Dimension: repair the header"),
        (256 + 2 * 104, b"7", 8, "breaks a rule of EDF"),
        (8, b"M\xfcller, Katharina", 80, "breaks a rule of EDF"),
        (168, b"2026.1.1", 8, "in the field startdate"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_in_a_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], at: int, text: bytes, width: int, words: str
) -> None:
    _write(tmp_path / "a.edf", [_signal("ECG", ends=(-7.0, 7.0))])
    _patched(tmp_path / "a.edf", at, text, width)
    assert words in _refused(tmp_path / "a.edf", _reading())
    # pyedflib prints sizes of a file that is cut short.
    assert capfd.readouterr().out == ""


def test_a_file_that_is_cut_short_or_goes_on_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.edf", [_signal("ECG")])
    content = (tmp_path / "a.edf").read_bytes()
    for changed in (content[:-1], content + b"\0", content[:100], b""):
        (tmp_path / "a.edf").write_bytes(changed)
        _refused(tmp_path / "a.edf", _reading())


def test_nothing_of_the_patient_or_recording_field_is_read_or_shown(tmp_path: Path) -> None:
    reads = []
    for code in (b"MCH-1 F 02-MAY-1951 Katharina", b"X X X X"):
        _write(tmp_path / "all" / "a.edf", [_signal("ECG")])
        _patched(tmp_path / "all" / "a.edf", 8, code, 80)
        reads.append(load_records(tmp_path / "all", reading=_reading()))
    one, other = reads
    assert one.train.spec == other.train.spec
    assert one.public_notes == other.public_notes
    assert one.left_out == other.left_out
    assert (one.train.x == other.train.x).all()
    assert np.array_equal(one.train.person_digests, other.train.person_digests)


def test_folders_that_mix_formats_or_name_a_recording_twice_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "all" / "7.edf", [_signal("ECG")])
    _write(tmp_path / "all" / "07.edf", [_signal("ECG")])
    assert "two recordings have the name" in _refused(tmp_path / "all", _reading())
    (tmp_path / "all" / "07.edf").unlink()
    (tmp_path / "all" / "x.hea").touch()
    assert "EDF and WFDB" in _refused(tmp_path / "all", _reading())


def test_a_file_of_annotations_alone_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.edf", [_signal("ECG")], notes=[(0, 1, "W")])
    content = bytearray((tmp_path / "a.edf").read_bytes())
    content[192:236] = b"EDF".ljust(44)  # a file that does not say that it is EDF+ has them as a signal
    content[256:272] = b"EDF Annotations "
    (tmp_path / "a.edf").write_bytes(content)
    assert "holds annotations and no signal: hand over the recording" in _refused(tmp_path / "a.edf", _reading())
    content[192:236] = b"EDF+C".ljust(44)
    (tmp_path / "a.edf").write_bytes(content)
    assert "holds annotations and no signal: hand over the recording" in _refused(tmp_path / "a.edf", _reading())


def _notes_alone(path: Path) -> None:
    _write(path, [_signal("ECG")], notes=[(0, 1, "W")])
    content = bytearray(path.read_bytes())
    content[256:272] = b"EDF Annotations "
    path.write_bytes(content)


def test_files_of_annotations_alone_are_passed_over_in_a_folder_and_counted(tmp_path: Path) -> None:
    _write(tmp_path / "all" / "a.edf", [_signal("ECG")])
    (tmp_path / "all" / "people.csv").write_text("a,anna\n", encoding="utf-8")
    before = load_records(tmp_path / "all", reading=_reading())
    _notes_alone(tmp_path / "all" / "a-hypnogram.edf")
    found = load_records(tmp_path / "all", reading=_reading())
    assert (found.train.x == before.train.x).all()
    assert found.public_notes == before.public_notes, "that there is such a file is private"
    assert describe(found)["private"]["left_out"] == {edf_folder.NOTES_ALONE: 1}
    (tmp_path / "all" / "a.edf").unlink()
    assert "no recording with a signal" in _refused(tmp_path / "all", _reading())


def test_a_sub_folder_of_annotations_alone_is_no_person(tmp_path: Path) -> None:
    _write(tmp_path / "all" / "anna" / "a.edf", [_signal("ECG")])
    (tmp_path / "all" / "notes").mkdir()
    _notes_alone(tmp_path / "all" / "notes" / "a.edf")
    data = load_records(tmp_path / "all", reading=_reading())
    assert (data.train.num_people, data.left_out[edf_folder.NOTES_ALONE]) == (1, 1)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (SeriesChoice(layout="window"), "--window"),
        (SeriesChoice(person_column="who", window=50), "recordings have no columns"),
        (SeriesChoice(window=50, low=(0.0,), high=(1.0,), class_names=("a", "b")), "not one whole window"),
        (SeriesChoice(window=50, length=50), "leave --length"),
        (SeriesChoice(window=5000, low=(0.0,), high=(1.0,)), "smaller --window"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, choice: SeriesChoice, words: str) -> None:
    _write(tmp_path / "a.edf", [_signal("ECG")])
    with pytest.raises(InputError, match=words):
        load_records(tmp_path / "a.edf", reading=choice.reading("a.edf"))


def test_classes_without_names_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.edf", [_signal("ECG")])
    with pytest.raises(InputError, match="give --class-names in place of"):
        load_records(tmp_path / "a.edf", num_classes=3, reading=_reading())
