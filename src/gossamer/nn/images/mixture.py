"""A generator without weights to train: Gaussians in a small space of smooth images, upright or as they stand."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from gossamer.nn.images.motions import NUM_MOTIONS, warped
from gossamer.nn.images.network import checked_image_shape
from gossamer.nn.images.postures import shears
from gossamer.nn.images.settings import MixtureGeneratorConfig
from gossamer.nn.mixture import AbstractMixtureGenerator
from gossamer.nn.settings import Shape


class MixtureGenerator(AbstractMixtureGenerator):
    r"""A generator that draws images from a mixture of Gaussians of a class (`AbstractMixtureGenerator`).

    .. math:: \text{image} = \text{clip}_{[0,1]}(\text{contrast of the drawing}),

    The image is then given back its slant, and moved if motions are asked for, both in one interpolation.

    It draws images (channels, height, width). The arguments are those of `AbstractMixtureGenerator`.
    """

    def __init__(self, config: MixtureGeneratorConfig, *, shape: Shape, num_classes: int, latent_dim: int) -> None:
        super().__init__(config, shape=checked_image_shape(shape), num_classes=num_classes, latent_dim=latent_dim)
        self.config = config

    def looks(self, samples: Tensor) -> Iterator[Tensor]:
        """Yield images as they stand, and moved as drawings are. See `AbstractClassifyingGenerator.looks`."""
        return self.config.motions.looks(samples)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw images (batch, channels, height, width) in [0, 1]. See `AbstractGenerator.forward`."""
        config = self.config
        drawing, slants = self.drawn(latent, label)
        images = (0.5 + config.contrast * (drawing - 0.5)).clamp(0, 1)
        if not (config.motions.are_any or config.posture.num_slants):
            return images
        slant = (slants.sum(dim=1) / config.slant_scale(self.shape)).clamp(-1, 1)
        maps = shears(-slant)
        if config.motions.are_any:
            maps = _composed(maps, config.motions.maps(latent[:, -NUM_MOTIONS:]))
        return warped(images, maps).clamp(0, 1)


def _composed(first: Tensor, second: Tensor) -> Tensor:
    """Compose affine maps (batch, 2, 3) to the maps ``p -> first(second(p))``."""
    linear = first[:, :, :2] @ second
    linear[:, :, 2] += first[:, :, 2]
    return linear
