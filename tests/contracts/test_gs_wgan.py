"""The conditions of the theorems on draws and sums of critics, held by GS-WGAN bit for bit, and broken trainings.

The transcript is injected: coins and released vectors are given, whatever the critics answer, so that two runs can be
compared in which one thing differs. A sum is asked chunk by chunk, by the chunks of its releaser. Every comparison is
exact; nothing here has a false alarm.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import PrivacyError
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.mechanisms.one_of_many.door import OneOfManyReleaser
from gossamer.mechanisms.one_of_many.partition import Partition, ShardTable, deal
from gossamer.mechanisms.one_of_many.tapes import CriticTapes, TapeUse
from gossamer.mechanisms.pieces import Answers, whole
from gossamer.mechanisms.sum_of_many.door import Ask, SumOfManyReleaser
from gossamer.mechanisms.sum_of_many.plan import SumOfManyPlan
from gossamer.methods.gs_wgan.augmentation import SmallMotions
from gossamer.methods.gs_wgan.critics import advance_norms
from gossamer.methods.gs_wgan.private_critics import PrivateCritics, Question
from gossamer.methods.gs_wgan.settings import (
    AgainstOwnGenerator,
    AgainstPresentGenerator,
    DistanceCritic,
    GSWGANConfig,
    Stage,
)
from gossamer.methods.gs_wgan.trained_side import TrainedSide
from gossamer.methods.gs_wgan.training import GSWGANTraining, StepReport
from gossamer.methods.protected import identities_of, record_marks
from gossamer.methods.training import RunContext
from gossamer.nn.images.settings import ConvCriticConfig, MLPCriticConfig, MLPGeneratorConfig
from gossamer.nn.views import LowFrequencies, Pooled
from gossamer.privacy import Unit
from gossamer.privacy.dealing import Dealt, Identities, UnitKey
from gossamer.privacy.keystream import Keystream, key_from_seed
from gossamer.privacy.slots import PublicSlots

RECORDS, CLASSES, K, STEPS, BATCH, DRAWS, AT_ONCE = 30, 3, 6, 4, 8, 4, 4
SLOT = 17
"""The record that changes."""
KEY = UnitKey(bytes(32))

MLP, CONV = MLPCriticConfig(hidden_sizes=(6,)), ConvCriticConfig(width=2)
STAGES = {
    "mlp": (Stage(critic=MLP, warm_start=AgainstPresentGenerator(num_updates=2)),),
    "conv": (Stage(critic=CONV, warm_start=AgainstPresentGenerator(num_updates=2)),),
    "own generators": (
        Stage(critic=MLP, warm_start=AgainstOwnGenerator(num_updates=3, hidden=4, updates_per_generator_update=1)),
    ),
    "views": (
        Stage(view=Pooled(factor=2), critic=CONV, warm_start=AgainstPresentGenerator(num_updates=1)),
        Stage(view=LowFrequencies(radius=3.0), critic=MLP, warm_start=AgainstPresentGenerator(num_updates=1)),
    ),
    "distances": (Stage(view=LowFrequencies(radius=3.0), critic=DistanceCritic()),),
}

KINDS = [*((stages, None) for stages in STAGES), ("mlp", 1), ("conv", 3), ("views", 3), ("distances", 3), ("mlp", K)]
"""Stages, and the critics expected in a draw: None for one of K, named by one coin."""
every_kind = pytest.mark.parametrize(("stages", "critics_per_draw"), KINDS)
sums = pytest.mark.parametrize("critics_per_draw", [1, 3, K])

MOTIONS = SmallMotions(count=3)


def config(stages: str = "mlp", **changes: object) -> GSWGANConfig:
    base = GSWGANConfig(
        num_critics=K,
        num_steps=STEPS,
        batch_size=BATCH,
        draws_per_step=DRAWS,
        noise_multiplier=1.0,
        generator=MLPGeneratorConfig(hidden_sizes=(6,)),
        stages=STAGES[stages],
        critic_batch_size=3,
        pool_per_class=3,
        fork_steps=2,
        renewals_per_step=2,
        augmentation=MOTIONS,
        variety=0.5,
        critics_at_once=AT_ONCE,
        seed=5,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def images(seed: int = 0) -> RecordSet:
    rng = torch.Generator().manual_seed(seed)
    return RecordSet(
        name="fixture",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(RECORDS, 1, 8, 8, generator=rng),
        y=torch.randint(0, CLASSES, (RECORDS,), generator=rng),
    )


def neighbour(private: RecordSet) -> RecordSet:
    """The same data with another image and another label in place of one record."""
    x, y = private.x.clone(), private.y.clone()  # type: ignore[union-attr]
    x[SLOT], y[SLOT] = 1 - x[SLOT], (y[SLOT] + 1) % CLASSES
    return replace(private, x=x, y=y)


def chosen(private: RecordSet, rows: list[int]) -> RecordSet:
    """These records of the data, in this order."""
    return replace(private, x=private.x[rows], y=None if private.y is None else private.y[rows])


def critic_of(private: RecordSet, record: int) -> int:
    """The critic whose shard holds a record."""
    return int(deal(identities_of(private, Unit.RECORD), K, KEY).shard_of_unit[record])


def own_critic() -> int:
    """The critic whose shard holds the record that changes."""
    return critic_of(images(), SLOT)


class ExchangingKey(UnitKey):
    """The key with two identities exchanged: the coupling under which a record and what replaces it share a shard."""

    def __init__(self, pair: Identities) -> None:
        super().__init__(bytes(32))
        self._pair = pair

    def _tags(self, what: Dealt, units: Identities) -> np.ndarray:
        digests, copies = units.digests.copy(), units.copies.copy()
        for one, other in ((0, 1), (1, 0)):
            here = (units.digests == self._pair.digests[one]).all(axis=1) & (units.copies == self._pair.copies[one])
            digests[here], copies[here] = self._pair.digests[other], self._pair.copies[other]
        return super()._tags(what, Identities(digests=digests, copies=copies))


def only_in(first: RecordSet, second: RecordSet) -> Identities:
    """The one identity of the first data set that the second has not."""
    units = [identities_of(private, Unit.RECORD) for private in (first, second)]
    names = [set(zip(map(bytes, one.digests), one.copies.tolist(), strict=True)) for one in units]
    ((digest, copy_number),) = names[0] - names[1]
    return Identities(digests=np.frombuffer(digest, dtype=np.uint8)[None], copies=np.array([copy_number]))


def exchanging(first: RecordSet, second: RecordSet) -> UnitKey:
    """The key for the second of two data sets that differ in one record. It is as likely as the key of the first."""
    left, came = only_in(first, second), only_in(second, first)
    pair = Identities(
        digests=np.concatenate([left.digests, came.digests]), copies=np.concatenate([left.copies, came.copies])
    )
    return ExchangingKey(pair)


# ---- runs with an injected transcript -------------------------------------------------------------------------------

State = dict[str, Tensor]


@dataclass(kw_only=True)
class Run:
    """What happened: at every step who answered which group, the answers, and the stored critics when asked.

    Critics stand in `coins` once for each group that they answered. Critics that are not counted are left out.
    """

    training: GSWGANTraining
    chunk_size: int = 1
    coins: list[Tensor] = field(default_factory=list)
    groups: list[Tensor] = field(default_factory=list)
    answers: list[Tensor] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def pairs(self, step: int) -> dict[tuple[int, int], Tensor]:
        """The answers of a step by critic and group."""
        who = zip(self.coins[step].tolist(), self.groups[step].tolist(), strict=True)
        return dict(zip(who, self.answers[step], strict=True))

    def generator(self) -> State:
        """All that the generator's side holds, under flat names."""
        state = self.training.state_dict()["generator"]
        optimiser = {
            f"optimiser/{number}/{name}": torch.as_tensor(value)
            for number, moments in state["optimiser"].items()
            for name, value in moments.items()
        }
        average = {f"average/{name}": tensor for name, tensor in state["average"].items()}
        return {name: tensor.clone() for name, tensor in (state["network"] | average | optimiser).items()}


