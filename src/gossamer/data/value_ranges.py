"""The range of private values, for the owner's eyes: least, greatest and mean of each channel, and the part clipped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

HARDLY_FILLED: Final = 0.25
"""Share of the public range at or below which values are said to fill hardly any of it."""
MUCH_CLIPPED: Final = 0.05
"""Share of the values of a channel from which on the owner is warned that they were clipped."""


class ScaledBy(Enum):
    """The public thing that brings values to [0, 1], by the options that say it."""

    BOUNDS = "--low, --high"
    WHITE_LEVEL = "--white-level"
    WINDOW = "--window-center, --window-width"


@dataclass(frozen=True, kw_only=True)
class ValueRanges:
    """The range of the values of each channel, in their own units, before any was clipped. Private.

    Args:
        names: Public names of the channels.
        low: Public value that becomes 0, of each channel.
        high: Public value that becomes 1.
        least: Least value. Private.
        greatest: Greatest value. Private.
        mean: Mean of the values. Private.
        below: Share of the values below `low`. Private. None if the reader does not count them.
        above: Share of the values above `high`. Private.
        scaled_by: Thing that the user says of the scale: bounds of series, the white level or the window of images.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    # Privacy: facts of single records. No text of an object may show them.
    least: tuple[float, ...] = field(repr=False)
    greatest: tuple[float, ...] = field(repr=False)
    mean: tuple[float, ...] = field(repr=False)
    below: tuple[float, ...] | None = field(default=None, repr=False)
    above: tuple[float, ...] | None = field(default=None, repr=False)
    scaled_by: ScaledBy = ScaledBy.BOUNDS

    def between(self, low: tuple[float, ...], high: tuple[float, ...]) -> ValueRanges:
        """Return the ranges of values that were tallied between 0 and 1, in units in which `low` is 0 and `high` is 1.

        Args:
            low: Public lower bound of each channel.
            high: Public upper bound.
        """

        def in_own_units(values: tuple[float, ...]) -> tuple[float, ...]:
            bounds = zip(low, high, values, strict=True)
            return tuple(float(least + (greatest - least) * value) for least, greatest, value in bounds)

        return replace(
            self,
            low=tuple(map(float, low)),
            high=tuple(map(float, high)),
            least=in_own_units(self.least),
            greatest=in_own_units(self.greatest),
            mean=in_own_units(self.mean),
        )

    def as_plain(self) -> list[dict[str, Any]]:
        """Return the ranges in plain values that JSON can hold, a dictionary for each channel. Private."""
        return [
            {
                "channel": name,
                "low": self.low[channel],
                "high": self.high[channel],
                "least": self.least[channel],
                "greatest": self.greatest[channel],
                "mean": self.mean[channel],
                "share_below": None if self.below is None else self.below[channel],
                "share_above": None if self.above is None else self.above[channel],
            }
            for channel, name in enumerate(self.names)
        ]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on a range that is hardly filled, and on channels of which much was clipped. Private."""
        return (*self._on_filling(), *self._on_clipping())

    def _on_filling(self) -> tuple[str, ...]:
        bounds = zip(self.low, self.high, self.least, self.greatest, strict=True)
        few = [greatest - least <= HARDLY_FILLED * (high - low) for low, high, least, greatest in bounds]
        # Images have one scale for all channels, and one colour may well be rare.
        if not (any(few) if self.scaled_by is ScaledBy.BOUNDS else all(few)):
            return ()
        if self.scaled_by is ScaledBy.WINDOW:
            return (
                f"The values fill at most a quarter of {self.low[0]:g} to {self.high[0]:g}, so images are nearly "
                "of one gray: say a public window, --window-center and --window-width, by the protocol of the scans "
                "and not by these numbers.",
            )
        if self.scaled_by is ScaledBy.WHITE_LEVEL:
            return (
                f"The pixels fill at most a quarter of {self.low[0]:g} to {self.high[0]:g}, so images are nearly "
                "of one gray: say the public white level, --white-level 4095 for scans of 12 bits or 1 for masks of 0 "
                "and 1, by the device or format and not by these numbers.",
            )
        return (
            f"The values fill at most a quarter of their bounds, of the channels {self._listed(few)}: bounds that lie "
            "nearer (--low, --high) leave less noise, if device or physics says them, and not these numbers.",
        )

    def _on_clipping(self) -> tuple[str, ...]:
        if self.below is None or self.above is None:
            return ()
        many = [below + above > MUCH_CLIPPED for below, above in zip(self.below, self.above, strict=True)]
        if not any(many):
            return ()
        return (
            f"More than {MUCH_CLIPPED:.0%} of the values were clipped by the public bounds, of the channels "
            f"{self._listed(many)}: are bounds and values of one unit ({self.scaled_by.value})?",
        )

    def _listed(self, chosen: list[bool]) -> str:
        names = [name for name, is_chosen in zip(self.names, chosen, strict=True) if is_chosen]
        return ", ".join(names[:8]) + ", ..." * (len(names) > 8)
