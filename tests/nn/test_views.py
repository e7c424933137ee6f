"""Views: linear, image by image, of the shape they promise."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import fft

from gossamer.errors import InputError
from gossamer.nn.views import LowFrequencies, Pooled, View, WholeImage

VIEWS = [WholeImage(), Pooled(factor=1), Pooled(factor=3), Pooled(factor=20), LowFrequencies(radius=3.5, scale=2.0)]
SHAPES = [(1, 8, 8), (3, 7, 10)]


def images(shape: tuple[int, int, int], seed: int = 0, num: int = 4) -> torch.Tensor:
    return torch.rand(num, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_view_has_the_shape_it_promises_and_is_linear(view: View, shape: tuple[int, int, int]) -> None:
    one, two = images(shape, 1), images(shape, 2)
    assert view.apply(one).shape == (4, *view.shape(shape))
    assert torch.allclose(view.apply(2 * one - 3 * two), 2 * view.apply(one) - 3 * view.apply(two), atol=1e-4)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_one_image_depends_on_no_other_bit_for_bit(view: View) -> None:
    batch, changed = images((1, 8, 8)), images((1, 8, 8))
    changed[[0, 1, 3]] = float("nan")
    assert torch.equal(view.apply(batch)[2], view.apply(changed)[2])


def test_pooling_takes_the_mean_of_every_block_and_of_what_is_left_at_the_edges() -> None:
    image = images((1, 5, 7), num=1)
    looked = Pooled(factor=3).apply(image)[0, 0]
    for row in range(2):
        for column in range(3):
            block = image[0, 0, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            assert looked[row, column] == pytest.approx(float(block.mean()), abs=1e-6)


def test_low_frequencies_are_the_first_coefficients_of_the_orthonormal_cosine_transform() -> None:
    image = images((2, 6, 9), num=1)
    view = LowFrequencies(radius=3.2, scale=1.5)
    exact = fft.dctn(image[0].double().numpy(), axes=(1, 2), norm="ortho")
    kept = [(u, v) for u in range(6) for v in range(9) if u * u + v * v < 3.2**2]
    kept.sort(key=lambda place: place[0] ** 2 + place[1] ** 2)
    expected = torch.tensor([[1.5 * float(exact[channel][place]) for place in kept] for channel in range(2)])
    found = view.apply(image)[0, :, 0]
    assert found.shape == expected.shape
    assert torch.allclose(found.sort(dim=1).values, expected.float().sort(dim=1).values, atol=1e-5)
    assert found[0, 0] == pytest.approx(1.5 * math.sqrt(54) * float(image[0, 0].mean()), rel=1e-5)


def test_all_frequencies_keep_every_norm() -> None:
    image = images((1, 8, 8))
    looked = LowFrequencies(radius=100).apply(image)
    assert LowFrequencies(radius=100).shape((1, 8, 8)) == (1, 1, 64)
    assert torch.allclose(looked.flatten(1).norm(dim=1), image.flatten(1).norm(dim=1), rtol=1e-5)


@pytest.mark.parametrize(("radius", "count"), [(10, 86), (12, 121)])
def test_the_counts_in_the_documentation_hold(radius: float, count: int) -> None:
    assert LowFrequencies(radius=radius).shape((1, 28, 28)) == (1, 1, count)


def test_settings_out_of_range_are_bad_input() -> None:
    with pytest.raises(InputError, match="factor"):
        Pooled(factor=0)
    for settings in ({"radius": 0.0}, {"radius": float("nan")}, {"radius": 2.0, "scale": 0.0}):
        with pytest.raises(InputError, match="positive"):
            LowFrequencies(**settings)
