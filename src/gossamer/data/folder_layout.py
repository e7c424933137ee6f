"""The layout of a folder of pictures: files alone, a sub-folder a class, and all of that in train and test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer.data.files import check_link, is_folder, shown
from gossamer.data.machines import is_left_out, left_out_notes
from gossamer.data.picture_table import TABLES, find_picture_table
from gossamer.data.pictures import FORMATS, is_picture
from gossamer.errors import InputError

CARDS: Final = ("README.md", "croissant.json", *TABLES)
"""Names of files that describe a folder and are no picture. `gossamer sample` writes them, and many folders have
one."""
_TRAIN: Final = ("train", "training")
_TEST: Final = ("test", "testing")
_CHECK: Final = ("val", "valid", "validation")
_ENDINGS: Final = ", ".join(ending[1:] for ending in FORMATS)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A folder's own entries, without those of machines.

    Args:
        folders: Sub-folders, sorted.
        files: Files, sorted.
        left_out: Names that were left out: those of machines, hidden ones, and cards.
    """

    folders: list[Path]
    files: list[Path]
    left_out: list[str]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentence on the names of machines among those left out."""
        return left_out_notes(self.left_out)


def listed(folder: Path, root: Path) -> Listing:
    """List a folder.

    Args:
        folder: The folder.
        root: Folder that its owner handed over, resolved. No link may lead out of it.

    Raises:
        InputError: It cannot be listed, or a link leads out.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except PermissionError:
        raise InputError(f"{shown(folder)} may not be read: give yourself read permission on it") from None
    except (OSError, ValueError):
        raise InputError(f"{shown(folder)} cannot be listed: name a folder of pictures") from None
    left_out = [name for name in names if is_left_out(name) or name in CARDS]
    paths = [folder / name for name in names if name not in left_out]
    for path in paths:
        check_link(path, root)
    return Listing(
        folders=[path for path in paths if is_folder(path)],
        files=[path for path in paths if not is_folder(path)],
        left_out=left_out,
    )


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The folders of training and test pictures.

    Args:
        train: Folder of the pictures to learn from.
        test: Folder of those held out, or None.
        notes: Sentences on how the folder was understood.
    """

    train: Path
    test: Path | None
    notes: tuple[str, ...]


def parts_of(path: Path, root: Path) -> Parts:
    """Find train and test in a folder: they are such if all of its sub-folders have names of that kind.

    Raises:
        InputError: There is no training part, two of one kind, or files or a table beside them.
    """
    listing = listed(path, root)
    kinds: dict[tuple[str, ...], list[Path]] = {
        kind: [folder for folder in listing.folders if folder.name.casefold() in kind] for kind in _KINDS
    }
    num_known = sum(map(len, kinds.values()))
    if not num_known or num_known < len(listing.folders):
        return Parts(train=path, test=None, notes=listing.notes)
    if len(listing.folders) == 1 and listing.folders[0].name.casefold() not in _TRAIN:
        return Parts(train=path, test=None, notes=listing.notes)
    if listing.files or find_picture_table(path) is not None:
        raise InputError(
            f"{shown(path)} holds {shown(listing.folders[0].name)}, a part of a data set, and files beside it: put "
            "pictures and their metadata.csv into the parts"
        )
    double = next((folders for folders in kinds.values() if len(folders) > 1), None)
    if double is not None or not kinds[_TRAIN]:
        raise InputError(
            f"{shown(path)} holds the parts {', '.join(folder.name for folder in listing.folders)}: one train and one "
            "test are read; name one of them instead, or rename a class of such a name"
        )
    return _parts(kinds, listing.notes)


_KINDS: Final = (_TRAIN, _TEST, _CHECK)


def _parts(kinds: dict[tuple[str, ...], list[Path]], notes: tuple[str, ...]) -> Parts:
    [train], held_out = kinds[_TRAIN], [*kinds[_TEST], *kinds[_CHECK]]
    said = [f"The sub-folder {train.name} was read as training data, not as a class."]
    if held_out:
        said.append(f"The sub-folder {held_out[0].name} was read as test data.")
    if held_out[1:]:
        said.append(f"The sub-folder {held_out[1].name} was left out: its pictures are neither learnt nor tested on.")
    return Parts(train=train, test=held_out[0] if held_out else None, notes=(*notes, *said))


def pictures_in(folder: Path, root: Path) -> list[Path]:
    """Return the pictures straight in a folder, sorted.

    Raises:
        InputError: Something else is there.
    """
    listing = listed(folder, root)
    if listing.folders:
        raise InputError(
            f"{shown(listing.folders[0])} is a folder inside a class: only one level of sub-folders is read; "
            f"{shown(folder)} can be read by itself"
        )
    return checked_pictures(listing.files)


def checked_pictures(files: list[Path]) -> list[Path]:
    """Return the files again, all of which have the ending of a picture.

    Raises:
        InputError: One has not.
    """
    for path in files:
        if not is_picture(path):
            raise InputError(
                f"{shown(path)} is no picture that is read ({_ENDINGS}): save it as PNG, or move it out of the folder"
            )
    return files
