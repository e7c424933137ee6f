"""The public settings of networks of series, without torch. Each builds its network when it is asked to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gossamer.errors import InputError
from gossamer.nn.images.settings import ResNetGeneratorConfig
from gossamer.nn.mixture_settings import AbstractMixtureGeneratorConfig
from gossamer.nn.series.endings import AtTheEnd, Ending
from gossamer.nn.series.network import checked_series_shape, halved_lengths
from gossamer.nn.series.slow_time import SlowTime
from gossamer.nn.settings import (
    AbstractCriticConfig,
    AbstractGeneratorConfig,
    AbstractMERFGeneratorConfig,
    AbstractTableGeneratorConfig,
    Shape,
    check_positive,
    checked_count,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from gossamer.nn.series.critic import SeriesConvCritic
    from gossamer.nn.series.discriminator import SeriesConvDiscriminator
    from gossamer.nn.series.folded import FoldedGenerator
    from gossamer.nn.series.generator import SeriesConvGenerator
    from gossamer.nn.series.merf import SeriesMERFGenerator
    from gossamer.nn.series.mixture import SeriesMixtureGenerator
    from gossamer.nn.series.stretched import StretchedGenerator


@dataclass(frozen=True, kw_only=True)
class SeriesConvGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `SeriesConvGenerator`.

    Args:
        width: channels before the last layer. 8 to 16 suit a CPU.
        brightness: logit of a sample before anything is learnt. If series lie mostly low, a negative one spares the
            generator the way down, on which it would run past all that critics have seen.
    """

    width: int = 16
    brightness: float = 0.0

    def __post_init__(self) -> None:
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> SeriesConvGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        from gossamer.nn.series.generator import SeriesConvGenerator

        return SeriesConvGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


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
        from gossamer.nn.series.folded import FoldedGenerator

        channels, length = checked_series_shape(shape)
        folded = (channels, -(-length // self.row), self.row)
        return FoldedGenerator(
            shape=shape, num_classes=num_classes, image=self.image.build(folded, num_classes, latent_dim, rng)
        )


@dataclass(frozen=True, kw_only=True)
class StretchedGeneratorConfig(AbstractTableGeneratorConfig):
    """Settings of `StretchedGenerator`.

    Args:
        time: of the functions that it draws in.
        usual_length: length of a series with all coefficients 0, as a fraction of the whole time. Public.
        length_gain: logit of the length in units of its coefficient.
    """

    smoothness: float = 12.0
    gain: float = 1.0
    brightness: float = -1.0
    time: SlowTime = field(default_factory=SlowTime)
    usual_length: float = 0.7
    length_gain: float = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.usual_length < 1:
            raise InputError(f"usual_length must lie between 0 and 1, got {self.usual_length}")
        if not self.length_gain > 0:
            raise InputError(f"length_gain must be positive, got {self.length_gain}")

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> StretchedGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        from gossamer.nn.series.stretched import StretchedGenerator

        return StretchedGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


@dataclass(frozen=True, kw_only=True)
class SeriesMERFGeneratorConfig(AbstractMERFGeneratorConfig):
    """Settings of `SeriesMERFGenerator`."""

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> SeriesMERFGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        from gossamer.nn.series.merf import SeriesMERFGenerator

        shape = checked_series_shape(shape)
        return SeriesMERFGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


@dataclass(frozen=True, kw_only=True)
class SeriesMixtureGeneratorConfig(AbstractMixtureGeneratorConfig):
    """Settings of `SeriesMixtureGenerator`, and of the features that its Gaussians describe.

    Args:
        radius: frequencies below it are kept, as in `LowFrequencies`: r keeps r of each channel.
        ending: the rule for the end of a series.
        length_weight: weight of the length beside the values, times the root of their number in time.
        level: level of the series with all features 0. Public.
    """

    radius: float = 64.0
    ending: Ending = field(default_factory=AtTheEnd)
    length_weight: float = 0.3
    level: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "length_weight")
        if not 0 <= self.level <= 1:
            raise InputError(f"level must lie between 0 and 1, got {self.level}")

    @property
    def ground(self) -> float:
        """Level of the series with all features 0."""
        return self.level

    @property
    def public_facts(self) -> str:
        """Clause of a statement on the level and end of series."""
        return "the level of an even series and the rule for the end of a series"

    @property
    def num_traits(self) -> int:
        """Number of lengths: 1 if series end before zeros, else 0."""
        return self.ending.num_lengths

    def described(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Stretch series (batch, channels, time) to the end.

        Return them with their weighted lengths, 0 for half the time.
        """
        stretched, lengths = self.ending.stretched(samples)
        return stretched, (lengths - 0.5) * self.length_scale(samples.shape)

    def length_scale(self, shape: tuple[int, ...]) -> float:
        """Return the factor of a length beside coefficients of series of this shape."""
        return self.length_weight * math.sqrt(shape[-1])

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> SeriesMixtureGenerator:
        """Build a new generator of even series. It has no weights, and ``rng`` is not used.

        Raises:
            InputError: latent_dim is not the one that these settings give.
        """
        from gossamer.nn.series.mixture import SeriesMixtureGenerator

        return SeriesMixtureGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim)


_SHORTEST = 8


@dataclass(frozen=True, kw_only=True)
class SeriesConvCriticConfig(AbstractCriticConfig):
    """Settings of `SeriesConvCritic`.

    Args:
        width: channels of the first layer. 8 to 16 suit a CPU.
    """

    width: int = 16

    def __post_init__(self) -> None:
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> SeriesConvCritic:
        """Build a new critic, its weights drawn from `rng`."""
        from gossamer.nn.series.critic import SeriesConvCritic

        shape = checked_series_shape(shape)
        num_layers = len(halved_lengths(shape[1], _SHORTEST)) - 1
        return SeriesConvCritic(shape=shape, num_classes=num_classes, width=self.width, num_layers=num_layers, rng=rng)


@dataclass(frozen=True, kw_only=True)
class SeriesConvDiscriminatorConfig:
    """Settings of `SeriesConvDiscriminator`.

    Args:
        width: channels of every layer. Few parameters mean little noise on their gradient.
    """

    width: int = 8

    def __post_init__(self) -> None:
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> SeriesConvDiscriminator:
        """Build a new discriminator, its weights drawn from `rng`."""
        from gossamer.nn.series.discriminator import SeriesConvDiscriminator

        return SeriesConvDiscriminator(shape=shape, num_classes=num_classes, width=self.width, rng=rng)
