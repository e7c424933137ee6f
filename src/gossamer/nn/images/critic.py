"""The convolutional critic of GS-WGAN."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gossamer.nn.conv_critic import AbstractConvCritic
from gossamer.nn.images.network import checked_image_shape, num_halvings
from gossamer.nn.network import AbstractCriticConfig, Shape, checked_count, checked_shape
from gossamer.nn.spectral_norm import SpectralNormConv2d


@dataclass(frozen=True, kw_only=True)
class ConvCriticConfig(AbstractCriticConfig):
    """Settings of `ConvCritic`.

    Args:
        width: channels of the first layer. The published network has 64, and 8 to 16 suit a CPU.
    """

    width: int = 64

    def __post_init__(self) -> None:
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> ConvCritic:
        """Build a new critic, its weights drawn from `rng`."""
        shape = checked_image_shape(checked_shape(shape))
        num_layers = num_halvings(*shape[1:])
        return ConvCritic(shape=shape, num_classes=num_classes, width=self.width, num_layers=num_layers, rng=rng)


class ConvCritic(AbstractConvCritic):
    """A convolutional critic of images (channels, height, width).

    At 28x28 and width 64 it is the published network: channels 64, 128, 256, grids 14, 7, 4. At another size there are
    as many layers as it takes to bring the longer side down to 4 (at least one).
    """

    _kind = SpectralNormConv2d
