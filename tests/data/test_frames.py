"""Tables in memory are read by the rules of tables on the disk: the same records, and the same refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch

from gossamer.data.frames import is_frame, table_in_memory
from gossamer.data.image_tables import read_image_table
from gossamer.data.layouts import LongColumns, TableColumns, WideColumns, check_columns, named_columns, public_columns
from gossamer.data.records import RecordData
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import WHOLE
from gossamer.data.tables import load_table, read_table
from gossamer.errors import InputError

LONG = LongColumns(series="id", time="t", label="kind", person="who")
WIDE = WideColumns(label="kind", person="who")
FACTS = SeriesFacts(low=(0.0,), high=(10.0,), length=3, class_names=("cat", "dog"))


class Arrow:
    """Another package's table, which speaks Arrow and nothing else."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._table = pyarrow.Table.from_pandas(frame, preserve_index=False)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "pyarrow": lambda frame: pyarrow.Table.from_pandas(frame, preserve_index=False),
    "another": Arrow,
}


def long_frame() -> pd.DataFrame:
    rows = [
        {"id": f"s{index}", "t": 0.5 * step, "a": index + step, "b": 0.5 * step, "kind": kind, "who": who}
        for index, (kind, who) in enumerate([("dog", 7), ("cat", 8), ("dog", 7)])
        for step in range(3)
    ]
    return pd.DataFrame(rows)


def wide_frame() -> pd.DataFrame:
    rows = np.arange(12.0).reshape(4, 3) / 2
    frame = pd.DataFrame(rows, columns=pd.Index(["x0", "x1", "x2"]))
    return frame.assign(kind=["cat", "dog", "dog", "cat"], who=[1.0, 2.0, 1.0, 3.0])


def read(frame: Any, columns: TableColumns, facts: SeriesFacts = FACTS) -> RecordData:
    return read_table(table_in_memory(frame, named_columns(columns)), columns, facts, WHOLE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("frame", "columns"), [(long_frame(), LONG), (wide_frame(), WIDE)])
def test_a_frame_is_read_as_the_file_that_it_would_make(
    tmp_path: Path, kind: str, frame: pd.DataFrame, columns: TableColumns
) -> None:
    frame.to_csv(tmp_path / "mine.csv", index=False)
    expected = load_table(tmp_path / "mine.csv", columns, FACTS, WHOLE)
    found = read(KINDS[kind](frame), columns)
    assert torch.equal(found.train.x, expected.train.x)
    assert torch.equal(found.train.y, expected.train.y)
    assert torch.equal(found.train.people, expected.train.people)
    assert np.array_equal(found.train.person_digests, expected.train.person_digests)
    assert (found.train.spec, found.train.spec.table) == (expected.train.spec, expected.train.spec.table)
    assert found.public_notes == expected.public_notes


@pytest.mark.parametrize(
    "changed",
    [
        {"who": pd.Series([1, 2, 1, 3], dtype="Int64")},
        {"who": ["1", "2.0", " 1", "003"]},
        {"who": pd.Categorical([1, 2, 1, 3])},
        {"who": [1, "2", 1.0, np.int8(3)]},
        {"kind": pd.Categorical(["cat", "dog", "dog", "cat"], categories=["dog", "cat"])},
        {"kind": [0, 1, 1, 0]},
        {"x0": pd.Series([0, 1.5, 3, 4.5], dtype="Float64")},
        {"x0": ["0", "1.5", "3", "4.5"]},
        {"x0": [0, "1.5", 3.0, 4.5]},
    ],
)
def test_it_does_not_matter_how_a_column_is_kept(changed: dict[str, Any]) -> None:
    usual, found = read(wide_frame(), WIDE).train, read(wide_frame().assign(**changed), WIDE).train
    assert torch.equal(usual.x, found.x)
    assert torch.equal(usual.y, found.y)
    assert np.array_equal(usual.person_digests, found.person_digests)


def test_categories_that_no_user_named_are_no_classes() -> None:
    frame = wide_frame().assign(kind=pd.Categorical(["cat", "dog", "dog", "cat"]))
    with pytest.raises(InputError, match="none of the 10 public classes: name them with"):
        read(frame, WIDE, SeriesFacts(low=(0.0,), high=(10.0,)))


def test_dates_are_times_and_rows_may_be_interleaved() -> None:
    frame = long_frame()
    dated = frame.assign(t=pd.Timestamp("2026-01-31T08:15") + pd.to_timedelta(frame["t"], unit="s"))
    mixed = dated.sort_values("t", kind="stable")
    facts = SeriesFacts(low=(0.0,), high=(10.0,), length=3, class_names=("cat", "dog"), sample_rate=2.0)
    assert torch.equal(read(mixed, LONG, facts).train.x, read(frame, LONG).train.x)


def test_a_level_of_the_index_is_a_column_only_if_it_was_named() -> None:
    frame = wide_frame()
    indexed = frame.set_index("who")
    assert torch.equal(read(indexed, WIDE).train.people, read(frame, WIDE).train.people)
    assert read(frame.drop(columns="who").rename_axis("who"), WideColumns(label="kind")).train.spec.shape == (1, 3)


