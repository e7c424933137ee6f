"""The size of the chunks in which critics answer: one at which an answer does not depend on its place."""

from __future__ import annotations

from dataclasses import replace

import torch

from gossamer.data.records import AbstractSpec
from gossamer.mechanisms.pieces import whole
from gossamer.methods.cost import random_records
from gossamer.methods.gs_wgan.augmentation import NoAugmentation
from gossamer.methods.gs_wgan.centre import NoCentre
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question, side_of
from gossamer.methods.gs_wgan.public_generator import PublicGenerator
from gossamer.methods.gs_wgan.settings import GSWGANConfig, Stage
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit

_ROTATIONS = 3


def find_chunk_size(config: GSWGANConfig, spec: AbstractSpec, context: RunContext) -> int:
    """Return the largest chunk, at most ``critics_at_once``, at which answers are the same at every place.

    A kernel may round the last rows of a tensor otherwise than the first ones. Then the answer of a critic would depend
    on the number of critics that were included before it. The sum of the others would not be the same with and without
    one unit.

    Guarantee: the size is a function of public settings, of the machine and of random records that are nobody's. With
    chunks of one critic there is one place. Critics that are each asked alone are all computed as in such a chunk.

    Args:
        config: settings.
        spec: shape and classes.
        context: device and precision of the run.
    """
    size = config.critics_at_once
    while size > 1 and not all(_answer_alike(config, stage, spec, context, size) for stage in config.stages):
        size //= 2
    return size


def _answer_alike(config: GSWGANConfig, stage: Stage, spec: AbstractSpec, context: RunContext, size: int) -> bool:
    """Tell if critics on random records answer the same, bit for bit, one place further in a chunk.

    All places are alike if all neighbouring places are.
    """
    position = config.stages.index(stage)
    if side_of(config, position, spec, context).asks_each_alone:
        return True
    critics = _critics(config, stage, spec, context, size)
    question = _question(config, stage, spec, context)
    in_order, groups = torch.arange(size), torch.zeros(size, dtype=torch.int64)
    answers = whole(critics.answer(in_order, groups, question), groups)
    for _ in range(_ROTATIONS):
        in_order = in_order.roll(1)
        if not torch.equal(whole(critics.answer(in_order, groups, question), groups), answers[in_order]):
            return False
    return True


def _critics(config: GSWGANConfig, stage: Stage, spec: AbstractSpec, context: RunContext, size: int) -> PrivateCritics:
    """Return critics on random records, two for each, that have made one update."""
    config = replace(
        config,
        num_critics=size,
        critics_at_once=size,
        stages=(replace(stage, warm_start=replace(stage.warm_start, num_updates=1)),),
        augmentation=NoAugmentation(),
        centre=NoCentre(),
    )
    # These records are random, so delta says nothing.
    around = RunContext(delta=0.5 / size, device=context.device, precision=context.precision)
    critics = PrivateCritics(config, random_records(spec, 2 * size), Unit.RECORD, around)
    for _ in critics.enter(0, _question(config, stage, spec, context).pool):
        pass
    return critics


def _question(config: GSWGANConfig, stage: Stage, spec: AbstractSpec, context: RunContext) -> Question:
    """Return a question of one group, about samples of the generator that the run begins with."""
    generator = PublicGenerator(config, spec, context.device, context.precision)
    samples, labels = generator.samples(0)
    per_group = config.batch_size // config.draws_per_step
    looked = stage.view.apply(samples.detach())[:per_group]
    classes = None if labels is None else labels[None, :per_group]
    return Question(looked=looked[None], labels=classes, pool=generator.pool(stage.view, 0), step=0)
