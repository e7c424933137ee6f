"""`gossamer data`: what is there, and what of it will be public."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_the_named_sets_are_listed(gossamer: Any) -> None:
    said = gossamer("data", "list")
    assert said.code == 0
    assert [name for name in ("digits", "mnist", "fashion-mnist") if name in said.out] == [
        "digits", "mnist", "fashion-mnist",
    ]  # fmt: skip
    assert "FILE.npz" in said.out


def test_digits_are_described_as_json(gossamer: Any) -> None:
    found = json.loads(gossamer("data", "describe", "digits", "--json").out)
    assert found["num_records"] == 1437
    assert found["num_test_records"] == 360
    assert found["shape"] == [1, 8, 8]
    assert sum(found["private"]["class_counts"].values()) == 1437


def test_plain_words_say_what_is_public_and_what_is_private(gossamer: Any) -> None:
    said = gossamer("data", "describe", "digits")
    assert said.code == 0
    assert "class counts (private)" in said.out
    assert "public: " in said.out


def test_own_images_are_described_with_the_number_of_classes_that_was_given(gossamer: Any, own_npz: Any) -> None:
    said = gossamer("data", "describe", own_npz(), "--num-classes", 3, "--json")
    found = json.loads(said.out)
    assert len(found["classes"]) == 3
    assert list(found["private"]["class_counts"].values()) == [30, 30, 0]


@pytest.mark.parametrize("name", ["[bold]", "[red]", "a [b] c"])
def test_class_names_are_shown_as_they_are(gossamer: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "own" / name).mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(tmp_path / "own" / name / "1.png")
    said = gossamer("data", "describe", tmp_path / "own")
    assert said.code == 0
    assert name in said.out


def test_an_absent_path_is_refused(gossamer: Any, tmp_path: Any) -> None:
    said = gossamer("data", "describe", tmp_path / "absent.npz")
    assert said.code == 2
    assert "neither a known name" in said.err
