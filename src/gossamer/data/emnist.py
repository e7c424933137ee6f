"""The published facts of EMNIST, known by the names of its files: classes, the first label, and that images lie."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Final

_ALL: Final = (*string.digits, *string.ascii_uppercase, *string.ascii_lowercase)
_MERGED: Final = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")
_LETTERS: Final = tuple(string.ascii_uppercase)
_DIGITS: Final = tuple(string.digits)


@dataclass(frozen=True, kw_only=True)
class EmnistSet:
    """One of the six sets of EMNIST. Everything in it is public.

    Args:
        name: Its name within the names of the files.
        class_names: A character for each class. Where capital and small letters are one class, the capital.
        first_label: Label of the first class.
    """

    name: str
    class_names: tuple[str, ...]
    first_label: int = 0

    @property
    def notes(self) -> tuple[str, str]:
        """Sentences for the statement on the facts that were taken from the names of the files."""
        return (
            f"The classes and their labels are those published for EMNIST {self.name}, as the files are named.",
            "Rows and columns of each image were exchanged, since EMNIST stores its images so.",
        )


EMNIST: Final = (
    EmnistSet(name="byclass", class_names=_ALL),
    EmnistSet(name="bymerge", class_names=_MERGED),
    EmnistSet(name="balanced", class_names=_MERGED),
    EmnistSet(name="letters", class_names=_LETTERS, first_label=1),
    EmnistSet(name="digits", class_names=_DIGITS),
    EmnistSet(name="mnist", class_names=_DIGITS),
)
"""The sets of EMNIST (Cohen, Afshar, Tapson, van Schaik 2017)."""


def emnist_of(file_name: str) -> EmnistSet | None:
    """Return the set that a file is part of, by its name as published, or None.

    >>> emnist_of("emnist-letters-train-images-idx3-ubyte.gz").first_label
    1
    """
    return next((one for one in EMNIST if file_name.startswith(f"emnist-{one.name}-")), None)
