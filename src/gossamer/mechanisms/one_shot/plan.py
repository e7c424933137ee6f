"""The plan of one-shot sums: releases, noise, adjacency and price in one object."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace

from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError
from gossamer.mechanisms.one_shot.contributions import Contribution
from gossamer.mechanisms.one_shot.neighbours import AnyChange, Neighbours
from gossamer.mechanisms.plan import AbstractPlan, PlanDescription
from gossamer.mechanisms.prospect import CLEAR_RATIO, Prospect
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import check_noise_multiplier, compose_events, gaussian_event
from gossamer.privacy.statement import Parameter
from gossamer.privacy.truncation import truncation_delta


@dataclass(frozen=True, kw_only=True)
class Release:
    """One noisy sum.

    Attributes:
        name: a word for the statement, public.
        contribution: bounded contribution of a slot, and the sensitivity that follows.
        share: part of the budget, > 0. Shares need not add up to 1. Noise falls as ``1 / sqrt(share)``.
    """

    name: str
    contribution: Contribution
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share < math.inf:
            raise InputError(f"share of the release {self.name!r} must be a positive number, got {self.share}")


@dataclass(frozen=True, kw_only=True)
class OneShotPlan(AbstractPlan):
    r"""A few Gaussian releases of sums over all slots, without sampling.

    Release i of share :math:`w_i` has noise of standard deviation :math:`\Delta_i \sigma_i`. Here :math:`\Delta_i` is
    the largest distance that its sum moves between neighbours, and
    :math:`\sigma_i = \sigma \sqrt{\sum_j w_j / w_i}`. Together they cost as much as one Gaussian of multiplier
    :math:`\sigma`, since :math:`\sigma^{-2} = \sum_i \sigma_i^{-2}`. This also holds if a later sum is chosen after an
    earlier release.

    Guarantee: a run through `OneShotReleaser` made from this plan has the privacy of `event` under `adjacency`.

    Attributes:
        unit: content of a slot, a record or a person.
        num_slots: public number of slots, n.
        releases: in order, at least one, of different names.
        noise_multiplier: :math:`\sigma`, > 0. None while it is still to be calibrated.
        source: origin of the number of slots.
        neighbours: the change of the data that the releases are priced for.

    Raises:
        InputError: no release, two of one name, or a number out of range.
        PrivacyError: no noise.

    References: Balle, Wang 2018, "Improving the Gaussian mechanism", theorem 8, for the price. Dong, Roth, Su 2022,
        "Gaussian differential privacy", corollary 2, for the composition.
    """

    releases: tuple[Release, ...]
    neighbours: Neighbours = field(default_factory=AnyChange)

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
    def adjacency(self) -> Adjacency:
        """The change of the data that the releases are priced for."""
        return self.neighbours.adjacency(self.source)

    @property
    def sensitivity(self) -> float:
        """Sensitivity of all releases as one vector, each over its own sensitivity times the root of its share: 1."""
        return 1.0

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise on that vector. `release_noise_std` is that of one sum in its own units."""
        return self.sensitivity * self._chosen_multiplier()

    def release_multiplier(self, step: int) -> float:
        """Compute the noise multiplier of one release alone."""
        return self._chosen_multiplier() * self._dilution(step)

    def release_noise_std(self, step: int) -> float:
        """Compute the standard deviation of the noise on every coordinate of one released sum."""
        return self.release_sensitivity(step) * self.release_multiplier(step)

    def release_sensitivity(self, step: int) -> float:
        """Return the largest distance that one sum moves between neighbours."""
        return self.neighbours.distance(self.releases[step].contribution, self.source)

    def paid_for(self, num_done: int, lost_steps: tuple[int, ...] = ()) -> OneShotPlan:
        """Return the plan of the releases that were paid for, each with the noise that it has here.

        Args:
            num_done: releases made.
            lost_steps: numbers of those paid for and lost, each as often as it was.

        Raises:
            InputError: no release was paid for.
        """
        lost = (
            replace(self.releases[lost], name=f"{self.releases[lost].name}, lost ({number + 1})")
            for number, lost in enumerate(lost_steps)
        )
        releases = (*self.releases[:num_done], *lost)
        if not releases:
            raise InputError("no release was made and none was lost: there is nothing to price")
        share = sum(release.share for release in releases) / self._total_share
        return replace(self, releases=releases, noise_multiplier=self._chosen_multiplier() / math.sqrt(share))

    @property
    def stops(self) -> tuple[int, ...]:
        """Every step, because a lost release is priced by its own share."""
        return tuple(range(1, self.num_steps + 1))

    @property
    def step_names(self) -> tuple[str, ...]:
        """Names of the releases."""
        return tuple(release.name for release in self.releases)

    def end_step(self, next_step: int, lost_steps: tuple[int, ...] = ()) -> int:
        """Compute the end of a run that has made some releases and lost others.

        The last releases are left out until all others, each at its own share, cost no more than the plan. Their number
        does not exceed the plan's either, since the ledger charges no more.

        Args:
            next_step: releases made.
            lost_steps: numbers of those lost, each as often as it was.
        """
        shares = [release.share for release in self.releases]
        lost, most = sum(shares[step] for step in lost_steps), self._total_share * (1 + 1e-12)
        ends = range(self.num_steps - len(lost_steps), next_step, -1)
        return next((end for end in ends if sum(shares[:end]) + lost <= most), next_step)

    def num_steps_within(self, budget: PrivacyBudget) -> int:
        """Compute the largest number of first releases that keeps within the budget, 0 if not even one does."""
        fits = [
            step
            for step in range(1, self.num_steps + 1)
            if self.first_steps(step).budget_at(budget.delta).epsilon <= budget.epsilon
        ]
        return max(fits, default=0)

    def prospect(self, budget: PrivacyBudget, sample_size: int) -> Prospect:
        r"""Compare a class of average size with the noise on it, for the worst of the releases.

        All :math:`n / G` slots of the class add the same vector of the largest norm. The noise has the norm
        :math:`s \sqrt{d}` on d numbers. For matrices it has :math:`s \sqrt{2 d}`, both in the spectral norm.
        """
        ratio = min(
            self.num_slots / sums.num_groups * sums.clarity / self.release_noise_std(step)
            for step, sums in enumerate(release.contribution for release in self.releases)
        )
        return Prospect(
            ratio=ratio,
            num_slots=self.num_slots,
            num_slots_needed=math.ceil(self.num_slots / ratio),
            clear_ratio=CLEAR_RATIO,
        )

    @property
    def _description(self) -> PlanDescription:
        sums = "one sum" if self.num_steps == 1 else f"{self.num_steps} sums, one after the other,"
        return PlanDescription(
            mechanism=f"Gaussian noise on {sums} over all slots",
            parameters=(("num_releases", self.num_steps), *self._describe_person(), *self._describe_releases()),
            public_settings=(
                "all settings of the run and its seed, which random features and initial weights follow from",
            ),
            kept_private="checkpoints, the ledger and figures on real data",
            released="noisy sums",
            part=f"made from {self.num_steps} of the {{}} sums of a run",
        )

    def _describe_releases(self) -> tuple[Parameter, ...]:
        return tuple(
            (f"release {step + 1}, {release.name}", self._describe_release(step))
            for step, release in enumerate(self.releases)
        )

    def _describe_person(self) -> tuple[Parameter, ...]:
        who = self.unit.value
        mean = (f"what a {who} adds", f"the mean of what each record of that {who} would add")
        return (mean,) if self.unit.is_group else ()

    def _describe_release(self, step: int) -> str:
        contribution = self.releases[step].contribution
        return (
            f"noise multiplier {self.release_multiplier(step):.6g}, sensitivity {self.release_sensitivity(step):.6g}, "
            f"{contribution.size} numbers"
        )

    def truncation_delta(self, sample_size: int) -> float:
        """Bound the part of delta that the finite range of the noise adds."""
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
        # Checked as it was given: the releases have multiples of it.
        check_noise_multiplier(noise_multiplier)
        return compose_events(
            *(
                gaussian_event(noise_multiplier=noise_multiplier * self._dilution(step))
                for step in range(self.num_steps)
            )
        )
