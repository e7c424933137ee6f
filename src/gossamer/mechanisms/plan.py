"""What every plan does with its price: noise for a budget, epsilon of the run, steps within a budget."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from dp_accounting import DpEvent

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.accounting import (
    calibrate_noise_multiplier,
    describe_accountants,
    epsilon_by_pld,
    epsilon_by_rdp,
    num_steps_for_budget,
)
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.gaussian_dp import mu_of, rho_of
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.slots import CountSource
from gossamer.privacy.statement import Parameter, PrivacyStatement

TUNING = (
    "a choice among several generators of the run by scores on private data: that is tuning, and what is chosen so is "
    "not protected as this statement says"
)
"""What no statement of a generator that was saved on the way covers."""


@dataclass(frozen=True, kw_only=True)
class AbstractPlan(abc.ABC):
    """A frozen dataclass that knows its event for any noise multiplier; everything else about its price follows.

    Attributes:
        unit: what a slot holds.
        num_slots: public number of slots.
        source: who says that number.
        num_steps: private steps of the whole run.
        noise_multiplier: noise standard deviation over `sensitivity`; None while it is still to be calibrated.
    """

    if TYPE_CHECKING:  # each is a field of some plans, a property of others

        @property
        def unit(self) -> Unit:
            """What a slot holds."""
            ...

        @property
        def num_slots(self) -> int:
            """Public number of slots."""
            ...

        @property
        def source(self) -> CountSource:
            """Who says how many slots there are."""
            ...

        @property
        def noise_multiplier(self) -> float | None:
            """Noise standard deviation over `sensitivity`; None while it is still to be calibrated."""
            ...

        @property
        def num_steps(self) -> int:
            """Private steps of the whole run."""
            ...

    @property
    def adjacency(self) -> Adjacency:
        """Any change of one slot; or one unit replaced, where the number of slots was counted in the data."""
        return self.source.of_slots

    @property
    @abc.abstractmethod
    def sensitivity(self) -> float:
        """What the noise is measured by."""

    @abc.abstractmethod
    def _event_with(self, noise_multiplier: float) -> DpEvent: ...

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise on every released coordinate."""
        return self.sensitivity * self._chosen_multiplier()

    @property
    def event(self) -> DpEvent:
        """What the whole run does to privacy."""
        return self._event_with(self._chosen_multiplier())

    def calibrated(self, budget: PrivacyBudget) -> Self:
        """The plan with the smallest noise multiplier whose epsilon by PLD keeps within the budget."""
        check_delta(budget.delta, self.num_slots)
        return self._with(noise_multiplier=calibrate_noise_multiplier(self._event_with, budget).noise_multiplier)

    def budget_at(self, delta: float) -> PrivacyBudget:
        """What the whole run costs at ``delta``.

        Raises:
            PrivacyError: delta is not below one over the number of slots.
        """
        check_delta(delta, self.num_slots)
        return PrivacyBudget(epsilon=epsilon_by_pld(self.event, delta).epsilon, delta=delta)

    def first_steps(self, num_steps: int) -> Self:
        """The plan of the first steps of this one alone: the price of what is released after so many.

        Raises:
            InputError: fewer than one step, or more than the plan has.
        """
        self._check_first(num_steps)
        return self._with(num_steps=num_steps)

    def spent_by(self, ledger: Ledger) -> DpEvent | None:
        """What the blocks of a ledger pay for, steps lost in crashes included; None where nothing is charged.

        Raises:
            PrivacyError: the ledger charges what this plan has not.
        """
        if not ledger.entries:
            return None
        self._check_charged(ledger)
        return self._with(num_steps=ledger.num_charged_steps).event

    def _check_charged(self, ledger: Ledger) -> None:
        last = max(entry.end_step for entry in ledger.entries)
        if max(ledger.num_charged_steps, last) > self.num_steps:
            raise PrivacyError(
                f"the ledger charges {ledger.num_charged_steps} steps, the last of them step {last - 1}, and the plan "
                f"pays for {self.num_steps}: it was edited, or it is of another run; start a new one"
            )

    def num_steps_within(self, budget: PrivacyBudget) -> int:
        """The largest number of first steps that keeps within the budget by PLD; 0 when not even one does."""
        if self.budget_at(budget.delta).epsilon <= budget.epsilon:
            return self.num_steps
        found = num_steps_for_budget(lambda num_steps: self._with(num_steps=num_steps).event, budget)
        return min(found, self.num_steps)

    # ---- statement --------------------------------------------------------------------------------------------------

    def statement(self, terms: ClaimTerms) -> PrivacyStatement:
        """The claim of a run of this plan.

        Raises:
            PrivacyError: delta is not below one over the number of slots.
        """
        return PrivacyStatement(
            mechanism=f"{terms.method}: {self._describe_mechanism()}",
            adjacency=self.adjacency,
            unit=self.unit,
            num_slots=self.num_slots,
            epsilon=self.budget_at(terms.delta).epsilon,
            delta=terms.delta,
            epsilon_rdp=self._epsilon_rdp(terms.delta),
            noise_multiplier=self._chosen_multiplier(),
            clip_norm=self._released_clip_norm,
            parameters=self._parameters(terms.delta),
            accountants=describe_accountants(),
            num_tuning_runs=terms.num_tuning_runs,
            public_inputs=(*self._public_inputs(), *terms.public_inputs),
            covered=self._covered(terms.num_planned_steps),
            not_covered=self._not_covered(terms.num_planned_steps),
            truncation_delta=self.truncation_delta(terms.sample_size),
            is_secure=terms.is_secure,
            published_epsilon=self._published_epsilon(terms.delta),
            published_caveat=self._published_caveat,
            gossamer_version=terms.gossamer_version,
            date=terms.date,
            run_id=terms.run_id,
            num_only_copies=terms.num_only_copies,
            mu=mu_of(self.event, terms.delta),
            rho=rho_of(self.event),
            epsilon_replaced=self._epsilon_replaced(terms.delta),
        )

    @abc.abstractmethod
    def truncation_delta(self, sample_size: int) -> float:
        """What the finite range of the noise adds to delta at most.

        Args:
            sample_size: coordinates of the largest vector that a step releases.
        """

    @abc.abstractmethod
    def _describe_mechanism(self) -> str:
        """What is done with the records, in a clause."""

    @abc.abstractmethod
    def _parameters(self, delta: float) -> tuple[Parameter, ...]:
        """The mechanism's other public numbers, by name."""

    @abc.abstractmethod
    def _described_settings(self) -> tuple[str, ...]:
        """Which settings are public, and what follows from them, in sentences."""

    @property
    def _released_clip_norm(self) -> float | None:
        return None

    @property
    def _published_caveat(self) -> str | None:
        return None

    def _published_epsilon(self, delta: float) -> float | None:
        return None

    def _epsilon_rdp(self, delta: float) -> float | None:
        return epsilon_by_rdp(self.event, delta).epsilon

    def _epsilon_replaced(self, delta: float) -> float | None:
        """What a replacement costs, where the claim is of units that come or leave."""
        return None

    def _public_inputs(self) -> tuple[str, ...]:
        slots = "the number of slots, the shape of the data, its range [0, 1] and the names of its classes"
        if self.source is CountSource.READ:
            slots += f"; the number of slots is that of the {self.unit.plural} in the data"
        return (slots, *self._described_settings())

    def _covered(self, num_planned_steps: int | None) -> tuple[str, ...]:
        return (
            *self._describe_generator(num_planned_steps),
            "synthetic samples drawn from it, as many as you like",
        )

    def _not_covered(self, num_planned_steps: int | None) -> tuple[str, ...]:
        return (
            *(() if num_planned_steps is None else (TUNING,)),
            f"everything in private/: {self._kept_private}",
            *self._secret_draws(),
            "evaluations and every other score on real data, wherever they are kept, and choices made by them",
            "facts that hold for the whole population: the generator is meant to teach those",
            *self._other_changes(),
            self.unit.overlap,
        )

    @property
    def _kept_private(self) -> str:
        return "critics, checkpoints, the key that deals units to shards, the ledger and losses on real data"

    def _secret_draws(self) -> tuple[str, ...]:
        return ()

    def _other_changes(self) -> tuple[str, ...]:
        """Changes of the data that the claim is not of, in sentences."""
        if self.source is CountSource.READ:
            return (
                f"how many {self.unit.plural} there are, which is public here: nobody is promised that it stays "
                "unknown whether one came or left; a number that does not come from the data promises that, too",
            )
        return ()

    def _describe_generator(self, num_planned_steps: int | None) -> tuple[str, ...]:
        """Which generator a statement covers: that of the whole run, or that of its first steps."""
        if num_planned_steps is None:
            return ("the generator in release/generator.safetensors, and anything that is computed from it alone",)
        return self._describe_early(num_planned_steps)

    def _describe_early(self, num_planned_steps: int) -> tuple[str, ...]:
        return (
            f"the generator in generator.safetensors beside this statement, as it was after {self.num_steps} of the "
            f"{num_planned_steps} steps of a run (steps lost in a crash are counted), and anything that is computed "
            "from it alone",
            "together with other generators of the run: what all of them cost is what the statement of the latest of "
            "them says; their epsilons do not add up, because each is computed from the sanitized gradients that the "
            "next ones are computed from, too",
        )

    def _check_first(self, num_steps: int) -> None:
        if not 1 <= num_steps <= self.num_steps:
            raise InputError(f"the first {num_steps} steps of {self.num_steps}: name at least 1 and at most all")

    def _with(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def _chosen_multiplier(self) -> float:
        if self.noise_multiplier is None:
            raise InputError("noise_multiplier is not chosen yet: calibrate the settings to an epsilon first")
        return self.noise_multiplier
