"""A dense generator of series that end before zeros: drawn in a slow time, then squeezed to a length of their own."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gossamer.nn.series.endings import BeforeZeros
from gossamer.nn.series.network import checked_series_shape
from gossamer.nn.series.settings import StretchedGeneratorConfig
from gossamer.nn.settings import Shape
from gossamer.nn.table import AbstractTableGenerator


class StretchedGenerator(AbstractTableGenerator):
    """A generator that draws series over the whole time and squeezes each to a length of its own, zeros behind.

    Let c_f be the functions of `SlowTime`, w_f = 1 / (1 + (f / smoothness)^2), and a_f coefficients from a table and a
    network (`AbstractTableGenerator`). The last coefficient is that of the length. Then::

        drawing = sigmoid( brightness + sum_f w_f a_f c_f )
        length = sigmoid( logit(usual_length) + length_gain a_last )

    A finished generator rounds the length to samples. In training the last sample counts in part, so that critics that
    look through `Stretched` can teach the length too.

    It draws series (channels, length), length from 3. The arguments are those of `AbstractGeneratorConfig.build`, and
    the settings.
    """

    basis: Tensor

    def __init__(
        self,
        config: StretchedGeneratorConfig,
        *,
        shape: Shape,
        num_classes: int,
        latent_dim: int,
        rng: torch.Generator,
    ) -> None:
        channels, length = checked_series_shape(shape)
        super().__init__(
            config,
            shape=(channels, length),
            num_classes=num_classes,
            latent_dim=latent_dim,
            num_coefficients=channels * config.time.count + 1,
            rng=rng,
        )
        self.config = config
        frequency = torch.arange(config.time.count)
        weighted = config.time.basis(length) / (1 + (frequency / config.smoothness) ** 2)
        # Recomputed when the network is built, so it is neither saved nor averaged.
        self.register_buffer("basis", weighted.T.contiguous(), persistent=False)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw series (batch, channels, length) in [0, 1]. See `AbstractGenerator.forward`."""
        config = self.config
        coefficients = self.coefficients(latent, label)
        values, length = coefficients[:, :-1], coefficients[:, -1:]
        drawing = torch.sigmoid(values.unflatten(1, (self.shape[0], -1)) @ self.basis + config.brightness)
        usual = math.log(config.usual_length / (1 - config.usual_length))
        lengths = torch.sigmoid(usual + config.length_gain * length)
        ending = BeforeZeros()
        return ending.padded_in_part(drawing, lengths) if self.training else ending.padded(drawing, lengths)
