"""Checks of a release of several sites against the plan that lies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gossamer.driving.federated.plan import MAX_PLAN_BYTES, FederatedPlan
from gossamer.privacy.event_data import event_of_parts
from gossamer.privacy.restated import is_same_event
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.files import read_bounded
from gossamer.runs.findings import Finding, broken, holds

PLAN_FILE: Final = "plan.json"
"""Name of the plan in the folder of the coordinator."""


def check_plan_of_sites(folder: Path, statement: PrivacyStatement) -> Iterator[Finding]:
    """Check that the claims of sites are those of the plan in the folder of their coordinator.

    Args:
        folder: of the coordinator, with `plan.json` in it.
        statement: of the release.

    Raises:
        InputError: the plan cannot be read.
        PrivacyError: a site of the plan pays more than the plan says.
    """
    plan = FederatedPlan.read(read_bounded(folder / PLAN_FILE, MAX_PLAN_BYTES), PLAN_FILE)
    if statement.run_id != plan.study:
        yield broken(PLAN_FILE, "of another study than the release: its id is not the run_id of privacy.json")
        return
    claims = {claim.name: claim for claim in statement.sites}
    for site in plan.sites:
        plan.price_of(site)
        claim = claims.pop(site.name, None)
        if claim is None:
            yield broken(PLAN_FILE, f"has the site {site.name}, of which privacy.json says nothing")
        elif (claim.num_slots, claim.delta) != (site.num_slots, site.delta):
            yield broken(PLAN_FILE, f"has other slots or another delta of the site {site.name} than privacy.json")
        elif claim.num_rounds != plan.num_rounds_of_a_site:
            yield broken(PLAN_FILE, f"has other rounds for the site {site.name} than privacy.json")
        elif not is_same_event(event_of_parts(claim.event), plan.part_of(site).event):
            yield broken(PLAN_FILE, f"has other noise of the site {site.name} than privacy.json")
        else:
            yield holds(PLAN_FILE, f"slots, delta and noise of the site {site.name} are those of privacy.json")
    for name in claims:
        yield broken(PLAN_FILE, f"has no site {name}, which privacy.json claims")
