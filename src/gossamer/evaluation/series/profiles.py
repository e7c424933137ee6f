"""Distances between mean profiles: autocorrelation, power spectrum, marginal histogram, padding, shares of classes.

Every series is turned into a vector, its profile. Two sets are compared by the means of their profiles: synthetic
series that are judged, and real series of the same shape. A seed draws the resamples of the interval.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import normal_interval
from gossamer.evaluation.score import Basis, Score
from gossamer.evaluation.series.matching import SeriesSet

NUM_RESAMPLES = 200
NUM_BINS = 50
PADDING_TOLERANCE = 0.01
_LONGEST_SEGMENT = 256
# A variance below the rounding of float32 values in [0, 1]: the series is constant.
_LEAST_VARIANCE = 1e-12

Measure = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def autocorrelations(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the autocorrelation of every channel at lags 1 .. time // 2.

    With m the mean of a channel over time::

        r(k) = sum over t of (x(t) - m) (x(t + k) - m) / sum over t of (x(t) - m)^2

    and 0 at all lags where a channel is constant.

    Args:
        x: (num_series, channels, time).

    Returns:
        (num_series, channels, time // 2), in [-1, 1].

    References:
        Box, Jenkins, "Time series analysis: forecasting and control", 1970, the estimate with divisor n.

    >>> autocorrelations(np.array([[[0.0, 1.0, 0.0, 1.0]]])).round(2)
    array([[[-0.75,  0.5 ]]])
    """
    centred = np.asarray(x, dtype=np.float64)
    centred = centred - centred.mean(axis=2, keepdims=True)
    length = centred.shape[2]
    spectrum = np.fft.rfft(centred, n=2 * length, axis=2)
    products = np.fft.irfft(np.abs(spectrum) ** 2, n=2 * length, axis=2)
    variance = products[:, :, :1]
    is_constant = variance <= _LEAST_VARIANCE * length
    found = products[:, :, 1 : length // 2 + 1] / np.where(is_constant, 1.0, variance)
    return np.where(is_constant, 0.0, found).clip(-1, 1)


def power_spectra(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Power spectral density of every channel by Welch's method, its mean taken off.

    Hann windows of min(256, max(4, time // 2)) values that overlap by half. Frequencies from 0 to one half per value.

    Args:
        x: (num_series, channels, time).

    Returns:
        (num_series, channels, window // 2 + 1), not negative.

    References:
        Welch, "The use of fast Fourier transform for the estimation of power spectra", 1967.
    """
    from scipy.signal import welch

    segment = min(_LONGEST_SEGMENT, max(4, x.shape[2] // 2))
    return welch(np.asarray(x, dtype=np.float64), nperseg=segment, detrend="constant", axis=2)[1]


def histograms(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of each channel's values in each of fifty equal bins of [0, 1]: (num_series, channels, 50)."""
    num_series, channels, length = x.shape
    bins = np.minimum((np.asarray(x, dtype=np.float64) * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    places = np.arange(num_series * channels)[:, None] * NUM_BINS + bins.reshape(-1, length)
    counts = np.bincount(places.ravel(), minlength=num_series * channels * NUM_BINS)
    return counts.reshape(num_series, channels, NUM_BINS) / length


def unpadded_lengths(x: NDArray[np.floating]) -> NDArray[np.int64]:
    """Length of each series without the values at its end that are at most 0.01 in all channels: (num_series,).

    >>> unpadded_lengths(np.array([[[0.3, 0.0, 0.2, 0.0, 0.005]]]))
    array([3])
    """
    is_above = np.any(np.asarray(x) > PADDING_TOLERANCE, axis=1)
    return np.where(is_above.any(axis=1), x.shape[2] - np.argmax(is_above[:, ::-1], axis=1), 0)


def acf_distance(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> Score:
    """Score the distance between mean autocorrelations. In [0, 2], 0 is best.

    ::

        sqrt(mean over channels and lags of (mean r_synthetic(k) - mean r_real(k))^2)

    It sees a wrong rhythm and a wrong smoothness, and neither scale nor direction of time.

    References:
        Ni et al., "Conditional Sig-Wasserstein GANs for time series generation", 2020, section 6 (ACF score).
    """
    return _compared(
        "acf_distance",
        (autocorrelations(synthetic.x), autocorrelations(real.x)),
        lambda first, second: float(np.sqrt(np.mean((first - second) ** 2))),
        seed,
        "Root mean square difference of mean autocorrelations at lags 1 to half the length",
    )


def psd_distance(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> Score:
    """Score the distance between mean power spectra. In [0, 1], 0 is best.

    With P the mean of `power_spectra` over the series, by channel, averaged over channels::

        sum over f of |P_synthetic(f) - P_real(f)| / sum over f of (P_synthetic(f) + P_real(f))

    and 0 where neither has any power. It sees missing and added frequencies, in the measure of their power, and no
    phase: a series reversed in time has the same spectrum.

    References:
        Bray, Curtis, "An ordination of the upland forest communities", 1957 (the dissimilarity). Welch 1967.
    """
    return _compared(
        "psd_distance",
        (power_spectra(synthetic.x), power_spectra(real.x)),
        _dissimilarity,
        seed,
        "Sum of differences over sum of mean power spectra (Welch 1967)",
    )


def histogram_distance(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> Score:
    """Score the total variation between the histograms of all values, 50 bins, averaged over channels.

    In [0, 1], 0 is best.

    It sees offset, scale and noise, and nothing of the order in time.
    """
    return _compared(
        "histogram_distance",
        (histograms(synthetic.x), histograms(real.x)),
        lambda first, second: float(np.abs(first - second).sum(axis=1).mean() / 2),
        seed,
        f"Total variation between histograms of values, {NUM_BINS} equal bins of [0, 1]",
    )


def padded_length_distance(synthetic: SeriesSet, real: SeriesSet, *, seed: int) -> Score:
    """Score the Wasserstein-1 distance between the laws of `unpadded_lengths` over the length. In [0, 1], 0 is best.

    With F(t) the share of series that are at most t long, the mean over t of |F_synthetic(t) - F_real(t)|. It tells
    where series are padded with zeros if the padding is right, and means little where none is.
    """
    steps = np.arange(real.x.shape[2])
    reached = [(unpadded_lengths(side.x)[:, None] <= steps).astype(np.float64) for side in (synthetic, real)]
    return _compared(
        "padded_length_distance",
        (reached[0], reached[1]),
        lambda first, second: float(np.abs(first - second).mean()),
        seed,
        f"Wasserstein-1 distance over the length, between the lengths up to the last value above {PADDING_TOLERANCE}",
    )


def class_distance(synthetic: NDArray[np.integer], real: NDArray[np.integer], *, num_classes: int, seed: int) -> Score:
    """Score the total variation between the shares of the classes. In [0, 1], 0 is best.

    A generator with labels of a public law that is not the data's has a distance by design.

    Args:
        synthetic: (num_synthetic,) labels in 0 .. num_classes - 1.
        real: (num_real,) labels in 0 .. num_classes - 1.
        num_classes: at least 1.
        seed: draws the resamples of the interval.

    >>> class_distance(np.array([0, 1]), np.array([0, 0, 0, 1]), num_classes=2, seed=0).value
    0.25
    """
    shares = [np.equal.outer(labels, np.arange(num_classes)).astype(np.float64) for labels in (synthetic, real)]
    return _compared(
        "class_distance",
        (shares[0], shares[1]),
        lambda first, second: float(np.abs(first - second).sum() / 2),
        seed,
        "Total variation between the shares of the classes, of all series and not of matched ones",
    )


def _dissimilarity(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    total = (first + second).sum(axis=1)
    apart = np.abs(first - second).sum(axis=1)
    return float(np.divide(apart, total, out=np.zeros_like(apart), where=total > 0).mean())


def _compared(
    name: str, profiles: tuple[NDArray[np.float64], NDArray[np.float64]], measure: Measure, seed: int, source: str
) -> Score:
    if profiles[0].shape[1:] != profiles[1].shape[1:]:
        raise InputError(f"{name}: profiles of shape {profiles[0].shape[1:]} and {profiles[1].shape[1:]}; cut one")
    value = measure(profiles[0].mean(axis=0), profiles[1].mean(axis=0))
    low, high = normal_interval(
        value,
        lambda rng: measure(_mean_drawn_again(profiles[0], rng), _mean_drawn_again(profiles[1], rng)),
        np.random.default_rng(seed),
        num_resamples=NUM_RESAMPLES,
        lowest=0.0,
    )
    source = (
        f"{source}; biased upwards, the more the fewer series there are; interval over the choice of the series of "
        "both sets."
    )
    basis = Basis(num_synthetic=len(profiles[0]), num_real=len(profiles[1]), seeds=(seed,), source=source)
    return basis.distance(name, (value, low, high))


def _mean_drawn_again(profiles: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean profile of as many series drawn with replacement."""
    number = len(profiles)
    times = np.bincount(rng.integers(number, size=number), minlength=number)
    return np.tensordot(times / number, profiles, axes=1)
