"""Scores of records drawn by a generator beside real ones, for `own_data.py`.

- accuracy: of logistic regression on real test records, after as many synthetic ones as there are real ones to learn
  from. Its ceiling is the accuracy after the real ones.
- level: mean of each channel. Level error: its largest distance from the real one, over the public range.
- spread: standard deviation of a channel's values about their mean at each place.
- moment distance: Frechet distance of a class's Gaussians in 32 principal directions, over the real variance there,
  mean over classes. Class means alone have 1.

Classes are drawn in turn, so accuracy, level and moment distance give every class the same weight.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from own_sets import Array, OwnSet, Records
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

NUM_DIRECTIONS = 32


def scores(one: OwnSet, drawn: Records, train: Records, test: Records) -> dict[str, Any]:
    """Return the scores of drawn records, levels and spreads by channel in the records' own units."""
    width = np.array(one.high) - np.array(one.low)
    level, real = level_of(drawn), level_of(train)
    found: dict[str, Any] = {"level": level.tolist(), "spread": spread_of(drawn).tolist()}
    found["level_error"] = float((np.abs(level - real) / width).max())
    if one.classes:
        found["accuracy"] = accuracy(drawn, train, test)
        found["moment_distance"] = moment_distance(drawn, train, test)
    return found


def real_scores(one: OwnSet, train: Records, test: Records) -> dict[str, Any]:
    """Return the scores of the real records to learn from, and those of their class means alone."""
    found = {"num_records": len(train.x), "num_test": len(test.x), **scores(one, train, train, test)}
    if train.y is not None:
        means = np.stack([features(train, train)[train.y == label].mean(0) for label in range(len(one.classes))])
        nearest = ((features(test, train)[:, None] - means) ** 2).sum(-1).argmin(1)
        found["class_means_accuracy"] = balanced(nearest == test.y, test)
    return found


def level_of(records: Records) -> Array:
    """Return the mean of each channel, each class with the same weight."""
    axes = tuple(range(2, records.x.ndim))
    return by_class(records.x.astype(np.float64).mean(axes), records).mean(0)


def spread_of(records: Records) -> Array:
    """Return the standard deviation of the values of each channel about their means at every place."""
    variances = records.x.astype(np.float64).var(0)
    return np.sqrt(variances.mean(tuple(range(1, variances.ndim))))


def by_class(values: Array, records: Records) -> Array:
    """Return the mean of `values` over the records of each class."""
    if records.y is None:
        return values.mean(0, keepdims=True)
    return np.stack([values[records.y == label].mean(0) for label in np.unique(records.y)])


def balanced(right: Array, test: Records) -> float:
    """Return the mean over classes of how often an answer is right."""
    return float(by_class(right.astype(np.float64), test).mean())


def features(records: Records, train: Records) -> Array:
    """Return the values of records in a row, each channel in units of the real records to learn from."""
    axes = (0, *range(2, train.x.ndim))
    scaled = (records.x - train.x.mean(axes, keepdims=True)) / train.x.std(axes, keepdims=True).clip(1e-6)
    return scaled.reshape(len(scaled), -1)


def accuracy(drawn: Records, train: Records, test: Records) -> float:
    """Return the accuracy on real test records of logistic regression after `drawn`, balanced over classes."""
    model = LogisticRegression(C=0.1, max_iter=300, class_weight="balanced")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features(drawn, train), drawn.y)
    return balanced(model.predict(features(test, train)) == test.y, test)


def moment_distance(drawn: Records, train: Records, test: Records) -> float:
    """Return the Frechet distance of the Gaussians of a class over its real variance, mean over classes."""
    directions = PCA(NUM_DIRECTIONS, svd_solver="randomized", random_state=0).fit(features(train, train))
    ours, real = (directions.transform(features(one, train)) for one in (drawn, test))
    assert test.y is not None
    return float(np.mean([_frechet(ours[drawn.y == one], real[test.y == one]) for one in np.unique(test.y)]))


def _frechet(ours: Array, real: Array) -> float:
    covariances = np.cov(ours, rowvar=False), np.cov(real, rowvar=False)
    # tr (S1 S2)^(1/2) is the sum of the singular values of S1^(1/2) S2^(1/2).
    shared = np.linalg.svd(_root(covariances[0]) @ _root(covariances[1]), compute_uv=False).sum()
    apart = ((ours.mean(0) - real.mean(0)) ** 2).sum()
    return (apart + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared) / np.trace(covariances[1])


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T
