"""All scores of synthetic images in one go: which there are, how seeds are averaged, what is left out.

Everything comes in as arrays; nothing here knows a method or a file.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.classifiers import SMALL_CNN, TWELVE, Classifier
from gossamer.evaluation.downstream import LabelledImages, Task
from gossamer.evaluation.encoder import Encoded
from gossamer.evaluation.frechet import extrapolated_frechet_distance, fewest_samples, frechet_distance
from gossamer.evaluation.inception_score import NUM_SPLITS, inception_score
from gossamer.evaluation.manifold import manifold_scores
from gossamer.evaluation.score import Score
from gossamer.evaluation.verdicts import Basis, calibrated_accuracy, mean_accuracy, mean_macro_f1

REAL = "real training images"
TEST = "real test images"

TaskKey = tuple[str, str, int]
"""What a classifier was trained on, its name, its seed."""
Verdicts = Mapping[TaskKey, Mapping[str, NDArray[np.integer]]]
"""What each fitted classifier says: set that it was tested on -> predicted labels."""

_NORMAL_QUANTILE_975 = 1.959963984540054


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticRecords:
    """Images or series to be scored, with labels if they have any.

    Args:
        x: float32 (num_records, channels, height, width), or (num_records, channels, time), in [0, 1].
        y: int64 (num_records,), or None.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64] | None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Which scores are computed.

    Args:
        name: as reports call it.
        classifiers: trained on synthetic and on real images.
        has_both_ways: whether classifiers trained on real images are tested on synthetic ones, too.
        has_memorisation: whether nearest neighbours are looked for among the training records.
    """

    name: str
    classifiers: tuple[Classifier, ...]
    has_both_ways: bool
    has_memorisation: bool


FULL = Suite(name="full", classifiers=(*TWELVE, SMALL_CNN), has_both_ways=True, has_memorisation=True)
"""Every score of the study."""

QUICK = Suite(
    name="quick",
    classifiers=(*(one for one in TWELVE if one.name == "mlp"), SMALL_CNN),
    has_both_ways=False,
    has_memorisation=False,
)
"""Feature scores and two classifiers."""

FEATURE_SCORES = (
    "inception_score",
    "frechet_distance",
    "frechet_distance_extrapolated",
    "precision",
    "recall",
    "density",
    "coverage",
)


def downstream_names(suite: Suite) -> tuple[str, ...]:
    """Names of the scores that classifiers give."""
    names = [one.name for one in suite.classifiers]
    found = [f"{name}_accuracy{side}" for name in names for side in ("", "_real")]
    found += [f"{name}_macro_f1" for name in names]
    if suite.has_both_ways:
        found += [f"{name}_accuracy_real_to_synthetic" for name in names]
    if {one.name for one in TWELVE} <= set(names):
        found += ["avg12", "avg12_real", "avg12_calibrated"]
        found += ["avg12_real_to_synthetic"] if suite.has_both_ways else []
    return tuple(found)


def score_names(suite: Suite) -> tuple[str, ...]:
    """Names of all scores of a suite."""
    features = [f"{name}{side}" for side in ("", "_real") for name in FEATURE_SCORES]
    return (*features, *(("memorisation",) if suite.has_memorisation else ()), *downstream_names(suite))


def check_images(where: str, images: SyntheticRecords, num_classes: int) -> None:
    """Refuse synthetic images that no score can tell anything about.

    Args:
        where: their name, for the message.
        images: to check.
        num_classes: of the real data.

    Raises:
        InputError: a value that is no number in [0, 1], one image repeated throughout, a label outside the classes, or
            one class alone.
    """
    wrong = np.flatnonzero(~((images.x >= 0) & (images.x <= 1)).all(axis=(1, 2, 3)))
    if wrong.size:
        raise InputError(f"{where}: image {wrong[0]} has a value that is NaN or outside [0, 1]; mend or remove it")
    if (images.x == images.x[:1]).all():
        raise InputError(
            f"{where}: all {len(images.x)} images are the same; there is nothing to score: check what was drawn"
        )
    if images.y is None:
        return
    if (images.y == images.y[:1]).all():
        raise InputError(f"{where}: all labels are of one class; classifiers need at least two, or no labels at all")
    outside = np.flatnonzero((images.y < 0) | (images.y >= num_classes))
    if outside.size:
        raise InputError(f"{where}: label {outside[0]} is outside 0 .. {num_classes - 1}, the classes of the real data")


def check_number(
    where: str, num_images: int, *, num_features: int, num_classes: int, permit_few_samples: bool = False
) -> None:
    """Refuse too few images before anything is computed.

    Args:
        where: their name, for the message.
        num_images: synthetic images of one seed, or real test images.
        num_features: of the encoder.
        num_classes: of the real data.
        permit_few_samples: as for `score_features`.

    Raises:
        InputError: `score_features` would refuse them.
    """
    least = max(num_classes, fewest_samples(num_features, permit_few_samples=permit_few_samples))
    if not permit_few_samples:
        least = max(least, NUM_SPLITS * num_classes)
    if num_images < least:
        way_out = (
            "give more" if permit_few_samples else "give more, or --allow-few-samples, with which they mean little"
        )
        raise InputError(f"{where}: {num_images} images; inception score and Frechet distance want {least}: {way_out}")


def score_features(
    draws: Sequence[Encoded],
    real: Encoded,
    *,
    seeds: tuple[int, ...],
    permit_few_samples: bool = False,
) -> dict[str, Score]:
    """Inception score, Frechet distances, precision, recall, density, coverage, averaged over the draws.

    Args:
        draws: synthetic images in the features of an encoder trained on real training images, one set a seed.
        real: real test images in the same features.
        seeds: of the draws.
        permit_few_samples: go on with fewer images than four times the features, and with fewer splits of the
            inception score where there are few for ten.

    Raises:
        InputError: too few images.
    """
    features = f"{real.features.shape[1]} features of an encoder trained on the real training images"
    tables = [_score_draw(draw, real, seed, features, permit_few_samples) for draw, seed in zip(draws, seeds)]
    return {name: average_over_seeds([table[name] for table in tables]) for name in tables[0]}


def as_reference(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Scores of real images in the place of synthetic ones, renamed: ``recall`` becomes ``recall_real``."""
    return {
        f"{name}_real": dataclasses.replace(
            score,
            name=f"{name}_real",
            num_synthetic=0,
            num_real=score.num_synthetic + score.num_real,
            source=f"{score.source} Of real training images in the place of synthetic ones; the encoder has seen them.",
        )
        for name, score in scores.items()
    }


