"""Shrinking of noisy means: noise vanishes, signal stays, and a frequent class does not pull a rare one."""

from __future__ import annotations

import torch

from gossamer.methods.dp_mixture.shrinking import KEPT, shrunk


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
