"""The clip: a ball that nothing leaves, row by row."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gossamer.mechanisms.clipping import clip_to_ball

NUMBERS = st.floats(width=64) | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7e308, 1.0])
BOUNDS = st.floats(min_value=1e-30, max_value=1e30)


@st.composite
def batches(draw: st.DrawFn) -> Tensor:
    size = draw(st.integers(1, 7))
    rows = draw(st.lists(st.lists(NUMBERS, min_size=size, max_size=size), min_size=1, max_size=5))
    return torch.tensor(rows, dtype=torch.float64)


def exceeds(row: Tensor, bound: float, slack: float = 1e-15) -> bool:
    """Whether the norm of a row is above the bound, in exact arithmetic; a row that is not finite is."""
    if not bool(row.isfinite().all()):
        return True
    return sum(Fraction(value) ** 2 for value in row.tolist()) > (Fraction(bound) * Fraction(1 + slack)) ** 2


@settings(max_examples=150, deadline=None)
@given(batches(), BOUNDS)
def test_no_row_leaves_the_ball_whatever_comes_in(vectors: Tensor, bound: float) -> None:
    clipped = clip_to_ball(vectors, bound)
    assert clipped.dtype == torch.float64
    assert not any(exceeds(row, bound) for row in clipped)


@settings(max_examples=100, deadline=None)
@given(batches(), BOUNDS)
def test_a_row_that_is_not_finite_becomes_zero_and_one_in_the_ball_stays_bit_for_bit(
    vectors: Tensor, bound: float
) -> None:
    for row, clipped in zip(vectors, clip_to_ball(vectors, bound), strict=True):
        if not bool(row.isfinite().all()):
            assert torch.equal(clipped, torch.zeros_like(row))
        elif not exceeds(row, bound, slack=-1e-15):
            assert torch.equal(clipped, row)


@settings(max_examples=100, deadline=None)
@given(batches(), batches(), BOUNDS, st.integers(0, 4))
def test_a_row_depends_on_itself_alone_bit_for_bit(vectors: Tensor, others: Tensor, bound: float, place: int) -> None:
    place %= len(vectors)
    size = vectors.shape[1]
    changed = others.flatten().repeat(vectors.numel())[: vectors.numel()].view(-1, size).clone()
    changed[place] = vectors[place]
    assert torch.equal(clip_to_ball(changed, bound)[place], clip_to_ball(vectors, bound)[place])


@pytest.mark.parametrize("size", [1, 3, 784, 3072])
@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_direction_is_kept_and_the_norm_is_the_smaller_of_norm_and_bound(size: int, scale: float) -> None:
    vectors = torch.randn(5, size, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    norms = vectors.norm(dim=1)
    bound = scale * float(norms.median())
    clipped = clip_to_ball(vectors * scale, bound)
    expected = vectors * (bound / scale / norms).clamp_max(1.0)[:, None]
    assert torch.allclose(clipped / scale, expected, rtol=1e-12, atol=0)
    assert not any(exceeds(row, bound) for row in clipped)


def test_a_vector_exactly_at_the_bound_is_left_alone() -> None:
    at_bound = torch.tensor([[3.0, 4.0], [0.0, -5.0]])
    assert torch.equal(clip_to_ball(at_bound, 5.0), at_bound.double())


def test_one_norm_over_all_axes_but_the_first() -> None:
    clipped = clip_to_ball(torch.ones(2, 1, 4, 4), 1.0)
    assert clipped.shape == (2, 1, 4, 4)
    assert torch.allclose(clipped.flatten(start_dim=1).norm(dim=1), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_every_floating_type_is_clipped_in_float64(dtype: torch.dtype) -> None:
    clipped = clip_to_ball(torch.full((1, 100), 300.0, dtype=dtype), 1.0)
    assert clipped.dtype == torch.float64
    assert not exceeds(clipped[0], 1.0)


def test_no_gradient_runs_through_the_clip() -> None:
    assert not clip_to_ball(torch.ones(1, 2, requires_grad=True), 1.0).requires_grad
