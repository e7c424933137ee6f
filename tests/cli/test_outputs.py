"""Outputs of the process: a reader who leaves ends nothing, and what cannot be written is said once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from gossamer.cli import outputs
from gossamer.cli.outputs import outlive_readers


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def full_disk() -> Iterator[int]:
    """A file on which there is never any space."""
    file = os.open("/dev/full", os.O_WRONLY)
    yield file
    os.close(file)


def stream(kind: type[outputs._Output], descriptor: int) -> TextIO:
    return outputs._stream(kind(descriptor), None)


@pytest.mark.parametrize("kind", [outputs._Output, outputs._Aside])
def test_what_nobody_reads_is_swallowed(closed_pipe: int, kind: type[outputs._Output]) -> None:
    with stream(kind, closed_pipe) as output:
        for _ in range(3):
            print("x" * 100_000, file=output, flush=True)


def test_a_pipe_that_is_not_made_so_is_a_broken_one(closed_pipe: int) -> None:
    """The counter-test: that is what is swallowed above."""
    with pytest.raises(BrokenPipeError):
        os.write(closed_pipe, b"x")


def test_output_on_a_full_disk_is_an_error_once(full_disk: int) -> None:
    output = stream(outputs._Output, full_disk)
    print("x", file=output)
    with pytest.raises(OSError, match="No space left"):
        output.flush()
    output.close()  # as the interpreter does at its end: nothing more is said


def test_an_aside_on_a_full_disk_is_none(full_disk: int) -> None:
    with stream(outputs._Aside, full_disk) as output:
        print("x", file=output, flush=True)


def test_what_is_written_arrives(tmp_path: Path) -> None:
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    with stream(outputs._Output, file) as output:
        print("epsilon ≤ 1", file=output)
    os.close(file)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "epsilon ≤ 1\n"


def test_what_a_caller_has_put_in_place_of_an_output_stays(monkeypatch: Any, capsys: Any) -> None:
    """As here, where a test listens."""
    before = sys.stdout, sys.stderr
    assert sys.stdout is not sys.__stdout__
    outlive_readers()
    assert (sys.stdout, sys.stderr) == before
