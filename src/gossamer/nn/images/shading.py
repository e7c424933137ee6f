"""Shadings: how the values of an image are described before its frequencies are taken, so that edges stay sharp."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from gossamer.errors import InputError


class AbstractShading(abc.ABC):
    """A public map of the values of each image alone. A clip to [0, 1] brings the values back."""

    @abc.abstractmethod
    def shaded(self, images: Tensor) -> Tensor:
        """Map images (batch, channels, height, width) in [0, 1], each by itself."""


@dataclass(frozen=True, kw_only=True)
class AsStored(AbstractShading):
    """The shading of images that are described by their values."""

    def shaded(self, images: Tensor) -> Tensor:
        """Return the images unchanged."""
        return images


@dataclass(frozen=True, kw_only=True)
class SunkenDark(AbstractShading):
    r"""The shading of images in which dark pixels sink below 0, the deeper the further they lie from bright ones.

    Let D be the number of steps, of one pixel in any of eight directions, from a pixel to the nearest brighter than
    ``dark``. A pixel x is described by

    .. math:: x - \text{depth} \cdot \min(D, \text{reach}) / \text{reach},

    and D = 0 for bright pixels. The outline of a shape is then the place at which a slope passes 0. Few smooth waves
    hold a slope, where many are needed for a step. A clip to [0, 1] cuts the slope off, and the outline is sharp again.
    Noise on ground that lies deep enough does not reach the light, so black stays black. Images without dark pixels are
    described by their values.

    Args:
        depth: depth of dark pixels far from bright ones, in units of the range.
        reach: steps to that depth, at least 1.
        dark: largest value of a dark pixel.

    References: Leventon, Grimson, Faugeras 2000, "Statistical shape influence in geodesic active contours", on
        principal components of distances to an outline.
    """

    depth: float = 0.5
    reach: int = 4
    dark: float = 0.05

    def __post_init__(self) -> None:
        if not 0 < self.depth < math.inf:
            raise InputError(f"depth must be a positive number, got {self.depth}")
        if self.reach < 1:
            raise InputError(f"reach must be at least 1, got {self.reach}")
        if not 0 <= self.dark < 1:
            raise InputError(f"dark must lie from 0 to below 1, got {self.dark}")

    def shaded(self, images: Tensor) -> Tensor:
        """Sink dark pixels. Maxima and sums of ones are the same to the last bit whatever other images there are."""
        reached = (images > self.dark).to(images)
        steps = 1 - reached
        for _ in range(self.reach - 1):
            reached = functional.max_pool2d(reached, kernel_size=3, stride=1, padding=1)
            steps = steps + (1 - reached)
        return images - (self.depth / self.reach) * steps


Shading = AsStored | SunkenDark
