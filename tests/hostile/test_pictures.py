"""Hostile PNG folders and IDX files: bombs, lies about size, links, pipes, files of another kind."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.data.idx import read_idx
from gossamer.data.png import MAX_CHUNKS
from gossamer.errors import InputError

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def ihdr(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(width: int = 8, height: int = 8, extra: bytes = b"", rows: bytes | None = None) -> bytes:
    rows = bytes(height * (width + 1)) if rows is None else rows
    return ihdr(width, height) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def whole(**options: Any) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(png(**options)) and None


def image(mode: str, **options: Any) -> Callable[[Path], None]:
    return lambda path: Image.new(mode, (8, 8)).save(path, **options)


def animated(path: Path) -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 9)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


WRITERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a header of four billion pixels a side": (
        lambda path: path.write_bytes(ihdr(2**32 - 1, 2**32 - 1)) and None, "1024 pixels"
    ),
    "a header of no pixels": (lambda path: path.write_bytes(ihdr(0, 0)) and None, "4 to 1024"),
    "rows that unpack to 64 MiB": (whole(rows=bytes(2**26)), "damaged"),
    "rows too few": (whole(rows=bytes(3)), "damaged"),
    "a comment that unpacks to 32 MiB": (
        whole(extra=chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(2**25), 9))), "damaged"
    ),
    "a profile that unpacks to 32 MiB": (
        whole(extra=chunk(b"iCCP", b"a\x00\x00" + zlib.compress(bytes(2**25), 9))), ""
    ),
    "parts without end": (whole(extra=chunk(b"tEXt", b"a\x00") * MAX_CHUNKS), "parts"),
    "a part that says it is long": (
        lambda path: path.write_bytes(ihdr(8, 8) + struct.pack(">I", 2**31) + b"IDATxx") and None, "damaged"
    ),
    "a cut file": (lambda path: path.write_bytes(png()[:-20]) and None, "damaged"),
    "an animation": (animated, "animation"),
    "transparency": (image("RGBA"), "transparency"),
    "a transparent colour": (image("L", transparency=0), "transparen"),
    "another format under its name": (image("L", format="GIF"), "not a PNG"),
    "nothing": (lambda path: path.write_bytes(b"") and None, "not a PNG"),
    "a link out": (lambda path: path.symlink_to("/etc/hostname"), "link out"),
    "a link to itself": (lambda path: path.symlink_to(path), "link to nothing"),
    "a pipe": (os.mkfifo, "regular file"),
    "a folder": (Path.mkdir, "folder"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_a_hostile_picture_ends_in_one_line(tmp_path: Path, refused: Any, gossamer: Any, name: str) -> None:
    folder = tmp_path / "mine" / "cat"
    folder.mkdir(parents=True)
    Image.new("L", (8, 8)).save(folder / "a.png")
    write, word = WRITERS[name]
    write(folder / "b.png")
    if not word:  # what is beside the pixels is not looked at, as long as nothing comes of it
        assert gossamer("data", "describe", tmp_path / "mine").code in (0, 2)
        return
    assert word in refused("data", "describe", tmp_path / "mine", at="b.png")
    refused("evaluate", folder.parent, "--data", "digits", "--quick", at="b.png")


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "I;16"])
def test_what_is_odd_and_legal_is_read(tmp_path: Path, gossamer: Any, mode: str) -> None:
    (tmp_path / "mine").mkdir()
    Image.new(mode, (8, 8)).save(tmp_path / "mine" / "a.png")
    said = gossamer("data", "describe", tmp_path / "mine")
    assert (said.code, said.err) == (0, "")


def test_folders_that_lead_out_or_have_names_a_terminal_obeys_are_refused(tmp_path: Path, refused: Any) -> None:
    outside, mine = tmp_path / "outside", tmp_path / "mine"
    outside.mkdir()
    mine.mkdir()
    Image.new("L", (8, 8)).save(outside / "a.png")
    (mine / "cat").symlink_to(outside)
    assert "link out" in refused("data", "describe", mine, at="cat")
    (mine / "cat").unlink()
    (mine / "\x1b[2Jcat").mkdir()
    Image.new("L", (8, 8)).save(mine / "\x1b[2Jcat" / "a.png")
    assert "class_names[0]" in refused("data", "describe", mine, at="printable")


def test_what_is_no_file_at_all_is_refused(tmp_path: Path, refused: Any) -> None:
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/stdin")):
        refused("data", "describe", path, at=str(path))
    refused("data", "describe", "a" * 5000, at="neither a known name")
    refused("data", "describe", "a\x00b", at="neither a known name")
    # A folder in the place of a file is one of pictures, and this one holds none.
    (tmp_path / "mine.npz").mkdir()
    refused("data", "describe", tmp_path / "mine.npz", at="no picture")


def idx(shape: tuple[int, ...], values: bytes, magic: int = 8) -> bytes:
    return struct.pack(">BBBB", 0, 0, magic, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + values


IDX: dict[str, tuple[bytes, str]] = {
    "four billion cubed": (idx((2**32 - 1,) * 3, b""), "at most"),
    "more than is there": (idx((2, 4, 4), bytes(31)), "promises 32"),
    "less than is there": (idx((2, 4, 4), bytes(33)), "goes on"),
    "another type": (idx((2, 4, 4), bytes(32), magic=13), "unsigned bytes"),
    "other dimensions": (idx((32,), bytes(32)), "dimensions"),
    "half a header": (idx((2, 4, 4), b"")[:9], "inside its header"),
    "a cut archive": (gzip.compress(idx((2, 4, 4), bytes(32)))[:-9], "damaged"),
    "a bomb": (gzip.compress(idx((300, 1024, 1024), bytes(2**20)), 9), "times as many"),
    "a stream longer than said": (gzip.compress(idx((2, 4, 4), bytes(2**24)), 9), "goes on"),
}


@pytest.mark.parametrize("name", IDX)
def test_a_hostile_idx_file_ends_in_one_line(tmp_path: Path, watch: Any, name: str) -> None:
    content, word = IDX[name]
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with watch(), pytest.raises(InputError) as caught:
        read_idx(path, num_dims=3)
    line = str(caught.value)
    assert word in line
    assert str(path) in line
    assert line.isprintable()


def test_named_images_on_disk_that_lie_are_refused_by_the_command(tmp_path: Path, refused: Any) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        (folder / name).write_bytes(idx((2**32 - 1,) * 3, b""))
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        (folder / name).write_bytes(idx((2,), np.array([200, 3], np.uint8).tobytes()))
    refused("data", "describe", "mnist", "--data-dir", tmp_path, at="idx", hides=("200",))
