"""Columns that nobody named, ranges, and the head line: what becomes a value follows from names, and is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch

from gossamer.data import columns as files
from gossamer.data import value_columns
from gossamer.data.catalogue import describe, load_records
from gossamer.data.value_columns import is_other_thing
from gossamer.errors import InputError
from gossamer.estimators import DPMixture
from gossamer.estimators.records import load_series

X = np.random.default_rng(0).random((6, 8)).round(4)
NAMES = [f"t{time}" for time in range(8)]


def frame(index: Any = None) -> pd.DataFrame:
    return pd.DataFrame(X, columns=pd.Index(NAMES), index=index)


def written(folder: Path, suffix: str, rows: pd.DataFrame, **options: Any) -> Path:
    path = folder / f"mine{suffix}"
    rows.to_parquet(path, **options) if suffix == ".parquet" else rows.to_csv(path, **options)
    return path


def check(source: Any, **words: Any) -> Any:
    """Values of the eight columns, in their order, and nothing else."""
    data = load_series(source, **words)
    assert data.train.spec.shape == (1, 8)
    torch.testing.assert_close(data.train.x[:, 0], torch.from_numpy(X).float(), rtol=0, atol=1e-6)
    return data


def refused(source: Any, **words: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_series(source, **words)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("index", "told"),
    [
        (pd.Index([11, 12, 13, 21, 22, 23]), None),
        (pd.Index([0.1] * 6, name="patient"), "'patient'"),
        (pd.MultiIndex.from_product([[1, 2], [3, 4, 5]]), None),
    ],
)
def test_the_index_of_pandas_is_no_value_and_that_is_said(tmp_path: Path, suffix: str, index: Any, told: Any) -> None:
    path = written(tmp_path, suffix, frame(index))
    if suffix == ".csv" and told is not None:
        # A CSV file cannot say that a named column is an index, but its name can.
        assert "'patient' would become a value, and by its name is no value" in refused(path)
        data = check(path, drop_columns=["patient"])
        assert any("Left out, as the user asked: column 'patient'" in note for note in data.public_notes)
        return
    data = check(path)
    assert any("index of pandas was left out" in note and (told or "") in note for note in data.public_notes)
    assert data.columns.left_out


def test_an_index_is_a_column_if_it_is_named(tmp_path: Path) -> None:
    index = pd.Index(["a", "b", "c"] * 2, name="who")
    for source in (written(tmp_path, ".parquet", frame(index)), frame(index)):
        assert check(source, person_column="who").train.people.tolist() == [0, 1, 2] * 2


def test_the_index_of_a_table_of_arrow_and_of_a_frame_is_left_out() -> None:
    indexed = frame(pd.Index([0.3] * 6, name="depth"))
    assert check(pyarrow.Table.from_pandas(indexed)).columns.left_out == ("depth",)
    assert any("index of the data frame was left out" in note for note in check(indexed).public_notes)
    assert not any("index" in note for note in check(frame()).public_notes)


def test_an_index_that_went_through_csv_twice_is_left_out(tmp_path: Path) -> None:
    once = pd.read_csv(written(tmp_path, ".csv", frame()))
    second = written(tmp_path, ".csv", once)
    assert check(second).columns.left_out == ("Unnamed: 0.1", "Unnamed: 0")
    assert check(once).columns.left_out == ("Unnamed: 0",)


def test_the_old_rule_for_an_index_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, ".parquet", frame(pd.Index([0.1] * 6, name="depth")))
    check(path)
    monkeypatch.setattr(files, "index_of_schema", lambda schema: ())
    with pytest.raises((AssertionError, InputError)):
        check(path)


@pytest.mark.parametrize("name", ["id", "ID", "patient_id", "subjectID", "record", "label", "age"])
def test_a_column_that_nobody_named_and_that_is_no_value_is_refused(name: str) -> None:
    rows = frame()
    rows.insert(0, name, 0.5)
    line = refused(rows)
    assert f"'{name}' would become a value" in line
    assert "--drop-columns" in line
    assert check(rows, drop_columns=[name]).columns.left_out == (name,)
    assert check(rows, value_columns=["t0..t7"]).columns.values == tuple(NAMES)
    assert load_series(rows, value_columns=[name, *NAMES[:3]]).train.spec.shape == (1, 4)


def test_the_old_rule_for_columns_that_nobody_named_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_columns, "_refuse_other_things", lambda values, where: None)
    assert load_series(frame().assign(id=0.5)).train.spec.shape == (1, 9)


def test_names_of_values_are_no_identities() -> None:
    assert not any(map(is_other_thing, ("x", "y", "fluid", "t0", "index_3", "heat index", "rapid", "V1")))


def test_a_range_is_written_out_in_the_order_of_the_table_and_a_name_wins(tmp_path: Path) -> None:
    rows = frame().assign(kind=["a", "b"] * 3)
    for source in (rows, written(tmp_path, ".csv", rows, index=False)):
        data = check(source, value_columns=["t0..t3", "t4", "t5..t7"], class_column="kind", class_names=["a", "b"])
        assert data.train.spec.table.values == tuple(NAMES)
        assert any("within a range" in note for note in data.public_notes)
    assert "runs backwards" in refused(rows, value_columns=["t7..t0"])
    assert "has no column for value column 1" in refused(rows, value_columns=["t0..t9"])
    assert "named for two things" in refused(rows, value_columns=["t0..t7"], drop_columns=["t3"])
    odd = frame().rename(columns={"t2": "a..b"})
    assert load_series(odd, value_columns=["t1", "a..b"]).columns.values == ("t1", "a..b")
    assert "both the name of a column and a range" in refused(
        odd.rename(columns={"t0": "a", "t1": "b"}), value_columns=["a..b"]
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_is_described_with_first_and_last_value_column(gossamer: Any, tmp_path: Path, suffix: str) -> None:
    rows = frame().assign(kind=[0, 1] * 3, who=["p", "q", "r"] * 2)
    path = written(tmp_path, suffix, rows, index=False)
    words = ("--class-column", "kind", "--person-column", "who", "--num-classes", "2")
    shown = gossamer("data", "describe", path, *words).out
    for part in ("value columns", "8, first 't0', last 't7'", "'kind'", "'who'"):
        assert part in shown
    found = describe(load_records(path, reading=_reading(words)))["columns"]
    assert found["values"] == {"number": 8, "first": "t0", "last": "t7"}
    dry = gossamer("train", "dp-mixture", "--data", path, *words, "--epsilon", "5", "--dry-run").out
    assert "8 value columns, first 't0', last 't7'; class 'kind'; person 'who'" in " ".join(dry.split())


def _reading(words: tuple[str, ...]) -> Any:
    from gossamer.data.layouts import WideColumns
    from gossamer.data.reading import SeriesReading
    from gossamer.data.series_facts import SeriesFacts

    return SeriesReading(columns=WideColumns(label=words[1], person=words[3]), facts=SeriesFacts(num_classes=2))


def test_a_first_line_of_numbers_is_refused_and_no_header_reads_it(gossamer: Any, tmp_path: Path) -> None:
    rows = frame().assign(kind=[0, 1] * 3)
    path = written(tmp_path, ".csv", rows, index=False, header=False)
    line = refused(path)
    assert "begins with a line of numbers alone" in line
    assert "--no-header" in line
    assert str(X[0, 0]) not in line
    data = check(path, no_header=True, class_column="8", num_classes=2)
    assert data.train.num_records == 6
    assert data.train.y.tolist() == [0, 1] * 3
    assert check(path, no_header=True, value_columns=["0..7"]).columns.values == tuple(map(str, range(8)))
    assert "no column '9'" in refused(path, no_header=True, class_column="9")
    found = gossamer("data", "describe", path, "--no-header", "--class-column", "8", "--num-classes", "2").out
    assert "8, first '0', last '7'" in found


def test_the_old_rule_for_head_lines_loses_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gossamer.data import head_line

    path = written(tmp_path, ".csv", frame(), index=False, header=False)
    monkeypatch.setattr(head_line, "refuse_record", lambda names, path: None)
    assert load_series(path).train.num_records == 5


def test_numbers_that_count_the_columns_are_names(tmp_path: Path) -> None:
    counted = pd.DataFrame(X)
    for source in (written(tmp_path, ".csv", counted), written(tmp_path, ".csv", counted, index=False), counted):
        assert check(source).train.num_records == 6
    assert check(written(tmp_path, ".parquet", counted.rename(columns=str))).train.num_records == 6


def test_a_frame_of_which_the_head_is_a_record_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ".csv", frame().assign(t6=0.0, t7=0.0), index=False, header=False)
    line = refused(pd.read_csv(path))
    assert "read the file without a head line" in line
    assert "no_header is of a CSV file" in refused(frame(), no_header=True)
    assert "leave --no-header out" in refused(written(tmp_path, ".parquet", frame()), no_header=True)


def test_a_file_of_the_kaggle_table_is_recognised_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mitbih_train.csv"
    pd.DataFrame(np.full((3, 188), 0.5)).assign(**{"187": 1.0}).to_csv(path, index=False, header=False)
    line = refused(path)
    assert "--data kaggle-mitbih --data-dir" in line
    assert "--no-header --class-column" in line
    other = path.rename(tmp_path / "beats.csv")
    assert "Kaggle table of heartbeats has its class in column 187" not in refused(other)  # 189 columns
    pd.DataFrame(np.full((3, 188), 0.5)).to_csv(other, index=False, header=False)
    assert "Kaggle table of heartbeats has its class in column 187" in refused(other)


def test_fit_takes_the_words_of_the_command() -> None:
    rows = frame().assign(id=0.5)
    fitted = DPMixture(50.0, num_records=6).fit(rows, drop=["id"], low=0, high=1)
    assert fitted.sample(2)[0].shape == (2, 1, 8)
    with pytest.raises(InputError, match="outer_lists must be"):
        DPMixture(5.0).fit(rows, outer_lists="rows")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["object", "category", "str", "string"])
def test_people_as_any_text_of_pandas_are_people(tmp_path: Path, dtype: str) -> None:
    who = pd.Series(["a", "b", "c"] * 2, dtype=dtype)  # type: ignore[call-overload]
    rows = frame().assign(who=who)
    for source in (rows, *(written(tmp_path, suffix, rows, index=False) for suffix in (".csv", ".parquet"))):
        assert check(source, person_column="who").train.people.tolist() == [0, 1, 2] * 2
    from gossamer.estimators.arrays import as_series

    for people in (who, who.array, who.to_numpy()):
        assert as_series(X, people=people).train.people.tolist() == [0, 1, 2] * 2  # type: ignore[arg-type]
    np.savez(tmp_path / "mine.npz", x=X, person=who.to_numpy(dtype=object), low=0.0, high=1.0)
    assert "person.astype('str')" in refused(tmp_path / "mine.npz")
    np.savez(tmp_path / "mine.npz", x=X, person=who.to_numpy(dtype=object).astype("str"), low=0.0, high=1.0)
    assert load_series(tmp_path / "mine.npz").train.people.tolist() == [0, 1, 2] * 2


def test_text_in_views_of_arrow_is_text() -> None:
    table = pyarrow.Table.from_pandas(frame(), preserve_index=False)
    for kind in (pyarrow.string_view(), pyarrow.large_string(), pyarrow.binary()):
        who = pyarrow.array(["a", "b", "c"] * 2).cast(pyarrow.large_string()).cast(kind)
        assert check(table.append_column("who", who), person_column="who").train.people.tolist() == [0, 1, 2] * 2


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_wrong_word_is_refused_before_a_row_is_read(
    gossamer: Any, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, suffix, frame().assign(kind="a"), index=False)

    def read(*args: Any, **options: Any) -> Any:
        raise AssertionError("a row was read")

    monkeypatch.setattr(files.TableFile, "pieces", read)
    monkeypatch.setattr(files.TableFile, "read", read)
    with pytest.raises(AssertionError, match="a row was read"):
        load_series(path, class_column="kind")
    words = ("--data", path, "--class-column", "kind", "--class-names", "a,b")
    train = ("train", "dp-mixture", *words, "--out", tmp_path / "run")
    for asked in (
        (*train, "--epsilno", "3"),
        (*train, "--epsilon", "-3"),
        (*train, "--epsilon", "three"),
        (*train, "--generator.num-directions", "many"),
        (*train, "--unit", "person"),
        (*train, "--num-people", "7"),
        (*train, "--start-from", tmp_path / "nothing"),
        ("train", "dp-mixture", *words),
        (*train, "--person-column", "nobody"),
        (*train, "--low", "0,1,2", "--high", "3,4,5"),
        (*train, "--length", "9"),
        (*train, "--split", "people"),
        ("data", "describe", path, "--class-colum", "kind"),
        ("data", "describe", path, "--class-column", "kind", "--class-names", "a,a"),
        ("data", "describe", path, "--value-columns", "t0..t9"),
        ("data", "describe", path, "--drop-columns", "kind", "--channel-names", "a,b,c"),
        ("evaluate", tmp_path / "nothing", *words),
        ("train", "auto", *words, "--out", tmp_path / "run", "--epsilno", "3"),
    ):
        result = gossamer(*map(str, asked))
        assert result.code == 2
        assert len(result.err.splitlines()) == 1, result.err


def test_options_of_the_right_method_pass(gossamer: Any, tmp_path: Path) -> None:
    path = written(tmp_path, ".csv", frame(), index=False)
    words = ("--data", path, "--dry-run", "--num-records", "6", "--generator.num-directions", "3")
    assert "8 value columns" in gossamer("train", "dp-mixture", *words).out


@pytest.mark.parametrize("place", [0, 1500, 2999])
def test_a_row_far_longer_than_a_block_is_read_like_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """A text that nobody asked for may be longer than the blocks that a file is read in."""
    rows = pd.DataFrame({"a": np.arange(3000) / 3, "note": "x"})
    rows.loc[place, "note"] = "y,\n" * 300_000
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False)
    pieces = list(files.TableFile.open(path).pieces(numbers=("a",), words=()))
    found = np.concatenate([piece.table.column("a").to_numpy() for piece in pieces])
    assert np.array_equal(found, rows["a"])
    assert [piece.first for piece in pieces] == list(np.cumsum([0, *(piece.table.num_rows for piece in pieces)])[:-1])

    monkeypatch.setattr(files, "_MOST_BLOCK_BYTES", 2**18)
    with pytest.raises(InputError, match=r"rows\.csv': a row has more than 65536 bytes: close its quotation marks"):
        list(files.TableFile.open(path).pieces(numbers=("a",), words=()))
