"""Public linear views of an image: what a critic looks at, and where its gradient is released."""

from __future__ import annotations

import abc
import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gossamer.errors import InputError


class AbstractView(abc.ABC):
    """A fixed linear map of images, chosen without looking at data.

    A released gradient costs the same in every view, but its noise has one share per coordinate: fewer coordinates,
    more signal.
    """

    @abc.abstractmethod
    def shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Shape (channels, height, width) of the view of an image of the given shape."""

    @abc.abstractmethod
    def look(self, images: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the view, linearly and image by image."""


@dataclass(frozen=True, kw_only=True)
class WholeImage(AbstractView):
    """The image itself, as published."""

    def shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape of the image."""
        return image_shape

    def look(self, images: Tensor) -> Tensor:
        """The images, unchanged."""
        return images


@dataclass(frozen=True, kw_only=True)
class Pooled(AbstractView):
    """Means over square blocks of pixels; blocks at the lower and right edge may be smaller.

    Attributes:
        factor: side of a block in pixels, >= 1.
    """

    factor: int

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise InputError(f"factor of a pooled view must be at least 1, got {self.factor}")

    def shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """(channels, ceil(height / factor), ceil(width / factor))."""
        channels, height, width = image_shape
        return channels, -(-height // self.factor), -(-width // self.factor)

    def look(self, images: Tensor) -> Tensor:
        """Mean over each block."""
        return functional.avg_pool2d(images, self.factor, ceil_mode=True, count_include_pad=False)


@dataclass(frozen=True, kw_only=True)
class LowFrequencies(AbstractView):
    """Cosine coefficients of low frequency: those (u, v) with ``u^2 + v^2 < radius^2``, of each channel.

    The transform is the orthonormal two-dimensional DCT-II, times ``scale``.

    Attributes:
        radius: in units of the lowest frequency, > 0. At 28x28, radius 10 keeps 86 coefficients, radius 12 keeps 121.
        scale: public factor, so that a critic's slope of 1 suits its inputs.
    """

    radius: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (self.radius > 0 and self.scale > 0):
            raise InputError("radius and scale of a view of low frequencies must be positive")

    def shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """(channels, 1, coefficients)."""
        channels, height, width = image_shape
        return channels, 1, len(cosine_basis(height, width, self.radius)[1])

    def look(self, images: Tensor) -> Tensor:
        """The coefficients, (batch, channels, 1, coefficients)."""
        basis = cosine_basis(images.shape[-2], images.shape[-1], self.radius)[0].to(images)
        return (images.flatten(start_dim=2) @ (self.scale * basis)).unsqueeze(2)


@functools.lru_cache(maxsize=16)
def cosine_basis(height: int, width: int, radius: float) -> tuple[Tensor, Tensor]:
    """Orthonormal cosine functions of low frequency, lowest first.

    Returns:
        The functions as columns, float32 (height * width, n), and their frequencies ``sqrt(u^2 + v^2) < radius``, (n,).
    """
    rows, columns = _cosines(height), _cosines(width)
    frequency = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    squared = frequency.square().sum(dim=1)
    order = torch.argsort(squared, stable=True)
    kept = frequency[order[squared[order] < radius**2]]
    functions = torch.einsum("nh,nw->hwn", rows[kept[:, 0]], columns[kept[:, 1]])
    return functions.reshape(height * width, -1).float(), kept.square().sum(dim=1).sqrt().float()


def _cosines(size: int) -> Tensor:
    """Rows of the orthonormal DCT-II: ``sqrt(2/n) cos(pi (i + 1/2) k / n)``, the first one divided by sqrt 2."""
    place, frequency = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)
    rows = torch.cos(math.pi * (place + 0.5) * frequency[:, None] / size) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


View = WholeImage | Pooled | LowFrequencies
