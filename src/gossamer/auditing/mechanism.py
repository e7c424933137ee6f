"""Audits of the doors alone, at the settings of a plan, with the worst that neighbouring data sets can be.

There are two kinds of game. *One answer*: the unit that differs is known to be drawn, so that only noise protects it.
This game shows mu, and sees a wrong sensitivity. *Composition*: all draws of a run with their secret coins, many
canaries at once, and the likelihood ratio of all releases. This game shows epsilon, and sees a wrong price of the
sampling.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gossamer.auditing.bounds import (
    Games,
    Guesses,
    choose_num_guesses,
    epsilon_bound,
    epsilon_bound_of_guesses,
    epsilon_of_mu,
    mu_bound,
)
from gossamer.auditing.canaries import Canaries, CanaryOneOfMany, CanaryPoisson, CanarySumOfMany, tags_of, toss_canaries
from gossamer.auditing.planted import Silence, silent_function, silent_layer
from gossamer.auditing.result import AuditResult
from gossamer.errors import InputError
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.mechanisms.critics_plan import AbstractCriticsPlan
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.jobs import perform_each
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.plan import OneOfManyPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.mechanisms.poisson.plan import PoissonPlan
from gossamer.mechanisms.poisson.units import Units, units_of_records
from gossamer.mechanisms.sum_of_many.door import SumOfManyReleaser
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.privacy.adjacency import Unit

MakeOneOfMany = Callable[[OneOfManyPlan], OneOfManyReleaser]
MakeSumOfMany = Callable[[SumOfManyPlan], SumOfManyReleaser]
MakePoisson = Callable[[PoissonPlan, Units, tuple[Tensor, ...]], PoissonReleaser]

ANSWER_NOTE = (
    "The unit that differs is taken to be in the draw, so that noise alone protects it. Epsilon is that of Gaussian "
    "noise with this mu."
)
COMPOSITION_NOTE = (
    "Bits are hidden by coins and noise of a whole run; the adversary sees all that is released and knows the rest. "
    "A bound below the claim does not show that the claim is tight, or true."
)

_WIDTH = 8
_AT_ONCE = 256
_MOST_CANARIES = 1000


@dataclass(frozen=True, kw_only=True)
class Effort:
    """The size of an audit, and the confidence of its bounds.

    Attributes:
        num_games: of one answer.
        num_bits: least number of secret bits of the composition. Runs are played until there are so many.
        confidence: of each bound.
        seed: of bits and directions. Noise and coins are drawn by the mechanism, and secret.
        crew: the processes of this command, which runs of the composition are dealt over.

    Raises:
        InputError: a number out of range.
    """

    num_games: int = 50_000
    num_bits: int = 10_000
    confidence: float = 0.999
    seed: int = 0
    crew: AbstractCrew = ALONE

    def __post_init__(self) -> None:
        for name, least in (("num_games", 8), ("num_bits", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} of an audit must be at least {least}, got {getattr(self, name)}")
        if not 0.5 <= self.confidence < 1:
            raise InputError(f"confidence of an audit must lie between 0.5 and 1, got {self.confidence}")


Watch = Callable[[int, int], None]
"""A listener that is told the number of bits played, and the number of all bits."""


@functools.singledispatch
def audits_of(plan: AbstractPlan, delta: float, effort: Effort, watch: Watch) -> Sequence[AuditResult]:
    """Play every game that suits a plan. Each mechanism registers its own, beside its audits.

    Args:
        plan: the plan with the claim.
        delta: of the claim.
        effort: games, bits and confidence.
        watch: told of the progress.

    Raises:
        InputError: no audit is known for it.
    """
    raise InputError(f"no audit is known for a {type(plan).__name__}; use a run of another method")


@audits_of.register
def _audits_of_draws(plan: OneOfManyPlan, delta: float, effort: Effort, watch: Watch) -> Sequence[AuditResult]:
    return [audit_answers(plan, delta, effort), audit_draws(plan, delta, effort, watch=watch)]


@audits_of.register
def _audits_of_sums(plan: SumOfManyPlan, delta: float, effort: Effort, watch: Watch) -> Sequence[AuditResult]:
    return [audit_summed_answers(plan, delta, effort), audit_sums(plan, delta, effort, watch=watch)]


@audits_of.register
def _audits_of_samples(plan: PoissonPlan, delta: float, effort: Effort, watch: Watch) -> Sequence[AuditResult]:
    # Privacy: a network of dense layers passes another way through the door than all others.
    one_gradient = [audit_gradients(plan, delta, effort, silence=kind) for kind in (silent_function, silent_layer)]
    return [*one_gradient, audit_samples(plan, delta, effort, watch=watch)]


def guard(plan: OneOfManyPlan) -> OneOfManyReleaser:
    """Make the door of the library, with a key of its own."""
    return OneOfManyReleaser(plan, KeyedNoise(), gate=StepGate(plan))


def guard_sum(plan: SumOfManyPlan) -> SumOfManyReleaser:
    """Make the door of the library, with a key of its own."""
    return SumOfManyReleaser(plan, KeyedNoise(), chunk_size=_AT_ONCE, gate=StepGate(plan))


def guard_gradient(plan: PoissonPlan, units: Units, records: tuple[Tensor, ...]) -> PoissonReleaser:
    """Make the door of the library, with a key of its own."""
    return PoissonReleaser(plan, units, records, KeyedNoise(), chunk_size=_AT_ONCE, gate=StepGate(plan))


# ---- one answer -----------------------------------------------------------------------------------------------------


def audit_answers(plan: OneOfManyPlan, delta: float, effort: Effort, make: MakeOneOfMany = guard) -> AuditResult:
    """Audit the noise on the answers of one draw. The critic that differs is drawn.

    That critic answers one way, or the opposite.

    Guarantee: with a true claim the bound on mu exceeds ``sqrt(B/c) / noise_multiplier`` with a probability of at most
    one minus the confidence.

    Args:
        plan: the plan with the claim.
        delta: of the claim.
        effort: games and confidence.
        make: the door for a plan.
    """
    door = make(replace(plan, num_steps=-(-effort.num_games // plan.draws_per_step)))
    return _audit_signs(plan, delta, effort, lambda step, answer: door.release(step, lambda coins: answer))


def audit_summed_answers(
    plan: SumOfManyPlan, delta: float, effort: Effort, make: MakeSumOfMany = guard_sum
) -> AuditResult:
    """Audit the noise on a sum of answers. The critic that differs is included, and answers one way or the opposite.

    The other critics add the same to both sides, so that they are left out: there is one critic, always included.

    Guarantee: with a true claim the bound on mu exceeds ``sqrt(B/c) / noise_multiplier`` with a probability of at most
    one minus the confidence.

    Args: as of `audit_answers`.
    """
    num_steps = -(-effort.num_games // plan.draws_per_step)
    door = make(replace(plan, num_critics=1, critics_per_draw=1, num_steps=num_steps))
    return _audit_signs(
        plan, delta, effort, lambda step, answer: door.release(step, lambda critics, groups: answer[groups])
    )


def _audit_signs(
    plan: AbstractCriticsPlan, delta: float, effort: Effort, release: Callable[[int, Tensor], Tensor]
) -> AuditResult:
    """Play games of one answer. ``release`` is given a step and the answers to its groups, (c, B/c, width)."""
    rng = np.random.default_rng(effort.seed)
    num_groups, per_group = plan.draws_per_step, plan.batch_size // plan.draws_per_step
    num_steps = -(-effort.num_games // num_groups)
    direction = torch.from_numpy(rng.standard_normal((per_group, _WIDTH)))
    direction /= direction.norm()
    signs = torch.from_numpy(2 * rng.integers(0, 2, size=(num_steps, num_groups)) - 1)
    found = []
    for step, sign in enumerate(signs):
        released = release(step, 2 * plan.group_clip_norm * sign[:, None, None] * direction)
        found.append((released.double().unflatten(0, (num_groups, per_group)) * direction).sum(dim=(1, 2)))
    games = games_by_side(torch.stack(found).flatten().numpy(), signs.flatten().numpy() > 0)
    claimed_mu = math.sqrt(per_group) * plan.sensitivity / plan.noise_std
    return of_games("mechanism: one answer", games, claimed_mu, delta, effort.confidence)


def audit_gradients(
    plan: PoissonPlan,
    delta: float,
    effort: Effort,
    make: MakePoisson = guard_gradient,
    silence: Callable[[int], Silence] = silent_function,
) -> AuditResult:
    """Audit the noise on a sum of gradients. The unit that differs is drawn.

    The unit contributes all that the clip permits, or it is not there.

    Guarantee: with a true claim the bound on mu exceeds ``1 / noise_multiplier`` with a probability of at most one
    minus the confidence.

    Args: as of `audit_answers`, but that `make` gives the door for a plan, units and records. `silence` gives the loss
        that so many canaries are planted in, and so the way through the door.
    """
    rng, width = np.random.default_rng(effort.seed), min(_AT_ONCE, effort.num_games)
    num_steps = -(-effort.num_games // width)
    everyone = replace(
        plan, unit=Unit.RECORD, records_per_unit=1, num_slots=width, sample_rate=1.0, num_steps=num_steps
    )
    evidence, bits = [], []
    for _ in range(num_steps):
        canaries = toss_canaries(width, rng)
        one = replace(everyone, num_steps=1)
        door = make(one, units_of_records(width), (torch.zeros(width, 1), tags_of(canaries, width)))
        evidence.append(_play_gradient(one, canaries, door, silence(width)))
        bits.append(canaries.bits.numpy())
    games = games_by_side(np.concatenate(evidence), np.concatenate(bits) > 0)
    claimed_mu = plan.sensitivity / plan.noise_std
    return of_games(silence(1).kind, games, claimed_mu, delta, effort.confidence)


def games_by_side(evidence: np.ndarray, is_first: np.ndarray) -> Games:
    """Sort the statistics of games by the data set that each was played on, as many of either side."""
    num = min(int(is_first.sum()), int((~is_first).sum()))
    return Games(first=evidence[is_first][:num], second=evidence[~is_first][:num])


def of_games(
    kind: str, games: Games, claimed_mu: float, delta: float, confidence: float, note: str = ANSWER_NOTE
) -> AuditResult:
    """Compare the bound from independent games against Gaussian noise with the claim."""
    mu = mu_bound(games, confidence)
    return AuditResult(
        kind=kind,
        lower_bound_epsilon=epsilon_of_mu(mu, delta),
        claimed_epsilon=epsilon_of_mu(claimed_mu, delta),
        delta=delta,
        confidence=confidence,
        num_games=2 * len(games.first),
        lower_bound_mu=mu,
        claimed_mu=claimed_mu,
        details=(("epsilon without assuming a Gaussian", epsilon_bound(games, delta, confidence)),),
        note=note,
    )


# ---- composition ----------------------------------------------------------------------------------------------------


def audit_draws(
    plan: OneOfManyPlan,
    delta: float,
    effort: Effort,
    make: MakeOneOfMany = guard,
    watch: Watch = lambda done, all: None,
) -> AuditResult:
    """Audit all T c draws of a run, many canaries at once: coins and noise together must hide a critic's answers.

    Guarantee: with a true claim the bound exceeds the claim with a probability of at most one minus the confidence.

    Args: as of `audit_answers`. `watch` is told of the progress.
    """
    return _audit_critics(plan, delta, effort, functools.partial(_play_draws, plan, make), watch)


def _play_draws(plan: OneOfManyPlan, make: MakeOneOfMany, canaries: Canaries) -> np.ndarray:
    """Play all draws of a run in which every critic but the canaries is silent, and return the evidence."""
    door, silence = CanaryOneOfMany(make(plan), plan, canaries), _silence(plan, canaries)
    for step in range(plan.num_steps):
        door.release(step, lambda coins: silence.expand(len(coins), -1, -1))
    return door.evidence.numpy()


def audit_sums(
    plan: SumOfManyPlan,
    delta: float,
    effort: Effort,
    make: MakeSumOfMany = guard_sum,
    watch: Watch = lambda done, all: None,
    centre: Tensor | None = None,
) -> AuditResult:
    """Audit all T c Poisson sums of a run, many canaries at once: coins and noise must hide a critic's answers.

    Guarantee: as `audit_draws`.

    Args: as of `audit_summed_answers`. `watch` is told of the progress. `centre` is a public centre of the answers to
        all samples, a vector as long as there are canaries (`num_critic_canaries`), or None.
    """
    return _audit_critics(plan, delta, effort, functools.partial(_play_sums, plan, make, centre), watch)


def _play_sums(plan: SumOfManyPlan, make: MakeSumOfMany, centre: Tensor | None, canaries: Canaries) -> np.ndarray:
    """Play all sums of a run in which every critic but the canaries is silent, and return the evidence."""
    door, silence = CanarySumOfMany(make(plan), plan, canaries), _silence(plan, canaries)
    # Around a centre a silent critic says the centre.
    said, around = silence, ()
    if centre is not None:
        said, around = silence + centre, (centre.to(silence).expand(plan.batch_size, -1),)
    for step in range(plan.num_steps):
        door.release(step, lambda critics, groups: said.expand(len(critics), -1, -1), *around)
    return door.evidence.numpy()


def _silence(plan: AbstractCriticsPlan, canaries: Canaries) -> Tensor:
    """Return the answers of a silent critic to a group of samples, (1, B/c, width)."""
    return torch.zeros(1, plan.batch_size // plan.draws_per_step, canaries.num)


def _audit_critics(
    plan: AbstractCriticsPlan, delta: float, effort: Effort, play: Callable[[Canaries], np.ndarray], watch: Watch
) -> AuditResult:
    """Play whole runs of a door with canaries, and compare the bound from all guesses with the plan's price."""
    played = rounds(num_critic_canaries(plan), effort, play, watch)
    return of_guesses("mechanism: composition", played, plan.budget_at(delta).epsilon, delta, effort.confidence)


