"""A user's own series in an NPZ file: `x` as (batch, channels, time), optional `y` and `person`, and public facts."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from gossamer.data.archive import (
    archive_members,
    open_archive,
    open_member,
    people_of,
    read_array_header,
    read_labels,
    read_names,
    read_numbers,
    read_values,
    shape_text,
)
from gossamer.data.files import shown
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import WHOLE, AbstractSplit, Rows, divide
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_FACTS: Final = ("low", "high", "sample_rate", "channel_names")
_VALUE_KINDS: Final = re.compile(r"[<>|=]?(?:f[248]|[iu][1248])")


def is_series_npz(path: Path) -> bool:
    """Return True if an NPZ file declares series, by `low`, `high`, `sample_rate` or `channel_names`.

    Raises:
        InputError: The file is absent or no NPZ file.
    """
    where = shown(path)
    with open_archive(path, where) as archive:
        members = archive_members(archive, where)
        return any(key in members for key in _FACTS)


def load_series_npz(
    path: Path, facts: SeriesFacts, split: AbstractSplit = WHOLE, key: UnitKey | None = None
) -> RecordData:
    """Load series from an NPZ file.

    The file has the key `x` and may have the others. Nothing is ever unpickled.

    - `x`: numbers of shape (batch, channels, time) or (batch, time).
    - `y`: integers of shape (batch,).
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
        members = archive_members(archive, where)
        if "x" not in members:
            raise InputError(f"{where} has no key 'x' for the series: save them as x, (batch, channels, time)")
        facts = _completed(archive, members, facts, where)
        values = _values(archive, members["x"], f"{where}: x")
        class_names = facts.classes("y" in members, where)
        labels = None
        if "y" in members:
            labels = read_labels(archive, members["y"], len(values), len(class_names), f"{where}: y")
        people = people_of(archive, members, len(values), where)
    if facts.length not in (None, values.shape[2]):
        raise InputError(f"{where}: x has {values.shape[2]} samples in time, --length says {facts.length}: correct one")
    spec = facts.spec(values.shape[1], values.shape[2], class_names)
    rows = Rows(
        name=path.stem if path.stem.isprintable() else "series",
        spec=spec,
        x=scaled(values, spec, facts, f"{where}: x"),
        y=labels,
        people=people,
    )
    return divide(rows, split, facts.notes(labels is not None), key)


def _completed(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], facts: SeriesFacts, where: str
) -> SeriesFacts:
    """Complete the user's facts by those in the file."""
    found: dict[str, Any] = {}
    for key in ("low", "high"):
        if key in members and not facts.has_bounds:
            found[key] = read_numbers(archive, members[key], f"{where}: {key}")
    if "sample_rate" in members and facts.sample_rate is None:
        rates = read_numbers(archive, members["sample_rate"], f"{where}: sample_rate")
        if len(rates) != 1:
            raise InputError(f"{where}: sample_rate must be one number, in Hz")
        found["sample_rate"] = rates[0]
    for key in ("class_names", "channel_names"):
        given = facts.class_names or facts.num_classes if key == "class_names" else facts.channel_names
        if key in members and not given:
            found[key] = read_names(archive, members[key], key, where)
    if len({"low", "high"} & found.keys()) == 1:
        raise InputError(f"{where}: low and high belong together: save both")
    return dataclasses.replace(facts, **found)


def _values(archive: zipfile.ZipFile, info: zipfile.ZipInfo, at: str) -> np.ndarray:
    """Read the series as (batch, channels, time), in their own units."""
    with open_member(archive, info, at) as stream:
        header = read_array_header(stream, at)
        if not _VALUE_KINDS.fullmatch(header.kind):
            raise InputError(f"{at} has dtype {shown(header.kind[:20])}: series must be numbers: x.astype('float32')")
        if len(header.shape) not in (2, 3) or 0 in header.shape:
            raise InputError(
                f"{at} has shape {shape_text(header.shape)}: it must be (batch, channels, time) or (batch, time), "
                "with at least 1 of each"
            )
        check_num_values(at, header.num_values)
        values = read_values(stream, info, header, at)
    return values if values.ndim == 3 else values[:, None]
