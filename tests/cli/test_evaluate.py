"""`gossamer evaluate`: scores beside those of real data, with the warning that they are private."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NAMES = {"cnn_accuracy", "logistic_accuracy", "cnn_accuracy_real", "logistic_accuracy_real"}


def test_a_generator_is_scored_beside_real_data(gossamer: Any, finished: Path) -> None:
    said = gossamer("evaluate", finished, "--data", "digits", "--num-samples", 300, "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert set(found["scores"]) == NAMES
    assert all(0 <= score["low"] <= score["value"] <= score["high"] <= 1 for score in found["scores"].values())
    # Three hundred real digits teach a line-drawing classifier; twelve steps of a tiny GAN do not.
    assert found["scores"]["logistic_accuracy_real"]["value"] > 0.8
    assert found["scores"]["logistic_accuracy"]["value"] < 0.6
    assert "guarantee does not cover" in found["note"]


def test_a_file_of_samples_is_scored_in_plain_words(gossamer: Any, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = (digits.images[:300] / 16).astype(np.float32)[:, None]
    np.savez(tmp_path / "x.npz", x=x, y=digits.target[:300])
    said = gossamer("evaluate", tmp_path / "x.npz", "--data", "digits", "--num-samples", 200)
    assert said.code == 0
    assert "logistic regression" in said.out
    assert "small CNN" in said.out
    assert "guarantee does not cover" in " ".join(said.out.split())


def test_own_images_need_test_images_of_their_own(gossamer: Any, train_tiny: Any, own_npz: Any, tmp_path: Path) -> None:
    data, run = own_npz(), tmp_path / "run"
    assert train_tiny(data, run, "--num-classes", 2).code == 0
    words = ("evaluate", run, "--data", data, "--num-classes", 2, "--num-samples", 50, "--json")
    said = gossamer(*words)
    assert said.code == 2
    assert "--test-data" in said.err
    said = gossamer(*words, "--test-data", data)
    assert said.code == 0
    assert set(json.loads(said.out)["scores"]) == NAMES


@pytest.mark.parametrize("case", ["other shape", "no labels", "absent", "no samples", "own without labels"])
def test_what_cannot_be_scored_gets_one_line(
    gossamer: Any, finished: Path, own_npz: Any, tmp_path: Path, case: str
) -> None:
    x = np.zeros((20, 1, 8, 8), dtype=np.float32)
    words: tuple[object, ...] = ("evaluate", tmp_path / "own.npz", "--data", "digits")
    match case:
        case "other shape":
            own_npz(x=np.zeros((20, 1, 14, 14), dtype=np.float32), y=np.arange(20) % 10)
        case "no labels":
            own_npz(x=x, y=None)
        case "no samples":
            words = ("evaluate", finished, "--data", "digits", "--num-samples", 0)
        case "own without labels":
            own_npz(x=x, y=None)
            words = ("evaluate", finished, "--data", tmp_path / "own.npz", "--test-data", tmp_path / "own.npz")
    said = gossamer(*words)
    assert said.code == 2
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
