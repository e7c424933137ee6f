"""Checks of a claim: the statement is that of the settings of its run, and its epsilons those of its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dp_accounting.dp_event import DpEvent

from gossamer.driving.job import TrainingJob
from gossamer.mechanisms.plan import BOUNDS, BOUNDS_BEFORE, AbstractPlan
from gossamer.privacy.accounting import describe_accountants, epsilon_by_pld
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.earlier import earlier_epsilon, earlier_profile, has_earlier_price
from gossamer.privacy.event_data import event_of_parts
from gossamer.privacy.events import under_replacement
from gossamer.privacy.gaussian_dp import mu_of, mu_of_profile, rho_of
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.priceable import accountable, check_priceable, price
from gossamer.privacy.restated import PRINTED_TOLERANCE, describe_event, event_of, is_in_keeping, is_same_event
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon, shown_finely
from gossamer.runs.findings import Finding, broken, holds, unchecked
from gossamer.runs.identity import RunIdentity
from gossamer.runs.release import STATEMENT

TOLERANCE = 1e-6
"""Relative difference of two computations of one epsilon, by rounding alone."""

_RESTATED = (
    "mechanism", "adjacency", "unit", "num_slots", "delta", "noise_multiplier", "clip_norm", "parameters",
    "num_tuning_runs", "covered", "not_covered", "published_epsilon", "published_caveat",
)  # fmt: skip
_LEDGER = "private/ledger.jsonl"


@dataclass(frozen=True, kw_only=True)
class Known:
    """The facts that a run folder tells beside its release. None stands for each that is absent or cannot be read.

    Attributes:
        job: settings.
        plan: sampling, noise and price.
        ledger: the steps charged.
        identity: which run it is, and where its folder was.
    """

    job: TrainingJob | None = None
    plan: AbstractPlan | None = None
    ledger: Ledger | None = None
    identity: RunIdentity | None = None


def check_claim(statement: PrivacyStatement, known: Known, step: int | None) -> Iterator[Finding]:
    """Check that the epsilons stated are those of the numbers stated, and the numbers those of the settings."""
    said = event_of(statement)
    match is_in_keeping(statement):
        case False:
            yield broken(
                STATEMENT, "the numbers that it prints are not those of the event that it carries; it was edited"
            )
        case None:
            yield unchecked(STATEMENT, "prints numbers that cannot be compared with the event that it carries")
    yield from _other_prices(statement, said)
    yield from _sites(statement, said)
    if known.job is None or known.plan is None:
        tolerance = PRINTED_TOLERANCE if statement.event is None else TOLERANCE
        yield from _epsilons(statement, price(said, statement.delta), tolerance)
        return
    plan = known.plan if step is None else known.plan.first_steps(step)
    if is_same_event(plan.event, said):
        yield from _restated(statement, plan, known.job, None if step is None else known.plan.num_steps)
    else:
        yield broken(
            "config.json", f"the settings are {describe_event(plan.event)}; {STATEMENT} states {describe_event(said)}"
        )
        yield from _epsilons(statement, price(said, statement.delta), PRINTED_TOLERANCE)
    if step is not None and step not in known.job.save_at_steps:
        yield broken("config.json", f"nothing was to be saved after {step} steps (save_at_steps)")
    yield from _of_this_run(statement, known, step)


def _restated(
    statement: PrivacyStatement, plan: AbstractPlan, job: TrainingJob, num_planned_steps: int | None
) -> Iterator[Finding]:
    """Check that these settings make the statement, but for shape and origin of the records."""
    check_priceable(plan.event, job.delta)
    terms = ClaimTerms(
        delta=job.delta,
        method=job.of_method.name,
        sample_size=1,
        is_secure=statement.is_secure,
        num_tuning_runs=job.num_tuning_runs,
        num_planned_steps=num_planned_steps,
    )
    again = plan.statement(terms)
    wrong = [name for name in _RESTATED if not _is_equal(getattr(statement, name), getattr(again, name))]
    is_start_said = set(job.start.sentences) <= set(statement.public_inputs)
    earlier = tuple(sentence.replace(BOUNDS, BOUNDS_BEFORE) for sentence in again.public_inputs)
    if statement.public_inputs[: len(earlier)] not in (again.public_inputs, earlier) or not is_start_said:
        wrong.append("public_inputs")
    for name in wrong:
        yield broken(STATEMENT, f"{name} is not what config.json makes it")
    if not wrong:
        yield holds(STATEMENT, "states the mechanism and the numbers of config.json")
    yield from _epsilons(statement, (again.epsilon, again.epsilon_rdp), TOLERANCE)


def _is_equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


def _epsilons(statement: PrivacyStatement, computed: tuple[float, float | None], tolerance: float) -> Iterator[Finding]:
    pairs = zip(("epsilon", "epsilon_rdp"), (statement.epsilon, statement.epsilon_rdp), computed, strict=True)
    others = [name for name, version in describe_accountants() if dict(statement.accountants).get(name) != version]
    hint = f" (stated with another version of {', '.join(others)})" if others else ""
    for name, stated, again in pairs:
        if stated is None or again is None:
            yield unchecked(STATEMENT, f"{name} is not stated")
        elif math.isclose(stated, again, rel_tol=tolerance, abs_tol=1e-9):
            yield holds(STATEMENT, f"{name} {shown_epsilon(stated)} is computed again")
        elif name == "epsilon" and _is_earlier(stated, statement, max(tolerance, TOLERANCE)):
            yield holds(STATEMENT, f"{name} {shown_epsilon(stated)} is computed again, by the rule of earlier versions")
        else:
            yield broken(
                STATEMENT, f"{name} is {shown_finely(stated)}; computed again it is {shown_finely(again)}{hint}"
            )


def _is_earlier(stated: float, statement: PrivacyStatement, tolerance: float) -> bool:
    """Tell if an epsilon is the one of the rule by which earlier versions priced Poisson samples.

    Privacy: both rules are upper bounds, so a statement by either holds.
    """
    event = event_of(statement)
    if not has_earlier_price(event):
        return False
    with accountable():
        return math.isclose(stated, earlier_epsilon(event, statement.delta), rel_tol=tolerance, abs_tol=1e-9)


def _other_prices(statement: PrivacyStatement, event: DpEvent) -> Iterator[Finding]:
    """Check the other figures of the price: mu, rho, and the epsilon of a replacement."""
    if statement.mu is None:
        return  # of the first format of statements, which had none of them
    check_priceable(event, statement.delta)
    is_added = statement.adjacency is Adjacency.ADD_OR_REMOVE_ONE
    replaced = (
        epsilon_by_pld(under_replacement(event, statement.adjacency), statement.delta).epsilon if is_added else None
    )
    mu = mu_of(event, statement.delta)
    if not _is_near(statement.mu, mu) and has_earlier_price(event):
        with accountable():
            mu = mu_of_profile(event, statement.delta, earlier_profile(event, statement.delta))
    again = {"mu": mu, "rho": rho_of(event), "epsilon_replaced": replaced}
    wrong = [name for name, figure in again.items() if not _is_near(getattr(statement, name), figure)]
    for name in wrong:
        yield broken(STATEMENT, f"{name} is not what the numbers stated make it")
    if not wrong:
        yield holds(STATEMENT, "mu, rho and the price of a replacement are computed again")


def _sites(statement: PrivacyStatement, event: DpEvent) -> Iterator[Finding]:
    """Check that the epsilon of each site is that of its own event, and that the claim for all is no smaller."""
    for claim in statement.sites:
        again, _ = price(event_of_parts(claim.event), claim.delta)
        if not math.isclose(claim.epsilon, again, rel_tol=TOLERANCE, abs_tol=1e-9):
            figures = f"is {shown_finely(claim.epsilon)}; again it is {shown_finely(again)}"
            yield broken(STATEMENT, f"epsilon of the site {claim.name} {figures}")
        # Privacy: the figure in the first line is taken for that of every site.
        elif claim.delta < statement.delta or again > price(event, claim.delta)[0] * (1 + PRINTED_TOLERANCE):
            yield broken(STATEMENT, f"the claim for all sites is smaller than that of the site {claim.name}")
        else:
            yield holds(STATEMENT, f"epsilon {shown_epsilon(claim.epsilon)} of the site {claim.name} is computed again")


def _is_near(stated: float | None, again: float | None) -> bool:
    if stated is None or again is None:
        return stated is again
    return math.isclose(stated, again, rel_tol=PRINTED_TOLERANCE, abs_tol=1e-9)


def _of_this_run(statement: PrivacyStatement, known: Known, step: int | None) -> Iterator[Finding]:
    """Check that the statement names this run, and says how often its folder was declared the only copy."""
    if known.identity is None or known.ledger is None:
        return
    if statement.run_id != known.identity.run_id:
        yield broken(STATEMENT, "its run_id is not that of this run (private/run.json)")
    else:
        yield holds(STATEMENT, f"of this run, {statement.run_id}")
    said, declared = statement.num_only_copies, known.ledger.num_only_copies
    # Privacy: what was saved before the folder moved says less, what is released after it says all.
    if said > declared or (step is None and said < declared):
        yield broken(STATEMENT, f"num_only_copies is {said}, and {_LEDGER} declares an only copy {declared} times")
