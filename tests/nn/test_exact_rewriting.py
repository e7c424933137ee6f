"""Every rewriting for speed gives what the plain form gives: to rounding in float64, or bit for bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from gossamer.nn.conv_critic import AbstractConvCritic
from gossamer.nn.ensemble import Ensemble, adam_step, outputs, scores_and_slopes, stack
from gossamer.nn.images.dcgan import DCGANGenerator
from gossamer.nn.images.mlp import MLPCritic
from gossamer.nn.images.motions import Motions, warped
from gossamer.nn.images.network import cropped
from gossamer.nn.images.resnet import ResNetGenerator
from gossamer.nn.images.settings import (
    ConvCriticConfig,
    DCGANGeneratorConfig,
    MLPCriticConfig,
    ResNetGeneratorConfig,
)
from gossamer.nn.network import channel_norm, transposed_product
from gossamer.nn.series.settings import SeriesConvCriticConfig
from gossamer.nn.settings import AbstractCriticConfig, Adam
from gossamer.nn.spectral_norm import SpectralNormConv2d, SpectralNormDoublingConv2d, settled

CRITICS: dict[str, tuple[AbstractCriticConfig, tuple[int, ...]]] = {
    "conv": (ConvCriticConfig(width=3), (1, 28, 28)),
    "conv of odd sides": (ConvCriticConfig(width=3), (2, 9, 13)),
    "series": (SeriesConvCriticConfig(width=3), (2, 37)),
    "dense": (MLPCriticConfig(hidden_sizes=(7, 5)), (1, 6, 6)),
    "dense, of series": (MLPCriticConfig(hidden_sizes=(7,)), (2, 11)),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def critics(name: str, classes: int, num: int = 3) -> tuple[Ensemble, Tensor, Tensor | None]:
    """Stacked critics in float64, biases moved from zero, and samples with labels."""
    config, shape = CRITICS[name]
    networks = [config.build(shape, classes, seeded(seed)).double() for seed in range(num)]
    for network in networks:
        for parameter in network.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=seeded(9), dtype=torch.float64)
    samples = torch.rand(num, 4, *shape, generator=seeded(1), dtype=torch.float64)
    labels = torch.randint(0, classes, (num, 4), generator=seeded(2)) if classes else None
    return stack(networks), samples, labels


def penalty_gradients(ensemble: Ensemble, slope: Tensor, parameters: dict[str, Tensor]) -> list[Tensor]:
    penalty = (slope.flatten(start_dim=2).norm(dim=2) - 1).square().sum()
    found = torch.autograd.grad(penalty, list(parameters.values()), allow_unused=True)
    return [
        torch.zeros_like(one) if gradient is None else gradient
        for one, gradient in zip(parameters.values(), found, strict=True)
    ]


def by_double_backward(ensemble: Ensemble, parameters: dict[str, Tensor], x: Tensor, labels: Tensor | None) -> Tensor:
    points = x.clone().requires_grad_()
    scores = outputs(ensemble, parameters, points, labels)
    return torch.autograd.grad(scores.sum(), points, create_graph=True)[0]


@pytest.mark.parametrize("num", [1, 3])
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("name", CRITICS)
def test_a_slope_that_is_written_out_is_that_of_autograd_and_so_is_its_penalty(
    name: str, classes: int, num: int
) -> None:
    ensemble, samples, labels = critics(name, classes, num)
    parameters = {key: tensor.requires_grad_() for key, tensor in ensemble.parameters.items()}
    scored = samples.flip(1), labels
    scores, found = scores_and_slopes(ensemble, parameters, scored, (samples, labels))
    torch.testing.assert_close(scores, outputs(ensemble, parameters, *scored), rtol=1e-12, atol=1e-14)
    plain = by_double_backward(ensemble, parameters, samples, labels)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-14)
    gradients = penalty_gradients(ensemble, found, parameters)
    for one, other in zip(gradients, penalty_gradients(ensemble, plain, parameters), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-13)


def test_a_slope_without_the_kinks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def straight(self: AbstractConvCritic, weights: object, sample: Tensor, label: Tensor | None) -> Tensor:
        features = sample
        sides = []
        for conv in self.convs:
            sides.append(features.shape[2:])
            features = conv(features)
        slope = self.score.effective_weight().expand(len(sample), -1).unflatten(-1, features.shape[1:])
        for conv, side in zip(self.convs[::-1], sides[::-1], strict=True):
            slope = conv.turned_back(slope, conv.effective_weight(), side)
        return slope

    monkeypatch.setattr(AbstractConvCritic, "_slope", straight)
    with pytest.raises(AssertionError):
        test_a_slope_that_is_written_out_is_that_of_autograd_and_so_is_its_penalty("conv", 0, 1)


class Squared(MLPCritic):
    """A critic of somebody's own with another score, and the slope of the old one."""

    def forward(self, sample: Tensor, label: Tensor | None) -> Tensor:
        return super().forward(sample, label).square()


