"""A user's own folder of annotated WFDB recordings: beats with AAMI classes, and their people."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer.data.beats import (
    AAMI_CLASSES,
    GAPS_NOTE,
    AbstractBeatLayout,
    KaggleLayout,
    WindowLayout,
    cut_recordings,
)
from gossamer.data.files import check_link, is_folder, shown
from gossamer.data.machines import is_left_out, left_out_notes
from gossamer.data.people_file import names_of_recordings, people_of_recordings
from gossamer.data.records import RecordData
from gossamer.data.splits import WHOLE, AbstractSplit, divide
from gossamer.data.wfdb_headers import Header, count_strays, find_recordings, read_header
from gossamer.data.wfdb_records import MILLIVOLTS, AbstractLeads, NamedLeads, read_annotated, unit_of
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey

_SHOWN: Final = 20


USUAL_ANNOTATOR: Final = "atr"
"""Ending of the annotation files if nothing is said."""
STRAYS: Final = "signal files that no header names"
"""Reason for which a signal file is not read."""
_ANNOTATOR: Final = r"[A-Za-z0-9_-]{1,32}"


def is_wfdb_folder(path: Path) -> bool:
    """Return True if a folder holds headers of WFDB, itself or in its sub-folders, or their signal files alone."""
    return _has(path, "*.hea") or (_has(path, "*.dat") and not _has(path, "*.png"))


def _has(path: Path, pattern: str) -> bool:
    found = (entry.relative_to(path).parts for place in ("", "*/") for entry in path.glob(place + pattern))
    return any(not any(map(is_left_out, parts)) for parts in found)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """A recording of a folder: the folder of its files, its header, and the folder of its person or None."""

    folder: Path
    header: Header
    is_of_person: bool

    @property
    def name(self) -> str:
        return f"{self.folder.name}/{self.header.name}" if self.is_of_person else self.header.name

    @property
    def where(self) -> str:
        return f"{shown(self.folder / self.header.name)}.hea"


def load_wfdb_folder(
    path: Path,
    *,
    leads: AbstractLeads | None = None,
    layout: AbstractBeatLayout | None = None,
    split: AbstractSplit = WHOLE,
    annotator: str = USUAL_ANNOTATOR,
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
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        Beats of the five AAMI classes.

    Raises:
        InputError: A file is missing or damaged, or a recording has no person while others do. Or a recording lacks a
            signal, or has it in another unit.
    """
    layout = layout or KaggleLayout()
    if not re.fullmatch(_ANNOTATOR, annotator):
        raise InputError("--annotator is the ending of the annotation files, such as atr or qrs: letters and digits")
    _check_links(path)
    folders, places = _places(path)
    people = _people_of(path, folders, places)
    chosen = leads or NamedLeads(names=(_shared_first(path, places),))
    units = _shared_units(path, places, chosen)
    _check_units(path, leads, layout, units)
    spec = layout.spec(chosen.channel_names, AAMI_CLASSES, units)
    title = path.name if path.name and path.name.isprintable() else "recordings"
    recordings = (
        dataclasses.replace(read_annotated(place.folder, place.header.name, chosen, annotator), name=place.name)
        for place in places
    )
    rows = cut_recordings(title, spec, recordings, layout, people)
    strays = {STRAYS: sum(count_strays(folder) for folder in {path, *folders})}
    rows = dataclasses.replace(rows, left_out={**rows.left_out, **strays})
    machines = left_out_notes(entry.name for entry in path.iterdir())
    return divide(rows, split, (_note_on_leads(leads, chosen, units), layout.note, GAPS_NOTE, *machines), key)


def _places(path: Path) -> tuple[list[Path], list[_Place]]:
    """Return the folders of people, or none, and all recordings."""
    inside = sorted(entry for entry in path.iterdir() if is_folder(entry) and not is_left_out(entry.name))
    folders = [folder for folder in inside if _holds_recordings(folder)]
    if folders and next(path.glob("*.hea"), None) is not None:
        raise InputError(f"{shown(path)} holds recordings and sub-folders: put every person into a sub-folder")
    found = [(folder, name) for folder in folders or [path] for name in find_recordings(folder)]
    return folders, [
        _Place(folder=folder, header=read_header(folder, name), is_of_person=bool(folders)) for folder, name in found
    ]


