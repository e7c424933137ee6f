"""A simulation of the accounting: whole runs on the fixed pair of data sets, told apart by the likelihood ratio.

No accountant can come below the epsilon of this pair (docs/concepts/one-of-many.md). All critics but one answer alike,
that one alike too or the opposite. The games are independent, so the bound is the plainest that there is.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from gossamer.auditing.bounds import Games, epsilon_bound
from gossamer.auditing.mechanism import Effort, MakeDoor, guard
from gossamer.auditing.result import AuditResult
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan

NOTE = "Whole runs on one fixed pair of data sets; the adversary knows all but coins, noise and which of the two it is."


def audit_fixed_pair(plan: OneOfManyPlan, delta: float, effort: Effort, make: MakeDoor = guard) -> AuditResult:
    r"""Audit all T c draws of a run on either data set of the fixed pair, by ``num_games`` runs on each.

    y is the place of a draw's release on the line between the two answers, 0 at the common one and 1 at the other.

    .. math:: \sum \log(1 - \gamma + \gamma e^{(y - 1/2) / s^2}), \quad \gamma = 1/K, \quad s = \sigma / \sqrt{B/c}

    is the statistic.

    Guarantee: with a true claim the bound exceeds the claim with a probability of at most one minus the confidence.

    Args:
        plan: the plan with the claim.
        delta: of the claim.
        effort: games and confidence.
        make: the door for a plan, which is asked all draws of a run in one step.
    """
    differing = np.array([_statistic(plan, make, is_different=True) for _ in range(effort.num_games)])
    alike = np.array([_statistic(plan, make, is_different=False) for _ in range(effort.num_games)])
    return AuditResult(
        kind="accounting: fixed pair",
        lower_bound_epsilon=epsilon_bound(Games(first=differing, second=alike), delta, effort.confidence),
        claimed_epsilon=plan.budget_at(delta).epsilon,
        delta=delta,
        confidence=effort.confidence,
        num_games=2 * effort.num_games,
        note=NOTE,
    )


def _statistic(plan: OneOfManyPlan, make: MakeDoor, *, is_different: bool) -> float:
    """Compute the statistic of one run. Critic 0 is the one that may answer otherwise."""
    folded = replace(
        plan,
        num_steps=1,
        batch_size=plan.batch_size * plan.num_steps,
        draws_per_step=plan.draws_per_step * plan.num_steps,
    )
    num_draws, per_draw = folded.draws_per_step, plan.batch_size // plan.draws_per_step
    other = -1.0 if is_different else 1.0

    def ask(coins: torch.Tensor) -> torch.Tensor:
        sign = torch.where(coins == 0, other, 1.0)
        return (plan.clip_norm * sign)[:, None, None].expand(num_draws, per_draw, 1)

    released = make(folded).release(0, ask).double().view(num_draws, per_draw)
    y = (plan.clip_norm - released.mean(dim=1)) / plan.sensitivity
    exponent = (y - 0.5) * per_draw * (plan.sensitivity / plan.noise_std) ** 2
    if plan.num_critics == 1:
        return float(exponent.sum())
    share = torch.full_like(exponent, math.log1p(-1 / plan.num_critics))
    return float(torch.logaddexp(share, exponent - math.log(plan.num_critics)).sum())
