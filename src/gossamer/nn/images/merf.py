"""The generator of DP-MERF for images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from gossamer.nn.images.network import checked_image_shape
from gossamer.nn.merf import AbstractMERFGenerator, AbstractMERFGeneratorConfig
from gossamer.nn.network import Shape


@dataclass(frozen=True, kw_only=True)
class MERFGeneratorConfig(AbstractMERFGeneratorConfig):
    """Settings of `MERFGenerator`."""

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> MERFGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        shape = checked_image_shape(shape)
        return MERFGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


class MERFGenerator(AbstractMERFGenerator):
    """The generator of DP-MERF for images (channels, height, width), of convolutions 5x5.

    At 28x28 and the default sizes it is the published network: 200 units, 16 channels of 7x7, 8 channels of 14x14.
    """

    _kind = nn.Conv2d
