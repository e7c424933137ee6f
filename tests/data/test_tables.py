"""Tables of series: wide and long, CSV and Parquet; and every way in which one can be wrong."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from gossamer.data.catalogue import load_records
from gossamer.data.identities import digests_of_names
from gossamer.data.reading import SeriesReading
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import PeopleSplit
from gossamer.data.tables import LongColumns, WideColumns
from gossamer.privacy.dealing import Dealt, Identities, UnitKey

LONG = LongColumns(series="id", time="t", label="class", person="who")
FACTS = SeriesFacts(low=(-1.0, 0.0), high=(1.0, 10.0), length=3, num_classes=2)


def long_rows() -> list[dict[str, Any]]:
    """Four series of three samples and two channels, of three people; the rows of two series are interleaved."""
    rows = [
        {"id": name, "t": 0.5 * step, "a": 0.1 * index, "b": float(step), "class": index % 2, "who": who}
        for index, (name, who) in enumerate([("s9", "anna"), ("s2", "bert"), ("s1", "anna"), ("s5", "carl")])
        for step in range(3)
    ]
    rows[3:9] = [rows[index] for index in (3, 6, 4, 7, 5, 8)]
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows as CSV or Parquet, by the ending of the path."""
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def load(path: Path, columns: LongColumns | WideColumns = LONG, facts: SeriesFacts = FACTS) -> Any:
    return load_records(str(path), reading=SeriesReading(columns=columns, facts=facts))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".PARQUET"])
def test_a_long_table_becomes_series_in_the_order_of_their_first_rows(tmp_path, suffix) -> None:
    path = write(tmp_path / f"mine{suffix.lower()}", long_rows())
    path = path.rename(tmp_path / f"mine{suffix}")
    train = load(path).train
    assert train.x.shape == (4, 2, 3)
    np.testing.assert_allclose(train.x[:, 0, 0].numpy(), (np.array([0, 0.1, 0.2, 0.3]) + 1) / 2, rtol=1e-6)
    np.testing.assert_allclose(train.x[2, 1].numpy(), [0, 0.1, 0.2], rtol=1e-6)
    assert train.y.tolist() == [0, 1, 0, 1]
    assert train.people.tolist() == [0, 1, 0, 2]
    assert train.spec.channel_names == ("a", "b")
    assert (train.spec.low, train.spec.high) == ((-1.0, 0.0), (1.0, 10.0))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_wide_table_becomes_series_channel_after_channel(tmp_path, suffix) -> None:
    rows = [
        {"who": f"p{index % 2}", "a0": 0.1, "a1": 0.2, "b0": 0.3, "b1": 0.1 * index, "kind": ("cat", "dog")[index % 2]}
        for index in range(4)
    ]
    facts = SeriesFacts(channel_names=("a", "b"), class_names=("dog", "cat"), sample_rate=50.0)
    columns = WideColumns(label="kind", person="who")
    train = load(write(tmp_path / f"mine{suffix}", rows), columns, facts).train
    np.testing.assert_allclose(train.x[3].numpy(), [[0.1, 0.2], [0.3, 0.3]], rtol=1e-6)
    assert train.y.tolist() == [1, 0, 1, 0]
    assert train.people.tolist() == [0, 1, 0, 1]
    assert train.spec.sample_rate == 50.0


def test_values_outside_public_bounds_are_clipped(tmp_path) -> None:
    rows = [{"a": -5.0, "b": 0.5}, {"a": 0.0, "b": 7.0}]
    train = load(write(tmp_path / "mine.csv", rows), WideColumns(), SeriesFacts(low=(-1.0,), high=(1.0,))).train
    np.testing.assert_allclose(train.x[:, 0].numpy(), [[0, 0.75], [0.5, 1]])


