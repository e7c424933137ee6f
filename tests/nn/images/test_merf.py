"""DP-MERF's generator: its published size, every shape, and statistics that are those of public latents."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.nn.images.merf import MERFGenerator
from gossamer.nn.images.settings import MERFGeneratorConfig

SMALL = MERFGeneratorConfig(hidden_size=6, width=4)
SHAPES = [(1, 28, 28), (1, 8, 8), (3, 32, 32), (1, 4, 4), (3, 5, 5), (1, 9, 40), (3, 33, 33), (2, 100, 4)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs(count: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 5, generator=seeded(seed)), torch.arange(count) % 3


def test_it_has_the_published_number_of_weights() -> None:
    network = MERFGeneratorConfig().build((1, 28, 28), 10, 5, seeded())
    dense, norms, convolutions = 15 * 200 + 200 + 200 * 784 + 784, 2 * 200 + 2 * 784, 16 * 8 * 25 + 8 + 8 * 25 + 1
    assert sum(p.numel() for p in network.parameters()) == dense + norms + convolutions == 166_161


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_draws_every_shape_in_the_unit_range(shape: tuple[int, int, int]) -> None:
    for classes, label in ((3, torch.tensor([0, 2])), (0, None)):
        network = SMALL.build(shape, classes, 5, seeded())
        images = network(50 * inputs(2)[0], label)
        assert images.shape == (2, *shape)
        assert 0 <= images.min() <= images.max() <= 1


def test_weights_follow_from_their_stream_alone() -> None:
    first, second, other = (SMALL.build((1, 8, 8), 3, 5, seeded(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["hidden.weight"], other["hidden.weight"])


def test_settled_statistics_are_those_of_the_latents_and_of_no_batch_before() -> None:
    def settled(num_batches_before: int) -> dict[str, Tensor]:
        network = SMALL.build((1, 8, 8), 3, 5, seeded()).train()
        for seed in range(num_batches_before):
            network(*inputs(12, 5 + seed))
        network.settle(*inputs(300))
        assert not network.training
        return network.state_dict()

    first, second = settled(0), settled(4)
    assert all(torch.equal(first[name], second[name]) for name in first)
    network = SMALL.build((1, 8, 8), 3, 5, seeded())
    hidden = network.hidden(network.joined(*inputs(300)))
    assert torch.allclose(first["hidden_norm.running_mean"], hidden.mean(dim=0), atol=1e-5)


def test_when_drawing_a_sample_depends_on_its_own_latent_alone() -> None:
    network = SMALL.build((1, 8, 8), 3, 5, seeded())
    network.settle(*inputs(100))
    z, label = inputs(6)
    alone = torch.cat([network(z[i : i + 1], label[i : i + 1]) for i in range(6)])
    assert torch.allclose(network(z, label), alone, atol=1e-6)


def test_sizes_below_one_are_refused() -> None:
    for options in ({"hidden_size": 0}, {"width": 0}):
        with pytest.raises(InputError, match=next(iter(options))):
            MERFGeneratorConfig(**options)
    assert isinstance(SMALL.build((1, 8, 8), 3, 5, seeded()), MERFGenerator)
