"""Tables as records, of files and in memory: the words in which a user says the meaning of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypedDict, get_args

from gossamer.data.catalogue import load_records
from gossamer.data.columns import TableFile, is_table
from gossamer.data.files import path_of
from gossamer.data.frames import is_frame, table_in_memory
from gossamer.data.image_choice import ImageChoice
from gossamer.data.image_tables import read_image_table
from gossamer.data.layouts import WideColumns, named_columns
from gossamer.data.reading import SeriesReading, refuse_pixels
from gossamer.data.records import RecordData
from gossamer.data.refused_kinds import refuse_kind
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.series_choice import SeriesChoice
from gossamer.data.splits import WHOLE, AbstractSplit
from gossamer.data.table import AbstractTable
from gossamer.data.table_form import OuterLists
from gossamer.data.tables import read_table
from gossamer.errors import InputError, told
from gossamer.estimators.values import Bounds, bounds_of, column_of, names_in, rate_of, whole
from gossamer.privacy.dealing import UnitKey


class Said(TypedDict, total=False):
    """The public facts that `fit` takes beside records, all of them by name.

    Attributes:
        person: column that names the person of a row.
        label: column of the class.
        time: column of the time, of a long table: a row for each time.
        series: column of the series that a row of a long table belongs to. Default: a series for each person.
        values: columns of the values, one by one or as a range such as t0..t186. Default: all without another meaning.
        drop: columns to leave out, one by one or as a range.
        no_header: True for a CSV file in which the first line is a record. Its columns are named 0, 1, ...
        outer_lists: of a column of lists of lists: "channels" or "times", the meaning of an outer list.
        shape: of images in a table, (height, width) or (channels, height, width).
        low: lower bound of the values, one for all channels or one each.
        high: upper bound.
        length: samples of a series. A long table needs it.
        sample_rate: samples a second, Hz.
        channel_names: names of the channels.
        units: units of the values, one for all channels or one each.
        class_names: names of the classes, in the order of the labels.
        pad_shorter: of a long table: pad shorter series at their end instead of refusing them.
        white_level: of images in arrays or files: public value of white, 4095 for scans of 12 bits.
        window: cut every series, as a recording, in windows of so many samples.
        stride: samples from the beginning of a window to that of the next. Default: the window.
        annotator: of a folder of WFDB recordings: ending of the annotation files. Default: atr.
    """

    person: str
    label: str
    time: str
    series: str
    values: Sequence[str]
    drop: Sequence[str]
    no_header: bool
    outer_lists: OuterLists
    shape: Sequence[int]
    low: Bounds
    high: Bounds
    length: int
    sample_rate: float
    channel_names: Sequence[str]
    units: Sequence[str]
    class_names: Sequence[str]
    pad_shorter: bool
    white_level: int
    window: int
    stride: int
    annotator: str


COLUMNS = frozenset({"person", "label", "time", "series", "values", "drop", "no_header", "outer_lists"})
"""The words on columns."""
OF_SERIES = frozenset({"low", "high", "length", "sample_rate", "channel_names", "units", "window", "stride"})
"""The words after which an array holds series."""
_OF_THE_MODEL: Final = frozenset({"num_classes", "num_people", "num_records", "unit", "epsilon", "delta"})


def check_said(said: Said) -> None:
    """Refuse a word that `fit` does not know.

    Raises:
        InputError: naming the word and all that there are.
    """
    unknown = sorted(said.keys() - Said.__annotations__.keys())
    if unknown:
        takes = f"it takes {', '.join(Said.__annotations__)}"
        if unknown[0] in _OF_THE_MODEL:
            takes = f"give {unknown[0]} where the model is made, beside epsilon"
        raise InputError(f"fit takes no {told(unknown[0])} beside records: {takes}")


def choice_of(said: Said) -> SeriesChoice:
    """Return the public facts that were said, each of its own kind.

    Raises:
        InputError: one is of another kind.
    """
    person, series = column_of(said.get("person"), "person"), column_of(said.get("series"), "series")
    time, length = column_of(said.get("time"), "time"), said.get("length")
    is_padded = said.get("pad_shorter", False)
    has_no_head, outer = said.get("no_header", False), said.get("outer_lists")
    for name, value in (("pad_shorter", is_padded), ("no_header", has_no_head)):
        if not isinstance(value, bool):
            raise InputError(f"{name} must be True or False, not {told(value)}")
    if outer is not None and not (isinstance(outer, str) and outer in get_args(OuterLists)):
        raise InputError(f"outer_lists must be 'channels' or 'times', not {told(outer)}")
    annotator = said.get("annotator")
    if not isinstance(annotator, str | None):
        raise InputError(f"annotator must be the ending of annotation files, such as 'atr', not {told(annotator)}")
    return SeriesChoice(
        # One series for each person, unless something else is said: two of one person are refused, by their times.
        series_column=person if series is None and time is not None else series,
        time_column=time,
        value_columns=names_in(said.get("values", ()), "values"),
        drop_columns=names_in(said.get("drop", ()), "drop"),
        no_header=has_no_head,
        outer_lists=outer,
        class_column=column_of(said.get("label"), "label"),
        person_column=person,
        channel_names=names_in(said.get("channel_names", ()), "channel_names"),
        units=names_in(said.get("units", ()), "units"),
        class_names=names_in(said.get("class_names", ()), "class_names"),
        low=bounds_of(said.get("low"), "low"),
        high=bounds_of(said.get("high"), "high"),
        length=None if length is None else whole("length", length),
        sample_rate=rate_of(said.get("sample_rate")),
        pad_shorter=is_padded,
        window=None if said.get("window") is None else whole("window", said["window"]),
        stride=None if said.get("stride") is None else whole("stride", said["stride"]),
        annotator=annotator,
    )


def images_of(said: Said) -> ImageChoice:
    """Return that part of the public facts which is of images.

    Raises:
        InputError: The white level is no whole number, or out of range.
    """
    white = said.get("white_level")
    return ImageChoice(white_level=None if white is None else whole("white_level", white))


def read_said(
    source: Any,
    said: Said,
    num_classes: int | None,
    split: AbstractSplit | None = None,
    key: UnitKey | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Read a table, of a file or in memory, by the words that were said of it.

    Args:
        source: path of a CSV, Parquet, NPZ, .ts, .arff or .tsv file, or a frame.
        said: public facts.
        num_classes: public number of classes without names.
        split: rule for the series held out for testing.
        key: secret, by which a split holds some out.
        room: place for the values that are read from a file.

    Raises:
        InputError: naming table, column and row of the cell that breaks a rule, never a value.
    """
    choice = choice_of(said)
    number = None if num_classes is None else whole("num_classes", num_classes)
    _check_division(split, key)
    reading = choice.reading(str(source) if is_path(source) else "", key)
    reading = replace(reading, facts=replace(reading.facts, num_classes=number), split=split, room=room)
    if "shape" in said:
        refuse_pixels("pixels of a table have low and high", images_of(said))
        return _images(source, reading, _shape_of(said["shape"]))
    if is_frame(source):
        refuse_pixels("a table", images_of(said))
        if reading.annotator is not None:
            raise InputError("annotator is of a folder of WFDB recordings, and this is a table: leave it out")
        table = _table_of(source, reading)
        return read_table(table, reading.columns, reading.facts, split or WHOLE, key, reading.form, reading.windows)
    path_of(source, "the first argument")
    # The number of classes is handed over beside the facts, since images have one, too.
    reading = replace(reading, facts=replace(reading.facts, num_classes=None))
    return load_records(str(source), None, number, reading, images=images_of(said))


