"""What a training will take is told in units that a person can read, and a long one with the way out."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from gossamer.data.images import ImageSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods import cost
from gossamer.methods.cost import Cost, num_timed, seconds_each, time_of_parts
from gossamer.methods.dp_cgan import DP_CGAN
from gossamer.methods.dp_merf import DP_MERF
from gossamer.methods.gs_wgan import GS_WGAN, trained_side
from gossamer.methods.gs_wgan import cost as gs_wgan_cost
from gossamer.methods.gs_wgan.recipes import LARGE_CPU, PAPER, TRAINED_CPU
from gossamer.methods.gs_wgan.settings import AgainstPresentGenerator, Stage
from gossamer.methods.training import RunContext
from gossamer.nn.ensemble import stack
from gossamer.privacy.slots import PublicSlots


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "about 1 s "), (80, "about 80 s "), (600, "10.0 minutes"), (7200, "2.0 hours"), (400_000, "4.6 days")],
)
def test_time_is_told_in_a_fitting_unit(seconds: float, told: str) -> None:
    assert told in str(Cost(seconds=seconds, num_bytes=None, device=torch.device("cpu")))


def test_days_come_with_the_way_out_and_minutes_without() -> None:
    short, long = (str(Cost(seconds=one, num_bytes=1, device=torch.device("cpu"))) for one in (600.0, 1e6))
    assert "--num-steps" in long
    assert "--num-steps" not in short


SPEC = ImageSpec(channels=1, height=8, width=8, class_names=tuple("abc"))
COLOUR = ImageSpec(channels=3, height=64, width=64, class_names=tuple("abcdefghij"))
CPU = torch.device("cpu")


class Clock:
    """A clock that work moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def take(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(cost, "time", found)
    return found


def test_slow_work_is_timed_on_few_things_and_fast_work_on_all(clock: Clock) -> None:
    done: list[int] = []

    def lasting(each: float) -> Callable[[int], Callable[[], object]]:
        def prepare(number: int) -> Callable[[], object]:
            done.append(number)
            return lambda: clock.take(each * number)

        return prepare

    assert seconds_each(lasting(0.001), 100, 4.0) == pytest.approx(0.001)
    assert done[-1] == 100
    before, done[:] = clock.now, []
    assert seconds_each(lasting(1.0), 100, 4.0) == pytest.approx(1.0)
    assert done == [1, 2]
    assert clock.now - before <= 4.0
    assert seconds_each(lasting(30.0), 100, 4.0) == pytest.approx(30.0)
    assert done[-1] == 1


def test_a_first_look_at_the_records_is_not_taken_for_an_update_of_every_critic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look was once counted for each update of the warm start, so that half an hour was told as eight."""
    timed = gs_wgan_cost._Timed(look=0.01, warm=0.001, tune=0.001, draw=0.0, learn=0.0)
    monkeypatch.setattr(gs_wgan_cost._TrainedWork, "timed", lambda work, patience: timed)
    stage = Stage(warm_start=AgainstPresentGenerator(num_updates=60))
    config = replace(TRAINED_CPU, stages=(stage,), num_critics=100, num_steps=1, draws_per_step=1, batch_size=1)
    told = gs_wgan_cost.estimate(config, SPEC, PublicSlots(1000), CPU)
    assert told.seconds == pytest.approx(1000 * 0.01 + 100 * 60 * 0.001 + (2 + 60) * 0.001)


def test_the_peak_follows_the_number_of_critics_until_they_lie_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def peak(num_critics: int) -> int:
        config = replace(TRAINED_CPU, num_critics=num_critics, critics_at_once=10)
        return gs_wgan_cost.peak_memory(config, SPEC, 1000, CPU)

    (stage,) = TRAINED_CPU.stages
    network = stage.critic.build(stage.view.shape(SPEC.shape), SPEC.num_classes, torch.Generator())  # type: ignore[union-attr]
    each = stack([network]).num_bytes
    assert peak(200) - peak(100) == 100 * each
    monkeypatch.setattr(trained_side, "LARGE_STACK", 150 * each)
    assert peak(1000) == peak(200) < peak(150)


def test_parts_are_timed_as_the_training_does_them() -> None:
    """Against a whole training of settings that take a second: within a factor that a busy machine may make."""
    config = replace(
        TRAINED_CPU,
        num_critics=20,
        num_steps=40,
        batch_size=30,
        draws_per_step=3,
        noise_multiplier=1.0,
        renewals_per_step=5,
        generator=replace(LARGE_CPU.generator, radius=4),
    )
    told = GS_WGAN.cost(config, SPEC, PublicSlots(200), CPU)
    records = cost.random_records(SPEC, 200)
    training = GS_WGAN.start(config, records, DeterministicNoise(0), RunContext(delta=1e-4))
    began = time.perf_counter()
    for _ in training:
        pass
    assert 0.2 < told.seconds / (time.perf_counter() - began) < 5


def test_the_published_networks_at_64_in_colour_are_timed_on_single_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def remembered(prepare: Any, most: int, patience: float) -> float:
        asked.append((most, round(patience)))
        return 1.0

    entered = lambda work, num, pool, num_updates: asked.append((num, num_updates)) or (Renewed(), 0.1, 2.0)  # noqa: E731
    monkeypatch.setattr(gs_wgan_cost, "seconds_each", remembered)
    monkeypatch.setattr(gs_wgan_cost._TrainedWork, "_entered", entered)
    monkeypatch.setattr(gs_wgan_cost.PublicGenerator, "pool", lambda generator, view, step: None)
    small = replace(PAPER, generator=replace(PAPER.generator, width=8), noise_multiplier=1.0)
    assert math.isfinite(GS_WGAN.cost(small, COLOUR, PublicSlots(1000), CPU).seconds)
    assert asked == [(32, 4), (32, 4), (1, 1)]


class Renewed:
    """Critics that are nobody's."""

    def renew(self, pool: object, step: int) -> None: ...

    def state_dict(self) -> dict[str, dict[str, torch.Tensor]]:
        return {"critics": {"weight": torch.zeros(4)}}


def test_sums_take_as_many_times_longer_as_records_stand_for_and_the_fit_does_not(clock: Clock) -> None:
    config = replace(DP_MERF.settings_for(SPEC, 50), noise_multiplier=1.0, num_fit_steps=100, num_features=20)
    context = RunContext(delta=1e-4)
    training = DP_MERF.start(config, cost.random_records(SPEC, 50), DeterministicNoise(0), context)
    ticking(training, clock)
    assert time_of_parts(training, 10.0) - 9.0 == pytest.approx(len(list(ticks(config))))


def ticks(config: Any) -> Any:
    training = DP_MERF.start(config, cost.random_records(SPEC, 50), DeterministicNoise(0), RunContext(delta=1e-4))
    return iter(training)


def ticking(training: Any, clock: Clock) -> None:
    """Let every report take a second."""
    kind = type(training)

    class Ticking(kind):  # type: ignore[misc, valid-type]
        def __iter__(self) -> Any:
            for report in super().__iter__():
                clock.take(1.0)
                yield report

    training.__class__ = Ticking


def test_a_dry_run_makes_few_random_records_for_many_slots() -> None:
    assert num_timed(SPEC, 60_000) == 60_000
    assert num_timed(COLOUR, 60_000) < 6000
    assert num_timed(COLOUR, 100) == 100
    config = replace(DP_CGAN.settings_for(SPEC, 300), noise_multiplier=1.0, num_steps=2)
    assert DP_CGAN.cost(config, SPEC, PublicSlots(300), CPU).seconds > 0


@pytest.mark.parametrize("method", [GS_WGAN, DP_CGAN], ids=lambda method: method.name)
def test_own_images_of_many_values_get_small_settings(method: Any) -> None:
    """Fewer steps than for 28x28 and no motions, and fewer steps again with few records."""
    sizes = [(channels, side) for channels, side in itertools.product((1, 3), (28, 32, 64))]
    for channels, side in sizes:
        spec = ImageSpec(channels=channels, height=side, width=side)
        few, many = (method.settings_for(spec, number) for number in (3000, 60_000))
        is_large = channels * side * side > 2000
        assert (many.generator.rotation == 0) == is_large
        assert (many.num_steps <= 3000) == is_large or method is DP_CGAN
        if is_large:
            assert few.num_steps < many.num_steps
