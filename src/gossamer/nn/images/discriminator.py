"""The dense discriminator of DP-CGAN, with the class beside the values."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gossamer.nn.images.mlp import trunk
from gossamer.nn.images.settings import MLPDiscriminatorConfig
from gossamer.nn.network import AbstractCritic, encoded_label, linear
from gossamer.nn.settings import Shape


class AbstractDiscriminator(AbstractCritic):
    """A network that tells real from synthetic samples: (sample, label) -> log odds that the sample is real.

    The probability of being real is the sigmoid of the log odds.

    **Guarantee.** It holds no buffer and mixes no samples of a batch, so that every record has a gradient of its own.
    """


class MLPDiscriminator(AbstractDiscriminator):
    """A discriminator of dense layers.

    The layers are: flattened sample and one-hot class -> hidden layers with ReLU -> one number, the log odds of being
    real.

    Weights start uniform with the scale kept through every ReLU (He), biases at zero.

    The arguments are those of `AbstractCriticConfig.build`, and the settings.

    References:
        Torkzadehmahani, Kairouz, Paten 2019, "DP-CGAN".
    """

    def __init__(self, config: MLPDiscriminatorConfig, *, shape: Shape, num_classes: int, rng: torch.Generator) -> None:
        super().__init__(shape=shape, num_classes=num_classes)
        self.label_gain = config.label_gain
        self.trunk = trunk((math.prod(self.shape) + num_classes, *config.hidden_sizes), rng)
        self.log_odds = linear(config.hidden_sizes[-1], 1, gain=1.0, rng=rng)

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Judge samples, (batch,). See `AbstractDiscriminator.forward`."""
        features = sample.flatten(start_dim=-len(self.shape))
        one_hot = encoded_label(label, self.num_classes, features.dtype)
        if one_hot is not None:
            features = torch.cat([features, self.label_gain * one_hot], dim=-1)
        return self.log_odds(self.trunk(features)).squeeze(-1)
