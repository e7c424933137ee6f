"""The scale of pictures in a folder: the public value of white of PNG files, and a private tally of stored values."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.files import open_regular, shown
from gossamer.data.image_choice import ImageChoice
from gossamer.data.pictures import DEEP_WHITE, Picture
from gossamer.data.range_tally import RangeTally
from gossamer.data.value_ranges import ValueRanges
from gossamer.errors import InputError

_PLACE_OF_DEPTH: Final = 24


class PictureScale:
    r"""A scale of pictures, and a private tally of those that passed it.

    A stored value v becomes :math:`\min(1, v / w)`, where w is the public white level. Without one, w is that of
    the format: 255, or 65535 for gray of 16 bits.

    Args:
        choice: Way of reading images, with the white level.
    """

    def __init__(self, choice: ImageChoice) -> None:
        self._white = choice.white_level
        self._tallies: dict[tuple[int, bool], RangeTally] = {}

    def in_unit_range(self, picture: Picture, path: Path) -> np.ndarray:
        """Return a picture at the public scale, float32 (channels, height, width) in [0, 1].

        Raises:
            InputError: A white level was said, and the file is no PNG file of one kind with the others, or cannot reach
                it.
        """
        kind, full = (len(picture.x), picture.is_deep), DEEP_WHITE if picture.is_deep else 255
        if self._white is not None:
            self._check(path, picture.is_deep, full, self._white)
        if kind not in self._tallies:
            self._tallies[kind] = RangeTally.of_images(len(picture.x), self._white or full)
        stored = np.rint(picture.x.astype(np.float64) * full)
        self._tallies[kind].add(stored[None])
        return picture.x if self._white is None else np.minimum(stored / self._white, 1).astype(np.float32)

    def ranges(self) -> ValueRanges | None:
        """Return the ranges of all pictures. Private. None if they were not all stored alike."""
        found = [tally.ranges() for tally in self._tallies.values()]
        return found[0] if len(found) == 1 else None

    def _check(self, path: Path, is_deep: bool, full: int, white: int) -> None:
        where = shown(path)
        if path.suffix.lower() != ".png":
            raise InputError(f"{where} is no PNG file, and a white level (--white-level) is of PNG files: leave it out")
        with open_regular(path) as file:
            depth = file.read(_PLACE_OF_DEPTH + 1)[_PLACE_OF_DEPTH]
        # Pillow hands such pixels over at the scale of 8 bits.
        if depth < 8:
            raise InputError(f"{where} has {depth} bits a pixel, which fill their range: leave --white-level out")
        if any(other != is_deep for _, other in self._tallies):
            raise InputError(f"{where} has another number of bits than other files: a white level is of one kind")
        if white > full:
            raise InputError(
                f"{where} has 8 bits a value, up to {full}: no pixel can reach the white level {white} (--white-level)"
            )
