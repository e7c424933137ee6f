"""Prices of Poisson samples under add or remove one: at all deltas, and those of dp-accounting where it has one."""

from __future__ import annotations

import itertools
import math
import time

import dp_accounting
import numpy as np
import pytest
from dp_accounting import pld
from scipy import signal

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy import accounting, composition, loss_grid, rdp
from gossamer.privacy.accounting import (
    _last_within,
    calibrate_noise_multiplier,
    calibrate_noise_multiplier_by_rdp,
    epsilon_by_pld,
    epsilon_by_rdp,
    num_steps_for_budget,
    proved_epsilon,
)
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.composition import composed_profile
from gossamer.privacy.earlier import earlier_epsilon, earlier_profile, has_earlier_price
from gossamer.privacy.events import (
    compose_events,
    gaussian_event,
    one_of_many_event,
    poisson_event,
    replaced_poisson_event,
)
from gossamer.privacy.gaussian_dp import mu_of, mu_of_profile
from gossamer.privacy.loss_grid import MIDDLE
from gossamer.privacy.one_of_many import GaussianFirstPair
from gossamer.privacy.profile import PrivacyProfile, larger_profile

EVENTS = {
    "one-of-K": one_of_many_event(num_critics=100, noise_multiplier=1.0, num_steps=50, batch_size=8, draws_per_step=8),
    "Poisson": poisson_event(sample_rate=0.01, noise_multiplier=1.0, num_steps=1000),
    "Poisson, replaced": replaced_poisson_event(sample_rate=0.01, noise_multiplier=1.0, num_steps=1000),
    "Gaussians": gaussian_event(noise_multiplier=2.0, num_releases=4),
    "both": compose_events(
        gaussian_event(noise_multiplier=2.0), poisson_event(sample_rate=0.05, noise_multiplier=2.0, num_steps=200)
    ),
}
DELTAS = [10.0**-power for power in (5, 9, 13, 14, 16, 25, 30)]


def by_dp_accounting(event: dp_accounting.DpEvent, interval: float) -> pld.PLDAccountant:
    relation = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE
    return pld.PLDAccountant(relation, value_discretization_interval=interval).compose(event)


@pytest.mark.parametrize("name", EVENTS)
def test_at_every_delta_the_claim_is_finite_and_rises_as_delta_falls(name: str) -> None:
    claims = [proved_epsilon(EVENTS[name], delta) for delta in DELTAS]
    for claim in claims:
        assert 0 < claim.epsilon < 100
        assert claim.epsilon <= epsilon_by_rdp(EVENTS[name], claim.delta).epsilon
    assert all(one.epsilon < other.epsilon for one, other in itertools.pairwise(claims))


def test_the_price_of_before_was_infinite_at_tiny_deltas() -> None:
    event = EVENTS["Poisson"]
    assert earlier_epsilon(event, 1e-16) == math.inf
    assert proved_epsilon(event, 1e-16).epsilon == pytest.approx(5.16, abs=0.01)
    # At 1e-14 it was finite, and nearly twice what is proved.
    assert earlier_epsilon(event, 1e-14) > 1.8 * proved_epsilon(event, 1e-14).epsilon


def test_the_smaller_of_both_proved_bounds_is_claimed_and_named(monkeypatch) -> None:
    event = EVENTS["Poisson"]
    assert proved_epsilon(event, 1e-16).accountant == accounting.PLD_ACCOUNTANT
    monkeypatch.setattr(accounting, "composed_epsilon", lambda *_: math.inf)
    claim = proved_epsilon(event, 1e-16)
    assert claim.accountant == accounting.RDP_ACCOUNTANT
    assert claim.epsilon == epsilon_by_rdp(event, 1e-16).epsilon
    budget = PrivacyBudget(epsilon=9.0, delta=1e-16)
    steps = num_steps_for_budget(
        lambda num_steps: poisson_event(sample_rate=0.01, noise_multiplier=2.0, num_steps=num_steps), budget
    )
    assert steps > 100
    # A draw of one of K is claimed by the theorem proved here, and by no other bound: refused, naming delta.
    with pytest.raises(InputError, match="at delta 1e-16"):
        proved_epsilon(EVENTS["one-of-K"], 1e-16)


@pytest.mark.parametrize("delta", [1e-16])
def test_calibration_and_the_search_for_steps_work_at_tiny_deltas(delta: float) -> None:
    budget = PrivacyBudget(epsilon=2.0, delta=delta)
    found = calibrate_noise_multiplier(
        lambda noise: poisson_event(sample_rate=0.01, noise_multiplier=noise, num_steps=500), budget
    )
    assert 1.999 < found.bound.epsilon <= 2.0

    def of_steps(num_steps: int) -> dp_accounting.DpEvent:
        return poisson_event(sample_rate=0.01, noise_multiplier=found.noise_multiplier, num_steps=num_steps)

    assert 495 <= num_steps_for_budget(of_steps, budget) <= 505


def test_what_no_noise_reaches_is_refused_in_a_line_that_names_delta() -> None:
    # RDP proves no less than log(1/delta) over its largest order, whatever the noise.
    with pytest.raises(PrivacyError, match=r"reaches epsilon 0.05 at delta 1e-150"):
        calibrate_noise_multiplier_by_rdp(
            lambda noise: gaussian_event(noise_multiplier=noise), PrivacyBudget(epsilon=0.05, delta=1e-150)
        )