class InjectedReleaser:
    """Asks the critics that coins of its own name, and releases vectors that nothing private went into."""

    def __init__(self, run: Run, coin_seed: int, release_seed: int) -> None:
        self.run, self.coin_seed, self.release_seed = run, coin_seed, release_seed

    def release(self, step: int, ask: Any, centre: Tensor | None = None) -> Tensor:
        run, plan = self.run, self.run.training.plan
        noise = DeterministicNoise(self.coin_seed)
        if isinstance(plan, SumOfManyPlan):
            critics, groups, answers = summed(plan, noise, run.chunk_size, step, ask)
        else:
            critics, groups = noise.coins(step, DRAWS, K), torch.arange(DRAWS)
            answers = ask(critics)
        run.coins.append(critics)
        run.groups.append(groups)
        run.answers.append(answers.clone())
        run.states.append(stored(run.training))
        shape = (BATCH, *answers.shape[2:])
        return torch.randn(shape, generator=torch.Generator().manual_seed(1000 * self.release_seed + step))


def summed(
    plan: SumOfManyPlan, noise: AbstractNoise, chunk_size: int, step: int, ask: Ask
) -> tuple[Tensor, Tensor, Tensor]:
    """Ask a step's chunks, and return the included critics, their groups and answers."""
    door = SumOfManyReleaser(plan, noise, chunk_size=chunk_size, gate=StepGate(plan))
    found = []
    for critics, groups, counts in door._chunks(door._included(step)):
        answers = whole(ask(critics, groups), groups)
        found.append((critics[counts], groups[counts], answers[counts]))
    critics, groups, answers = (torch.cat(part) for part in zip(*found, strict=True))
    return critics, groups, answers


