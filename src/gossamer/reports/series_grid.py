"""A picture of synthetic series alone: a row for each class, one series a panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gossamer.reports.curves import COLOURS, arranged, legible, new_figure, styled

NUM_COLUMNS = 8
_MOST_ROWS = 10
_MOST_CHANNELS = 4


def series_grid(x: NDArray[np.floating], y: NDArray[np.integer] | None, class_names: Sequence[str]) -> Figure:
    """Draw the first eight series of each of the first ten classes, or of all series. Channels differ in colour.

    Args:
        x: (num_series, channels, time) in [0, 1].
        y: (num_series,), or None.
        class_names: in the order of the labels.

    Returns:
        A figure for `save_figure`, or to write as it is.
    """
    rows = [("all", x)] if y is None else [(name, x[y == label]) for label, name in enumerate(class_names[:_MOST_ROWS])]
    with styled():
        figure = new_figure(11.0, 1.3 * len(rows) + 0.3)
        for row, (name, series) in enumerate(rows):
            for column, one in enumerate(series[:NUM_COLUMNS]):
                axes = figure.add_subplot(len(rows), NUM_COLUMNS, row * NUM_COLUMNS + column + 1)
                for channel, values in enumerate(one[:_MOST_CHANNELS]):
                    axes.plot(values, color=COLOURS[channel], linewidth=0.8)
                axes.set_ylim(-0.03, 1.03)
                axes.set_xticks([])
                axes.set_yticks([])
                if column == 0:
                    axes.set_ylabel(legible(name, 14), fontsize=8)
        arranged(figure)
    return figure
