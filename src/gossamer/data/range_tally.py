"""A running tally of private values, block after block, from which their range is told to their owner."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from gossamer.data.records import AbstractSpec
from gossamer.data.series import SeriesSpec
from gossamer.data.value_ranges import ScaledBy, ValueRanges

if TYPE_CHECKING:
    from torch import Tensor

_AT_ONCE: Final = 2**22


class RangeTally:
    """A running tally of values, block after block, so that no copy of an array is made. Private.

    Args:
        names: Public names of the channels.
        low: Public value that becomes 0, of each channel.
        high: Public value that becomes 1.
        scaled_by: Thing that the user says of the scale.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        low: tuple[float, ...],
        high: tuple[float, ...],
        *,
        scaled_by: ScaledBy = ScaledBy.BOUNDS,
    ) -> None:
        self._names, self._scaled_by = names, scaled_by
        self._low, self._high = np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)
        self._least, self._greatest = np.full(len(names), np.inf), np.full(len(names), -np.inf)
        self._num, self._sums, self._below, self._above = (np.zeros(len(names)) for _ in range(4))

    @classmethod
    def of_images(cls, channels: int, white: float) -> RangeTally:
        """Return an empty tally of pixels from 0 to a public value of white."""
        return cls(_colours(channels), (0.0,) * channels, (float(white),) * channels, scaled_by=ScaledBy.WHITE_LEVEL)

    @classmethod
    def of_series(cls, spec: SeriesSpec) -> RangeTally:
        """Return an empty tally of series with public bounds."""
        return cls(spec.shown_channels, spec.low, spec.high)

    def add(self, block: np.ndarray) -> None:
        """Add values (batch, channels, ...), finite and in their own units."""
        if not block.size:
            return
        axes = (0, *range(2, block.ndim))
        least, greatest = (
            np.asarray(found, dtype=np.float64) for found in (block.min(axis=axes), block.max(axis=axes))
        )
        self._least, self._greatest = np.minimum(self._least, least), np.maximum(self._greatest, greatest)
        self._sums += block.sum(axis=axes, dtype=np.float64)
        self._num += block.size // block.shape[1]
        for channel in np.flatnonzero(least < self._low):
            self._below[channel] += np.count_nonzero(block[:, channel] < self._low[channel])
        for channel in np.flatnonzero(greatest > self._high):
            self._above[channel] += np.count_nonzero(block[:, channel] > self._high[channel])

    def add_places(self, values: np.ndarray, channels: np.ndarray, gaps: np.ndarray | None = None) -> None:
        """Add values of some places of records.

        Args:
            values: (batch, places), finite and in their own units.
            channels: Channel of each place, (places,).
            gaps: Booleans of the same shape as the values, true where no value is. None for nowhere.
        """
        for channel in np.unique(channels):
            chosen = channels == channel
            part = values if chosen.all() else values[:, chosen]
            part = part.ravel() if gaps is None else part[~gaps[:, chosen]]
            if part.size:
                self._add_to(int(channel), part)

    def _add_to(self, channel: int, values: np.ndarray) -> None:
        self._least[channel] = min(self._least[channel], values.min())
        self._greatest[channel] = max(self._greatest[channel], values.max())
        self._num[channel] += values.size
        self._sums[channel] += values.sum(dtype=np.float64)
        self._below[channel] += np.count_nonzero(values < self._low[channel])
        self._above[channel] += np.count_nonzero(values > self._high[channel])

    def ranges(self) -> ValueRanges | None:
        """Return the ranges of all values that were added, or None if a channel has none."""
        if not self._num.all():
            return None
        return ValueRanges(
            names=self._names,
            low=_plain(self._low),
            high=_plain(self._high),
            least=_plain(self._least),
            greatest=_plain(self._greatest),
            mean=_plain(self._sums / self._num),
            below=_plain(self._below / self._num),
            above=_plain(self._above / self._num),
            scaled_by=self._scaled_by,
        )


def ranges_of_records(x: Tensor, spec: AbstractSpec) -> ValueRanges:
    """Return the ranges of records in [0, 1], in own units if they are series. Clipped values are not counted.

    Args:
        x: (num_records, *shape) in [0, 1], at least one record.
        spec: Public specification.
    """
    is_series = isinstance(spec, SeriesSpec)
    channels = spec.shape[0]
    low, high = (spec.low, spec.high) if is_series else ((0.0,) * channels, (1.0,) * channels)
    names = spec.shown_channels if is_series else _colours(channels)
    tally = RangeTally(names, (0.0,) * channels, (1.0,) * channels)
    step = max(1, _AT_ONCE // x[0].numel())
    for start in range(0, len(x), step):
        tally.add(x[start : start + step].numpy())
    found = tally.ranges()
    assert found is not None
    # Without a count of those that were clipped, their shares are unknown.
    scaled_by = ScaledBy.BOUNDS if is_series else ScaledBy.WHITE_LEVEL
    return replace(found.between(low, high), below=None, above=None, scaled_by=scaled_by)


def _colours(channels: int) -> tuple[str, ...]:
    return ("gray",) if channels == 1 else ("red", "green", "blue")


def _plain(values: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, values))
