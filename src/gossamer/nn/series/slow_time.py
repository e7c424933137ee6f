"""A time that runs slowly near public places, and cosines of it: few functions that can draw a sharp peak there."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.errors import InputError
from gossamer.nn.settings import check_positive, checked_count

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SlowTime:
    """A public time of series, and an orthonormal basis in it.

    Let x in [0, 1] be the place in a series, m the places, w the width and a the slowness. The slow time u runs from 0
    to 1 at the speed ``1 + a sum_m exp(-(x - m)^2 / (2 w^2))``, up to a factor. The functions are ``cos(pi f u)`` for
    f = 0, 1, ..., made orthonormal in this order. Without slowness they span the cosines of `LowFrequencies`. A cosine
    of frequency f bends within ``1 / f`` of the slow time, which near a place is ``1 + a`` times finer.

    Args:
        count: number of functions.
        places: where time runs slowly, as fractions of the series. A beat cut from its R peak on has one at 0.
        slowness: by how much, 0 or more.
        width: of a slow stretch, as a fraction of the series.
    """

    count: int = 40
    places: tuple[float, ...] = (0.0,)
    slowness: float = 6.0
    width: float = 0.03

    def __post_init__(self) -> None:
        checked_count("count", self.count)
        check_positive(self, "width")
        if not 0 <= self.slowness < math.inf:
            raise InputError(f"slowness must be 0 or more, got {self.slowness}")
        if not all(0 <= place <= 1 for place in self.places):
            raise InputError("places of a slow time must lie between 0 and 1")

    def basis(self, length: int) -> Tensor:
        """Return the functions as columns, float32 (length, count), lowest frequency first.

        Raises:
            InputError: more functions than samples.
        """
        if self.count > length:
            raise InputError(f"count: {self.count} functions on {length} samples; take at most as many")
        return _basis(self, length)

    def times(self, length: int) -> Tensor:
        """Return the slow time of each sample, float64 (length,), from 0 to 1."""
        import torch

        place = torch.linspace(0, 1, length, dtype=torch.float64)
        distance = (place[:, None] - torch.tensor(self.places, dtype=torch.float64)) / self.width
        speed = 1 + self.slowness * torch.exp(-distance.square() / 2).sum(dim=1)
        passed = torch.cumsum((speed[1:] + speed[:-1]) / 2, dim=0)
        return torch.cat([passed.new_zeros(1), passed / passed[-1]])


@functools.lru_cache(maxsize=16)
def _basis(time: SlowTime, length: int) -> Tensor:
    import torch

    cosines = torch.cos(math.pi * time.times(length)[:, None] * torch.arange(time.count))
    functions, triangle = torch.linalg.qr(cosines)
    # The sign that keeps each function near its cosine, which the factorisation leaves open.
    return (functions * triangle.diagonal().sign()).float()
