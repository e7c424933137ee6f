"""The common part of mixture generators: Gaussians of each class in a space of few smooth directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.classifying import AbstractClassifyingGenerator
from gossamer.nn.densities import SURENESS, MixtureDensities
from gossamer.nn.mixture_settings import AbstractMixtureGeneratorConfig
from gossamer.nn.network import AbstractGenerator
from gossamer.nn.settings import Shape
from gossamer.nn.views import cosine_basis, plane


class AbstractMixtureGenerator(AbstractGenerator, AbstractClassifyingGenerator):
    r"""A generator that draws from Gaussians of a class in a space of few directions, and maps them to samples.

    Let u be standard normal latents, o an offset, centres :math:`\mu`, factors A, scatter s and directions V. The
    component k is the one with :math:`\Phi(u_0)` in its part of the class's shares. Then

    .. math:: f = o + V^T (\mu_{yk} + s A_{yk} u) + r B v, \qquad
       \text{drawing} = \text{ground} + \sum_j f_j \cos_j.

    A remainder r above 0 adds the spread outside the directions, with standard normal v and a factor B of all classes.
    The entries of f behind the coefficients are traits. Subclasses make a sample of the two. The offset o is the
    level that all classes share, so that no direction is spent on it.

    The knowledge of the generator is in buffers:

    - `centres` (classes, components, d).
    - `factors` (classes, components, d, d).
    - `shares` (classes, components).
    - `directions` (d, features), with d = `AbstractMixtureGeneratorConfig.num_kept`.
    - `offset` (features,). Weights without it, from before there was one, are read with an offset of zeros.
    - `beyond` (features, features), the factor B, if there is a remainder.

    The length of a latent is `AbstractMixtureGeneratorConfig.latent_dim`, and the other arguments are those of its
    `build`, and the settings.
    """

    centres: Tensor
    factors: Tensor
    shares: Tensor
    directions: Tensor
    offset: Tensor
    beyond: Tensor
    basis: Tensor

    def __init__(
        self, config: AbstractMixtureGeneratorConfig, *, shape: Shape, num_classes: int, latent_dim: int
    ) -> None:
        super().__init__(shape=shape, num_classes=num_classes, latent_dim=latent_dim)
        expected = config.latent_dim(self.shape)
        if latent_dim != expected:
            raise InputError(f"latent dim of this mixture must be {expected}, got {latent_dim}")
        rows, kept, components = max(num_classes, 1), config.num_kept(self.shape), config.components
        self._ground, self._num_traits, self._scatter = config.ground, config.num_traits, config.scatter
        self._remainder, self._features = config.remainder, config.features
        self.register_buffer("centres", torch.zeros(rows, components, kept))
        self.register_buffer("factors", torch.zeros(rows, components, kept, kept))
        self.register_buffer("shares", torch.full((rows, components), 1 / components))
        self.register_buffer("directions", torch.zeros(kept, config.num_features(self.shape)))
        self.register_buffer("offset", torch.zeros(config.num_features(self.shape)))
        if config.remainder > 0:
            self.register_buffer("beyond", torch.zeros(config.num_features(self.shape), len(self.offset)))
        basis = cosine_basis(*plane(self.shape), config.kept_radius)[0]
        self.register_buffer("basis", basis.T.contiguous(), persistent=False)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load the buffers. Generators that were released before there was an offset have none: theirs is zero."""
        without = {"offset": torch.zeros_like(self.offset)}
        return super().load_state_dict(without | dict(state_dict), strict=strict, assign=assign)

    @property
    def sureness(self) -> float:
        """Power of the probabilities of classes, chosen on public data."""
        return SURENESS

    def log_likelihoods(self, samples: Tensor, class_shares: Tensor) -> Tensor:
        """Return log densities in the subspace under each class. See `AbstractClassifyingGenerator.log_likelihoods`.

        The scatter is of samples and not of records, so it is no part of the densities.
        """
        return self.densities(class_shares).of_features(self._features(samples))

    def densities(self, class_shares: Tensor | None = None) -> MixtureDensities:
        """Return the densities of this mixture, with a common covariance by the shares of its classes (classes,)."""
        return MixtureDensities(
            centres=self.centres,
            factors=self.factors,
            shares=self.shares,
            directions=self.directions,
            offset=self.offset,
            class_shares=class_shares,
        )

    def drawn(self, latent: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return drawings (batch, *shape), not yet within [0, 1], and traits (batch, num_traits)."""
        features = self.drawn_places(latent, label) @ self.directions + self.offset
        if self._remainder > 0:
            kept = len(self.directions)
            features = features + self._remainder * latent[:, 1 + kept : 1 + kept + len(self.offset)] @ self.beyond
        coefficients, traits = features.split([features.shape[1] - self._num_traits, self._num_traits], 1)
        drawing = coefficients.unflatten(1, (self.shape[0], -1)) @ self.basis + self._ground
        return drawing.unflatten(2, self.shape[1:]), traits

    def drawn_places(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Return the places of drawings in the subspace, less the offset, (batch, d)."""
        self.joined(latent, label)  # checks both
        kept = len(self.directions)
        row = torch.zeros(len(latent), dtype=torch.int64, device=latent.device) if label is None else label
        component = self._component(latent[:, 0], row)
        step = torch.einsum("bde,be->bd", self.factors[row, component], latent[:, 1 : 1 + kept])
        return self.centres[row, component] + self._scatter * step

    def _component(self, normal: Tensor, row: Tensor) -> Tensor:
        """Choose the component by the class's cumulative shares and the level of a normal number, (batch,)."""
        ends = self.shares.cumsum(dim=1)
        ends = ends / ends[:, -1:]
        level = torch.special.ndtr(normal)
        return (level[:, None] >= ends[row]).sum(dim=1).clamp_max(self.shares.shape[1] - 1)