def _images(source: Any, reading: SeriesReading, shape: tuple[int, ...]) -> RecordData:
    if not isinstance(reading.columns, WideColumns):
        raise InputError("shape is of images, a row each, and time of series: leave one of them out")
    if reading.split is not None:
        raise InputError("images of a table are not divided: leave split out")
    return read_image_table(_table_of(source, reading), reading.columns, shape, reading.facts, reading.form)


def _table_of(source: Any, reading: SeriesReading) -> AbstractTable:
    form = reading.form
    if is_frame(source):
        if not form.has_head:
            raise InputError("no_header is of a CSV file, and a frame names its columns: leave it out")
        return table_in_memory(source, (*named_columns(reading.columns), *form.drop))
    path = path_of(source, "the first argument")
    refuse_kind(path)
    if not is_table(path):
        raise InputError("shape goes with a table: a frame, or the path of a CSV or Parquet file")
    return TableFile.open(path, has_head=form.has_head)


def _shape_of(shape: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(shape, list | tuple) or len(shape) not in (2, 3):
        raise InputError(f"shape must be (height, width) or (channels, height, width), not {told(shape)}")
    return tuple(whole("shape", side) for side in shape)


def _check_division(split: AbstractSplit | None, key: UnitKey | None) -> None:
    if not isinstance(split, AbstractSplit | None):
        raise InputError(f"split must be a split of gossamer.data.splits, not {told(split)}")
    if not isinstance(key, UnitKey | None):
        raise InputError(f"key must be a UnitKey, not {told(key)}")


def is_path(source: object) -> bool:
    """Return True if a source is a name or path."""
    return isinstance(source, str | Path)
