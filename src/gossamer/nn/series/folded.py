"""A network of images that draws series: the layout of the ECG study, for comparison."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.nn.images.resnet import ResNetGeneratorConfig
from gossamer.nn.network import AbstractGenerator, AbstractGeneratorConfig, Shape, checked_count
from gossamer.nn.series.network import checked_series_shape

_NARROW = ResNetGeneratorConfig(width=16)


@dataclass(frozen=True, kw_only=True)
class FoldedGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `FoldedGenerator`.

    Args:
        row: samples in a row of the image.
        image: the generator of images.
    """

    row: int = 14
    image: ResNetGeneratorConfig = _NARROW

    def __post_init__(self) -> None:
        checked_count("row", self.row)

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> FoldedGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        channels, length = checked_series_shape(shape)
        folded = (channels, -(-length // self.row), self.row)
        return FoldedGenerator(
            shape=shape, num_classes=num_classes, image=self.image.build(folded, num_classes, latent_dim, rng)
        )


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
