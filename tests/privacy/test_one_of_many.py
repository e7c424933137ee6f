"""The one-of-K loss distribution against closed forms, quadrature, dp-accounting, and the laws it must obey."""

from __future__ import annotations

import math

import dp_accounting
import numpy as np
import pytest
from dp_accounting import gaussian_mechanism
from dp_accounting.pld import pld_pmf, privacy_loss_distribution
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from gossamer.privacy.accounting import epsilon_by_pld, epsilon_by_rdp, fixed_pair_epsilon
from gossamer.privacy.events import compose_events, gaussian_event, one_of_many_event, poisson_event
from gossamer.privacy.loss_grid import (
    COARSE,
    FINE,
    AbstractDominatingPair,
    GridPrecision,
    Repeated,
    discretise,
    find_epsilon,
)
from gossamer.privacy.one_of_many import GaussianFirstPair, MixtureFirstPair, OneOfManyPair, gaussian_log_profile

DELTA = 1e-5
# Settings are drawn afresh, yet the same in every run, so that a failure can be repeated.
laws = settings(max_examples=8, deadline=None, derandomize=True)
noises = st.floats(0.5, 8.0)
critics = st.integers(2, 2000)
steps = st.integers(1, 5000)
log_deltas = st.floats(-9.0, -3.0)


def one_of_many(
    num_critics: int, noise: float, num_steps: int, batch: int = 8, draws: int = 8
) -> dp_accounting.DpEvent:
    return one_of_many_event(
        num_critics=num_critics, noise_multiplier=noise, num_steps=num_steps, batch_size=batch, draws_per_step=draws
    )


def by_pld(*setting: float, delta: float = DELTA) -> float:
    return epsilon_by_pld(one_of_many(*setting), delta).epsilon  # type: ignore[arg-type]


def composed(pair: AbstractDominatingPair, count: int, delta: float, precision: GridPrecision = FINE) -> float:
    return find_epsilon([Repeated(pair=pair, count=count)], delta, precision)


@laws
@given(noise=noises, num_critics=critics, num_steps=steps)
def test_epsilon_falls_with_noise(noise: float, num_critics: int, num_steps: int) -> None:
    assert by_pld(num_critics, 1.1 * noise, num_steps) <= by_pld(num_critics, noise, num_steps)


@laws
@given(noise=noises, num_critics=critics, num_steps=steps)
def test_epsilon_falls_with_the_number_of_critics(noise: float, num_critics: int, num_steps: int) -> None:
    assert by_pld(2 * num_critics, noise, num_steps) <= by_pld(num_critics, noise, num_steps)


@laws
@given(noise=noises, num_critics=critics, num_steps=steps)
def test_epsilon_rises_with_steps_and_with_batch(noise: float, num_critics: int, num_steps: int) -> None:
    epsilon = by_pld(num_critics, noise, num_steps, 8, 8)
    assert by_pld(num_critics, noise, 2 * num_steps, 8, 8) >= epsilon
    assert by_pld(num_critics, noise, num_steps, 16, 16) >= epsilon
    assert by_pld(num_critics, noise, num_steps, 16, 8) >= epsilon


@laws
@given(noise=st.floats(1.0, 8.0), num_critics=st.integers(10, 2000), num_steps=st.integers(200, 5000))
def test_epsilon_rises_as_more_answers_share_a_coin(noise: float, num_critics: int, num_steps: int) -> None:
    epsilons = [by_pld(num_critics, noise, num_steps, 16, draws) for draws in (16, 4, 1)]
    assert epsilons == sorted(epsilons)


@laws
@given(noise=noises, num_critics=critics, num_steps=steps, log_delta=log_deltas)
def test_accountants_are_ordered_fixed_pair_below_pld_below_rdp(
    noise: float, num_critics: int, num_steps: int, log_delta: float
) -> None:
    event, delta = one_of_many(num_critics, noise, num_steps), 10.0**log_delta
    pair, pld, rdp = (f(event, delta).epsilon for f in (fixed_pair_epsilon, epsilon_by_pld, epsilon_by_rdp))
    assert pair <= pld * (1 + 1e-9)
    # Where the true epsilon is zero, Renyi's conversion can say so exactly and the grid only up to its interval.
    assert pld <= max(rdp, 1e-3)


