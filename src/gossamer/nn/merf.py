"""The common part of DP-MERF's generators: two dense layers with batch norm, then two smooth doublings."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.nn.network import RELU_GAIN, AbstractGenerator, convolution, linear, resized
from gossamer.nn.settings import AbstractMERFGeneratorConfig, Shape

_KERNEL = 5


class AbstractMERFGenerator(AbstractGenerator):
    """A generator of a small drawing of many channels, which is then made larger in two doublings.

    The layers are::

        latent and one-hot class -> dense, batch norm, ReLU -> dense, batch norm -> small drawing of channels
        -> linear x2, kernel 5, ReLU -> linear x2, kernel 5, sigmoid

    The small drawing has a quarter of the sides, rounded up. The first doubling goes to half the sides, rounded up, and
    the second to the sides.

    Batch norm shares statistics among the samples of a batch. That is harmless here and only here, because every batch
    that this network ever sees is synthetic. The statistics used when drawing are buffers, which `settle` sets from
    public latents.

    The arguments are those of `AbstractGeneratorConfig.build`, and the settings.

    References:
        Harder, Adamczewski, Park 2021, "DP-MERF: differentially private mean embeddings with random features for
        practical privacy-preserving data generation", AISTATS, appendix on images.
    """

    _kind: ClassVar[type[nn.Conv1d | nn.Conv2d]]

    def __init__(
        self,
        config: AbstractMERFGeneratorConfig,
        *,
        shape: Shape,
        num_classes: int,
        latent_dim: int,
        rng: torch.Generator,
    ) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=latent_dim)
        self.small = (config.width, *(-(-side // 4) for side in shape[1:]))
        self.middle = tuple(-(-side // 2) for side in shape[1:])
        self.hidden = linear(self.input_features, config.hidden_size, gain=RELU_GAIN, rng=rng)
        self.hidden_norm = nn.BatchNorm1d(config.hidden_size, momentum=None)
        self.draw = linear(config.hidden_size, math.prod(self.small), gain=1.0, rng=rng)
        self.draw_norm = nn.BatchNorm1d(math.prod(self.small), momentum=None)
        half = max(1, config.width // 2)
        self.refine = convolution(self._kind, config.width, half, _KERNEL, gain=RELU_GAIN, rng=rng)
        self.finish = convolution(self._kind, half, shape[0], _KERNEL, gain=1.0, rng=rng)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw samples (batch, *shape) in [0, 1]. See `AbstractGenerator.forward`."""
        return self.enlarged(self.drawn(latent, label))

    def drawn(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw small drawings (batch, channels, *quarters of the sides). Batch norm joins the samples of a batch."""
        features = F.relu(self.hidden_norm(self.hidden(self.joined(latent, label))))
        return self.draw_norm(self.draw(features)).unflatten(-1, self.small)

    def enlarged(self, drawings: Tensor) -> Tensor:
        """Make samples (batch, *shape) in [0, 1] of small drawings, each of its own. This is most of the work."""
        drawings = F.relu(self.refine(resized(drawings, self.middle)))
        return torch.sigmoid(self.finish(resized(drawings, self.shape[1:])))

    def enlarging_weights(self) -> tuple[nn.Parameter, ...]:
        """Return the weights that `enlarged` works with."""
        return (*self.refine.parameters(), *self.finish.parameters())

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
