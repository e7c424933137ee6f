"""Evaluations of targets: draws, kept findings, and the computation of those that are lacking."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.evaluation.listed import SyntheticRecords, names_of
from gossamer.evaluation.record import Claim, Evaluation
from gossamer.runs.cache import CacheFolder, content_key
from gossamer.scoring.bench import AbstractKind
from gossamer.scoring.findings import Count, Draws, Findings, RealRecords, Terms
from gossamer.scoring.images import ImageKind, versions
from gossamer.scoring.series import SeriesKind
from gossamer.scoring.targets import Target

SCORING_FORMAT = 1
"""Part of every key of a kept evaluation: changes when equal records no longer mean equal scores, whichever it is."""
_KIND = "evaluation"


def kind_of(spec: AbstractSpec) -> AbstractKind:
    """Return the kind of records that a specification describes; here alone it is decided."""
    return SeriesKind() if isinstance(spec, SeriesSpec) else ImageKind()


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """A target with its scores.

    Attributes:
        target: was scored.
        evaluation: the record.
        images: the first seed's draw, images or series.
        findings: of the bench, with what only pictures show.
    """

    target: Target
    evaluation: Evaluation
    images: SyntheticRecords
    findings: Findings


@dataclass(frozen=True, kw_only=True, eq=False)
class Scoring:
    """Targets to be scored, with what is known of them.

    Guarantee: none. All of it saw private data.

    Attributes:
        terms: on which targets are scored.
        targets: in order, each of a name of its own.
        real: the private side.
        cache: keeps findings.
        draws: of every target.
        keys: name of a target -> the digest of everything that its scores depend on, but their list.
        found: name of a target -> kept findings.
    """

    terms: Terms
    targets: Sequence[Target]
    real: RealRecords
    cache: CacheFolder
    draws: Draws
    keys: dict[str, str]
    found: dict[str, Findings]

    @classmethod
    def begin(cls, terms: Terms, targets: Sequence[Target], real: RealRecords, cache: CacheFolder) -> Scoring:
        """Draw from all targets, and look up what is kept of them.

        Raises:
            InputError: records that cannot be scored.
        """
        kind = kind_of(real.train.spec)
        kind.check_number(f"{real.test.name} (the real test records)", real.test.num_records, terms, real)
        draws = {target.name: _draws(terms, kind, target, real) for target in targets}
        num_beside = min(real.train.num_records, terms.num_samples)
        kind.check_number(f"{real.train.name} (the real training records)", num_beside, terms, real)
        keys = _keys(terms, draws, real)
        found = {name: _kept(cache, key) for name, key in keys.items()}
        return cls(terms=terms, targets=targets, real=real, cache=cache, draws=draws, keys=keys, found=found)

    @property
    def lacking(self) -> Draws:
        """The targets of which a score is not kept."""
        asked = self._kind.listed(self.terms)
        return {name: drawn for name, drawn in self.draws.items() if self.found[name].lacks(asked)}

    def completed(self, count: Count) -> Scoring:
        """Compute the scores that are lacking, and keep them. What depends on real records alone is computed once.

        Args:
            count: told of progress.

        Raises:
            InputError: records that cannot be scored.
        """
        draws, asked = self.lacking, self._kind.listed(self.terms)
        lacking = {one.name: one for name in draws for one in self.found[name].lacks(asked)}
        bench = self._kind.prepare(self.terms, tuple(lacking.values()), self.real, self.cache)
        fresh = {name: self.found[name] | findings for name, findings in bench.score(draws, count).items()}
        for name, findings in fresh.items():
            self.cache.save_json(_KIND, self.keys[name], findings.to_json())
        return dataclasses.replace(self, found=self.found | fresh)

    def scored(self) -> list[Scored]:
        """Return all targets with their scores."""
        return [self._scored(target) for target in self.targets]

    @property
    def _kind(self) -> AbstractKind:
        return kind_of(self.real.train.spec)

    def _scored(self, target: Target) -> Scored:
        statement, findings, images = target.statement, self.found[target.name], self.draws[target.name][0]
        claim = None
        if statement is not None:
            terms = {"mechanism": statement.mechanism, "epsilon": statement.epsilon, "delta": statement.delta}
            claim = Claim(**terms, step=target.step)
        named = names_of(self._kind.listed(self.terms))
        evaluation = Evaluation(
            target=target.name,
            claim=claim,
            data=self.real.train.name,
            suite=self.terms.suite,
            num_samples=len(images.x),
            seeds=self.terms.seeds,
            scores={name: findings.scores[name] for name in named if name in findings.scores},
            skipped=self._kind.skipped(self.terms, images, self.real, findings),
            notes=findings.notes + target.notes,
        )
        return Scored(target=target, evaluation=evaluation, images=images, findings=findings)


def _draws(terms: Terms, kind: AbstractKind, target: Target, real: RealRecords) -> list[SyntheticRecords]:
    draws = []
    for seed in terms.seeds:
        draw = target.draw(terms.num_samples, seed)
        kind.check_draw(target.name, draw, real)
        kind.check_number(target.name, len(draw.x), terms, real)
        draws.append(draw)
    return draws


def _keys(terms: Terms, draws: Draws, real: RealRecords) -> dict[str, str]:
    """Digest all that the scores of each target depend on, but their list: findings say which of it they have."""
    records = {"train": real.train, "test": real.test}
    parts = {f"{name}_{part}": getattr(one, part) for name, one in records.items() for part in ("x", "y", "people")}
    arrays = {name: part.numpy() for name, part in parts.items() if part is not None}
    settings = {
        "format": SCORING_FORMAT,
        "real": content_key(arrays, None),
        "suite": terms.suite,
        "seeds": list(terms.seeds),
        "num_samples": terms.num_samples,
        "permit_few_samples": terms.permit_few_samples,
        "inception_weights": None if terms.inception_weights is None else _file_digest(terms.inception_weights),
        "versions": versions(),
    }
    return {name: content_key(_arrays(images), settings) for name, images in draws.items()}


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arrays(images: Sequence[SyntheticRecords]) -> dict[str, np.ndarray]:
    arrays = {f"x{number}": draw.x for number, draw in enumerate(images)}
    return arrays | {f"y{number}": draw.y for number, draw in enumerate(images) if draw.y is not None}


def _kept(cache: CacheFolder, key: str) -> Findings:
    """Read kept findings; those that are damaged or absent lack every score."""
    try:
        tree = cache.load_json(_KIND, key)
        return Findings() if tree is None else Findings.from_json(tree)
    except InputError:
        return Findings()
