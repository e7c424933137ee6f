"""The spread outside the directions: as large as it is, whatever noise lies on the estimate, and none within them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gossamer.methods.dp_mixture.remainder import outside

FEATURES, KEPT = 60, 4


def noisy(spreads: Tensor, deviation: float, seed: int = 0) -> Tensor:
    """A diagonal covariance with the noise of a release: so much on the diagonal, less by root 2 beside it."""
    drawn = torch.randn(len(spreads), len(spreads), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.diag(spreads) + deviation * (drawn + drawn.T) / 2


def test_without_noise_it_is_the_covariance_outside_the_directions() -> None:
    spreads = torch.linspace(2, 1, FEATURES, dtype=torch.float64)
    directions = torch.eye(FEATURES, dtype=torch.float64)[:KEPT]
    found = outside(torch.diag(spreads), directions, 0.0)
    expected = torch.diag(torch.where(torch.arange(FEATURES) < KEPT, 0.0, spreads))
    assert torch.allclose(found, expected)


def test_noise_alone_gives_no_direction_a_spread_of_its_own_and_the_trace_is_kept() -> None:
    spreads, deviation = torch.full((FEATURES,), 0.3, dtype=torch.float64), 0.2
    directions = torch.eye(FEATURES, dtype=torch.float64)[:KEPT]
    found = outside(noisy(spreads, deviation), directions, deviation * math.sqrt(2 * FEATURES))
    values = torch.linalg.eigvalsh(found)
    assert torch.allclose(values[:KEPT], torch.zeros(KEPT, dtype=torch.float64), atol=1e-9)
    assert float(values[KEPT:].max() - values[KEPT:].min()) < 1e-9
    assert abs(float(values.sum()) / (0.3 * (FEATURES - KEPT)) - 1) < 0.15


def test_a_direction_far_above_the_noise_keeps_its_spread() -> None:
    spreads = torch.full((FEATURES,), 0.3, dtype=torch.float64)
    spreads[10] = 20.0
    directions = torch.eye(FEATURES, dtype=torch.float64)[:KEPT]
    found = outside(noisy(spreads, 0.2), directions, 0.2 * math.sqrt(2 * FEATURES))
    assert abs(float(found[10, 10]) - 20) < 1.5


def test_no_features_are_left_and_nothing_is_found() -> None:
    whole = torch.eye(5, dtype=torch.float64)
    assert torch.equal(outside(whole, whole, 0.1).abs() < 1e-12, torch.ones(5, 5, dtype=torch.bool))
