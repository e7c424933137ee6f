"""Accounting alone: budgets, events, epsilon by two accountants, calibration, ledger and statement. No torch."""

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
    "published_gs_wgan_epsilon",
    "replaced_poisson_event",
    "rho_of",
    "under_replacement",
]
