"""The discriminator of DP-CGAN: published sizes, log odds, and a gradient of its own for every record."""

from __future__ import annotations

import pytest
import torch

from gossamer.errors import InputError
from gossamer.nn.images.discriminator import MLPDiscriminator
from gossamer.nn.images.settings import MLPDiscriminatorConfig


def built(num_classes: int = 10, **settings: object) -> MLPDiscriminator:
    config = MLPDiscriminatorConfig(**settings)  # type: ignore[arg-type]
    return config.build((1, 28, 28), num_classes, torch.Generator().manual_seed(0))


def test_the_published_network_has_784_pixels_10_classes_and_128_hidden_units() -> None:
    assert sum(parameter.numel() for parameter in built().parameters()) == (794 + 1) * 128 + 129
    assert not list(built().buffers())


@pytest.mark.parametrize("num_classes", [0, 3])
def test_it_gives_one_number_for_an_image_of_any_view(num_classes: int) -> None:
    rng = torch.Generator().manual_seed(0)
    network = MLPDiscriminatorConfig(hidden_sizes=(5, 4)).build((1, 1, 71), num_classes, rng)
    label = torch.tensor([0, 2]) if num_classes else None
    assert network(torch.rand(2, 1, 1, 71), label).shape == (2,)


def test_it_is_one_hidden_layer_on_pixels_and_class_side_by_side() -> None:
    network, image, label = built(label_gain=2.0), torch.rand(3, 1, 28, 28), torch.tensor([4, 0, 9])
    beside = torch.cat([image.flatten(start_dim=1), 2 * torch.nn.functional.one_hot(label, 10)], dim=1)
    hidden = torch.relu(beside @ network.trunk[0].weight.T + network.trunk[0].bias)
    expected = (hidden @ network.log_odds.weight.T + network.log_odds.bias)[:, 0]
    assert torch.allclose(network(image, label), expected, atol=1e-5)


def test_the_class_matters() -> None:
    network, image = built(), torch.rand(1, 1, 28, 28)
    assert not torch.equal(network(image, torch.tensor([1])), network(image, torch.tensor([2])))
    with pytest.raises(InputError, match="label"):
        network(image, None)


def test_no_image_moves_the_answer_to_another() -> None:
    network, images, labels = built(), torch.rand(4, 1, 28, 28), torch.arange(4)
    changed = images.clone()
    changed[2] = 0
    moved = network(images, labels) != network(changed, labels)
    assert moved.tolist() == [False, False, True, False]


def test_the_same_stream_gives_the_same_weights_and_sizes_below_one_are_refused() -> None:
    for one, two in zip(built().parameters(), built().parameters(), strict=True):
        assert torch.equal(one, two)
    for sizes in ((), (0,)):
        with pytest.raises(InputError, match="hidden_sizes"):
            MLPDiscriminatorConfig(hidden_sizes=sizes)
