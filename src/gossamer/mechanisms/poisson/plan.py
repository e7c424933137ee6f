"""The plan of DP-SGD: Poisson samples of units, clip, noise, adjacency and price in one object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError
from gossamer.mechanisms.plan import AbstractPlan, PlanDescription, PublishedClaim
from gossamer.mechanisms.prospect import WINDOW_STEPS, Prospect, affordable_rate
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import poisson_event, replaced_poisson_event
from gossamer.privacy.published import PublishedFigure
from gossamer.privacy.truncation import truncation_delta


@dataclass(frozen=True, kw_only=True)
class PoissonPlan(AbstractPlan):
    """Noisy sums of clipped gradients over Poisson samples of units.

    Guarantee: a run through `PoissonReleaser` made from this plan has the privacy of `event` under `adjacency`
    (docs/concepts/poisson.md).

    Attributes:
        unit: content of a slot, a record or a person.
        num_slots: public number of slots, N.
        sample_rate: q, probability with which a unit is in a batch, public, in (0, 1].
        num_steps: T, batches.
        clip_norm: C, > 0, bound on one unit's contribution to a sum.
        noise_multiplier: noise standard deviation over `sensitivity`, > 0. None while it is still to be calibrated.
        records_per_unit: m, records of a drawn unit that are read, 1 if a unit is a record. More records cost nothing.
        published: price of such a plan by a published system, if there is one.
        source: origin of the number of slots.
        training_share: expected share of the slots that is learnt from, in (0, 1], public.

    Raises:
        InputError: a number out of range.
        PrivacyError: no noise.
    """

    sample_rate: float
    num_steps: int
    clip_norm: float
    records_per_unit: int = 1
    published: PublishedFigure | None = None
    training_share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.clip_norm < float("inf"):
            raise InputError(f"clip_norm must be a positive number, got {self.clip_norm}")
        if self.num_slots < 1:
            raise InputError(f"num_slots must be at least 1, got {self.num_slots}")
        if self.records_per_unit < 1 or (not self.unit.is_group and self.records_per_unit != 1):
            raise InputError(
                f"records_per_unit must be 1, or more if a unit is a person or recording, got {self.records_per_unit}"
            )
        self._event_with(1.0 if self.noise_multiplier is None else self.noise_multiplier)

    @property
    def adjacency(self) -> Adjacency:
        """One unit added or removed, or one replaced if the number of slots was counted in the data."""
        return self.source.of_samples

    @property
    def sensitivity(self) -> float:
        """Distance C by which one unit moves the sum of a batch that it is in."""
        return self.clip_norm

    @property
    def expected_batch_size(self) -> float:
        """Divisor of the sums, ``q N`` times the share learnt from, public.

        Privacy: the number of drawn units is secret, and so is the number of all units.
        """
        return self.sample_rate * self.num_slots * self.training_share

    def among(self, num_slots: int) -> Self:
        """Return the plan for its units as a part of more slots, which others hold: the same mechanism and price.

        The rate stays, so the units learnt from are a smaller share of the slots.
        """
        return self._with(num_slots=num_slots, training_share=self.training_share * self.num_slots / num_slots)

    def truncation_delta(self, sample_size: int) -> float:
        """Bound the part of delta that the finite range of the noise adds.

        A unit that comes or leaves shifts a sum by the clip norm, and one that is replaced by twice as much.
        """
        shift = 1.0 if self.adjacency is Adjacency.ADD_OR_REMOVE_ONE else 2.0
        return truncation_delta(self.num_steps, sample_size, self._chosen_multiplier() / shift)

    def prospect(self, budget: PrivacyBudget, sample_size: int) -> Prospect:
        """Compare `WINDOW_STEPS` updates, all of the largest norm and in one direction, with their noise."""
        largest = math.sqrt(min(self.num_steps, WINDOW_STEPS) / sample_size) * self.expected_batch_size
        rate = affordable_rate(largest, self.num_steps, budget)
        return Prospect(
            ratio=largest * self.sensitivity / self.noise_std,
            num_slots=self.num_slots,
            num_slots_needed=math.ceil(self.expected_batch_size / rate),
        )

    @property
    def _description(self) -> PlanDescription:
        names = ("sample_rate", "expected_batch_size", "num_steps")
        if self.unit.is_group:
            names += ("records_per_unit",)
        return PlanDescription(
            mechanism="Gaussian noise on the sum of the clipped gradients of a Poisson sample (DP-SGD)",
            parameters=tuple((name, getattr(self, name)) for name in names),
            public_settings=(
                "the expected size of a batch, and the law of the classes of synthetic samples",
                "all settings of the run and its seed, which initial weights and latents follow from",
            ),
            kept_private="checkpoints, the ledger and losses on real data",
            secret_draws=("which units were drawn, and how many",),
            part=f"as it was after {self.num_steps} of the {{}} steps of a run (steps lost in a crash are counted)",
            clip_norm=self.clip_norm,
        )

    def _published(self, delta: float) -> PublishedClaim | None:
        if self.published is None:
            return None
        epsilon = self.published.epsilon(
            sample_rate=self.sample_rate,
            noise_multiplier=self._chosen_multiplier(),
            clip_norm=self.clip_norm,
            num_steps=self.num_steps,
            delta=delta,
        )
        return PublishedClaim(epsilon=epsilon, caveat=self.published.caveat)

    def _event_with(self, noise_multiplier: float) -> DpEvent:
        # Privacy: if the number of slots was counted, claim and price are for one unit replaced by another.
        is_replaced = self.adjacency is Adjacency.REPLACE_ONE
        event = replaced_poisson_event if is_replaced else poisson_event
        return event(sample_rate=self.sample_rate, noise_multiplier=noise_multiplier, num_steps=self.num_steps)