def test_a_delta_whose_parts_are_no_floats_is_refused() -> None:
    with pytest.raises(PrivacyError, match="is below 1e-200"):
        proved_epsilon(EVENTS["Poisson"], 1e-320)
    assert proved_epsilon(EVENTS["Poisson"], 1e-200).epsilon < 100


@pytest.mark.parametrize(
    ("rate", "noise", "steps", "delta"),
    [(0.01, 1.0, 1000, 1e-5), (0.5, 20.0, 100, 1e-6), (0.9, 3.0, 50, 1e-8), (0.1, 0.4, 3, 1e-3), (0.01, 1.0, 1, 1e-9)],
)
def test_the_figure_is_that_of_dp_accounting_where_its_tails_do_not_count(
    rate: float, noise: float, steps: int, delta: float
) -> None:
    event = poisson_event(sample_rate=rate, noise_multiplier=noise, num_steps=steps)
    other = by_dp_accounting(event, 1e-4).get_epsilon(delta)
    assert epsilon_by_pld(event, delta).epsilon == pytest.approx(other, rel=2e-4)


def test_one_order_of_the_neighbours_alone_is_not_the_price(monkeypatch) -> None:
    event = EVENTS["Poisson"]
    right = epsilon_by_pld(event, 1e-5).epsilon
    monkeypatch.setattr(composition, "_ORDERS", (GaussianFirstPair,))
    assert epsilon_by_pld(event, 1e-5).epsilon < 0.8 * right


@pytest.mark.parametrize(("noise", "steps"), [(0.0397, 10), (0.126, 30_300)])
def test_a_large_epsilon_is_that_of_a_fine_grid_to_a_thousandth_and_takes_no_minutes(noise: float, steps: int) -> None:
    event = poisson_event(sample_rate=0.01, noise_multiplier=noise, num_steps=steps)
    start = time.process_time()
    found = epsilon_by_pld(event, 1e-5).epsilon
    assert time.process_time() - start < 2
    assert found == pytest.approx(by_dp_accounting(event, 0.01).get_epsilon(1e-5), rel=1e-3)


def test_the_profile_is_that_of_dp_accounting_in_both_orders() -> None:
    event = poisson_event(sample_rate=0.2, noise_multiplier=1.5, num_steps=30)
    table = composed_profile(event, 1e-6, MIDDLE)
    accountant = by_dp_accounting(event, 1e-4)
    for epsilon in (0.0, 0.3, 1.0, 3.0, float(table.epsilons[-1])):
        exact = accountant.get_delta(epsilon)
        assert exact * (1 - 1e-4) <= table.deltas_at(np.array([epsilon]))[0] <= exact * 1.05 + 1e-7
    assert mu_of(event, 1e-6) == pytest.approx(mu_of_profile(event, 1e-6, earlier_profile(event, 1e-6)), rel=2e-3)


def test_the_larger_profile_is_above_both() -> None:
    generator = np.random.default_rng(0)
    tables = []
    for _ in range(2):
        epsilons = np.concatenate(([0.0], np.sort(generator.uniform(0, 4, 20))))
        tables.append(PrivacyProfile(epsilons=epsilons, deltas=np.sort(generator.uniform(0, 1, 21))[::-1]))
    larger = larger_profile(tables[0], tables[1])
    places = generator.uniform(0, 5, 500)
    for table in tables:
        assert np.all(larger.deltas_at(places) >= table.deltas_at(places) - 1e-12)
    assert np.all(np.diff(larger.deltas) <= 0)


def test_only_poisson_samples_under_add_or_remove_one_have_an_earlier_price() -> None:
    assert [name for name in EVENTS if has_earlier_price(EVENTS[name])] == ["Poisson", "both"]
    # A small machine's memory: too many points for dp-accounting.
    assert not has_earlier_price(poisson_event(sample_rate=0.5, noise_multiplier=1e-3, num_steps=10**9))


# ---- the number of steps for a budget --------------------------------------------------------------------------------


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
        # A number far beyond the target takes long to price.
        assert start + 0.01 * max(asked) ** power <= 2 * target


def test_a_search_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="more than 1000000000 steps"):
        _last_within(lambda steps: 1e-12 * steps, 1e5, 1, 2)


@pytest.mark.parametrize("noise", [1e-3, 0.3, 1.0, 3.73, 250.0, 1e6])
@pytest.mark.parametrize("delta", [0.3, 1e-2, 1e-5, 1e-25, 1e-300])
def test_one_gaussian_costs_what_dp_accounting_says_to_the_last_bit(noise: float, delta: float) -> None:
    with np.errstate(divide="ignore"):  # its logarithm of nothing
        theirs = dp_accounting.get_epsilon_gaussian(noise, delta)
    assert composition._gaussian_epsilon(noise, delta) == theirs


def test_the_orders_are_those_that_dp_accounting_takes_and_more() -> None:
    theirs = dp_accounting.rdp.rdp_privacy_accountant.DEFAULT_RDP_ORDERS
    assert list(rdp._USUAL_ORDERS) == theirs


@pytest.mark.parametrize("interval", [1e-4, 1e-2, 3.0])
def test_the_discounted_sums_are_those_of_a_filter(interval: float) -> None:
    values, ratio = np.random.default_rng(0).random(20_000) ** 30, math.exp(-interval)
    expected = np.asarray(signal.lfilter([0.0, ratio], [1.0, -ratio], values))
    np.testing.assert_allclose(loss_grid._discounted_before(values, ratio), expected, rtol=1e-13, atol=0)
