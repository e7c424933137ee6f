"""What is refused, with which error and exit code; and that accounting imports no torch."""

from __future__ import annotations

import math
import subprocess
import sys

import dp_accounting
import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy import (
    Adjacency,
    PrivacyBudget,
    Unit,
    calibrate_noise_multiplier,
    check_delta,
    compose_events,
    default_delta,
    epsilon_by_pld,
    epsilon_by_rdp,
    find_adjacency,
    fixed_pair_epsilon,
    gaussian_event,
    one_of_many_event,
    poisson_event,
    published_gs_wgan_epsilon,
)

GOOD = {"num_critics": 10, "noise_multiplier": 1.0, "num_steps": 5, "batch_size": 4, "draws_per_step": 2}


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.inf, math.nan])
def test_an_epsilon_that_is_no_positive_number_is_bad_input(epsilon: float) -> None:
    with pytest.raises(InputError, match="epsilon") as caught:
        PrivacyBudget(epsilon=epsilon, delta=1e-5)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-5, 2.0, math.nan])
def test_a_delta_outside_zero_and_one_has_no_guarantee(delta: float) -> None:
    with pytest.raises(PrivacyError, match="delta") as caught:
        PrivacyBudget(epsilon=1.0, delta=delta)
    assert caught.value.exit_code == 3
    for price in (epsilon_by_pld, epsilon_by_rdp, fixed_pair_epsilon):
        with pytest.raises(PrivacyError, match="delta"):
            price(one_of_many_event(**GOOD), delta)


def test_a_delta_of_one_over_the_slots_is_refused_and_the_default_is_ten_times_less() -> None:
    with pytest.raises(PrivacyError, match="1/1000"):
        check_delta(1e-3, 1000)
    check_delta(9.9e-4, 1000)
    for num_slots in (1, 9, 10, 11, 99_999, 100_000, 100_001, 60_000):
        assert 0.01 / num_slots < default_delta(num_slots) <= 0.1 / num_slots * (1 + 1e-12)
        check_delta(default_delta(num_slots), num_slots)
    with pytest.raises(InputError, match="num_slots"):
        default_delta(0)


@pytest.mark.parametrize("name", ["num_critics", "num_steps", "batch_size", "draws_per_step"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_counts_must_be_positive_integers(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        one_of_many_event(**{**GOOD, name: value})  # type: ignore[arg-type]


def test_draws_must_divide_the_batch() -> None:
    with pytest.raises(InputError, match="must divide batch_size"):
        one_of_many_event(**{**GOOD, "draws_per_step": 3})


@pytest.mark.parametrize(("noise", "error"), [(0.0, PrivacyError), (-1.0, InputError), (math.nan, InputError)])
def test_noise_that_is_zero_or_no_number_is_refused_everywhere(noise: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="noise_multiplier"):
        one_of_many_event(**{**GOOD, "noise_multiplier": noise})
    with pytest.raises(error, match="noise_multiplier"):
        poisson_event(sample_rate=0.1, noise_multiplier=noise, num_steps=1)
    with pytest.raises(error, match="noise_multiplier"):
        gaussian_event(noise_multiplier=noise)
    with pytest.raises(error, match="noise_multiplier"):
        epsilon_by_pld(dp_accounting.GaussianDpEvent(noise), 1e-5)
    with pytest.raises(error, match="noise_multiplier"):
        published_gs_wgan_epsilon(num_critics=2, noise_multiplier=noise, num_steps=1, batch_size=1, delta=0.1)


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, math.nan])
def test_a_sample_rate_is_a_probability(rate: float) -> None:
    with pytest.raises(InputError, match="sample_rate"):
        poisson_event(sample_rate=rate, noise_multiplier=1.0, num_steps=1)


def test_two_adjacencies_never_share_a_budget() -> None:
    slot, poisson = one_of_many_event(**GOOD), poisson_event(sample_rate=0.1, noise_multiplier=1.0, num_steps=3)
    with pytest.raises(PrivacyError, match="cannot share one budget"):
        compose_events(slot, poisson)
    with pytest.raises(PrivacyError, match="cannot share one budget"):
        epsilon_by_pld(dp_accounting.ComposedDpEvent([slot, poisson]), 1e-5)
    gaussian = gaussian_event(noise_multiplier=1.0)
    assert find_adjacency(compose_events(slot, gaussian)) is Adjacency.SLOT
    assert find_adjacency(compose_events(poisson, gaussian)) is Adjacency.ADD_OR_REMOVE_ONE
    assert find_adjacency(gaussian) is None
    with pytest.raises(InputError, match="no event"):
        compose_events()


@pytest.mark.parametrize(
    "event",
    [
        dp_accounting.LaplaceDpEvent(1.0),
        dp_accounting.NonPrivateDpEvent(),
        dp_accounting.SampledWithoutReplacementDpEvent(100, 32, dp_accounting.GaussianDpEvent(1.0)),
        dp_accounting.SampledWithoutReplacementDpEvent(
            9, 1, dp_accounting.PoissonSampledDpEvent(0.1, dp_accounting.GaussianDpEvent(1.0))
        ),
    ],
)
def test_a_mechanism_without_a_price_is_refused(event: dp_accounting.DpEvent) -> None:
    for price in (epsilon_by_pld, epsilon_by_rdp, fixed_pair_epsilon):
        with pytest.raises(PrivacyError):
            price(event, 1e-5)


def test_a_poisson_sampled_event_has_no_fixed_pair_of_critics() -> None:
    with pytest.raises(PrivacyError, match="Poisson"):
        fixed_pair_epsilon(poisson_event(sample_rate=0.1, noise_multiplier=1.0, num_steps=3), 1e-5)


def test_a_budget_that_needs_almost_no_noise_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="smaller epsilon") as caught:
        calibrate_noise_multiplier(
            lambda noise: gaussian_event(noise_multiplier=noise), PrivacyBudget(epsilon=1e12, delta=0.1)
        )
    assert "\n" not in str(caught.value)


def test_adjacencies_speak_of_the_unit() -> None:
    sentences = {adjacency.describe(unit) for adjacency in Adjacency for unit in Unit}
    assert len(sentences) == 9
    assert "person" in Adjacency.SLOT.describe(Unit.PERSON)
    assert "one recording" in Adjacency.SLOT.describe(Unit.RECORDING)


def test_importing_the_accounting_imports_no_torch() -> None:
    verdict = "sys.exit(any(name.split('.')[0] == 'torch' for name in sys.modules))"
    for first, status in (("import gossamer.privacy", 0), ("sys.modules['torch'] = sys", 1)):
        found = subprocess.run([sys.executable, "-c", f"import sys; {first}; {verdict}"], check=False)
        assert found.returncode == status
