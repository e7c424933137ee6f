"""The posture in which a mixture describes images: as they stand, or upright."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.nn.images.motions import warped

if TYPE_CHECKING:
    from torch import Tensor


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
        slants = slants_of(images)
        return warped(images, shears(slants)), slants[:, None]


Posture = AsItStands | Upright


def slants_of(images: Tensor) -> Tensor:
    """Compute slants (batch,) in [-1, 1] of images, from the moments of brightness, and 0 if there is no height."""
    import torch

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


def shears(slants: Tensor) -> Tensor:
    """Return affine maps (batch, 2, 3) that look up (x + slant y, y), and so shear a slanted image upright."""
    import torch

    maps = torch.eye(2, 3, dtype=slants.dtype, device=slants.device).repeat(len(slants), 1, 1)
    maps[:, 0, 1] = slants
    return maps
