"""Pictures and curves made of characters: half blocks in colour, braille dots without, block sparklines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

_EIGHTHS = "▁▂▃▄▅▆▇█"
_UPPER_HALF = "▀"
_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a braille character, four rows of two."""


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw finite values as bars of eight heights, the last at the right. More values than columns become means.

    >>> sparkline([0, 1, 2, 3], 4)
    '▁▃▆█'
    >>> sparkline([5.0, 5.0], 4)
    '▁▁'
    """
    if not values or width < 1:
        return ""
    binned = _binned(np.asarray(values, dtype=np.float64), width)
    low, high = binned.min(), binned.max()
    scaled = np.zeros(len(binned)) if high == low else (binned - low) / (high - low)
    return "".join(_EIGHTHS[round(float(value) * 7)] for value in scaled)


def half_blocks(image: NDArray[np.floating]) -> list[Text]:
    """Draw two pixels a character, one above the other, in colours of 24 bits. Rich takes the nearest that there are.

    Args:
        image: (channels, height, width) in [0, 1], one channel or three. An odd last row stands on black.

    Returns:
        A line for every two rows.
    """
    levels = np.rint(np.clip(image, 0, 1) * 255).astype(int)
    levels = np.repeat(levels, 3, axis=0) if len(levels) == 1 else levels
    if levels.shape[1] % 2:
        levels = np.pad(levels, ((0, 0), (0, 1), (0, 0)))
    lines = []
    for top in range(0, levels.shape[1], 2):
        line = Text(no_wrap=True, overflow="crop")
        pairs = zip(map(tuple, levels[:, top].T.tolist()), map(tuple, levels[:, top + 1].T.tolist()), strict=True)
        for (upper, lower), alike in itertools.groupby(pairs):
            colours = Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
            line.append(_UPPER_HALF * len(list(alike)), colours)
        lines.append(line)
    return lines


def braille(dots: NDArray[np.bool_]) -> list[str]:
    """Draw dots as characters of two columns and four rows.

    >>> braille(np.eye(4, dtype=bool))
    ['⠑⢄']
    """
    height, width = dots.shape
    padded = np.pad(dots, ((0, -height % 4), (0, -width % 2)))
    codes = np.full((padded.shape[0] // 4, padded.shape[1] // 2), _BRAILLE)
    for row, bits in enumerate(_DOTS):
        for column, bit in enumerate(bits):
            codes += bit * padded[row::4, column::2]
    return ["".join(map(chr, line)) for line in codes.tolist()]


def outline(series: NDArray[np.floating], height: int, width: int) -> NDArray[np.bool_]:
    """Draw a series as a line of dots, its channels over each other.

    Args:
        series: (channels, time) in [0, 1].
        height: rows, the value 1 in the first.
        width: columns.
    """
    dots = np.zeros((height, width), dtype=bool)
    places = np.linspace(0, series.shape[1] - 1, width)
    for channel in np.clip(series, 0, 1):
        values = np.interp(places, np.arange(len(channel)), channel)
        rows = np.rint((1 - values) * (height - 1)).astype(int)
        # Each column begins where the last one ended, so that a steep rise leaves no gap.
        for column, (before, row) in enumerate(itertools.pairwise([rows[0], *rows])):
            dots[min(before, row) : max(before, row) + 1, column] = True
    return dots


def shrunk(image: NDArray[np.floating], factor: int) -> NDArray[np.floating]:
    """Shrink an image (channels, height, width) to means of squares of pixels, and cut off the rest at the edges."""
    channels, height, width = image.shape
    rows, columns = height // factor, width // factor
    kept = image[:, : rows * factor, : columns * factor]
    return kept.reshape(channels, rows, factor, columns, factor).mean(axis=(2, 4))


def beside(pictures: Sequence[Sequence[Text]]) -> list[Text]:
    """Set pictures of one height side by side, a space between."""
    lines = []
    for row in zip(*pictures, strict=True):
        line = Text(no_wrap=True, overflow="crop")
        for place, part in enumerate(row):
            line.append(" " if place else "")
            line.append_text(part)
        lines.append(line)
    return lines


def _binned(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    if len(values) <= width:
        return values
    edges = np.linspace(0, len(values), width + 1).astype(int)
    return np.add.reduceat(values, edges[:-1]) / np.diff(edges)
