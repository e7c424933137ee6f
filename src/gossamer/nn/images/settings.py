"""The public settings of networks of images, without torch. Each builds its network when it is asked to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gossamer.errors import InputError
from gossamer.nn.images.motions import NUM_MOTIONS, Motions
from gossamer.nn.images.postures import AsItStands, Posture
from gossamer.nn.mixture_settings import AbstractMixtureGeneratorConfig
from gossamer.nn.settings import (
    AbstractCriticConfig,
    AbstractGeneratorConfig,
    AbstractMERFGeneratorConfig,
    AbstractTableGeneratorConfig,
    Shape,
    check_fractions,
    check_positive,
    checked_count,
    checked_shape,
    checked_sizes,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from gossamer.nn.images.cosine import CosineGenerator
    from gossamer.nn.images.critic import ConvCritic
    from gossamer.nn.images.dcgan import DCGANGenerator
    from gossamer.nn.images.discriminator import MLPDiscriminator
    from gossamer.nn.images.merf import MERFGenerator
    from gossamer.nn.images.mixture import MixtureGenerator
    from gossamer.nn.images.mlp import MLPCritic, MLPGenerator
    from gossamer.nn.images.resnet import ResNetGenerator


@dataclass(frozen=True, kw_only=True)
class AbstractConvGeneratorConfig(AbstractGeneratorConfig):
    """Settings of a generator out of convolutions, which its width alone sizes.

    Args:
        width: channels of its layers, at least 1.
    """

    width: int

    def __post_init__(self) -> None:
        checked_count("width", self.width)


@dataclass(frozen=True, kw_only=True)
class ResNetGeneratorConfig(AbstractConvGeneratorConfig):
    """Settings of `ResNetGenerator`.

    Args:
        width: channels of every block. The published network has 256, and 32 to 64 suit a CPU.
    """

    width: int = 256

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> ResNetGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        from gossamer.nn.images.resnet import ResNetGenerator

        return ResNetGenerator(shape=shape, num_classes=num_classes, latent_dim=latent_dim, width=self.width, rng=rng)


@dataclass(frozen=True, kw_only=True)
class DCGANGeneratorConfig(AbstractConvGeneratorConfig):
    """Settings of `DCGANGenerator`.

    Args:
        width: channels before the last layer. The published network has 64, and 8 to 16 suit a CPU.
    """

    width: int = 64

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> DCGANGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        from gossamer.nn.images.dcgan import DCGANGenerator

        return DCGANGenerator(shape=shape, num_classes=num_classes, latent_dim=latent_dim, width=self.width, rng=rng)


@dataclass(frozen=True, kw_only=True)
class MLPGeneratorConfig(AbstractGeneratorConfig):
    """Settings of `MLPGenerator`.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
    """

    hidden_sizes: tuple[int, ...] = (256, 256)

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> MLPGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        from gossamer.nn.images.mlp import MLPGenerator

        return MLPGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


@dataclass(frozen=True, kw_only=True)
class MLPCriticConfig(AbstractCriticConfig):
    """Settings of `MLPCritic`.

    Args:
        hidden_sizes: units of each hidden layer, first to last.
    """

    hidden_sizes: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> MLPCritic:
        """Build a new critic, its weights drawn from `rng`."""
        from gossamer.nn.images.mlp import MLPCritic

        return MLPCritic(self, shape=shape, num_classes=num_classes, rng=rng)


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
        from gossamer.nn.images.cosine import CosineGenerator

        return CosineGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


@dataclass(frozen=True, kw_only=True)
class MERFGeneratorConfig(AbstractMERFGeneratorConfig):
    """Settings of `MERFGenerator`."""

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> MERFGenerator:
        """Build a new generator, its weights drawn from `rng`."""
        from gossamer.nn.images.merf import MERFGenerator
        from gossamer.nn.images.network import checked_image_shape

        shape = checked_image_shape(shape)
        return MERFGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim, rng=rng)


@dataclass(frozen=True, kw_only=True)
class MixtureGeneratorConfig(AbstractMixtureGeneratorConfig):
    """Settings of `MixtureGenerator`, and of the features that its Gaussians describe.

    Args:
        posture: posture in which images are described, upright or as they stand.
        slant_weight: weight of the slant beside the pixels, times the root of their number: 1/7 makes it 4 at 28x28.
        brightness: brightness of the image with all features 0. Public.
        contrast: factor by which drawn images are stretched about the middle grey, against the blur of the missing
            frequencies.
        rotation: standard deviation of a random rotation of the drawn image, in radians.
        shear: standard deviation of a random shear.
        zoom: standard deviation of a random change of size.
        shift: standard deviation of a random shift, as a fraction of the side.
    """

    posture: Posture = field(default_factory=AsItStands)
    slant_weight: float = 1 / 7
    brightness: float = 0.25
    contrast: float = 1.0
    rotation: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "slant_weight", "contrast")
        if not 0 <= self.brightness <= 1:
            raise InputError(f"brightness must lie between 0 and 1, got {self.brightness}")
        self.motions.check()

    @property
    def motions(self) -> Motions:
        """Random motions of drawn images."""
        return Motions(rotation=self.rotation, shear=self.shear, zoom=self.zoom, shift=self.shift)

    @property
    def ground(self) -> float:
        """Brightness of the image with all features 0."""
        return self.brightness

    @property
    def public_facts(self) -> str:
        """Clause of a statement on the brightness and posture of images."""
        return "the brightness of even grey and the posture of images"

    @property
    def num_traits(self) -> int:
        """Number of slants: 1 if images are set upright, else 0."""
        return self.posture.num_slants

    @property
    def num_motions(self) -> int:
        """Number of latents of the motions, if there are any."""
        return NUM_MOTIONS if self.motions.are_any else 0

    def described(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Set images (batch, channels, height, width) upright, and return their weighted slants too."""
        upright, slants = self.posture.set_upright(samples)
        return upright, slants * self.slant_scale(samples.shape)

    def slant_scale(self, shape: tuple[int, ...]) -> float:
        """Return the factor of a slant beside coefficients of images of this shape."""
        return self.slant_weight * math.sqrt(shape[-2] * shape[-1])

    def build(self, shape: Shape, num_classes: int, latent_dim: int, rng: torch.Generator) -> MixtureGenerator:
        """Build a new generator of even grey images. It has no weights, and ``rng`` is not used.

        Raises:
            InputError: latent_dim is not the one that these settings give.
        """
        from gossamer.nn.images.mixture import MixtureGenerator

        return MixtureGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim)


