"""Memory of readers of series: little more than the records, whatever a table says of them and however it is stored."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import csv, parquet

from gossamer.data import array_stream, columns, splits, wide_tables
from gossamer.data.catalogue import describe
from gossamer.data.npy import load_npy_series
from gossamer.data.records import RecordData
from gossamer.data.row_names import RowNames
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.series_npz import load_series_npz
from gossamer.data.splits import WHOLE
from gossamer.data.tables import WideColumns, load_table

LENGTH = 8
FEW, MANY = 20_000, 60_000
KINDS = ("normal sinus rhythm", "atrial fibrillation", "other")
WORDS = WideColumns(label="kind", person="who")
FACTS = SeriesFacts(length=LENGTH, class_names=KINDS)
PLAIN = SeriesFacts(length=LENGTH)


def table_of(num_rows: int, first: int = 0, length: int = LENGTH) -> pyarrow.Table:
    """Series of values in [0, 1], with a class in words, and a person for each ten of them."""
    rng, rows = np.random.default_rng(first), np.arange(first, first + num_rows)
    # As many digits as a real table has: all sixteen would make CSV files three times as long.
    values = {f"t{place}": np.round(rng.random(num_rows), 4) for place in range(length)}
    words = {"kind": [KINDS[row % 3] for row in rows], "who": [f"patient {row // 10:012d}" for row in rows]}
    return pyarrow.table(values | words)


def peak_of(read: Callable[[], RecordData]) -> int:
    """Bytes that Python and numpy held at once while records were read and described."""
    tracemalloc.start()
    try:
        describe(read())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth(folder: Path, write: Callable[[int, Path], None], read: Callable[[Path], RecordData]) -> float:
    """Bytes that one more series takes at the peak."""
    peaks = {}
    for number in (FEW, MANY):
        write(number, folder / f"{number}")
        peaks[number] = peak_of(lambda path=folder / f"{number}": read(path))
    return (peaks[MANY] - peaks[FEW]) / (MANY - FEW)


def in_parquet(number: int, path: Path) -> None:
    parquet.write_table(table_of(number), path.with_suffix(".parquet"), row_group_size=10_000)


def in_csv(number: int, path: Path) -> None:
    csv.write_csv(table_of(number), path.with_suffix(".csv"))


TABLES = {".parquet": in_parquet, ".csv": in_csv}
# Values, label and person as they are kept, and a tenth of a person's name and digest.
PER_SERIES = 4 * LENGTH + 8 + 8 + 80


@pytest.mark.parametrize("suffix", TABLES)
def test_classes_and_people_of_a_table_take_numbers_and_not_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suffix: str
) -> None:
    # Some thirty blocks of a CSV file are read ahead, which would pass for growth in small files.
    monkeypatch.setattr(columns, "_BLOCK_BYTES", 2**13)

    def read(path: Path) -> RecordData:
        return load_table(path.with_suffix(suffix), WORDS, FACTS, WHOLE)

    found = growth(tmp_path, TABLES[suffix], read)
    assert found < PER_SERIES, f"a series takes {found:.0f} bytes"


class TextKept:
    """What the reader did before: the words of each row, one after the other."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []

    def add(self, names: RowNames) -> None:
        self._parts.append(names.texts())

    def names(self) -> np.ndarray:
        return np.concatenate(self._parts)


def test_words_of_each_row_would_be_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wide_tables, "RunningNames", TextKept)
    found = growth(tmp_path, in_parquet, lambda path: load_table(path.with_suffix(".parquet"), WORDS, FACTS, WHOLE))
    assert found > PER_SERIES


NAMED = splits.NamedPeople.of


def old_people(names: RowNames, others: None = None) -> splits.NamedPeople:
    """What was done before: a text for each record's person, and a Python object."""
    return NAMED(names.texts(), others)


def test_a_text_for_each_person_of_a_record_would_be_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(splits.NamedPeople, "of", old_people)
    found = growth(tmp_path, in_parquet, lambda path: load_table(path.with_suffix(".parquet"), WORDS, FACTS, WHOLE))
    assert found > PER_SERIES


def array_of(number: int, order: str) -> np.ndarray:
    return np.asarray(np.random.default_rng(0).random((number, LENGTH)), order=order)  # pyrefly: ignore


