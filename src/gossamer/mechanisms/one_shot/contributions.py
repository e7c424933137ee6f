"""Contributions of one slot to a noisy sum, on a public grid, and the sensitivity that follows."""

from __future__ import annotations

import abc
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gossamer.errors import InputError
from gossamer.mechanisms.grid import GRID_SHARE, PublicGrid

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_RADIUS: Final = 1e-100
"""Least radius. From it to its inverse, products of a radius and a coordinate keep all digits of float64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slots:
    """Content of some of the slots: a row for each slot or, if slots are people, for each of their records. Private.

    Attributes:
        vectors: (rows, dim), any floating type.
        groups: int64 (rows,), the group that the row adds to.
        owners: int64 (rows,), the slot of each row. None if every row is a slot of its own.
    """

    vectors: Tensor
    groups: Tensor
    owners: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class AbstractContribution(abc.ABC):
    """Contribution of one slot to a sum, and the distance that the sum moves when the content of one slot changes.

    Each contribution lies on a public grid, slot by slot, as integers. `counted` is for rows that are slots, `averaged`
    for the rows of one person taken together. The value of an integer is public too: `steps`, and the spacing of
    `person_grid`.

    Attributes:
        num_groups: G, public number of groups (classes, components), at least 1.
        dim: coordinates of a slot's vector, at least 1.
        radius: bound on the norm of a slot's vector, in 1e-100 .. 1e100. Longer vectors are shrunk to it.
    """

    num_groups: int
    dim: int
    radius: float

    def __post_init__(self) -> None:
        for name in ("num_groups", "dim"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a contribution must be at least 1, got {getattr(self, name)}")
        # Privacy: a clip to a radius of denormal numbers rounds by more than the share that is left to rounding.
        if not _LEAST_RADIUS <= self.radius <= 1 / _LEAST_RADIUS:
            raise InputError(
                f"radius of a contribution must lie in {_LEAST_RADIUS:g} .. {1 / _LEAST_RADIUS:g}, got {self.radius}"
            )

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Coordinates of the sum."""

    @property
    @abc.abstractmethod
    def norm_bound(self) -> float:
        """Largest norm of one slot's contribution."""

    @property
    @abc.abstractmethod
    def sensitivity(self) -> float:
        """Largest distance that the sum moves when one slot is filled, emptied or replaced."""

    @property
    @abc.abstractmethod
    def clarity(self) -> float:
        """Largest length that one slot adds to a group, over the length of noise of deviation 1 on that group."""

    @property
    @abc.abstractmethod
    def weights(self) -> Tensor:
        """Factor of each coordinate of the sum, float64 (size,), public."""

    @property
    @abc.abstractmethod
    def steps(self) -> Tensor:
        """Value of the integer 1 of `counted` in the sum, float64 (size,): a weight times the spacing, public."""

    @property
    @abc.abstractmethod
    def _power(self) -> int:
        """Largest number of coordinates of a vector that are multiplied for one coordinate of the sum."""

    @abc.abstractmethod
    def _added(self, points: Tensor, one_hot: Tensor, one: float) -> Tensor:
        """Return unweighted sums over rows, float64 (size,).

        Args:
            points: (rows, dim).
            one_hot: (rows, G).
            one: value of a row in a count.
        """

    @functools.cached_property
    def record_grid(self) -> PublicGrid:
        """Grid of a slot's vector over its radius."""
        return PublicGrid(radius=1.0, num_coordinates=self.dim)

    @functools.cached_property
    def person_grid(self) -> PublicGrid:
        """Grid of a person's whole contribution, of as many coordinates as the sum.

        The contributions of two people are `sensitivity` apart at most before they are shrunk and rounded. So each of
        the two may move by the part left to rounding in a ball of half that radius.
        """
        return PublicGrid(radius=self.sensitivity / 2, num_coordinates=self.size)

    def check_slots(self, num_slots: int) -> None:
        """Refuse more slots than integers hold.

        Raises:
            InputError: too many for this many coordinates.
        """
        self.record_grid.check_sum(num_slots, self._power)
        # No coordinate of a person exceeds the sensitivity, twice the radius of the grid.
        self.person_grid.check_sum(2 * num_slots)

    def counted(self, slots: Slots) -> Tensor:
        """Sum over rows that are slots of their own, as integers: times `steps` this is their contribution.

        ``z = clip(v, (1 - 2^-10) R) / R`` is rounded to the grid, within the unit ball. Sums and products of integers
        are exact in float64 as long as they stay below 2^53, whatever order a matrix product takes. So only as many
        rows are taken at once as cannot exceed it.

        Guarantee: the result is a sum of one term for each row, and a term depends on its row alone, exactly. Times
        `steps` the term has norm `norm_bound` at most, and lies in the set that has `sensitivity` as its diameter. A
        row that is not finite, or has a group outside 0 .. G - 1, adds nothing.

        Returns:
            int64 (size,).
        """
        import torch

        grid = self.record_grid
        points, one_hot = self._bounded(slots, grid.inner_radius)
        at_once = grid.num_exact(self._power)
        integers = grid.rounded(points).split(at_once), one_hot.split(at_once)
        sums = [self._added(*part, 1 / grid.spacing).to(torch.int64) for part in zip(*integers, strict=True)]
        return torch.stack(sums).sum(dim=0)

    def averaged(self, slots: Slots) -> Tensor:
        """Average the contributions of all rows of one person, as integers: times the spacing of `person_grid`.

        Guarantee: a function of these rows alone. The contributions of two people, or of a person and nobody, are
        `sensitivity` apart at most. Means of rows are that far apart at most, and they are shrunk by 2^-10 and rounded
        each by itself.

        Args:
            slots: all rows of one person, and none of others, at least one.

        Returns:
            int64 (size,).
        """
        import torch

        points, one_hot = self._bounded(slots, 1.0)
        mean = self._added(points, one_hot, 1.0).mul_(self.weights.to(points.device)).div_(len(points))
        return self.person_grid.rounded(mean.mul_(1 - GRID_SHARE)).to(torch.int64)

    def total(self, slots: Slots) -> Tensor:
        """Sum over rows that are slots of their own, float64 (size,): `counted` times `steps`."""
        import torch

        return self.counted(slots).to(torch.float64) * self.steps.to(slots.vectors.device)

    def _bounded(self, slots: Slots, bound: float) -> tuple[Tensor, Tensor]:
        """Return vectors over the radius in the ball of ``bound``, and one-hot groups, zero if a row adds nothing."""
        import torch

        from gossamer.mechanisms.clipping import clip_to_ball

        vectors = slots.vectors.detach().flatten(start_dim=1)
        if vectors.shape[1] != self.dim or slots.groups.shape != vectors.shape[:1]:
            raise ValueError(f"slots have shape {tuple(vectors.shape)}, the contribution takes {self.dim} numbers each")
        # Privacy: nothing branches on a broken row, and its weight is zero.
        is_whole = vectors.isfinite().all(dim=1)
        one_hot = slots.groups[:, None] == torch.arange(self.num_groups, device=vectors.device)
        counted = (one_hot & is_whole[:, None]).to(torch.float64)
        return clip_to_ball(vectors, bound * self.radius) / self.radius, counted


