"""Records from objects in Python: arrays of images or of series, tables, paths and names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gossamer.data.catalogue import SeriesReading, load_records, usual_split
from gossamer.data.identities import NamedPeople
from gossamer.data.image_choice import ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.names import names_of_array
from gossamer.data.records import DEFAULT_NUM_CLASSES, RecordData, RecordSet, check_num_classes, check_num_values
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import AbstractSplit
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

Array = np.ndarray | torch.Tensor
"""Values, labels or names of people, a row each."""
Source = Array | RecordSet | RecordData | str | Path
"""Sources of records that `fit` takes."""
Bounds = float | Sequence[float] | None
"""A public bound of the values: one for all channels, one each, or None if there is none."""

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
) -> RecordData:
    """Return images in memory as records. `fit` does this by itself with an array.

    Guarantee: shape, classes, and the presence of labels are public. The number of classes is never read from the
    labels. The arrays are copied: later changes to them reach no record.

    Args:
        x: (records, height, width) or (records, channels, height, width), floats in [0, 1] or uint8.
        y: integer labels (records,). None for images without classes.
        people: numbers or text (records,): any name of the person of a record.
        num_classes: public number of classes. 10 is assumed for labels without number or names.
        class_names: public names of the classes, in the order of the labels.
        resize: public (height, width): each image is brought to it by itself, as `ImageChoice` says.
        gray: True to make colour images gray.

    Returns:
        The records, without a test set.

    Raises:
        InputError: naming the first record that breaks a rule, never its values.

    Example:
        >>> scans = as_images(np.zeros((30, 8, 8), dtype="uint8"), np.arange(30) % 2, class_names=["well", "ill"])
        >>> scans.train.spec.shape, scans.train.spec.class_names
        ((1, 8, 8), ('well', 'ill'))
    """
    choice = ImageChoice.of(resize, gray)
    images = _pixels(_numpy(x), choice)
    names, notes = _classes(y is not None, num_classes, _names(class_names, "class_names"))
    spec = ImageSpec(channels=images.shape[1], height=images.shape[2], width=images.shape[3], class_names=names)
    train = RecordSet(name="images", spec=spec, x=images, y=_labels(y), **_of_whom(people))
    read = "image shape" if choice.size is None else "number of channels"
    shape = f"The {read} and whether there are labels were read from the arrays and are taken as public."
    return RecordData(train=train, public_notes=(shape, *notes, *choice.notes))


def as_series(
    x: Array,
    y: Array | None = None,
    people: Array | None = None,
    *,
    low: Bounds = None,
    high: Bounds = None,
    sample_rate: float | None = None,
    channel_names: Sequence[str] = (),
    num_classes: int | None = None,
    class_names: Sequence[str] = (),
) -> RecordData:
    """Return time series in memory as records for `fit`, which would take a bare array for images.

    Guarantee: shape, classes, bounds, rate and names are public, and none is computed from the values. Take the bounds
    from the device, or from possible values: the smallest and largest value in the data belong to a person.

    Args:
        x: (records, channels, time) or (records, time), numbers in their own units. Values outside the bounds are
            clipped.
        y: integer labels (records,). None for series without classes.
        people: numbers or text (records,): any name of the person of a record.
        low: public lower bound of the values. Without bounds the values must lie in [0, 1].
        high: public upper bound.
        sample_rate: samples a second, Hz.
        channel_names: public names of the channels.
        num_classes: public number of classes. 10 is assumed for labels without number or names.
        class_names: public names of the classes, in the order of the labels.

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
        low=_bounds(low, "low"),
        high=_bounds(high, "high"),
        sample_rate=_rate(sample_rate),
        channel_names=_names(channel_names, "channel_names"),
        class_names=_names(class_names, "class_names"),
        num_classes=num_classes,
    )
    spec = facts.spec(values.shape[1], values.shape[2], facts.classes(y is not None, "x"))
    kept = torch.from_numpy(scaled(values, spec, facts, "x"))
    train = RecordSet(name="series", spec=spec, x=kept, y=_labels(y), **_of_whom(people))
    return RecordData(train=train, public_notes=facts.notes(y is not None))


def load_series(
    path: str | Path,
    *,
    low: Bounds = None,
    high: Bounds = None,
    length: int | None = None,
    sample_rate: float | None = None,
    class_column: str | None = None,
    person_column: str | None = None,
    series_column: str | None = None,
    time_column: str | None = None,
    value_columns: Sequence[str] = (),
    channel_names: Sequence[str] = (),
    class_names: Sequence[str] = (),
    num_classes: int | None = None,
    pad_shorter: bool = False,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
) -> RecordData:
    """Read a user's own time series from a CSV, Parquet or NPZ file, with the words of ``gossamer train``.

    A row of a wide table is a series. A row of a long table, with a series and a time column, is one time of one
    series. WFDB recordings and published sets are read by `load_records`.

    Guarantee: all arguments but the key are public, and none is computed from the records.

    Args:
        path: the file.
        low: lower bound of the values, one for all channels or one each. Without bounds the values must lie in [0, 1].
        high: upper bound.
        length: samples of a series. A long table needs it.
        sample_rate: samples a second, Hz.
        class_column: column of the class.
        person_column: column that names the person.
        series_column: of a long table, the series of a row.
        time_column: of a long table, rising within a series.
        value_columns: columns of the values. Default: all without another meaning.
        channel_names: names of the channels.
        class_names: names of the classes, in the order of the labels.
        num_classes: number of classes without names. 10 is assumed if none is given.
        pad_shorter: of a long table: pad shorter series at their end instead of refusing them.
        split: rule for the series held out for testing: `RandomSplit` or `PeopleSplit` of `gossamer.data.splits`, each
            record or person by itself.
        key: secret, and decides which series a split holds out: the same ones with the same key. None for a new key.

    Raises:
        InputError: naming file, column and row of the cell that breaks a rule, never a value.
    """
    choice = SeriesChoice(
        series_column=series_column,
        time_column=time_column,
        value_columns=_names(value_columns, "value_columns"),
        class_column=class_column,
        person_column=person_column,
        channel_names=_names(channel_names, "channel_names"),
        class_names=_names(class_names, "class_names"),
        low=_bounds(low, "low"),
        high=_bounds(high, "high"),
        length=length,
        sample_rate=_rate(sample_rate),
        pad_shorter=pad_shorter,
    )
    reading = choice.reading(str(path), key)
    facts = replace(reading.facts, num_classes=num_classes)
    return load_records(str(path), reading=replace(reading, facts=facts, split=split))


