"""The series that no choice saw: read as their packages lay them out, and learnt from as a user's own."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def unseen() -> ModuleType:
    spec = importlib.util.spec_from_file_location("unseen", Path(__file__).parents[2] / "benchmarks" / "unseen.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of the two packages' layouts, and made-up values in them."""
    rng, data = np.random.default_rng(0), tmp_path / "aeon" / "datasets" / "data" / "ItalyPowerDemand"
    data.mkdir(parents=True)
    for side, number in (("TRAIN", 20), ("TEST", 180)):
        rows = [
            ",".join(f"{value:.4f}" for value in rng.normal(label - 1.5, 0.5, 24)) + f":{label}"
            for label in rng.integers(1, 3, number)
        ]
        (data / f"ItalyPowerDemand_{side}.ts").write_text("\n".join(["#said", "@data", *rows]) + "\n")
    (tmp_path / "seglearn" / "data").mkdir(parents=True)
    recordings = [rng.normal(0, 1, (length, 6)) for length in (250, 330, 410)]
    whole = {"X": recordings, "y": np.array([0, 1, 2]), "subject": np.array([1, 9, 2]), "y_labels": list("abc")}
    np.save(tmp_path / "seglearn" / "data" / "watch_dataset.npy", np.array(whole), allow_pickle=True)
    return tmp_path


def test_a_fifth_of_the_days_and_two_people_are_held_out(unseen: ModuleType, folder: Path) -> None:
    train, test = unseen.italy_power(folder)
    assert (train.num_records, test.num_records, train.spec.shape) == (160, 40, (1, 24))
    train, test = unseen.watch(folder)
    assert train.spec.shape == (6, 100)
    assert train.y.tolist() == [0, 0, 2, 2, 2, 2], "two windows of the first, four of the last: ends are left out"
    assert test.y.tolist() == [1, 1, 1]
    values = train.x[0, 5] * 20 - 10
    assert np.allclose(
        values,
        np.load(folder / "seglearn/data/watch_dataset.npy", allow_pickle=True).item()["X"][0][:100, 5],
        atol=1e-5,
    )


def test_every_training_gives_a_line(unseen: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--sets", "italy-power", "--methods", "dp-mixture", "--epsilons", "10", "--seeds", "0"]
    out = folder / "unseen.csv"
    monkeypatch.setattr(sys, "argv", ["unseen.py", str(folder), *words, "--out", str(out)])
    unseen.main()
    with out.open(newline="") as file:
        real, drawn = csv.reader(file)
    assert real[:4] == ["italy-power", "real", "", ""]
    assert drawn[:4] == ["italy-power", "dp-mixture", "10", "0"]
    assert float(real[4]) > 0.9
    assert float(drawn[4]) > 0.7
