"""Columns of lists, as the tables of Hugging Face have them, and tables that are read in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch
from pyarrow import parquet

from gossamer.data import columns as files
from gossamer.data import list_recordings, parquet_columns
from gossamer.errors import InputError
from gossamer.estimators.records import load_series
from gossamer.privacy.adjacency import Unit

X = np.random.default_rng(2).random((7, 2, 5)).round(4)
KINDS = ["a", "b"] * 3 + ["a"]
LABELS: dict[str, Any] = {"class_column": "kind", "class_names": ["a", "b"]}


def sources(folder: Path, table: pyarrow.Table, *, with_pandas: bool = True) -> list[Any]:
    parquet.write_table(table, folder / "mine.parquet", row_group_size=3)
    return [folder / "mine.parquet", table, *([table.to_pandas()] if with_pandas else [])]


def table_of(**columns: Any) -> pyarrow.Table:
    return pyarrow.table({**columns, "kind": KINDS})


def check(source: Any, expected: np.ndarray, **words: Any) -> Any:
    data = load_series(source, **LABELS, **words)
    torch.testing.assert_close(data.train.x, torch.from_numpy(expected).float(), rtol=0, atol=1e-6)
    assert data.train.y.tolist() == [0, 1] * 3 + [0]
    assert data.columns.layout == "lists"
    return data


def refused(source: Any, **words: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_series(source, **(LABELS | words))
    return str(caught.value)


@pytest.mark.parametrize("kind", [pyarrow.float64(), pyarrow.float32(), pyarrow.float16()])
def test_a_list_of_numbers_is_a_series(tmp_path: Path, kind: Any) -> None:
    rounded = X.astype(kind.to_pandas_dtype()).astype(np.float64)
    values = pyarrow.array(list(rounded[:, 0].astype(kind.to_pandas_dtype())), type=pyarrow.list_(kind))
    for source in sources(tmp_path, table_of(series=values)):
        check(source, rounded[:, :1], length=5)
        assert "lists of no fixed size: give --length" in refused(source)
        assert "row 1 has a list of not 4 items but more" in refused(source, length=4)


def test_a_list_of_fixed_size_says_its_length(tmp_path: Path) -> None:
    values = pyarrow.array(X[:, 0].tolist(), type=pyarrow.list_(pyarrow.float64(), 5))
    for source in sources(tmp_path, table_of(series=values), with_pandas=False):
        assert check(source, X[:, :1]).train.spec.shape == (1, 5)
        assert "another number of samples of a series than --length says" in refused(source, length=6)


def test_several_columns_of_lists_are_channels(tmp_path: Path) -> None:
    table = table_of(left=X[:, 0].tolist(), right=X[:, 1].tolist())
    for source in sources(tmp_path, table):
        assert check(source, X, length=5).train.spec.channel_names == ("left", "right")
        assert check(source, X, length=5, channel_names=["l", "r"]).train.spec.channel_names == ("l", "r")
        check(source, X[:, ::-1].copy(), length=5, value_columns=["right", "left"])
        assert "a channel each, and --channel-names 3 names" in refused(source, length=5, channel_names=["a", "b", "c"])


@pytest.mark.parametrize("outer", ["channels", "times"])
def test_lists_of_lists_are_read_as_was_said(tmp_path: Path, outer: Any) -> None:
    nested = X if outer == "channels" else X.transpose(0, 2, 1)
    for source in sources(tmp_path, table_of(series=nested.tolist())):
        check(source, X, length=5, channel_names=["l", "r"], outer_lists=outer)
        assert "--outer-lists channels" in refused(source, length=5, channel_names=["l", "r"])
        assert "give --channel-names" in refused(source, length=5, outer_lists=outer)
        other = "times" if outer == "channels" else "channels"
        assert "has a list of not" in refused(source, length=5, channel_names=["l", "r"], outer_lists=other)
    sizes = (5, 2) if outer == "channels" else (2, 5)
    kind = pyarrow.list_(pyarrow.list_(pyarrow.float64(), sizes[0]), sizes[1])
    fixed = table_of(series=pyarrow.array(nested.tolist(), type=kind))
    for source in sources(tmp_path, fixed, with_pandas=False):
        check(source, X, outer_lists=outer)


def test_shorter_lists_are_refused_or_padded(tmp_path: Path) -> None:
    rows = [list(row) for row in X[:, 0]]
    rows[4] = rows[4][:3]
    for source in sources(tmp_path, table_of(series=rows)):
        assert "row 5 has a list of not 5 items but fewer" in refused(source, length=5)
        padded = X[:, :1].copy()
        padded[4, 0, 3:] = 0
        check(source, padded, length=5, pad_shorter=True)
        x = load_series(source, length=5, pad_shorter=True, low=-1, high=1, **LABELS).train.x
        assert x[4, 0].tolist() == pytest.approx([*(X[4, 0, :3] + 1) / 2, 0, 0])


def test_what_is_missing_in_a_list_is_refused_by_its_place(tmp_path: Path) -> None:
    rows: list[Any] = [list(row) for row in X[:, 0]]
    rows[5] = [0.1, None, 0.3, 0.4, 0.5]
    for source in sources(tmp_path, table_of(series=rows)):
        assert "series 5, channel 0, time 1 is NaN, infinite or missing" in refused(source, length=5)
    rows[5] = None
    for source in sources(tmp_path, table_of(series=rows)):
        assert "row 6 has no list" in refused(source, length=5)
    words = pyarrow.array([["a"] * 5] * 7)
    assert "lists of something else than numbers" in refused(table_of(series=words), length=5)


def test_lists_beside_single_values_are_asked_about() -> None:
    table = table_of(series=X[:, 0].tolist(), age=[1.0] * 7)
    assert "'series' holds lists and column 'age' single values" in refused(table, length=5)
    check(table, X[:, :1], length=5, drop_columns=["age"])
    check(table, X[:, :1], length=5, value_columns=["series"])
    assert "has no columns of lists" in refused(table, value_columns=["age"], outer_lists="times")
    nested = table_of(a=X.tolist(), b=X.tolist())
    assert "name one column of lists of lists" in refused(nested, length=5)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_in_many_pieces_is_that_in_one(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(3).random((5000, 20)).round(4)
    rows = pd.DataFrame(x).rename(columns=lambda time: f"t{time}").assign(who=[f"p{row % 9}" for row in range(5000)])
    path = tmp_path / f"mine{suffix}"
    if suffix == ".csv":
        rows.to_csv(path, index=False)
        monkeypatch.setattr(files, "_BLOCK_BYTES", 2**12)
    else:
        rows.to_parquet(path, index=False, row_group_size=1700)
        monkeypatch.setattr(parquet_columns, "_BYTES_AT_ONCE", 2**16)
        monkeypatch.setattr(parquet_columns, "_VALUES_AT_ONCE", 2**11)
    found = files.TableFile.open(path)
    pieces = list(found.pieces(numbers=found.names[:20], words=("who",)))
    assert len(pieces) > 10
    data = load_series(path, person_column="who")
    torch.testing.assert_close(data.train.x[:, 0], torch.from_numpy(x).float(), rtol=0, atol=1e-6)
    assert data.train.people.tolist() == [row % 9 for row in range(5000)]
    rows.loc[4321, "t7"] = 7.0
    rows.to_csv(path, index=False) if suffix == ".csv" else rows.to_parquet(path, index=False, row_group_size=1700)
    with pytest.raises(InputError, match="series 4321, channel 0, time 7 is outside"):
        load_series(path, person_column="who")
    rows["t7"] = rows["t7"].astype(object)
    rows.loc[4321, "t7"] = "odd"
    if suffix == ".csv":
        rows.to_csv(path, index=False)
        with pytest.raises(InputError, match="column 't7', row 4322 is text, not a number"):
            load_series(path, person_column="who")


# ---- long lists, cut in windows -------------------------------------------------------------------------------------

LONG = [np.random.default_rng(length).random((2, length)).round(4) for length in (9, 4, 2, 7, 12, 3, 6)]
OWNERS = ["p1", "p2", "p1", "p3", "p1", "p2", "p4"]


def windows_of(rows: list[np.ndarray], window: int, stride: int) -> np.ndarray:
    cut = [row[:, start : start + window] for row in rows for start in range(0, row.shape[1] - window + 1, stride)]
    return np.stack(cut)


def check_windows(data: Any, rows: list[np.ndarray]) -> None:
    torch.testing.assert_close(data.train.x, torch.from_numpy(windows_of(rows, 3, 2)).float(), rtol=0, atol=1e-6)
    counts = [max(0, (row.shape[1] - 3) // 2 + 1) for row in rows]
    assert data.train.y.tolist() == np.repeat([0, 1] * 3 + [0], counts).tolist()
    assert data.left_out["recordings shorter than a window"] == 1


def test_a_long_list_is_a_recording_that_is_cut_in_windows(tmp_path: Path) -> None:
    firsts = [row[:1] for row in LONG]
    table = table_of(series=[row[0].tolist() for row in firsts])
    for source in sources(tmp_path, table):
        data = load_series(source, window=3, stride=2, **LABELS)
        check_windows(data, firsts)
        assert (data.usual_unit, data.train.owners, data.train.num_people) == (Unit.RECORDING, Unit.RECORDING, 7)
        assert any("windows of 3 samples, one every 2" in note for note in data.public_notes)
    for source in sources(tmp_path, table.append_column("who", [OWNERS])):
        data = load_series(source, window=3, stride=2, person_column="who", **LABELS)
        check_windows(data, firsts)
        assert (data.usual_unit, data.train.num_people) == (Unit.PERSON, 4)


def test_long_lists_of_several_channels_are_cut_together(tmp_path: Path) -> None:
    for source in sources(tmp_path, table_of(left=[row[0].tolist() for row in LONG], right=[*(r[1] for r in LONG)])):
        data = load_series(source, window=3, stride=2, **LABELS)
        check_windows(data, LONG)
        assert data.train.spec.channel_names == ("left", "right")
    for outer in ("channels", "times"):
        nested = [row.tolist() if outer == "channels" else row.T.tolist() for row in LONG]
        for source in sources(tmp_path, table_of(series=nested)):
            words = {"window": 3, "stride": 2, "outer_lists": outer}
            check_windows(load_series(source, channel_names=["l", "r"], **words, **LABELS), LONG)
            assert "has not 3 channels in its lists" in refused(source, channel_names=["a", "b", "c"], **words)
            assert "give --channel-names" in refused(source, **words)


def test_lists_of_fixed_size_are_cut_as_well(tmp_path: Path) -> None:
    values = pyarrow.array(X[:, 0].tolist(), type=pyarrow.list_(pyarrow.float64(), 5))
    for source in sources(tmp_path, table_of(series=values), with_pandas=False):
        data = load_series(source, window=3, stride=2, **LABELS)
        assert data.train.x.shape == (14, 1, 3)
        torch.testing.assert_close(data.train.x[1], torch.from_numpy(X[0, :1, 2:]).float(), rtol=0, atol=1e-6)


def test_windows_of_a_long_list_with_a_missing_value_are_left_out(tmp_path: Path) -> None:
    rows: list[Any] = [row[0].tolist() for row in LONG]
    rows[4][6] = None
    for source in sources(tmp_path, table_of(series=rows), with_pandas=False):
        data = load_series(source, window=3, stride=2, **LABELS)
        assert data.left_out["windows with a missing value"] == 2
        assert len(data.train.x) == len(windows_of([row[:1] for row in LONG], 3, 2)) - 2


def test_rows_that_are_no_recording_are_refused_by_their_place(tmp_path: Path) -> None:
    rows: list[Any] = [row[0].tolist() for row in LONG]
    uneven = table_of(left=rows, right=[*rows[:5], rows[5][:2], rows[6]])
    assert "row 6 has lists of several lengths" in refused(uneven, window=3)
    inside = [[row, row] for row in rows]
    inside[3] = [rows[3], rows[3][:4]]
    words = {"window": 3, "outer_lists": "channels", "channel_names": ["l", "r"]}
    assert "row 4 has lists of several lengths" in refused(table_of(series=inside), **words)
    inside[3] = [rows[3], None]
    assert "row 4 has lists of several lengths" in refused(table_of(series=inside), **words)
    rows[1] = None
    assert "row 2 has no list" in refused(table_of(series=rows), window=3)
    assert "lists of something else" in refused(table_of(series=[["a", "b", "c"]] * 7), window=3)
    assert "not one whole window" in refused(table_of(series=[[0.5]] * 7), window=3)


def test_rows_that_take_the_values_of_their_neighbours_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = list_recordings._parts
    shifted = lambda values, sizes: parts(np.roll(values, 1), sizes)  # noqa: E731
    monkeypatch.setattr(list_recordings, "_parts", shifted)
    with pytest.raises(AssertionError):
        test_a_long_list_is_a_recording_that_is_cut_in_windows(tmp_path)
