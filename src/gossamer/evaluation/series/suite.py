"""All scores of synthetic series in one go: which there are, what each is compared with, what is left out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.frechet import frechet_distance
from gossamer.evaluation.manifold import manifold_scores
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.classifiers import (
    LOGISTIC_REGRESSION,
    RANDOM_FOREST,
    SERIES_CNN,
    SeriesClassifier,
)
from gossamer.evaluation.series.discrepancy import NUM_BLOCKS, mmd
from gossamer.evaluation.series.discriminative import discriminative_score
from gossamer.evaluation.series.encoder import NUM_FEATURES, description, encode
from gossamer.evaluation.series.matching import MatchedPair, SeriesSet
from gossamer.evaluation.series.predictive import predictive_score
from gossamer.evaluation.series.profiles import (
    acf_distance,
    histogram_distance,
    padded_length_distance,
    psd_distance,
)
from gossamer.evaluation.series.warping import dtw_distances

PROFILE_SCORES = ("acf_distance", "psd_distance", "histogram_distance", "padded_length_distance", "mmd")
CLOUD_SCORES = ("frechet_distance", "precision", "recall", "density", "coverage")
LEARNT_SCORES = ("discriminative_score", "predictive_score")
WARPING_SCORES = ("dtw_distance", "dtw_distance_to_synthetic")

_KINDS = ("accuracy", "macro_f1")


@dataclass(frozen=True, kw_only=True)
class SeriesSuite:
    """Which scores of series are computed.

    Args:
        name: as reports call it.
        classifiers: trained on synthetic and on real series.
        has_both_ways: whether classifiers trained on real series are tested on synthetic ones, too.
        has_warping: whether series are warped onto each other.
        has_memorisation: whether nearest neighbours are looked for among the training records.
    """

    name: str
    classifiers: tuple[SeriesClassifier, ...]
    has_both_ways: bool
    has_warping: bool
    has_memorisation: bool


FULL = SeriesSuite(
    name="full",
    classifiers=(RANDOM_FOREST, LOGISTIC_REGRESSION, SERIES_CNN),
    has_both_ways=True,
    has_warping=True,
    has_memorisation=True,
)
"""Every score of series."""

QUICK = SeriesSuite(
    name="quick",
    classifiers=(RANDOM_FOREST, SERIES_CNN),
    has_both_ways=False,
    has_warping=False,
    has_memorisation=False,
)
"""Without warping, neighbours, a classifier and a direction."""


def look_names(suite: SeriesSuite) -> tuple[str, ...]:
    """Names of the scores of how series look, each of which has a counterpart of real training series."""
    return (*PROFILE_SCORES, *CLOUD_SCORES, *LEARNT_SCORES, *(WARPING_SCORES if suite.has_warping else ()))


def directions(suite: SeriesSuite) -> tuple[str, ...]:
    """First words of the names of downstream scores."""
    return ("tstr", "trtr", "trts") if suite.has_both_ways else ("tstr", "trtr")


def downstream_names(suite: SeriesSuite) -> tuple[str, ...]:
    """Names of the scores that need labels."""
    found = [name for direction in directions(suite) for name in names_of_direction(suite, direction)]
    return ("class_distance", *found)


def names_of_direction(suite: SeriesSuite, direction: str) -> tuple[str, ...]:
    """Names of the scores of one direction: means over classifiers, and each classifier.

    >>> names_of_direction(QUICK, "tstr")[:4]
    ('tstr_accuracy', 'tstr_macro_f1', 'tstr_auroc', 'tstr_random_forest_accuracy')
    """
    each = [f"{direction}_{one.name}_{kind}" for one in suite.classifiers for kind in _KINDS]
    return (*(f"{direction}_{kind}" for kind in (*_KINDS, "auroc")), *each)


def people_names(suite: SeriesSuite) -> tuple[str, ...]:
    """Names of the scores between people: the same, tested on people of whom nothing was learnt."""
    return tuple(f"{name}_people" for one in ("tstr", "trtr") for name in names_of_direction(suite, one))


def score_names(suite: SeriesSuite) -> tuple[str, ...]:
    """Names of all scores of a suite, of data with labels and with people."""
    looks = [f"{name}{side}" for side in ("", "_real") for name in look_names(suite)]
    memorisation = ("memorisation",) if suite.has_memorisation else ()
    return (*looks, *memorisation, *downstream_names(suite), *people_names(suite))


def check_series(where: str, series: SeriesSet, num_classes: int) -> None:
    """Refuse synthetic series that no score can tell anything about.

    Args:
        where: their name, for the message.
        series: to check.
        num_classes: of the real data.

    Raises:
        InputError: one series repeated throughout, a label outside the classes, or one class alone.
    """
    if (series.x == series.x[:1]).all():
        raise InputError(
            f"{where}: all {len(series)} series are the same; there is nothing to score: check what was drawn"
        )
    if series.y is None:
        return
    if num_classes > 1 and (series.y == series.y[:1]).all():
        raise InputError(f"{where}: all labels are of one class; classifiers need at least two, or no labels at all")
    outside = np.flatnonzero((series.y < 0) | (series.y >= num_classes))
    if outside.size:
        raise InputError(f"{where}: label {outside[0]} is outside 0 .. {num_classes - 1}, the classes of the real data")


def check_number(where: str, number: int, *, permit_few_samples: bool) -> None:
    """Refuse too few series before anything is computed.

    Args:
        where: their name, for the message.
        number: of series.
        permit_few_samples: allow fewer than four times the features of the encoder.

    Raises:
        InputError: too few.
    """
    least = 2 * NUM_BLOCKS if permit_few_samples else 4 * NUM_FEATURES
    if number < least:
        way_out = (
            "give more" if permit_few_samples else "give more, or --allow-few-samples, with which they mean little"
        )
        raise InputError(f"{where}: {number} series; Frechet distance and discrepancy want {least}: {way_out}")


def score_look(suite: SeriesSuite, pair: MatchedPair, *, seed: int) -> dict[str, Score]:
    """How synthetic series look beside real ones of the same classes.

    Args:
        suite: which scores.
        pair: matched by class, so that shares of classes, which `class_distance` tells of, weigh in none of these.
        seed: of networks, parts and resamples.

    Raises:
        InputError: too few series of common classes.
    """
    made, real = pair.synthetic, pair.real
    least = 2 * NUM_BLOCKS
    if len(made) < least:
        raise InputError(
            f"{made.name}: {len(made)} series are left when every class has as many synthetic as real ones, and scores "
            f"want {least}; give more of the rarest classes"
        )
    measures = (acf_distance, psd_distance, histogram_distance, padded_length_distance, mmd)
    scores = [measure(made, real, seed=seed) for measure in measures]
    scores += _of_clouds(encode(made.x), encode(real.x), seed)
    scores += [measure(made, real, seed=seed) for measure in (discriminative_score, predictive_score)]
    if suite.has_warping:
        scores += dtw_distances(made, real, seed=seed)
    return {score.name: score for score in scores}


def _of_clouds(made: NDArray[np.float64], real: NDArray[np.float64], seed: int) -> list[Score]:
    # How many there are was checked before classes were matched.
    distance = frechet_distance(made, real, seed=seed, features=description(), permit_few_samples=True)
    manifold = manifold_scores(made, real, seed=seed, features=description())
    return [distance, manifold.precision, manifold.recall, manifold.density, manifold.coverage]


def as_reference(scores: dict[str, Score]) -> dict[str, Score]:
    """Scores of real training series in the place of synthetic ones, renamed: ``mmd`` becomes ``mmd_real``."""
    return {
        f"{name}_real": dataclasses.replace(
            score,
            name=f"{name}_real",
            num_synthetic=0,
            num_real=score.num_synthetic + score.num_real,
            source=f"{score.source} Of real training series in the place of synthetic ones.",
        )
        for name, score in scores.items()
    }
