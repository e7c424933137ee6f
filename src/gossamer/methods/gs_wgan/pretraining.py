"""A start of GS-WGAN on public records: one critic that sees them all, and no noise."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.mechanisms.pieces import whole
from gossamer.methods.gs_wgan.centre import NoCentre
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.public_generator import PublicGenerator, apart
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.starting import GENERATOR, Networks
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey

_UPDATES_OF_CRITIC = 3
_BATCH = 64
_SAMPLES = 320


def pretrain(config: GSWGANConfig, public: RecordSet, num_steps: int, device: torch.device) -> Networks:
    """Return a generator that learnt from public records by the method's own losses, without noise.

    Guarantee: none for these records. They must be public.

    Args:
        config: settings of the private training.
        public: records of the same shape and number of classes.
        num_steps: updates of the generator.
        device: to compute on.
    """
    config = _of_one_critic(config, num_steps)
    # One critic has one shard, so the key decides nothing. It is no secret of any run.
    context = RunContext(delta=0.5, key=UnitKey(bytes(32)), device=device)
    critics = PrivateCritics(config, public, Unit.RECORD, context)
    generator = PublicGenerator(config, public.spec, device, torch.float32)
    for stage, (first, end) in enumerate(itertools.pairwise(config.stage_starts())):
        for _ in critics.enter(stage, generator.pool(config.stages[stage].view, first)):
            pass
        for step in range(first, end):
            _step(config, critics, generator, stage, step)
        critics.leave()
    return {GENERATOR: generator.released_weights()}


def _of_one_critic(config: GSWGANConfig, num_steps: int) -> GSWGANConfig:
    return replace(
        config,
        num_critics=1,
        num_steps=num_steps,
        draws_per_step=1,
        critics_per_draw=None,
        centre=NoCentre(),
        batch_size=min(config.batch_size, _SAMPLES),
        critic_batch_size=max(config.critic_batch_size, _BATCH),
        fork_steps=0,
        renewals_per_step=1,
        renewal_steps=_UPDATES_OF_CRITIC,
        moving_average=min(config.moving_average, 0.99),
        critics_at_once=1,
    )


def _step(config: GSWGANConfig, critics: PrivateCritics, generator: PublicGenerator, stage: int, step: int) -> None:
    """Update the critic, and the generator by the critic's answers at full length."""
    view = config.stages[stage].view
    pool = generator.pool(view, step)
    critics.renew(pool, step)
    samples, labels = generator.samples(step)
    looked = view.apply(samples)
    seen = looked.detach()
    every, first = torch.zeros(1, dtype=torch.int64), (1, -1)
    classes = None if labels is None else labels.view(first)
    question = Question(looked=seen.unflatten(0, first), labels=classes, pool=pool, step=step)
    answers = whole(critics.answer(every, every, question), every)[0]
    generator.improve(looked, _of_unit_length(answers) + config.variety * apart(seen, labels, pool), step)


def _of_unit_length(answers: Tensor) -> Tensor:
    """Scale answers (B, ...) to a mean square length of 1, which clipping does in the private training."""
    return answers * math.sqrt(len(answers)) / answers.norm().clamp_min(1e-12)
