"""DICOM from the command line: a run remembers its window, and nothing of a header is in what may be shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PLANTED = "Zwetschkenbaum"


def scan(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found, pixels = Dataset(), np.random.default_rng(number).integers(0, 4096, (6, 6)).astype(np.uint16)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SOPClassUID, found.SOPInstanceUID = CTImageStorage, generate_uid()
    found.PatientID, found.PatientName, found.InstitutionName = f"{PLANTED}{number // 2}", PLANTED, PLANTED
    found.Rows, found.Columns, found.SamplesPerPixel, found.PhotometricInterpretation = 6, 6, 1, "MONOCHROME2"
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 12, 11, 0
    found.RescaleSlope, found.RescaleIntercept, found.PixelData = 1, -1024, pixels.tobytes()
    found.save_as(path, enforce_file_format=True)


def test_nothing_of_a_header_is_in_what_may_be_shared(gossamer: Any, tmp_path: Path) -> None:
    scans, run = tmp_path / "scans", tmp_path / "run"
    for number in range(40):
        scan(scans / ("ill", "well")[number % 2] / PLANTED / f"{PLANTED}{number}.dcm", number)
    window = ("--folders", "classes", "--window-center", -200, "--window-width", 800)
    described = gossamer("data", "describe", scans, *window, "--json")
    assert json.loads(described.out)["num_people"] == 20
    words = (*window, "--unit", "person", "--num-people", 20, "--delta", 1e-2)
    trained = gossamer("train", "dp-mixture", "--data", scans, *words, "--out", run, "--plain")
    assert trained.code == 0, trained.err
    drawn = gossamer("sample", run, "--num-samples", 4, "--out", tmp_path / "drawn.npz")
    assert drawn.code == 0, drawn.err
    said = [one.out + one.err for one in (described, trained, drawn)]
    shared = [path for path in run.rglob("*") if path.is_file() and "private" not in path.relative_to(run).parts]
    assert PLANTED not in "".join(said)
    for path in (*shared, tmp_path / "drawn.npz"):
        assert PLANTED.encode() not in path.read_bytes(), path
    assert json.loads((run / "config.json").read_text())["images"]["window_center"] == -200
    assert "window from -600 to 200" in (run / "release" / "PRIVACY.md").read_text()
