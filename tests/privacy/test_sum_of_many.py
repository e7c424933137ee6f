"""Poisson sums of critics: the table of noise, laws, other accountants, brute force, and a search for a worse pair."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import dp_accounting
import numpy as np
import pytest
from dp_accounting import gaussian_mechanism, pld
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy import (
    Adjacency,
    PrivacyBudget,
    calibrate_noise_multiplier,
    composition,
    epsilon_by_pld,
    epsilon_by_rdp,
    find_adjacency,
    one_of_many_event,
    replaced_poisson_event,
    sum_of_many_event,
    under_replacement,
)
from gossamer.privacy.accounting import profile_by_pld
from gossamer.privacy.events import ReplacedPoissonPart, flatten
from gossamer.privacy.loss_grid import AbstractDominatingPair
from gossamer.privacy.one_of_many import MixtureFirstPair
from gossamer.privacy.replaced_poisson import ReplacedPoissonPair
from gossamer.privacy.restated import describe_event
from gossamer.privacy.truncation import least_truncation, truncation_delta

DELTA = 1e-5
laws = settings(max_examples=8, deadline=None, derandomize=True)
noises = st.floats(0.3, 6.0)
critics = st.integers(8, 2000)
counts = st.integers(1, 5000)


def summed(
    num_critics: int, per_draw: int, noise: float, num_steps: int, batch: int = 1, draws: int = 1
) -> dp_accounting.DpEvent:
    return sum_of_many_event(
        num_critics=num_critics, critics_per_draw=per_draw, noise_multiplier=noise, num_steps=num_steps,
        batch_size=batch, draws_per_step=draws,
    )  # fmt: skip


def by_pld(*setting: float, delta: float = DELTA) -> float:
    return epsilon_by_pld(summed(*setting), delta).epsilon  # type: ignore[arg-type]


# ---- the table of noise ---------------------------------------------------------------------------------------------

SETTINGS = {
    "published": (1000, 640_000, 1e-5),
    "MNIST": (6000, 576_000, 1e-6),
    "digits": (479, 225_000, 1e-5),
    "series": (3000, 256_000, 1e-6),
}
TABLE = {
    ("published", 1): (3.387, 2.985, 2.984, 2.985),
    ("published", 3): (1.521, 1.116, 1.113, 1.112),
    ("published", 10): (0.815, 0.450, 0.405, 0.400),
    ("MNIST", 1): (0.950, 0.562, 0.536, 0.535),
    ("MNIST", 3): (0.613, 0.312, 0.222, 0.198),
    ("MNIST", 10): (0.465, 0.233, 0.138, 0.090),
    ("digits", 1): (4.096, 3.694, 3.694, 3.694),
    ("digits", 3): (1.783, 1.379, 1.377, 1.377),
    ("digits", 10): (0.908, 0.527, 0.497, 0.495),
    ("series", 1): (1.126, 0.726, 0.713, 0.713),
    ("series", 3): (0.679, 0.352, 0.275, 0.261),
    ("series", 10): (0.495, 0.248, 0.151, 0.106),
}
"""Noise over 2 C for a signal of one answer: of one of K, then of sums of 1, 2 and 4. Computed before this code was."""


@pytest.mark.parametrize(("name", "epsilon"), TABLE)
def test_noise_for_a_unit_of_signal_is_golden(name: str, epsilon: float) -> None:
    num_critics, num_draws, delta = SETTINGS[name]
    budget = PrivacyBudget(epsilon=epsilon, delta=delta)
    one, *sums = TABLE[name, int(epsilon)]
    for per_draw, golden in zip((1, 2, 4), sums, strict=True):
        found = calibrate_noise_multiplier(
            lambda noise, m=per_draw: summed(num_critics, m, noise, num_draws), budget
        ).noise_multiplier
        assert found / per_draw == pytest.approx(golden, rel=0.01)
    found = calibrate_noise_multiplier(
        lambda noise: one_of_many_event(
            num_critics=num_critics, noise_multiplier=noise, num_steps=num_draws, batch_size=1, draws_per_step=1
        ),
        budget,
    )
    assert found.noise_multiplier == pytest.approx(one, rel=0.01)


@pytest.mark.parametrize(("noise", "golden"), [(0.450, 10.05), (1.116, 3.002), (2.985, 1.001)])
def test_dp_accounting_says_the_same_of_640000_draws(noise: float, golden: float) -> None:
    """The contract's numbers. Their coarser grid rounds up by up to 1 % at so many compositions."""
    accountant = pld.PLDAccountant(dp_accounting.NeighboringRelation.REPLACE_ONE)
    sample = dp_accounting.PoissonSampledDpEvent(1 / 1000, dp_accounting.GaussianDpEvent(2 * noise))
    theirs = accountant.compose(sample, 640_000).get_epsilon(DELTA)
    ours = by_pld(1000, 1, noise, 640_000)
    assert ours == pytest.approx(golden, rel=0.01)
    assert ours == pytest.approx(theirs, rel=0.01)
    assert ours <= theirs * (1 + 1e-6)


