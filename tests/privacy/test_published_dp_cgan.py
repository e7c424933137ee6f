"""What DP-CGAN's reference code would have claimed: its own mistake, computed without it."""

from __future__ import annotations

import math

import dp_accounting
import pytest
from dp_accounting import rdp

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.published import PUBLISHED_DP_CGAN, published_dp_cgan_epsilon

PAPER = {"sample_rate": 0.01, "noise_multiplier": 1.12, "clip_norm": 1.1, "num_steps": 30_303, "delta": 1e-5}


def by_dp_accounting(order: float, told: float) -> float:
    """Epsilon at one order by the conversion of 2017, from dp-accounting's Rényi divergence of the sampled Gaussian."""
    accountant = rdp.RdpAccountant(orders=[order])
    step = dp_accounting.PoissonSampledDpEvent(0.01, dp_accounting.GaussianDpEvent(told))
    accountant.compose(dp_accounting.SelfComposedDpEvent(step, 30_303))
    # Its own conversion is sharper: undo it at this one order.
    sharper = accountant.get_epsilon(1e-5)
    return sharper - math.log1p(-1 / order) + math.log(order) / (order - 1)


def test_the_published_run_ends_at_the_epsilon_that_its_authors_print() -> None:
    assert published_dp_cgan_epsilon(**PAPER) == pytest.approx(9.6, abs=0.005)


def test_the_figure_is_the_least_over_orders_of_an_independent_computation_that_is_told_too_much_noise() -> None:
    orders = [1 + tenth / 10 for tenth in range(1, 100)]
    expected = min(by_dp_accounting(order, 1.12 * 1.1) for order in orders)
    assert published_dp_cgan_epsilon(**PAPER) == pytest.approx(expected, rel=1e-4)


def test_the_clip_norm_moves_the_published_figure_although_it_moves_no_price() -> None:
    claimed = [published_dp_cgan_epsilon(**PAPER | {"clip_norm": clip}) for clip in (1.0, 1.1, 2.0)]
    assert claimed[0] > claimed[1] > claimed[2]
    assert claimed[0] == pytest.approx(11.23, abs=0.01)


def test_everybody_in_every_batch_is_the_plain_gaussian() -> None:
    """Rényi divergence order / (2 sigma^2)."""
    told, steps, delta = 2.0 * 1.5, 3, 1e-5
    orders = [1 + tenth / 10 for tenth in range(1, 100)] + list(range(12, 64))
    expected = min(steps * order / (2 * told**2) - math.log(delta) / (order - 1) for order in orders)
    found = published_dp_cgan_epsilon(
        sample_rate=1.0, noise_multiplier=2.0, clip_norm=1.5, num_steps=steps, delta=delta
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_numbers_out_of_range_are_refused() -> None:
    for change in ({"num_steps": 0}, {"noise_multiplier": -1.0}):
        with pytest.raises(InputError):
            published_dp_cgan_epsilon(**PAPER | change)
    for change in ({"noise_multiplier": 0.0}, {"delta": 1.0}):
        with pytest.raises(PrivacyError):
            published_dp_cgan_epsilon(**PAPER | change)


def test_the_caveat_names_every_reason() -> None:
    for reason in ("times clip norm", "each weight tensor", "shuffled", "labels of real records", "no finite epsilon"):
        assert reason in PUBLISHED_DP_CGAN.caveat
