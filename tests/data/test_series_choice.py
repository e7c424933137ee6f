"""Series on the command line: the options, what is described of them, and one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from gossamer.data.beats import KaggleLayout, WindowLayout
from gossamer.data.mitdb import BETWEEN_PEOPLE, DE_CHAZAL
from gossamer.data.reading import AS_USUAL
from gossamer.data.series_choice import NOTHING_SAID, SeriesChoice
from gossamer.data.splits import WHOLE, PeopleSplit, RandomSplit
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.config_io import from_json_tree, to_json_tree


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A long table of 120 series of four samples and two channels, of forty people."""
    rows = [
        {"beat": beat, "second": 0.25 * step, "left": step / 4, "right": -float(beat % 2), "patient": f"p{beat % 40}"}
        for beat in range(120)
        for step in range(4)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "mine.parquet")
    return tmp_path / "mine.parquet"


LONG = ("--series-column", "beat", "--time-column", "second", "--person-column", "patient", "--length", "4")
BOUNDS = ("--low=-2", "--high", "2")


def test_heartbeats_are_described_with_what_is_public_and_what_is_not(gossamer: Any) -> None:
    found = json.loads(gossamer("data", "describe", "beats", "--json").out)
    assert (found["num_records"], found["num_test_records"], found["num_people"]) == (2400, 600, 80)
    assert found["shape"] == [1, 96]
    assert sum(found["classes"].values()) == 2400
    assert (found["low"], found["high"], found["sample_rate"]) == ([-1.0], [2.0], 100.0)
    assert any("no person behind them" in sentence for sentence in found["public"])
    assert "your eyes alone" in gossamer("data", "describe", "beats").out


def test_a_long_table_is_described_whole_or_split(gossamer: Any, table: Path) -> None:
    found = json.loads(gossamer("data", "describe", table, *LONG, *BOUNDS, "--json").out)
    assert (found["num_records"], found["num_people"], found["shape"]) == (120, 40, [2, 4])
    assert found["channel_names"] == ["left", "right"]
    assert found["classes"] == {}
    assert found["num_test_records"] is None
    split = json.loads(gossamer("data", "describe", table, *LONG, *BOUNDS, "--split", "people", "--json").out)
    # Three series of each of forty people, a side for each person.
    assert split["num_records"] + split["num_test_records"] == 120
    assert split["num_records"] == 3 * split["num_people"]
    assert 0 < split["num_test_records"] < 60
    whole = json.loads(gossamer("data", "describe", table, *LONG, *BOUNDS, "--split", "none", "--json").out)
    assert (whole["num_records"], whole["num_test_records"]) == (120, None)


def test_lists_of_bounds_and_names_are_read(gossamer: Any, table: Path) -> None:
    words = ("--low=-2,-3", "--high=2,3", "--value-columns", "right,left", "--channel-names", "r,l")
    found = json.loads(gossamer("data", "describe", table, *LONG, *words, "--json").out)
    assert (found["low"], found["high"], found["channel_names"]) == ([-2.0, -3.0], [2.0, 3.0], ["r", "l"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "is a long table: give --length"),
        (("--length", "5"), "has not 5 samples but fewer"),
        (("--length", "4"), "--low, --high"),
        (("--length", "4", "--low", "0"), "belong together"),
        (("--length", "4", *BOUNDS, "--class-column", "kind"), "no column 'kind'"),
        (("--length", "4", *BOUNDS, "--layout", "window"), "it is a table"),
        (("--length", "4", *BOUNDS, "--split-seed", "3"), "--split-seed"),
        (("--length", "4", *BOUNDS, "--split", "de-chazal"), "no recordings"),
    ],
)
def test_what_does_not_fit_is_one_line_and_exit_code_2(gossamer: Any, table: Path, words: Any, said: str) -> None:
    found = gossamer("data", "describe", table, *LONG[:6], *words)
    assert found.code == 2
    assert said in found.err
    assert found.err.count("\n") == 1


def test_options_of_series_are_refused_for_images(gossamer: Any) -> None:
    found = gossamer("data", "describe", "digits", "--length", "3")
    assert found.code == 2
    assert "holds images" in found.err


def test_options_become_types() -> None:
    assert NOTHING_SAID.reading("mnist") == AS_USUAL
    assert SeriesChoice(layout="kaggle").reading("mitdb").layout == KaggleLayout()
    window = SeriesChoice(layout="window", low=(-1.0,), high=(1.0,), length=100).reading("mitdb").layout
    assert window == WindowLayout(low=-1.0, high=1.0, length=100, before=50)
    assert SeriesChoice(split="random").reading("mitdb").split == RandomSplit()
    assert SeriesChoice(split="none").reading("ptbdb").split == WHOLE
    assert SeriesChoice(split="people").reading("mitdb").split == BETWEEN_PEOPLE
    assert SeriesChoice(split="people").reading("mine.csv").split == PeopleSplit()
    assert SeriesChoice(split="de-chazal").reading("mitdb").split == DE_CHAZAL


def test_people_are_divided_as_people_where_nothing_is_said() -> None:
    assert NOTHING_SAID.reading("mitdb", unit=Unit.PERSON).split == BETWEEN_PEOPLE
    assert NOTHING_SAID.reading("mitdb", unit=Unit.RECORD).split is None
    # What is asked for is never changed without a word: it is refused where it cannot be (tests of protection).
    assert SeriesChoice(split="random").reading("mitdb", unit=Unit.PERSON).split == RandomSplit()
    assert SeriesChoice(split="de-chazal").reading("mitdb", unit=Unit.PERSON).split == DE_CHAZAL


def test_a_key_is_handed_on_and_shown_by_nothing() -> None:
    key = UnitKey(bytes(32))
    reading = NOTHING_SAID.reading("mitdb", key)
    assert reading.key is key
    assert "key" not in repr(reading)
    assert "00000000" not in repr(reading)


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        (SeriesChoice(layout="kaggle", low=(0.0,), high=(1.0,)), "--layout kaggle"),
        (SeriesChoice(layout="window", low=(0.0, 1.0), high=(1.0, 2.0)), "--layout window"),
        (SeriesChoice(series_column="a"), "time_column"),
    ],
)
def test_options_that_contradict_each_other_are_refused(choice: SeriesChoice, word: str) -> None:
    with pytest.raises(InputError, match=word):
        choice.reading("mitdb")


def test_a_run_remembers_how_its_series_were_read() -> None:
    choice = SeriesChoice(layout="window", split="people", low=(-1.5,), high=(2.0,), value_columns=("a", "b"), length=9)
    tree = json.loads(json.dumps(to_json_tree(choice)))
    assert from_json_tree(SeriesChoice, tree, "config.json") == choice


def test_a_series_array_is_described(gossamer: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 3, 20)), y=np.array([0, 1, 1, 0, 1]), person=np.arange(5))
    words = ("--sample-rate", "50", "--class-names", "still,moving", "--channel-names", "x,y,z")
    found = json.loads(gossamer("data", "describe", tmp_path / "a.npz", *words, "--json").out)
    assert found["classes"] == {"still": 2, "moving": 3}
    assert (found["num_people"], found["sample_rate"], found["shape"]) == (5, 50.0, [3, 20])
