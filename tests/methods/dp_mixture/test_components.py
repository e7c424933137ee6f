"""Components of a mixture under noise: how many, where the idle go, and whose covariance is believed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gossamer.errors import InputError
from gossamer.methods.dp_mixture.components import (
    ClassCovariances,
    ComponentCovariances,
    bearable_components,
    semi_definite,
    with_idle_moved,
)

DIM = 3


def sums_of(spreads: Tensor, counts: Tensor) -> Tensor:
    """Exact sums of squares of components (classes, components) with these variances in every direction."""
    return (spreads * counts)[..., None, None] * torch.eye(DIM, dtype=torch.float64)


def double(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_a_class_gets_no_more_components_than_its_count_bears_and_one_at_least() -> None:
    used = bearable_components(double([10_000.0, 320.0, 99.0, -5.0])[0], 5, 100.0)
    assert used.tolist() == [[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4, [True] + [False] * 4]


def test_without_a_least_count_all_components_are_used() -> None:
    assert bool(bearable_components(double([10.0, 20.0])[0], 4, 0.0).all())


def test_an_idle_centre_goes_beside_the_one_with_most_records_and_shares_them() -> None:
    centres = torch.arange(12, dtype=torch.float64).view(1, 4, 3)
    counts, used = double([900.0, 5.0, 300.0, 0.0]), torch.tensor([[True, True, True, False]])
    steps = torch.full((1, 4, 3), 0.5, dtype=torch.float64)
    moved, expected = with_idle_moved(centres, counts, used, 100.0, steps)
    assert torch.equal(moved[0, 1], centres[0, 0] + 0.5)
    assert torch.equal(moved[0, [0, 2, 3]], centres[0, [0, 2, 3]])
    assert expected.tolist() == [[450.0, 450.0, 300.0, 0.0]]
    assert counts.tolist() == [[900.0, 5.0, 300.0, 0.0]]


def test_an_idle_centre_stays_where_no_other_has_records_to_share() -> None:
    centres = torch.zeros(1, 2, 3, dtype=torch.float64)
    counts, used = double([150.0, 5.0]), torch.ones(1, 2, dtype=torch.bool)
    moved, expected = with_idle_moved(centres, counts, used, 100.0, torch.ones_like(centres))
    assert torch.equal(moved, centres)
    assert torch.equal(expected, counts)


def test_covariances_of_classes_are_the_same_for_all_components_and_may_be_pooled() -> None:
    counts, shares = double([100.0, 300.0])[0], double([0.5, 0.5], [0.25, 0.75])
    squares = sums_of(double([2.0, 6.0])[0], counts)
    learnt = ClassCovariances().learnt(squares, counts, shares, 0.0)
    assert learnt.shape == (2, 2, DIM, DIM)
    assert torch.allclose(learnt[..., 0, 0], double([2.0, 2.0], [6.0, 6.0]))
    pooled = ClassCovariances(pooling=0.5).learnt(squares, counts, shares, 0.0)
    assert torch.allclose(pooled[..., 0, 0], double([3.5, 3.5], [5.5, 5.5]))


def test_without_noise_every_component_has_its_own_covariance() -> None:
    spreads, counts = double([1.0, 4.0], [2.0, 3.0]), double([50.0, 150.0], [100.0, 100.0])
    shares, classes = counts / counts.sum(dim=1, keepdim=True), counts.sum(dim=1)
    learnt = ComponentCovariances().learnt(sums_of(spreads, counts).flatten(end_dim=1), classes, shares, 0.0)
    assert torch.allclose(learnt[..., 0, 0], spreads)


def test_the_more_noise_the_nearer_is_a_component_to_its_class_and_a_class_to_all() -> None:
    spreads, counts = double([1.0, 4.0], [9.0, 9.0]), double([50.0, 150.0], [100.0, 100.0])
    shares, classes = counts / counts.sum(dim=1, keepdim=True), counts.sum(dim=1)
    squares = sums_of(spreads, counts).flatten(end_dim=1)
    found = [ComponentCovariances().learnt(squares, classes, shares, std)[..., 0, 0] for std in (0.0, 300.0, 1e9)]
    apart = [float(one[0, 1] - one[0, 0]) for one in found]
    assert apart[0] > apart[1] > apart[2]
    assert apart[2] == pytest.approx(0.0, abs=1e-3)
    everything = float((spreads * counts).sum() / counts.sum())
    assert torch.allclose(found[2], torch.full((2, 2), everything, dtype=torch.float64), atol=1e-3)


def test_components_that_are_not_used_add_no_noise_and_get_the_covariance_of_their_class() -> None:
    counts, shares = double([200.0])[0], double([1.0, 0.0])
    squares = sums_of(double([2.0, 0.0])[0], double([200.0, 0.0])[0])
    squares[1] = 1e6
    learnt = ComponentCovariances().learnt(squares, counts, shares, 10.0)
    assert torch.allclose(learnt[0, :, 0, 0], double([2.0, 2.0])[0], atol=1e-9)


def test_what_noise_made_indefinite_becomes_a_covariance() -> None:
    matrix = torch.diag(double([3.0, -2.0, 0.5])[0])
    mended = semi_definite(matrix)
    assert torch.linalg.eigvalsh(mended).min() > 0
    assert torch.allclose(mended[0, 0], matrix[0, 0])


def test_groups_are_classes_or_components() -> None:
    classes, components = torch.tensor([0, 1, 1]), torch.tensor([1, 2, 3])
    assert ClassCovariances().num_groups(2, 2) == 2
    assert ComponentCovariances().num_groups(2, 2) == 4
    assert torch.equal(ClassCovariances().group(classes, components), classes)
    assert torch.equal(ComponentCovariances().group(classes, components), components)


@pytest.mark.parametrize("pooling", [-0.1, 1.5, float("nan")])
def test_a_pooling_out_of_range_is_refused(pooling: float) -> None:
    with pytest.raises(InputError, match="pooling"):
        ClassCovariances(pooling=pooling)
