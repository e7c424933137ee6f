"""A mixture generator of series: Gaussians in a small space of smooth series, all of one length or of their own."""

from __future__ import annotations

from torch import Tensor

from gossamer.nn.mixture import AbstractMixtureGenerator
from gossamer.nn.series.network import checked_series_shape
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig
from gossamer.nn.settings import Shape


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
