"""Variants of a record inside its own shard: more to learn from, at no cost in privacy."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gossamer.errors import InputError
from gossamer.mechanisms.sampling import public_stream

_AT_ONCE = 2000


class AbstractAugmentation(abc.ABC):
    """A public random family of maps of single images.

    Guarantee: variant v of record i is a function of that record, of i, v and a public seed, so all variants of a slot
    stay in the slot's shard and a neighbouring data set differs in them alone.
    """

    @property
    @abc.abstractmethod
    def num_variants(self) -> int:
        """How many variants there are of each record, the record itself among them."""

    @abc.abstractmethod
    def variant(self, images: Tensor, number: int, seed: int) -> Tensor:
        """Variant ``number`` of every image, same shape; number 0 is the image itself."""


@dataclass(frozen=True, kw_only=True)
class NoAugmentation(AbstractAugmentation):
    """Records as they are."""

    @property
    def num_variants(self) -> int:
        """1."""
        return 1

    def variant(self, images: Tensor, number: int, seed: int) -> Tensor:
        """The images."""
        return images


@dataclass(frozen=True, kw_only=True)
class SmallMotions(AbstractAugmentation):
    """Small rotations, shears, changes of size and shifts, each uniform between plus and minus its bound.

    Attributes:
        count: variants of each record, the record itself among them.
        rotation: radians.
        shear: fraction.
        zoom: fraction.
        shift: fraction of the side.
    """

    count: int = 8
    rotation: float = 0.18
    shear: float = 0.13
    zoom: float = 0.1
    shift: float = 0.07

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 256:
            raise InputError(f"count of variants must lie between 1 and 256, got {self.count}")
        for name in ("rotation", "shear", "zoom", "shift"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")

    @property
    def num_variants(self) -> int:
        """As given."""
        return self.count

    def variant(self, images: Tensor, number: int, seed: int) -> Tensor:
        """Moved copies; pixels that come from outside are 0."""
        if images.dim() != 4:
            raise InputError("SmallMotions moves images: take NoAugmentation for series")
        if number == 0:
            return images
        motions = self._motions(len(images), number, seed)
        moved = [
            functional.grid_sample(
                part, functional.affine_grid(motion, list(part.shape), align_corners=False), align_corners=False
            )
            for part, motion in zip(images.split(_AT_ONCE), motions.split(_AT_ONCE), strict=True)
        ]
        # Interpolation may leave [0, 1] by a rounding.
        return torch.cat(moved).clamp(0, 1)

    def _motions(self, num_images: int, number: int, seed: int) -> Tensor:
        """Affine maps (num_images, 2, 3): rotation and shear times size, and a shift in units of half a side."""
        rng = public_stream(seed, "augmentation", number)
        uniform = torch.rand(num_images, 5, generator=rng) * 2 - 1
        angle, shear, size = uniform[:, 0] * self.rotation, uniform[:, 1] * self.shear, 1 + uniform[:, 2] * self.zoom
        motion = torch.zeros(num_images, 2, 3)
        motion[:, 0, 0], motion[:, 0, 1] = size * angle.cos(), shear - angle.sin()
        motion[:, 1, 0], motion[:, 1, 1] = angle.sin(), size * angle.cos()
        motion[:, :, 2] = uniform[:, 3:] * 2 * self.shift
        return motion


Augmentation = NoAugmentation | SmallMotions
