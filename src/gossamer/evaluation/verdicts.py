"""Scores from the labels that classifiers named: arrays of them in, a number with its interval out.

Scores on private data are themselves private: choosing a model by them voids a guarantee.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import NUM_RESAMPLES, mean_interval
from gossamer.evaluation.score import Basis, Score


def mean_accuracy(
    name: str, predicted: NDArray[np.integer], true: NDArray[np.integer], basis: Basis, rng: np.random.Generator
) -> Score:
    """Score the accuracy averaged over classifiers (avg12: over twelve) and seeds.

    Classifiers err on the same images, so an image is resampled together with the verdicts of all of them. The
    classifiers themselves are fixed.

    Args:
        name: of the score.
        predicted: (num_classifiers, num_seeds, num_images) labels. For one alone (1, num_seeds, num_images).
        true: (num_images,) labels, or (num_seeds, num_images) if each seed has test images of its own.
        basis: counts, seeds and source of the score.
        rng: draws the resamples of the interval, which covers the choice of images and of seeds (`mean_interval`).

    Raises:
        InputError: if the shapes do not fit.

    >>> predicted, true = np.array([[[1, 0, 2, 2]]]), np.array([1, 0, 2, 0])
    >>> basis = Basis(num_synthetic=0, num_real=4, seeds=(0,), source="an example")
    >>> print(mean_accuracy("accuracy", predicted, true, basis, np.random.default_rng(0)))
    accuracy 0.750 (95 % interval 0.250 to 1.000)
    """
    right = _right(name, predicted, true, len(basis.seeds)).mean(axis=0)
    interval = float(right.mean()), *mean_interval(right, rng)
    return basis.score(name, interval)


def mean_macro_f1(
    name: str, predicted: NDArray[np.integer], true: NDArray[np.integer], basis: Basis, rng: np.random.Generator
) -> Score:
    """Score the F1 averaged over the classes that occur in `true`, then over classifiers and seeds::

        F1(class) = 2 (rightly predicted) / (predicted + true), and 0 where a class is neither

    As in `mean_accuracy` an image is resampled together with the verdicts of all classifiers, and arguments and errors
    are as there. The interval is a percentile bootstrap over images and seeds.

    References:
        Opitz, Burst, "Macro F1 and Macro F1", 2019: this is the mean of F1, not the F1 of means.
    """
    return _mean_of_rows(name, predicted, true, basis, rng, _mean_f1)


def mean_balanced_accuracy(
    name: str, predicted: NDArray[np.integer], true: NDArray[np.integer], basis: Basis, rng: np.random.Generator
) -> Score:
    """Score the recall averaged over the classes that occur in `true`, then over classifiers and seeds::

        recall(class) = (rightly predicted) / (true)

    Arguments, errors and interval are those of `mean_macro_f1`. A class that a resample leaves out has recall 0 there.

    References:
        Brodersen, Ong, Stephan, Buhmann 2010, "The balanced accuracy and its posterior distribution".

    >>> predicted, true = np.array([[[1, 0, 2, 2]]]), np.array([1, 0, 2, 0])
    >>> basis = Basis(num_synthetic=0, num_real=4, seeds=(0,), source="an example")
    >>> round(mean_balanced_accuracy("balanced", predicted, true, basis, np.random.default_rng(0)).value, 3)
    0.833
    """
    return _mean_of_rows(name, predicted, true, basis, rng, _mean_recall)


def calibrated_accuracy(
    name: str,
    predicted_synthetic: NDArray[np.integer],
    predicted_real: NDArray[np.integer],
    true: NDArray[np.integer],
    basis: Basis,
    rng: np.random.Generator,
) -> Score:
    """Score the accuracy after training on synthetic images over that on real ones, averaged over classifiers::

        mean over classifiers of  accuracy(trained on synthetic) / accuracy(trained on real)

    Both are tested on the same real images, and a resample of these serves both. So images that are hard after either
    training do not widen the interval. Above 1 where synthetic images teach more.

    Args:
        name: of the score.
        predicted_synthetic: (num_classifiers, num_seeds, num_images) labels after training on synthetic images. For
            one classifier alone (1, num_seeds, num_images).
        predicted_real: (num_classifiers, num_real_seeds, num_images) labels after training on real images, in the same
            order of classifiers.
        true: (num_images,) labels.
        basis: counts, seeds and source of the score.
        rng: draws the resamples of the interval, a percentile bootstrap over images and, independently, the seeds of
            either training.

    Raises:
        InputError: if the shapes do not fit, or a classifier trained on real images is never right.
    """
    synthetic = _right(name, predicted_synthetic, true, len(basis.seeds))
    real = _right(name, predicted_real, true, np.shape(predicted_real)[1] if np.ndim(predicted_real) == 3 else 0)
    if len(real) != len(synthetic):
        raise InputError(f"{name}: {len(synthetic)} classifiers trained on synthetic images, but {len(real)} on real")
    if not real.any(axis=(1, 2)).all():
        raise InputError(f"{name}: a classifier trained on real images is never right; nothing can be measured by it")
    weights, (synthetic, real) = _resampled((synthetic, real), rng)
    # A resample in which nothing is right would divide by nothing.
    least = 1 / np.shape(true)[-1]
    ratios = _accuracies(weights, synthetic, rng) / np.maximum(_accuracies(weights, real, rng), least)
    return basis.score(name, _percentiles(ratios.mean(axis=1)))


def _right(name: str, predicted: NDArray[np.integer], true: NDArray[np.integer], num_seeds: int) -> NDArray[np.bool_]:
    """Mark the labels that are right, (num_classifiers, num_seeds, num_images), after a look at the shapes."""
    predicted, true = np.asarray(predicted), np.asarray(true)
    if predicted.ndim != 3 or predicted.shape[1] != num_seeds or predicted.size == 0:
        raise InputError(f"{name}: predicted labels of shape {predicted.shape} for {num_seeds} seeds; check the axes")
    if true.shape not in (predicted.shape[2:], predicted.shape[1:]):
        raise InputError(f"{name}: true labels of shape {true.shape}, but predicted ones of {predicted.shape[1:]}")
    return predicted == true


def _resampled(
    tables: tuple[NDArray, ...], rng: np.random.Generator
) -> tuple[NDArray[np.float64], tuple[NDArray, ...]]:
    """Draw bootstrap weights of images, and the tables with equal columns (images) made one.

    Returns:
        (1 + resamples, patterns) shares that sum to one, the first row those of the images themselves, and the tables,
        (..., patterns).
    """
    num_images = tables[0].shape[-1]
    rows = np.concatenate([table.reshape(-1, num_images) for table in tables])
    patterns, counts = np.unique(rows, axis=1, return_counts=True)
    drawn = rng.multinomial(num_images, counts / num_images, size=NUM_RESAMPLES)
    parts = np.split(patterns, np.cumsum([math.prod(table.shape[:-1]) for table in tables])[:-1])
    shaped = tuple(part.reshape(*table.shape[:-1], -1) for part, table in zip(parts, tables))
    return np.concatenate([counts[None], drawn]) / num_images, shaped


def _drawn_seeds(num_seeds: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw weights (1 + resamples, seeds) of seeds drawn with replacement. In the first row all are equal."""
    drawn = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=NUM_RESAMPLES)
    return np.concatenate([np.ones((1, num_seeds)), drawn]) / num_seeds