def stored(training: GSWGANTraining) -> State:
    critics = training.state_dict()["critics"]["critics"] or {}
    return {name: tensor.clone() for name, tensor in critics.items()}


def injected(
    kind: type[GSWGANTraining],
    settings: GSWGANConfig,
    private: RecordSet,
    coin_seed: int = 1,
    release_seed: int = 1,
    key: UnitKey = KEY,
) -> Run:
    """A whole run of a training with given coins and given released vectors."""
    training = kind(settings, private, DeterministicNoise(0), RunContext(delta=1e-3, key=key, slots=PublicSlots(40)))
    run = Run(training=training, chunk_size=getattr(training.releaser, "_chunk_size", 1))
    training.releaser = InjectedReleaser(run, coin_seed, release_seed)  # type: ignore[assignment]
    for _ in training:
        pass
    return run


# ---- the checks -----------------------------------------------------------------------------------------------------


def equal(first: State, second: State, rows: list[int] | None = None) -> bool:
    if rows is not None:
        first, second = ({name: tensor[rows] for name, tensor in state.items()} for state in (first, second))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def moved_between(
    kind: type[GSWGANTraining], settings: GSWGANConfig, before: RecordSet, after: RecordSet, key: UnitKey = KEY
) -> set[int]:
    """The critics of which some answer, or the stored state at some step, moves from one data set to the other.

    Weights, buffers, moments of the optimiser and counts of updates; coins and released vectors are the same in both
    runs. The key is that of the second.
    """
    first, second = injected(kind, settings, before), injected(kind, settings, after, key=key)
    moved = set()
    for step in range(STEPS):
        assert torch.equal(first.coins[step], second.coins[step])
        others = second.pairs(step)
        moved |= {pair[0] for pair, own in first.pairs(step).items() if not torch.equal(own, others[pair])}
        moved |= {k for k in range(K) if not equal(first.states[step], second.states[step], [k])}
    return moved


def moved_by_one_slot(kind: type[GSWGANTraining], settings: GSWGANConfig) -> set[int]:
    """The critics that move when one record is replaced by another, under the coupling of both."""
    first, second = images(), neighbour(images())
    return moved_between(kind, settings, first, second, exchanging(first, second))


WITH_COPIES = [*range(RECORDS), SLOT, 3, SLOT, 3]
"""The records, two of them three times."""
OTHERS = [one for one in range(RECORDS) if one != SLOT]
CHANGES: dict[str, tuple[list[int], list[int]]] = {
    "left": (list(range(RECORDS)), OTHERS),
    "came, first in the file": (OTHERS, [SLOT, *OTHERS]),
    "the first of three copies left": (WITH_COPIES, WITH_COPIES[:SLOT] + WITH_COPIES[SLOT + 1 :]),
    "a fourth copy came, first in the file": (WITH_COPIES, [SLOT, *WITH_COPIES]),
}
"""Records before and after one of them comes or leaves."""


def critics_know_no_coin(kind: type[GSWGANTraining], settings: GSWGANConfig) -> bool:
    """Whether the stored critics of every step are the same, bit for bit, when other coins were drawn before it."""
    first, second = (injected(kind, settings, images(), coin_seed=seed) for seed in (1, 2))
    assert settings.critics_per_draw == K or any(
        not torch.equal(*coins) for coins in zip(first.coins, second.coins, strict=True)
    )
    return all(equal(*states) for states in zip(first.states, second.states, strict=True))


