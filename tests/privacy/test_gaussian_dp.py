"""mu and rho: exact for Gaussians, never too small for anything else, and the profile that mu is read from."""

from __future__ import annotations

import dataclasses
import math
import time

import dp_accounting
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gossamer.errors import PrivacyError
from gossamer.privacy import (
    compose_events,
    epsilon_by_pld,
    gaussian_dp,
    gaussian_event,
    loss_grid,
    mu_of,
    one_of_many_event,
    poisson_event,
    replaced_poisson_event,
    rho_of,
)
from gossamer.privacy.accounting import profile_by_pld
from gossamer.privacy.composition import composed_profile, gaussian_without_sampling
from gossamer.privacy.loss_grid import FINE, MIDDLE, Repeated, find_epsilon, find_profile
from gossamer.privacy.one_of_many import OneOfManyPair
from gossamer.privacy.profile import PrivacyProfile

DELTA = 1e-5
laws = settings(max_examples=8, deadline=None, derandomize=True)


def one_of_many(num_critics: int, noise: float, num_steps: int, draws: int = 8) -> dp_accounting.DpEvent:
    return one_of_many_event(
        num_critics=num_critics, noise_multiplier=noise, num_steps=num_steps, batch_size=draws, draws_per_step=draws
    )


def added(rate: float, noise: float, num_steps: int) -> dp_accounting.DpEvent:
    return poisson_event(sample_rate=rate, noise_multiplier=noise, num_steps=num_steps)


def replaced(rate: float, noise: float, num_steps: int) -> dp_accounting.DpEvent:
    return replaced_poisson_event(sample_rate=rate, noise_multiplier=noise, num_steps=num_steps)


EVENTS = {
    "paper": one_of_many_event(
        num_critics=1000, noise_multiplier=1.07, num_steps=20_000, batch_size=32, draws_per_step=32
    ),
    "one draw": one_of_many(10, 1.0, 1, 1),
    "few draws": one_of_many(50, 0.7, 3),
    "replaced": replaced(0.01, 1.12, 1000),
    "one replaced": replaced(0.01, 1.12, 1),
    "added": added(0.01, 1.12, 1000),
    "few added": added(0.3, 0.8, 3),
    "with a Gaussian": compose_events(one_of_many(100, 1.0, 50), gaussian_event(noise_multiplier=5.0)),
}
all_events = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())


def gaussian_delta(mu: float, epsilon: float | np.ndarray) -> np.ndarray:
    """The profile of N(mu, 1) against N(0, 1), as it is printed in textbooks."""
    return stats.norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)


def is_dominated(event: dp_accounting.DpEvent, mu: float) -> bool:
    """On a finer grid than mu was read from, whose deltas are above the truth too, by less than the tolerance."""
    profile = composed_profile(event, DELTA, FINE)
    stated = profile.deltas >= DELTA
    return bool(np.all(gaussian_delta(mu, profile.epsilons[stated]) >= profile.deltas[stated] * (1 - 1e-3)))


@laws
@given(noise=st.floats(0.05, 50.0), count=st.integers(1, 1000), log_delta=st.floats(-12.0, -1.0))
def test_of_gaussians_alone_mu_and_rho_are_exact(noise: float, count: int, log_delta: float) -> None:
    event = gaussian_event(noise_multiplier=noise, num_releases=count)
    assert mu_of(event, 10.0**log_delta) == pytest.approx(math.sqrt(count) / noise, rel=1e-14)
    assert rho_of(event) == pytest.approx(count / (2 * noise**2), rel=1e-14)


def test_what_is_a_gaussian_in_another_dress_is_exact_too() -> None:
    for event in (one_of_many(1, 2.0, 2, 2), added(1.0, 2.0, 4), replaced(1.0, 4.0, 4)):
        assert mu_of(event, DELTA) == pytest.approx(1.0)
        assert rho_of(event) == pytest.approx(0.5)
    mixed = compose_events(gaussian_event(noise_multiplier=3.0), gaussian_event(noise_multiplier=4.0))
    assert mu_of(mixed, DELTA) == pytest.approx(5 / 12)


@all_events
def test_what_is_sampled_has_no_rho(event: dp_accounting.DpEvent) -> None:
    assert rho_of(event) is None


@all_events
def test_mu_dominates_and_one_per_cent_less_does_not(event: dp_accounting.DpEvent) -> None:
    mu = mu_of(event, DELTA)
    assert is_dominated(event, mu)
    assert not is_dominated(event, 0.99 * mu)


