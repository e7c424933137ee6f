"""The way in which images are read, as a user says it: at another size, in gray, or as they are stored."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from gossamer.data.images import MAX_SIDE, MIN_SIDE, check_sides
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.errors import InputError, told

MAX_STORED_SIDE: Final = 4096
"""Largest height and width of images that are made smaller while they are read, in pixels."""
MAX_WHITE: Final = 2**16 - 1
"""Largest white level: that of 16 bits."""
_AT_ONCE: Final = 2**22
_SIZE: Final = re.compile(r"([0-9]{1,4})x([0-9]{1,4})")
_LUMA: Final = (0.299, 0.587, 0.114)
FolderMeaning = Literal["classes", "none"]
"""Meaning of the sub-folders of a folder of DICOM files: each is a class, or they have none."""
Ground = Literal["white", "black"]
"""Name of a public ground on which transparent pixels are laid."""
GROUNDS: Final[dict[Ground, float]] = {"white": 1.0, "black": 0.0}
"""Gray of each ground."""


@dataclass(frozen=True, kw_only=True)
class ImageChoice:
    r"""The way in which images are read. Leave it out for series.

    Image x of H x W pixels is brought to h x w by means over areas. Pixel (i, j) of the result is the mean of x over a
    rectangle. Its corners are :math:`(i H / h, j W / w)` and :math:`((i + 1) H / h, (j + 1) W / w)`. A pixel of x
    counts by the part of it that lies inside. The sides are stretched if their ratio changes. Gray is 0.299 red +
    0.587 green + 0.114 blue, the luma of ITU-R BT.601.

    Guarantee:
        Everything here is a *public input*. Each image is changed by itself, to the last bit, whatever other images
        there are. So a neighbouring data set is changed in one record, as it was before.

    Args:
        resize: public height and width HxW, 32x32 for instance: each image is brought to them by means over areas
        gray: read colour images as gray
        alpha: public ground on which transparent pixels of pictures in a folder are laid. Default: transparency is
            refused
        white_level: public value of white in whole numbers of 8 or 16 bits: 4095 for scans of 12 bits, 1 for masks of 0
            and 1. Values above it are clipped. Default: 255 for 8 bits, in PNG files 65535 for 16 bits
        transpose: exchange rows and columns of each image
        first_label: of arrays and IDX files: the label of the first class, 0 or 1
        window_center: of DICOM: public middle of the window, in the units after rescale (HU for CT)
        window_width: of DICOM: public width of the window. Values outside are clipped
        folders: of DICOM: sub-folders are classes, by public names, or have no meaning (people, studies)
        each_frame: of DICOM: read each frame of a file as an image of its patient

    Raises:
        InputError: The size is no HxW, or a side is below 4 or above 1024 pixels. Or the white level, the first label
            or the window is none.

    Example:
        >>> ImageChoice(resize="2x8")
        Traceback (most recent call last):
        gossamer.errors.InputError: resize (--resize) must be HxW, 4 to 1024 pixels each, 32x32 for instance, not '2x8'
    """

    resize: str | None = None
    gray: bool = False
    alpha: Ground | None = None
    white_level: int | None = None
    transpose: bool = False
    first_label: int = 0
    window_center: float | None = None
    window_width: float | None = None
    folders: FolderMeaning | None = None
    each_frame: bool = False

    def __post_init__(self) -> None:
        _check_whole("white_level (--white-level)", self.white_level, 1, MAX_WHITE)
        _check_whole("first_label (--first-label)", self.first_label, 0, 1)
        if (self.window_center is None) != (self.window_width is None):
            raise InputError(
                "window_center and window_width (--window-center, --window-width) belong together: give both, 40 and "
                "400 for soft tissue in CT, for instance"
            )
        if not math.isfinite(self.window_center or 0.0):
            raise InputError(f"window_center (--window-center) must be a finite number, not {told(self.window_center)}")
        if self.window_width is not None and not 0 < self.window_width < math.inf:
            raise InputError(f"window_width (--window-width) must be a number above 0, not {told(self.window_width)}")
        if self.size is not None and not all(MIN_SIDE <= side <= MAX_SIDE for side in self.size):
            raise _no_size(self.resize)

    @classmethod
    def of(cls, resize: Sequence[int] | str | None, gray: bool, alpha: str | None = None) -> ImageChoice:
        """Return the choice for a size as Python has it: (height, width), or text.

        Raises:
            InputError: The size is none, or the ground has no such name.
        """
        ground = ground_of(alpha)
        if not isinstance(gray, bool):
            raise InputError(f"gray must be True or False, not {told(gray)}")
        if resize is None or isinstance(resize, str):
            return cls(resize=resize, gray=gray, alpha=ground)
        sides = list(resize) if isinstance(resize, Sequence) else []
        if len(sides) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) for side in sides):
            raise InputError("resize must be (height, width) in pixels, two whole numbers, or text like 32x32")
        return cls(resize="x".join(map(str, sides)), gray=gray, alpha=ground)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width in pixels, or None for the size as stored."""
        if self.resize is None:
            return None
        found = _SIZE.fullmatch(self.resize)
        if found is None:
            raise _no_size(self.resize)
        return int(found[1]), int(found[2])

    @property
    def window(self) -> tuple[float, float] | None:
        """Public lowest and highest value of the window, in the units after rescale. None without a window."""
        if self.window_center is None or self.window_width is None:
            return None
        return self.window_center - self.window_width / 2, self.window_center + self.window_width / 2

    @property
    def is_of_dicom(self) -> bool:
        """True if something was said that only DICOM files have."""
        return self.window is not None or self.folders is not None or self.each_frame

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the statement on the changes, none for images as they are stored."""
        said = []
        if self.size is not None:
            said.append(
                f"Each image was brought to {self.size[0]} x {self.size[1]} (height x width) while it was read, by "
                "itself, by means over areas."
            )
        if self.gray:
            said.append("Colour images were read as gray: 0.299 red + 0.587 green + 0.114 blue.")
        if self.white_level is not None:
            said.append(f"The value of white, {self.white_level}, was given by the user. Values above it were clipped.")
        if self.transpose:
            said.append("Rows and columns of each image were exchanged while it was read.")
        if self.first_label:
            said.append("The labels were said to begin with 1.")
        if self.alpha is not None:
            said.append(f"Transparent pixels were laid on {self.alpha}, each image by itself.")
        return tuple(said)

    def check_stored(self, where: str, height: int, width: int) -> None:
        """Refuse images of a size that no reader takes.

        Raises:
            InputError: A side is below 4 or above 1024 pixels. If images are resized, a side is above 4096.
        """
        if self.size is None:
            check_sides(where, height, width)
        elif not (1 <= height <= MAX_STORED_SIDE and 1 <= width <= MAX_STORED_SIDE):
            raise InputError(
                f"{where}: images of {height} x {width} (height x width): no side may be above {MAX_STORED_SIDE} "
                "pixels; make them smaller first"
            )

    def shape_of(self, channels: int, height: int, width: int) -> tuple[int, int, int]:
        """Return the shape of an image as it is read, from the shape as stored."""
        height, width = (width, height) if self.transpose else (height, width)
        return 1 if self.gray else channels, *(self.size or (height, width))

    def read(
        self,
        stored: np.ndarray,
        in_unit_range: Callable[[np.ndarray, int], np.ndarray],
        room: AbstractRoom = MEMORY,
    ) -> np.ndarray:
        """Change images block after block, so that no second copy at full size is made.

        Args:
            stored: (num_records, channels, height, width), of any dtype.
            in_unit_range: (a block of the stored images, the index of its first one) -> the block, float32 in [0, 1].
            room: Place for the values.

        Returns:
            float32 (num_records, *`shape_of`) in [0, 1].
        """
        step = max(1, _AT_ONCE // int(np.prod(stored.shape[1:])))
        blocks = (stored[start : start + step] for start in range(0, len(stored), step))
        return self.gathered(stored.shape, blocks, in_unit_range, room)

    def gathered(
        self,
        shape: Sequence[int],
        blocks: Iterable[np.ndarray],
        in_unit_range: Callable[[np.ndarray, int], np.ndarray],
        room: AbstractRoom = MEMORY,
    ) -> np.ndarray:
        """Change images that come block after block, in order.

        Args:
            shape: Of all blocks together, (num_records, channels, height, width).
            blocks: Stored images, (batch, channels, height, width) each.
            in_unit_range: As in `read`.
            room: Place for the values.

        Returns:
            float32 (num_records, *`shape_of`) in [0, 1].
        """
        num_records, channels, height, width = shape
        x, start = np.empty((0, *self.shape_of(channels, height, width)), dtype=np.float32), 0
        for block in blocks:
            # Room for all is made when the first block is there, since a reader refuses bombs before it.
            x = x if start else room.array((num_records, *x.shape[1:]))
            x[start : start + len(block)] = self.changed(in_unit_range(block, start))
            room.touched(x[start : start + len(block)].nbytes)
            start += len(block)
        room.let_go()
        return x

    def changed(self, images: np.ndarray) -> np.ndarray:
        """Change float32 images (batch, channels, height, width) in [0, 1] to the choice, each by itself."""
        images = images.swapaxes(2, 3) if self.transpose else images
        if self.gray and images.shape[1] == 3:
            red, green, blue = (images[:, [channel]] * weight for channel, weight in enumerate(_LUMA))
            images = (red + green + blue).clip(0, 1)
        if self.size is None or self.size == images.shape[2:]:
            return images
        return brought_to(images, *self.size)


def ground_of(alpha: object) -> Ground | None:
    """Return the ground of that name, or None for None.

    Raises:
        InputError: It is the name of none.
    """
    for name in GROUNDS:
        if isinstance(alpha, str) and alpha == name:
            return name
    if alpha is not None:
        raise InputError(f"alpha (--alpha) must be white or black, not {told(alpha)}")
    return None


def brought_to(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring float32 images (batch, channels, height, width) to another size, each by itself, by means over areas."""
    return _averaged(_averaged(images, height, axis=2), width, axis=3).clip(0, 1).astype(np.float32)


