"""The generator of DP-MERF for series."""

from __future__ import annotations

from torch import nn

from gossamer.nn.merf import AbstractMERFGenerator


class SeriesMERFGenerator(AbstractMERFGenerator):
    """The generator of DP-MERF for series (channels, length), length from 2: `MERFGenerator` in one dimension."""

    _kind = nn.Conv1d
