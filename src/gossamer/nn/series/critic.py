"""A convolutional critic of series."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gossamer.nn.conv_critic import AbstractConvCritic
from gossamer.nn.network import AbstractCriticConfig, Shape, checked_count
from gossamer.nn.series.network import checked_series_shape, halved_lengths
from gossamer.nn.spectral_norm import SpectralNormConv1d

_SHORTEST = 8


@dataclass(frozen=True, kw_only=True)
class SeriesConvCriticConfig(AbstractCriticConfig):
    """Settings of `SeriesConvCritic`.

    Args:
        width: channels of the first layer. 8 to 16 suit a CPU.
    """

    width: int = 16

    def __post_init__(self) -> None:
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> SeriesConvCritic:
        """Build a new critic, its weights drawn from `rng`."""
        shape = checked_series_shape(shape)
        num_layers = len(halved_lengths(shape[1], _SHORTEST)) - 1
        return SeriesConvCritic(shape=shape, num_classes=num_classes, width=self.width, num_layers=num_layers, rng=rng)


class SeriesConvCritic(AbstractConvCritic):
    """A convolutional critic of series (channels, length), length from 2: `ConvCritic` in one dimension.

    There are as many layers as it takes to bring the length down to 8 (at least one).
    """

    _kind = SpectralNormConv1d
