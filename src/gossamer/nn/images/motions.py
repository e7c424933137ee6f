"""Small random motions of drawn images: affine maps of their planes, and the images looked up at them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.nn.settings import check_fractions

if TYPE_CHECKING:
    from torch import Tensor

NUM_MOTIONS = 5
"""Number of latents that move a drawn image: rotation, shear, size, and two for the shift."""


@dataclass(frozen=True, kw_only=True)
class Motions:
    """Small random motions of drawn images.

    Args:
        rotation: standard deviation of a random rotation of the drawn image, in radians.
        shear: standard deviation of a random shear.
        zoom: standard deviation of a random change of size.
        shift: standard deviation of a random shift, as a fraction of the side.
    """

    rotation: float
    shear: float
    zoom: float
    shift: float

    def check(self) -> None:
        """Refuse a deviation outside [0, 1)."""
        check_fractions(self, "rotation", "shear", "zoom", "shift")

    @property
    def are_any(self) -> bool:
        """True if images are moved at all."""
        return max(self.rotation, self.shear, self.zoom, self.shift) > 0

    def maps(self, normal: Tensor) -> Tensor:
        """Return affine maps (batch, 2, 3) of random motions, from standard normal numbers (batch, 5)."""
        import torch

        angle, shear, size = self.rotation * normal[:, 0], self.shear * normal[:, 1], 1 + self.zoom * normal[:, 2]
        rows = torch.stack([size * angle.cos(), shear - angle.sin(), 2 * self.shift * normal[:, 3]], dim=1)
        columns = torch.stack([angle.sin(), size * angle.cos(), 2 * self.shift * normal[:, 4]], dim=1)
        return torch.stack([rows, columns], dim=1)

    def looks(self, images: Tensor) -> Iterator[Tensor]:
        r"""Yield images (batch, channels, height, width) as they stand, and then moved, each image alike.

        The motions are points at :math:`\pm\sqrt n` deviations along each of the n motions that there are. A mean over
        them is that over random motions, for polynomials of degree 3 in the normal numbers.

        References: Arasaratnam, Haykin 2009, "Cubature Kalman filters", for the points.
        """
        import torch

        yield images
        deviations = (self.rotation, self.shear, self.zoom, self.shift, self.shift)
        axes = torch.eye(NUM_MOTIONS)[torch.tensor(deviations) > 0]
        for point in math.sqrt(len(axes)) * torch.cat([axes, -axes]):
            yield warped(images, self.maps(point[None]).expand(len(images), 2, 3))


def warped(images: Tensor, maps: Tensor) -> Tensor:
    """Look images (batch, channels, height, width) up at affine maps of their places, the border continued outwards."""
    from torch.nn import functional as F

    return F.grid_sample(images, _places(maps, *images.shape[2:]), padding_mode="border", align_corners=False)


def _places(maps: Tensor, height: int, width: int) -> Tensor:
    """Return the places that affine maps (batch, 2, 3) send the middles of pixels to, (batch, height, width, 2).

    As `F.affine_grid` without aligned corners. That multiplies small matrices and takes twenty times as long.
    """
    import torch

    x, y = ((2 * torch.arange(side).to(maps) + 1) / side - 1 for side in (width, height))
    by_x, by_y = maps[:, :, :1] * x, maps[:, :, 1:2] * y + maps[:, :, 2:]
    return (by_x[:, :, None, :] + by_y[:, :, :, None]).permute(0, 2, 3, 1)
