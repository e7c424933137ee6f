"""The way in which series are read, as a user says it: by options, or in the settings of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gossamer.data.beats import AbstractBeatLayout, KaggleLayout, WindowLayout
from gossamer.data.catalogue import is_named, load_records, usual_split
from gossamer.data.columns import is_table
from gossamer.data.files import is_folder
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.layouts import LongColumns, WideColumns
from gossamer.data.mitdb import BETWEEN_PEOPLE, DE_CHAZAL
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import WHOLE, AbstractSplit, PeopleSplit, RandomSplit
from gossamer.data.table_form import OuterLists, TableForm
from gossamer.data.wfdb_records import NamedLeads
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

LayoutName = Literal["kaggle", "window"]
SplitName = Literal["random", "people", "de-chazal", "none"]
_BEFORE_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class SeriesChoice:
    """The way in which series are read. Everything here is public.

    Of images, a split can be said, too, and names of classes. Of a table beside pictures, the columns of class and
    person can. Leave the rest out for images.

    Args:
        layout: of beats cut from recordings: from the R peak on and padded, or a window around it
        split: hold out about a fifth: of the records, of the people, or (mitdb) the lists of de Chazal as published,
            none to hold nobody out
        series_column: of a long table: which series a row belongs to
        time_column: of a long table: numbers or dates, rising within a series
        value_columns: columns of the values, one by one or as a range t0..t186 in the order of the table. Default: all
            without another meaning, if none is an identity or the like by its name
        drop_columns: columns to leave out, one by one or as a range
        no_header: of a CSV file in which the first line is a record: its columns are named 0, 1, ...
        outer_lists: of a column of lists of lists: is an outer list a channel or a time
        class_column: column of the class
        person_column: column that names the person
        channel_names: signals of recordings, or names for the channels of a table or an array
        units: of the values, one for all channels or one each, as in mV,degC. They go into the files of samples
        class_names: names of the classes, in the order of the labels 0, 1, ... Of annotated beats: those that are kept
        low: public lower bound of the values, one for all channels or one each. Below it they are clipped
        high: public upper bound of the values
        length: public number of samples of a series
        sample_rate: samples a second, Hz
        pad_shorter: of a long table: pad shorter series at their end instead of refusing them
        window: cut every series, as a recording, in windows of so many samples. The unit of protection is then the
            recording, or the person, unless --unit says otherwise
        stride: samples from the beginning of a window to that of the next. Default: the window, so that none overlap
        annotator: of recordings: ending of the annotation files, atr if nothing is said
    """

    layout: LayoutName | None = None
    split: SplitName | None = None
    series_column: str | None = None
    time_column: str | None = None
    value_columns: tuple[str, ...] = ()
    drop_columns: tuple[str, ...] = ()
    no_header: bool = False
    outer_lists: OuterLists | None = None
    class_column: str | None = None
    person_column: str | None = None
    channel_names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    length: int | None = None
    sample_rate: float | None = None
    pad_shorter: bool = False
    window: int | None = None
    stride: int | None = None
    annotator: str | None = None

    def reading(self, source: str, key: UnitKey | None = None, unit: Unit = Unit.RECORD) -> SeriesReading:
        """Return the reading of a data set that this asks for.

        Args:
            source: Its name or path.
            key: Secret, of the run: who is held out follows from it. None for a new one.
            unit: Whom the guarantee is for. People are never split record by record unless that is asked for.

        Raises:
            InputError: Two options contradict each other.
        """
        is_named_recording = source in ("mitdb", "ptbdb")
        return SeriesReading(
            facts=self._facts(is_named_recording),
            columns=self.columns(),
            form=TableForm(drop=self.drop_columns, has_head=not self.no_header, outer_lists=self.outer_lists),
            layout=self._layout(),
            split=self._split(source, unit),
            key=key,
            leads=NamedLeads(names=self.channel_names) if is_named_recording and self.channel_names else None,
            windows=self.windows(),
            annotator=self.annotator,
        )

    def windows(self) -> Windows | None:
        """Return the rule that cuts recordings in windows, or None if there is none.

        Raises:
            InputError: A stride without a window, or a number out of range.
        """
        if self.window is None:
            if self.stride is not None:
                raise InputError("stride (--stride) goes with a window: give --window, too")
            return None
        return Windows(window=self.window, stride=self.stride)

    def _facts(self, is_named_recording: bool) -> SeriesFacts:
        is_cut = self.layout is not None
        return SeriesFacts(
            low=() if is_cut else self.low,
            high=() if is_cut else self.high,
            length=None if is_cut else self.length,
            sample_rate=None if is_cut else self.sample_rate,
            channel_names=() if is_named_recording else self.channel_names,
            units=self.units,
            class_names=self.class_names,
            permit_shorter=self.pad_shorter,
        )

    def columns(self) -> WideColumns | LongColumns:
        """Return the meaning of the columns of a table.

        Raises:
            InputError: one of two options that belong together.
        """
        if self.series_column is None and self.time_column is None:
            return WideColumns(values=self.value_columns, label=self.class_column, person=self.person_column)
        if self.series_column is None or self.time_column is None:
            raise InputError("series_column and time_column belong together: a long table needs both")
        return LongColumns(
            series=self.series_column,
            time=self.time_column,
            values=self.value_columns,
            label=self.class_column,
            person=self.person_column,
        )

    def _layout(self) -> AbstractBeatLayout | None:
        if self.layout is None:
            return None
        if self.layout == "kaggle":
            if self.low or self.high:
                raise InputError("--layout kaggle scales every beat by itself: leave --low and --high out")
            usual = KaggleLayout()
            return KaggleLayout(length=self.length or usual.length, sample_rate=self.sample_rate or usual.sample_rate)
        window = WindowLayout()
        length = self.length or window.length
        if len(self.low) > 1 or len(self.high) > 1 or len(self.low) != len(self.high):
            raise InputError("--layout window takes one --low and one --high for all channels: give both, or neither")
        return WindowLayout(
            length=length,
            sample_rate=self.sample_rate or window.sample_rate,
            before=int(_BEFORE_SHARE * length),
            low=self.low[0] if self.low else window.low,
            high=self.high[0] if self.high else window.high,
        )

    def _split(self, source: str, unit: Unit) -> AbstractSplit | None:
        match self.split:
            case "random":
                return RandomSplit()
            case "people":
                return BETWEEN_PEOPLE if source == "mitdb" else PeopleSplit()
            case "de-chazal":
                return DE_CHAZAL
            case "none":
                return WHOLE
            case None:
                return usual_split(source, unit)


NOTHING_SAID = SeriesChoice()
"""The choice of a user who said nothing of series."""


def load_chosen(
    data: str,
    data_dir: Path | None,
    num_classes: int | None,
    series: SeriesChoice,
    key: UnitKey | None = None,
    unit: Unit = Unit.RECORD,
    images: ImageChoice = AS_STORED,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Load the records that a user names. See `load_records`, `SeriesChoice.reading` and `ImageChoice`."""
    reading = replace(series.reading(data, key, unit), room=room)
    if unit is Unit.PERSON and series.person_column is None and not is_named(data) and is_table(Path(data)):
        raise InputError(f"{data}: people are to be protected, and nobody says who a row is of: name a --person-column")
    return load_records(data, data_dir, num_classes, reading, images=images)


def load_beside(
    data: str,
    data_dir: Path | None,
    num_classes: int | None,
    series: SeriesChoice,
    key: UnitKey | None = None,
    images: ImageChoice = AS_STORED,
) -> RecordData:
    """Load records that stand beside private ones, to test on or to start from: read as those are, but not divided.

    A ground under transparent pixels is of folders of pictures alone, and left out for other records.
    """
    if is_named(data) or not is_folder(Path(data)):
        images = replace(images, alpha=None)
    return load_chosen(data, data_dir, num_classes, replace(series, split=None), key, images=images)
