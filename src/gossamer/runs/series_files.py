"""Synthetic series as files, in their own units: NPZ, or a wide or long table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.layouts import LABEL, LongColumns, TableColumns
from gossamer.data.series import SeriesSpec
from gossamer.extras import from_extra
from gossamer.runs.files import whole_file
from gossamer.runs.pieces import Pieces, write_arrays

_NUM_STEPS: Final = 60_000


def in_own_units(x: np.ndarray, spec: SeriesSpec) -> np.ndarray:
    """Map values in [0, 1] to the public bounds of their channel, (batch, channels, time).

    They are float32, or float64 if float32 has steps above (high - low) / 60,000 between the bounds of a channel, as
    near a great number.

    Example:
        >>> near_million = SeriesSpec(channels=1, length=2, low=(1e6,), high=(1e6 + 1,))
        >>> in_own_units(np.zeros((1, 1, 2), dtype="float32"), near_million).dtype
        dtype('float64')
    """
    low, high = (np.array(bounds, dtype=np.float64)[:, None] for bounds in (spec.low, spec.high))
    values = low + x * (high - low)
    steps = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32))
    return values if (steps > (high - low) / _NUM_STEPS).any() else values.astype(np.float32)


def write_series_npz(
    path: Path,
    x: np.ndarray | Pieces,
    y: np.ndarray | None,
    spec: SeriesSpec,
    probabilities: np.ndarray | Pieces | None = None,
) -> None:
    """Write ``x`` (batch, channels, time) in its own units, ``y`` if there are labels, and the public facts of them.

    Args:
        path: file ending in .npz.
        x: float32 (num_samples, channels, time) in [0, 1].
        y: int64 (num_samples,), or None.
        spec: bounds, names and sample rate.
        probabilities: soft labels, float32 (num_samples, num_classes). None if there are none.
    """
    own = Pieces.of(x).mapped(lambda piece: in_own_units(piece, spec))
    arrays: dict[str, np.ndarray | Pieces] = {"x": own, "low": np.array(spec.low), "high": np.array(spec.high)}
    if y is not None:
        arrays["y"] = y
    if probabilities is not None:
        arrays["probabilities"] = probabilities
    if y is not None and spec.are_classes_named:
        arrays["class_names"] = np.array(spec.class_names)
    if spec.channel_names:
        arrays["channel_names"] = np.array(spec.channel_names)
    if spec.units:
        arrays["units"] = np.array(spec.units)
    if spec.sample_rate is not None:
        arrays["sample_rate"] = np.array(spec.sample_rate)
    with whole_file(path) as file:
        write_arrays(file, arrays)


def write_series_table(
    path: Path, x: np.ndarray | Pieces, y: np.ndarray | None, spec: SeriesSpec, columns: TableColumns | None = None
) -> None:
    """Write a table of series, in their own units, with the names of their classes. See `table_columns`.

    A piece of the series becomes a row group of a Parquet file.

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

    layout = spec.table if columns is None else columns
    names = np.array(spec.class_names, dtype=object)

    def tables() -> Iterator[pyarrow.Table]:
        """Yield each piece of the series as a table, with the names of classes in place of their numbers."""
        for first, piece in Pieces.of(x).numbered():
            labels = None if y is None else y[first : first + len(piece)]
            found = table_columns(in_own_units(piece, spec), labels, spec, layout, first)
            if labels is not None:
                label = list(found)[-1]
                found[label] = names[found[label]]
            yield pyarrow.table(found)

    with whole_file(path) as file:
        every = tables()
        table = next(every)
        write = csv.CSVWriter if path.suffix.lower() == ".csv" else parquet.ParquetWriter
        with write(file, table.schema) as writer:
            writer.write_table(table)
            for table in every:
                writer.write_table(table)


def table_columns(
    x: np.ndarray, y: np.ndarray | None, spec: SeriesSpec, columns: TableColumns, first: int = 0
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
        first: number of series before these.

    Returns:
        Name -> values (num_rows,), classes by their numbers.
    """
    if isinstance(columns, LongColumns):
        found = _long_columns(x, spec, columns, first)
        label = None if y is None else np.repeat(y, spec.length)
    else:
        names = columns.values or column_names(spec)
        found = {name: x.reshape(len(x), -1)[:, place] for place, name in enumerate(names)}
        label = y
    if label is not None:
        found[columns.label or _free(LABEL, found)] = label
    return found


def _long_columns(x: np.ndarray, spec: SeriesSpec, columns: LongColumns, first: int) -> dict[str, np.ndarray]:
    values = columns.values or channel_names(spec)
    times = np.arange(spec.length) if spec.sample_rate is None else np.arange(spec.length) / spec.sample_rate
    numbers = np.repeat(np.arange(first, first + len(x)), spec.length)
    heads = {columns.series: numbers, columns.time: np.tile(times, len(x))}
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