@dataclass(frozen=True, kw_only=True)
class ConvCriticConfig(AbstractCriticConfig):
    """Settings of `ConvCritic`.

    Args:
        width: channels of the first layer. The published network has 64, and 8 to 16 suit a CPU.
    """

    width: int = 64

    def __post_init__(self) -> None:
        checked_count("width", self.width)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> ConvCritic:
        """Build a new critic, its weights drawn from `rng`."""
        from gossamer.nn.images.critic import ConvCritic
        from gossamer.nn.images.network import checked_image_shape, num_halvings

        shape = checked_image_shape(checked_shape(shape))
        num_layers = num_halvings(*shape[1:])
        return ConvCritic(shape=shape, num_classes=num_classes, width=self.width, num_layers=num_layers, rng=rng)


@dataclass(frozen=True, kw_only=True)
class MLPDiscriminatorConfig:
    """Settings of `MLPDiscriminator`.

    Args:
        hidden_sizes: units of each hidden layer, first to last. The published network has (128,).
        label_gain: factor on the one-hot class, so that it has weight beside the values. 1 as published.
    """

    hidden_sizes: tuple[int, ...] = (128,)
    label_gain: float = 1.0

    def __post_init__(self) -> None:
        checked_sizes("hidden_sizes", self.hidden_sizes)

    def build(self, shape: Shape, num_classes: int, rng: torch.Generator) -> MLPDiscriminator:
        """Build a new discriminator, its weights drawn from `rng`."""
        from gossamer.nn.images.discriminator import MLPDiscriminator

        return MLPDiscriminator(self, shape=shape, num_classes=num_classes, rng=rng)
