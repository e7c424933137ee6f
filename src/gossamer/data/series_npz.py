"""A user's own series in an NPZ file: `x` as (batch, channels, time), optional `y` and `person`, and public facts."""

from __future__ import annotations

import dataclasses
import re
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
    shape_text,
)
from gossamer.data.class_words import check_places
from gossamer.data.files import shown
from gossamer.data.records import RecordData, check_num_values
from gossamer.data.series_facts import SeriesFacts, scaled
from gossamer.data.splits import WHOLE, AbstractSplit, Rows, divide
from gossamer.data.windowed import Recordings, rows_of_windows
from gossamer.data.windows import Windows
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_FACTS: Final = ("low", "high", "sample_rate", "channel_names", "units")
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
) -> RecordData:
    """Load series from an NPZ file.

    The file has the key `x` and may have the others. Nothing is ever unpickled.

    - `x`: numbers of shape (batch, channels, time) or (batch, time).
    - `y`: integers of shape (batch,), the places of the classes in their order.
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

    Returns:
        The series.

    Raises:
        InputError: Naming file, key and place of the fault, and never a value. Or the user's class names are numbers
            other than their places, so that `y` may hold either.
    """
    where = shown(path)
    with open_archive(path, where) as archive:
        if "y" in archive.members:
            # Names in the file are in the order of its labels. Those that a user states may be meant for the labels.
            check_places(facts.class_names, "y")
        if "x" not in archive.members:
            raise InputError(f"{where} has no key 'x' for the series: save them as x, (batch, channels, time)")
        facts = _completed(archive, facts)
        values = _values(archive)
        class_names = facts.classes("y" in archive.members, where)
        labels = read_labels(archive, "y", len(values), len(class_names)) if "y" in archive.members else None
        people = people_of(archive, len(values))
    if facts.length not in (None, values.shape[2]):
        raise InputError(f"{where}: x has {values.shape[2]} samples in time, --length says {facts.length}: correct one")
    title = path.stem if path.stem.isprintable() else "series"
    if windows is not None:
        spec = facts.spec(values.shape[1], windows.window, class_names)
        recordings = Recordings.of_arrays(values, labels, people)
        rows = rows_of_windows(title, f"{where}: x", recordings, windows, spec, facts)
        return divide(rows, split, (*facts.notes(labels is not None), windows.note), key)
    spec = facts.spec(values.shape[1], values.shape[2], class_names)
    rows = Rows(
        name=title,
        spec=spec,
        x=scaled(values, spec, facts, f"{where}: x"),
        y=labels,
        people=people,
    )
    return divide(rows, split, facts.notes(labels is not None), key)


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


def _values(archive: Archive) -> np.ndarray:
    """Read the series as (batch, channels, time), in their own units."""
    at, header = archive.at("x"), archive.header("x")
    if not _VALUE_KINDS.fullmatch(header.kind):
        raise InputError(f"{at} has dtype {shown(header.kind[:20])}: series must be numbers: x.astype('float32')")
    if len(header.shape) not in (2, 3) or 0 in header.shape:
        raise InputError(
            f"{at} has shape {shape_text(header.shape)}: it must be (batch, channels, time) or (batch, time), "
            "with at least 1 of each"
        )
    check_num_values(at, header.num_values)
    values = archive.values("x")
    return values if values.ndim == 3 else values[:, None]
