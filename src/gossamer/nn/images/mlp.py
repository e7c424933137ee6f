"""Small dense networks for samples of any shape: a generator, and a critic with a projection on the class."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.images.settings import MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.network import RELU_GAIN, AbstractGenerator, AbstractSlopedCritic, encoded_label, linear
from gossamer.nn.settings import Shape

_LEAK = 0.2
_LEAKY_GAIN = math.sqrt(2.0 / (1.0 + _LEAK**2))


class MLPGenerator(AbstractGenerator):
    """A generator of dense layers.

    The layers are: latent and one-hot class -> hidden layers with ReLU -> one logit per value of the sample -> sigmoid.

    Weights start uniform with the scale kept through every ReLU (He), biases at zero.

    The arguments are those of `AbstractGeneratorConfig.build`, and the settings.
    """

    def __init__(
        self, config: MLPGeneratorConfig, *, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=latent_dim)
        self.trunk = trunk((self.input_features, *config.hidden_sizes), rng)
        self.to_image = linear(config.hidden_sizes[-1], math.prod(self.shape), gain=1.0, rng=rng)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw samples (batch, *shape) in [0, 1]. See `AbstractGenerator.forward`."""
        hidden = self.trunk(self.joined(latent, label))
        return torch.sigmoid(self.to_image(hidden)).unflatten(-1, self.shape)


class MLPCritic(AbstractSlopedCritic):
    """A critic of dense layers, with a linear score plus a projection on the class.

    The layers are: flattened sample -> hidden layers with leaky ReLU 0.2. With h(x) the last hidden features, w and b a
    dense layer, e a class embedding::

        score(x, y) = w . h(x) + b + e_y . h(x)

    There is no spectral norm and no buffer: a gradient penalty alone holds the slope. Weights start uniform with the
    scale kept through every leaky ReLU (He). Each class vector starts with standard deviation 1 / sqrt(features),
    biases at zero.

    The arguments are those of `AbstractCriticConfig.build`, and the settings.

    References:
        Miyato, Koyama 2018, "cGANs with projection discriminator".
    """

    def __init__(self, config: MLPCriticConfig, *, shape: Shape, num_classes: int, rng: torch.Generator) -> None:
        super().__init__(shape=shape, num_classes=num_classes)
        sizes = (math.prod(self.shape), *config.hidden_sizes)
        self.hidden = nn.ModuleList(
            linear(before, after, gain=_LEAKY_GAIN, rng=rng) for before, after in pairwise(sizes)
        )
        self.score = linear(sizes[-1], 1, gain=1.0, rng=rng)
        self.embedding = _class_vectors(num_classes, sizes[-1], rng) if num_classes else None

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Score samples, (batch,). See `AbstractCritic.forward`."""
        features = sample.flatten(start_dim=-len(self.shape))
        for layer in self.hidden:
            features = F.leaky_relu(layer(features), _LEAK)
        score = self.score(features).squeeze(-1)
        one_hot = encoded_label(label, self.num_classes, features.dtype)
        if one_hot is None or self.embedding is None:
            return score
        # A product with one-hot rows and no look-up: the gradient of a look-up sums in no fixed order on a GPU.
        return score + ((one_hot @ self.embedding) * features).sum(dim=-1)

    def slope(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Compute the gradient of each score by its own sample. See `AbstractSlopedCritic.slope`."""
        features, kinks = sample.flatten(start_dim=-len(self.shape)), []
        with torch.no_grad():
            for layer in self.hidden:
                features = layer(features)
                kinks.append(_LEAK + (1 - _LEAK) * (features > 0).to(features.dtype))
                features = features * kinks[-1]
        slope = self.score.weight
        one_hot = encoded_label(label, self.num_classes, slope.dtype)
        if one_hot is not None and self.embedding is not None:
            slope = slope + one_hot @ self.embedding
        for layer, kink in zip(reversed(self.hidden), reversed(kinks), strict=True):
            slope = (slope * kink) @ layer.weight
        return slope.unflatten(-1, self.shape)


def trunk(sizes: tuple[int, ...], rng: torch.Generator) -> nn.Sequential:
    """Build dense layers with ReLU, He-uniform: (batch, first size) to (batch, last size)."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [linear(before, after, gain=RELU_GAIN, rng=rng), nn.ReLU()]
    return nn.Sequential(*layers)


def _class_vectors(num_classes: int, features: int, rng: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(num_classes, features, generator=rng) / math.sqrt(features))
