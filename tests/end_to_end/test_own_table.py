"""A user's own long table, two channels and a person column, from Parquet to scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from gossamer.cli.main import main

NUM_SERIES, LENGTH, NUM_PEOPLE = 600, 24, 60
READ = (
    *("--series-column", "step", "--time-column", "second", "--value-columns", "left", "right"),
    *("--class-column", "gait", "--class-names", "run", "walk", "--person-column", "patient"),
    *("--length", str(LENGTH), "--sample-rate", "50", "--low=-2", "--high", "2", "--split", "people"),
)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Steps of sixty people: runners' left and right swing together, walkers' against each other."""
    rng = np.random.default_rng(0)
    step, time = np.divmod(np.arange(NUM_SERIES * LENGTH), LENGTH)
    is_walk = step % 2 == 1
    size = rng.normal(1, 0.15, NUM_SERIES)[step]
    phase = rng.normal(0, 0.2, NUM_SERIES)[step]
    left = size * np.sin(2 * np.pi * time / LENGTH + phase) + 0.05 * rng.normal(size=len(step))
    right = np.where(is_walk, -1, 1) * left + 0.05 * rng.normal(size=len(step))
    path = tmp_path_factory.mktemp("own") / "gait.parquet"
    columns = {
        "step": step,
        "second": time / 50,
        "left": left,
        "right": right,
        "gait": np.where(is_walk, "walk", "run"),
        "patient": [f"p{number}" for number in step % NUM_PEOPLE],
    }
    # Rows of one series need not stand together.
    order = np.argsort(time, kind="stable")
    parquet.write_table(pyarrow.table({name: np.asarray(values)[order] for name, values in columns.items()}), path)
    return path


@pytest.fixture(scope="module")
def run(table: Path, shared_folders: Any) -> Path:
    path = table.parent / "run"
    settings = ("--epsilon", "10", "--delta", "1e-3", "--out", str(path))
    assert main(["train", "dp-mixture", "--data", str(table), *READ, *settings]) == 0
    return shared_folders.add(path)


def test_what_was_understood_is_said_before_anything_is_learnt(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "describe", str(table), *READ[:-2], "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["num_people"], said["shape"]) == (NUM_PEOPLE, [2, LENGTH])
    assert said["num_records"] == NUM_SERIES
    assert said["classes"] == {"run": NUM_SERIES // 2, "walk": NUM_SERIES // 2}


def test_samples_come_back_as_a_table_in_the_user_s_units(run: Path, tmp_path: Path) -> None:
    assert main(["sample", str(run), "--num-samples", "200", "--out", str(tmp_path / "x.npz")]) == 0
    with np.load(tmp_path / "x.npz") as drawn:
        x, y = drawn["x"], drawn["y"]
    assert x.shape == (200, 2, LENGTH)
    assert np.abs(x).max() <= 2
    # Left and right of a runner rise and fall together: what the table says must have gone through. Nine trainings with
    # fresh noise gave 0.48 to 0.80 and -0.67 to -0.82; nothing learnt gives 0.
    together = [np.mean([np.corrcoef(*one)[0, 1] for one in x[y == label]]) for label in (0, 1)]
    assert together[0] > 0.2 > -0.2 > together[1]
    assert main(["sample", str(run), "--num-samples", "20", "--out", str(tmp_path / "x.parquet")]) == 0
    # A long table went in, so a long one comes back: a row for each time.
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.num_rows == 20 * LENGTH
    assert len(set(table["step"].to_pylist())) == 20


def test_scores_are_there_for_new_people_too(
    run: Path, table: Path, tmp_path: Path, copy_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    own = copy_run(run, tmp_path / "run")
    capsys.readouterr()
    scoring = ("--quick", "--num-samples", "200", "--allow-few-samples", "--json")
    assert main(["evaluate", str(own), "--data", str(table), *READ, *scoring]) == 0
    found = json.loads(capsys.readouterr().out)["scores"]
    # Guessing gives a half.
    assert found["tstr_macro_f1_people"]["value"] > 0.8
    assert found["trtr_macro_f1"]["value"] > 0.9
    assert "mmd" in found


def test_protection_of_a_person_names_the_person_and_the_price(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("--unit", "person", "--num-people", "100", "--epsilon", "10", "--delta", "1e-3")
    assert main(["train", "dp-mixture", "--data", str(table), *READ, *settings, "--out", str(tmp_path / "run")]) == 0
    statement = json.loads((tmp_path / "run" / "release" / "privacy.json").read_text(encoding="utf-8"))
    assert statement["unit"] == "person"
    assert "patient" not in json.dumps(statement)
    assert "advice: at epsilon 10 and 100 people" in capsys.readouterr().out
