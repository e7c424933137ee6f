"""Records from objects in Python: arrays of images or of series, tables, paths and names."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch

from gossamer.data.catalogue import load_records, usual_split
from gossamer.data.frames import ArrowStream, is_frame
from gossamer.data.image_choice import ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.pixel_scale import PixelScale
from gossamer.data.range_tally import RangeTally
from gossamer.data.reading import SeriesReading
from gossamer.data.records import (
    DEFAULT_NUM_CLASSES,
    RecordData,
    RecordSet,
    check_num_classes,
    check_num_values,
    numbered,
)
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import WHOLE, AbstractSplit, divide
from gossamer.data.table_form import OuterLists
from gossamer.data.value_ranges import ValueRanges
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError, told
from gossamer.estimators.data_sets import DataSet, gathered, is_data_set
from gossamer.estimators.tables import COLUMNS, OF_SERIES, Said, check_said, read_said
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
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

Table = str | Path | ArrowStream
"""A table of records: its path, or a data frame or another table in memory."""
Source = Array | RecordSet | RecordData | Table | DataSet
"""Sources of records that `fit` takes."""
NOTHING_SAID: Final[Said] = {}
"""The public facts of a user who said nothing beside the records."""
_NO_SOURCE = "x must be a numpy array, a table, a data set of torch, a RecordSet, a name or a path, not {}"
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


def load_series(
    source: Table,
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
    drop_columns: Sequence[str] = (),
    no_header: bool = False,
    outer_lists: OuterLists | None = None,
    channel_names: Sequence[str] = (),
    units: Sequence[str] = (),
    class_names: Sequence[str] = (),
    num_classes: int | None = None,
    pad_shorter: bool = False,
    window: int | None = None,
    stride: int | None = None,
    annotator: str | None = None,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
) -> RecordData:
    """Read a user's own time series from a file or from a table in memory, with the words of ``gossamer train``.

    A row of a wide table is a series. A row of a long table, with a series and a time column, is one time of one
    series. Of a folder of WFDB recordings the annotated beats are read, or windows. Published sets are read by
    `load_records`.

    Guarantee: all arguments but the key are public, and none is computed from the records.

    Args:
        source: path of a CSV, Parquet, NPZ, .ts, .arff, .tsv or EDF file, or of a folder of WFDB or EDF recordings. Or
            a data frame of pandas, a table of pyarrow, or any other object that hands over Arrow, such as one of
            polars.
        low: lower bound of the values, one for all channels or one each. Without bounds the values must lie in [0, 1].
        high: upper bound.
        length: samples of a series. A long table needs it.
        sample_rate: samples a second, Hz.
        class_column: column of the class.
        person_column: column that names the person.
        series_column: of a long table, the series of a row.
        time_column: of a long table, rising within a series.
        value_columns: columns of the values, one by one or as a range such as t0..t186. Default: all without another
            meaning.
        drop_columns: columns to leave out, one by one or as a range.
        no_header: True for a CSV file in which the first line is a record. Its columns are named 0, 1, ...
        outer_lists: of a column of lists of lists: "channels" or "times", the meaning of an outer list.
        channel_names: names of the channels.
        units: units of the values, one for all channels or one each.
        class_names: names of the classes, in the order of the labels.
        num_classes: number of classes without names. 10 is assumed if none is given.
        pad_shorter: of a long table: pad shorter series at their end instead of refusing them.
        window: cut every series, as a recording, in windows of so many samples. The usual unit of protection is then
            the recording, or its person.
        stride: samples from the beginning of a window to that of the next. Default: the window.
        annotator: of a folder of WFDB recordings: ending of the annotation files. Default: atr.
        split: rule for the series held out for testing: `RandomSplit` or `PeopleSplit` of `gossamer.data.splits`, each
            record or person by itself.
        key: secret, and decides which series a split holds out: the same ones with the same key. None for a new key.

    Raises:
        InputError: naming table, column and row of the cell that breaks a rule, never a value.

    Example:
        >>> import pandas
        >>> rows = pandas.DataFrame({"who": ["a", "a", "b", "b"], "t": [0, 1, 0, 1], "pulse": [60, 62, 80, 84]})
        >>> words = {"series_column": "who", "person_column": "who", "time_column": "t"}
        >>> load_series(rows, **words, low=20, high=220, length=2).train.spec.shape
        (1, 2)
    """
    named = {
        "series": series_column,
        "time": time_column,
        "label": class_column,
        "person": person_column,
        "length": length,
        "sample_rate": sample_rate,
        "outer_lists": outer_lists,
        "window": window,
        "stride": stride,
        "annotator": annotator,
    }
    said: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    said |= {"values": value_columns, "channel_names": channel_names, "class_names": class_names}
    said |= {"drop": drop_columns, "no_header": no_header}
    said |= {"low": low, "high": high, "units": units, "pad_shorter": pad_shorter}
    if ("series" in said) != ("time" in said):
        raise InputError("series_column and time_column belong together: a long table needs both")
    return read_said(source, cast("Said", said), num_classes, split, key)


def read_source(
    x: Source,
    y: Array | None,
    people: Array | None,
    num_classes: int | None,
    unit: Unit = Unit.RECORD,
    key: UnitKey | None = None,
    said: Said = NOTHING_SAID,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Return the source of `fit` as records, divided as suits the unit of protection if a name leaves that open.

    Args:
        x: the source.
        y: labels beside an array.
        people: names of people beside an array.
        num_classes: public number of classes.
        unit: of protection.
        key: secret, by which a split holds some out.
        said: public facts beside the source.
        room: place for the values that are read from a file.

    Raises:
        InputError: a source of no known kind, or arguments beside it that the source brings itself.
    """
    check_said(said)
    if is_data_set(x):
        if y is not None or people is not None:
            raise InputError("y and people go with an array x alone: a data set brings its own")
        x, y, people = gathered(x, said)
        said = cast("Said", {name: value for name, value in said.items() if name not in COLUMNS})
    if isinstance(x, np.ndarray | torch.Tensor):
        return _of_arrays(x, y, people, num_classes, said)
    if isinstance(x, list | tuple | dict):
        raise InputError(_NO_SOURCE.format(told(x)))
    if y is not None or people is not None:
        raise InputError(
            "y and people go with an array x alone: a RecordSet, a name or a path brings its own, and of a table they "
            "are columns, label= and person="
        )
    if is_frame(x):
        return read_said(x, said, num_classes, key=key)
    if said and isinstance(x, str | Path):
        return read_said(x, said, num_classes, usual_split(str(x), unit), key, room)
    if said:
        raise InputError(f"{', '.join(said)} go with a table or an array: a {type(x).__name__} brings its own")
    if isinstance(x, str | Path):
        reading = SeriesReading(split=usual_split(str(x), unit), key=key, room=room)
        return load_records(str(x), None, num_classes, reading)
    if not isinstance(x, RecordSet | RecordData):
        raise InputError(_NO_SOURCE.format(told(x)))
    data = x if isinstance(x, RecordData) else _of_records(x)
    if num_classes not in (None, data.train.spec.num_classes):
        raise InputError(
            f"num_classes is {num_classes}, but these records have {data.train.spec.num_classes} classes: leave it out"
        )
    return data


