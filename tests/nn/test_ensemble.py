"""Stacked networks: trained together, each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gossamer.nn.ensemble import Ensemble, adam_step, differentiable, gradients, outputs, stack
from gossamer.nn.images.settings import ConvCriticConfig, MLPCriticConfig
from gossamer.nn.settings import Adam
from gossamer.nn.spectral_norm import advance, advanced_buffers

SHAPE, CLASSES, K, BATCH = (1, 8, 8), 3, 4, 5
ADAM = Adam(learning_rate=1e-3)
CRITICS = [MLPCriticConfig(hidden_sizes=(6, 5)), ConvCriticConfig(width=2)]


def critics(config: MLPCriticConfig | ConvCriticConfig, num: int = K, first_seed: int = 0) -> list[nn.Module]:
    return [config.build(SHAPE, CLASSES, torch.Generator().manual_seed(first_seed + seed)) for seed in range(num)]


def batch(step: int, num: int = K) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(100 + step)
    return (
        torch.rand(num, BATCH, *SHAPE, generator=rng),
        torch.randint(0, CLASSES, (num, BATCH), generator=rng),
        torch.randn(num, BATCH, generator=rng),
    )


def stacked_step(ensemble: Ensemble, step: int, spoil: Callable[[dict[str, Tensor]], None] | None = None) -> Ensemble:
    images, labels, targets = batch(step, ensemble.num_networks)
    ensemble = ensemble.with_state(
        ensemble.state_dict()
        | {
            f"buffers/{name}": tensor
            for name, tensor in advanced_buffers(ensemble.template, ensemble.parameters, ensemble.buffers).items()
        }
    )
    parameters = differentiable(ensemble.parameters)
    losses = (outputs(ensemble, parameters, images, labels) - targets).square().mean(dim=1)
    found = gradients(losses, parameters)
    if spoil is not None:
        spoil(found)
    return adam_step(ensemble, found, ADAM)


def same(first: Ensemble, second: Ensemble, rows: list[int] | None = None) -> bool:
    one, two = first.state_dict(), second.state_dict()
    chosen = slice(None) if rows is None else rows
    return one.keys() == two.keys() and all(torch.equal(one[name][chosen], two[name][chosen]) for name in one)


@pytest.mark.parametrize("config", CRITICS)
def test_stacked_training_is_that_of_each_network_alone_with_the_adam_of_torch(
    config: MLPCriticConfig | ConvCriticConfig,
) -> None:
    alone, together = critics(config), stack(critics(config))
    optimisers = [
        torch.optim.Adam(network.parameters(), lr=ADAM.learning_rate, betas=(ADAM.beta1, ADAM.beta2))
        for network in alone
    ]
    for step in range(6):
        together = stacked_step(together, step)
        for row, (network, optimiser) in enumerate(zip(alone, optimisers, strict=True)):
            images, labels, targets = (part[row] for part in batch(step))
            advance(network)
            optimiser.zero_grad()
            (network(images, labels) - targets).square().mean().backward()
            optimiser.step()
    for row, network in enumerate(alone):
        for name, tensor in network.named_parameters():
            assert torch.allclose(together.parameters[name][row], tensor, atol=1e-5, rtol=0), name
        for name, tensor in network.named_buffers():
            assert torch.allclose(together.buffers[name][row], tensor, atol=1e-5, rtol=0), name
    assert together.num_updates.tolist() == [6] * K


def test_the_conv_critics_do_have_buffers_and_training_moves_them() -> None:
    before = stack(critics(CRITICS[1]))
    after = stacked_step(stacked_step(before, 0), 1)
    assert before.buffers
    wide = {name: tensor for name, tensor in before.buffers.items() if tensor.numel() > K}
    assert all(not torch.equal(after.buffers[name], tensor) for name, tensor in wide.items())


@pytest.mark.parametrize("config", CRITICS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_stops_its_own_network_for_a_step_and_no_other_notices(
    config: MLPCriticConfig | ConvCriticConfig, value: float
) -> None:
    start = stacked_step(stack(critics(config)), 0)

    def spoil(found: dict[str, Tensor]) -> None:
        next(iter(found.values()))[2].view(-1)[0] = value

    clean, spoilt = stacked_step(start, 1), stacked_step(start, 1, spoil)
    others = [0, 1, 3]
    assert same(clean, spoilt, others)
    for group in ("parameters", "first_moment", "second_moment"):
        for name, tensor in getattr(spoilt, group).items():
            assert torch.equal(tensor[2], getattr(start, group)[name][2])
    assert spoilt.num_updates.tolist() == [2, 2, 1, 2]


@pytest.mark.parametrize("config", CRITICS)
def test_what_one_network_sees_changes_no_other_bit_for_bit(config: MLPCriticConfig | ConvCriticConfig) -> None:
    start = stack(critics(config))

    def trained(other: float) -> tuple[Ensemble, Tensor]:
        images, labels, _ = batch(0)
        images = images.clone()
        images[1] = other
        parameters = differentiable(start.parameters)
        scores = outputs(start, parameters, images, labels)
        return adam_step(start, gradients(scores.square().mean(dim=1), parameters), ADAM), scores.detach()

    (first, scores), (second, other_scores) = trained(0.2), trained(float("nan"))
    assert same(first, second, [0, 2, 3])
    assert torch.equal(scores[[0, 2, 3]], other_scores[[0, 2, 3]])
    assert bool(other_scores[1].isnan().all())


def test_select_copies_in_the_order_given_with_repeats() -> None:
    ensemble = stacked_step(stack(critics(CRITICS[0])), 0)
    chosen = ensemble.select(torch.tensor([3, 0, 3]))
    assert chosen.num_networks == 3
    for name, tensor in ensemble.state_dict().items():
        assert torch.equal(chosen.state_dict()[name], tensor[[3, 0, 3]])
        assert chosen.state_dict()[name].data_ptr() != tensor.data_ptr()


@pytest.mark.parametrize("config", CRITICS)
def test_update_replaces_the_chosen_and_leaves_the_rest_and_the_original(
    config: MLPCriticConfig | ConvCriticConfig,
) -> None:
    ensemble, rows = stack(critics(config)), torch.tensor([2, 0])
    kept = {name: tensor.clone() for name, tensor in ensemble.state_dict().items()}
    changed = stacked_step(ensemble.select(rows), 3)
    updated = ensemble.update(rows, changed)
    assert same(updated.select(rows), changed)
    assert same(updated, ensemble, [1, 3])
    assert all(torch.equal(kept[name], tensor) for name, tensor in ensemble.state_dict().items())
    ensemble.update_(rows, changed)
    assert same(ensemble, updated)


@pytest.mark.parametrize("config", CRITICS)
def test_parts_laid_side_by_side_are_the_whole_and_a_state_dict_comes_back_bit_for_bit(
    config: MLPCriticConfig | ConvCriticConfig,
) -> None:
    whole = stacked_step(stack(critics(config)), 0)
    joined = whole.room_for(4)
    for rows in map(torch.tensor, ([0], [1, 2], [3])):
        joined.update_(rows, whole.select(rows))
    assert same(joined, whole)
    assert same(stack(critics(config, num=1, first_seed=9)).with_state(whole.state_dict()), whole)


def test_a_training_step_leaves_its_argument_as_it_was() -> None:
    ensemble = stack(critics(CRITICS[1]))
    kept = {name: tensor.clone() for name, tensor in ensemble.state_dict().items()}
    template = {name: tensor.clone() for name, tensor in ensemble.template.state_dict().items()}
    stacked_step(ensemble, 0)
    assert all(torch.equal(kept[name], tensor) for name, tensor in ensemble.state_dict().items())
    assert all(torch.equal(template[name], tensor) for name, tensor in ensemble.template.state_dict().items())


def test_a_parameter_that_no_loss_uses_gets_a_gradient_of_zero() -> None:
    parameters = differentiable({"used": torch.ones(2, 3), "idle": torch.ones(2, 4)})
    found = gradients(parameters["used"].sum(dim=1), parameters)
    assert torch.equal(found["idle"], torch.zeros(2, 4))
    assert torch.equal(found["used"], torch.ones(2, 3))
