"""The list of scores of images: each entry has a name, a title, the evidence it needs, and a function.

Everything comes in as arrays. Nothing here knows a method or a file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.classifiers import SMALL_CNN, TWELVE
from gossamer.evaluation.encoder import Encoded
from gossamer.evaluation.frechet import extrapolated_frechet_distance, fewest_samples, frechet_distance
from gossamer.evaluation.inception import NUM_RESAMPLES
from gossamer.evaluation.inception_score import NUM_SPLITS, inception_score
from gossamer.evaluation.listed import (
    AbstractEvidence,
    Evidence,
    Listed,
    ListedScore,
    Suite,
    SyntheticRecords,
    check_labels,
    way_out,
)
from gossamer.evaluation.manifold import ManifoldScores, manifold_scores
from gossamer.evaluation.memorisation import MEMORISATION
from gossamer.evaluation.score import Score
from gossamer.evaluation.use import (
    BACKWARDS,
    FORWARDS,
    ON_REAL,
    ImageAnswers,
    calibrated_mean_of_twelve,
    mean_of_twelve,
    rate,
)

_CLASSIFIERS = (SMALL_CNN, *TWELVE)
_QUICK = {"mlp", "cnn"}
_OF_TESTS = "share of test images"


FULL = Suite(name="full", classifiers=(*TWELVE, SMALL_CNN), is_full=True)
"""Every score of the study."""

QUICK = Suite(name="quick", classifiers=tuple(one for one in FULL.classifiers if one.name in _QUICK), is_full=False)
"""Feature scores and two classifiers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFeatures(AbstractEvidence):
    """Synthetic images of one seed and real test images, in the features of an encoder of real training images.

    Args:
        draw: synthetic images.
        real: test images.
        seed: of the draw.
        permit_few_samples: go on with fewer images than four times the features, and with fewer splits of the
            inception score if there are few for ten.
    """

    reference: ClassVar[str] = "Of real training images in the place of synthetic ones; the encoder has seen them."
    travels: ClassVar[bool] = True
    draw: Encoded
    real: Encoded
    seed: int
    permit_few_samples: bool = False

    @property
    def words(self) -> str:
        """The space of the features, for sources of scores."""
        return f"{self.real.features.shape[1]} features of an encoder trained on the real training images"

    @functools.cached_property
    def manifold(self) -> ManifoldScores:
        """Four scores of one pass over the distances."""
        return manifold_scores(self.draw.features, self.real.features, seed=self.seed, features=self.words)


@dataclass(frozen=True, kw_only=True, eq=False)
class InceptionFeatures(AbstractEvidence):
    """Synthetic images of one seed and real test images, in the features of the Inception network.

    Args:
        draw: (num_synthetic, 2048).
        real: (num_real, 2048).
        seed: of the draw.
        words: the space of the features.
        permit_few_samples: go on with fewer images than features.
    """

    travels: ClassVar[bool] = True
    draw: NDArray[np.floating]
    real: NDArray[np.floating]
    seed: int
    words: str
    permit_few_samples: bool


