"""Every network runs forward and backward in float32 and in bfloat16, on the CPU and on a GPU if there is one."""

from __future__ import annotations

import typing

import own_networks
import pytest
import torch
from torch import Tensor, nn

from gossamer.nn.choices import CriticConfig, DiscriminatorConfig, GeneratorConfig
from gossamer.nn.devices import mixed_precision
from gossamer.nn.images.settings import (
    ConvCriticConfig,
    CosineGeneratorConfig,
    DCGANGeneratorConfig,
    MERFGeneratorConfig,
    MixtureGeneratorConfig,
    MLPCriticConfig,
    MLPDiscriminatorConfig,
    MLPGeneratorConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.labelled_settings import LabelledGeneratorConfig
from gossamer.nn.series.settings import (
    FoldedGeneratorConfig,
    SeriesConvCriticConfig,
    SeriesConvDiscriminatorConfig,
    SeriesConvGeneratorConfig,
    SeriesMERFGeneratorConfig,
    SeriesMixtureGeneratorConfig,
    StretchedGeneratorConfig,
)
from gossamer.nn.series.slow_time import SlowTime
from gossamer.nn.settings import AbstractCriticConfig, AbstractGeneratorConfig
from gossamer.nn.spectral_norm import SpectralNormConv2d

IMAGE, SERIES, CLASSES = (1, 12, 12), (2, 24), 3
GENERATORS = {
    "resnet": (ResNetGeneratorConfig(width=4), IMAGE),
    "dcgan": (DCGANGeneratorConfig(width=2), IMAGE),
    "mlp": (MLPGeneratorConfig(hidden_sizes=(6,)), IMAGE),
    "mlp of series": (MLPGeneratorConfig(hidden_sizes=(6,)), SERIES),
    "cosine": (CosineGeneratorConfig(hidden_sizes=(6,), radius=4, num_factors=2, rotation=0.1), IMAGE),
    "cosine of series": (CosineGeneratorConfig(hidden_sizes=(6,), radius=4), SERIES),
    "merf": (MERFGeneratorConfig(), IMAGE),
    "mixture": (MixtureGeneratorConfig(num_directions=3), IMAGE),
    "labelled": (LabelledGeneratorConfig(mixture=MixtureGeneratorConfig(num_directions=3)), IMAGE),
    "series": (SeriesConvGeneratorConfig(width=2), SERIES),
    "folded": (FoldedGeneratorConfig(row=6, image=ResNetGeneratorConfig(width=2)), SERIES),
    "stretched": (StretchedGeneratorConfig(hidden_sizes=(6,), time=SlowTime(count=8)), SERIES),
    "merf of series": (SeriesMERFGeneratorConfig(), SERIES),
    "mixture of series": (SeriesMixtureGeneratorConfig(num_directions=3), SERIES),
    "own": (own_networks.OwnGeneratorConfig(), IMAGE),
}
CRITICS = {
    "conv": (ConvCriticConfig(width=2), IMAGE),
    "mlp": (MLPCriticConfig(hidden_sizes=(5,)), IMAGE),
    "series": (SeriesConvCriticConfig(width=2), SERIES),
    "mlp of series": (MLPCriticConfig(hidden_sizes=(5,)), SERIES),
    "own": (own_networks.OwnCriticConfig(), IMAGE),
    "discriminator": (MLPDiscriminatorConfig(hidden_sizes=(5,)), IMAGE),
    "discriminator of series": (SeriesConvDiscriminatorConfig(width=2), SERIES),
}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
on_every_device = pytest.mark.parametrize("device", DEVICES)
in_every_precision = pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator(name: str) -> tuple[nn.Module, int]:
    config, shape = GENERATORS[name]
    find = getattr(config, "latent_dim", None)
    latent_dim = 9 if find is None else find(shape)
    return config.build(shape, CLASSES, latent_dim, seeded()), latent_dim


def computed(network: nn.Module, first: Tensor, device: str, precision: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """The output and all gradients of its sum of squares."""
    network, labels = network.to(device), torch.tensor([0, 1, 2, 1], device=device)
    with mixed_precision(torch.device(device), precision):
        out = network(first.to(device), labels).float()
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(out.square().sum(), learning, allow_unused=True) if out.requires_grad else ()
    return out, [gradient for gradient in found if gradient is not None]


def test_no_network_is_left_out() -> None:
    named = {type(config) for config, _ in (*GENERATORS.values(), *CRITICS.values())}
    kinds = {kind for union in (GeneratorConfig, CriticConfig, DiscriminatorConfig) for kind in typing.get_args(union)}
    assert kinds - {AbstractGeneratorConfig, AbstractCriticConfig} <= named


@on_every_device
@in_every_precision
@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_draws_and_learns(name: str, precision: torch.dtype, device: str) -> None:
    network, latent_dim = generator(name)
    latent = torch.rand(4, latent_dim, generator=seeded(1))
    out, gradients = computed(network, latent, device, precision)
    whole, _ = computed(network, latent, device, torch.float32)
    assert out.isfinite().all()
    assert torch.allclose(out, whole, atol=0.05)
    assert all(gradient.isfinite().all() and gradient.dtype == torch.float32 for gradient in gradients)


@on_every_device
@in_every_precision
@pytest.mark.parametrize("name", CRITICS)
def test_every_critic_scores_and_learns(name: str, precision: torch.dtype, device: str) -> None:
    config, shape = CRITICS[name]
    network, sample = config.build(shape, CLASSES, seeded()), torch.rand(4, *shape, generator=seeded(1))
    out, gradients = computed(network, sample, device, precision)
    whole, _ = computed(network, sample, device, torch.float32)
    assert torch.allclose(out, whole, atol=0.1)
    assert gradients
    assert all(gradient.isfinite().all() and gradient.dtype == torch.float32 for gradient in gradients)


def test_the_effective_weight_is_that_of_float32_under_autocast() -> None:
    layer = SpectralNormConv2d(2, 3, 3, rng=seeded())
    whole = layer.weight / (layer.u @ layer.as_matrix(layer.weight)).norm()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(layer.effective_weight(), whole, rtol=1e-6)


def test_a_norm_that_is_computed_under_autocast_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gossamer.nn.spectral_norm._without_autocast", lambda weight: torch.autocast("cpu", enabled=True)
    )
    with pytest.raises((AssertionError, RuntimeError)):
        test_the_effective_weight_is_that_of_float32_under_autocast()
