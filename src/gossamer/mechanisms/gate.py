"""The step gate of every releaser: each step once, in order, and charged before anything of it is drawn."""

from __future__ import annotations

from collections.abc import Callable

from gossamer.errors import PrivacyError
from gossamer.mechanisms.plan import AbstractPlan


class StepGate:
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
        """Refuse another plan than the one that pays for the steps, so that no releaser follows a plan unpriced.

        Raises:
            PrivacyError: it is another one.
        """
        if plan != self._plan:
            raise PrivacyError("the step gate is of another plan: make releaser and gate from the same one")

    def take(self, step: int) -> None:
        """Let one step pass.

        Raises:
            PrivacyError: the step is not the next one, or the plan does not pay for it.
        """
        if step != self.next_step:
            raise PrivacyError(f"step {step} was asked but step {self.next_step} is next: no noise is used twice")
        if step >= self.end_step:
            raise PrivacyError(f"the plan pays for {self._plan.num_steps} steps and all are spent")
        # Privacy: the step is on the ledger first, and is drawn only then.
        self._charge(step)
        self.next_step += 1
