"""The bench for images: encoder and classifiers made ready once, on which any number of targets is scored."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gossamer.cli.encoder import Count, find_encoder
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.evaluation.downstream import LabelledImages, Predictions, Task, predict_all
from gossamer.evaluation.encoder import Encoded, Encoder
from gossamer.evaluation.inception import InceptionEncoder, inception_frechet_distance
from gossamer.evaluation.memorisation import NearestPair, memorisation
from gossamer.evaluation.record import score_from_json, score_to_json
from gossamer.evaluation.score import Score
from gossamer.evaluation.suite import (
    REAL,
    TEST,
    Suite,
    SyntheticRecords,
    TaskKey,
    as_reference,
    average_over_seeds,
    downstream_tasks,
    score_downstream,
    score_features,
    set_name,
)
from gossamer.runs.cache import CacheFolder, content_key

Draws = Mapping[str, Sequence[SyntheticRecords]]
"""Name of a target -> its images, one set a seed."""

_VERDICTS = "verdicts"


@dataclass(frozen=True, kw_only=True, eq=False)
class RealRecords:
    """The private side of an evaluation.

    Attributes:
        train: training records.
        test: test images, which nothing was trained on.
    """

    train: RecordSet
    test: RecordSet


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How targets are scored.

    Attributes:
        suite: name of the suite of scores.
        seeds: one a repetition.
        num_samples: real training records that classifiers learn from, at most.
        permit_few_samples: go on with fewer images than features.
        inception_weights: file of the Inception network, None to leave it out.
        num_workers: classifiers at a time.
    """

    suite: str
    seeds: tuple[int, ...]
    num_samples: int
    permit_few_samples: bool
    inception_weights: Path | None
    num_workers: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the bench found out about a target.

    Attributes:
        scores: name -> score.
        notes: sentences on classifiers that could not learn.
        pairs: the first seed's records that are nearest to a training record; empty where they were not looked for.
        confusions: direction of training and testing -> (classes, classes) numbers of test records, true class by
            predicted; empty where none were counted.
    """

    scores: Mapping[str, Score]
    notes: tuple[str, ...]
    pairs: tuple[NearestPair, ...]
    confusions: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for the cache."""
        return {
            "scores": {name: score_to_json(score) for name, score in self.scores.items()},
            "notes": list(self.notes),
            "pairs": [[pair.synthetic_index, pair.train_index, pair.distance] for pair in self.pairs],
            "confusions": {name: counts.tolist() for name, counts in self.confusions.items()},
        }

    @classmethod
    def from_json(cls, tree: Any) -> Findings:
        """Read what `to_json` gave.

        Raises:
            InputError: it is something else.
        """
        try:
            return cls(
                scores={name: score_from_json(name, score) for name, score in tree["scores"].items()},
                notes=tuple(tree["notes"]),
                pairs=tuple(NearestPair(synthetic_index=i, train_index=j, distance=d) for i, j, d in tree["pairs"]),
                confusions={n: np.array(counts, dtype=np.int64) for n, counts in tree["confusions"].items()},
            )
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise InputError(f"damaged findings ({type(error).__name__})") from None


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """Everything that depends on real images alone, made ready.

    Guarantee: none. All of it saw private data.

    Attributes:
        terms: how targets are scored.
        suite: which scores.
        real: the private side.
        encoder: trained on all training records.
        encoded_test: test images in its features.
        cache: where verdicts of classifiers trained on real images are kept.
    """

    terms: Terms
    suite: Suite
    real: RealRecords
    encoder: Encoder
    encoded_test: Encoded
    cache: CacheFolder

    @classmethod
    def prepare(cls, terms: Terms, suite: Suite, real: RealRecords, cache: CacheFolder, count: Count) -> Bench:
        """Find or train the encoder, and encode the test images."""
        encoder = find_encoder(real.train, cache, seed=terms.seeds[0], count=count)
        encoded = encoder.encode(real.test.x.numpy())
        return cls(terms=terms, suite=suite, real=real, encoder=encoder, encoded_test=encoded, cache=cache)

    def score(self, draws: Draws, count: Count) -> dict[str, Findings]:
        """Score targets.

        Raises:
            InputError: images that cannot be scored.
        """
        scores = {name: self._of_features(images) for name, images in _counted(draws, "features", count)}
        reference = self._of_real_features()
        for name in draws:
            scores[name] |= reference
        fid = self._inception_scorer()
        if fid is not None:
            for name, images in _counted(draws, "Inception features", count):
                scores[name] |= fid(images)
        notes = self._add_downstream(scores, draws, count)
        pairs: dict[str, tuple[NearestPair, ...]] = {}
        if self.suite.has_memorisation:
            for name, images in _counted(draws, "nearest records", count):
                scores[name]["memorisation"], pairs[name] = self._memorisation(images[0])
        return {n: Findings(scores=scores[n], notes=notes.get(n, ()), pairs=pairs.get(n, ())) for n in draws}

    def _of_features(self, images: Sequence[SyntheticRecords]) -> dict[str, Score]:
        return score_features(
            [self.encoder.encode(draw.x) for draw in images],
            self.encoded_test,
            seeds=self.terms.seeds,
            permit_few_samples=self.terms.permit_few_samples,
        )

    def _of_real_features(self) -> dict[str, Score]:
        """What real training images score in the place of synthetic ones: the best that can be hoped for."""
        seed, x = self.terms.seeds[0], self.real.train.x[self._chosen()].numpy()
        terms = {"seeds": (seed,), "permit_few_samples": self.terms.permit_few_samples}
        return as_reference(score_features([self.encoder.encode(x)], self.encoded_test, **terms))

    def _chosen(self) -> torch.Tensor:
        """Which training records stand beside the synthetic images."""
        rng = torch.Generator().manual_seed(self.terms.seeds[0])
        return torch.randperm(self.real.train.num_records, generator=rng)[: self.terms.num_samples]

    def _inception_scorer(self) -> Callable[[Sequence[SyntheticRecords]], dict[str, Score]] | None:
        if self.terms.inception_weights is None:
            return None
        inception = InceptionEncoder.load(self.terms.inception_weights)
        real = inception.features(self.real.test.x.numpy())

        def score(images: Sequence[SyntheticRecords]) -> dict[str, Score]:
            return {
                "fid_inception": average_over_seeds(
                    [
                        inception_frechet_distance(
                            inception.features(draw.x),
                            real,
                            seed=seed,
                            features=inception.description,
                            permit_few_samples=self.terms.permit_few_samples,
                        )
                        for draw, seed in zip(images, self.terms.seeds)
                    ]
                )
            }

        return score

    def _memorisation(self, draw: SyntheticRecords) -> tuple[Score, tuple[NearestPair, ...]]:
        train, test = (images.x.numpy() for images in (self.real.train, self.real.test))
        found = memorisation(draw.x, train, test, seed=self.terms.seeds[0])
        return found.score, found.pairs

    def _add_downstream(self, scores: dict[str, dict[str, Score]], draws: Draws, count: Count) -> dict[str, Any]:
        """Add the classifiers' scores; returns notes by target. Targets without labels are passed over."""
        labelled = {name: images for name, images in draws.items() if all(draw.y is not None for draw in images)}
        if not labelled:
            return {}
        sets = self._sets(labelled)
        tasks = downstream_tasks(self.suite, tuple(labelled), self.terms.seeds)
        verdicts, notes = self._verdicts(tasks, sets, count)
        for name in labelled:
            scores[name] |= score_downstream(self.suite, name, self.terms.seeds, sets, verdicts)
        return {
            name: tuple(notes[key] for key in sorted(notes) if key[0] in {set_name(name, s) for s in self.terms.seeds})
            for name in labelled
        }

    def _sets(self, draws: Draws) -> dict[str, LabelledImages]:
        sets = {REAL: _labelled(REAL, self.real.train, self._chosen()), TEST: _labelled(TEST, self.real.test)}
        for name, images in draws.items():
            for draw, seed in zip(images, self.terms.seeds):
                assert draw.y is not None
                sets[set_name(name, seed)] = LabelledImages(name=f"{name}", images=draw.x, labels=draw.y)
        return sets

    def _verdicts(
        self, tasks: Sequence[Task], sets: Mapping[str, LabelledImages], count: Count
    ) -> tuple[dict[TaskKey, Mapping[str, NDArray[np.int64]]], dict[TaskKey, str]]:
        """Labels and notes of all tasks; those trained and tested on real images alone come from the cache, if kept."""
        key = content_key({"x": sets[REAL].images, "y": sets[REAL].labels, "test": sets[TEST].images}, versions())
        kept = self.cache.load_json(_VERDICTS, key) or {}
        verdicts: dict[TaskKey, Mapping[str, NDArray[np.int64]]] = {}
        notes: dict[TaskKey, str] = {}
        todo = []
        for task in tasks:
            known = kept.get(_kept_name(task)) if task.train == REAL and task.tests == (TEST,) else None
            if known is None:
                todo.append(task)
            else:
                verdicts[_key(task)] = {TEST: np.array(known, dtype=np.int64)}
        num_kept = len(kept)
        try:
            for one in _followed(todo, sets, self.terms.num_workers, count):
                verdicts[_key(one.task)] = one.labels
                if one.note:
                    notes[_key(one.task)] = one.note
                if one.task.train == REAL:
                    kept[_kept_name(one.task)] = one.labels[TEST].tolist()
        finally:
            # Also when interrupted: these serve every target.
            if len(kept) > num_kept:
                self.cache.save_json(_VERDICTS, key, kept)
        return verdicts, notes


