"""`gossamer verify`: a run, or a release alone, compared with its statement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.errors import InputError, PrivacyError
from gossamer.runs.findings import Finding, Verdict


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Compare a run with its statement: epsilon, ledger, checkpoints, digests, text, audits.

    Exit code 0 and a list of all checks. Exit code 3 if a guarantee does not hold, 2 if a file cannot be read.

    Example: gossamer verify runs/mnist

    Args:
        run: run folder, a release alone, or the folder of a generator saved on the way
        json: print JSON
    """

    run: Annotated[Path, Mark.POSITIONAL]
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Check a run or a release."""
    asked = read_arguments(Verify, arguments, program="verify")
    from gossamer.driving.examination import examine

    findings = tuple(examine(asked.run))
    if asked.json:
        told = [finding.to_json() for finding in findings]
        print(json.dumps({"target": str(asked.run), "verdict": _worst(findings).value, "findings": told}, indent=2))
    else:
        for one in (finding.to_json() for finding in findings):
            print(f"{one['verdict']:<12}{one['where']}: {one['what']}")
    return _conclude(asked.run, findings, quiet=asked.json)


def _worst(findings: Iterable[Finding]) -> Verdict:
    found = {finding.verdict for finding in findings}
    return next((one for one in (Verdict.BROKEN, Verdict.UNREADABLE) if one in found), Verdict.HOLDS)


def _conclude(path: Path, findings: Sequence[Finding], *, quiet: bool) -> int:
    """Return exit code 0, or raise the error that stands for the worst.

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
