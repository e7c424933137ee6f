"""The generator of DP-MERF: two dense layers with batch norm, then two smooth doublings of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.images.network import checked_image_shape
from gossamer.nn.merf import AbstractMERFGenerator
from gossamer.nn.network import (
    RELU_GAIN,
    AbstractGeneratorConfig,
    Shape,
    checked_count,
)

_KERNEL = 5


@dataclass(frozen=True, kw_only=True)
class MERFGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `MERFGenerator`.

    Args:
        hidden_size: units of the first dense layer.
        width: channels of the small image that the second dense layer draws. The first doubling leaves half as many.
    """

    hidden_size: int = 200
    width: int = 16

    def __post_init__(self) -> None:
        checked_count("hidden_size", self.hidden_size)
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> MERFGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        return MERFGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


class MERFGenerator(AbstractMERFGenerator):
    """The generator of DP-MERF for images.

    The layers are::

        latent and one-hot class -> dense, batch norm, ReLU -> dense, batch norm -> a quarter-size image of channels
        -> bilinear x2, conv 5x5, ReLU -> bilinear x2, conv 5x5, sigmoid

    At 28x28 and the default sizes it is the published network: 200 units, 16 channels of 7x7, 8 channels of 14x14. The
    small image has a quarter of the sides, rounded up. The first doubling goes to half the sides, rounded up, and the
    second to the sides.

    Args:
        config: sizes.
        shape: (channels, height, width).
        num_classes: 0 for an unconditional network.
        latent_dim: length of a latent.
        rng: the stream of initial weights.

    References:
        Harder, Adamczewski, Park 2021, "DP-MERF: differentially private mean embeddings with random features for
        practical privacy-preserving data generation", AISTATS, appendix on images.
    """

    def __init__(
        self,
        config: MERFGeneratorConfig,
        *,
        shape: Shape,
        num_classes: int,
        latent_dim: int,
        rng: torch.Generator,
    ) -> None:
        channels, height, width = checked_image_shape(shape)
        super().__init__(
            shape=(channels, height, width),
            num_classes=num_classes,
            latent_dim=latent_dim,
            hidden_size=config.hidden_size,
            small=(config.width, -(-height // 4), -(-width // 4)),
            rng=rng,
        )
        self.middle = (-(-height // 2), -(-width // 2))
        half = max(1, config.width // 2)
        self.refine = _conv(config.width, half, RELU_GAIN, rng)
        self.finish = _conv(half, channels, 1.0, rng)

    def enlarged(self, drawing: Tensor) -> Tensor:
        """Enlarge small images of channels to logits (batch, channels, height, width), in two doublings."""
        drawing = F.relu(self.refine(_resized(drawing, self.middle)))
        return self.finish(_resized(drawing, self.shape[1:]))


def _resized(features: Tensor, size: Shape) -> Tensor:
    return F.interpolate(features, size=list(size), mode="bilinear", align_corners=False)


def _conv(in_channels: int, out_channels: int, gain: float, rng: torch.Generator) -> nn.Conv2d:
    """Build a convolution that keeps the size, weights uniform with the scale of the signal kept, bias zero."""
    layer = nn.Conv2d(in_channels, out_channels, _KERNEL, padding=_KERNEL // 2, device="meta").to_empty(device="cpu")
    bound = gain * math.sqrt(3.0 / (in_channels * _KERNEL**2))
    nn.init.uniform_(layer.weight, -bound, bound, generator=rng)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
