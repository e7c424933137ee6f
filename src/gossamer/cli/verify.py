"""`gossamer verify`: whether a run, or a release alone, is what its statement says."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from gossamer.cli.arguments import read_arguments
from gossamer.cli.handing_over import card_facts
from gossamer.cli.job import TrainingJob, settings_digest, slots_kept
from gossamer.cli.priceable import check_priceable, price
from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES, find_named
from gossamer.errors import InputError, PrivacyError
from gossamer.estimators import load_generator
from gossamer.mechanisms.started_plan import StartedPlan
from gossamer.methods.method import Plan
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy.accounting import describe_accountants
from gossamer.privacy.claim import ClaimTerms
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.restated import PRINTED_TOLERANCE, describe_event, event_of, is_same_event, slots_of
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon
from gossamer.recipes.books import book_of
from gossamer.runs.cards import CARD, CardFacts
from gossamer.runs.files import read_json
from gossamer.runs.findings import Finding, Verdict, broken, holds, of_error, refused, unchecked
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.manifest import MANIFEST
from gossamer.runs.release import GENERATOR, STATEMENT, saved_generators
from gossamer.runs.verification import (
    check_audits,
    check_cards,
    check_checkpoints,
    check_ledger,
    check_manifest,
    check_statement,
    num_done_steps,
    read_statement,
)

T = TypeVar("T")

TOLERANCE = 1e-6
"""Relative difference of two computations of one epsilon, by rounding alone."""

_RESTATED = (
    "mechanism", "adjacency", "unit", "num_slots", "delta", "noise_multiplier", "clip_norm", "parameters",
    "num_tuning_runs", "covered", "not_covered", "published_epsilon", "published_caveat",
)  # fmt: skip
_LEDGER = "private/ledger.jsonl"


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Whether a run is what its statement says: epsilon, ledger, checkpoints, digests, text, audits.

    Exit code 0 and a list of what was checked; 3 where a guarantee does not hold; 2 where a file cannot be read.

    Example: gossamer verify runs/mnist

    Args:
        run: run folder, a release alone, or the folder of a generator saved on the way
        json: print JSON
    """

    run: Annotated[Path, tyro.conf.Positional]
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a run folder tells beside its release; None for what is not there or cannot be read.

    Attributes:
        job: settings.
        plan: what they cost.
        ledger: what was charged.
    """

    job: TrainingJob | None = None
    plan: Plan | None = None
    ledger: Ledger | None = None


def run(arguments: Sequence[str]) -> int:
    """Check a run or a release."""
    asked = read_arguments(Verify, arguments, program="verify")
    findings = tuple(examine(asked.run))
    if asked.json:
        print(json.dumps({"target": str(asked.run)} | _as_json(findings), indent=2))
    else:
        for finding in findings:
            told = finding.to_json()
            print(f"{told['verdict']:<12}{told['where']}: {told['what']}")
    return _conclude(asked.run, findings, quiet=asked.json)


def examine(path: Path) -> Iterator[Finding]:
    """Every check that can be made of a run folder, or of a release without one.

    Raises:
        InputError: neither is there.
    """
    folder = RunFolder(path)
    # First: settings that somebody put into a release do not make it a run.
    if _is_release(path):
        yield from _release_alone(path, "")
    elif folder.config_file.is_file():
        yield from _examine_run(folder)
    elif _is_release(folder.release):
        yield from _release_alone(folder.release, "release/")
    else:
        raise InputError(f"{path}: neither a run nor a release; name a run folder, or the folder with {GENERATOR}")


def _is_release(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (GENERATOR, STATEMENT, MANIFEST))


def _release_alone(folder: Path, prefix: str) -> Iterator[Finding]:
    yield from _release(folder, Known(), None, prefix, step=None)
    yield unchecked(
        prefix or ".",
        "a release alone: without config.json and private/ nobody can tell whether the training followed its "
        "statement, what was charged, and what audits found",
    )


# ---- a run -------------------------------------------------------------------------------------------------------


def _examine_run(folder: RunFolder) -> Iterator[Finding]:
    findings: list[Finding] = []
    known = _find_known(folder, findings)
    yield from findings
    is_released = folder.generator_file.is_file()
    if is_released:
        yield from _release(folder.release, known, folder, "release/", step=None)
    else:
        yield unchecked("release", "the run has not ended: there is no final generator yet")
    for saved in saved_generators(folder):
        yield from _release(saved.path, known, None, f"release/checkpoints/{saved.path.name}/", step=saved.step)
    if not folder.private.is_dir():
        yield unchecked("private", "not here: ledger, checkpoints and audits cannot be checked")
        return
    yield from refused("private/settings.sha256", _settings(folder, known))
    yield from refused("private/checkpoints", _checkpoints(folder, known))
    if known.ledger is not None:
        num_planned = None if known.plan is None else known.plan.num_steps
        done = _attempt(lambda: num_done_steps(folder), "private/checkpoints", [])
        yield from check_ledger(known.ledger, done or 0, num_planned, is_released=is_released)
        yield from refused(_LEDGER, _spent(folder, known, is_released=is_released))
    yield from check_audits(folder.audits)


def _find_known(folder: RunFolder, findings: list[Finding]) -> Known:
    """What can be read of settings, plan and ledger; what cannot is added to the findings."""
    job = _attempt(lambda: TrainingJob.read(folder), "config.json", findings)
    has_private = folder.private.is_dir()
    slots: PublicSlots | None = None
    if has_private:
        slots = _attempt(lambda: slots_kept(folder), "private/plan.json", findings)
    elif (folder.release / STATEMENT).is_file():
        # Its own findings come when the release is looked at.
        statement = _attempt(lambda: read_statement(folder.release), STATEMENT, [])
        slots = None if statement is None else slots_of(statement)
    plan = None
    if job is not None and slots is not None:
        plan = _attempt(lambda: job.plan(slots), "config.json", findings)
    ledger = _attempt(lambda: read_ledger(folder.ledger_file), _LEDGER, findings) if has_private else None
    return Known(job=job, plan=plan, ledger=ledger)


def _attempt(read: Callable[[], T], where: str, findings: list[Finding]) -> T | None:
    """What is read, or None and a finding."""
    try:
        return read()
    except (PrivacyError, InputError) as error:
        findings.append(of_error(where, error))
    return None


def _settings(folder: RunFolder, known: Known) -> Iterator[Finding]:
    where = "private/settings.sha256"
    kept = _kept(folder, "settings.sha256")
    if kept is None or _kept(folder, "data.sha256") is None:
        yield broken(where, "missing, or data.sha256 beside it: the private side is not whole")
    elif known.job is not None and kept == settings_digest(known.job):
        yield holds("config.json", "the settings that the run began with")
    elif known.job is not None and not _is_own(folder):
        yield unchecked("config.json", f"{where} is of gossamer {_writer(folder)}, whose settings had other fields")
    elif known.job is not None:
        yield broken("config.json", f"not the settings that the run began with ({where})")


def _checkpoints(folder: RunFolder, known: Known) -> Iterator[Finding]:
    digest = settings_digest(known.job) if known.job is not None and _is_own(folder) else None
    yield from check_checkpoints(folder, digest, _kept(folder, "data.sha256"))


def _is_own(folder: RunFolder) -> bool:
    return _writer(folder) == importlib.metadata.version("gossamer")


def _writer(folder: RunFolder) -> str:
    """The version that began a run, as it says of itself: versions may add settings, and their digests then differ."""
    tree = _attempt(lambda: read_json(folder.environment_file), "environment.json", [])
    return str(tree.get("gossamer")) if isinstance(tree, dict) else "of an unknown version"


def _kept(folder: RunFolder, name: str) -> str | None:
    path = folder.private / name
    return path.read_bytes()[:100].decode("ascii", errors="replace") if path.is_file() else None


def _spent(folder: RunFolder, known: Known, *, is_released: bool) -> Iterator[Finding]:
    """What the ledger charges costs no more than what is claimed."""
    if known.job is None or known.plan is None or known.ledger is None:
        yield unchecked(_LEDGER, "without the settings its price cannot be computed")
        return
    event = known.plan.spent_by(known.ledger)
    if event is None:
        yield holds(_LEDGER, "nothing is charged yet")
        return
    if is_released and event == known.plan.event:
        yield holds(_LEDGER, "charges the whole plan: what is charged costs what the plan does")
        return
    spent, by_rdp = price(event, known.job.delta)
    claimed = read_statement(folder.release).epsilon if is_released else price(known.plan.event, known.job.delta)[0]
    figures = f"what is charged costs epsilon {shown_epsilon(spent)} by PLD, {shown_epsilon(by_rdp)} by RDP"
    if spent > claimed * (1 + TOLERANCE):
        yield broken(_LEDGER, f"{figures}, more than the {shown_epsilon(claimed)} claimed")
    else:
        yield holds(_LEDGER, f"{figures}, at most the {shown_epsilon(claimed)} claimed")


# ---- a release ---------------------------------------------------------------------------------------------------


def _release(folder: Path, known: Known, run: RunFolder | None, prefix: str, *, step: int | None) -> Iterator[Finding]:
    """Checks of one release; ``step`` says which of those saved on the way it is."""
    found: list[Finding] = [*refused(MANIFEST, check_manifest(folder, run))]
    statement = _attempt(lambda: read_statement(folder), STATEMENT, found)
    trained = _attempt(lambda: load_generator(folder / GENERATOR), GENERATOR, found)
    if trained is not None:
        found += _generator(trained, statement)
    if statement is not None:
        found += refused(STATEMENT, check_statement(folder, statement))
        found += refused(STATEMENT, _claim(statement, known, step))
    if trained is not None:
        found += refused(CARD, check_cards(folder, _facts(trained, known)))
    for finding in found:
        is_settings = finding.where == "config.json"
        yield finding if is_settings else dataclasses.replace(finding, where=f"{prefix}{finding.where}")


def _facts(trained: TrainedGenerator, known: Known) -> tuple[CardFacts, ...]:
    """What cards may be written from: the data set that the settings name, or any, where they are not here."""
    if known.job is not None:
        return (card_facts(trained, find_named(known.job.data)),)
    return tuple(card_facts(trained, source) for source in (None, *NAMED_DATA, *NAMED_SERIES))


def _generator(trained: TrainedGenerator, statement: PrivacyStatement | None) -> Iterator[Finding]:
    if statement is None:
        yield unchecked(GENERATOR, f"whole; its statement cannot be compared with {STATEMENT}")
    elif trained.statement != statement:
        yield broken(GENERATOR, f"carries another statement than {STATEMENT}")
    else:
        yield holds(GENERATOR, f"whole, and carries the statement of {STATEMENT}")


def _claim(statement: PrivacyStatement, known: Known, step: int | None) -> Iterator[Finding]:
    """The epsilons stated are those of the numbers stated, and the numbers are those of the settings."""
    said = event_of(statement)
    if known.job is None or known.plan is None:
        is_printed = "times step 1 is paid for" in dict(statement.parameters)
        tolerance = PRINTED_TOLERANCE if is_printed else TOLERANCE
        yield from _epsilons(statement, price(said, statement.delta), tolerance)
        return
    plan = _plan_until(known.plan, statement, step)
    if is_same_event(plan.event, said):
        yield from _restated(statement, plan, known.job, None if step is None else known.plan.num_steps)
    else:
        yield broken(
            "config.json", f"the settings are {describe_event(plan.event)}; {STATEMENT} states {describe_event(said)}"
        )
        yield from _epsilons(statement, price(said, statement.delta), PRINTED_TOLERANCE)
    yield from _on_the_way(known.job, known.ledger, step)


def _plan_until(plan: Plan, statement: PrivacyStatement, step: int | None) -> Plan:
    """The plan of what the statement is of."""
    if step is None:
        return plan
    num_starts = dict(statement.parameters).get("times step 1 is paid for")
    if isinstance(plan, StartedPlan) and isinstance(num_starts, int):
        plan = dataclasses.replace(plan, num_starts=num_starts)
    return plan.first_steps(step)


def _restated(
    statement: PrivacyStatement, plan: Plan, job: TrainingJob, num_planned_steps: int | None
) -> Iterator[Finding]:
    """The statement is the one that these settings make, but for what depends on the records' shape and origin."""
    check_priceable(plan.event, job.delta)
    terms = ClaimTerms(
        delta=job.delta,
        method=book_of(job.method).method.name,
        sample_size=1,
        is_secure=statement.is_secure,
        num_tuning_runs=job.num_tuning_runs,
        num_planned_steps=num_planned_steps,
    )
    again = plan.statement(terms)
    wrong = [name for name in _RESTATED if not _is_equal(getattr(statement, name), getattr(again, name))]
    if statement.public_inputs[: len(again.public_inputs)] != again.public_inputs:
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
    """Both figures, by both accountants, against those stated."""
    pairs = zip(("epsilon", "epsilon_rdp"), (statement.epsilon, statement.epsilon_rdp), computed, strict=True)
    others = [name for name, version in describe_accountants() if dict(statement.accountants).get(name) != version]
    hint = f" (stated with another version of {', '.join(others)})" if others else ""
    for name, stated, again in pairs:
        if stated is None or again is None:
            yield unchecked(STATEMENT, f"{name} is not stated")
        elif math.isclose(stated, again, rel_tol=tolerance, abs_tol=1e-9):
            yield holds(STATEMENT, f"{name} {shown_epsilon(stated)} is computed again")
        else:
            yield broken(STATEMENT, f"{name} is {stated:.6g}; computed again it is {again:.6g}{hint}")


