"""Dates with a zone: as instants, without a warning, whatever the offset of each."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gossamer.data.instants import instants_of_texts
from gossamer.errors import InputError
from gossamer.estimators.records import load_series


def seconds(*cells: str) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = instants_of_texts(cells, lambda row: f"row {row + 1}")
    return ((found - found[0]) / np.timedelta64(1, "s")).tolist()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00-05:30"), [0, 3600, 23400]),
        # Summer ends in Berlin: the clock goes back by an hour, and time does not.
        (("2026-10-25T02:59:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:59:00+01:00"), [0, 60, 3600]),
        # Summer begins.
        (("2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00"), [0, 60]),
        (("2026-01-01 00:00:00.250+0100", "2026-01-01 00:00:00.5+01"), [0, 0.25]),
        (("2026-01-01T08+01:00", "2026-01-01T08:30+01:00"), [0, 1800]),
        (("2026-01-01T08:15Z", "2026-01-01T08:16z"), [0, 60]),
        (("2026-01-01", "2026-01-02"), [0, 86400]),
        (("2026-01-01T08:15:00.000000001", "2026-01-01T08:15:00.000000003"), [0, 2e-9]),
    ],
)
def test_times_are_instants(cells: tuple[str, ...], expected: list[float]) -> None:
    assert seconds(*cells) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (("2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00"), "row 2 and row 1 are not both"),
        (("2026-01-01T00:00:00", "2026-01-01T00:00:00Z"), "row 2 and row 1 are not both"),
        (("2026-01-01T00:00:00+99:00",), "row 1 is neither a number nor a date"),
        (("2026-01-01Z",), "neither"),
        (("today",), "neither"),
        (("2026-13-01T00:00:00+01:00",), "neither"),
    ],
)
def test_what_is_no_instant_is_refused_by_its_row(cells: tuple[str, ...], line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        instants_of_texts(cells, lambda row: f"row {row + 1}")
    assert "2026-01-01T00:00:00+" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", "frame", "mixed"])
def test_a_long_table_over_the_change_of_the_clock_is_even(tmp_path: Path, suffix: str) -> None:
    times = pd.date_range("2026-10-25T01:30:00", periods=4, freq="30min", tz="Europe/Berlin")
    assert len({time.utcoffset() for time in times}) == 2
    rows = pd.DataFrame({"id": ["a"] * 4, "t": times, "v": [0.1, 0.2, 0.3, 0.4]})
    source: object = rows
    if suffix == "mixed":
        source = rows.assign(t=pd.Series([time.to_pydatetime() for time in times], dtype=object))
    elif suffix != "frame":
        source = tmp_path / f"mine{suffix}"
        rows.to_csv(source, index=False) if suffix == ".csv" else rows.to_parquet(source, index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_series(source, series_column="id", time_column="t", length=4, sample_rate=1 / 1800)  # type: ignore[arg-type]
    assert data.train.x[0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
