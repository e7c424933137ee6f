"""The convolutional critic of GS-WGAN."""

from __future__ import annotations

from gossamer.nn.conv_critic import AbstractConvCritic
from gossamer.nn.spectral_norm import SpectralNormConv2d


class ConvCritic(AbstractConvCritic):
    """A convolutional critic of images (channels, height, width).

    At 28x28 and width 64 it is the published network: channels 64, 128, 256, grids 14, 7, 4. At another size there are
    as many layers as it takes to bring the longer side down to 4 (at least one).
    """

    _kind = SpectralNormConv2d
