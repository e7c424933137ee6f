"""Public linear views of a sample, image or series: the input of a critic, in which its gradient is released."""

from __future__ import annotations

import abc
import functools
import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from gossamer.errors import InputError
from gossamer.nn.exact import matmul_of_rows
from gossamer.nn.network import Shape


class AbstractView(abc.ABC):
    """A fixed linear map of samples, chosen without reading data.

    A released gradient costs the same in every view, but its noise has one share per coordinate. Fewer coordinates mean
    more signal.
    """

    @abc.abstractmethod
    def shape(self, sample_shape: Shape) -> Shape:
        """Return the shape of the view of a sample of the given shape, channels first: the input shape of a critic."""

    @abc.abstractmethod
    def apply(self, samples: Tensor) -> Tensor:
        """Map (batch, *sample shape) to the view, linearly and sample by sample."""

    def apply_to_records(self, records: Tensor) -> Tensor:
        """Map records as `apply` does, without gradients, each the same to the last bit whatever the others are."""
        return self.apply(records)


@dataclass(frozen=True, kw_only=True)
class WholeImage(AbstractView):
    """The sample itself, an image as published or a series."""

    def shape(self, sample_shape: Shape) -> Shape:
        """Return the shape of the sample."""
        return sample_shape

    def apply(self, samples: Tensor) -> Tensor:
        """Return the samples unchanged."""
        return samples


@dataclass(frozen=True, kw_only=True)
class Pooled(AbstractView):
    """Means over square blocks of pixels or stretches of time. Blocks at the lower and right edge may be smaller.

    Attributes:
        factor: side of a block in pixels, or length of a stretch in samples, >= 1.
    """

    factor: int

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise InputError(f"factor of a pooled view must be at least 1, got {self.factor}")

    def shape(self, sample_shape: Shape) -> Shape:
        """Return (channels, ceil(height / factor), ceil(width / factor)), or (channels, ceil(length / factor))."""
        return sample_shape[0], *(-(-side // self.factor) for side in sample_shape[1:])

    def apply(self, samples: Tensor) -> Tensor:
        """Compute the mean over each block."""
        is_series = samples.dim() == 3
        images = samples.unsqueeze(2) if is_series else samples
        block = (1 if is_series else self.factor, self.factor)
        pooled = functional.avg_pool2d(images, block, ceil_mode=True, count_include_pad=False)
        return pooled.squeeze(2) if is_series else pooled


@dataclass(frozen=True, kw_only=True)
class LowFrequencies(AbstractView):
    """Cosine coefficients of low frequency: those (u, v) with ``u^2 + v^2 < radius^2``, of each channel.

    The transform is the orthonormal DCT-II, of two dimensions or of time alone (u = 0), times ``scale``.

    Attributes:
        radius: in units of the lowest frequency, > 0. At 28x28, radius 10 keeps 86 coefficients, radius 12 keeps 121.
            Of a series, radius 10 keeps 10.
        scale: public factor, so that a critic's slope of 1 suits its inputs.
    """

    radius: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (self.radius > 0 and self.scale > 0):
            raise InputError("radius and scale of a view of low frequencies must be positive")

    def shape(self, sample_shape: Shape) -> Shape:
        """Return (channels, 1, coefficients) of an image, (channels, coefficients) of a series."""
        num_coefficients = len(cosine_basis(*plane(sample_shape), self.radius)[1])
        return sample_shape[0], *(1 for _ in sample_shape[2:]), num_coefficients

    def apply(self, samples: Tensor) -> Tensor:
        """Compute the coefficients, (batch, channels, 1, coefficients) or (batch, channels, coefficients)."""
        basis = cosine_basis(*plane(samples.shape[1:]), self.radius)[0].to(samples)
        coefficients = samples.flatten(start_dim=2) @ (self.scale * basis)
        return coefficients.unsqueeze(2) if samples.dim() == 4 else coefficients

    def apply_to_records(self, records: Tensor) -> Tensor:
        """Compute the coefficients by `matmul_of_rows`."""
        basis = cosine_basis(*plane(records.shape[1:]), self.radius)[0].to(records)
        coefficients = matmul_of_rows(records.flatten(start_dim=2), self.scale * basis).to(records)
        return coefficients.unsqueeze(2) if records.dim() == 4 else coefficients


@dataclass(frozen=True, kw_only=True)
class Folded(AbstractView):
    """A series as an image: its samples row by row, zeros behind the last.

    Attributes:
        row: samples in a row, >= 1. A row of 14 makes 14x14 of 187 samples and nine zeros.
    """

    row: int

    def __post_init__(self) -> None:
        if self.row < 1:
            raise InputError(f"row of a folded view must be at least 1, got {self.row}")

    def shape(self, sample_shape: Shape) -> Shape:
        """Return (channels, ceil(length / row), row).

        Raises:
            InputError: a sample that is no series.
        """
        if len(sample_shape) != 2:
            raise InputError(f"only series are folded, not samples of shape {tuple(sample_shape)}; take another view")
        channels, length = sample_shape
        return channels, -(-length // self.row), self.row

    def apply(self, samples: Tensor) -> Tensor:
        """Fold series (batch, channels, length) into images (batch, channels, rows, row)."""
        filled = functional.pad(samples, (0, -samples.shape[-1] % self.row))
        return filled.unflatten(-1, (-1, self.row))


def plane(sample_shape: Shape) -> tuple[int, int]:
    """Return height and width of an image, or 1 and the length of a series.

    To a linear map, a series is an image of one row.

    >>> plane((1, 28, 28)), plane((2, 187))
    ((28, 28), (1, 187))
    """
    height, width = (1, *sample_shape[1:])[-2:]
    return height, width


MAX_BASIS_VALUES: Final = 2**27
"""Largest number of values in a basis: 128 functions on a plane of 1024 x 1024."""


@functools.lru_cache(maxsize=16)
def cosine_basis(height: int, width: int, radius: float) -> tuple[Tensor, Tensor]:
    """Compute orthonormal cosine functions of low frequency, lowest first.

    Returns:
        The functions as columns, float32 (height * width, n), and their frequencies ``sqrt(u^2 + v^2) < radius``, (n,).

    Raises:
        InputError: too many functions for so large a plane.
    """
    rows, columns = _cosines(height), _cosines(width)
    frequency = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    squared = frequency.square().sum(dim=1)
    order = torch.argsort(squared, stable=True)
    kept = frequency[order[squared[order] < radius**2]]
    if height * width * len(kept) > MAX_BASIS_VALUES:
        raise InputError(
            f"radius: {len(kept)} functions on {height} x {width} are more than {MAX_BASIS_VALUES} numbers; take a "
            "smaller radius"
        )
    functions = torch.einsum("nh,nw->hwn", rows[kept[:, 0]], columns[kept[:, 1]])
    return functions.reshape(height * width, -1).float(), kept.square().sum(dim=1).sqrt().float()


def _cosines(size: int) -> Tensor:
    """Compute the rows of the orthonormal DCT-II.

    The rows are ``sqrt(2/n) cos(pi (i + 1/2) k / n)``, the first one divided by sqrt 2.
    """
    place, frequency = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)
    rows = torch.cos(math.pi * (place + 0.5) * frequency[:, None] / size) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


View = WholeImage | Pooled | LowFrequencies | Folded
