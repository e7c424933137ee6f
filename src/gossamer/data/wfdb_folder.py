"""A user's own folder of annotated WFDB recordings: beats with AAMI classes, and their people."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gossamer.data.beats import AAMI_CLASSES, AbstractBeatLayout, KaggleLayout, Recording, cut_recordings
from gossamer.data.files import check_link, is_folder, shown
from gossamer.data.machines import is_left_out, left_out_notes
from gossamer.data.people_file import names_of_recordings, people_of_recordings
from gossamer.data.records import RecordData
from gossamer.data.splits import WHOLE, AbstractSplit, divide
from gossamer.data.wfdb_records import AbstractLeads, find_recordings, read_annotated
from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey


def is_wfdb_folder(path: Path) -> bool:
    """Return True if a folder holds WFDB recordings, itself or in its sub-folders."""
    patterns = ("*.hea", "*/*.hea", "*.dat", "*/*.dat")
    found = (entry.relative_to(path).parts for pattern in patterns for entry in path.glob(pattern))
    return any(not any(map(is_left_out, parts)) for parts in found)


def load_wfdb_folder(
    path: Path,
    *,
    leads: AbstractLeads,
    layout: AbstractBeatLayout | None = None,
    split: AbstractSplit = WHOLE,
    annotator: str = "atr",
    key: UnitKey | None = None,
) -> RecordData:
    """Read the annotated beats of a folder of recordings.

    If recordings lie in sub-folders, each sub-folder is a person. If they lie in the folder itself, the file
    `people.csv` names their people. Without that file, people are unknown.

    Args:
        path: Folder with `NAME.hea`, `NAME.dat` and `NAME.atr`, or with a sub-folder of these for each person.
        leads: Choice of the signals. Every name is public.
        layout: Rule by which beats are cut, or None for that of the Kaggle table.
        split: Rule by which series are held out for testing.
        annotator: Ending of the annotation files.
        key: Secret, by which a split holds some out. None for a new one.

    Returns:
        Beats of the five AAMI classes.

    Raises:
        InputError: A file is missing or damaged, or a recording has no person while others do.
    """
    layout = layout or KaggleLayout()
    _check_links(path)
    folders = sorted(entry for entry in path.iterdir() if is_folder(entry) and not is_left_out(entry.name))
    places = [(folder, name) for folder in folders for name in find_recordings(folder)]
    if places:
        if next(path.glob("*.hea"), None) is not None:
            raise InputError(f"{shown(path)} holds recordings and sub-folders: put every person into a sub-folder")
        owners = names_of_recordings([folder.name for folder in folders], f"{shown(path)}: sub-folder")
        person = dict(zip(folders, owners, strict=True))
        people: dict[str, str] | None = {f"{folder.name}/{name}": person[folder] for folder, name in places}
    else:
        places = [(path, name) for name in find_recordings(path)]
        people = people_of_recordings(path, [name for _, name in places])
    recordings = (_named(path, folder, name, leads, annotator) for folder, name in places)
    spec = layout.spec(leads.channel_names, AAMI_CLASSES)
    title = path.name if path.name and path.name.isprintable() else "recordings"
    rows = cut_recordings(title, spec, recordings, layout, people)
    note = f"Classes are those of AAMI; the signals were named by the user. {layout.note}"
    left_out = left_out_notes(entry.name for entry in path.iterdir())
    return divide(rows, split, (note, *left_out), key)


def _check_links(path: Path) -> None:
    root = path.resolve()
    for pattern in ("*", "*/*"):
        for entry in path.glob(pattern):
            if not any(map(is_left_out, entry.relative_to(path).parts)):
                check_link(entry, root)


def _named(root: Path, folder: Path, name: str, leads: AbstractLeads, annotator: str) -> Recording:
    found = read_annotated(folder, name, leads, annotator)
    return found if folder == root else dataclasses.replace(found, name=f"{folder.name}/{name}")
