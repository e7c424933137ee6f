"""Synthetic series as a WFDB recording: one after the other, in their own units, with a mark in each."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.series import SeriesSpec
from gossamer.data.units import NO_UNIT, plain_unit
from gossamer.data.wfdb_records import wfdb_package
from gossamer.errors import InputError
from gossamer.runs.header_words import header_words
from gossamer.runs.pieces import Pieces
from gossamer.runs.samples import new_folder
from gossamer.runs.series_files import channel_names

WFDB_NAME: Final = "synthetic"
_BEAT_SYMBOLS: Final = {"N": "N", "S": "S", "V": "V", "F": "F", "Q": "Q"}  # a WFDB symbol for an AAMI class
_NUM_STEPS: Final = 60_000
_LONGEST_NAME: Final = 100
_MAX_BASELINE: Final = 2**31 - 1
_IN_THE_MIDDLE = "The mark stands in the middle of each series, since no layout of beats says where an R peak is."


def write_wfdb(folder: Path, x: np.ndarray | Pieces, y: np.ndarray | None, spec: SeriesSpec) -> tuple[str, ...]:
    """Write all series one after the other as the recording ``synthetic``, with a mark in each.

    The mark stands at the R peak if the layout that cut the series has one, and else in the middle. It is the beat
    symbol of its class if the classes are N, S, V, F and Q. Otherwise it is a note that names the class. A value is
    written to within (high - low) / 120,000, in the unit of its channel, or in ``NU`` if that is unknown. No heart
    beats so: neighbours in the recording have nothing to do with each other.

    Args:
        folder: empty, or to be made.
        x: float32 (num_samples, channels, time) in [0, 1].
        y: int64 (num_samples,), or None.
        spec: bounds, names, units and sample rate.

    Returns:
        Sentences on the things that the format could not hold as they are.

    Raises:
        InputError: no sample rate, bounds that the format cannot hold, or a folder that holds something.
        ResourceError: the recording cannot be written.
    """
    if spec.sample_rate is None:
        raise InputError("a WFDB recording needs a sample rate and these series have none: choose .npz or .csv")
    gains, baselines = _scales(spec)
    names = header_words(channel_names(spec), longest=_LONGEST_NAME, what="channel")
    classes = header_words(spec.class_names, longest=_LONGEST_NAME, what="class")
    units, without = _units(spec)
    with new_folder(folder) as partial, warnings.catch_warnings():
        # The package meets a newer pandas than it was written for.
        warnings.simplefilter("ignore", DeprecationWarning)
        first, sums = _write_signals(partial, Pieces.of(x), spec, gains, baselines)
        header = wfdb_package().Record(
            record_name=WFDB_NAME,
            n_sig=spec.channels,
            sig_len=len(x) * spec.length,
            fs=spec.sample_rate,
            units=units,
            sig_name=list(names.words),
            fmt=["16"] * spec.channels,
            adc_gain=gains,
            baseline=baselines,
            init_value=first,
            checksum=sums,
            comments=["synthetic: series of a generator one after the other, not a heart in time"],
        )
        header.set_defaults()
        header.wrheader(write_dir=str(partial))
        _write_marks(partial, len(x), None if y is None else [classes.words[label] for label in y], spec)
    middle = _IN_THE_MIDDLE if spec.peak is None else None
    return tuple(note for note in (names.note, classes.note, without, middle) if note is not None)


def _scales(spec: SeriesSpec) -> tuple[list[float], list[int]]:
    """Return digits a unit of each channel, and the digit of zero: 60,000 steps between the bounds."""
    # Nine figures, so that the header has the very number by which the values are written.
    gains = [float(f"{_NUM_STEPS / (high - low):.9g}") for low, high in zip(spec.low, spec.high, strict=True)]
    middles = [(low + high) / 2 for low, high in zip(spec.low, spec.high, strict=True)]
    baselines = [-round(middle * gain) for middle, gain in zip(middles, gains, strict=True)]
    for channel, baseline in enumerate(baselines):
        if abs(baseline) > _MAX_BASELINE:
            raise InputError(
                f"low[{channel}] and high[{channel}] lie too near to each other for a WFDB header, so far from 0: "
                "choose .npz or .csv"
            )
    return gains, baselines


def _write_signals(
    folder: Path, pieces: Pieces, spec: SeriesSpec, gains: list[float], baselines: list[int]
) -> tuple[list[int], list[int]]:
    """Write the signals piece by piece, and return the first digit of each channel and the checksum of all."""
    first: list[int] = []
    sums = np.zeros(spec.channels, dtype=np.int64)
    with (folder / f"{WFDB_NAME}.dat").open("wb") as file:
        for piece in pieces:
            digits = _digits(piece, spec, gains, baselines)
            first = first or digits[0].tolist()
            sums += digits.sum(axis=0)
            # Format 16 of a header: two bytes each, the lower one first, channels in turn.
            file.write(np.ascontiguousarray(digits, dtype="<i2").data)
    return first, (sums % 65536).tolist()


def _digits(x: np.ndarray, spec: SeriesSpec, gains: list[float], baselines: list[int]) -> np.ndarray:
    """Return the values as whole numbers, int64 (all times, channels)."""
    low, high, gain, baseline = (np.array(each, dtype=np.float64) for each in (spec.low, spec.high, gains, baselines))
    values = np.moveaxis(x.astype(np.float64), 1, 2).reshape(-1, spec.channels) * (high - low) + low
    return np.rint(values * gain + baseline).astype(np.int64)


def _units(spec: SeriesSpec) -> tuple[list[str], str | None]:
    """Return the unit of each channel as a header holds it, and a sentence on those that it cannot hold."""
    plain = ["_".join(plain_unit(unit).split()) or NO_UNIT for unit in spec.shown_units]
    # The package reads the letters behind these as the name of the signal, or drops them.
    fits = [re.fullmatch(r"[A-Za-z0-9_^?%/-]+", unit) is not None for unit in plain]
    lost = sorted({unit for unit, is_fit in zip(spec.shown_units, fits, strict=True) if not is_fit})
    note = f"A WFDB header cannot hold the unit {', '.join(map(repr, lost))}: {NO_UNIT} stands there." if lost else None
    return [unit if is_fit else NO_UNIT for unit, is_fit in zip(plain, fits, strict=True)], note


def _write_marks(folder: Path, num_series: int, classes: list[str] | None, spec: SeriesSpec) -> None:
    is_beat = classes is not None and set(spec.class_names) <= _BEAT_SYMBOLS.keys()
    places = np.arange(num_series) * spec.length + (spec.length // 2 if spec.peak is None else spec.peak)
    if not is_beat:
        # The package loses a note at the very first sample: that one stands a sample late.
        places = np.maximum(places, 1)
    wfdb_package().wrann(
        WFDB_NAME,
        "atr",
        sample=places,
        symbol=[_BEAT_SYMBOLS[name] if is_beat else '"' for name in classes or [""] * num_series],
        aux_note=["" if is_beat else name for name in classes or [""] * num_series],
        write_dir=str(folder),
    )
