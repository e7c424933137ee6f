"""Calibrations that evaluate less, and give the same figures: powers, orders of RDP, the order of a fixed pair."""

from __future__ import annotations

from collections.abc import Callable

import dp_accounting
import numpy as np
import pytest

from gossamer.privacy import accounting, loss_grid
from gossamer.privacy.accounting import (
    calibrate_noise_multiplier_by_fixed_pair,
    calibrate_noise_multiplier_by_rdp,
    epsilon_by_rdp,
    fixed_pair_epsilon,
)
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.events import gaussian_event, one_of_many_event, poisson_event, under_replacement
from gossamer.privacy.one_of_many import GaussianFirstPair, MixtureFirstPair

EventOfNoise = Callable[[float], dp_accounting.DpEvent]


def one_of_many(noise: float) -> dp_accounting.DpEvent:
    return one_of_many_event(num_critics=100, noise_multiplier=noise, num_steps=200, batch_size=32, draws_per_step=32)


def poisson(noise: float) -> dp_accounting.DpEvent:
    return poisson_event(sample_rate=0.01, noise_multiplier=noise, num_steps=1000)


EVENTS: dict[str, EventOfNoise] = {
    "one of K": one_of_many,
    "Poisson": poisson,
    "replaced": lambda noise: under_replacement(poisson(noise)),
    "Gaussian": lambda noise: gaussian_event(noise_multiplier=noise),
}


@pytest.mark.parametrize("count", [1, 3, 1000, 640_000])
def test_powers_are_those_of_numpy_to_the_last_bit_where_they_vanish_too(count: int) -> None:
    # Down to where a power is the smallest float, and beyond.
    sizes = np.exp(-np.linspace(0.0, 800.0, 4001) / count)
    values = sizes * np.exp(1j * np.linspace(0.0, 7.0, 4001))
    whole = np.power(values, count)
    assert np.array_equal(loss_grid._power(values, count), whole)
    assert count == 1 or (whole == 0).any()


@pytest.mark.parametrize("delta", [1e-5, 1e-16])
@pytest.mark.parametrize("name", EVENTS)
def test_the_orders_that_are_left_out_would_not_lower_epsilon(name: str, delta: float) -> None:
    found = calibrate_noise_multiplier_by_rdp(EVENTS[name], PrivacyBudget(epsilon=3.0, delta=delta))
    assert found.bound == epsilon_by_rdp(EVENTS[name](found.noise_multiplier), delta)
    assert found.bound.epsilon <= 3.0


@pytest.mark.parametrize(("epsilon", "num_steps", "sample_rate"), [(1000.0, 1000, 0.01), (0.01, 100, 1e-4)])
def test_the_lowest_orders_are_seen(epsilon: float, num_steps: int, sample_rate: float) -> None:
    """For a huge epsilon the best order is below all of the few, and at a large delta the lowest proves epsilon 0."""

    def event(noise: float) -> dp_accounting.DpEvent:
        return poisson_event(sample_rate=sample_rate, noise_multiplier=noise, num_steps=num_steps)

    found = calibrate_noise_multiplier_by_rdp(event, PrivacyBudget(epsilon=epsilon, delta=1e-3))
    assert found.bound == epsilon_by_rdp(event(found.noise_multiplier), 1e-3)
    assert found.noise_multiplier < 0.99 * {1000.0: 0.1389, 0.01: 1.0}[epsilon]


def test_an_epsilon_that_falls_to_zero_at_once_ends_the_search() -> None:
    """A straight line through it led to a multiplier beyond all floats."""

    def event(noise: float) -> dp_accounting.DpEvent:
        return one_of_many_event(
            num_critics=1000, noise_multiplier=noise, num_steps=2000, batch_size=32, draws_per_step=32
        )

    found = calibrate_noise_multiplier_by_rdp(event, PrivacyBudget(epsilon=0.01, delta=1e-3))
    assert 0.009 < found.bound.epsilon <= 0.01


def test_an_order_that_is_far_from_the_best_one_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting._SearchOfOrders, "_tried", lambda self: [14, 15, 16])
    found = calibrate_noise_multiplier_by_rdp(one_of_many, PrivacyBudget(epsilon=3.0, delta=1e-5))
    assert found.bound.epsilon > 1.05 * epsilon_by_rdp(one_of_many(found.noise_multiplier), 1e-5).epsilon


@pytest.mark.parametrize("noise", [0.4, 3.0])
def test_the_leading_order_has_the_larger_epsilon_of_the_fixed_pair(noise: float) -> None:
    both = [fixed_pair_epsilon(one_of_many(noise), 1e-5, order) for order in (MixtureFirstPair, GaussianFirstPair)]
    assert fixed_pair_epsilon(one_of_many(noise), 1e-5) == max(both, key=lambda one: one.epsilon)
    assert both[0].epsilon != both[1].epsilon


def test_noise_by_the_fixed_pair_is_that_of_its_leading_order() -> None:
    budget = PrivacyBudget(epsilon=3.0, delta=1e-5)
    found = calibrate_noise_multiplier_by_fixed_pair(one_of_many, budget)
    assert found.bound == fixed_pair_epsilon(one_of_many(found.noise_multiplier), 1e-5)
    assert 2.999 < found.bound.epsilon <= 3.0
