"""A user's own table of series: wide, with a row for a series, or long, with a row for a time of a series."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.class_words import labels_of_words
from gossamer.data.columns import TableFile
from gossamer.data.layouts import LongColumns, TableColumns, WideColumns, public_columns
from gossamer.data.names import slots_of_names
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import AbstractSplit, Rows, divide
from gossamer.data.table import AbstractTable, Table
from gossamer.errors import InputError, told
from gossamer.privacy.dealing import UnitKey

_NAMES_READ = "The names of the channels are those of their columns in the table and are taken as public."
_STEP_TOLERANCE: Final = 0.01


def load_table(
    path: Path, columns: TableColumns, facts: SeriesFacts, split: AbstractSplit, key: UnitKey | None = None
) -> RecordData:
    """Read a CSV or Parquet file of series. See `read_table`."""
    return read_table(TableFile.open(path), columns, facts, split, key)


def read_table(
    table: AbstractTable, columns: TableColumns, facts: SeriesFacts, split: AbstractSplit, key: UnitKey | None = None
) -> RecordData:
    """Read the series of a table, on the disk or in memory: one path for both, so that both follow the same rules.

    Args:
        table: Its columns.
        columns: Meaning of the columns, and with it the layout.
        facts: Public facts.
        split: Rule by which series are held out for testing.
        key: Secret, by which a split holds some out. None for a new one.

    Raises:
        InputError: Naming the table, column and row of the fault, and never a value.
    """
    if isinstance(columns, LongColumns):
        return _read_long(table, columns, facts, split, key)
    return _read_wide(table, columns, facts, split, key)


def _read_wide(
    source: AbstractTable, columns: WideColumns, facts: SeriesFacts, split: AbstractSplit, key: UnitKey | None
) -> RecordData:
    """Read a table in which a row is a series.

    The number of channels is that of `facts.channel_names`, else 1. The value columns are shared out evenly.
    """
    others, values = wide_meaning(source, columns)
    channels = max(len(facts.channel_names), 1)
    length = len(values) // channels
    if length * channels != len(values) or length == 0:
        raise InputError(
            f"{source.where}: {len(values)} value columns cannot be shared out to {channels} channels: name as many "
            "for each with --value-columns"
        )
    if facts.length not in (None, length):
        raise InputError(
            f"{source.where} has {length} values per channel, --length says {told(facts.length)}: correct one"
        )
    table = source.read(numbers=values, words=others)
    stacked = np.stack([table.numbers[name] for name in values], axis=1).reshape(-1, channels, length)
    label = None if columns.label is None else table.words[columns.label]
    person = None if columns.person is None else table.words[columns.person]
    return _finished(source, stacked, label, person, facts, columns, split, key)


def wide_meaning(source: AbstractTable, columns: WideColumns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of a wide table that hold words, and those that hold values.

    Raises:
        InputError: A column is not there, or was named for two things.
    """
    others = tuple(name for name in (columns.label, columns.person) if name is not None)
    values = columns.values or tuple(name for name in source.names if name not in others)
    source.check(values, others)
    return others, values


def _read_long(
    source: AbstractTable, columns: LongColumns, facts: SeriesFacts, split: AbstractSplit, key: UnitKey | None
) -> RecordData:
    """Read a table in which a row is one time of one series. Series keep the order in which they first appear."""
    where = source.where
    if facts.length is None:
        # Privacy: the longest private series must not decide the length.
        raise InputError(
            f"{where} is a long table: give --length, the public number of samples of a series (length= in Python)"
        )
    # A series for each person is named by one column for both.
    person_apart = None if columns.person == columns.series else columns.person
    words = tuple(name for name in (columns.series, columns.label, person_apart) if name is not None)
    values = columns.values or tuple(name for name in source.names if name not in (*words, columns.time))
    source.check(values, (*words, columns.time))
    if not values:
        raise InputError(f"{where} has no column of values: name one with --value-columns")
    table = source.read(numbers=values, words=words, times=(columns.time,))
    groups = _Groups.of(table.words[columns.series])
    _check_times(table.times[columns.time], groups, facts.sample_rate, where)
    stacked = _stacked(table, values, groups, facts, where)
    label = None if columns.label is None else _one_each(table, columns.label, groups, "class")
    person = None if columns.person is None else _one_each(table, columns.person, groups, "person")
    data = _finished(source, stacked, label, person, _named(facts, values), columns, split, key)
    if facts.channel_names:
        return data
    return dataclasses.replace(data, public_notes=(*data.public_notes, _NAMES_READ))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Groups:
    """Rows sorted by series: the row, its series, and its place in the series."""

    rows: np.ndarray
    series: np.ndarray
    places: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, names: np.ndarray) -> _Groups:
        _, first, inverse = np.unique(slots_of_names(names), return_index=True, return_inverse=True)
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


def _one_each(table: Table, name: str, groups: _Groups, what: str) -> np.ndarray:
    """Return the one class or person of each series."""
    words = table.words[name]
    expected = words[groups.first][groups.series]
    wrong = words[groups.rows] != expected
    if wrong.any():
        row = int(groups.rows[wrong].min())
        raise InputError(f"{table.where}: row {row + 1} names a second {what} for its series: a series has one {what}")
    return words[groups.first]


def _named(facts: SeriesFacts, values: tuple[str, ...]) -> SeriesFacts:
    if facts.channel_names and len(facts.channel_names) != len(values):
        raise InputError(
            f"--channel-names has {len(facts.channel_names)} names for {len(values)} value columns: give one for each"
        )
    return dataclasses.replace(facts, channel_names=facts.channel_names or values)


def _finished(
    source: AbstractTable,
    values: np.ndarray,
    label: np.ndarray | None,
    person: np.ndarray | None,
    facts: SeriesFacts,
    columns: TableColumns,
    split: AbstractSplit,
    key: UnitKey | None,
) -> RecordData:
    where = source.where
    class_names = facts.classes(label is not None, where)
    spec = facts.spec(values.shape[1], values.shape[2], class_names)
    spec = dataclasses.replace(spec, table=public_columns(columns))
    tally = RangeTally.of_series(spec)
    rows = Rows(
        name=source.title,
        spec=spec,
        x=scaled(values, spec, facts, where, tally),
        y=None if label is None else labels_of_words(label, class_names, where),
        people=person,
        ranges=tally.ranges(),
    )
    return divide(rows, split, facts.notes(label is not None), key)
