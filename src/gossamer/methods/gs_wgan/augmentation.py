"""Variants of a record inside its own shard: more to learn from, at no cost in privacy."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gossamer.errors import InputError
from gossamer.privacy.keystream import Keystream, key_from_seed, unit_interval

if TYPE_CHECKING:
    from torch import Tensor


class AbstractAugmentation(abc.ABC):
    """A public random family of maps of single images.

    Guarantee: variant v of a record is a function of that record, its mark, v and a public seed. The mark follows from
    the record's own unit alone. So all variants of a unit stay in the unit's shard, and a neighbouring data set differs
    in them alone. If variants followed from the number in the file, a record that leaves would change those of all
    records behind it.
    """

    @property
    @abc.abstractmethod
    def num_variants(self) -> int:
        """Number of variants of each record, the record itself among them."""

    @abc.abstractmethod
    def variant(self, images: Tensor, number: int, marks: Tensor, seed: int) -> Tensor:
        """Return variant ``number`` of every image, in the same shape. Number 0 is the image itself.

        Args:
            images: (batch, channels, height, width).
            number: in 0 .. num_variants - 1.
            marks: int64 (batch,), a number for each record.
            seed: public.
        """


@dataclass(frozen=True, kw_only=True)
class NoAugmentation(AbstractAugmentation):
    """Records as they are."""

    @property
    def num_variants(self) -> int:
        """Number of variants, 1."""
        return 1

    def variant(self, images: Tensor, number: int, marks: Tensor, seed: int) -> Tensor:
        """Return the images."""
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
        """Number of variants, as given."""
        return self.count

    def variant(self, images: Tensor, number: int, marks: Tensor, seed: int) -> Tensor:
        """Return moved copies. Pixels that come from outside are 0."""
        from torch.nn import functional

        if images.dim() != 4:
            raise InputError("SmallMotions moves images: take NoAugmentation for series")
        if number == 0:
            return images
        grid = functional.affine_grid(self._motions(marks, number, seed), list(images.shape), align_corners=False)
        # Interpolation may leave [0, 1] by a rounding.
        return functional.grid_sample(images, grid, align_corners=False).clamp(0, 1)

    def _motions(self, marks: Tensor, number: int, seed: int) -> Tensor:
        """Draw affine maps (batch, 2, 3): rotation and shear times size, and a shift in units of half a side."""
        import torch

        stream = Keystream(key_from_seed(seed, "augmentation"))
        blocks = np.uint64(number << 8) + np.arange(3, dtype=np.uint64)
        words = stream.words(blocks, marks.numpy().view(np.uint64)[:, None]).reshape(len(marks), -1)[:, :5]
        uniform = torch.from_numpy(unit_interval(words)).float() * 2 - 1
        angle, shear, size = uniform[:, 0] * self.rotation, uniform[:, 1] * self.shear, 1 + uniform[:, 2] * self.zoom
        motion = torch.zeros(len(marks), 2, 3)
        motion[:, 0, 0], motion[:, 0, 1] = size * angle.cos(), shear - angle.sin()
        motion[:, 1, 0], motion[:, 1, 1] = angle.sin(), size * angle.cos()
        motion[:, :, 2] = uniform[:, 3:] * 2 * self.shift
        return motion


Augmentation = NoAugmentation | SmallMotions
