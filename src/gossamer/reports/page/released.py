"""The source of a release report: a release, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gossamer.errors import InputError, PrivacyError
from gossamer.methods.trained import GeneratorRecipe, TrainedGenerator
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
