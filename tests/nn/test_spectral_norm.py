"""Spectral norm: right values, a pure forward pass, an explicit iteration."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.utils.parametrizations import spectral_norm

from gossamer.nn.spectral_norm import (
    AbstractSpectralNorm,
    SpectralNormConv1d,
    SpectralNormConv2d,
    SpectralNormEmbedding,
    SpectralNormLinear,
    advance,
    advanced_buffers,
)

LINEAR_IN, LINEAR_OUT = 12, 7


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layers() -> list[tuple[AbstractSpectralNorm, Tensor, nn.Module]]:
    """Each layer, an input for it, and torch's layer of the same shape."""
    return [
        (SpectralNormLinear(LINEAR_IN, LINEAR_OUT, rng=seeded(0)), torch.randn(5, LINEAR_IN, generator=seeded(1)),
         nn.Linear(LINEAR_IN, LINEAR_OUT)),
        (SpectralNormConv2d(3, 6, 5, stride=2, padding=2, rng=seeded(0)), torch.randn(2, 3, 9, 9, generator=seeded(1)),
         nn.Conv2d(3, 6, 5, stride=2, padding=2)),
        (SpectralNormEmbedding(4, 9, rng=seeded(0)), torch.eye(4), nn.Embedding(4, 9)),
        (SpectralNormConv1d(3, 6, 5, stride=2, padding=2, rng=seeded(0)), torch.randn(2, 3, 20, generator=seeded(1)),
         nn.Conv1d(3, 6, 5, stride=2, padding=2)),
    ]  # fmt: skip


CASES = pytest.mark.parametrize("case", range(4), ids=["linear", "conv", "embedding", "conv in time"])


def torch_twin(layer: AbstractSpectralNorm, twin: nn.Module) -> nn.Module:
    """Torch's own spectral norm with the same weight, bias and u; v as torch leaves it after an iteration."""
    twin = spectral_norm(twin)
    original, state = twin.parametrizations.weight.original, twin.parametrizations.weight[0]
    with torch.no_grad():
        original.copy_(layer.weight)
        if isinstance(twin, nn.Linear | nn.Conv1d | nn.Conv2d):
            twin.bias.copy_(layer.bias)
        state._u.copy_(layer.u)
        state._v.copy_(nn.functional.normalize(layer.as_matrix(layer.weight).T @ layer.u, dim=0))
    return twin


def unsettle(layer: AbstractSpectralNorm) -> None:
    """Move u far from convergence, so that a test cannot pass by having converged."""
    layer.u.copy_(nn.functional.normalize(torch.randn(layer.u.shape, generator=seeded(5)), dim=0))


@CASES
def test_answers_and_weight_gradients_equal_torch_at_the_same_u(case: int) -> None:
    layer, x, twin = layers()[case]
    unsettle(layer)
    twin = torch_twin(layer, twin).eval()
    expected = twin(torch.arange(4) if case == 2 else x)
    answer = layer(x)
    torch.testing.assert_close(answer, expected, rtol=0, atol=1e-6)
    ours = torch.autograd.grad(answer.square().sum(), layer.weight)[0]
    theirs = torch.autograd.grad(expected.square().sum(), twin.parametrizations.weight.original)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@CASES
def test_one_advance_equals_one_training_pass_of_torch(case: int) -> None:
    layer, x, twin = layers()[case]
    unsettle(layer)
    twin = torch_twin(layer, twin).train()
    before = layer.u.clone()
    expected = twin(torch.arange(4) if case == 2 else x)
    advance(layer)
    torch.testing.assert_close(layer.u, twin.parametrizations.weight[0]._u, rtol=0, atol=1e-6)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-6)
    assert (layer.u - before).abs().max() > 1e-2


@CASES
def test_iteration_converges_to_the_largest_singular_value(case: int) -> None:
    layer, _, _ = layers()[case]
    unsettle(layer)
    advance(layer, num_iterations=300)
    norm = torch.linalg.matrix_norm(layer.as_matrix(layer.effective_weight()), ord=2)
    assert abs(norm.item() - 1.0) < 1e-5


