"""The plan of a run that begins with one-shot sums and goes on with one-of-many draws: two mechanisms, one budget."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dp_accounting import DpEvent

from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.one_shot import OneShotPlan
from gossamer.mechanisms.plan import OneOfManyPlan
from gossamer.mechanisms.priced_plan import AbstractPricedPlan
from gossamer.privacy.accounting import calibrate_noise_multiplier, num_steps_for_budget
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.budget import PrivacyBudget, check_delta
from gossamer.privacy.events import compose_events
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.slots import CountSource
from gossamer.privacy.statement import Parameter


@dataclass(frozen=True, kw_only=True)
class StartedPlan(AbstractPricedPlan):
    r"""A one-shot release as the first step, and draws of one of K critics as all others.

    Step 0 makes all sums of `start`; step :math:`t \geq 1` is step t - 1 of `rest`. The event of the whole is the
    composition of both, on one grid of privacy loss, under the one adjacency that both are proved for.

    Guarantee: a run through one `OneShotReleaser` made from `start`, and then through one `GradientSanitizer` made from
    `rest`, has the privacy of `event` under `adjacency`. What the first released may be used for all that follows: it
    is part of the public transcript on which the critics' states may depend (docs/concepts/started.md).

    Attributes:
        start: the one-shot sums.
        rest: the draws; None for a plan of the first step alone.
        start_share: public part of the budget's epsilon that `calibrated` gives the start, in (0, 1).
        num_starts: how often the start is paid for: 1, and one more for every time that it was lost in a crash.

    Raises:
        InputError: slots or units that differ, or a number out of range.
        PrivacyError: adjacencies that differ, or no noise.
    """

    start: OneShotPlan
    rest: OneOfManyPlan | None
    start_share: float = 0.1
    num_starts: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.start_share < 1:
            raise InputError(f"start_share must lie between 0 and 1, both excluded, got {self.start_share}")
        if self.num_starts < 1:
            raise InputError(f"num_starts must be at least 1, got {self.num_starts}")
        for part in (self.start, self.rest):
            # Privacy: a price holds for one adjacency; prices under two do not compose.
            if part is not None and part.adjacency not in (Adjacency.SLOT, Adjacency.REPLACE_ONE):
                raise PrivacyError(
                    f"both parts of a run must be priced for a change of one slot, one is for "
                    f"{part.adjacency.value}: account for them apart"
                )
        if self.rest is None:
            return
        for name in ("unit", "num_slots", "source"):
            mine, other = getattr(self.start, name), getattr(self.rest, name)
            if mine != other:
                raise InputError(f"both parts of a run must have one {name}: the start has {mine}, the rest {other}")

    # ---- what every plan knows ----------------------------------------------------------------------------------

    @property
    def unit(self) -> Unit:
        """What a slot holds."""
        return self.start.unit

    @property
    def num_slots(self) -> int:
        """Public number of slots."""
        return self.start.num_slots

    @property
    def source(self) -> CountSource:
        """Who says the number of slots."""
        return self.start.source

    @property
    def num_steps(self) -> int:
        """The start, and the steps of the rest."""
        return 1 + (0 if self.rest is None else self.rest.num_steps)

    @property
    def noise_multiplier(self) -> float | None:
        """That of the rest, or of the start where that is all."""
        return self._last.noise_multiplier

    @property
    def sensitivity(self) -> float:
        """What `noise_multiplier` is measured by."""
        return self._last.sensitivity

    @property
    def _last(self) -> OneShotPlan | OneOfManyPlan:
        return self.start if self.rest is None else self.rest

    # ---- price --------------------------------------------------------------------------------------------------

    def calibrated(self, budget: PrivacyBudget) -> StartedPlan:
        """Noise of the start for its share of epsilon, and the smallest noise of the rest that both keep within it.

        Both noise multipliers are chosen anew, whatever they were.

        Raises:
            InputError: the plan has no rest.
        """
        if self.rest is None:
            raise InputError("a plan of the first step alone has no noise to choose: calibrate its start")
        check_delta(budget.delta, self.num_slots)
        share = PrivacyBudget(epsilon=self.start_share * budget.epsilon, delta=budget.delta)
        begun = replace(self, start=self.start.calibrated(share))
        found = calibrate_noise_multiplier(begun._event_with, budget).noise_multiplier
        return replace(begun, rest=replace(self.rest, noise_multiplier=found))

    def first_steps(self, num_steps: int) -> StartedPlan:
        """The plan of the start, and of all but one of so many steps of the rest.

        Raises:
            InputError: fewer than one step, or more than the plan has.
        """
        self._check_first(num_steps)
        if self.rest is None or num_steps == 1:
            return replace(self, rest=None)
        return replace(self, rest=self.rest.first_steps(num_steps - 1))

    def num_steps_within(self, budget: PrivacyBudget) -> int:
        """The largest number of first steps that keeps within the budget by PLD; 0 when not even the start does."""
        if self.budget_at(budget.delta).epsilon <= budget.epsilon:
            return self.num_steps
        if self.rest is None or self.first_steps(1).budget_at(budget.delta).epsilon > budget.epsilon:
            return 0
        rest = self.rest
        found = num_steps_for_budget(lambda number: replace(self, rest=replace(rest, num_steps=number)).event, budget)
        return min(1 + found, self.num_steps)

    def spent_by(self, ledger: Ledger) -> DpEvent | None:
        """What the blocks of a ledger pay for: the start as often as they name step 0, and the draws of all others.

        Raises:
            PrivacyError: the ledger charges what this plan has not, or draws without the start.
        """
        if not ledger.entries:
            return None
        self._check_charged(ledger)
        num_starts = sum(entry.first_step == 0 for entry in ledger.entries)
        if num_starts == 0:
            raise PrivacyError("the ledger charges no step 0, the one-shot release: it was edited")
        num_draws = ledger.num_charged_steps - num_starts
        started = replace(self, num_starts=num_starts)
        return started.first_steps(1 + num_draws).event

    def covering(self, step: int, lost_steps: tuple[int, ...] = ()) -> StartedPlan:
        """The plan of ``step`` steps done and some paid for and lost: a lost step 0 was a start, all others were draws.

        Args:
            step: steps done, at least 1.
            lost_steps: numbers of those lost, each as often as it was.
        """
        num_lost_starts = lost_steps.count(0)
        num_draws = step - 1 + len(lost_steps) - num_lost_starts
        return replace(self, num_starts=1 + num_lost_starts).first_steps(min(self.num_steps, 1 + num_draws))

    def end_step(self, next_step: int, lost_steps: tuple[int, ...], delta: float) -> int:
        """How far a run may go that has done the first ``next_step`` steps and lost some that were paid for.

        As far as the steps done, the draws lost and all starts cost no more at ``delta`` than this plan does with one,
        and are no more than it has: the ledger charges no more.
        """
        num_lost_starts = lost_steps.count(0)
        num_lost_draws = len(lost_steps) - num_lost_starts
        if num_lost_starts == 0:
            return max(next_step, self.num_steps - num_lost_draws)
        paid = replace(self, num_starts=1 + num_lost_starts)
        within = paid.num_steps_within(self.budget_at(delta)) - num_lost_draws
        return max(next_step, min(within, self.num_steps - len(lost_steps)))

    def _event_with(self, noise_multiplier: float) -> DpEvent:
        starts = (self.start.event,) * self.num_starts
        if self.rest is None:
            return compose_events(*starts)
        # Privacy: the start is in every price but that of nothing at all.
        return compose_events(*starts, replace(self.rest, noise_multiplier=noise_multiplier).event)

    # ---- statement ----------------------------------------------------------------------------------------------

    @property
    def _released_clip_norm(self) -> float | None:
        return None if self.rest is None else self.rest.clip_norm

    def _described_settings(self) -> tuple[str, ...]:
        return (
            "all settings of the run and its seeds, which initial weights and batches follow from; who belongs to "
            "which shard follows from a secret key",
        )

    def _covered(self, num_planned_steps: int | None) -> tuple[str, ...]:
        sums = "the one-shot sums as they were released, and the mixture that is computed from them"
        return (*super()._covered(num_planned_steps), sums)

    def _describe_mechanism(self) -> str:
        sums = f"Gaussian noise on {self.start.describe_sums()} over all slots"
        if self.rest is None:
            return sums
        return f"{sums}; then Gaussian noise on the clipped answer of one of K critics, drawn in secret"

    def _parameters(self, delta: float) -> tuple[Parameter, ...]:
        alone = self.start.budget_at(delta).epsilon
        begin: tuple[Parameter, ...] = (
            ("num_steps", self.num_steps),
            ("noise multiplier of step 1", f"{self.start.noise_std:.6g} (epsilon {alone:.4g} if it were all)"),
            ("times step 1 is paid for", self.num_starts),
            *((f"step 1, {name}", what) for name, what in self.start.describe_releases()),
        )
        if self.rest is None:
            return begin
        multiplier = f"{self._chosen_multiplier():.6g}, in {self.rest.num_steps} steps"
        names = ("num_critics", "batch_size", "draws_per_step")
        return (
            *begin,
            ("noise multiplier of the steps after it", multiplier),
            *((name, getattr(self.rest, name)) for name in names),
        )

    def _describe_early(self, num_planned_steps: int) -> tuple[str, ...]:
        return (
            f"the generator in generator.safetensors beside this statement, as it was after {self.num_steps} of the "
            f"{num_planned_steps} steps of a run (steps lost in a crash are counted; the first is the one-shot), and "
            "anything that is computed from it alone",
            "together with other generators of the run: what all of them cost is what the statement of the latest of "
            "them says; their epsilons do not add up, because each is computed from the released vectors that the next "
            "ones are computed from, too",
        )

    def truncation_delta(self, sample_size: int) -> float:
        """What the finite range of the noise adds to delta at most."""
        begin = self.num_starts * self.start.truncation_delta(sample_size)
        return min(1.0, begin + (0.0 if self.rest is None else self.rest.truncation_delta(sample_size)))
