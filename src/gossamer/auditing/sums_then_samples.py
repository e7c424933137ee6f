"""Audits of sums and then samples: each part by its own games, and both together against the one claim."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from gossamer.auditing.canaries import Canaries, CanaryPoisson, tags_of
from gossamer.auditing.mechanism import Effort, Watch, audit_gradients, audits_of, of_guesses, only_canaries, rounds
from gossamer.auditing.one_shot import Board, audit_sums, coming_or_leaving
from gossamer.auditing.planted import silent_layer
from gossamer.auditing.result import AuditResult
from gossamer.errors import InputError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import AbstractNoise, KeyedNoise
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.sums_then_samples.plan import SumsThenSamplesPlan
from gossamer.privacy.adjacency import Adjacency, Unit

_MOST_CANARIES = 500
_AT_ONCE = 256

MakeDoors = Callable[[SumsThenSamplesPlan, torch.Tensor], tuple[OneShotReleaser, PoissonReleaser]]
"""(plan, tags of canaries) -> the doors of both parts, with a gate and noise of their own."""


@audits_of.register
def _audits_of_both(plan: SumsThenSamplesPlan, delta: float, effort: Effort, watch: Watch) -> Sequence[AuditResult]:
    # Privacy: the layers of a teacher are dense, and so is the way of its gradients through the door.
    one_gradient = audit_gradients(plan.of_samples, delta, effort, silence=silent_layer)
    alone = [*audit_sums(plan.of_sums, delta, effort), one_gradient]
    if plan.adjacency is not Adjacency.ADD_OR_REMOVE_ONE:
        return alone
    return [*alone, audit_both(plan, delta, effort, watch=watch)]


def guard_both(
    plan: SumsThenSamplesPlan, tags: torch.Tensor, make_noise: Callable[[], AbstractNoise] = KeyedNoise
) -> tuple[OneShotReleaser, PoissonReleaser]:
    """Make the doors of the library, on one gate and with a key of their own."""
    noise, gate = make_noise(), StepGate(plan)
    sums, samples = plan.of_sums, plan.of_samples
    units = only_canaries(samples, len(tags))
    return (
        OneShotReleaser(sums, noise, gate=gate.of_part(sums)),
        PoissonReleaser(
            samples, units, (torch.zeros(len(tags), 1), tags), noise, chunk_size=_AT_ONCE, gate=gate.of_part(samples)
        ),
    )


def audit_both(
    plan: SumsThenSamplesPlan,
    delta: float,
    effort: Effort,
    make: MakeDoors = guard_both,
    watch: Watch = lambda done, all: None,
) -> AuditResult:
    """Audit a whole run, many canaries at once, each of them there or not in the sums and the samples alike.

    A canary has a group of each sum and a parameter of the gradient for itself. It pushes as hard as both parts permit,
    and the evidence is the log likelihood ratio of all releases together.

    Guarantee: with a true claim the bound exceeds the claim with a probability of at most one minus the confidence.

    Args:
        plan: the plan with the claim, of a unit that comes or leaves.
        delta: of the claim.
        effort: bits and confidence.
        make: the doors for a plan.
        watch: told of the progress.

    Raises:
        InputError: a plan that is priced for a replacement.
    """
    if plan.adjacency is not Adjacency.ADD_OR_REMOVE_ONE:
        raise InputError("canaries come or leave, and this plan is priced for a unit that is replaced")
    num = min(plan.num_slots, _MOST_CANARIES)
    board = coming_or_leaving(plan.of_sums, num)
    samples = replace(plan.of_samples, unit=Unit.RECORD, records_per_unit=1)
    narrow = replace(plan, unit=Unit.RECORD, sums=board.plan, samples=samples)
    played = rounds(num, effort, functools.partial(_play_both, narrow, board, make), watch)
    return of_guesses("mechanism: composition", played, plan.budget_at(delta).epsilon, delta, effort.confidence)


def _play_both(plan: SumsThenSamplesPlan, board: Board, make: MakeDoors, canaries: Canaries) -> np.ndarray:
    """Play a whole run on canaries alone, and return the evidence."""
    assert plan.samples is not None
    sums, door = make(plan, tags_of(canaries, canaries.num))
    found = board.likelihood_ratio(sums, (canaries.bits.numpy() > 0).astype(np.int64))
    watched = CanaryPoisson(door, plan.samples, canaries)
    silence = silent_layer(canaries.num)
    for step in range(plan.num_sums, plan.num_steps):
        watched.release(step, silence.parameters, silence.losses)
    return found + watched.evidence.numpy()
