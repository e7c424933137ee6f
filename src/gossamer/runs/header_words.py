"""Public names as headers of recordings can hold them: ASCII, of a largest length, each of its own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gossamer.data.units import plain_unit

_MOST_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True)
class HeaderWords:
    """Names as they stand in a header, and a sentence on those that had to change.

    Attributes:
        words: a word for each name, all different.
        note: sentence on the changes, None if there are none.
    """

    words: tuple[str, ...]
    note: str | None


def header_words(names: Sequence[str], *, longest: int, what: str) -> HeaderWords:
    """Write public names in ASCII, each of its own. If two would be alike, or one empty, all become numbers.

    Args:
        names: distinct.
        longest: largest number of characters.
        what: such a name in one word, as in ``channel``.

    Example:
        >>> header_words(["Fpz–Cz", "Mühe"], longest=16, what="channel").words
        ('Fpz-Cz', 'Muhe')
    """
    words = tuple(_ascii(name)[:longest].strip() for name in names)
    if len(set(words)) < len(words) or not all(words):
        words = tuple(f"{what} {number}"[:longest] for number in range(len(names)))
    changed = [f"{name!r} as {word!r}" for name, word in zip(names, words, strict=True) if name != word]
    more = ", ..." if len(changed) > _MOST_SHOWN else ""
    said = f"A {what} has at most {longest} ASCII characters there: written {', '.join(changed[:_MOST_SHOWN])}{more}."
    return HeaderWords(words=words, note=said if changed else None)


def _ascii(name: str) -> str:
    dashed = "".join("-" if unicodedata.category(letter) == "Pd" else letter for letter in plain_unit(name))
    plain = unicodedata.normalize("NFKD", dashed).encode("ascii", errors="ignore").decode("ascii")
    return " ".join(plain.split())
