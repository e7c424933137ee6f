"""Classes that were named for records, as a file: CSV or NPZ."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from gossamer.errors import InputError
from gossamer.runs.files import whole_file, write_whole


def check_prediction_file(path: Path) -> None:
    """Refuse a name that predictions are not written under.

    Raises:
        InputError: another ending.
    """
    if path.suffix.lower() not in (".csv", ".npz"):
        raise InputError(f"--out {path}: predictions are written as X.csv or X.npz: name one of them")


def write_predictions(path: Path, probabilities: np.ndarray, class_names: tuple[str, ...]) -> None:
    """Write record number, most probable class and probabilities.

    A CSV file has the columns ``record``, ``class`` and ``probability_CLASS``, a row for each record. An NPZ file has
    ``y``, int64 (num_records,), ``probabilities``, float64 (num_records, num_classes), and ``class_names``.

    Args:
        path: X.csv or X.npz.
        probabilities: float64 (num_records, num_classes).
        class_names: in the order of the columns.

    Raises:
        InputError: another ending.
        ResourceError: the file cannot be written.
    """
    check_prediction_file(path)
    numbers = probabilities.argmax(axis=1)
    if path.suffix.lower() == ".npz":
        with whole_file(path) as file:
            np.savez_compressed(file, y=numbers, probabilities=probabilities, class_names=np.array(class_names))
        return
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("record", "class", *(f"probability_{name}" for name in class_names)))
    for record, (number, row) in enumerate(zip(numbers.tolist(), probabilities.tolist(), strict=True)):
        rows.writerow((record, class_names[number], *(f"{value:.6g}" for value in row)))
    write_whole(path, table.getvalue().encode())