def _of_records(records: RecordSet) -> RecordData:
    # Privacy: records that tell recordings apart are windows, of which one alone is never protected by default.
    usual = Unit.RECORDING if records.owners is Unit.RECORDING else Unit.RECORD
    return RecordData(train=records, usual_unit=usual)


def _of_arrays(x: Array, y: Array | None, people: Array | None, num_classes: int | None, said: Said) -> RecordData:
    """Return arrays as images, or as series if something was said that only series have."""
    if said.keys() & (COLUMNS | {"shape", "pad_shorter", "length", "annotator"}):
        raise InputError(
            "an array has no columns: person, label, time, series, values, drop, no_header, outer_lists, shape and "
            "length are of tables, and annotator is of a folder of WFDB recordings"
        )
    names = said.get("class_names", ())
    white = said.get("white_level")
    if not said.keys() & OF_SERIES:
        return as_images(x, y, people, num_classes=num_classes, class_names=names, white_level=white)
    if white is not None:
        raise InputError("white_level is of images, and these are series: their bounds are low and high")
    return as_series(
        x,
        y,
        people,
        low=said.get("low"),
        high=said.get("high"),
        sample_rate=said.get("sample_rate"),
        channel_names=said.get("channel_names", ()),
        units=said.get("units", ()),
        num_classes=num_classes,
        class_names=names,
        window=said.get("window"),
        stride=said.get("stride"),
    )


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
