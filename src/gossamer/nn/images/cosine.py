"""A dense generator that draws in cosine functions of low frequency, upon a table of drawings of each class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.nn.images.motions import NUM_MOTIONS, Motions, warped
from gossamer.nn.network import Shape, check_fractions, encoded_label
from gossamer.nn.table import AbstractTableGenerator, AbstractTableGeneratorConfig
from gossamer.nn.views import cosine_basis, plane


@dataclass(frozen=True, kw_only=True)
class CosineGeneratorConfig(AbstractTableGeneratorConfig):
    """Settings of `CosineGenerator`. Motions are for images alone.

    Args:
        radius: frequencies below it are drawn, as in `LowFrequencies`.
        num_factors: latents of the class's factors, behind the one that chooses the style. Each moves a sample along a
            drawing of its own, which the class learns.
        factor_gain: scale of the factors, as ``table_gain``.
        black: limit below which a finished generator draws values as 0. The rest is stretched to meet it. Not done in
            training, where it would stop gradients.
        contrast: factor on the drawing of a finished generator. Averages of many answers blur, and this undoes a part.
        truncation: factor on the latents of a finished generator, but for the first. Below 1, samples keep nearer to
            the middle of their class and style, where they are seldom mixtures of two.
        rotation: standard deviation of a random rotation of the drawn image, in radians.
        shear: standard deviation of a random shear.
        zoom: standard deviation of a random change of size.
        shift: standard deviation of a random shift, as a fraction of the side.
    """

    radius: float = 10.0
    num_factors: int = 0
    factor_gain: float = 30.0
    black: float = 0.0
    contrast: float = 1.0
    truncation: float = 1.0
    rotation: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_factors < 0:
            raise InputError(f"num_factors must be 0 or more, got {self.num_factors}")
        for name in ("radius", "factor_gain", "contrast", "truncation"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be positive, got {getattr(self, name)}")
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
