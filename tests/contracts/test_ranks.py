"""Any number of processes gives one release: the same bits, by the same noise, from parts that only the leader adds up.

All ranks are threads here, in lockstep (tests/shared/crews.py); real processes are in tests/end_to_end/test_ranks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dp_accounting
import pytest
import torch
from crews import together
from tiny import every

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.mechanisms import plan as priced_plan
from gossamer.mechanisms.crew import AbstractCrew, Alone
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.poisson.door import PoissonReleaser
from gossamer.methods.catalogue import METHODS, method_of
from gossamer.methods.training import AbstractTraining, RunContext
from gossamer.privacy.accounting import EpsilonBound, epsilon_by_pld
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots

RECORDS, PEOPLE = 60, 20
METHOD_NAMES = [method.name for method in METHODS if method.working().shares_work]


@pytest.fixture(autouse=True)
def in_small_pieces(monkeypatch: Any) -> None:
    """Sixty records in pieces of seven: several for every rank."""
    for method in ("dp_merf", "dp_mixture", "labelled_mixture"):
        monkeypatch.setattr(f"gossamer.methods.{method}.training._CHUNK", 7)


@pytest.fixture(autouse=True, scope="module")
def priced_once() -> Iterator[None]:
    """Every training of every rank computes its price; here the same plans come again and again."""
    found: dict[tuple[str, float], EpsilonBound] = {}

    def price(event: dp_accounting.DpEvent, delta: float) -> EpsilonBound:
        key = repr(event), delta
        if key not in found:
            found[key] = epsilon_by_pld(event, delta)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(priced_plan, "epsilon_by_pld", price)
        yield


def records(unit: Unit) -> RecordSet:
    """Random images; people own three of them each, in an order of their own."""
    rng = torch.Generator().manual_seed(1)
    people: dict[str, Any] = {}
    if unit is Unit.PERSON:
        owners = torch.randperm(RECORDS, generator=rng) % PEOPLE
        people = {"people": owners, "num_people": PEOPLE}
    return RecordSet(
        name="random",
        spec=ImageSpec(channels=1, height=8, width=8, class_names=("a", "b", "c")),
        x=torch.rand(RECORDS, 1, 8, 8, generator=rng),
        y=torch.arange(RECORDS) % 3,
        **people,
    )


def settings_of(method: str, unit: Unit) -> Any:
    """The tiny settings of a method, in small chunks."""
    settings = every(lambda tiny: tiny.people if unit is Unit.PERSON else tiny.images)[method]
    return replace(settings, chunk_size=4) if hasattr(settings, "chunk_size") else settings


Start = Callable[..., AbstractTraining]


def starting(method: str, unit: Unit, settings: Any = None) -> Start:
    """Begins a training by a crew, always with the same noise."""
    config, given = settings or settings_of(method, unit), records(unit)
    slots = PublicSlots(PEOPLE if unit is Unit.PERSON else RECORDS, unit)

    def start(crew: AbstractCrew, **more: Any) -> AbstractTraining:
        context = RunContext(delta=1e-3, slots=slots, key=UnitKey(bytes(32)), crew=crew, **more)
        return method_of(config).start(config, given, DeterministicNoise(3), context)

    return start


def trained(start: Start, size: int) -> tuple[Any, Any]:
    """Reports and released weights of a whole training by so many ranks."""

    def lead(crew: AbstractCrew) -> tuple[Any, Any]:
        training = start(crew)
        reports = list(training)
        return reports, training.trained().weights

    return lead(Alone()) if size == 1 else together(size, lead, lambda crew: start(crew).help())


@pytest.mark.parametrize(("unit", "size"), [(Unit.RECORD, 2), (Unit.PERSON, 3)])
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_any_number_of_ranks_gives_the_same_release(method: str, unit: Unit, size: int) -> None:
    start = starting(method, unit)
    alone, weights = trained(start, 1)
    shared, same = trained(start, size)
    assert repr(alone) == repr(shared)
    assert weights.keys() == same.keys()
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())