def _averaged(images: np.ndarray, num: int, axis: int) -> np.ndarray:
    """Divide an axis into equal parts, and return the mean over each part, float64."""
    stored = np.moveaxis(images, axis, 0)
    means = np.zeros((num, *stored.shape[1:]))
    length = len(stored)
    for part in range(num):
        # In units of 1 / num of a pixel all ends are whole numbers.
        first, end = part * length, (part + 1) * length
        for place in range(first // num, -(-end // num)):
            inside = min(end, (place + 1) * num) - max(first, place * num)
            # Privacy: sums of single values in a fixed order. A matrix product would round by the number of images.
            means[part] += np.multiply(stored[place], inside, dtype=np.float64)
    return np.moveaxis(means / length, 0, axis)


def _check_whole(what: str, number: object, least: int, most: int) -> None:
    if number is None or (isinstance(number, int) and not isinstance(number, bool) and least <= number <= most):
        return
    raise InputError(f"{what} must be a whole number from {least} to {most}, not {told(number)}")


def _no_size(said: str | None) -> InputError:
    return InputError(
        f"resize (--resize) must be HxW, {MIN_SIDE} to {MAX_SIDE} pixels each, 32x32 for instance, not {told(said)}"
    )


AS_STORED: Final = ImageChoice()
"""The choice of a user who said nothing of images."""
