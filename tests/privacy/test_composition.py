"""Prices of large epsilons: a grid in proportion to epsilon, and the same figure to a part in a thousand."""

from __future__ import annotations

import math
from typing import Any

import dp_accounting
import pytest
from dp_accounting import pld

from gossamer.privacy import composition
from gossamer.privacy.accounting import epsilon_by_pld
from gossamer.privacy.events import poisson_event
from gossamer.privacy.loss_grid import FINE

LITTLE_NOISE = poisson_event(sample_rate=0.01, noise_multiplier=0.0397, num_steps=10)


def intervals(event: dp_accounting.DpEvent, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Price an event, and return the intervals of the grids that were made."""
    asked: list[float] = []
    usual = pld.PLDAccountant

    def made(*args: Any, value_discretization_interval: float) -> pld.PLDAccountant:
        asked.append(value_discretization_interval)
        return usual(*args, value_discretization_interval=max(1e-3, value_discretization_interval))

    monkeypatch.setattr(pld, "PLDAccountant", made)
    assert math.isfinite(epsilon_by_pld(event, 1e-5).epsilon)
    return asked


def test_a_large_epsilon_has_no_more_points_than_the_finest_grid(monkeypatch) -> None:
    [interval] = intervals(LITTLE_NOISE, monkeypatch)
    assert 1000 / interval < FINE.max_points
    # Planted: the interval of before, ten million points from 0 to epsilon.
    monkeypatch.undo()
    monkeypatch.setattr(composition, "_WIDEST", 0.0)
    [interval] = intervals(LITTLE_NOISE, monkeypatch)
    assert 1000 / interval > FINE.max_points


def test_an_epsilon_of_a_usual_size_has_the_grid_of_before(monkeypatch) -> None:
    [interval] = intervals(poisson_event(sample_rate=0.01, noise_multiplier=1.12, num_steps=30_300), monkeypatch)
    assert interval == FINE.max_interval


@pytest.mark.parametrize(("noise", "steps"), [(0.0397, 10), (0.126, 30_300), (0.0214, 1000)])
def test_the_figure_is_that_of_a_fine_grid_to_a_thousandth(noise: float, steps: int) -> None:
    event = poisson_event(sample_rate=0.01, noise_multiplier=noise, num_steps=steps)
    accountant = pld.PLDAccountant(
        dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=0.01
    )
    accountant.compose(event)
    assert epsilon_by_pld(event, 1e-5).epsilon == pytest.approx(accountant.get_epsilon(1e-5), rel=1e-3)
