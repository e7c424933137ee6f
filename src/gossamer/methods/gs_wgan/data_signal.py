"""The data signal: the part of the critics' mean answer that tells of the records. Measured on public data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.mechanisms.clipping import clip_to_ball
from gossamer.mechanisms.critics_plan import AbstractCriticsPlan
from gossamer.mechanisms.pieces import whole
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.gs_wgan.centre import AbstractTwins, NoCentre
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.public_generator import PublicGenerator
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig
from gossamer.methods.gs_wgan.twins import PublicTwins
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import PublicSlots

_TWINS_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class DataSignal:
    r"""A comparison of critics on real shards with critics on public twins: samples of the generator as records.

    With A and B the mean clipped answers of both, the *data part* is A - B. All energies are products of two halves of
    the critics, so that chance adds nothing to them on average. If the settings have a public centre, answers are
    clipped around it, and A and B are the directions that a generator follows then.

    Attributes:
        share: energy of the data part over that of A. 0 if the mean answer tells nothing of the records.
        likeness: cosine of A and B. 1 if the twins say all that the records say, and 0 if one of them is chance alone.
        rho: component of a clipped answer along the data part, over the clip norm, on average. 0 if there is no part.
        twins: norm of B over the clip norm. It vanishes if answers are unbiased.
    """

    share: float
    likeness: float
    rho: float
    twins: float

    def over_noise(self, plan: AbstractCriticsPlan, num_parameters: int) -> float:
        r"""Predict the energy of a run's signal over that of its noise, for each learnt parameter.

        The law is :math:`D \rho^2 / (4 s^2 p)` with :math:`D = T c` draws and p parameters. The noise s of a draw is
        over 2C, divided by the critics that are expected to answer. The law holds if the signal points one way all the
        time.

        Args:
            plan: with a noise multiplier.
            num_parameters: that are learnt, p.
        """
        per_answer = plan.noise_std / (2 * plan.group_clip_norm * plan.expected_answers)
        draws = plan.num_steps * plan.draws_per_step
        return draws * self.rho**2 / (4 * per_answer**2 * num_parameters)


def measure(
    config: GSWGANConfig,
    records: RecordSet,
    generator: PublicGenerator,
    context: RunContext,
    *,
    step: int = 0,
    num_asked: int | None = None,
) -> DataSignal:
    """Measure the data signal of settings at a state of the generator.

    Guarantee: none for the records. They must be public.

    Args:
        config: settings, of which the first stage is measured.
        records: public.
        generator: as it stands.
        context: key and device.
        step: number of the step, for the tapes and the samples that are asked about.
        num_asked: critics that are asked, the first ones. None for all.
    """
    first = _of_first_stage(config)
    question = _centred(first, records, generator, context, question_of(first, generator, step))
    asked = config.num_critics if num_asked is None else min(num_asked, config.num_critics)
    halves = [half.contiguous() for half in (torch.arange(0, asked, 2), torch.arange(1, asked, 2))]
    radius = config.clip_norm * math.sqrt(question.looked[0].shape[0])
    found = []
    for source in (records, twins_of(records, generator, config.seed)):
        critics = PrivateCritics(first, source, Unit.RECORD, context)
        for _ in critics.enter(0, generator.pool(first.stages[0].view, step)):
            pass
        means = [_mean_answer(critics, half, question, radius) for half in halves]
        found.append([_followed(first, mean, question).flatten() / radius for mean in means])
    return _compared(found[0], found[1])


def twins_of(records: RecordSet, generator: PublicGenerator, seed: int) -> RecordSet:
    """Draw public twins of the records: as many samples of the generator as it stands, with the same labels."""
    latents = generator.recipe.latent.draw(records.num_records, public_stream(seed, "twins"))
    labels = [None] * len(latents.split(_TWINS_AT_ONCE)) if records.y is None else records.y.split(_TWINS_AT_ONCE)
    with torch.no_grad():
        parts = [generator.network(*pair) for pair in zip(latents.split(_TWINS_AT_ONCE), labels, strict=True)]
    return replace(records, x=torch.cat(parts).float())


def question_of(config: GSWGANConfig, generator: PublicGenerator, step: int) -> Question:
    """Return the question about the samples of one draw of the first stage."""
    view, size = config.stages[0].view, config.batch_size // config.draws_per_step
    samples, labels = generator.samples(step)
    looked = view.apply(samples.detach())[:size]
    classes = None if labels is None else labels[None, :size]
    return Question(looked=looked[None], labels=classes, pool=generator.pool(view, step), step=step)


def _of_first_stage(config: GSWGANConfig) -> GSWGANConfig:
    """Return the settings of the first stage alone. With distance critics it has no centre."""
    stages = config.stages[:1]
    centre = NoCentre() if isinstance(stages[0].critic, DistanceCritic) else config.centre
    return replace(config, stages=stages, centre=centre)


def _centred(
    config: GSWGANConfig, records: RecordSet, generator: PublicGenerator, context: RunContext, question: Question
) -> Question:
    """Return the question with the centre of twins that have just begun the stage, if the settings have one."""
    if not isinstance(config.centre, AbstractTwins):
        return question
    twins = PublicTwins(config, config.centre, records.spec, PublicSlots(records.num_records), generator, context)
    twins.enter(0, generator.pool(config.stages[0].view, question.step))
    return replace(question, centre=twins.centre(question, 0))


def _followed(config: GSWGANConfig, mean: Tensor, question: Question) -> Tensor:
    """Return the direction that a generator follows if the mean answer beyond the centre is released."""
    if question.centre is None or not isinstance(config.centre, AbstractTwins):
        return mean
    centre = question.centre[0].to(mean)
    return config.centre.followed(mean + centre, centre)


def _mean_answer(critics: PrivateCritics, numbers: Tensor, question: Question, radius: float) -> Tensor:
    """Average the clipped answers of critics about the samples of one draw, less the centre."""
    total = sum(part.sum(dim=0) for part in _clipped(critics, numbers, question, radius))
    assert isinstance(total, Tensor)
    return total / len(numbers)


def _clipped(critics: PrivateCritics, numbers: Tensor, question: Question, radius: float) -> Iterator[Tensor]:
    for part in numbers.split(64):
        one_group = torch.zeros_like(part)
        answers = whole(critics.answer(part, one_group, question), one_group)
        yield clip_to_ball(answers if question.centre is None else answers - question.centre, radius)


def _compared(real: list[Tensor], twins: list[Tensor]) -> DataSignal:
    data = [one - other for one, other in zip(real, twins, strict=True)]
    energy, data_energy, twin_energy = (max(0.0, float(one @ other)) for one, other in (real, data, twins))
    across = (float(real[0] @ twins[1]) + float(real[1] @ twins[0])) / 2
    along = (float(real[0] @ data[1]) + float(real[1] @ data[0])) / 2
    # Products of halves may come out below zero by chance. Then nothing is seen, and no direction is known.
    return DataSignal(
        share=data_energy / energy if energy else 0.0,
        likeness=max(-1.0, min(1.0, across / math.sqrt(energy * twin_energy))) if energy * twin_energy else 0.0,
        rho=along / math.sqrt(data_energy) if data_energy else 0.0,
        twins=math.sqrt(twin_energy),
    )
