"""A convolutional critic of series."""

from __future__ import annotations

from gossamer.nn.conv_critic import AbstractConvCritic
from gossamer.nn.spectral_norm import SpectralNormConv1d


class SeriesConvCritic(AbstractConvCritic):
    """A convolutional critic of series (channels, length), length from 2: `ConvCritic` in one dimension.

    There are as many layers as it takes to bring the length down to 8 (at least one).
    """

    _kind = SpectralNormConv1d
