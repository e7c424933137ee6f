"""The private side of GS-WGAN: critics on shards, each stage's by their kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.errors import PrivacyError
from gossamer.mechanisms.crew import Order, Task
from gossamer.mechanisms.one_of_many.partition import deal
from gossamer.mechanisms.one_of_many.tapes import CriticTapes
from gossamer.mechanisms.pieces import Answers, whole
from gossamer.methods.gs_wgan.critics import Shards
from gossamer.methods.gs_wgan.distance_side import DistanceSide
from gossamer.methods.gs_wgan.settings import DistanceCritic, GSWGANConfig
from gossamer.methods.gs_wgan.side import AbstractSide, Question
from gossamer.methods.gs_wgan.trained_side import TrainedSide
from gossamer.methods.protected import described, identities_of, owners_of
from gossamer.methods.training import RunContext
from gossamer.nn.ensemble import Tensors
from gossamer.privacy.adjacency import Unit


@dataclass(frozen=True, kw_only=True)
class WarmStartReport:
    """Report of a chunk of critics that is ready: progress, nothing private."""

    stage: int
    num_ready: int
    num_critics: int


def side_of(config: GSWGANConfig, stage: int, spec: AbstractSpec, context: RunContext) -> AbstractSide:
    """Return the private side of a stage's critics by their kind, before they have begun."""
    match config.stages[stage].critic:
        case DistanceCritic():
            return DistanceSide(config.critic_batch_size)
        case critic:
            return TrainedSide(config, stage, critic, spec, context)