def test_noise_for_640000_draws_is_found_in_two_seconds() -> None:
    """In time of this process: the longest of the table took 0.63 s on one core."""
    start = time.process_time()
    calibrate_noise_multiplier(lambda noise: summed(6000, 1, noise, 640_000), PrivacyBudget(epsilon=3.0, delta=1e-6))
    assert time.process_time() - start < 2.0


def test_a_sum_needs_less_noise_than_one_of_many_at_the_same_number_of_answers() -> None:
    """One critic a draw in expectation, and with K critics a draw the plain Gaussian."""
    for name, epsilon in TABLE:
        one, first, *_ = TABLE[name, epsilon]
        assert first < 0.91 * one


# ---- laws -----------------------------------------------------------------------------------------------------------


@laws
@given(num_critics=critics, noise=noises, num_steps=counts)
def test_epsilon_falls_with_noise_and_rises_with_steps_and_with_critics_in_a_draw(
    num_critics: int, noise: float, num_steps: int
) -> None:
    epsilon = by_pld(num_critics, 2, noise, num_steps)
    assert by_pld(num_critics, 2, 1.1 * noise, num_steps) <= epsilon
    assert by_pld(num_critics, 2, noise, 2 * num_steps) >= epsilon
    assert by_pld(num_critics, 3, noise, num_steps) >= epsilon
    assert by_pld(2 * num_critics, 2, noise, num_steps) <= epsilon


@laws
@given(num_critics=st.integers(100, 2000), noise=st.floats(1.0, 6.0), num_steps=st.integers(50, 2000))
def test_epsilon_rises_as_more_answers_share_a_coin(num_critics: int, noise: float, num_steps: int) -> None:
    epsilons = [by_pld(num_critics, 2, noise, num_steps, 16, draws) for draws in (16, 4, 1)]
    assert epsilons == sorted(epsilons)


@laws
@given(noise=noises, num_steps=counts, num_critics=st.integers(1, 500), log_delta=st.floats(-9.0, -2.0))
def test_all_critics_in_every_draw_are_the_gaussian(
    noise: float, num_steps: int, num_critics: int, log_delta: float
) -> None:
    """Of multiplier sigma / sqrt(B/c), T c times; with one critic of one, too."""
    delta = 10.0**log_delta
    exact = gaussian_mechanism.get_epsilon_gaussian(noise / math.sqrt(4 * 3 * num_steps), delta)
    for number in (num_critics, 1):
        assert by_pld(number, number, noise, num_steps, 12, 3, delta=delta) == pytest.approx(exact, rel=1e-9, abs=1e-9)


@laws
@given(num_critics=critics, noise=noises, num_steps=counts, log_delta=st.floats(-9.0, -3.0))
def test_renyi_is_the_looser_bound(num_critics: int, noise: float, num_steps: int, log_delta: float) -> None:
    event, delta = summed(num_critics, 3, noise, num_steps), 10.0**log_delta
    assert epsilon_by_pld(event, delta).epsilon <= max(epsilon_by_rdp(event, delta).epsilon, 1e-3)


