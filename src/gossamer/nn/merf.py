"""What the generators of DP-MERF share: two dense layers with batch norm, whose statistics are set in public."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.network import RELU_GAIN, AbstractGenerator, Shape, linear


class AbstractMERFGenerator(AbstractGenerator):
    """Latent and one-hot class -> dense, batch norm, ReLU -> dense, batch norm -> a small drawing, made larger after.

    Batch norm shares statistics among the samples of a batch. That is harmless here and only here: every batch that
    this network ever sees is synthetic. Its statistics when drawing are buffers, set by `settle` from public latents.

    Args:
        shape: of a sample.
        num_classes: 0 for an unconditional network.
        latent_dim: length of a latent.
        hidden_size: units of the first dense layer.
        small: shape of the small drawing.
        rng: the stream of initial weights.
    """

    def __init__(
        self, *, shape: Shape, num_classes: int, latent_dim: int, hidden_size: int, small: Shape, rng: torch.Generator
    ) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=latent_dim)
        self.small = small
        self.hidden = linear(self.input_features, hidden_size, gain=RELU_GAIN, rng=rng)
        self.hidden_norm = nn.BatchNorm1d(hidden_size, momentum=None)
        self.draw = linear(hidden_size, math.prod(small), gain=1.0, rng=rng)
        self.draw_norm = nn.BatchNorm1d(math.prod(small), momentum=None)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw samples (batch, *shape) in [0, 1]; see `AbstractGenerator.forward`."""
        features = F.relu(self.hidden_norm(self.hidden(self.joined(latent, label))))
        return torch.sigmoid(self.enlarged(self.draw_norm(self.draw(features)).unflatten(-1, self.small)))

    @abc.abstractmethod
    def enlarged(self, drawing: Tensor) -> Tensor:
        """Small drawings (batch, *small) to logits (batch, *shape)."""

    @torch.no_grad()
    def settle(self, latent: Tensor, label: Tensor | None) -> None:
        """Set the statistics of batch norm to those of these latents, public ones, and nothing else.

        Args:
            latent: (batch, latent_dim), at least two.
            label: (batch,) int64, or None.
        """
        for norm in (self.hidden_norm, self.draw_norm):
            norm.reset_running_stats()
        self.train()
        self(latent, label)
        self.eval()
