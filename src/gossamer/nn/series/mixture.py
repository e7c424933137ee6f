"""A mixture generator of series: Gaussians in a small space of smooth series, all of one length or of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.mixture import AbstractMixtureGenerator, AbstractMixtureGeneratorConfig
from gossamer.nn.network import Shape, check_positive
from gossamer.nn.series.endings import AtTheEnd, Ending
from gossamer.nn.series.network import checked_series_shape


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
