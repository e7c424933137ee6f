"""Distances of mean profiles: closed forms, independent implementations, and what each of them sees."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from gossamer.errors import InputError
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.series.profiles import (
    acf_distance,
    autocorrelations,
    class_distance,
    histogram_distance,
    histograms,
    padded_length_distance,
    power_spectra,
    psd_distance,
    unpadded_lengths,
)

DISTANCES: dict[str, Callable[..., Score]] = {
    "acf_distance": acf_distance,
    "psd_distance": psd_distance,
    "histogram_distance": histogram_distance,
    "padded_length_distance": padded_length_distance,
}
SEEN = {
    "acf_distance": {"noised", "shuffled", "collapsed"},
    "psd_distance": {"noised", "shuffled", "collapsed"},
    "histogram_distance": {"noised", "collapsed"},
    "padded_length_distance": {"noised", "reversed", "shuffled"},
}


def constant(values: list[float], length: int = 8) -> SeriesSet:
    return SeriesSet(name="constant", x=np.tile(np.array(values, dtype=np.float32)[:, None, None], (1, 1, length)))


def test_autocorrelation_agrees_with_its_definition() -> None:
    x = np.random.default_rng(0).random((5, 2, 11))
    found = autocorrelations(x)
    assert found.shape == (5, 2, 5)
    for series, lags in zip(x.reshape(10, 11), found.reshape(10, 5)):
        centred = series - series.mean()
        full = np.correlate(centred, centred, mode="full")[10:]
        assert lags == pytest.approx(full[1:6] / full[0], abs=1e-12)


def test_autocorrelation_of_a_cosine_is_a_cosine_and_of_a_constant_nothing() -> None:
    cosine = 0.5 + 0.4 * np.cos(2 * np.pi * np.arange(4000) / 8)
    lags = autocorrelations(cosine[None, None])[0, 0, :16]
    assert lags == pytest.approx(np.cos(2 * np.pi * np.arange(1, 17) / 8), abs=5e-3)
    assert (autocorrelations(np.full((2, 1, 9), 0.3, dtype=np.float32)) == 0).all()


def test_power_has_its_peak_at_the_frequency_and_the_area_of_the_variance() -> None:
    wave = 0.5 + 0.25 * np.sin(2 * np.pi * 0.125 * np.arange(512))
    power = power_spectra(wave[None, None])[0, 0]
    frequencies = np.linspace(0, 0.5, len(power))
    assert frequencies[power.argmax()] == pytest.approx(0.125)
    assert power.sum() * frequencies[1] == pytest.approx(0.25**2 / 2, rel=1e-3)


def test_histograms_agree_with_numpy() -> None:
    x = np.random.default_rng(1).random((4, 2, 30)).astype(np.float32)
    x[0, 0, :2] = [0.0, 1.0]
    for series, shares in zip(x.reshape(8, 30), histograms(x).reshape(8, 50)):
        # numpy decides the edges in another precision than a multiplication does; 1/50 has no exact float.
        assert shares * 30 == pytest.approx(np.histogram(series.astype(np.float64), bins=50, range=(0, 1))[0])


def test_distances_reach_their_ends() -> None:
    rng = np.random.default_rng(2)
    low, high = constant([0.1, 0.2]), constant([0.8, 0.9])
    assert histogram_distance(low, high, seed=0).value == pytest.approx(1.0)
    waves = SeriesSet(name="waves", x=rng.random((6, 1, 8)).astype(np.float32))
    assert psd_distance(low, waves, seed=0).value == pytest.approx(1.0)
    assert psd_distance(low, high, seed=0).value == 0.0
    alternating = SeriesSet(name="b", x=np.tile([0.0, 1.0], (3, 1, 500)).astype(np.float32))
    slow = SeriesSet(name="c", x=np.repeat([[[0.0, 1.0]]], 500, axis=2).repeat(3, axis=0).astype(np.float32))
    # One and minus one alternate against a triangle from 1 down to -0.5: far apart, and below the bound of 2.
    assert 0.9 < acf_distance(alternating, slow, seed=0).value < 2
    for name, distance in DISTANCES.items():
        assert distance(waves, waves, seed=0).value == 0.0, name


def test_padding_is_the_wasserstein_distance_of_lengths() -> None:
    rng = np.random.default_rng(3)
    sides = []
    for number, least in ((40, 5), (30, 12)):
        x = 0.5 + 0.4 * rng.random((number, 2, 20))
        ends = rng.integers(least, 21, size=number)
        for series, end in zip(x, ends):
            series[:, end:] = 0.004
            series[1, end - 1] = 0.0
        sides.append((SeriesSet(name="padded", x=x), ends))
    (made, own), (real, others) = sides
    assert (unpadded_lengths(made.x) == own).all()
    expected = wasserstein_distance(own, others) / 20
    assert padded_length_distance(made, real, seed=0).value == pytest.approx(expected)
    assert unpadded_lengths(np.zeros((1, 1, 9))).tolist() == [0]


def test_shares_of_classes_are_told_exactly() -> None:
    made, real = np.repeat([0, 1, 2], [50, 30, 20]), np.repeat([0, 2], [80, 20])
    assert class_distance(made, real, num_classes=3, seed=0).value == pytest.approx(0.3)
    assert class_distance(made, made, num_classes=3, seed=0).value == 0.0


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("how", ["noised", "reversed", "collapsed", "shuffled"])
def test_each_distance_grows_with_what_it_promises_to_see(
    name: str, how: str, pulses: Callable, spoil: Callable
) -> None:
    real, other = pulses(600, 0), pulses(600, 1)
    best = DISTANCES[name](other, real, seed=0)
    found = DISTANCES[name](spoil(other, how), real, seed=0)
    assert best.value < 0.05
    if how in SEEN[name]:
        assert found.low > 2 * best.high
    else:
        # What it does not see must not move it either: the docs say so.
        assert found.value < best.high + 0.02


def test_intervals_hold_what_more_series_say(pulses: Callable) -> None:
    """Of 40 pairs, those whose interval holds the distance of 6,000 to 6,000: at least 30. With 95 % each a smaller
    number has a chance below 1e-5; the bias makes it a little less than 95 %. Intervals of a quarter hold fewer."""
    large, real = pulses(6000, 100), pulses(6000, 101)
    spoilt = SeriesSet(name="a", x=(0.8 * large.x).astype(np.float32), y=large.y)
    truth = histogram_distance(spoilt, real, seed=0).value
    held, quarter = 0, 0
    for number in range(40):
        rows = slice(150 * number, 150 * (number + 1))
        part = histogram_distance(spoilt.chosen(np.r_[rows]), real.chosen(np.r_[rows]), seed=number)
        held += part.low <= truth <= part.high
        quarter += abs(part.value - truth) <= (part.high - part.low) / 8
    assert held >= 30 > quarter


def test_other_shapes_are_refused(pulses: Callable) -> None:
    with pytest.raises(InputError, match="profiles of shape"):
        acf_distance(pulses(5, 0), pulses(5, 0, 2), seed=0)
