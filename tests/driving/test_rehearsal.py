"""A rehearsal on stand-ins: noise as planned, few of them for many slots, and no record in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import tiny_of

from gossamer.data.images import ImageSpec
from gossamer.data.stand_ins import stand_ins
from gossamer.driving import rehearsal
from gossamer.driving.rehearsal import in_many_slots, rehearsed, times_counted
from gossamer.mechanisms.gate import StepGate
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.mechanisms.one_shot.contributions import Slots
from gossamer.mechanisms.one_shot.door import OneShotReleaser
from gossamer.mechanisms.poisson.units import Units, units_of_records
from gossamer.methods.dp_merf import DP_MERF
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.labelled_mixture import LABELLED_MIXTURE
from gossamer.methods.method import Method
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import PublicSlots

SPEC = ImageSpec(channels=1, height=8, width=8, class_names=tuple("abc"))
CPU = torch.device("cpu")
both = pytest.mark.parametrize("method", [DP_MIXTURE, DP_MERF], ids=lambda method: method.name)


def planned(method: Method[Any], epsilon: float, slots: PublicSlots) -> Any:
    config = method.settings_for(SPEC, slots.to_learn_from)
    if method is DP_MERF:
        config = replace(config, num_features=100, num_fit_steps=20)
    return method.calibrate(config, slots, PrivacyBudget(epsilon=epsilon, delta=0.1 / slots.number))


@both
@pytest.mark.parametrize("unit", list(Unit))
def test_it_draws_samples_of_the_shape_for_any_number(method: Method[Any], unit: Unit) -> None:
    for number in (20, 700, 1_000_000):
        slots = PublicSlots(number, unit)
        made = rehearsed(method, planned(method, 5.0, slots), SPEC, slots, CPU)
        assert made.trained.sample(4)[0].shape == (4, 1, 8, 8)
        assert made.num_slots == number
        assert made.num_computed <= rehearsal.MOST_STAND_INS


def test_few_slots_draw_noise_and_many_do_not() -> None:
    """Means of classes are near those of the stand-ins at ten thousand slots, and far from them at thirty."""
    made = stand_ins(SPEC, 3000)
    assert made.y is not None
    truth = torch.stack([made.x[made.y == label].mean(dim=0) for label in range(3)])

    def error(number: int) -> float:
        slots = PublicSlots(number)
        trained = rehearsed(DP_MIXTURE, planned(DP_MIXTURE, 1.0, slots), SPEC, slots, CPU).trained
        x, y = trained.sample(600)
        assert y is not None
        means = torch.stack([x[y == label].mean(dim=0) for label in range(3)])
        return float((means - truth).square().mean().sqrt())

    assert error(10_000) < 0.5 * error(30)


def test_a_row_that_counts_thrice_is_the_row_given_thrice() -> None:
    config = replace(tiny_of("dp-mixture").images, noise_multiplier=0.7)
    plan = DP_MIXTURE.plan(config, PublicSlots(30))
    rng = torch.Generator().manual_seed(0)
    vectors, groups = torch.rand(10, 64, generator=rng), torch.arange(10) % 3
    dim = plan.releases[0].contribution.dim  # type: ignore[attr-defined]
    rows = Slots(vectors=vectors[:, :dim], groups=groups)

    def released(kind: Any, chunks: list[Slots], **more: Any) -> torch.Tensor:
        gate = StepGate(plan, next_step=0, lost_steps=(), charge=lambda step: None)
        return kind(plan, DeterministicNoise(0), gate=gate, **more).release(0, chunks)

    given = released(OneShotReleaser, [rows, rows, rows])
    counted = released(rehearsal._Repeated, [rows], times=3)
    assert torch.equal(given, counted)
    assert not torch.equal(given, released(OneShotReleaser, [rows]))


def test_as_many_count_as_there_are_slots() -> None:
    for number in (1, 4000, 4001, 60_000, 1_234_567):
        times = times_counted(SPEC, number)
        assert number - times < times * (number // times) <= number


def test_work_after_the_releases_is_broken_off_in_time_and_that_is_said() -> None:
    slots = PublicSlots(60)
    config = replace(planned(DP_MERF, 5.0, slots), num_fit_steps=2000)
    made = rehearsed(DP_MERF, config, SPEC, slots, CPU, patience=0.0)
    assert 0 < made.share_fitted < 0.2
    assert rehearsed(DP_MERF, replace(config, num_fit_steps=10), SPEC, slots, CPU).share_fitted == 1.0


def test_it_is_the_same_each_time() -> None:
    slots = PublicSlots(200)
    config = planned(DP_MIXTURE, 5.0, slots)
    one, other = (rehearsed(DP_MIXTURE, config, SPEC, slots, CPU).trained.sample(5)[0] for _ in range(2))
    assert torch.equal(one, other)


def test_a_teacher_learns_from_as_many_stand_ins_as_there_are_slots() -> None:
    """A stand-in in several slots is drawn as often as they are. Were the other slots empty, the noise would win."""
    several = in_many_slots(units_of_records(3, num_slots=7), 2)
    assert several.counts.tolist() == [1, 1, 1, 1, 1, 1, 0]
    held = several.present(torch.arange(7))
    assert several.choose(held, 0)[:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert len(set(several.marks.tolist())) == 7


def drawn_in_a_step(monkeypatch: pytest.MonkeyPatch) -> float:
    """The mean number of stand-ins in a sample, of 6,000 slots at a rate of 0.05."""
    drawn: list[int] = []
    present = Units.present

    def counted(self: Units, slots: torch.Tensor) -> torch.Tensor:
        found = present(self, slots)
        drawn.append(len(found))
        return found

    monkeypatch.setattr(Units, "present", counted)
    slots = PublicSlots(6000)
    config = replace(LABELLED_MIXTURE.settings_for(SPEC, 6000), teacher_steps=5, sample_rate=0.05, noise_multiplier=1.0)
    made = rehearsed(LABELLED_MIXTURE, config, SPEC, slots, CPU)
    assert made.trained.sample(4)[0].shape == (4, 1, 8, 8)
    return sum(drawn) / len(drawn)


def test_a_teacher_is_rehearsed_on_samples_as_large_as_those_of_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 250 < drawn_in_a_step(monkeypatch) < 350
    monkeypatch.setattr(rehearsal, "in_many_slots", lambda units, times: units)
    assert drawn_in_a_step(monkeypatch) < 200
