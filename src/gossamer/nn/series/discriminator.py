"""A convolutional discriminator of series, with the class as a channel beside the values."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.images.discriminator import AbstractDiscriminator
from gossamer.nn.network import RELU_GAIN, convolution, encoded_label, linear
from gossamer.nn.series.network import checked_series_shape, halved_lengths
from gossamer.nn.settings import Shape

_KERNEL = 5
_SHORTEST = 8


class SeriesConvDiscriminator(AbstractDiscriminator):
    """A discriminator of strided convolutions of one width, then the log odds of being real.

    The one-hot class enters as channels that are constant in time. Kernel 5, stride 2, padding 2, ReLU, as many layers
    as it takes to bring the length down to 8 (at least one).

    Weights start uniform with the scale kept through every ReLU (He), biases at zero.

    It judges series (channels, length), length from 2. The arguments are those of `AbstractCriticConfig.build`, and the
    settings.
    """

    def __init__(self, *, shape: Shape, num_classes: int, width: int, rng: torch.Generator) -> None:
        channels, length = checked_series_shape(shape)
        super().__init__(shape=(channels, length), num_classes=num_classes)
        lengths = halved_lengths(length, _SHORTEST)
        depths = [channels + num_classes] + [width] * (len(lengths) - 1)
        self.convs = nn.ModuleList(
            convolution(nn.Conv1d, before, after, _KERNEL, stride=2, gain=RELU_GAIN, rng=rng)
            for before, after in pairwise(depths)
        )
        self.log_odds = linear(width * lengths[-1], 1, gain=1.0, rng=rng)

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        """Judge series, (batch,). See `AbstractDiscriminator.forward`."""
        features = sample
        one_hot = encoded_label(label, self.num_classes, features.dtype)
        if one_hot is not None:
            constant = one_hot.unsqueeze(-1).expand(*one_hot.shape, features.shape[-1])
            features = torch.cat([features, constant], dim=-2)
        for conv in self.convs:
            features = F.relu(conv(features))
        return self.log_odds(features.flatten(start_dim=-2)).squeeze(-1)