def answers_know_no_other_coin(kind: type[GSWGANTraining], settings: GSWGANConfig) -> bool:
    """Whether a critic asked by a group answers the same, bit for bit, whoever else was asked, then or before."""
    first, second = (injected(kind, settings, images(), coin_seed=seed) for seed in (1, 6))
    shared = [
        torch.equal(answer, second.pairs(step)[pair])
        for step in range(STEPS)
        for pair, answer in first.pairs(step).items()
        if pair in second.pairs(step)
    ]
    assert shared, "choose coin seeds that agree somewhere"
    return all(shared)


def data_reaches_the_generator(kind: type[GSWGANTraining], settings: GSWGANConfig) -> bool:
    """Whether anything on the generator's side differs between two data sets when what is released does not."""
    first, second = (injected(kind, settings, images(seed)) for seed in (0, 1))
    assert not torch.equal(first.answers[-1], second.answers[-1])
    return not equal(first.generator(), second.generator())


# ---- broken trainings -----------------------------------------------------------------------------------------------


def with_critics(kind: type[PrivateCritics]) -> type[GSWGANTraining]:
    """A training whose private side is another."""

    class Broken(GSWGANTraining):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            self._critics.__class__ = kind

    return Broken


class UpdatesTheDrawn(PrivateCritics):
    """Stored critics learn when, and only when, they are drawn: as in the published code."""

    def answer(self, critics: Tensor, groups: Tensor, question: Question) -> Answers:
        side, shards = self._present()
        assert isinstance(side, TrainedSide)
        assert side.critics is not None
        drawn, stored = critics.unique(), side.critics
        tuned, _ = side.tuned(stored.select(drawn), shards, drawn, question.pool, TapeUse.RENEWAL, question.step)
        stored.update_(drawn, tuned)
        return super().answer(critics, groups, question)


class IteratesOnAnswering(PrivateCritics):
    """Spectral norms of a stored critic turn whenever it is asked."""

    def answer(self, critics: Tensor, groups: Tensor, question: Question) -> Answers:
        side, _ = self._present()
        assert isinstance(side, TrainedSide)
        assert side.critics is not None
        drawn = critics.unique()
        side.critics.update_(drawn, advance_norms(side.critics.select(drawn)))
        return super().answer(critics, groups, question)


class TapeOfTheGroup(CriticTapes):
    """A tape indexed by the place among the drawn, not by the critic."""

    def uniform(self, use: TapeUse, critics: Tensor, step: int, count: int) -> Tensor:
        return super().uniform(use, torch.arange(len(critics)), step, count)


class ForksByGroup(GSWGANTraining):
    """Two groups that draw one critic get two different forks of it."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._critics._tapes = TapeOfTheGroup(5)


class TapeOfTheCompany(CriticTapes):
    """A tape that is turned by the critics that are asked beside the critic."""

    def uniform(self, use: TapeUse, critics: Tensor, step: int, count: int) -> Tensor:
        return super().uniform(use, critics, step + int(critics.sum()), count)


class ForksByCompany(GSWGANTraining):
    """The fork of a critic depends on who else was included."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._critics._tapes = TapeOfTheCompany(self.config.seed)


class RoundsByPlace(PrivateCritics):
    """The last critics of a chunk are rounded otherwise than the first, as kernels do, only more so."""

    def answer(self, critics: Tensor, groups: Tensor, question: Question) -> Tensor:
        answers = whole(super().answer(critics, groups, question), groups)
        return answers * (1 + 2.0**-10 * torch.arange(len(critics))).view(-1, *(1,) * (answers.dim() - 1))


class OneScaleForAll(PrivateCritics):
    """Answers are divided by the mean norm of all critics' answers: a statistic that they share."""

    def answer(self, critics: Tensor, groups: Tensor, question: Question) -> Tensor:
        answers = whole(super().answer(critics, groups, question), groups)
        return answers / answers.flatten(start_dim=2).norm(dim=2).mean()


class LeaksPastTheDoor(GSWGANTraining):
    """The generator's step also uses a number that a critic computed."""

    def _train_step(self, stage: int) -> StepReport:
        improve, critics = self._public.improve, self._critics

        def leaking(looked: Tensor, direction: Tensor, step: int) -> None:
            side, _ = critics._present()
            tensors = side.state()
            assert tensors is not None
            hint = next(iter(tensors.values())).double().mean().float()
            improve(looked, direction + 1e-3 * hint, step)

        self._public.improve = leaking  # type: ignore[method-assign]
        try:
            return super()._train_step(stage)
        finally:
            self._public.improve = improve  # type: ignore[method-assign]


