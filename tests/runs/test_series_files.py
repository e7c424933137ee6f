"""Synthetic series as files: what is written reads back as it was drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gossamer.data.layouts import LONG, LongColumns, TableColumns, WideColumns
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.series_npz import load_series_npz
from gossamer.data.splits import WHOLE
from gossamer.data.tables import load_table
from gossamer.runs.series_files import in_own_units, table_columns, write_series_npz, write_series_table

SPEC = SeriesSpec(
    channels=2, length=5, low=(-1.0, 0.0), high=(1.0, 10.0), sample_rate=50.0,
    channel_names=("left", "right"), class_names=("walk", "run"),
)  # fmt: skip
X = np.random.default_rng(0).random((7, 2, 5)).astype(np.float32)
Y = np.arange(7) % 2


def test_values_go_back_between_the_bounds_of_their_channel() -> None:
    values = in_own_units(np.array([[[0, 0.5, 1]], [[1, 0, 0.25]]], dtype=np.float32).reshape(1, 2, 3), SPEC)
    assert values.tolist() == [[[-1, 0, 1], [10, 0, 2.5]]]


def test_an_npz_reads_back_as_series_with_all_that_is_public(tmp_path: Path) -> None:
    write_series_npz(tmp_path / "x.npz", X, Y, SPEC)
    back = load_series_npz(tmp_path / "x.npz", SeriesFacts()).train
    assert back.spec == SPEC
    np.testing.assert_allclose(back.x.numpy(), X, atol=1e-6)
    assert back.y is not None
    assert back.y.tolist() == Y.tolist()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_reads_back_as_wide(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    write_series_table(path, X, Y, SPEC)
    facts = SeriesFacts(low=SPEC.low, high=SPEC.high, channel_names=SPEC.channel_names, class_names=SPEC.class_names)
    back = load_table(path, WideColumns(label="class"), facts, WHOLE).train
    np.testing.assert_allclose(back.x.numpy(), X, atol=1e-5)
    assert back.y is not None
    assert back.y.tolist() == Y.tolist()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(
    "columns",
    [
        LongColumns(series="gait", time="second", values=("l", "r"), label="kind"),
        LongColumns(series="series", time="time", label="class"),
        WideColumns(values=tuple(f"v{place}" for place in range(10)), label="kind"),
    ],
)
def test_a_table_goes_out_in_the_layout_that_came_in(tmp_path: Path, ending: str, columns: TableColumns) -> None:
    spec = replace(SPEC, table=columns)
    write_series_table(tmp_path / f"x.{ending}", X, Y, spec)
    facts = SeriesFacts(
        low=SPEC.low, high=SPEC.high, channel_names=SPEC.channel_names, class_names=SPEC.class_names, sample_rate=50.0,
        length=5,
    )  # fmt: skip
    back = load_table(tmp_path / f"x.{ending}", columns, facts, WHOLE).train
    np.testing.assert_allclose(back.x.numpy(), X, atol=1e-5)
    assert back.y is not None
    assert back.y.tolist() == Y.tolist()
    assert (back.spec, back.spec.table) == (SPEC, columns)


def test_usual_names_give_way_to_those_of_channels() -> None:
    spec = replace(SPEC, channel_names=("time", "class"))
    found = table_columns(in_own_units(X, spec), Y, spec, LONG)
    assert list(found) == ["series", "time_", "time", "class", "class_"]
    assert found["time_"].tolist() == [0, 0.02, 0.04, 0.06, 0.08] * 7
    assert found["series"].tolist() == [number for number in range(7) for _ in range(5)]


def test_one_channel_without_labels_is_a_table_of_times_alone(tmp_path: Path) -> None:
    spec = SeriesSpec(channels=1, length=3, low=(0.0,), high=(1.0,))
    write_series_table(tmp_path / "x.csv", X[:2, :1, :3], None, spec)
    lines = (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"t0","t1","t2"'
    assert len(lines) == 3


def test_units_go_out_and_come_back(tmp_path: Path) -> None:
    spec = replace(SPEC, units=("mV", ""))
    write_series_npz(tmp_path / "x.npz", X, Y, spec)
    assert load_series_npz(tmp_path / "x.npz", SeriesFacts()).train.spec.units == ("mV", "")  # type: ignore[attr-defined]


def test_values_near_a_great_number_keep_their_steps(tmp_path: Path) -> None:
    spec = SeriesSpec(channels=1, length=5, low=(1e6,), high=(1e6 + 1,))
    values = in_own_units(X[:, :1], spec)
    assert np.abs(values - 1e6 - X[:, :1]).max() <= 1 / 60_000
    assert len(np.unique(values)) == len(np.unique(X[:, :1]))
    assert in_own_units(X, SPEC).dtype == np.float32
    write_series_npz(tmp_path / "x.npz", X[:, :1], None, spec)
    np.testing.assert_allclose(load_series_npz(tmp_path / "x.npz", SeriesFacts()).train.x, X[:, :1], atol=1 / 60_000)
