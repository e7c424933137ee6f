"""What every generator and critic promises, checked on all of them."""

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
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.settings import AbstractCriticConfig, AbstractGeneratorConfig

GENERATORS: list[AbstractGeneratorConfig] = [
    ResNetGeneratorConfig(width=4),
    DCGANGeneratorConfig(width=2),
    MLPGeneratorConfig(hidden_sizes=(8, 6)),
    CosineGeneratorConfig(hidden_sizes=(8, 6), radius=4),
    CosineGeneratorConfig(hidden_sizes=(8, 6), radius=4, num_factors=3),
]
CRITICS: list[AbstractCriticConfig] = [ConvCriticConfig(width=4), MLPCriticConfig(hidden_sizes=(8, 6))]
SHAPES = [(1, 28, 28), (1, 8, 8), (3, 32, 32), (1, 14, 14), (3, 64, 64), (1, 7, 7), (1, 4, 4), (3, 5, 5), (1, 128, 128),
          (3, 33, 33), (1, 9, 40), (2, 100, 4)]  # fmt: skip
SMALL = (1, 9, 9)

every_generator = pytest.mark.parametrize("config", GENERATORS, ids=lambda config: type(config).__name__)
every_critic = pytest.mark.parametrize("config", CRITICS, ids=lambda config: type(config).__name__)
every_network = pytest.mark.parametrize("config", [*GENERATORS, *CRITICS], ids=lambda config: type(config).__name__)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(config: AbstractGeneratorConfig | AbstractCriticConfig, rng: torch.Generator) -> torch.nn.Module:
    if isinstance(config, AbstractGeneratorConfig):
        return config.build(SMALL, 3, 5, rng)
    return config.build(SMALL, 3, rng)


def inputs(config: AbstractGeneratorConfig | AbstractCriticConfig, *lead: int) -> tuple[Tensor, Tensor]:
    first = (5,) if isinstance(config, AbstractGeneratorConfig) else SMALL
    return torch.rand(*lead, *first, generator=seeded(1)), torch.randint(0, 3, lead, generator=seeded(2))


def num_parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@every_shape
@every_generator
def test_generators_draw_every_shape_in_the_unit_range(
    config: AbstractGeneratorConfig, shape: tuple[int, int, int]
) -> None:
    latent = 50 * torch.randn(2, 5, generator=seeded(1))
    image = config.build(shape, 3, 5, seeded())(latent, torch.tensor([0, 2]))
    assert image.shape == (2, *shape)
    assert image.dtype == torch.float32
    assert 0 <= image.min() <= image.max() <= 1
    assert config.build(shape, 0, 5, seeded())(latent, None).shape == (2, *shape)


@every_shape
@every_critic
def test_critics_score_every_shape(config: AbstractCriticConfig, shape: tuple[int, int, int]) -> None:
    image = torch.rand(2, *shape, generator=seeded(1))
    assert config.build(shape, 3, seeded())(image, torch.tensor([0, 2])).shape == (2,)
    assert config.build(shape, 0, seeded())(image, None).shape == (2,)


def test_dense_critics_score_views_smaller_than_any_image() -> None:
    critic = MLPCriticConfig(hidden_sizes=(8,)).build((3, 1, 2), 3, seeded())
    assert critic(torch.rand(2, 3, 1, 2, generator=seeded(1)), torch.tensor([0, 2])).shape == (2,)


@every_generator
def test_every_pixel_depends_on_the_latent(config: AbstractGeneratorConfig) -> None:
    image = config.build((1, 28, 28), 3, 5, seeded())(
        torch.randn(64, 5, generator=seeded(1)), torch.zeros(64, dtype=torch.int64)
    )
    assert image.std(dim=0).min() > 1e-4


@every_network
def test_the_class_changes_the_output(config: AbstractGeneratorConfig | AbstractCriticConfig) -> None:
    network, (x, label) = built(config, seeded()), inputs(config, 4)
    assert (network(x, label) - network(x, (label + 1) % 3)).abs().max() > 1e-4


