"""A simulation of the accounting: whole runs on a pair of data sets that occurs, told apart by the likelihood ratio.

No accountant can come below the epsilon of these pairs. Of one of K (docs/concepts/one-of-many.md) all critics but one
answer alike, that one alike too or the opposite. Of a Poisson sum (docs/concepts/sum-of-many.md) all critics but one
are silent, and that one answers one way or the opposite. The games are independent, so the bound is the plainest that
there is.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from gossamer.auditing.bounds import Games, epsilon_bound
from gossamer.auditing.mechanism import Effort, MakeOneOfMany, MakeSumOfMany, guard, guard_sum
from gossamer.auditing.result import AuditResult
from gossamer.mechanisms.critics_plan import AbstractCriticsPlan
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan

Plan = TypeVar("Plan", bound=AbstractCriticsPlan)
NOTE = "Whole runs on one fixed pair of data sets; the adversary knows all but coins, noise and which of the two it is."


def audit_fixed_pair(plan: OneOfManyPlan, delta: float, effort: Effort, make: MakeOneOfMany = guard) -> AuditResult:
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
    return _result(plan, Games(first=differing, second=alike), delta, effort)


def audit_opposite_pair(
    plan: SumOfManyPlan, delta: float, effort: Effort, make: MakeSumOfMany = guard_sum
) -> AuditResult:
    r"""Audit all T c Poisson sums of a run on either data set of the pair that attains the price.

    y is the sum of a draw along the answer, over its bound R, with noise of standard deviation s, and q = m / K.

    .. math:: \sum \log \frac{1 - q + q e^{(y - 1/2) / s^2}}{1 - q + q e^{(-y - 1/2) / s^2}}

    is the statistic.

    Guarantee: as `audit_fixed_pair`.

    Args: as of `audit_fixed_pair`.
    """
    played = [np.array([_ratio(plan, make, sign) for _ in range(effort.num_games)]) for sign in (1.0, -1.0)]
    return _result(plan, Games(first=played[0], second=played[1]), delta, effort)


def _ratio(plan: SumOfManyPlan, make: MakeSumOfMany, sign: float) -> float:
    """Compute the statistic of one run in which critic 0 answers with this sign and all others are silent."""
    folded = _in_one_step(plan)
    per_draw = plan.batch_size // plan.draws_per_step

    def ask(critics: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        own = torch.where(critics == 0, 2 * sign * plan.clip_norm, 0.0)
        return own[:, None, None].expand(len(critics), per_draw, 1)

    released = make(folded).release(0, ask).double().view(folded.draws_per_step, per_draw)
    y = released.sum(dim=1) * plan.critics_per_draw / math.sqrt(per_draw) / plan.group_clip_norm
    variance, share = (plan.noise_std / plan.group_clip_norm) ** 2, plan.sample_rate
    up, down = (torch.log1p(share * torch.expm1((sided - 0.5) / variance)) for sided in (y, -y))
    return float((up - down).sum())


def _in_one_step(plan: Plan) -> Plan:
    """Fold all draws of a run into one step."""
    draws, batch = plan.draws_per_step * plan.num_steps, plan.batch_size * plan.num_steps
    return replace(plan, num_steps=1, batch_size=batch, draws_per_step=draws)


def _result(plan: AbstractCriticsPlan, games: Games, delta: float, effort: Effort) -> AuditResult:
    return AuditResult(
        kind="accounting: fixed pair",
        lower_bound_epsilon=epsilon_bound(games, delta, effort.confidence),
        claimed_epsilon=plan.budget_at(delta).epsilon,
        delta=delta,
        confidence=effort.confidence,
        num_games=2 * effort.num_games,
        note=NOTE,
    )


def _statistic(plan: OneOfManyPlan, make: MakeOneOfMany, *, is_different: bool) -> float:
    """Compute the statistic of one run. Critic 0 is the one that may answer otherwise."""
    folded = _in_one_step(plan)
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
