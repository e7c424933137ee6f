"""The terms of a claim beside the numbers of its plan: one object from the training to the statement."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from datetime import UTC, datetime


def today() -> str:
    """Return the day in UTC, as ``2026-11-28``."""
    return datetime.now(UTC).date().isoformat()


def own_version() -> str:
    """Return the version of this library, as installed."""
    return importlib.metadata.version("gossamer")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClaimTerms:
    """The terms of a claim. The plan adds mechanism, unit, numbers and price, and makes a `PrivacyStatement` of both.

    Args:
        delta: of the claim, below one over the number of slots.
        method: name of the method that ran.
        is_secure: true if the noise was secret.
        sample_size: coordinates of the largest vector that a step releases.
        public_inputs: sentences on the inputs taken as public.
        num_tuning_runs: earlier runs on the same records, as their owner declares.
        num_planned_steps: of the whole run, if the claim is of the releases of the first steps. None if the claim is of
            the whole run.
        run_id: of the run, the same in everything that the run releases. None if no run folder was kept.
        num_only_copies: number of times that the owner declared a moved or restored run folder the only copy that goes
            on.
        date: day of the claim, UTC.
        gossamer_version: that computed the claim.
    """

    delta: float
    method: str
    is_secure: bool
    sample_size: int
    public_inputs: tuple[str, ...] = ()
    num_tuning_runs: int = 0
    num_planned_steps: int | None = None
    run_id: str | None = None
    num_only_copies: int = 0
    date: str = dataclasses.field(default_factory=today)
    gossamer_version: str = dataclasses.field(default_factory=own_version)
