"""A picture of synthetic time series in their own units: a row of panels for each class, over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gossamer.data.series import SeriesSpec
from gossamer.reports.curves import COLOURS, drawing, legible

NUM_COLUMNS: Final = 6
"""Series of each class."""
MOST_CHANNELS: Final = 4
"""Channels that are drawn, the first ones."""
_MOST_CLASSES: Final = 10
_MOST_ROWS: Final = 20
_MARGIN: Final = 0.04


@dataclass(frozen=True, kw_only=True, eq=False)
class _Row:
    """Panels side by side: some channels of the first series of a class.

    Attributes:
        title: name of the class, empty if the row above has it, or if there are no classes.
        series: (num_series, channels, time) in [0, 1].
        channels: numbers of the channels that are drawn.
    """

    title: str
    series: NDArray[np.floating]
    channels: tuple[int, ...]


def series_grid(x: NDArray[np.floating], y: NDArray[np.integer] | None, spec: SeriesSpec) -> Figure:
    """Draw the first six series of each of the first classes, or of all series, over time and in their own units.

    Channels of the same bounds share a panel, and a legend names them. Channels of different bounds have a row each,
    with the name beside it. A panel reaches from the public lower bound to the upper one.

    Args:
        x: (num_series, channels, time) in [0, 1].
        y: (num_series,), or None.
        spec: bounds, sample rate and names.
    """
    rows = _rows(x, y, spec)
    shared = len(rows[0].channels) > 1
    with drawing(11.0, (1.2 if shared or spec.channels == 1 else 1.0) * len(rows) + (0.9 if shared else 0.6)) as figure:
        last: dict[int, Axes] = {}
        for number, row in enumerate(rows):
            for column, one in enumerate(row.series[:NUM_COLUMNS]):
                axes = figure.add_subplot(len(rows), NUM_COLUMNS, number * NUM_COLUMNS + column + 1)
                _draw(axes, one, row, spec)
                if column == 0:
                    _name(axes, row, spec)
                else:
                    axes.tick_params(labelleft=False)
                last[column] = axes
        for axes in last.values():
            axes.tick_params(labelbottom=True)
        _explain(figure, spec, rows[0].channels)
    return figure


def _rows(x: NDArray[np.floating], y: NDArray[np.integer] | None, spec: SeriesSpec) -> list[_Row]:
    """Return the rows of panels, at most twenty: one for each class, or one for each of its channels."""
    shown = tuple(range(min(MOST_CHANNELS, spec.channels)))
    is_alike = len(set(zip(spec.low[: len(shown)], spec.high[: len(shown)], strict=True))) == 1
    groups = [shown] if is_alike else [(channel,) for channel in shown]
    names = spec.class_names[: min(_MOST_CLASSES, _MOST_ROWS // len(groups))]
    classes = [("", x)] if y is None else [(name, x[y == label]) for label, name in enumerate(names)]
    return [
        _Row(title="" if place else name, series=series, channels=group)
        for name, series in classes
        for place, group in enumerate(groups)
    ]


def _draw(axes: Axes, one: NDArray[np.floating], row: _Row, spec: SeriesSpec) -> None:
    times = np.arange(spec.length) / (spec.sample_rate or 1.0)
    for channel in row.channels:
        low, high = spec.low[channel], spec.high[channel]
        axes.plot(times, low + one[channel] * (high - low), color=COLOURS[channel], linewidth=0.9)
    low, high = spec.low[row.channels[0]], spec.high[row.channels[0]]
    room = _MARGIN * (high - low)
    axes.set_ylim(low - room, high + room)
    axes.set_xlim(times[0], times[-1])
    axes.xaxis.set_major_locator(MaxNLocator(3))
    ticks = (low, (low + high) / 2, high)
    axes.set_yticks(ticks, [f"{tick:.4g}" for tick in ticks])
    axes.tick_params(labelsize=7, labelbottom=False, length=2.5)
    axes.grid(color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)


def _name(axes: Axes, row: _Row, spec: SeriesSpec) -> None:
    """Write the class above the first panel of a row, and the channel beside it if there is one alone."""
    if row.title:
        axes.set_title(legible(row.title, 40), loc="left", fontsize=9, fontweight="bold")
    if len(row.channels) == 1 and (spec.channels > 1 or spec.channel_names or spec.units):
        axes.set_ylabel(legible(spec.axis_names[row.channels[0]], 16), fontsize=8)


def _explain(figure: Figure, spec: SeriesSpec, shared: Sequence[int]) -> None:
    """Write the unit of time below all panels, and name the channels that share a panel."""
    time = "time, samples" if spec.sample_rate is None else "time, s"
    if spec.channels > MOST_CHANNELS:
        time += f" (the first {MOST_CHANNELS} of {spec.channels} channels are drawn)"
    figure.supxlabel(time, fontsize=8)
    if len(shared) > 1:
        lines = [Line2D([], [], color=COLOURS[channel], linewidth=1.5) for channel in shared]
        names = [legible(spec.axis_names[channel], 28) for channel in shared]
        figure.legend(lines, names, loc="outside upper right", ncols=len(shared), frameon=False, fontsize=8)
