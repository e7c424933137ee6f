"""Files of kinds that are not read: each has a line with the way out for its own kind."""

from __future__ import annotations

import gzip
import pickle
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import feather, parquet
from scipy import io as matlab

import gossamer
from gossamer.data import refused_kinds
from gossamer.data.catalogue import load_records
from gossamer.data.refused_kinds import REFUSED_KINDS
from gossamer.estimators.records import load_series

FRAME = pandas.DataFrame({"t0": [0.1, 0.2], "t1": [0.3, 0.4]})
ARROW = pyarrow.table({"t0": [0.1, 0.2]})
IMAGES = np.zeros((3, 4, 4), np.float32)


def zipped(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        FRAME.to_sql("records", connection)


def picture(path: Path) -> None:
    Image.new("L", (4, 4)).save(path)


MADE = {
    "a.mat": (lambda path: matlab.savemat(path, {"x": IMAGES}), "scipy.io.loadmat"),
    "seven.mat": (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file, Platform" + bytes(600)), "h5py"),
    "a.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "h5py"),
    "a.hdf5": (lambda path: path.write_bytes(b""), "h5py"),
    "a.pt": (lambda path: torch.save({"x": torch.zeros(2)}, path), "torch.load"),
    "old.pth": (lambda path: path.write_bytes(pickle.dumps([1])), "torch.load"),
    "a.pkl": (lambda path: FRAME.to_pickle(path), "can run code"),
    "a.zip": (lambda path: zipped(path, "cat/1.png"), "unpack it"),
    "a.tar.gz": (lambda path: path.write_bytes(gzip.compress(b"x")), "unpack it"),
    "a.xlsx": (lambda path: zipped(path, "[Content_Types].xml"), "CSV"),
    "a.xls": (lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "CSV"),
    "a.json": (lambda path: FRAME.to_json(path), "read_json"),
    "a.jsonl": (lambda path: path.write_text("{}\n"), "lines=True"),
    "a.feather": (lambda path: feather.write_feather(ARROW, str(path)), "pyarrow.parquet"),
    "a.arrow": (lambda path: feather.write_feather(ARROW, str(path)), "pyarrow.parquet"),
    "a.nii": (lambda path: path.write_bytes(b"\x5c\x01\0\0" + bytes(340) + b"n+1\0"), "nibabel"),
    "a.nii.gz": (lambda path: path.write_bytes(gzip.compress(b"x")), "nibabel"),
    "a.mp4": (lambda path: path.write_bytes(b"\0\0\0\x18ftypmp42"), "ffmpeg"),
    "a.avi": (lambda path: path.write_bytes(b"RIFF\0\0\0\0AVI LIST"), "ffmpeg"),
    "a.wav": (lambda path: path.write_bytes(b"RIFF\0\0\0\0WAVEfmt "), "soundfile"),
    "a.mp3": (lambda path: path.write_bytes(b"ID3\x04\0"), "soundfile"),
    "a.png": (picture, "folder that it lies in"),
    "a.jpg": (picture, "folder that it lies in"),
    "a.dcm": (lambda path: path.write_bytes(bytes(128) + b"DICM"), "folder that it lies in"),
    "a.hea": (lambda path: path.write_text("100 2 360 650000\n"), "folder that it lies in"),
    "a.dat": (lambda path: path.write_bytes(bytes(range(200))), "folder that it lies in"),
    "a.atr": (lambda path: path.write_bytes(bytes(200)), "folder that it lies in"),
    "a.tfrecord": (lambda path: path.write_bytes(bytes(20)), "TFRecordDataset"),
    "a.csv.gz": (lambda path: FRAME.to_csv(path), "gunzip"),
    "a.gz": (lambda path: path.write_bytes(gzip.compress(b"x")), "unpack it"),
    "a.txt": (lambda path: path.write_text("1 2 3\n"), ".csv"),
    "a.db": (database, "read_sql"),
    "a.sqlite": (database, "read_sql"),
    "a.sav": (lambda path: path.write_bytes(b"$FL2@(#) SPSS"), "read_spss"),
    "a.dta": (lambda path: FRAME.to_stata(path), "read_stata"),
    "a.sas7bdat": (lambda path: path.write_bytes(bytes(12) + b"\xc2\xea\x81\x60"), "read_sas"),
    "a.rds": (lambda path: path.write_bytes(gzip.compress(b"X\n")), "write.csv"),
    "a.orc": (lambda path: path.write_bytes(b"ORC"), "to_parquet"),
    "a.pdf": (lambda path: path.write_bytes(b"%PDF-1.7"), "records"),
}


@pytest.mark.parametrize("name", MADE)
def test_each_kind_has_its_own_way_out(tmp_path, refusal, name) -> None:
    make, words = MADE[name]
    make(tmp_path / name)
    message = refusal(load_records, tmp_path / name)
    assert words in message
    assert "which is not read" in message
    assert "x=images" not in message
    assert message == refusal(gossamer.fit, tmp_path / name, epsilon=1.0)
    assert message == refusal(load_series, tmp_path / name, low=0, high=1)


def test_every_kind_in_the_list_is_tried_above() -> None:
    for kind in REFUSED_KINDS:
        assert any(name.endswith(kind.endings) for name in MADE), kind.title


def saved(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, IMAGES)


def npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, x=IMAGES)


CONTRADICTED = {
    "a.csv": (lambda path: zipped(path, "[Content_Types].xml"), "an Excel workbook"),
    "b.csv": (lambda path: parquet.write_table(ARROW, path), "a Parquet table"),
    "c.csv": (lambda path: path.write_bytes(gzip.compress(b"x")), "a packed file"),
    "a.npz": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "an HDF5 file"),
    "b.npz": (lambda path: torch.save({"x": torch.zeros(2)}, path), "a file of PyTorch"),
    "c.npz": (saved, "an NPY file"),
    "a.parquet": (lambda path: feather.write_feather(ARROW, str(path)), "a table in Feather"),
    "a.mat": (npz, "an NPZ file"),
    "a.json": (lambda path: Image.new("L", (4, 4)).save(path, format="PNG"), "one picture"),
}


@pytest.mark.parametrize("name", CONTRADICTED)
def test_first_bytes_of_another_kind_are_named(tmp_path, refusal, name) -> None:
    make, title = CONTRADICTED[name]
    make(tmp_path / name)
    message = refusal(load_records, tmp_path / name)
    assert "its first bytes are those of" in message
    assert title in message


def test_files_that_are_read_are_read_whatever_their_name(tmp_path) -> None:
    for name in ("a.npz", "a.bin", "a"):
        npz(tmp_path / name)
        assert load_records(tmp_path / name).train.num_records == 3
    zipped(tmp_path / "b.npz", "not numpy's")
    for name in ("b.npz", "train-images-idx3-ubyte.gz", "data.ubyte"):
        (tmp_path / name).touch()
        assert refused_kinds.refused_kind(tmp_path / name) is None


def test_a_parquet_file_without_its_ending_is_told_its_ending(tmp_path, refusal) -> None:
    parquet.write_table(ARROW, tmp_path / "data")
    assert "give it the ending .parquet" in refusal(load_records, tmp_path / "data")


def test_the_old_line_would_be_seen(tmp_path, refusal, monkeypatch) -> None:
    monkeypatch.setattr("gossamer.data.own.refuse_kind", lambda path: None)
    MADE["a.mat"][0](tmp_path / "a.mat")
    assert "scipy.io.loadmat" not in refusal(load_records, tmp_path / "a.mat")