def _holds_recordings(folder: Path) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in ("*.hea", "RECORDS"))


def _people_of(path: Path, folders: list[Path], places: list[_Place]) -> dict[str, str] | None:
    if not folders:
        return people_of_recordings(path, [place.name for place in places])
    owners = names_of_recordings([folder.name for folder in folders], f"{shown(path)}: sub-folder")
    person = dict(zip(folders, owners, strict=True))
    return {place.name: person[place.folder] for place in places}


def _shared_first(path: Path, places: list[_Place]) -> str:
    """Return the name of the first signal if it is the same in all recordings.

    Raises:
        InputError: It is not. The message names the signals that all recordings have.
    """
    name = places[0].header.signals[0]
    if all(place.header.signals[0].casefold() == name.casefold() for place in places):
        return name
    raise InputError(
        f"{shown(path)}: the first signal is not the same in all recordings: name one with --channel-names. "
        f"{_in_all(places)}"
    )


def _in_all(places: list[_Place]) -> str:
    """Return the sentence on the signals that all recordings have."""
    sets = [{name.casefold() for name in place.header.signals} for place in places]
    shared = [name for name in places[0].header.signals if all(name.casefold() in names for names in sets)]
    if not shared:
        return "No signal is in all recordings: hand over a folder of those that have it"
    return f"All recordings have: {', '.join(shown(name) for name in shared[:_SHOWN])}"


def _shared_units(path: Path, places: list[_Place], leads: AbstractLeads) -> tuple[str, ...]:
    """Return the unit of each channel, the same in all recordings.

    Raises:
        InputError: A recording lacks a signal, or has it in another unit.
    """
    found: tuple[str, ...] = ()
    for place in places:
        names = {name.casefold() for name in place.header.signals}
        for name in leads.channel_names:
            if name.casefold() not in names:
                raise InputError(f"{place.where} has no signal {shown(name)}: name others. {_in_all(places)}")
        units = tuple(unit_of(place.header.units[at]) for at in leads.find(list(place.header.signals), place.where))
        if found and units != found:
            raise InputError(
                f"{shown(path)}: a signal has one unit in some recordings and another in others: name other signals "
                "with --channel-names, or hand over a folder for each unit"
            )
        found = units
    return found


def _check_units(path: Path, asked: AbstractLeads | None, layout: AbstractBeatLayout, found: tuple[str, ...]) -> None:
    """Refuse a signal other than a voltage that nobody asked for, or that is to be cut between bounds in millivolts."""
    if asked is None and set(found) != {MILLIVOLTS}:
        raise InputError(
            f"{shown(path)}: the first signal is in {shown(found[0][:20])}, which is no voltage: name the signals to "
            "take with --channel-names"
        )
    if isinstance(layout, WindowLayout) and layout.bounds == WindowLayout().bounds and set(found) != {MILLIVOLTS}:
        raise InputError(
            f"{shown(path)}: a signal is no voltage, and the usual bounds are millivolts: give --low and --high in its "
            f"own unit, {', '.join(shown(unit) for unit in found)}"
        )


def _note_on_leads(asked: AbstractLeads | None, leads: AbstractLeads, units: tuple[str, ...]) -> str:
    who = "its first in every recording, which nobody chose" if asked is None else "named by the user"
    what = ", ".join(f"{name} ({unit})" for name, unit in zip(leads.channel_names, units, strict=True))
    return f"Classes are those of AAMI. Names and units of signals are public facts of the headers: {what}, {who}."


def _check_links(path: Path) -> None:
    root = path.resolve()
    for pattern in ("*", "*/*"):
        for entry in path.glob(pattern):
            check_link(entry, root)