def test_the_event_is_a_poisson_sample_of_contributions_as_long_as_all_answers_to_a_group() -> None:
    event = summed(50, 4, 1.3, 20, 6, 3)
    assert event == replaced_poisson_event(sample_rate=4 / 50, noise_multiplier=2 * 1.3 / math.sqrt(2), num_steps=60)
    (part,) = flatten(event)
    assert part == ReplacedPoissonPart(sample_rate=4 / 50, noise_multiplier=2 * 1.3 / math.sqrt(2), count=60)
    assert find_adjacency(event) is Adjacency.REPLACE_ONE
    assert under_replacement(event) == event
    assert describe_event(event).startswith("60 Poisson samples at rate 0.08")


def test_what_the_range_of_noise_adds_is_that_of_two_opposite_answers() -> None:
    """As a training computes it: the multiplier of a draw is noise over the distance of two answers."""
    assert least_truncation(summed(50, 4, 0.4, 20, 6, 3)) == truncation_delta(60, 1, 0.4 / math.sqrt(2))
    one = one_of_many_event(num_critics=50, noise_multiplier=0.4, num_steps=20, batch_size=6, draws_per_step=3)
    assert least_truncation(summed(50, 4, 0.4, 20, 6, 3)) == least_truncation(one)


@pytest.mark.parametrize("per_draw", [0, -1, 51, 2.5, True, None])
def test_a_number_of_critics_in_a_draw_out_of_range_is_refused(per_draw: int) -> None:
    with pytest.raises(InputError, match="critics_per_draw"):
        summed(50, per_draw, 1.0, 3)


def test_no_noise_is_refused() -> None:
    with pytest.raises(PrivacyError, match="noise_multiplier"):
        summed(50, 2, 0.0, 3)


# ---- brute force ----------------------------------------------------------------------------------------------------


def bracket_of_two_draws(rate: float, noise: float, epsilon: float) -> tuple[float, float]:
    """Delta of two draws from below and above: exact masses of cells of the plane. Nothing of the library.

    From below: whoever is told the cell alone knows less. From above: each cell counts with its largest loss.
    """
    edges = np.concatenate([[-np.inf], np.linspace(-10 * noise, 10 * noise, 3000), [np.inf]])
    rest = np.diff(stats.norm.cdf(edges / noise))
    first, second = ((1 - rate) * rest + rate * np.diff(stats.norm.cdf((edges - centre) / noise)) for centre in (1, -1))
    density = [(1 - rate) + rate * np.exp((sign * edges[1:-1] - 0.5) / noise**2) for sign in (1, -1)]
    largest = np.append(np.log(density[0] / density[1]), math.inf)
    below = np.maximum(np.outer(first, first) - math.exp(epsilon) * np.outer(second, second), 0).sum()
    losses = np.minimum(largest[:, None] + largest[None, :], 700.0)
    above = (np.outer(first, first) * np.maximum(-np.expm1(epsilon - losses), 0)).sum()
    return float(below), float(above)


@pytest.mark.parametrize(("num_critics", "per_draw", "noise"), [(4, 1, 0.5), (10, 3, 0.9), (100, 2, 0.35), (5, 4, 2.0)])
def test_two_draws_lie_between_the_bounds_of_brute_force(num_critics: int, per_draw: int, noise: float) -> None:
    for bound in profile_by_pld(summed(num_critics, per_draw, noise, 2), (1e-5, 1e-3, 0.03)):
        lower, upper = bracket_of_two_draws(per_draw / num_critics, 2 * noise, bound.epsilon)
        assert lower <= bound.delta * (1 + 1e-9)
        assert upper >= bound.delta * 0.99 or bound.epsilon == 0
        assert lower > 0.9 * upper


def test_two_draws_priced_as_a_unit_that_comes_are_caught_by_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composition, "ReplacedPoissonPair", MixtureFirstPair)
    for bound in profile_by_pld(summed(10, 3, 0.9, 2), (1e-3, 0.03)):
        assert bracket_of_two_draws(0.3, 1.8, bound.epsilon)[0] > 1.5 * bound.delta


# ---- no pair of answers is worse than opposite ones ------------------------------------------------------------------


def hockey_stick(pair: AbstractDominatingPair, alpha: float) -> float:
    """That of a pair that is its own mirror image, for any alpha > 0."""
    profile = math.exp(float(pair.log_profile(np.array([abs(math.log(alpha))]))[0]))
    return profile if alpha >= 1 else 1 - alpha + alpha * profile


