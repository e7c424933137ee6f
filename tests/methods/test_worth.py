"""Energy above noise, on planted signals in noise of a known law, and on records without anything to learn."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import every
from torch import Tensor

from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import find_method
from gossamer.methods.dp_mixture.components import ClassCovariances, ComponentCovariances
from gossamer.methods.training import AbstractTraining, RunContext
from gossamer.methods.verdict import Grade
from gossamer.methods.worth import ReleasedEnergy, WindowedEnergy, pairs_apart, standing_out
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots

TINY = every(lambda tiny: tiny.images)
KEY = UnitKey(bytes(32))
ONE_SHOT = pytest.mark.parametrize("name", ["dp-mixture", "dp-merf"])
STEPWISE = pytest.mark.parametrize("name", ["gs-wgan", "dp-cgan"])


def wigner(dim: int, deviation: float, seed: int = 0) -> Tensor:
    """A symmetric noise matrix as a release has it: `deviation` on the diagonal, less by root 2 beside it."""
    noise = torch.randn(dim, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return deviation * (noise + noise.T) / 2


# ---- planted signals in noise --------------------------------------------------------------------------------------


def test_noise_alone_has_no_direction_that_stands_out() -> None:
    values = torch.linalg.eigvalsh(wigner(200, 1.0))
    edge = torch.tensor(math.sqrt(400.0))
    assert float(values.max()) == pytest.approx(20, rel=0.03)
    assert float(standing_out(values, edge, 0.0, torch.tensor(1e9))) < 0.02 * float(values.clamp_min(0).sum())


@pytest.mark.parametrize("size", [12.0, 30.0, 100.0])
def test_a_released_eigenvalue_tells_the_true_variance_along_its_own_direction(size: float) -> None:
    planted = torch.zeros(200, 200, dtype=torch.float64)
    planted[0, 0] = size
    values, vectors = torch.linalg.eigh(planted + torch.stack([wigner(200, 1.0, seed) for seed in range(8)]))
    truth = size * float(vectors[:, 0, -1].square().mean())
    edge = torch.full((8,), math.sqrt(400.0))
    found = float(standing_out(values[:, -1:], edge, 0.0, torch.tensor(1e9)).mean())
    assert found == pytest.approx(truth, rel=0.05, abs=2.0)


def test_records_without_a_pattern_have_no_direction_that_stands_out() -> None:
    white = torch.rand(300, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    values = torch.linalg.eigvalsh(white.T @ white / 300)
    assert float(standing_out(values, torch.tensor(0.0), 1 / 12, torch.tensor(300.0))) < 0.01
    assert float(standing_out(values, torch.tensor(0.0), 0.0, torch.tensor(300.0))) > 4  # the plant: no white floor


def test_pairs_are_told_apart_beyond_noise_and_scatter_and_no_others() -> None:
    rng = torch.Generator().manual_seed(0)
    noise, scatter = torch.full((20,), 0.5, dtype=torch.float64), torch.full((20,), 3.0, dtype=torch.float64)
    means = 0.5 * torch.randn(20, 100, generator=rng, dtype=torch.float64)
    means += math.sqrt(3 / 100) * torch.randn(20, 100, generator=rng, dtype=torch.float64)
    assert pairs_apart(means, noise, scatter) < 0.02
    assert pairs_apart(means, 0 * noise, 0 * scatter) == 1.0  # the plant: noise forgotten
    means[:10, 0] += 20
    assert pairs_apart(means, noise, scatter) == pytest.approx(100 / 190, abs=0.02)
    assert pairs_apart(means[:1], noise[:1], scatter[:1]) is None


@pytest.mark.parametrize("covariances", [ClassCovariances(pooling=0.3), ComponentCovariances()])
def test_the_noise_of_an_estimate_is_that_of_its_sums(covariances: Any) -> None:
    """Large positive sums, so that nothing is cut off at zero; the deviation over 200 draws of noise."""
    counts, shares, dim, noise = torch.tensor([900.0, 300.0]).double(), torch.full((2, 2), 0.5).double(), 4, 5.0
    groups = covariances.num_groups(2, 2)
    rest = counts, shares, noise
    sums = 400 * torch.eye(dim, dtype=torch.float64).expand(groups, dim, dim)
    drawn = [
        covariances.learnt(sums + torch.stack([wigner(dim, noise, 9 * draw + g) for g in range(groups)]), *rest)
        for draw in range(200)
    ]
    measured = torch.stack(drawn).std(dim=0).diagonal(dim1=-2, dim2=-1).mean(dim=-1)
    assert torch.allclose(covariances.deviations(sums, *rest), measured, rtol=0.15)


# ---- gradients -----------------------------------------------------------------------------------------------------


def test_the_energy_of_noise_alone_is_no_signal_and_a_steady_direction_is_one() -> None:
    rng = torch.Generator().manual_seed(0)
    noise = [torch.randn(8, 50, generator=rng) for _ in range(120)]
    alone, steady = ReleasedEnergy(), ReleasedEnergy()
    for one in noise:
        alone, steady = alone.with_release([one], 1.0), steady.with_release([one[:4] + 0.3, one[4:]], 1.0)
    assert alone.signal == 0
    assert alone.verdict is not None
    assert alone.verdict.grade is Grade.NOISE
    assert steady.signal == pytest.approx(0.045 / 1.045, rel=0.3)
    assert steady.verdict is not None
    assert steady.verdict.grade is Grade.FAINT
    assert ReleasedEnergy().verdict is None
    assert ReleasedEnergy.restored({"energy": steady.state_dict()}) == steady


# ---- trainings -----------------------------------------------------------------------------------------------------


def images(num: int, kind: str, num_classes: int = 3) -> RecordSet:
    rng = torch.Generator().manual_seed(1)
    levels = {"even": 0.9, "dark": 0.0}
    x = torch.full((num, 1, 8, 8), levels[kind]) if kind in levels else torch.rand(num, 1, 8, 8, generator=rng)
    spec = ImageSpec(channels=1, height=8, width=8, class_names=tuple("abc"[:num_classes]))
    return RecordSet(name=kind, spec=spec, x=x, y=torch.arange(num) % num_classes if num_classes else None)


def trained(name: str, records: RecordSet, epsilon: float, *, louder: float = 1.0) -> AbstractTraining:
    """A training with the recipe for these records, of which the fit behind the releases is left short."""
    method, slots = find_method(name), PublicSlots(records.num_records)
    found = method.find_for(records.name)
    config: Any = method.settings_for(records.spec, records.num_records) if found is None else found.config
    config = method.calibrate(config, slots, PrivacyBudget(epsilon=epsilon, delta=1e-5))
    config = replace(config, noise_multiplier=louder * config.noise_multiplier)
    if name == "dp-merf":
        config = replace(config, num_fit_steps=1)
    training = method.start(config, records, DeterministicNoise(0), RunContext(delta=1e-5))
    for _ in training:
        pass
    return training


def grade(training: AbstractTraining) -> Grade:
    verdict = training.verdict()
    assert verdict is not None
    return verdict.grade


@ONE_SHOT
@pytest.mark.parametrize("kind", ["even", "random"])
@pytest.mark.parametrize("num_classes", [0, 3])
def test_records_with_nothing_to_learn_are_noise_however_small_the_noise(
    name: str, kind: str, num_classes: int
) -> None:
    verdict = trained(name, images(2000, kind, num_classes), 15.0).verdict()
    assert verdict is not None
    assert verdict.grade is Grade.NOISE
    assert verdict.knows_level


@pytest.mark.parametrize("kind", ["even", "dark"])
def test_noise_on_the_mean_of_records_without_classes_is_no_pattern(kind: str) -> None:
    """Records all alike, and a mean mostly noise: the variance about it is that noise come back."""
    records = images(300, kind, num_classes=0)
    for epsilon in (0.5, 2.0, 6.0):
        assert grade(trained("dp-mixture", records, epsilon)) is Grade.NOISE


@ONE_SHOT
def test_digits_are_clear_at_a_large_epsilon_and_noise_under_noise_a_hundred_times_as_loud(name: str) -> None:
    records = replace(load_records("digits").train, name="digits")
    assert grade(trained(name, records, 10.0)) is Grade.CLEAR
    assert grade(trained(name, records, 10.0, louder=100.0)) is Grade.NOISE
    assert grade(trained(name, records, 0.1)) is Grade.NOISE


@ONE_SHOT
def test_noise_that_is_forgotten_would_be_called_clear(name: str, monkeypatch: Any) -> None:
    """The plant: the same release, judged as if it held no noise."""
    training = trained(name, replace(load_records("digits").train, name="digits"), 0.1)
    monkeypatch.setattr(type(training.plan), "release_noise_std", lambda self, step: 1e-9)
    assert grade(training) is Grade.CLEAR


@pytest.mark.parametrize("name", TINY)
def test_a_verdict_is_a_function_of_what_was_released(name: str) -> None:
    """Another process with other records, and the same releases in its state, says the same."""
    method, config = find_method(name), TINY[name]
    one = method.start(config, images(60, "random"), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    assert one.verdict() is None
    for _ in one:
        pass
    state = copy.deepcopy(one.state_dict())
    other = method.start(
        config, images(60, "even"), DeterministicNoise(1), RunContext(delta=1e-3, key=KEY, state=state)
    )
    assert other.verdict() == one.verdict()
    assert one.trained().verdict == one.trained_so_far().verdict == one.verdict()


@STEPWISE
def test_a_state_from_before_there_were_verdicts_goes_on_without_one(name: str) -> None:
    method, config = find_method(name), TINY[name]
    one = method.start(config, images(60, "random"), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    for _ in one:
        pass
    state = copy.deepcopy(one.state_dict())
    assert one.verdict() is not None
    del state["energy"]
    old = method.start(
        config, images(60, "random"), DeterministicNoise(1), RunContext(delta=1e-3, key=KEY, state=state)
    )
    assert old.verdict() is None
    assert "energy" not in old.state_dict()
    assert old.trained().verdict is None


@pytest.mark.parametrize(
    ("name", "noise", "expected"),
    [("gs-wgan", 50.0, Grade.NOISE), ("dp-cgan", 50.0, Grade.NOISE), ("dp-cgan", 0.4, Grade.FAINT)],
)
def test_gradients_are_noise_under_loud_noise_and_faint_under_little(name: str, noise: float, expected: Grade) -> None:
    config = replace(TINY[name], noise_multiplier=noise)
    run = find_method(name).start(config, images(60, "random"), DeterministicNoise(0), RunContext(delta=1e-3, key=KEY))
    for _ in run:
        pass
    assert grade(run) is expected


def windowed(signal: float, steps: int = 160, seed: int = 0) -> WindowedEnergy:
    """Energies of answers about three classes: noise of deviation 1, and for each class a direction of its own."""
    rng, found = torch.Generator().manual_seed(seed), WindowedEnergy()
    labels = torch.arange(30) % 3
    directions = signal * torch.eye(3, 40)[labels]
    for _ in range(steps):
        found = found.with_answers(directions + torch.randn(30, 40, generator=rng), labels, 1.0)
    return found


def test_answers_too_short_to_tell_one_by_one_tell_of_the_records_in_windows() -> None:
    rng, alone = torch.Generator().manual_seed(0), ReleasedEnergy()
    for _ in range(160):
        alone = alone.with_release([0.2 * torch.eye(1, 40) + torch.randn(30, 40, generator=rng)], 1.0, 30)
    assert alone.signal == 0.0
    energy = windowed(0.2).ended(1.0)
    # 160 answers of a window add to 6.4 times the energy of the noise in one coordinate of 40.
    assert energy.signal == pytest.approx(6.4 / 46.4, abs=0.06)
    assert energy.verdict is not None
    assert energy.verdict.grade is Grade.FAINT


def test_windows_of_noise_are_noise_and_an_unfinished_window_counts() -> None:
    verdicts = [windowed(0.0, seed=seed).ended(1.0).verdict for seed in range(5)]
    assert all(verdict is not None and verdict.is_noise for verdict in verdicts)
    assert WindowedEnergy().ended(1.0).verdict is None
    short = windowed(2.0, steps=3)
    assert short.energy.num_steps == 0
    assert short.ended(1.0).num_steps == 3
    assert short.ended(1.0).signal > 0.5


def test_a_window_goes_on_where_a_state_was_taken_and_earlier_energies_are_added_to() -> None:
    half = windowed(0.5, steps=20)
    taken_up = WindowedEnergy.restored({"energy": half.state_dict()})
    assert taken_up is not None
    assert taken_up.ended(1.0) == half.ended(1.0)
    earlier = WindowedEnergy.restored({"energy": ReleasedEnergy(total=3.0, num_steps=2).state_dict()})
    assert earlier is not None
    assert (earlier.energy.num_steps, earlier.num_here) == (2, 0)
    assert WindowedEnergy.restored({}) is None
