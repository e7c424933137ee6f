"""The classifiers of series: a forest, a linear one and a convolutional network, three kinds that err differently."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gossamer.evaluation.classifiers import Classifier, on_values
from gossamer.evaluation.series.networks import SeriesCNN


class SeriesEstimator(Protocol):
    """An estimator that learns classes from series and then says how probable each is."""

    def fit(self, x: NDArray[np.floating], y: NDArray[np.integer], /) -> None:
        """Learn from series (batch, channels, time) in [0, 1] and labels (batch,), all of 0 .. classes - 1."""
        ...

    def probabilities(self, x: NDArray[np.floating], /) -> NDArray[np.float64]:
        """Return class probabilities (batch, classes)."""
        ...


SeriesClassifier = Classifier[SeriesEstimator]
"""A classifier of series, fixed in advance."""

RANDOM_FOREST: SeriesClassifier = on_values(
    "random_forest", 1, "sklearn.ensemble.RandomForestClassifier", n_estimators=100, n_jobs=1
)
"""100 trees on the values as they stand."""
LOGISTIC_REGRESSION: SeriesClassifier = on_values(
    "logistic_regression", 1, "sklearn.linear_model.LogisticRegression", solver="lbfgs", max_iter=300
)
"""Linear in the values."""
SERIES_CNN: SeriesClassifier = Classifier(name="cnn", build=SeriesCNN)
"""Convolutions in time."""