@CASES
@pytest.mark.parametrize("training", [True, False])
def test_forward_and_backward_leave_state_bit_identical(case: int, training: bool) -> None:
    layer, x, _ = layers()[case]
    unsettle(layer)
    layer.train(training)
    state, stream = copy.deepcopy(layer.state_dict()), torch.get_rng_state()
    first = layer(x)
    first.square().sum().backward()
    assert torch.equal(layer(x), first)
    assert all(torch.equal(state[name], tensor) for name, tensor in layer.state_dict().items())
    assert torch.equal(stream, torch.get_rng_state())


def test_the_purity_check_catches_torchs_own_spectral_norm() -> None:
    layer, x, twin = layers()[0]
    unsettle(layer)
    twin = torch_twin(layer, twin).train()
    before = twin.parametrizations.weight[0]._u.clone()
    twin(x)
    assert not torch.equal(before, twin.parametrizations.weight[0]._u)


class Tower(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        self.conv = SpectralNormConv2d(1, 4, 3, stride=2, padding=1, rng=seeded(seed))
        self.head = nn.Sequential(nn.Flatten(-3), SpectralNormLinear(36, 1, rng=seeded(seed + 100)))
        self.register_buffer("scale", torch.tensor(2.0))
        for layer in (self.conv, self.head[1]):
            unsettle(layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.head(torch.tanh(self.conv(x))).squeeze(-1)


def test_advanced_buffers_agree_with_advance_alone_stacked_and_under_vmap() -> None:
    towers = [Tower(seed) for seed in range(3)]
    parameters, buffers = stack_module_state(towers)
    kept = {name: tensor.clone() for name, tensor in buffers.items()}
    stacked = advanced_buffers(towers[0], parameters, buffers)
    mapped = vmap(lambda p, b: advanced_buffers(towers[0], p, b))(parameters, buffers)
    for index, tower in enumerate(towers):
        alone = advanced_buffers(tower, dict(tower.named_parameters()), dict(tower.named_buffers()))
        advance(tower)
        for name, expected in tower.named_buffers():
            torch.testing.assert_close(alone[name], expected)
            torch.testing.assert_close(stacked[name][index], expected)
            torch.testing.assert_close(mapped[name][index], expected)
            assert not stacked[name].requires_grad
    assert all(torch.equal(kept[name], buffers[name]) for name in kept)
    assert not torch.equal(kept["conv.u"], stacked["conv.u"])


def penalty_gradients(tower: Tower, x: Tensor) -> list[Tensor]:
    """Gradient of (|d score / d x| - 1)^2 by plain double backward."""
    x = x.clone().requires_grad_()
    slope = torch.autograd.grad(tower(x).sum(), x, create_graph=True)[0]
    penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    gradients = torch.autograd.grad(penalty, list(tower.parameters()), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, tower.parameters(), strict=True)]


def test_gradient_penalty_under_vmap_equals_plain_double_backward() -> None:
    towers = [Tower(seed) for seed in range(3)]
    parameters, buffers = stack_module_state(towers)
    x = torch.rand(3, 5, 1, 6, 6, generator=seeded(1))

    def penalty(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        slope = grad(lambda inner: functional_call(towers[0], (parameters, buffers), (inner,)).sum())(x)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()

    stacked = vmap(grad(penalty))(parameters, buffers, x)
    for index, tower in enumerate(towers):
        for name, expected in zip(stacked, penalty_gradients(tower, x[index]), strict=True):
            torch.testing.assert_close(stacked[name][index], expected, rtol=1e-4, atol=1e-6)
    assert stacked["conv.weight"].abs().max() > 1e-3


def test_a_zero_weight_gives_a_finite_answer() -> None:
    layer = SpectralNormLinear(3, 2, rng=seeded(0))
    nn.init.zeros_(layer.weight)
    assert torch.equal(layer(torch.ones(1, 3)), torch.zeros(1, 2))