class MovingMap(Partition):
    """Units are dealt anew in the order of their labels."""

    def shard_table(self, labels: Tensor | None = None, unit_of_record: Tensor | None = None) -> ShardTable:
        assert labels is not None
        shard_of_unit = torch.empty_like(self.shard_of_unit)
        shard_of_unit[torch.argsort(labels, stable=True)] = torch.arange(len(labels)) % self.num_shards
        return Partition(shard_of_unit=shard_of_unit, order=self.order, num_shards=self.num_shards).shard_table(labels)


def moving(units: Identities, num_shards: int, key: UnitKey) -> Partition:
    return MovingMap(**vars(deal(units, num_shards, key)))


def by_place(units: Identities, num_shards: int, key: UnitKey) -> Partition:
    """Units are dealt by their places in the file, in an order that a seed shuffles."""
    places = torch.randperm(50, generator=torch.Generator().manual_seed(1))[: len(units)]
    return Partition(shard_of_unit=places % num_shards, order=torch.arange(len(units)), num_shards=num_shards)


def by_rank(units: Identities, num_shards: int, key: UnitKey) -> Partition:
    """Units are dealt by their rank among those who are there."""
    order = torch.from_numpy(np.lexsort((units.copies, *units.digests.T)).copy())
    return Partition(shard_of_unit=torch.argsort(order) % num_shards, order=order, num_shards=num_shards)


def in_order_of_the_file(units: Identities, num_shards: int, key: UnitKey) -> Partition:
    """Units are dealt by identity, and stand in their shards as in the file."""
    return replace(deal(units, num_shards, key), order=torch.arange(len(units)))


# ---- one record, other critics ---------------------------------------------------------------------------------------


@every_kind
def test_a_record_that_is_replaced_moves_its_own_critic_and_no_other_bit_for_bit(
    stages: str, critics_per_draw: int | None
) -> None:
    assert moved_by_one_slot(GSWGANTraining, config(stages, critics_per_draw=critics_per_draw)) == {own_critic()}


def moved_by(change: str, stages: str = "mlp", critics_per_draw: int | None = None) -> tuple[set[int], int]:
    """The critics that move by a change, and the one whose record comes or leaves."""
    before, after = (chosen(images(), rows) for rows in CHANGES[change])
    fewer, more = sorted((before, after), key=lambda private: private.num_records)
    own = int(deal(only_in(more, fewer), K, KEY).shard_of_unit)
    settings = config(stages, critics_per_draw=critics_per_draw)
    return moved_between(GSWGANTraining, settings, before, after), own


@every_kind
@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_comes_or_leaves_moves_its_own_critic_and_no_other_bit_for_bit(
    change: str, stages: str, critics_per_draw: int | None
) -> None:
    moved, own = moved_by(change, stages, critics_per_draw)
    assert moved == {own}


def test_the_order_of_the_file_moves_no_critic() -> None:
    shuffled = torch.randperm(len(WITH_COPIES), generator=torch.Generator().manual_seed(0)).tolist()
    after = [WITH_COPIES[place] for place in shuffled]
    assert moved_between(GSWGANTraining, config(), chosen(images(), WITH_COPIES), chosen(images(), after)) == set()


def test_a_record_moves_no_other_critic_without_labels() -> None:
    def unlabelled(private: RecordSet) -> RecordSet:
        return replace(private, y=None, spec=replace(private.spec, class_names=()))

    before, after = unlabelled(images()), unlabelled(neighbour(images()))
    own = critic_of(before, SLOT)
    assert moved_between(GSWGANTraining, config(), before, after, exchanging(before, after)) == {own}


@pytest.mark.parametrize("critics_per_draw", [None, 3])
def test_a_record_whose_content_breaks_its_critic_breaks_no_other(critics_per_draw: int | None) -> None:
    """Numbers that overflow in one critic: as far as data can be from the rest."""

    def spoilt() -> RecordSet:
        private = images()
        private.x[SLOT] = float("inf")  # behind the reader's back, which refuses it
        return private

    settings, key = config("conv", critics_per_draw=critics_per_draw), exchanging(images(), spoilt())
    runs = [
        injected(GSWGANTraining, settings, images()),
        injected(GSWGANTraining, settings, spoilt(), key=key),
    ]
    other = [k for k in range(K) if k != own_critic()]
    for step in range(STEPS):
        assert equal(runs[0].states[step], runs[1].states[step], other)
        for pair, answer in runs[0].pairs(step).items():
            if pair[0] != own_critic():
                assert torch.equal(answer, runs[1].pairs(step)[pair])


