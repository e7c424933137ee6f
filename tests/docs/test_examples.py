"""The examples and the benchmark run to their end at a tiny size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import gossamer

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: str) -> str:
    environment = os.environ | {"GOSSAMER_EXAMPLE_STEPS": "2", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_digits_example_leaves_a_generator_and_samples(tmp_path: Path) -> None:
    said = run("examples/digits.py", str(tmp_path / "out"))
    assert "-differentially private for one record" in said
    with np.load(tmp_path / "out" / "samples.npz") as samples:
        assert samples["x"].shape == (1000, 1, 8, 8)
    assert gossamer.load(tmp_path / "out" / "generator.safetensors").statement.epsilon <= 10


def test_the_loop_example_prices_trains_and_samples() -> None:
    assert "100 images, 10 classes, epsilon 9.99" in run("examples/own_loop.py")


def test_examples_are_short() -> None:
    for script in (ROOT / "examples").glob("*.py"):
        assert len(script.read_text(encoding="utf-8").splitlines()) < 60, script


def test_the_benchmark_times_both_ways_and_finds_them_equal(tmp_path: Path) -> None:
    sizes = ["--cpu-critics", "3", "--paper-critics", "2", "--paper-batch", "4", "--paper-width", "4"]
    file = tmp_path / "bench.json"
    said = run("benchmarks/ensemble.py", *sizes, "--held-critics", "60", "--rounds", "1", "--json", str(file))
    found = json.loads(file.read_text(encoding="utf-8"))
    assert "ratio" in said
    assert [speed["num_critics"] for speed in found["speed"]] == [3, 2]
    for speed in found["speed"]:
        assert speed["ratio"] > 0
        # Rounding alone; the first step of Adam turns a rounded sign of a tiny gradient into a whole step.
        assert speed["relative_difference"] < 0.05
    assert found["memory"]["peak_bytes"] >= found["memory"]["bytes_of_critics"] > 0
    assert found["computed_bytes"]["paper"] > found["computed_bytes"]["cpu"]
