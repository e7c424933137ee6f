"""Accounting alone: budgets, events, epsilon by two accountants, calibration, ledger and statement. No torch.

Names are imported when they are first used, because readers of data need the units alone and not the accountants.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossamer.privacy.accounting import (
        Calibration,
        EpsilonBound,
        calibrate_noise_multiplier,
        calibrate_noise_multiplier_by_fixed_pair,
        calibrate_noise_multiplier_by_rdp,
        describe_accountants,
        epsilon_by_pld,
        epsilon_by_rdp,
        fixed_pair_epsilon,
        num_steps_for_budget,
        proved_epsilon,
    )
    from gossamer.privacy.adjacency import Adjacency, Unit
    from gossamer.privacy.budget import PrivacyBudget, check_delta, default_delta
    from gossamer.privacy.events import (
        compose_events,
        find_adjacency,
        gaussian_event,
        one_of_many_event,
        poisson_event,
        replaced_poisson_event,
        sum_of_many_event,
        under_replacement,
    )
    from gossamer.privacy.gaussian_dp import mu_of, rho_of
    from gossamer.privacy.ledger import Ledger, LedgerEntry
    from gossamer.privacy.published import PUBLISHED_CAVEAT, published_gs_wgan_epsilon
    from gossamer.privacy.statement import PrivacyStatement

__all__ = [
    "PUBLISHED_CAVEAT",
    "Adjacency",
    "Calibration",
    "EpsilonBound",
    "Ledger",
    "LedgerEntry",
    "PrivacyBudget",
    "PrivacyStatement",
    "Unit",
    "calibrate_noise_multiplier",
    "calibrate_noise_multiplier_by_fixed_pair",
    "calibrate_noise_multiplier_by_rdp",
    "check_delta",
    "compose_events",
    "default_delta",
    "describe_accountants",
    "epsilon_by_pld",
    "epsilon_by_rdp",
    "find_adjacency",
    "fixed_pair_epsilon",
    "gaussian_event",
    "mu_of",
    "num_steps_for_budget",
    "one_of_many_event",
    "poisson_event",
    "proved_epsilon",
    "published_gs_wgan_epsilon",
    "replaced_poisson_event",
    "rho_of",
    "sum_of_many_event",
    "under_replacement",
]

_HOMES = {
    "PUBLISHED_CAVEAT": "gossamer.privacy.published",
    "Adjacency": "gossamer.privacy.adjacency",
    "Calibration": "gossamer.privacy.accounting",
    "EpsilonBound": "gossamer.privacy.accounting",
    "Ledger": "gossamer.privacy.ledger",
    "LedgerEntry": "gossamer.privacy.ledger",
    "PrivacyBudget": "gossamer.privacy.budget",
    "PrivacyStatement": "gossamer.privacy.statement",
    "Unit": "gossamer.privacy.adjacency",
    "calibrate_noise_multiplier": "gossamer.privacy.accounting",
    "calibrate_noise_multiplier_by_fixed_pair": "gossamer.privacy.accounting",
    "calibrate_noise_multiplier_by_rdp": "gossamer.privacy.accounting",
    "check_delta": "gossamer.privacy.budget",
    "compose_events": "gossamer.privacy.events",
    "default_delta": "gossamer.privacy.budget",
    "describe_accountants": "gossamer.privacy.accounting",
    "epsilon_by_pld": "gossamer.privacy.accounting",
    "epsilon_by_rdp": "gossamer.privacy.accounting",
    "find_adjacency": "gossamer.privacy.events",
    "fixed_pair_epsilon": "gossamer.privacy.accounting",
    "gaussian_event": "gossamer.privacy.events",
    "mu_of": "gossamer.privacy.gaussian_dp",
    "num_steps_for_budget": "gossamer.privacy.accounting",
    "one_of_many_event": "gossamer.privacy.events",
    "poisson_event": "gossamer.privacy.events",
    "proved_epsilon": "gossamer.privacy.accounting",
    "published_gs_wgan_epsilon": "gossamer.privacy.published",
    "replaced_poisson_event": "gossamer.privacy.events",
    "rho_of": "gossamer.privacy.gaussian_dp",
    "sum_of_many_event": "gossamer.privacy.events",
    "under_replacement": "gossamer.privacy.events",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
