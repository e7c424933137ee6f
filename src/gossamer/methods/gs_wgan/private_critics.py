"""The private side of GS-WGAN: critics on shards, warm-started, renewed on a public schedule, asked as forks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gossamer.data.records import RecordSet
from gossamer.errors import PrivacyError
from gossamer.mechanisms.one_of_many.partition import deal
from gossamer.mechanisms.one_of_many.tapes import CriticTapes, TapeUse
from gossamer.mechanisms.streams import public_stream
from gossamer.methods.gs_wgan.critics import Shards, answers, train_critics
from gossamer.methods.gs_wgan.distances import Asked, DistanceCritic
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.gs_wgan.warm_start import Opponents, WarmStartChunk
from gossamer.methods.protected import described, identities_of, owners_of
from gossamer.methods.training import RunContext
from gossamer.nn.devices import mixed_precision
from gossamer.nn.ensemble import Ensemble, Tensors, concatenate, stack
from gossamer.privacy.adjacency import Unit


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """The samples that critics are asked about at a step. All of it is public.

    Attributes:
        looked: samples in the view, (c, B/c, *shape), group after group.
        labels: their classes, int64 (c, B/c), or None.
        pool: samples of the present generator in the view, (classes, p, *shape).
        step: number of the step.
        centre: public prediction of the answers, (c, B/c, *shape), or None.
    """

    looked: Tensor
    labels: Tensor | None
    pool: Tensor
    step: int
    centre: Tensor | None = None

    @cached_property
    def asked(self) -> Asked:
        """The samples as distance critics are asked about them."""
        points = self.looked.flatten(start_dim=2)
        labels = torch.zeros_like(points[..., 0], dtype=torch.int64) if self.labels is None else self.labels
        return Asked(points=points, labels=labels, pool=self.pool.flatten(start_dim=2))


@dataclass(frozen=True, kw_only=True)
class WarmStartReport:
    """Report of a chunk of critics that is ready: progress, nothing private."""

    stage: int
    num_ready: int
    num_critics: int


class PrivateCritics:
    """The part that sees records: nothing of it may reach a generator but through the releaser.

    Guarantee: critic j's state at a step is a function of its own shard, its tape at (j, step), public things and
    earlier released vectors. Beyond those vectors, draws do not enter the state. Answering changes nothing.

    Args:
        config: settings.
        records: private.
        unit: content of a slot, a record or a person.
        context: the key that deals units to critics, the store of finished chunks, device and precision. Answers are in
            float32 always.
    """

    def __init__(self, config: GSWGANConfig, records: RecordSet, unit: Unit, context: RunContext) -> None:
        self._config = config
        self._records = records
        self._unit = unit
        self._store = context.store
        self._device = context.device
        self._precision = context.precision
        self._tapes = CriticTapes(config.seed)
        partition = deal(identities_of(records, unit), config.num_critics, context.key)
        self._dealt_by = context.key.digest
        self._table = partition.shard_table(records.y, owners_of(records, unit))
        self._stage: int | None = None
        self._critics: Ensemble | None = None
        self._shards: Shards | None = None

    # ---- stages and warm start --------------------------------------------------------------------------------------

    def enter(self, stage: int, pool: Tensor) -> Iterator[WarmStartReport]:
        """Enter a stage with its view. Critics are warm-started unless they have begun the stage already.

        Args:
            stage: number of the stage.
            pool: public samples of the generator as it stands, in the view, (classes, p, ...).
        """
        self._shards = self._seen_in(stage)
        if isinstance(self._config.stages[stage].critic, DistanceCritic):
            self._critics, self._stage = None, stage
        elif self._stage != stage:
            ready = []
            for chunk in self.chunks(stage):
                ready.append(self._warm_start(chunk, self._shards, pool))
                yield WarmStartReport(stage=stage, num_ready=chunk.last, num_critics=self._config.num_critics)
            self._critics, self._stage = concatenate(ready), stage

    def see(self, records: RecordSet) -> None:
        """See other records in the places of those before: for public twins, which follow the generator.

        Args:
            records: public, as many.
        """
        self._records = records
        if self._stage is not None:
            self._shards = self._seen_in(self._stage)

    def leave(self) -> None:
        """Forget the critics of a stage that has ended."""
        self._stage = self._critics = self._shards = None

    def warm_start_part(self, pool: Tensor, rank: int, num_processes: int) -> Iterator[WarmStartReport]:
        """Run this process's part of the first warm start: every ``num_processes``-th chunk, kept in the store."""
        if isinstance(self._config.stages[0].critic, DistanceCritic):
            return
        shards = self._seen_in(0)
        for chunk in self.chunks(0)[rank::num_processes]:
            self._warm_start(chunk, shards, pool)
            yield WarmStartReport(stage=0, num_ready=chunk.last, num_critics=self._config.num_critics)

    def chunks(self, stage: int) -> list[WarmStartChunk]:
        """Return the public ranges of critics that are warm-started together."""
        at_once, num_critics = self._config.critics_at_once, self._config.num_critics
        return [
            WarmStartChunk(stage=stage, first=first, last=min(first + at_once, num_critics))
            for first in range(0, num_critics, at_once)
        ]

    def _seen_in(self, stage: int) -> Shards:
        """Return all variants of the records in the view of a stage."""
        view, augmentation = self._config.stages[stage].view, self._config.augmentation

        def look(x: Tensor, marks: Tensor) -> Tensor:
            numbers, seed = range(augmentation.num_variants), self._config.seed
            return torch.stack(
                [view.apply_to_records(augmentation.variant(x, one, marks, seed)) for one in numbers], dim=1
            )

        images = described(look, self._records, self._unit).to(self._device)
        labels = None if self._records.y is None else self._records.y.to(self._device)
        return Shards(images=images, labels=labels, table=self._table, tapes=self._tapes)

    def _warm_start(self, chunk: WarmStartChunk, shards: Shards, pool: Tensor) -> Ensemble:
        fresh = self._fresh(chunk)
        kept = self._store.load(chunk.name)
        if kept is not None:
            return fresh.with_state({name: tensor.to(self._device) for name, tensor in kept.items()})
        config, stage = self._config, self._config.stages[chunk.stage]
        opponents = Opponents(
            shards=shards,
            view=stage.view,
            sample_shape=self._records.spec.shape,
            num_classes=self._records.spec.num_classes,
            pool=pool,
            batch_size=config.critic_batch_size,
            loss=config.loss,
            adam=config.critic_adam,
            seed=config.seed,
        )
        with mixed_precision(self._device, self._precision):
            critics = stage.warm_start.train(fresh, chunk.critics(), opponents)
        self._store.save(chunk.name, critics.state_dict())
        return critics

    def _fresh(self, chunk: WarmStartChunk) -> Ensemble:
        """Build critics with initial weights, each from a public stream of its own."""
        stage, spec = self._config.stages[chunk.stage], self._records.spec
        shape, purpose = stage.view.shape(spec.shape), f"critic weights of stage {chunk.stage}"
        assert not isinstance(stage.critic, DistanceCritic)
        networks = [
            stage.critic.build(shape, spec.num_classes, public_stream(self._config.seed, purpose, critic))
            for critic in range(chunk.first, chunk.last)
        ]
        return stack(networks).to(self._device)

    # ---- a step -----------------------------------------------------------------------------------------------------

    def renew(self, pool: Tensor, step: int) -> float:
        """Renew critics in turn on a public schedule: the critics that learn at a step do not depend on the draws.

        Returns:
            Their mean loss, private. NaN if none was renewed.
        """
        config = self._config
        if self._critics is None or not (config.renewals_per_step and config.renewal_steps):
            return math.nan
        critics, _ = self._present()
        num_renewed = min(config.renewals_per_step, config.num_critics)
        turn = (step * num_renewed + torch.arange(num_renewed)) % config.num_critics
        losses = []
        for part in turn.split(config.critics_at_once):
            rows = part.to(self._device)
            changed, loss = self._tuned(critics.select(rows), part, pool, TapeUse.RENEWAL, step)
            critics.update_(rows, changed)
            losses.append(loss)
        return float(torch.cat(losses).mean())

    def answer(self, critics: Tensor, groups: Tensor, question: Question) -> Tensor:
        """Ask copies of critics, tuned on the present generator, and forget the copies.

        The tape of a fork is indexed by critic and step: two groups that ask one critic get the same fork.

        Args:
            critics: numbers of the asked critics, int64 (n,). Secret.
            groups: the group that each of them answers, int64 (n,).
            question: samples and pool.

        Returns:
            Gradients (n, B/c, *shape): private, for the releaser alone.
        """
        at_once = self._config.critics_at_once
        parts = zip(critics.split(at_once), groups.to(self._device).split(at_once), strict=True)
        return torch.cat([self._answered(numbers, rows, question) for numbers, rows in parts])

    def _answered(self, numbers: Tensor, rows: Tensor, question: Question) -> Tensor:
        if self._critics is None:
            return self._answered_by_distance(numbers, rows, question)
        critics, shards = self._present()
        asked = None if question.labels is None else question.labels[rows]
        forks, _ = self._tuned(
            critics.select(numbers.to(self._device)), numbers, question.pool, TapeUse.FORK, question.step
        )
        # A critic without a record of a class answers zero for it, or the public prediction. The classes that it holds
        # are a function of its own shard.
        knows = shards.knows(numbers, asked)
        answered = answers(forks, question.looked[rows], asked)
        unknown = 0.0 if question.centre is None else question.centre[rows]
        return torch.where(knows.view(*knows.shape, *(1,) * (answered.dim() - 2)), answered, unknown)

    def _answered_by_distance(self, numbers: Tensor, rows: Tensor, question: Question) -> Tensor:
        shards = self._shards
        if shards is None:
            raise RuntimeError("enter a stage first")
        size = self._config.critic_batch_size
        records, labels = shards.spread(numbers, TapeUse.FORK, question.step, size=size)
        classes = torch.zeros(len(numbers), size, dtype=torch.int64, device=rows.device) if labels is None else labels
        slopes = question.asked.answers(rows, records.flatten(start_dim=2), classes)
        # A critic of an empty shard answers zero, as does every critic about a class that it lacks.
        is_empty = shards.table.is_empty(numbers).to(rows.device)
        answered = slopes.masked_fill_(is_empty[:, None, None], 0.0)
        return answered.view(len(numbers), *question.looked.shape[1:])

    def _tuned(
        self, critics: Ensemble, numbers: Tensor, pool: Tensor, use: TapeUse, step: int
    ) -> tuple[Ensemble, Tensor]:
        """Return the critics with the given numbers after a fork's or a renewal's updates, and their last losses."""
        config, (_, shards) = self._config, self._present()
        num_updates = config.fork_steps if use is TapeUse.FORK else config.renewal_steps
        losses = torch.full((len(numbers),), math.nan)
        batches = shards.batches(numbers, pool, use, step, num_batches=num_updates, size=config.critic_batch_size)
        with mixed_precision(self._device, self._precision):
            for batch in batches:
                critics, losses = train_critics(critics, batch, config.loss, config.critic_adam)
        return critics, losses

    def _present(self) -> tuple[Ensemble, Shards]:
        if self._critics is None or self._shards is None:
            raise RuntimeError("enter a stage first")
        return self._critics, self._shards

    # ---- state -------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, int | str | Tensors | None]:
        """Return stage and critics, the tensors in use, and the digest of the key that dealt units to them."""
        critics = None if self._critics is None else self._critics.state_dict()
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
        if state["critics"] is not None:
            fresh = self._fresh(WarmStartChunk(stage=self._stage, first=0, last=1))
            tensors = {name: tensor.to(self._device, copy=True) for name, tensor in state["critics"].items()}
            self._critics = fresh.with_state(tensors)
