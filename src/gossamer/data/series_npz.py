"""A user's own series in an NPZ file: `x` as (batch, channels, time), optional `y` and `person`, and public facts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from gossamer.data.archive import Archive, open_archive, people_of, read_labels, read_names, read_numbers
from gossamer.data.array_stream import ArrayHeader, shape_text
from gossamer.data.files import shown
from gossamer.data.npz_keys import find_series_labels, named
from gossamer.data.range_tally import RangeTally
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import WHOLE, AbstractSplit, Rows, divide
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_FACTS: Final = ("low", "high", "sample_rate", "channel_names")
_OTHERS: Final = (*_FACTS, "class_names", "person")
_VALUE_KINDS: Final = re.compile(r"[<>|=]?(?:f[248]|[iu][1248])")


def is_series_npz(path: Path) -> bool:
    """Return True if an NPZ file declares series, by `low`, `high`, `sample_rate` or `channel_names`.

    Raises:
        InputError: The file is absent or no NPZ file.
    """
    with open_archive(path, shown(path)) as archive:
        return any(key in archive.members for key in _FACTS)


def load_series_npz(
    path: Path, facts: SeriesFacts, split: AbstractSplit = WHOLE, key: UnitKey | None = None
) -> RecordData:
    """Load series from an NPZ file.

    The file has the key `x` and may have the others. Nothing is ever unpickled. Keys that are not read are named in
    `RecordData.unread`.

    - `x`: numbers of shape (batch, channels, time) or (batch, time).
    - `y`: integers of shape (batch,) or (batch, 1). `labels`, `label`, `target` or `targets` may stand in its place.
    - `person`: numbers or text of shape (batch,).
    - `class_names` and `channel_names`: text.
    - `low` and `high`: a number or one per channel.
    - `sample_rate`: Hz.

    Args:
        path: The file.
        facts: Public facts by the user, which win over those in the file.
        split: Rule by which series are held out for testing.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        The series.

    Raises:
        InputError: Naming file, key and place of the fault, and never a value.
    """
    where = shown(path)
    with open_archive(path, where) as archive:
        if "x" not in archive.members:
            raise InputError(f"{where} has no key 'x' for the series: save them as x, (batch, channels, time)")
        y, notes = find_series_labels(archive)
        facts = _completed(archive, facts)
        header = archive.header("x")
        spec = series_spec(header, facts, y is not None, where, archive.at("x"))
        labels = None if y is None else read_labels(archive, y, header.shape[0], spec.num_classes)
        people = people_of(archive, header.shape[0])
        tally = RangeTally.of_series(spec)
        x = scaled_blocks(header, archive.blocks("x"), spec, facts, archive.at("x"), tally)
    rows = Rows(
        name=path.stem if path.stem.isprintable() else "series",
        spec=spec,
        x=x,
        y=labels,
        people=people,
        unread=named(archive.members.keys() - {"x", y, *_OTHERS}),
        ranges=tally.ranges(),
    )
    return divide(rows, split, (*facts.notes(labels is not None), *notes), key)


def series_spec(header: ArrayHeader, facts: SeriesFacts, has_labels: bool, where: str, at: str) -> SeriesSpec:
    """Return the public specification of an array of series, (batch, channels, time) or (batch, time).

    Args:
        header: Header of the array.
        facts: Public facts.
        has_labels: True if there are labels.
        where: Beginning of a message on the file.
        at: Beginning of a message on the array.

    Raises:
        InputError: The array holds no series, or other ones than the facts say.
    """
    if not _VALUE_KINDS.fullmatch(header.kind):
        raise InputError(f"{at} has dtype {shown(header.kind[:20])}: series must be numbers: x.astype('float32')")
    if len(header.shape) not in (2, 3) or 0 in header.shape:
        raise InputError(
            f"{at} has shape {shape_text(header.shape)}: it must be (batch, channels, time) or (batch, time), "
            "with at least 1 of each"
        )
    check_num_values(at, header.num_values)
    channels, length = header.shape[1:] if len(header.shape) == 3 else (1, header.shape[1])
    class_names = facts.classes(has_labels, where)
    if facts.length not in (None, length):
        raise InputError(f"{where}: x has {length} samples in time, --length says {facts.length}: correct one")
    return facts.spec(channels, length, class_names)


def scaled_blocks(
    header: ArrayHeader,
    blocks: Iterable[np.ndarray],
    spec: SeriesSpec,
    facts: SeriesFacts,
    at: str,
    tally: RangeTally,
) -> np.ndarray:
    """Scale series that come block after block, so that they are never whole in memory in their own units.

    Args:
        header: Header of all of them.
        blocks: (batch, channels, time) or (batch, time) each, in order.
        spec: Public specification.
        facts: Public facts.
        at: Beginning of the message.
        tally: Private tally of the values before any is clipped.

    Returns:
        float32 (num_records, channels, time) in [0, 1].

    Raises:
        InputError: A value is not finite, or outside the default bounds. The place is named, never the value.
    """
    x, start = np.empty((0, *spec.shape), dtype=np.float32), 0
    for block in blocks:
        # Room for all is made when the first block is there, since a reader refuses bombs before it.
        x = x if start else np.empty((header.shape[0], *spec.shape), dtype=np.float32)
        values = block if block.ndim == 3 else block[:, None]
        x[start : start + len(block)] = scaled(values, spec, facts, at, tally, start)
        start += len(block)
    return x


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
    if len({"low", "high"} & found.keys()) == 1:
        raise InputError(f"{where}: low and high belong together: save both")
    return dataclasses.replace(facts, **found)
