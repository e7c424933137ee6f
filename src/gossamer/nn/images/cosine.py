"""A dense generator that draws in cosine functions of low frequency, upon a table of drawings of each class."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.nn.images.motions import NUM_MOTIONS, warped
from gossamer.nn.images.settings import CosineGeneratorConfig
from gossamer.nn.network import encoded_label
from gossamer.nn.settings import Shape
from gossamer.nn.table import AbstractTableGenerator
from gossamer.nn.views import cosine_basis, plane


class CosineGenerator(AbstractTableGenerator):
    """A generator of samples as sums of smooth functions, with coefficients from a table and from a network.

    Let c_f be the cosine functions of `cosine_basis` and w_f = 1 / (1 + (|f| / smoothness)^2). Let t be the table with
    a row for each class y and style s, and u_i the factors of a class. Let n be the network: latent and scaled one-hot
    class -> hidden layers with ReLU -> coefficients. Then::

        sample = sigmoid( brightness + sum_f w_f a_f c_f )
        a_f = table_gain t_f(y, s(z)) + factor_gain sum_i z_i u_i,f(y) + gain n_f(z, y)

    The noise in a gradient that passes a critic's view can only bend such a sample smoothly. The table learns the look
    of a class's style many times faster than a network could. Under noise, the little signal tells the look of a style
    first. The factors learn as fast in which ways the samples of a class differ. If motions are asked for, the last
    five latents move the image (`Motions`). Things are seen a little turned, slanted, larger or aside: that is
    knowledge about the world, and needs no private signal.

    Hidden weights start He-uniform, the last layer at a tenth of that, the table and the factors near zero.

    Without classes the table has one row. The arguments are those of `AbstractGeneratorConfig.build`, and the settings.
    """

    basis: Tensor

    def __init__(
        self, config: CosineGeneratorConfig, *, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator
    ) -> None:
        functions, frequency = cosine_basis(*plane(shape), config.radius)
        num_coefficients = shape[0] * len(frequency)
        super().__init__(
            config,
            shape=shape,
            num_classes=num_classes,
            latent_dim=latent_dim,
            num_coefficients=num_coefficients,
            rng=rng,
        )
        if config.motions.are_any and len(self.shape) != 3:
            raise InputError("rotation, shear, zoom and shift move images: leave them at 0 for series")
        num_used = config.num_factors + (NUM_MOTIONS if config.motions.are_any else 0)
        if latent_dim <= num_used:
            raise InputError(
                f"latent dim must exceed {num_used} for a generator that moves its images or has factors: {latent_dim}"
            )
        self.config = config
        weighted = functions / (1 + (frequency / config.smoothness) ** 2)
        # Recomputed when the network is built, so it is neither saved nor averaged.
        self.register_buffer("basis", weighted.T.contiguous(), persistent=False)
        self.factors = _factors(max(num_classes, 1), config.num_factors, num_coefficients, rng)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Draw samples (batch, *shape) in [0, 1]. See `AbstractGenerator.forward`."""
        config = self.config
        if not self.training and config.truncation != 1:
            latent = torch.cat([latent[:, :1], config.truncation * latent[:, 1:]], dim=1)
        coefficients = self.coefficients(latent, label)
        if self.factors is not None:
            coefficients = coefficients + config.factor_gain * self._moved(latent, label, self.factors)
        drawing = coefficients.unflatten(-1, (self.shape[0], -1)) @ self.basis
        logits = (drawing if self.training else config.contrast * drawing).unflatten(-1, self.shape[1:])
        if config.motions.are_any:
            logits = warped(logits, config.motions.maps(latent[:, -NUM_MOTIONS:]))
        sample = torch.sigmoid(logits + config.brightness)
        return sample if self.training else (sample - config.black).clamp_min(0) / (1 - config.black)

    def _moved(self, latent: Tensor, label: Tensor | None, factors: Tensor) -> Tensor:
        """Return the sums of the class's factors, each times its latent: (batch, coefficients)."""
        classes = encoded_label(label, self.num_classes, latent.dtype)
        own = factors if classes is None else classes @ factors
        numbers = latent[:, 1 : 1 + self.config.num_factors]
        return (numbers[:, :, None] * own.unflatten(-1, (self.config.num_factors, -1))).sum(dim=1)


def _factors(num_classes: int, num_factors: int, num_coefficients: int, rng: torch.Generator) -> nn.Parameter | None:
    """Draw the factors of each class, (classes, factors times coefficients), None if there are none."""
    if num_factors == 0:
        return None
    drawn = torch.randn(num_classes, num_factors * num_coefficients, generator=rng)
    return nn.Parameter(0.01 * drawn / math.sqrt(num_factors))
