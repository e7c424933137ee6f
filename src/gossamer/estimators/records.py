"""Records from all that `fit` takes: arrays, tables, data sets of torch, paths and names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch

from gossamer.data.catalogue import load_records, usual_split
from gossamer.data.frames import ArrowStream, is_frame
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData, RecordSet
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.splits import AbstractSplit
from gossamer.data.table_form import OuterLists
from gossamer.errors import InputError, told
from gossamer.estimators.arrays import as_images, as_series
from gossamer.estimators.data_sets import DataSet, gathered, is_data_set
from gossamer.estimators.tables import COLUMNS, OF_SERIES, Said, check_said, read_said
from gossamer.estimators.values import Array, Bounds
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

Table = str | Path | ArrowStream
"""A table of records: its path, or a data frame or another table in memory."""
Source = Array | RecordSet | RecordData | Table | DataSet
"""Sources of records that `fit` takes."""
NOTHING_SAID: Final[Said] = {}
"""The public facts of a user who said nothing beside the records."""
_NO_SOURCE = "x must be a numpy array, a table, a data set of torch, a RecordSet, a name or a path, not {}"


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
