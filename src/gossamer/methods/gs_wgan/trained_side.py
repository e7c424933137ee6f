"""The private side of trained critics: networks, warm-started, renewed on a public schedule, asked as forks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Final

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError
from gossamer.mechanisms.one_of_many.tapes import TapeUse
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.gs_wgan.critics import Shards, answers, train_critics
from gossamer.methods.gs_wgan.kept_critics import KeptCritics
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.gs_wgan.side import NOTHING_RENEWED, AbstractSide, Question
from gossamer.methods.gs_wgan.warm_start import Opponents, WarmStartChunk
from gossamer.methods.training import RunContext
from gossamer.nn.choices import CriticConfig
from gossamer.nn.devices import mixed_precision
from gossamer.nn.ensemble import Ensemble, Tensors, stack
from gossamer.nn.registered import check_own_critic

WIDE_NETWORK: Final = 100_000
"""Weights from which a critic is computed by itself on a CPU."""
LARGE_STACK: Final = 2**28
"""Bytes from which critics are kept in a file of the run, not in memory."""


class TrainedSide(AbstractSide):
    """The private side of the trained critics of one stage.

    Attributes:
        critics: the networks, None before they have begun.

    Args:
        config: settings.
        stage: number of the stage.
        critic: its architecture.
        spec: shape and classes of records.
        context: the store of finished chunks, device and precision. Answers are in float32 always.
    """

    def __init__(
        self, config: GSWGANConfig, stage: int, critic: CriticConfig, spec: AbstractSpec, context: RunContext
    ) -> None:
        self._config, self._stage, self._critic, self._spec = config, stage, critic, spec
        self._store, self._device, self._precision = context.store, context.device, context.precision
        self.critics: Ensemble | KeptCritics | None = None

    @cached_property
    def _together(self) -> int:
        """Number of critics that are computed in one pass, by public sizes.

        On a CPU the grouped convolutions of many wide networks are slower than one network after the other.
        """
        shape = self._config.stages[self._stage].view.shape(self._spec.shape)
        network = self._critic.build(shape, self._spec.num_classes, torch.Generator())
        num_weights = sum(parameter.numel() for parameter in network.parameters())
        is_wide = self._device.type == "cpu" and num_weights >= WIDE_NETWORK
        return 1 if is_wide else self._config.critics_at_once

    def check(self) -> None:
        """Refuse a network that does not fit the view or the classes, and one of the user's own that breaks rules."""
        shape = self._config.stages[self._stage].view.shape(self._spec.shape)
        self._critic.build(shape, self._spec.num_classes, torch.Generator())
        check_own_critic(self._critic, shape, self._spec.num_classes)

    # ---- warm start --------------------------------------------------------------------------------------------------

    def begin(self, shards: Shards, pool: Tensor) -> Iterator[int]:
        """Warm-start all critics, chunk after chunk. Finished chunks are taken from the store."""
        critics = None
        for chunk in chunks_of(self._config, self._stage):
            # One stack from the start: chunks that wait to be joined would take the memory twice.
            critics = self._placed(critics, chunk, self._warm_start(chunk, shards, pool))
            yield chunk.last
        self.critics = critics

    def _placed(
        self, critics: Ensemble | KeptCritics | None, chunk: WarmStartChunk, ready: Ensemble
    ) -> Ensemble | KeptCritics:
        """Put a chunk in its place among all critics. With the first one there is room for all of them."""
        critics = self._room_like(ready) if critics is None else critics
        critics.update_(chunk.critics().to(self._device), ready)
        return critics

    def _room_like(self, ready: Ensemble) -> Ensemble | KeptCritics:
        """Return room for all critics: in memory, or in a file of the run if they are too large for it together."""
        num_critics = self._config.num_critics
        is_large = lies_in_file(ready.num_bytes // ready.num_networks, num_critics, self._device)
        place = self._store.place(self._file_name) if is_large else None
        return ready.room_for(num_critics) if place is None else KeptCritics(place, ready, num_critics)

    @property
    def _file_name(self) -> str:
        return f"critics-of-stage-{self._stage}.bin"

    def begin_part(self, shards: Shards, pool: Tensor, rank: int, num_processes: int) -> Iterator[int]:
        """Warm-start every ``num_processes``-th chunk, for the store."""
        for chunk in chunks_of(self._config, self._stage)[rank::num_processes]:
            self._warm_start(chunk, shards, pool)
            yield chunk.last

    def _warm_start(self, chunk: WarmStartChunk, shards: Shards, pool: Tensor) -> Ensemble:
        fresh = self._fresh(chunk)
        kept = self._store.load(chunk.name)
        if kept is not None:
            return fresh.with_state({name: tensor.to(self._device) for name, tensor in kept.items()})
        config, stage = self._config, self._config.stages[self._stage]
        opponents = Opponents(
            shards=shards,
            view=stage.view,
            sample_shape=self._spec.shape,
            num_classes=self._spec.num_classes,
            pool=pool,
            batch_size=config.critic_batch_size,
            loss=config.loss,
            adam=config.critic_adam,
            seed=config.seed,
        )
        with mixed_precision(self._device, self._precision):
            for rows in torch.arange(fresh.num_networks).split(self._together):
                places = rows.to(self._device)
                ready = stage.warm_start.train(fresh.select(places), chunk.critics()[rows], opponents)
                fresh.update_(places, ready)
        self._store.save(chunk.name, fresh.state_dict())
        return fresh

    def _fresh(self, chunk: WarmStartChunk) -> Ensemble:
        """Build critics with initial weights, each from a public stream of its own."""
        shape = self._config.stages[self._stage].view.shape(self._spec.shape)
        purpose = f"critic weights of stage {self._stage}"
        networks = [
            self._critic.build(shape, self._spec.num_classes, public_stream(self._config.seed, purpose, critic))
            for critic in range(chunk.first, chunk.last)
        ]
        return stack(networks).to(self._device)

    # ---- a step ------------------------------------------------------------------------------------------------------

    def renew(self, shards: Shards, pool: Tensor, step: int) -> float:
        """Renew critics in turn on a public schedule: the critics that learn at a step do not depend on the draws."""
        config = self._config
        if not (config.renewals_per_step and config.renewal_steps):
            return NOTHING_RENEWED
        critics = self._present()
        num_renewed = min(config.renewals_per_step, config.num_critics)
        turn = (step * num_renewed + torch.arange(num_renewed)) % config.num_critics
        losses = []
        for part in turn.split(self._together):
            rows = part.to(self._device)
            changed, loss = self.tuned(critics.select(rows), shards, part, pool, TapeUse.RENEWAL, step)
            critics.update_(rows, changed)
            losses.append(loss)
        return float(torch.cat(losses).mean())

    def answer(self, shards: Shards, numbers: Tensor, rows: Tensor, question: Question) -> Tensor:
        """Ask copies of critics, tuned on the present generator, and forget the copies.

        The tape of a fork is indexed by critic and step: two groups that ask one critic get the same fork.
        """
        parts = zip(numbers.split(self._together), rows.split(self._together), strict=True)
        return torch.cat([self._answer(shards, *part, question) for part in parts])

    def _answer(self, shards: Shards, numbers: Tensor, rows: Tensor, question: Question) -> Tensor:
        """Answer as `answer` does, all critics in one pass."""
        critics = self._present()
        asked = None if question.labels is None else question.labels[rows]
        forks, _ = self.tuned(
            critics.select(numbers.to(self._device)), shards, numbers, question.pool, TapeUse.FORK, question.step
        )
        # A critic without a record of a class answers zero for it, or the public prediction. The classes that it holds
        # are a function of its own shard.
        knows = shards.knows(numbers, asked)
        answered = answers(forks, question.looked[rows], asked)
        unknown = 0.0 if question.centre is None else question.centre[rows]
        return torch.where(knows.view(*knows.shape, *(1,) * (answered.dim() - 2)), answered, unknown)

    def tuned(
        self, critics: Ensemble, shards: Shards, numbers: Tensor, pool: Tensor, use: TapeUse, step: int
    ) -> tuple[Ensemble, Tensor]:
        """Return the critics with the given numbers after a fork's or a renewal's updates, and their last losses."""
        config = self._config
        num_updates = config.fork_steps if use is TapeUse.FORK else config.renewal_steps
        losses = torch.full((len(numbers),), math.nan)
        batches = shards.batches(numbers, pool, use, step, num_batches=num_updates, size=config.critic_batch_size)
        with mixed_precision(self._device, self._precision):
            for batch in batches:
                critics, losses = train_critics(critics, batch, config.loss, config.critic_adam)
        return critics, losses

    def _present(self) -> Ensemble | KeptCritics:
        if self.critics is None:
            raise RuntimeError("enter a stage first")
        return self.critics

    # ---- state -------------------------------------------------------------------------------------------------------

    def state(self) -> Tensors | None:
        """Return the tensors in use."""
        return None if self.critics is None else self.critics.state_dict()

    def restore(self, tensors: Tensors) -> None:
        """Take up a copy of the critics."""
        fresh = self._fresh(WarmStartChunk(stage=self._stage, first=0, last=1))
        if KeptCritics.is_state(tensors):
            place = self._store.place(self._file_name)
            if place is None:
                raise InputError("this state names critics in a file of its run: go on in that run's folder")
            self.critics = KeptCritics.restored(place, fresh, tensors)
            return
        critics = fresh.with_state({name: tensor.to(self._device) for name, tensor in tensors.items()})
        self.critics = self._room_like(critics)
        self.critics.update_(torch.arange(critics.num_networks, device=self._device), critics)


def lies_in_file(bytes_a_critic: int, num_critics: int, device: torch.device) -> bool:
    """Tell if critics lie in a file of the run, by public sizes: a stack on a CPU that is too large for its memory."""
    return device.type == "cpu" and bytes_a_critic * num_critics > LARGE_STACK


def chunks_of(config: GSWGANConfig, stage: int) -> list[WarmStartChunk]:
    """Return the public ranges of critics of a stage that are warm-started together."""
    at_once, num_critics = config.critics_at_once, config.num_critics
    return [
        WarmStartChunk(stage=stage, first=first, last=min(first + at_once, num_critics))
        for first in range(0, num_critics, at_once)
    ]
