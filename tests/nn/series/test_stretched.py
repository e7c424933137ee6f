"""Series stretched to their ends: the view, the slow time that it looks in, and the generator that draws in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.series.settings import StretchedGeneratorConfig
from gossamer.nn.series.slow_time import SlowTime
from gossamer.nn.series.stretched import StretchedGenerator
from gossamer.nn.views import Stretched, cosine_basis

TIME = SlowTime(count=9, places=(0.0, 0.8), slowness=4.0, width=0.05)
VIEW = Stretched(time=TIME)
CONFIG = StretchedGeneratorConfig(hidden_sizes=(8, 6), time=TIME)
SHAPES = [(1, 187), (2, 24), (3, 9)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wave(ends: list[int], time: int = 120, height: float = 0.4) -> Tensor:
    """Smooth series of one channel, above zero to their ends, zero behind."""
    series = torch.zeros(len(ends), 1, time)
    for row, end in enumerate(ends):
        series[row, 0, :end] = 0.5 + height * torch.sin(torch.linspace(0, 3, end))
    return series


# ---- slow time ------------------------------------------------------------------------------------------------------


def test_functions_of_the_slow_time_are_orthonormal_and_begin_with_the_constant() -> None:
    basis = TIME.basis(60)
    assert basis.shape == (60, 9)
    assert torch.allclose(basis.T @ basis, torch.eye(9), atol=1e-5)
    assert torch.allclose(basis[:, 0], torch.full((60,), 60**-0.5), atol=1e-6)


def test_time_runs_slowly_near_its_places_and_evenly_without_slowness() -> None:
    passed = TIME.times(101).diff()
    assert passed[0] > 3 * passed[40]
    assert passed[80] > 3 * passed[40]
    assert torch.allclose(replace(TIME, slowness=0.0).times(101), torch.linspace(0, 1, 101, dtype=torch.float64))


def test_functions_without_slowness_are_the_cosines_of_low_frequency() -> None:
    found, cosines = SlowTime(count=8, slowness=0.0).basis(400), cosine_basis(1, 400, 8.0)[0]
    assert torch.allclose(found.T @ cosines, torch.eye(8), atol=0.02)


def test_a_peak_at_a_slow_place_is_drawn_by_functions_that_cannot_draw_it_elsewhere() -> None:
    x = torch.linspace(0, 1, 187)
    slow = SlowTime(count=24, places=(0.8,), slowness=8.0, width=0.03).basis(187)
    left = []
    for place in (0.8, 0.4):
        peak = torch.exp(-(((x - place) / 0.015) ** 2) / 2)[:, None]
        left.append(float((peak - slow @ (slow.T @ peak)).norm() / peak.norm()))
    assert left[0] < 0.1 < 0.4 < left[1]


# ---- view -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_view_has_the_shape_that_it_promises(shape: tuple[int, int]) -> None:
    looked = VIEW.apply(torch.rand(4, *shape, generator=seeded()))
    assert looked.shape == (4, *VIEW.shape(shape))
    assert looked.isfinite().all()


def test_series_of_one_form_differ_in_their_length_alone() -> None:
    looked = VIEW.apply(wave([120, 90, 45]))[:, 0]
    assert torch.allclose(looked[1:, :-1], looked[:1, :-1].expand(2, -1), atol=0.03)
    lengths = looked[:, -1] / (VIEW.length_weight * 120**0.5) + 0.5
    assert torch.allclose(lengths, torch.tensor([1.0, 0.75, 0.375]), atol=0.01)


def test_a_last_sample_that_is_lower_counts_in_part() -> None:
    series = torch.full((3, 1, 50), 0.5)
    series[:, :, 40:] = 0
    series[:, 0, 39] = torch.tensor([0.5, 0.25, 0.05])
    ends = (VIEW.apply(series)[:, 0, -1] / (VIEW.length_weight * 50**0.5) + 0.5) * 50
    assert torch.allclose(ends, torch.tensor([40.0, 39.5, 39.1]), atol=1e-3)


def test_records_are_seen_as_samples_are_and_each_by_itself_bit_for_bit() -> None:
    batch = torch.cat([wave([120, 77, 50, 3, 1]), torch.zeros(1, 1, 120)])
    looked = VIEW.apply_to_records(batch)
    assert torch.allclose(looked, VIEW.apply(batch), atol=1e-4)
    assert looked.isfinite().all()
    changed = batch.clone()
    changed[[0, 2, 3, 4, 5]] = float("nan")
    assert torch.equal(VIEW.apply_to_records(changed)[1], looked[1])


def test_settings_out_of_range_are_bad_input() -> None:
    for settings in ({"level": 2.0}, {"length_weight": 0.0}, {"scale": 0.0}):
        with pytest.raises(InputError):
            Stretched(**settings)
    for settings in ({"count": 0}, {"places": (1.5,)}, {"slowness": -1.0}, {"width": 0.0}):
        with pytest.raises(InputError):
            SlowTime(**settings)
    with pytest.raises(InputError, match="only series"):
        VIEW.shape((1, 8, 8))
    with pytest.raises(InputError, match="count"):
        VIEW.shape((1, 5))


# ---- generator ------------------------------------------------------------------------------------------------------


def generator(classes: int = 3, shape: tuple[int, int] = (2, 24)) -> StretchedGenerator:
    return CONFIG.build(shape, classes, 5, seeded())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_draws_in_the_unit_range_in_training_and_finished(shape: tuple[int, int]) -> None:
    latent = 50 * torch.randn(4, 5, generator=seeded(1))
    for network in (generator(shape=shape).train(), generator(shape=shape).eval()):
        series = network(latent, torch.tensor([0, 2, 1, 1]))
        assert series.shape == (4, *shape)
        assert 0 <= series.min() <= series.max() <= 1
    assert generator(0, shape)(latent, None).shape == (4, *shape)


def test_a_finished_series_ends_sharply_and_one_in_training_within_a_sample_of_it() -> None:
    latent, label = torch.randn(6, 5, generator=seeded(1)), torch.tensor([0, 1, 2, 0, 1, 2])
    network = generator(shape=(1, 187))
    with torch.no_grad():
        network.table[:, -1] += torch.tensor([-0.1, 0.0, 0.1])
        trained, finished = network.train()(latent, label)[:, 0], network.eval()(latent, label)[:, 0]
    ends = [(series > 0).sum(dim=1) for series in (trained, finished)]
    assert int((ends[0] - ends[1]).abs().max()) <= 1
    assert len(set(ends[1].tolist())) > 1
    before_end = finished.gather(1, ends[1][:, None] - 1)
    assert float(before_end.min()) > 0.05


def test_the_length_can_be_learnt_through_the_view() -> None:
    network = generator(0, (1, 187)).train()
    wanted = VIEW.apply(0.3 * (torch.arange(187) < 150).float()[None, None])
    optimiser = torch.optim.Adam([network.table], lr=5e-3)
    for _ in range(150):
        optimiser.zero_grad()
        looked = VIEW.apply(network(torch.zeros(1, 5), None))
        (looked - wanted).square().sum().backward()
        optimiser.step()
    drawn = network.eval()(torch.zeros(1, 5), None).detach()[0, 0]
    assert abs(int((drawn > 0).sum()) - 150) <= 2
    assert float((drawn[:145] - 0.3).abs().max()) < 0.05


def test_a_sample_depends_on_its_own_latent_and_label_alone() -> None:
    latent, label = torch.randn(4, 5, generator=seeded(1)), torch.tensor([0, 1, 2, 0])
    network = generator()
    alone = torch.cat([network(latent[i : i + 1], label[i : i + 1]) for i in range(4)])
    assert torch.allclose(network(latent, label), alone, atol=1e-6)


def test_settings_of_the_generator_out_of_range_are_bad_input() -> None:
    for settings in ({"usual_length": 1.0}, {"length_gain": 0.0}, {"gain": 0.0}, {"hidden_sizes": ()}):
        with pytest.raises(InputError):
            StretchedGeneratorConfig(**settings)
