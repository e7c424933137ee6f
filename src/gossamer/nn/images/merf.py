"""The generator of DP-MERF for images."""

from __future__ import annotations

from torch import nn

from gossamer.nn.merf import AbstractMERFGenerator


class MERFGenerator(AbstractMERFGenerator):
    """The generator of DP-MERF for images (channels, height, width), of convolutions 5x5.

    At 28x28 and the default sizes it is the published network: 200 units, 16 channels of 7x7, 8 channels of 14x14.
    """

    _kind = nn.Conv2d