def answers(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two answers in the unit disc: of full length or shorter, opposite, alike, absent or at any angle."""
    is_full, is_opposite = rng.random() < 0.4, rng.random() < 0.3
    lengths = np.ones(2) if is_full else rng.random(2) ** 0.3 * (rng.random(2) > 0.1)
    angles = np.array([0.0, np.pi]) if is_opposite else 2 * np.pi * rng.random(2)
    if rng.random() < 0.3:
        lengths[0] = 1.0
    return tuple(np.array([[np.cos(a), np.sin(a)] for a in angles]) * lengths[:, None])  # type: ignore[return-value]


SIDE = np.linspace(-7.5, 7.5, 251)
PLANE = np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2)
WEIGHTS = np.exp(-0.5 * (PLANE**2).sum(axis=1)) / (2 * np.pi) * (SIDE[1] - SIDE[0]) ** 2


def ratio(centre: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Density of a Gaussian at the centre over that at zero, in units of the noise."""
    return np.exp(nodes @ centre - 0.5 * centre @ centre)


def excesses(make: type[AbstractDominatingPair], num_cases: int) -> Iterator[float]:
    """How far the hockey stick of random answers, by quadrature over the plane, exceeds that of a pair."""
    rng = np.random.default_rng(7)
    for _ in range(num_cases):
        rate, noise = float(rng.choice([1.0, 0.5, 0.1, 0.01]) * rng.uniform(0.5, 1.0)), float(rng.uniform(0.6, 4.0))
        alpha = math.exp(float(rng.normal(0, 1.2 * rate / noise + 0.05)))
        first, second = (1 - rate + rate * ratio(centre / noise, PLANE) for centre in answers(rng))
        found = float(WEIGHTS @ np.maximum(first - alpha * second, 0))
        pair = make(probability=rate, noise_multiplier=noise)  # type: ignore[call-arg]
        # The quadrature is right to 1e-3 of this denominator, by cases in which the answers are the worst.
        yield (found - hockey_stick(pair, alpha)) / (hockey_stick(pair, alpha) + 1e-5)


def test_no_two_answers_of_three_thousand_are_told_apart_better_than_by_the_pair() -> None:
    found = np.array(list(excesses(ReplacedPoissonPair, 3000)))
    assert found.max() < 2e-3
    # The search is at the bound, where answers are opposite and of full length, and near it elsewhere.
    assert (np.abs(found) < 2e-3).sum() > 300
    assert (found > -0.1).sum() > 600


def test_the_same_search_finds_answers_that_are_told_apart_better_than_a_unit_that_comes() -> None:
    found = np.array(list(excesses(MixtureFirstPair, 300)))
    assert found.max() > 0.2


def test_no_small_mechanism_is_told_apart_better_than_by_the_pair() -> None:
    """Whole sums in one dimension: others have coins of their own, of which nobody is told. Two hundred cases."""
    rng, nodes = np.random.default_rng(8), np.linspace(-14, 14, 4001)
    for _ in range(200):
        rate, noise = float(rng.uniform(0.02, 0.9)), float(rng.uniform(0.7, 4.0))
        others, own = rng.uniform(-1, 1, size=4), rng.choice([-1.0, 1.0, 0.0, float(rng.uniform(-1, 1))], size=2)
        sums = np.array([[0.0, 1.0]])
        for answer in others:  # a mixture over who is included: centres and weights
            sums = np.concatenate([sums * [1, 1 - rate], (sums + [answer, 0]) * [1, rate]])
        with_own = [np.concatenate([sums * [1, 1 - rate], (sums + [v, 0]) * [1, rate]]) for v in own]
        first, second = (
            sum(weight * stats.norm.pdf(nodes, centre / noise) for centre, weight in law) for law in with_own
        )
        alpha = math.exp(float(rng.normal(0, 0.5)))
        found = float(np.maximum(first - alpha * second, 0).sum() * (nodes[1] - nodes[0]))
        pair = ReplacedPoissonPair(probability=rate, noise_multiplier=noise)
        assert found <= hockey_stick(pair, alpha) * (1 + 1e-4) + 1e-7
