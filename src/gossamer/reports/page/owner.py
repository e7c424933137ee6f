"""The words of a release's owner: fields of a report that no program can fill, read from a TOML file."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from gossamer.errors import InputError
from gossamer.reports.page.registry_words import Sector
from gossamer.runs.files import read_bounded

_MAX_BYTES: Final = 100_000
_LONGEST: Final = 600
_MOST: Final = 20

TITLES: Final[Mapping[str, str]] = {
    "curator": "Curator",
    "purpose": "Purpose",
    "legal_basis": "Legal basis",
    "dpia_reference": "Impact assessment",
    "contact": "Contact",
    "retention": "Kept until",
    "recipients": "Recipients",
    "why_this_epsilon": "Why this epsilon",
    "region": "Region",
    "sector": "Sector",
    "registry_authors": "Authors of the registry's entry",
    "public_scores": "Scores on public data",
}
"""Fields of the owner in the order of the report, each with its title."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnerWords:
    """The owner's own words on a release. Gossamer checks none of them, and a report marks them as the owner's.

    Guarantee:
        None: nobody can tell if they came from private records. The owner answers for them.

    Attributes:
        curator: the body that answers for the data.
        purpose: use that the release is meant for.
        legal_basis: of the processing.
        dpia_reference: where the data protection impact assessment is found.
        contact: for questions and complaints.
        retention: how long records and release are kept.
        recipients: those who receive the release.
        why_this_epsilon: reasons for the budget.
        region: places that the data describe, or that have laws for them.
        sector: one of the registry's sectors.
        registry_authors: authors of the entry in the registry.
        public_scores: sentences on scores that were computed on public data alone.

    Raises:
        InputError: a text that is too long or cannot be printed, or a sector that the registry has not.
    """

    curator: str | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    dpia_reference: str | None = None
    contact: str | None = None
    retention: str | None = None
    recipients: str | None = None
    why_this_epsilon: str | None = None
    region: str | None = None
    sector: str | None = None
    registry_authors: tuple[str, ...] = ()
    public_scores: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, texts in self.filled.items():
            for text in texts:
                if not text or len(text) > _LONGEST or not text.isprintable():
                    raise InputError(
                        f"{name}: a text of 1 to {_LONGEST} characters that can be printed belongs there; shorten it, "
                        "or leave the field out"
                    )
            if len(texts) > _MOST:
                raise InputError(f"{name}: more than {_MOST} texts; leave some out")
        if self.sector is not None and self.sector not in get_args(Sector):
            raise InputError(f"sector: must be one of {', '.join(get_args(Sector))}, or left out")

    @property
    def filled(self) -> dict[str, tuple[str, ...]]:
        """The fields that the owner filled, in the order of the report, each as one or more texts."""
        values = {name: getattr(self, name) for name in TITLES}
        texts = {name: (value,) if isinstance(value, str) else value for name, value in values.items()}
        return {name: text for name, text in texts.items() if text}

    @property
    def rows(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every field but the scores, with its title and its texts, none if it was left open."""
        return tuple(
            (title, self.filled.get(name, ())) for name, title in TITLES.items() if name not in _OF_OTHER_PLACES
        )


_OF_OTHER_PLACES: Final = ("registry_authors", "public_scores", "region", "sector")
NOTHING_FILLED: Final = OwnerWords()
"""All fields left open."""


def read_owner(path: Path) -> OwnerWords:
    """Read the owner's words. Line breaks and runs of spaces in a text become one space.

    Args:
        path: of a TOML file with fields of `OwnerWords`.

    Raises:
        InputError: no such file, no TOML, an unknown field, or a value of another kind.
    """
    if not path.is_file():
        raise InputError(f"--fill {path}: no such file; write one with fields such as curator and purpose")
    try:
        tree = tomllib.loads(read_bounded(path, _MAX_BYTES).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        # The parser's own message quotes the file.
        raise InputError(f'--fill {path}: not TOML in UTF-8; a field is a line like curator = "The hospital"') from None
    try:
        values: dict[str, Any] = {name: _value(name, value) for name, value in tree.items()}
        return OwnerWords(**values)
    except InputError as error:
        raise InputError(f"--fill {path}: {error}") from None


def _value(name: str, value: Any) -> str | tuple[str, ...]:
    """Return a field's value, refused if the field is unknown or the value is of another kind."""
    if name not in TITLES:
        near = difflib.get_close_matches(name, TITLES, n=1)
        way_out = f"perhaps {near[0]} was meant" if near else f"the fields are {', '.join(TITLES)}"
        raise InputError(f"no field of that name ({name[:40]!r}); {way_out}")
    is_list = isinstance(getattr(NOTHING_FILLED, name), tuple)
    if is_list and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(" ".join(one.split()) for one in value)
    if is_list or not isinstance(value, str):
        raise InputError(f"{name}: {'a list of texts' if is_list else 'one text'} belongs there")
    return " ".join(value.split())