@all_events
def test_mu_dominates_every_pair_of_the_profile(event: dp_accounting.DpEvent) -> None:
    mu = mu_of(event, DELTA)
    for bound in profile_by_pld(event, [float(delta) for delta in np.geomspace(DELTA, 0.9, 40)]):
        assert gaussian_delta(mu, bound.epsilon) >= bound.delta * (1 - 1e-9) or bound.epsilon == 0


@laws
@given(
    noise=st.floats(0.7, 5.0), num_critics=st.integers(2, 500), num_steps=st.integers(1, 500),
    log_delta=st.floats(-9.0, -3.0),
)  # fmt: skip
def test_mu_is_tight_on_a_coarser_grid_too(noise: float, num_critics: int, num_steps: int, log_delta: float) -> None:
    event, delta = one_of_many(num_critics, noise, num_steps), 10.0**log_delta
    fine = gaussian_dp._smallest_mu(gaussian_dp._thinned(composed_profile(event, delta, FINE), delta), 1e9)
    assert fine * (1 - 1e-5) <= mu_of(event, delta) <= fine * 1.002 + 1e-6


def test_many_steps_come_to_the_gaussian_of_the_central_limit() -> None:
    """mu^2 is then the number of steps times the variance of one step's loss, which is a chi-square distance."""
    for rate, noise, num_steps in ((0.01, 4.0, 40_000), (0.002, 3.0, 400_000)):
        limit = rate * math.sqrt(num_steps * math.expm1(noise**-2))
        assert mu_of(added(rate, noise, num_steps), DELTA) == pytest.approx(limit, rel=0.03)
        limit = rate * math.sqrt(num_steps * 4 * math.sinh(noise**-2))
        assert mu_of(replaced(rate, noise, num_steps), DELTA) == pytest.approx(limit, rel=0.02)


def test_mu_rises_as_delta_falls_and_never_falls_with_steps() -> None:
    assert mu_of(one_of_many(100, 0.5, 20), 1e-8) > mu_of(one_of_many(100, 0.5, 20), 1e-3)
    assert mu_of(one_of_many(100, 0.5, 40), DELTA) > mu_of(one_of_many(100, 0.5, 20), DELTA)


def test_below_the_stated_delta_nothing_is_said() -> None:
    """As the docstring warns: a sampled mechanism's tail is heavier than that of its own mu."""
    event = one_of_many(1000, 0.5, 50)
    mu = mu_of(event, 1e-3)
    assert gaussian_delta(mu, epsilon_by_pld(event, 1e-9).epsilon) < 1e-9 / 10


