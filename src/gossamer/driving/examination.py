"""Every check of a run, or of a release alone, against its statement."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES, find_named
from gossamer.driving.claims import TOLERANCE, Known, check_claim
from gossamer.driving.federated.checking import PLAN_FILE, check_plan_of_sites
from gossamer.driving.generator_file import load_generator
from gossamer.driving.handing_over import card_facts
from gossamer.driving.job import TrainingJob, settings_digest
from gossamer.driving.run import slots_kept
from gossamer.errors import InputError, PrivacyError
from gossamer.methods.starting import FreshStart
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy.priceable import price
from gossamer.privacy.restated import slots_of
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon
from gossamer.runs.cards import CARD, CardFacts
from gossamer.runs.files import read_json
from gossamer.runs.findings import Finding, broken, holds, of_error, refused, unchecked, unreadable
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import COPY, OLDER, is_older, read_identity
from gossamer.runs.key_file import read_key
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.manifest import MANIFEST
from gossamer.runs.release import GENERATOR, STATEMENT, saved_generators
from gossamer.runs.released_list import check_released
from gossamer.runs.start_file import read_start
from gossamer.runs.verification import (
    FIRST_FORMAT,
    check_audits,
    check_cards,
    check_checkpoints,
    check_ledger,
    check_manifest,
    check_statement,
    num_done_steps,
    read_statement,
)
from gossamer.runs.zoo import resolved

T = TypeVar("T")

_LEDGER = "private/ledger.jsonl"
_KEY = "private/units.key"


def examine(path: Path) -> Iterator[Finding]:
    """Make every check that can be made of a run folder, or of a release without one, from the zoo too.

    Raises:
        InputError: neither is there.
        PrivacyError: a release of the zoo with another file in it.
    """
    path = resolved(path)
    folder = RunFolder(path)
    # First: settings that somebody put into a release do not make it a run.
    if _is_release(path):
        yield from _release_alone(path, "")
    elif folder.config_file.is_file():
        yield from _examine_run(folder)
    elif _is_release(folder.release):
        yield from _release_alone(folder.release, "release/")
        yield from _sites(folder)
    else:
        raise InputError(f"{path}: neither a run nor a release; name a run folder, or the folder with {GENERATOR}")


def _is_release(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (GENERATOR, STATEMENT, MANIFEST))


def _release_alone(folder: Path, prefix: str) -> Iterator[Finding]:
    yield from _release(folder, Known(), None, prefix, step=None)
    statement = _attempt(lambda: read_statement(folder), STATEMENT, [])
    if statement is not None and statement.is_of_first_format:
        yield unchecked(f"{prefix}{STATEMENT}", f"{FIRST_FORMAT}; CHANGELOG under Privacy says which are affected")
    yield unchecked(
        prefix or ".",
        "a release alone: without config.json and private/ nobody can tell whether the training followed its "
        "statement, what was charged, and what audits found",
    )


def _sites(folder: RunFolder) -> Iterator[Finding]:
    """Check a release of several sites against the plan beside it, if there is one."""
    if not (folder.path / PLAN_FILE).is_file():
        return
    statement = _attempt(lambda: read_statement(folder.release), STATEMENT, [])
    # Also if the statement names no site: somebody may have cut them out.
    if statement is not None:
        yield from refused(PLAN_FILE, check_plan_of_sites(folder.path, statement))


# ---- a run -------------------------------------------------------------------------------------------------------


def _examine_run(folder: RunFolder) -> Iterator[Finding]:
    if is_older(folder) or _is_first_format(folder):
        yield from _examine_older(folder)
        return
    findings: list[Finding] = []
    known = _find_known(folder, findings)
    yield from findings
    is_released = folder.generator_file.is_file()
    if not is_released:
        yield unchecked("release", "the run has not ended: there is no final generator yet")
    yield from _releases(folder, known)
    if not folder.private.is_dir():
        yield unchecked("private", "not here: ledger, checkpoints and audits cannot be checked")
        return
    yield from _place(folder, known)
    yield from refused("private/released.jsonl", check_released(folder))
    yield from refused("private/settings.sha256", _settings(folder, known))
    yield from refused("private/checkpoints", _checkpoints(folder, known))
    yield from refused("private/start.safetensors", _start(folder, known))
    if known.ledger is not None:
        num_planned = None if known.plan is None else known.plan.num_steps
        done = _attempt(lambda: num_done_steps(folder), "private/checkpoints", [])
        yield from check_ledger(known.ledger, done or 0, num_planned, is_released=is_released)
        yield from refused(_LEDGER, _spent(folder, known, is_released=is_released))
    yield from check_audits(folder.audits)


def _examine_older(folder: RunFolder) -> Iterator[Finding]:
    """Name a run of an older version as such, and check all that does not depend on how that version dealt."""
    yield unreadable("private/run.json", f"missing: the run was {OLDER}")
    yield from _releases(folder, Known())
    if folder.private.is_dir():
        ledger = _attempt(lambda: read_ledger(folder.ledger_file), _LEDGER, [])
        if ledger is not None:
            yield from check_ledger(ledger, 0, None, is_released=folder.generator_file.is_file())
        yield from check_audits(folder.audits)


def _is_first_format(folder: RunFolder) -> bool:
    statement = _attempt(lambda: read_statement(folder.release), STATEMENT, [])
    return statement is not None and statement.is_of_first_format


def _place(folder: RunFolder, known: Known) -> Iterator[Finding]:
    where = "private/run.json"
    if known.identity is None:
        return
    if known.identity.is_of(folder):
        yield holds(where, f"run {known.identity.run_id}, in the folder that it goes on in")
    else:
        yield unchecked(where, f"{COPY}, so in which of them the run went on cannot be told here")


def _find_known(folder: RunFolder, findings: list[Finding]) -> Known:
    """Read settings, plan and ledger, and make a finding of each that cannot be read."""
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
    identity = _attempt(lambda: read_identity(folder), "private/run.json", findings) if has_private else None
    return Known(job=job, plan=plan, ledger=ledger, identity=identity)


def _attempt(read: Callable[[], T], where: str, findings: list[Finding]) -> T | None:
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


def _start(folder: RunFolder, known: Known) -> Iterator[Finding]:
    """Check that the networks of a public start are those that the run began with."""
    if known.job is None or isinstance(known.job.start, FreshStart):
        return
    read_start(folder)
    yield holds("private/start.safetensors", "the networks that the run began with")


def _checkpoints(folder: RunFolder, known: Known) -> Iterator[Finding]:
    digest = settings_digest(known.job) if known.job is not None and _is_own(folder) else None
    findings: list[Finding] = []
    if not folder.key_file.exists():
        what = "missing: whom the run held out cannot be told any more, and a run that has not ended cannot go on"
        findings.append(unchecked(_KEY, what))
        key = None
    else:
        key = _attempt(lambda: read_key(folder), _KEY, findings)
    yield from findings
    key_digest = None if key is None else key.digest
    yield from check_checkpoints(folder, digest, _kept(folder, "data.sha256"), key_digest)


def _is_own(folder: RunFolder) -> bool:
    return _writer(folder) == importlib.metadata.version("gossamer")


def _writer(folder: RunFolder) -> str:
    """Return the version that began a run. Versions may add settings, and their digests then differ."""
    tree = _attempt(lambda: read_json(folder.environment_file), "environment.json", [])
    return str(tree.get("gossamer")) if isinstance(tree, dict) else "of an unknown version"


def _kept(folder: RunFolder, name: str) -> str | None:
    path = folder.private / name
    return path.read_bytes()[:100].decode("ascii", errors="replace") if path.is_file() else None


def _spent(folder: RunFolder, known: Known, *, is_released: bool) -> Iterator[Finding]:
    """Check that the steps charged cost no more than is claimed."""
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


def _releases(folder: RunFolder, known: Known) -> Iterator[Finding]:
    if folder.generator_file.is_file():
        yield from _release(folder.release, known, folder, "release/", step=None)
    for saved in saved_generators(folder):
        yield from _release(saved.path, known, None, f"release/checkpoints/{saved.path.name}/", step=saved.step)


def _release(folder: Path, known: Known, run: RunFolder | None, prefix: str, *, step: int | None) -> Iterator[Finding]:
    """Check one release: a generator saved on the way after ``step`` steps, or the final one if it is None."""
    found: list[Finding] = [*refused(MANIFEST, check_manifest(folder, run))]
    statement = _attempt(lambda: read_statement(folder), STATEMENT, found)
    trained = _attempt(lambda: load_generator(folder / GENERATOR), GENERATOR, found)
    if trained is not None:
        found += _generator(trained, statement)
    if statement is not None:
        found += refused(STATEMENT, check_statement(folder, statement))
        found += refused(STATEMENT, check_claim(statement, known, step))
    if trained is not None and trained.statement.is_of_first_format:
        found.append(unchecked(CARD, FIRST_FORMAT))
    elif trained is not None:
        found += refused(CARD, check_cards(folder, _facts(trained, known)))
    for finding in found:
        is_settings = finding.where == "config.json"
        yield finding if is_settings else dataclasses.replace(finding, where=f"{prefix}{finding.where}")


def _facts(trained: TrainedGenerator, known: Known) -> tuple[CardFacts, ...]:
    """Return the facts that cards may be written from: of the data set in the settings, or of any without settings."""
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
