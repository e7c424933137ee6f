"""Sample grids: many small images in one picture, of mode "L" or "RGB"."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from gossamer.errors import InputError
from gossamer.reports.captions import caption
from gossamer.runs.files import whole_file

_GUTTER_GREY = 128
_WIDEST = 1800
_FONT_SIZE = 14
_SMALLEST_FONT = 7
_LONGEST_NAME = 9
"""Width of the longest name beside a row, in font sizes. A longer name loses its middle."""
_CAPTION_HEIGHT = 24
_MARGIN = 12


def sample_grid(images: NDArray[np.floating], columns: int, scale: int) -> Image.Image:
    """Lay images out row by row, each pixel a square of `scale` x `scale`, thin grey gutters between and around.

    Places that are left over in the last row stay grey.

    Args:
        images: (batch, channels, height, width) in [0, 1], with 1 channel (grey) or 3 (red, green, blue).
        columns: images per row, at least 1.
        scale: integer enlargement, at least 1.

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

    Args: as of `sample_grid`, with the labels (batch,) as integers. Columns are images per class.

    Raises:
        InputError: as `sample_grid`, or if there is not one label per image.
    """
    _check(images, columns, scale)
    if labels.shape != (len(images),):
        raise InputError(f"labels: shape {labels.shape}, but there are {len(images)} images; give one label for each")
    rows = [np.flatnonzero(labels == label)[:columns] for label in np.unique(labels)]
    padded = [np.pad(row, (0, columns - len(row)), constant_values=-1) for row in rows]
    return _picture(images, np.concatenate(padded), columns, scale)


def image_grid(
    images: NDArray[np.floating], labels: NDArray[np.integer] | None, class_names: Sequence[str] = ()
) -> Image.Image:
    """Draw ten columns of samples, a row for each class if there are classes, small images enlarged.

    Args:
        images: (batch, channels, height, width) in [0, 1].
        labels: (batch,), or None.
        class_names: written beside the rows, in the order of the labels. Empty for rows without names.

    Raises:
        InputError: as `class_grid`.
    """
    return _grid(images, labels, 10, max(1, 64 // images.shape[-1]), class_names)


def comparison_grid(
    named: Sequence[tuple[str, NDArray[np.floating], NDArray[np.integer] | None]],
    columns: int,
    scale: int,
    class_names: Sequence[str] = (),
) -> Image.Image:
    """Draw grids of several targets in one picture, each under its name, in the order given.

    Grids stand side by side up to a width of 1,800 pixels, then below. With labels a grid is a `class_grid`. Without
    labels it is a `sample_grid` of at most `columns` rows. A name that is wider than its grid loses its middle.

    Args:
        named: for each target its name, images (batch, channels, height, width) in [0, 1] and labels (batch,) or None.
            Channels, height and width are the same for all.
        columns: images per row of a grid, at least 1.
        scale: integer enlargement, at least 1.
        class_names: written beside the rows of grids with labels. Empty for rows without names.

    Raises:
        InputError: as `class_grid`, or if there is no target, or images of several shapes.

    >>> eight = np.zeros((3, 1, 8, 8))
    >>> comparison_grid([("ours", eight, None), ("theirs", eight, None)], columns=3, scale=2).size
    (140, 54)
    """
    if not named:
        raise InputError("nothing to compare: name at least one target")
    first, shape = named[0][0], named[0][1].shape[1:]
    for name, images, _ in named:
        if images.shape[1:] != shape:
            raise InputError(
                f"{name}: images of shape {images.shape[1:]}, but {first} has {shape}; compare images of one shape"
            )
    grids = [_grid(images, labels, columns, scale, class_names) for _, images, labels in named]
    return _side_by_side([(name, grid) for (name, _, _), grid in zip(named, grids, strict=True)])


def save_png(path: Path | str, image: Image.Image) -> None:
    """Write a picture as PNG: a reader sees the old file or the whole new one, never a part.

    Args:
        path: of the new file, in a folder that exists.
        image: the picture.

    Raises:
        ResourceError: if the folder is absent or cannot be written. Nothing is left behind.
    """
    with whole_file(Path(path)) as file:
        image.save(file, format="PNG")


def _grid(
    images: NDArray[np.floating],
    labels: NDArray[np.integer] | None,
    columns: int,
    scale: int,
    class_names: Sequence[str] = (),
) -> Image.Image:
    if labels is None:
        return sample_grid(images[: columns**2], columns, scale)
    grid = class_grid(images, labels, columns, scale)
    if not class_names:
        return grid
    return _with_names(grid, [class_names[label] for label in np.unique(labels)])


def _with_names(grid: Image.Image, names: Sequence[str]) -> Image.Image:
    """Set names beside the rows of a grid, on white. The letters grow with the rows, so that every size is legible."""
    row_height = grid.height / len(names)
    size = min(max(_FONT_SIZE, row_height / 6), max(row_height - 2, _SMALLEST_FONT))
    font = ImageFont.load_default(size)
    room = max(_LONGEST_NAME * size, _SMALLEST_FONT)
    texts = [caption(name, lambda text: font.getlength(text) <= room) for name in names]
    margin = round(max(map(font.getlength, texts)) + size)
    page = Image.new(grid.mode, (grid.width + margin, grid.height), "white")
    draw = ImageDraw.Draw(page)
    for row, text in enumerate(texts):
        draw.text((margin - size / 2, (row + 0.5) * row_height), text, fill="black", font=font, anchor="rm")
    page.paste(grid, (margin, 0))
    return page


def _side_by_side(named: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Lay pictures of one mode below their names, on white. Each row is as high as its highest picture."""
    width = max(grid.width for _, grid in named) + _MARGIN
    per_row = min(len(named), max(1, (_WIDEST - _MARGIN) // width))
    rows = [named[start : start + per_row] for start in range(0, len(named), per_row)]
    heights = [_CAPTION_HEIGHT + max(grid.height for _, grid in row) + _MARGIN for row in rows]
    page = Image.new(named[0][1].mode, (per_row * width + _MARGIN, sum(heights)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_FONT_SIZE)
    for row_number, row in enumerate(rows):
        top = sum(heights[:row_number])
        for column, (name, grid) in enumerate(row):
            left = _MARGIN + column * width
            text = caption(name, lambda text, room=grid.width: font.getlength(text) <= room)
            draw.text((left, top + _CAPTION_HEIGHT // 2), text, fill="black", font=font, anchor="lm")
            page.paste(grid, (left, top + _CAPTION_HEIGHT))
    return page


def _picture(images: NDArray[np.floating], places: NDArray[np.integer], columns: int, scale: int) -> Image.Image:
    """Lay out one image per place, row by row. A place of -1 stays empty."""
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
        raise InputError(f"images: image {wrong[0]} has a value that is NaN or outside [0, 1]; mend or remove it")
    if columns < 1 or scale < 1:
        raise InputError(f"columns {columns} and scale {scale} must be at least 1")
