"""Heartbeats cut from a recording, in the layout of the Kaggle table or in a window around the R peak."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from gossamer.data.files import shown
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError

AAMI_CLASSES: Final = ("N", "S", "V", "F", "Q")
"""Beats of the standard ANSI/AAMI EC57: normal, supraventricular ectopic, ventricular ectopic, fusion, unknown."""
AAMI_SYMBOLS: Final = ("NLRBejn", "AaJS", "VEr", "F", "/fQ?")
"""Annotation symbols of WFDB that make up each class. Every other symbol is no beat."""
NEIGHBOURHOOD_SECONDS: Final = 5.0
"""Distance from the R peak, in seconds, within which R-R intervals decide a beat's length in the Kaggle layout."""
_MILLIVOLTS: Final = "mV"
_BEAT_PER_INTERVAL: Final = 1.2
MAX_RESAMPLING: Final = 100
"""Largest factor between the sample rate of a recording and that of its beats."""
_MAX_RATE_DENOMINATOR: Final = 10_000
_FILTER_REACH: Final = 10
GAPS_NOTE: Final = "A beat that reaches into missing samples is left out, by the samples and R peaks around it alone."
"""Sentence on missing samples, the same whether there are any or not."""
GAPS: Final = "beats that reach into missing samples"
"""Reason for which a beat is left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """One recording of one person, with its R peaks. Private.

    Args:
        name: Name for messages.
        signal: Values in physical units, (time, channels). NaN for a missing sample.
        sample_rate: Samples a second, Hz.
        peaks: R peaks as indices into `signal`, rising, int64 (num_peaks,).
        labels: Class of each beat, int64 (num_peaks,).
    """

    name: str
    signal: np.ndarray
    sample_rate: float
    peaks: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class AbstractBeatLayout(abc.ABC):
    """A rule that makes a series of public length from a beat. Every field is a public input.

    Args:
        length: Samples of a beat.
        sample_rate: Samples a second, Hz. Recordings are resampled to this rate.
    """

    length: int
    sample_rate: float

    @property
    @abc.abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Public lower and upper bound of the values of every channel."""

    @property
    @abc.abstractmethod
    def peak(self) -> int:
        """Place of the R peak in every beat, in samples from its beginning."""

    @property
    def keeps_units(self) -> bool:
        """True if values keep the unit of the signal. False by default, for values without a unit."""
        return False

    def spec(
        self, channel_names: tuple[str, ...], class_names: tuple[str, ...], units: tuple[str, ...] = ()
    ) -> SeriesSpec:
        """Return the public specification of such beats.

        Args:
            channel_names: Public names of the channels.
            class_names: Public names of the classes.
            units: Units in which the signals were read. Empty for millivolts, to which every voltage is brought.
        """
        low, high = self.bounds
        read_in = units or (_MILLIVOLTS,) * len(channel_names)
        return SeriesSpec(
            channels=len(channel_names),
            length=self.length,
            low=(low,) * len(channel_names),
            high=(high,) * len(channel_names),
            sample_rate=self.sample_rate,
            channel_names=channel_names,
            class_names=class_names,
            units=read_in if self.keeps_units else (),
            peak=self.peak,
        )

    @abc.abstractmethod
    def beats(self, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
        """Cut the beats of one recording, but those that reach into missing samples, before any value is clipped.

        Guarantee:
            The beats are a function of this recording alone. For the unit person, only a person's own rows change when
            that person's recordings change.

        Returns:
            Values in the unit of the bounds, (num_beats, channels, length), and labels, int64 (num_beats,).
        """

    def scaled(self, beats: np.ndarray) -> np.ndarray:
        """Clip values to the public bounds, and scale them to float32 in [0, 1]."""
        low, high = self.bounds
        return np.clip((beats - low) / (high - low), 0, 1).astype(np.float32)

    def cut(self, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
        """Cut the beats of one recording as `beats` does, and scale them.

        Returns:
            x, float32 (num_beats, channels, length) in [0, 1], and labels, int64 (num_beats,).
        """
        found, labels = self.beats(recording)
        return self.scaled(found), labels

    @abc.abstractmethod
    def count_whole(self, recording: Recording) -> int:
        """Count the beats that would be cut from a recording if no sample were missing."""

    @property
    @abc.abstractmethod
    def note(self) -> str:
        """Sentence on the inputs of a row besides its own beat."""


@dataclass(frozen=True, kw_only=True)
class KaggleLayout(AbstractBeatLayout):
    r"""The layout of the Kaggle table: from the R peak on, about 1.2 R-R intervals, then zeros.

    Let T be the median of the R-R intervals that begin within 5 s of the peak, and L the length in seconds. A beat is
    the :math:`\min(L, 1.2 T)` seconds from its peak on, scaled by its own smallest and largest value to [0, 1], then
    padded with zeros. The last beat of a recording has no R-R interval and is dropped.

    Args:
        length: Samples of a beat, L times the sample rate.
        sample_rate: Hz.

    References:
        M. Kachuee, S. Fazeli, M. Sarrafzadeh, "ECG Heartbeat Classification: A Deep Transferable Representation",
        IEEE ICHI 2018.
    """

    length: int = 187
    sample_rate: float = 125.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds without a unit, 0 and 1, since each beat is scaled by itself."""
        return 0.0, 1.0

    @property
    def peak(self) -> int:
        """The first sample, 0."""
        return 0

    def beats(self, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
        """Cut all beats of one recording but its last, each between its own extremes."""
        if len(recording.peaks) < 2:
            return np.empty((0, recording.signal.shape[1], self.length), np.float32), np.empty(0, np.int64)
        signal, peaks, is_missing = _resampled(recording, self.sample_rate)
        intervals = _nearby_intervals(recording)
        samples = np.clip(np.rint(_BEAT_PER_INTERVAL * self.sample_rate * intervals), 1, self.length)
        is_whole = np.isfinite(intervals) & ~_reaches(is_missing, peaks[:-1], peaks[:-1] + samples.astype(np.int64))
        beats = _windows(signal, peaks[:-1][is_whole], before=0, length=self.length)
        is_inside = (np.arange(self.length) < samples[is_whole, None])[:, None]
        return _scaled_by_itself(beats, is_inside), recording.labels[:-1][is_whole]

    def count_whole(self, recording: Recording) -> int:
        """Count all beats but the last."""
        return max(0, len(recording.peaks) - 1)

    @property
    def note(self) -> str:
        """Sentence on the inputs of a row besides its own beat."""
        return (
            "A record is one row: a beat scaled by its own extremes, whose length follows from the R-R intervals "
            "within 5 seconds. It can reach into the next beat. What a heartbeat leaves in the rows of its neighbours "
            "is protected with --unit person alone."
        )


@dataclass(frozen=True, kw_only=True)
class WindowLayout(AbstractBeatLayout):
    """A window around the R peak, in physical units between public bounds.

    Each channel is centred on its own median in the window, which takes out the baseline. It is then clipped to
    [low, high] and scaled to [0, 1]. If the window leaves the recording, the first or last value is repeated.

    Args:
        length: Samples.
        sample_rate: Hz.
        before: Samples before the R peak.
        low: Public lower bound around the baseline, in the unit of the signal (mV).
        high: Public upper bound.

    Raises:
        InputError: `before` is not within the window.
    """

    length: int = 192
    sample_rate: float = 125.0
    before: int = 96
    low: float = -2.5
    high: float = 2.5

    def __post_init__(self) -> None:
        if not 0 <= self.before < self.length:
            raise InputError(f"before must be between 0 and length - 1 = {self.length - 1} samples, not {self.before}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds in the unit of the signal around the baseline."""
        return self.low, self.high

    @property
    def peak(self) -> int:
        """The sample behind those before the R peak."""
        return self.before

    @property
    def keeps_units(self) -> bool:
        """True, since a window is only moved by its median."""
        return True

    def beats(self, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
        """Cut all beats of one recording, each around its own median."""
        signal, peaks, is_missing = _resampled(recording, self.sample_rate)
        is_whole = ~_reaches(is_missing, peaks - self.before, peaks - self.before + self.length)
        beats = _windows(signal, peaks[is_whole], before=self.before, length=self.length)
        return beats - np.median(beats, axis=2, keepdims=True), recording.labels[is_whole]

    def count_whole(self, recording: Recording) -> int:
        """Count all beats."""
        return len(recording.peaks)

    @property
    def note(self) -> str:
        """Sentence on the inputs of a row besides its own beat."""
        seconds = (self.before / self.sample_rate, (self.length - self.before) / self.sample_rate)
        return (
            f"A record is one row: {seconds[0]:.3g} s before to {seconds[1]:.3g} s after an R peak, which holds parts "
            "of the beats beside it. What a heartbeat leaves in the rows of its neighbours is protected with --unit "
            "person alone."
        )


def label_symbols(symbols: list[str]) -> np.ndarray:
    """Return the AAMI class of each annotation, and -1 if it is no beat.

    Example:
        >>> label_symbols(["N", "+", "A", "/"]).tolist()
        [0, -1, 1, 4]
    """
    classes = {symbol: label for label, group in enumerate(AAMI_SYMBOLS) for symbol in group}
    return np.array([classes.get(symbol, -1) for symbol in symbols], dtype=np.int64)


def _resampled(recording: Recording, sample_rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the signal, its R peaks and its missing samples at another rate.

    The filter reaches ten samples of the lower rate to either side. A sample is missing if the filter reaches from it
    to a missing one, in any channel.
    """
    if not 1 / MAX_RESAMPLING <= sample_rate / recording.sample_rate <= MAX_RESAMPLING:
        raise InputError(
            f"{shown(recording.name)} has {recording.sample_rate:g} samples a second, its beats are to have "
            f"{sample_rate:g}: they may differ by a factor of {MAX_RESAMPLING} at most: give another --sample-rate"
        )
    signal = recording.signal.astype(np.float64)
    is_missing = _missing(signal)
    # Privacy: this zero reaches no sample that is not marked as missing below.
    signal[is_missing] = 0.0
    ratio = Fraction(sample_rate / recording.sample_rate).limit_denominator(_MAX_RATE_DENOMINATOR)
    if ratio == 1:
        return signal, recording.peaks, is_missing
    # Past its ends a recording stays at its last value instead of zero, so that the filter has no step to ring on.
    # Imported when it is needed, since it takes as much memory as many records.
    from scipy.signal import resample_poly

    signal = resample_poly(signal, ratio.numerator, ratio.denominator, padtype="edge")
    peaks = np.rint(recording.peaks * float(ratio)).astype(np.int64)
    return signal, np.minimum(peaks, len(signal) - 1), _spread(is_missing, ratio, len(signal))


def _missing(signal: np.ndarray) -> np.ndarray:
    """Return for each time if a channel has no value, (time,)."""
    return np.any(~np.isfinite(signal), axis=1)


def _spread(is_missing: np.ndarray, ratio: Fraction, length: int) -> np.ndarray:
    """Return the samples at the new rate, of this number, in which the filter mixes a missing one."""
    up, down = ratio.numerator, ratio.denominator
    reach, centres = _FILTER_REACH * max(up, down), np.arange(length) * down
    return _reaches(is_missing, -((reach - centres) // up), (centres + reach) // up + 1)


def _reaches(is_missing: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return for each window from start to before stop if a sample in it is missing. The ends are repeated."""
    counts = np.concatenate(([0], np.cumsum(is_missing)))
    last = len(is_missing)
    return counts[np.clip(stops, 1, last)] > counts[np.clip(starts, 0, last - 1)]


def _nearby_intervals(recording: Recording) -> np.ndarray:
    """Return for each beat but the last the median R-R interval, in seconds, of those that begin within 5 s of it.

    From one side of missing samples to the other is no R-R interval. A beat without any nearby has an infinite one.
    """
    seconds = recording.peaks / recording.sample_rate
    starts, intervals = seconds[:-1], np.diff(seconds)
    intervals[_reaches(_missing(recording.signal), recording.peaks[:-1], recording.peaks[1:] + 1)] = math.inf
    first = np.searchsorted(starts, starts - NEIGHBOURHOOD_SECONDS, side="left")
    last = np.searchsorted(starts, starts + NEIGHBOURHOOD_SECONDS, side="right")
    places = first[:, None] + np.arange((last - first).max())
    nearby = np.where(places < last[:, None], intervals[np.minimum(places, len(intervals) - 1)], math.inf)
    nearby.sort(axis=1)
    counts = np.maximum(np.isfinite(nearby).sum(axis=1), 1)
    rows = np.arange(len(starts))
    return (nearby[rows, (counts - 1) // 2] + nearby[rows, counts // 2]) / 2


def _windows(signal: np.ndarray, peaks: np.ndarray, *, before: int, length: int) -> np.ndarray:
    """Return the samples around each peak, (num_peaks, channels, length). A recording's ends are repeated."""
    times = peaks[:, None] - before + np.arange(length)
    return np.moveaxis(signal[np.clip(times, 0, len(signal) - 1)], 2, 1)


def _scaled_by_itself(beats: np.ndarray, is_inside: np.ndarray) -> np.ndarray:
    """Scale each beat to [0, 1] by its own extremes, with zeros outside, and all zeros if the beat is constant."""
    low = np.where(is_inside, beats, math.inf).min(axis=2, keepdims=True)
    high = np.where(is_inside, beats, -math.inf).max(axis=2, keepdims=True)
    width = np.where(high > low, high - low, 1)
    return np.where(is_inside, np.clip((beats - low) / width, 0, 1), 0).astype(np.float32)
