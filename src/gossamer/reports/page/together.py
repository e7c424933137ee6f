"""The price of several releases together, by their claims alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.statement import PrivacyStatement


@dataclass(frozen=True, kw_only=True)
class JointPrice:
    """The joint price of several branches of one run, by their ledgers: shared steps are counted once.

    Attributes:
        epsilon: of all their releases.
        delta: the delta for which epsilon holds.
        num_branches: number of branches priced.
    """

    epsilon: float
    delta: float
    num_branches: int


class Claimant(Protocol):
    """A release as far as its price goes."""

    @property
    def name(self) -> str:
        """Its name for a reader."""
        ...

    @property
    def statement(self) -> PrivacyStatement:
        """Its claim."""
        ...


@dataclass(frozen=True, kw_only=True)
class Together:
    """Several releases that may be of the same records.

    Attributes:
        epsilon: of all of them.
        delta: of all of them.
        unit: one record, unless all protect a person.
        adjacency: the change of the data that all of them hold for.
        branches: names of the releases of each run that has more than one here.
        is_priced_once: True if the shared steps of branches were counted once, for each run with several branches.
    """

    epsilon: float
    delta: float
    unit: Unit
    adjacency: Adjacency
    branches: tuple[tuple[str, ...], ...] = ()
    is_priced_once: bool = False

    @classmethod
    def of(cls, runs: Sequence[Claimant], joint: Mapping[str, JointPrice] | None = None) -> Together | None:
        """Compose the claims by basic composition, None if the claims protect things that do not compare.

        Guarantee:
            A claim for any change of a slot holds for adding and removing, and for replacing. A claim for any change of
            a person's slot, or for a person replaced by any other, holds for one replaced record of that person. So
            the sum holds for the weaker claims. A claim on taking out a person says nothing of taking out one of that
            person's records, so such claims are not added up. The branches of one run are one mechanism. Its price
            takes the place of their sum, if the price is known.

        Args:
            runs: with their claims.
            joint: joint price of the branches of a run, by run id, if it is known.
        """
        claims = [one.statement for one in runs]
        units, adjacency = {claim.unit for claim in claims}, _common(claims)
        groups_of_records = [claim for claim in claims if claim.unit.is_group]
        is_added = any(claim.adjacency is Adjacency.ADD_OR_REMOVE_ONE for claim in groups_of_records)
        if adjacency is None or (len(units) > 1 and is_added):
            return None
        groups = _groups(runs)
        prices = [_together(group, joint or {}) for group in groups]
        several = [group for group in groups if len(group) > 1]
        return cls(
            epsilon=sum(price.epsilon for price in prices),
            delta=sum(price.delta for price in prices),
            unit=next(unit for unit in units if all(other.holds(unit) for other in units)),
            adjacency=adjacency,
            branches=tuple(tuple(one.name for one in group) for group in several),
            is_priced_once=bool(several) and all(_is_known(group, joint or {}) for group in several),
        )


def _common(claims: Sequence[PrivacyStatement]) -> Adjacency | None:
    """Return the change of the data that all claims hold for, None if there is none."""
    special = {claim.adjacency for claim in claims} - {Adjacency.SLOT}
    if len(special) > 1:
        return None
    return special.pop() if special else Adjacency.SLOT


def _groups(runs: Sequence[Claimant]) -> list[list[Claimant]]:
    """Group releases by the run that they name. A release that names none stands alone."""
    groups: dict[object, list[Claimant]] = {}
    for number, one in enumerate(runs):
        groups.setdefault(one.statement.run_id or number, []).append(one)
    return list(groups.values())


def _is_known(group: Sequence[Claimant], joint: Mapping[str, JointPrice]) -> bool:
    known = joint.get(group[0].statement.run_id or "")
    return known is not None and known.num_branches == len(group)


def _together(group: Sequence[Claimant], joint: Mapping[str, JointPrice]) -> JointPrice:
    claims = [one.statement for one in group]
    if len(group) > 1 and _is_known(group, joint):
        known = joint[claims[0].run_id or ""]
        # The joint price is never below the price that one of the branches claims by itself.
        return replace(known, epsilon=max(known.epsilon, *(claim.epsilon for claim in claims)))
    epsilon, delta = sum(claim.epsilon for claim in claims), sum(claim.delta for claim in claims)
    return JointPrice(epsilon=epsilon, delta=delta, num_branches=len(group))
