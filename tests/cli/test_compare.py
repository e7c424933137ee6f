"""`gossamer compare`: side by side, with a star only where no doubt is left."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.evaluation.comparison import headline

QUICKLY = ("--data", "digits", "--quick", "--num-samples", 256, "--num-workers", 1)


@pytest.fixture(autouse=True)
def bench(bench_of_seconds: Path) -> Path:
    return bench_of_seconds


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).random((256, 1, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "noise.npz", x=x, y=np.arange(256) % 10)
    return tmp_path / "noise.npz"


def test_the_better_one_is_marked_and_all_is_written(
    gossamer: Any, real_digits: Path, noise: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "out"
    said = gossamer("compare", noise, real_digits, *QUICKLY, "--out", out)
    assert said.code == 0, said.err
    tree = json.loads((out / "evaluation.json").read_text())
    assert tree["covered_by_guarantee"] is False
    assert list(tree["targets"]) == ["noise", "real"]
    shown = [name for name in headline() if name in tree["targets"]["real"]["scores"]]
    assert {tree["best"][name] for name in shown} == {"real"}
    # What tells of real images alone is the same for both.
    assert tree["best"]["mlp_accuracy_real"] is None
    for name in shown:
        assert re.search(rf"^{name} +(higher|lower) +\d+\.\d+ +\d+\.\d+ \*$", said.out, re.MULTILINE)
    assert all(len(line.rstrip()) <= 80 for line in said.out.split("* best")[0].splitlines())
    bars = {f"scores-{number}.{kind}" for number in (1, 2) for kind in ("png", "svg")}
    assert {path.name for path in out.iterdir()} == {"evaluation.json", "scores.csv", "samples.png"} | bars


def test_one_and_the_same_has_two_names_and_no_star(gossamer: Any, real_digits: Path) -> None:
    said = gossamer("compare", real_digits, real_digits, *QUICKLY)
    assert said.code == 0, said.err
    assert "real (2)" in said.out
    assert "*" not in said.out.split("* best")[0]
    assert "Nothing was written" in said.out


def test_saved_generators_are_compared_too(gossamer: Any, saved_on_the_way: Path, noise: Path) -> None:
    said = gossamer("compare", saved_on_the_way, noise, *QUICKLY, "--checkpoints", "--json")
    assert said.code == 0, said.err
    assert list(json.loads(said.out)["targets"]) == ["run step 3", "run step 7", "run", "noise"]


def test_a_single_target_and_a_release_are_refused(gossamer: Any, finished: Path, real_digits: Path) -> None:
    said = gossamer("compare", real_digits, *QUICKLY)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "gossamer evaluate" in said.err
    said = gossamer("compare", real_digits, finished, *QUICKLY, "--out", finished / "release" / "comparison")
    assert (said.code, said.err.count("\n")) == (3, 1)
    assert not (finished / "release" / "comparison").exists()
