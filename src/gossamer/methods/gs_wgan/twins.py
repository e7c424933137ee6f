"""Public twins: critics of the same kind and tapes as the private ones, on samples of the generator as records."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.mechanisms.pieces import whole
from gossamer.methods.gs_wgan.centre import AbstractTwins, NoCentre
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.public_generator import PublicGenerator
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.keystream import key_from_seed
from gossamer.privacy.slots import PublicSlots


class PublicTwins:
    """Twins of the critics, and their mean answer.

    Each twin has a shard of samples of the generator, as many as a critic has records on average. At every step the
    samples are drawn anew from the same latents, so that the twins' records are always the generator's present ones.

    Guarantee: the state and the answers of twins are functions of settings, of the public number of slots, and of the
    generator. They see no record. So their mean answer is a function of public things and of earlier released vectors.

    Args:
        config: settings of the training.
        twins: how many there are.
        spec: shape and classes, public.
        slots: their public number.
        generator: in training.
        context: device and precision of the run.
    """

    def __init__(
        self,
        config: GSWGANConfig,
        twins: AbstractTwins,
        spec: AbstractSpec,
        slots: PublicSlots,
        generator: PublicGenerator,
        context: RunContext,
    ) -> None:
        self._config = _settings_of(config, twins.num_critics)
        self._generator = generator
        # Privacy: the size is that of a shard on average, a function of two public numbers.
        num_records = twins.num_critics * math.ceil(slots.number / config.num_critics)
        # Privacy: nothing of the context that could lead to a record is taken over, neither its key nor its store.
        key = UnitKey(key_from_seed(config.seed, "twins"))
        around = RunContext(delta=context.delta, key=key, device=context.device, precision=context.precision)
        # Dealt as blank records, all alike, so that a twin keeps the places of its samples while they change.
        blank = RecordSet(
            name="twins", spec=spec, x=torch.zeros(num_records, *spec.shape), y=_labels(spec, num_records)
        )
        self._blank = blank
        self._critics = PrivateCritics(self._config, blank, Unit.RECORD, around)

    def enter(self, stage: int, pool: Tensor) -> None:
        """Enter a stage: twins are warm-started as critics are, unless they have begun it already.

        Args:
            stage: number of the stage.
            pool: of the generator as it stands, in the view.
        """
        self._critics.see(self._samples())
        for _ in self._critics.enter(stage, pool):
            pass

    def leave(self) -> None:
        """Forget the twins of a stage that has ended."""
        self._critics.leave()

    def renew(self, pool: Tensor, step: int) -> None:
        """Renew twins in turn, as often as a critic is renewed, on samples of the present generator."""
        self._critics.see(self._samples())
        self._critics.renew(pool, step)

    def centre(self, question: Question, stage: int) -> Tensor | None:
        """Average the twins' answers to a question.

        Answers about a class are those of the twins that hold the class. Answers that are not finite do not count. The
        sum is in float64, so that the mean of finite answers is finite.

        Returns:
            (c, B/c, *shape). None in a stage of distance critics: their potential subtracts the pull of the generator's
            samples already, so the mean answer of twins is zero.
        """
        if isinstance(self._config.stages[stage].critic, DistanceCritic):
            return None
        asked = _as_one_group(question)
        total, counted = torch.zeros_like(asked.looked[0], dtype=torch.float64), 0.0
        for part in torch.arange(self._config.num_critics).split(self._config.critics_at_once):
            answers = whole(self._critics.answer(part, torch.zeros_like(part), asked), torch.zeros_like(part))
            is_finite = answers.flatten(start_dim=2).isfinite().all(dim=2)
            answers = torch.where(is_finite.view(*is_finite.shape, *(1,) * (answers.dim() - 2)), answers.double(), 0.0)
            # A twin that lacks a class answers zero for it.
            counted = counted + answers.flatten(start_dim=2).any(dim=2).sum(dim=0)
            total += answers.sum(dim=0)
        assert isinstance(counted, Tensor)
        mean = total / counted.clamp_min(1).view(-1, *(1,) * (total.dim() - 1))
        return mean.to(question.looked.dtype).view_as(question.looked)

    def state_dict(self) -> dict[str, Any]:
        """Return stage and twins, the tensors in use."""
        return self._critics.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a copy of a state that `state_dict` returned."""
        self._critics.restore(state)

    def _samples(self) -> RecordSet:
        images = self._generator.twins(self._blank.num_records)
        # A generator that has diverged gives no records. Gray ones stand for them: the run ends as one without twins.
        return replace(self._blank, x=images.cpu().nan_to_num(nan=0.5).clamp(0, 1))


def _settings_of(config: GSWGANConfig, num_twins: int) -> GSWGANConfig:
    """Return the settings of twins: those of the critics, with as many renewals for each."""
    renewals = math.ceil(min(config.renewals_per_step, config.num_critics) * num_twins / config.num_critics)
    return replace(
        config,
        num_critics=num_twins,
        critics_per_draw=None,
        centre=NoCentre(),
        renewals_per_step=renewals,
        critics_at_once=min(config.critics_at_once, num_twins),
    )


def _labels(spec: AbstractSpec, num_records: int) -> Tensor | None:
    return torch.arange(num_records) % spec.num_classes if spec.num_classes else None


def _as_one_group(question: Question) -> Question:
    """Return the same samples as one group, so that each twin is tuned once."""
    labels = None if question.labels is None else question.labels.reshape(1, -1)
    looked = question.looked.flatten(end_dim=1)[None]
    return Question(looked=looked, labels=labels, pool=question.pool, step=question.step)
