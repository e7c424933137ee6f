"""The picture of synthetic series: in their own units, over time, with classes and channels named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gossamer.data.series import SeriesSpec
from gossamer.reports import series_grid as module
from gossamer.reports.series_grid import MOST_CHANNELS, NUM_COLUMNS, series_grid

LENGTH = 16


def spec(channels: int = 1, **given: object) -> SeriesSpec:
    usual = {"low": (0.0,) * channels, "high": (1.0,) * channels}
    return SeriesSpec(**{"channels": channels, "length": LENGTH, **usual, **given})  # type: ignore[arg-type]


def drawn(channels: int, number: int = 20) -> np.ndarray:
    return np.random.default_rng(0).random((number, channels, LENGTH), dtype=np.float32)


VITALS = spec(
    2, low=(30.0, 70.0), high=(200.0, 100.0), sample_rate=0.5, channel_names=("heart rate", "oxygen"),
    class_names=("home", "ward $x$"),
)  # fmt: skip


def test_channels_of_different_bounds_have_a_row_each_in_their_own_units() -> None:
    x = drawn(2)
    figure = series_grid(x, np.arange(20) % 2, VITALS)
    assert len(figure.axes) == 2 * 2 * NUM_COLUMNS
    heart, oxygen = figure.axes[0], figure.axes[NUM_COLUMNS]
    assert heart.lines[0].get_ydata() == pytest.approx(30 + 170 * x[0, 0], rel=1e-6)
    assert oxygen.lines[0].get_ydata() == pytest.approx(70 + 30 * x[0, 1], rel=1e-6)
    assert heart.lines[0].get_xdata()[-1] == pytest.approx((LENGTH - 1) / 0.5)
    assert [label.get_text() for label in oxygen.get_yticklabels()] == ["70", "85", "100"]
    assert [axes.get_ylabel() for axes in (heart, oxygen)] == ["heart rate", "oxygen"]
    assert [axes.get_title(loc="left") for axes in (heart, oxygen)] == ["home", ""]
    assert figure.axes[2 * NUM_COLUMNS].get_title(loc="left") == "ward $x$"
    assert figure.get_supxlabel() == "time, s"
    assert not figure.legends


def test_units_stand_beside_the_names_of_channels_where_they_are_known() -> None:
    figure = series_grid(drawn(2), np.arange(20) % 2, replace(VITALS, units=("bpm", "%")))
    labels = [figure.axes[row * NUM_COLUMNS].get_ylabel() for row in (0, 1)]
    assert labels == ["heart rate, bpm", "oxygen, %"]
    figure = series_grid(drawn(2), None, spec(2, channel_names=("a", "b"), units=("mV", "")))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a, mV", "b"]


def test_channels_of_the_same_bounds_share_a_panel_with_a_legend() -> None:
    figure = series_grid(drawn(3), None, spec(3, channel_names=("a", "b", "c")))
    assert len(figure.axes) == NUM_COLUMNS
    assert len(figure.axes[0].lines) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    assert [line.get_color() for line in legend.get_lines()] == [line.get_color() for line in figure.axes[0].lines]
    assert figure.get_supxlabel() == "time, samples"


def test_many_channels_and_classes_leave_room_and_say_what_is_left_out() -> None:
    figure = series_grid(drawn(6), None, spec(6))
    assert len(figure.axes[0].lines) == MOST_CHANNELS
    assert figure.get_supxlabel() == "time, samples (the first 4 of 6 channels are drawn)"
    many = spec(4, low=(0.0, 1.0, 2.0, 3.0), high=(5.0,) * 4, class_names=tuple(map(str, range(30))))
    figure = series_grid(drawn(4, 60), np.arange(60) % 30, many)
    assert len(figure.axes) == 5 * 4 * 2  # five classes of four channels, two series each


def test_a_class_without_series_leaves_a_gap_and_time_stands_below_the_last_row() -> None:
    figure = series_grid(drawn(1, 5), np.zeros(5, dtype=int), spec(class_names=("some", "none")))
    assert len(figure.axes) == 5
    assert all(axes.xaxis.get_major_ticks()[0].label1.get_visible() for axes in figure.axes)


def test_values_as_they_are_kept_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # The break: values in [0, 1], as the picture showed them before.
    def as_kept(axes: object, one: np.ndarray, row: module._Row, _: SeriesSpec) -> None:
        for channel in row.channels:
            axes.plot(one[channel])  # type: ignore[attr-defined]

    monkeypatch.setattr(module, "_draw", as_kept)
    with pytest.raises(AssertionError):
        test_channels_of_different_bounds_have_a_row_each_in_their_own_units()