def test_a_subclass_with_a_score_of_its_own_has_that_scores_slope() -> None:
    network = Squared(MLPCriticConfig(hidden_sizes=(5,)), shape=(1, 6, 6), num_classes=0, rng=seeded())
    ensemble, samples = stack([network, network]), torch.rand(2, 4, 1, 6, 6, generator=seeded(1))
    _, found = scores_and_slopes(ensemble, ensemble.parameters, (samples, None), (samples, None))
    torch.testing.assert_close(found, by_double_backward(ensemble, ensemble.parameters, samples, None))


# ---- doubling and convolving -----------------------------------------------------------------------------------------


def doubled(features: Tensor) -> Tensor:
    return features.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)


@pytest.mark.parametrize("sides", [(4, 4), (3, 5), (1, 2)])
def test_doubling_and_convolving_are_one_transposed_convolution(sides: tuple[int, int]) -> None:
    layer = SpectralNormDoublingConv2d(3, 2, rng=seeded()).double()
    layer.bias.data += 0.3
    x = torch.rand(2, 3, *sides, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    plain = F.conv2d(doubled(x), layer.effective_weight(), layer.bias, padding=1)
    torch.testing.assert_close(layer(x), plain, rtol=1e-12, atol=1e-14)
    inputs = [x, layer.weight, layer.bias]
    found = torch.autograd.grad(layer(x).square().sum(), inputs)
    for one, other in zip(found, torch.autograd.grad(plain.square().sum(), inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


def test_a_kernel_that_is_not_turned_round_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from gossamer.nn import spectral_norm

    plain = spectral_norm._doubling_kernel
    monkeypatch.setattr(spectral_norm, "_doubling_kernel", lambda weight: plain(weight).flip(-1))
    with pytest.raises(AssertionError):
        test_doubling_and_convolving_are_one_transposed_convolution((4, 4))


def drawn_plainly(network: ResNetGenerator, latent: Tensor, label: Tensor) -> Tensor:
    """The published residual generator as anybody would write it: double, convolve, add, crop at the end."""

    def convolved(layer: nn.Module, x: Tensor, padding: int) -> Tensor:
        return F.conv2d(x, layer.effective_weight(), layer.bias, padding=padding)

    features = network.dense(network.joined(latent, label)).unflatten(-1, network.grid)
    features = channel_norm(F.relu(features))
    for block in network.blocks:
        main = convolved(block.first, doubled(channel_norm(features)), 1)
        main = convolved(block.second, F.relu(channel_norm(main)), 1)
        features = main + convolved(block.shortcut, doubled(features), 0)
    return torch.sigmoid(cropped(convolved(network.to_image, features, 1), network.shape[1:]))


@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 8, 8), (1, 27, 26), (1, 28, 32), (1, 30, 30), (1, 33, 33)])
def test_the_residual_generator_draws_what_its_plain_form_draws(shape: tuple[int, int, int]) -> None:
    network = ResNetGeneratorConfig(width=4).build(shape, 3, 5, seeded()).double()
    latent, label = torch.rand(3, 5, generator=seeded(1), dtype=torch.float64), torch.tensor([0, 2, 1])
    plain, found = drawn_plainly(network, latent, label), network(latent, label)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-13)
    weights = list(network.parameters())
    gradients = torch.autograd.grad(found.square().sum(), weights)
    for one, other in zip(gradients, torch.autograd.grad(plain.square().sum(), weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


# ---- products in place of convolutions, and weights that are computed once -------------------------------------------


def assert_alike(found: Tensor, plain: Tensor, inputs: list[Tensor]) -> None:
    """Assert that two results are the same but for rounding of float64, and the gradients of their squares too."""
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=1e-13)
    pairs = [torch.autograd.grad(one.square().sum(), inputs) for one in (found, plain)]
    for one, other in zip(*pairs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(5, 2, 2), (8, 2, 0), (3, 1, 0), (3, 1, 2)])
