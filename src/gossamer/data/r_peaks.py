"""R peaks of a recording without annotations, by the energy of the steep part of a beat, as Pan and Tompkins do."""

from __future__ import annotations

from typing import Final

import numpy as np

_BAND_HZ: Final = (5.0, 20.0)
_ENERGY_SECONDS: Final = 0.12
_REFRACTORY_SECONDS: Final = 0.25
_CONTEXT_SECONDS: Final = 5.0
_CONTEXT_RATE: Final = 10.0
_THRESHOLD: Final = 0.15
_REACH_SECONDS: Final = 0.075
_SHORTEST_SECONDS: Final = 2.0


def find_r_peaks(values: np.ndarray, sample_rate: float) -> np.ndarray:
    """Find the R peaks of one signal.

    The signal is kept between 5 and 20 Hz, differentiated, squared and averaged over 0.12 s. A peak of that energy
    counts above 0.15 times the 95th percentile of the energy in the ten seconds around it. Peaks are at least 0.25 s
    apart. The R peak is the largest deviation of the filtered signal within 0.075 s. If samples are missing, each run
    of samples between them is looked at by itself.

    Guarantee:
        None, and it needs none: the peaks of a recording depend on that recording alone.

    Args:
        values: Any unit, (time,). NaN for a missing sample.
        sample_rate: Samples a second, Hz, above 40.

    Returns:
        Indices in rising order, int64. There are none in a run of less than 2 s.

    References:
        J. Pan, W. J. Tompkins, "A Real-Time QRS Detection Algorithm", IEEE Trans. Biomed. Eng. 32(3), 1985.
    """
    edges = np.flatnonzero(np.diff(np.isfinite(values), prepend=False, append=False))
    found = [start + _found_in(values[start:stop], sample_rate) for start, stop in edges.reshape(-1, 2).tolist()]
    return np.concatenate([np.empty(0, dtype=np.int64), *found])


def _found_in(values: np.ndarray, sample_rate: float) -> np.ndarray:
    """Find the R peaks of a signal without missing samples."""
    if len(values) < _SHORTEST_SECONDS * sample_rate:
        return np.empty(0, dtype=np.int64)
    # Imported when it is needed, since it takes as much memory as many records.
    from scipy import signal as filters
    from scipy.ndimage import uniform_filter1d

    sections = filters.butter(2, _BAND_HZ, btype="bandpass", fs=sample_rate, output="sos")
    band = filters.sosfiltfilt(sections, values)
    energy = uniform_filter1d(np.gradient(band) ** 2, max(1, round(_ENERGY_SECONDS * sample_rate)))
    found, _ = filters.find_peaks(energy, distance=max(1, round(_REFRACTORY_SECONDS * sample_rate)))
    found = found[energy[found] > _THRESHOLD * _usual_height(energy, sample_rate)[found]]
    reach = max(1, round(_REACH_SECONDS * sample_rate))
    nearby = np.clip(found[:, None] + np.arange(-reach, reach + 1), 0, len(values) - 1)
    largest = np.abs(band[nearby]).argmax(axis=1)
    return np.unique(nearby[np.arange(len(found)), largest]).astype(np.int64)


def _usual_height(energy: np.ndarray, sample_rate: float) -> np.ndarray:
    """Compute the 95th percentile of the energy in the ten seconds around each sample, ten times a second."""
    stride = max(1, round(sample_rate / _CONTEXT_RATE))
    padded = np.pad(energy, (0, -len(energy) % stride), mode="edge")
    coarse = padded.reshape(-1, stride).max(axis=1)
    from scipy.ndimage import percentile_filter

    around = percentile_filter(coarse, 95, size=2 * round(_CONTEXT_SECONDS * _CONTEXT_RATE) + 1, mode="nearest")
    return np.repeat(around, stride)[: len(energy)]
