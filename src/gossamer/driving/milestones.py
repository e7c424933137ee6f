"""Milestones: the steps after which a training releases its generator as it is, chosen before it starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gossamer.errors import InputError
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.statement import round_up, shown_epsilon


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """A step to release the generator after.

    Attributes:
        step: number of steps of the plan paid for by then.
        epsilon: their price.
        asked: the words in which it was asked for: "epsilon 5", "step 500".
    """

    step: int
    epsilon: float
    asked: tuple[str, ...]


def find_milestones(
    plan: AbstractPlan,
    delta: float,
    *,
    at_epsilon: Sequence[float] = (),
    at_step: Sequence[int] = (),
    target_epsilon: float | None = None,
) -> tuple[Milestone, ...]:
    """Find the last step within each epsilon, and the steps named, in rising order without repetition.

    Args:
        plan: of the run.
        delta: of the statement.
        at_epsilon: above 0, and at most that of the run.
        at_step: between 1 and the plan's number of steps.
        target_epsilon: of the calibration. As an epsilon it means the last step, though the run spends a little less.

    Raises:
        InputError: a step that the run does not have, or an epsilon beyond the run's own or below that of one step.
    """
    asked: defaultdict[int, list[str]] = defaultdict(list)
    for epsilon in sorted(set(at_epsilon)):
        asked[_last_step_within(plan, PrivacyBudget(epsilon=epsilon, delta=delta), target_epsilon)].append(
            f"epsilon {epsilon:g}"
        )
    for step in sorted(set(at_step)):
        if not 1 <= step <= plan.num_steps:
            raise InputError(f"--save-at-step {step}: the run has steps 1 to {plan.num_steps}; name one of them")
        asked[step].append(f"step {step}")
    return tuple(
        Milestone(step=step, epsilon=plan.first_steps(step).budget_at(delta).epsilon, asked=tuple(asked[step]))
        for step in sorted(asked)
    )


def describe_milestones(steps: Sequence[int], num_steps: int) -> tuple[str, ...]:
    """Say in a sentence, for every statement of the run, which steps were fixed in public."""
    if not steps:
        return ()
    return (
        f"the steps after which generators of the run were saved, fixed before the training: "
        f"{', '.join(map(str, steps))} of {num_steps}; all of them together cost what the statement of the latest says",
    )


def _last_step_within(plan: AbstractPlan, budget: PrivacyBudget, target_epsilon: float | None) -> int:
    whole = plan.budget_at(budget.delta).epsilon
    # The target may be asked for again, though it is a little more than the run spends.
    if budget.epsilon > max(round_up(whole), target_epsilon or 0.0):
        raise InputError(
            f"--save-at-epsilon {budget.epsilon:g}: the whole run spends {shown_epsilon(whole)}; name that or less"
        )
    step = plan.num_steps_within(budget)
    if step == 0:
        first = plan.first_steps(1).budget_at(budget.delta).epsilon
        raise InputError(
            f"--save-at-epsilon {budget.epsilon:g}: one step spends {shown_epsilon(first)} already; name that or more"
        )
    return step
