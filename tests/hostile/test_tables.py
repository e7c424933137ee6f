"""Hostile CSV and Parquet files: endless lines and columns, words without end, lying metadata; no value is told."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from gossamer.data.head_line import MAX_HEAD_BYTES
from gossamer.data.table import MAX_COLUMNS

SECRET = "0.8731945"
ROW = f"{SECRET},0.2578,anna\n"
HEAD = "a,b,who\n"
LONG = ("--series-column", "who", "--time-column", "a", "--length", 2)
PEOPLE = ("--person-column", "who")

CSV: dict[str, tuple[bytes, tuple[Any, ...], str]] = {
    "nothing": (b"", (), "empty"),
    "a mark and nothing else": (b"\xef\xbb\xbf", (), "empty"),
    "an empty first line": (b"\n" + ROW.encode(), (), "empty line"),
    "a head and nothing else": (HEAD.encode(), PEOPLE, "no row"),
    "not UTF-8 in the head": ("ä,b,who\n".encode("latin-1") + ROW.encode(), PEOPLE, "UTF-8"),
    "not UTF-8 in a row": (HEAD.encode() + "1,2,Jürgen\n".encode("latin-1"), PEOPLE, "UTF-8"),
    "sixteen bits a letter": ((HEAD + ROW).encode("utf-16"), PEOPLE, "UTF-8"),
    "NUL in a number": (HEAD.encode() + b"0.1\x002,0.2,anna\n", PEOPLE, "row 1 is text"),
    "a column twice": (b"a,b,a\n" + ROW.encode(), (), "columns 1 and 3"),
    "a record in place of the head, twice": (b"0.8731945,0.8731945,1\n0.5,0.5,1\n", (), "line of numbers alone"),
    "a record in place of the head": (ROW.encode(), PEOPLE, "head line missing"),
    "a column without a name": (b"a,,who\n" + ROW.encode(), (), "without a name"),
    "a million columns": (b",".join(b"%d" % n for n in range(600_000)) + b"\n", (), f"{MAX_COLUMNS}"),
    "a line without end": (b"a" * (MAX_HEAD_BYTES + 9), (), f"{MAX_HEAD_BYTES}"),
    "a name without end": (b"b," + b"a" * 200_000 + b"\n1,2\n", (), "damaged"),
    "a row without end": (HEAD.encode() + b"0.1,0.2," + b"a" * 2**25, PEOPLE, "mine.csv"),
    "a person without end": (HEAD.encode() + ROW.encode() * 2000 + b"0.1,0.2," + b"a" * 200_000 + b"\n", PEOPLE, "256"),
    "rows of other lengths": (HEAD.encode() + ROW.encode() + b"1,2\n", PEOPLE, "line"),
    "text for a number": (HEAD.encode() + b"0.1,Maria Huber,anna\n", PEOPLE, "column 'b', row 1 is text"),
    "infinite": (HEAD.encode() + b"0.1,inf,anna\n", PEOPLE, "series 0, channel 0, time 1"),
    "empty cells": (HEAD.encode() + b"0.1,,anna\n", PEOPLE, "series 0"),
    "nobody": (HEAD.encode() + b"0.1,0.2,\n", PEOPLE, "row 1 is empty"),
    "a quote that never ends": (b'a,"b,who\n' + ROW.encode(), (), "mine.csv"),
    "a time beyond time": (HEAD.encode() + b"99999999-01-01,1,anna\nsoon,1,anna\n", LONG, "row 2 is neither"),
    "a date that is none": (HEAD.encode() + b"2026-13-45,1,anna\n", LONG, "row 1 is neither"),
    "a class that is none": (HEAD.encode() + ROW.encode(), ("--class-column", "who"), "the class of record 0"),
    "a class beyond counting": (HEAD.encode() + b"1,0,1e300\n", ("--class-column", "who"), "row 1 is a number with"),
}  # fmt: skip


@pytest.mark.parametrize("name", CSV)
def test_a_hostile_csv_ends_in_one_line(tmp_path: Path, refused: Any, name: str) -> None:
    content, options, word = CSV[name]
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    line = refused("data", "describe", path, *options, at=str(path), hides=(SECRET, "0.2578", "anna", "Huber", "rgen"))
    assert word in line


def test_a_table_that_is_no_file_is_refused(tmp_path: Path, refused: Any) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    refused("data", "describe", tmp_path / "pipe.csv", at="regular file")
    refused("data", "describe", tmp_path / "absent.csv", at="absent.csv")


def test_a_training_on_a_hostile_table_never_begins(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(CSV["text for a number"][0])
    line = refused("train", "dp-mixture", "--data", path, *PEOPLE, "--out", tmp_path / "run", at=str(path))
    assert "Huber" not in line
    assert not (tmp_path / "run").exists()


def test_a_times_zone_of_greenwich_is_read_without_a_second_line(tmp_path: Path, gossamer: Any) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b,who\n2026-01-31T08:15:00Z,0,anna\n2026-01-31T08:15:01Z,1,anna\n")
    said = gossamer("data", "describe", path, *LONG)
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_constant_series_of_one_class_are_described(tmp_path: Path, gossamer: Any, end: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b,class\n0,0,1\n0,0,1\n".replace("\n", end), newline="")
    said = gossamer("data", "describe", path, "--class-column", "class")
    assert (said.code, said.err) == (0, "")


def table(compression: str = "snappy", **columns: Any) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer, compression=compression)
    return buffer.getvalue()


def constant(num_rows: int) -> bytes:
    """A column of one value over and over, in a file of a few kilobytes."""
    kind = pyarrow.schema({"a": pyarrow.float64(), "b": pyarrow.float64()})
    buffer, block = io.BytesIO(), np.full(2**20, float(SECRET))
    with parquet.ParquetWriter(buffer, kind, compression="zstd") as writer:
        for _ in range(num_rows // len(block)):
            writer.write_table(pyarrow.table({"a": block, "b": block}), row_group_size=len(block))
    return buffer.getvalue()


def repeated(length: int, num_rows: int, compression: str = "snappy") -> bytes:
    """One long word, kept once, in every row."""
    words = pyarrow.DictionaryArray.from_arrays(np.zeros(num_rows, np.int32), pyarrow.array(["a" * length]))
    return table(compression, a=np.zeros(num_rows), b=np.ones(num_rows), who=words)


def claiming(num_rows: int) -> bytes:
    """The count of rows in the footer changed: 3 in a variable-length integer, zigzag, to another of one byte."""
    content = bytearray(table(a=np.arange(3.0), b=np.arange(3.0)))
    place = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for index in range(place, len(content) - 8):
        if content[index : index + 2] == bytes([0x16, 6]):
            content[index + 1] = 2 * num_rows
    return bytes(content)


def flipped() -> bytes:
    content = bytearray(table(a=np.arange(300.0), b=np.arange(300.0)))
    content[60:90] = bytes(30)
    return bytes(content)


NESTED = [{"x": SECRET}, {"x": SECRET}]
PARQUET: dict[str, tuple[Callable[[], bytes], tuple[Any, ...], str]] = {
    "nothing": (lambda: b"", (), "empty"),
    "the marks alone": (lambda: b"PAR1\x00\x00\x00\x00PAR1", (), "damaged"),
    "a footer longer than the file": (lambda: b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1", (), "damaged"),
    "another format under its name": (lambda: (HEAD + ROW).encode(), (), "damaged"),
    "a cut file": (lambda: table(a=np.arange(300.0))[:-20], (), "damaged"),
    "changed bytes": (flipped, (), "mine.parquet"),
    "more rows than there are": (lambda: claiming(60), (), "mine.parquet"),
    "one value in millions of rows": (lambda: constant(2**24), (), "times as many"),
    "a long word, packed": (lambda: repeated(2**26 + 2**20, 3, compression="zstd"), PEOPLE, "times as many"),
    "a long word in every row": (lambda: repeated(2**20, 3000), PEOPLE, "256"),
    "a long word for a number": (lambda: repeated(2**20, 3000), (), "256"),
    "lists for numbers": (lambda: table(a=[[0.5], [0.5]], b=[1.0, 1.0]), (), "holds lists and"),
    "records for people": (lambda: table(a=[0.5, 0.5], b=[1.0, 1.0], who=NESTED), PEOPLE, "lists or records"),
    "lists for times": (lambda: table(a=[[0.5], [0.5]], b=[1.0, 1.0], who=["u", "v"]), LONG, "lists or records"),
    "truth for numbers": (lambda: table(a=[True, False], b=[1.0, 1.0]), (), "no numbers"),
    "bytes for numbers": (lambda: table(a=[b"\xff\xfe", b"x"], b=[1.0, 1.0]), (), "no numbers"),
    "nan": (lambda: table(a=[0.5, np.nan], b=[1.0, 1.0]), (), "series 1, channel 0, time 0"),
    "a column twice": (
        lambda: table_of(pyarrow.Table.from_arrays([pyarrow.array([0.5])] * 2, names=["a", "a"])), (), "columns 1 and 2"
    ),
}  # fmt: skip


def table_of(found: pyarrow.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(found, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", PARQUET)
def test_a_hostile_parquet_file_ends_in_one_line(tmp_path: Path, refused: Any, name: str) -> None:
    make, options, word = PARQUET[name]
    path = tmp_path / "mine.parquet"
    path.write_bytes(make())
    assert word in refused("data", "describe", path, *options, at=str(path), hides=(SECRET,))


def test_words_are_read_as_they_are_however_they_are_kept(tmp_path: Path, gossamer: Any) -> None:
    people = pyarrow.array(["anna", "bert", "anna"])
    for name, words in (
        ("plain", people),
        ("kept", people.dictionary_encode()),
        ("large", people.cast("large_string")),
    ):
        path = tmp_path / f"{name}.parquet"
        parquet.write_table(
            pyarrow.table({"a": [0.0, 1, 1], "b": pyarrow.array([1, 0, 1], "int8"), "who": words}), path
        )
        said = gossamer("data", "describe", path, *PEOPLE, "--json")
        assert said.code == 0, said.err
        assert '"num_people": 2' in said.out


def test_random_damage_to_a_table_is_refused_or_harmless(tmp_path: Path, gossamer: Any) -> None:
    rng = np.random.default_rng(20)
    whole = table(a=np.arange(30.0) / 30, b=np.arange(30.0) / 30, who=[f"p{n % 3}" for n in range(30)])
    path = tmp_path / "mine.parquet"
    codes = set()
    for _ in range(60):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), size=rng.integers(1, 6)):
            content[place] = rng.integers(0, 256)
        path.write_bytes(bytes(content))
        said = gossamer("data", "describe", path, *PEOPLE)
        codes.add(said.code)
        assert said.code in (0, 2), said.err
        assert said.err.count("\n") == (said.code == 2)
    assert codes == {0, 2}
