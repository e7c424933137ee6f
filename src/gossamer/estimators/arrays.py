"""Arrays of images and of series in memory as records."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch

from gossamer.data.image_choice import ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.pixel_scale import PixelScale
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import (
    DEFAULT_NUM_CLASSES,
    RecordData,
    RecordSet,
    check_num_classes,
    check_num_values,
    numbered,
)
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import WHOLE, divide
from gossamer.data.value_ranges import ValueRanges
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError, told
from gossamer.estimators.values import (
    Array,
    Bounds,
    array_of,
    bounds_of,
    kind_of,
    labels_of,
    names_in,
    names_of_people,
    people_of,
    rate_of,
    whole,
)

_PLAIN = "save or convert them as plain numbers first"


def as_images(
    x: Array,
    y: Array | None = None,
    people: Array | None = None,
    *,
    num_classes: int | None = None,
    class_names: Sequence[str] = (),
    resize: tuple[int, int] | None = None,
    gray: bool = False,
    white_level: int | None = None,
) -> RecordData:
    """Return images in memory as records. `fit` does this by itself with an array.

    Guarantee: shape, classes, and the presence of labels are public. The number of classes is never read from the
    labels. The arrays are copied: later changes to them reach no record.

    Args:
        x: (records, height, width) or (records, channels, height, width), floats in [0, 1] or uint8, or uint16 with a
            white level.
        y: integer labels (records,) or (records, 1). None for images without classes.
        people: numbers or text (records,): any name of the person of a record.
        num_classes: public number of classes. 10 is assumed for labels without number or names.
        class_names: public names of the classes, in the order of the labels.
        resize: public (height, width): each image is brought to it by itself, as `ImageChoice` says.
        gray: True to make colour images gray.
        white_level: public value of white in uint8 or uint16: 4095 for scans of 12 bits, 1 for masks of 0 and 1. Values
            above it are clipped. Default: 255 for uint8.

    Returns:
        The records, without a test set.

    Raises:
        InputError: naming the first record that breaks a rule, never its values.

    Example:
        >>> scans = as_images(np.zeros((30, 8, 8), dtype="uint8"), np.arange(30) % 2, class_names=["well", "ill"])
        >>> scans.train.spec.shape, scans.train.spec.class_names
        ((1, 8, 8), ('well', 'ill'))
    """
    choice = dataclasses.replace(
        ImageChoice.of(resize, gray), white_level=None if white_level is None else whole("white_level", white_level)
    )
    images, ranges = _pixels(_numpy(x), choice)
    named = names_in(class_names, "class_names")
    names, notes = _classes(y is not None, num_classes, named)
    labels = labels_of(y, names, are_named=bool(named))
    spec = ImageSpec(
        channels=images.shape[1],
        height=images.shape[2],
        width=images.shape[3],
        class_names=names,
        are_classes_named=bool(named) or not names,
    )
    train = RecordSet(name="images", spec=spec, x=images, y=labels, **people_of(people))
    read = "image shape" if choice.size is None else "number of channels"
    shape = f"The {read} and whether there are labels were read from the arrays and are taken as public."
    return RecordData(train=train, public_notes=(shape, *notes, *choice.notes), ranges=ranges)


def as_series(
    x: Array,
    y: Array | None = None,
    people: Array | None = None,
    *,
    low: Bounds = None,
    high: Bounds = None,
    sample_rate: float | None = None,
    channel_names: Sequence[str] = (),
    units: Sequence[str] = (),
    num_classes: int | None = None,
    class_names: Sequence[str] = (),
    window: int | None = None,
    stride: int | None = None,
) -> RecordData:
    """Return time series in memory as records for `fit`, which would take a bare array for images.

    Guarantee: shape, classes, bounds, rate and names are public, and none is computed from the values. Take the bounds
    from the device, or from possible values: the smallest and largest value in the data belong to a person.

    Args:
        x: (records, channels, time) or (records, time), numbers in their own units. Values outside the bounds are
            clipped.
        y: integer labels (records,) or (records, 1). None for series without classes.
        people: numbers or text (records,): any name of the person of a record.
        low: public lower bound of the values. Without bounds the values must lie in [0, 1].
        high: public upper bound.
        sample_rate: samples a second, Hz.
        channel_names: public names of the channels.
        units: public units of the values, one for all channels or one each, such as ``["mV", "degC"]``.
        num_classes: public number of classes. 10 is assumed for labels without number or names.
        class_names: public names of the classes, in the order of the labels.
        window: cut every series, as a recording, in windows of so many samples. The usual unit of protection is then
            the recording, or its person.
        stride: samples from the beginning of a window to that of the next. Default: the window.

    Returns:
        The records, without a test set.

    Raises:
        InputError: naming the place of the value that breaks a rule, never the value.

    Example:
        >>> beats = as_series(np.zeros((30, 2, 50)), low=-2.0, high=3.0, sample_rate=125.0)
        >>> beats.train.spec.shape, beats.train.spec.low
        ((2, 50), (-2.0, -2.0))
    """
    values = _values(_numpy(x))
    facts = SeriesFacts(
        low=bounds_of(low, "low"),
        high=bounds_of(high, "high"),
        sample_rate=rate_of(sample_rate),
        channel_names=names_in(channel_names, "channel_names"),
        units=names_in(units, "units"),
        class_names=names_in(class_names, "class_names"),
        num_classes=None if num_classes is None else whole("num_classes", num_classes),
    )
    class_names = facts.classes(y is not None, "x")
    labels = labels_of(y, class_names, are_named=bool(facts.class_names))
    windows = SeriesChoice(
        window=None if window is None else whole("window", window),
        stride=None if stride is None else whole("stride", stride),
    ).windows()
    if windows is not None:
        return _of_windows(values, labels, people, facts, class_names, windows)
    spec = facts.spec(values.shape[1], values.shape[2], class_names)
    tally = RangeTally.of_series(spec)
    kept = torch.from_numpy(scaled(values, spec, facts, "x", tally))
    train = RecordSet(name="series", spec=spec, x=kept, y=labels, **people_of(people))
    return RecordData(train=train, public_notes=facts.notes(y is not None), ranges=tally.ranges())


def _of_windows(
    values: np.ndarray,
    labels: torch.Tensor | None,
    people: Array | None,
    facts: SeriesFacts,
    class_names: tuple[str, ...],
    windows: Windows,
) -> RecordData:
    """Return the windows of recordings (records, channels, time) as records."""
    spec = facts.spec(values.shape[1], windows.window, class_names)
    names = None if people is None else names_of_people(people)
    recordings = Recordings.of_arrays(values, None if labels is None else labels.numpy(), names)
    rows = rows_of_windows("series", "x", recordings, windows, spec, facts)
    return divide(rows, WHOLE, facts.notes(labels is not None))


def _numpy(x: Array) -> np.ndarray:
    if isinstance(x, np.ma.MaskedArray):
        raise InputError("x is a masked array, and its mask would be lost: hand x.filled(value) over, or fewer records")
    return array_of(x, "x") if isinstance(x, torch.Tensor | np.ndarray) else x


def _classes(
    has_labels: bool, num_classes: int | None, names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names of the classes of images, and a sentence on the origin of their number."""
    if not has_labels:
        if names or num_classes is not None:
            raise InputError("num_classes or class_names were given but no labels y: hand over y, or leave them out")
        return (), ()
    if names:
        if num_classes not in (None, len(names)):
            raise InputError(f"num_classes is {num_classes}, but class_names has {len(names)} names: make them agree")
        return names, ("The class names were given by the user.",)
    if num_classes is not None:
        check_num_classes(whole("num_classes", num_classes))
        note = f"The number of classes, {num_classes}, was given by the user."
        return numbered(num_classes), (note,)
    # Privacy: a constant, since the largest private label must not decide a public shape.
    note = (
        f"The number of classes was not given: the public default of {DEFAULT_NUM_CLASSES} (labels 0 to "
        f"{DEFAULT_NUM_CLASSES - 1}) was assumed, whatever the labels are; num_classes changes it."
    )
    return numbered(DEFAULT_NUM_CLASSES), (note,)