def test_series_too_short_are_padded_at_their_end_only_where_that_is_permitted(tmp_path, refusal) -> None:
    path = write(tmp_path / "mine.csv", long_rows()[:-1])
    assert "row 10 has not 3 samples but fewer" in refusal(load, path)
    facts = SeriesFacts(low=(-1.0, 0.0), high=(1.0, 10.0), length=3, num_classes=2, permit_shorter=True)
    x = load(path, LONG, facts).train.x
    assert x[3, :, 2].tolist() == [0, 0]
    assert x[0, 1, 2] > 0


def test_a_split_between_people_holds_people_out(tmp_path) -> None:
    path, seen = write(tmp_path / "mine.csv", long_rows()), set()
    for key in (UnitKey(number.to_bytes(32, "little")) for number in range(12)):
        numbers = key.uniform(Dealt.SIDE, Identities.of_digests(digests_of_names(["anna", "bert", "carl"])))
        is_test = dict(zip(("anna", "bert", "carl"), numbers < 0.5))
        if len(set(is_test.values())) == 1:
            continue
        reading = SeriesReading(columns=LONG, facts=FACTS, split=PeopleSplit(test_share=0.5), key=key)
        data = load_records(str(path), reading=reading)
        assert data.test is not None
        for side, where in ((data.train, False), (data.test, True)):
            expected = [index for index, who in enumerate(["anna", "bert", "anna", "carl"]) if is_test[who] == where]
            # The first channel holds a tenth of the number of the series.
            assert ((side.x[:, 0, 0] * 2 - 1) * 10).round().tolist() == expected
        seen.add(tuple(is_test.values()))
    assert len(seen) > 3


def test_dates_are_times(tmp_path, refusal) -> None:
    rows = long_rows()
    for row in rows:
        row["t"] = f"2026-01-31T08:15:{2 * row['t']:06.3f}"
    path = write(tmp_path / "mine.csv", rows)
    facts = SeriesFacts(low=(-1.0, 0.0), high=(1.0, 10.0), length=3, num_classes=2, sample_rate=1.0)
    assert load(path, LONG, facts).train.num_records == 4
    rows[2]["t"] = "2026-01-31T08:15:09"
    assert "row 3 does not follow" in refusal(load, write(path, rows), LONG, facts)


