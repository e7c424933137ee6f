"""The mixture generator of series: what it draws, how lengths are taken and given back, what its features promise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.series.endings import AtTheEnd, BeforeZeros
from gossamer.nn.series.mixture import SeriesMixtureGenerator
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig

CONFIG = SeriesMixtureGeneratorConfig(num_directions=4, num_components=3, radius=9)
SHAPES = [(1, 187), (2, 24), (12, 50), (1, 8), (1, 2), (1, 3)]
ENDINGS = [AtTheEnd(), BeforeZeros()]

either_ending = pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: type(ending).__name__)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(
    config: SeriesMixtureGeneratorConfig, shape: tuple[int, int] = (2, 24), classes: int = 3
) -> SeriesMixtureGenerator:
    network = config.build(shape, classes, config.latent_dim(shape), seeded())
    for name, buffer in network.named_buffers():
        if name not in ("basis", "shares"):
            buffer.copy_(torch.randn(buffer.shape, generator=seeded(len(name))))
    return network


def latents(config: SeriesMixtureGeneratorConfig, count: int, shape: tuple[int, int] = (2, 24)) -> Tensor:
    return torch.randn(count, config.latent_dim(shape), generator=seeded(7))


@either_ending
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_draws_every_length_in_the_unit_range(shape: tuple[int, int], ending: AtTheEnd | BeforeZeros) -> None:
    config = replace(CONFIG, ending=ending)
    series = built(config, shape)(50 * latents(config, 2, shape), torch.tensor([0, 2]))
    assert series.shape == (2, *shape)
    assert 0 <= series.min() <= series.max() <= 1
    without = config.build(shape, 0, config.latent_dim(shape), seeded())
    assert without(latents(config, 2, shape), None).shape == (2, *shape)


def test_all_it_knows_are_its_buffers_and_they_save_and_load() -> None:
    network = built(CONFIG)
    assert list(network.parameters()) == []
    other = CONFIG.build((2, 24), 3, CONFIG.latent_dim((2, 24)), seeded(1))
    other.load_state_dict(network.state_dict())
    label = torch.tensor([0, 1, 2, 0])
    assert torch.equal(other(latents(CONFIG, 4), label), network(latents(CONFIG, 4), label))


@either_ending
def test_a_sample_depends_on_its_own_latent_and_label_alone(ending: AtTheEnd | BeforeZeros) -> None:
    config = replace(CONFIG, ending=ending)
    network, z, label = built(config), latents(config, 6), torch.tensor([0, 1, 2, 0, 1, 2])
    alone = torch.cat([network(z[i : i + 1], label[i : i + 1]) for i in range(6)])
    assert torch.allclose(network(z, label), alone, atol=1e-6)


@either_ending
def test_features_of_a_series_depend_on_no_other_series(ending: AtTheEnd | BeforeZeros) -> None:
    config = replace(CONFIG, ending=ending)
    series = torch.rand(9, 2, 24, generator=seeded())
    series[:4, :, 15:] = 0
    together = config.features(series)
    assert together.shape == (9, config.num_features((2, 24)))
    alone = torch.cat([config.features(one[None]) for one in series])
    assert torch.allclose(together, alone, atol=1e-5)


def wave(ends: list[int], time: int = 120) -> Tensor:
    """Smooth series of two channels, above zero to their ends, zero behind."""
    series = torch.zeros(len(ends), 2, time)
    for row, end in enumerate(ends):
        phase = torch.linspace(0, 3, end)
        series[row, 0, :end] = 0.5 + 0.4 * torch.sin(phase)
        series[row, 1, :end] = 0.6 + 0.3 * torch.cos(2 * phase)
    return series


def test_series_of_one_form_and_different_lengths_are_one_series_when_stretched() -> None:
    stretched, lengths = BeforeZeros().stretched(wave([120, 90, 45]))
    assert torch.allclose(lengths, torch.tensor([[1.0], [0.75], [0.375]]))
    for row in (1, 2):
        assert torch.allclose(stretched[row], stretched[0], atol=2e-3)


def test_a_length_is_that_of_the_longest_channel_and_zeros_inside_do_not_end_it() -> None:
    series = torch.zeros(2, 2, 10)
    series[0, 1, 6] = 0.5
    _, lengths = BeforeZeros().stretched(series)
    assert lengths.tolist() == [[pytest.approx(0.7)], [pytest.approx(0.2)]]


def test_stretching_and_padding_give_back_what_was_there() -> None:
    series = wave([120, 100, 61, 30, 2])
    back = BeforeZeros().padded(*BeforeZeros().stretched(series))
    assert torch.allclose(back, series, atol=0.02)
    assert torch.equal(back == 0, series == 0)


def test_a_full_series_is_not_changed_by_its_ending() -> None:
    series = 0.1 + 0.9 * torch.rand(3, 2, 50, generator=seeded())
    stretched, lengths = BeforeZeros().stretched(series)
    assert torch.allclose(stretched, series, atol=1e-5)
    assert torch.equal(lengths, torch.ones(3, 1))
    assert torch.allclose(BeforeZeros().padded(series, lengths), series, atol=1e-5)


@either_ending
def test_a_generator_that_knows_one_series_draws_it_from_latents_of_zero(ending: AtTheEnd | BeforeZeros) -> None:
    series = wave([90])
    config = SeriesMixtureGeneratorConfig(num_directions=1, radius=120, ending=ending)
    network = config.build((2, 120), 0, config.latent_dim((2, 120)), seeded())
    features = config.features(series)
    network.directions.copy_(features / features.norm())
    network.centres.fill_(float(features.norm()))
    drawn = network(torch.zeros(1, 2), None)
    assert float((drawn - series).abs().max()) < 0.02


def test_scatter_scales_the_spread_of_samples_about_their_centres() -> None:
    """Nothing is cut at the bounds here; the difference from the centre is linear in the scatter."""
    config = replace(CONFIG, num_components=1)
    wide, narrow = built(config), built(replace(config, scatter=0.25))
    for network in (wide, narrow):
        network.centres.zero_()
        network.offset.zero_()
        network.factors.mul_(0.01)
    label = torch.tensor([0, 1, 2])
    apart = [network(latents(config, 3), label) - config.level for network in (wide, narrow)]
    assert apart[0].abs().max() > 0.01
    assert torch.allclose(apart[1], 0.25 * apart[0], atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_features_of_an_empty_series_are_finite(value: float) -> None:
    assert replace(CONFIG, ending=BeforeZeros()).features(torch.full((1, 2, 24), value)).isfinite().all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_directions", 0),
        ("num_components", 0),
        ("radius", 0.0),
        ("scatter", 0.0),
        ("level", 1.5),
        ("length_weight", 0.0),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        replace(CONFIG, **{name: value})  # type: ignore[arg-type]


def test_images_and_latents_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="images"):
        CONFIG.build((1, 8, 8), 3, CONFIG.latent_dim((1, 8, 8)), seeded())
    with pytest.raises(InputError, match="latent dim"):
        CONFIG.build((2, 24), 3, 4, seeded())
