"""Worth of mean embeddings: the part of them that lies above their noise and beyond an even record."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.methods.worth import pairs_apart

_NUM_TRIED = 21
_NUM_ZOOMS = 4
_LARGEST_VARIANCE = 0.25
_LEVEL_ERROR = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class ReleasedEmbeddings:
    r"""Noisy mean embeddings of classes, beside the noise in them and the embedding of even records.

    An even record has one level in each channel, and may be blurred by white noise of one variance v. Its mean
    embedding is known: :math:`e^{-|w|^2 v / 2} (\cos w x, \sin w x)`. All that the released embeddings hold beyond
    the nearest one is a pattern or noise.

    Attributes:
        means: noisy, (classes, d), cosines first.
        counts: noisy counts of classes, positive, (classes,).
        noise: deviation of the noise on every coordinate of a sum.
        frequencies: (d / 2, values).
        num_channels: of a record.
    """

    means: Tensor
    counts: Tensor
    noise: float
    frequencies: Tensor
    num_channels: int

    @property
    def signal(self) -> float:
        """Part above noise of the energy beyond an even record, a mean over classes."""
        beyond = (self.means - self._nearest_even(self._common)).square().sum(dim=1)
        # Not cut off at 0 class by class, so that errors of either sign average out.
        return max(0.0, float((1 - self._noise_energy / beyond).mean()))

    @property
    def classes_apart(self) -> float | None:
        """Share of pairs of classes with embeddings further apart than noise and the scatter of records allow."""
        return pairs_apart(self.means, self.noise / self.counts, 1 / self.counts)

    @property
    def knows_level(self) -> bool:
        """True if the common embedding is ten times as long as its noise."""
        common = self._common
        noise = self.noise / float(self.counts.sum()) * math.sqrt(len(common))
        return noise < 0.1 * float(common.norm())

    @property
    def _common(self) -> Tensor:
        return self.counts @ self.means / self.counts.sum()

    @property
    def _noise_energy(self) -> Tensor:
        """Energy of noise, and of the chance by which a mean of unit vectors moves, (classes,)."""
        return self.means.shape[1] * (self.noise / self.counts).square() + 1 / self.counts

    def _nearest_even(self, target: Tensor) -> Tensor:
        """Search for the even record with the nearest embedding, one number after the other, each time more finely."""
        turns = self.frequencies.unflatten(1, (self.num_channels, -1)).sum(dim=2).double()
        squares = self.frequencies.double().square().sum(dim=1)
        found = torch.cat([torch.full((self.num_channels,), 0.5, dtype=torch.float64), torch.zeros(1).double()])
        highest = torch.cat([torch.ones(self.num_channels).double(), torch.tensor([_LARGEST_VARIANCE]).double()])

        def embedded(numbers: Tensor) -> Tensor:
            angles = numbers[:, :-1] @ turns.T
            scale = torch.exp(-numbers[:, -1:] * squares / 2) / math.sqrt(len(turns))
            return torch.cat([angles.cos() * scale, angles.sin() * scale], dim=1)

        for zoom in range(2 * _NUM_ZOOMS):
            width = 0.5 ** max(0, zoom - 1) / (1 if zoom < 2 else 4)
            for place in range(len(found)):
                middle = found[place] if zoom else highest[place] / 2
                tried = middle + highest[place] * width * torch.linspace(-0.5, 0.5, _NUM_TRIED).double()
                numbers = found.repeat(_NUM_TRIED, 1)
                numbers[:, place] = torch.minimum(tried.clamp_min(0), highest[place])
                distance = (embedded(numbers) - target).square().sum(dim=1)
                found = numbers[int(distance.argmin())]
        return embedded(found[None])[0]
