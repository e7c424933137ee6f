"""What every network of series promises: every length and number of channels, the unit range, nothing shared."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap

from gossamer.errors import InputError
from gossamer.nn.images.settings import (
    ConvCriticConfig,
    CosineGeneratorConfig,
    DCGANGeneratorConfig,
    MLPCriticConfig,
    MLPDiscriminatorConfig,
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.series.merf import SeriesMERFGenerator
from gossamer.nn.series.settings import (
    SeriesConvCriticConfig,
    SeriesConvDiscriminatorConfig,
    SeriesConvGeneratorConfig,
    SeriesMERFGeneratorConfig,
)
from gossamer.nn.settings import AbstractCriticConfig, AbstractGeneratorConfig
from gossamer.nn.spectral_norm import advanced_buffers

GENERATORS: list[AbstractGeneratorConfig] = [
    SeriesConvGeneratorConfig(width=4),
    MLPGeneratorConfig(hidden_sizes=(8, 6)),
    CosineGeneratorConfig(hidden_sizes=(8, 6), radius=6),
]
CRITICS: list[AbstractCriticConfig] = [SeriesConvCriticConfig(width=4), MLPCriticConfig(hidden_sizes=(8, 6))]
DISCRIMINATORS = [MLPDiscriminatorConfig(hidden_sizes=(8,)), SeriesConvDiscriminatorConfig(width=4)]
SHAPES = [(1, 187), (1, 8), (2, 24), (12, 100), (3, 9), (1, 2), (1, 3), (5, 333), (1, 1024)]
SMALL = (2, 24)

every_generator = pytest.mark.parametrize("config", GENERATORS, ids=lambda config: type(config).__name__)
every_critic = pytest.mark.parametrize("config", [*CRITICS, *DISCRIMINATORS], ids=lambda config: type(config).__name__)
every_network = pytest.mark.parametrize(
    "config", [*GENERATORS, *CRITICS, *DISCRIMINATORS], ids=lambda config: type(config).__name__
)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(config, rng: torch.Generator, classes: int = 3) -> torch.nn.Module:
    if isinstance(config, AbstractGeneratorConfig):
        return config.build(SMALL, classes, 5, rng)
    return config.build(SMALL, classes, rng)


def inputs(config, *lead: int) -> tuple[Tensor, Tensor]:
    first = (5,) if isinstance(config, AbstractGeneratorConfig) else SMALL
    return torch.rand(*lead, *first, generator=seeded(1)), torch.randint(0, 3, lead, generator=seeded(2))


@every_shape
@every_generator
def test_generators_draw_every_length_in_the_unit_range(
    config: AbstractGeneratorConfig, shape: tuple[int, int]
) -> None:
    latent = 50 * torch.randn(2, 5, generator=seeded(1))
    series = config.build(shape, 3, 5, seeded())(latent, torch.tensor([0, 2]))
    assert series.shape == (2, *shape)
    assert series.dtype == torch.float32
    assert 0 <= series.min() <= series.max() <= 1
    assert config.build(shape, 0, 5, seeded())(latent, None).shape == (2, *shape)


@every_shape
@every_critic
def test_critics_score_every_length(config, shape: tuple[int, int]) -> None:
    series = torch.rand(2, *shape, generator=seeded(1))
    assert config.build(shape, 3, seeded())(series, torch.tensor([0, 2])).shape == (2,)
    assert config.build(shape, 0, seeded())(series, None).shape == (2,)


@every_generator
def test_every_moment_of_every_channel_depends_on_the_latent(config: AbstractGeneratorConfig) -> None:
    series = config.build((3, 50), 3, 5, seeded())(
        torch.randn(64, 5, generator=seeded(1)), torch.zeros(64, dtype=torch.int64)
    )
    assert series.std(dim=0).min() > 1e-4


@every_critic
def test_every_moment_of_every_channel_matters_to_a_critic(config) -> None:
    network, (x, label) = built(config, seeded()), inputs(config, 16)
    x.requires_grad_()
    network(x, label).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum(dim=0).min() > 0


@every_network
def test_the_class_changes_the_output(config) -> None:
    network, (x, label) = built(config, seeded()), inputs(config, 4)
    assert (network(x, label) - network(x, (label + 1) % 3)).abs().max() > 1e-4


@every_network
def test_initial_weights_come_from_the_given_stream_alone(config) -> None:
    before = torch.get_rng_state()
    one, same, other = built(config, seeded()), built(config, seeded()), built(config, seeded(1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert all(torch.isfinite(parameter).all() for parameter in one.parameters())


@every_network
@pytest.mark.parametrize("training", [True, False])
def test_asking_changes_nothing(config, training: bool) -> None:
    network, (x, label) = built(config, seeded()).train(training), inputs(config, 4)
    state, stream = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    first = network(x, label)
    first.sum().backward()
    assert torch.equal(first, network(x, label))
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    assert torch.equal(stream, torch.get_rng_state())


@every_network
def test_a_sample_does_not_depend_on_its_batch(config) -> None:
    network, (x, label) = built(config, seeded()), inputs(config, 6)
    torch.testing.assert_close(network(x, label)[2:3], network(x[2:3], label[2:3]), rtol=1e-5, atol=1e-6)


@every_network
def test_stacked_networks_answer_as_they_do_alone(config) -> None:
    networks = [built(config, seeded(seed)) for seed in range(3)]
    parameters, buffers = stack_module_state(networks)
    x, label = inputs(config, 3, 4)
    answers = vmap(lambda p, b, x, y: functional_call(networks[0], (p, b), (x, y)))(parameters, buffers, x, label)
    for index, network in enumerate(networks):
        torch.testing.assert_close(answers[index], network(x[index], label[index]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", CRITICS, ids=lambda config: type(config).__name__)
def test_stacked_gradient_penalties_equal_those_of_single_critics(config: AbstractCriticConfig) -> None:
    critics = [built(config, seeded(seed)) for seed in range(3)]
    parameters, buffers = stack_module_state(critics)
    x, label = inputs(config, 3, 4)

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        slope = grad(lambda series: functional_call(critics[0], (parameters, buffers), (series, label)).sum())(x)
        score = functional_call(critics[0], (parameters, buffers), (x, label))
        return (slope.flatten(1).norm(dim=1) - 1).square().mean() + score.mean()

    stacked = vmap(grad(loss))(parameters, buffers, x, label)
    for index, critic in enumerate(critics):
        series = x[index].clone().requires_grad_()
        score = critic(series, label[index])
        slope = torch.autograd.grad(score.sum(), series, create_graph=True)[0]
        ((slope.flatten(1).norm(dim=1) - 1).square().mean() + score.mean()).backward()
        for name, parameter in critic.named_parameters():
            torch.testing.assert_close(stacked[name][index], parameter.grad, rtol=1e-4, atol=1e-5)


def test_the_convolutional_critic_has_spectral_norm_one_in_every_layer() -> None:
    critic = SeriesConvCriticConfig(width=4).build((2, 50), 3, seeded())
    buffers = dict(critic.named_buffers())
    for _ in range(50):
        buffers = advanced_buffers(critic, dict(critic.named_parameters()), buffers)
    critic.load_state_dict(buffers, strict=False)
    layers = [*critic.convs, critic.score, critic.embedding]
    assert len(layers) == 5  # 50 -> 25 -> 13 -> 7
    for layer in layers:
        norm = torch.linalg.matrix_norm(layer.as_matrix(layer.effective_weight()), ord=2)
        assert float(norm.detach()) == pytest.approx(1.0, abs=1e-3)


def test_discriminators_hold_no_buffer() -> None:
    for config in DISCRIMINATORS:
        assert not list(built(config, seeded()).buffers())


def test_the_critic_for_beats_has_the_counted_size() -> None:
    # 187 -> 94 -> 47 -> 24 -> 12 -> 6, channels 16, 32, 64, 64, 64. Kernel 5: 1 -> 16: 80 + 16; 16 -> 32: 2,560 + 32;
    # 32 -> 64: 10,240 + 64; 64 -> 64 twice: 20,480 + 64 each. Features 384: dense 384 + 1, five classes 1,920.
    critic = SeriesConvCriticConfig().build((1, 187), 5, seeded())
    assert sum(p.numel() for p in critic.parameters()) == 96 + 2_592 + 10_304 + 2 * 20_544 + 385 + 1_920


def test_the_generator_for_beats_has_the_counted_size() -> None:
    # Latent 10 and 5 classes -> 64 x 6: 15 x 384 + 384. Five convolutions of kernel 5: 64 -> 64 -> 64 -> 32 -> 16 -> 1,
    # that is 20,480 + 64 twice, 10,240 + 32, 2,560 + 16, 80 + 1.
    generator = SeriesConvGeneratorConfig().build((1, 187), 5, 10, seeded())
    assert generator.lengths == [12, 24, 47, 94, 187]
    assert sum(p.numel() for p in generator.parameters()) == 6_144 + 2 * 20_544 + 10_272 + 2_576 + 81


# ---- DP-MERF's generator, the one with batch norm --------------------------------------------------------------------


@every_shape
def test_the_embedding_generator_draws_every_length_in_the_unit_range(shape: tuple[int, int]) -> None:
    config = SeriesMERFGeneratorConfig(hidden_size=8, width=4)
    series = config.build(shape, 3, 5, seeded())(torch.randn(4, 5, generator=seeded(1)), torch.tensor([0, 2, 1, 1]))
    assert series.shape == (4, *shape)
    assert 0 <= series.min() <= series.max() <= 1


def test_a_settled_embedding_generator_draws_each_sample_alone() -> None:
    network = SeriesMERFGeneratorConfig(hidden_size=8, width=4).build(SMALL, 3, 5, seeded())
    assert isinstance(network, SeriesMERFGenerator)
    latent, label = torch.randn(40, 5, generator=seeded(1)), torch.arange(40) % 3
    network.settle(latent, label)
    alone = torch.cat([network(latent[i : i + 1], label[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(network(latent, label)[:6], alone, rtol=1e-5, atol=1e-6)
    before = copy.deepcopy(network.state_dict())
    network.settle(2 * latent, label)
    assert not torch.equal(before["hidden_norm.running_mean"], network.state_dict()["hidden_norm.running_mean"])


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: SeriesConvGeneratorConfig(width=0),
        lambda: SeriesConvCriticConfig(width=0),
        lambda: SeriesConvDiscriminatorConfig(width=0),
        lambda: SeriesMERFGeneratorConfig(hidden_size=0),
        lambda: SeriesMERFGeneratorConfig(width=0),
        lambda: SeriesConvGeneratorConfig().build((1, 1), 0, 2, seeded()),
        lambda: SeriesConvGeneratorConfig().build((0, 20), 0, 2, seeded()),
        lambda: SeriesConvGeneratorConfig().build((1, 20, 20), 0, 2, seeded()),
        lambda: SeriesMERFGeneratorConfig().build((1, 20, 20), 0, 2, seeded()),
        lambda: SeriesConvCriticConfig().build((1, 20, 20), 0, seeded()),
        lambda: SeriesConvDiscriminatorConfig().build((1, 20, 20), 0, seeded()),
        lambda: SeriesConvGeneratorConfig().build((1, 20), -1, 2, seeded()),
        lambda: ConvCriticConfig().build((1, 20), 0, seeded()),
        lambda: DCGANGeneratorConfig().build((1, 20), 0, 2, seeded()),
        lambda: ResNetGeneratorConfig().build((1, 20), 0, 2, seeded()),
        lambda: CosineGeneratorConfig(shift=0.1).build((1, 20), 0, 12, seeded()),
    ],
)
def test_shapes_and_numbers_that_do_not_fit_are_refused_in_one_line(make) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert "\n" not in str(error.value)


@every_network
def test_configs_are_frozen(config) -> None:
    with pytest.raises(FrozenInstanceError):
        config.width = 3


@every_network
def test_labels_are_asked_for_exactly_when_there_are_classes(config) -> None:
    x, label = inputs(config, 4)
    with pytest.raises(InputError, match="missing"):
        built(config, seeded())(x, None)
    with pytest.raises(InputError, match="unconditional"):
        built(config, seeded(), classes=0)(x, label)
