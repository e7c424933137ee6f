"""Use of synthetic images: classifiers learn from them and from real ones, and their labels are scored."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.evaluation.classifiers import TWELVE, Classifier
from gossamer.evaluation.downstream import LabelledImages
from gossamer.evaluation.listed import AbstractEvidence, Suite, set_name
from gossamer.evaluation.score import Basis, Score
from gossamer.evaluation.verdicts import calibrated_accuracy, mean_accuracy, mean_macro_f1
from gossamer.evaluation.workers import TaskKey

REAL = "real training images"
TEST = "real test images"
_RATES = {"accuracy": mean_accuracy, "macro_f1": mean_macro_f1}
FORWARDS, ON_REAL, BACKWARDS = "", "_real", "_real_to_synthetic"
"""Ends of the names of scores: direction of training and testing."""

Verdicts = Mapping[TaskKey, Mapping[str, NDArray[np.integer]]]
"""The answers of each fitted classifier: set that it was tested on -> predicted labels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One direction of training and testing, for all classifiers of a suite.

    Attributes:
        suffix: of the scores' names.
        words: the direction.
        labels: classifier -> (num_seeds, num_images) predicted labels.
        true: (num_images,) or (num_seeds, num_images).
        num_synthetic: synthetic images behind a score.
        num_real: real images behind it.
        seeds: one a row of the labels.
    """

    suffix: str
    words: str
    labels: Mapping[str, NDArray[np.integer]]
    true: NDArray[np.integer]
    num_synthetic: int
    num_real: int
    seeds: tuple[int, ...]

    def basis(self, subject: str) -> Basis:
        """Return the basis of a score of this side: the counts, the seeds, and a source on the classifiers named."""
        return _basis(self.num_synthetic, self.num_real, self.seeds, f"{subject}, {self.words}")

    def stacked(self) -> NDArray[np.integer]:
        """Return the labels (12, num_seeds, num_images) of the twelve."""
        return np.stack([self.labels[one.name] for one in TWELVE])


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageAnswers(AbstractEvidence):
    """Labels that all classifiers of a suite gave to real and to a target's images.

    Attributes:
        sides: end of the scores' names -> the answers in that direction.
    """

    sides: Mapping[str, Side]

    @classmethod
    def of(
        cls,
        suite: Suite[Classifier],
        target: str,
        seeds: tuple[int, ...],
        sets: Mapping[str, LabelledImages],
        verdicts: Verdicts,
    ) -> ImageAnswers:
        """Sort the predictions by direction.

        Args:
            suite: the classifiers.
            target: its name.
            seeds: one a repetition.
            sets: real training and test images, and the target's, by the names that `tasks_of` uses.
            verdicts: predictions of all those tasks.
        """
        real, drawn = [(REAL, seed) for seed in seeds], [(set_name(target, seed), seed) for seed in seeds]

        def side(suffix: str, fits: Sequence[tuple[str, int]], test: str) -> Side:
            """Gather the labels that classifiers trained on sets, each with a seed, gave to a test set."""
            numbers = {name: len(sets[name].labels) for name in (fits[0][0], test)}
            num_real = sum(number for name, number in numbers.items() if name in (REAL, TEST))
            learnt, tested = ("real" if name in (REAL, TEST) else "synthetic" for name in numbers)
            names = (one.name for one in suite.classifiers)
            return Side(
                suffix=suffix,
                words=f"trained on {learnt} images, tested on {tested} ones",
                labels={name: np.stack([verdicts[train, name, seed][test] for train, seed in fits]) for name in names},
                true=sets[test].labels,
                num_synthetic=sum(numbers.values()) - num_real,
                num_real=num_real,
                seeds=tuple(seed for _, seed in fits),
            )

        sides = [side(FORWARDS, drawn, TEST), side(ON_REAL, real, TEST)]
        if suite.is_full:
            sides.append(side(BACKWARDS, real[:1], drawn[0][0]))
        return cls(sides={one.suffix: one for one in sides})


def rate(side: Side, classifier: str, kind: str) -> Score:
    """Score one classifier, averaged over seeds: its ``accuracy``, or ``macro_f1``, the mean of the classes' F1."""
    name, labels = f"{classifier}_{kind}{side.suffix}", side.labels[classifier][None]
    return _RATES[kind](name, labels, side.true, side.basis(classifier), _stream(name, side.seeds))


def mean_of_twelve(side: Side) -> Score:
    """Score the mean accuracy of the twelve classifiers."""
    name = f"avg12{side.suffix}"
    basis = side.basis("mean accuracy of the twelve classifiers")
    return mean_accuracy(name, side.stacked(), side.true, basis, _stream(name, side.seeds))


def calibrated_mean_of_twelve(answers: ImageAnswers) -> Score:
    """Score the mean ratio of the twelve accuracies, trained on synthetic over trained on real images."""
    name = "avg12_calibrated"
    forwards, real = answers.sides[FORWARDS], answers.sides[ON_REAL]
    source = "mean ratio of the twelve classifiers' accuracies, synthetic over real training images"
    basis = _basis(forwards.num_synthetic, real.num_real, forwards.seeds, source)
    labels = forwards.stacked(), real.stacked()
    return calibrated_accuracy(name, *labels, forwards.true, basis, _stream(name, forwards.seeds))


def _basis(num_synthetic: int, num_real: int, seeds: tuple[int, ...], subject: str) -> Basis:
    source = (
        f"{subject}; settings of the evaluation of GS-WGAN (Chen et al. 2020), its CNN excepted; interval: "
        "bootstrap over tested images and seeds"
    )
    return Basis(num_synthetic=num_synthetic, num_real=num_real, seeds=seeds, source=source)


def _stream(name: str, seeds: tuple[int, ...]) -> np.random.Generator:
    """Return a stream for each score: its interval does not depend on which others are computed."""
    return np.random.default_rng([zlib.crc32(name.encode()), *seeds])