@every_network
def test_initial_weights_come_from_the_given_stream_alone(
    config: AbstractGeneratorConfig | AbstractCriticConfig,
) -> None:
    before = torch.get_rng_state()
    one, same, other = built(config, seeded()), built(config, seeded()), built(config, seeded(1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert all(torch.isfinite(parameter).all() for parameter in one.parameters())


@every_network
@pytest.mark.parametrize("training", [True, False])
def test_asking_changes_nothing(config: AbstractGeneratorConfig | AbstractCriticConfig, training: bool) -> None:
    network, (x, label) = built(config, seeded()).train(training), inputs(config, 4)
    state, stream = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    first = network(x, label)
    first.sum().backward()
    assert torch.equal(first, network(x, label))
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    assert torch.equal(stream, torch.get_rng_state())


@every_network
def test_a_sample_does_not_depend_on_its_batch(config: AbstractGeneratorConfig | AbstractCriticConfig) -> None:
    network, (x, label) = built(config, seeded()), inputs(config, 6)
    torch.testing.assert_close(network(x, label)[2:3], network(x[2:3], label[2:3]), rtol=1e-5, atol=1e-6)


@every_network
def test_stacked_networks_answer_as_they_do_alone(config: AbstractGeneratorConfig | AbstractCriticConfig) -> None:
    networks = [built(config, seeded(seed)) for seed in range(3)]
    parameters, buffers = stack_module_state(networks)
    x, label = inputs(config, 3, 4)
    answers = vmap(lambda p, b, x, y: functional_call(networks[0], (p, b), (x, y)))(parameters, buffers, x, label)
    for index, network in enumerate(networks):
        torch.testing.assert_close(answers[index], network(x[index], label[index]), rtol=1e-4, atol=1e-5)


@every_critic
def test_stacked_gradient_penalties_equal_those_of_single_critics(config: AbstractCriticConfig) -> None:
    critics = [built(config, seeded(seed)) for seed in range(3)]
    parameters, buffers = stack_module_state(critics)
    x, label = inputs(config, 3, 4)

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        slope = grad(lambda image: functional_call(critics[0], (parameters, buffers), (image, label)).sum())(x)
        score = functional_call(critics[0], (parameters, buffers), (x, label))
        return (slope.flatten(1).norm(dim=1) - 1).square().mean() + score.mean()

    stacked = vmap(grad(loss))(parameters, buffers, x, label)
    for index, critic in enumerate(critics):
        image = x[index].clone().requires_grad_()
        score = critic(image, label[index])
        slope = torch.autograd.grad(score.sum(), image, create_graph=True)[0]
        ((slope.flatten(1).norm(dim=1) - 1).square().mean() + score.mean()).backward()
        for name, parameter in critic.named_parameters():
            torch.testing.assert_close(stacked[name][index], parameter.grad, rtol=1e-4, atol=1e-5)


def test_published_resnet_generator_has_the_published_size() -> None:
    # Dense 20 -> 4096: 20 x 4096 + 4096 = 86,016. A block: two 3x3 convolutions 256 -> 256 of 589,824 + 256 = 590,080
    # and a 1x1 shortcut of 65,536 + 256 = 65,792, together 1,245,952; three blocks 3,737,856. Last 3x3 convolution
    # 256 -> 1: 2,304 + 1 = 2,305. Sum 86,016 + 3,737,856 + 2,305.
    generator = ResNetGeneratorConfig().build((1, 28, 28), 10, 10, seeded())
    assert generator.grid == (256, 4, 4)
    assert num_parameters(generator) == 3_826_177


def test_published_dcgan_generator_has_the_published_size() -> None:
    # Dense 20 -> 4096: 86,016. Transposed 5x5 256 -> 128: 819,200 + 128; 128 -> 64: 204,800 + 64; 8x8 64 -> 1:
    # 4,096 + 1. Sum 86,016 + 819,328 + 204,864 + 4,097.
    generator = DCGANGeneratorConfig().build((1, 28, 28), 10, 10, seeded())
    assert generator.start == (256, 4, 4)
    assert list(generator.grids) == [(7, 7), (11, 11), (28, 28)]
    assert num_parameters(generator) == 1_114_305


def test_published_critic_has_the_published_size() -> None:
    # 5x5 convolutions 1 -> 64: 1,600 + 64; 64 -> 128: 204,800 + 128; 128 -> 256: 819,200 + 256. Features
    # 256 x 4 x 4 = 4,096: dense 4,096 + 1, embedding 10 x 4,096. Sum 1,664 + 204,928 + 819,456 + 4,097 + 40,960.
    assert num_parameters(ConvCriticConfig().build((1, 28, 28), 10, seeded())) == 1_071_105


def test_small_critic_has_the_size_of_the_trials() -> None:
    # 49 -> 64 -> 64 -> 1 and ten class vectors of 64: 3,136 + 64 + 4,096 + 64 + 64 + 1 + 640.
    assert num_parameters(MLPCriticConfig().build((1, 7, 7), 10, seeded())) == 8_065


def roughness(config: AbstractGeneratorConfig) -> float:
    """Mean change over one pixel against that over four: near 1/4 for a smooth image, near 1 for a rough one."""
    image = config.build((1, 28, 28), 10, 10, seeded())(torch.randn(16, 10, generator=seeded(1)), torch.arange(16) % 10)
    return ((image[..., 1:] - image[..., :-1]).abs().mean() / (image[..., 4:] - image[..., :-4]).abs().mean()).item()


def test_cosine_generator_draws_smooth_images_where_a_dense_layer_draws_rough_ones() -> None:
    assert roughness(CosineGeneratorConfig(radius=8)) < 0.5
    assert roughness(MLPGeneratorConfig()) > 0.8


def test_cosine_generator_starts_near_one_dark_image_and_its_table_holds_one_row_a_class() -> None:
    generator = CosineGeneratorConfig(gain=1e-6, table_gain=1e-3).build((3, 8, 8), 4, 5, seeded())
    images = generator(torch.randn(4, 5, generator=seeded(1)), torch.arange(4))
    assert torch.allclose(images, torch.sigmoid(torch.tensor(-2.0)).expand_as(images), atol=1e-4)
    with torch.no_grad():
        generator.table[2] += 1e3
    changed = (generator(torch.randn(4, 5, generator=seeded(1)), torch.arange(4)) != images).flatten(1).any(dim=1)
    assert changed.tolist() == [False, False, True, False]


def test_the_factors_of_a_class_move_its_samples_along_their_own_latents_and_no_other_class() -> None:
    config = CosineGeneratorConfig(gain=1e-6, table_gain=1e-3, num_factors=2)
    generator = config.build((1, 8, 8), 3, 5, seeded())
    latents, label = torch.randn(4, 5, generator=seeded(1)), torch.tensor([0, 1, 1, 2])
    latents[2, 2] = 0.0
    images = generator(latents, label)
    with torch.no_grad():
        generator.factors[1].view(2, -1)[1] += 1.0
    assert (generator(latents, label) != images).flatten(1).any(dim=1).tolist() == [False, True, False, False]


def test_contrast_and_truncation_change_a_finished_generator_alone() -> None:
    plain = CosineGeneratorConfig(num_factors=2)
    changed = CosineGeneratorConfig(num_factors=2, contrast=1.5, truncation=0.5)
    latents, label = torch.randn(4, 5, generator=seeded(1)), torch.tensor([0, 1, 1, 2])
    shorter = torch.cat([latents[:, :1], 0.5 * latents[:, 1:]], dim=1)
    first, second = (config.build((1, 8, 8), 3, 5, seeded()) for config in (plain, changed))
    assert torch.equal(first(latents, label), second(latents, label))
    first.eval(), second.eval()
    logits = torch.logit(first(shorter, label))
    expected = torch.sigmoid(1.5 * (logits + 2.0) - 2.0)
    assert torch.allclose(second(latents, label), expected, atol=1e-5)


def test_a_latent_too_short_for_factors_and_motions_is_refused() -> None:
    config = CosineGeneratorConfig(num_factors=4, shift=0.1)
    assert config.build((1, 8, 8), 3, 10, seeded()) is not None
    with pytest.raises(InputError, match="exceed 9"):
        config.build((1, 8, 8), 3, 9, seeded())


@every_network
def test_configs_are_frozen(config: AbstractGeneratorConfig | AbstractCriticConfig) -> None:
    with pytest.raises(FrozenInstanceError):
        config.width = 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: ResNetGeneratorConfig(width=0),
        lambda: DCGANGeneratorConfig(width=-1),
        lambda: ConvCriticConfig(width=0),
        lambda: MLPGeneratorConfig(hidden_sizes=()),
        lambda: MLPCriticConfig(hidden_sizes=(3, 0)),
        lambda: CosineGeneratorConfig(radius=0.0),
        lambda: CosineGeneratorConfig(num_factors=-1),
        lambda: CosineGeneratorConfig(smoothness=float("nan")),
        lambda: DCGANGeneratorConfig().build((1, 3, 28), 0, 2, seeded()),
        lambda: DCGANGeneratorConfig().build((1, 28, 129), 0, 2, seeded()),
        lambda: MLPGeneratorConfig().build((0, 28, 28), 0, 2, seeded()),
        lambda: DCGANGeneratorConfig().build((28, 28), 0, 2, seeded()),
        lambda: MLPGeneratorConfig().build((28,), 0, 2, seeded()),
        lambda: MLPGeneratorConfig().build((1, 28, 28), -1, 2, seeded()),
        lambda: MLPGeneratorConfig().build((1, 28, 28), 0, 0, seeded()),
        lambda: ConvCriticConfig().build((1, 2, 2), 0, seeded()),
        lambda: MLPCriticConfig().build((1, 0, 2), 0, seeded()),
    ],
)
def test_numbers_out_of_range_are_refused_in_one_line(make) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert "\n" not in str(error.value)


@every_network
def test_labels_are_asked_for_exactly_when_there_are_classes(
    config: AbstractGeneratorConfig | AbstractCriticConfig,
) -> None:
    x, label = inputs(config, 4)
    with pytest.raises(InputError, match="missing"):
        built(config, seeded())(x, None)
    shape = (SMALL, 0, 5) if isinstance(config, AbstractGeneratorConfig) else (SMALL, 0)
    with pytest.raises(InputError, match="unconditional"):
        config.build(*shape, seeded())(x, label)


@every_generator
def test_a_latent_of_another_length_is_refused(config: AbstractGeneratorConfig) -> None:
    with pytest.raises(InputError, match="latent"):
        built(config, seeded())(torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64))
