"""A generator without weights to train: Gaussians in a small space of smooth images, upright or as they stand."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.images.motions import NUM_MOTIONS, Motions, warped
from gossamer.nn.images.network import checked_image_shape
from gossamer.nn.mixture import AbstractMixtureGenerator, AbstractMixtureGeneratorConfig
from gossamer.nn.network import Shape, check_positive


class AbstractPosture(abc.ABC):
    """The posture in which an image is described: a public rule for each image alone."""

    @property
    @abc.abstractmethod
    def num_slants(self) -> int:
        """Number of slants that describe the posture of an image: 0 or 1."""

    @abc.abstractmethod
    def set_upright(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Set images (batch, channels, height, width) upright.

        Return them with their slants (batch, num_slants) in [-1, 1].
        """


@dataclass(frozen=True, kw_only=True)
class AsItStands(AbstractPosture):
    """The posture of images that are described as they stand."""

    @property
    def num_slants(self) -> int:
        """No slant, 0."""
        return 0

    def set_upright(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images unchanged, and no slants."""
        return images, images.new_zeros(len(images), 0)


@dataclass(frozen=True, kw_only=True)
class Upright(AbstractPosture):
    """The posture of bright strokes on black that are sheared until they stand upright, and described with their slant.

    Let m be the brightness and (r, c) places about the centre of mass, as fractions of the sides. The slant is
    ``sum m r c / sum m r^2``, held within -1 and 1. Handwriting of one class differs in slant more than in anything
    else. An ellipsoid holds upright images better than the bent family of slanted ones.

    References: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition", on
        deslanted digits.
    """

    @property
    def num_slants(self) -> int:
        """One slant, 1."""
        return 1

    def set_upright(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Shear images upright, and return their slants too."""
        slants = _slants(images)
        return warped(images, _shears(slants)), slants[:, None]


Posture = AsItStands | Upright


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
        return MixtureGenerator(self, shape=shape, num_classes=num_classes, latent_dim=latent_dim)


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
        maps = _shears(-slant)
        if config.motions.are_any:
            maps = _composed(maps, config.motions.maps(latent[:, -NUM_MOTIONS:]))
        return warped(images, maps).clamp(0, 1)


def _slants(images: Tensor) -> Tensor:
    """Compute slants (batch,) in [-1, 1] of images, from the moments of brightness, and 0 if there is no height."""
    mass = images.mean(dim=1)
    total = mass.sum(dim=(1, 2)).clamp_min(1e-6)
    height, width = mass.shape[1:]
    rows = torch.arange(height, dtype=mass.dtype, device=mass.device) / height
    columns = torch.arange(width, dtype=mass.dtype, device=mass.device) / width
    # Privacy: sums of each image by itself, because a product of matrices may round by an image's place among others.
    down = rows - ((mass.sum(dim=2) * rows).sum(dim=1) / total)[:, None]
    right = columns - ((mass.sum(dim=1) * columns).sum(dim=1) / total)[:, None]
    along = (mass * right[:, None, :]).sum(dim=2)
    spread = (mass.sum(dim=2) * down.square()).sum(dim=1)
    return ((along * down).sum(dim=1) / spread.clamp_min(1e-9)).clamp(-1, 1)


def _shears(slants: Tensor) -> Tensor:
    """Return affine maps (batch, 2, 3) that look up (x + slant y, y), and so shear a slanted image upright."""
    maps = torch.eye(2, 3, dtype=slants.dtype, device=slants.device).repeat(len(slants), 1, 1)
    maps[:, 0, 1] = slants
    return maps


def _composed(first: Tensor, second: Tensor) -> Tensor:
    """Compose affine maps (batch, 2, 3) to the maps ``p -> first(second(p))``."""
    linear = first[:, :, :2] @ second
    linear[:, :, 2] += first[:, :, 2]
    return linear
