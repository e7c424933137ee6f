"""The step gate of every releaser: each step once, in order, and charged before anything of it is drawn."""

from __future__ import annotations

import abc
from collections.abc import Callable

from gossamer.errors import PrivacyError
from gossamer.mechanisms.plan import AbstractPlan


class AbstractGate(abc.ABC):
    """The side of a gate that a releaser sees."""

    @abc.abstractmethod
    def check_pays_for(self, plan: AbstractPlan) -> None:
        """Refuse another plan than the one that pays for the steps, so that no releaser follows a plan unpriced.

        Raises:
            PrivacyError: it is another one.
        """

    @abc.abstractmethod
    def take(self, step: int) -> None:
        """Let one step pass.

        Raises:
            PrivacyError: the step is not the next one, or the plan does not pay for it.
        """


class StepGate(AbstractGate):
    """The gate that every private step of a run passes, whatever the mechanism.

    Guarantee: a step is taken at most once, after all steps before it, and never beyond the plan. The charge is made
    before `take` returns, so nothing is drawn or read that is not on the ledger. If the charge fails, the step is not
    taken.

    Attributes:
        next_step: the only step that may be taken now.
        end_step: the first step that the plan does not pay for.

    Args:
        plan: pays for the steps.
        next_step: first step to take. It is above 0 if a run is taken up again, always with a new key.
        lost_steps: steps that were paid for and lost in a crash, each as often as it was. They leave fewer steps.
        charge: writes a step to the ledger, or raises.
    """

    def __init__(
        self,
        plan: AbstractPlan,
        *,
        next_step: int = 0,
        lost_steps: tuple[int, ...] = (),
        charge: Callable[[int], None] = lambda step: None,
    ) -> None:
        self.next_step = next_step
        self.end_step = plan.end_step(next_step, lost_steps)
        self._plan = plan
        self._charge = charge

    def check_pays_for(self, plan: AbstractPlan) -> None:
        """Refuse another plan than the whole one. See `AbstractGate.check_pays_for`."""
        # Privacy: a releaser of a part would take steps of another part at its own noise.
        if self._plan.steps_of(plan) != range(self._plan.num_steps):
            raise PrivacyError(
                "the step gate is of a whole plan and the releaser of a part: take the gate of that part"
            )

    def of_part(self, part: AbstractPlan) -> AbstractGate:
        """Return the gate for the releaser of a part of the plan, or this one if the part is the whole.

        Raises:
            PrivacyError: the plan has no such part.
        """
        return self if part == self._plan else PartGate(self, part, self._plan.steps_of(part))

    def take(self, step: int) -> None:
        """Let one step pass. See `AbstractGate.take`."""
        if step != self.next_step:
            raise PrivacyError(f"step {step} was asked but step {self.next_step} is next: no noise is used twice")
        if step >= self.end_step:
            raise PrivacyError(f"the plan pays for {self._plan.num_steps} steps and all are spent")
        # Privacy: the step is on the ledger first, and is drawn only then.
        self._charge(step)
        self.next_step += 1


class PartGate(AbstractGate):
    """The gate of a run for the releaser of one part of its plan. Steps keep their numbers in the whole run.

    Guarantee: that of the run's gate, which lets every step pass. A step of another part is refused before it is
    charged, since it was priced with the noise and sampling of that part.

    Args:
        gate: of the run.
        plan: the part.
        steps: its steps in the run.
    """

    def __init__(self, gate: AbstractGate, plan: AbstractPlan, steps: range) -> None:
        self._gate, self._plan, self._steps = gate, plan, steps

    def check_pays_for(self, plan: AbstractPlan) -> None:
        """Refuse another plan than the part. See `AbstractGate.check_pays_for`."""
        if plan != self._plan:
            raise PrivacyError("the step gate is of another plan: make releaser and gate from the same one")

    def take(self, step: int) -> None:
        """Let one step of the part pass. See `AbstractGate.take`."""
        if step not in self._steps:
            raise PrivacyError(f"step {step} is of another part of the plan: it was priced with other noise")
        self._gate.take(step)
