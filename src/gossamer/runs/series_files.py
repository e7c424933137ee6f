"""Synthetic series as files, in their own units: NPZ, a wide or long table, or a WFDB recording."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.data.layouts import LABEL, LongColumns, TableColumns
from gossamer.data.series import SeriesSpec
from gossamer.data.wfdb_records import wfdb_package
from gossamer.errors import InputError
from gossamer.extras import from_extra
from gossamer.runs.files import whole_file, writing

WFDB_NAME = "synthetic"
_BEAT_SYMBOLS = {"N": "N", "S": "S", "V": "V", "F": "F", "Q": "Q"}  # a WFDB symbol for an AAMI class
_WFDB_DIGITS = 30_000


def in_own_units(x: np.ndarray, spec: SeriesSpec) -> np.ndarray:
    """Map values in [0, 1] to the public bounds of their channel, float32 (batch, channels, time)."""
    low, high = (np.array(bounds, dtype=np.float64)[:, None] for bounds in (spec.low, spec.high))
    return (low + x * (high - low)).astype(np.float32)


def write_series_npz(path: Path, x: np.ndarray, y: np.ndarray | None, spec: SeriesSpec) -> None:
    """Write ``x`` (batch, channels, time) in its own units, ``y`` if there are labels, and the public facts of them.

    Args:
        path: file ending in .npz.
        x: float32 (num_samples, channels, time) in [0, 1].
        y: int64 (num_samples,), or None.
        spec: bounds, names and sample rate.
    """
    arrays: dict[str, Any] = {"x": in_own_units(x, spec), "low": np.array(spec.low), "high": np.array(spec.high)}
    if y is not None:
        arrays["y"] = y
    if y is not None and spec.are_classes_named:
        arrays["class_names"] = np.array(spec.class_names)
    if spec.channel_names:
        arrays["channel_names"] = np.array(spec.channel_names)
    if spec.sample_rate is not None:
        arrays["sample_rate"] = np.array(spec.sample_rate)
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)


def write_series_table(
    path: Path, x: np.ndarray, y: np.ndarray | None, spec: SeriesSpec, columns: TableColumns | None = None
) -> None:
    """Write a table of series, in their own units, with the names of their classes. See `table_columns`.

    Args:
        path: file ending in .csv or .parquet.
        x: float32 (num_samples, channels, time) in [0, 1].
        y: int64 (num_samples,), or None.
        spec: bounds and names.
        columns: layout, with names of columns. None for the layout in which the series came.
    """
    with from_extra("series", f"a {path.suffix} file of time series"):
        import pyarrow
        from pyarrow import csv, parquet

    found = table_columns(in_own_units(x, spec), y, spec, spec.table if columns is None else columns)
    if y is not None:
        label = list(found)[-1]
        found[label] = np.array(spec.class_names, dtype=object)[found[label]]
    write = csv.write_csv if path.suffix.lower() == ".csv" else parquet.write_table
    with whole_file(path) as file:
        write(pyarrow.table(found), file)


def table_columns(
    x: np.ndarray, y: np.ndarray | None, spec: SeriesSpec, columns: TableColumns
) -> dict[str, np.ndarray]:
    """Return the columns of a table of series.

    Wide: ``t0, t1, ...`` for one channel, else ``CHANNEL_t0, ...``. Long: ``series``, which counts from 0, ``time``, in
    seconds if there is a sample rate and else in steps, and a column for each channel. The last is ``class``, if there
    are classes. Columns that were named when the series were read keep those names.

    Args:
        x: float32 (num_samples, channels, time), in the units that the table has.
        y: int64 (num_samples,), or None.
        spec: names and sample rate.
        columns: layout, with names of columns.

    Returns:
        Name -> values (num_rows,), classes by their numbers.
    """
    if isinstance(columns, LongColumns):
        found = _long_columns(x, spec, columns)
        label = None if y is None else np.repeat(y, spec.length)
    else:
        names = columns.values or column_names(spec)
        found = {name: x.reshape(len(x), -1)[:, place] for place, name in enumerate(names)}
        label = y
    if label is not None:
        found[columns.label or _free(LABEL, found)] = label
    return found


def _long_columns(x: np.ndarray, spec: SeriesSpec, columns: LongColumns) -> dict[str, np.ndarray]:
    values = columns.values or channel_names(spec)
    times = np.arange(spec.length) if spec.sample_rate is None else np.arange(spec.length) / spec.sample_rate
    heads = {columns.series: np.repeat(np.arange(len(x)), spec.length), columns.time: np.tile(times, len(x))}
    found = {_free(name, values): column for name, column in heads.items()}
    return found | {name: x[:, channel].reshape(-1) for channel, name in enumerate(values)}


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name that no other column has."""
    while name in taken:
        name += "_"
    return name


