"""The common part of convolutional critics, of images and of series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.devices import in_use
from gossamer.nn.network import AbstractSlopedCritic, encoded_label
from gossamer.nn.settings import Shape
from gossamer.nn.spectral_norm import AbstractSpectralNormConv, SpectralNormEmbedding, SpectralNormLinear


@dataclass(frozen=True, kw_only=True, eq=False)
class _Weights:
    """The effective weights of all layers, computed once and used for scores and slopes."""

    convs: list[Tensor]
    score: Tensor
    embedding: Tensor | None


class AbstractConvCritic(AbstractSlopedCritic):
    """A critic of strided convolutions with spectral norm, with a linear score plus a projection on the class.

    With h(x) the flattened last features, w and b a dense layer, e a class embedding::

        score(x, y) = w . h(x) + b + e_y . h(x)

    Every layer has spectral norm, and every convolution kernel 5, stride 2, padding 2 and ReLU. Channels double up to
    four times `width` and stay there.

    Weights start Xavier-uniform, biases at zero. `forward` never runs the power iteration. Advance it by
    `gossamer.nn.spectral_norm.advanced_buffers` when the weights are updated.

    Args:
        shape: of a sample or of a view of one.
        num_classes: 0 for an unconditional network.
        width: channels of the first layer.
        num_layers: number of convolutions, each of which halves the sides, rounded up.
        rng: the stream of initial weights.

    References:
        Chen, Orekondy, Fritz 2020, "GS-WGAN", appendix.
        Miyato, Koyama 2018, "cGANs with projection discriminator".
    """

    _kind: ClassVar[type[AbstractSpectralNormConv]]

    def __init__(self, *, shape: Shape, num_classes: int, width: int, num_layers: int, rng: torch.Generator) -> None:
        super().__init__(shape=shape, num_classes=num_classes)
        depths = [shape[0], *(width * 2 ** min(layer, 2) for layer in range(num_layers))]
        self.convs = nn.ModuleList(
            self._kind(before, after, 5, stride=2, padding=2, rng=rng) for before, after in pairwise(depths)
        )
        features = depths[-1] * math.prod(-(-side // 2**num_layers) for side in shape[1:])
        self.score = SpectralNormLinear(features, 1, rng=rng)
        self.embedding = SpectralNormEmbedding(num_classes, features, rng=rng) if num_classes else None

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Score samples, (batch,). See `AbstractCritic.forward`."""
        return self._scores(self._weights(), sample, label)

    def slope(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Compute the gradient of each score by its own sample. See `AbstractSlopedCritic.slope`."""
        return self._slope(self._weights(), sample, label)

    def scores_and_slope(
        self, sample: Tensor, label: Tensor | None, between: Tensor, its_label: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Compute both with the same effective weights. See `AbstractSlopedCritic.scores_and_slope`."""
        weights = self._weights()
        return self._scores(weights, sample, label), self._slope(weights, between, its_label)

    def _weights(self) -> _Weights:
        return _Weights(
            convs=[in_use(conv.effective_weight()) for conv in self._layers],
            score=self.score.effective_weight(),
            embedding=None if self.embedding is None else self.embedding.effective_weight(),
        )

    @property
    def _layers(self) -> list[AbstractSpectralNormConv]:
        return [conv for conv in self.convs if isinstance(conv, AbstractSpectralNormConv)]

    def _scores(self, weights: _Weights, sample: Tensor, label: Tensor | None) -> Tensor:
        features = in_use(sample)
        for conv, weight in zip(self._layers, weights.convs, strict=True):
            features = conv.convolved(features, weight).relu_()
        features = features.flatten(start_dim=-len(self.shape))
        score = F.linear(features, weights.score, self.score.bias).squeeze(-1)
        one_hot = encoded_label(label, self.num_classes, features.dtype)
        if one_hot is None or weights.embedding is None:
            return score
        return score + ((one_hot @ weights.embedding) * features).sum(dim=-1)

    def _slope(self, weights: _Weights, sample: Tensor, label: Tensor | None) -> Tensor:
        seen = [in_use(sample)]
        with torch.no_grad():
            for conv, weight in zip(self._layers, weights.convs, strict=True):
                seen.append(conv.convolved(seen[-1], weight).relu_())
        slope = weights.score
        one_hot = encoded_label(label, self.num_classes, slope.dtype)
        if one_hot is not None and weights.embedding is not None:
            slope = slope + one_hot @ weights.embedding
        slope = in_use(slope).expand(sample.shape[0], -1).unflatten(-1, seen[-1].shape[1:])
        backwards = zip(self._layers[::-1], weights.convs[::-1], seen[-2::-1], seen[:0:-1], strict=True)
        for conv, weight, before, after in backwards:
            slope = conv.turned_back(slope * (after > 0), weight, before.shape[2:])
        return slope