def _accuracies(
    weights: NDArray[np.float64], right: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the accuracy (1 + resamples, classifiers) of `right` (classifiers, seeds, patterns)."""
    num_classifiers, num_seeds, num_patterns = right.shape
    each = weights @ right.reshape(-1, num_patterns).T.astype(np.float64)
    return np.einsum("rcs,rs->rc", each.reshape(-1, num_classifiers, num_seeds), _drawn_seeds(num_seeds, rng))


def _mean_of_rows(
    name: str,
    predicted: NDArray[np.integer],
    true: NDArray[np.integer],
    basis: Basis,
    rng: np.random.Generator,
    measure: Callable[[NDArray[np.float64], NDArray[np.integer], NDArray[np.integer], NDArray], NDArray[np.float64]],
) -> Score:
    """Score a measure of weighted labels, averaged over classifiers and seeds, with a bootstrap over images and seeds.

    Args:
        name: of the score.
        predicted: as in `mean_accuracy`.
        true: likewise.
        basis: likewise.
        rng: likewise.
        measure: (weights (rows, patterns), predicted and true labels (patterns,), classes) -> (rows,).
    """
    right = _right(name, predicted, true, len(basis.seeds))
    predicted, true = np.asarray(predicted), np.broadcast_to(true, right.shape[1:])
    weights, (predicted, true) = _resampled((predicted, true), rng)
    classes = np.unique(true)
    values = np.stack(
        [
            np.mean([measure(weights, said[s], true[s], classes) for said in predicted], axis=0)
            for s in range(len(basis.seeds))
        ],
        axis=1,
    )
    interval = _percentiles((values * _drawn_seeds(len(basis.seeds), rng)).sum(axis=1))
    return basis.score(name, interval)


def _mean_recall(
    weights: NDArray[np.float64], predicted: NDArray[np.integer], true: NDArray[np.integer], classes: NDArray
) -> NDArray[np.float64]:
    """Return the mean recall of the classes of every row of weights (rows, patterns) over labels (patterns,)."""
    is_predicted, is_true = (np.equal.outer(labels, classes).astype(np.float64) for labels in (predicted, true))
    right, all_true = weights @ (is_predicted * is_true), weights @ is_true
    return np.divide(right, all_true, out=np.zeros_like(right), where=all_true > 0).mean(axis=1)


def _mean_f1(
    weights: NDArray[np.float64], predicted: NDArray[np.integer], true: NDArray[np.integer], classes: NDArray
) -> NDArray[np.float64]:
    """Return the macro F1 of every row of weights (rows, patterns) over labels (patterns,)."""
    is_predicted, is_true = (np.equal.outer(labels, classes).astype(np.float64) for labels in (predicted, true))
    right = weights @ (is_predicted * is_true)
    either = weights @ (is_predicted + is_true)
    return np.divide(2 * right, either, out=np.zeros_like(right), where=either > 0).mean(axis=1)


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the first value, and the 2.5 and 97.5 % points of the others, moved so that it lies between them."""
    value = float(values[0])
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return value, min(float(low), value), max(float(high), value)
