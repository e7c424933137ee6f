"""Are files those that were published: digests, and the one sentence on files that are not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from gossamer.data.files import CHUNK_BYTES, open_regular

_NOT_PUBLISHED: Final = "The files are not those published for "


def others_note(title: str) -> str:
    """Return the sentence on other files in the place of a published set.

    Privacy: it is public, and one bit on the files: whether they are the ones that everybody has. If they are, nothing
    in them is secret. If they are not, nothing published is claimed of them.
    """
    return (
        f"{_NOT_PUBLISHED}{title} (their SHA-256 differs): they are read in its format, with the names of its classes, "
        "and nothing else that was published is claimed of them."
    )


def is_of_others(notes: Sequence[str]) -> bool:
    """Return True if the notes on public inputs say that the files are not the published ones.

    >>> is_of_others(("Shape and classes are public.", others_note("MNIST")))
    True
    """
    return any(note.startswith(_NOT_PUBLISHED) for note in notes)


def digest_of_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of the digests of files, in their order, in hexadecimal.

    Raises:
        InputError: A file is absent or may not be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        with open_regular(path) as file:
            each = hashlib.sha256()
            while chunk := file.read(CHUNK_BYTES):
                each.update(chunk)
            whole.update(each.digest())
    return whole.hexdigest()