class PrivateCritics:
    """The part that sees records: nothing of it may reach a generator but through the releaser.

    Guarantee: critic j's state at a step is a function of its own shard, its tape at (j, step), public things and
    earlier released vectors. Beyond those vectors, draws do not enter the state. Answering changes nothing.

    Args:
        config: settings.
        records: private.
        unit: content of a slot, a record or a person.
        context: the key that deals units to critics, the store of finished chunks, device, precision, and the crew that
            shares the critics. Answers are in float32 always.
    """

    def __init__(self, config: GSWGANConfig, records: RecordSet, unit: Unit, context: RunContext) -> None:
        self._config = config
        self._records: RecordSet | None = records
        self._spec, self._unit = records.spec, unit
        # Without the state that is taken up: it would be kept twice.
        self._context = replace(context, state=None)
        self._device = context.device
        self._tapes = CriticTapes(config.seed)
        partition = deal(identities_of(records, unit), config.num_critics, context.key)
        self._dealt_by = context.key.digest
        self._table = partition.shard_table(records.y, owners_of(records, unit))
        self._rows: Tensor | None = None
        if context.crew.size > 1:
            # The records of other processes' shards are neither seen nor kept.
            table, rows = self._table.of_shards(context.crew.own(config.num_critics))
            # If all of its shards are empty, a process sees all records, and counts none.
            self._table, self._rows = (table, rows) if len(rows) else (self._table, None)
        self._stage: int | None = None
        self._seen: int | None = None
        self._side: AbstractSide | None = None
        self._shards: Shards | None = None
        self._crew = context.crew
        self._pool: Tensor | None = None

    # ---- stages ------------------------------------------------------------------------------------------------------

    def enter(self, stage: int, pool: Tensor) -> Iterator[WarmStartReport]:
        """Enter a stage with its view. Critics are warm-started unless they have begun the stage already.

        Args:
            stage: number of the stage.
            pool: public samples of the generator as it stands, in the view, (classes, p, ...).
        """
        self._crew.order(Order(task=Task.ENTER, number=stage, tensors=(pool,)))
        shards = self._look(stage)
        if self._stage != stage:
            side = self._side_of(stage)
            for num_ready in side.begin(shards, pool):
                yield self._ready(stage, num_ready)
            self._side, self._stage = side, stage

    def warm_up(self, pool: Tensor, places: Iterable[int]) -> Iterator[int]:
        """Warm-start some chunks of the first stage for the store, each by itself. No critic is kept or asked.

        Args:
            pool: public samples of the generator as it begins, in the view, (classes, p, ...).
            places: of the chunks in the order of `chunks_of`.

        Yields:
            Place of a chunk that is ready.
        """
        side, shards = self._side_of(0), self._seen_in(0)
        for place in places:
            side.warm_for_store(shards, pool, place)
            yield place

    def see(self, records: RecordSet) -> None:
        """See other records in the places of those before: for public twins, which follow the generator.

        Args:
            records: public, as many.
        """
        self._records = records
        if self._seen is not None:
            self._shards = self._seen_in(self._seen)

    def leave(self) -> None:
        """Forget the critics of a stage that has ended."""
        self._stage = self._seen = self._side = self._shards = None

    def obey(self, order: Order) -> None:
        """Do this process's part of an order of the leader, but for the answers, which the releaser asks for."""
        stage = step = order.number
        match order.task:
            case Task.ENTER:
                (self._pool,) = order.tensors
                self._look(stage)
                if self._stage != stage:
                    self._side, self._stage = self._side_of(stage), stage
            case Task.RESTORE:
                self._side, self._stage = self._side_of(stage), stage
                self._side.restore({})
            case Task.COLLECT:
                self.state_dict()
            case Task.WARM_UP:
                side, shards = self._present()
                (is_kept,) = order.tensors
                assert self._pool is not None
                side.warm_up(shards, self._pool, order.number, {} if bool(is_kept) else None)
            case _:
                (pool,) = order.tensors
                assert pool is not None
                self.renew(pool, step)

    def _ready(self, stage: int, num_ready: int) -> WarmStartReport:
        return WarmStartReport(stage=stage, num_ready=num_ready, num_critics=self._config.num_critics)

    def _side_of(self, stage: int) -> AbstractSide:
        return side_of(self._config, stage, self._spec, self._context)

    def _look(self, stage: int) -> Shards:
        """See the records in the view of a stage, unless they are seen in it already."""
        if self._shards is None or self._seen != stage:
            self._shards, self._seen = self._seen_in(stage), stage
        if stage == len(self._config.stages) - 1:
            # No other view will be asked for. From here on a process holds what its own critics see, and nothing else.
            self._records = None
        return self._shards

    def _seen_in(self, stage: int) -> Shards:
        """Return all variants of the records in the view of a stage."""
        records = self._records
        if records is None:
            raise RuntimeError("the records were let go when the last stage began")
        view, augmentation = self._config.stages[stage].view, self._config.augmentation

        def look(x: Tensor, marks: Tensor) -> Tensor:
            numbers, seed = range(augmentation.num_variants), self._config.seed
            return torch.stack(
                [view.apply_to_records(augmentation.variant(x, one, marks, seed)) for one in numbers], dim=1
            )

        images, labels = described(look, records, self._unit, self._rows), records.y
        if labels is not None and self._rows is not None:
            labels = labels[self._rows]
        images, labels = images.to(self._device), None if labels is None else labels.to(self._device)
        return Shards(images=images, labels=labels, table=self._table, tapes=self._tapes)

    # ---- a step -----------------------------------------------------------------------------------------------------

    def renew(self, pool: Tensor, step: int) -> float:
        """Renew critics in turn on a public schedule: the critics that learn at a step do not depend on the draws.

        Returns:
            Their mean loss, private. NaN if none was renewed.
        """
        if self._side is None:
            return math.nan
        side, shards = self._present()
        return side.renew(shards, pool, step)

    def answer(self, critics: Tensor, groups: Tensor, question: Question) -> Answers:
        """Ask critics about the samples of groups, by their kind. Answering changes nothing.

        Args:
            critics: numbers of the asked critics, int64 (n,). Secret.
            groups: the group that each of them answers, int64 (n,).
            question: samples and pool.

        Returns:
            Gradients (n, B/c, *shape), whole or in pieces: private, for the releaser alone.
        """
        side, shards = self._present()
        at_once = self._config.critics_at_once
        parts = zip(critics.split(at_once), groups.to(self._device).split(at_once), strict=True)
        answers = [(side.answer(shards, numbers, rows, question), rows) for numbers, rows in parts]
        # The releaser asks for one part at a time: it is left in the pieces that it comes in.
        return answers[0][0] if len(answers) == 1 else torch.cat([whole(*part) for part in answers])

    def _present(self) -> tuple[AbstractSide, Shards]:
        if self._side is None or self._shards is None:
            raise RuntimeError("enter a stage first")
        return self._side, self._shards

    # ---- state -------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, int | str | Tensors | None]:
        """Return stage and critics, the tensors in use, and the digest of the key that dealt units to them."""
        if self._side is not None:
            self._crew.order(Order(task=Task.COLLECT, number=0))
        critics = None if self._side is None else self._side.state()
        return {"stage": self._stage, "critics": critics, "dealt_by": self._dealt_by}

    def restore(self, state: dict) -> None:
        """Take up a copy of a state that `state_dict` returned.

        Raises:
            PrivacyError: another key dealt units to these critics.
        """
        # Privacy: with another key the same people would lie in other shards, so one person in two of them over time.
        if state["dealt_by"] != self._dealt_by:
            raise PrivacyError(
                "these critics learnt from shards that another key dealt: go on with the key that the run began with"
            )
        self._stage = state["stage"]
        self._side = None if self._stage is None else self._side_of(self._stage)
        if self._side is not None and self._stage is not None and state["critics"] is not None:
            self._crew.order(Order(task=Task.RESTORE, number=self._stage))
            self._side.restore(state["critics"])
