"""The unit of protection person, for every method: a slot is all records of a person, however many.

Comparisons are exact, or hold for every data set by a proof; nothing here has a false alarm.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dp_accounting
import numpy as np
import pytest
import torch
from dp_accounting import rdp
from tiny import every
from torch import Tensor

from gossamer.data.identities import digests_of_names
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms import plan as priced_plan
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.mechanisms.one_of_many.partition import Partition, deal
from gossamer.mechanisms.one_shot.contributions import GroupedMoments, Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.dp_merf.settings import DPMERFConfig
from gossamer.methods.gs_wgan.training import GSWGANTraining
from gossamer.methods.method import Method
from gossamer.methods.protected import identities_of
from gossamer.methods.training import AbstractTraining, RunContext
from gossamer.privacy import Adjacency, Unit
from gossamer.privacy.accounting import EpsilonBound, epsilon_by_pld
from gossamer.privacy.dealing import Dealt, Identities, UnitKey
from gossamer.privacy.slots import CountSource, PublicSlots

RECORDS, PEOPLE, K, DELTA, SEED = 61, 20, 6, 1e-3, 3
SLOTS, KEY = PublicSlots(PEOPLE, Unit.PERSON), UnitKey(bytes(32))
TINY = every(lambda tiny: tiny.people)
CRITICS = TINY["gs-wgan"]

PRICES: dict[tuple[str, float], EpsilonBound] = {}


@pytest.fixture(autouse=True, scope="module")
def priced_once() -> Iterator[None]:
    """Every training computes its price; here the same plans come again and again."""

    def price(event: dp_accounting.DpEvent, delta: float) -> EpsilonBound:
        key = repr(event), delta
        if key not in PRICES:
            PRICES[key] = epsilon_by_pld(event, delta)
        return PRICES[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(priced_plan, "epsilon_by_pld", price)
        patch.setattr(priced_plan, "proved_epsilon", price)
        yield


@pytest.fixture(params=[one.name for one in METHODS])
def method(request: Any) -> Method[Any]:
    """Each method that can be asked for by name."""
    return find_method(request.param)


def records(people: Tensor | None = None, seed: int = 0) -> RecordSet:
    """Images of 17 people in 20 slots, between one and nine each, in no order."""
    rng = torch.Generator().manual_seed(seed)
    if people is None:
        people = torch.cat([torch.arange(17), (17 * torch.rand(RECORDS - 17, generator=rng) ** 2).long()])
        people = people[torch.randperm(RECORDS, generator=rng)]
    return RecordSet(
        name="fixture",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(len(people), 1, 8, 8, generator=rng),
        y=torch.randint(0, 3, (len(people),), generator=rng),
        people=people,
        num_people=PEOPLE,
    )


def without(private: RecordSet, slot: int) -> RecordSet:
    """The same data with the slot empty."""
    assert private.people is not None
    assert private.y is not None
    kept = private.people != slot
    return replace(private, x=private.x[kept], y=private.y[kept], people=private.people[kept])


def with_person(private: RecordSet, slot: int, num_records: int, shade: float = 0.0, label: int = 0) -> RecordSet:
    """The same data with other content of the slot: so many records of one shade and class, first of all and last."""
    rest = without(private, slot)
    assert rest.people is not None
    assert rest.y is not None
    own = torch.full((num_records, 1, 8, 8), shade)
    labels, owner = torch.full((num_records,), label), torch.full((num_records,), slot)
    half = num_records // 2
    return replace(
        rest,
        x=torch.cat([own[:half], rest.x, own[half:]]),
        y=torch.cat([labels[:half], rest.y, labels[half:]]),
        people=torch.cat([owner[:half], rest.people, owner[half:]]),
    )


def start(
    method: Method[Any], private: RecordSet | None = None, noise: AbstractNoise | None = None, **given: Any
) -> AbstractTraining:
    context = RunContext(**{"delta": DELTA, "slots": SLOTS, "key": KEY, **given})
    return method.start(TINY[method.name], private or records(), noise or DeterministicNoise(SEED), context)


def finished(training: AbstractTraining) -> AbstractTraining:
    for _ in training:
        pass
    return training


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ---- every method ---------------------------------------------------------------------------------------------------


def test_every_method_that_can_be_asked_for_has_settings_for_people_here() -> None:
    assert [one.name for one in METHODS] == list(TINY)


def test_a_training_for_people_is_a_function_of_its_streams(method: Method[Any]) -> None:
    weights = finished(start(method)).trained().weights
    assert equal(weights, finished(start(method)).trained().weights)
    assert not equal(weights, finished(start(method, records(seed=1))).trained().weights)
    assert not equal(weights, finished(start(method, slots=PublicSlots(RECORDS))).trained().weights)


def test_a_training_for_people_is_resumed_as_it_was(method: Method[Any], check_resumed: Any) -> None:
    check_resumed(functools.partial(start, method))


def test_the_statement_is_about_people_and_priced_for_their_slots(method: Method[Any]) -> None:
    claim = finished(start(method)).trained().statement
    priced = method.plan(TINY[method.name], SLOTS)
    assert (claim.unit, claim.num_slots, claim.adjacency) == (Unit.PERSON, PEOPLE, priced.adjacency)
    assert claim.epsilon == priced.budget_at(DELTA).epsilon
    is_slot = priced.adjacency is Adjacency.SLOT
    relation = dp_accounting.NeighboringRelation
    other = rdp.RdpAccountant(
        orders=[1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 16, 24, 32],
        neighboring_relation=relation.REPLACE_ONE if is_slot else relation.ADD_OR_REMOVE_ONE,
    )
    by_rdp = other.compose(priced.event).get_epsilon(DELTA)
    assert by_rdp / 3 <= claim.epsilon <= by_rdp
    text = claim.to_markdown()
    assert "one person, with all records of that person" in text
    assert "several names of one person" in text


def test_a_recording_is_treated_as_a_person_is_to_the_last_bit(method: Method[Any]) -> None:
    """Windows of recordings: the same contributions, shards, noise and price, and a claim of recordings."""
    of_people = finished(start(method)).trained()
    recordings = replace(records(), owners=Unit.RECORDING)
    made = finished(start(method, recordings, slots=PublicSlots(PEOPLE, Unit.RECORDING))).trained()
    assert equal(made.weights, of_people.weights)
    claim, other = made.statement, of_people.statement
    assert (claim.unit, claim.num_slots, claim.epsilon) == (Unit.RECORDING, PEOPLE, other.epsilon)
    text = claim.to_markdown()
    assert "one recording, with all records of that recording" in text
    assert "several recordings of one person" in text
    assert not re.search(rf"\b{RECORDS}\b", text)


def test_a_claim_for_people_is_never_made_of_recordings_nor_the_other_way(method: Method[Any]) -> None:
    with pytest.raises(InputError, match="names no people"):
        start(method, replace(records(), owners=Unit.RECORDING))
    with pytest.raises(InputError, match="--unit recording goes with windows"):
        start(method, slots=PublicSlots(PEOPLE, Unit.RECORDING))


def test_people_who_were_counted_may_be_replaced_and_no_more_is_claimed(method: Method[Any]) -> None:
    claim = start(method, slots=PublicSlots(PEOPLE, Unit.PERSON, CountSource.READ)).statement
    assert (claim.unit, claim.num_slots, claim.adjacency) == (Unit.PERSON, PEOPLE, Adjacency.REPLACE_ONE)
    text = claim.to_markdown()
    assert "differ in one unit (all records of one person), which is replaced by any other" in text
    assert "how many people there are is public" in text
    assert not re.search(r"\b(added|removed|emptied)\b", text)
    assert re.search(r"\badded\b", start(method).statement.to_markdown())


def test_more_people_than_slots_are_refused(method: Method[Any]) -> None:
    with pytest.raises(InputError, match="--num-people") as refused:
        start(method, slots=PublicSlots(PEOPLE - 1, Unit.PERSON))
    assert str(PEOPLE) not in str(refused.value)


def test_slots_may_stand_empty(method: Method[Any]) -> None:
    training = finished(start(method, slots=PublicSlots(3 * PEOPLE, Unit.PERSON)))
    assert training.trained().statement.num_slots == 3 * PEOPLE


def test_what_people_cost_is_checked_against_their_number_and_not_that_of_records(method: Method[Any]) -> None:
    with pytest.raises(PrivacyError, match="1/20"):
        start(method, delta=1 / 40 + 1 / 40)
    assert finished(start(method, delta=0.04)).trained().statement.delta == 0.04  # above 1/61


def test_nothing_that_is_said_depends_on_how_many_records_people_have(method: Method[Any]) -> None:
    many = with_person(records(), 5, 37)
    claims = [start(method, private).statement for private in (records(), many, without(many, 4))]
    assert claims[0] == claims[1] == claims[2]
    text = json.dumps(claims[1].to_json()) + claims[1].to_markdown()
    assert not re.search(rf"\b({RECORDS}|{many.num_records}|37)\b", text)
    assert start(method, many).prospect() == start(method).prospect()


def test_people_are_not_protected_where_nobody_says_who_they_are(method: Method[Any]) -> None:
    nameless = replace(records(), people=None, num_people=0, person_digests=None)
    with pytest.raises(InputError, match="--unit record"):
        start(method, nameless)


def test_settings_for_people_are_calibrated_for_their_slots(method: Method[Any]) -> None:
    price = method.plan(TINY[method.name], SLOTS)
    assert price.num_slots == PEOPLE
    assert price.event == method.plan(TINY[method.name], PublicSlots(PEOPLE, Unit.RECORD)).event


# ---- GS-WGAN: other people's critics --------------------------------------------------------------------------------


class InjectedReleaser:
    """Asks every critic, and releases vectors that nothing private went into."""

    def __init__(self, *, is_sum: bool) -> None:
        self.answers: list[Tensor] = []
        self.is_sum = is_sum

    def release(self, step: int, ask: Callable[..., Tensor]) -> Tensor:
        groups = (torch.arange(4),) if self.is_sum else ()
        answers = [ask(torch.tensor([critic] * 4), *groups) for critic in range(K)]
        self.answers.append(torch.stack(answers))
        return torch.randn((8, *answers[0].shape[2:]), generator=torch.Generator().manual_seed(step))


def moved_critics(
    first: RecordSet, second: RecordSet, key: UnitKey = KEY, critics_per_draw: int | None = None
) -> set[int]:
    """The critics of which an answer or the state moves, bit for bit, between two data sets; the second has the key."""
    runs = []
    for private, own_key in ((first, KEY), (second, key)):
        given = RunContext(delta=DELTA, slots=SLOTS, key=own_key)
        settings = replace(CRITICS, critics_per_draw=critics_per_draw)
        training = GSWGANTraining(settings, private, DeterministicNoise(0), given)
        door = InjectedReleaser(is_sum=critics_per_draw is not None)
        training.releaser = door  # type: ignore[assignment]
        states = []
        for _ in training:
            critics = training.state_dict()["critics"]["critics"]
            states.append({} if critics is None else {name: tensor.clone() for name, tensor in critics.items()})
        runs.append((door.answers, [state for state in states if state]))
    moved = set()
    for critic in range(K):
        for answers in zip(runs[0][0], runs[1][0], strict=True):
            moved |= set() if torch.equal(answers[0][critic], answers[1][critic]) else {critic}
        for states in zip(runs[0][1], runs[1][1], strict=True):
            same = all(torch.equal(states[0][name][critic], states[1][name][critic]) for name in states[0])
            moved |= set() if same else {critic}
    return moved


SLOT = 4
NEIGHBOURS = {
    "replaced": lambda: with_person(records(), SLOT, 4, 0.9, 2),
    "replaced by many records": lambda: with_person(records(), SLOT, 41, 0.9, 1),
    "emptied": lambda: without(records(), SLOT),
}


def critic_of(slot: int) -> int:
    """The critic whose shard holds the person of this number, who is named by it."""
    return int(deal(identities_of(records(), Unit.PERSON), K, KEY).shard_of_unit[slot])


draws_and_sums = pytest.mark.parametrize("critics_per_draw", [None, 1, 3, K])


@draws_and_sums
@pytest.mark.parametrize("how", NEIGHBOURS)
def test_all_records_of_a_person_move_that_persons_critic_alone(how: str, critics_per_draw: int | None) -> None:
    moved = moved_critics(records(), NEIGHBOURS[how](), critics_per_draw=critics_per_draw)
    assert moved == {critic_of(SLOT)}


@draws_and_sums
def test_a_person_in_a_slot_that_was_empty_moves_that_slots_critic_alone(critics_per_draw: int | None) -> None:
    moved = moved_critics(records(), with_person(records(), 19, 12), critics_per_draw=critics_per_draw)
    assert moved == {critic_of(19)}


def test_a_statement_of_sums_is_about_people_and_priced_for_their_slots() -> None:
    method = find_method("gs-wgan")
    settings = replace(CRITICS, critics_per_draw=2)
    context = RunContext(delta=DELTA, slots=SLOTS, key=KEY)
    claim = finished(method.start(settings, records(), DeterministicNoise(SEED), context)).trained().statement
    assert (claim.unit, claim.num_slots, claim.adjacency) == (Unit.PERSON, PEOPLE, Adjacency.SLOT)
    assert claim.epsilon == method.plan(settings, SLOTS).budget_at(DELTA).epsilon


def renumbered(private: RecordSet) -> RecordSet:
    """The same people under other numbers, who have kept their names, and their records in another order of people."""
    assert private.people is not None
    assert private.y is not None
    assert private.person_digests is not None
    numbers = torch.randperm(PEOPLE, generator=torch.Generator().manual_seed(5))
    rows = torch.argsort(numbers[private.people], stable=True)
    return replace(
        private,
        x=private.x[rows],
        y=private.y[rows],
        people=numbers[private.people[rows]],
        person_digests=private.person_digests[torch.argsort(numbers).numpy()],
    )


def test_other_numbers_and_another_order_of_people_move_nothing() -> None:
    assert moved_critics(records(), renumbered(records())) == set()
    assert moved_critics(records(), renumbered(without(records(), SLOT))) == {critic_of(SLOT)}


class ExchangingKey(UnitKey):
    """The key with two people exchanged: the coupling under which somebody and who comes instead share a shard."""

    def __init__(self, pair: np.ndarray) -> None:
        super().__init__(bytes(32))
        self._pair = pair

    def _tags(self, what: Dealt, units: Identities) -> np.ndarray:
        digests = units.digests.copy()
        for one, other in ((0, 1), (1, 0)):
            digests[(units.digests == self._pair[one]).all(axis=1)] = self._pair[other]
        return super()._tags(what, Identities(digests=digests, copies=units.copies))


@pytest.mark.parametrize("how", NEIGHBOURS)
def test_a_person_replaced_by_one_of_another_name_moves_one_critic_under_the_coupling(how: str) -> None:
    after = NEIGHBOURS[how]()
    assert after.person_digests is not None
    digests = after.person_digests.copy()
    digests[SLOT] = digests_of_names(["somebody else"])[0]
    pair = np.stack([after.person_digests[SLOT], digests[SLOT]])
    after = replace(after, person_digests=digests)
    assert moved_critics(records(), after, ExchangingKey(pair)) == {critic_of(SLOT)}


def test_numbers_in_place_of_names_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """People counted anew after one left: all behind are another's."""

    def by_number(private: RecordSet, unit: Unit) -> Identities:
        digests = digests_of_names(map(str, range(private.num_people)))
        return Identities(digests=digests, copies=np.zeros(len(digests), dtype=np.int64))

    monkeypatch.setattr("gossamer.methods.gs_wgan.private_critics.identities_of", by_number)
    assert len(moved_critics(records(), renumbered(without(records(), SLOT)))) > 1