@dataclass(frozen=True, kw_only=True)
class GroupedVectors(AbstractContribution):
    """A slot with vector v and group y adds ``onehot(y) (x) clip(v, radius)``: one sum of vectors for each group.

    Guarantee: the contribution of a slot lies in a ball of radius R, zero included. So filling or emptying a slot moves
    the sum by R at most, and replacing its content by 2 R. Opposite vectors of one group attain it.

    >>> GroupedVectors(num_groups=10, dim=1000, radius=1.0).sensitivity
    2.0
    """

    @property
    def size(self) -> int:
        """Coordinates of the sum, ``G dim``."""
        return self.num_groups * self.dim

    @property
    def norm_bound(self) -> float:
        """Radius R."""
        return self.radius

    @property
    def sensitivity(self) -> float:
        """Diameter of the ball, ``2 R``."""
        return 2.0 * self.radius

    @property
    def clarity(self) -> float:
        """Radius over the length of noise of deviation 1 on a group, ``R / sqrt(dim)``."""
        return self.radius / math.sqrt(self.dim)

    @functools.cached_property
    def weights(self) -> Tensor:
        """Radius R for every coordinate."""
        import torch

        return torch.full((self.size,), self.radius, dtype=torch.float64)

    @property
    def steps(self) -> Tensor:
        """Radius times the spacing for every coordinate."""
        return self.weights * self.record_grid.spacing

    @property
    def _power(self) -> int:
        return 1

    def _added(self, points: Tensor, one_hot: Tensor, one: float) -> Tensor:
        return (one_hot.T @ points).flatten()

    def sums(self, released: Tensor) -> Tensor:
        """Return the sum in the shape (G, dim)."""
        return released.unflatten(0, (self.num_groups, self.dim))


