"""How plans and methods differ for their driver; the one place here that asks for their type."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from dp_accounting import DpEvent

from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.methods.gs_wgan.training import GSWGANConfig, GSWGANTraining, WarmStartReport
from gossamer.methods.method import AbstractTraining, Plan


def end_step(plan: Plan, next_step: int, lost_steps: tuple[int, ...], delta: float) -> int:
    """Return how far a run may go that has done ``next_step`` steps and lost some that were paid for."""
    if isinstance(plan, OneShotPlan):
        return plan.end_step(next_step, lost_steps)
    return max(next_step, plan.num_steps - len(lost_steps))


def stops_of(config: Any, plan: Plan) -> tuple[int, ...]:
    """Return the steps that no block of the ledger crosses, since what is kept there is whole."""
    if isinstance(config, GSWGANConfig):
        return config.stage_starts()
    return tuple(range(1, plan.num_steps + 1)) if has_dear_steps(plan) else ()


def has_dear_steps(plan: Plan) -> bool:
    """Tell whether a plan has a few steps, each with a price of its own, that are kept as soon as they are paid."""
    return isinstance(plan, OneShotPlan)


def covering(plan: Any, steps: tuple[int, ...]) -> DpEvent:
    """Return the event of so many steps of a plan, each as often as it is named, whoever took it."""
    if isinstance(plan, OneShotPlan):
        return plan.covering(0, steps).event
    return dataclasses.replace(plan, num_steps=len(steps)).event


def one_shot_names(plan: Plan) -> tuple[str, ...]:
    """Return the names of the releases that are made once, in the order of their steps."""
    return tuple(release.name for release in plan.releases) if isinstance(plan, OneShotPlan) else ()


def critics_and_answers(plan: Plan) -> tuple[int, int]:
    """Return the number of critics, 1 for a method that has none, and the number of answers of a run."""
    if isinstance(plan, OneOfManyPlan):
        return plan.num_critics, plan.num_steps * plan.batch_size
    return 1, plan.num_steps


def training_share(plan: Plan) -> float:
    """Return the share of units that is learnt from, as far as it belongs to the plan's rate."""
    return plan.training_share if isinstance(plan, PoissonPlan) else 1.0


def check_shares_work(config: Any) -> None:
    """Refuse several processes for a method that has nothing to share out.

    Raises:
        InputError: always then.
    """
    if not isinstance(config, GSWGANConfig):
        raise InputError("this method works in one process: start it without torchrun")


def share_of_work(training: AbstractTraining, number: int, num: int) -> Iterator[WarmStartReport]:
    """Do the part of one of several processes in the warm start."""
    assert isinstance(training, GSWGANTraining)
    yield from training.warm_start_part(number, num)
