"""Files and folders that machines leave beside a user's own: one list of names, left out wherever folders are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MACHINE_NAMES: Final = frozenset(
    {
        "__macosx", ".ds_store", ".spotlight-v100", ".trashes", ".fseventsd",  # macOS, and archives made there
        "$recycle.bin", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini",  # Windows
        "lost+found", ".directory",  # Linux
        "@eadir", "#recycle", "@recycle", "#snapshot",  # network storage
        ".ipynb_checkpoints", "__pycache__", ".git", ".dvc",  # programs
    }
)  # fmt: skip
"""Names in lower case. Upper and lower case are not told apart."""


def is_left_out(name: str) -> bool:
    """Return True if a file or folder of this name is a machine's, or hidden.

    >>> is_left_out("__MACOSX"), is_left_out(".hidden"), is_left_out("cat")
    (True, True, False)
    """
    return name.startswith(".") or name.casefold() in MACHINE_NAMES


def kind_left_out(name: str) -> str:
    """Return a word that may be told for a name that was left out. A hidden name is an owner's, and is not told.

    >>> kind_left_out("Thumbs.db"), kind_left_out(".of a person")
    ('Thumbs.db', 'hidden names')
    """
    return "hidden names" if name.startswith(".") and name.casefold() not in MACHINE_NAMES else name


def left_out_notes(names: Iterable[str]) -> tuple[str, ...]:
    """Return a sentence on the names that were left out as a machine's, or nothing if there were none."""
    found = sorted({name for name in names if name.casefold() in MACHINE_NAMES})
    return (f"Left out, as machines make them and not owners: {', '.join(found)}.",) if found else ()
