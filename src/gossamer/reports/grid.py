"""Sample grids: many small images in one picture."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gossamer.errors import InputError

_GUTTER_GREY = 128


def sample_grid(images: NDArray[np.floating], columns: int, scale: int) -> Image.Image:
    """Lay images out row by row, each pixel a square of `scale` x `scale`, thin grey gutters between and around.

    Places that are left over in the last row stay grey.

    Args:
        images: (batch, channels, height, width) in [0, 1]; 1 channel (grey) or 3 (red, green, blue).
        columns: images per row, at least 1.
        scale: integer enlargement, at least 1.

    Returns:
        A picture of mode "L" or "RGB".

    Raises:
        InputError: if there is no image, or a shape, a value or a number is out of range.

    >>> sample_grid(np.zeros((5, 1, 8, 8)), columns=3, scale=2).size
    (52, 35)
    """
    _check(images, columns, scale)
    return _picture(images, np.arange(len(images)), columns, scale)


def class_grid(images: NDArray[np.floating], labels: NDArray[np.integer], columns: int, scale: int) -> Image.Image:
    """Lay images out by class: one row for each label that occurs, in rising order, its first `columns` images in it.

    Where a class has fewer images its row ends in grey.

    Args:
        images: (batch, channels, height, width) in [0, 1]; 1 channel (grey) or 3 (red, green, blue).
        labels: (batch,) integers.
        columns: images per class, at least 1.
        scale: integer enlargement, at least 1.

    Returns:
        A picture of mode "L" or "RGB".

    Raises:
        InputError: as `sample_grid`, or if there is not one label per image.
    """
    _check(images, columns, scale)
    if labels.shape != (len(images),):
        raise InputError(f"labels: shape {labels.shape}, but there are {len(images)} images; give one label for each")
    rows = [np.flatnonzero(labels == label)[:columns] for label in np.unique(labels)]
    padded = [np.pad(row, (0, columns - len(row)), constant_values=-1) for row in rows]
    return _picture(images, np.concatenate(padded), columns, scale)


def save_png(path: Path | str, image: Image.Image) -> None:
    """Write a picture as PNG: a reader sees the old file or the whole new one, never a part.

    Args:
        path: where to; its folder must exist.
        image: the picture.

    Raises:
        OSError: if the folder is absent or cannot be written; nothing is left behind.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            image.save(file, format="PNG")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _picture(images: NDArray[np.floating], places: NDArray[np.integer], columns: int, scale: int) -> Image.Image:
    """One image per place, row by row; a place of -1 stays empty."""
    _, channels, height, width = images.shape
    gutter = max(1, scale // 2)
    cell_height, cell_width = height * scale + gutter, width * scale + gutter
    rows = -(-len(places) // columns)
    canvas = np.full((rows * cell_height + gutter, columns * cell_width + gutter, channels), _GUTTER_GREY, np.uint8)
    for place, index in enumerate(places):
        if index >= 0:
            top, left = gutter + place // columns * cell_height, gutter + place % columns * cell_width
            canvas[top : top + height * scale, left : left + width * scale] = _enlarged(images[index], scale)
    return Image.fromarray(canvas if channels == 3 else canvas[..., 0])


def _enlarged(image: NDArray[np.floating], scale: int) -> NDArray[np.uint8]:
    values = np.rint(image.transpose(1, 2, 0) * 255.0).astype(np.uint8)
    return values.repeat(scale, axis=0).repeat(scale, axis=1)


def _check(images: NDArray[np.floating], columns: int, scale: int) -> None:
    if images.ndim != 4 or 0 in images.shape or images.shape[1] not in (1, 3):
        raise InputError(
            f"images: shape {images.shape}; give at least one as (batch, channels, height, width), channels 1 or 3"
        )
    wrong = np.flatnonzero(~((images >= 0) & (images <= 1)).all(axis=(1, 2, 3)))
    if wrong.size:
        raise InputError(f"images: image {wrong[0]} has a value that is NaN or outside [0, 1]")
    if columns < 1 or scale < 1:
        raise InputError(f"columns {columns} and scale {scale} must be at least 1")