def column_names(spec: SeriesSpec) -> list[str]:
    """List the value columns of a wide table: ``t0, t1, ...`` for one channel, else ``CHANNEL_t0, ...``."""
    times = [f"t{time}" for time in range(spec.length)]
    return times if spec.channels == 1 else [f"{name}_{time}" for name in channel_names(spec) for time in times]


def channel_names(spec: SeriesSpec) -> tuple[str, ...]:
    """Return the names of the channels, ``c0, c1, ...`` if they have none."""
    return spec.channel_names or tuple(f"c{channel}" for channel in range(spec.channels))


def write_wfdb(folder: Path, x: np.ndarray, y: np.ndarray | None, spec: SeriesSpec) -> None:
    """Write all series one after the other as the recording ``synthetic``, with a mark in the middle of each.

    A mark is the beat symbol of its class if the classes are N, S, V, F and Q. Otherwise it is a note that names the
    class. No heart beat so: neighbours in the recording have nothing to do with each other.

    Args:
        folder: empty, or to be made.
        x: float32 (num_samples, channels, time) in [0, 1].
        y: int64 (num_samples,), or None.
        spec: bounds, names and sample rate.

    Raises:
        InputError: no sample rate, or a folder that holds something.
        ResourceError: the recording cannot be written.
    """
    if spec.sample_rate is None:
        raise InputError("a WFDB recording needs a sample rate and these series have none: choose .npz or .csv")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not empty; name another --out")
    signal = np.moveaxis(in_own_units(x, spec), 1, 2).reshape(-1, spec.channels).astype(np.float64)
    names = [spec.class_names[label] for label in y] if y is not None else [""] * len(x)
    with writing(folder, "free space or name another --out"), warnings.catch_warnings():
        # The package meets a newer pandas than it was written for.
        warnings.simplefilter("ignore", DeprecationWarning)
        folder.mkdir(parents=True, exist_ok=True)
        _write_recording(folder, signal, spec)
        _write_marks(folder, names, spec)


def _write_recording(folder: Path, signal: np.ndarray, spec: SeriesSpec) -> None:
    """Write header and signal, 16 bits a value, at a scale that fits the public bounds."""
    wfdb_package().wrsamp(
        WFDB_NAME,
        fs=spec.sample_rate,
        units=["mV"] * spec.channels,
        sig_name=list(channel_names(spec)),
        p_signal=signal,
        fmt=["16"] * spec.channels,
        adc_gain=[_WFDB_DIGITS / max(abs(low), abs(high)) for low, high in zip(spec.low, spec.high, strict=True)],
        baseline=[0] * spec.channels,
        comments=["synthetic: series of a generator one after the other, not a heart in time"],
        write_dir=str(folder),
    )


def _write_marks(folder: Path, names: list[str], spec: SeriesSpec) -> None:
    """Write a mark in the middle of each series. The package loses a note at the very first sample."""
    is_beat = set(names) <= set(_BEAT_SYMBOLS)
    wfdb_package().wrann(
        WFDB_NAME,
        "atr",
        sample=np.arange(len(names)) * spec.length + spec.length // 2,
        symbol=[_BEAT_SYMBOLS[name] if is_beat else '"' for name in names],
        aux_note=["" if is_beat else name for name in names],
        write_dir=str(folder),
    )
