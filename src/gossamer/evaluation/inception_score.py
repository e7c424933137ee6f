"""Inception score: are images recognisable, each, and varied, together? By the class probabilities of an encoder."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import normal_interval
from gossamer.evaluation.score import Basis, Score

NUM_SPLITS = 10
NUM_RESAMPLES = 100
_SUM_TOLERANCE = 1e-3


def inception_score(probabilities: NDArray[np.floating], *, num_splits: int = NUM_SPLITS, seed: int) -> Score:
    """Inception score of synthetic images, from the class probabilities that an encoder gives them::

        IS = mean over splits of exp( mean_x KL( p(y|x) || p(y) ) ),   p(y) = mean_x p(y|x)

    with both inner means over the images of one split. 1 if all images look alike to the encoder, `num_classes` if each
    is certainly of one class and all classes are equally frequent. It sees no difference between many images of a class
    and one: read it beside recall and coverage.

    The images are shuffled, then divided into splits of sizes that differ by one at most. A split of n images scores
    lower than an infinite one, by a factor of about ``exp(-(num_classes - 1) / (2 n))`` if the encoder is certain.
    Compare only scores of equally many images.

    Args:
        probabilities: (num_images, num_classes), each row at least 0 and with sum 1.
        num_splits: at least 1. The paper has 10. There must be at least as many images in a split as classes.
        seed: of the shuffle and of the bootstrap.

    Returns:
        The score, between 1 and `num_classes`, with a 95 % normal bootstrap interval. That is 1.96 standard deviations
        of the score of 100 resamples of the images, cut at 1 and `num_classes`. It covers the choice of images, neither
        the bias of small splits nor another encoder.

    Raises:
        InputError: the probabilities are none, or there are too few.

    References:
        Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen, "Improved techniques for training GANs", NeurIPS 2016,
        section 4. Barratt, Sharma, "A note on the inception score", 2018, on its limits.

    >>> inception_score(np.eye(4)[np.arange(400) % 4], num_splits=1, seed=0).value
    4.0
    """
    table = np.asarray(probabilities, dtype=np.float64)
    _check(table, num_splits)
    num_images, num_classes = table.shape
    rng = np.random.default_rng(seed)
    # Once for all resamples, with 0 log 0 = 0.
    negative_entropies = scipy.special.xlogy(table, table).sum(axis=1)

    def score_of(chosen: NDArray[np.integer]) -> float:
        splits = np.array_split(chosen, num_splits)
        scores = [np.exp(_information(table[split], negative_entropies[split])) for split in splits]
        # Rounding must not carry it past the bounds that hold for the formula.
        return float(np.clip(np.mean(scores), 1.0, num_classes))

    value = score_of(rng.permutation(num_images))
    low, high = normal_interval(
        value,
        lambda stream: score_of(stream.integers(num_images, size=num_images)),
        rng,
        num_resamples=NUM_RESAMPLES,
        lowest=1.0,
    )
    source = (
        f"Salimans et al. 2016, mean over {num_splits} splits, with the class probabilities of an encoder trained on "
        "the real training images; the interval covers the choice of synthetic images, not the encoder."
    )
    basis = Basis(num_synthetic=num_images, num_real=0, seeds=(seed,), source=source)
    return basis.score("inception_score", (value, low, max(value, min(high, float(num_classes)))))


def _information(split: NDArray[np.float64], negative_entropies: NDArray[np.float64]) -> float:
    """Mean KL(p(y|x) || p(y)) in nats, as the entropy of the mean less the mean of the entropies."""
    mean = split.mean(axis=0)
    return float(negative_entropies.mean() - scipy.special.xlogy(mean, mean).sum())


def _check(table: NDArray[np.float64], num_splits: int) -> None:
    if table.ndim != 2 or table.shape[1] < 2:
        raise InputError(
            f"class probabilities of shape {table.shape}; give (num_images, num_classes), classes 2 or more"
        )
    if num_splits < 1:
        raise InputError(f"num_splits must be at least 1, not {num_splits}")
    num_images, num_classes = table.shape
    least = num_splits * num_classes
    if num_images < least:
        raise InputError(
            f"inception score of {num_images} images: {num_splits} splits of {num_classes} classes need at least "
            f"{least}; draw more samples"
        )
    # A NaN makes the comparisons false.
    is_law = (table >= 0).all(axis=1) & (np.abs(table.sum(axis=1) - 1) <= _SUM_TOLERANCE)
    wrong = np.flatnonzero(~is_law)
    if wrong.size:
        raise InputError(
            f"class probabilities of image {wrong[0]} are not at least 0 with sum 1; give those of an encoder"
        )
