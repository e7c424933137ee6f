"""Differences of plans and methods for their driver, in the one place here that asks for their type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.methods.gs_wgan.training import GSWGANConfig, GSWGANTraining, WarmStartReport
from gossamer.methods.method import AbstractTraining


def stops_of(config: Any, plan: AbstractPlan) -> tuple[int, ...]:
    """Return the steps that no block of the ledger crosses, since a run can be kept whole there."""
    return config.stage_starts() if isinstance(config, GSWGANConfig) else plan.stops


def critics_and_answers(plan: AbstractPlan) -> tuple[int, int]:
    """Return the number of critics, 1 for a method that has none, and the number of answers of a run."""
    if isinstance(plan, OneOfManyPlan):
        return plan.num_critics, plan.num_steps * plan.batch_size
    return 1, plan.num_steps


def training_share(plan: AbstractPlan) -> float:
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
