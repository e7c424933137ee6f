"""What an attacker can gain: never told smaller than it is, and nearly exact where it is known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from scipy.stats import norm

from gossamer.errors import InputError
from gossamer.privacy import tradeoff
from gossamer.privacy.accounting import epsilon_by_pld, profile_by_pld
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.events import compose_events, gaussian_event, one_of_many_event, poisson_event
from gossamer.privacy.statement import PrivacyStatement
from gossamer.privacy.tradeoff import TradeOff, trade_off, trade_off_of

RATES = (1e-4, 0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9)


def gaussian_catch_rate(mu: float) -> Callable[[float], float]:
    """Neyman and Pearson's best test of N(mu, 1) against N(0, 1)."""
    return lambda rate: float(norm.cdf(norm.ppf(rate) + mu))


def mixture_catch_rate(probability: float, noise: float) -> Callable[[float], float]:
    """The best test of (1 - p) N(0, s^2) + p N(1, s^2) against N(0, s^2), which one sampled step comes to at least."""

    def catch(rate: float) -> float:
        threshold = noise * float(norm.isf(rate))
        return float((1 - probability) * norm.sf(threshold / noise) + probability * norm.sf((threshold - 1) / noise))

    return catch


def is_safe(bound: TradeOff, exact: Callable[[float], float]) -> bool:
    return all(bound.largest_catch_rate(rate) >= exact(rate) for rate in RATES)


@pytest.mark.parametrize("mu", [0.1, 0.5, 1.0, 2.3, 5.0])
def test_a_gaussian_s_curve_is_the_known_one_from_above(mu: float) -> None:
    bound, exact = trade_off(gaussian_event(noise_multiplier=1 / mu)), gaussian_catch_rate(mu)
    assert is_safe(bound, exact)
    assert all(bound.largest_catch_rate(rate) < exact(rate) + 0.003 for rate in RATES)


@pytest.mark.parametrize("too_much", [1.02, 2.0])
def test_a_curve_of_more_noise_than_there_is_would_be_caught(too_much: float) -> None:
    assert not is_safe(trade_off(gaussian_event(noise_multiplier=too_much)), gaussian_catch_rate(1.0))


def test_several_gaussians_are_worth_one_and_answers_of_a_critic_without_others_too() -> None:
    two = compose_events(gaussian_event(noise_multiplier=2.0), gaussian_event(noise_multiplier=2.0))
    alone = one_of_many_event(num_critics=1, noise_multiplier=4.0, num_steps=2, batch_size=4, draws_per_step=4)
    exact = gaussian_catch_rate(math.sqrt(2) / 2)
    for event in (two, alone):
        assert is_safe(trade_off(event), exact)
        assert trade_off(event).largest_catch_rate(0.01) < exact(0.01) + 0.003


@pytest.mark.parametrize(("num_critics", "noise"), [(2, 1.0), (10, 0.5)])
def test_one_draw_of_many_is_bounded_by_no_less_than_the_best_test_of_it(num_critics: int, noise: float) -> None:
    exact = mixture_catch_rate(1 / num_critics, noise)
    bound = trade_off(
        one_of_many_event(num_critics=num_critics, noise_multiplier=noise, num_steps=1, batch_size=1, draws_per_step=1)
    )
    assert is_safe(bound, exact)
    # Where false alarms are frequent the exchanged pair gains more, and a curve holds for both.
    assert all(bound.largest_catch_rate(rate) < exact(rate) + 0.002 for rate in RATES if rate <= 0.1)


def test_a_poisson_sample_is_bounded_by_no_less_than_the_best_test_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tradeoff, "_DELTAS", tradeoff._DELTAS[::4])
    exact = mixture_catch_rate(0.5, 1.0)
    bound = trade_off(poisson_event(sample_rate=0.5, noise_multiplier=1.0, num_steps=1))
    assert is_safe(bound, exact)
    assert all(bound.largest_catch_rate(rate) < exact(rate) + 0.02 for rate in RATES if rate <= 0.1)


def test_more_steps_leave_more_to_the_attacker() -> None:
    one, hundred = (
        trade_off(
            one_of_many_event(num_critics=50, noise_multiplier=1.0, num_steps=steps, batch_size=2, draws_per_step=2)
        )
        for steps in (1, 100)
    )
    assert hundred.largest_catch_rate(0.01) > 1.5 * one.largest_catch_rate(0.01)


def test_one_epsilon_and_delta_alone_give_the_polygon_of_the_textbook() -> None:
    bound = TradeOff(points=((math.log(3), 0.1),))
    for rate in RATES:
        # Catches cost a third of a false alarm each, beyond delta; where nearly all are caught, three of them one.
        assert bound.largest_catch_rate(rate) == pytest.approx(min(0.1 + 3 * rate, 1 - (0.9 - rate) / 3, 1.0))


def test_who_learns_nothing_gains_nothing_and_a_guarantee_of_nothing_bounds_nothing() -> None:
    assert TradeOff(points=((0.0, 0.0),)).largest_catch_rate(0.2) == pytest.approx(0.2)
    assert TradeOff(points=((1.0, 1.0),)).largest_catch_rate(0.2) == 1.0
    assert TradeOff(points=((5000.0, 1e-6),)).largest_catch_rate(0.2) == pytest.approx(1.0)


def test_more_points_only_tighten() -> None:
    points = ((2.0, 1e-5), (1.0, 0.05), (0.0, 0.3))
    for number in (1, 2):
        few, more = TradeOff(points=points[:number]), TradeOff(points=points[: number + 1])
        assert all(more.largest_catch_rate(rate) <= few.largest_catch_rate(rate) for rate in RATES)


@pytest.mark.parametrize("points", [(), ((-1.0, 0.1),), ((1.0, 1.5),), ((math.inf, 0.1),), ((math.nan, 0.1),)])
def test_what_is_no_guarantee_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InputError):
        TradeOff(points=points)


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan])
def test_what_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="rate of false alarms"):
        TradeOff(points=((1.0, 0.0),)).smallest_miss_rate(rate)


def test_the_profile_s_grid_errs_upwards() -> None:
    event = one_of_many_event(num_critics=100, noise_multiplier=1.5, num_steps=200, batch_size=8, draws_per_step=4)
    for bound in profile_by_pld(event, (1e-5, 0.01, 0.2)):
        fine = epsilon_by_pld(event, bound.delta).epsilon
        assert fine <= bound.epsilon < 1.02 * fine + 1e-3


def statement(noise: float, epsilon: float = 1.5) -> PrivacyStatement:
    return PrivacyStatement(
        mechanism="a sum", adjacency=Adjacency.SLOT, unit=Unit.RECORD, num_slots=100, epsilon=epsilon, delta=1e-3,
        epsilon_rdp=None, noise_multiplier=noise, clip_norm=None, parameters=(("num_releases", 1),), accountants=(),
        num_tuning_runs=0, public_inputs=(), covered=(), not_covered=(), truncation_delta=0.0, is_secure=True,
    )  # fmt: skip


def test_a_statement_s_curve_is_that_of_its_mechanism_and_never_below() -> None:
    bound, exact = trade_off_of(statement(2.0)), gaussian_catch_rate(0.5)
    assert is_safe(bound, exact)
    assert bound.largest_catch_rate(0.01) < exact(0.01) + 0.003
    assert (1.5, 1e-3) in bound.points


def test_a_number_printed_to_six_digits_does_not_make_the_curve_too_low() -> None:
    true = 1.2345674
    printed = statement(float(f"{true:.6g}"), epsilon=9.0)
    assert is_safe(trade_off_of(printed), gaussian_catch_rate(1 / true))
