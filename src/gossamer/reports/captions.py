"""Captions: the name of a target as it may be written into a picture."""

from __future__ import annotations

from collections.abc import Callable

_ELLIPSIS = "..."


def caption(name: str, fits: Callable[[str], bool]) -> str:
    """Shorten a name to one line that fits: unprintable characters become "?", a long name loses its middle.

    Beginning and end stay longest, since file names differ there.

    Args:
        name: as the user gave it.
        fits: True for a text that has room. If even the shortest text has none, that one comes back.

    >>> caption("runs/mnist/final.npz", lambda text: len(text) <= 12)
    'runs/....npz'
    >>> caption("two\\nlines", lambda text: True)
    'two?lines'
    """
    text = "".join(character if character.isprintable() else "?" for character in name)
    if fits(text):
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = text[: kept - kept // 2] + _ELLIPSIS + text[-(kept // 2) :]
        if len(shorter) < len(text) and fits(shorter):
            return shorter
    return text[:1] + _ELLIPSIS
