"""A user's folder of DICOM files: exact values by public rules, people by the Patient ID, nothing of a header told."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import encaps
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from gossamer.data import dicom, dicom_headers
from gossamer.data.catalogue import describe, load_records
from gossamer.data.image_choice import ImageChoice
from gossamer.data.range_tally import RangeTally
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import PeopleSplit, RandomSplit
from gossamer.privacy.dealing import UnitKey

HU = np.array([[-1024, -160, 40, 240], [-2000, 0, 100, 3071], [-159, -60, 140, 239], [1, 2, 3, 4]])
PLANTED = "Zwetschkenbaum"


def header(pixels: np.ndarray, **entries: Any) -> Dataset:
    """Make the header of a gray image, or of frames, without its pixels."""
    found = Dataset()
    found.SOPClassUID, found.SOPInstanceUID = CTImageStorage, generate_uid()
    found.Rows, found.Columns = pixels.shape[-2:]
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated = 8 * pixels.dtype.itemsize
    found.BitsStored, found.PixelRepresentation = found.BitsAllocated, int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        found.NumberOfFrames = len(pixels)
    for name, value in entries.items():
        setattr(found, name, value)
    found.HighBit = entries.get("HighBit", found.BitsStored - 1)
    return found


def write(path: Path, found: Dataset, pixels: bytes | None, syntax: Any = ExplicitVRLittleEndian) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    if pixels is not None:
        found.PixelData = pixels
        found["PixelData"].VR = "OB" if syntax.is_encapsulated or found.BitsAllocated == 8 else "OW"
    found.save_as(path, enforce_file_format=True)
    return path


def save(path: Path, pixels: np.ndarray, **entries: Any) -> Path:
    content = pixels.tobytes()
    return write(path, header(pixels, **entries), content + b"\0" * (len(content) % 2))


def gray(size: int = 6, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (size, size)).astype(dtype)


def read(path: Path, **said: Any) -> RecordData:
    return load_records(path, images=ImageChoice(**said))


def pixels_of(data: RecordData) -> np.ndarray:
    return data.train.x.numpy()


def test_a_window_is_in_the_units_after_rescale(tmp_path) -> None:
    save(
        tmp_path / "a.dcm", (HU + 1024).clip(0).astype(np.uint16), BitsStored=12, RescaleSlope=1, RescaleIntercept=-1024
    )
    data = read(tmp_path, window_center=40, window_width=400)
    expected = ((HU.clip(-1024) - 40) / 400 + 0.5).clip(0, 1)
    np.testing.assert_allclose(pixels_of(data)[0, 0], expected, atol=1e-7)
    assert any("window from -160 to 240" in note for note in data.public_notes)


def test_slope_and_intercept_are_those_of_each_file(tmp_path) -> None:
    save(tmp_path / "a.dcm", HU.astype(np.int16), RescaleSlope=1, RescaleIntercept=0)
    save(tmp_path / "b.dcm", (2 * (HU + 24)).astype(np.int16), RescaleSlope="0.5", RescaleIntercept=-24)
    first, second = pixels_of(read(tmp_path, window_center=40, window_width=400))
    np.testing.assert_allclose(first, second, atol=1e-7)


def test_without_a_window_files_with_other_slopes_are_refused(tmp_path, refusal) -> None:
    save(tmp_path / "a.dcm", HU.astype(np.int16), RescaleSlope=1, RescaleIntercept=0)
    save(tmp_path / "b.dcm", HU.astype(np.int16), RescaleSlope=2, RescaleIntercept=0)
    message = refusal(load_records, tmp_path)
    assert "DICOM file 2" in message
    assert "--window-center" in message


def test_the_window_of_a_file_is_never_used(tmp_path) -> None:
    save(tmp_path / "a.dcm", gray(), WindowCenter=3, WindowWidth=2)
    np.testing.assert_array_equal(pixels_of(read(tmp_path))[0, 0], gray() / np.float32(255))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_without_a_window_the_bits_stored_are_the_range(tmp_path, bits) -> None:
    stored = np.linspace(0, 2**bits - 1, 36).astype(np.uint16).reshape(6, 6)
    save(tmp_path / "a.dcm", stored, BitsStored=bits)
    data = read(tmp_path)
    np.testing.assert_allclose(pixels_of(data)[0, 0], stored / (2**bits - 1), atol=1e-7)
    assert any(f"{bits} bits, from 0 to {2**bits - 1}" in note for note in data.public_notes)


@pytest.mark.parametrize("bits", [12, 16])
def test_signed_values_begin_at_the_lowest_that_the_bits_hold(tmp_path, bits) -> None:
    stored = np.linspace(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 36).round().astype(np.int16).reshape(6, 6)
    save(tmp_path / "a.dcm", stored, BitsStored=bits)
    expected = (stored + 2.0 ** (bits - 1)) / (2**bits - 1)
    np.testing.assert_allclose(pixels_of(read(tmp_path))[0, 0], expected, atol=1e-7)


def test_bits_beside_the_stored_ones_are_not_values(tmp_path) -> None:
    values = np.arange(36, dtype=np.uint16).reshape(6, 6) * 100
    save(tmp_path / "low" / "a.dcm", values | 0x8000, BitsStored=12)
    save(tmp_path / "high" / "a.dcm", (values << 4) | 0x5, BitsStored=12, HighBit=15)
    for name in ("low", "high"):
        np.testing.assert_allclose(pixels_of(read(tmp_path / name))[0, 0], values / 4095, atol=1e-7)


def test_signed_bits_without_their_sign_are_given_it(tmp_path) -> None:
    values = np.arange(-18, 18, dtype=np.int16).reshape(6, 6) * 100
    save(tmp_path / "a.dcm", values & 0x0FFF, BitsStored=12, PixelRepresentation=1)
    np.testing.assert_allclose(pixels_of(read(tmp_path))[0, 0], (values + 2048) / 4095, atol=1e-7)


def test_monochrome1_is_turned_over(tmp_path) -> None:
    save(tmp_path / "a.dcm", gray(), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(pixels_of(read(tmp_path))[0, 0], 1 - gray() / 255, atol=1e-7)
    windowed = pixels_of(read(tmp_path, window_center=100, window_width=50))[0, 0]
    np.testing.assert_allclose(windowed, 1 - ((gray().astype(float) - 100) / 50 + 0.5).clip(0, 1), atol=1e-6)


def test_big_endian_and_odd_sizes_are_read_as_their_plain_twins(tmp_path) -> None:
    wide = (np.arange(35).reshape(7, 5) * 1000).astype(">u2")
    write(tmp_path / "wide" / "a.dcm", header(wide), wide.tobytes(), ExplicitVRBigEndian)
    np.testing.assert_allclose(pixels_of(read(tmp_path / "wide"))[0, 0], wide / 65535, atol=1e-7)
    save(tmp_path / "odd" / "a.dcm", gray(5))
    np.testing.assert_allclose(pixels_of(read(tmp_path / "odd"))[0, 0], gray(5) / 255, atol=1e-7)


@pytest.mark.parametrize("planar", [0, 1])
def test_colours_are_read_in_both_orders(tmp_path, planar) -> None:
    colour = np.random.default_rng(1).integers(0, 256, (3, 6, 6)).astype(np.uint8)
    content = colour if planar else np.moveaxis(colour, 0, -1)
    found = header(colour[0], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=planar)
    write(tmp_path / "a.dcm", found, content.tobytes())
    np.testing.assert_allclose(pixels_of(read(tmp_path))[0], colour / 255, atol=1e-7)


def test_ybr_becomes_red_green_and_blue(tmp_path) -> None:
    red = np.zeros((6, 6, 3), np.uint8) + np.array([200, 30, 60], np.uint8)
    ybr = np.asarray(Image.fromarray(red).convert("YCbCr"))
    found = header(red[..., 0], SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=0)
    write(tmp_path / "a.dcm", found, ybr.tobytes())
    np.testing.assert_allclose(pixels_of(read(tmp_path))[0], np.moveaxis(red, -1, 0) / 255, atol=0.01)


def compressed(path: Path, pixels: np.ndarray, syntax: Any) -> Path:
    found = header(pixels)
    content = io.BytesIO()
    if syntax == RLELossless:
        found.file_meta = FileMetaDataset()
        found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        found.PixelData = pixels.tobytes()
        found.compress(RLELossless, generate_instance_uid=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.save_as(path, enforce_file_format=True)
        return path
    Image.fromarray(pixels).save(content, format="JPEG" if syntax == JPEGBaseline8Bit else "JPEG2000", quality=95)
    return write(path, found, encaps.encapsulate([content.getvalue()]), syntax)


@pytest.mark.parametrize(("syntax", "atol"), [(RLELossless, 1e-7), (JPEG2000Lossless, 1e-7), (JPEGBaseline8Bit, 0.03)])
def test_packed_files_are_read_where_a_decoder_is_there(tmp_path, syntax, atol) -> None:
    smooth = np.linspace(0, 240, 64).astype(np.uint8).reshape(8, 8)
    compressed(tmp_path / "a.dcm", smooth, syntax)
    np.testing.assert_allclose(pixels_of(read(tmp_path))[0, 0], smooth / 255, atol=atol)


def test_without_a_decoder_the_line_names_the_package(tmp_path, refusal, monkeypatch) -> None:
    write(tmp_path / "a.dcm", header(gray()), encaps.encapsulate([b"\xff\xd8"]), JPEGLSLossless)
    decoder = pydicom.pixels.get_decoder(JPEGLSLossless)
    for plugin in decoder.available_plugins:
        monkeypatch.delitem(decoder._available, plugin)
    message = refusal(load_records, tmp_path)
    assert "JPEG-LS" in message
    assert "pip install pyjpegls" in message


def test_without_the_package_the_line_names_the_extra(tmp_path, refusal, monkeypatch) -> None:
    save(tmp_path / "a.dcm", gray())
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    assert "pip install 'gossamer[dicom]'" in refusal(load_records, tmp_path)


def test_frames_are_refused_or_images_of_their_patient(tmp_path, refusal) -> None:
    frames = np.stack([gray(seed=1), gray(seed=2), gray(seed=3)])
    save(tmp_path / "a.dcm", frames, PatientID="p1")
    save(tmp_path / "b.dcm", gray(), PatientID="p2")
    assert "--each-frame" in refusal(load_records, tmp_path)
    train = read(tmp_path, each_frame=True).train
    np.testing.assert_allclose(train.x[:3, 0].numpy(), frames / 255, atol=1e-7)
    assert train.people is not None
    assert train.people.tolist() == [0, 0, 0, 1]


def test_frames_have_slopes_of_their_own(tmp_path) -> None:
    found = header(np.stack([gray(), gray()]))
    found.PerFrameFunctionalGroupsSequence = [Dataset(), Dataset()]
    for group, slope in zip(found.PerFrameFunctionalGroupsSequence, (1, 2), strict=True):
        values = Dataset()
        values.RescaleSlope, values.RescaleIntercept = slope, 0
        group.PixelValueTransformationSequence = [values]
    write(tmp_path / "a.dcm", found, np.stack([gray(), gray()]).tobytes())
    once, twice = pixels_of(read(tmp_path, each_frame=True, window_center=250, window_width=500))
    np.testing.assert_allclose(2 * once, twice, atol=1e-6)


def test_frames_that_the_header_does_not_count_are_refused(tmp_path, refusal) -> None:
    write(tmp_path / "a.dcm", header(gray()), np.stack([gray(), gray()]).tobytes())
    assert "more or less than its header says" in refusal(load_records, tmp_path)


def test_sizes_are_brought_to_one(tmp_path, refusal) -> None:
    save(tmp_path / "a.dcm", gray(6))
    save(tmp_path / "b.dcm", gray(8))
    assert "--resize" in refusal(load_records, tmp_path)
    assert pixels_of(read(tmp_path, resize="4x4")).shape == (2, 1, 4, 4)


def test_patients_are_people_by_the_rule_of_names(tmp_path) -> None:
    for name, patient in (("a", "007"), ("b", " 7 "), ("c", "anna"), ("d", "x\\y")):
        save(tmp_path / f"{name}.dcm", gray(seed=ord(name)), PatientID=patient)
    train = read(tmp_path).train
    assert train.people is not None
    assert train.people.tolist() == [0, 0, 1, 2]
    assert describe(read(tmp_path))["num_people"] == 3


def test_without_any_patient_people_are_unknown_and_some_alone_are_refused(tmp_path, refusal) -> None:
    save(tmp_path / "a.dcm", gray(), PatientID="")
    save(tmp_path / "b.dcm", gray(seed=1))
    assert read(tmp_path).train.people is None
    save(tmp_path / "c.dcm", gray(seed=2), PatientID="p")
    assert "DICOM file 1 has no Patient ID" in refusal(load_records, tmp_path)


def test_a_patient_is_held_out_whole(tmp_path) -> None:
    for number in range(24):
        save(tmp_path / f"{number}.dcm", gray(seed=number), PatientID=f"p{number % 12}")
    reading = SeriesReading(split=PeopleSplit(), key=UnitKey(bytes(32)))
    data = load_records(tmp_path, reading=reading)
    assert data.test is not None
    assert data.train.people is not None
    assert data.test.people is not None
    assert not set(data.train.people.tolist()) & set(data.test.people.tolist())


def test_sub_folders_are_classes_only_if_that_was_said(tmp_path, refusal) -> None:
    save(tmp_path / "well" / "study" / "IM1", gray(), PatientID="p1")
    save(tmp_path / "ill" / "1.2.840.5", gray(seed=1), PatientID="p2")
    (tmp_path / "none yet").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "DICOMDIR").write_bytes(b"")
    message = refusal(load_records, tmp_path)
    assert "--folders classes" in message
    assert "ill" not in message.replace(str(tmp_path), "")
    data = read(tmp_path, folders="classes")
    assert data.train.spec.class_names == ("ill", "none yet", "well")
    assert data.train.y is not None
    assert data.train.y.tolist() == [0, 2]
    assert read(tmp_path, folders="none").train.y is None


@pytest.mark.parametrize("name", ["P-77", "plum^tree", "Plum Tree", "tree_plum"[:4]])
def test_a_sub_folder_with_the_name_of_its_patient_is_no_class(tmp_path, refusal, name) -> None:
    save(tmp_path / name / "a.dcm", gray(), PatientID="P-77", PatientName="Plum^Tree")
    assert "name or ID of a patient" in refusal(lambda path: read(path, folders="classes"), tmp_path)


@pytest.mark.parametrize("head", ["file,class\na,ill\nsub/b.dcm,well\n", "patient,class\n01,ill\np2,well\n"])
def test_a_table_says_the_classes(tmp_path, head, refusal) -> None:
    save(tmp_path / "a.dcm", gray(), PatientID="1")
    save(tmp_path / "sub" / "b.dcm", gray(seed=1), PatientID="p2")
    (tmp_path / "classes.csv").write_text(head)
    reading = SeriesReading(facts=SeriesFacts(class_names=("well", "ill")))
    train = load_records(tmp_path, reading=reading).train
    assert train.spec.class_names == ("well", "ill")
    assert train.y is not None
    assert train.y.tolist() == [1, 0]
    assert train.spec.are_classes_named
    numbered = head.replace("ill", "3").replace("well", "0")
    (tmp_path / "classes.csv").write_text(numbered)
    assert not load_records(tmp_path, num_classes=4).train.spec.are_classes_named
    (tmp_path / "classes.csv").write_text(head.replace("a,ill\n", "").replace("01,ill\n", ""))
    assert "DICOM file 1 has no line" in refusal(lambda path: load_records(path, reading=reading), tmp_path)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "apply_color_lut"),
        ({"PhotometricInterpretation": "HSV"}, "gray or RGB"),
        ({"ModalityLUTSequence": [Dataset()]}, "save it rescaled"),
        ({"RescaleSlope": 0}, "slope"),
        ({"BitsStored": 9}, "9 bits in 8"),
    ],
)
def test_images_that_are_not_read_name_the_way_out(tmp_path, refusal, entries, words) -> None:
    save(tmp_path / "a.dcm", gray(), **entries)
    assert words in refusal(load_records, tmp_path)


def test_files_without_an_image_are_refused(tmp_path, refusal) -> None:
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = CTImageStorage, generate_uid()
    write(tmp_path / "1" / "a.dcm", report, None)
    assert "holds no image" in refusal(load_records, tmp_path / "1")
    write(tmp_path / "2" / "a.dcm", header(gray()), None)
    assert "no pixels" in refusal(load_records, tmp_path / "2")
    write(tmp_path / "3" / "a.dcm", header(gray()), gray().tobytes(), DeflatedExplicitVRLittleEndian)
    assert "deflated" in refusal(load_records, tmp_path / "3")
    save(tmp_path / "4" / "a.dcm", gray())
    (tmp_path / "4" / "notes.txt").write_text("x")
    assert "no mark of DICOM" in refusal(load_records, tmp_path / "4")


def test_options_of_dicom_are_refused_for_other_images(tmp_path, refusal) -> None:
    Image.fromarray(gray()).save(tmp_path / "a.png")
    assert "--window-center" in refusal(lambda path: read(path, each_frame=True), tmp_path)
    assert "--window-center" in refusal(lambda name: read(name, folders="none"), "digits")
    assert "belong together" in refusal(lambda path: read(path, window_center=4.0), tmp_path)
    assert "above 0" in refusal(lambda path: read(path, window_center=4.0, window_width=0.0), tmp_path)


TEXTS = (
    "PatientName", "PatientID", "InstitutionName", "PatientComments", "StudyDescription", "Modality",
    "PatientBirthDate", "StudyDate", "StudyTime", "PatientAge", "StudyInstanceUID", "AccessionNumber",
)  # fmt: skip


def plant(found: Dataset) -> None:
    """Put a word into the text entries of a header, some of which are then against the rules of their kind."""
    for element in TEXTS:
        setattr(found, element, PLANTED)
    for element in ("WindowCenter", "SliceThickness"):
        found.add_new(element, "LO", PLANTED)
    found.private_block(0x0011, PLANTED, create=True).add_new(1, "LO", PLANTED)


FAULTS = {
    "nothing": {},
    "charset": {"SpecificCharacterSet": PLANTED},
    "kind": {"PhotometricInterpretation": PLANTED},
    "frames": {"NumberOfFrames": 2},
    "bits": {"BitsStored": 40},
    "sides": {"Rows": 2},
    "slope": {"RescaleSlope": 0},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_of_a_header_or_a_name_is_told(tmp_path, fault, caplog, capfd, monkeypatch) -> None:
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    folder = tmp_path / "scans"
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        save(folder / "a.dcm", gray(seed=1), PatientID="p1")
        found = header(gray())
        plant(found)
        for name, value in FAULTS[fault].items():
            setattr(found, name, value)
        write(folder / PLANTED / f"{PLANTED}.dcm", found, gray().tobytes())
        warned.clear()
        caplog.clear()
        capfd.readouterr()
        monkeypatch.setattr(logging.getLogger("pydicom"), "level", logging.DEBUG)
        try:
            data = read(folder, folders="none")
            told = str(describe(data)) + repr(data) + repr(data.train.spec)
        except Exception as error:
            told = str(error) + str(error.__cause__) + str(error.__context__)
        told += "".join(str(one.message) for one in warned)
    told += caplog.text + "".join(capfd.readouterr())
    assert PLANTED.casefold() not in told.casefold()
    assert (fault in ("nothing", "charset")) == ("num_records" in told)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGBaseline8Bit])
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, read_or_refused, syntax) -> None:
    if syntax == ExplicitVRLittleEndian:
        save(tmp_path / "a.dcm", gray(16), PatientID="p", PatientName=PLANTED)
    else:
        compressed(tmp_path / "a.dcm", gray(16), syntax)
    whole, rng = (tmp_path / "a.dcm").read_bytes(), np.random.default_rng(3)
    for trial in range(60):
        content = bytearray(whole[: rng.integers(140, len(whole))] if trial % 2 else whole)
        for place in rng.integers(132, len(content), 4):
            content[place] = rng.integers(256)
        (tmp_path / "a.dcm").write_bytes(content)
        data = read_or_refused(load_records, tmp_path)
        assert data is None or data.train.x.shape[1] in (1, 3)


def test_links_out_of_the_folder_are_refused_without_a_name(tmp_path, refusal) -> None:
    save(tmp_path / "else" / "a.dcm", gray())
    save(tmp_path / "scans" / "a.dcm", gray())
    (tmp_path / "scans" / PLANTED).symlink_to(tmp_path / "else" / "a.dcm")
    message = refusal(load_records, tmp_path / "scans")
    assert "link" in message
    assert PLANTED not in message


def test_without_silence_the_planted_word_is_in_a_log_of_pydicom(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(dicom_headers, "in_silence", warnings.catch_warnings)
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(tmp_path / "a.dcm", header(gray(), SpecificCharacterSet=PLANTED, PatientID="p"), gray().tobytes())
        caplog.clear()
        load_records(tmp_path)
    assert PLANTED in caplog.text


def test_the_old_reading_by_the_window_of_the_file_would_be_seen(tmp_path, monkeypatch) -> None:
    save(tmp_path / "a.dcm", gray(), WindowCenter=3, WindowWidth=2)
    right = pixels_of(read(tmp_path))
    usual = dicom._gray
    by_file = (2, 4)
    monkeypatch.setattr(
        dicom, "_gray", lambda frame, head, scale, _, file, tally: usual(frame, head, scale, by_file, file, tally)
    )
    assert not np.array_equal(right, pixels_of(read(tmp_path)))


def values_of(data: RecordData) -> dict[str, Any]:
    (found,) = describe(data)["private"]["values"]
    return found


def are_exact(found: dict[str, Any]) -> bool:
    stored = HU.clip(-1024)
    right = (stored.min(), stored.max(), stored.mean(), (stored < -160).mean(), (stored > 240).mean(), -160, 240)
    keys = ("least", "greatest", "mean", "share_below", "share_above", "low", "high")
    return bool(np.allclose([-1 if found[key] is None else found[key] for key in keys], right, atol=1e-9))


def test_the_private_range_is_that_before_the_window(tmp_path, monkeypatch) -> None:
    stored = (HU + 1024).clip(0).astype(np.uint16)
    save(tmp_path / "a.dcm", stored, BitsStored=12, RescaleSlope=1, RescaleIntercept=-1024)
    window = {"window_center": 40, "window_width": 400}
    data = read(tmp_path, **window)
    assert are_exact(values_of(data))
    assert any("--window-center, --window-width" in line for line in describe(data)["private"]["warnings"])
    assert "-1024" not in "".join((*data.public_notes, repr(data)))
    # The break: values are tallied once the window has clipped them.
    usual = RangeTally.add
    monkeypatch.setattr(RangeTally, "add", lambda tally, block: usual(tally, np.clip(block, -160, 240)))
    assert not are_exact(values_of(read(tmp_path, **window)))


def test_the_private_range_without_a_window_is_that_of_the_bits(tmp_path) -> None:
    stored = np.arange(36, dtype=np.uint16).reshape(6, 6)
    save(tmp_path / "a.dcm", stored, BitsStored=12, PhotometricInterpretation="MONOCHROME1")
    data = read(tmp_path)
    found = values_of(data)
    assert [found[key] for key in ("low", "high", "least", "greatest", "mean")] == [0, 4095, 0, 35, 17.5]
    assert (found["share_below"], found["share_above"]) == (0, 0)
    assert any("say a public window, --window-center" in line for line in describe(data)["private"]["warnings"])


def test_gray_and_colour_have_no_range_in_common(tmp_path) -> None:
    save(tmp_path / "a.dcm", gray())
    colour = np.stack([gray(seed=seed) for seed in range(3)], axis=-1)
    found = header(colour[..., 0], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    write(tmp_path / "b.dcm", found, colour.tobytes())
    assert values_of(read(tmp_path, gray=True))["share_below"] is None
    (tmp_path / "a.dcm").unlink()
    told = describe(read(tmp_path))["private"]["values"]
    assert [channel["greatest"] for channel in told] == colour.reshape(-1, 3).max(axis=0).tolist()


def test_a_split_by_image_is_refused_where_patients_are_known(tmp_path, refusal) -> None:
    for number in range(8):
        save(tmp_path / f"{number}.dcm", gray(seed=number), PatientID=f"p{number // 2}")
    reading = SeriesReading(split=RandomSplit())
    assert "--split people" in refusal(load_records, tmp_path, reading=reading)
