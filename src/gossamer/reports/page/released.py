"""The source of a release report: a release, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from gossamer.errors import InputError, PrivacyError
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.statement import PrivacyStatement
from gossamer.privacy.tradeoff import TradeOff, trade_off_of
from gossamer.reports.page.figures import MOST_CLASSES, Exhibit, exhibits, num_per_class
from gossamer.runs.findings import Finding
from gossamer.runs.manifest import MANIFEST, file_digest, read_manifest
from gossamer.runs.release import PARTS


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedRun:
    """All that a release report says of one release.

    Guarantee:
        Every field is computed from files of the release, and no field is a path. A page written from this object is
        post-processing of files that may be shared, and costs nothing more.

    Attributes:
        name: as the report calls it.
        statement: the privacy statement of the release.
        recipe: shape, classes and network.
        num_weights: of the generator.
        exhibits: synthetic records, some of each class, drawn with the class's number as seed.
        trade_off: the attacker's gain under the guarantee.
        files: path within the release -> SHA-256 in hexadecimal. The manifest comes first, if there is one.
        findings: results of a check of the release.
    """

    name: str
    statement: PrivacyStatement
    recipe: GeneratorRecipe
    num_weights: int
    exhibits: tuple[Exhibit, ...]
    trade_off: TradeOff
    files: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def network(self) -> str:
        """Kind of the generator: "CosineGenerator"."""
        return type(self.recipe.network).__name__.removesuffix("Config")

    @classmethod
    def read(cls, name: str, folder: Path, trained: TrainedGenerator, findings: Sequence[Finding]) -> ReleasedRun:
        """Read a release.

        Args:
            name: as the report shall call it.
            folder: of the release: the one with `generator.safetensors`.
            trained: the generator in it.
            findings: of a check of this folder.

        Raises:
            PrivacyError: the noise was no secret, so that nothing is guaranteed.
            InputError: a number of the statement is missing, or too large or too small to compute with.
        """
        statement = trained.statement
        if not statement.is_secure:
            raise PrivacyError(
                f"{folder}: stamped insecure, made with deterministic test noise: nothing is guaranteed and nothing "
                "of it may be shared; train again"
            )
        try:
            trade_off = trade_off_of(statement)
        except ArithmeticError:
            raise InputError(
                f"{folder}: a number of its statement is too large or too small to compute with; use the release as it "
                "was written"
            ) from None
        return cls(
            name=name,
            statement=statement,
            recipe=trained.recipe,
            num_weights=sum(weight.numel() for weight in trained.weights.values()),
            exhibits=_drawn(trained),
            trade_off=trade_off,
            files=_files(folder),
            findings=tuple(findings),
        )


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


def _drawn(trained: TrainedGenerator) -> tuple[Exhibit, ...]:
    """Draw some records of each class, a class after the other, since a record may be large."""
    spec = trained.recipe.spec
    number = num_per_class(spec)
    if not spec.num_classes:
        return exhibits(trained.sample(number, seed=0)[0].numpy(), None, spec, "synthetic")
    found: list[Exhibit] = []
    for label in range(min(spec.num_classes, MOST_CLASSES)):
        labels = torch.full((number,), label)
        x, _ = trained.sample(number, labels=labels, seed=label)
        found += exhibits(x.numpy(), labels.numpy(), spec, "synthetic")
    return tuple(found)


def _files(folder: Path) -> dict[str, str]:
    """Return digests by the manifest. For a release older than the manifest, return digests of the parts present."""
    if not (folder / MANIFEST).is_file():
        return {name: file_digest(folder / name) for name in PARTS if (folder / name).is_file()}
    return {MANIFEST: file_digest(folder / MANIFEST)} | read_manifest(folder)
