"""Nearest pairs: synthetic images beside the real records they come closest to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gossamer.errors import InputError
from gossamer.reports.grid import sample_grid

_FONT_SIZE = 12
_CAPTION_HEIGHT = 18
_MARGIN = 12
_LEGEND = "left synthetic, right its nearest record; below: distance"


def pairs_picture(
    synthetic: NDArray[np.floating],
    real: NDArray[np.floating],
    distances: NDArray[np.floating],
    *,
    columns: int = 5,
    scale: int = 2,
) -> Image.Image:
    """Draw rows of pairs, the closest pair first: synthetic image left, real record right, their distance below.

    **Guarantee.** None. The picture shows records of the data as they are. It may be saved in `private/` only, and
    nothing drawn from it may be released.

    Args:
        synthetic: (num_pairs, channels, height, width) in [0, 1], with 1 channel (grey) or 3 (red, green, blue).
        real: the same shape. Record i is the partner of synthetic image i.
        distances: (num_pairs,) not negative, in the unit of the caller.
        columns: pairs per row, at least 1.
        scale: integer enlargement, at least 1.

    Returns:
        A picture of mode "L" or "RGB".

    Raises:
        InputError: if there is no pair, an image that has no partner or no distance, or a value out of range.

    References:
        Carlini et al., "Extracting training data from diffusion models", USENIX Security 2023, show such pairs.
    """
    _check(synthetic, real, distances, columns)
    pairs = [
        # Privacy: the right half of every pair is a record.
        sample_grid(np.stack([synthetic[index], real[index]]), columns=2, scale=scale)
        for index in np.argsort(distances, kind="stable")
    ]
    return _page(pairs, [f"{distance:.4g}" for distance in np.sort(distances)], columns)


def _page(pairs: list[Image.Image], captions: list[str], columns: int) -> Image.Image:
    font = ImageFont.load_default(_FONT_SIZE)
    width = _MARGIN + max(pairs[0].width, *(int(np.ceil(font.getlength(text))) for text in captions))
    height = pairs[0].height + _CAPTION_HEIGHT + _MARGIN // 2
    rows, columns = -(-len(pairs) // columns), min(columns, len(pairs))
    page_width = _MARGIN + max(columns * width, int(np.ceil(font.getlength(_LEGEND))) + _MARGIN)
    page = Image.new(pairs[0].mode, (page_width, 2 * _CAPTION_HEIGHT + rows * height), "white")
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _CAPTION_HEIGHT), _LEGEND, fill="black", font=font, anchor="lm")
    for place, (pair, text) in enumerate(zip(pairs, captions, strict=True)):
        left, top = _MARGIN + place % columns * width, 2 * _CAPTION_HEIGHT + place // columns * height
        page.paste(pair, (left, top))
        middle = left + pair.width // 2 if pair.width >= width - _MARGIN else left
        anchor = "mm" if middle > left else "lm"
        draw.text((middle, top + pair.height + _CAPTION_HEIGHT // 2), text, fill="black", font=font, anchor=anchor)
    return page


def _check(
    synthetic: NDArray[np.floating], real: NDArray[np.floating], distances: NDArray[np.floating], columns: int
) -> None:
    if len(synthetic) == 0 or columns < 1:
        raise InputError(f"{len(synthetic)} pairs in {columns} columns: give at least one of each")
    if synthetic.shape != real.shape:
        raise InputError(f"pairs: {synthetic.shape} synthetic and {real.shape} real; give one record for each image")
    if distances.shape != synthetic.shape[:1]:
        raise InputError(f"distances: shape {distances.shape}, but there are {len(synthetic)} pairs; give one for each")
    if not (np.isfinite(distances) & (distances >= 0)).all():
        raise InputError("distances: each must be finite and not negative")
