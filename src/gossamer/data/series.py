"""Time series as tensors in [0, 1], with a specification in which everything is public."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from gossamer.data.layouts import LongColumns, TableColumns, WideColumns, check_columns
from gossamer.data.records import AbstractSpec, check_kind, check_names
from gossamer.data.units import check_units
from gossamer.errors import InputError, told

MAX_CHANNELS: Final = 256
"""Largest number of channels."""
MIN_LENGTH: Final = 2
"""Smallest number of samples in time."""
MAX_LENGTH: Final = 2**16
"""Largest number of samples in time."""


@dataclass(frozen=True, kw_only=True)
class SeriesSpec(AbstractSpec):
    """Shape, classes, value range and time base of a set of series.

    A value v of channel c is kept as ``x = clip((v - low_c) / (high_c - low_c), 0, 1)``.

    Guarantee:
        Every field is a *public input*, given by the user or by the format. This includes low and high, which are never
        the smallest and largest private value.

    Args:
        channels: Values at a time, 1 to 256.
        length: Samples in time, 2 to 65,536.
        low: Public lower bound of each channel, in its own unit.
        high: Public upper bound of each channel, above `low`.
        sample_rate: Samples a second, Hz, or None if time has no unit.
        channel_names: One name per channel, or empty for none.
        table: Layout of the table that the series came in, for tables of samples. Wide, without names, if they came in
            none. Two specifications that differ in it alone are equal.
        units: Unit of the values of each channel, such as ``mV``, with empty text for an unknown one. Empty if none is
            known, as in files of earlier versions.
        peak: Place of the R peak in every series, in samples from its beginning, by the layout that cut them. None if
            there is no such layout. Two specifications that differ in units or peak alone are equal.
        class_names: One name per class, in the order of the labels 0, 1, ... and empty for series without labels.

    Raises:
        InputError: A size or bound is out of range, or a name is empty, unprintable, too long or given twice.

    Example:
        >>> spec = SeriesSpec(channels=1, length=187, low=(-2.0,), high=(3.0,), sample_rate=125.0)
        >>> spec.shape, spec.num_classes
        ((1, 187), 0)
    """

    channels: int
    length: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    sample_rate: float | None = None
    channel_names: tuple[str, ...] = ()
    table: TableColumns = field(default=WideColumns(), compare=False, repr=False)
    units: tuple[str, ...] = field(default=(), compare=False)
    peak: int | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds = {"channels": int, "length": int, "low": tuple, "high": tuple, "channel_names": tuple, "units": tuple}
        for name, kind in kinds.items():
            check_kind(name, getattr(self, name), kind)
        check_kind("sample_rate", self.sample_rate, int | float | None)
        check_kind("table", self.table, TableColumns)
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise InputError(f"channels must be between 1 and {MAX_CHANNELS}, not {told(self.channels)}")
        if not MIN_LENGTH <= self.length <= MAX_LENGTH:
            raise InputError(f"length must be between {MIN_LENGTH} and {MAX_LENGTH} samples, not {told(self.length)}")
        self._check_bounds()
        if self.sample_rate is not None and not (math.isfinite(self.sample_rate) and self.sample_rate > 0):
            raise InputError(f"sample_rate must be a finite number of Hz above 0, not {told(self.sample_rate)}")
        if self.channel_names and len(self.channel_names) != self.channels:
            raise InputError(
                f"channel_names has {len(self.channel_names)} names for {self.channels} channels: give one for each"
            )
        check_names("channel_names", self.channel_names)
        check_units(self.units, self.channels)
        check_kind("peak", self.peak, int | None)
        if self.peak is not None and not 0 <= self.peak < self.length:
            raise InputError(f"peak must be a sample of the series, 0 to {self.length - 1}, not {told(self.peak)}")
        is_long = isinstance(self.table, LongColumns)
        check_columns(self.table, self.channels if is_long else self.channels * self.length)

    @property
    def shown_channels(self) -> tuple[str, ...]:
        """A name for every channel: the public ones, or else ``channel 0``, ``channel 1`` and so on."""
        return self.channel_names or tuple(f"channel {number}" for number in range(self.channels))

    @property
    def shown_units(self) -> tuple[str, ...]:
        """Unit of every channel, with empty text for an unknown one."""
        return self.units or ("",) * self.channels

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Name of every channel with its unit behind it, if that is known, for the axes of pictures."""
        named = zip(self.shown_channels, self.shown_units, strict=True)
        return tuple(f"{name}, {unit}" if unit else name for name, unit in named)

    def _check_bounds(self) -> None:
        if (len(self.low), len(self.high)) != (self.channels, self.channels):
            raise InputError(
                f"low and high have {len(self.low)} and {len(self.high)} bounds for {self.channels} channels: "
                "give one of each per channel"
            )
        if not all(isinstance(bound, int | float) for bound in (*self.low, *self.high)):
            raise InputError("low and high must be numbers")
        for channel, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise InputError(f"low[{channel}] and high[{channel}] must be finite, low below high: {low}, {high}")

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of one series, (channels, length)."""
        return self.channels, self.length
