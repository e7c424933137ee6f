"""Columns of several channels: their names decide the order, or it is refused with the way out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from gossamer.data import wide_tables
from gossamer.data.channel_order import Order, in_order
from gossamer.errors import InputError
from gossamer.estimators.records import load_series

CHANNELS = ("x", "y", "z")
TIMES = range(12)
X = np.random.default_rng(1).random((5, 3, 12)).round(4)
MAJOR = [(channel, time) for channel in range(3) for time in TIMES]
BY_TIME = [(channel, time) for time in TIMES for channel in range(3)]
LEXICAL = [(channel, time) for channel in range(3) for time in sorted(TIMES, key=str)]


def table(order: list[tuple[int, int]], head: str, channels: tuple[str, ...] = CHANNELS) -> pd.DataFrame:
    names = [head.format(c=channels[channel], t=time) for channel, time in order]
    return pd.DataFrame(np.stack([X[:, channel, time] for channel, time in order], axis=1), columns=pd.Index(names))


@pytest.mark.parametrize("head", ["{c}_{t}", "{t}_{c}", "{c}{t}", "t{t}_{c}", "{c}_t{t}", "{c}-{t:03d}", "acc {c} {t}"])
@pytest.mark.parametrize("order", [MAJOR, BY_TIME, LEXICAL])
def test_the_names_decide_the_order(tmp_path: Path, head: str, order: list[tuple[int, int]]) -> None:
    rows = table(order, head)
    rows.to_csv(tmp_path / "mine.csv", index=False)
    for source in (rows, tmp_path / "mine.csv"):
        data = load_series(source, channel_names=CHANNELS)
        torch.testing.assert_close(data.train.x, torch.from_numpy(X).float(), rtol=0, atol=1e-6)
        assert any("order of their names" in note for note in data.public_notes) == (order != MAJOR and head != "")


@pytest.mark.parametrize("order", [MAJOR, BY_TIME])
def test_channels_of_other_names_go_in_the_order_in_which_they_come(order: list[tuple[int, int]]) -> None:
    rows = table(order, "{c}{t}", ("a", "b", "c"))
    data = load_series(rows, channel_names=("left", "right", "middle"))
    torch.testing.assert_close(data.train.x, torch.from_numpy(X).float(), rtol=0, atol=1e-6)


def test_channels_go_by_their_names_and_not_by_their_places() -> None:
    rows = table(BY_TIME, "{c}_{t}").assign(kind=["a"] * 5)
    data = load_series(rows, channel_names=("z", "x", "y"), class_column="kind", class_names=["a"])
    torch.testing.assert_close(data.train.x, torch.from_numpy(X[:, [2, 0, 1]]).float(), rtol=0, atol=1e-6)
    long = pd.DataFrame({"id": [1, 1, 2, 2], "t": [0, 1] * 2, "x": [0.1] * 4, "y": [0.2] * 4})
    words = {"series_column": "id", "time_column": "t", "length": 2}
    data = load_series(long, channel_names=("y", "x"), **words)  # type: ignore[arg-type]
    assert data.train.x[0, :, 0].tolist() == pytest.approx([0.2, 0.1])
    with pytest.raises(InputError, match="names of some value columns and other names"):
        load_series(long, channel_names=("y", "z"), **words)  # type: ignore[arg-type]


def test_names_that_say_nothing_are_taken_channel_after_channel() -> None:
    rows = pd.DataFrame(X.reshape(5, -1)).rename(columns=lambda place: f"v{place}")
    data = load_series(rows, channel_names=CHANNELS)
    torch.testing.assert_close(data.train.x, torch.from_numpy(X).float(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "channels", "line"),
    [
        (("x_0", "y_0", "x_1", "y_1"), (), "are of 2 channels .'x_', 'y_'.: give --channel-names"),
        (("x_0", "y_0", "z_0", "x_1", "y_1", "z_1"), ("u", "v"), "of 3 channels, not of 2"),
        (("a0", "a1", "a2", "b0"), ("u", "v"), "of 2 channels, not of 2 with as many times"),
        (("x_0", "x_1", "y_0", "y_2"), ("x", "y"), "every channel the same times"),
        (("x_0", "x_1", "b_0", "b_1"), ("x", "y"), "some have none"),
        (("c0_t0", "c0_t1", "c1_t0", "c1_t1"), ("u", "v"), "in two orders"),
        (("x_rest", "y_rest", "x_run", "y_walk"), ("x", "y"), "every channel the same times"),
    ],
)
def test_an_order_that_the_names_leave_open_is_refused(
    names: tuple[str, ...], channels: tuple[str, ...], line: str
) -> None:
    with pytest.raises(InputError, match=line):
        in_order(names, channels, "'mine.csv'", is_listed=False)


@pytest.mark.parametrize(
    ("names", "channels", "expected"),
    [
        (("t0", "t1", "t10", "t2"), (), ("t0", "t1", "t2", "t10")),
        (("t3", "t2", "t1"), (), ("t3", "t2", "t1")),
        (("2020-01", "2020-02", "2021-01", "2021-02"), (), ("2020-01", "2020-02", "2021-01", "2021-02")),
        (("d1_0", "d1_1", "d2_0", "d2_1"), ("pulse",), ("d1_0", "d1_1", "d2_0", "d2_1")),
        (("x_rest", "y_rest", "x_run", "y_run"), ("x", "y"), ("x_rest", "x_run", "y_rest", "y_run")),
        (("v1_0", "v10_0", "v1_1", "v10_1"), ("v1", "v10"), ("v1_0", "v1_1", "v10_0", "v10_1")),
        (("begin", "middle", "end"), (), ("begin", "middle", "end")),
    ],
)
def test_odd_names_stay_right(names: tuple[str, ...], channels: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert in_order(names, channels, "'mine.csv'", is_listed=False).names == expected


def test_an_order_that_was_stated_for_one_channel_stands() -> None:
    names = ("t0", "t1", "t10", "t2")
    assert in_order(names, (), "'mine.csv'", is_listed=True).names == names


def test_the_old_rule_mixes_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_tables, "in_order", lambda names, channels, where, is_listed: Order(names=names))
    data = load_series(table(BY_TIME, "{c}_{t}"), channel_names=CHANNELS)
    assert not torch.allclose(data.train.x, torch.from_numpy(X).float(), atol=0.01)
