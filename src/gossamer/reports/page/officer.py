"""Words for an officer: trust, actors, the three questions of the law, side channels, and classes that are too small.

References:
    Article 29 Working Party, opinion 05/2014 (WP216): singling out, linkability and inference.
    EDPB, opinion 28/2024: models that were trained on personal data.
    NIST SP 800-226: the parts of a guarantee that an evaluation looks at, from the unit to the trust model.
    Hayes, Balle, Mahloujifar 2023, "Bounding training data reconstruction in DP-SGD", for guesses of one of k values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.events import GaussianPart
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon
from gossamer.privacy.tradeoff import TradeOff
from gossamer.reports.page.registry_words import TrustModel
from gossamer.reports.page.wording import chance, factor, percent

GUESSED: Final = (2, 10, 100, 10_000)
"""Numbers of equally likely values that a report shows the success of a guess for."""
_ALARMS: Final = 0.01

SIDE_CHANNELS: Final = (
    "the time, memory, power and caches of the machine while it trained: whoever shared the machine may have seen more "
    "than the release",
    "swap space, crash dumps, backups and logs of that machine, which may hold records, noise and keys",
    "an operating system, libraries or a processor that do not do as they say",
)
"""Ways out of a machine that no guarantee about a release can cover."""

NO_PRIVATE_SCORES: Final = (
    "No score on private data stands here. A score is computed from the records themselves, no epsilon covers it, and "
    "a choice by it is tuning on private data. The private report has such scores, and stays with the data."
)
"""The reason why a release report shows no score."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One of the three questions by which the law tells anonymous from personal data.

    Attributes:
        name: in the law's word.
        asked: the question.
        bounded: the part that the guarantee bounds, with its figure.
        open_part: the part that it does not bound.
    """

    name: str
    asked: str
    bounded: str
    open_part: str


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The trust model of a release, and its actors.

    Attributes:
        model: in the registry's word.
        actors: sentences on those who are trusted, each with a task, and on those who need not be.
    """

    model: TrustModel
    actors: str


def trust_of(statement: PrivacyStatement) -> Trust:
    """Return the trust model of a release, by the sites in its statement."""
    readers = (
        "Whoever reads the release, draws from it or holds other data need not be trusted: the guarantee is against "
        "them, and against all of them together"
    )
    if statement.sites:
        names = ", ".join(site.name for site in statement.sites)
        return Trust(
            model="Federated",
            actors=f"{len(statement.sites)} sites ({names}) each hold records of their own in the clear, and each is "
            "trusted with those alone. What leaves a site passed its noise there, so no site need trust another one or "
            f"the coordinator. {readers}.",
        )
    return Trust(
        model="Central",
        actors="One curator holds the records in the clear, trains on a machine of its own, and is trusted with both, "
        f"and with the secrecy of noise and keys. {readers}.",
    )


def questions(statement: PrivacyStatement, trade_off: TradeOff) -> tuple[Question, ...]:
    """Return the three questions of the law, each with the bounded part and the open part.

    Guarantee:
        Figures are those of the trade-off curve, rounded up: they hold for one unit of the statement.
    """
    unit = statement.unit.value
    caught = percent(trade_off.largest_catch_rate(_ALARMS))
    return (
        Question(
            name="Singling out",
            asked=f"Can one {unit} be isolated by the release?",
            bounded=f"An attacker who wrongly accuses 1 in 100 recognises at most {caught} of those that were there. "
            f"Any other conclusion about one {unit} becomes likelier by a factor of {factor(statement.epsilon)} at "
            f"most, up to {chance(statement.delta)} of probability.",
            open_part=f"{statement.unit.overlap[0].upper()}{statement.unit.overlap[1:]}. A sample that happens to look "
            "like somebody.",
        ),
        Question(
            name="Linkability",
            asked=f"Can the release be linked with other data on the same {unit}?",
            bounded="The same figures hold whatever other data, now or later, an attacker compares the release with.",
            open_part="Other releases from the same data: their epsilons add. Other data that tell by themselves.",
        ),
        Question(
            name="Inference",
            asked=f"Can a value of one {unit} be guessed from the release?",
            bounded=f"Of k equally likely values, the right one is guessed as rarely as the table says: of 10, in at "
            f"most {percent(trade_off.largest_guess_rate(10))} of cases.",
            open_part="Facts that hold for a whole group, which the release is meant to teach. They tell of a member "
            "too, whether or not the member was among the records.",
        ),
    )


def least_slots(statement: PrivacyStatement) -> float | None:
    """Return the number of slots below which noise outweighs all of a class, None if the noise is not known.

    The noise on a number of the first released sum has the deviation of so many of the largest contributions. A class
    of fewer slots cannot reach it, in any number.

    Guarantee: computed from the statement alone.
    """
    events = [site.event for site in statement.sites] or [statement.event]
    firsts = [event[0] if event else None for event in events]
    parts = [first for first in firsts if isinstance(first, GaussianPart)]
    if len(parts) < len(firsts):
        return None
    # Noise of several sites adds up in their common sum.
    noise = math.hypot(*(part.noise_multiplier for part in parts))
    return noise * (1.0 if statement.adjacency is Adjacency.ADD_OR_REMOVE_ONE else 2.0)


def weak_classes(
    statement: PrivacyStatement, class_names: tuple[str, ...], class_shares: tuple[float, ...]
) -> tuple[str, ...]:
    """Name the classes with so few slots that noise outweighs them, by released shares and the public number of slots.

    Guarantee: post-processing of released counts.

    Args:
        statement: of the release.
        class_names: of all classes.
        class_shares: as released, empty if the method releases none.
    """
    least = least_slots(statement)
    if least is None or not class_shares:
        return ()
    return tuple(
        name for name, share in zip(class_names, class_shares, strict=True) if share * statement.num_slots < least
    )


def classes_in_words(statement: PrivacyStatement, class_names: tuple[str, ...], class_shares: tuple[float, ...]) -> str:
    """Return a sentence on the classes that are too small, for a release with or without released counts."""
    least = least_slots(statement)
    if not class_names:
        return "The release has no classes."
    if not class_shares or least is None:
        return (
            "This method released no counts of classes, so nobody can tell from the release which classes are rare. "
            "Samples of a rare class may be noise."
        )
    weak = weak_classes(statement, class_names, class_shares)
    outweighed = f"fewer than about {least:.0f} {statement.unit.plural}, which the noise on a released number outweighs"
    if not weak:
        return f"By the released counts no class has {outweighed}."
    told = f"{len(weak)} of {len(class_names)} classes ({', '.join(weak[:12])}{', ...' * (len(weak) > 12)})"
    return f"By the released counts {told} have {outweighed}."


def currencies(statement: PrivacyStatement) -> tuple[tuple[str, str], ...]:
    """Return the guarantee in other currencies, as (name, value), each rounded up."""
    found = []
    if statement.mu is not None:
        exact = "" if statement.rho is not None else f", from delta {statement.delta:g} up"
        found.append((f"mu of Gaussian differential privacy{exact}", shown_epsilon(statement.mu)))
    if statement.rho is not None:
        found.append(("rho of zero-concentrated differential privacy", shown_epsilon(statement.rho)))
    if statement.epsilon_replaced is not None:
        replaced = f"epsilon for {statement.unit.protected} replaced by any other"
        found.append((replaced, shown_epsilon(statement.epsilon_replaced)))
    return tuple(found)
