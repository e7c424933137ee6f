"""A user's own series in an NPZ file: `x` as (batch, channels, time), optional `y` and `person`, and public facts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from gossamer.data.archive import (
    Archive,
    open_archive,
    people_of,
    read_labels,
    read_names,
    read_numbers,
    read_texts,
)
from gossamer.data.array_stream import ArrayHeader, Part, shape_text
from gossamer.data.class_words import check_places
from gossamer.data.files import shown, title_of
from gossamer.data.npz_keys import find_series_labels, named
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.row_names import RowNames
from gossamer.data.series_facts import Scaling, SeriesFacts
from gossamer.data.splits import WHOLE, AbstractSplit, Rows, divide
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_FACTS: Final = ("low", "high", "sample_rate", "channel_names", "units")
_OTHERS: Final = (*_FACTS, "class_names", "person")
_VALUE_KINDS: Final = re.compile(r"[<>|=]?(?:f[248]|[iu][1248])")


def is_series_npz(path: Path) -> bool:
    """Return True if an NPZ file declares series, by `low`, `high`, `sample_rate`, `channel_names` or `units`.

    Raises:
        InputError: The file is absent or no NPZ file.
    """
    with open_archive(path, shown(path)) as archive:
        return any(key in archive.members for key in _FACTS)


def load_series_npz(
    path: Path,
    facts: SeriesFacts,
    split: AbstractSplit = WHOLE,
    key: UnitKey | None = None,
    windows: Windows | None = None,
    room: AbstractRoom = MEMORY,
) -> RecordData:
    """Load series from an NPZ file.

    The file has the key `x` and may have the others. Nothing is ever unpickled. Keys that are not read are named in
    `RecordData.unread`.

    - `x`: numbers of shape (batch, channels, time) or (batch, time).
    - `y`: integers of shape (batch,) or (batch, 1), the places of the classes in their order. `labels`, `label`,
      `target` or `targets` may stand in its place.
    - `person`: numbers or text of shape (batch,).
    - `class_names`, `channel_names` and `units`: text.
    - `low` and `high`: a number or one per channel.
    - `sample_rate`: Hz.

    Args:
        path: The file.
        facts: Public facts by the user, which win over those in the file.
        split: Rule by which series are held out for testing.
        key: Secret, by which a split holds some out. None for a new one.
        windows: Rule that cuts each series, as a recording, in windows. None to keep it whole.
        room: Place for the values of series that are kept whole.

    Returns:
        The series.

    Raises:
        InputError: Naming file, key and place of the fault, and never a value. Or the user's class names are numbers
            other than their places, so that `y` may hold either.
    """
    where = shown(path)
    with open_archive(path, where) as archive:
        if "x" not in archive.members:
            raise InputError(f"{where} has no key 'x' for the series: save them as x, (batch, channels, time)")
        y, notes = find_series_labels(archive)
        if y is not None:
            # Names in the file are in the order of its labels. Those that a user states may be meant for the labels.
            check_places(facts.class_names, y)
        facts = _completed(archive, facts)
        header = archive.header("x")
        _shape_of(header, archive.at("x"))
        class_names = facts.classes(y is not None, where)
        labels = None if y is None else read_labels(archive, y, header.shape[0], len(class_names))
        people = people_of(archive, header.shape[0])
        stored = StoredSeries(
            name=title_of(path.stem, "series"),
            at=archive.at("x"),
            header=header,
            parts=archive.parts("x"),
        )
        rows = rows_of_array(stored, facts, class_names, windows, labels, people, room)
    rows = dataclasses.replace(rows, unread=named(archive.members.keys() - {"x", y, *_OTHERS}))
    return divide(rows, split, (*facts.notes(labels is not None), *notes), key)


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredSeries:
    """An array of series in a file, (batch, channels, time) or (batch, time).

    Args:
        name: Name of the records, public.
        at: Beginning of a message.
        header: Header of the array.
        parts: Its values, part after part.
    """

    name: str
    at: str
    header: ArrayHeader
    parts: Iterable[Part]


def rows_of_array(
    stored: StoredSeries,
    facts: SeriesFacts,
    class_names: tuple[str, ...],
    windows: Windows | None,
    labels: np.ndarray | None = None,
    people: RowNames | np.ndarray | None = None,
    room: AbstractRoom = MEMORY,
) -> Rows:
    """Read an array of series.

    Args:
        stored: The array.
        facts: Public facts.
        class_names: Public names of the classes, empty without labels.
        windows: Rule that cuts each series, as a recording, in windows. None to keep it whole.
        labels: int64 (batch,), or None.
        people: Names of people (batch,), or None.
        room: Place for the values of series that are kept whole.

    Raises:
        InputError: The array holds no series, or other ones than the facts say. Or a value breaks a rule, which is told
            by its place.
    """
    channels, length = _shape_of(stored.header, stored.at)
    if windows is not None:
        recordings = Recordings.of_arrays(_whole(stored, (channels, length)), labels, people)
        spec = facts.spec(channels, windows.window, class_names)
        return rows_of_windows(stored.name, stored.at, recordings, windows, spec, facts)
    if facts.length not in (None, length):
        raise InputError(f"{stored.at} has {length} samples in time, --length says {facts.length}: correct one")
    spec = facts.spec(channels, length, class_names)
    tally = RangeTally.of_series(spec)
    x = _scaled(stored, Scaling(spec=spec, facts=facts, at=stored.at, tally=tally), room)
    return Rows(name=stored.name, spec=spec, x=x, y=labels, people=people, ranges=tally.ranges(), room=room)


def _shape_of(header: ArrayHeader, at: str) -> tuple[int, int]:
    """Return the channels and the length of an array of series."""
    if not _VALUE_KINDS.fullmatch(header.kind):
        raise InputError(f"{at} has dtype {shown(header.kind[:20])}: series must be numbers: x.astype('float32')")
    if len(header.shape) not in (2, 3) or 0 in header.shape:
        raise InputError(
            f"{at} has shape {shape_text(header.shape)}: it must be (batch, channels, time) or (batch, time), "
            "with at least 1 of each"
        )
    check_num_values(at, header.num_values)
    return (header.shape[1], header.shape[2]) if len(header.shape) == 3 else (1, header.shape[1])


def _scaled(stored: StoredSeries, scaling: Scaling, room: AbstractRoom) -> np.ndarray:
    """Scale series that come part after part, so that they are never whole in memory in their own units.

    Returns:
        float32 (num_records, channels, time) in [0, 1].
    """
    x = np.empty((0, *scaling.spec.shape), dtype=np.float32)
    for part in stored.parts:
        # Room for all is made when the first part is there, since a reader refuses bombs before it.
        x = x if len(x) else room.array((stored.header.shape[0], *scaling.spec.shape))
        rows = x[part.first : part.first + len(part.values)].reshape(len(part.values), -1)
        rows[:, part.places] = scaling.scaled(part.values, part.places, part.first)
        # Some places of a record bring its other places into memory, too.
        room.touched(rows.nbytes)
    room.let_go()
    return x


def _whole(stored: StoredSeries, shape: tuple[int, int]) -> np.ndarray:
    """Return series (batch, channels, time) in their own units, laid out record after record."""
    values = np.empty((0, *shape), dtype=stored.header.dtype)
    for part in stored.parts:
        values = values if len(values) else np.empty((stored.header.shape[0], *shape), dtype=stored.header.dtype)
        values[part.first : part.first + len(part.values)].reshape(len(part.values), -1)[:, part.places] = part.values
    return values


def _completed(archive: Archive, facts: SeriesFacts) -> SeriesFacts:
    """Complete the user's facts by those in the file."""
    where, members = archive.where, archive.members
    found: dict[str, Any] = {}
    for key in ("low", "high"):
        if key in members and not facts.has_bounds:
            found[key] = read_numbers(archive, key)
    if "sample_rate" in members and facts.sample_rate is None:
        rates = read_numbers(archive, "sample_rate")
        if len(rates) != 1:
            raise InputError(f"{where}: sample_rate must be one number, in Hz")
        found["sample_rate"] = rates[0]
    for key in ("class_names", "channel_names"):
        given = facts.class_names or facts.num_classes if key == "class_names" else facts.channel_names
        if key in members and not given:
            found[key] = read_names(archive, key)
    if "units" in members and not facts.units:
        found["units"] = read_texts(archive, "units")
    if len({"low", "high"} & found.keys()) == 1:
        raise InputError(f"{where}: low and high belong together: save both")
    return dataclasses.replace(facts, **found)
