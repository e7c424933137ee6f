"""What dp-accounting says while it prices: an order left out is no news, all else is."""

from __future__ import annotations

import logging
import math

import pytest
from absl import logging as absl_logging
from dp_accounting import rdp

from gossamer.privacy.accounting import epsilon_by_pld, epsilon_by_rdp
from gossamer.privacy.events import poisson_event

EVENT = poisson_event(sample_rate=0.133, noise_multiplier=1.01, num_steps=20)
"""Of which dozens of fractional orders do not converge."""


def test_orders_that_do_not_converge_are_left_out_in_silence_and_the_bound_holds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rdp.RdpAccountant().compose(EVENT)
    assert any("failed to converge" in line for line in caplog.messages)
    caplog.clear()
    by_rdp = epsilon_by_rdp(EVENT, 1e-5).epsilon
    assert caplog.messages == []
    assert epsilon_by_pld(EVENT, 1e-5).epsilon <= by_rdp < math.inf
    assert logging.getLogger("absl").filters == []


def test_such_an_order_counts_as_infinite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should dp-accounting ever return a number there, the silence would hide it."""
    whole = epsilon_by_rdp(EVENT, 1e-5).epsilon
    monkeypatch.setattr(rdp.rdp_privacy_accountant, "_MAX_STEPS_LOG_A_FRAC", 1)
    assert rdp.rdp_privacy_accountant._compute_log_a_frac(0.133, 1.01, 2.5) == math.inf
    assert whole <= epsilon_by_rdp(EVENT, 1e-5).epsilon < math.inf


def test_other_warnings_of_the_accountant_are_still_heard(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = rdp.RdpAccountant.compose

    def warn_and_compose(self: rdp.RdpAccountant, *arguments: object) -> object:
        absl_logging.warning("a number was lost")
        return compose(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rdp.RdpAccountant, "compose", warn_and_compose)
    epsilon_by_rdp(EVENT, 1e-5)
    assert caplog.messages == ["a number was lost"]