def read_source(
    x: Source,
    y: Array | None,
    people: Array | None,
    num_classes: int | None,
    unit: Unit = Unit.RECORD,
    key: UnitKey | None = None,
) -> RecordData:
    """Return the source of `fit` as records, divided as suits the unit of protection if a name leaves that open.

    Raises:
        InputError: a source of no known kind, or arguments beside it that the source brings itself.
    """
    if isinstance(x, np.ndarray | torch.Tensor):
        return as_images(x, y, people, num_classes=num_classes)
    if y is not None or people is not None:
        raise InputError("y and people go with an array x alone: a RecordSet, a name or a path brings its own")
    if isinstance(x, str | Path):
        return load_records(str(x), None, num_classes, SeriesReading(split=usual_split(str(x), unit), key=key))
    if not isinstance(x, RecordSet | RecordData):
        raise InputError(f"x must be a numpy array, a RecordSet, a name or a path, not {type(x).__name__}")
    data = x if isinstance(x, RecordData) else RecordData(train=x)
    if num_classes not in (None, data.train.spec.num_classes):
        raise InputError(
            f"num_classes is {num_classes}, but these records have {data.train.spec.num_classes} classes: leave it out"
        )
    return data


def whole(name: str, value: int) -> int:
    """Return a whole number of Python, from one of Python or numpy.

    Raises:
        InputError: the value is none.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InputError(f"{name} must be a whole number, not {type(value).__name__}")
    return int(value)


def integers(values: Array, name: str) -> np.ndarray:
    """Return whole numbers (records,) as an int64 copy.

    Raises:
        InputError: of another kind or shape.
    """
    array = np.asarray(_numpy(values))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"{name} must be whole numbers of shape (records,), not {array.dtype} {array.shape}")
    return array.astype(np.int64)


def _numpy(values: Array) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values


def _labels(y: Array | None) -> torch.Tensor | None:
    return None if y is None else torch.from_numpy(integers(y, "y"))


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
        check_num_classes(num_classes)
        note = f"The number of classes, {num_classes}, was given by the user."
        return tuple(map(str, range(num_classes))), (note,)
    # Privacy: a constant, since the largest private label must not decide a public shape.
    note = (
        f"The number of classes was not given: the public default of {DEFAULT_NUM_CLASSES} (labels 0 to "
        f"{DEFAULT_NUM_CLASSES - 1}) was assumed, whatever the labels are; num_classes changes it."
    )
    return tuple(map(str, range(DEFAULT_NUM_CLASSES))), (note,)


def _pixels(x: np.ndarray, choice: ImageChoice) -> torch.Tensor:
    """Return images as float32 (records, channels, height, width). `RecordSet` checks the range."""
    if x.dtype != np.uint8 and x.dtype not in (np.float16, np.float32, np.float64):
        raise InputError(f"x has dtype {x.dtype}: it must be float16, float32 or float64 in [0, 1], or uint8")
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
    scale = 255 if x.dtype == np.uint8 else 1
    # A copy: later changes of the caller's array must not reach the records.
    return torch.from_numpy(choice.read(images, lambda block, _: np.divide(block, scale, dtype=np.float32)))


def _values(x: np.ndarray) -> np.ndarray:
    """Return series as (records, channels, time), in their own units."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiu":
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise InputError(f"x is {kind}: series are a numpy array of numbers; {_PLAIN}")
    if x.ndim not in (2, 3) or 0 in x.shape:
        raise InputError(
            f"x has shape {x.shape}: series are (records, channels, time) or (records, time), at least 1 of each"
        )
    check_num_values("x", math.prod(x.shape))
    return x[:, None] if x.ndim == 2 else x


def _bounds(bounds: Bounds, name: str) -> tuple[float, ...]:
    if bounds is None:
        return ()
    found = np.atleast_1d(np.asarray(bounds))
    if found.ndim != 1 or found.dtype.kind not in "fiu" or not len(found):
        raise InputError(f"{name} must be one number for all channels, or one for each")
    return tuple(map(float, found))


def _rate(sample_rate: float | None) -> float | None:
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, Real | None):
        raise InputError(f"sample_rate must be a number of Hz, not {type(sample_rate).__name__}")
    return None if sample_rate is None else float(sample_rate)


def _names(names: Sequence[str], what: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise InputError(f"{what} must be a list of names, not one text: write [{names!r}]")
    return tuple(map(str, names))


def _of_whom(people: Array | None) -> dict[str, Any]:
    """Return the people of records, as a `RecordSet` takes them, with names by the rule of all readers."""
    if people is None:
        return {}
    names = np.asarray(_numpy(people))
    if names.ndim != 1:
        raise InputError(f"people must be numbers or text of shape (records,), not {names.dtype} {names.shape}")
    return NamedPeople.of(names_of_array(names, lambda record: f"people[{record}]")).of_records()
