"""The convolutional critic of GS-WGAN."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.images.network import checked_image_shape, num_halvings
from gossamer.nn.network import (
    AbstractCritic,
    AbstractCriticConfig,
    Shape,
    checked_count,
    encoded_label,
)
from gossamer.nn.spectral_norm import SpectralNormConv2d, SpectralNormEmbedding, SpectralNormLinear


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
        return ConvCritic(shape=shape, num_classes=num_classes, width=self.width, rng=rng)


class ConvCritic(AbstractCritic):
    """A critic of strided convolutions with spectral norm, with a linear score plus a projection on the class.

    With h(x) the flattened last features, w and b a dense layer, e a class embedding::

        score(x, y) = w . h(x) + b + e_y . h(x)

    At 28x28 and width 64 it is the published network: kernel 5, stride 2, padding 2, ReLU, channels 64, 128, 256, grids
    14, 7, 4. At another size there are as many layers as it takes to bring the longer side down to 4 (at least one).
    Channels double up to four times `width` and stay there.

    Weights start Xavier-uniform, biases at zero. `forward` never runs the power iteration. Advance it by
    `gossamer.nn.spectral_norm.advanced_buffers` when the weights are updated.

    Args:
        shape: (channels, height, width).
        num_classes: 0 for an unconditional network.
        width: channels of the first layer, published 64.
        rng: the stream of initial weights.

    References:
        Chen, Orekondy, Fritz 2020, "GS-WGAN", appendix.
        Miyato, Koyama 2018, "cGANs with projection discriminator".
    """

    def __init__(self, *, shape: Shape, num_classes: int, width: int, rng: torch.Generator) -> None:
        super().__init__(shape=shape, num_classes=num_classes)
        channels, height, image_width = checked_image_shape(self.shape)
        num_layers = num_halvings(height, image_width)
        depths = [channels, *(width * 2 ** min(layer, 2) for layer in range(num_layers))]
        self.convs = nn.ModuleList(
            SpectralNormConv2d(before, after, 5, stride=2, padding=2, rng=rng) for before, after in pairwise(depths)
        )
        features = depths[-1] * -(-height // 2**num_layers) * -(-image_width // 2**num_layers)
        self.score = SpectralNormLinear(features, 1, rng=rng)
        self.embedding = SpectralNormEmbedding(num_classes, features, rng=rng) if num_classes else None

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Score images, (batch,). See `AbstractCritic.forward`."""
        features = sample
        for conv in self.convs:
            features = F.relu(conv(features))
        features = features.flatten(start_dim=-3)
        score = self.score(features).squeeze(-1)
        one_hot = encoded_label(label, self.num_classes, features.dtype)
        if one_hot is None or self.embedding is None:
            return score
        return score + (self.embedding(one_hot) * features).sum(dim=-1)
