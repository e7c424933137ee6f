"""Evaluations of targets: draws, kept findings, and the computation of those that are lacking."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError
from gossamer.evaluation.listed import SyntheticRecords, names_of
from gossamer.evaluation.record import Claim, Evaluation
from gossamer.runs.cache import CacheFolder, content_key
from gossamer.runs.manifest import file_digest
from gossamer.scoring.bench import AbstractBench
from gossamer.scoring.findings import Count, Draws, Findings, RealRecords, Scored, Terms
from gossamer.scoring.images import ImageBench, versions
from gossamer.scoring.series import SeriesBench
from gossamer.scoring.targets import Target

SCORING_FORMAT = 1
"""Part of every key of a kept evaluation: changes when equal records no longer mean equal scores, whichever it is."""
_KIND = "evaluation"


def bench_for(spec: AbstractSpec) -> type[AbstractBench]:
    """Return the bench for the records that a specification describes. Here alone it is decided."""
    return SeriesBench if isinstance(spec, SeriesSpec) else ImageBench


@dataclass(frozen=True, kw_only=True, eq=False)
class Scoring:
    """Targets to be scored, with all that is known of them.

    Guarantee: none. All of it saw private data.

    Attributes:
        bench: the real records, and the terms.
        targets: in order, each of a name of its own.
        draws: of every target.
        keys: name of a target -> the digest of everything that its scores depend on, but their list.
        found: name of a target -> its findings so far.
    """

    bench: AbstractBench
    targets: Sequence[Target]
    draws: Draws
    keys: Mapping[str, str]
    found: Mapping[str, Findings]

    @classmethod
    def begin(cls, terms: Terms, targets: Sequence[Target], real: RealRecords, cache: CacheFolder) -> Scoring:
        """Draw from all targets, and look up kept findings.

        Raises:
            InputError: records that cannot be scored.
        """
        bench = bench_for(real.train.spec)(terms=terms, real=real, cache=cache)
        bench.check_number(f"{real.test.name} (the real test records)", real.test.num_records)
        draws = {target.name: _draws(bench, target) for target in targets}
        num_beside = min(real.train.num_records, terms.num_samples)
        bench.check_number(f"{real.train.name} (the real training records)", num_beside)
        keys = _keys(bench, draws)
        found = {name: _kept(cache, key) for name, key in keys.items()}
        return cls(bench=bench, targets=targets, draws=draws, keys=keys, found=found)

    @property
    def lacking(self) -> Draws:
        """The targets of which a score is not kept."""
        asked = self.bench.listed
        return {name: drawn for name, drawn in self.draws.items() if self.found[name].lacks(asked)}

    def completed(self, count: Count) -> Scoring:
        """Compute the scores that are lacking, and keep them. All that depends on real records alone is computed once.

        Args:
            count: told of progress.

        Raises:
            InputError: records that cannot be scored.
        """
        draws = self.lacking
        lacking = {one.name: one for name in draws for one in self.found[name].lacks(self.bench.listed)}
        fresh = self.bench.score(tuple(lacking.values()), draws, count)
        fresh = {name: self.found[name] | findings for name, findings in fresh.items()}
        for name, findings in fresh.items():
            self.bench.cache.save_json(_KIND, self.keys[name], findings.to_json())
        return dataclasses.replace(self, found={**self.found, **fresh})

    def scored(self) -> list[Scored]:
        """Return all targets with their scores."""
        return [self._scored(target) for target in self.targets]

    def _scored(self, target: Target) -> Scored:
        statement, findings, images = target.statement, self.found[target.name], self.draws[target.name][0]
        claim = None
        if statement is not None:
            terms = {"mechanism": statement.mechanism, "epsilon": statement.epsilon, "delta": statement.delta}
            claim = Claim(**terms, step=target.step)
        evaluation = Evaluation(
            target=target.name,
            claim=claim,
            data=self.bench.real.train.name,
            suite=self.bench.suite.name,
            num_samples=len(images.x),
            seeds=self.bench.terms.seeds,
            scores={name: findings.scores[name] for name in names_of(self.bench.listed) if name in findings.scores},
            skipped=self.bench.skipped(images, findings),
            notes=findings.notes + target.notes,
        )
        return Scored(target=target, evaluation=evaluation, images=images, findings=findings)


def _draws(bench: AbstractBench, target: Target) -> list[SyntheticRecords]:
    draws = []
    for seed in bench.terms.seeds:
        draw = target.draw(bench.terms.num_samples, seed)
        bench.check_draw(target.name, draw)
        bench.check_number(target.name, len(draw.x))
        draws.append(draw)
    return draws


def _keys(bench: AbstractBench, draws: Draws) -> dict[str, str]:
    """Digest all that the scores of each target depend on, but their list: findings say which of it they have."""
    terms, records = bench.terms, {"train": bench.real.train, "test": bench.real.test}
    parts = {f"{name}_{part}": getattr(one, part) for name, one in records.items() for part in ("x", "y", "people")}
    arrays = {name: part.numpy() for name, part in parts.items() if part is not None}
    weights = terms.inception_weights
    settings = {
        "format": SCORING_FORMAT,
        "real": content_key(arrays, None),
        "suite": bench.suite.name,
        "seeds": list(terms.seeds),
        "num_samples": terms.num_samples,
        "permit_few_samples": terms.permit_few_samples,
        "inception_weights": None if weights is None else file_digest(weights.resolve()),
        "versions": versions(),
    }
    return {name: content_key(_arrays(images), settings) for name, images in draws.items()}


def _arrays(images: Sequence[SyntheticRecords]) -> dict[str, np.ndarray]:
    arrays = {f"x{number}": draw.x for number, draw in enumerate(images)}
    return arrays | {f"y{number}": draw.y for number, draw in enumerate(images) if draw.y is not None}


def _kept(cache: CacheFolder, key: str) -> Findings:
    """Read kept findings. Those that are damaged or absent lack every score."""
    try:
        tree = cache.load_json(_KIND, key)
        return Findings() if tree is None else Findings.from_json(tree)
    except InputError:
        return Findings()