def test_a_shard_map_that_moves_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gossamer.methods.gs_wgan.private_critics.deal", moving)
    assert len(moved_by_one_slot(GSWGANTraining, config())) > 1


@pytest.mark.parametrize(
    ("broken", "change"),
    [(by_place, "left"), (by_rank, "left"), (in_order_of_the_file, "the first of three copies left")],
)
def test_shards_by_place_by_rank_or_in_the_order_of_the_file_are_caught(
    broken: Callable[[Identities, int, UnitKey], Partition], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer.methods.gs_wgan.private_critics.deal", broken)
    assert len(moved_by(change)[0]) > 1


def test_motions_by_the_number_of_a_record_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(record_marks(images(), Unit.RECORD).unique()) == RECORDS
    monkeypatch.setattr(
        "gossamer.methods.protected.record_marks", lambda private, unit: torch.arange(private.num_records)
    )
    assert len(moved_by("left")[0]) > 1


def test_a_key_that_all_know_lets_a_replaced_record_move_two_critics() -> None:
    """Nobody may exchange two labels that are public: the same key holds for both data sets."""
    public = UnitKey(key_from_seed(6, "shards"))
    before, after = images(), neighbour(images())
    runs = [injected(GSWGANTraining, config(), private, key=public) for private in (before, after)]
    moved = {k for k in range(K) if not equal(runs[0].states[-1], runs[1].states[-1], [k])}
    labels = [int(deal(identities_of(one, Unit.RECORD), K, public).shard_of_unit[SLOT]) for one in (before, after)]
    assert moved == set(labels)
    assert len(moved) == 2


def test_critics_are_not_taken_up_under_another_key_and_would_have_a_record_in_two_shards() -> None:
    training = GSWGANTraining(config(), images(), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    next(report for report in training if isinstance(report, StepReport))
    state = copy.deepcopy(training.state_dict())
    other = UnitKey(bytes(31) + b"\1")
    with pytest.raises(PrivacyError, match="the key that the run began with"):
        GSWGANTraining(
            config(), images(), DeterministicNoise(0), RunContext(delta=1e-3, key=other, state=copy.deepcopy(state))
        )
    shards = [deal(identities_of(images(), Unit.RECORD), K, key).shard_of_unit for key in (KEY, other)]
    assert int((shards[0] != shards[1]).sum()) > RECORDS / 2
    resumed = GSWGANTraining(
        config(), images(), DeterministicNoise(0), RunContext(delta=1e-3, key=UnitKey(bytes(32)), state=state)
    )
    for run in (training, resumed):
        for _ in run:
            pass
    assert equal(Run(training=training).generator(), Run(training=resumed).generator())


@pytest.mark.parametrize("critics_per_draw", [None, 3])
def test_a_statistic_shared_by_critics_is_caught(critics_per_draw: int | None) -> None:
    settings = config(critics_per_draw=critics_per_draw)
    assert moved_by_one_slot(with_critics(OneScaleForAll), settings) > {own_critic()}


@pytest.mark.parametrize("critics_per_draw", [None, 3])
def test_an_empty_shard_answers_zero(critics_per_draw: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def emptied(units: Identities, num_shards: int, key: UnitKey) -> Partition:
        """Critic 0 loses its shard to critic 1."""
        dealt = deal(units, num_shards, key)
        return replace(dealt, shard_of_unit=dealt.shard_of_unit.clamp_min(1))

    monkeypatch.setattr("gossamer.methods.gs_wgan.private_critics.deal", emptied)
    run = injected(GSWGANTraining, config(critics_per_draw=critics_per_draw), images())
    drawn = torch.cat(run.coins)
    answers = torch.cat(run.answers).flatten(start_dim=1).abs().sum(dim=1)
    assert bool((drawn == 0).any())
    assert not bool(answers[drawn == 0].any())
    assert bool((answers[drawn != 0] > 0).any())


# ---- other coins, the same critics ----------------------------------------------------------------------------------


@every_kind
def test_stored_critics_know_no_coin_bit_for_bit(stages: str, critics_per_draw: int | None) -> None:
    assert critics_know_no_coin(GSWGANTraining, config(stages, critics_per_draw=critics_per_draw))


@pytest.mark.parametrize(
    ("stages", "critics_per_draw"),
    [("mlp", None), ("conv", None), ("distances", None), ("mlp", 1), ("conv", 3), ("distances", 3), ("mlp", K)],
)
def test_an_answer_knows_no_coin_but_its_own_bit_for_bit(stages: str, critics_per_draw: int | None) -> None:
    assert answers_know_no_other_coin(GSWGANTraining, config(stages, critics_per_draw=critics_per_draw))


@pytest.mark.parametrize("critics_per_draw", [None, 1, 3])
def test_a_state_updated_only_when_drawn_is_caught(critics_per_draw: int | None) -> None:
    """A fork that survives, too."""
    settings = config(critics_per_draw=critics_per_draw)
    assert not critics_know_no_coin(with_critics(UpdatesTheDrawn), settings)
    assert not answers_know_no_other_coin(with_critics(UpdatesTheDrawn), settings)


@pytest.mark.parametrize("critics_per_draw", [None, 1])
def test_power_iteration_on_answering_is_caught(critics_per_draw: int | None) -> None:
    settings = config("conv", critics_per_draw=critics_per_draw)
    assert not critics_know_no_coin(with_critics(IteratesOnAnswering), settings)


@pytest.mark.parametrize("critics_per_draw", [None, 1, 3])
def test_a_fork_that_depends_on_who_else_was_asked_is_caught(critics_per_draw: int | None) -> None:
    assert not answers_know_no_other_coin(ForksByCompany, config(critics_per_draw=critics_per_draw))


def fork_of_a_critic_is_one(kind: type[GSWGANTraining]) -> bool:
    """Whether groups that drew one critic got one fork: at equal samples they get equal answers, bit for bit."""
    training = kind(config(), images(), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    next(report for report in training if isinstance(report, StepReport))
    pool = training._public.pool(config().stages[0].view, 1)
    samples, labels = training._public.samples(1)
    looked, labels = samples.detach().clone(), labels.clone()  # type: ignore[union-attr]
    looked[6:8], labels[6:8] = looked[0:2], labels[0:2]
    question = training._question(looked, labels, pool, 1)
    answers = training._critics.answer(torch.tensor([3, 1, 3, 3]), torch.arange(4), question)
    assert not torch.equal(answers[0], answers[2])
    return torch.equal(answers[0], answers[3])


def test_two_groups_that_draw_one_critic_get_one_fork() -> None:
    assert fork_of_a_critic_is_one(GSWGANTraining)


def test_a_fork_that_depends_on_the_group_is_caught() -> None:
    assert not fork_of_a_critic_is_one(ForksByGroup)


def test_answers_that_are_rounded_by_their_place_are_caught_where_the_size_of_chunks_is_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config(critics_per_draw=3)
    monkeypatch.setattr("gossamer.methods.gs_wgan.places.PrivateCritics", RoundsByPlace)
    assert answers_know_no_other_coin(with_critics(RoundsByPlace), settings)
    monkeypatch.setattr("gossamer.methods.gs_wgan.training.find_chunk_size", lambda config, *_: config.critics_at_once)
    assert not answers_know_no_other_coin(with_critics(RoundsByPlace), settings)


# ---- the door -------------------------------------------------------------------------------------------------------


@every_kind
def test_nothing_of_the_data_reaches_the_generator_but_through_the_releaser(
    stages: str, critics_per_draw: int | None
) -> None:
    assert not data_reaches_the_generator(GSWGANTraining, config(stages, critics_per_draw=critics_per_draw))


@pytest.mark.parametrize("critics_per_draw", [None, 3])
def test_a_leak_past_the_door_is_caught(critics_per_draw: int | None) -> None:
    assert data_reaches_the_generator(LeaksPastTheDoor, config(critics_per_draw=critics_per_draw))


def test_the_generator_does_learn_from_what_is_released() -> None:
    """Otherwise the tests above would prove nothing."""
    first, second = (injected(GSWGANTraining, config(), images(), release_seed=seed) for seed in (1, 2))
    assert not equal(first.generator(), second.generator())


def test_a_run_asks_and_releases_what_its_plan_pays_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []
    released: list[Tensor] = []
    honest = OneOfManyReleaser.release

    def spied(self: OneOfManyReleaser, step: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
        released.append(honest(self, step, lambda coins: asked.append((step, len(coins))) or ask(coins)))
        return released[-1]

    monkeypatch.setattr(OneOfManyReleaser, "release", spied)
    training = GSWGANTraining(config("views"), images(), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    for _ in training:
        pass
    event = training.plan.event
    assert asked == [(step, DRAWS) for step in range(STEPS)]
    assert sum(draws for _, draws in asked) == event.count  # type: ignore[attr-defined]
    assert sum(len(vectors) for vectors in released) == event.count * event.event.event.count  # type: ignore[attr-defined]
    assert event.event.source_dataset_size == K  # type: ignore[attr-defined]


@sums
def test_a_run_of_sums_asks_chunks_of_one_shape_and_releases_what_its_plan_pays_for(
    critics_per_draw: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    released: list[Tensor] = []
    honest = SumOfManyReleaser.release

    def spied(self: SumOfManyReleaser, step: int, ask: Ask) -> Tensor:
        asked.append([])
        released.append(honest(self, step, lambda *pairs: asked[-1].append(len(pairs[0])) or ask(*pairs)))
        return released[-1]

    monkeypatch.setattr(SumOfManyReleaser, "release", spied)
    settings = config("views", critics_per_draw=critics_per_draw)
    training = GSWGANTraining(settings, images(), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    for _ in training:
        pass
    event = training.plan.event
    assert len({len(chunks) for chunks in asked}) == 1
    assert {size for chunks in asked for size in chunks} == {training.releaser._chunk_size}  # type: ignore[attr-defined]
    assert [len(vectors) for vectors in released] == [BATCH] * STEPS
    assert event.count == STEPS * DRAWS  # type: ignore[attr-defined]
    assert event.event.sample.sampling_probability == critics_per_draw / K  # type: ignore[attr-defined]


@sums
def test_a_run_of_sums_is_resumed_as_it_was(critics_per_draw: int, check_resumed: Any) -> None:
    def start(**given: Any) -> GSWGANTraining:
        context = RunContext(delta=1e-3, key=KEY, **given)
        settings = config(critics_per_draw=critics_per_draw, num_steps=2)
        return GSWGANTraining(settings, images(), DeterministicNoise(0), context)

    check_resumed(start)


# ---- what leaves ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[None, 3])
def finished(request: Any) -> GSWGANTraining:
    settings = config(critics_per_draw=request.param)
    training = GSWGANTraining(settings, images(), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    for _ in training:
        pass
    return training


def test_a_trained_generator_holds_nothing_private(finished: GSWGANTraining, private_parts: Any) -> None:
    training, trained = finished, finished.trained()
    assert private_parts(trained) == []
    shared = {tensor.untyped_storage().data_ptr() for tensor in training.state_dict()["generator"]["average"].values()}
    assert not shared & {tensor.untyped_storage().data_ptr() for tensor in trained.weights.values()}
    assert trained.weights.keys() == training.state_dict()["generator"]["network"].keys()
    for name, tensor in trained.weights.items():
        assert tensor.shape == training.state_dict()["generator"]["network"][name].shape


@pytest.mark.parametrize(
    "name", ["_critics", "_critics._records", "_critics._tapes", "_critics._table", "releaser", "_public"]
)
def test_a_released_object_that_kept_something_private_is_caught(
    finished: GSWGANTraining, private_parts: Any, name: str
) -> None:
    trained = finished.trained()
    object.__setattr__(trained, "_origin", [{"kept": operator.attrgetter(name)(finished)}])
    assert private_parts(trained)


def test_a_release_made_with_noise_that_anyone_can_recompute_says_so(finished: GSWGANTraining) -> None:
    assert not finished.trained().statement.is_secure


@pytest.mark.parametrize("critics_per_draw", [None, 3])
def test_a_state_dict_holds_no_key_no_coins_and_no_records(critics_per_draw: int | None, reachable: Any) -> None:
    """A checkpoint may be private, but what is not in it cannot be lost."""
    settings = config(critics_per_draw=critics_per_draw)
    training = GSWGANTraining(settings, images(), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    reports = iter(training)
    while training.step < 2:
        next(reports)
    state = copy.deepcopy(training.state_dict())
    assert set(state) == {"step", "critics", "generator", "energy"}
    assert not any(
        isinstance(thing, AbstractNoise | Keystream | RecordSet | ShardTable | UnitKey) for thing in reachable(state)
    )
    sizes = {thing.shape[0] for thing in reachable(state) if isinstance(thing, Tensor) and thing.dim()}
    assert RECORDS not in sizes
    assert KEY.to_hex() not in repr(state)