def changed(index: int, **values: Any) -> list[dict[str, Any]]:
    rows = long_rows()
    rows[index] = rows[index] | values
    return rows


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (changed(2, t=0.5), "row 3 has the same time"),
        (changed(2, t=0.2), "row 3 goes back in time"),
        (changed(4, a=None), "series 2, channel 0, time 0 is NaN"),
        (changed(4, a=float("nan")), "series 2, channel 0, time 0 is NaN"),
        (changed(4, b=float("inf")), "series 2, channel 1, time 0 is NaN, infinite"),
        (changed(1, who="zoe"), "row 2 names a second person"),
        (changed(1, **{"class": 1}), "row 2 names a second class"),
        (changed(1, who=None), "row 2 is empty"),
        (changed(1, id=None), "row 2 is empty"),
        (changed(1, t=None), "row 2 is empty"),
        (long_rows() + [long_rows()[-1] | {"t": 9.0}], "row 10 has not 3 samples but more"),
        (long_rows()[:-2], "but fewer"),
        ([row | {"class": 2} for row in long_rows()], "none of the 2 public classes"),
        ([row | {"class": "cat"} for row in long_rows()], "none of the 2 public classes"),
        ([row | {"b": "text-7391"} for row in long_rows()], "is text"),
    ],
)
def test_a_wrong_cell_is_refused_by_its_place(tmp_path, refusal, rows, word, suffix) -> None:
    message = refusal(load, write(tmp_path / f"mine{suffix}", rows))
    assert word in message
    for private in ("7391", "anna", "zoe", "s2"):
        assert private not in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is empty"),
        ("\n", "empty line"),
        ("id,t,a,b,class,who\n", "no row"),
        ("id,t,a,b,class,who,who\n1,0,0,0,0,anna,bert\n", "columns 6 and 7"),
        ("id,t,a,b,class,\n1,0,0,0,0,anna\n", "without a name"),
        ("id,t,a,b,class,who\n1,0,0,0,0,anna\n1,0.5,0,0,0\n", "5 cells"),
        ("id,t,a,b,class\n1,0,0,0,0\n", "no column 'who'"),
        ("\x00\x00\x00", "no column"),
        ("id,t,a,b,class,who\n1,0,0,0,0,\xff\n", "UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, refusal, text, word) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode("latin-1"))
    assert word in refusal(load, path)


@pytest.mark.parametrize("keep", [0, 4, 100, -10])
def test_a_parquet_file_cut_short_is_refused(tmp_path, refusal, keep) -> None:
    path = write(tmp_path / "mine.parquet", long_rows())
    path.write_bytes(path.read_bytes()[:keep])
    message = refusal(load, path)
    assert "empty" in message or "damaged" in message


@pytest.mark.parametrize(
    ("columns", "facts", "word"),
    [
        (LONG, SeriesFacts(num_classes=2), "--length"),
        (LONG, SeriesFacts(length=3, num_classes=2), "--low, --high"),
        (LONG, SeriesFacts(length=3, low=(0.0,) * 3, high=(1.0,) * 3), "3 numbers for 2 channels"),
        (LongColumns(series="id", time="t"), FACTS, "'class' would become a value, and by its name is no value"),
        (LongColumns(series="id", time="t", values=("a", "b")), FACTS, "has no labels"),
        (LongColumns(series="id", time="id"), FACTS, "two things"),
        (LongColumns(series="id", time="t", person="id", values=("a", "a")), FACTS, "two things"),
        (WideColumns(values=("a", "b", "t"), label="class"), SeriesFacts(channel_names=("u", "v")), "shared out"),
        (WideColumns(values=("a", "b")), SeriesFacts(length=3), "--length says 3"),
    ],
)
def test_facts_that_do_not_fit_the_table_are_refused(tmp_path, refusal, columns, facts, word) -> None:
    assert word in refusal(load, write(tmp_path / "mine.csv", long_rows()), columns, facts)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"low": (0.0,)}, "--low, --high"),
        ({"num_classes": 3, "class_names": ("a", "b")}, "agree"),
        ({"num_classes": 0}, "num_classes"),
        ({"class_names": ("a", "a")}, "class_names[1]"),
    ],
)
def test_facts_that_contradict_each_other_are_refused(refusal, facts, word) -> None:
    assert word in refusal(SeriesFacts, **facts)


def test_the_number_of_classes_never_comes_from_the_labels(tmp_path) -> None:
    facts = SeriesFacts(low=(-1.0,), high=(10.0,), length=3)
    data = load(write(tmp_path / "mine.csv", long_rows()), LONG, facts)
    assert data.train.spec.num_classes == 10
    assert any("public default of 10" in note for note in data.public_notes)


@pytest.mark.parametrize("place", [0, 2, 3])
def test_names_of_several_lines_are_read_wherever_a_block_of_the_file_ends(tmp_path, monkeypatch, place: int) -> None:
    monkeypatch.setattr("gossamer.data.columns._BLOCK_BYTES", 200)
    x = np.random.default_rng(place).random((100, 3)).round(4)
    rows = [dict(zip("abc", each, strict=True)) for each in x.tolist()]
    names = [f"ward {row % 7}\nbed, {row % 11}" for row in range(100)]
    columns = [*"abc"[:place], "who", *"abc"[place:]]
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({**row, "who": name} for row, name in zip(rows, names, strict=True))
    train = load_records(
        str(tmp_path / "mine.csv"), reading=SeriesReading(facts=SeriesFacts(), columns=WideColumns(person="who"))
    ).train
    np.testing.assert_allclose(train.x[:, 0].numpy(), x, atol=1e-6)
    assert np.array_equal(train.person_digests[train.people], digests_of_names(names))