def test_a_series_for_each_person_is_named_by_one_column() -> None:
    frame = long_frame().assign(who=lambda rows: rows["id"])
    data = read(frame.drop(columns="id"), LongColumns(series="who", time="t", label="kind", person="who"))
    assert data.train.people.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="goes back in time"):
        read(long_frame().drop(columns="id"), LongColumns(series="who", time="t", label="kind", person="who"))


def test_names_of_channels_that_were_read_are_said_to_be_public() -> None:
    def said(names: tuple[str, ...]) -> bool:
        data = read(long_frame(), LONG, dataclasses.replace(FACTS, channel_names=names))
        return any("names of the channels are those of their columns" in note for note in data.public_notes)

    assert said(())
    assert not said(("left", "right"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "columns", "line"),
    [
        (lambda frame: frame.rename(columns={"kind": "sort"}), WIDE, "has no column 'kind'"),
        (
            lambda frame: frame.assign(x1=["a"] * 4),
            WIDE,
            r"column 'x1', row 1 is text, not a number.*in a long table of the series \(--series-column\)",
        ),
        (lambda frame: frame.assign(x1=[1.0, None, 2.0, 3.0]), WIDE, "series 1, channel 0, time 1 is NaN"),
        (lambda frame: frame.assign(who=["a", None, "b", "c"]), WIDE, "column 'who', row 2 is empty"),
        (lambda frame: frame.assign(x1=[[1.0]] * 4), WIDE, "holds lists and column 'x0' single values"),
        (lambda frame: frame.iloc[:0], WIDE, "no row under its head line"),
        (lambda frame: frame, LongColumns(series="who", time="x0"), "has no labels, but classes were given"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_refused_in_one_line(
    kind: str, change: Callable[[pd.DataFrame], pd.DataFrame], columns: TableColumns, line: str
) -> None:
    with pytest.raises(InputError, match=line) as caught:
        read(KINDS[kind](change(wide_frame())), columns)
    assert str(caught.value).startswith("the table")
    assert str(caught.value).isprintable()


def test_heads_that_are_no_names_are_refused() -> None:
    frame = wide_frame()
    twice = frame.set_axis(["x0", "x0", "x2", "kind", "who"], axis=1)
    with pytest.raises(InputError, match="one name for its columns 1 and 2"):
        read(twice, WIDE)
    with pytest.raises(InputError, match="2 head lines"):
        read(pd.concat({"left": frame}, axis=1), WIDE)


def test_a_column_is_no_frame() -> None:
    frame = wide_frame()
    table = pyarrow.table({"a": [1]})
    assert [is_frame(one) for one in (frame, table, Arrow(frame))] == [True] * 3
    others = (frame["x0"], frame.index, table["a"], table["a"].chunk(0), frame.to_numpy(), {"a": [1]}, None, "frame")
    assert not any(map(is_frame, others))


def test_a_row_is_an_image_of_the_stated_shape() -> None:
    pixels = np.arange(2 * 16).reshape(2, 16)
    frame = pd.DataFrame(pixels).assign(kind=["dog", "cat"], who=["p", "q"]).rename(columns=str)
    facts = SeriesFacts(low=(0.0,), high=(255.0,), class_names=("cat", "dog"))
    data = read_image_table(table_in_memory(frame, ()), WIDE, (4, 4), facts)
    assert data.train.spec.shape == (1, 4, 4)
    assert torch.allclose(data.train.x, torch.from_numpy(pixels.reshape(2, 1, 4, 4) / 255).float())
    assert (data.train.y.tolist(), data.train.num_people) == ([1, 0], 2)
    assert any("bounds of the values were given" in note for note in data.public_notes)


@pytest.mark.parametrize(
    ("shape", "facts", "line"),
    [
        ((4, 5), {}, "16 value columns, and images of shape .1, 4, 5. have 20 values"),
        ((4, 4), {}, "row 1, value column 3 is empty or no number in .0, 1."),
        ((2, 8), {"high": (99.0,), "low": (0.0,)}, "both sides must be"),
        ((4, 4), {"low": (1.0,), "high": (0.0,)}, "low below high"),
        ((4, 4), {"low": (1.0, 1.0), "high": (2.0, 2.0)}, "one number each"),
        ((4, 4), {"sample_rate": 5.0}, "are of series"),
    ],
)
def test_images_that_do_not_fit_the_facts_are_refused(shape: tuple[int, ...], facts: Any, line: str) -> None:
    frame = pd.DataFrame(np.arange(32.0).reshape(2, 16)).rename(columns=str)
    with pytest.raises(InputError, match=line):
        read_image_table(table_in_memory(frame, ()), WideColumns(), shape, SeriesFacts(**facts))


def test_a_specification_keeps_names_that_could_stand_in_a_table_and_no_person() -> None:
    assert public_columns(LONG) == LongColumns(series="id", time="t", label="kind")
    odd = LongColumns(series="a\nb", time="t", values=("x" * 200,), label="\a")
    assert public_columns(odd) == LongColumns(series="series", time="t")
    assert public_columns(WideColumns(values=("a",) * 2000)) == WideColumns()
    for wrong in (WideColumns(values=("a", "a")), WideColumns(label="a\nb"), WideColumns(values=("a",))):
        with pytest.raises(InputError, match=r"of the table must have|has 1 value columns"):
            check_columns(wrong, 2)
