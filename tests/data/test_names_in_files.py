"""One table of people, series and classes through every reader: how a name was written makes no difference."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from gossamer.data import archive, cells, wide_tables
from gossamer.data.catalogue import load_records
from gossamer.data.names import names_of_column
from gossamer.data.npz import load_npz
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordSet
from gossamer.data.row_names import RowNames
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.tables import LongColumns, WideColumns
from gossamer.errors import InputError

FACTS = SeriesFacts(length=2, num_classes=3)
LONG = LongColumns(series="id", time="t", values=("a",), label="kind", person="who")
KEYS = WideColumns()
WIDE = WideColumns(values=("a", "b"), label="kind", person="who")
WAYS: tuple[Callable[[int], str], ...] = (
    str,
    lambda number: f"{number}.0",
    lambda number: f"+{number}",
    lambda number: f"00{number}",
    lambda number: f"{number:.18e}",
    lambda number: f"{number}.00",
)


def mixed(numbers: Sequence[int], start: int = 0) -> list[str]:
    """Numbers as text, one way after the other."""
    return [WAYS[(start + row) % len(WAYS)](number) for row, number in enumerate(numbers)]


def in_dictionary(cells: pyarrow.Array) -> pyarrow.Array:
    return cells.dictionary_encode()


PARQUET_KINDS: dict[str, Callable[[list[int]], pyarrow.Array]] = {
    "integers": lambda numbers: pyarrow.array(numbers, pyarrow.int64()),
    "floats": lambda numbers: pyarrow.array(numbers, pyarrow.float64()),
    "text": lambda numbers: pyarrow.array(mixed(numbers)),
    "decimals": lambda numbers: pyarrow.array([Decimal(number) for number in numbers], pyarrow.decimal128(30, 2)),
    "categories of text": lambda numbers: in_dictionary(pyarrow.array(mixed(numbers, 1))),
    "categories of integers": lambda numbers: in_dictionary(pyarrow.array(numbers, pyarrow.int64())),
    "categories of floats": lambda numbers: in_dictionary(pyarrow.array(numbers, pyarrow.float64())),
}
NPZ_KINDS: dict[str, Callable[[list[int]], np.ndarray]] = {
    "integers": np.array,
    "floats": lambda numbers: np.array(numbers, dtype=float),
    "text": lambda numbers: np.array(mixed(numbers)),
    "bytes": lambda numbers: np.array(mixed(numbers, 2)).astype("S"),
}


def parts(slots: Sequence[Any]) -> list[int]:
    """A grouping of rows, whatever the groups are called: the first row of each row's group."""
    first: dict[Any, int] = {}
    return [first.setdefault(slot, row) for row, slot in enumerate(slots)]


