"""A user's own table of series: wide, with a row for a series, or long, with a row for a time of a series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.columns import TableFile
from gossamer.data.columns_read import ColumnsRead
from gossamer.data.layouts import LongColumns, TableColumns, WideColumns, public_columns
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.row_names import RowNames
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import AbstractSplit, PeopleSplit, Rows, divide
from gossamer.data.table import AbstractTable, Table
from gossamer.data.table_form import USUAL_FORM, TableForm
from gossamer.data.value_columns import find_values
from gossamer.data.wide_tables import labels, read_wide
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

__all__ = ["LongColumns", "WideColumns", "load_table", "read_table"]

_NAMES_READ = "The names of the channels are those of their columns in the table and are taken as public."
_TIMES_UNCHECKED: Final = (
    "Rows of a recording were taken to follow each other evenly: no sample rate was given to check their times by."
)
_STEP_TOLERANCE: Final = 0.01


def load_table(
    path: Path,
    columns: TableColumns,
    facts: SeriesFacts,
    split: AbstractSplit,
    key: UnitKey | None = None,
    form: TableForm = USUAL_FORM,
    windows: Windows | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Read a CSV or Parquet file of series. See `read_table`."""
    return read_table(TableFile.open(path, has_head=form.has_head), columns, facts, split, key, form, windows, room)