ARRAYS: dict[str, tuple[Callable[[int, Path, str], None], Callable[[Path], RecordData]]] = {
    "npy": (
        lambda number, path, order: np.save(path.with_suffix(".npy"), array_of(number, order)),
        lambda path: load_npy_series(path.with_suffix(".npy"), PLAIN),
    ),
    "npz": (
        lambda number, path, order: np.savez(path.with_suffix(".npz"), x=array_of(number, order)),
        lambda path: load_series_npz(path.with_suffix(".npz"), PLAIN),
    ),
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_is_never_whole_in_the_memory_beside_its_records(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, order: str
) -> None:
    monkeypatch.setattr(array_stream, "_VALUES_AT_ONCE", 2**12)
    write, read = ARRAYS[kind]
    found = growth(tmp_path, lambda number, path: write(number, path, order), read)
    assert found < 1.2 * 4 * LENGTH, f"a series takes {found:.0f} bytes"
    x = read(tmp_path / f"{FEW}").train.x.numpy()
    assert np.array_equal(x[:, 0], array_of(FEW, "C").astype(np.float32))


WITHOUT_PANDAS = """
import sys
from gossamer.cli.main import main
assert main(["data", "describe", *sys.argv[1:], "--json"]) == 0
assert "pandas" not in sys.modules
"""


@pytest.mark.parametrize("kind", ["wide", "lists"])
def test_pandas_is_not_imported_for_a_table(tmp_path: Path, kind: str) -> None:
    """It takes as much memory as fifty thousand series, and pyarrow imports it for many a plain thing."""
    path, words = tmp_path / "mine.parquet", {"kind": [0, 1, 2], "who": ["a", "b", "a"]}
    values = {"t0": [0.1, 0.2, 0.3], "t1": [0, 1, 1]} if kind == "wide" else {"x": [[0.1, 0.2, 0.3]] * 3}
    parquet.write_table(pyarrow.table(values | words), path)
    told = ("--class-column", "kind", "--num-classes", "3", "--person-column", "who", "--length", "23"[kind == "lists"])
    made = subprocess.run([sys.executable, "-c", WITHOUT_PANDAS, str(path), *told], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr.decode()


# ---- as large as in life, in a process of its own --------------------------------------------------------------------

SERIES = (100_000, 300_000)
MILLION = 1_000_000
REAL_LENGTH = 187
DESCRIBED = """
import sys
from gossamer.cli.main import main
main(["data", "describe", *sys.argv[1:], "--json"])
status = open("/proc/self/status").read()
print([line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")][0], file=sys.stderr)
"""


def described(path: Path, *words: str) -> int:
    """Bytes of the largest memory of a process that describes a file, of its own and not of this process's before."""
    if not Path("/proc/self/status").is_file():
        pytest.skip("needs the process table of Linux")
    told = ["--class-column", "kind", "--class-names", ",".join(KINDS), "--person-column", "who"]
    made = subprocess.run(
        [sys.executable, "-c", DESCRIBED, str(path), *(told if path.suffix in TABLES else ()), *words],
        capture_output=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return 1024 * int(made.stderr.split()[-1])


def written(folder: Path, suffix: str, number: int) -> Path:
    path = folder / f"{number}{suffix}"
    if suffix == ".npy":
        values = np.random.default_rng(0).random((REAL_LENGTH, number), dtype=np.float32)
        np.save(path, values.T)
        return path
    writer = None
    step = 10_000
    for first in range(0, number, step):
        table = table_of(min(step, number - first), first, REAL_LENGTH)
        writer = writer or (csv.CSVWriter if suffix == ".csv" else parquet.ParquetWriter)(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return path


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".npy"])
def test_a_million_series_take_less_than_one_and_a_half_times_their_array(tmp_path: Path, suffix: str) -> None:
    """The peak of a million series follows from those of two smaller numbers, since a straight line joins them."""
    words = ("--low", "0", "--high", "1")
    few, many = (described(written(tmp_path, suffix, number), *words) for number in SERIES)
    slope = (many - few) / (SERIES[1] - SERIES[0])
    whole = many + slope * (MILLION - SERIES[1])
    assert whole <= 1.5 * 4 * REAL_LENGTH * MILLION, f"{whole / (4 * REAL_LENGTH * MILLION):.2f} times the array"
