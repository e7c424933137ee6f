"""The common part of generators that draw in a basis: a table of drawings of each class, and a network upon it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.images.mlp import trunk
from gossamer.nn.network import AbstractGenerator, encoded_label, linear
from gossamer.nn.settings import AbstractTableGeneratorConfig, Shape


class AbstractTableGenerator(AbstractGenerator):
    """A generator with coefficients ``table_gain t(y, s(z)) + gain n(z, y)`` of a class y, a style s and latents z.

    Hidden weights start He-uniform, the last layer at a tenth of that, the table near zero. Without classes the table
    has one row for each style.

    Args:
        config: settings.
        shape: of a sample.
        num_classes: 0 for an unconditional network.
        latent_dim: length of a latent.
        num_coefficients: of a sample.
        rng: the stream of initial weights.
    """

    def __init__(
        self,
        config: AbstractTableGeneratorConfig,
        *,
        shape: Shape,
        num_classes: int,
        latent_dim: int,
        num_coefficients: int,
        rng: torch.Generator,
    ) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=latent_dim)
        self._settings = config
        self.trunk = trunk((self.input_features, *config.hidden_sizes), rng)
        self.to_coefficients = linear(config.hidden_sizes[-1], num_coefficients, gain=0.1, rng=rng)
        num_rows = max(num_classes, 1) * config.num_styles
        # Styles of a class start a little apart, because otherwise all of them would learn the same.
        self.table = nn.Parameter(0.01 * torch.randn(num_rows, num_coefficients, generator=rng))

    def coefficients(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw the coefficients of samples, (batch, num_coefficients)."""
        settings = self._settings
        row = self._row(latent, label) @ self.table
        drawn = self.to_coefficients(self.trunk(self.joined(latent, label, settings.label_gain)))
        return settings.table_gain * row + settings.gain * drawn

    def _row(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Return one-hot rows of the table: the class, and the style by the first latent's part of the normal law."""
        num_styles = self._settings.num_styles
        style = (torch.special.ndtr(latent[:, 0].detach()) * num_styles).long().clamp_max(num_styles - 1)
        styles, classes = F.one_hot(style, num_styles), encoded_label(label, self.num_classes, latent.dtype)
        if classes is None:
            return styles.to(latent.dtype)
        return (classes[:, :, None] * styles[:, None, :]).flatten(start_dim=1)
