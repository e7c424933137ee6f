"""A dense generator that draws in cosine functions of low frequency, with a table of class images under it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.errors import InputError
from gossamer.nn.images.mlp import trunk
from gossamer.nn.images.network import (
    AbstractGenerator,
    AbstractGeneratorConfig,
    ImageShape,
    checked_sizes,
    encoded_label,
    linear,
)
from gossamer.nn.views import cosine_basis


@dataclass(frozen=True, kw_only=True)
class CosineGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `CosineGenerator`.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
        radius: frequencies below it are drawn, as in `LowFrequencies`.
        smoothness: frequency at which the weight of a function has fallen to a half.
        gain: scale of what the network adds to the table, in units of the coefficients.
        table_gain: scale of the class table; under Adam it sets how much faster the table learns than the network.
        label_gain: value of the hot entry in the network's input.
        brightness: logit of an image whose coefficients are all 0.
    """

    hidden_sizes: tuple[int, ...] = (256, 256)
    radius: float = 10.0
    smoothness: float = 4.0
    gain: float = 20.0
    table_gain: float = 60.0
    label_gain: float = 3.0
    brightness: float = -2.0

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)
        for name in ("radius", "smoothness", "gain"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be positive, got {getattr(self, name)}")

    def build(
        self, image_shape: ImageShape, num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> CosineGenerator:
        """A new generator, its weights drawn from `rng`."""
        return CosineGenerator(
            self, image_shape=image_shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng
        )


class CosineGenerator(AbstractGenerator):
    """An image as a sum of smooth functions, whose coefficients come from a table and from a network.

    With c_f the cosine functions of `cosine_basis`, w_f = 1 / (1 + (|f| / smoothness)^2), t the class table and n the
    network (latent and scaled one-hot class -> hidden layers with ReLU -> coefficients)::

        image = sigmoid( brightness + sum_f w_f (table_gain t_f(y) + gain n_f(z, y)) c_f )

    Noise in the gradient that a critic's view lets through can only bend such an image smoothly; and the table learns
    what a class looks like on average many times faster than a network could, which is what little signal is left
    under noise says first. Hidden weights start He-uniform, the last layer at a tenth of that, the table at zero.

    Args:
        config: sizes and gains.
        image_shape: (channels, height, width).
        num_classes: 0 for an unconditional network: the table then has one row.
        latent_dim: length of a latent.
        rng: the stream of initial weights.
    """

    basis: Tensor

    def __init__(
        self,
        config: CosineGeneratorConfig,
        *,
        image_shape: ImageShape,
        num_classes: int,
        latent_dim: int,
        rng: torch.Generator,
    ) -> None:
        super().__init__(image_shape=image_shape, num_classes=num_classes, latent_dim=latent_dim)
        self.config = config
        channels, height, width = self.image_shape
        functions, frequency = cosine_basis(height, width, config.radius)
        weighted = functions / (1 + (frequency / config.smoothness) ** 2)
        # Recomputed when the network is built, so it is neither saved nor averaged.
        self.register_buffer("basis", weighted.T.contiguous(), persistent=False)
        num_coefficients = channels * len(frequency)
        self.trunk = trunk((self.input_features, *config.hidden_sizes), rng)
        self.to_coefficients = linear(config.hidden_sizes[-1], num_coefficients, gain=0.1, rng=rng)
        self.table = nn.Parameter(torch.zeros(max(num_classes, 1), num_coefficients))

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw images (batch, channels, height, width) in [0, 1]; see `AbstractGenerator.forward`."""
        config = self.config
        one_hot = encoded_label(label, self.num_classes, latent.dtype)
        row = self.table[0] if one_hot is None else one_hot @ self.table
        drawn = self.to_coefficients(self.trunk(self.joined(latent, label, config.label_gain)))
        coefficients = config.table_gain * row + config.gain * drawn
        logits = coefficients.unflatten(-1, (self.image_shape[0], -1)) @ self.basis
        return torch.sigmoid(logits + config.brightness).unflatten(-1, self.image_shape[1:])
