"""The classifiers of series: a forest, a linear one and a convolutional network, three kinds that err differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gossamer.evaluation.classifiers import OnValues
from gossamer.evaluation.series.networks import SeriesCNN


class SeriesEstimator(Protocol):
    """An estimator that learns classes from series and then says how probable each is."""

    def fit(self, x: NDArray[np.floating], y: NDArray[np.integer], /) -> None:
        """Learn from series (batch, channels, time) in [0, 1] and labels (batch,), all of 0 .. classes - 1."""
        ...

    def probabilities(self, x: NDArray[np.floating], /) -> NDArray[np.float64]:
        """Return class probabilities (batch, classes)."""
        ...


@dataclass(frozen=True, kw_only=True)
class SeriesClassifier:
    """A classifier that is fixed in advance.

    Args:
        name: a word for tables and JSON.
        build: a seed, 0 .. 2^32 - 1, to an untrained estimator.
    """

    name: str
    build: Callable[[int], SeriesEstimator]


def _random_forest(seed: int) -> SeriesEstimator:
    from sklearn.ensemble import RandomForestClassifier

    return OnValues(RandomForestClassifier(n_estimators=100, n_jobs=1, random_state=seed))


def _logistic_regression(seed: int) -> SeriesEstimator:
    from sklearn.linear_model import LogisticRegression

    return OnValues(LogisticRegression(solver="lbfgs", max_iter=300, random_state=seed))


RANDOM_FOREST = SeriesClassifier(name="random_forest", build=_random_forest)
"""100 trees on the values as they stand."""
LOGISTIC_REGRESSION = SeriesClassifier(name="logistic_regression", build=_logistic_regression)
"""Linear in the values."""
SERIES_CNN = SeriesClassifier(name="cnn", build=SeriesCNN)
"""Convolutions in time."""