def read_table(
    table: AbstractTable,
    columns: TableColumns,
    facts: SeriesFacts,
    split: AbstractSplit,
    key: UnitKey | None = None,
    form: TableForm = USUAL_FORM,
    windows: Windows | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Read the series of a table, on the disk or in memory: one path for both, so that both follow the same rules.

    All that can be refused by names and options is refused before any row is read.

    Args:
        table: Its columns.
        columns: Meaning of the columns, and with it the layout.
        facts: Public facts.
        split: Rule by which series are held out for testing.
        key: Secret, by which a split holds some out. None for a new one.
        form: Columns to leave out, and the meaning of lists.
        windows: Rule that cuts each series, as a recording, in windows. None to keep it whole.
        room: Place for the values of a wide table.

    Raises:
        InputError: Naming the table, column and row of the fault, and never a value.
    """
    if isinstance(split, PeopleSplit) and columns.person is None and windows is None:
        raise InputError(f"{table.where}: nobody says who a record is of: name a --person-column, or split at random")
    if not isinstance(columns, LongColumns):
        return read_wide(table, columns, facts, split, key, form, windows, room)
    if form.outer_lists is not None:
        raise InputError(
            f"{table.where}: --outer-lists is of columns of lists, and a long table has none: leave it out"
        )
    return _read_long(table, columns, facts, split, key, form, windows)


def _read_long(
    source: AbstractTable,
    columns: LongColumns,
    facts: SeriesFacts,
    split: AbstractSplit,
    key: UnitKey | None,
    form: TableForm,
    windows: Windows | None,
) -> RecordData:
    """Read a table in which a row is one time of one series. Series keep the order in which they first appear."""
    where = source.where
    if windows is None and facts.length is None:
        # Privacy: the longest private series must not decide the length.
        raise InputError(
            f"{where} is a long table: give --length, the public number of samples of a series (length= in Python)"
        )
    # A series for each person is named by one column for both.
    person_apart = None if columns.person == columns.series else columns.person
    words = tuple(name for name in (columns.series, columns.label, person_apart) if name is not None)
    found = find_values(source, columns.values, (*words, columns.time), form)
    values = found.names
    if not values:
        raise InputError(f"{where} has no column of values: name one with --value-columns")
    has_names = bool(facts.channel_names)
    facts, values = _named(facts, values, is_listed=found.is_listed)
    length = facts.length if windows is None else windows.window
    assert length is not None
    spec = facts.spec(len(values), length, facts.classes(columns.label is not None, where))
    spec = replace(spec, table=public_columns(replace(columns, values=values if columns.values else ())))
    table = source.read(numbers=values, words=words, times=(columns.time,))
    groups = _Groups.of(table.words[columns.series])
    _check_times(table.times[columns.time], groups, facts.sample_rate, where)
    person = None if columns.person is None else _one_each(table, columns.person, groups, "person")
    said: tuple[str, ...] = (*source.notes, *found.notes)
    if windows is None:
        stacked = _stacked(table, values, groups, facts, where)
        label = None if columns.label is None else _one_each(table, columns.label, groups, "class")
        y = None if label is None else labels(label, spec, where)
        tally = RangeTally.of_series(spec)
        x = scaled(stacked, spec, facts, where, tally)
        rows = Rows(name=source.title, spec=spec, x=x, y=y, people=person, ranges=tally.ranges())
    else:
        recordings = _recordings(table, values, columns, groups, person)
        rows = rows_of_windows(
            source.title, where, recordings, windows, spec, facts, lambda cells: labels(cells, spec, where)
        )
        unchecked = (_TIMES_UNCHECKED,) if facts.sample_rate is None else ()
        said = (*said, *unchecked)
    data = divide(rows, split, (*facts.notes(columns.label is not None), *said), key)
    read = ColumnsRead.of(columns, "long", values, found.index + found.dropped)
    notes = data.public_notes if has_names else (*data.public_notes, _NAMES_READ)
    return replace(data, public_notes=notes, columns=read)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Groups:
    """Rows sorted by series: the row, its series, and its place in the series."""

    rows: np.ndarray
    series: np.ndarray
    places: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, names: RowNames) -> _Groups:
        """Sort rows by their series, in the order in which the series begin. Rows of a series keep their order."""
        _, first, inverse = np.unique(names.numbers, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        series = rank[inverse]
        rows = np.argsort(series, kind="stable")
        starts = np.searchsorted(series[rows], np.arange(len(first)))
        places = np.arange(len(rows)) - starts[series[rows]]
        return cls(rows=rows, series=series[rows], places=places, first=np.sort(first))

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.series)


def _check_times(times: np.ndarray, groups: _Groups, sample_rate: float | None, where: str) -> None:
    steps = np.diff(times[groups.rows])
    is_within = np.diff(groups.series) == 0
    for wrong, rule in (
        (steps == 0, "has the same time as the row before it in its series: remove one"),
        (steps < 0, "goes back in time within its series: sort the table by series and time"),
    ):
        _refuse_row(wrong & is_within, groups, rule, where)
    if sample_rate is not None:
        uneven = np.abs(steps * sample_rate - 1) > _STEP_TOLERANCE
        rule = f"does not follow the row before it by 1/{sample_rate:g} s: resample, or leave --sample-rate out"
        _refuse_row(uneven & is_within, groups, rule, where)


def _refuse_row(wrong: np.ndarray, groups: _Groups, rule: str, where: str) -> None:
    if wrong.any():
        raise InputError(f"{where}: row {int(groups.rows[1:][wrong].min()) + 1} {rule}")


def _stacked(table: Table, values: tuple[str, ...], groups: _Groups, facts: SeriesFacts, where: str) -> np.ndarray:
    """Return values as (num_series, channels, length), padded with the lower bound if that is permitted."""
    assert facts.length is not None
    sizes = groups.sizes
    for wrong, rule in (
        (sizes > facts.length, "more: cut it, or give a larger --length"),
        ((sizes < facts.length) & (not facts.permit_shorter), "fewer: leave it out, or pad with --pad-shorter"),
    ):
        if wrong.any():
            row = int(groups.first[np.flatnonzero(wrong)[0]])
            raise InputError(
                f"{where}: the series that begins in row {row + 1} has not {facts.length} samples but {rule}"
            )
    check_num_values(where, len(sizes) * len(values) * facts.length)
    lowest = facts.spec(len(values), facts.length, ()).low
    stacked = np.empty((len(sizes), len(values), facts.length))
    stacked[:] = np.asarray(lowest)[:, None]
    for channel, name in enumerate(values):
        stacked[groups.series, channel, groups.places] = table.numbers[name][groups.rows]
    return stacked


def _recordings(
    table: Table, values: tuple[str, ...], columns: LongColumns, groups: _Groups, person: RowNames | None
) -> Recordings:
    """Return the series as recordings, of any length, with the class of each of their samples."""
    ends = np.cumsum(groups.sizes)[:-1]
    ordered = np.stack([table.numbers[name][groups.rows] for name in values])
    label = None if columns.label is None else table.words[columns.label].texts()[groups.rows]
    return Recordings(
        values=np.split(ordered, ends, axis=1),
        classes=None if label is None else np.split(label, ends),
        names=table.words[columns.series][groups.first],
        people=person,
    )


def _one_each(table: Table, name: str, groups: _Groups, what: str) -> RowNames:
    """Return the one class or person of each series."""
    words = table.words[name]
    numbers = words.numbers
    wrong = numbers[groups.rows] != numbers[groups.first][groups.series]
    if wrong.any():
        row = int(groups.rows[wrong].min())
        raise InputError(f"{table.where}: row {row + 1} names a second {what} for its series: a series has one {what}")
    return words[groups.first]


def _named(facts: SeriesFacts, values: tuple[str, ...], *, is_listed: bool) -> tuple[SeriesFacts, tuple[str, ...]]:
    """Return facts with a name for each channel, and the columns in the order of the channels."""
    names = facts.channel_names or values
    if len(names) != len(values):
        raise InputError(f"--channel-names has {len(names)} names for {len(values)} value columns: give one for each")
    if names != values and not is_listed:
        if set(names) == set(values):
            return facts, names
        if set(names) & set(values):
            raise InputError(
                "--channel-names has the names of some value columns and other names: give new names to all channels "
                "in the order of --value-columns, or to none"
            )
    return replace(facts, channel_names=names), values