def _pixels(x: np.ndarray, choice: ImageChoice) -> tuple[torch.Tensor, ValueRanges | None]:
    """Return images as float32 (records, channels, height, width), and the range of their stored values, private."""
    if not isinstance(x, np.ndarray):
        raise InputError(f"x is {told(x)}: images are a numpy array or a tensor; {_PLAIN}")
    if x.dtype not in (np.uint8, np.uint16, np.float16, np.float32, np.float64):
        raise InputError(
            f"x has dtype {kind_of(x)}: it must be float16, float32 or float64 in [0, 1], or uint8, or uint16 with "
            "white_level"
        )
    if x.ndim not in (3, 4):
        raise InputError(
            f"x has shape {x.shape}: images are (records, height, width) or (records, channels, height, width); "
            "as_series takes time series"
        )
    images = x[:, None] if x.ndim == 3 else x
    if images.shape[1] not in (1, 3):
        last = "; channels come second: numpy.moveaxis(x, -1, 1)" if images.shape[3] in (1, 3) else ""
        raise InputError(f"x has {images.shape[1]} channels, shape {x.shape}: 1 or 3{last}")
    choice.check_stored("x (are these time series? hand over as_series(x, ...))", *images.shape[2:])
    check_num_values("x", math.prod(images.shape))
    scale = PixelScale(x.dtype, images.shape[1], choice, "x")

    def in_unit_range(block: np.ndarray, first: int) -> np.ndarray:
        _check_pixels(block, first)
        return scale.in_unit_range(block)

    # A copy: later changes of the caller's array must not reach the records.
    return torch.from_numpy(choice.read(images, in_unit_range)), scale.ranges()


def _check_pixels(block: np.ndarray, first: int) -> None:
    """Refuse floats outside [0, 1] in a block of images, of which the first has the index ``first``."""
    if block.dtype.kind != "f":
        return
    pixels = block.astype(np.float32, copy=False)
    wrong = ~((pixels >= 0) & (pixels <= 1))
    if wrong.any():
        # Privacy: the place, never the value, and the same words whatever it is.
        raise InputError(
            f"x[{first + int(np.argwhere(wrong)[0][0])}] has a value that is not a number in [0, 1]: undo the "
            "normalisation ((x + 1) / 2 for images in [-1, 1]), or hand whole numbers from 0 to 255 over as uint8"
        )


def _values(x: np.ndarray) -> np.ndarray:
    """Return series as (records, channels, time), in their own units."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiu":
        kind = kind_of(x) if isinstance(x, np.ndarray) else told(x)
        raise InputError(f"x is {kind}: series are a numpy array of numbers, and load_series takes tables; {_PLAIN}")
    if x.ndim not in (2, 3) or 0 in x.shape:
        raise InputError(
            f"x has shape {x.shape}: series are (records, channels, time) or (records, time), at least 1 of each"
        )
    check_num_values("x", math.prod(x.shape))
    return x[:, None] if x.ndim == 2 else x
