"""The list of scores of time series: each entry has a name, the evidence it needs, and a function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.frechet import frechet_distance
from gossamer.evaluation.listed import (
    AbstractEvidence,
    Listed,
    ListedScore,
    Suite,
    way_out,
)
from gossamer.evaluation.manifold import ManifoldScores, manifold_scores
from gossamer.evaluation.memorisation import MEMORISATION
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.classifiers import LOGISTIC_REGRESSION, RANDOM_FOREST, SERIES_CNN
from gossamer.evaluation.series.discrepancy import NUM_BLOCKS, mmd
from gossamer.evaluation.series.discriminative import discriminative_score
from gossamer.evaluation.series.encoder import DESCRIPTION, NUM_FEATURES, encode
from gossamer.evaluation.series.matching import MatchedPair
from gossamer.evaluation.series.predictive import predictive_score
from gossamer.evaluation.series.profiles import (
    acf_distance,
    histogram_distance,
    padded_length_distance,
    psd_distance,
)
from gossamer.evaluation.series.use import SeriesAnswers
from gossamer.evaluation.series.warping import dtw_distances

WAYS = ("tstr", "trtr", "trts")
"""First words of the names of scores of use: trained on synthetic or real series, tested on real or synthetic ones."""
RATES = ("accuracy", "macro_f1")
_HEADLINE = {"tstr_accuracy", "tstr_macro_f1", "tstr_auroc", "tstr_macro_f1_people"}

FULL = Suite(name="full", classifiers=(RANDOM_FOREST, LOGISTIC_REGRESSION, SERIES_CNN), is_full=True)
"""Every score of series."""

QUICK = Suite(name="quick", classifiers=(RANDOM_FOREST, SERIES_CNN), is_full=False)
"""The suite without warping, neighbours, a classifier and a direction."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Look(AbstractEvidence):
    """Synthetic series of one seed beside real ones of the same classes.

    Args:
        pair: matched by class, so that shares of classes, which `class_distance` tells of, weigh in no score.
        seed: of networks, parts and resamples.

    Raises:
        InputError: too few series of common classes.
    """

    reference: ClassVar[str] = "Of real training series in the place of synthetic ones."
    travels: ClassVar[bool] = True
    pair: MatchedPair
    seed: int

    def __post_init__(self) -> None:
        made, least = self.pair.synthetic, 2 * NUM_BLOCKS
        if len(made) < least:
            raise InputError(
                f"{made.name}: {len(made)} series are left when every class has as many synthetic as real ones, and "
                f"scores want {least}; give more of the rarest classes"
            )

    @functools.cached_property
    def clouds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Synthetic and real series in the features of the fixed encoder."""
        return encode(self.pair.synthetic.x), encode(self.pair.real.x)

    @functools.cached_property
    def manifold(self) -> ManifoldScores:
        """Four scores of one pass over the distances."""
        return manifold_scores(*self.clouds, seed=self.seed, features=DESCRIPTION)

    @functools.cached_property
    def warped(self) -> tuple[Score, Score]:
        """Two scores of one warping."""
        return dtw_distances(self.pair.synthetic, self.pair.real, seed=self.seed)


def _beside(measure: Callable[..., Score]) -> Callable[[Look], Score]:
    return lambda look: measure(look.pair.synthetic, look.pair.real, seed=look.seed)


def _frechet_distance(look: Look) -> Score:
    # How many there are was checked before classes were matched.
    return frechet_distance(*look.clouds, seed=look.seed, features=DESCRIPTION, permit_few_samples=True)


def rates_of(way: str, classifier: str) -> tuple[str, ...]:
    """Name the scores of one classifier in one direction.

    >>> rates_of("tstr", "cnn")
    ('tstr_cnn_accuracy', 'tstr_cnn_macro_f1')
    """
    return tuple(f"{way}_{classifier}_{rate}" for rate in RATES)


def _of_use() -> Iterator[ListedScore[SeriesAnswers]]:
    yield ListedScore(name="class_distance", needs=SeriesAnswers, compute=SeriesAnswers.class_distance)
    for way, people in (*((way, "") for way in WAYS), ("tstr", "_people"), ("trtr", "_people")):
        names = {f"{way}_{kind}": way != "trts" for kind in (*RATES, "auroc")}
        for one in FULL.classifiers:
            names |= dict.fromkeys(rates_of(way, one.name), way != "trts" and one in QUICK.classifiers)
        for name, is_quick in names.items():
            yield _verdict(f"{name}{people}", is_quick)


def _verdict(name: str, is_quick: bool) -> ListedScore[SeriesAnswers]:
    return ListedScore(
        name=name,
        needs=SeriesAnswers,
        compute=lambda answers: answers.scores.get(name),
        is_headline=name in _HEADLINE,
        is_quick=is_quick,
    )


SCORES: Listed = (
    ListedScore(name="acf_distance", needs=Look, compute=_beside(acf_distance), is_headline=True),
    ListedScore(name="psd_distance", needs=Look, compute=_beside(psd_distance), is_headline=True),
    ListedScore(name="histogram_distance", needs=Look, compute=_beside(histogram_distance), is_headline=True),
    ListedScore(name="padded_length_distance", needs=Look, compute=_beside(padded_length_distance)),
    ListedScore(name="mmd", needs=Look, compute=_beside(mmd), is_headline=True),
    ListedScore(name="frechet_distance", needs=Look, compute=_frechet_distance, is_headline=True),
    ListedScore(name="precision", needs=Look, compute=lambda look: look.manifold.precision, is_headline=True),
    ListedScore(name="recall", needs=Look, compute=lambda look: look.manifold.recall, is_headline=True),
    ListedScore(name="density", needs=Look, compute=lambda look: look.manifold.density, is_headline=True),
    ListedScore(name="coverage", needs=Look, compute=lambda look: look.manifold.coverage, is_headline=True),
    ListedScore(name="discriminative_score", needs=Look, compute=_beside(discriminative_score), is_headline=True),
    ListedScore(name="predictive_score", needs=Look, compute=_beside(predictive_score), is_headline=True),
    ListedScore(name="dtw_distance", needs=Look, compute=lambda look: look.warped[0], is_headline=True, is_quick=False),
    ListedScore(name="dtw_distance_to_synthetic", needs=Look, compute=lambda look: look.warped[1], is_quick=False),
    MEMORISATION,
    *_of_use(),
)
"""All scores of series, in the order of tables. A new score is one line here."""


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
        told = way_out(permit_few_samples=permit_few_samples)
        raise InputError(f"{where}: {number} series; Frechet distance and discrepancy want {least}: {told}")
