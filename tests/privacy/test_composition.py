"""Prices of large epsilons: a grid in proportion to epsilon, and the same figure to a part in a thousand."""

from __future__ import annotations

import functools
import math
from typing import Any

import dp_accounting
import pytest
from dp_accounting import pld
from dp_accounting.pld import pld_pmf

from gossamer.errors import InputError
from gossamer.privacy import composition
from gossamer.privacy.accounting import _last_within, epsilon_by_pld, epsilon_by_rdp, num_steps_for_budget
from gossamer.privacy.budget import PrivacyBudget
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


# ---- many steps ------------------------------------------------------------------------------------------------------


def many(steps: int) -> dp_accounting.DpEvent:
    return poisson_event(sample_rate=0.001, noise_multiplier=0.3, num_steps=steps)


def without_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """dp-accounting raises the size of a table to the number of steps: refuse that, since it would take minutes."""

    def composed(table: object, num_times: int, *_: object) -> object:
        raise AssertionError(f"a table composed {num_times} times")

    monkeypatch.setattr(pld_pmf.SparsePLDPmf, "self_compose", composed)


def test_ten_million_steps_are_priced_without_a_number_of_as_many_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    before = epsilon_by_pld(many(10**6), 1e-5).epsilon
    without_tables(monkeypatch)
    assert epsilon_by_pld(many(10**6), 1e-5).epsilon == before
    assert before < epsilon_by_pld(many(10**7), 1e-5).epsilon < 10 * before
    assert before < epsilon_by_rdp(many(10**6), 1e-5).epsilon
    monkeypatch.setattr(composition, "_dense_interval", lambda event: math.inf)
    with pytest.raises(AssertionError, match="a table composed 10000000 times"):
        epsilon_by_pld(many(10**7), 1e-5)


@pytest.mark.parametrize("power", [0.5, 0.8, 1.0])
@pytest.mark.parametrize("start", [0.0, 3.0])
def test_the_last_number_of_steps_within_a_target_is_found_in_few_questions(power: float, start: float) -> None:
    asked: list[int] = []

    def epsilon_at(steps: int) -> float:
        asked.append(steps)
        return start + 0.01 * steps**power

    for target in (3.5, 10.0, 77.7):
        asked.clear()
        found = _last_within(epsilon_at, target, 1, 2)
        assert start + 0.01 * found**power <= target < start + 0.01 * (found + 1) ** power
        assert len(asked) < 60
        # What lies far beyond the target takes long to compute.
        assert start + 0.01 * max(asked) ** power <= 2 * target


def test_a_budget_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="more than 1000000000 steps"):
        _last_within(lambda steps: 1e-12 * steps, 1e5, 1, 2)


@pytest.mark.slow
def test_an_epsilon_of_a_thousand_buys_as_many_steps_as_it_did_and_in_seconds() -> None:
    """The number was found by halves alone, before."""
    budget = PrivacyBudget(epsilon=1000.0, delta=1e-5)
    event = functools.partial(poisson_event, sample_rate=0.01, noise_multiplier=0.4)
    assert num_steps_for_budget(lambda steps: event(num_steps=steps), budget) == 188_761
