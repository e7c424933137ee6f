"""The findings of a check of a run or a release: a line each, with a verdict."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gossamer.errors import InputError, PrivacyError, one_line


class Verdict(enum.Enum):
    """The outcome of a check.

    ``BROKEN``: a claim does not hold, or does not fit the files. ``UNREADABLE``: a file that is needed cannot be read.
    ``UNCHECKED``: the check needs something that is not here, and need not be.
    """

    HOLDS = "holds"
    BROKEN = "broken"
    UNREADABLE = "unreadable"
    UNCHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        verdict: the outcome.
        where: file or folder, within the checked one.
        what: a sentence.
    """

    verdict: Verdict
    where: str
    what: str

    def to_json(self) -> dict[str, str]:
        """Convert to plain types. Characters of names and file texts that could act on a terminal are removed."""
        return {"verdict": self.verdict.value, "where": one_line(self.where), "what": one_line(self.what)}


holds = functools.partial(Finding, Verdict.HOLDS)
"""A check that came out well, by its place and its finding."""
broken = functools.partial(Finding, Verdict.BROKEN)
"""A check that failed."""
unreadable = functools.partial(Finding, Verdict.UNREADABLE)
"""A check for which a file could not be read."""
unchecked = functools.partial(Finding, Verdict.UNCHECKED)
"""A check that could not be made here."""


def refused(where: str, checks: Iterable[Finding]) -> Iterator[Finding]:
    """Collect the findings of some checks. An error that ends them is a finding, too.

    Args:
        where: the file or folder being checked.
        checks: made one after the other.
    """
    try:
        yield from checks
    except (PrivacyError, InputError) as error:
        yield of_error(where, error)


def of_error(where: str, error: PrivacyError | InputError) -> Finding:
    """Return the text of an error, without a path that says again where."""
    path, colon, said = str(error).partition(": ")
    what = said if colon and path.endswith(where) else str(error)
    return broken(where, what) if isinstance(error, PrivacyError) else unreadable(where, what)
