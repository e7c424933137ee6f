"""The files of a folder of DICOM images: found in its tree, told apart by numbers, with a table of their classes."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.files import damage_refused, is_file, is_folder, open_regular, shown
from gossamer.data.machines import is_left_out
from gossamer.data.names import names_of_texts
from gossamer.errors import InputError

CLASS_TABLE: Final = "classes.csv"
"""Name of the table of classes, in the folder itself."""
MAX_FILES: Final = 2**22
"""Largest number of files in a folder of DICOM images."""
_MAX_TABLE_BYTES: Final = 64 * 2**20
_ENDINGS: Final = (".dcm", ".dicom", ".ima")
_NOT_IMAGES: Final = frozenset({"README.md", "croissant.json", CLASS_TABLE, "DICOMDIR"})
_MARK_AT: Final = 128


@dataclass(frozen=True, kw_only=True)
class DicomFile:
    """A file of a folder, with its number in the order of the sorted paths, from 0.

    Args:
        root: The folder that the user named.
        parts: Names that lead from the folder to the file. They may be those of patients, and are private.
        number: Place in the order.
    """

    root: Path
    parts: tuple[str, ...]
    number: int

    @property
    def path(self) -> Path:
        """Path of the file, private."""
        return self.root.joinpath(*self.parts)

    @property
    def where(self) -> str:
        """Beginning of a message."""
        # Privacy: the name of a file or folder may be that of a patient. A message has its number.
        return f"{shown(self.root)}: DICOM file {self.number + 1}"


def is_dicom_folder(path: Path) -> bool:
    """Return True if a folder or one below it holds a DICOM file, by its ending or its first bytes."""
    try:
        return any(_is_dicom(path.joinpath(*parts)) for parts in _walk(path, None, ()))
    except InputError:
        return False


def find_dicom_files(path: Path) -> list[DicomFile]:
    """List the files of a folder and of all folders below it, in the order of their paths.

    Names that begin with a dot, folders that machines make (``__MACOSX``), README.md, croissant.json, classes.csv and
    DICOMDIR are skipped.

    Raises:
        InputError: There are too many files or none, a link leads to a folder or out of it, or a folder cannot be read.
    """
    found = []
    for number, parts in enumerate(_walk(path, path.resolve(), ())):
        if number >= MAX_FILES:
            raise InputError(f"{shown(path)} holds more than {MAX_FILES} files: hand over a part of them")
        found.append(DicomFile(root=path, parts=parts, number=number))
    if not found:
        raise InputError(f"{shown(path)} holds no DICOM file: put at least 1 there")
    return found


def class_folders(path: Path) -> tuple[str, ...]:
    """List the names of the sub-folders that may be classes, sorted. An empty one is a class without images."""
    return tuple(
        sorted(
            entry.name
            for entry in path.iterdir()
            if is_folder(entry) and not is_left_out(entry.name) and entry.name not in _NOT_IMAGES
        )
    )


def _walk(root: Path, resolved: Path | None, parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """List the paths below a folder. Links are refused if they lead out of it, or left out without a resolved root."""
    folder = root.joinpath(*parts)
    try:
        with os.scandir(folder) as entries:
            here = sorted((entry.name, entry.is_dir(), entry.is_symlink()) for entry in entries)
    except (OSError, ValueError):
        raise InputError(f"{shown(root)} or a folder in it cannot be listed: give yourself permission") from None
    for name, is_dir, is_link in here:
        if is_left_out(name) or name in _NOT_IMAGES:
            continue
        if is_link and resolved is None:
            continue
        if is_link and (is_dir or not _stays_inside(folder / name, resolved)):
            raise InputError(
                f"{shown(root)} holds a link to a folder, to nothing or out of it: copy the files into the folder"
            )
        if is_dir:
            yield from _walk(root, resolved, (*parts, name))
        else:
            yield (*parts, name)


def _stays_inside(path: Path, root: Path | None) -> bool:
    try:
        return root is not None and path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def _is_dicom(path: Path) -> bool:
    ending = path.suffix.lower()
    if ending in _ENDINGS:
        return True
    # Names without an ending, and those that are numbers with points between them: 1.2.840.113619.2
    return (not ending or ending[1:].isdigit()) and is_file(path) and has_mark(path)


def has_mark(path: Path) -> bool:
    """Return True if a file has the mark of DICOM, ``DICM`` after 128 bytes.

    Raises:
        InputError: The file cannot be opened.
    """
    with open_regular(path) as file:
        return file.read(_MARK_AT + 4)[_MARK_AT:] == b"DICM"


def words_of_table(files: Sequence[DicomFile], patients: Sequence[str | None]) -> np.ndarray | None:
    """Read the class of each file from ``classes.csv`` in the folder.

    The first line of the table is ``file,class`` or ``patient,class``. A file is named by its path in the folder, with
    or without its ending, and a patient by the Patient ID.

    Args:
        files: All files of the folder.
        patients: Patient ID of each, by the rule of `names`, or None.

    Returns:
        Names (files,), by the rule of `names`. Private. None if there is no table.

    Raises:
        InputError: The table breaks a rule, or has no line for a file.
    """
    table = files[0].root / CLASS_TABLE
    if not is_file(table):
        return None
    said = _said(table)
    words = []
    for file, patient in zip(files, patients, strict=True):
        of_file = [said.lines.get(name) for name in ([patient or ""] if said.is_by_patient else _names_of(file))]
        word = next((word for word in of_file if word is not None), None)
        if word is None:
            raise InputError(f"{file.where} has no line in {shown(table)}: add one for each {said.kind}")
        words.append(word)
    return np.array(words, dtype=str)


@dataclass(frozen=True, kw_only=True)
class _Said:
    is_by_patient: bool
    lines: dict[str, str]

    @property
    def kind(self) -> str:
        return "patient" if self.is_by_patient else "file"


def _names_of(file: DicomFile) -> list[str]:
    whole = "/".join(file.parts)
    return [whole, whole.removesuffix(file.path.suffix)]


def _said(table: Path) -> _Said:
    with open_regular(table) as opened, damage_refused(shown(table)):
        content = opened.read(_MAX_TABLE_BYTES + 1)
        if len(content) > _MAX_TABLE_BYTES:
            raise InputError(f"{shown(table)} is larger than {_MAX_TABLE_BYTES} bytes: keep two columns alone")
        head, *rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")))) or [[]]
    head = [cell.strip().lower() for cell in head]
    if head not in (["file", "class"], ["patient", "class"]):
        raise InputError(f"{shown(table)}: the first line must be file,class or patient,class")
    for index, row in enumerate(rows):
        if len(row) != 2:
            raise InputError(f"{shown(table)}: line {index + 2} must have two cells, as the first line has")
    is_by_patient = head[0] == "patient"
    place = f"{shown(table)}: line"
    firsts = [row[0].strip() for row in rows]
    if is_by_patient:
        firsts = names_of_texts(firsts, lambda index: f"{place} {index + 2}").tolist()
    words = names_of_texts([row[1] for row in rows], lambda index: f"{place} {index + 2}").tolist()
    lines: dict[str, str] = {}
    for index, (first, word) in enumerate(zip(firsts, words, strict=True)):
        if lines.setdefault(first, word) != word:
            raise InputError(f"{place} {index + 2} says a second class for one {head[0]}: keep one")
    return _Said(is_by_patient=is_by_patient, lines=lines)
