"""The common part of mixture generators: Gaussians of each class in a space of few smooth directions."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.classifying import AbstractClassifyingGenerator
from gossamer.nn.densities import SURENESS, MixtureDensities
from gossamer.nn.exact import matmul_of_rows
from gossamer.nn.network import AbstractGenerator, AbstractGeneratorConfig, Shape, check_positive, checked_count
from gossamer.nn.views import cosine_basis, plane

_BLOCK = 8


@dataclass(frozen=True, kw_only=True)
class AbstractMixtureGeneratorConfig(AbstractGeneratorConfig):
    """Settings of a mixture generator, and of the features that its Gaussians describe.

    Args:
        num_directions: dimension of the space of the Gaussians, or the number of features if that is smaller.
        num_components: Gaussians of each class. None if the noise of a training is to decide their number.
        radius: frequencies below it are kept, as in `LowFrequencies`. None if the noise of a training is to decide it.
        scatter: factor on the spread of samples about their centres. Below 1 they are cleaner and less varied than the
            records.
        remainder: factor on the spread outside the space of the Gaussians, which all classes share. 0 for none.
    """

    num_directions: int = 40
    num_components: int | None = 1
    radius: float | None = 13.0
    scatter: float = 1.0
    remainder: float = 0.0

    def __post_init__(self) -> None:
        checked_count("num_directions", self.num_directions)
        if self.num_components is not None:
            checked_count("num_components", self.num_components)
        check_positive(self, "scatter", *(() if self.radius is None else ("radius",)))
        if not 0 <= self.remainder < math.inf:
            raise InputError(f"remainder must be 0 or more, got {self.remainder}")

    @property
    def components(self) -> int:
        """Number of Gaussians of each class.

        Raises:
            InputError: it was left to the noise of a training, and none has settled it.
        """
        if self.num_components is None:
            raise InputError("num_components is not chosen yet: calibrate the settings to an epsilon first")
        return self.num_components

    @property
    def kept_radius(self) -> float:
        """Radius below which frequencies are kept.

        Raises:
            InputError: it was left to the noise of a training, and none has settled it.
        """
        if self.radius is None:
            raise InputError("radius is not chosen yet: calibrate the settings to an epsilon first")
        return self.radius

    @property
    @abc.abstractmethod
    def ground(self) -> float:
        """Public value in [0, 1] of the even sample with all features 0."""

    @property
    @abc.abstractmethod
    def public_facts(self) -> str:
        """Clause of a statement on the settings that are taken as facts of the records: level and standard form."""

    @property
    @abc.abstractmethod
    def num_traits(self) -> int:
        """Number of traits, which describe a sample beside its values, such as a slant or a length."""

    @property
    def num_motions(self) -> int:
        """Number of latents that move a drawn sample."""
        return 0

    @abc.abstractmethod
    def described(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return samples (batch, *shape) in a standard form of the same shape, and their traits in features' units.

        The form of a sample and its traits (batch, num_traits) are functions of that sample alone.
        """

    def num_features(self, shape: Shape) -> int:
        """Count the cosine coefficients of all channels, and the traits."""
        return shape[0] * len(cosine_basis(*plane(shape), self.kept_radius)[1]) + self.num_traits

    def bands(self, shape: Shape) -> Tensor:
        """Return the octave of the frequency of each feature, int64 (num_features,).

        Constant coefficients have 0, those of frequency below 2 have 1, those below 4 have 2, and traits have the next.
        """
        frequencies = cosine_basis(*plane(shape), self.kept_radius)[1]
        octaves = torch.where(frequencies > 0, 1 + frequencies.clamp_min(1).log2().floor(), 0.0).to(torch.int64)
        traits = octaves.new_full((self.num_traits,), int(octaves.max()) + 1)
        return torch.cat([octaves.repeat(shape[0]), traits])

    def places(self, shape: Shape) -> Tensor:
        """Return the place of each feature among the frequencies, lowest first, int64 (num_features,).

        Features of one frequency in different channels have the same place, and traits have places of their own.
        """
        each = (self.num_features(shape) - self.num_traits) // shape[0]
        return torch.cat([torch.arange(each).repeat(shape[0]), each + torch.arange(self.num_traits)])

    def blocks(self, shape: Shape) -> Tensor:
        """Return the block of each feature: eight of neighbouring frequencies in a channel, int64 (num_features,)."""
        each = (self.num_features(shape) - self.num_traits) // shape[0]
        a_channel = -(-each // _BLOCK)
        channels = torch.arange(shape[0]).repeat_interleave(each) * a_channel
        traits = torch.full((self.num_traits,), shape[0] * a_channel)
        return torch.cat([torch.arange(each).repeat(shape[0]) // _BLOCK + channels, traits])

    def num_kept(self, shape: Shape) -> int:
        """Return the dimension of the space of the Gaussians for samples of this shape."""
        return min(self.num_directions, self.num_features(shape))

    def latent_dim(self, shape: Shape) -> int:
        """Count the latents: one for the component, one for each direction, and those of the motions.

        A remainder adds one for each feature.
        """
        beyond = self.num_features(shape) if self.remainder > 0 else 0
        return 1 + self.num_kept(shape) + beyond + self.num_motions

    def features(self, samples: Tensor) -> Tensor:
        """Compute the features that the Gaussians describe: (batch, *shape) -> (batch, num_features), each row alone.

        The features are the cosine coefficients of low frequency of the sample in its standard form, less those of the
        even `ground`, and its traits.
        """
        standard, traits = self.described(samples)
        basis = cosine_basis(*plane(samples.shape[1:]), self.kept_radius)[0].to(samples)
        # Privacy: an ordinary product would round one record's coefficients by the number of other records.
        coefficients = matmul_of_rows(standard.flatten(start_dim=2) - self.ground, basis).to(samples)
        return torch.cat([coefficients.flatten(start_dim=1), traits], dim=1)


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
