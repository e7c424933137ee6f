"""Time series from the command line to files, on heartbeats that a formula made up: nothing to download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from gossamer.cli.main import main
from gossamer.data.catalogue import load_records


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared_folders: Any) -> Path:
    path = tmp_path_factory.mktemp("beats") / "run"
    assert main(["train", "dp-mixture", "--data", "beats", "--epsilon", "10", "--out", str(path)]) == 0
    return shared_folders.add(path)


def test_synthetic_beats_teach_a_forest_what_real_ones_are(run: Path) -> None:
    # Ten trainings with fresh noise gave a macro-F1 of 0.868 to 0.989, standard deviation 0.035; guessing gives 0.33.
    with np.load(run / "release" / "samples" / "samples.npz") as samples:
        x, y = samples["x"], samples["y"]
        low, high = samples["low"], samples["high"]
    test = load_records("beats").test
    assert test is not None
    assert test.y is not None
    scaled = (x - low[:, None]) / (high - low)[:, None]
    forest = RandomForestClassifier(100, random_state=0).fit(scaled.reshape(len(x), -1), y)
    said = forest.predict(test.x.flatten(start_dim=1).numpy())
    assert f1_score(test.y.numpy(), said, average="macro") > 0.6


@pytest.mark.parametrize("name", ["x.npz", "x.csv", "x.parquet", "x.wfdb", "x.png"])
def test_series_are_written_as_the_ending_says(run: Path, tmp_path: Path, name: str) -> None:
    assert main(["sample", str(run), "--num-samples", "12", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).exists()


def test_a_file_of_synthetic_series_is_data_again(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["sample", str(run), "--num-samples", "12", "--out", str(tmp_path / "x.npz")])
    assert main(["data", "describe", str(tmp_path / "x.npz")]) == 0
    assert "12" in capsys.readouterr().out


def test_another_ending_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["sample", str(run), "--num-samples", "12", "--out", str(tmp_path / "x.txt")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "name X.npz, X.csv, X.parquet, X.ts, X.edf, X.wfdb or X.png" in said
    assert not (tmp_path / "x.txt").exists()
