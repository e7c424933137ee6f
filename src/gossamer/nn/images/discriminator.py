"""The dense discriminator of DP-CGAN, with the class beside the values."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.nn.images.mlp import trunk
from gossamer.nn.network import (
    Shape,
    checked_num_classes,
    checked_shape,
    checked_sizes,
    encoded_label,
    linear,
)


class AbstractDiscriminator(nn.Module, abc.ABC):
    """A network that tells real from synthetic samples: (sample, label) -> log odds that the sample is real.

    **Guarantee.** It holds no buffer and mixes no samples of a batch, so that every record has a gradient of its own.

    Args:
        shape: of its input, a sample or a public view of one.
        num_classes: number of classes, 0 for an unconditional network.
    """

    def __init__(self, *, shape: Shape, num_classes: int) -> None:
        super().__init__()
        self.shape = checked_shape(shape)
        self.num_classes = checked_num_classes(num_classes)

    @abc.abstractmethod
    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Judge samples.

        Args:
            sample: (batch, *shape).
            label: (batch,) int64 in 0 .. num_classes - 1, or None if the network is unconditional.

        Returns:
            (batch,) log odds: the probability of being real is their sigmoid.
        """


@dataclass(frozen=True, kw_only=True)
class MLPDiscriminatorConfig:
    """Settings of `MLPDiscriminator`.

    Args:
        hidden_sizes: units of each hidden layer, first to last. The published network has (128,).
        label_gain: factor on the one-hot class, so that it has weight beside the values. 1 as published.
    """

    hidden_sizes: tuple[int, ...] = (128,)
    label_gain: float = 1.0

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> MLPDiscriminator:
        """Build a new discriminator, its weights drawn from `rng`."""
        return MLPDiscriminator(self, shape=shape, num_classes=num_classes, rng=rng)


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
