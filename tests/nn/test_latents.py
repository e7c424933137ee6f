"""Laws of the generator's input."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from gossamer.errors import InputError
from gossamer.nn.latents import BernoulliLatent, Latent, NormalLatent, UniformLatent


def drawn(latent: Latent, num: int = 4000, seed: int = 0) -> torch.Tensor:
    return latent.draw(num, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("latent", [NormalLatent(dim=6), BernoulliLatent(dim=6), UniformLatent(dim=6)])
def test_a_draw_has_its_shape_and_follows_from_its_stream_alone(latent: Latent) -> None:
    before = torch.get_rng_state()
    assert drawn(latent).shape == (4000, 6)
    assert drawn(latent).dtype == torch.float32
    assert torch.equal(drawn(latent), drawn(latent))
    assert not torch.equal(drawn(latent), drawn(latent, seed=1))
    assert torch.equal(before, torch.get_rng_state())


def test_normal_coordinates_are_standard_normal() -> None:
    """Deterministic; 3 % too wide is rejected."""
    numbers = drawn(NormalLatent(dim=20)).double().numpy().ravel()
    chi2 = stats.chi2(numbers.size)
    assert 1e-6 < chi2.cdf((numbers**2).sum()) < 1 - 1e-6
    assert chi2.sf(((1.03 * numbers) ** 2).sum()) < 1e-6
    assert stats.kstest(numbers, "norm").pvalue > 1e-6


def test_bernoulli_coordinates_are_fair_coins() -> None:
    """Deterministic; a coin that is 3 % off is rejected."""
    coins = drawn(BernoulliLatent(dim=20))
    assert set(coins.unique().tolist()) == {0.0, 1.0}
    ones = int(coins.sum())
    assert stats.binomtest(ones, coins.numel(), 0.5).pvalue > 1e-6
    assert stats.binomtest(ones, coins.numel(), 0.515).pvalue < 1e-6


@pytest.mark.parametrize("kind", [NormalLatent, BernoulliLatent])
def test_a_latent_without_coordinates_is_bad_input(kind: type[Latent]) -> None:
    with pytest.raises(InputError, match="dim"):
        kind(dim=0)


def test_uniform_latents_fill_the_interval_from_minus_one_to_one() -> None:
    """Kolmogorov-Smirnov at a fixed seed, so no false alarm; a law 3 % too narrow is rejected."""
    values = drawn(UniformLatent(dim=100), 1000)
    flat = values.flatten().double().numpy()
    assert values.shape == (1000, 100)
    assert values.dtype is torch.float32
    assert -1 <= flat.min() < -0.999
    assert 0.999 < flat.max() < 1
    assert stats.kstest(flat, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    assert stats.kstest(0.97 * flat, stats.uniform(-1, 2).cdf).pvalue < 1e-4
