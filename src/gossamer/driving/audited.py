"""Audits of a run: whole trainings with canaries on random records."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gossamer.auditing.canaries import (
    Canaries,
    CanaryCritics,
    CanaryOneOfMany,
    CanaryPoisson,
    CanarySumOfMany,
    tags_of,
)
from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError
from gossamer.mechanisms.noise import AbstractNoise, KeyedNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.sum_of_many.door import SumOfManyReleaser
from gossamer.methods.catalogue import method_of
from gossamer.methods.cost import random_records
from gossamer.methods.dp_cgan.settings import DPCGANConfig
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.starting import FRESH, PublicStart
from gossamer.methods.training import AbstractTraining, RunContext
from gossamer.privacy.slots import PublicSlots

MOST_CANARIES = 1000


def num_canaries_for(config: object, spec: AbstractSpec, num_slots: int) -> int:
    """Return how many canaries one training has room for, each with a critic or a record of its own.

    Raises:
        InputError: a method that reads the records in its releases alone.
    """
    match config:
        case GSWGANConfig():
            return min(config.num_critics, MOST_CANARIES)
        case DPCGANConfig():
            network = config.discriminator.build(config.view.shape(spec.shape), spec.num_classes, torch.Generator())
            width = sum(parameter.numel() for parameter in network.parameters())
            return min((num_slots + 1) // 2, width, MOST_CANARIES)
        case _:
            raise InputError(
                f"{method_of(config).name} reads the records in releases alone (and what it trains after them "
                "sees no record): `gossamer audit mechanism` plays all of those"
            )


def play_training(
    config: object,
    plan: AbstractPlan,
    spec: AbstractSpec,
    canaries: Canaries,
    noise: AbstractNoise | None = None,
    start: PublicStart = FRESH,
) -> np.ndarray:
    """Train once with canaries, and return the evidence that its releases give of their bits.

    Args:
        config: settings of gs-wgan or dp-cgan.
        plan: sampling, noise and price.
        spec: of the random records that it learns from, one in every slot that is not held out.
        canaries: at most `num_canaries_for` of them.
        noise: secret, or None for a key of its own.
        start: of the run that is audited.

    Returns:
        (m,), large speaks for +1.
    """
    slots = PublicSlots(plan.num_slots, plan.unit, plan.source, plan.training_share)
    records = random_records(spec, max(canaries.num, slots.to_learn_from), plan.unit)
    # The generator is thrown away: the statement, and so delta, says nothing.
    context, noise = RunContext(delta=0.5 / plan.num_slots, slots=slots, start=start), noise or KeyedNoise()
    training = method_of(config).start(config, records, noise, context)
    watched = _planted(training, canaries, records.num_records)
    _finish(training)
    return watched.evidence.numpy()


def _planted(training: Any, canaries: Canaries, num_records: int) -> CanaryCritics | CanaryPoisson:
    """Put canaries in the place of some critics or records of a training that has not begun, and listen."""
    match training.releaser:
        case OneOfManyReleaser():
            watched = CanaryOneOfMany(training.releaser, training.plan, canaries)
        case SumOfManyReleaser():
            watched = CanarySumOfMany(training.releaser, training.plan, canaries)
        case PoissonReleaser():
            tagged = training.releaser.also_reading(tags_of(canaries, num_records))
            watched = CanaryPoisson(tagged, training.plan, canaries)
        case _:
            raise InputError("canaries are planted into gs-wgan and dp-cgan alone; use `gossamer audit mechanism`")
    training.releaser = watched
    return watched


def _finish(training: AbstractTraining) -> None:
    for _ in training:
        pass
