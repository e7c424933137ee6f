"""Scores and their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from gossamer.errors import InputError
from gossamer.evaluation.score import Score, proportion_score


@pytest.mark.parametrize(("successes", "samples"), [(0, 10), (1, 7), (80, 100), (9_800, 10_000), (10, 10), (1, 1)])
def test_interval_is_wilsons(successes: int, samples: int) -> None:
    score = proportion_score("accuracy", successes, samples, seed=3)
    expected = binomtest(successes, samples).proportion_ci(0.95, method="wilson")
    assert math.isclose(score.low, expected.low, abs_tol=1e-12)
    assert math.isclose(score.high, expected.high, abs_tol=1e-12)
    assert (score.value, score.num_samples) == (successes / samples, samples)
    assert (score.seed, score.higher_is_better) == (3, True)


def coverage(shrink: float) -> float:
    """Exact coverage at p = 0.9, n = 200 of the interval, shrunk towards its value."""
    truth, samples, covered = 0.9, 200, 0.0
    for successes in range(samples + 1):
        score = proportion_score("accuracy", successes, samples, seed=0)
        low = score.value - shrink * (score.value - score.low)
        high = score.value + shrink * (score.high - score.value)
        if low <= truth <= high:
            log_ways = math.lgamma(201) - math.lgamma(successes + 1) - math.lgamma(201 - successes)
            covered += math.exp(log_ways + successes * math.log(truth) + (samples - successes) * math.log(1 - truth))
    return covered


def test_interval_covers_95_percent_and_a_narrower_one_does_not() -> None:
    assert abs(coverage(1.0) - 0.95) < 0.01
    assert coverage(0.8) < 0.93


@pytest.mark.parametrize("change", [{"value": math.nan}, {"low": 0.9}, {"high": 0.1}, {"num_samples": 0}])
def test_impossible_scores_are_refused(change: dict[str, float]) -> None:
    good = {"name": "a", "value": 0.5, "low": 0.4, "high": 0.6, "higher_is_better": True, "num_samples": 9, "seed": 0}
    Score(**good)
    with pytest.raises(InputError):
        Score(**{**good, **change})


@pytest.mark.parametrize(("successes", "samples"), [(1, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes: int, samples: int) -> None:
    with pytest.raises(InputError):
        proportion_score("accuracy", successes, samples, seed=0)


def test_every_count_gives_a_score_in_order() -> None:
    for samples in (1, 3, 17, 1000):
        for successes in np.linspace(0, samples, 5).astype(int):
            score = proportion_score("accuracy", int(successes), samples, seed=0)
            assert 0 <= score.low <= score.value <= score.high <= 1
