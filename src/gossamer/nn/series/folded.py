"""A network of images that draws series: the layout of the ECG study, for comparison."""

from __future__ import annotations

from torch import Tensor

from gossamer.nn.network import AbstractGenerator
from gossamer.nn.settings import Shape


class FoldedGenerator(AbstractGenerator):
    """A generator that draws an image and reads it row by row as a series, without the part beyond its length.

    The study of heartbeats put 187 samples into 14x14 in this way and used the networks for images. Neighbours in a
    column are one row apart in time, which a convolution of images cannot know.

    Args:
        shape: (channels, length).
        num_classes: 0 for an unconditional network.
        image: draws images (channels, rows, row) with rows * row >= length.
    """

    def __init__(self, *, shape: Shape, num_classes: int, image: AbstractGenerator) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=image.latent_dim)
        self.image = image

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw series (batch, channels, length) in [0, 1]. See `AbstractGenerator.forward`."""
        return self.image(latent, label).flatten(start_dim=-2)[..., : self.shape[-1]]
