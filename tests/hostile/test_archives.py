"""Hostile NPZ files: bombs, lies, pickles, paths, wrong types; and the odd ones that are legal, which are read."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.data.archive import MAX_DIRECTORY_BYTES
from gossamer.data.npz import load_npz

SECRET = 0.8731945
X = np.full((6, 8, 8), SECRET, dtype=np.float32)
Y = np.arange(6) % 2


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text: str, values: bytes = b"") -> bytes:
    padded = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + values


def archive(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)


def said(shape: str, kind: str = "<f4", order: str = "False") -> bytes:
    return header(f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}", X.tobytes())


def zeros(num_mebibytes: int) -> tuple[bytes, zlib._Compress]:
    """Packed zeros, a thousand to one, and what packs on: the same part over and over, which takes no time to make."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    part = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return part * num_mebibytes, packer


def bomb(path: Path, shape: str, said: int) -> None:
    """A gigabyte of zeros behind a header, in a member that says it is as long as that."""
    start = header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}")
    first = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed, packer = zeros(1024)
    packed = first.compress(start) + first.flush(zlib.Z_FULL_FLUSH) + packed + packer.flush()
    name, size = b"x.npy", len(start) + said
    sizes = struct.pack("<III", 0, len(packed), size)
    local = struct.pack("<IHHHHH", 0x04034B50, 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", len(name), 0) + name
    central = struct.pack("<IHHHHHH", 0x02014B50, 20, 20, 0, 8, 0, 33) + sizes
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    path.write_bytes(local + packed + central + end)


def endless_directory(path: Path) -> None:
    """A directory of a quarter of a million entries of no bytes."""
    entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, *[0] * 14)
    entries = entry * 250_000
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(entries), 0, 0)
    path.write_bytes(entries + end)


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("echo a pickle was run",)


OBJECTS = np.array([Bomb(), 1], dtype=object)
MANY = [(f"{number}.npy", b"") for number in range(1001)]
WRITERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "bomb of zeros": (lambda path: bomb(path, "(1024, 1024, 1024)", 2**30), "times as many"),
    "stream longer than said": (lambda path: bomb(path, "(6, 8, 8)", 384), "damaged"),
    "endless directory": (endless_directory, f"at most {MAX_DIRECTORY_BYTES}"),
    "a thousand arrays": (lambda path: archive(path, *MANY), "1001 arrays"),
    "an archive in the archive": (
        lambda path: archive(path, ("x.npy", b"PK\x05\x06" + bytes(18))),
        "not a numpy array",
    ),
    "paths that lead out": (lambda path: archive(path, ("../../x.npy", npy(X)), ("/etc/x.npy", npy(X))), "no key 'x'"),
    "a key that a terminal obeys": (lambda path: archive(path, ("\x1b[2J\x1b]0;x\x07.npy", npy(X))), "\\x1b[2J"),
    "a link in the archive": (lambda path: link(path), "x"),
    "one key twice": (lambda path: twice(path), "twice"),
    "pickled objects": (lambda path: np.savez(path, x=OBJECTS), "Python objects"),
    "pickled labels": (lambda path: np.savez(path, x=X, y=OBJECTS), "Python objects"),
    "named fields": (lambda path: np.savez(path, x=np.zeros(3, dtype=[("a", "f4")])), "named fields"),
    "more values than there are": (lambda path: archive(path, ("x.npy", said("(7, 8, 8)"))), "promises"),
    "fewer values than there are": (lambda path: archive(path, ("x.npy", said("(5, 8, 8)"))), "promises"),
    "a negative shape": (lambda path: archive(path, ("x.npy", said("(-6, 8, 8)"))), "damaged header"),
    "an astronomical shape": (lambda path: archive(path, ("x.npy", said(f"({'9' * 400}, 8, 8)"))), "digits"),
    "many dimensions": (lambda path: archive(path, ("x.npy", said(f"({'1, ' * 900})"))), "dimensions"),
    "an expression": (lambda path: archive(path, ("x.npy", said("(__import__('os').getpid(), 8, 8)"))), "damaged"),
    "an expression for a type": (
        lambda path: archive(path, ("x.npy", header("{'descr': exec('1'), 'fortran_order': False, 'shape': (6,)}"))),
        "damaged header",
    ),
    "nan": (lambda path: np.savez(path, x=np.where(np.arange(6)[:, None, None] == 4, np.nan, X)), "x[4, 0, 0]"),
    "infinite": (lambda path: np.savez(path, x=np.where(np.arange(6)[:, None, None] == 4, np.inf, X)), "x[4, 0, 0]"),
    "complex": (lambda path: np.savez(path, x=X.astype(complex)), "dtype '<c16'"),
    "text": (lambda path: np.savez(path, x=X.astype(str)), "dtype"),
    "dates": (lambda path: np.savez(path, x=X.astype("int64").astype("datetime64[s]")), "dtype '<M8[s]'"),
    "truth": (lambda path: np.savez(path, x=X > 0), "dtype '|b1'"),
    "labels below 0": (lambda path: np.savez(path, x=X, y=np.where(np.arange(6) == 3, -31, 0)), "y[3]"),
    "fractional labels": (lambda path: np.savez(path, x=X, y=Y + 0.25), "integers"),
    "labels of 2^63": (lambda path: np.savez(path, x=X, y=np.full(6, 2**63, dtype=np.uint64)), "y[0]"),
    "labels of 2^64 - 1": (lambda path: np.savez(path, x=X, y=np.full(6, 2**64 - 1, dtype=np.uint64)), "y[0]"),
    "labels of truth": (lambda path: np.savez(path, x=X, y=Y > 0), "integers"),
    "nothing": (lambda path: path.write_bytes(b""), "not an NPZ"),
    "a cut file": (lambda path: cut(path), "not an NPZ"),
    "half of a member": (lambda path: hole(path), "damaged"),
    "an encrypted member": (lambda path: flagged(path), "encrypted"),
    "packed as numpy never does": (lambda path: archive(path, ("x.npy", npy(X)), method=zipfile.ZIP_LZMA), "packed"),
    "a name of a class that a terminal obeys": (
        lambda path: np.savez(path, x=X, y=Y, class_names=np.array(["a", "\x1b[31m"])),
        "class_names[1]",
    ),
    "names of people without end": (lambda path: np.savez(path, x=X, person=np.array(["a" * 10_000] * 6)), "dtype"),
}


