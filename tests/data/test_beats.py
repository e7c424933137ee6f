"""Beats cut from recordings: where they begin and end, and what they depend on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gossamer.data.beat_rows import cut_recordings
from gossamer.data.beats import (
    AAMI_SYMBOLS,
    KaggleLayout,
    Recording,
    WindowLayout,
    label_symbols,
)


def recording(sample_rate: float = 125.0, seconds: float = 40.0, interval: float = 0.8) -> Recording:
    """A bump at every R peak, the first at one second, and a second, lower one 0.2 s after it."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    peaks = np.arange(1.0, seconds - 1, interval)
    signal = sum(
        height * np.exp(-0.5 * ((times - peak - late) / 0.015) ** 2)
        for peak in peaks
        for late, height in ((0.0, 1.0), (0.2, 0.4))
    )
    samples = np.rint(peaks * sample_rate).astype(np.int64)
    return Recording(
        name="r",
        signal=np.stack([signal, 2 - signal], axis=1),
        sample_rate=sample_rate,
        peaks=samples,
        labels=np.arange(len(samples), dtype=np.int64) % 5,
    )


def test_the_kaggle_layout_begins_at_the_peak_and_is_zero_after_1_2_intervals() -> None:
    x, y = KaggleLayout().cut(recording())
    given = recording()
    assert x.shape == (len(given.peaks) - 1, 2, 187)
    assert y.tolist() == given.labels[:-1].tolist()
    assert (x[:, 0, 0] == 1).all()
    assert (x[:, :, 120:] == 0).all()
    assert (x[:, 1, 119] > 0.9).all()
    assert (x[:, 0, 25] > 0.35).all()


def test_every_beat_of_the_kaggle_layout_spans_zero_to_one() -> None:
    x, _ = KaggleLayout().cut(recording())
    assert (x.min(axis=2) == 0).all()
    assert (x.max(axis=2) == 1).all()


@pytest.mark.parametrize("layout", [KaggleLayout(), WindowLayout()], ids=["kaggle", "window"])
@pytest.mark.parametrize("sample_rate", [250.0, 360.0, 1000.0])
def test_a_recording_at_another_rate_gives_the_same_beats(layout, sample_rate) -> None:
    usual, other = layout.cut(recording())[0], layout.cut(recording(sample_rate))[0]
    # A peak falls between two samples: half a sample of shift on a flank of width 0.015 s.
    assert np.abs(usual - other).mean() < 0.01
    assert np.abs(usual - other).max() < 0.3


def test_a_long_interval_is_cut_at_the_public_length() -> None:
    x, _ = KaggleLayout().cut(recording(interval=2.0))
    assert (x[:, 1, -1] > 0.9).all()


def test_the_window_keeps_what_precedes_the_peak_and_is_clipped_to_public_bounds() -> None:
    given = recording()
    x, y = WindowLayout(low=-0.5, high=0.5, before=100, length=125).cut(given)
    assert x.shape == (len(given.peaks), 2, 125)
    assert len(y) == len(given.peaks)
    # The baseline is in the middle of the bounds, and the peak, 1 above it, is clipped.
    assert np.abs(x[1:, 0, 50] - 0.5).max() < 0.01
    assert (x[:, 0, 100] == 1).all()
    assert (x[:, 1, 100] == 0).all()
    # The beat before, 0.8 s earlier: it begins the window.
    assert (x[1:, 0, 0] == 1).all()


def test_a_window_past_the_ends_repeats_the_last_value() -> None:
    given = dataclasses.replace(recording(), peaks=np.array([3, 4990]), labels=np.array([0, 1]))
    x, _ = WindowLayout().cut(given)
    assert np.ptp(x[0, 0, :93]) == 0
    assert np.ptp(x[1, 0, 107:]) == 0


@pytest.mark.parametrize("layout", [KaggleLayout(), WindowLayout()], ids=["kaggle", "window"])
def test_a_beat_depends_on_its_neighbourhood_alone(layout) -> None:
    # What the note on a record says: a change 20 s away leaves a row as it is, a change in the next beat need not.
    given = recording()
    far = dataclasses.replace(given, signal=given.signal.copy(), peaks=given.peaks.copy())
    far.signal[3500:] += 7.0
    far.peaks[-8] += 30
    before, after = layout.cut(given)[0], layout.cut(far)[0]
    assert np.array_equal(before[:20], after[:20])
    assert not np.array_equal(before[-10:], after[-10:])


def test_the_rows_of_a_recording_do_not_depend_on_another_recording() -> None:
    one, two = recording(), recording(interval=0.5)
    layout = KaggleLayout()
    spec = layout.spec(("a", "b"), ("N", "S", "V", "F", "Q"))
    together = cut_recordings("t", spec, [one, two], layout, None)
    assert np.array_equal(together.x[: len(one.peaks) - 1], layout.cut(one)[0])
    assert np.array_equal(together.x[len(one.peaks) - 1 :], layout.cut(two)[0])


def test_recordings_without_a_beat_are_refused(refusal) -> None:
    empty = dataclasses.replace(recording(), peaks=np.empty(0, np.int64), labels=np.empty(0, np.int64))
    layout = KaggleLayout()
    spec = layout.spec(("a", "b"), ("N", "S", "V", "F", "Q"))
    assert "not one beat" in refusal(cut_recordings, "t", spec, [empty], layout, None)


def test_a_constant_signal_is_zero_and_not_a_number_by_accident() -> None:
    flat = dataclasses.replace(recording(), signal=np.ones((5000, 1)))
    assert (KaggleLayout().cut(flat)[0] == 0).all()


def test_every_symbol_has_one_class() -> None:
    symbols = "".join(AAMI_SYMBOLS)
    assert len(set(symbols)) == len(symbols)
    assert (
        label_symbols(list('NLRejAaJSVEF/fQ+~|"x![]')).tolist()
        == [0] * 5 + [1] * 4 + [2] * 2 + [3] + [4] * 3 + [-1] * 8
    )


@pytest.mark.parametrize("before", [-1, 192])
def test_a_peak_outside_its_window_is_refused(refusal, before) -> None:
    assert "before" in refusal(WindowLayout, before=before)


def test_the_length_of_a_beat_follows_the_median_of_the_intervals_around_it() -> None:
    rng = np.random.default_rng(3)
    seconds = np.cumsum(rng.uniform(0.3, 1.5, 200)) + 1
    given = dataclasses.replace(
        recording(seconds=240.0),
        signal=rng.uniform(1, 2, (30_000, 1)),
        peaks=np.rint(seconds * 125).astype(np.int64),
        labels=np.zeros(200, np.int64),
    )
    x, _ = KaggleLayout().cut(given)
    starts, intervals = given.peaks[:-1] / 125, np.diff(given.peaks) / 125
    for start, beat in zip(starts, x[:, 0], strict=True):
        expected = 1.2 * 125 * np.median(intervals[np.abs(starts - start) <= 5])
        # The last sample may be the smallest of its beat, and so a zero.
        assert np.flatnonzero(beat)[-1] + 1 == pytest.approx(min(expected, 187), abs=2)
