"""Critics in closed form: potentials of the energy distance between samples of the generator and a shard's records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from gossamer.mechanisms.pieces import Pieces

_SHORTEST = 1e-3


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
    def _by_class(self) -> _ByClass:
        """The samples of every class of every group, a row each, and behind them a row of no samples."""
        (groups, num_samples), classes = self.labels.shape, len(self.pool)
        ranks = (functional.one_hot(self.labels, classes).cumsum(dim=1) - 1).gather(2, self.labels[..., None])[..., 0]
        group = torch.arange(groups, device=self.labels.device)[:, None]
        # A place behind the last sample is left out in the end.
        places = self.labels.new_full((groups, classes, int(ranks.max()) + 1), num_samples)
        places[group, self.labels, ranks] = torch.arange(num_samples, device=self.labels.device)
        points, centre = (
            functional.pad(one, (0, 0, 0, 1))[group[..., None], places] for one in (self.points, self.centre)
        )
        return _ByClass(
            places=places,
            points=functional.pad(points.flatten(end_dim=1), (0, 0, 0, 0, 0, 1)),
            centre=functional.pad(centre.flatten(end_dim=1), (0, 0, 0, 0, 0, 1)),
            is_sample=functional.pad(places.flatten(end_dim=1) < num_samples, (0, 0, 0, 1))[..., None].to(points),
        )

    def pieces(self, groups: Tensor, records: Tensor, labels: Tensor, is_empty: Tensor | None = None) -> Pieces:
        """Compute the slopes of critics' potentials at the samples of their groups, a piece for each class of a record.

        Guarantee: row j of the result depends on row j of the arguments alone, and on public things.

        Args:
            groups: the group that each critic answers, int64 (n,).
            records: drawn from each critic's shard, in the view, flat, (n, k, d). Private.
            labels: their classes, int64 (n, k). Private.
            is_empty: bool (n,), critics of empty shards, which answer zero. Private. Default: none.

        Returns:
            k pieces of each critic, private. The slopes of records of one class are added in the first of its pieces.
        """
        seen, (num, num_records) = self._by_class, labels.shape
        num_classes, most, dim = len(self.pool), seen.points.shape[1], self.points.shape[2]
        classes = labels if is_empty is None else labels.masked_fill(is_empty[:, None], num_classes)
        rows = (groups[:, None] * num_classes + labels).masked_fill(classes == num_classes, len(seen.points) - 1)
        # The first record of the same class: the greatest of several alike is the first.
        first = (classes[:, :, None] == classes[:, None, :]).to(torch.int64).argmax(dim=2)
        pieces = num_records * torch.arange(num, device=groups.device)[:, None] + first
        found = self.points.new_zeros(num * num_records, most * dim)
        # One record after the other: sums of a fixed order, which round alike at every place.
        for record, row, piece in zip(*(one.unbind(dim=1) for one in (records, rows, pieces)), strict=True):
            # Subtracted in place the wrong way round, which the sign of the share puts right.
            away = seen.points.index_select(0, row).sub_(record[:, None])
            shares = ((away.norm(dim=-1, keepdim=True) + _SHORTEST) * -num_records).reciprocal_()
            away.mul_(shares.mul_(seen.is_sample.index_select(0, row)))
            away.sub_(seen.centre.index_select(0, row), alpha=1 / num_records)
            found.index_add_(0, piece, away.flatten(start_dim=1))
        values = found.view(num, num_records, most, dim)
        return Pieces(values=values, blocks=classes, places=seen.places, num_samples=self.points.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class _ByClass:
    """Samples by group and class, a row each, and in the last row none. All of it is public.

    Attributes:
        places: of the samples in their group, int64 (c, classes, m), with m the most of a class. Where there is none,
            r. No row of none.
        points: (rows, m, d), zeros where there is none.
        centre: likewise, of the samples' centres.
        is_sample: (rows, m, 1), one where there is a sample, else zero.
    """

    places: Tensor
    points: Tensor
    centre: Tensor
    is_sample: Tensor


_AT_ONCE = 64


def pulls(towards: Tensor, points: Tensor) -> Tensor:
    """Compute unit vectors from points to others, (..., d), shorter within a thousandth of a unit."""
    away = towards - points
    return away / (away.norm(dim=-1, keepdim=True) + _SHORTEST)
