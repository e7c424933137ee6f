"""Images as tensors in [0, 1], with a specification in which everything is public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gossamer.data.records import AbstractSpec, check_kind
from gossamer.errors import InputError, told

if TYPE_CHECKING:
    from torch import Tensor

MIN_SIDE: Final = 4
"""Smallest height and width that a reader accepts, in pixels."""
MAX_SIDE: Final = 1024
"""Largest height and width, in pixels."""


@dataclass(frozen=True, kw_only=True)
class ImageSpec(AbstractSpec):
    """Shape and classes of a set of images.

    Guarantee:
        Every field is a *public input*, given by the user or by the format, and none is fitted on private pixels or
        labels. Networks, label laws and statements may therefore depend on it without paying for it.

    Args:
        channels: 1 (gray) or 3 (red, green, blue).
        height: Pixels, 1 to 1024.
        width: Pixels, 1 to 1024.
        class_names: One name per class, in the order of the labels 0, 1, ... and empty for images without labels.

    Raises:
        InputError: A size is out of range, or a name is empty, unprintable, too long or given twice.

    Example:
        >>> spec = ImageSpec(channels=1, height=8, width=8, class_names=("cat", "dog"))
        >>> spec.shape, spec.num_classes
        ((1, 8, 8), 2)
    """

    channels: int
    height: int
    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for side in ("channels", "height", "width"):
            check_kind(side, getattr(self, side), int)
        if self.channels not in (1, 3):
            raise InputError(f"channels must be 1 (gray) or 3 (red, green, blue), not {told(self.channels)}")
        for side, value in (("height", self.height), ("width", self.width)):
            if not 1 <= value <= MAX_SIDE:
                raise InputError(f"{side} must be between 1 and {MAX_SIDE} pixels, not {told(value)}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image, (channels, height, width)."""
        return self.channels, self.height, self.width

    def as_written(self, x: Tensor) -> Tensor:
        """Return values as a file of this format holds them: rounded to 256 levels, with black as exactly 0.

        Real images come so. A sigmoid never reaches 0. A decision tree, or any other rule that asks if a pixel is
        black, tells a background of 0.001 from one of 0. It would learn that alone.

        Args:
            x: (batch, channels, height, width) in [0, 1].
        """
        return (x * 255).round() / 255


def check_sides(where: str, height: int, width: int) -> None:
    """Refuse images that no network here can make.

    Raises:
        InputError: A side is below 4 or above 1024 pixels.
    """
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise InputError(
            f"{where}: images of {height} x {width} (height x width): "
            f"both sides must be {MIN_SIDE} to {MAX_SIDE} pixels; --resize HxW brings them to a size"
        )
