"""The scale of pixels: the public value of white, by which stored numbers become values in [0, 1]."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from gossamer.data.image_choice import ImageChoice
from gossamer.data.range_tally import RangeTally
from gossamer.data.value_ranges import ValueRanges
from gossamer.errors import InputError

PIXEL_KINDS: Final = re.compile(r"[<>|=]?(?:f[248]|u[12])")
"""Types of pixels that are read, in numpy's short form."""


class PixelScale:
    r"""A scale of stored pixels, and a private tally of those that passed it.

    A stored value v becomes :math:`\min(1, v / w)`, where w is the public white level. Without one, w is 255 for bytes
    and 1 for floats, which `check_unit_range` has checked.

    Guarantee:
        The white level is a public input, or follows from the type of the array. It is never read from pixels.

    Args:
        dtype: Type of the stored values.
        channels: 1 or 3.
        choice: Way of reading images, with the white level.
        at: Beginning of a message.

    Raises:
        InputError: 16 bits without a white level, a white level beyond the type, or one for floats.
    """

    def __init__(self, dtype: np.dtype, channels: int, choice: ImageChoice, at: str) -> None:
        self._is_clipped = choice.white_level is not None
        self._white = 1.0 if dtype.kind == "f" else float(choice.white_level or _usual(dtype, at))
        _check_white(dtype, choice, at)
        self._tally = RangeTally.of_images(channels, self._white)

    def in_unit_range(self, block: np.ndarray, _: int = 0) -> np.ndarray:
        """Scale a block of stored images (batch, channels, height, width) to float32 in [0, 1]."""
        self._tally.add(block)
        x = np.divide(block, self._white, dtype=np.float32)
        return np.minimum(x, 1, out=x) if self._is_clipped else x

    def ranges(self) -> ValueRanges | None:
        """Return the ranges of all images that passed. Private."""
        return self._tally.ranges()


def _usual(dtype: np.dtype, at: str) -> int:
    if dtype.itemsize == 1:
        return 255
    # Privacy: the greatest value of the data would be a scale that one record decides.
    raise InputError(
        f"{at} has whole numbers of 16 bits: say the public value of white, --white-level 4095 (white_level=4095) for "
        "scans of 12 bits, 65535 for all 16"
    )


def _check_white(dtype: np.dtype, choice: ImageChoice, at: str) -> None:
    if choice.white_level is None:
        return
    if dtype.kind == "f":
        raise InputError(
            f"{at} has floats, which are in [0, 1] and have white at 1: leave --white-level (white_level) out"
        )
    largest = 2 ** (8 * dtype.itemsize) - 1
    if choice.white_level > largest:
        raise InputError(
            f"{at} has {8 * dtype.itemsize} bits a value, up to {largest}: no pixel can reach the white level "
            f"{choice.white_level} (--white-level)"
        )


def check_unit_range(block: np.ndarray, start: int, at: str) -> None:
    """Refuse floats outside [0, 1].

    Args:
        block: Pixels, as they are stored.
        start: Index of the first image of the block.
        at: Beginning of the message.

    Raises:
        InputError: The place of the first such pixel, and never its value.
    """
    with np.errstate(invalid="ignore"):  # a signalling NaN is found here, without a warning
        inside = (block >= 0) & (block <= 1)
    if inside.all():
        return
    first = np.argwhere(~inside)[0]
    # Privacy: the index of the pixel is named, never its value, and the words are the same whatever it is.
    place = f"{at}[{', '.join(map(str, (start + int(first[0]), *map(int, first[1:]))))}]"
    if not np.isfinite(block[tuple(first)]):
        raise InputError(f"{place} is NaN or infinite: every pixel must be a number in [0, 1]")
    raise InputError(
        f"{place} is out of [0, 1]: save (x + 1) / 2 for images in [-1, 1], and for 0 .. 255 divide by 255 or save "
        "them as uint8"
    )
