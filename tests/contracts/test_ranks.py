"""Any number of processes gives one release: the same bits, by the same noise, from parts that only the leader adds up.

All ranks are threads here, in lockstep (tests/shared/crews.py); real processes are in tests/torture/test_ranks.py.
"""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dp_accounting
import pytest
import torch
from crews import Threads, together
from stores import InFolder, Keeping
from tiny import every
from torch import Tensor

from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.mechanisms import plan as priced_plan
from gossamer.mechanisms.crew import AbstractCrew, Alone
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise
from gossamer.mechanisms.poisson.door import Pace
from gossamer.methods.catalogue import METHODS, method_of
from gossamer.methods.gs_wgan import trained_side
from gossamer.methods.gs_wgan.centre import TwinsAddedBack
from gossamer.methods.gs_wgan.kept_critics import KeptCritics
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
    if method == "gs-wgan" and unit is Unit.RECORD:
        return replace(settings, critics_per_draw=2, critics_at_once=2, centre=TwinsAddedBack(num_critics=3))
    return replace(settings, chunk_size=4) if hasattr(settings, "chunk_size") else settings


Start = Callable[..., AbstractTraining]


def starting(method: str, unit: Unit, settings: Any = None) -> Start:
    """Begins a training by a crew, always with the same noise."""
    config, given = settings or settings_of(method, unit), records(unit)
    slots = PublicSlots(PEOPLE if unit is Unit.PERSON else RECORDS, unit)

    def start(crew: AbstractCrew, noise: AbstractNoise | None = None, **more: Any) -> AbstractTraining:
        more = more if crew.leads else more | {"state": None}
        context = RunContext(delta=1e-3, slots=slots, key=UnitKey(bytes(32)), crew=crew, **more)
        return method_of(config).start(config, given, noise or DeterministicNoise(3), context)

    return start


def trained(start: Start, size: int) -> tuple[Any, Any]:
    """Reports and released weights of a whole training by so many ranks."""

    def lead(crew: AbstractCrew) -> tuple[Any, Any]:
        training = start(crew)
        reports = list(training)
        return reports, training.trained().weights

    return lead(Alone()) if size == 1 else together(size, lead, lambda crew: start(crew).help())


@functools.cache
def by_one_process(method: str, unit: Unit) -> tuple[Any, Any]:
    """Reports and released weights of a training in one process."""
    return trained(starting(method, unit), 1)


@pytest.mark.parametrize(("unit", "size"), [(Unit.RECORD, 2), (Unit.PERSON, 3)])
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_any_number_of_ranks_gives_the_same_release(method: str, unit: Unit, size: int) -> None:
    alone, weights = by_one_process(method, unit)
    shared, same = trained(starting(method, unit), size)
    assert repr(alone) == repr(shared)
    assert weights.keys() == same.keys()
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("head_start", [1, 2, 100])
def test_chunks_that_helpers_take_first_change_nothing(head_start: int, size: int, monkeypatch: Any) -> None:
    """The leader shares the work by its clock, which decides who computes and never what is released."""
    monkeypatch.setattr(Pace, "head_start", lambda self: head_start)
    assert is_same("dp-cgan", size)


