"""Curves of one training for `save_figure`: losses and norms over its steps, and the epsilon spent by then."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gossamer.errors import ResourceError
from gossamer.reports.curves import COLOURS, drawing, legible

LEAST_POINTS: Final = 20
"""The least number of points of a drawn curve. Shorter curves are read faster in `metrics.jsonl`."""
_MOST_CURVES = 5
_NOTE = "Private: what a training says of itself may tell of real records. No statement covers this picture."


@dataclass(frozen=True, kw_only=True)
class Track:
    """A number of a training over its steps or updates.

    Attributes:
        name: of the number.
        axis: the axis under the number: "step" or "update".
        points: (step, value), steps rising, values finite.
    """

    name: str
    axis: str
    points: tuple[tuple[int, float], ...]


def read_tracks(metrics: Path) -> tuple[Track, ...]:
    """Read the numbers of `metrics.jsonl` that are long enough to be drawn, losses first.

    Steps that were lost in a crash and done again count as they were done last. A line that cannot be read is left
    out: the picture waits for no line.

    Raises:
        ResourceError: the file cannot be read.
    """
    try:
        lines = metrics.read_bytes().splitlines() if metrics.is_file() else []
    except OSError as error:
        raise ResourceError(f"{metrics}: cannot be read ({error.strerror or type(error).__name__})") from None
    found: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for tree in _trees(lines):
        axis = "update" if "num_updates" in tree else "step"
        place = tree.get("num_updates", tree.get("step"))
        if type(place) is not int:
            continue
        for name, value in tree.items():
            if isinstance(value, float) and math.isfinite(value):
                found[axis, name][place] = value
    long = {key: points for key, points in found.items() if len(points) >= LEAST_POINTS}
    tracks = [
        Track(name=name, axis=axis, points=tuple(sorted(points.items()))) for (axis, name), points in long.items()
    ]
    return tuple(sorted(tracks, key=lambda track: ("loss" not in track.name, track.axis))[:_MOST_CURVES])


def training_curves(tracks: Sequence[Track], spent: Sequence[tuple[int, float]], *, delta: float) -> Figure:
    """Draw a panel for each number and, if epsilon is known, one for epsilon over the steps paid for.

    **Guarantee.** None: losses come from real records, and the picture belongs into `private/`.

    Args:
        tracks: at least one.
        spent: (steps paid for, epsilon), rising, empty if epsilon was not computed.
        delta: of every epsilon.
    """
    num = len(tracks) + bool(spent)
    per_row = min(3, num)
    rows = -(-num // per_row)
    with drawing(3.8 * per_row, 2.7 * rows + 0.3) as figure:
        for place, track in enumerate(tracks):
            _draw(figure.add_subplot(rows, per_row, place + 1), track)
        if spent:
            _draw_spent(figure.add_subplot(rows, per_row, num), spent, delta)
        figure.supxlabel(_NOTE, fontsize=7, color="#555555")
    return figure


def _trees(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            tree = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(tree, dict):
            yield tree


def _draw(axes: Axes, track: Track) -> None:
    steps, values = zip(*track.points, strict=True)
    axes.plot(steps, values, color=COLOURS[0], linewidth=0.5, alpha=0.45, gid=f"{track.name}-values")
    smooth = _smoothed(np.asarray(values), max(1, len(values) // 50))
    axes.plot(steps, smooth, color=COLOURS[0], linewidth=1.4, gid=f"{track.name}-means")
    _label(axes, legible(track.name.replace("_", " "), 30), track.axis)


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Compute means over so many neighbours on either side, fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(0, places - window), np.minimum(len(values), places + window + 1)
    return (sums[last] - sums[first]) / (last - first)


def _draw_spent(axes: Axes, spent: Sequence[tuple[int, float]], delta: float) -> None:
    steps, epsilons = zip(*spent, strict=True)
    axes.plot(steps, epsilons, color=COLOURS[1], linewidth=1.4, marker="o", markersize=3, gid="epsilon")
    axes.set_ylim(bottom=0)
    _label(axes, f"epsilon (delta = {delta:g})", "step")


def _label(axes: Axes, title: str, axis: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(axis)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
