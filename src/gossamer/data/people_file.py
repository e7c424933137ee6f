"""The table that names the person of each recording of a folder: `people.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gossamer.data.files import damage_refused, is_file, open_regular, shown
from gossamer.data.names import names_of_texts
from gossamer.errors import InputError

PEOPLE_FILE: Final = "people.csv"
"""Table with a line `recording,person` for each recording of a folder, without a head line."""
_MAX_TABLE_BYTES: Final = 2**26


def people_of_recordings(folder: Path, recordings: list[str]) -> dict[str, str] | None:
    """Map each recording to its person, by `people.csv`. Return None if there is no such file.

    Args:
        folder: Folder of the recordings.
        recordings: Their names.

    Raises:
        InputError: A line breaks a rule, or the file says nobody for a recording.
    """
    path = folder / PEOPLE_FILE
    if not is_file(path):
        return None
    said = _said(path)
    known = names_of_recordings(recordings, f"{shown(folder)}: recording")
    firsts = dict(zip(reversed(known), reversed(recordings), strict=True))
    for recording, name in zip(recordings, known, strict=True):
        if firsts[name] != recording:
            raise InputError(
                f"{shown(folder)}: the recordings {shown(firsts[name])} and {shown(recording)} have one name, as 7 and "
                f"07 have: rename one, or {PEOPLE_FILE} cannot tell them apart"
            )
        if name not in said:
            # Privacy: the other lines of the file are not told.
            has_ending = any(other.startswith(f"{name}.") for other in said)
            way_out = "write names of recordings without the ending of the file" if has_ending else "add a line for it"
            raise InputError(f"{shown(path)} says nobody for the recording {shown(recording)}: {way_out}")
    return {recording: said[name] for recording, name in zip(recordings, known, strict=True)}


def _said(path: Path) -> dict[str, str]:
    """Map the name of each recording to the name of its person, both by the rule of all readers."""
    with open_regular(path) as file, damage_refused(shown(path)):
        lines = list(csv.reader(io.StringIO(file.read(_MAX_TABLE_BYTES).decode("utf-8-sig"))))
    for index, line in enumerate(lines):
        if len(line) != 2 or not all(cell.strip() for cell in line):
            raise InputError(f"{shown(path)}: line {index + 1} must be a recording and its person: 100,anna")
    recordings, owners = (
        names_of_recordings([line[side] for line in lines], f"{shown(path)}: line") for side in (0, 1)
    )
    people: dict[str, str] = {}
    for index, (recording, person) in enumerate(zip(recordings, owners, strict=True)):
        if people.setdefault(recording, person) != person:
            raise InputError(f"{shown(path)}: line {index + 1} names a second person for a recording: keep one")
    return people


def refuse_people_file(folder: Path, people: Iterable[Path]) -> None:
    """Refuse a table of people where each sub-folder is a person, since the two may say other people.

    Args:
        folder: Folder of the sub-folders.
        people: Sub-folders with recordings.

    Raises:
        InputError: The table is there, or in a sub-folder.
    """
    for place in (folder, *people):
        if is_file(place / PEOPLE_FILE):
            raise InputError(
                f"{shown(place / PEOPLE_FILE)} names people, and so do the sub-folders of recordings, one a person: "
                "move it away, or put all recordings into one folder"
            )


def refuse_doubles(names: list[str], where: str) -> None:
    """Refuse two recordings of one name, where their names are all that tells them apart.

    Raises:
        InputError: Naming the first such name.
    """
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(f"{where}: two recordings have the name {shown(name)}, as 7 and 07 have: rename one")


def names_of_recordings(texts: list[str], at: str) -> list[str]:
    """Return names of recordings, or of people, by the rule of all readers. A message begins with `at`."""
    return names_of_texts(texts, lambda index: f"{at} {index + 1}").tolist()
