"""Named classes as files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from gossamer.errors import InputError
from gossamer.runs.prediction_files import write_predictions

FOUND = np.array([[0.25, 0.75], [0.875, 0.125]])
NAMES = ("well, or so", "ill")


def test_a_table_has_number_class_and_probabilities_of_each_record(tmp_path: Path) -> None:
    write_predictions(tmp_path / "found.csv", FOUND, NAMES)
    with (tmp_path / "found.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["record", "class", "probability_well, or so", "probability_ill"],
            ["0", "ill", "0.25", "0.75"],
            ["1", "well, or so", "0.875", "0.125"],
        ]


def test_an_archive_has_the_same_without_pickle(tmp_path: Path) -> None:
    write_predictions(tmp_path / "found.npz", FOUND, NAMES)
    with np.load(tmp_path / "found.npz", allow_pickle=False) as found:
        assert found["y"].tolist() == [1, 0]
        assert np.array_equal(found["probabilities"], FOUND)
        assert found["class_names"].tolist() == list(NAMES)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"written as X.csv or X.npz"):
        write_predictions(tmp_path / "found.json", FOUND, NAMES)
    assert not list(tmp_path.iterdir())