def num_critic_canaries(plan: AbstractCriticsPlan) -> int:
    """Return how many canaries one run of a door of critics has, and so the width of its answers."""
    return min(plan.num_critics, _MOST_CANARIES, max(16, 200_000_000 // (plan.num_steps * plan.batch_size)))


def audit_samples(
    plan: PoissonPlan,
    delta: float,
    effort: Effort,
    make: MakePoisson = guard_gradient,
    watch: Watch = lambda done, all: None,
) -> AuditResult:
    """Audit all T Poisson samples of a run, many canaries at once, each of them there or not.

    Guarantee: as `audit_draws`.

    Args: as of `audit_gradients`. `watch` is told of the progress.
    """
    num = min(plan.num_slots, _MOST_CANARIES)
    played = rounds(num, effort, functools.partial(_play_samples, plan, make), watch)
    return of_guesses("mechanism: composition", played, plan.budget_at(delta).epsilon, delta, effort.confidence)


def _play_samples(plan: PoissonPlan, make: MakePoisson, canaries: Canaries) -> np.ndarray:
    """Play all samples of a run on canaries alone, and return the evidence."""
    num = canaries.num
    tags = tags_of(canaries, num).repeat_interleave(plan.records_per_unit)
    door = make(plan, only_canaries(plan, num), (torch.zeros(len(tags), 1), tags))
    return _play_gradient(plan, canaries, door, silent_function(num))


def only_canaries(plan: PoissonPlan, num_canaries: int) -> Units:
    """Fill the first slots of a plan with a canary each, all its records alike, and leave the other slots empty."""
    m = plan.records_per_unit
    counts = torch.zeros(plan.num_slots, dtype=torch.int64)
    counts[:num_canaries] = m
    starts = torch.cumsum(counts, dim=0) - counts
    order = torch.arange(num_canaries * m)
    marks = torch.arange(plan.num_slots)
    return Units(unit=plan.unit, order=order, starts=starts, counts=counts, records_per_unit=m, marks=marks, seed=0)


def _play_gradient(plan: PoissonPlan, canaries: Canaries, door: PoissonReleaser, silence: Silence) -> np.ndarray:
    watched = CanaryPoisson(door, plan, canaries)
    for step in range(plan.num_steps):
        watched.release(step, silence.parameters, silence.losses)
    return watched.evidence.numpy()


def rounds(num: int, effort: Effort, play: Callable[[Canaries], np.ndarray], watch: Watch) -> Guesses:
    """Play runs with fresh bits until there are enough bits.

    Args:
        num: bits of one run.
        effort: least number of all bits, seed, and the processes that runs are dealt over.
        play: a run with canaries, to the evidence on their bits. With several processes a function of a module.
        watch: told of the progress.
    """
    rng = np.random.default_rng(effort.seed)
    tossed = [toss_canaries(num, rng) for _ in range(-(-effort.num_bits // num))]
    evidence = {}
    for run, found in perform_each(effort.crew, play, [(canaries,) for canaries in tossed]):
        evidence[run] = found
        watch(len(evidence) * num, len(tossed) * num)
    bits = np.concatenate([canaries.bits.numpy() for canaries in tossed])
    return Guesses(evidence=np.concatenate([evidence[run] for run in range(len(tossed))]), bits=bits)


def of_guesses(kind: str, rounds: Guesses, claimed_epsilon: float, delta: float, confidence: float) -> AuditResult:
    """Compare the bound from guesses of canaries' bits with the claim, which alone decides the number of guesses."""
    num_bits = len(rounds.bits)
    num_guesses = choose_num_guesses(claimed_epsilon, num_bits, delta, confidence)
    num_right = rounds.num_right(num_guesses)
    return AuditResult(
        kind=kind,
        lower_bound_epsilon=epsilon_bound_of_guesses(num_right, num_guesses, num_bits, delta, confidence),
        claimed_epsilon=claimed_epsilon,
        delta=delta,
        confidence=confidence,
        num_games=num_bits,
        details=(("guesses", num_guesses), ("right guesses", num_right)),
        note=COMPOSITION_NOTE,
    )
