"""The plan of DP-SGD: Poisson samples of units, clip, noise, adjacency and price in one object."""

from __future__ import annotations

from dataclasses import dataclass

from dp_accounting import DpEvent

from gossamer.errors import InputError
from gossamer.mechanisms.noise import truncation_delta
from gossamer.mechanisms.priced_plan import TUNING, AbstractPricedPlan
from gossamer.privacy.accounting import (
    describe_accountants,
    epsilon_by_rdp,
)
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.events import poisson_event
from gossamer.privacy.published import PublishedFigure
from gossamer.privacy.statement import PrivacyStatement


@dataclass(frozen=True, kw_only=True)
class PoissonPlan(AbstractPricedPlan):
    """Noisy sums of clipped gradients over Poisson samples of units.

    Guarantee: a run through `PrivateGradient` made from this plan has the privacy of `event` under `adjacency`
    (docs/concepts/poisson.md).

    Attributes:
        unit: what a slot holds.
        num_slots: public number of slots, N.
        sample_rate: q, probability with which a unit is in a batch, public, in (0, 1].
        num_steps: T, batches.
        clip_norm: C, > 0, bound on what one unit adds to a sum.
        noise_multiplier: noise standard deviation over `sensitivity`, > 0; None while it is still to be calibrated.
        records_per_unit: m, records of a drawn unit that are read; 1 where a unit is a record. It costs nothing.
        published: how a published system prices such a plan, where there is one.

    Raises:
        InputError: a number out of range.
        PrivacyError: no noise.
    """

    unit: Unit
    num_slots: int
    sample_rate: float
    num_steps: int
    clip_norm: float
    noise_multiplier: float | None
    records_per_unit: int = 1
    published: PublishedFigure | None = None

    def __post_init__(self) -> None:
        if not 0 < self.clip_norm < float("inf"):
            raise InputError(f"clip_norm must be a positive number, got {self.clip_norm}")
        if self.num_slots < 1:
            raise InputError(f"num_slots must be at least 1, got {self.num_slots}")
        if self.records_per_unit < 1 or (self.unit is Unit.RECORD and self.records_per_unit != 1):
            raise InputError(
                f"records_per_unit must be 1, or more where a unit is a person; got {self.records_per_unit}"
            )
        self._event_with(1.0 if self.noise_multiplier is None else self.noise_multiplier)

    @property
    def adjacency(self) -> Adjacency:
        """One unit added or removed."""
        return Adjacency.ADD_OR_REMOVE_ONE

    @property
    def sensitivity(self) -> float:
        """Distance C by which one unit moves the sum of a batch that it is in."""
        return self.clip_norm

    @property
    def expected_batch_size(self) -> float:
        """``q N``, public: what sums are divided by. The number of drawn units is secret."""
        return self.sample_rate * self.num_slots

    def statement(
        self,
        delta: float,
        *,
        method: str,
        sample_size: int,
        is_secure: bool,
        public_inputs: tuple[str, ...] = (),
        num_tuning_runs: int = 0,
        num_planned_steps: int | None = None,
    ) -> PrivacyStatement:
        """The claim of a run of this plan.

        Args:
            delta: below one over the number of slots.
            method: name of the method that ran.
            sample_size: coordinates of a released gradient.
            is_secure: whether the noise was secret.
            public_inputs: sentences on what was taken as public.
            num_tuning_runs: earlier runs on the same records, as their owner declares.
            num_planned_steps: of the whole run, where this plan is of its first steps and the claim is of what was
                released after them; None where it is the whole.
        """
        budget = self.budget_at(delta)
        return PrivacyStatement(
            mechanism=f"{method}: Gaussian noise on the sum of the clipped gradients of a Poisson sample (DP-SGD)",
            adjacency=self.adjacency,
            unit=self.unit,
            num_slots=self.num_slots,
            epsilon=budget.epsilon,
            delta=delta,
            epsilon_rdp=epsilon_by_rdp(self.event, delta).epsilon,
            noise_multiplier=self._chosen_multiplier(),
            clip_norm=self.clip_norm,
            parameters=self._parameters(),
            accountants=describe_accountants(),
            num_tuning_runs=num_tuning_runs,
            public_inputs=(
                "the number of slots, the shape of the data, its range [0, 1] and the names of its classes",
                "the expected size of a batch, and the law of the classes of synthetic samples",
                "all settings of the run and its seed, which initial weights and latents follow from",
                *public_inputs,
            ),
            covered=(
                *self._describe_generator(num_planned_steps),
                "synthetic samples drawn from it, as many as you like",
            ),
            not_covered=(
                *(() if num_planned_steps is None else (TUNING,)),
                "everything in private/: checkpoints, the ledger and losses on real data",
                "which units were drawn, and how many",
                "evaluations and every other score on real data, wherever they are kept, and choices made by them",
                "facts that hold for the whole population: the generator is meant to teach those",
                "a unit replaced by another: that is one removed and one added, at twice epsilon and a larger delta",
                self.unit.overlap,
            ),
            truncation_delta=truncation_delta(self.num_steps, sample_size, self._chosen_multiplier()),
            is_secure=is_secure,
            published_epsilon=self._published_epsilon(delta),
            published_caveat=None if self.published is None else self.published.caveat,
        )

    def _parameters(self) -> tuple[tuple[str, int | float], ...]:
        names = ("sample_rate", "expected_batch_size", "num_steps")
        if self.unit is Unit.PERSON:
            names += ("records_per_unit",)
        return tuple((name, getattr(self, name)) for name in names)

    def _published_epsilon(self, delta: float) -> float | None:
        if self.published is None:
            return None
        return self.published.epsilon(
            sample_rate=self.sample_rate,
            noise_multiplier=self._chosen_multiplier(),
            clip_norm=self.clip_norm,
            num_steps=self.num_steps,
            delta=delta,
        )

    def _event_with(self, noise_multiplier: float) -> DpEvent:
        return poisson_event(sample_rate=self.sample_rate, noise_multiplier=noise_multiplier, num_steps=self.num_steps)
