"""Products of rows by a matrix: the right ones, and the same bits of a row wherever it stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gossamer.nn.rows import product_of_rows

PLACES = [*range(34), 511, 512, 1000, *range(1015, 1024)]
WIDTHS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 41, 63, 64, 65, 187, 784, 785]
COLUMNS = [1, 2, 3, 7, 16, 41, 300]


def moved(product: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype, widths: list[int]) -> list[tuple[int, int]]:
    """Sizes (n, m) of matrices at which some place among 1024 gives another result than the first."""
    rng, found = torch.Generator().manual_seed(0), []
    for width in widths:
        for columns in COLUMNS:
            rows = torch.rand(1024, width, generator=rng, dtype=dtype)
            rows[PLACES] = rows[0].clone()
            made = product(rows, torch.randn(width, columns, generator=rng, dtype=dtype))
            if not all(torch.equal(made[place], made[0]) for place in PLACES):
                found.append((width, columns))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_has_the_same_product_at_every_place(dtype: torch.dtype) -> None:
    assert moved(product_of_rows, dtype, WIDTHS) == []


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="other libraries may add up in another way")
def test_rows_that_begin_within_a_stretch_of_memory_are_caught() -> None:
    assert moved(torch.matmul, torch.float64, [15, 33, 187, 785])


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 2, 5), (4, 16), (4, 64), (0, 5)])
def test_the_product_is_that_of_the_matrices_and_so_is_its_slope(shape: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(1)
    rows = torch.rand(shape, generator=rng, dtype=torch.float64, requires_grad=True)
    matrix = torch.randn(shape[-1], 7, generator=rng, dtype=torch.float64)
    made = product_of_rows(rows, matrix)
    assert made.shape == (*shape[:-1], 7)
    assert torch.allclose(made, rows @ matrix, rtol=1e-12)
    (slope,) = torch.autograd.grad(made.sum(), rows)
    assert torch.allclose(slope, matrix.sum(dim=1).expand(shape), rtol=1e-12)
