"""Drawn records in pieces: the same files as of one array, with no more in memory than a piece."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from gossamer.data.layouts import as_long
from gossamer.data.series import SeriesSpec
from gossamer.data.wfdb_records import wfdb_package
from gossamer.runs import samples, wfdb_file
from gossamer.runs.edf_file import write_edf
from gossamer.runs.pieces import Pieces, write_arrays
from gossamer.runs.samples import write_image_folder, write_npz, write_png_folder
from gossamer.runs.series_files import write_series_npz, write_series_table
from gossamer.runs.ts_files import write_ts
from gossamer.runs.wfdb_file import write_wfdb

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

SPEC = SeriesSpec(
    channels=2, length=25, low=(-1.0, 0.0), high=(1.0, 10.0), sample_rate=50.0,
    channel_names=("left", "right"), class_names=("walk", "run"),
)  # fmt: skip
RNG = np.random.default_rng(0)
SERIES = RNG.random((23, 2, 25), dtype=np.float32)
IMAGES = RNG.random((23, 1, 4, 5), dtype=np.float32)
Y = np.arange(23) % 2
SOFT = RNG.random((23, 2), dtype=np.float32)

WRITERS: dict[str, Callable[[Path, Callable[[np.ndarray], np.ndarray | Pieces]], object]] = {
    "images as npz": lambda path, cut: write_npz(path, cut(IMAGES), Y, ("a", "b"), cut(SOFT)),
    "images as folder": lambda path, cut: write_png_folder(path, cut(IMAGES), Y, ("a", "b")),
    "images with table": lambda path, cut: write_image_folder(path, cut(IMAGES), Y, ("a", "b")),
    "series as npz": lambda path, cut: write_series_npz(path, cut(SERIES), Y, SPEC, cut(SOFT)),
    "series as wide csv": lambda path, cut: write_series_table(path.with_suffix(".csv"), cut(SERIES), Y, SPEC),
    "series as long csv": lambda path, cut: write_series_table(
        path.with_suffix(".csv"), cut(SERIES), Y, SPEC, as_long(SPEC.table)
    ),
    "series as ts": lambda path, cut: write_ts(path, cut(SERIES), Y, SPEC),
    # A series a data record, and data records that no series fills, so that pieces end within them.
    "series as edf": lambda path, cut: write_edf(path, cut(SERIES), Y, SPEC),
    "series as filled edf": lambda path, cut: write_edf(path, cut(SERIES[..., :23]), Y, UNEVEN),
    "series as wfdb": lambda path, cut: write_wfdb(path, cut(SERIES), Y, SPEC),
}
UNEVEN = replace(SPEC, length=23, sample_rate=256.0)


def in_pieces(x: np.ndarray) -> Pieces:
    return Pieces(num_records=len(x), draw=lambda: iter((x[:4], x[4:5], x[5:])))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", WRITERS)
def test_pieces_give_the_same_files_as_one_array(tmp_path: Path, kind: str) -> None:
    for name, cut in (("whole", lambda x: x), ("pieces", in_pieces)):
        (tmp_path / name).mkdir()
        WRITERS[kind](tmp_path / name / "drawn", cut)
    assert files(tmp_path / "whole") == files(tmp_path / "pieces")
    assert files(tmp_path / "whole")


@pytest.mark.parametrize("layout", [SPEC.table, as_long(SPEC.table)], ids=["wide", "long"])
def test_a_parquet_file_has_a_row_group_for_each_piece_and_the_same_rows(tmp_path: Path, layout: object) -> None:
    for name, x in (("whole", SERIES), ("pieces", in_pieces(SERIES))):
        write_series_table(tmp_path / f"{name}.parquet", x, Y, SPEC, layout)  # pyrefly: ignore
    whole, pieces = (parquet.ParquetFile(tmp_path / f"{name}.parquet") for name in ("whole", "pieces"))
    assert (whole.num_row_groups, pieces.num_row_groups) == (1, 3)
    assert whole.read().equals(pieces.read())


def test_an_npz_is_byte_for_byte_that_of_numpy() -> None:
    # More than numpy writes at once, and values that compress.
    many = np.repeat(RNG.random((30, 1), dtype=np.float32), 200_000, axis=1)
    arrays = {"x": many, "y": np.arange(30), "names": np.array(["a", "b"]), "rate": np.array(2.5)}
    expected, found = io.BytesIO(), io.BytesIO()
    np.savez_compressed(expected, **arrays)  # pyrefly: ignore
    write_arrays(found, arrays | {"x": in_pieces(many)})
    assert found.getvalue() == expected.getvalue()


def test_a_recording_is_byte_for_byte_that_of_the_package(tmp_path: Path) -> None:
    write_wfdb(tmp_path / "ours", in_pieces(SERIES), Y, SPEC)
    gains, baselines = wfdb_file._scales(SPEC)
    (tmp_path / "theirs").mkdir()
    wfdb_package().wrsamp(
        wfdb_file.WFDB_NAME, fs=50.0, units=["NU", "NU"], sig_name=["left", "right"], fmt=["16", "16"],
        d_signal=wfdb_file._digits(SERIES, SPEC, gains, baselines), adc_gain=gains, baseline=baselines,
        comments=["synthetic: series of a generator one after the other, not a heart in time"],
        write_dir=str(tmp_path / "theirs"),
    )  # fmt: skip
    theirs, ours = files(tmp_path / "theirs"), files(tmp_path / "ours")
    assert theirs == {name: ours[name] for name in theirs}


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_half_written_is_left(tmp_path: Path, kind: str) -> None:
    def interrupted(x: np.ndarray) -> Pieces:
        def draw() -> Iterator[np.ndarray]:
            yield x[:4]
            raise KeyboardInterrupt

        return Pieces(num_records=len(x), draw=draw)

    with pytest.raises(KeyboardInterrupt):
        WRITERS[kind](tmp_path / "drawn", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_and_a_link_to_one_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    write_png_folder(tmp_path / "link", IMAGES, None, ())
    assert len(list((tmp_path / "empty").iterdir())) == 23
    assert (tmp_path / "link").is_symlink()


def test_the_first_pieces_are_no_more_than_needed() -> None:
    def draw() -> Iterator[np.ndarray]:
        yield SERIES[:4]
        yield SERIES[4:9]
        raise AssertionError("drawn in vain")

    pieces = Pieces(num_records=23, draw=draw)
    assert len(pieces.first(4)) == 4
    assert np.array_equal(pieces.first(5), SERIES[:9])
    assert np.array_equal(in_pieces(SERIES).first(1000), SERIES)


def peak_of(write: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        write()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


MANY, PIECE = 8_000, 500
LONG = SeriesSpec(channels=1, length=100, low=(0.0,), high=(1.0,), sample_rate=100.0)
MEMORY: dict[str, Callable[[Path, np.ndarray | Pieces], object]] = {
    "npz": lambda path, x: write_npz(path, x, None),
    "series npz": lambda path, x: write_series_npz(path, x, None, LONG),
    "csv": lambda path, x: write_series_table(path.with_suffix(".csv"), x, None, LONG),
}


def many_pieces() -> Pieces:
    def draw() -> Iterator[np.ndarray]:
        return (np.full((PIECE, 1, 100), 0.5, dtype=np.float32) for _ in range(MANY // PIECE))

    return Pieces(num_records=MANY, draw=draw)


@pytest.mark.parametrize("kind", MEMORY)
def test_a_piece_at_a_time_is_in_memory(tmp_path: Path, kind: str) -> None:
    whole = 4 * MANY * 100
    for name in ("first", "again"):  # modules are imported the first time
        peak = peak_of(lambda path=tmp_path / name: MEMORY[kind](path, many_pieces()))
    assert peak < 0.75 * whole, f"{peak / whole:.2f} of all records"
    # All records as one piece, as before, would be seen.
    assert peak_of(lambda: MEMORY[kind](tmp_path / "whole", many_pieces().first(MANY))) > whole


def test_a_table_of_pictures_names_each_once(tmp_path: Path) -> None:
    write_image_folder(tmp_path / "out", in_pieces(IMAGES), Y, ("a", "b"))
    rows = (tmp_path / "out" / samples.PICTURE_TABLE).read_text().splitlines()
    assert rows[:3] == ["file_name,label", "000000.png,a", "000001.png,b"]
    assert len(rows) == 24
