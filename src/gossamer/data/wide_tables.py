"""A table in which a row is a series: its values stand in a column each, or in lists. It is read piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gossamer.data.cells import as_rows, as_words, check_num_rows
from gossamer.data.channel_order import in_order
from gossamer.data.class_words import labels_of_words
from gossamer.data.columns_read import ColumnsRead
from gossamer.data.files import shown
from gossamer.data.identities import NamedPeople
from gossamer.data.layouts import WideColumns, public_columns
from gossamer.data.list_columns import ListShape, numbers_of_lists
from gossamer.data.list_recordings import ListMeaning, read_list_recordings
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import MAX_VALUES, RecordData, check_num_values
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.row_names import RowNames, RunningNames
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import Scaling, SeriesFacts
from gossamer.data.splits import AbstractSplit, Rows, divide
from gossamer.data.table import AbstractTable, Piece
from gossamer.data.table_form import TableForm
from gossamer.data.value_columns import find_values
from gossamer.data.value_ranges import ValueRanges
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError, told
from gossamer.privacy.dealing import UnitKey

_LIST_NAMES = "The names of the channels are those of their columns in the table and are taken as public."


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """All that is public of a reading, before any row is read.

    Args:
        layout: Values in columns or in lists.
        values: Columns of values, channel after channel.
        spec: Shape and bounds.
        facts: Public facts.
        left_out: Columns that are not read.
        notes: Sentences for the statement.
        outer: Meaning of outer lists, or None if there are none.
    """

    layout: Literal["wide", "lists"]
    values: tuple[str, ...]
    spec: SeriesSpec
    facts: SeriesFacts
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    outer: str | None = None


def read_wide(
    source: AbstractTable,
    columns: WideColumns,
    facts: SeriesFacts,
    split: AbstractSplit,
    key: UnitKey | None,
    form: TableForm,
    windows: Windows | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Read a table in which a row is a series.

    The number of channels is that of `facts.channel_names`, else 1. The value columns are shared out by their names, or
    else evenly, one channel after the other. Columns of lists are a channel each.

    Args:
        source: Columns of the table.
        columns: Meaning of the columns.
        facts: Public facts.
        split: Rule by which series are held out.
        key: Secret, by which a split holds some out.
        form: Columns to leave out, and the meaning of lists.
        windows: Rule that cuts each row, as a recording, in windows. None to keep it whole.
        room: Place for the values of rows that are kept whole.

    Raises:
        InputError: Naming the table, column and row of the fault, and never a value.
    """
    plan = _planned(source, columns, facts, form, windows)
    words = tuple(name for name in (columns.label, columns.person) if name is not None)
    if windows is None:
        rows = _whole(source, columns, plan, words, room)
    else:
        rows = _windows(source, columns, plan, words, windows)
    data = divide(rows, split, plan.notes, key)
    return replace(data, columns=ColumnsRead.of(columns, plan.layout, plan.values, plan.left_out))


def _whole(
    source: AbstractTable, columns: WideColumns, plan: _Plan, words: tuple[str, ...], room: AbstractRoom
) -> Rows:
    """Keep each row whole. Names of people are let go before labels are made: they take as much room as many values."""
    read = _Rows.of(source, plan, words, room)
    people = None if columns.person is None else NamedPeople.of(read.words.pop(columns.person))
    return Rows(
        name=source.title,
        spec=plan.spec,
        x=read.x,
        y=None if columns.label is None else labels(read.words[columns.label], plan.spec, source.where),
        people=people,
        ranges=read.ranges,
        room=room,
    )


def _windows(
    source: AbstractTable, columns: WideColumns, plan: _Plan, words: tuple[str, ...], windows: Windows
) -> Rows:
    """Cut each row in windows, as a recording of one class and one person."""
    values, found = _recordings(source, plan, words)
    label = None if columns.label is None else found[columns.label]
    by_row = zip([] if label is None else label.tolist(), values)
    recordings = Recordings(
        values=values,
        classes=None if label is None else [np.broadcast_to(name, one.shape[1]) for name, one in by_row],
        people=None if columns.person is None else found[columns.person],
    )
    spec = replace(plan.spec, length=windows.window, table=WideColumns(label=columns.label))
    return rows_of_windows(
        source.title,
        source.where,
        recordings,
        windows,
        spec,
        plan.facts,
        lambda cells: labels(cells, spec, source.where),
    )