def _labelled(name: str, images: RecordSet, chosen: torch.Tensor | None = None) -> LabelledImages:
    assert images.y is not None
    x, y = (images.x, images.y) if chosen is None else (images.x[chosen], images.y[chosen])
    return LabelledImages(name=name, images=x.numpy(), labels=y.numpy())


def _key(task: Task) -> TaskKey:
    return task.train, task.classifier.name, task.seed


def _kept_name(task: Task) -> str:
    return f"{task.classifier.name} {task.seed}"


def versions() -> dict[str, str]:
    """Versions of the libraries that scores depend on, beside torch's and our own."""
    return {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")} | _xgboost()


def _xgboost() -> dict[str, str]:
    """Its version under either name; neither where it is absent, which the classifier will say."""
    found = {}
    for name in ("xgboost-cpu", "xgboost"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _counted(draws: Draws, what: str, count: Count) -> Iterator[tuple[str, Sequence[SyntheticRecords]]]:
    for number, item in enumerate(draws.items()):
        count(what, number, len(draws))
        yield item
    count(what, len(draws), len(draws))


def _followed(
    tasks: Sequence[Task], sets: Mapping[str, LabelledImages], num_workers: int, count: Count
) -> Iterator[Predictions]:
    """Perform tasks and tell how far they are, in expected seconds of one core: the slowest come first."""
    expected = {_key(task): task.classifier.typical_seconds * len(sets[task.train].labels) / 10_000 for task in tasks}
    total, done = sum(expected.values()), 0.0
    count("classifiers", 0, round(total))
    for one in predict_all(tasks, sets, num_workers=num_workers):
        done += expected[_key(one.task)]
        count("classifiers", round(done), round(total))
        yield one