@laws
@given(noise=st.floats(0.3, 100.0), count=st.integers(1, 100_000), log_delta=st.floats(-30.0, -2.0))
def test_one_critic_is_the_plain_gaussian_on_the_grid_too(noise: float, count: int, log_delta: float) -> None:
    delta = 10.0**log_delta
    multiplier = noise * math.sqrt(count)
    exact = gaussian_mechanism.get_epsilon_gaussian(noise, delta)
    on_grid = composed(OneOfManyPair(num_critics=1, noise_multiplier=multiplier), count, delta)
    assert exact <= on_grid + 1e-9
    assert on_grid <= exact * 1.002 + 1e-6
    assert epsilon_by_pld(one_of_many(1, multiplier, count, 1, 1), delta).epsilon == pytest.approx(exact, abs=1e-9)


@laws
@given(noise=st.floats(0.2, 5.0), num_critics=st.integers(2, 1000), log_delta=st.floats(-12.0, -3.0))
def test_one_step_is_the_closed_form(noise: float, num_critics: int, log_delta: float) -> None:
    delta, gamma = 10.0**log_delta, 1.0 / num_critics
    base = gaussian_mechanism.get_epsilon_gaussian(noise, min(1.0, delta / gamma))
    exact = math.log1p(gamma * math.expm1(base))
    found = epsilon_by_pld(one_of_many(num_critics, noise, 1, 1, 1), delta).epsilon
    assert exact - 1e-9 <= found <= exact * 1.001 + 2e-4


@pytest.mark.parametrize(
    ("num_critics", "noise", "interval"), [(1, 0.7, 1e-3), (10, 1.07, 1e-3), (1000, 0.19, 1e-3), (1000, 6.0, 2e-6)]
)
def test_discrete_law_is_self_dual_normalised_and_above_the_profile(
    num_critics: int, noise: float, interval: float
) -> None:
    pair = OneOfManyPair(num_critics=num_critics, noise_multiplier=noise)
    grid = discretise(pair, interval, 4000, 4000)
    losses = grid.interval * np.arange(-4000, 4001)
    assert grid.probabilities.sum() + grid.infinity_mass == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(grid.probabilities, (grid.probabilities * np.exp(-losses))[::-1], rtol=1e-12, atol=0)
    for epsilon in interval * np.array([0.0, 10.5, 333.3, 1700.0]):
        above = losses > epsilon
        polygon = grid.infinity_mass - float(np.dot(np.expm1(epsilon - losses[above]), grid.probabilities[above]))
        exact = float(np.exp(pair.log_profile(np.array([epsilon]))[0]))
        assert polygon >= exact * (1 - 1e-9)
        assert polygon == pytest.approx(exact, rel=0.02, abs=1e-12)


def test_discretisation_and_composition_agree_with_dp_accounting() -> None:
    pair, interval, reach, count = OneOfManyPair(num_critics=100, noise_multiplier=1.5), 1e-3, 3000, 2000
    epsilons = interval * np.arange(reach + 1)
    upper = np.exp(pair.log_profile(epsilons))
    lower = -np.expm1(-epsilons) + np.exp(-epsilons) * upper
    deltas = np.concatenate((lower[:0:-1], upper))
    theirs = pld_pmf.create_pmf_pessimistic_connect_dots_fixed_gap(interval, -reach, reach, deltas)
    ours = discretise(pair, interval, reach, reach)
    losses = interval * np.arange(-reach, reach + 1)
    for epsilon in (0.1, 0.5):
        tail = losses > epsilon
        polygon = ours.infinity_mass - float(np.dot(np.expm1(epsilon - losses[tail]), ours.probabilities[tail]))
        assert polygon == pytest.approx(theirs.get_delta_for_epsilon(epsilon), rel=1e-9)
    epsilon = theirs.self_compose(count).get_epsilon_for_delta(DELTA)
    assert composed(pair, count, DELTA) == pytest.approx(epsilon, rel=2e-3)


