"""A convolutional generator of series: from a short stretch of time to a long one."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.network import RELU_GAIN, AbstractGenerator, channel_norm, convolution, linear, resized
from gossamer.nn.series.network import checked_series_shape, halved_lengths
from gossamer.nn.series.settings import SeriesConvGeneratorConfig
from gossamer.nn.settings import Shape

_KERNEL = 5
_SHORTEST = 8


class SeriesConvGenerator(AbstractGenerator):
    """A generator of convolutions that double the length of a short series of many channels from a dense layer.

    The lengths are those of halving the series, rounded up, until at most 8 samples are left, from last to first. For
    187 samples they are 6, 12, 24, 47, 94, 187. Each step is ReLU, a norm over channels, linear stretching to the next
    length and a convolution of kernel 5. The last step is a sigmoid. Channels are four times `width` at first, and
    twice and once before the last steps. Transposed convolutions draw a comb if their stride does not divide their
    kernel. Stretching and convolving leave none.

    Nothing is shared between the samples of a batch. Weights start uniform with the scale kept through every ReLU (He),
    biases at zero.

    It draws series (channels, length), length from 2. The arguments are those of `AbstractGeneratorConfig.build`, and
    the settings.
    """

    def __init__(
        self,
        config: SeriesConvGeneratorConfig,
        *,
        shape: Shape,
        num_classes: int,
        latent_dim: int,
        rng: torch.Generator,
    ) -> None:
        channels, length = checked_series_shape(shape)
        super().__init__(shape=(channels, length), num_classes=num_classes, latent_dim=latent_dim)
        first, *self.lengths = reversed(halved_lengths(length, _SHORTEST))
        num_layers = len(self.lengths)
        depths = [*(config.width * 2 ** min(num_layers - 1 - layer, 2) for layer in range(num_layers)), channels]
        self.brightness = config.brightness
        self.start = (depths[0], first)
        self.dense = linear(self.input_features, depths[0] * first, gain=RELU_GAIN, rng=rng)
        gains = [RELU_GAIN] * (num_layers - 1) + [1.0]
        self.layers = nn.ModuleList(
            convolution(nn.Conv1d, before, after, _KERNEL, gain=gain, rng=rng)
            for (before, after), gain in zip(pairwise(depths), gains, strict=True)
        )

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw series (batch, channels, length) in [0, 1]. See `AbstractGenerator.forward`."""
        features = self.dense(self.joined(latent, label)).unflatten(-1, self.start)
        for layer, length in zip(self.layers, self.lengths, strict=True):
            features = layer(resized(channel_norm(F.relu(features)), (length,)))
        return torch.sigmoid(features + self.brightness)
