"""Dynamic time warping: an own slow reference, any number of channels, and what it sees."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.series.warping import dtw_distances, warping_distances


def slow(first: np.ndarray, second: np.ndarray) -> float:
    """The textbook recursion in a table, within a band: channels first."""
    channels, length = first.shape
    band = math.ceil(0.1 * length)
    table = np.full((length + 1, length + 1), np.inf)
    table[0, 0] = 0.0
    for row in range(length):
        for column in range(length):
            if abs(row - column) <= band:
                step = min(table[row, column], table[row, column + 1], table[row + 1, column])
                table[row + 1, column + 1] = step + np.sum((first[:, row] - second[:, column]) ** 2)
    return math.sqrt(table[-1, -1] / (channels * length))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("length", [4, 23])
def test_distances_agree_with_the_textbook(channels: int, length: int) -> None:
    rng = np.random.default_rng(channels)
    first, second = rng.random((4, channels, length)), rng.random((3, channels, length))
    expected = [[slow(one, other) for other in second] for one in first]
    assert warping_distances(first, second) == pytest.approx(np.array(expected), abs=1e-9)


def test_a_shift_within_the_band_costs_little_and_one_beyond_it_much() -> None:
    times = np.arange(100)
    pulse = [np.exp(-(((times - centre) / 3) ** 2) / 2)[None, None] for centre in (50, 56, 80)]
    near, far = (warping_distances(pulse[0], other)[0, 0] for other in pulse[1:])
    straight = math.sqrt(np.mean((pulse[0] - pulse[1]) ** 2))
    assert near < 0.05 * straight
    assert far > straight


def test_nothing_is_nearer_than_a_copy_and_both_ways_are_named() -> None:
    x = np.random.default_rng(0).random((20, 1, 12))
    made, real = SeriesSet(name="a", x=x[:10]), SeriesSet(name="b", x=x)
    there, back = dtw_distances(made, real, seed=0)
    assert (there.name, back.name) == ("dtw_distance", "dtw_distance_to_synthetic")
    assert there.value == there.high == 0.0
    # Half of the real ones have no copy.
    assert back.value == pytest.approx(warping_distances(x, x[:10]).min(axis=1).mean())
    assert back.low > 0


def test_spoilt_series_are_farther_and_collapsed_ones_from_the_other_side(pulses: Callable, spoil: Callable) -> None:
    real, other = pulses(150, 0), pulses(150, 1)
    best, best_back = dtw_distances(other, real, seed=0)
    for how in ("noised", "reversed", "shuffled"):
        assert dtw_distances(spoil(other, how), real, seed=0)[0].low > 1.5 * best.high, how
    there, back = dtw_distances(spoil(other, "collapsed"), real, seed=0)
    assert there.value < 2 * best.high
    assert back.low > 1.2 * best_back.high