def test_dominating_pair_has_the_profile_of_the_worst_of_many_small_mixtures() -> None:
    # One step with K = 3 in one dimension: every choice of centres in [-1, 1] and every order stays below the profile.
    rng = np.random.default_rng(7)
    noise, points = 0.6, np.linspace(-6, 6, 4001)
    pair = OneOfManyPair(num_critics=3, noise_multiplier=noise)
    worst = 0.0
    for _ in range(200):
        shared, old, new = rng.choice([-1.0, 1.0], 2), rng.choice([-1.0, 1.0]), rng.uniform(-1, 1)
        laws_of = [
            sum(stats.norm.pdf(points, centre, 2 * noise) for centre in (*shared, own)) / 3 for own in (old, new)
        ]
        for p, q in (laws_of, laws_of[::-1]):
            for epsilon in (0.0, 0.1, 0.4):
                exact = float(integrate.trapezoid(np.maximum(0, p - math.exp(epsilon) * q), points))
                bound = float(np.exp(pair.log_profile(np.array([epsilon]))[0]))
                worst = max(worst, exact / bound)
    assert 0.8 < worst <= 1.0 + 1e-6


@pytest.mark.parametrize(("rate", "noise", "count"), [(0.01, 1.0, 1000), (0.2, 3.0, 200), (0.001, 0.6, 5000)])
def test_fixed_pair_agrees_with_dp_accounting(rate: float, noise: float, count: int) -> None:
    theirs = privacy_loss_distribution.from_gaussian_mechanism(noise, sampling_prob=rate).self_compose(count)
    ours = max(
        composed(order(probability=rate, noise_multiplier=noise), count, DELTA)
        for order in (MixtureFirstPair, GaussianFirstPair)
    )
    assert ours == pytest.approx(theirs.get_epsilon_for_delta(DELTA), rel=2e-3)


def test_fixed_pair_figure_lies_between_the_optimistic_and_the_pessimistic_of_dp_accounting() -> None:
    event, interval = one_of_many(50, 2.0, 4, 25, 25), 1e-5
    build = privacy_loss_distribution.from_gaussian_mechanism
    lower, upper = (
        build(2.0, sampling_prob=1 / 50, pessimistic_estimate=is_upper, value_discretization_interval=interval)
        .self_compose(100)
        .get_epsilon_for_delta(DELTA)
        for is_upper in (False, True)
    )
    assert lower <= fixed_pair_epsilon(event, DELTA).epsilon <= upper


@pytest.mark.parametrize("pair", [MixtureFirstPair, GaussianFirstPair])
def test_fixed_pair_profiles_are_hockey_sticks(pair: type[MixtureFirstPair] | type[GaussianFirstPair]) -> None:
    gamma, noise, x = 0.3, 0.8, np.linspace(-12, 13, 200_001)
    gaussian = stats.norm.pdf(x, 0, noise)
    mixture = (1 - gamma) * gaussian + gamma * stats.norm.pdf(x, 1, noise)
    p, q = (mixture, gaussian) if pair is MixtureFirstPair else (gaussian, mixture)
    built = pair(probability=gamma, noise_multiplier=noise)
    epsilons = np.array([0.0, 0.1, 0.3, 1.0])
    for profile, (first, second) in ((built.log_profile, (p, q)), (built.log_dual_profile, (q, p))):
        exact = [integrate.trapezoid(np.maximum(0, first - math.exp(e) * second), x) for e in epsilons]
        assert np.exp(profile(epsilons)) == pytest.approx(exact, rel=1e-4, abs=1e-9)


def test_gaussian_profile_keeps_its_digits_deep_in_the_tail() -> None:
    for noise, epsilon in ((1.0, 20.0), (100.0, 0.2), (0.2, 80.0), (3.0, -1.0)):
        mu = 1 / noise
        log_scale = stats.norm.logcdf(mu / 2 - epsilon / mu)
        exact, _ = integrate.quad(
            lambda z, e=epsilon, m=mu, s=log_scale: (
                -math.expm1(min(0.0, e - m * z - m * m / 2)) * math.exp(stats.norm.logpdf(z) - s)
            ),
            epsilon / mu - mu / 2,
            epsilon / mu - mu / 2 + 12,
            epsabs=0,
            epsrel=1e-10,
        )
        found = float(gaussian_log_profile(np.array([epsilon]), noise)[0])
        assert found - log_scale == pytest.approx(math.log(exact), abs=1e-7)