def written_and_read(state: dict[str, Any]) -> dict[str, Any]:
    """A state as it comes back from a checkpoint's file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# ---- resumed by another number of ranks ------------------------------------------------------------------------------


def halfway(start: Start, size: int, num_reports: int) -> dict[str, Any]:
    """The state of a training by so many ranks after some of its reports."""

    def lead(crew: AbstractCrew) -> dict[str, Any]:
        training = start(crew)
        for _ in itertools.islice(training, num_reports):
            pass
        return written_and_read(training.state_dict())

    return lead(Alone()) if size == 1 else together(size, lead, lambda crew: start(crew).help())


@pytest.mark.parametrize(
    ("method", "before", "after"),
    [*((method, 2, 1) for method in METHOD_NAMES), ("gs-wgan", 1, 2), ("gs-wgan", 2, 3), ("labelled-mixture", 1, 2)],
)
def test_a_run_goes_on_with_another_number_of_ranks(method: str, before: int, after: int) -> None:
    start = starting(method, Unit.RECORD)
    _, weights = by_one_process(method, Unit.RECORD)
    state = halfway(start, before, {"gs-wgan": 5}.get(method, 2))
    _, same = trained(functools.partial(start, state=state), after)
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())


@pytest.mark.parametrize(("before", "after"), [(2, 2), (1, 2), (2, 1), (2, 3)])
def test_ranks_share_the_file_of_large_critics_and_any_number_goes_on(
    before: int, after: int, monkeypatch: Any, tmp_path: Path
) -> None:
    """A checkpoint names places and digests alone, so that no process ever holds the critics of all."""
    monkeypatch.setattr(trained_side, "LARGE_STACK", 0)
    start = functools.partial(starting("gs-wgan", Unit.RECORD), store=InFolder(tmp_path))
    _, weights = by_one_process("gs-wgan", Unit.RECORD)
    state = halfway(start, before, 5)
    assert KeptCritics.is_state(state["critics"]["critics"])
    _, same = trained(functools.partial(start, state=state), after)
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())
    assert len(list(tmp_path.iterdir())) == 1


def test_a_rank_without_a_critic_in_a_chunk_shares_the_file(monkeypatch: Any, tmp_path: Path) -> None:
    """Chunks of two critics, and three ranks: one has nothing to warm up, to keep or to hand over."""
    monkeypatch.setattr(trained_side, "LARGE_STACK", 0)
    start = functools.partial(starting("gs-wgan", Unit.RECORD), store=Keeping(tmp_path))
    _, weights = by_one_process("gs-wgan", Unit.RECORD)
    _, same = trained(start, 3)
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())


def test_ranks_take_up_critics_in_memory_in_their_file(monkeypatch: Any, tmp_path: Path) -> None:
    """As a run goes on that an earlier version began with several processes."""
    start = starting("gs-wgan", Unit.RECORD)
    _, weights = by_one_process("gs-wgan", Unit.RECORD)
    state = halfway(start, 2, 5)
    monkeypatch.setattr(trained_side, "LARGE_STACK", 0)
    _, same = trained(functools.partial(start, state=state, store=InFolder(tmp_path)), 2)
    assert all(torch.equal(weight, same[name]) for name, weight in weights.items())
    assert len(list(tmp_path.iterdir())) == 1


# ---- breaks that must be caught --------------------------------------------------------------------------------------


def is_same(method: str, size: int = 2) -> bool:
    """Whether so many ranks release what one process does."""
    _, weights = by_one_process(method, Unit.RECORD)
    _, same = trained(starting(method, Unit.RECORD), size)
    return all(torch.equal(weight, same[name]) for name, weight in weights.items())


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_work_that_all_ranks_do_is_caught(method: str, monkeypatch: Any) -> None:
    """Where each rank adds everything, records count twice: in sums of rows that is refused, in others it is seen."""
    monkeypatch.setattr(AbstractCrew, "share", lambda self, work, head_start=0: iter(work))
    monkeypatch.setattr(AbstractCrew, "owns", lambda self, critics: torch.ones_like(critics, dtype=torch.bool))
    monkeypatch.setattr(AbstractCrew, "own", lambda self, number: torch.arange(number))
    if method in ("dp-merf", "dp-mixture", "labelled-mixture"):
        with pytest.raises(ValueError, match="every row once"):
            is_same(method)
    else:
        assert not is_same(method)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_part_that_is_lost_is_caught(method: str, monkeypatch: Any) -> None:
    total = Threads.total

    def lossy(self: Threads, part: Tensor) -> Tensor:
        return total(self, part if self.leads else torch.zeros_like(part))

    monkeypatch.setattr(Threads, "total", lossy)
    assert not is_same(method)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_helpers_draw_nothing_and_charge_nothing(method: str) -> None:
    """Their noise and their gate refuse whoever asks, and nobody does; the leader's ledger has each step once."""
    charged: list[int] = []

    class NoNoise(DeterministicNoise):
        def _enter(self, domain: int, step: int) -> None:
            raise AssertionError("a helper drew")

    def refuse(step: int) -> None:
        raise AssertionError("a helper charged")

    start = starting(method, Unit.RECORD)

    def lead(crew: AbstractCrew) -> int:
        training = start(crew, charge=charged.append)
        assert list(training)
        return training.end_step

    end = together(2, lead, lambda crew: start(crew, noise=NoNoise(0), charge=refuse).help())
    assert charged == list(range(end))
