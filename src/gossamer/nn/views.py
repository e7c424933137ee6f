"""Public views of a sample, image or series: the input of a critic, in which its gradient is released."""

from __future__ import annotations

import abc
import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from gossamer.errors import InputError
from gossamer.nn.exact import matmul_of_rows
from gossamer.nn.series.endings import looked_up
from gossamer.nn.series.network import MIN_LENGTH
from gossamer.nn.series.slow_time import SlowTime
from gossamer.nn.settings import Shape, check_positive

if TYPE_CHECKING:
    from torch import Tensor


class AbstractView(abc.ABC):
    """A fixed map of samples, chosen without reading data, and linear in all views but `Stretched`.

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
        from torch.nn import functional

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
        num_coefficients = len(low_frequencies(*plane(sample_shape), self.radius))
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
        from torch.nn import functional

        filled = functional.pad(samples, (0, -samples.shape[-1] % self.row))
        return filled.unflatten(-1, (-1, self.row))


@dataclass(frozen=True, kw_only=True)
class Stretched(AbstractView):
    """A series up to its last zeros, stretched over the whole time, in few functions of `SlowTime`, and its length.

    A beat from its R peak on, filled up with zeros, has its next peak anywhere. In raw time critics agree on an average
    of many places alone. Stretched, the waves of one beat lie above those of another.

    The map is not linear. It is a public function of each series alone, which is all that the guarantee asks. It has a
    gradient in the length too, since a series may end in a part of a sample. The end is behind the last sample that is
    not zero in all channels. Where that sample is lower than the one before, it counts as that part of a sample.

    Attributes:
        time: of the functions.
        level: level of the series with all coefficients 0. Public.
        length_weight: weight of the length beside the values, times the root of their number in time.
        scale: public factor of all coefficients, so that a critic's slope of 1 suits its inputs.
    """

    time: SlowTime = field(default_factory=SlowTime)
    level: float = 0.3
    length_weight: float = 0.3
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "length_weight", "scale")
        if not 0 <= self.level <= 1:
            raise InputError(f"level must lie between 0 and 1, got {self.level}")

    def shape(self, sample_shape: Shape) -> Shape:
        """Return (1, channels * count + 1).

        Raises:
            InputError: a sample that is no series.
        """
        if len(sample_shape) != 2:
            raise InputError(f"only series end, not samples of shape {tuple(sample_shape)}; take another view")
        self.time.basis(sample_shape[1])
        return 1, sample_shape[0] * self.time.count + 1

    def apply(self, samples: Tensor) -> Tensor:
        """Compute the coefficients and the length, (batch, 1, channels * count + 1)."""
        stretched, length = self._stretched(samples)
        return self._joined((stretched - self.level) @ self.time.basis(samples.shape[2]).to(samples), length)

    def apply_to_records(self, records: Tensor) -> Tensor:
        """Compute the coefficients by `matmul_of_rows`."""
        stretched, length = self._stretched(records)
        basis = self.time.basis(records.shape[2]).to(records)
        return self._joined(matmul_of_rows(stretched - self.level, basis).to(records), length)

    def _joined(self, coefficients: Tensor, length: Tensor) -> Tensor:
        import torch

        return self.scale * torch.cat([coefficients.flatten(start_dim=1), length], dim=1).unsqueeze(1)

    def _stretched(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """Return series (batch, channels, time) stretched to their ends, and the weighted lengths (batch, 1)."""
        import torch

        time = series.shape[2]
        ends = _ends(series)[:, None]
        steps = torch.arange(time, device=series.device) / (time - 1)
        return looked_up(series, steps * (ends - 1)), self.length_weight * math.sqrt(time) * (ends / time - 0.5)


def _ends(series: Tensor) -> Tensor:
    """Return the number of samples before the last zeros, (batch,), of which the last may count in part."""
    import torch

    values = series.sum(dim=1)
    after = torch.arange(1, series.shape[2] + 1, device=series.device)
    whole = ((values != 0) * after).amax(dim=1).clamp_min(MIN_LENGTH + 1)
    last, before = (values.gather(1, whole[:, None] - back)[:, 0] for back in (1, 2))
    part = last / before.detach().clamp_min(1e-3)
    # A part above one is one, with the gradient of the part: a generator must be able to draw longer series.
    ends = whole - 1 + part - (part - 1).clamp_min(0).detach()
    # A sample that is no number stays one in its values. Its place must still be one.
    return ends.nan_to_num(nan=float(MIN_LENGTH))


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
def low_frequencies(height: int, width: int, radius: float) -> np.ndarray:
    """Return the pairs (u, v) with ``u^2 + v^2 < radius^2``, int64 (n, 2), lowest frequency first.

    Raises:
        InputError: too many functions for so large a plane.
    """
    pairs = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1).reshape(-1, 2)
    squared = np.square(pairs).sum(axis=1)
    order = np.argsort(squared, kind="stable")
    # Compared in float32, as ever: released generators have as many functions as were counted then.
    kept = pairs[order[squared[order].astype(np.float32) < np.float32(radius**2)]]
    if height * width * len(kept) > MAX_BASIS_VALUES:
        raise InputError(
            f"radius: {len(kept)} functions on {height} x {width} are more than {MAX_BASIS_VALUES} numbers; take a "
            "smaller radius"
        )
    return kept


@functools.lru_cache(maxsize=16)
def cosine_basis(height: int, width: int, radius: float) -> tuple[Tensor, Tensor]:
    """Compute orthonormal cosine functions of low frequency, lowest first.

    Returns:
        The functions as columns, float32 (height * width, n), and their frequencies ``sqrt(u^2 + v^2) < radius``, (n,).

    Raises:
        InputError: too many functions for so large a plane.
    """
    import torch

    kept = torch.from_numpy(low_frequencies(height, width, radius))
    rows, columns = _cosines(height), _cosines(width)
    functions = torch.einsum("nh,nw->hwn", rows[kept[:, 0]], columns[kept[:, 1]])
    return functions.reshape(height * width, -1).float(), kept.square().sum(dim=1).sqrt().float()


def _cosines(size: int) -> Tensor:
    """Compute the rows of the orthonormal DCT-II.

    The rows are ``sqrt(2/n) cos(pi (i + 1/2) k / n)``, the first one divided by sqrt 2.
    """
    import torch

    place, frequency = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)
    rows = torch.cos(math.pi * (place + 0.5) * frequency[:, None] / size) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


View = WholeImage | Pooled | LowFrequencies | Folded | Stretched
