"""The plan of one-shot sums and Poisson samples in one composition: noise, adjacency and price of both together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.plan import AbstractPlan, PlanDescription
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.prospect import Prospect
from gossamer.mechanisms.sums_then_samples.split import Split
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import check_noise_multiplier, compose_events
from gossamer.privacy.statement import Parameter


@dataclass(frozen=True, kw_only=True)
class SumsThenSamplesPlan(AbstractPlan):
    r"""Sums over all slots, each once, and after them noisy sums of clipped gradients over Poisson samples.

    Steps 0 to n - 1 are the sums, and steps n to n + T - 1 the samples. Later steps may be chosen after earlier
    releases, so that the samples may ask for gradients in coordinates that the sums define.

    Guarantee: a run has the privacy of `event` under `adjacency` on one condition. It goes through a
    `OneShotReleaser` of `of_sums` and a `PoissonReleaser` of `of_samples`, each with the gate of its part. The event is
    the composition of both, priced as a whole (docs/concepts/labelled-mixture.md).

    Attributes:
        unit: content of a slot, a record or a person.
        num_slots: public number of slots, N.
        sums: the sums, for a unit that comes or leaves. Its noise multiplier is None, and follows from the split. A
            plan of the first steps has the one that its sums have here. None if no sum was paid for.
        samples: the samples, likewise. None if no sample was paid for.
        split: divides the noise.
        noise_multiplier: :math:`\sigma`, about that of one Gaussian worth both parts, > 0. None while it is still to be
            calibrated.
        source: origin of the number of slots.
        from_sums: the statement's words for the part that is learnt from the sums. Empty to leave it unsaid.
        from_samples: the same for the samples.

    Raises:
        InputError: parts of other slots, units or adjacency, no part, or a number out of range.
        PrivacyError: no noise.
    """

    sums: OneShotPlan | None
    samples: PoissonPlan | None
    split: Split = field(default_factory=Split)
    from_sums: str = ""
    from_samples: str = ""

    def __post_init__(self) -> None:
        parts = self._templates
        if not parts:
            raise InputError("neither sums nor samples: a plan needs at least one of them")
        mine = (self.unit, self.num_slots, self.source, self.adjacency)
        if any((part.unit, part.num_slots, part.source, part.adjacency) != mine for part in parts):
            raise InputError("sums and samples must be of the same slots, and priced for the same change of the data")
        self._event_with(1.0 if self.noise_multiplier is None else self.noise_multiplier)

    @property
    def adjacency(self) -> Adjacency:
        """One unit added or removed, or one replaced if the number of slots was counted in the data."""
        return self.source.of_samples

    @property
    def sensitivity(self) -> float:
        """Sensitivity of a Gaussian that is worth about both parts: 1."""
        return 1.0

    @property
    def num_sums(self) -> int:
        """Number of sums, n, which come first."""
        return 0 if self.sums is None else self.sums.num_steps

    @property
    def num_samples(self) -> int:
        """Number of Poisson samples, T."""
        return 0 if self.samples is None else self.samples.num_steps

    @property
    def num_steps(self) -> int:
        """Number of sums and samples together."""
        return self.num_sums + self.num_samples

    @property
    def of_sums(self) -> OneShotPlan:
        """The plan of the sums, with their noise.

        Raises:
            InputError: there are none, or the noise is not chosen.
        """
        if self.sums is None:
            raise InputError("no sum of this plan was paid for")
        return self._sums_with(self.sums, self._chosen_multiplier())

    @property
    def of_samples(self) -> PoissonPlan:
        """The plan of the samples, with their noise.

        Raises:
            InputError: there are none, or the noise is not chosen.
        """
        if self.samples is None:
            raise InputError("no sample of this plan was paid for")
        return self._samples_with(self.samples, self._chosen_multiplier())

    def steps_of(self, part: AbstractPlan) -> range:
        """Return the steps of the sums, of the samples, or of both.

        Raises:
            PrivacyError: this plan does not pay for the other one.
        """
        if self.sums is not None and part == self.of_sums:
            return range(self.num_sums)
        if self.samples is not None and part == self.of_samples:
            return range(self.num_sums, self.num_steps)
        return super().steps_of(part)

    @property
    def training_share(self) -> float:
        """Expected share of the slots that is learnt from."""
        return 1.0 if self.samples is None else self.samples.training_share

    @property
    def stops(self) -> tuple[int, ...]:
        """Every step to the end of the sums, because a lost sum is priced by its own share."""
        return tuple(range(1, self.num_sums + 1))

    @property
    def step_names(self) -> tuple[str, ...]:
        """Names of the sums, which are the first steps."""
        return () if self.sums is None else self.sums.step_names

    def paid_for(self, num_done: int, lost_steps: tuple[int, ...] = ()) -> Self:
        """Return the plan of the steps that were paid for, each with the noise that it has here.

        Args:
            num_done: steps done, sums first.
            lost_steps: numbers of those paid for and lost, each as often as it was.

        Raises:
            InputError: no step was paid for.
        """
        if num_done == self.num_steps and not lost_steps:
            return self
        lost_sums = tuple(step for step in lost_steps if step < self.num_sums)
        num_sums = min(num_done, self.num_sums)
        num_samples = num_done - num_sums + len(lost_steps) - len(lost_sums)
        if num_sums + len(lost_sums) + num_samples == 0:
            raise InputError("no step was done and none was lost: there is nothing to price")
        return self._with(
            sums=self.of_sums.paid_for(num_sums, lost_sums) if num_sums or lost_sums else None,
            samples=replace(self.of_samples, num_steps=num_samples) if num_samples else None,
        )

    def among(self, num_slots: int) -> Self:
        """Return the plan for its units as a part of more slots, which others hold. See `AbstractPlan.among`."""
        sums, samples = (None if part is None else part.among(num_slots) for part in (self.sums, self.samples))
        return self._with(num_slots=num_slots, sums=sums, samples=samples)

    def end_step(self, next_step: int, lost_steps: tuple[int, ...] = ()) -> int:
        """Compute the end of a run that has done some steps and lost others.

        A lost sample leaves one sample fewer. A lost sum costs more than any sample, so that no sample is made then,
        and as many sums as their own shares allow.

        Args:
            next_step: steps done.
            lost_steps: numbers of those lost, each as often as it was.
        """
        lost_sums = tuple(step for step in lost_steps if step < self.num_sums)
        if not lost_sums:
            return max(next_step, self.num_steps - len(lost_steps))
        # Privacy: the sums, those made again included, cost no more than the sums of the plan. Samples come on top, if
        # some were made, and they leave room for no more of either.
        return max(next_step, self.of_sums.end_step(min(next_step, self.num_sums), lost_sums))

    def num_steps_within(self, budget: PrivacyBudget) -> int:
        """Compute the largest number of first steps that keeps within the budget, 0 if not even one does."""
        low, high = 0, self.num_steps
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.first_steps(middle).budget_at(budget.delta).epsilon <= budget.epsilon
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def prospect(self, budget: PrivacyBudget, sample_size: int) -> Prospect:
        """Compare signal and noise of the sums, which samples are drawn from."""
        return (self.of_samples if self.sums is None else self.of_sums).prospect(budget, sample_size)

    def truncation_delta(self, sample_size: int) -> float:
        """Bound the part of delta that the finite range of the noise adds, over both parts."""
        return min(1.0, sum(part.truncation_delta(sample_size) for part in self._parts(self._chosen_multiplier())))

    @property
    def _description(self) -> PlanDescription:
        clauses = [part._description for part in self._parts(self._chosen_multiplier())]
        learnt = [name for part, name in ((self.sums, self.from_sums), (self.samples, self.from_samples)) if part]
        named = [f"{name}, by " if name else "" for name in learnt]
        then = ", and after them, in the same composition, ".join(
            f"{name}{clause.mechanism}" for name, clause in zip(named, clauses, strict=True)
        )
        if self.adjacency is Adjacency.ADD_OR_REMOVE_ONE:
            then += "; priced for a unit added or removed, a weaker promise than for one replaced by another"
        settings = dict.fromkeys(setting for clause in clauses for setting in clause.public_settings)
        return PlanDescription(
            mechanism=then,
            parameters=(*self._describe_split(), *(said for clause in clauses for said in clause.parameters)),
            public_settings=tuple(settings),
            kept_private="checkpoints, the ledger, figures and losses on real data",
            secret_draws=tuple(draw for clause in clauses for draw in clause.secret_draws),
            released="noisy sums and sanitized gradients",
            part=f"as it was after {self.num_steps} of the {{}} steps of a run (steps lost in a crash are counted)",
            clip_norm=None if self.samples is None else self.samples.clip_norm,
        )

    def _describe_split(self) -> tuple[Parameter, ...]:
        """Return the noise of both parts over the multiplier of the whole: with these the event can be made again."""
        whole = self._chosen_multiplier()
        found: tuple[Parameter, ...] = ()
        if self.sums is not None:
            found += (("noise_of_sums_over_multiplier", self.of_sums.noise_std / whole),)
        if self.samples is not None:
            each = self.of_samples._chosen_multiplier()
            found += (
                ("noise_of_samples_over_multiplier", each / whole),
                ("each sample", f"noise multiplier {each:.6g}"),
            )
        return found

    @property
    def _templates(self) -> tuple[AbstractPlan, ...]:
        return tuple(part for part in (self.sums, self.samples) if part is not None)

    def _sums_with(self, sums: OneShotPlan, noise_multiplier: float) -> OneShotPlan:
        if sums.noise_multiplier is not None:
            return sums
        return replace(sums, noise_multiplier=self.split.of_sums(noise_multiplier))

    def _samples_with(self, samples: PoissonPlan, noise_multiplier: float) -> PoissonPlan:
        if samples.noise_multiplier is not None:
            return samples
        each = self.split.of_sample(noise_multiplier, samples.sample_rate, samples.num_steps, self.adjacency)
        return replace(samples, noise_multiplier=each)

    def _parts(self, noise_multiplier: float) -> tuple[AbstractPlan, ...]:
        found: tuple[AbstractPlan, ...] = ()
        if self.sums is not None:
            found += (self._sums_with(self.sums, noise_multiplier),)
        if self.samples is not None:
            found += (self._samples_with(self.samples, noise_multiplier),)
        return found

    def _event_with(self, noise_multiplier: float) -> DpEvent:
        check_noise_multiplier(noise_multiplier)
        return compose_events(*(part.event for part in self._parts(noise_multiplier)))
