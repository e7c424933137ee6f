"""Lower bounds hold as often as they say, and come near to what is true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gossamer.auditing.bounds import (
    Games,
    Guesses,
    choose_num_guesses,
    epsilon_bound,
    epsilon_bound_of_guesses,
    epsilon_of_mu,
    mu_bound,
    mu_of_epsilon,
    proportion_bounds,
)
from gossamer.errors import InputError


def gaussian_games(mu: float, num: int, seed: int) -> Games:
    rng = np.random.default_rng(seed)
    return Games(first=rng.normal(mu, 1, num), second=rng.normal(0, 1, num))


@pytest.mark.parametrize("probability", [0.003, 0.1, 0.5, 0.97])
def test_bounds_of_a_proportion_err_no_more_often_than_said(probability: float) -> None:
    """Exact: summed over all outcomes, no draw is made."""
    num_all, error = 200, 0.05
    hits = np.arange(num_all + 1)
    low, high = proportion_bounds(hits, num_all, error)
    weight = stats.binom.pmf(hits, num_all, probability)
    assert weight[low > probability].sum() <= error
    assert weight[high < probability].sum() <= error
    assert bool((low < high).all())
    assert (low[0], high[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("mu", [0.0, 0.5, 2.0])
def test_bounds_exceed_the_truth_no_more_often_than_said(mu: float) -> None:
    """200 audits at confidence 0.9: 20 may err, rejected above 40. False-alarm rate below 1e-5; fixed by the seed."""
    delta = 1e-3
    truth = epsilon_of_mu(mu, delta)
    audits = [gaussian_games(mu, 400, seed) for seed in range(200)]
    assert sum(mu_bound(games, 0.9) > mu for games in audits) <= 40
    assert sum(epsilon_bound(games, delta, 0.9) > truth for games in audits) <= 40


def test_a_threshold_chosen_by_the_games_that_count_would_be_caught() -> None:
    """Why games are parted: the best of many events in hindsight claims more than there is."""
    audits = [gaussian_games(0.0, 400, seed) for seed in range(100)]
    assert sum(_best_in_hindsight(games) > 0 for games in audits) > 10
    assert sum(mu_bound(games, 0.9) > 0 for games in audits) <= 10


def _best_in_hindsight(games: Games) -> float:
    thresholds = np.quantile(games.first, np.linspace(0.01, 0.99, 99))[:, None]
    likely, unlikely = ((side > thresholds).sum(axis=1) for side in (games.first, games.second))
    low = np.maximum(proportion_bounds(likely, 400, 0.05)[0], 1e-300)
    high = np.minimum(proportion_bounds(unlikely, 400, 0.05)[1], 1 - 1e-12)
    return float((stats.norm.ppf(low) - stats.norm.ppf(high)).max())


def test_with_many_games_the_bound_on_mu_comes_near_to_it() -> None:
    assert 0.9 < mu_bound(gaussian_games(1.0, 40_000, 1), 0.99) < 1.0


def test_a_factor_of_two_shows_in_mu_where_epsilon_does_not_see_it() -> None:
    """2,000 games against half the noise that epsilon 4 asks for: mu sees it, the plain form of epsilon does not."""
    delta, claimed = 1e-5, 4.0
    mu = mu_of_epsilon(claimed, delta)
    games = gaussian_games(2 * mu, 2000, 3)
    assert mu_bound(games, 0.99) > mu
    assert epsilon_bound(games, delta, 0.99) < claimed


def test_epsilon_and_mu_are_each_others_inverse() -> None:
    assert epsilon_of_mu(mu_of_epsilon(2.0, 1e-5), 1e-5) == pytest.approx(2.0, abs=1e-6)
    assert epsilon_of_mu(0.0, 1e-5) == 0.0


# ---- guesses --------------------------------------------------------------------------------------------------------


def test_guesses_of_randomised_response_exceed_its_epsilon_no_more_often_than_said() -> None:
    """The mechanism that attains the bound, delta 0: exact, summed over all outcomes."""
    epsilon, num = 1.3, 120
    right = np.arange(num + 1)
    bounds = np.array([epsilon_bound_of_guesses(int(v), num, num, 0.0, 0.95) for v in right])
    chance = stats.binom.pmf(right, num, 1 / (1 + math.exp(-epsilon)))
    assert 0.01 < chance[bounds > epsilon].sum() <= 0.05
    assert bool((np.diff(bounds) >= 0).all())


def test_a_mechanism_that_tells_everything_with_probability_delta_is_within_its_bound() -> None:
    """It is (0, delta)-private. Without delta in the price of guesses it would be taken for one with epsilon."""
    delta, num = 0.06, 50
    wrongly = delta * (epsilon_bound_of_guesses(num, num, num, 0.0, 0.95) > 0)
    assert wrongly > 0.05
    assert epsilon_bound_of_guesses(num, num, num, delta, 0.95) == 0.0


def test_a_delta_only_lowers_the_bound_and_hardly_when_it_is_small() -> None:
    plain = epsilon_bound_of_guesses(340, 500, 10_000, 0.0, 0.95)
    assert plain > epsilon_bound_of_guesses(340, 500, 10_000, 1e-5, 0.95) > 0.8 * plain
    assert epsilon_bound_of_guesses(340, 500, 10_000, 1e-2, 0.95) == 0.0


def test_nothing_is_concluded_of_no_guesses_or_of_as_many_wrong_as_right() -> None:
    assert epsilon_bound_of_guesses(0, 0, 100, 1e-5, 0.95) == 0.0
    assert epsilon_bound_of_guesses(50, 100, 100, 1e-5, 0.95) == 0.0


@pytest.mark.parametrize("epsilon", [0.5, 2.0, 8.0])
def test_the_number_of_guesses_follows_from_the_claim_and_shows_a_third_of_a_gaussian(epsilon: float) -> None:
    num, delta = 10_000, 1e-5
    num_guesses = choose_num_guesses(epsilon, num, delta, 0.95)
    assert num_guesses % 2 == 0
    assert 2 <= num_guesses <= num
    rng = np.random.default_rng(7)
    bits = 2 * rng.integers(0, 2, size=num) - 1
    evidence = bits * mu_of_epsilon(epsilon, delta) / 2 + rng.standard_normal(num)
    right = Guesses(evidence=evidence, bits=bits).num_right(num_guesses)
    assert epsilon / 3 < epsilon_bound_of_guesses(right, num_guesses, num, delta, 0.95) < epsilon


def test_the_clearest_bits_are_guessed_and_no_others() -> None:
    guesses = Guesses(evidence=np.array([5.0, -4.0, 0.1, -0.2]), bits=np.array([1, -1, -1, 1]))
    assert (guesses.num_right(2), guesses.num_right(4)) == (2, 2)


def test_too_few_games_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 games"):
        Games(first=np.zeros(1), second=np.zeros(1))