def test_a_mu_from_too_few_points_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mechanism that is as good as mu = 1 at two epsilons, and worse between them: its profile is the chord."""
    ends = np.array([0.0, 2.0])
    table = PrivacyProfile(epsilons=ends, deltas=gaussian_delta(1.0, ends))
    between = np.linspace(0.0, 2.0, 101)
    share = np.expm1(between) / np.expm1(2.0)
    chord = (1 - share) * table.deltas[0] + share * table.deltas[1]

    def is_truly_dominated(mu: float) -> bool:
        return bool(np.all(gaussian_delta(mu, between) >= chord * (1 - 1e-9)))

    def points_alone(profile: PrivacyProfile, mu: float) -> bool:
        return bool(np.all(gaussian_delta(mu, profile.epsilons) >= profile.deltas))

    assert is_truly_dominated(gaussian_dp._smallest_mu(table, 10.0))
    monkeypatch.setattr(gaussian_dp, "_is_dominated", points_alone)
    assert not is_truly_dominated(gaussian_dp._smallest_mu(table, 10.0))


@all_events
def test_few_points_make_mu_larger_and_never_smaller(
    event: dp_accounting.DpEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = mu_of(event, DELTA)
    monkeypatch.setattr(gaussian_dp, "_MOST_POINTS", 20)
    assert many * (1 - 1e-4) <= mu_of(event, DELTA) < 1.5 * many


def test_where_numbers_run_out_mu_is_that_without_sampling() -> None:
    event = replaced(0.5, 0.05, 100)
    assert mu_of(event, DELTA) == pytest.approx(2 * math.sqrt(100) / 0.05)
    for sampled in EVENTS.values():
        assert mu_of(sampled, DELTA) < 1 / gaussian_without_sampling(sampled)
    # A delta that dp-accounting's tables did not reach: here it has a figure of its own.
    assert 0.5 < mu_of(added(0.01, 1.0, 1000), 1e-20) < 0.8


def test_mu_takes_a_fraction_of_a_second() -> None:
    start = time.perf_counter()
    mu_of(EVENTS["paper"], DELTA)
    # Measured at 0.02 s on one core; the limit leaves room for a busy machine.
    assert time.perf_counter() - start < 1.0


def test_what_has_no_price_has_no_mu() -> None:
    with pytest.raises(PrivacyError):
        mu_of(dp_accounting.LaplaceDpEvent(1.0), DELTA)
    with pytest.raises(PrivacyError):
        rho_of(dp_accounting.ComposedDpEvent([added(0.1, 1.0, 1), one_of_many(2, 1.0, 1)]))
    with pytest.raises(PrivacyError, match="delta"):
        mu_of(EVENTS["added"], 1.0)


@pytest.mark.parametrize(
    ("mu", "count", "delta"), [(1.0, 1, 1e-5), (1.0, 640_000, 1e-5), (3.0, 640_000, 1e-9), (8.0, 1000, 1e-5)]
)
def test_a_whole_profile_is_nowhere_below_the_exact_one_and_close_to_it(mu: float, count: int, delta: float) -> None:
    pair = OneOfManyPair(num_critics=1, noise_multiplier=math.sqrt(count) / mu)
    profile = find_profile([Repeated(pair=pair, count=count)], delta, MIDDLE)
    exact = gaussian_delta(mu, profile.epsilons)
    assert profile.epsilons[0] == 0.0
    assert profile.deltas[-1] <= delta < profile.deltas[-2]
    assert np.all(profile.deltas >= exact * (1 - 1e-9))
    assert np.all(profile.deltas <= exact * 1.04)
    # What is left to 1 is kept as well, where the deltas are nearly 1.
    assert 1 - profile.deltas[0] == pytest.approx(1 - exact[0], rel=0.01)


@all_events
def test_a_whole_profile_says_what_compositions_one_by_one_say(event: dp_accounting.DpEvent) -> None:
    for bound in profile_by_pld(event, (1e-7, 1e-5, 0.01, 0.3)):
        alone = epsilon_by_pld(event, bound.delta).epsilon
        # dp-accounting's own finer grid has more rounding in it than this one at small deltas.
        assert alone * (1 - 1e-4) - 1e-9 <= bound.epsilon <= 1.02 * alone + 2e-3


def test_a_window_that_forgets_what_it_cuts_off_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With coarse cuts the profile stays above; if they are not charged it falls below."""
    monkeypatch.setattr(loss_grid, "_TAIL_SHARE", 0.3)
    pair = OneOfManyPair(num_critics=1, noise_multiplier=1.0)
    step, epsilons = [Repeated(pair=pair, count=1)], find_profile([Repeated(pair=pair, count=1)], 1e-5, MIDDLE).epsilons

    def is_above(profile: PrivacyProfile) -> bool:
        return bool(np.all(profile.deltas >= gaussian_delta(1.0, profile.epsilons) * (1 - 1e-9)))

    assert epsilons.size > 100
    assert is_above(find_profile(step, 1e-5, MIDDLE))
    monkeypatch.setattr(loss_grid, "_cut_off", lambda grids, counts: 0.0)
    assert not is_above(find_profile(step, 1e-5, MIDDLE))


def test_a_table_is_read_on_the_chord_and_ends_where_it_ends() -> None:
    table = PrivacyProfile(epsilons=np.array([0.0, 1.0, 2.0]), deltas=np.array([0.4, 0.1, 0.01]))
    middle = table.epsilon_at(0.05)
    share = (math.exp(middle) - math.e) / (math.e**2 - math.e)
    assert 0.1 + share * (0.01 - 0.1) == pytest.approx(0.05)
    assert table.epsilon_at(0.5) == 0.0
    assert table.epsilon_at(0.009) == math.inf
    assert dataclasses.replace(table, deltas=np.array([0.4, 0.1, 0.0])).epsilon_at(0.0) == 2.0


def test_an_epsilon_read_from_a_profile_is_that_of_its_own_search() -> None:
    steps = [Repeated(pair=OneOfManyPair(num_critics=100, noise_multiplier=1.5), count=1600)]
    for delta in (1e-9, 1e-5, 0.01):
        assert find_profile(steps, delta, FINE).epsilon_at(delta) == pytest.approx(
            find_epsilon(steps, delta, FINE), rel=1e-3, abs=1e-3
        )
