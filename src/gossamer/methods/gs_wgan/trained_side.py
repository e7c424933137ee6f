"""The private side of trained critics: networks, warm-started, renewed on a public schedule, asked as forks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec
from gossamer.errors import InputError
from gossamer.mechanisms.crew import Order, Task
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

    Several processes share the critics: each holds its own, and warm-starts, renews and asks those alone.

    Attributes:
        critics: this process's own networks, None before they have begun.

    Args:
        config: settings.
        stage: number of the stage.
        critic: its architecture.
        spec: shape and classes of records.
        context: the store of finished chunks, device, precision and crew. Answers are in float32 always.
    """

    def __init__(
        self, config: GSWGANConfig, stage: int, critic: CriticConfig, spec: AbstractSpec, context: RunContext
    ) -> None:
        self._config, self._stage, self._critic, self._spec = config, stage, critic, spec
        self._store, self._device, self._precision = context.store, context.device, context.precision
        self._crew = context.crew
        self._growing: Ensemble | KeptCritics | None = None
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
        chunks, size = chunks_of(self._config, self._stage), self._crew.size
        for first in range(0, len(chunks), size):
            self._crew.order(Order(task=Task.WARM_UP, number=first))
            self.warm_up(shards, pool, first)
            yield from (chunk.last for chunk in chunks[first : first + size])

    def warm_up(self, shards: Shards, pool: Tensor, first: int) -> None:
        """Warm-start a chunk in each process, and keep of all chunks this process's own critics."""
        chunks, crew = chunks_of(self._config, self._stage), self._crew
        side_by_side = chunks[first : first + crew.size]
        mine = None
        if crew.rank < len(side_by_side):
            mine = self._warm_start(side_by_side[crew.rank], shards, pool)
        for rank, chunk in enumerate(side_by_side):
            critics = mine if rank == crew.rank and mine is not None else self._room_for(chunk)
            state = {name: crew.from_rank(rank, tensor) for name, tensor in critics.state_dict().items()}
            if crew.leads and self._store.load(chunk.name) is None:
                self._store.save(chunk.name, state)
            self._keep(chunk, critics.with_state(state))
        if first + crew.size >= len(chunks):
            self.critics, self._growing = self._growing, None

    def _keep(self, chunk: WarmStartChunk, ready: Ensemble) -> None:
        """Keep of a chunk this process's own critics."""
        own = chunk.critics()[self._crew.owns(chunk.critics())]
        if len(own) < ready.num_networks:
            ready = ready.select((own - chunk.first).to(self._device))
        if self._growing is None:
            # One stack from the start: chunks that wait to be joined would take the memory twice.
            self._growing = self._room_like(ready)
        self._growing.update_(self._rows(own), ready)

    def _room_like(self, ready: Ensemble) -> Ensemble | KeptCritics:
        """Return room for this process's own critics: in memory, or in a file of the run if they are too large.

        Processes that share the critics hold them in memory, each its own.
        """
        number = len(self._crew.own(self._config.num_critics))
        place = self._place_for(ready)
        return ready.room_for(number) if place is None else KeptCritics(place, ready, number)

    def _place_for(self, some: Ensemble) -> Path | None:
        """Return the path of the file that critics like these lie in, None if they lie in memory."""
        each, number = some.num_bytes // some.num_networks, self._config.num_critics
        is_large = self._crew.size == 1 and lies_in_file(each, number, self._device)
        return self._store.place(self._file_name) if is_large else None

    @property
    def _file_name(self) -> str:
        return f"critics-of-stage-{self._stage}.bin"

    def _room_for(self, chunk: WarmStartChunk) -> Ensemble:
        """Return an ensemble in the shape of a chunk's, for the tensors of another process."""
        first = self._fresh(replace(chunk, last=chunk.first + 1)).state_dict()
        size = chunk.last - chunk.first
        room = {name: tensor.new_empty(size, *tensor.shape[1:]) for name, tensor in first.items()}
        return self._fresh(replace(chunk, last=chunk.first + 1)).with_state(room)

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
        self._crew.order(Order(task=Task.RENEW, number=step, tensors=(pool,)))
        critics = self._present()
        num_renewed = min(config.renewals_per_step, config.num_critics)
        turn = (step * num_renewed + torch.arange(num_renewed)) % config.num_critics
        losses = torch.zeros(num_renewed, device=self._device)
        own = self._crew.owns(turn).nonzero()[:, 0]
        for places in own.split(self._together) if len(own) else ():
            part = turn[places]
            rows = self._rows(part)
            changed, loss = self.tuned(critics.select(rows), shards, part, pool, TapeUse.RENEWAL, step)
            critics.update_(rows, changed)
            losses[places.to(self._device)] = loss.to(losses)
        # Each loss beside zeros of other processes.
        return float(self._crew.total(losses).mean())

    def _rows(self, critics: Tensor) -> Tensor:
        """Return the rows of this process's own critics by their numbers, int64, on the device."""
        return (critics // self._crew.size).to(self._device)

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
            critics.select(self._rows(numbers)), shards, numbers, question.pool, TapeUse.FORK, question.step
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
        """Return the tensors in use, on the leader those of all processes."""
        if self.critics is None:
            return None
        return {name: self._joined(tensor) for name, tensor in self.critics.state_dict().items()}

    def _joined(self, own: Tensor) -> Tensor:
        """Return a tensor of all critics in their order, from those of all processes. A helper's result is its own."""
        size, number = self._crew.size, self._config.num_critics
        parts = self._crew.collected(own, [len(range(rank, number, size)) for rank in range(size)])
        if len(parts) < 2:
            return own
        whole = own.new_empty(number, *own.shape[1:], device="cpu")
        for rank, part in enumerate(parts):
            whole[rank::size] = part
        return whole

    def restore(self, tensors: Tensors) -> None:
        """Take up a copy of the critics, each process its own."""
        fresh = self._fresh(WarmStartChunk(stage=self._stage, first=0, last=1))
        if KeptCritics.is_state(tensors):
            kept = self._from_file(fresh, tensors)
            if self._crew.size == 1:
                self.critics = kept
                return
            # Several processes hold them in memory, each its own.
            tensors = kept.select(torch.arange(self._config.num_critics)).state_dict()
        number, size = len(self._crew.own(self._config.num_critics)), self._crew.size
        own = {}
        for name, one in fresh.state_dict().items():
            parts = [tensors[name][rank::size] for rank in range(size)] if tensors else []
            like = one.new_empty(number, *one.shape[1:], device="cpu")
            own[name] = self._crew.dealt(parts, like).to(self._device, copy=True)
        critics = fresh.with_state(own)
        place = self._place_for(critics)
        self.critics = critics if place is None else KeptCritics(place, critics, number)
        if isinstance(self.critics, KeptCritics):
            self.critics.update_(torch.arange(number), critics)

    def _from_file(self, fresh: Ensemble, tensors: Tensors) -> KeptCritics:
        """Take up the critics of a state in the file that it names."""
        place = self._store.place(self._file_name)
        if place is None:
            raise InputError("the critics of this run lie in a file of its folder: go on in that folder")
        return KeptCritics.restored(place, fresh, tensors)


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