def test_one_product_and_sums_are_a_transposed_convolution(kernel: int, stride: int, padding: int) -> None:
    x = torch.randn(3, 4, 5, 6, generator=seeded(), dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 2, kernel, kernel, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    plain = F.conv_transpose2d(x, weight, stride=stride, padding=padding)
    assert_alike(transposed_product(x, weight, plain.shape[2:], stride=stride, padding=padding), plain, [x, weight])


def dcgan_drawn_plainly(network: DCGANGenerator, latent: Tensor, label: Tensor) -> Tensor:
    """The published generator as anybody would write it: one transposed convolution after the other."""
    features = network.dense(network.joined(latent, label)).unflatten(-1, network.start)
    for layer, grid in zip(network.layers, network.grids, strict=True):
        features = F.relu(features)
        features = features / (features.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
        features = cropped(layer(features), grid)
    return torch.sigmoid(features)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 13), (1, 40, 33)])
def test_the_transposed_generator_draws_what_its_plain_form_draws(shape: tuple[int, int, int]) -> None:
    network = DCGANGeneratorConfig(width=3).build(shape, 3, 5, seeded()).double()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=seeded(9), dtype=torch.float64)
    latent, label = torch.rand(3, 5, generator=seeded(1), dtype=torch.float64), torch.tensor([0, 2, 1])
    plain = dcgan_drawn_plainly(network, latent, label)
    assert_alike(network(latent, label), plain, list(network.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_norm_of_pixels_by_a_sum_is_that_by_a_mean_bit_for_bit(dtype: torch.dtype) -> None:
    features = torch.randn(3, 64, 5, 4, generator=seeded()).to(dtype)
    for order in (torch.contiguous_format, torch.channels_last):
        x = features.contiguous(memory_format=order)
        assert torch.equal(channel_norm(x), x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8))


@pytest.mark.parametrize("turned", [0.0, 1.0], ids=["converged", "turned away"])
def test_the_gradient_of_an_effective_weight_is_that_of_autograd(turned: float) -> None:
    layer = SpectralNormConv2d(3, 4, 3, rng=seeded()).double()
    layer.u = F.normalize(layer.u + turned * torch.randn(4, generator=seeded(1), dtype=torch.float64), dim=0)
    matrix = layer.as_matrix(layer.weight)
    v = F.normalize(matrix.detach().T @ layer.u, dim=0)
    assert_alike(layer.effective_weight().sin(), (layer.weight / (layer.u @ matrix @ v)).sin(), [layer.weight])


def residual() -> tuple[ResNetGenerator, Tensor, Tensor]:
    network = ResNetGeneratorConfig(width=4).build((1, 28, 28), 3, 5, seeded()).double()
    return network, torch.rand(3, 5, generator=seeded(1), dtype=torch.float64), torch.tensor([0, 2, 1])


def test_settled_weights_draw_what_the_weights_draw_and_are_forgotten_afterwards() -> None:
    network, latent, label = residual()
    plain = network(latent, label)
    with torch.no_grad(), settled(network):
        torch.testing.assert_close(network(latent, label), plain, rtol=1e-12, atol=1e-13)
        for parameter in network.parameters():
            parameter *= 3 if parameter.dim() > 1 else 1
        network.dense.weight += torch.randn(network.dense.weight.shape, generator=seeded(3), dtype=torch.float64)
        # Within, a change of the weights is not seen: this is why nothing may change them.
        torch.testing.assert_close(network(latent, label), plain, rtol=1e-12, atol=1e-13)
    assert not torch.allclose(network(latent, label), plain)
    assert network(latent, label).requires_grad


def test_settled_weights_are_forgotten_after_an_error() -> None:
    network, _, _ = residual()
    with pytest.raises(ZeroDivisionError), settled(network):
        raise ZeroDivisionError
    assert all(getattr(layer, "_settled", None) is None for layer in network.modules())


# ---- stacked networks ------------------------------------------------------------------------------------------------


def adam_as_it_was(ensemble: Ensemble, gradient: dict[str, Tensor], adam: Adam) -> Ensemble:
    """Adam by rows with a choice between old and new for each tensor, as it stood before it took fewer passes."""
    is_finite = torch.stack([g.flatten(start_dim=1).isfinite().all(dim=1) for g in gradient.values()]).all(dim=0)
    count = (ensemble.num_updates + 1).double()
    correction1, correction2 = 1 - adam.beta1**count, 1 - adam.beta2**count
    step_size = (adam.learning_rate * correction2.sqrt() / correction1).float()
    stabiliser = (adam.stabiliser * correction2.sqrt()).float()
    parameters, first, second = {}, {}, {}
    for name, g in gradient.items():
        moment1 = torch.lerp(g, ensemble.first_moment[name], adam.beta1)
        moment2 = torch.lerp(g * g, ensemble.second_moment[name], adam.beta2)
        rows = (-1,) + (1,) * (g.dim() - 1)
        change = step_size.view(rows) * moment1 / (moment2.sqrt() + stabiliser.view(rows))
        keep = is_finite.view(rows)
        parameters[name] = torch.where(keep, ensemble.parameters[name] - change, ensemble.parameters[name])
        first[name] = torch.where(keep, moment1, ensemble.first_moment[name])
        second[name] = torch.where(keep, moment2, ensemble.second_moment[name])
    return replace(ensemble, parameters=parameters, first_moment=first, second_moment=second,
                   num_updates=ensemble.num_updates + is_finite)  # fmt: skip


@pytest.mark.parametrize("value", [0.0, float("inf"), float("nan"), 1e15])
@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_adam_in_fewer_passes_is_adam_bit_for_bit(beta1: float, value: float) -> None:
    adam = Adam(learning_rate=1e-2, beta1=beta1)
    found = plain = stack([ConvCriticConfig(width=2).build((1, 8, 8), 3, seeded(seed)) for seed in range(4)])
    for step in range(3):
        gradient = {name: torch.randn(one.shape, generator=seeded(step)) for name, one in found.parameters.items()}
        gradient["score.weight"][2, 0, 1] += value
        found, plain = adam_step(found, gradient, adam), adam_as_it_was(plain, gradient, adam)
        for name, tensor in found.state_dict().items():
            assert torch.equal(tensor, plain.state_dict()[name]), name


def test_a_network_without_sides_keeps_its_own_state() -> None:
    one = nn.Module()
    one.scale = nn.Parameter(torch.tensor(2.0))
    pair = stack([one, one])
    after = adam_step(pair, {"scale": torch.tensor([1.0, float("nan")])}, Adam(learning_rate=0.5))
    assert after.parameters["scale"].tolist() == pytest.approx([1.5, 2.0])
    assert after.num_updates.tolist() == [1, 0]


@pytest.mark.parametrize("name", CRITICS)
def test_a_stack_of_one_scores_as_the_network_alone(name: str) -> None:
    ensemble, samples, labels = critics(name, 3, 1)
    assert labels is not None
    state = {key: tensor[0] for key, tensor in (ensemble.parameters | ensemble.buffers).items()}
    alone = functional_call(ensemble.template, state, (samples[0], labels[0]))
    assert torch.equal(outputs(ensemble, ensemble.parameters, samples, labels)[0], alone)


# ---- moved images ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (3, 3, 9, 13)])
def test_moved_images_and_their_slopes_are_those_of_an_affine_grid(shape: tuple[int, ...]) -> None:
    images = torch.randn(shape, generator=seeded(), dtype=torch.float64).requires_grad_()
    normal = torch.randn(shape[0], 5, generator=seeded(1), dtype=torch.float64)
    maps = Motions(rotation=0.3, shear=0.2, zoom=0.2, shift=0.1).maps(normal).requires_grad_()
    moved = warped(images, maps)
    grid = F.affine_grid(maps, list(shape), align_corners=False)
    plain = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    weights = torch.randn(shape, generator=seeded(2), dtype=torch.float64)
    assert torch.allclose(moved, plain, atol=1e-12)
    found, expected = (torch.autograd.grad((one * weights).sum(), (images, maps)) for one in (moved, plain))
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-10)
