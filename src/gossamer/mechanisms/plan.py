"""The base of all plans: noise for a budget, epsilon of the run, steps within a budget, and the statement."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from dp_accounting.dp_event import DpEvent

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.prospect import Prospect
from gossamer.privacy.accounting import (
    calibrate_noise_multiplier,
    describe_accountants,
    epsilon_by_pld,
    epsilon_by_rdp,
    num_steps_for_budget,
    proved_epsilon,
)
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.events import flatten, under_replacement
from gossamer.privacy.gaussian_dp import mu_of, rho_of
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.slots import CountSource
from gossamer.privacy.statement import Parameter, PrivacyStatement

TUNING = (
    "a choice among several generators of the run by scores on private data: that is tuning, and what is chosen so is "
    "not protected as this statement says"
)
"""A choice that no statement of a generator saved on the way covers."""
BOUNDS = "the bounds of its values"
BOUNDS_BEFORE = "its range [0, 1]"
"""The words of earlier statements in the place of `BOUNDS`. Of images both are true, and of series only `BOUNDS`."""


@dataclass(frozen=True, kw_only=True)
class PlanDescription:
    """The words of a statement that only the mechanism knows. `AbstractPlan.statement` writes all others.

    Attributes:
        mechanism: a clause on the mechanism.
        parameters: the mechanism's other public numbers, by name.
        public_settings: sentences on the settings that are public.
        kept_private: the files in `private/`, in words.
        secret_draws: random draws that stay secret, in words.
        released: plural noun for the released vectors of a step.
        part: clause on the part of a run that an early generator is of. `{}` stands for the planned number of steps.
        clip_norm: L2 bound of one answer or gradient. None if the mechanism has none.
    """

    mechanism: str
    parameters: tuple[Parameter, ...]
    public_settings: tuple[str, ...]
    kept_private: str
    secret_draws: tuple[str, ...] = ()
    released: str = "sanitized gradients"
    part: str
    clip_norm: float | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedClaim:
    """The epsilon that a published system prints for the same settings, and the reason why it does not hold."""

    epsilon: float
    caveat: str


@dataclass(frozen=True, kw_only=True)
class AbstractPlan(abc.ABC):
    """A frozen dataclass that knows its event for any noise multiplier. Everything else about its price follows.

    Attributes:
        unit: content of a slot, a record or a person.
        num_slots: public number of slots.
        source: origin of that number.
        num_steps: private steps of the whole run.
        noise_multiplier: noise standard deviation over `sensitivity`. None while it is still to be calibrated.
    """

    unit: Unit
    num_slots: int
    noise_multiplier: float | None
    source: CountSource = CountSource.GIVEN

    if TYPE_CHECKING:  # a field of some plans, a property of others

        @property
        def num_steps(self) -> int:
            """Private steps of the whole run."""
            ...

    @property
    def adjacency(self) -> Adjacency:
        """Any change of one slot, or one unit replaced if the number of slots was counted in the data."""
        return self.source.of_slots

    @property
    @abc.abstractmethod
    def sensitivity(self) -> float:
        """Distance that is the unit of `noise_multiplier`."""

    @abc.abstractmethod
    def _event_with(self, noise_multiplier: float) -> DpEvent: ...

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise on every released coordinate."""
        return self.sensitivity * self._chosen_multiplier()

    @property
    def event(self) -> DpEvent:
        """Event of the whole run, as accountants read it."""
        return self._event_with(self._chosen_multiplier())

    def calibrated(self, budget: PrivacyBudget) -> Self:
        """Return the plan with the smallest noise multiplier that keeps its epsilon within the budget."""
        check_delta(budget.delta, self.num_slots)
        return self._with(noise_multiplier=calibrate_noise_multiplier(self._event_with, budget).noise_multiplier)

    def budget_at(self, delta: float) -> PrivacyBudget:
        """Compute the price of the whole run at ``delta``.

        Raises:
            PrivacyError: delta is not below one over the number of slots.
        """
        check_delta(delta, self.num_slots)
        return PrivacyBudget(epsilon=proved_epsilon(self.event, delta).epsilon, delta=delta)

    def paid_for(self, num_done: int, lost_steps: tuple[int, ...] = ()) -> Self:
        """Return the plan of the steps that were paid for, with the noise that each has here.

        Args:
            num_done: steps done, from the first on.
            lost_steps: steps paid for and lost in a crash, each as often as it was.

        Raises:
            InputError: no step was paid for.
        """
        num_steps = num_done + len(lost_steps)
        if num_steps == 0:
            raise InputError("no step was done and none was lost: there is nothing to price")
        return self._with(num_steps=num_steps)

    def first_steps(self, num_steps: int) -> Self:
        """Return the plan of this plan's first steps alone, which prices a release after them.

        Raises:
            InputError: fewer than one step, or more than the plan has.
        """
        if not 1 <= num_steps <= self.num_steps:
            raise InputError(f"the first {num_steps} steps of {self.num_steps}: name at least 1 and at most all")
        return self.paid_for(num_steps)

    def end_step(self, next_step: int, lost_steps: tuple[int, ...] = ()) -> int:
        """Compute the end step of a run that has done some steps and lost others.

        Steps done and lost together cost no more than the plan, and are no more than the plan has.

        Args:
            next_step: steps done.
            lost_steps: steps paid for and lost in a crash, each as often as it was.
        """
        return max(next_step, self.num_steps - len(lost_steps))

    def steps_of(self, part: AbstractPlan) -> range:
        """Return the steps that a releaser of a plan may take: all, if it is this plan, or those of a part of it.

        Raises:
            PrivacyError: this plan does not pay for the other one.
        """
        if part != self:
            raise PrivacyError("the step gate is of another plan: make releaser and gate from the same one")
        return range(self.num_steps)

    @property
    def training_share(self) -> float:
        """Expected share of the slots that is learnt from, as far as the price knows it."""
        return 1.0

    @property
    def stops(self) -> tuple[int, ...]:
        """Steps that no block of the ledger crosses."""
        return ()

    @property
    def step_names(self) -> tuple[str, ...]:
        """Names of the steps, if each is a release of its own. Such a step is kept as soon as it is done."""
        return ()

    @abc.abstractmethod
    def prospect(self, budget: PrivacyBudget, sample_size: int) -> Prospect:
        """Compare the longest possible signal with the noise, from public settings alone.

        Args:
            budget: of the whole run.
            sample_size: coordinates of one released vector of a training.
        """

    def spent_by(self, ledger: Ledger) -> DpEvent | None:
        """Return the event that a ledger pays for, lost steps included, or None if nothing is charged.

        Raises:
            PrivacyError: the ledger charges steps that this plan does not have.
        """
        if not ledger.entries:
            return None
        self._check_charged(ledger)
        return self.paid_for(0, ledger.lost_steps(0)).event

    def _check_charged(self, ledger: Ledger) -> None:
        last = max(entry.end_step for entry in ledger.entries)
        if max(ledger.num_charged_steps, last) > self.num_steps:
            raise PrivacyError(
                f"the ledger charges {ledger.num_charged_steps} steps, the last of them step {last - 1}, and the plan "
                f"pays for {self.num_steps}: it was edited, or it is of another run; start a new one"
            )

    def num_steps_within(self, budget: PrivacyBudget) -> int:
        """Compute the largest number of first steps that keeps within the budget, 0 if not even one does."""
        if self.budget_at(budget.delta).epsilon <= budget.epsilon:
            return self.num_steps
        found = num_steps_for_budget(lambda num_steps: self._with(num_steps=num_steps).event, budget)
        return min(found, self.num_steps)

    # ---- statement --------------------------------------------------------------------------------------------------

    def statement(self, terms: ClaimTerms) -> PrivacyStatement:
        """Write the claim of a run of this plan.

        Raises:
            PrivacyError: delta is not below one over the number of slots.
        """
        event, says = self.event, self._description
        published = self._published(terms.delta)
        return PrivacyStatement(
            mechanism=f"{terms.method}: {says.mechanism}",
            adjacency=self.adjacency,
            unit=self.unit,
            num_slots=self.num_slots,
            epsilon=self.budget_at(terms.delta).epsilon,
            delta=terms.delta,
            epsilon_rdp=epsilon_by_rdp(event, terms.delta).epsilon,
            noise_multiplier=self._chosen_multiplier(),
            clip_norm=says.clip_norm,
            parameters=says.parameters,
            accountants=describe_accountants(),
            num_tuning_runs=terms.num_tuning_runs,
            public_inputs=(self._describe_slots(), *says.public_settings, *terms.public_inputs),
            covered=self._covered(says, terms.num_planned_steps),
            not_covered=self._not_covered(says, terms.num_planned_steps),
            truncation_delta=self.truncation_delta(terms.sample_size),
            is_secure=terms.is_secure,
            published_epsilon=None if published is None else published.epsilon,
            published_caveat=None if published is None else published.caveat,
            gossamer_version=terms.gossamer_version,
            date=terms.date,
            run_id=terms.run_id,
            num_only_copies=terms.num_only_copies,
            mu=mu_of(event, terms.delta),
            rho=rho_of(event),
            epsilon_replaced=self._epsilon_replaced(terms.delta),
            event=tuple(flatten(event)),
        )

    @abc.abstractmethod
    def truncation_delta(self, sample_size: int) -> float:
        """Bound the part of delta that the finite range of the noise adds.

        Args:
            sample_size: coordinates of the largest vector that a step releases.
        """

    @property
    @abc.abstractmethod
    def _description(self) -> PlanDescription: ...

    def _published(self, delta: float) -> PublishedClaim | None:
        """Return the figure of the published system for these settings, if there is one."""
        return None

    def _epsilon_replaced(self, delta: float) -> float | None:
        if self.adjacency is not Adjacency.ADD_OR_REMOVE_ONE:
            return None
        return epsilon_by_pld(under_replacement(self.event, self.adjacency), delta).epsilon

    def _describe_slots(self) -> str:
        slots = f"the number of slots, the shape of the data, {BOUNDS} and the names of its classes"
        if self.source is CountSource.READ:
            slots += f"; the number of slots is that of the {self.unit.plural} in the data"
        return slots

    def _covered(self, says: PlanDescription, num_planned_steps: int | None) -> tuple[str, ...]:
        samples = "synthetic samples drawn from it, as many as you like"
        if num_planned_steps is None:
            whole = "the generator in release/generator.safetensors, and anything that is computed from it alone"
            return whole, samples
        return (
            f"the generator in generator.safetensors beside this statement, {says.part.format(num_planned_steps)}, and "
            "anything that is computed from it alone",
            "together with other generators of the run: what all of them cost is what the statement of the latest of "
            f"them says; their epsilons do not add up, because each is computed from the {says.released} that the "
            "next ones are computed from, too",
            samples,
        )

    def _not_covered(self, says: PlanDescription, num_planned_steps: int | None) -> tuple[str, ...]:
        return (
            *(() if num_planned_steps is None else (TUNING,)),
            f"everything in private/: {says.kept_private}",
            *says.secret_draws,
            "evaluations and every other score on real data, wherever they are kept, and choices made by them",
            "facts that hold for the whole population: the generator is meant to teach those",
            *self._other_changes(),
            self.unit.overlap,
        )

    def _other_changes(self) -> tuple[str, ...]:
        """Return sentences on the changes of the data that the claim does not cover."""
        if self.source is CountSource.READ:
            return (
                f"how many {self.unit.plural} there are, which is public here: nobody is promised that it stays "
                "unknown whether one came or left; a number that does not come from the data promises that, too",
            )
        if self.adjacency is Adjacency.ADD_OR_REMOVE_ONE:
            return (
                "a unit replaced by another, at the epsilon that is claimed: what that costs at the same delta stands "
                "among the numbers",
            )
        return ()

    def among(self, num_slots: int) -> Self:
        """Return the plan for its units as a part of more slots, which others hold: the same mechanism and price."""
        return self._with(num_slots=num_slots)

    def _with(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def _chosen_multiplier(self) -> float:
        if self.noise_multiplier is None:
            raise InputError("noise_multiplier is not chosen yet: calibrate the settings to an epsilon first")
        return self.noise_multiplier