def test_critics_of_people_are_not_taken_up_under_another_key() -> None:
    training = start(find_method("gs-wgan"))
    reports = iter(training)
    while training.step < 1:
        next(reports)
    state = copy.deepcopy(training.state_dict())
    with pytest.raises(PrivacyError, match="the key that the run began with"):
        start(find_method("gs-wgan"), state=state, key=UnitKey(bytes(31) + b"\1"))


def test_records_dealt_to_shards_and_claimed_as_people_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfRecords(Partition):
        def shard_table(self, labels: Tensor | None = None, unit_of_record: Tensor | None = None) -> Any:
            assert unit_of_record is not None
            every = torch.arange(len(unit_of_record))
            return Partition(shard_of_unit=every % K, order=every, num_shards=K).shard_table(labels)

    def dealt(units: Identities, num_shards: int, key: UnitKey) -> Partition:
        return OfRecords(**vars(deal(units, num_shards, key)))

    monkeypatch.setattr("gossamer.methods.gs_wgan.private_critics.deal", dealt)
    assert moved_critics(records(), with_person(records(), SLOT, 41, 0.9, 1)) > {critic_of(SLOT)}


def test_motions_numbered_by_record_in_place_of_person_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_one_piece(
        describe: Callable[[Tensor, Tensor], Tensor], private: RecordSet, unit: Unit, rows: Tensor | None
    ) -> Tensor:
        return describe(private.x, torch.arange(private.num_records))

    monkeypatch.setattr("gossamer.methods.gs_wgan.private_critics.described", in_one_piece)
    assert moved_critics(records(), with_person(records(), SLOT, 41, 0.9, 1)) > {critic_of(SLOT)}


