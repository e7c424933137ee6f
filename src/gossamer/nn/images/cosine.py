"""A dense generator that draws in cosine functions of low frequency, upon a table of drawings of each class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.images.motions import NUM_MOTIONS, Motions, warped
from gossamer.nn.network import Shape, check_fractions
from gossamer.nn.table import AbstractTableGenerator, AbstractTableGeneratorConfig
from gossamer.nn.views import cosine_basis, plane


@dataclass(frozen=True, kw_only=True)
class CosineGeneratorConfig(AbstractTableGeneratorConfig):
    """Settings of `CosineGenerator`. Motions are for images alone.

    Args:
        radius: frequencies below it are drawn, as in `LowFrequencies`.
        black: limit below which a finished generator draws values as 0. The rest is stretched to meet it. Not done in
            training, where it would stop gradients.
        rotation: standard deviation of a random rotation of the drawn image, in radians.
        shear: standard deviation of a random shear.
        zoom: standard deviation of a random change of size.
        shift: standard deviation of a random shift, as a fraction of the side.
    """

    radius: float = 10.0
    black: float = 0.0
    rotation: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.radius > 0:
            raise InputError(f"radius must be positive, got {self.radius}")
        check_fractions(self, "black")
        self.motions.check()

    @property
    def motions(self) -> Motions:
        """Random motions of drawn images."""
        return Motions(rotation=self.rotation, shear=self.shear, zoom=self.zoom, shift=self.shift)

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> CosineGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        return CosineGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


class CosineGenerator(AbstractTableGenerator):
    """A generator of samples as sums of smooth functions, with coefficients from a table and from a network.

    Let c_f be the cosine functions of `cosine_basis` and w_f = 1 / (1 + (|f| / smoothness)^2). Let t be the table with
    a row for each class y and style s. Let n be the network: latent and scaled one-hot class -> hidden layers with ReLU
    -> coefficients. Then::

        sample = sigmoid( brightness + sum_f w_f (table_gain t_f(y, s(z)) + gain n_f(z, y)) c_f )

    The noise in a gradient that passes a critic's view can only bend such a sample smoothly. The table learns the look
    of a class's style many times faster than a network could. Under noise, the little signal tells the look of a style
    first. If motions are asked for, the last five latents move the image (`Motions`). Things are seen a little turned,
    slanted, larger or aside: that is knowledge about the world, and needs no private signal.

    The arguments are those of `AbstractGeneratorConfig.build`, and the settings.
    """

    basis: Tensor

    def __init__(
        self, config: CosineGeneratorConfig, *, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> None:
        functions, frequency = cosine_basis(*plane(shape), config.radius)
        super().__init__(
            config,
            shape=shape,
            num_classes=num_classes,
            latent_dim=latent_dim,
            num_coefficients=shape[0] * len(frequency),
            rng=rng,
        )
        if config.motions.are_any and len(self.shape) != 3:
            raise InputError("rotation, shear, zoom and shift move images: leave them at 0 for series")
        if config.motions.are_any and latent_dim <= NUM_MOTIONS:
            raise InputError(
                f"latent dim must exceed {NUM_MOTIONS} for a generator that moves its images: {latent_dim}"
            )
        self.config = config
        weighted = functions / (1 + (frequency / config.smoothness) ** 2)
        # Recomputed when the network is built, so it is neither saved nor averaged.
        self.register_buffer("basis", weighted.T.contiguous(), persistent=False)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw samples (batch, *shape) in [0, 1]. See `AbstractGenerator.forward`."""
        config = self.config
        coefficients = self.coefficients(latent, label)
        drawing = coefficients.unflatten(-1, (self.shape[0], -1)) @ self.basis
        logits = drawing.unflatten(-1, self.shape[1:])
        if config.motions.are_any:
            logits = warped(logits, config.motions.maps(latent[:, -NUM_MOTIONS:]))
        sample = torch.sigmoid(logits + config.brightness)
        return sample if self.training else (sample - config.black).clamp_min(0) / (1 - config.black)
