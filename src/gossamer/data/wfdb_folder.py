"""A user's own folder of annotated WFDB recordings: beats with AAMI classes, and their people."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.beat_rows import cut_recordings
from gossamer.data.beats import AAMI_CLASSES, GAPS_NOTE, AbstractBeatLayout, KaggleLayout, WindowLayout
from gossamer.data.files import shown, title_of
from gossamer.data.machines import is_left_out, left_out_notes
from gossamer.data.records import RecordData
from gossamer.data.splits import WHOLE, AbstractSplit, divide
from gossamer.data.wfdb_places import STRAYS, find_places
from gossamer.data.wfdb_records import MILLIVOLTS, AbstractLeads, read_annotated
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

USUAL_ANNOTATOR: Final = "atr"
"""Ending of the annotation files if nothing is said."""
_ANNOTATOR: Final = r"[A-Za-z0-9_-]{1,32}"


def is_wfdb_folder(path: Path) -> bool:
    """Return True if a folder holds headers of WFDB, itself or in its sub-folders, or their signal files alone."""
    return _has(path, "*.hea") or (_has(path, "*.dat") and not _has(path, "*.png"))


def _has(path: Path, pattern: str) -> bool:
    found = (entry.relative_to(path).parts for place in ("", "*/") for entry in path.glob(place + pattern))
    return any(not any(map(is_left_out, parts)) for parts in found)


def load_wfdb_folder(
    path: Path,
    *,
    leads: AbstractLeads | None = None,
    layout: AbstractBeatLayout | None = None,
    split: AbstractSplit = WHOLE,
    annotator: str = USUAL_ANNOTATOR,
    class_names: tuple[str, ...] = (),
    key: UnitKey | None = None,
) -> RecordData:
    """Read the annotated beats of a folder of recordings.

    If recordings lie in sub-folders, each sub-folder is a person. If they lie in the folder itself, the file
    `people.csv` names their people. Without that file, people are unknown. The names and units of the signals are
    public facts of the headers.

    Args:
        path: Folder with `NAME.hea`, `NAME.dat` and `NAME.atr`, or with a sub-folder of these for each person.
        leads: Choice of the signals. Every name is public. None for the first signal, which must have one name in all
            recordings.
        layout: Rule by which beats are cut, or None for that of the Kaggle table.
        split: Rule by which series are held out for testing.
        annotator: Ending of the annotation files.
        class_names: Public names of those AAMI classes that are read, in the order of the labels. Empty for all five.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        Beats of the five AAMI classes, or of those that were named.

    Raises:
        InputError: A file is missing or damaged, or a recording has no person while others do. Or a recording lacks a
            signal, or has it in another unit. Or a class is none of AAMI.
    """
    layout = layout or KaggleLayout()
    if not re.fullmatch(_ANNOTATOR, annotator):
        raise InputError("--annotator is the ending of the annotation files, such as atr or qrs: letters and digits")
    classes = _classes_of(path, class_names)
    found = find_places(path)
    chosen, units = found.chosen(leads), found.units(leads)
    _check_bounds(path, layout, units)
    spec = layout.spec(chosen.channel_names, class_names or AAMI_CLASSES, units)
    recordings = (
        dataclasses.replace(read_annotated(place.folder, place.header.name, chosen, annotator), name=place.name)
        for place in found.places
    )
    rows = cut_recordings(title_of(path.name, "recordings"), spec, recordings, layout, found.people, classes)
    rows = dataclasses.replace(
        rows,
        left_out={**rows.left_out, STRAYS: found.num_strays},
        # Privacy: a person keeps the slot if all beats are left out, so the number of people tells nothing of beats.
        others=None if found.people is None else np.array(sorted(set(found.people.values()))),
    )
    named = "those of AAMI that the user named; beats of others were left out" if class_names else "those of AAMI"
    on_signals = f"Classes are {named}. {found.note_on_signals(leads)}"
    machines = left_out_notes(entry.name for entry in path.iterdir())
    return divide(rows, split, (on_signals, layout.note, GAPS_NOTE, *machines), key)


def _classes_of(path: Path, class_names: tuple[str, ...]) -> list[int] | None:
    """Return the AAMI classes of these names, or None for all of them."""
    if not all(name in AAMI_CLASSES for name in class_names):
        raise InputError(
            f"{shown(path)}: the classes of beats are those of AAMI: give some of {', '.join(AAMI_CLASSES)} as "
            "--class-names, or leave it out for all"
        )
    return [AAMI_CLASSES.index(name) for name in class_names] or None


def _check_bounds(path: Path, layout: AbstractBeatLayout, found: tuple[str, ...]) -> None:
    """Refuse a signal other than a voltage that is to be cut between bounds in millivolts."""
    if isinstance(layout, WindowLayout) and layout.bounds == WindowLayout().bounds and set(found) != {MILLIVOLTS}:
        raise InputError(
            f"{shown(path)}: a signal is no voltage, and the usual bounds are millivolts: give --low and --high in its "
            f"own unit, {', '.join(shown(unit) for unit in found)}"
        )
