"""Images as tensors in [0, 1], with a specification in which everything is public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gossamer.errors import InputError

MIN_SIDE: Final = 4
"""Smallest height and width that a reader accepts, in pixels."""
MAX_SIDE: Final = 1024
"""Largest height and width, in pixels."""
MAX_CLASSES: Final = 1000
"""Largest number of classes."""
MAX_NAME_LENGTH: Final = 100
"""Longest class name, in characters."""
MAX_VALUES: Final = 2**31
"""Largest number of pixel values in one set: 8 GiB as float32."""
DEFAULT_NUM_CLASSES: Final = 10
"""Assumed for labelled data whose owner names no number of classes; a constant, so that no label decides it."""


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Shape and classes of a set of images.

    Guarantee:
        Every field is a *public input*, given by the user or by the format, and none is fitted on private pixels or
        labels. Networks, label laws and statements may therefore depend on it without paying for it.

    Args:
        channels: 1 (gray) or 3 (red, green, blue).
        height: Pixels, 1 to 1024.
        width: Pixels, 1 to 1024.
        class_names: One name per class, in the order of the labels 0, 1, ...; empty for images without labels.

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
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise InputError(f"channels must be 1 (gray) or 3 (red, green, blue), not {self.channels}")
        for side, value in (("height", self.height), ("width", self.width)):
            if not 1 <= value <= MAX_SIDE:
                raise InputError(f"{side} must be between 1 and {MAX_SIDE} pixels, not {value}")
        check_class_names(self.class_names)

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 for images without labels."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image, (channels, height, width)."""
        return self.channels, self.height, self.width


def check_class_names(names: tuple[str, ...]) -> None:
    """Refuse names that could not stand in a table, a file name or one line of a statement.

    Args:
        names: Class names, public.

    Raises:
        InputError: Naming the index of the first name that breaks a rule.
    """
    if len(names) > MAX_CLASSES:
        raise InputError(f"class_names has {len(names)} names: at most {MAX_CLASSES} classes are supported")
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not name.strip() or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
            raise InputError(
                f"class_names[{index}] must be 1 to {MAX_NAME_LENGTH} printable characters: give the class another name"
            )
        if name in seen:
            raise InputError(f"class_names[{index}] repeats an earlier name: every class needs a name of its own")
        seen.add(name)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Records of one data set: images and, where there are any, labels. Private, unlike its `spec`.

    Args:
        name: Name for messages; public.
        spec: Public shape and classes.
        x: Pixels, float32 (num_records, channels, height, width) in [0, 1].
        y: Labels, int64 (num_records,) in 0 .. num_classes - 1; None if and only if the spec has no classes.

    Raises:
        InputError: Naming the first record that breaks a rule (never its value).
    """

    name: str
    spec: ImageSpec
    x: Tensor
    y: Tensor | None = None

    def __post_init__(self) -> None:
        self._check_images()
        if self.y is None:
            if self.spec.num_classes:
                raise InputError(f"{self.name}: the specification has classes but there are no labels y")
            return
        self._check_labels(self.y)

    def _check_images(self) -> None:
        if self.x.dtype != torch.float32 or tuple(self.x.shape[1:]) != self.spec.shape:
            raise InputError(
                f"{self.name}: x must be float32 (num_records, {', '.join(map(str, self.spec.shape))}), "
                f"not {self.x.dtype} {tuple(self.x.shape)}"
            )
        if self.x.shape[0] == 0:
            raise InputError(f"{self.name}: x holds 0 records; at least 1 is needed")
        low, high = torch.aminmax(self.x.detach())
        if not (low >= 0 and high <= 1):  # a NaN makes both comparisons false
            index = int((~((self.x >= 0) & (self.x <= 1))).flatten(1).any(dim=1).nonzero()[0])
            raise InputError(f"{self.name}: x[{index}] has a pixel that is not a number in [0, 1]")

    def _check_labels(self, y: Tensor) -> None:
        if y.dtype != torch.int64 or y.shape != self.x.shape[:1]:
            raise InputError(
                f"{self.name}: y must be int64 ({self.num_records},), one label per image, "
                f"not {y.dtype} {tuple(y.shape)}"
            )
        outside = ((y < 0) | (y >= self.spec.num_classes)).nonzero()
        if len(outside):
            raise InputError(
                f"{self.name}: y[{int(outside[0])}] is outside 0 .. num_classes - 1 for "
                f"{self.spec.num_classes} classes: correct the label or the number of classes"
            )

    @property
    def num_records(self) -> int:
        """Number of records, at least 1."""
        return self.x.shape[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageData:
    """What a loader returns: the private training records, real test records if any, and what was assumed public.

    Args:
        train: Records that a method is trained on.
        test: Records for scores on real data; None where the owner gave no split.
        public_notes: Sentences on the public inputs that were assumed; they belong into the privacy statement and
            hold no number of records.

    Raises:
        InputError: Train and test differ in their specification.
    """

    train: ImageSet
    test: ImageSet | None = None
    public_notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.test is not None and self.test.spec != self.train.spec:
            raise InputError(f"{self.train.name}: the train and the test images differ in shape or classes")


def check_sides(where: str, height: int, width: int) -> None:
    """Refuse images that no network here can make.

    Args:
        where: Beginning of the message, a file and a key.
        height: Pixels.
        width: Pixels.

    Raises:
        InputError: A side is below 4 or above 1024 pixels.
    """
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise InputError(
            f"{where}: images of {height} x {width} (height x width): "
            f"both sides must be {MIN_SIDE} to {MAX_SIDE} pixels; resize them first"
        )


def check_num_classes(num_classes: int) -> None:
    """Refuse a number of classes that no data set here can have.

    Args:
        num_classes: The public number of classes as the user gave it.

    Raises:
        InputError: It is below 1 or above 1000.
    """
    if not 1 <= num_classes <= MAX_CLASSES:
        raise InputError(f"num_classes (--num-classes) must be between 1 and {MAX_CLASSES}, not {num_classes}")


def check_num_values(where: str, num_values: int) -> None:
    """Refuse a set that would not fit a usual machine's memory.

    Args:
        where: Beginning of the message.
        num_values: Records x channels x height x width.

    Raises:
        InputError: There are more than 2**31 values.
    """
    if num_values > MAX_VALUES:
        raise InputError(f"{where}: {num_values} pixel values; at most {MAX_VALUES} fit: use fewer or smaller images")
