"""A convolutional critic of series."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.network import AbstractCritic, AbstractCriticConfig, Shape, checked_count, encoded_label
from gossamer.nn.series.network import checked_series_shape, halved_lengths
from gossamer.nn.spectral_norm import SpectralNormConv1d, SpectralNormEmbedding, SpectralNormLinear

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
        return SeriesConvCritic(shape=shape, num_classes=num_classes, width=self.width, rng=rng)


class SeriesConvCritic(AbstractCritic):
    """A critic of strided convolutions in time, with a linear score plus a projection on the class, and spectral norm.

    With h(x) the flattened last features, w and b a dense layer, e a class embedding::

        score(x, y) = w . h(x) + b + e_y . h(x)

    It is `ConvCritic` in one dimension: kernel 5, stride 2, padding 2, ReLU, spectral norm in every layer. There are as
    many layers as it takes to bring the length down to 8 (at least one). Channels double up to four times `width` and
    stay there.

    Weights start Xavier-uniform, biases at zero. `forward` never runs the power iteration. Advance it by
    `gossamer.nn.spectral_norm.advanced_buffers` when the weights are updated.

    Args:
        shape: (channels, length) of a series or of a view of one, length from 2.
        num_classes: 0 for an unconditional network.
        width: channels of the first layer.
        rng: the stream of initial weights.

    References:
        Chen, Orekondy, Fritz 2020, "GS-WGAN", appendix.
        Miyato, Koyama 2018, "cGANs with projection discriminator".
    """

    def __init__(self, *, shape: Shape, num_classes: int, width: int, rng: torch.Generator) -> None:
        channels, length = checked_series_shape(shape)
        super().__init__(shape=(channels, length), num_classes=num_classes)
        lengths = halved_lengths(length, _SHORTEST)
        depths = [channels, *(width * 2 ** min(layer, 2) for layer in range(len(lengths) - 1))]
        self.convs = nn.ModuleList(
            SpectralNormConv1d(before, after, 5, stride=2, padding=2, rng=rng) for before, after in pairwise(depths)
        )
        features = depths[-1] * lengths[-1]
        self.score = SpectralNormLinear(features, 1, rng=rng)
        self.embedding = SpectralNormEmbedding(num_classes, features, rng=rng) if num_classes else None

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Score series, (batch,). See `AbstractCritic.forward`."""
        features = sample
        for conv in self.convs:
            features = F.relu(conv(features))
        features = features.flatten(start_dim=-2)
        score = self.score(features).squeeze(-1)
        one_hot = encoded_label(label, self.num_classes, features.dtype)
        if one_hot is None or self.embedding is None:
            return score
        return score + (self.embedding(one_hot) * features).sum(dim=-1)
