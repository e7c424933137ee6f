"""Numbers of records of the classes, for the owner's eyes: classes of which there is no record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SHOWN: Final = 12


def warnings_of_classes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the sentence on classes without a record, or none if every class has one. Private.

    Args:
        counts: Name of a class -> number of its records.

    Example:
        >>> warnings_of_classes({"N": 3, "Q": 0})[0][:60]
        'No record is of the classes Q, so samples of these will be n'
        >>> warnings_of_classes({"N": 3})
        ()
    """
    empty = [name for name, number in counts.items() if not number]
    if not empty:
        return ()
    named = ", ".join(empty[:_SHOWN]) + ", ..." * (len(empty) > _SHOWN)
    return (
        f"No record is of the classes {named}, so samples of these will be noise. If you know so without these counts, "
        "say fewer classes (--class-names or --num-classes), or draw in the released shares (--evenness 0).",
    )
