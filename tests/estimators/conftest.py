"""Small images and series, and generators that were fitted to them once for all tests here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gossamer.estimators import DPCGAN, DPMERF, GSWGAN, AbstractEstimator, DPMixture, LabelledMixture, as_series

NUM_RECORDS = 90
TINY: dict[str, Any] = {"num_critics": 5, "num_steps": 2, "batch_size": 4, "draws_per_step": 4, "device": "cpu"}


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((NUM_RECORDS, 8, 8), dtype=np.float32)


@pytest.fixture(scope="session")
def labels() -> np.ndarray:
    return np.arange(NUM_RECORDS) % 3


@pytest.fixture(scope="session")
def fitted(images: np.ndarray, labels: np.ndarray) -> GSWGAN:
    return GSWGAN(epsilon=10.0, num_classes=3, **TINY).fit(images, labels)


@pytest.fixture(scope="session")
def of_series(labels: np.ndarray) -> DPMixture:
    """Fitted to two channels of twelve samples, between -2 and 3 and between 0 and 300."""
    x = np.random.default_rng(1).random((NUM_RECORDS, 2, 12)) * np.array([[5.0], [300.0]]) - np.array([[2.0], [0.0]])
    records = as_series(
        x, labels, low=(-2.0, 0.0), high=(3.0, 300.0), channel_names=["II", "flow"], class_names=["a", "b", "c"]
    )
    return DPMixture(epsilon=5.0).fit(records)


@pytest.fixture(scope="session")
def tiny_settings() -> dict[type[AbstractEstimator], dict[str, Any]]:
    """Every estimator, with settings of a few steps."""
    # All records in every batch: the accountant of Poisson samples takes 20 seconds otherwise.
    batches = {"expected_batch_size": NUM_RECORDS, "synthetic_batch_size": 7, "generator_batch_size": 6}
    return {
        GSWGAN: {name: value for name, value in TINY.items() if name != "device"},
        DPCGAN: {"num_steps": 3, **batches},
        DPMERF: {"num_fit_steps": 10, "num_features": 40},
        DPMixture: {},
        LabelledMixture: {"teacher_steps": 2},
    }