def _score_draw(draw: Encoded, real: Encoded, seed: int, features: str, permit_few_samples: bool) -> dict[str, Score]:
    distances = (
        measure(draw.features, real.features, seed=seed, features=features, permit_few_samples=permit_few_samples)
        for measure in (frechet_distance, extrapolated_frechet_distance)
    )
    manifold = manifold_scores(draw.features, real.features, seed=seed, features=features)
    num_images, num_classes = draw.probabilities.shape
    # As many splits as there are images for; below one it refuses.
    num_splits = max(1, min(NUM_SPLITS, num_images // num_classes)) if permit_few_samples else NUM_SPLITS
    scores = (
        inception_score(draw.probabilities, num_splits=num_splits, seed=seed),
        *distances,
        manifold.precision,
        manifold.recall,
        manifold.density,
        manifold.coverage,
    )
    return {score.name: score for score in scores}


def average_over_seeds(scores: Sequence[Score]) -> Score:
    """The mean of one score over repetitions.

    With v_s the values, l_s their distances to the lower end and S seeds::

        low = mean(v_s) - sqrt(mean(l_s^2) + 1.96^2 var(v_s) / S)

    and likewise for the upper end: the choice of test images is shared by the repetitions, so averaging does not
    narrow it; what the seeds change is added.

    >>> one = Score(name="a", value=0.5, low=0.4, high=0.6, higher_is_better=True, num_synthetic=9, num_real=9,
    ...             seeds=(0,), source="example")
    >>> average_over_seeds([one, one]).seeds, round(average_over_seeds([one, one]).low, 6)
    ((0, 0), 0.4)
    """
    if len(scores) == 1:
        return scores[0]
    values = np.array([score.value for score in scores])
    between = _NORMAL_QUANTILE_975**2 * values.var(ddof=1) / len(scores)
    value = float(values.mean())
    below = math.sqrt(np.mean([(score.value - score.low) ** 2 for score in scores]) + between)
    above = math.sqrt(np.mean([(score.high - score.value) ** 2 for score in scores]) + between)
    seeds = tuple(seed for score in scores for seed in score.seeds)
    return dataclasses.replace(scores[0], value=value, low=value - below, high=value + above, seeds=seeds)


def set_name(target: str, seed: int) -> str:
    """How the images that a target gave for a seed are called among the sets of `predict_all`."""
    return f"{target}, seed {seed}"


def downstream_tasks(suite: Suite, targets: Sequence[str], seeds: Sequence[int]) -> tuple[Task, ...]:
    """What is to be fitted: every classifier, once a seed, to the real training images and to each target's.

    Tasks that are trained and tested on real images alone are the same for every target, and can be kept. Synthetic
    images are shown to the classifiers of the first seed alone, which must be fitted anew.

    Args:
        suite: which classifiers, and whether those trained on real images are tested on synthetic ones.
        targets: names.
        seeds: one a repetition.
    """
    backwards = tuple(set_name(target, seeds[0]) for target in targets) if suite.has_both_ways else ()
    on_real = (
        Task(classifier=one, train=REAL, tests=(TEST, *backwards) if seed == seeds[0] else (TEST,), seed=seed)
        for one in suite.classifiers
        for seed in seeds
    )
    on_synthetic = (
        Task(classifier=one, train=set_name(target, seed), tests=(TEST,), seed=seed)
        for target in targets
        for one in suite.classifiers
        for seed in seeds
    )
    return (*on_real, *on_synthetic)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """One direction of training and testing, for all classifiers of a suite.

    Attributes:
        suffix: of the scores' names.
        what: the direction in words.
        labels: classifier -> (num_seeds, num_images) predicted labels.
        true: (num_images,) or (num_seeds, num_images).
        num_synthetic: synthetic images behind a score.
        num_real: real images behind it.
        seeds: one a row of the labels.
    """

    suffix: str
    what: str
    labels: Mapping[str, NDArray[np.integer]]
    true: NDArray[np.integer]
    num_synthetic: int
    num_real: int
    seeds: tuple[int, ...]

    def basis(self, what: str) -> Basis:
        """What stands behind a score of this side, by the classifiers that are named."""
        source = _source(what, self.what)
        return Basis(num_synthetic=self.num_synthetic, num_real=self.num_real, seeds=self.seeds, source=source)

    def stacked(self, classifiers: Sequence[str]) -> NDArray[np.integer]:
        """Labels (num_classifiers, num_seeds, num_images) of several."""
        return np.stack([self.labels[one] for one in classifiers])


def score_downstream(
    suite: Suite, target: str, seeds: tuple[int, ...], sets: Mapping[str, LabelledImages], verdicts: Verdicts
) -> dict[str, Score]:
    """What classifiers tell: accuracy and macro-F1, one by one and on average, beside the same trained on real images.

    Args:
        suite: which classifiers.
        target: its name.
        seeds: one a repetition.
        sets: real training and test images, and the target's, by the names that `downstream_tasks` uses.
        verdicts: predictions of all those tasks.
    """
    forwards, real, *backwards = _sides(suite, target, seeds, sets, verdicts)
    scores: list[Score] = []
    for side in (forwards, real, *backwards):
        scores += [_accuracy(side, name) for name in side.labels]
    scores += [_macro_f1(forwards, name) for name in forwards.labels]
    twelve = [one.name for one in TWELVE]
    if set(twelve) <= set(forwards.labels):
        scores += [_mean_of_twelve(side, twelve) for side in (forwards, real, *backwards)]
        scores.append(_calibrated(forwards, real, twelve))
    return {score.name: score for score in scores}


def _sides(
    suite: Suite, target: str, seeds: tuple[int, ...], sets: Mapping[str, LabelledImages], verdicts: Verdicts
) -> tuple[_Side, ...]:
    names = [one.name for one in suite.classifiers]
    draws = [set_name(target, seed) for seed in seeds]
    num_synthetic, num_real, num_test = (len(sets[name].labels) for name in (draws[0], REAL, TEST))
    forwards = _Side(
        suffix="",
        what="trained on synthetic images, tested on real ones",
        labels={n: np.stack([verdicts[d, n, s][TEST] for d, s in zip(draws, seeds)]) for n in names},
        true=sets[TEST].labels,
        num_synthetic=num_synthetic,
        num_real=num_test,
        seeds=seeds,
    )
    real = _Side(
        suffix="_real",
        what="trained on real images, tested on real ones",
        labels={n: np.stack([verdicts[REAL, n, s][TEST] for s in seeds]) for n in names},
        true=sets[TEST].labels,
        num_synthetic=0,
        num_real=num_real + num_test,
        seeds=seeds,
    )
    if not suite.has_both_ways:
        return forwards, real
    backwards = _Side(
        suffix="_real_to_synthetic",
        what="trained on real images, tested on synthetic ones",
        labels={n: verdicts[REAL, n, seeds[0]][draws[0]][None] for n in names},
        true=sets[draws[0]].labels,
        num_synthetic=num_synthetic,
        num_real=num_real,
        seeds=seeds[:1],
    )
    return forwards, real, backwards


def _accuracy(side: _Side, classifier: str) -> Score:
    name = f"{classifier}_accuracy{side.suffix}"
    basis = side.basis(classifier)
    return mean_accuracy(name, side.labels[classifier][None], side.true, basis, _stream(name, side.seeds))


def _macro_f1(side: _Side, classifier: str) -> Score:
    name = f"{classifier}_macro_f1{side.suffix}"
    basis = side.basis(classifier)
    return mean_macro_f1(name, side.labels[classifier][None], side.true, basis, _stream(name, side.seeds))


def _mean_of_twelve(side: _Side, twelve: Sequence[str]) -> Score:
    name = f"avg12{side.suffix}"
    basis = side.basis("mean accuracy of the twelve classifiers")
    return mean_accuracy(name, side.stacked(twelve), side.true, basis, _stream(name, side.seeds))


def _calibrated(forwards: _Side, real: _Side, twelve: Sequence[str]) -> Score:
    name = "avg12_calibrated"
    basis = Basis(
        num_synthetic=forwards.num_synthetic,
        num_real=real.num_real,
        seeds=forwards.seeds,
        source=_source("mean ratio of the twelve classifiers' accuracies", "synthetic over real training images"),
    )
    labels = forwards.stacked(twelve), real.stacked(twelve)
    return calibrated_accuracy(name, *labels, forwards.true, basis, _stream(name, forwards.seeds))


def _source(what: str, direction: str) -> str:
    return (
        f"{what}, {direction}; settings of the evaluation of GS-WGAN (Chen et al. 2020), its CNN excepted; interval: "
        "bootstrap over tested images and seeds"
    )


def _stream(name: str, seeds: tuple[int, ...]) -> np.random.Generator:
    """A stream for each score: its interval does not depend on which others are computed."""
    return np.random.default_rng([zlib.crc32(name.encode()), *seeds])
