"""Bootstrap intervals: how far a score would move if the images were drawn again."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError

NUM_RESAMPLES = 1000
_NORMAL_QUANTILE_975 = 1.959963984540054
_VALUES_AT_ONCE = 2**22


def mean_interval(values: NDArray[np.floating], rng: np.random.Generator) -> tuple[float, float]:
    """Compute the 95 % percentile bootstrap interval of a mean over seeds and images.

    Each of 1,000 resamples draws n images with replacement, and, independently, as many seeds as there are. Its mean is
    that of the drawn rows and columns. With one seed it covers the choice of images alone.

    Args:
        values: (num_images,) or (num_seeds, num_images): the share of each image, 1.0 for right and 0.0 for wrong,
            for example.
        rng: draws the resamples.

    Returns:
        Low and high end. The mean of `values` lies between them.

    Raises:
        InputError: no value, or one that is not finite.

    References:
        Efron, Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.

    >>> mean_interval(np.ones(50), np.random.default_rng(0))
    (1.0, 1.0)
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.size == 0 or not np.isfinite(table).all():
        raise InputError("values to average must be finite, and at least one")
    means = np.concatenate([_resampled_means(table, size, rng) for size in _parts(table.shape[1])])
    low, high = np.quantile(means, [0.025, 0.975])
    value = float(table.mean())
    return min(float(low), value), max(float(high), value)


def _parts(num_images: int) -> list[int]:
    """Divide the resamples into parts that fit in memory."""
    size = max(1, min(NUM_RESAMPLES, _VALUES_AT_ONCE // num_images))
    whole, rest = divmod(NUM_RESAMPLES, size)
    return [size] * whole + ([rest] if rest else [])


def _resampled_means(table: NDArray[np.float64], num_resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    num_seeds, num_images = table.shape
    seeds = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=num_resamples) / num_seeds
    images = rng.integers(num_images, size=(num_resamples, num_images))
    return np.take_along_axis(seeds @ table, images, axis=1).mean(axis=1)


def normal_interval(
    value: float,
    resampled: Callable[[np.random.Generator], float],
    rng: np.random.Generator,
    *,
    num_resamples: int,
    lowest: float = -math.inf,
) -> tuple[float, float]:
    """Compute the 95 % normal interval: value -+ 1.96 times the standard deviation of the resampled statistic.

    The interval is for statistics that are biased upwards in small samples (a distance). Resampling adds the bias once
    more, so a percentile interval may miss the value itself. The bias is not covered.

    Args:
        value: the statistic of all images.
        resampled: the statistic of one resample, drawn with the given stream.
        rng: draws the resamples.
        num_resamples: at least 2.
        lowest: the statistic's lower bound.

    Raises:
        InputError: fewer than two resamples.
    """
    if num_resamples < 2:
        raise InputError(f"num_resamples must be at least 2, not {num_resamples}")
    half_width = _NORMAL_QUANTILE_975 * float(np.std([resampled(rng) for _ in range(num_resamples)], ddof=1))
    return max(lowest, value - half_width), value + half_width