@dataclass(frozen=True, kw_only=True)
class GroupedMoments(AbstractContribution):
    """A slot with vector v and group y adds ``onehot(y) (x) (a, b z, c z z^T)``, ``z = clip(v, R) / R``.

    The symmetric matrix is written as its upper triangle with the factor ``sqrt 2`` off the diagonal. So norms and
    distances are those of Frobenius, and independent noise on each coordinate is symmetric noise on the matrix.

    Guarantee: `sensitivity` is the square root of the largest of::

        a^2 + b^2 + c^2                                         filled or emptied,
        2 (a^2 + b^2 + c^2), for two groups or more             replaced by content of another group,
        2 b^2 + 2 c^2 + max over |t| <= 1 of (-2 b^2 t - 2 c^2 t^2)      replaced by content of the same group.

    Proof of the third: with ``t = z . z'``, ``|z - z'|^2 = |z|^2 + |z'|^2 - 2 t`` and ``|z z^T - z' z'^T|^2 = |z|^4 +
    |z'|^4 - 2 t^2``; norms are at most 1, and so is |t|. In particular matrices alone, of one group, are at most
    ``sqrt 2 c`` apart and not 2 c: ``<z z^T, z' z'^T> = t^2`` is never negative. The maximum is attained from two
    dimensions on (docs/concepts/dp-mixture.md).

    Attributes:
        count_weight: a, >= 0.
        mean_weight: b, >= 0.
        square_weight: c, >= 0. Not all three are zero.

    References: Dwork, Talwar, Thakurta, Zhang 2014, "Analyze Gauss", for the matrix alone.

    >>> round(GroupedMoments(num_groups=1, dim=30, radius=5.0, square_weight=1.0).sensitivity, 4)
    1.4142
    """

    count_weight: float = 0.0
    mean_weight: float = 0.0
    square_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = (self.count_weight, self.mean_weight, self.square_weight)
        if not all(0 <= weight < math.inf for weight in weights) or max(weights) == 0:
            raise InputError(f"weights of moments must be 0 or more and not all 0, got {weights}")

    @property
    def size(self) -> int:
        """Coordinates: G times those of a group, 1, dim and dim (dim + 1) / 2, without parts of weight zero."""
        return self.num_groups * sum(self._sizes)

    @property
    def norm_bound(self) -> float:
        """Norm of the three weights, ``sqrt(a^2 + b^2 + c^2)``."""
        return math.sqrt(self.count_weight**2 + self.mean_weight**2 + self.square_weight**2)

    @property
    def sensitivity(self) -> float:
        """Largest of the three distances above."""
        bound, mean, square = self.norm_bound**2, self.mean_weight**2, self.square_weight**2
        # The parabola -2 mean t - 2 square t^2 is highest at -mean / (2 square), or at the end of the interval.
        t = -1.0 if mean >= 2 * square else -mean / (2 * square)
        same_group = 2 * mean + 2 * square - 2 * mean * t - 2 * square * t**2
        other_group = 2 * bound if self.num_groups > 1 else 0.0
        return math.sqrt(max(bound, same_group, other_group))

    @property
    def clarity(self) -> float:
        """Smaller of two clarities: of counts and sums by their norm, of squares by the spectral norm.

        The spectral norm of the noise is ``sqrt(2 dim)``. Directions are read from a matrix, and not entries.
        """
        count_size, mean_size, _ = self._sizes
        found = []
        if count_size + mean_size:
            found.append(math.hypot(self.count_weight, self.mean_weight) / math.sqrt(count_size + mean_size))
        if self.square_weight:
            found.append(self.square_weight / math.sqrt(2 * self.dim))
        return min(found)

    @functools.cached_property
    def weights(self) -> Tensor:
        """Weights a, b, c, and ``sqrt 2 c`` off the diagonal, for each number of each group."""
        import torch

        count_size, mean_size, _ = self._sizes
        groups = torch.ones(self.num_groups, 1, dtype=torch.float64)
        of_group = (
            self.count_weight * torch.ones(1, count_size, dtype=torch.float64),
            self.mean_weight * torch.ones(1, mean_size, dtype=torch.float64),
            self.square_weight * self._scale[None],
        )
        return torch.cat([(groups * part).flatten() for part in of_group])

    @property
    def steps(self) -> Tensor:
        """Each weight times the spacing, or times its square if coordinates are multiplied.

        Weights stand outside the grid. A coordinate is priced times its weight, with noise of one deviation on all. The
        coordinate is released over its weight, and so is its noise. That is the same release written in another unit.
        """
        import torch

        spacing, (count_size, mean_size, _) = self.record_grid.spacing, self._sizes
        spacings = torch.full((self.size,), spacing, dtype=torch.float64)
        spacings[self.num_groups * (count_size + mean_size) :] = spacing**2
        return self.weights * spacings

    @property
    def _power(self) -> int:
        return 2 if self.square_weight else 1

    def _added(self, points: Tensor, one_hot: Tensor, one: float) -> Tensor:
        """Return counts, sums and sums of squares, of all groups one after the other."""
        import torch

        parts = []
        if self.count_weight:
            parts.append(one * one_hot.sum(dim=0))
        if self.mean_weight:
            parts.append((one_hot.T @ points).flatten())
        if self.square_weight:
            parts.append(self._squares_added(points, one_hot).flatten())
        return torch.cat(parts)

    def _squares_added(self, points: Tensor, one_hot: Tensor) -> Tensor:
        """Return sums of outer products of each group's own rows, (G, dim (dim + 1) / 2)."""
        rows, columns = self._triangle
        # One array for all: small results of many products, each between large passing arrays, would pin these.
        found = points.new_zeros(self.num_groups, len(rows))
        for group in one_hot.any(dim=0).nonzero()[:, 0].tolist():
            own = points[one_hot[:, group] > 0]
            found[group] = (own.T @ own)[rows, columns]
        return found

    def counts(self, released: Tensor) -> Tensor:
        """Return the noisy number of slots in each group, (G,)."""
        return self._parts(released)[0].flatten() / self._weight("count_weight")

    def sums(self, released: Tensor) -> Tensor:
        """Return the sums of the clipped vectors, (G, dim), in the units of the vectors."""
        return self._parts(released)[1] * (self.radius / self._weight("mean_weight"))

    def squares(self, released: Tensor) -> Tensor:
        """Return sums of clipped vectors' outer products, (G, dim, dim): symmetric, with noise not semi-definite."""
        packed = self._parts(released)[2] * (self.radius**2 / self._weight("square_weight"))
        rows, columns = self._triangle
        matrix = packed.new_zeros(self.num_groups, self.dim, self.dim)
        matrix[:, rows, columns] = packed / self._scale.to(packed)
        matrix[:, columns, rows] = packed / self._scale.to(packed)
        return matrix

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """Numbers of one group: counts, sums, squares."""
        return (
            1 if self.count_weight else 0,
            self.dim if self.mean_weight else 0,
            self.dim * (self.dim + 1) // 2 if self.square_weight else 0,
        )

    def _parts(self, released: Tensor) -> list[Tensor]:
        parts = released.split([self.num_groups * size for size in self._sizes])
        return [part.unflatten(0, (self.num_groups, -1)) if len(part) else part for part in parts]

    def _weight(self, name: str) -> float:
        weight = getattr(self, name)
        if weight == 0:
            raise ValueError(f"this sum was released without the part of {name}")
        return weight

    @functools.cached_property
    def _triangle(self) -> tuple[Tensor, Tensor]:
        """Rows and columns of the upper triangle."""
        import torch

        rows, columns = torch.triu_indices(self.dim, self.dim)
        return rows, columns

    @functools.cached_property
    def _scale(self) -> Tensor:
        """Factor of each entry of the triangle, empty if there are no squares."""
        import torch

        if not self.square_weight:
            return torch.zeros(0, dtype=torch.float64)
        rows, columns = self._triangle
        return torch.where(rows == columns, 1.0, math.sqrt(2)).to(torch.float64)


Contribution = GroupedVectors | GroupedMoments
