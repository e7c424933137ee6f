"""Kinds of files that are not read, by their endings and first bytes, each with the way out for that kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer.data.files import open_regular, shown
from gossamer.errors import InputError

_NUM_BYTES: Final = 560
_NPZ: Final = "save arrays with numpy.savez_compressed('data.npz', x=x, y=y)"
_TABLE: Final = "write it as a table with pandas: to_parquet('data.parquet')"
_UNPACK: Final = "unpack it, and name the file or folder that comes out"
_PICTURES: Final = "name the folder that it lies in, with one sub-folder a class or none"


@dataclass(frozen=True, kw_only=True)
class KnownKind:
    """A kind of file.

    Args:
        title: Words for it, with an article.
        endings: Endings of its names, in small letters.
        marks: Patterns of its first bytes, empty if it has none of its own.
        way_out: Advice to its owner, empty for a kind that some reader takes.
    """

    title: str
    endings: tuple[str, ...] = ()
    marks: tuple[bytes, ...] = ()
    way_out: str = ""

    def begins(self, start: bytes) -> bool:
        """Return True if a file of these first bytes is of this kind."""
        return any(re.match(mark, start, re.DOTALL) for mark in self.marks)


READ_KINDS: Final[tuple[KnownKind, ...]] = (
    # The first file in an NPZ file is an array.
    KnownKind(title="an NPZ file", endings=(".npz",), marks=(rb"PK\x03\x04.{26}[^\x00]{1,200}?\.npy", rb"PK\x05\x06")),
    KnownKind(title="an NPY file", endings=(".npy",), marks=(rb"\x93NUMPY",)),
    KnownKind(title="a Parquet table", endings=(".parquet",), marks=(rb"PAR1",)),
    KnownKind(title="an EDF or BDF recording", endings=(".edf", ".bdf"), marks=(rb"0 {7}.{176}\d", rb"\xffBIOSEMI")),
)
"""Kinds with marks that some reader takes. They are known here so that a wrong ending can be named."""

REFUSED_KINDS: Final[tuple[KnownKind, ...]] = (
    KnownKind(
        title="a NIfTI volume",
        endings=(".nii", ".nii.gz"),
        marks=(rb"\x5c\x01\x00\x00.{340}n[i+]1\x00", rb"\x00\x00\x01\x5c.{340}n[i+]1\x00"),
        way_out=f"choose slices with nibabel (get_fdata()), scale them by public bounds to [0, 1], and {_NPZ}",
    ),
    KnownKind(
        title="a MATLAB file",
        endings=(".mat",),
        marks=(rb"MATLAB (?:5\.0|7\.3) MAT-file",),
        way_out=f"load it with scipy.io.loadmat (h5py for version 7.3), and {_NPZ}",
    ),
    KnownKind(
        title="an HDF5 file",
        endings=(".h5", ".hdf5", ".hdf", ".he5"),
        marks=(rb"\x89HDF\r\n\x1a\n",),
        way_out=f"open it with h5py, and {_NPZ}",
    ),
    KnownKind(
        title="a file of PyTorch",
        endings=(".pt", ".pth"),
        marks=(rb"PK\x03\x04.{26}[^\x00]{1,200}?/(?:data\.pkl|\.format_version|byteorder)",),
        way_out=f"loading one can run code, so load it yourself (torch.load), and {_NPZ}",
    ),
    KnownKind(
        title="a pickle",
        endings=(".pkl", ".pickle", ".joblib"),
        marks=(rb"\x80[\x02-\x05][\x95c\]}(K]",),
        way_out=f"loading one can run code: load it yourself, and {_NPZ}; of a frame, to_parquet('data.parquet')",
    ),
    KnownKind(
        title="an Excel workbook",
        endings=(".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"),
        marks=(
            rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|docProps/|xl/|mimetype)",
            rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        ),
        way_out="save the sheet as CSV (File, Save as), with one head line",
    ),
    KnownKind(
        title="a file of R",
        endings=(".rds", ".rdata", ".rda"),
        marks=(rb"RD[AX][23]\n", rb"[XA]\n\x00\x00\x00[\x02\x03]"),
        way_out="write the frame from R: write.csv(x, 'data.csv', row.names = FALSE)",
    ),
    KnownKind(
        title="a table of SPSS, Stata or SAS",
        endings=(".sav", ".zsav", ".dta", ".sas7bdat", ".xpt"),
        marks=(rb"\$FL[23]", rb"<stata_dta>", rb"\x00{12}\xc2\xea\x81\x60", rb"HEADER RECORD\*{7}LIB"),
        way_out=f"read it with pandas (read_spss, read_stata, read_sas), and {_TABLE}",
    ),
    KnownKind(
        title="a table in Feather or Arrow",
        endings=(".feather", ".arrow", ".ipc"),
        marks=(rb"ARROW1\x00\x00", rb"FEA1"),
        way_out="write it as Parquet: pyarrow.parquet.write_table(pyarrow.feather.read_table(path), 'data.parquet')",
    ),
    KnownKind(
        title="a table in ORC or Avro",
        endings=(".orc", ".avro"),
        marks=(rb"Obj\x01",),
        way_out=_TABLE,
    ),
    KnownKind(
        title="a database",
        endings=(".db", ".sqlite", ".sqlite3", ".duckdb", ".mdb", ".accdb"),
        marks=(rb"SQLite format 3\x00", rb"\x00\x01\x00\x00Standard (?:Jet|ACE) DB"),
        way_out=f"read the rows with pandas.read_sql, and {_TABLE}",
    ),
    KnownKind(
        title="a JSON file",
        endings=(".json", ".jsonl", ".ndjson"),
        way_out=f"read it with pandas.read_json (lines=True for a record a line), and {_TABLE}",
    ),
    KnownKind(
        title="a TFRecord file",
        endings=(".tfrecord", ".tfrecords"),
        way_out=f"read it with tensorflow.data.TFRecordDataset, and {_NPZ}",
    ),
    KnownKind(
        title="a video",
        endings=(".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"),
        marks=(rb"\x00\x00\x00.ftyp", rb"RIFF.{4}AVI ", rb"\x1aE\xdf\xa3"),
        way_out="write its frames as PNG files into a folder (ffmpeg -i IN folder/%06d.png)",
    ),
    KnownKind(
        title="a sound",
        endings=(".wav", ".mp3", ".flac", ".ogg", ".m4a", ".aac"),
        marks=(rb"RIFF.{4}WAVE", rb"ID3[\x02-\x04]", rb"fLaC", rb"OggS"),
        way_out=f"read it with soundfile, cut it into pieces of one length, and {_NPZ}; give --low and --high",
    ),
    KnownKind(
        title="one picture",
        endings=(".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm", ".ppm"),
        marks=(rb"\x89PNG\r\n", rb"\xff\xd8\xff", rb"GIF8[79]a", rb"II\*\x00", rb"MM\x00\*", rb"RIFF.{4}WEBP"),
        way_out=_PICTURES,
    ),
    KnownKind(
        title="one DICOM file",
        endings=(".dcm", ".dicom", ".ima"),
        marks=(rb".{128}DICM",),
        way_out="name the folder that it lies in",
    ),
    KnownKind(
        title="one file of a recording (WFDB)",
        endings=(".hea", ".dat", ".atr", ".qrs", ".ecg", ".xws"),
        way_out="name the folder that it lies in, with a header (.hea), signals and annotations for each recording",
    ),
    KnownKind(
        title="a packed table",
        endings=(".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".csv.zst", ".tsv.gz", ".parquet.gz"),
        way_out="unpack it first (gunzip data.csv.gz)",
    ),
    KnownKind(
        title="a tar archive",
        endings=(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"),
        marks=(rb".{257}ustar",),
        way_out=_UNPACK,
    ),
    KnownKind(
        title="a packed file",
        endings=(".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".z"),
        marks=(
            rb"\x1f\x8b\x08", rb"BZh[1-9]1AY", rb"\xfd7zXZ\x00", rb"\x28\xb5\x2f\xfd", rb"7z\xbc\xaf\x27\x1c",
            rb"Rar!\x1a\x07",
        ),
        way_out=_UNPACK,
    ),
    KnownKind(title="a zip archive", endings=(".zip",), way_out=_UNPACK),
    KnownKind(title="a PDF", endings=(".pdf",), marks=(rb"%PDF-",), way_out="hand over the records that it shows"),
    KnownKind(
        title="a plain text",
        endings=(".txt", ".log", ".md", ".dta.txt", ".asc"),
        way_out="save it as a table with commas between the cells and a head line, with the ending .csv",
    ),
)  # fmt: skip
"""Kinds that no reader takes, in the order in which their first bytes are compared."""

_TEXTS: Final = (".csv", ".tsv", ".ts", ".arff")
# Kinds that are packed inside, so that their bytes are those of the packing.
_PACKED: Final = ("a packed table", "a packed file", "a tar archive", "a NIfTI volume", "a file of R")


def refused_kind(path: Path) -> str | None:
    """Return the line that refuses a file of a kind that is not read, and None for any other.

    Guarantee:
        The line follows from the ending and from marks that all files of a kind share: no other byte reaches it.

    Args:
        path: A file.

    Raises:
        InputError: The file cannot be opened.
    """
    name, start = path.name.lower(), _first_bytes(path)
    if name.removesuffix(".gz").endswith("-ubyte"):
        return None
    by_mark = next((kind for kind in (*READ_KINDS, *REFUSED_KINDS) if kind.begins(start)), None)
    by_ending = _kind_of_ending(name)
    is_known = by_ending is not None or name.endswith(_TEXTS)
    if by_mark is None or by_mark is by_ending or (by_ending and _may_be(by_ending, by_mark)):
        return _line(path, by_ending) if by_ending and by_ending.way_out else None
    if is_known:
        return _contradiction(path, by_mark)
    return _line(path, by_mark) if by_mark.way_out else _unnamed(path, by_mark)


def refuse_kind(path: Path) -> None:
    """Refuse a file of a kind that is not read.

    Raises:
        InputError: The file is of such a kind, or cannot be opened. The line has the way out for that kind.
    """
    line = refused_kind(path)
    if line is not None:
        raise InputError(line)


def _first_bytes(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_NUM_BYTES)


def _kind_of_ending(name: str) -> KnownKind | None:
    """Return the kind with the longest ending that fits, so that ``.csv.gz`` goes before ``.gz``."""
    kinds = (*READ_KINDS, *REFUSED_KINDS)
    found = [(len(ending), kind) for kind in kinds for ending in kind.endings if name.endswith(ending)]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _may_be(by_ending: KnownKind, by_mark: KnownKind) -> bool:
    """Return True if the first bytes are those of a kind that files of that ending may have inside."""
    is_hdf = by_ending.title == "a MATLAB file" and by_mark.title == "an HDF5 file"
    is_pickle = by_ending.title == "a file of PyTorch" and by_mark.title == "a pickle"
    return is_hdf or is_pickle or (by_ending.title in _PACKED and by_mark.title in _PACKED)


def _line(path: Path, kind: KnownKind) -> str:
    return f"{shown(path)} is {kind.title}, which is not read: {kind.way_out}"


def _unnamed(path: Path, kind: KnownKind) -> str | None:
    # An NPZ file is known by its content, whatever its name.
    is_npz = kind.endings == (".npz",)
    return None if is_npz else f"{shown(path)} begins like {kind.title}: give it the ending {kind.endings[0]}"


def _contradiction(path: Path, kind: KnownKind) -> str:
    way_out = kind.way_out or f"give it the ending {kind.endings[0]}"
    return (
        f"{shown(path)} has the ending {path.suffix.lower()}, but its first bytes are those of {kind.title}: {way_out}"
    )
