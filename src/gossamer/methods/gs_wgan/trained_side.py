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
from gossamer.mechanisms.crew import Order, Task
from gossamer.mechanisms.one_of_many.tapes import TapeUse
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.gs_wgan.critics import Shards, answers, train_critics
from gossamer.methods.gs_wgan.kept_critics import KeptCritics
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.gs_wgan.side import NOTHING_RENEWED, AbstractSide, Question
from gossamer.methods.gs_wgan.warm_start import Opponents, WarmStartChunk
from gossamer.methods.training import NoStore, RunContext
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
        context: the store of finished chunks, alike in all processes, device, precision and crew. Answers are in
            float32 always.
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

    @property
    def asks_each_alone(self) -> bool:
        """True for wide networks on a CPU."""
        return self._together == 1

    def check(self) -> None:
        """Refuse a network that does not fit the view or the classes, and one of the user's own that breaks rules."""
        shape = self._config.stages[self._stage].view.shape(self._spec.shape)
        self._critic.build(shape, self._spec.num_classes, torch.Generator())
        check_own_critic(self._critic, shape, self._spec.num_classes)

    # ---- warm start --------------------------------------------------------------------------------------------------

    def begin(self, shards: Shards, pool: Tensor) -> Iterator[int]:
        """Warm-start all critics, chunk after chunk. Finished chunks are taken from the store."""
        for number, chunk in enumerate(chunks_of(self._config, self._stage)):
            kept = self._store.load(chunk.name)
            is_kept = torch.tensor(kept is not None)
            self._crew.order(Order(task=Task.WARM_UP, number=number, tensors=(is_kept,)))
            self.warm_up(shards, pool, number, kept)
            yield chunk.last

    def warm_up(self, shards: Shards, pool: Tensor, number: int, kept: Tensors | None) -> None:
        """Warm-start this process's own critics of a chunk, or take them from those that the leader has kept."""
        chunks = chunks_of(self._config, self._stage)
        chunk = chunks[number]
        numbers = chunk.critics()[self._places(chunk)[self._crew.rank]]
        if self._growing is None:
            # Room for all from the start: chunks that wait to be joined would take the memory twice.
            self._growing = self._room()
        if kept is None:
            for part, ready in self._warmed(numbers, shards, pool):
                self._growing.update_(self._rows(part), ready)
            self._keep(self._growing, numbers, chunk)
        else:
            self._growing.update_(self._rows(numbers), self._dealt(kept, chunk))
        if number == len(chunks) - 1:
            self.critics, self._growing = self._growing, None

    def warm_for_store(self, shards: Shards, pool: Tensor, number: int) -> None:
        """Warm-start a chunk in memory, and keep it in the store. The file of a training is neither read nor written.

        A training may have the file in use, and its checkpoints name places in it.
        """
        chunk = chunks_of(self._config, self._stage)[number]
        room = self._fresh(torch.arange(1)).room_for(chunk.last - chunk.first)
        for part, ready in self._warmed(chunk.critics(), shards, pool):
            room.update_((part - chunk.first).to(self._device), ready)
        self._store.save(chunk.name, room.state_dict())

    def _keep(self, ready: Ensemble | KeptCritics, numbers: Tensor, chunk: WarmStartChunk) -> None:
        """Keep a chunk of critics in the leader's store."""
        if isinstance(self._store, NoStore):
            return
        joined = self._joined(ready.select(self._rows(numbers)).state_dict(), chunk)
        if self._crew.leads:
            self._store.save(chunk.name, joined)

    def _room(self) -> Ensemble | KeptCritics:
        """Return room for critics: for this process's own in memory, or for all in a file of the run if they are large.

        Processes that share the critics share the file, and each writes and reads its own critics alone.
        """
        some, num_critics = self._fresh(torch.arange(1)), self._config.num_critics
        is_large = lies_in_file(some.num_bytes, num_critics, self._device)
        place = self._store.place(self._file_name) if is_large else None
        if place is None:
            return some.room_for(len(self._crew.own(num_critics)))
        return KeptCritics(place, some, num_critics)

    @property
    def _file_name(self) -> str:
        return f"critics-of-stage-{self._stage}.bin"

    def _warmed(self, numbers: Tensor, shards: Shards, pool: Tensor) -> Iterator[tuple[Tensor, Ensemble]]:
        """Warm-start critics, and yield as many together as are computed in one pass, with their numbers."""
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
        for some in numbers.split(self._together) if len(numbers) else ():
            part = self._not_one(some)
            fresh = self._fresh(part)
            with mixed_precision(self._device, self._precision):
                ready = stage.warm_start.train(fresh, part, opponents)
            yield part, ready

    def _not_one(self, critics: Tensor) -> Tensor:
        """Return critics to be computed in one pass, a single one twice.

        A network by itself is computed by other kernels, which round otherwise. The number of processes would then
        decide the bits of a critic.
        """
        return critics.repeat(2) if len(critics) == 1 and self._together > 1 else critics

    def _fresh(self, numbers: Tensor) -> Ensemble:
        """Build critics with initial weights, each from a public stream of its own."""
        shape = self._config.stages[self._stage].view.shape(self._spec.shape)
        purpose = f"critic weights of stage {self._stage}"
        networks = [
            self._critic.build(shape, self._spec.num_classes, public_stream(self._config.seed, purpose, critic))
            for critic in numbers.tolist()
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
            part = self._not_one(turn[places])
            rows = self._rows(part)
            changed, loss = self.tuned(critics.select(rows), shards, part, pool, TapeUse.RENEWAL, step)
            critics.update_(rows, changed)
            losses[places.to(self._device)] = loss.to(losses)[: len(places)]
        # Each loss beside zeros of other processes.
        return float(self._crew.total(losses).mean())

    def _rows(self, critics: Tensor) -> Tensor:
        """Return the rows of this process's own critics by their numbers, int64, on the device.

        A file has a row for every critic, and a stack in memory for this process's own alone.
        """
        held = self._growing if self.critics is None else self.critics
        return (critics if isinstance(held, KeptCritics) else critics // self._crew.size).to(self._device)

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
        own, tensors = self._crew.own(self._config.num_critics), self.critics.state_dict()
        if isinstance(self.critics, KeptCritics):
            tensors = {name: tensor[own] for name, tensor in tensors.items()}
        return self._joined(tensors, self._all)

    def restore(self, tensors: Tensors) -> None:
        """Take up a copy of the critics, each process its own."""
        if bool(self._crew.from_rank(0, torch.tensor(KeptCritics.is_state(tensors)))):
            self.critics = self._from_file(tensors)
            return
        self.critics = self._room()
        self.critics.update_(self._rows(self._crew.own(self._config.num_critics)), self._dealt(tensors, self._all))

    def _from_file(self, tensors: Tensors) -> KeptCritics:
        """Take up the critics of a state in the file that it names. A helper gets the state from the leader."""
        place = self._store.place(self._file_name)
        if place is None:
            raise InputError("the critics of this run lie in a file of its folder: go on in that folder")
        like = KeptCritics.state_like(self._config.num_critics)
        state = {name: self._crew.from_rank(0, tensors.get(name, empty)) for name, empty in like.items()}
        return KeptCritics.restored(place, self._fresh(torch.arange(1)), state)

    # ---- between processes -------------------------------------------------------------------------------------------

    @property
    def _all(self) -> WarmStartChunk:
        return WarmStartChunk(stage=self._stage, first=0, last=self._config.num_critics)

    def _places(self, chunk: WarmStartChunk) -> list[Tensor]:
        """Return the places of each process's own critics among those of a chunk."""
        owner = chunk.critics() % self._crew.size
        return [(owner == rank).nonzero()[:, 0] for rank in range(self._crew.size)]

    def _joined(self, own: Tensors, chunk: WarmStartChunk) -> Tensors:
        """Return a chunk's critics to the leader, from those of all processes. A helper's result is its own."""
        if self._crew.size == 1:
            return own
        places, joined = self._places(chunk), {}
        for name in list(own):
            # Taken out, so that its memory is free once it is joined.
            part = own.pop(name)
            joined[name] = _interleaved(self._crew.collected(part, [*map(len, places)]), places, part)
        return joined

    def _dealt(self, tensors: Tensors, chunk: WarmStartChunk) -> Ensemble:
        """Return this process's own critics of a chunk, a copy, from all of them as the leader has them."""
        fresh, places = self._fresh(torch.arange(1)), self._places(chunk)
        number, own = len(places[self._crew.rank]), {}
        for name, one in fresh.state_dict().items():
            parts = [tensors[name][place] for place in places] if tensors else []
            like = one.new_empty(number, *one.shape[1:], device="cpu")
            own[name] = self._crew.dealt(parts, like).to(self._device)
        return fresh.with_state(own)


def _interleaved(parts: list[Tensor], places: list[Tensor], own: Tensor) -> Tensor:
    """Put the parts of all processes at their places. In a helper, which has none, return its own."""
    if not parts:
        return own
    whole = own.new_empty(sum(map(len, parts)), *own.shape[1:], device="cpu")
    for part, place in zip(parts, places, strict=True):
        whole[place] = part
    return whole


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
