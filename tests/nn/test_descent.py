"""Updates of one network: those of torch's classes to the last bit, without the compiler that these import."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from gossamer.nn.descent import AbstractDescent, AdamDescent, PlainDescent
from gossamer.nn.settings import Adam

ADAM = Adam(learning_rate=0.01, beta1=0.5, beta2=0.99, stabiliser=1e-7)
KINDS = {
    "plain": (PlainDescent, lambda parameters: torch.optim.SGD(parameters, lr=0.1)),
    "Adam": (
        lambda network: AdamDescent(ADAM, network),
        lambda parameters: torch.optim.Adam(parameters, lr=0.1, betas=(0.5, 0.99), eps=1e-7),
    ),
}
RATES = (0.1, 0.03, 0.2)


def made() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3), nn.Linear(2, 2))


def backward(network: nn.Module, seed: int) -> None:
    """Give all layers gradients but the last one, which nothing asks."""
    inputs = torch.randn(11, 5, generator=torch.Generator().manual_seed(seed))
    network[:3](inputs).square().mean().backward()  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_is_that_of_torch_to_the_last_bit(kind: str) -> None:
    own, theirs = made(), made()
    descent: AbstractDescent = KINDS[kind][0](own)  # type: ignore[operator]
    optimiser = KINDS[kind][1](theirs.parameters())  # type: ignore[operator]
    for seed, rate in enumerate(RATES):
        descent.zero_grad()
        optimiser.zero_grad()
        optimiser.param_groups[0]["lr"] = rate
        backward(own, seed)
        descent.step(rate)
        backward(theirs, seed)
        optimiser.step()
        assert all(map(torch.equal, own.parameters(), theirs.parameters()))
    assert not torch.equal(own[0].weight, made()[0].weight)  # type: ignore[index]
    assert torch.equal(own[3].weight, made()[3].weight)  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_taken_up_as_a_copy(kind: str) -> None:
    make: Callable[[nn.Module], AbstractDescent] = KINDS[kind][0]  # type: ignore[assignment]
    first = make(made())
    backward(first.network, 0)
    first.step(0.1)
    second = make(copy.deepcopy(first.network))
    second.load_state_dict(first.state_dict())
    for one in (first, second):
        one.zero_grad()
        backward(one.network, 1)
        one.step(0.1)
    assert all(map(torch.equal, first.network.parameters(), second.network.parameters()))
    assert all(
        kept["exp_avg"] is not second.moments[name]["exp_avg"] and torch.equal(kept["step"], torch.tensor(2.0))
        for name, kept in first.moments.items()
    )


def test_an_update_imports_no_compiler() -> None:
    code = """
import sys, torch
from gossamer.nn.descent import AdamDescent, PlainDescent
from gossamer.nn.settings import Adam
network = torch.nn.Linear(2, 2)
for descent in (PlainDescent(network), AdamDescent(Adam(), network)):
    network(torch.ones(1, 2)).sum().backward()
    descent.step(0.1)
print("torch._dynamo" in sys.modules)
torch.optim.SGD(network.parameters(), lr=0.1)
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
