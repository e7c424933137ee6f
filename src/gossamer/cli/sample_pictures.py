"""Samples as terminal pictures: as many as fit, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from rich.console import Console
from rich.text import Text

from gossamer.cli.block_pictures import beside, braille, half_blocks, outline, shrunk
from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec

MOST_ROWS: Final = 14
"""Lines of the highest picture."""
_SERIES_WIDTH = 22
_ENOUGH, _SMALL, _LARGE = 5, 8, 28


def sample_pictures(x: np.ndarray, spec: AbstractSpec, width: int, rows: int, *, is_coloured: bool) -> list[Text]:
    """Draw samples side by side, as many as fit.

    Args:
        x: samples (num, *shape) in [0, 1].
        spec: shape and classes.
        width: columns.
        rows: lines of an image at most.
        is_coloured: true if the terminal shows colours. Dots take their place otherwise.
    """
    is_image = isinstance(spec, ImageSpec)
    return beside(_image_pictures(x, width, rows, is_coloured) if is_image else _series_pictures(x, width))


def has_colours(console: Console) -> bool:
    """Tell if a terminal shows colours enough for pictures."""
    return not console.no_color and console.color_system in ("truecolor", "256")


def _image_pictures(x: np.ndarray, width: int, rows: int, is_coloured: bool) -> list[Sequence[Text]]:
    """Draw as many images as fit: small ones enlarged while five fit, large ones shrunk until four do."""
    side_rows, columns = (2, 1) if is_coloured else (4, 2)
    _, _, image_height, image_width = x.shape

    def num_fitting(scale: float) -> int:
        high, wide = -(-int(image_height * scale) // side_rows), -(-int(image_width * scale) // columns)
        return (width + 1) // (wide + 1) if high <= rows else 0

    larger, smaller = 1, 1
    while num_fitting(larger + 1) >= _ENOUGH and (larger + 1) * image_height <= _LARGE:
        larger += 1
    while num_fitting(1 / smaller) < _ENOUGH - 1 and max(image_height, image_width) // smaller >= _SMALL:
        smaller += 1
    shown = x[: max(1, num_fitting(larger / smaller))]
    scaled = [shrunk(image, smaller).repeat(larger, axis=1).repeat(larger, axis=2) for image in shown]
    if is_coloured:
        return [half_blocks(image)[:rows] for image in scaled]
    return [[_line(text) for text in braille(image.mean(axis=0) > 0.5)][:rows] for image in scaled]


def _series_pictures(x: np.ndarray, width: int) -> list[Sequence[Text]]:
    each = min(_SERIES_WIDTH, width)
    num = max(1, (width + 1) // (each + 1))
    return [[_line(text, "cyan") for text in braille(outline(one, 12, 2 * each))] for one in x[:num]]


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")
