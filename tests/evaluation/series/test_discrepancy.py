"""Maximum mean discrepancy: its definition, no bias, an interval that holds, and what it sees."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from gossamer.errors import InputError
from gossamer.evaluation.series.discrepancy import BANDWIDTHS, NUM_BLOCKS, mmd
from gossamer.evaluation.series.matching import SeriesSet


def normal(number: int, seed: int, mean: float = 0.5) -> SeriesSet:
    x = mean + 0.05 * np.random.default_rng(seed).standard_normal((number, 1, 6))
    return SeriesSet(name="normal", x=x.clip(0, 1))


def test_it_agrees_with_its_definition() -> None:
    made, real = normal(2 * NUM_BLOCKS, 0, 0.55), normal(3 * NUM_BLOCKS, 1)
    rng = np.random.default_rng(5)
    orders = [rng.permutation(len(side)) for side in (made, real)]
    values = []
    for rows, columns in zip(*(np.array_split(order, NUM_BLOCKS) for order in orders)):
        first, second = made.x[rows].reshape(len(rows), -1), real.x[columns].reshape(len(columns), -1)

        def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            # The squared distance is a mean over six values.
            return np.mean([rbf_kernel(a, b, gamma=1 / (2 * 6 * h**2)) for h in BANDWIDTHS], axis=0)

        within = [kernel(one, one)[~np.eye(len(one), dtype=bool)].mean() for one in (first, second)]
        values.append(sum(within) - 2 * kernel(first, second).mean())
    score = mmd(made, real, seed=5)
    assert score.value == pytest.approx(np.mean(values), abs=1e-12)
    assert score.high - score.value == pytest.approx(2.093024 * np.std(values, ddof=1) / np.sqrt(20), rel=1e-5)


def test_of_one_law_it_is_zero_on_average_and_its_interval_holds_zero() -> None:
    """100 pairs of one law. The mean lies within four standard errors of 0 (false alarm 6e-5), and at least 86 of the
    intervals hold it (of 95 expected; false alarm 1e-4). The biased estimate, with the diagonal, lies far off."""
    scores = [mmd(normal(60, 2 * seed), normal(60, 2 * seed + 1), seed=seed) for seed in range(100)]
    values = np.array([score.value for score in scores])
    assert abs(values.mean()) < 4 * values.std(ddof=1) / 10
    assert sum(score.low <= 0 <= score.high for score in scores) >= 86
    # The diagonal alone would add (1 - k) / 3 on either side of a block of three.
    assert 4 * values.std(ddof=1) / 10 < 0.1


@pytest.mark.parametrize("how", ["noised", "reversed", "collapsed", "shuffled"])
def test_it_sees_every_kind_of_spoiling(how: str, pulses: Callable, spoil: Callable) -> None:
    real, other = pulses(800, 0), pulses(800, 1)
    best, found = mmd(other, real, seed=0), mmd(spoil(other, how), real, seed=0)
    assert best.low < 0 < best.high or abs(best.value) < 0.002
    assert found.low > best.high
    assert found.low > 0


def test_too_few_series_are_refused() -> None:
    with pytest.raises(InputError, match="needs at least 40"):
        mmd(normal(39, 0), normal(100, 1), seed=0)
