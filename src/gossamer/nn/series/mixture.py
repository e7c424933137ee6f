"""A mixture generator of series: Gaussians in a small space of smooth series, all of one length or of their own."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.mixture import AbstractMixtureGenerator, AbstractMixtureGeneratorConfig
from gossamer.nn.network import Shape, check_positive
from gossamer.nn.series.network import MIN_LENGTH, checked_series_shape


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
        time = series.shape[2]
        is_used = (series != 0).any(dim=1)
        after = torch.arange(1, time + 1, device=series.device)
        ends = (is_used * after).amax(dim=1).clamp_min(MIN_LENGTH)
        steps = torch.arange(time, device=series.device) / (time - 1)
        return _looked_up(series, steps * (ends[:, None] - 1)), ends[:, None].to(series) / time

    def padded(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Squeeze series to their lengths, rounded to samples, with zeros behind."""
        time = series.shape[2]
        ends = (lengths * time).round().clamp(MIN_LENGTH, time)
        places = torch.arange(time, device=series.device)
        squeezed = _looked_up(series, (places * (time - 1) / (ends - 1)).clamp_max(time - 1))
        return squeezed * (places < ends)[:, None]


Ending = AtTheEnd | BeforeZeros


@dataclass(frozen=True, kw_only=True)
class SeriesMixtureGeneratorConfig(AbstractMixtureGeneratorConfig):
    """Settings of `SeriesMixtureGenerator`, and of the features that its Gaussians describe.

    Args:
        radius: frequencies below it are kept, as in `LowFrequencies`: r keeps r of each channel.
        ending: the rule for the end of a series.
        length_weight: weight of the length beside the values, times the root of their number in time.
        level: level of the series with all features 0. Public.
    """

    radius: float = 64.0
    ending: Ending = field(default_factory=AtTheEnd)
    length_weight: float = 0.3
    level: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "length_weight")
        if not 0 <= self.level <= 1:
            raise InputError(f"level must lie between 0 and 1, got {self.level}")

    @property
    def ground(self) -> float:
        """Level of the series with all features 0."""
        return self.level

    @property
    def public_facts(self) -> str:
        """Clause of a statement on the level and end of series."""
        return "the level of an even series and the rule for the end of a series"

    @property
    def num_traits(self) -> int:
        """Number of lengths: 1 if series end before zeros, else 0."""
        return self.ending.num_lengths

    def described(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Stretch series (batch, channels, time) to the end.

        Return them with their weighted lengths, 0 for half the time.
        """
        stretched, lengths = self.ending.stretched(samples)
        return stretched, (lengths - 0.5) * self.length_scale(samples.shape)

    def length_scale(self, shape: tuple[int, ...]) -> float:
        """Return the factor of a length beside coefficients of series of this shape."""
        return self.length_weight * math.sqrt(shape[-1])

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> SeriesMixtureGenerator:
        """Build a new generator of even series. It has no weights, and ``rng`` is not used.

        Raises:
            InputError: latent_dim is not the one that these settings give.
        """
        return SeriesMixtureGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim)


class SeriesMixtureGenerator(AbstractMixtureGenerator):
    r"""A generator that draws series from a mixture of Gaussians of a class (`AbstractMixtureGenerator`).

    .. math:: \text{series} = \text{clip}_{[0,1]}(\text{drawing}),

    If series have lengths of their own, the series is then squeezed to the length that was drawn with it, with zeros
    behind.

    It draws series (channels, length), length from 2. The arguments are those of `AbstractMixtureGenerator`.
    """

    def __init__(
        self, config: SeriesMixtureGeneratorConfig, *, shape: Shape, num_classes: int, latent_dim: int
    ) -> None:
        super().__init__(config, shape=checked_series_shape(shape), num_classes=num_classes, latent_dim=latent_dim)
        self.config = config

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw series (batch, channels, length) in [0, 1]. See `AbstractGenerator.forward`."""
        drawing, lengths = self.drawn(latent, label)
        return self.config.ending.padded(drawing.clamp(0, 1), lengths / self.config.length_scale(self.shape) + 0.5)


def _looked_up(series: Tensor, places: Tensor) -> Tensor:
    """Look series (batch, channels, time) up at places (batch, time) between 0 and time - 1, linear between samples."""
    below = places.floor().clamp(0, series.shape[2] - 2)
    share = (places - below).to(series)[:, None]
    first = below.long()[:, None].expand_as(series)
    return torch.lerp(series.gather(2, first), series.gather(2, first + 1), share.expand_as(series))
