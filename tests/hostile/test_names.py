"""Names that come with files from elsewhere: nothing in them is obeyed by a terminal or taken for markup."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli.tables import show_comparison
from gossamer.data.images import ImageSpec
from gossamer.errors import GossamerError, InputError, one_line
from gossamer.estimators import load_generator
from gossamer.evaluation.comparison import compare
from gossamer.evaluation.score import Score
from gossamer.scoring.targets import TargetFinder

NAMES = ("[red]a", "a[red", "[link=localhost]a", "a\x1b[2J\x1b]0;x\x07b", "a\u202eb", "a\rb", "%s{x}", "$a$_")


def score() -> Score:
    return Score(
        name="avg12", value=0.8, low=0.7, high=0.9, higher_is_better=True, num_synthetic=100, num_real=100, seeds=(0,),
        source="example",
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_file_s_name_is_shown_and_not_obeyed(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.npz"
    np.savez(path, x=np.zeros((5, 8, 8)), y=np.zeros(5, int))
    real = ImageSpec(channels=1, height=8, width=8, class_names=tuple("0123456789"))
    target = TargetFinder(real=real, load=load_generator).find(path)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show_comparison(compare({target.name: {"avg12": score()}, "other": {"avg12": score()}}))
    assert target.name.isprintable()
    assert target.name in out.getvalue()
    assert all(line.isprintable() for line in out.getvalue().splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_s_name_in_an_error_is_not_obeyed(tmp_path: Path, refused: Any, name: str) -> None:
    (tmp_path / f"{name}.npz").write_bytes(b"PK")
    refused("data", "describe", tmp_path / f"{name}.npz", at=".npz")
    (tmp_path / f"{name}.safetensors").write_bytes(b"{}")
    refused(
        "sample", tmp_path / f"{name}.safetensors", "--num-samples", 1, "--out", tmp_path / "x.npz", at="safetensors"
    )


def test_a_name_that_is_no_text_is_refused_as_any_other(tmp_path: Path, refused: Any) -> None:
    name = os.fsdecode(b"\xff\xfe.npz")
    (tmp_path / name).write_bytes(b"PK")
    refused("data", "describe", tmp_path / name, at="\\udcff")
    refused("sample", tmp_path / name, "--num-samples", 1, "--out", tmp_path / "x.npz", at="\\udcff")


def test_every_error_is_one_printable_line_of_bounded_length() -> None:
    for text in ("a\nb", "a\x1b[2Jb", "a" * 10**6, "\ud800", "a\u2028b", "\x00", "a\x9bb"):
        for error in (InputError(text), GossamerError(text)):
            assert str(error).isprintable()
            assert len(str(error)) < 2500
    assert one_line("a plain line, with ü and  spaces") == "a plain line, with ü and  spaces"