def _inception_score(seen: ImageFeatures) -> Score:
    num_images, num_classes = seen.draw.probabilities.shape
    # As many splits as there are images for; below one it refuses.
    most = max(1, min(NUM_SPLITS, num_images // num_classes)) if seen.permit_few_samples else NUM_SPLITS
    return inception_score(seen.draw.probabilities, num_splits=most, seed=seen.seed)


def _between_clouds(measure: Callable[..., Score]) -> Callable[[ImageFeatures], Score]:
    return lambda seen: measure(
        seen.draw.features,
        seen.real.features,
        seed=seen.seed,
        features=seen.words,
        permit_few_samples=seen.permit_few_samples,
    )


def fid_inception(seen: InceptionFeatures) -> Score:
    """Score the FID, the Frechet distance in the features of Inception (Heusel et al. 2017, Obukhov et al. 2020)."""
    terms = {"seed": seen.seed, "features": seen.words, "permit_few_samples": seen.permit_few_samples}
    score = frechet_distance(seen.draw, seen.real, num_resamples=NUM_RESAMPLES, **terms)
    return dataclasses.replace(score, name="fid_inception")


def _on_side(measure: Callable[..., Score], side: str, *of: str) -> Callable[[ImageAnswers], Score]:
    return lambda answers: measure(answers.sides[side], *of)


def _entry(
    needs: type[Evidence],
    name: str,
    compute: Callable[[Evidence], Score],
    title: str = "",
    unit: str = "value",
    *,
    is_quick: bool = True,
) -> ListedScore[Evidence]:
    """Return an entry of the list, a headline if it has a title."""
    titles = {"title": title, "unit": unit, "is_headline": bool(title)}
    return ListedScore(name=name, needs=needs, compute=compute, is_quick=is_quick, **titles)


_of_features = functools.partial(_entry, ImageFeatures)
_of_twelve = functools.partial(_entry, ImageAnswers, is_quick=False)


def _of_classifiers() -> Iterator[ListedScore[ImageAnswers]]:
    for kind, side in (("accuracy", FORWARDS), ("accuracy", ON_REAL), ("accuracy", BACKWARDS), ("macro_f1", FORWARDS)):
        for name in (one.name for one in _CLASSIFIERS):
            is_headline = name in _QUICK and (kind, side) == ("accuracy", FORWARDS)
            titles = (f"{name.upper()} accuracy", _OF_TESTS) if is_headline else ()
            compute, is_quick = _on_side(rate, side, name, kind), name in _QUICK and side != BACKWARDS
            yield _entry(ImageAnswers, f"{name}_{kind}{side}", compute, *titles, is_quick=is_quick)


SCORES: Listed = (
    _of_features("inception_score", _inception_score, "Inception score", "effective number of classes"),
    _of_features(
        "frechet_distance", _between_clouds(frechet_distance), "Frechet distance", "squared distance of features"
    ),
    _of_features("frechet_distance_extrapolated", _between_clouds(extrapolated_frechet_distance)),
    _of_features("precision", lambda seen: seen.manifold.precision, "Precision", "share of synthetic images"),
    _of_features("recall", lambda seen: seen.manifold.recall, "Recall", "share of real images"),
    _of_features("density", lambda seen: seen.manifold.density, "Density", "neighbourhoods met"),
    _of_features("coverage", lambda seen: seen.manifold.coverage, "Coverage", "share of real images"),
    ListedScore(name="fid_inception", needs=InceptionFeatures, compute=fid_inception),
    MEMORISATION,
    *_of_classifiers(),
    _of_twelve("avg12", _on_side(mean_of_twelve, FORWARDS), "Mean of twelve classifiers", _OF_TESTS),
    _of_twelve("avg12_real", _on_side(mean_of_twelve, ON_REAL)),
    _of_twelve("avg12_real_to_synthetic", _on_side(mean_of_twelve, BACKWARDS)),
    _of_twelve(
        "avg12_calibrated", calibrated_mean_of_twelve, "Mean of twelve, calibrated", "ratio to training on real data"
    ),
)
"""All scores of images, in the order of tables. A new score is one line here."""


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
    check_labels(where, "images", images, num_classes)


def check_number(
    where: str, num_images: int, *, num_features: int, num_classes: int, permit_few_samples: bool = False
) -> None:
    """Refuse too few images before anything is computed.

    Args:
        where: their name, for the message.
        num_images: synthetic images of one seed, or real test images.
        num_features: of the encoder.
        num_classes: of the real data.
        permit_few_samples: as for `ImageFeatures`.

    Raises:
        InputError: the scores of `ImageFeatures` would refuse them.
    """
    least = max(num_classes, fewest_samples(num_features, permit_few_samples=permit_few_samples))
    if not permit_few_samples:
        least = max(least, NUM_SPLITS * num_classes)
    if num_images < least:
        told = way_out(permit_few_samples=permit_few_samples)
        raise InputError(f"{where}: {num_images} images; inception score and Frechet distance want {least}: {told}")
