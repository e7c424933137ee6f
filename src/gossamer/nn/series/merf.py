"""The generator of DP-MERF for series."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from gossamer.nn.merf import AbstractMERFGenerator, AbstractMERFGeneratorConfig
from gossamer.nn.network import Shape
from gossamer.nn.series.network import checked_series_shape


@dataclass(frozen=True, kw_only=True)
class SeriesMERFGeneratorConfig(AbstractMERFGeneratorConfig):
    """Settings of `SeriesMERFGenerator`."""

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> SeriesMERFGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        shape = checked_series_shape(shape)
        return SeriesMERFGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


class SeriesMERFGenerator(AbstractMERFGenerator):
    """The generator of DP-MERF for series (channels, length), length from 2: `MERFGenerator` in one dimension."""

    _kind = nn.Conv1d
