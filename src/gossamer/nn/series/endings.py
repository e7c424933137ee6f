"""The ends of series: of all at the same time, or of each before its last zeros."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.nn.series.network import MIN_LENGTH

if TYPE_CHECKING:
    from torch import Tensor


class AbstractEnding(abc.ABC):
    """The end of a series: a public rule for each series alone."""

    @property
    @abc.abstractmethod
    def num_lengths(self) -> int:
        """Number of lengths that describe the end of a series: 0 or 1."""

    @abc.abstractmethod
    def stretched(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """Stretch series (batch, channels, time) to the end.

        Return them with their lengths (batch, num_lengths) in (0, 1].
        """

    @abc.abstractmethod
    def padded(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Bring stretched series (batch, channels, time) in [0, 1] back to the lengths (batch, num_lengths)."""


@dataclass(frozen=True, kw_only=True)
class AtTheEnd(AbstractEnding):
    """The end of series that fill their time: zeros at the end are values like others."""

    @property
    def num_lengths(self) -> int:
        """No length, 0."""
        return 0

    def stretched(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """Return the series unchanged, and no lengths."""
        return series, series.new_zeros(len(series), 0)

    def padded(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Return the series unchanged."""
        return series


@dataclass(frozen=True, kw_only=True)
class BeforeZeros(AbstractEnding):
    """The end of a series before its last zeros: the part up to there is stretched over the whole time.

    A series ends after its last sample in which any channel is not zero. Beats that are cut to the length of a heart's
    cycle and filled up with zeros differ in length more than in anything else. A Gaussian of the padded ones draws
    neither a sharp end nor a zero. Stretched, the waves of one heart lie above those of another, and the length stands
    beside them as a number of its own.
    """

    @property
    def num_lengths(self) -> int:
        """One length, 1."""
        return 1

    def stretched(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """Stretch the part before the zeros over the whole time, linear between samples.

        Return the stretched series, and their lengths as fractions.
        """
        import torch

        time = series.shape[2]
        is_used = (series != 0).any(dim=1)
        after = torch.arange(1, time + 1, device=series.device)
        ends = (is_used * after).amax(dim=1).clamp_min(MIN_LENGTH)
        steps = torch.arange(time, device=series.device) / (time - 1)
        return looked_up(series, steps * (ends[:, None] - 1)), ends[:, None].to(series) / time

    def padded(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Squeeze series to their lengths, rounded to samples, with zeros behind."""
        import torch

        time = series.shape[2]
        ends = (lengths * time).round().clamp(MIN_LENGTH, time)
        places = torch.arange(time, device=series.device)
        squeezed = looked_up(series, (places * (time - 1) / (ends - 1)).clamp_max(time - 1))
        return squeezed * (places < ends)[:, None]

    def padded_in_part(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Squeeze series as `padded` does, the last sample times the part of it that is left: smooth in the lengths."""
        import torch

        time = series.shape[2]
        ends = (lengths * time).clamp(MIN_LENGTH + 1, time)
        places = torch.arange(time, device=series.device)
        squeezed = looked_up(series, (places * (time - 1) / (ends - 1)).clamp_max(time - 1))
        return squeezed * (ends - places).clamp(0, 1)[:, None]


Ending = AtTheEnd | BeforeZeros


def looked_up(series: Tensor, places: Tensor) -> Tensor:
    """Look series (batch, channels, time) up at places (batch, time) between 0 and time - 1, linear between samples."""
    import torch

    below = places.floor().clamp(0, series.shape[2] - 2)
    share = (places - below).to(series)[:, None]
    first = below.long()[:, None].expand_as(series)
    return torch.lerp(series.gather(2, first), series.gather(2, first + 1), share.expand_as(series))
