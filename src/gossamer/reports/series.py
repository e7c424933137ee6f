"""Pictures of time series: synthetic ones beside real, in frequency, in two dimensions, and as classified.

Each picture is a figure for `save_figure`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.reports.curves import COLOURS, drawing, legible

NUM_OVERLAID = 12
NUM_EMBEDDED = 600
_MOST_DECOMPOSED = 2000
_MOST_CLASSES = 10
_MOST_CHANNELS = 4
_LONGEST_NAME = 28
_BAND = (10, 90)


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesView:
    """Series as a picture shows them.

    Args:
        name: as the caption has it.
        x: (num_series, channels, time) in [0, 1].
        y: (num_series,) labels, or None.
    """

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.integer] | None

    def of(self, label: int | None) -> NDArray[np.floating]:
        """Return the series of one class, in their order. For None or without labels, return all of them."""
        return self.x if label is None or self.y is None else self.x[self.y == label]


def overlaid(synthetic: SeriesView, real: SeriesView, class_names: Sequence[str]) -> Figure:
    """Draw, for each class, some series laid over each other, then mean and band of all: synthetic left, real right.

    The band holds the middle eight tenths of the values at each time. Channels differ in colour.

    **Guarantee.** None. The figure shows real series as they are: it may be saved in `private/` only.

    Args:
        synthetic: series that are judged.
        real: series for comparison.
        class_names: in the order of the labels. The first ten are shown, and none if either set has no labels.

    Raises:
        InputError: sets of unequal shape, or an empty one.
    """
    _check(synthetic, real)
    rows = _classes(synthetic, real, class_names)
    with drawing(10.0, 1.75 * len(rows) + 0.8) as figure:
        for row, (label, name) in enumerate(rows):
            for side, view in enumerate((synthetic, real)):
                chosen = view.of(label)
                for column, draw in enumerate((_draw_each, _draw_band)):
                    axes = figure.add_subplot(len(rows), 4, 4 * row + 2 * side + column + 1)
                    draw(axes, chosen)
                    axes.set_ylim(-0.03, 1.03)
                    title = f"{len(chosen)} series" if row else f"{legible(view.name, _LONGEST_NAME)}, {len(chosen)}"
                    axes.set_title(title if column == 0 else "mean, 10 to 90 %", fontsize=8)
                    if side == column == 0:
                        axes.set_ylabel(legible(name, 16))
    return figure


def spectra(synthetic: SeriesView, real: SeriesView, *, sample_rate: float | None) -> Figure:
    """Draw the mean power spectrum of all series, synthetic over real, a panel for each of the first four channels.

    **Guarantee.** None: the real spectrum was computed from private data.

    Args:
        synthetic: series that are judged.
        real: series for comparison.
        sample_rate: in Hz, or None for frequencies in cycles per value.

    Raises:
        InputError: sets of unequal shape, or an empty one.
    """
    from scipy.signal import welch

    _check(synthetic, real)
    channels = min(_MOST_CHANNELS, real.x.shape[1])
    segment = min(256, max(4, real.x.shape[2] // 2))
    with drawing(4.2 * channels, 3.2) as figure:
        for channel in range(channels):
            axes = figure.add_subplot(1, channels, channel + 1)
            for view, look in ((real, _REAL_LOOK), (synthetic, _MADE_LOOK)):
                values = np.asarray(view.x[:, channel], dtype=np.float64)
                frequency, power = welch(values, fs=sample_rate or 1.0, nperseg=segment, detrend="constant")
                # A spectrum of nothing has no logarithm.
                axes.semilogy(frequency, power.mean(axis=0) + 1e-12, label=legible(view.name, _LONGEST_NAME), **look)
            axes.set_xlabel("frequency, Hz" if sample_rate else "frequency, cycles per value")
            axes.set_ylabel("power density")
            axes.legend(frameon=False)
    return figure


def embedding(synthetic: SeriesView, real: SeriesView, class_names: Sequence[str]) -> Figure:
    """Draw both sets in the plane of the two main directions of the real series, by class.

    **Guarantee.** None: every point of the right half is a real series.

    Args:
        synthetic: series that are judged. The first 600 are shown.
        real: series for comparison, at least two. The first 600 are shown, and the first 2,000 give the directions.
        class_names: in the order of the labels. Ten at most have a colour of their own.

    Raises:
        InputError: sets of unequal shape, or an empty one.

    References:
        Jolliffe, "Principal component analysis", 2002.
    """
    _check(synthetic, real)
    flat = real.x[:_MOST_DECOMPOSED].reshape(min(len(real.x), _MOST_DECOMPOSED), -1).astype(np.float64)
    centre = flat.mean(axis=0)
    directions = np.linalg.svd(flat - centre, full_matrices=False)[2][:2].T
    rows = _classes(synthetic, real, class_names)
    with drawing(8.6, 4.2) as figure:
        for place, view in enumerate((synthetic, real)):
            axes = figure.add_subplot(1, 2, place + 1, sharex=figure.axes[0] if place else None)
            axes.set_title(legible(view.name, 40))
            for number, (label, name) in enumerate(rows):
                chosen = view.of(label)[: NUM_EMBEDDED // len(rows)]
                points = (chosen.reshape(len(chosen), flat.shape[1]) - centre) @ directions
                colour = COLOURS[number % len(COLOURS)]
                axes.scatter(points[:, 0], points[:, 1], s=5, color=colour, alpha=0.6, label=legible(name, 16))
            axes.set_xlabel("first component")
            axes.set_ylabel("second component")
        if len(rows) > 1:
            figure.axes[1].legend(frameon=False, markerscale=2.5, fontsize=7)
        figure.axes[0].set_ylim(*_shared_limits(figure.axes))
        figure.axes[1].set_ylim(*_shared_limits(figure.axes))
    return figure


def confusions(counts: Mapping[str, NDArray[np.integer]], class_names: Sequence[str]) -> Figure:
    """Draw a matrix for each direction: for each true class, the shares of the classes that classifiers named.

    **Guarantee.** None: counts of private test series.

    Args:
        counts: direction, ``tstr`` and the like -> (classes, classes), true class by predicted.
        class_names: in the order of the labels.

    Raises:
        InputError: no matrix, or one that does not fit the classes.
    """
    if not counts or any(matrix.shape != (len(class_names),) * 2 for matrix in counts.values()):
        raise InputError(f"confusions: give at least one matrix of {len(class_names)} by {len(class_names)}")
    names = [legible(name, 12) for name in class_names]
    side = 1.6 + 0.45 * len(names)
    with drawing(side * len(counts), side) as figure:
        for place, (direction, matrix) in enumerate(counts.items()):
            axes = figure.add_subplot(1, len(counts), place + 1)
            total = matrix.sum(axis=1, keepdims=True)
            shares = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
            axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
            for (row, column), share in np.ndenumerate(shares):
                shade = "white" if share > 0.6 else "black"
                axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=shade, fontsize=7)
            axes.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 3 else 0)
            axes.set_yticks(range(len(names)), names)
            axes.set_xlabel("called")
            axes.set_ylabel("true class, real test series")
            axes.set_title(_DIRECTIONS.get(direction, direction))
    return figure


def pairs_of_series(
    synthetic: NDArray[np.floating], real: NDArray[np.floating], distances: NDArray[np.floating]
) -> Figure:
    """Draw pairs, the closest first: a synthetic series over the real record nearest to it, and their distance.

    **Guarantee.** None. The figure shows records as they are: it may be saved in `private/` only.

    Args:
        synthetic: (num_pairs, channels, time).
        real: the same shape. Record i is the partner of synthetic series i.
        distances: (num_pairs,), not negative.

    Raises:
        InputError: no pair, or shapes that do not fit.
    """
    if not len(synthetic) or synthetic.shape != real.shape or distances.shape != synthetic.shape[:1]:
        raise InputError(
            f"pairs: shapes {synthetic.shape} synthetic, {real.shape} real, {distances.shape} distances; give one real "
            "series and one distance for each synthetic series"
        )
    columns = min(4, len(synthetic))
    rows = math.ceil(len(synthetic) / columns)
    with drawing(2.6 * columns, 1.5 * rows + 0.4) as figure:
        for place, index in enumerate(np.argsort(distances, kind="stable")):
            axes = figure.add_subplot(rows, columns, place + 1)
            for channel in range(min(_MOST_CHANNELS, synthetic.shape[1])):
                axes.plot(real[index, channel], **_REAL_LOOK)
                axes.plot(synthetic[index, channel], **_MADE_LOOK)
            axes.set_title(f"distance {distances[index]:.4g}", fontsize=8)
        figure.legend(["real record", "synthetic"], loc="outside lower center", ncols=2)
    return figure


_REAL_LOOK = {"color": "#555555", "linewidth": 1.6}
_MADE_LOOK = {"color": COLOURS[1], "linewidth": 1.0}
_DIRECTIONS = {"tstr": "trained on synthetic", "trtr": "trained on real"}


def _check(synthetic: SeriesView, real: SeriesView) -> None:
    for view in (synthetic, real):
        if view.x.ndim != 3 or 0 in view.x.shape or view.x.shape[1:] != real.x.shape[1:]:
            raise InputError(f"{view.name}: shape {view.x.shape}; give series of one shape (batch, channels, time)")


def _classes(synthetic: SeriesView, real: SeriesView, class_names: Sequence[str]) -> list[tuple[int | None, str]]:
    """Return the labels and names of the rows of a picture."""
    if synthetic.y is None or real.y is None or not class_names:
        return [(None, "all")]
    return list(enumerate(class_names[:_MOST_CLASSES]))


def _draw_each(axes: Axes, series: NDArray[np.floating]) -> None:
    # Neighbours in a file are often of one recording: take some from all over it.
    for one in series[:: max(1, len(series) // NUM_OVERLAID)][:NUM_OVERLAID]:
        for channel, values in enumerate(one[:_MOST_CHANNELS]):
            axes.plot(values, color=COLOURS[channel], linewidth=0.7, alpha=0.6)


def _draw_band(axes: Axes, series: NDArray[np.floating]) -> None:
    if not len(series):
        return
    times = np.arange(series.shape[2])
    for channel in range(min(_MOST_CHANNELS, series.shape[1])):
        low, high = np.percentile(series[:, channel], _BAND, axis=0)
        axes.fill_between(times, low, high, color=COLOURS[channel], alpha=0.2, linewidth=0)
        axes.plot(times, series[:, channel].mean(axis=0), color=COLOURS[channel], linewidth=1.2)


def _shared_limits(panels: Sequence[Axes]) -> tuple[float, float]:
    limits = [axes.get_ylim() for axes in panels]
    return min(low for low, _ in limits), max(high for _, high in limits)
