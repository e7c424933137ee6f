"""Images on the bench: features of an encoder trained on them, and thirteen classifiers."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.evaluation import suite as images
from gossamer.evaluation.downstream import LabelledImages, Predictions, predict_all
from gossamer.evaluation.encoder import Encoded, Encoder, EncoderSettings
from gossamer.evaluation.inception import NUM_FEATURES, InceptionEncoder
from gossamer.evaluation.listed import Listed, SyntheticRecords, names_of, needing, set_name
from gossamer.evaluation.suite import ImageFeatures, InceptionFeatures
from gossamer.evaluation.use import REAL, TEST, ImageAnswers, Verdicts
from gossamer.evaluation.workers import Task, TaskKey, tasks_of
from gossamer.reports.grid import comparison_grid, save_png
from gossamer.reports.pairs import pairs_picture
from gossamer.runs.cache import content_key
from gossamer.scoring.bench import AbstractBench, Gathered, counted, labelled
from gossamer.scoring.encoder import find_encoder
from gossamer.scoring.findings import Count, Draws, Findings, RealRecords, Scored, Terms

NUM_GRID_COLUMNS = 10
_VERDICTS = "verdicts"


class ImageBench(AbstractBench):
    """Real images, on which any number of targets is scored and shown.

    Guarantee: none. All of it saw private data.
    """

    word = "images"
    full = images.FULL
    quick = images.QUICK
    use = ImageAnswers

    @staticmethod
    def scores() -> Listed:
        """Return the list of scores of images."""
        return images.SCORES

    @staticmethod
    def check_real(where: str, real: RealRecords) -> None:
        """Refuse real images without labels."""
        if real.train.y is None or real.test.y is None:
            raise InputError(
                f"{where}: has no labels, and encoder and classifiers need them; add them as y, or a sub-folder for "
                "each class"
            )

    def check_draw(self, where: str, draw: SyntheticRecords) -> None:
        """Refuse values, labels or copies that no score can tell anything about."""
        images.check_images(where, draw, self.real.train.spec.num_classes)

    def check_number(self, where: str, number: int) -> None:
        """Refuse fewer than the inception score and the Frechet distance want."""
        images.check_number(
            where,
            number,
            num_features=EncoderSettings().num_features,
            num_classes=self.real.train.spec.num_classes,
            permit_few_samples=self.terms.permit_few_samples,
        )
        terms = self.terms
        if terms.inception_weights is not None and number < NUM_FEATURES and not terms.permit_few_samples:
            raise InputError(
                f"{where}: {number} images; a FID wants {NUM_FEATURES}: give more, --allow-few-samples, or no weights"
            )

    def gather(self, listed: Listed, draws: Draws, count: Count) -> Iterator[Gathered]:
        """Gather features, Inception's features, answers of classifiers and neighbours, as the scores need them."""
        if needing(listed, ImageFeatures):
            yield from self._features(draws, count)
        if needing(listed, InceptionFeatures) and self.terms.inception_weights is not None:
            yield from self._inception_features(self.terms.inception_weights, draws, count)
        if needing(listed, ImageAnswers) and (able := labelled(draws)):
            yield from self._answers(able, count)
        yield from self.neighbours(listed, draws, count)

    def _features(self, draws: Draws, count: Count) -> Iterator[Gathered]:
        encoder = find_encoder(self.real.train, self.cache, seed=self.terms.seeds[0], count=count)
        real = encoder.encode(self.real.test.x.numpy(), self.terms.crew)
        for name, drawn in counted(draws, "features", count):
            yield Gathered(targets=(name,), evidence=self._encoded(encoder, [one.x for one in drawn], real))
        # Real training images in the place of synthetic ones: the best that can be hoped for.
        beside = self._encoded(encoder, [self.real.train.x[self._chosen()].numpy()], real)
        yield Gathered(targets=tuple(draws), evidence=beside, is_reference=True)

    def _encoded(self, encoder: Encoder, drawn: Sequence[NDArray[np.float32]], real: Encoded) -> list[ImageFeatures]:
        permit = self.terms.permit_few_samples
        return [
            ImageFeatures(draw=encoder.encode(x, self.terms.crew), real=real, seed=seed, permit_few_samples=permit)
            for x, seed in zip(drawn, self.terms.seeds)
        ]

    def _chosen(self) -> torch.Tensor:
        """Choose the training records that stand beside the synthetic images."""
        rng = torch.Generator().manual_seed(self.terms.seeds[0])
        return torch.randperm(self.real.train.num_records, generator=rng)[: self.terms.num_samples]

    def _inception_features(self, weights: Path, draws: Draws, count: Count) -> Iterator[Gathered]:
        inception = InceptionEncoder.load(weights)
        features = functools.partial(inception.features, crew=self.terms.crew)
        seen_by = functools.partial(
            InceptionFeatures,
            real=features(self.real.test.x.numpy()),
            words=inception.description,
            permit_few_samples=self.terms.permit_few_samples,
        )
        for name, drawn in counted(draws, "Inception features", count):
            pairs = zip(drawn, self.terms.seeds)
            yield Gathered(targets=(name,), evidence=[seen_by(draw=features(one.x), seed=seed) for one, seed in pairs])

    def _answers(self, draws: Draws, count: Count) -> Iterator[Gathered]:
        seeds, sets = self.terms.seeds, self._sets(draws)
        verdicts, notes = self._verdicts(tasks_of(self.suite, tuple(draws), seeds, train=REAL, test=TEST), sets, count)
        for name in draws:
            own = {set_name(name, seed) for seed in seeds}
            yield Gathered(
                targets=(name,),
                evidence=[ImageAnswers.of(self.suite, name, seeds, sets, verdicts)],
                besides=Findings(notes=tuple(notes[key] for key in sorted(notes) if key[0] in own)),
            )

    def _sets(self, draws: Draws) -> dict[str, LabelledImages]:
        sets = {REAL: _labelled(REAL, self.real.train, self._chosen()), TEST: _labelled(TEST, self.real.test)}
        for name, drawn in draws.items():
            for draw, seed in zip(drawn, self.terms.seeds):
                assert draw.y is not None
                sets[set_name(name, seed)] = LabelledImages(name=name, images=draw.x, labels=draw.y)
        return sets

    def _verdicts(
        self, tasks: Sequence[Task[Any]], sets: Mapping[str, LabelledImages], count: Count
    ) -> tuple[Verdicts, dict[TaskKey, str]]:
        """Return labels and notes of all tasks. Those on real images alone come from the cache, if kept."""
        key = content_key({"x": sets[REAL].images, "y": sets[REAL].labels, "test": sets[TEST].images}, versions())
        kept = self.cache.load_json(_VERDICTS, key) or {}
        num_kept, notes = len(kept), {}
        known = [task for task in tasks if task.train == REAL and task.tests == (TEST,) and _kept_name(task) in kept]
        verdicts = {task.key: {TEST: np.array(kept[_kept_name(task)], dtype=np.int64)} for task in known}
        todo = [task for task in tasks if task.key not in verdicts]
        try:
            for one in _followed(todo, sets, self.terms, count):
                verdicts[one.task.key] = dict(one.labels)
                if one.note:
                    notes[one.task.key] = one.note
                if one.task.train == REAL:
                    kept[_kept_name(one.task)] = one.labels[TEST].tolist()
        finally:
            # Also when interrupted: these serve every target.
            if len(kept) > num_kept:
                self.cache.save_json(_VERDICTS, key, kept)
        return verdicts, notes

    def reason(self, name: str, found: Findings) -> str:
        """Say why a score is not there that was asked for, of labelled images."""
        of_weights = names_of(needing(self.scores(), InceptionFeatures))
        return "no --inception-weights given" if name in of_weights else "these images have no such score"

    @staticmethod
    def draw_pictures(folder: Path, shown: Mapping[str, Scored], real: RealRecords) -> None:
        """Write grids of all targets and of real test images, and nearest pairs."""
        assert real.test.y is not None
        scale = max(1, 48 // real.test.spec.shape[-1])
        named = [(one.target.name, one.images.x, one.images.y) for one in shown.values()]
        named.append((f"real test images of {real.test.name}", real.test.x.numpy(), real.test.y.numpy()))
        names = real.test.spec.class_names
        save_png(folder / "samples.png", comparison_grid(named, NUM_GRID_COLUMNS, scale, names))
        for suffix, one in shown.items():
            if one.findings.pairs:
                save_png(folder / f"nearest-pairs{suffix}.png", pairs_picture(*one.paired(real)))


def versions() -> dict[str, str]:
    """Return the versions of the libraries that scores depend on, beside torch's and our own.

    XGBoost has two names. A classifier without it will say so.
    """
    found = {}
    for name in ("numpy", "scikit-learn", "scipy", "xgboost-cpu", "xgboost"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _labelled(name: str, records: RecordSet, chosen: torch.Tensor | None = None) -> LabelledImages:
    assert records.y is not None
    x, y = (records.x, records.y) if chosen is None else (records.x[chosen], records.y[chosen])
    return LabelledImages(name=name, images=x.numpy(), labels=y.numpy())


def _kept_name(task: Task[Any]) -> str:
    return f"{task.classifier.name} {task.seed}"


def _followed(
    tasks: Sequence[Task[Any]], sets: Mapping[str, LabelledImages], terms: Terms, count: Count
) -> Iterator[Predictions]:
    """Perform tasks and tell how far they are, in expected seconds of one core: the slowest come first."""
    expected = {task.key: task.classifier.typical_seconds * len(sets[task.train].labels) / 10_000 for task in tasks}
    total, done = sum(expected.values()), 0.0
    count("classifiers", 0, round(total))
    for one in predict_all(tasks, sets, num_workers=terms.num_workers, crew=terms.crew):
        done += expected[one.task.key]
        count("classifiers", round(done), round(total))
        yield one
