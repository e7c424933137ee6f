"""Products of rows by a matrix: the right ones, and the same bits of a row wherever it stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gossamer.nn.exact import matmul_of_rows

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
    assert moved(matmul_of_rows, dtype, WIDTHS) == []


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="other libraries may add up in another way")
def test_rows_that_begin_within_a_stretch_of_memory_are_caught() -> None:
    assert moved(torch.matmul, torch.float64, [15, 33, 187, 785])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_has_the_same_product_whatever_the_others_are_and_however_many(dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(3)
    rows = torch.randn(700, 97, generator=rng, dtype=dtype)
    matrix = torch.randn(97, 41, generator=rng, dtype=dtype)
    alone = torch.stack([matmul_of_rows(row[None], matrix)[0] for row in rows[:20]])
    for others in (20, 21, 333, 700):
        assert torch.equal(matmul_of_rows(rows[:others], matrix)[:20], alone)
    louder = torch.cat([rows[:20], 1e6 * rows[20:]])
    assert torch.equal(matmul_of_rows(louder, matrix)[:20], alone)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 2, 5), (4, 16), (4, 64), (0, 5)])
def test_the_product_is_that_of_the_matrices_but_for_a_rounding(shape: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(1)
    rows = torch.rand(shape, generator=rng, dtype=torch.float64)
    matrix = torch.randn(shape[-1], 7, generator=rng, dtype=torch.float64)
    made = matmul_of_rows(rows, matrix)
    assert made.shape == (*shape[:-1], 7)
    assert torch.allclose(made, rows @ matrix, atol=1e-5)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1.0, 1e30])
def test_numbers_of_every_size_are_multiplied(size: float) -> None:
    rows = torch.tensor([[0.0, 0.0], [0.3, -0.7]], dtype=torch.float64) * size
    made = matmul_of_rows(rows, torch.tensor([[1.0], [2.0]]))
    assert made[0].tolist() == [0.0]
    assert float(made[1]) / size == pytest.approx(-1.1, rel=1e-6)