def write_csv(path: Path, table: dict[str, Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


def load(path: Path, meaning: LongColumns | WideColumns = KEYS, facts: SeriesFacts = FACTS) -> RecordSet:
    return load_records(str(path), reading=SeriesReading(columns=meaning, facts=facts)).train


def check(records: RecordSet, people: Sequence[int], classes: Sequence[int] | None) -> None:
    """The records are of whom they should be, and of their classes."""
    assert records.people is not None
    assert parts(records.people.tolist()) == parts(people)
    assert records.num_people == len(set(people))
    if classes is not None:
        assert records.y is not None
        assert records.y.tolist() == list(classes)


def check_wide(folder: Path, people: Sequence[int], classes: Sequence[int]) -> None:
    """The same table, a row a series, in CSV, in Parquet and in NPZ, its names as every kind of cell."""
    values = [0.5] * len(people)
    plain = {"a": values, "b": values}
    for start in range(len(WAYS)):
        table = plain | {"who": mixed(people, start), "kind": mixed(classes, start + 1)}
        check(load(write_csv(folder / "wide.csv", table), WIDE), people, classes)
    for name, kind in PARQUET_KINDS.items():
        path = folder / f"{name}.parquet"
        parquet.write_table(pyarrow.table(plain | {"who": kind(list(people)), "kind": kind(list(classes))}), path)
        check(load(path, WIDE), people, classes)
    for name, make in NPZ_KINDS.items():
        path = folder / f"{name}.npz"
        np.savez(path, x=np.full((len(people), 1, 2), 0.5), y=np.array(classes), person=make(list(people)))
        check(load(path), people, classes)
        np.savez(path, x=np.full((len(people), 4, 4), 0.5), person=make(list(people)))
        check(load_npz(path).train, people, None)


def check_long(folder: Path, series: Sequence[int], people: Sequence[int], classes: Sequence[int]) -> None:
    """The same table, a row a time of a series, in CSV and in Parquet."""
    rows = range(2 * len(series))
    ids, owners, kinds = ([one for one in cells for _ in range(2)] for cells in (series, people, classes))
    plain = {"t": [float(row % 2) for row in rows], "a": [0.5 for _ in rows]}
    for start in range(len(WAYS)):
        table = plain | {"id": mixed(ids, start), "who": mixed(owners, start + 1), "kind": mixed(kinds, start + 2)}
        check(load(write_csv(folder / "long.csv", table), LONG), people, classes)
    for name, kind in PARQUET_KINDS.items():
        path = folder / f"{name}.parquet"
        parquet.write_table(pyarrow.table(plain | {"id": kind(ids), "who": kind(owners), "kind": kind(kinds)}), path)
        check(load(path, LONG), people, classes)


# Numbers that six digits do not tell apart, and such as differ in their length.
IDS = st.one_of(st.integers(0, 30), st.integers(10**7, 10**7 + 30), st.integers(2**53 - 30, 2**53 - 1))
MANY = [10**7 + number for number in (1, 2, 20, 3, 1, 2, 4)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(IDS, st.integers(0, 2)), min_size=1, max_size=8))
def test_a_table_has_the_same_people_and_classes_in_every_format(tmp_path, rows: list[tuple[int, int]]) -> None:
    check_wide(tmp_path, [who for who, _ in rows], [label for _, label in rows])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(series=st.lists(IDS, min_size=1, max_size=8, unique=True), data=st.data())
def test_a_long_table_has_the_same_series_in_every_format(tmp_path, series: list[int], data: st.DataObject) -> None:
    people = data.draw(st.lists(IDS, min_size=len(series), max_size=len(series)))
    check_long(tmp_path, series, people, [number % 3 for number in series])


# The faults that were mended, with the right value.


def test_7_and_7_point_0_in_one_csv_file_are_one_person(tmp_path) -> None:
    table = {"a": [0.1] * 5, "b": [0.1] * 5, "who": ["7", "7.0", "8", "007", "8.00"], "kind": ["0"] * 5}
    check(load(write_csv(tmp_path / "mine.csv", table), WIDE), [7, 7, 8, 7, 8], None)


def test_twenty_large_numbers_in_a_column_of_floats_are_twenty_people(tmp_path) -> None:
    # What pandas makes of whole numbers once one is missing.
    frame = pd.DataFrame({"a": 0.5, "b": 0.5, "who": [*range(10000001, 10000021), None], "kind": 0})
    assert frame["who"].dtype == np.float64
    frame.iloc[:-1].to_parquet(tmp_path / "mine.parquet")
    assert load(tmp_path / "mine.parquet", WIDE).num_people == 20
    frame.iloc[:-1].to_csv(tmp_path / "mine.csv", index=False)
    assert load(tmp_path / "mine.csv", WIDE).num_people == 20


def test_a_name_that_looks_the_same_is_the_same(tmp_path) -> None:
    alike = [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")]
    table = {"a": [0.1] * 3, "b": [0.1] * 3, "who": [*alike, "Zoe"], "kind": [0] * 3}
    check(load(write_csv(tmp_path / "mine.csv", table), WIDE), [0, 0, 1], None)


@pytest.mark.parametrize("number", [2**53, 2**53 + 2])
def test_a_float_that_does_not_know_its_last_digit_names_nobody(tmp_path, refusal, number: int) -> None:
    plain = {"a": [0.5] * 2, "b": [0.5] * 2, "kind": [0, 0]}
    parquet.write_table(pyarrow.table(plain | {"who": [7.0, float(number)]}), tmp_path / "a.parquet")
    write_csv(tmp_path / "a.csv", plain | {"who": ["7", f"{number}.0"]})
    np.savez(tmp_path / "a.npz", x=np.full((2, 1, 2), 0.5), y=[0, 0], person=np.array([7.0, number]))
    for name, meaning, where in (("a.parquet", WIDE, "row 2"), ("a.csv", WIDE, "row 2"), ("a.npz", KEYS, "person[1]")):
        message = refusal(load, tmp_path / name, meaning)
        assert where in message
        assert str(number)[:8] not in message
    check(load(write_csv(tmp_path / "a.csv", plain | {"who": [number, number + 1]}), WIDE), [0, 1], None)


def check_numbers_as_names(folder: Path) -> None:
    """Classes named 1 and 0: a cell is a name, however it was written."""
    facts = SeriesFacts(length=2, class_names=("1", "0"))
    table = {"a": [0.1] * 4, "b": [0.1] * 4, "who": [1, 2, 3, 4], "kind": ["1", "1.0", "0", "0.0"]}
    check(load(write_csv(folder / "mine.csv", table), WIDE, facts), [1, 2, 3, 4], [0, 0, 1, 1])


def test_the_cells_1_and_1_point_0_are_one_class(tmp_path) -> None:
    check_numbers_as_names(tmp_path)


# Planted breaks: each has to be seen by a test above.


def old_words(column: Any, name: str, where: str, first: int = 0) -> RowNames:
    """What the reader of tables did: six digits of a float, text as it stands."""
    found = cells._plain(column, name, where).to_pylist()
    return RowNames.of([f"{cell:g}" if isinstance(cell, float) else str(cell).strip() for cell in found])


def old_floats_alone(column: Any, name: str, where: str, first: int = 0) -> RowNames:
    plain = cells._plain(column, name, where)
    if pyarrow.types.is_floating(plain.type):
        return old_words(column, name, where)
    return names_of_column(plain, lambda row: f"row {row + 1}")


def old_labels(words: RowNames, class_names: tuple[str, ...], where: str) -> np.ndarray:
    """Row by row: a name, else a number."""
    by_name = {name: label for label, name in enumerate(class_names)}
    return np.array([by_name.get(word, int(float(word))) for word in words.tolist()])


def broken(monkeypatch: pytest.MonkeyPatch, name: str, value: Any, seen_by: Callable[[], None]) -> None:
    seen_by()
    for module in (archive, cells, wide_tables):
        monkeypatch.setattr(module, name, value, raising=False)
    with pytest.raises((AssertionError, InputError)):
        seen_by()


def test_the_old_rule_for_csv_is_seen(monkeypatch, tmp_path) -> None:
    table = {"a": [0.1] * 2, "b": [0.1] * 2, "who": ["7", "7.0"], "kind": [0, 0]}
    path = write_csv(tmp_path / "mine.csv", table)
    broken(monkeypatch, "as_words", old_words, lambda: check(load(path, WIDE), [7, 7], None))


@pytest.mark.parametrize("rule", [old_words, old_floats_alone])
def test_the_old_rules_for_tables_are_seen_by_the_table_in_every_format(monkeypatch, tmp_path, rule) -> None:
    broken(monkeypatch, "as_words", rule, lambda: check_wide(tmp_path, MANY, [0] * len(MANY)))


@pytest.mark.parametrize("rule", [old_words, old_floats_alone])
def test_the_old_rules_for_tables_are_seen_by_the_series(monkeypatch, tmp_path, rule) -> None:
    ids = sorted(set(MANY))
    broken(monkeypatch, "as_words", rule, lambda: check_long(tmp_path, ids, ids, [0] * len(ids)))


def test_names_of_an_archive_as_they_stand_are_seen(monkeypatch, tmp_path) -> None:
    def as_they_stand(values: np.ndarray, place: Any) -> np.ndarray:
        return values.astype(str)

    broken(monkeypatch, "names_of_array", as_they_stand, lambda: check_wide(tmp_path, [7, 7, 8], [0, 1, 2]))


def test_classes_looked_up_row_by_row_are_seen(monkeypatch, tmp_path) -> None:
    def as_they_stand(column: Any, name: str, where: str, first: int = 0) -> RowNames:
        return RowNames.of([str(cell).strip() for cell in cells._plain(column, name, where).to_pylist()])

    check_numbers_as_names(tmp_path)
    monkeypatch.setattr(wide_tables, "as_words", as_they_stand)
    monkeypatch.setattr(wide_tables, "labels_of_words", old_labels)
    with pytest.raises(AssertionError):
        check_numbers_as_names(tmp_path)
