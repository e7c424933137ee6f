"""Critics in closed form: potentials of the energy distance between samples of the generator and a shard's records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

_SHORTEST = 1e-3


@dataclass(frozen=True, kw_only=True)
class DistanceCritic:
    r"""Critics that need no training: each is the potential of the energy distance on its own shard.

    With z the generator's samples of class y and x_j the shard's records of that class, in the stage's view,

    .. math:: D(x, y) = E_z |x - z| - \mathrm{mean}_j |x - x_j|, \qquad
        \nabla D(x, y) = \mathrm{mean}_j\, e(x_j - x) - E_z\, e(z - x), \qquad e(v) = v / |v|.

    The answer is linear in the records. So the mean answer of many small shards points where that of one large shard
    does. It vanishes if records and samples have one law. A trained critic of ten records promises neither. The
    generator's side is an expectation over public samples, and carries no noise of a shard's own. Clipping shortens the
    long answers alone, so after it both hold nearly.

    References: Szekely, Rizzo 2013, "Energy statistics". Bellemare et al. 2017, "The Cramer distance as a solution to
    biased Wasserstein gradients".
    """


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """The samples of c groups that distance critics are asked about, with their places by class. All of it is public.

    Attributes:
        points: samples in the view, flat, (c, r, d).
        labels: their classes, int64 (c, r), zeros without classes.
        pool: samples of the present generator in the view, flat, (classes, p, d).
    """

    points: Tensor
    labels: Tensor
    pool: Tensor

    @cached_property
    def centre(self) -> Tensor:
        """Mean pulls of the generator's own samples of the class, (c, r, d)."""
        rows = zip(self.points.flatten(end_dim=1).split(_AT_ONCE), self.labels.flatten().split(_AT_ONCE), strict=True)
        parts = [pulls(self.pool[labels], points[:, None]).mean(dim=1) for points, labels in rows]
        return torch.cat(parts).view_as(self.points)

    @cached_property
    def ranks(self) -> Tensor:
        """Place of every sample among those of its class in its group, int64 (c, r)."""
        marks = functional.one_hot(self.labels, len(self.pool))
        return (marks.cumsum(dim=1) - 1).gather(2, self.labels[..., None]).squeeze(2)

    @cached_property
    def places(self) -> Tensor:
        """Samples of every class by rank, int64 (c, classes, most of a class), -1 where there is none."""
        groups, most = len(self.points), int(self.ranks.max()) + 1
        places = torch.full((groups, len(self.pool), most), -1, device=self.points.device)
        group = torch.arange(groups, device=self.points.device)[:, None].expand_as(self.labels)
        number = torch.arange(self.labels.shape[1], device=self.points.device).expand_as(self.labels)
        places[group, self.labels, self.ranks] = number
        return places

    def answers(self, groups: Tensor, records: Tensor, labels: Tensor) -> Tensor:
        """Compute the slopes of critics' potentials at the samples of their groups.

        Guarantee: row j of the result depends on row j of the arguments alone, and on public things.

        Args:
            groups: the group that each critic answers, int64 (n,).
            records: drawn from each critic's shard, in the view, flat, (n, k, d). Private.
            labels: their classes, int64 (n, k). Private.

        Returns:
            (n, r, d), private.
        """
        rows, (num_samples, dim) = torch.arange(len(groups), device=groups.device)[:, None], self.points.shape[1:]
        # A place of -1, where a class has no more samples, is the last row, which is left out.
        found = self.points.new_zeros(len(groups), num_samples + 1, dim)
        # One record after the other: sums of a fixed order, which round alike at every place.
        for record, label in zip(records.unbind(dim=1), labels.unbind(dim=1), strict=True):
            place = self.places[groups, label]
            away = pulls(record[:, None], self.points[groups[:, None], place]) - self.centre[groups[:, None], place]
            found[rows, place] += away
        return found[:, :num_samples].div_(records.shape[1])


_AT_ONCE = 64


def pulls(towards: Tensor, points: Tensor) -> Tensor:
    """Compute unit vectors from points to others, (..., d), shorter within a thousandth of a unit."""
    away = towards - points
    return away / (away.norm(dim=-1, keepdim=True) + _SHORTEST)
