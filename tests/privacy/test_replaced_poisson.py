"""Poisson samples priced for a replacement, against quadrature, dp-accounting, an own convolution and laws."""

from __future__ import annotations

import math

import dp_accounting
import numpy as np
import pytest
from dp_accounting import gaussian_mechanism, pld
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, integrate, stats

from gossamer.errors import PrivacyError
from gossamer.privacy import (
    Adjacency,
    PrivacyBudget,
    PrivacyStatement,
    Unit,
    calibrate_noise_multiplier,
    compose_events,
    composition,
    epsilon_by_pld,
    epsilon_by_rdp,
    find_adjacency,
    fixed_pair_epsilon,
    gaussian_event,
    num_steps_for_budget,
    one_of_many_event,
    poisson_event,
    replaced_poisson_event,
    under_replacement,
)
from gossamer.privacy.accounting import profile_by_pld
from gossamer.privacy.events import ReplacedPoissonPart, flatten
from gossamer.privacy.one_of_many import GaussianFirstPair, MixtureFirstPair
from gossamer.privacy.replaced_poisson import ReplacedPoissonPair
from gossamer.privacy.restated import describe_event, event_of, is_same_event
from gossamer.privacy.tradeoff import trade_off, trade_off_of

DELTA = 1e-5
laws = settings(max_examples=8, deadline=None, derandomize=True)
rates = st.floats(1e-4, 0.5)
noises = st.floats(0.5, 8.0)
counts = st.integers(1, 5000)


def replaced(rate: float, noise: float, num_steps: int) -> dp_accounting.DpEvent:
    return replaced_poisson_event(sample_rate=rate, noise_multiplier=noise, num_steps=num_steps)


def added(rate: float, noise: float, num_steps: int) -> dp_accounting.DpEvent:
    return poisson_event(sample_rate=rate, noise_multiplier=noise, num_steps=num_steps)


def by_pld(rate: float, noise: float, num_steps: int, delta: float = DELTA) -> float:
    return epsilon_by_pld(replaced(rate, noise, num_steps), delta).epsilon