def _recordings(
    source: AbstractTable, plan: _Plan, words: tuple[str, ...]
) -> tuple[list[np.ndarray], dict[str, RowNames]]:
    """Return each row as (channels, time), and the names in the columns of words."""
    if plan.layout == "lists":
        meaning = ListMeaning(names=plan.values, channels=plan.spec.channels, outer=plan.outer)
        read = read_list_recordings(source, meaning, words)
        return read.values, read.words
    table = source.read(numbers=plan.values, words=words)
    stacked = np.stack([table.numbers[name] for name in plan.values], axis=1)
    return list(stacked.reshape(-1, *plan.spec.shape)), table.words


def labels(words: RowNames | np.ndarray, spec: SeriesSpec, where: str) -> np.ndarray:
    """Return the labels of names of classes, int64 (num_series,). See `labels_of_words`."""
    return labels_of_words(words, spec.class_names, where)


def _planned(
    source: AbstractTable, columns: WideColumns, facts: SeriesFacts, form: TableForm, windows: Windows | None
) -> _Plan:
    others = tuple(name for name in (columns.label, columns.person) if name is not None)
    found = find_values(source, columns.values, others, form)
    in_lists = [name for name in found.names if name in source.lists]
    if in_lists and len(in_lists) < len(found.names):
        single = next(name for name in found.names if name not in source.lists)
        raise InputError(
            f"{source.where}: column {shown(in_lists[0][:40])} holds lists and column {shown(single[:40])} single "
            "values: name those of the series with --value-columns, or leave others out with --drop-columns"
        )
    if not in_lists and form.outer_lists is not None:
        raise InputError(f"{source.where} has no columns of lists: leave --outer-lists out")
    class_names = facts.classes(columns.label is not None, source.where)
    values, shape, facts, outer, notes = (
        _in_lists(source, found.names, facts, form, windows)
        if in_lists
        else _in_columns(source, found.names, facts, found.is_listed)
    )
    spec = facts.spec(*shape, class_names)
    kept = columns if in_lists or not columns.values else replace(columns, values=values)
    spec = replace(spec, table=public_columns(replace(kept, values=()) if in_lists else kept))
    return _Plan(
        layout="lists" if in_lists else "wide",
        values=values,
        spec=spec,
        facts=facts,
        left_out=found.index + found.dropped,
        notes=(*facts.notes(columns.label is not None), *source.notes, *found.notes, *notes),
        outer=outer,
    )


_Found = tuple[tuple[str, ...], tuple[int, int], SeriesFacts, str | None, tuple[str, ...]]


def _in_columns(source: AbstractTable, names: tuple[str, ...], facts: SeriesFacts, is_listed: bool) -> _Found:
    channels = max(len(facts.channel_names), 1)
    length = len(names) // channels
    if length * channels != len(names) or length == 0:
        raise InputError(
            f"{source.where}: {len(names)} value columns cannot be shared out to {channels} channels: name as many "
            "for each with --value-columns"
        )
    if facts.length not in (None, length):
        raise InputError(
            f"{source.where} has {length} values per channel, --length says {told(facts.length)}: correct one"
        )
    order = in_order(names, facts.channel_names, source.where, is_listed=is_listed)
    return order.names, (channels, length), facts, None, order.notes


def _in_lists(
    source: AbstractTable, names: tuple[str, ...], facts: SeriesFacts, form: TableForm, windows: Windows | None
) -> _Found:
    depths = {len(source.lists[name]) for name in names}
    if depths == {1}:
        return _in_flat_lists(source, names, facts, form, windows)
    if depths == {2} and len(names) == 1:
        return _in_nested_lists(source, names[0], facts, form, windows)
    raise InputError(
        f"{source.where} has columns of lists of lists beside others, or of lists in those: name one column of lists "
        "of lists, or several of lists of numbers, with --value-columns"
    )


def _in_flat_lists(
    source: AbstractTable, names: tuple[str, ...], facts: SeriesFacts, form: TableForm, windows: Windows | None
) -> _Found:
    if form.outer_lists is not None:
        raise InputError(f"{source.where}: its lists hold numbers and no lists: leave --outer-lists out")
    if facts.channel_names and len(facts.channel_names) != len(names):
        raise InputError(
            f"{source.where} has {len(names)} columns of lists, a channel each, and --channel-names "
            f"{len(facts.channel_names)} names: give one for each"
        )
    length = _length(source, {source.lists[name][0] for name in names}, facts, windows)
    if facts.channel_names or len(names) == 1:
        return names, (len(names), length), facts, None, ()
    return names, (len(names), length), replace(facts, channel_names=names), None, (_LIST_NAMES,)