def link(path: Path) -> None:
    info = zipfile.ZipInfo("x.npy")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(info, "/etc/hostname")


def twice(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(path, ("x.npy", npy(X)), ("x.npy", npy(X)))


def cut(path: Path) -> None:
    np.savez(path, x=X)
    path.write_bytes(path.read_bytes()[:-30])


def hole(path: Path) -> None:
    np.savez_compressed(path, x=np.random.default_rng(0).random((6, 8, 8)))
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(bytes(content))


def flagged(path: Path) -> None:
    np.savez(path, x=X)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", WRITERS)
def test_a_hostile_archive_ends_in_one_line(tmp_path: Path, refused: Any, capfd: Any, name: str) -> None:
    write, word = WRITERS[name]
    path = tmp_path / "mine.npz"
    write(path)
    line = refused("data", "describe", path, at=str(path), hides=("0.873", "-31", "a pickle was run"))
    assert word in line
    assert "a pickle was run" not in capfd.readouterr().out


@pytest.mark.parametrize(
    "name", ["nan", "complex", "infinite", "more values than there are", "stream longer than said"]
)
def test_it_ends_so_as_series_too(tmp_path: Path, refused: Any, name: str) -> None:
    path = tmp_path / "mine.npz"
    WRITERS[name][0](path)
    refused("data", "describe", path, "--low", 0, "--high", 1, at=str(path), hides=("0.873",))


@pytest.mark.parametrize("name", ["bomb of zeros", "pickled objects", "nan"])
def test_a_training_on_it_never_begins(tmp_path: Path, refused: Any, name: str) -> None:
    path = tmp_path / "mine.npz"
    WRITERS[name][0](path)
    for more in (("--dry-run",), ("--out", tmp_path / "run")):
        refused("train", "gs-wgan", "--data", path, *more, at=str(path), hides=("0.873",))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["endless directory", "labels of 2^63", "a cut file"])
def test_it_is_not_scored(tmp_path: Path, refused: Any, name: str) -> None:
    path = tmp_path / "mine.npz"
    WRITERS[name][0](path)
    refused("evaluate", path, "--data", "digits", "--quick", at=str(path))
    refused("compare", path, path, "--data", "digits", "--quick", at=str(path))


@pytest.mark.parametrize("kind", [">f4", ">f8", "<f2", "|u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_odd_and_legal_is_read_as_its_native_twin(tmp_path: Path, kind: str, order: Any) -> None:
    values = np.random.default_rng(0).random((6, 3, 8, 9))
    native = (values * 255).astype("u1") if kind == "|u1" else values.astype(np.dtype(kind).newbyteorder("="))
    np.savez(tmp_path / "native.npz", x=native, y=Y)
    np.savez(tmp_path / "odd.npz", x=np.asarray(native, dtype=kind, order=order), y=Y.astype(">i8"))
    read = [load_npz(tmp_path / f"{name}.npz").train for name in ("native", "odd")]
    assert torch.equal(read[0].x, read[1].x)
    assert read[0].y is not None
    assert read[1].y is not None
    assert torch.equal(read[0].y, read[1].y)


@pytest.mark.parametrize("arrays", [{"x": X, "y": np.zeros(6, int)}, {"x": np.zeros_like(X)}])
def test_one_class_and_constant_images_are_described(tmp_path: Path, gossamer: Any, arrays: Any) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)
    said = gossamer("data", "describe", tmp_path / "mine.npz")
    assert (said.code, said.err) == (0, "")


def test_the_watch_sees_memory_that_is_taken_and_time_that_is_spent(watch: Any) -> None:
    with pytest.raises(AssertionError, match="MiB"), watch(max_bytes=2**25):
        np.ones(2**25)
    with watch(max_bytes=2**25):
        np.ones(2**18)
    with pytest.raises(AssertionError, match="processor time"), watch(max_seconds=0.01):
        sum(range(2**21))
