"""One or a few noisy sums over slots: what one slot may add, what that costs, and the object that releases them."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from dp_accounting import DpEvent
from torch import Tensor

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.grid import GRID_SHARE, PublicGrid, noisy_sum
from gossamer.mechanisms.noise import AbstractNoise, truncation_delta
from gossamer.mechanisms.priced_plan import AbstractPricedPlan
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import compose_events, gaussian_event
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.slots import CountSource
from gossamer.privacy.statement import Parameter


@dataclass(frozen=True, kw_only=True, eq=False)
class Slots:
    """What some of the slots hold, a row for each slot or, where slots are people, for each of their records. Private.

    Attributes:
        vectors: (rows, dim), any floating type.
        groups: int64 (rows,), the group that the row adds to.
        owners: int64 (rows,), the slot of each row; None where every row is a slot of its own.
    """

    vectors: Tensor
    groups: Tensor
    owners: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class AbstractContribution(abc.ABC):
    """What one slot may add to a sum, and how far the sum then moves when the content of one slot changes.

    All that is added lies on a public grid, slot by slot, as integers: `counted` where a row is a slot, `averaged`
    where the rows of a person are one. What an integer is worth is public too: `steps`, and the spacing of
    `person_grid`.

    Attributes:
        num_groups: G, public number of groups (classes, components), at least 1.
        dim: coordinates of a slot's vector, at least 1.
        radius: bound on the norm of a slot's vector, > 0; longer ones are shrunk to it.
    """

    num_groups: int
    dim: int
    radius: float

    def __post_init__(self) -> None:
        for name in ("num_groups", "dim"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of a contribution must be at least 1, got {getattr(self, name)}")
        if not 0 < self.radius < math.inf:
            raise InputError(f"radius of a contribution must be a positive number, got {self.radius}")

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Coordinates of the sum."""

    @property
    @abc.abstractmethod
    def norm_bound(self) -> float:
        """Largest norm of what one slot adds."""

    @property
    @abc.abstractmethod
    def sensitivity(self) -> float:
        """Largest distance that the sum moves when one slot is filled, emptied or replaced."""

    @property
    @abc.abstractmethod
    def clarity(self) -> float:
        """Length of what one slot adds at most to a group, over the length of noise of deviation 1 on that group."""

    @property
    @abc.abstractmethod
    def weights(self) -> Tensor:
        """What stands before each coordinate of the sum, float64 (size,), public."""

    @property
    @abc.abstractmethod
    def steps(self) -> Tensor:
        """What an integer of `counted` is worth in the sum, float64 (size,): a weight times the spacing, public."""

    @property
    @abc.abstractmethod
    def _power(self) -> int:
        """How many coordinates of a vector are multiplied at most for one coordinate of the sum."""

    @abc.abstractmethod
    def _added(self, points: Tensor, one_hot: Tensor, one: float) -> Tensor:
        """Unweighted sums over rows, float64 (size,): points (rows, dim), one_hot (rows, G), what a count counts."""

    @functools.cached_property
    def record_grid(self) -> PublicGrid:
        """That of a slot's vector over its radius."""
        return PublicGrid(radius=1.0, num_coordinates=self.dim)

    @functools.cached_property
    def person_grid(self) -> PublicGrid:
        """That of all that a person adds, of as many coordinates as the sum.

        What two people add is `sensitivity` apart at most before it is shrunk and rounded, so each of the two may move
        by what is left to rounding in a ball of half that.
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
        """The sum over rows that are slots of their own, as integers: times `steps` it is what they add.

        ``z = clip(v, (1 - 2^-10) R) / R`` is rounded to the grid, within the unit ball. Sums and products of integers
        are exact in float64 as long as they stay below 2^53, whatever order a matrix product takes: rows are taken as
        many at once as cannot exceed it.

        Guarantee: it is a sum of one term for each row that depends on the row alone, exactly; times `steps` the term
        has norm `norm_bound` at most, and lies among what `sensitivity` is the diameter of. A row that is not finite,
        or whose group is none of 0 .. G - 1, adds nothing.

        Returns:
            int64 (size,).
        """
        grid = self.record_grid
        points, one_hot = self._bounded(slots, grid.inner_radius)
        at_once = grid.num_exact(self._power)
        integers = grid.rounded(points).split(at_once), one_hot.split(at_once)
        sums = [self._added(*part, 1 / grid.spacing).to(torch.int64) for part in zip(*integers, strict=True)]
        return torch.stack(sums).sum(dim=0)

    def averaged(self, slots: Slots) -> Tensor:
        """The mean of what all rows of one person would add, as integers: times the spacing of `person_grid`.

        Guarantee: a function of these rows alone. What two people add, or a person and nobody, is `sensitivity` apart
        at most: means of rows are, shrunk by 2^-10 and rounded each by itself.

        Args:
            slots: all rows of one person, and none of others, at least one.

        Returns:
            int64 (size,).
        """
        points, one_hot = self._bounded(slots, 1.0)
        mean = self._added(points, one_hot, 1.0).mul_(self.weights.to(points.device)).div_(len(points))
        return self.person_grid.rounded(mean.mul_(1 - GRID_SHARE)).to(torch.int64)

    def total(self, slots: Slots) -> Tensor:
        """The sum over rows that are slots of their own, float64 (size,): `counted` times `steps`."""
        return self.counted(slots).to(torch.float64) * self.steps.to(slots.vectors.device)

    def _bounded(self, slots: Slots, bound: float) -> tuple[Tensor, Tensor]:
        """Vectors over the radius in the ball of ``bound``, with groups as one-hot rows; zero for what adds nothing."""
        vectors = slots.vectors.detach().flatten(start_dim=1)
        if vectors.shape[1] != self.dim or slots.groups.shape != vectors.shape[:1]:
            raise ValueError(f"slots have shape {tuple(vectors.shape)}, the contribution takes {self.dim} numbers each")
        # Privacy: nothing branches on a broken row; it weighs zero.
        is_whole = vectors.isfinite().all(dim=1)
        one_hot = slots.groups[:, None] == torch.arange(self.num_groups, device=vectors.device)
        counted = (one_hot & is_whole[:, None]).to(torch.float64)
        return clip_to_ball(vectors, bound * self.radius) / self.radius, counted


@dataclass(frozen=True, kw_only=True)
class GroupedVectors(AbstractContribution):
    """A slot with vector v and group y adds ``onehot(y) (x) clip(v, radius)``: one sum of vectors for each group.

    Guarantee: what a slot adds lies in a ball of radius R, zero included, so filling or emptying a slot moves the sum
    by R at most, and replacing its content by 2 R: opposite vectors of one group attain it.

    >>> GroupedVectors(num_groups=10, dim=1000, radius=1.0).sensitivity
    2.0
    """

    @property
    def size(self) -> int:
        """G dim."""
        return self.num_groups * self.dim

    @property
    def norm_bound(self) -> float:
        """The radius."""
        return self.radius

    @property
    def sensitivity(self) -> float:
        """``2 R``."""
        return 2.0 * self.radius

    @property
    def clarity(self) -> float:
        """``R / sqrt(dim)``."""
        return self.radius / math.sqrt(self.dim)

    @functools.cached_property
    def weights(self) -> Tensor:
        """The radius, everywhere."""
        return torch.full((self.size,), self.radius, dtype=torch.float64)

    @property
    def steps(self) -> Tensor:
        """The radius times the spacing, everywhere."""
        return self.weights * self.record_grid.spacing

    @property
    def _power(self) -> int:
        return 1

    def _added(self, points: Tensor, one_hot: Tensor, one: float) -> Tensor:
        return (one_hot.T @ points).flatten()

    def sums(self, released: Tensor) -> Tensor:
        """The sum in the shape (G, dim)."""
        return released.unflatten(0, (self.num_groups, self.dim))


@dataclass(frozen=True, kw_only=True)
class GroupedMoments(AbstractContribution):
    """A slot with vector v and group y adds ``onehot(y) (x) (a, b z, c z z^T)``, ``z = clip(v, R) / R``.

    The symmetric matrix is written as its upper triangle with ``sqrt 2`` before what is off the diagonal, so that norms
    and distances are those of Frobenius, and independent noise on each coordinate is symmetric noise on the matrix.

    Guarantee: `sensitivity` is the square root of the largest of

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
        square_weight: c, >= 0; not all three are zero.

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
        """G times as many numbers as a group has: 1, dim and dim (dim + 1) / 2, those of weight zero left out."""
        return self.num_groups * sum(self._sizes)

    @property
    def norm_bound(self) -> float:
        """``sqrt(a^2 + b^2 + c^2)``."""
        return math.sqrt(self.count_weight**2 + self.mean_weight**2 + self.square_weight**2)

    @property
    def sensitivity(self) -> float:
        """The largest of the three distances above."""
        bound, mean, square = self.norm_bound**2, self.mean_weight**2, self.square_weight**2
        # The parabola -2 mean t - 2 square t^2 is highest at -mean / (2 square), or at the end of the interval.
        t = -1.0 if mean >= 2 * square else -mean / (2 * square)
        same_group = 2 * mean + 2 * square - 2 * mean * t - 2 * square * t**2
        other_group = 2 * bound if self.num_groups > 1 else 0.0
        return math.sqrt(max(bound, same_group, other_group))

    @property
    def clarity(self) -> float:
        """The worse of counts and sums, by their norm, and of squares, by the spectral norm: that of noise is
        ``sqrt(2 dim)``, as directions are read from a matrix and not entries."""
        count_size, mean_size, _ = self._sizes
        found = []
        if count_size + mean_size:
            found.append(math.hypot(self.count_weight, self.mean_weight) / math.sqrt(count_size + mean_size))
        if self.square_weight:
            found.append(self.square_weight / math.sqrt(2 * self.dim))
        return min(found)

    @functools.cached_property
    def weights(self) -> Tensor:
        """a, b, c, and ``sqrt 2 c`` off the diagonal, as often as a group has such numbers and there are groups."""
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
        """Each weight times the spacing, or times its square where coordinates are multiplied.

        Weights stand outside the grid: a coordinate that was priced times its weight, with noise of one deviation on
        all, is released over its weight, with noise over it too, which is the same release written in another unit.
        """
        spacing, (count_size, mean_size, _) = self.record_grid.spacing, self._sizes
        spacings = torch.full((self.size,), spacing, dtype=torch.float64)
        spacings[self.num_groups * (count_size + mean_size) :] = spacing**2
        return self.weights * spacings

    @property
    def _power(self) -> int:
        return 2 if self.square_weight else 1

    def _added(self, points: Tensor, one_hot: Tensor, one: float) -> Tensor:
        """Counts, sums and sums of squares, those of all groups one after the other."""
        parts = []
        if self.count_weight:
            parts.append(one * one_hot.sum(dim=0))
        if self.mean_weight:
            parts.append((one_hot.T @ points).flatten())
        if self.square_weight:
            rows, columns = self._triangle
            parts += [((weight[:, None] * points).T @ points)[rows, columns] for weight in one_hot.T]
        return torch.cat(parts)

    def counts(self, released: Tensor) -> Tensor:
        """Number of slots in each group, (G,), noisy."""
        return self._parts(released)[0].flatten() / self._weight("count_weight")

    def sums(self, released: Tensor) -> Tensor:
        """Sums of the clipped vectors, (G, dim), in the units of the vectors."""
        return self._parts(released)[1] * (self.radius / self._weight("mean_weight"))

    def squares(self, released: Tensor) -> Tensor:
        """Sums of the clipped vectors' outer products, (G, dim, dim): symmetric, and with noise not semi-definite."""
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
            raise ValueError(f"this sum was released without what {name} weighs")
        return weight

    @functools.cached_property
    def _triangle(self) -> tuple[Tensor, Tensor]:
        """Rows and columns of the upper triangle."""
        rows, columns = torch.triu_indices(self.dim, self.dim)
        return rows, columns

    @functools.cached_property
    def _scale(self) -> Tensor:
        """What stands before the entries of the triangle; nothing where there are none."""
        if not self.square_weight:
            return torch.zeros(0, dtype=torch.float64)
        rows, columns = self._triangle
        return torch.where(rows == columns, 1.0, math.sqrt(2)).to(torch.float64)


