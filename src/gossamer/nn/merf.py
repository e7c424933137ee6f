"""The common part of DP-MERF's generators: two dense layers with batch norm, its statistics set in public."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.network import RELU_GAIN, AbstractGenerator, Shape, linear


class AbstractMERFGenerator(AbstractGenerator):
    """A generator of a small drawing, which is then made larger.

    The layers are: latent and one-hot class -> dense, batch norm, ReLU -> dense, batch norm -> small drawing.

    Batch norm shares statistics among the samples of a batch. That is harmless here and only here, because every batch
    that this network ever sees is synthetic. The statistics used when drawing are buffers, which `settle` sets from
    public latents.

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
        """Draw samples (batch, *shape) in [0, 1]. See `AbstractGenerator.forward`."""
        features = F.relu(self.hidden_norm(self.hidden(self.joined(latent, label))))
        return torch.sigmoid(self.enlarged(self.draw_norm(self.draw(features)).unflatten(-1, self.small)))

    @abc.abstractmethod
    def enlarged(self, drawing: Tensor) -> Tensor:
        """Enlarge small drawings (batch, *small) to logits (batch, *shape)."""

    @torch.no_grad()
    def settle(self, latent: Tensor, label: Tensor | None) -> None:
        """Set the statistics of batch norm to those of these public latents, and to nothing else.

        Args:
            latent: (batch, latent_dim), at least two.
            label: (batch,) int64, or None.
        """
        for norm in (self.hidden_norm, self.draw_norm):
            norm.reset_running_stats()
        self.train()
        self(latent, label)
        self.eval()