def densities(rate: float, noise: float, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P and Q as they are written on paper, in units of the clip."""
    first, second = (
        (1 - rate) * stats.norm.pdf(x, 0, noise) + rate * stats.norm.pdf(x, centre, noise) for centre in (1, -1)
    )
    return first, second


def bracket_by_own_convolution(rate: float, noise: float, num_steps: int, epsilon: float) -> tuple[float, float]:
    """Delta from below and above: losses of one step rounded down and up to a grid, then convolved by FFT.

    Nothing of the library: the loss is tabulated over the output, and its law is a histogram of exact probabilities.
    """
    interval, size = 2e-5, 2**21
    edges = np.linspace(-12 * noise, 12 * noise + 1, 2_000_001)
    upper = (1 - rate) * stats.norm.sf(edges / noise) + rate * stats.norm.sf((edges - 1) / noise)
    first, second = densities(rate, noise, edges)
    losses, masses = np.log(first) - np.log(second), -np.diff(upper)
    deltas = []
    for ends, rounding in ((losses[:-1], np.floor), (losses[1:], np.ceil)):
        index = rounding(ends / interval).astype(np.int64)
        law = np.zeros(size)
        np.add.at(law, index % size, masses)
        total = fft.irfft(fft.rfft(law) ** num_steps, size)
        values = interval * (np.arange(size) - size // 2)
        total = np.roll(total, size // 2)
        above = values > epsilon
        deltas.append(float(np.dot(-np.expm1(epsilon - values[above]), total[above])))
    return deltas[0], deltas[1] + num_steps * float(upper[-1])


@pytest.mark.parametrize(("rate", "noise"), [(0.3, 0.8), (0.01, 1.12), (0.001, 0.9), (0.9, 3.0), (1.0, 2.0)])
def test_the_profile_of_one_step_is_the_hockey_stick_of_the_pair(rate: float, noise: float) -> None:
    epsilons = np.array([0.0, 1e-3, 0.05, 0.3, 1.0, 2.5])
    found = np.exp(ReplacedPoissonPair(probability=rate, noise_multiplier=noise).log_profile(epsilons))
    for epsilon, mine in zip(epsilons, found, strict=True):
        for order in (1, -1):  # the pair is its own mirror image

            def excess(x: float, epsilon: float = epsilon, order: int = order) -> float:
                first, second = densities(rate, noise, np.array([x]))[::order]
                return max(0.0, float(first[0] - math.exp(epsilon) * second[0]))

            exact = integrate.quad(excess, -14 * noise, 14 * noise + 1, limit=2000, epsabs=1e-13, points=[0.0])[0]
            assert mine == pytest.approx(exact, rel=1e-5, abs=1e-11)


@pytest.mark.parametrize(("rate", "noise", "num_steps"), [(0.2, 3.0, 50), (0.01, 1.12, 1000), (0.05, 1.5, 300)])
def test_several_steps_lie_in_the_bracket_of_an_own_convolution(rate: float, noise: float, num_steps: int) -> None:
    for bound in profile_by_pld(replaced(rate, noise, num_steps), (1e-3, 0.05)):
        lower, upper = bracket_by_own_convolution(rate, noise, num_steps, bound.epsilon)
        # Epsilon is rounded up, so that the true delta there is at most the stated one, and hardly below it.
        assert lower <= bound.delta * (1 + 1e-9)
        assert upper >= bound.delta * 0.995
    lower, upper = bracket_by_own_convolution(rate, noise, num_steps, by_pld(rate, noise, num_steps))
    assert lower <= DELTA <= upper * 1.001
    assert upper < 1.2 * lower


@pytest.mark.parametrize(
    ("rate", "noise", "num_steps"), [(0.01, 1.12, 35_000), (0.01, 1.12, 1000), (0.1, 2.0, 100), (0.5, 1.0, 1)]
)
def test_dp_accounting_says_the_same(rate: float, noise: float, num_steps: int) -> None:
    accountant = pld.PLDAccountant(dp_accounting.NeighboringRelation.REPLACE_ONE)
    sample = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise))
    theirs = accountant.compose(sample, num_steps).get_epsilon(DELTA)
    assert by_pld(rate, noise, num_steps) == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize(("over_diameter", "golden"), [(0.450, 10.05), (1.116, 3.002), (2.985, 1.001)])
def test_the_contract_s_golden_numbers(over_diameter: float, golden: float) -> None:
    # They are written as noise over 2 C, and the multiplier is noise over C.
    assert by_pld(1 / 1000, 2 * over_diameter, 640_000) == pytest.approx(golden, rel=0.005)


def test_golden_epsilons_of_dp_sgd_under_replacement() -> None:
    for setting, golden in (((0.01, 1.12, 30_300), 18.473), ((0.01, 1.12, 35_000), 20.309), ((0.1, 2.0, 1000), 17.685)):
        assert by_pld(*setting) == pytest.approx(golden, rel=1e-3)


@laws
@given(rate=rates, noise=noises, num_steps=counts)
def test_a_replacement_costs_at_least_an_addition_and_at_most_two(rate: float, noise: float, num_steps: int) -> None:
    once = epsilon_by_pld(added(rate, noise, num_steps), DELTA).epsilon
    assert by_pld(rate, noise, num_steps) >= once * (1 - 1e-3) - 1e-6
    # One removed and one added: twice epsilon, at a delta of (1 + e^epsilon) times.
    group_delta = (1 + math.exp(once)) * DELTA
    if group_delta < 1:
        assert by_pld(rate, noise, num_steps, group_delta) <= 2 * once + 1e-6


@laws
@given(rate=rates, noise=noises, num_steps=counts)
def test_epsilon_falls_with_noise_and_rises_with_steps_and_rate(rate: float, noise: float, num_steps: int) -> None:
    epsilon = by_pld(rate, noise, num_steps)
    assert by_pld(rate, 1.1 * noise, num_steps) <= epsilon
    assert by_pld(rate, noise, 2 * num_steps) >= epsilon
    assert by_pld(1.5 * rate, noise, num_steps) >= epsilon


@laws
@given(noise=noises, num_steps=counts, log_delta=st.floats(-9.0, -2.0))
def test_everybody_in_every_batch_is_the_gaussian_of_twice_the_clip(
    noise: float, num_steps: int, log_delta: float
) -> None:
    exact = gaussian_mechanism.get_epsilon_gaussian(noise / 2 / math.sqrt(num_steps), 10.0**log_delta)
    assert by_pld(1.0, noise, num_steps, 10.0**log_delta) == pytest.approx(exact, rel=1e-9, abs=1e-9)
    # Nearly everybody, on the grid.
    assert exact * 0.99 < by_pld(1.0 - 1e-12, noise, num_steps, 10.0**log_delta) < exact * 1.002 + 1e-6


@laws
@given(rate=rates, noise=noises, num_steps=counts, log_delta=st.floats(-9.0, -3.0))
def test_renyi_is_the_looser_bound(rate: float, noise: float, num_steps: int, log_delta: float) -> None:
    event, delta = replaced(rate, noise, num_steps), 10.0**log_delta
    by_rdp = epsilon_by_rdp(event, delta)
    assert by_rdp.adjacency is Adjacency.REPLACE_ONE
    assert epsilon_by_pld(event, delta).epsilon <= max(by_rdp.epsilon, 1e-3)


def test_renyi_s_figures_are_golden() -> None:
    for setting, golden in (((0.01, 1.12, 1000), 2.6335), ((0.01, 1.12, 35_000), 21.639), ((0.1, 2.0, 1000), 18.878)):
        assert epsilon_by_rdp(replaced(*setting), DELTA).epsilon == pytest.approx(golden, rel=1e-3)


@pytest.mark.parametrize(
    ("rate", "noise", "order"), [(0.3, 0.8, 2.0), (0.01, 1.12, 8.0), (0.5, 2.0, 1.5), (1.0, 3.0, 4)]
)
def test_renyi_moments_are_those_of_the_pair(rate: float, noise: float, order: float) -> None:
    def log_density(x: float, centre: float) -> float:
        outside = math.log1p(-rate) if rate < 1 else -math.inf
        return float(
            np.logaddexp(outside + stats.norm.logpdf(x, 0, noise), math.log(rate) + stats.norm.logpdf(x, centre, noise))
        )

    def integrand(x: float) -> float:
        return math.exp(order * log_density(x, 1.0) + (1 - order) * log_density(x, -1.0))

    exact = math.log(integrate.quad(integrand, -20, 60, limit=2000, epsabs=0, epsrel=1e-11, points=[0.0, order])[0])
    found = ReplacedPoissonPair(probability=rate, noise_multiplier=noise).log_moment(order)
    assert exact <= found * (1 + 1e-9)
    assert found == pytest.approx(exact, rel=1e-6)


def test_where_moments_need_too_many_nodes_the_bound_without_sampling_stands_in() -> None:
    pair = ReplacedPoissonPair(probability=0.01, noise_multiplier=1e-3)
    assert pair.log_moment(2.0) == pytest.approx(2.0 * 1e6 * 2.0)


def test_pricing_it_by_the_pair_of_an_addition_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_true(epsilon: float) -> bool:
        return bracket_by_own_convolution(0.01, 1.12, 1000, epsilon)[0] <= DELTA

    assert is_true(by_pld(0.01, 1.12, 1000))
    for broken in (MixtureFirstPair, GaussianFirstPair):
        monkeypatch.setattr(composition, "ReplacedPoissonPair", broken)
        assert not is_true(by_pld(0.01, 1.12, 1000))


def test_a_radius_half_as_long_is_caught_by_the_golden_numbers() -> None:
    """As if the multiplier were noise over twice the clip, which is what some accountants take it for."""
    assert by_pld(1 / 1000, 2 * 2 * 1.116, 640_000) < 0.6 * 3.002


def test_gaussians_in_company_are_noise_over_their_own_sensitivity() -> None:
    # dp-accounting reads a Gaussian's multiplier as noise over half of it in that company (issue 378 there).
    both = compose_events(replaced(1.0, 4.0, 3), gaussian_event(noise_multiplier=2.0))
    assert by_pld(1.0, 4.0, 4) == pytest.approx(epsilon_by_pld(both, DELTA).epsilon, rel=1e-9)
    nearly = compose_events(replaced(0.2, 4.0, 3), gaussian_event(noise_multiplier=2.0))
    alone = epsilon_by_pld(gaussian_event(noise_multiplier=2.0), DELTA).epsilon
    assert alone < epsilon_by_pld(nearly, DELTA).epsilon < by_pld(1.0, 4.0, 4)
    assert epsilon_by_pld(nearly, DELTA).epsilon <= epsilon_by_rdp(nearly, DELTA).epsilon


@pytest.mark.parametrize(
    "other",
    [
        poisson_event(sample_rate=0.1, noise_multiplier=1.0, num_steps=3),
        one_of_many_event(num_critics=5, noise_multiplier=1.0, num_steps=3, batch_size=1, draws_per_step=1),
    ],
    ids=["added", "slot"],
)
def test_it_shares_no_budget_with_another_adjacency(other: dp_accounting.DpEvent) -> None:
    with pytest.raises(PrivacyError, match="cannot share one budget"):
        compose_events(replaced(0.1, 1.0, 3), other)
    with pytest.raises(PrivacyError, match="cannot share one budget"):
        epsilon_by_pld(dp_accounting.ComposedDpEvent([other, replaced(0.1, 1.0, 3)]), DELTA)


def test_no_accountant_of_dp_accounting_takes_it_for_another() -> None:
    for accountant in (pld.PLDAccountant(), dp_accounting.rdp.RdpAccountant()):
        assert not accountant.supports(replaced(0.1, 1.0, 3))


def test_it_has_no_fixed_pair() -> None:
    with pytest.raises(PrivacyError, match="Poisson"):
        fixed_pair_epsilon(replaced(0.1, 1.0, 3), DELTA)


def test_the_same_mechanism_is_priced_again_for_a_replacement() -> None:
    assert under_replacement(added(0.1, 1.5, 7)) == replaced(0.1, 1.5, 7)
    assert under_replacement(replaced(0.1, 1.5, 7)) == replaced(0.1, 1.5, 7)
    for event in (
        gaussian_event(noise_multiplier=2.0),
        one_of_many_event(num_critics=5, noise_multiplier=1.0, num_steps=3, batch_size=1, draws_per_step=1),
    ):
        assert under_replacement(event) is event
    stages = under_replacement(compose_events(added(0.1, 1.5, 7), added(0.2, 2.5, 9)))
    assert is_same_event(stages, compose_events(replaced(0.1, 1.5, 7), replaced(0.2, 2.5, 9)))


def test_a_gaussian_priced_for_an_addition_counts_twice_for_a_replacement() -> None:
    both = under_replacement(compose_events(added(1.0, 3.0, 2), gaussian_event(noise_multiplier=3.0)))
    assert by_pld(1.0, 3.0, 3) == pytest.approx(epsilon_by_pld(both, DELTA).epsilon, rel=1e-9)


def test_it_is_read_back_described_and_told_apart() -> None:
    event = replaced(0.1, 1.5, 7)
    assert find_adjacency(event) is Adjacency.REPLACE_ONE
    assert tuple(flatten(event)) == (ReplacedPoissonPart(sample_rate=0.1, noise_multiplier=1.5, count=7),)
    assert is_same_event(event, replaced(0.1, 1.5, 7))
    assert not is_same_event(event, added(0.1, 1.5, 7))
    assert describe_event(event) == ("7 Poisson samples at rate 0.1 with noise multiplier 1.5, a unit being replaced")


def test_noise_and_steps_for_a_budget_and_the_attacker_s_curve() -> None:
    budget = PrivacyBudget(epsilon=4.0, delta=DELTA)
    found = calibrate_noise_multiplier(lambda noise: replaced(0.01, noise, 1000), budget)
    assert 3.99 < found.bound.epsilon <= 4.0
    num_steps = num_steps_for_budget(lambda steps: replaced(0.01, found.noise_multiplier, steps), budget)
    assert 1000 <= num_steps < 1010
    assert by_pld(0.01, found.noise_multiplier, num_steps + 1) > 4.0
    curves = [trade_off(make(0.01, 1.0, 500)).largest_catch_rate(0.01) for make in (added, replaced)]
    assert curves[0] < curves[1]


def statement(adjacency: Adjacency) -> PrivacyStatement:
    return PrivacyStatement(
        mechanism="sums over Poisson samples", adjacency=adjacency, unit=Unit.RECORD, num_slots=100, epsilon=9.0,
        delta=1e-3, epsilon_rdp=None, noise_multiplier=1.2345674, clip_norm=1.0,
        parameters=(("sample_rate", 0.1), ("num_steps", 9)), accountants=(), num_tuning_runs=0, public_inputs=(),
        covered=(), not_covered=(), truncation_delta=0.0, is_secure=True,
    )  # fmt: skip


def test_a_statement_s_adjacency_says_which_price_is_meant() -> None:
    assert is_same_event(event_of(statement(Adjacency.REPLACE_ONE)), replaced(0.1, 1.2345674, 9))
    assert is_same_event(event_of(statement(Adjacency.ADD_OR_REMOVE_ONE)), added(0.1, 1.2345674, 9))
    weaker, stronger = (
        trade_off_of(statement(adjacency)).largest_catch_rate(0.01)
        for adjacency in (Adjacency.ADD_OR_REMOVE_ONE, Adjacency.REPLACE_ONE)
    )
    assert weaker < stronger
    assert "replaced by any other" in statement(Adjacency.REPLACE_ONE).to_markdown()
    again = PrivacyStatement.from_json(statement(Adjacency.REPLACE_ONE).to_json())
    assert again.adjacency is Adjacency.REPLACE_ONE


@pytest.mark.parametrize(
    ("rate", "noise", "num_steps"), [(1e-6, 1e-3, 1), (1e-9, 1e6, 10**6), (0.5, 0.05, 100), (0.01, 1e3, 10)]
)
def test_extreme_settings_give_a_finite_ordered_answer(rate: float, noise: float, num_steps: int) -> None:
    event = replaced(rate, noise, num_steps)
    assert 0.0 <= epsilon_by_pld(event, DELTA).epsilon <= epsilon_by_rdp(event, DELTA).epsilon + 1e-9 < math.inf