def test_small_deltas_cost_no_precision() -> None:
    # 640,000 steps and delta = 1e-25: far below the rounding error of an FFT without tilt.
    noise = 0.3 * math.sqrt(640_000)
    exact = gaussian_mechanism.get_epsilon_gaussian(0.3, 1e-25)
    assert composed(OneOfManyPair(num_critics=1, noise_multiplier=noise), 640_000, 1e-25) == pytest.approx(
        exact, rel=1e-3
    )


def test_a_finer_grid_never_raises_epsilon_beyond_noise() -> None:
    pair = OneOfManyPair(num_critics=1000, noise_multiplier=1.07)
    fine, coarse = (composed(pair, 640_000, DELTA, precision) for precision in (FINE, COARSE))
    assert fine <= coarse <= 1.02 * fine


def test_stages_composed_together_cost_what_one_run_of_them_costs() -> None:
    whole = one_of_many(500, 1.2, 400)
    halves = compose_events(one_of_many(500, 1.2, 100), one_of_many(500, 1.2, 300))
    assert epsilon_by_pld(halves, DELTA).epsilon == pytest.approx(epsilon_by_pld(whole, DELTA).epsilon, rel=1e-6)
    mixed = compose_events(one_of_many(500, 1.2, 400), one_of_many(100, 4.0, 50), gaussian_event(noise_multiplier=6.0))
    apart = by_pld(500, 1.2, 400), by_pld(100, 4.0, 50)
    assert max(apart) < epsilon_by_pld(mixed, DELTA).epsilon
    assert fixed_pair_epsilon(mixed, DELTA).epsilon <= epsilon_by_pld(mixed, DELTA).epsilon
    assert epsilon_by_pld(mixed, DELTA).epsilon <= epsilon_by_rdp(mixed, DELTA).epsilon


def test_pricing_one_draw_per_step_as_one_per_sample_is_seen_in_epsilon() -> None:
    honest, broken = by_pld(1000, 1.07, 1000, 32, 1), by_pld(1000, 1.07, 1000, 32, 32)
    assert broken < 0.2 * honest


@pytest.mark.parametrize(("rate", "noise", "count"), [(0.01, 1.0, 1000), (0.001, 2.0, 100_000)])
def test_poisson_events_agree_with_our_own_grid(rate: float, noise: float, count: int) -> None:
    event = poisson_event(sample_rate=rate, noise_multiplier=noise, num_steps=count)
    ours = max(
        composed(order(probability=rate, noise_multiplier=noise), count, DELTA)
        for order in (MixtureFirstPair, GaussianFirstPair)
    )
    assert epsilon_by_pld(event, DELTA).epsilon == pytest.approx(ours, rel=5e-3)
    assert epsilon_by_pld(event, DELTA).epsilon <= epsilon_by_rdp(event, DELTA).epsilon


def test_renyi_reads_the_multiplier_as_noise_over_sensitivity() -> None:
    # Guards against a change of dp-accounting's convention under REPLACE_ONE (issue 378 there).
    event = one_of_many(1, 2.0, 1, 1, 1)

    def price(order: float) -> float:
        return order / 8.0 + math.log1p(-1 / order) - math.log(DELTA * order) / (order - 1)

    best = optimize.minimize_scalar(price, bounds=(1.1, 60.0), method="bounded").fun
    assert epsilon_by_rdp(event, DELTA).epsilon == pytest.approx(best, rel=2e-3)


@pytest.mark.parametrize(
    ("num_critics", "noise", "num_steps"), [(1000, 0.01, 100), (10**6, 100.0, 10), (2, 1e4, 1), (5, 0.05, 1)]
)
def test_extreme_settings_give_a_finite_ordered_answer(num_critics: int, noise: float, num_steps: int) -> None:
    event = one_of_many(num_critics, noise, num_steps)
    pair, pld = fixed_pair_epsilon(event, DELTA).epsilon, epsilon_by_pld(event, DELTA).epsilon
    assert 0.0 <= pair <= pld * (1 + 1e-9) < math.inf