def _on_the_way(job: TrainingJob, ledger: Ledger | None, step: int | None) -> Iterator[Finding]:
    """A generator saved on the way stands at a step that was fixed before, and that was paid for."""
    if step is None:
        return
    if step not in job.save_at_steps:
        yield broken("config.json", f"nothing was to be saved after {step} steps (save_at_steps)")
    if ledger is not None and ledger.num_charged_steps < step:
        yield broken(STATEMENT, f"prices {step} steps and the ledger charges {ledger.num_charged_steps}")


# ---- the end -----------------------------------------------------------------------------------------------------


def _as_json(findings: Sequence[Finding]) -> dict[str, object]:
    return {"verdict": _worst(findings).value, "findings": [finding.to_json() for finding in findings]}


def _worst(findings: Iterable[Finding]) -> Verdict:
    found = {finding.verdict for finding in findings}
    return next((one for one in (Verdict.BROKEN, Verdict.UNREADABLE) if one in found), Verdict.HOLDS)


def _conclude(path: Path, findings: Sequence[Finding], *, quiet: bool) -> int:
    """Exit code 0, or the error that stands for the worst.

    Raises:
        PrivacyError: something claimed does not hold.
        InputError: something that is needed cannot be read.
    """
    worst, num_held = _worst(findings), sum(finding.verdict is Verdict.HOLDS for finding in findings)
    if worst is Verdict.HOLDS and not num_held:
        raise InputError(f"{path}: nothing that could be checked is here; name the run folder as the training left it")
    if worst is Verdict.HOLDS:
        if not quiet:
            print(f"{path}: all {num_held} checks hold; {len(findings) - num_held} could not be made here")
        return 0
    of_kind = [finding for finding in findings if finding.verdict is worst]
    said = f"{path}: {len(of_kind)} of {len(findings)} checks: {worst.value}; {of_kind[0].where}: {of_kind[0].what}"
    if worst is Verdict.BROKEN:
        raise PrivacyError(f"{said}; do not rely on it")
    raise InputError(said)