Contribution = GroupedVectors | GroupedMoments


@dataclass(frozen=True, kw_only=True)
class Release:
    """One noisy sum.

    Attributes:
        name: a word for the statement, public.
        contribution: what a slot may add, and the sensitivity that follows.
        share: part of the budget, > 0; shares need not add up to 1. Noise falls as ``1 / sqrt(share)``.
    """

    name: str
    contribution: Contribution
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share < math.inf:
            raise InputError(f"share of the release {self.name!r} must be a positive number, got {self.share}")


@dataclass(frozen=True, kw_only=True)
class OneShotPlan(AbstractPricedPlan):
    r"""A few Gaussian releases of sums over all slots, without sampling.

    Release i of share :math:`w_i` has noise of standard deviation :math:`\Delta_i \sigma_i`, where :math:`\Delta_i` is
    its sensitivity and :math:`\sigma_i = \sigma \sqrt{\sum_j w_j / w_i}`; together, also when a later sum is chosen
    after an earlier release, they cost what one Gaussian of multiplier :math:`\sigma` costs,
    :math:`\sigma^{-2} = \sum_i \sigma_i^{-2}`.

    Guarantee: a run through `OneShotReleaser` made from this plan has the privacy of `event` under `adjacency`.

    Attributes:
        unit: what a slot holds.
        num_slots: public number of slots, n.
        releases: in order, at least one, of different names.
        noise_multiplier: :math:`\sigma`, > 0; None while it is still to be calibrated.
        source: who says the number of slots.

    Raises:
        InputError: no release, two of one name, or a number out of range.
        PrivacyError: no noise.

    References: Balle, Wang 2018, "Improving the Gaussian mechanism", theorem 8, for the price; Dong, Roth, Su 2022,
        "Gaussian differential privacy", corollary 2, for the composition.
    """

    unit: Unit
    num_slots: int
    releases: tuple[Release, ...]
    noise_multiplier: float | None
    source: CountSource = CountSource.GIVEN

    def __post_init__(self) -> None:
        if self.num_slots < 1:
            raise InputError(f"num_slots must be at least 1, got {self.num_slots}")
        names = [release.name for release in self.releases]
        if not names or len(set(names)) < len(names):
            raise InputError(f"a plan needs at least one release, each of its own name, got {names}")
        self._event_with(1.0 if self.noise_multiplier is None else self.noise_multiplier)

    @property
    def num_steps(self) -> int:
        """Number of releases."""
        return len(self.releases)

    @property
    def sensitivity(self) -> float:
        """That of all releases as one vector, each over its own sensitivity and times the root of its share: 1."""
        return 1.0

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise on that vector; `release_noise_std` says it for a sum as it stands."""
        return self.sensitivity * self._chosen_multiplier()

    def release_multiplier(self, step: int) -> float:
        """Noise multiplier of one release alone."""
        return self._chosen_multiplier() * self._dilution(step)

    def release_noise_std(self, step: int) -> float:
        """Standard deviation of the noise on every coordinate of one released sum."""
        return self.releases[step].contribution.sensitivity * self.release_multiplier(step)

    def first_steps(self, num_steps: int) -> OneShotPlan:
        """The plan of the first releases of this one alone, each with the noise it has here.

        Raises:
            InputError: fewer than one, or more than the plan has.
        """
        self._check_first(num_steps)
        return self._of(self.releases[:num_steps])

    def _of(self, releases: tuple[Release, ...]) -> OneShotPlan:
        """The plan of these releases of this one, each with the noise it has here."""
        share = sum(release.share for release in releases) / self._total_share
        return replace(self, releases=releases, noise_multiplier=self._chosen_multiplier() / math.sqrt(share))

    def spent_by(self, ledger: Ledger) -> DpEvent | None:
        """What the blocks of a ledger pay for: each release that they name, with its own noise, as often as they do."""
        if not ledger.entries:
            return None
        self._check_charged(ledger)
        charged = (step for entry in ledger.entries for step in range(entry.first_step, entry.end_step))
        return compose_events(*(gaussian_event(noise_multiplier=self.release_multiplier(step)) for step in charged))

    def end_step(self, next_step: int, lost_steps: tuple[int, ...] = ()) -> int:
        """How far a run may go that has made the first ``next_step`` releases and lost some that were paid for.

        The last releases are left out until the others and what was lost, each at its own share, cost no more than the
        plan, and are no more than it has: the ledger charges no more.

        Args:
            next_step: releases made.
            lost_steps: numbers of those lost, each as often as it was.
        """
        shares = [release.share for release in self.releases]
        lost, most = sum(shares[step] for step in lost_steps), self._total_share * (1 + 1e-12)
        ends = range(self.num_steps - len(lost_steps), next_step, -1)
        return next((end for end in ends if sum(shares[:end]) + lost <= most), next_step)

    def covering(self, step: int, lost_steps: tuple[int, ...] = ()) -> OneShotPlan:
        """The plan of ``step`` releases made and some lost, each with the noise it has here.

        Raises:
            InputError: none of either.
        """
        lost = (
            replace(self.releases[lost], name=f"{self.releases[lost].name}, lost ({number + 1})")
            for number, lost in enumerate(lost_steps)
        )
        releases = (*self.releases[:step], *lost)
        if not releases:
            raise InputError("no release was made and none was lost: there is nothing to price")
        return self._of(releases)

    def num_steps_within(self, budget: PrivacyBudget) -> int:
        """The largest number of first releases that keeps within the budget; 0 when not even one does."""
        fits = [
            step
            for step in range(1, self.num_steps + 1)
            if self.first_steps(step).budget_at(budget.delta).epsilon <= budget.epsilon
        ]
        return max(fits, default=0)

    def _describe_mechanism(self) -> str:
        return f"Gaussian noise on {self.describe_sums()} over all slots"

    def _parameters(self, delta: float) -> tuple[Parameter, ...]:
        return (("num_releases", self.num_steps), *self._describe_person(), *self.describe_releases())

    def _described_settings(self) -> tuple[str, ...]:
        return ("all settings of the run and its seed, which random features and initial weights follow from",)

    @property
    def _kept_private(self) -> str:
        return "checkpoints, the ledger and figures on real data"

    def describe_sums(self) -> str:
        """How many they are, in words."""
        return "one sum" if self.num_steps == 1 else f"{self.num_steps} sums, one after the other,"

    def describe_releases(self) -> tuple[tuple[str, str], ...]:
        """Name, noise, sensitivity and size of each release, for the statement."""
        return tuple(
            (f"release {step + 1}, {release.name}", self._describe_release(step))
            for step, release in enumerate(self.releases)
        )

    def _describe_person(self) -> tuple[tuple[str, str], ...]:
        mean = ("what a person adds", "the mean of what each record of that person would add")
        return () if self.unit is Unit.RECORD else (mean,)

    def _describe_release(self, step: int) -> str:
        contribution = self.releases[step].contribution
        return (
            f"noise multiplier {self.release_multiplier(step):.6g}, sensitivity {contribution.sensitivity:.6g}, "
            f"{contribution.size} numbers"
        )

    def _describe_early(self, num_planned_steps: int) -> tuple[str, ...]:
        return (
            f"the generator in generator.safetensors beside this statement, made from {self.num_steps} of the "
            f"{num_planned_steps} sums of a run, and anything that is computed from it alone",
        )

    def truncation_delta(self, sample_size: int) -> float:
        """What the finite range of the noise adds to delta at most."""
        return min(
            1.0,
            sum(
                truncation_delta(1, max(sample_size, release.contribution.size), self.release_multiplier(step))
                for step, release in enumerate(self.releases)
            ),
        )

    @functools.cached_property
    def _total_share(self) -> float:
        return sum(release.share for release in self.releases)

    def _dilution(self, step: int) -> float:
        return math.sqrt(self._total_share / self.releases[step].share)

    def _event_with(self, noise_multiplier: float) -> DpEvent:
        return compose_events(
            *(
                gaussian_event(noise_multiplier=noise_multiplier * self._dilution(step))
                for step in range(self.num_steps)
            )
        )


class OneShotReleaser:
    """Adds up what slots contribute and releases each sum of a plan once, in order, with its noise.

    What a slot adds and the noise are rounded to a public grid, each by itself, and added as integers.

    Guarantee: what all releases return together has the privacy of ``plan.event``; a row may depend on the content of
    its own slot, on public things and on earlier releases, and on nothing else. A slot adds one row, or the mean of its
    rows where it holds a person: a mean lies in the convex hull of what single rows may add, whose diameter is the
    sensitivity of one row (docs/concepts/one-shot.md).

    Args:
        plan: sums and noise; the statement is written from the same object.
        noise: secret randomness, used by this object alone.
        slot_sizes: int64 (num_slots,), how many rows each slot has, where slots hold people; private. None where every
            row is a slot of its own.
        next_step: first release to make, above 0 when a run is taken up again with a new key.
        lost_steps: releases that were paid for and lost in a crash; see `OneShotPlan.end_step`.
        charge: called with the number of a release before anything of it is read or drawn; writes the ledger, or
            raises.

    Raises:
        PrivacyError: slots of people without their sizes, or sizes of other slots.
        InputError: more slots than integers hold.
    """

    def __init__(
        self,
        plan: OneShotPlan,
        noise: AbstractNoise,
        *,
        slot_sizes: Tensor | None = None,
        next_step: int = 0,
        lost_steps: tuple[int, ...] = (),
        charge: Callable[[int], None] = lambda step: None,
    ) -> None:
        is_person = plan.unit is Unit.PERSON
        # Privacy: rows that count for one each would be priced for a record and claimed for a person.
        if (slot_sizes is not None) != is_person or (slot_sizes is not None and len(slot_sizes) != plan.num_slots):
            raise PrivacyError(
                f"the plan protects a {plan.unit.value}: hand over the sizes of its slots for people alone"
            )
        for release in plan.releases:
            release.contribution.check_slots(plan.num_slots)
        self.plan = plan
        self._noise = noise
        self._slot_sizes = slot_sizes
        self._next_step = next_step
        self._end_step = plan.end_step(next_step, lost_steps)
        self._charge = charge

    def release(self, step: int, chunks: Iterable[Slots]) -> Tensor:
        """One noisy sum.

        Args:
            step: must be the release after the last one made.
            chunks: all slots, in pieces as memory allows, every row once, and all rows of a person in one piece; read
                after the ledger is charged.

        Returns:
            float32 (size,), on the CPU: safe to use for anything. Never the sum without its noise.

        Raises:
            PrivacyError: a release asked twice, out of order, or beyond the plan.
            ValueError: more rows than the plan has slots, or than a slot has; a person's rows in several pieces.
        """
        self._advance(step)
        contribution = self.plan.releases[step].contribution
        total = torch.zeros(contribution.size, dtype=torch.int64)
        left = torch.ones(self.plan.num_slots, dtype=torch.int64) if self._slot_sizes is None else self._slot_sizes
        num_rows = 0
        for slots in chunks:
            owners = self._owners(slots, num_rows)
            left = self._left(left, owners)
            total += self._added(contribution, slots, owners).cpu()
            num_rows += len(owners)
        normals = self._noise.gaussian(step, (1, contribution.size))[0]
        return noisy_sum(total, self.plan.release_noise_std(step), normals, self._steps(contribution)).to(torch.float32)

    def _owners(self, slots: Slots, num_rows: int) -> Tensor:
        """The slot of each row: the next ones in turn, where every row is a slot."""
        if self._slot_sizes is None:
            return torch.arange(num_rows, num_rows + len(slots.groups)).clamp_max(self.plan.num_slots - 1)
        if slots.owners is None or slots.owners.shape != slots.groups.shape:
            raise ValueError("rows of people must say whose they are")
        return slots.owners.cpu()

    def _left(self, left: Tensor, owners: Tensor) -> Tensor:
        """How many rows of each slot are still to come."""
        given = torch.bincount(owners, minlength=self.plan.num_slots)[: self.plan.num_slots]
        # Privacy: the price is that of one row a slot, or of the mean of all its rows.
        if bool((given > left).any()):
            raise ValueError(f"more rows than the {self.plan.num_slots} slots of the plan hold: give every row once")
        if bool(((given > 0) & (given < left)).any()):
            raise ValueError("some rows of a person, and not all: give all rows of a person in one piece")
        return left - given

    def _added(self, contribution: Contribution, slots: Slots, owners: Tensor) -> Tensor:
        if self._slot_sizes is None:
            return contribution.counted(slots)
        total = torch.zeros(contribution.size, dtype=torch.int64, device=slots.vectors.device)
        for person in _people(slots, owners):
            total += contribution.averaged(person)
        return total

    def _steps(self, contribution: Contribution) -> Tensor | float:
        return contribution.steps if self._slot_sizes is None else contribution.person_grid.spacing

    def _advance(self, step: int) -> None:
        if step != self._next_step:
            raise PrivacyError(f"release {step} was asked but {self._next_step} is next: no noise is used twice")
        if step >= self._end_step:
            raise PrivacyError(f"the plan pays for {self.plan.num_steps} releases and all are spent")
        # Privacy: on the ledger first, then read and drawn.
        self._charge(step)
        self._next_step += 1


def _people(slots: Slots, owners: Tensor) -> Iterator[Slots]:
    """The rows of each person by themselves, in their order, copied: their roundings then depend on nobody else."""
    order = torch.argsort(owners, stable=True)
    _, counts = torch.unique_consecutive(owners[order], return_counts=True)
    for rows in order.split(counts.tolist()):
        yield Slots(vectors=slots.vectors[rows], groups=slots.groups[rows])
