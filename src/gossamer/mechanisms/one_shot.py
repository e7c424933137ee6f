"""One or a few noisy sums over slots: what one slot may add, what that costs, and the object that releases them."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from dp_accounting import DpEvent
from torch import Tensor

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.clipping import clip_to_ball
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
        weights: float64 (rows,), what part of its slot a row is; None for 1. `OneShotReleaser` fills it in.
    """

    vectors: Tensor
    groups: Tensor
    owners: Tensor | None = None
    weights: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class AbstractContribution(abc.ABC):
    """What one slot may add to a sum, and how far the sum then moves when the content of one slot changes.

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

    @abc.abstractmethod
    def total(self, slots: Slots) -> Tensor:
        """The sum over the slots given, float64 (size,).

        Guarantee: it is a sum of one term for each row, of norm at most `norm_bound`, that depends on the row alone,
        times the weight of the row. A row that is not finite, or whose group is none of 0 .. G - 1, adds nothing.
        """

    def _bounded(self, slots: Slots) -> tuple[Tensor, Tensor]:
        """Vectors in the ball of `radius` with their groups as weighted one-hot rows; zeros for what adds nothing."""
        vectors = slots.vectors.detach().flatten(start_dim=1)
        if vectors.shape[1] != self.dim or slots.groups.shape != vectors.shape[:1]:
            raise ValueError(f"slots have shape {tuple(vectors.shape)}, the contribution takes {self.dim} numbers each")
        # Privacy: nothing branches on a broken row; it weighs zero.
        is_whole = vectors.isfinite().all(dim=1)
        one_hot = slots.groups[:, None] == torch.arange(self.num_groups, device=vectors.device)
        counted = (one_hot & is_whole[:, None]).to(torch.float64)
        if slots.weights is not None:
            counted = counted * slots.weights.to(counted.device)[:, None]
        return clip_to_ball(vectors, self.radius), counted


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

    def total(self, slots: Slots) -> Tensor:
        """Sums of the clipped vectors of each group, flattened from (G, dim)."""
        vectors, one_hot = self._bounded(slots)
        return (one_hot.T @ vectors).flatten()

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

    def total(self, slots: Slots) -> Tensor:
        """Counts, sums and sums of squares, those of all groups one after the other, each times its weight."""
        vectors, one_hot = self._bounded(slots)
        points = vectors / self.radius
        parts = []
        if self.count_weight:
            parts.append(self.count_weight * one_hot.sum(dim=0))
        if self.mean_weight:
            parts.append(self.mean_weight * (one_hot.T @ points).flatten())
        if self.square_weight:
            squares = torch.stack([(weight[:, None] * points).T @ points for weight in one_hot.T])
            parts.append(self.square_weight * self._packed(squares).flatten())
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
        rows, columns, scale = self._triangle(packed.device)
        matrix = packed.new_zeros(self.num_groups, self.dim, self.dim)
        matrix[:, rows, columns] = packed / scale.to(packed.dtype)
        matrix[:, columns, rows] = packed / scale.to(packed.dtype)
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

    def _packed(self, matrices: Tensor) -> Tensor:
        rows, columns, scale = self._triangle(matrices.device)
        return matrices[:, rows, columns] * scale

    def _triangle(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        rows, columns = torch.triu_indices(self.dim, self.dim, device=device)
        return rows, columns, torch.where(rows == columns, 1.0, math.sqrt(2)).to(torch.float64)


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
            chunks: all slots, in pieces as memory allows, every row once; read after the ledger is charged.

        Returns:
            float32 (size,), on the CPU: safe to use for anything. Never the sum without its noise.

        Raises:
            PrivacyError: a release asked twice, out of order, or beyond the plan.
            ValueError: more rows than the plan has slots, or than a slot has.
        """
        self._advance(step)
        contribution = self.plan.releases[step].contribution
        total = torch.zeros(contribution.size, dtype=torch.float64)
        left = torch.ones(self.plan.num_slots, dtype=torch.int64) if self._slot_sizes is None else self._slot_sizes
        num_rows = 0
        for slots in chunks:
            owners = self._owners(slots, num_rows)
            left = left - torch.bincount(owners, minlength=self.plan.num_slots)[: self.plan.num_slots]
            # Privacy: the price is that of one row a slot, or of the mean of its rows.
            if bool((left < 0).any()):
                raise ValueError(
                    f"more rows than the {self.plan.num_slots} slots of the plan hold: give every row once"
                )
            total += contribution.total(self._weighted(slots, owners)).cpu()
            num_rows += len(owners)
        noise = self._noise.gaussian(step, (1, contribution.size))[0]
        # Privacy: the sum is formed in float64 and rounded afterwards, which is post-processing.
        return (total + self.plan.release_noise_std(step) * noise).to(torch.float32)

    def _owners(self, slots: Slots, num_rows: int) -> Tensor:
        """The slot of each row: the next ones in turn, where every row is a slot."""
        if self._slot_sizes is None:
            return torch.arange(num_rows, num_rows + len(slots.groups)).clamp_max(self.plan.num_slots - 1)
        if slots.owners is None or slots.owners.shape != slots.groups.shape:
            raise ValueError("rows of people must say whose they are")
        return slots.owners.cpu()

    def _weighted(self, slots: Slots, owners: Tensor) -> Slots:
        """The rows with one over the size of their slot as weight, so that those of a slot weigh 1 together."""
        if self._slot_sizes is None:
            return slots
        return replace(slots, weights=1 / self._slot_sizes[owners].to(torch.float64))

    def _advance(self, step: int) -> None:
        if step != self._next_step:
            raise PrivacyError(f"release {step} was asked but {self._next_step} is next: no noise is used twice")
        if step >= self._end_step:
            raise PrivacyError(f"the plan pays for {self.plan.num_steps} releases and all are spent")
        # Privacy: on the ledger first, then read and drawn.
        self._charge(step)
        self._next_step += 1
