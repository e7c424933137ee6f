"""Views of series: linear, one by one, of the shape they promise, and what they say they are."""

from __future__ import annotations

import pytest
import torch
from scipy import fft

from gossamer.nn.views import LowFrequencies, Pooled, View, WholeImage

VIEWS = [WholeImage(), Pooled(factor=1), Pooled(factor=3), Pooled(factor=40), LowFrequencies(radius=4.5, scale=2.0)]
SHAPES = [(1, 187), (3, 20), (2, 7)]


def series(shape: tuple[int, int], seed: int = 0, num: int = 4) -> torch.Tensor:
    return torch.rand(num, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_view_of_series_has_the_shape_it_promises_and_is_linear(view: View, shape: tuple[int, int]) -> None:
    one, two = series(shape, 1), series(shape, 2)
    assert view.apply(one).shape == (4, *view.shape(shape))
    assert view.apply(one).dim() == 3
    assert torch.allclose(view.apply(2 * one - 3 * two), 2 * view.apply(one) - 3 * view.apply(two), atol=1e-4)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_one_series_depends_on_no_other_bit_for_bit(view: View) -> None:
    batch, changed = series((2, 20)), series((2, 20))
    changed[[0, 1, 3]] = float("nan")
    assert torch.equal(view.apply(batch)[2], view.apply(changed)[2])


def test_pooling_takes_the_mean_of_every_stretch_and_of_what_is_left_at_the_end() -> None:
    one = series((1, 8), num=1)
    looked = Pooled(factor=3).apply(one)[0, 0]
    expected = [float(one[0, 0, start : start + 3].mean()) for start in (0, 3, 6)]
    assert looked.tolist() == pytest.approx(expected, abs=1e-6)


def test_low_frequencies_are_the_first_coefficients_of_the_cosine_transform_in_time() -> None:
    one = series((2, 30), num=1)
    found = LowFrequencies(radius=5, scale=1.5).apply(one)[0]
    expected = 1.5 * torch.tensor(fft.dct(one[0].double().numpy(), axis=1, norm="ortho")[:, :5]).float()
    assert torch.allclose(found, expected, atol=1e-5)
