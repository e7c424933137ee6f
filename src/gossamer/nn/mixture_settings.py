"""Settings of mixture generators, and the features that their Gaussians describe."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gossamer.errors import InputError
from gossamer.nn.exact import matmul_of_rows
from gossamer.nn.settings import AbstractGeneratorConfig, Shape, check_positive, checked_count
from gossamer.nn.views import cosine_basis, low_frequencies, plane

if TYPE_CHECKING:
    from torch import Tensor

N = TypeVar("N", int, float)

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
        return _settled("num_components", self.num_components)

    @property
    def kept_radius(self) -> float:
        """Radius below which frequencies are kept.

        Raises:
            InputError: it was left to the noise of a training, and none has settled it.
        """
        return _settled("radius", self.radius)

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
        return shape[0] * len(low_frequencies(*plane(shape), self.kept_radius)) + self.num_traits

    def bands(self, shape: Shape) -> Tensor:
        """Return the octave of the frequency of each feature, int64 (num_features,).

        Constant coefficients have 0, those of frequency below 2 have 1, those below 4 have 2, and traits have the next.
        """
        import torch

        frequencies = cosine_basis(*plane(shape), self.kept_radius)[1]
        octaves = torch.where(frequencies > 0, 1 + frequencies.clamp_min(1).log2().floor(), 0.0).to(torch.int64)
        traits = octaves.new_full((self.num_traits,), int(octaves.max()) + 1)
        return torch.cat([octaves.repeat(shape[0]), traits])

    def places(self, shape: Shape) -> Tensor:
        """Return the place of each feature among the frequencies, lowest first, int64 (num_features,).

        Features of one frequency in different channels have the same place, and traits have places of their own.
        """
        import torch

        each = (self.num_features(shape) - self.num_traits) // shape[0]
        return torch.cat([torch.arange(each).repeat(shape[0]), each + torch.arange(self.num_traits)])

    def blocks(self, shape: Shape) -> Tensor:
        """Return the block of each feature: eight of neighbouring frequencies in a channel, int64 (num_features,)."""
        import torch

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
        import torch

        standard, traits = self.described(samples)
        basis = cosine_basis(*plane(samples.shape[1:]), self.kept_radius)[0].to(samples)
        # Privacy: an ordinary product would round one record's coefficients by the number of other records.
        coefficients = matmul_of_rows(standard.flatten(start_dim=2) - self.ground, basis).to(samples)
        return torch.cat([coefficients.flatten(start_dim=1), traits], dim=1)


def _settled(name: str, size: N | None) -> N:
    """Return a size, or refuse to go on if the noise of a training is still to decide it."""
    if size is None:
        raise InputError(f"{name} is not chosen yet: calibrate the settings to an epsilon first")
    return size
