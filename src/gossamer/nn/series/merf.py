"""The generator of DP-MERF for series: two dense layers with batch norm, then two smooth doublings of the length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gossamer.nn.merf import AbstractMERFGenerator
from gossamer.nn.network import RELU_GAIN, AbstractGeneratorConfig, Shape, checked_count
from gossamer.nn.series.network import checked_series_shape, convolution, resized

_KERNEL = 5


@dataclass(frozen=True, kw_only=True)
class SeriesMERFGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `SeriesMERFGenerator`.

    Args:
        hidden_size: units of the first dense layer.
        width: channels of the short series that the second dense layer draws. The first doubling leaves half as many.
    """

    hidden_size: int = 200
    width: int = 16

    def __post_init__(self) -> None:
        checked_count("hidden_size", self.hidden_size)
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> SeriesMERFGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        return SeriesMERFGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


class SeriesMERFGenerator(AbstractMERFGenerator):
    """The generator of DP-MERF for series.

    The layers are::

        latent and one-hot class -> dense, batch norm, ReLU -> dense, batch norm -> a quarter-length series of channels
        -> linear x2, kernel 5, ReLU -> linear x2, kernel 5, sigmoid

    It is `MERFGenerator` in one dimension. The short series has a quarter of the length, rounded up. The first doubling
    goes to half the length, rounded up, and the second to the length.

    Args:
        config: sizes.
        shape: (channels, length), length from 2.
        num_classes: 0 for an unconditional network.
        latent_dim: length of a latent.
        rng: the stream of initial weights.

    References:
        Harder, Adamczewski, Park 2021, "DP-MERF: differentially private mean embeddings with random features for
        practical privacy-preserving data generation", AISTATS, appendix on images.
    """

    def __init__(
        self,
        config: SeriesMERFGeneratorConfig,
        *,
        shape: Shape,
        num_classes: int,
        latent_dim: int,
        rng: torch.Generator,
    ) -> None:
        channels, length = checked_series_shape(shape)
        super().__init__(
            shape=(channels, length),
            num_classes=num_classes,
            latent_dim=latent_dim,
            hidden_size=config.hidden_size,
            small=(config.width, -(-length // 4)),
            rng=rng,
        )
        half = max(1, config.width // 2)
        self.refine = convolution(config.width, half, _KERNEL, gain=RELU_GAIN, rng=rng)
        self.finish = convolution(half, channels, _KERNEL, gain=1.0, rng=rng)

    def enlarged(self, drawing: Tensor) -> Tensor:
        """Enlarge short series of channels to logits (batch, channels, length), in two doublings."""
        length = self.shape[1]
        drawing = F.relu(self.refine(resized(drawing, -(-length // 2))))
        return self.finish(resized(drawing, length))