def _in_nested_lists(
    source: AbstractTable, name: str, facts: SeriesFacts, form: TableForm, windows: Windows | None
) -> _Found:
    if form.outer_lists is None:
        raise InputError(
            f"{source.where}: column {shown(name[:40])} holds lists of lists: say what the outer ones are, "
            "--outer-lists channels (a list for each channel) or --outer-lists times (a list for each time); in Python "
            "outer_lists="
        )
    outer, inner = source.lists[name]
    channels, times = (outer, inner) if form.outer_lists == "channels" else (inner, outer)
    num_channels = _stated(source, {channels}, len(facts.channel_names) or None, "--channel-names", "channels")
    length = _length(source, {times}, facts, windows)
    return (name,), (num_channels, length), facts, form.outer_lists, ()


def _length(source: AbstractTable, sizes: set[int | None], facts: SeriesFacts, windows: Windows | None) -> int:
    # A list that is cut in windows may have any length, which is private.
    if windows is not None:
        return windows.window
    return _stated(source, sizes, facts.length, "--length", "samples of a series")


def _stated(source: AbstractTable, sizes: set[int | None], said: int | None, option: str, what: str) -> int:
    """Return a size that the user or the type of a column states."""
    stated = {size for size in (*sizes, said) if size is not None}
    if not stated:
        # Privacy: the longest private list must not decide a public size.
        raise InputError(f"{source.where} has lists of no fixed size: give {option}, the public number of {what}")
    if len(stated) > 1:
        raise InputError(f"{source.where} has lists of another number of {what} than {option} says: correct one")
    return stated.pop()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Values and names of all rows. Private."""

    x: np.ndarray
    words: dict[str, RowNames]
    ranges: ValueRanges | None

    @classmethod
    def of(cls, source: AbstractTable, plan: _Plan, words: tuple[str, ...], room: AbstractRoom) -> _Rows:
        """Read all rows into one array, which is all that is ever as large as the table."""
        spec = plan.spec
        most = min(source.most_rows, MAX_VALUES // (spec.channels * spec.length) + 1)
        # The memory of rows that are not there is never touched, and so never taken.
        x = room.array((most, spec.channels, spec.length))
        names = {name: RunningNames() for name in words}
        tally, num_rows = RangeTally.of_series(spec), 0
        scaling = Scaling(spec=spec, facts=plan.facts, at=source.where, tally=tally)
        for piece in source.pieces(numbers=plan.values, words=words):
            found = piece.table.schema.names
            for name in names.keys() & set(found):
                names[name].add(as_words(piece.table.column(name), name, source.where, piece.first))
            end = piece.first + piece.table.num_rows
            num_rows = max(num_rows, end)
            check_num_values(source.where, num_rows * spec.channels * spec.length)
            for places, values, gaps in _values(piece, plan, source):
                target = x[piece.first : end].reshape(len(values), -1)
                target[:, places] = scaling.scaled(values, places, piece.first, gaps)
                room.touched(target.nbytes)
        room.let_go()
        check_num_rows(num_rows, source.where)
        whole = {name: running.names() for name, running in names.items()}
        return cls(x=x[:num_rows], words=whole, ranges=tally.ranges())


def _values(
    piece: Piece, plan: _Plan, source: AbstractTable
) -> Iterator[tuple[slice | np.ndarray, np.ndarray, np.ndarray | None]]:
    """List places within a row, values (rows, places), and the places that a shorter list leaves open."""
    here = set(piece.table.schema.names)
    if plan.layout == "wide":
        places = np.array([place for place, name in enumerate(plan.values) if name in here], dtype=np.int64)
        names = [plan.values[place] for place in places]
        if names:
            is_whole = len(names) == len(plan.values)
            yield slice(None) if is_whole else places, as_rows(piece.table, names, source.where, piece.first), None
        return
    for place, name in enumerate(plan.values):
        if name in here:
            yield _of_lists(piece.table.column(name), place, piece, plan, source)


def _of_lists(
    column: Any, place: int, piece: Piece, plan: _Plan, source: AbstractTable
) -> tuple[slice, np.ndarray, np.ndarray | None]:
    spec = plan.spec
    sizes = {None: (spec.length,), "channels": spec.shape, "times": spec.shape[::-1]}[plan.outer]
    shape = ListShape(sizes=sizes, permit_shorter=plan.facts.permit_shorter and plan.outer is None)
    values, gaps = numbers_of_lists(column, shape, plan.values[place], source.where, piece.first)
    if plan.outer is None:
        return slice(place * spec.length, (place + 1) * spec.length), values, gaps
    values = values.transpose(0, 2, 1) if plan.outer == "times" else values
    return slice(None), values.reshape(len(values), -1), None