# ---- one-shot sums: how far a person moves them ---------------------------------------------------------------------


def largest_move(name: str, first: RecordSet, second: RecordSet) -> float:
    """How far the releases of two data sets are apart, given the same earlier releases, over their sensitivities."""
    trainings = [start(find_method(name), private) for private in (first, second)]
    plan = trainings[0].plan
    assert isinstance(plan, OneShotPlan)
    ratios = []
    for step in range(plan.num_steps):
        # The noise of both is the same, so the difference is that of the sums.
        released = [training.releaser.release(step, slots_of(training, step)) for training in trainings]  # type: ignore[attr-defined]
        apart = float((released[0].double() - released[1].double()).norm())
        ratios.append(apart / plan.releases[step].contribution.sensitivity)
        if name == "dp-mixture":
            for training in trainings:
                training._take_up(released[0])  # type: ignore[attr-defined]
    return max(ratios)


def slots_of(training: Any, step: int) -> Iterator[Slots]:
    return training._slots() if isinstance(training.config, DPMERFConfig) else training._slots(step)


ONE_SHOT = ["dp-merf", "dp-mixture"]
EXTREMES = [
    (with_person(records(), SLOT, 50, 0.0, 0), with_person(records(), SLOT, 50, 1.0, 1)),
    (with_person(records(), SLOT, 50, 0.0, 0), with_person(records(), SLOT, 1, 1.0, 0)),
    (with_person(records(), SLOT, 50, 1.0, 2), without(records(), SLOT)),
    (records(), without(records(), int(torch.bincount(records().people).argmax()))),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("name", ONE_SHOT)
@pytest.mark.parametrize("pair", range(len(EXTREMES)))
def test_all_records_of_a_person_move_a_sum_by_the_sensitivity_at_most(name: str, pair: int) -> None:
    assert 0.01 < largest_move(name, *EXTREMES[pair]) <= 1 + 1e-5


@pytest.mark.parametrize("name", ONE_SHOT)
def test_fifty_records_of_one_class_against_fifty_of_another_attain_most_of_it(name: str) -> None:
    assert largest_move(name, *EXTREMES[0]) > 0.7


@pytest.mark.parametrize("name", ONE_SHOT)
def test_records_of_a_person_that_count_in_full_are_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = GroupedMoments.averaged
    monkeypatch.setattr(GroupedMoments, "averaged", lambda self, person: len(person.groups) * honest(self, person))
    assert largest_move(name, *EXTREMES[0]) > 10


@pytest.mark.parametrize("name", ONE_SHOT)
def test_the_door_refuses_people_whose_sizes_it_does_not_know(name: str) -> None:
    plan = start(find_method(name)).plan
    with pytest.raises(PrivacyError, match="sizes"):
        OneShotReleaser(plan, DeterministicNoise(0), gate=StepGate(plan))
    with pytest.raises(PrivacyError, match="sizes"):
        OneShotReleaser(
            plan, DeterministicNoise(0), slot_sizes=torch.ones(PEOPLE + 1, dtype=torch.int64), gate=StepGate(plan)
        )
    sizes = torch.ones(PEOPLE, dtype=torch.int64)
    with pytest.raises(PrivacyError, match="sizes"):
        OneShotReleaser(
            replace(plan, unit=Unit.RECORD),
            DeterministicNoise(0),
            slot_sizes=sizes,
            gate=StepGate(replace(plan, unit=Unit.RECORD)),
        )


def test_a_person_with_more_rows_than_the_door_knows_of_is_refused() -> None:
    training = start(find_method("dp-merf"))
    sizes = torch.bincount(records().people, minlength=PEOPLE)  # type: ignore[arg-type]
    sizes[SLOT] -= 1
    door = OneShotReleaser(training.plan, DeterministicNoise(0), slot_sizes=sizes, gate=StepGate(training.plan))
    with pytest.raises(ValueError, match="every row once"):
        door.release(0, slots_of(training, 0))


def test_rows_of_nobody_are_refused_and_the_sizes_stay_as_they_were() -> None:
    """A row beyond the last slot would enter the sum, and no slot would pay for it."""
    training = start(find_method("dp-merf"))
    sizes = torch.bincount(records().people, minlength=PEOPLE)  # type: ignore[arg-type]
    kept, gate = sizes.clone(), StepGate(training.plan)
    door = OneShotReleaser(training.plan, DeterministicNoise(0), slot_sizes=sizes, gate=gate)
    (whole,) = slots_of(training, 0)
    assert whole.owners is not None
    stray = replace(whole, owners=whole.owners.where(whole.owners != SLOT, PEOPLE))
    with pytest.raises(ValueError, match="every row once"):
        door.release(0, [stray])
    assert torch.equal(sizes, kept)


def test_rows_of_a_person_in_several_pieces_are_refused() -> None:
    training = start(find_method("dp-merf"))
    sizes = torch.bincount(records().people, minlength=PEOPLE)  # type: ignore[arg-type]
    (whole,) = slots_of(training, 0)
    assert whole.owners is not None
    person = int(sizes.argmax())
    first = (whole.owners == person).nonzero()[:1, 0]
    rest = (torch.arange(len(whole.groups)) != first).nonzero()[:, 0]
    pieces = [
        Slots(vectors=whole.vectors[rows], groups=whole.groups[rows], owners=whole.owners[rows])
        for rows in (rest, first)
    ]
    door = OneShotReleaser(training.plan, DeterministicNoise(0), slot_sizes=sizes, gate=StepGate(training.plan))
    with pytest.raises(ValueError, match="in one piece"):
        door.release(0, pieces)


def test_an_average_of_a_persons_records_is_what_a_person_adds() -> None:
    one = with_person(without(records(), SLOT), SLOT, 1, 0.3, 1)
    many = with_person(without(records(), SLOT), SLOT, 24, 0.3, 1)
    assert largest_move("dp-merf", one, many) < 1e-5


# ---- DP-SGD: how far a person moves a gradient ----------------------------------------------------------------------


def first_gradient(private: RecordSet) -> Tensor:
    """The released gradient of the first step, of everybody: the rate is 1."""
    config = replace(TINY["dp-cgan"], expected_batch_size=PEOPLE, clip_norm=0.05)
    method = find_method("dp-cgan")
    training: Any = method.start(config, private, DeterministicNoise(SEED), RunContext(delta=DELTA, slots=SLOTS))
    networks = training._networks
    released = training.releaser.release(0, networks.parameters(), networks.losses())
    return torch.cat([part.flatten().double() for part in released.values()])


def test_a_person_moves_a_gradient_by_the_clip_however_many_records() -> None:
    bound = 0.05 / PEOPLE
    for num_records in (1, 3, 60):
        full = with_person(records(), SLOT, num_records, 1.0, 2)
        apart = float((first_gradient(full) - first_gradient(without(full, SLOT))).norm())
        assert 0.5 * bound < apart <= bound * (1 + 1e-4)


def test_records_sampled_one_by_one_and_claimed_as_people_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def every_record(private: RecordSet, slots: PublicSlots, **_: Any) -> Any:
        from gossamer.mechanisms.poisson.units import units_of_persons

        return units_of_persons(torch.arange(private.num_records) % PEOPLE, PEOPLE, records_per_unit=3, seed=0)

    full = with_person(records(), SLOT, 60, 1.0, 2)
    monkeypatch.setattr("gossamer.methods.dp_cgan.training.units_of", every_record)
    apart = float((first_gradient(full) - first_gradient(without(full, SLOT))).norm())
    assert apart > 2 * 0.05 / PEOPLE
