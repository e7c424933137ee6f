"""Shrinking of noisy means and second moments: noise vanishes, signal stays, a frequent class pulls no rare one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gossamer.methods.dp_mixture import shrinking
from gossamer.methods.dp_mixture.shrinking import KEPT, shrunk, shrunk_moment
from gossamer.nn.images.postures import Upright
from gossamer.nn.images.settings import MixtureGeneratorConfig


def test_a_band_of_noise_vanishes_a_band_of_signal_stays_and_kept_features_are_not_touched() -> None:
    vectors = torch.tensor([[0.5, 100.0, -100.0, 0.5, -0.5]])
    result = shrunk(vectors, torch.tensor([1.0]), torch.tensor([KEPT, 0, 0, 1, 1]))
    assert torch.allclose(result, torch.tensor([[0.5, 100.0, -100.0, 0.0, 0.0]]), rtol=1e-3)


def test_the_distance_to_the_truth_is_smaller_than_that_of_the_noisy_vector() -> None:
    """Fixed draws: the same at every run."""
    rng = torch.Generator().manual_seed(0)
    bands = torch.arange(4).repeat_interleave(10)
    truth = torch.randn(50, 40, generator=rng) * torch.tensor([3.0, 1.0, 0.3, 0.0])[bands]
    noisy = truth + torch.randn(50, 40, generator=rng)
    assert (shrunk(noisy, torch.ones(50), bands) - truth).norm() < 0.8 * (noisy - truth).norm()


def test_a_rare_class_far_from_the_offset_stays_there_whatever_the_frequent_ones_are() -> None:
    vectors = torch.tensor([[0.01, 0.01, 0.01], [5.0, 5.0, 5.0]])
    variances, bands = torch.tensor([1e-6, 1.0]), torch.zeros(3, dtype=torch.int64)
    assert torch.equal(shrunk(vectors, variances, bands)[1], shrunk(vectors[1:], variances[1:], bands)[0])
    assert shrunk(vectors, variances, bands)[1].min() > 4.5


BLOCKS, PLACES = torch.arange(64) // 8, torch.arange(64)


def symmetric_noise(seed: int, size: int, deviation: float) -> Tensor:
    """Draw the noise of a second moment: off the diagonal it is smaller by the root of 2."""
    drawn = deviation * torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (drawn + drawn.T) / 2


def falling(size: int) -> Tensor:
    """Return a second moment of rank 6 whose energy falls with the frequency, as that of pictures does."""
    rows = torch.randn(size, 6, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    rows = rows / (1 + torch.arange(size, dtype=torch.float64))[:, None]
    return rows @ rows.T


def test_a_second_moment_far_above_its_noise_stays_and_one_of_noise_alone_vanishes_off_the_diagonal() -> None:
    moment = falling(64)
    assert torch.allclose(shrunk_moment(moment, 1e-9, BLOCKS, PLACES), moment, atol=1e-12)
    found = shrunk_moment(symmetric_noise(0, 64, 1.0), 1.0, BLOCKS, PLACES)
    found.fill_diagonal_(0)
    assert found.norm() < 0.4 * symmetric_noise(0, 64, 1.0).norm()
    assert torch.equal(found, found.T)


@pytest.mark.parametrize("seed", range(3))
def test_directions_of_a_shrunk_second_moment_hold_more_of_the_truth(seed: int) -> None:
    truth, noise = falling(64), symmetric_noise(seed, 64, 0.05)

    def held(moment: Tensor) -> float:
        directions = torch.linalg.eigh(moment).eigenvectors[:, -3:]
        return float((directions.T @ truth @ directions).trace() / truth.trace())

    assert held(shrunk_moment(truth + noise, 0.05, BLOCKS, PLACES)) > held(truth + noise)


def turned(seed: int) -> float:
    """How far rounding to float32 turns the first directions where all is noise but one mean: 0 for not at all."""
    noise = 3.0 * torch.eye(64, dtype=torch.float64) + symmetric_noise(seed, 64, 1.0)
    apart = torch.randn(64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def directions(moment: Tensor, apart: Tensor) -> Tensor:
        shrunken = shrunk_moment(moment, 1.0, BLOCKS // 8, PLACES)
        return torch.linalg.eigh(shrunken + torch.outer(apart, apart)).eigenvectors[:, -3:]

    exact, rounded = directions(noise, apart), directions(noise.float().double(), apart.float().double())
    return float(1 - torch.linalg.svdvals(exact.T @ rounded).min())


def test_rounding_chooses_no_directions_where_all_is_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites and processes compute directions from the same sums, and must have the same."""
    assert max(map(turned, range(3))) < 1e-6
    # The break: what is noise becomes exactly equal, and then any direction will do.
    monkeypatch.setattr(shrinking, "_LEAST_KEPT", 0.0)
    assert max(map(turned, range(3))) > 1e-3


def test_what_channels_have_in_common_is_a_mean_that_stays() -> None:
    """Two channels that are equal but for noise: their entries of one place stay, though each alone is below it."""
    channel = torch.diag(torch.full((64,), 0.5, dtype=torch.float64))
    truth = torch.cat([torch.cat([channel, channel], dim=1)] * 2)
    blocks, places = torch.cat([BLOCKS, BLOCKS + 8]), torch.cat([PLACES, PLACES])
    found = shrunk_moment(truth + symmetric_noise(1, 128, 1.0), 1.0, blocks, places)
    assert found[:64, 64:].diagonal().mean() == pytest.approx(0.5, abs=0.1)


def test_features_of_an_image_have_blocks_of_eight_in_a_channel_and_traits_have_their_own() -> None:
    config = MixtureGeneratorConfig(radius=3, posture=Upright())
    each = (config.num_features((3, 28, 28)) - 1) // 3
    assert each == 9  # frequencies u, v with u^2 + v^2 < 9: three rows of three
    blocks, places = config.blocks((3, 28, 28)), config.places((3, 28, 28))
    assert blocks.tolist() == [0] * 8 + [1] + [2] * 8 + [3] + [4] * 8 + [5] + [6]
    assert places.tolist() == [*range(9), *range(9), *range(9), 9]
