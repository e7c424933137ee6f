"""The claims of sites that trained together: each has its own epsilon, for the records that lie there."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gossamer.errors import InputError
from gossamer.privacy.budget import check_delta, check_number
from gossamer.privacy.event_data import from_data, to_data
from gossamer.privacy.events import Part

MAX_SITES: Final = 64
"""Most sites of one training."""
AGAINST: Final = (
    "what a site sends has its guarantee against readers of the release, the coordinator and the other sites, also "
    "together, as long as the site runs its own code"
)
"""The sentence on the parties that the claim of a site holds against."""
NOT_AGAINST: Final = (
    "a unit with records at several sites: it spends the epsilons and deltas of all these sites, which add up",
    "the time at which a site answers, and a round that a person withholds after looking at private data",
)
"""Sentences on the things that the claim of a site does not cover."""
_NO_CLAIM: Final = "the privacy statement has no claim of a site as it must be: use the file as it was written"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def check_site_name(name: object) -> str:
    """Refuse a name of a site that could not stand in a table, an option and a file name.

    Raises:
        InputError: any other name.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError("a site needs a name of 1 to 40 letters, digits, hyphens and underscores, without a space")
    return name


@dataclass(frozen=True, kw_only=True)
class SiteClaim:
    """The claim of one site, for the units that lie there.

    Args:
        name: of the site.
        num_slots: public number of slots there.
        epsilon: an upper bound, for all rounds as planned, at least 0.
        delta: in (0, 1 / num_slots).
        answered: rounds in which the site gave its contribution, from 1 on.
        num_rounds: rounds of the training.
        event: the elementary mechanisms of the site's plan as data, at least one.

    Raises:
        InputError: a number is out of range, or the name is none.
        PrivacyError: delta is not below 1 / num_slots.
    """

    name: str
    num_slots: int
    epsilon: float
    delta: float
    answered: tuple[int, ...]
    num_rounds: int
    event: tuple[Part, ...]

    def __post_init__(self) -> None:
        check_site_name(self.name)
        check_delta(self.delta, self.num_slots)
        check_number("epsilon of a site", self.epsilon)
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise InputError(f"epsilon of the site {self.name} must be a finite number of at least 0")
        if list(self.answered) != sorted(set(self.answered)) or not set(self.answered) <= set(
            range(1, self.num_rounds + 1)
        ):
            raise InputError(f"the site {self.name} must have answered rounds of 1 to {self.num_rounds}, in order")
        if not self.event:
            raise InputError(f"the claim of the site {self.name} needs an event")

    def to_json(self) -> dict[str, Any]:
        """Return the claim in plain types, which `from_json` reads back."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain | {"answered": list(self.answered), "event": [to_data(part) for part in self.event]}

    @classmethod
    def from_json(cls, tree: object) -> SiteClaim:
        """Read a tree of `to_json`.

        Raises:
            InputError: any other tree.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(tree, Mapping) or set(tree) != fields:
            raise InputError(_NO_CLAIM)
        lists = tree["answered"], tree["event"]
        whole = [tree["num_slots"], tree["num_rounds"], *(lists[0] if isinstance(lists[0], list) else [None])]
        are_lists = all(isinstance(one, list) and len(one) <= 1000 for one in lists)
        if not are_lists or any(type(one) is not int for one in whole) or not all(map(_is_table, lists[1])):
            raise InputError(_NO_CLAIM)
        return cls(**dict(tree) | {"answered": tuple(lists[0]), "event": tuple(map(from_data, lists[1]))})


def read_site_claims(tree: object) -> tuple[SiteClaim, ...]:
    """Read the claims of all sites of a statement.

    Raises:
        InputError: no list of claims, too many, or two of one name.
    """
    if not isinstance(tree, list) or len(tree) > MAX_SITES:
        raise InputError("the privacy statement has no list of sites as it must be: use the file as it was written")
    found = tuple(map(SiteClaim.from_json, tree))
    if len({claim.name for claim in found}) < len(found):
        raise InputError("the privacy statement names a site twice: use the file as it was written")
    return found


def describe_sites(claims: Sequence[SiteClaim], unit: str, shown: Callable[[float], str]) -> list[str]:
    """Describe the claims of sites, as lines of Markdown, none without sites.

    Args:
        claims: of the sites.
        unit: the content of a slot, in a word.
        shown: writes an epsilon, never rounded down.
    """
    if not claims:
        return []
    rows = [
        f"| {claim.name} | {claim.num_slots} | {shown(claim.epsilon)} | {claim.delta:g} | {_rounds(claim)} |"
        for claim in claims
    ]
    return [
        f"The records lie at {len(claims)} sites, and each site protects its own. A {unit} that lies at one site "
        "spends the epsilon of that site alone. The figure above is at least that of every site.",
        "",
        f"| site | slots, each a {unit} | epsilon | delta | rounds answered |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]


def _rounds(claim: SiteClaim) -> str:
    if len(claim.answered) == claim.num_rounds:
        return f"all {claim.num_rounds}"
    return f"{', '.join(map(str, claim.answered)) or 'none'} of {claim.num_rounds}, priced as all"


def _is_table(value: object) -> bool:
    return isinstance(value, dict)
