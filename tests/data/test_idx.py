"""IDX files: exactly what the header promises, or a refusal."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.data.idx import read_idx

VALUES = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def idx_bytes(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["a.idx", "a.gz"])
def test_what_was_written_is_read_whatever_the_name(tmp_path, pack, name) -> None:
    (tmp_path / name).write_bytes(pack(idx_bytes(VALUES)))
    np.testing.assert_array_equal(read_idx(tmp_path / name, num_dims=3), VALUES)


GOOD = idx_bytes(VALUES)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not an IDX"),
        (b"\x00\x00", "not an IDX"),
        (b"PK\x03\x04" + GOOD[4:], "not an IDX"),
        (b"\x00\x00\x0d" + GOOD[3:], "not an IDX"),
        (GOOD[:3] + b"\x01" + GOOD[4:], "3 expected"),
        (GOOD[:9], "inside its header"),
        (GOOD[:-1], "only 39"),
        (GOOD + b"\x00", "goes on"),
        (GOOD[:4] + b"\xff" * 12, "at most"),
        (GOOD[:4] + struct.pack(">3I", 2**10, 2**10, 2**10) + GOOD[16:], "unpack"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, refusal, pack, content, word) -> None:
    (tmp_path / "a").write_bytes(pack(content))
    assert word in refusal(read_idx, tmp_path / "a", num_dims=3)


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 20])
def test_a_truncated_gzip_is_refused(tmp_path, refusal, cut) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(GOOD)[:-cut])
    assert "cut short" in refusal(read_idx, tmp_path / "a", num_dims=3)


def test_a_gzip_that_holds_more_than_promised_is_not_unpacked(tmp_path, refusal) -> None:
    (tmp_path / "bomb").write_bytes(gzip.compress(GOOD + bytes(200 * 2**20)))
    tracemalloc.start()
    message = refusal(read_idx, tmp_path / "bomb", num_dims=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "goes on" in message
    assert peak < 8 * 2**20


def test_a_folder_and_an_absent_file_are_refused(tmp_path, refusal) -> None:
    assert "is a folder" in refusal(read_idx, tmp_path, num_dims=3)
    assert "does not exist" in refusal(read_idx, tmp_path / "absent", num_dims=3)
    assert "does not exist" in refusal(read_idx, tmp_path / "a\nb", num_dims=3)
    assert refusal(read_idx, tmp_path / ("a" * 300), num_dims=3)
    assert refusal(read_idx, Path("a\0b"), num_dims=3)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    packed=st.booleans(),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    keep=st.one_of(st.none(), st.integers(0, 80)),
)
def test_random_damage_is_refused_or_harmless(tmp_path, read_or_refused, packed, edits, keep) -> None:
    content = bytearray(gzip.compress(GOOD, mtime=0) if packed else GOOD)
    for position, value in edits:
        content[position % len(content)] = value
    (tmp_path / "a").write_bytes(content[:keep])
    values = read_or_refused(lambda: read_idx(tmp_path / "a", num_dims=3))
    assert values is None or values.ndim == 3
