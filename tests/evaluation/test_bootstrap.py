"""Bootstrap intervals cover what they promise, and narrower ones would not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import NUM_RESAMPLES, _parts, mean_interval, normal_interval

NUM_TRIALS = 400
Interval = tuple[float, float]


def coverage(interval: Callable[[NDArray, np.random.Generator], Interval], truth: float) -> tuple[float, float]:
    """Share of trials, each with 200 right or wrong answers, whose interval, or the same at 3/4, holds the truth."""
    covered = narrower = 0
    for trial in range(NUM_TRIALS):
        rng = np.random.default_rng([7, trial])
        values = (rng.random(200) < truth).astype(np.float64)
        low, high = interval(values, rng)
        middle = values.mean()
        covered += low <= truth <= high
        narrower += middle - 0.75 * (middle - low) <= truth <= middle + 0.75 * (high - middle)
    return covered / NUM_TRIALS, narrower / NUM_TRIALS


def by_standard_deviation(values: NDArray, rng: np.random.Generator) -> Interval:
    return normal_interval(
        float(values.mean()), lambda stream: float(stream.choice(values, len(values)).mean()), rng, num_resamples=60
    )


@pytest.mark.parametrize("interval", [mean_interval, by_standard_deviation])
def test_interval_covers_95_percent_and_one_a_quarter_narrower_does_not(interval: Callable) -> None:
    # 400 trials: at a coverage of 0.945 fewer than 0.905 or more than 0.98 are found with probability below 2e-3.
    # Three quarters of the width cover 0.86; 0.905 or more would be found with probability below 6e-3.
    whole, narrower = coverage(interval, 0.8)
    assert 0.905 < whole < 0.98
    assert narrower < 0.905


def test_interval_covers_the_choice_of_seeds_and_one_of_images_alone_does_not() -> None:
    # 20 seeds whose accuracies scatter by 0.05, on 500 images. 200 trials: at a coverage of 0.93 fewer than 0.86 are
    # found with probability below 4e-4. The images alone explain a third of the width, which covers about a half.
    both = images_alone = 0
    for trial in range(200):
        rng = np.random.default_rng([8, trial])
        accuracies = np.clip(0.7 + 0.05 * rng.standard_normal(20), 0, 1)
        values = (rng.random((20, 500)) < accuracies[:, None]).astype(np.float64)
        low, high = mean_interval(values, rng)
        both += low <= 0.7 <= high
        low, high = mean_interval(values.mean(axis=0), rng)
        images_alone += low <= 0.7 <= high
    assert both / 200 > 0.86
    assert images_alone / 200 < 0.75


def test_the_mean_lies_within_its_interval_even_where_resamples_miss_it() -> None:
    rare = np.zeros(5_000)
    rare[0] = 1.0
    low, high = mean_interval(rare, np.random.default_rng(0))
    assert low <= rare.mean() <= high


def test_the_same_stream_gives_the_same_interval_and_another_a_close_one() -> None:
    values = np.random.default_rng(0).random((3, 100))
    first, again, other = (mean_interval(values, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert np.allclose(first, other, atol=0.02)


@pytest.mark.parametrize("num_images", [1, 7, 4_194, 4_195, 10_000, 2**22, 2**23])
def test_resamples_are_parted_without_losing_one(num_images: int) -> None:
    parts = _parts(num_images)
    assert sum(parts) == NUM_RESAMPLES
    assert min(parts) > 0
    assert len(parts) == 1 or max(parts) * num_images <= 2**23


@pytest.mark.parametrize("values", [[], [[]], [math.nan, 1.0], [1.0, math.inf]])
def test_nothing_to_average_is_refused(values: list) -> None:
    with pytest.raises(InputError, match="finite, and at least one"):
        mean_interval(np.array(values), np.random.default_rng(0))


def test_a_bound_of_the_statistic_bounds_its_interval() -> None:
    rng = np.random.default_rng(0)
    low, high = normal_interval(0.1, lambda stream: stream.normal(), rng, num_resamples=50, lowest=0.0)
    assert low == 0.0
    assert high > 1.0


def test_one_resample_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2"):
        normal_interval(0.0, lambda stream: 0.0, np.random.default_rng(0), num_resamples=1)
