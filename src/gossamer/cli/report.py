"""`gossamer report`: one page about a release that can be handed over, and a private one for its makers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.driving.branches import joint_prices
from gossamer.driving.job import TrainingJob
from gossamer.driving.spending import account
from gossamer.errors import InputError, PrivacyError, one_line
from gossamer.extras import need
from gossamer.privacy.statement import shown_epsilon
from gossamer.reports.page.marks import GENERATOR_MARK, PRIVATE_WORD, REGISTRY_MARK
from gossamer.reports.page.mechanism_audit import mechanism_audit
from gossamer.reports.page.owner import NOTHING_FILLED, read_owner
from gossamer.reports.page.together import JointPrice, Together
from gossamer.runs.cards import CARD
from gossamer.runs.files import whole_file
from gossamer.runs.findings import Finding, Verdict, unchecked
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key
from gossamer.runs.manifest import MANIFEST
from gossamer.runs.release import GENERATOR, STATEMENT
from gossamer.runs.zoo import is_in_zoo, resolved

if TYPE_CHECKING:
    from gossamer.methods.trained import Spec
    from gossamer.reports.page.figures import Exhibit
    from gossamer.reports.page.kept import KeptRun
    from gossamer.reports.page.released import ReleasedRun

T = TypeVar("T")

REPORT = "report.html"
REGISTRY = "registry.yaml"
PRIVATE_REPORT = f"report-{PRIVATE_WORD}.html"
_MARK = f'<meta name="generator" content="{GENERATOR_MARK}">'.encode()
_ENTRY_MARK = REGISTRY_MARK.encode()
_HEAD_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Report:
    """One HTML page about a release: the guarantee, an attacker's possible gain, things not covered, samples, digests.

    It is made from the release alone and may be handed over with it. With --with-private it is another page, of
    scores, audits and ledger, which stays with the data.

    Example: gossamer report runs/mnist --fill owner.toml

    Example: gossamer report runs/mnist --fill owner.toml --registry

    Args:
        runs: run folders, or releases alone. Several make one page that adds their epsilons up, and counts once
            the steps that copies of one run share
        out: file to write. Default: RUN/report.html, with --with-private RUN/private/report-PRIVATE.html, with
            --registry RUN/registry.yaml
        title: heading of the page. Default: the name of the run's folder
        fill: TOML file with the owner's own words: curator, purpose, legal_basis, dpia_reference, contact, retention,
            recipients, why_this_epsilon, region, sector, registry_authors, public_scores
        with_audit: also say that `gossamer audit mechanism` passed. Its games read no record
        registry: write the entry for the public registry of deployments in place of a page, as YAML
        with_private: add all that was computed on real data. The page and its file then say PRIVATE
        data: with --with-private: show real records of this data beside synthetic ones (read as the run read its own)
        data_dir: where published data sets lie
    """

    runs: Annotated[tuple[Path, ...], Mark.POSITIONAL]
    out: Path | None = None
    title: str | None = None
    fill: Path | None = None
    with_audit: bool = False
    registry: bool = False
    with_private: bool = False
    data: str | None = None
    data_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """A release, and the run around it if one was named.

    Attributes:
        name: as the report calls it.
        release: folder with the generator.
        run: the named folder if it is a run's. None for a release alone.
    """

    name: str
    release: Path
    run: RunFolder | None


def run(arguments: Sequence[str]) -> int:
    """Write a report."""
    asked = read_arguments(Report, arguments, program="report")
    from gossamer.reports.page.registry import registry_entry
    from gossamer.reports.page.rendering import private_page, release_page

    need("report", "gossamer report")
    targets = [find_release(path) for path in asked.runs]
    if not asked.with_private and (asked.data is not None or asked.data_dir is not None):
        raise InputError("--data shows real records, so it goes with --with-private: give both or neither")
    _check_together(asked, targets)
    owner = NOTHING_FILLED if asked.fill is None else read_owner(asked.fill)
    out = _place(asked, targets)
    title = one_line(asked.title or (targets[0].name if len(targets) == 1 else f"{len(targets)} releases"))
    released = [read_release(target) for target in targets]
    if asked.registry:
        _write(out, registry_entry(released[0], title, owner), is_private=False)
        print(f"The registry's entry may leave; read it, and fill in what is missing: {out}")
        return 0
    joint = joint_prices(target.run for target in targets if target.run is not None) if len(targets) > 1 else {}
    if asked.with_private:
        page = private_page([_kept(asked, one, run) for one, run in zip(released, map(_run_of, targets))], title, joint)
    else:
        page = release_page(released, title, joint, owner=owner, audits=_audits(asked, targets, released))
    _write(out, page, is_private=asked.with_private)
    print(f"The report {_may_leave(asked, joint)}: {out}")
    _tell_branches(released, joint)
    return 0


def _check_together(asked: Report, targets: Sequence[Target]) -> None:
    """Refuse options that do not go together."""
    of_release = {"--fill": asked.fill is not None, "--with-audit": asked.with_audit, "--registry": asked.registry}
    given = [name for name, is_given in of_release.items() if is_given]
    if asked.with_private and given:
        raise InputError(f"{given[0]} is of a report that leaves, and --with-private of one that stays: give one")
    if asked.registry and asked.with_audit:
        raise InputError("--with-audit is of a page and --registry of an entry without one: give one of them")
    if asked.registry and len(targets) > 1:
        raise InputError("--registry: an entry is of one release; name one at a time")


def _audits(asked: Report, targets: Sequence[Target], released: Sequence[ReleasedRun]) -> list[str | None]:
    """Return a sentence on each run's audit of the mechanism, None for all if it was not asked for."""
    if not asked.with_audit:
        return [None for _ in targets]
    return [mechanism_audit(_run_of(target), one.statement) for target, one in zip(targets, released, strict=True)]


def _may_leave(asked: Report, joint: Mapping[str, JointPrice]) -> str:
    if asked.with_private:
        return "is PRIVATE and stays with the data"
    parts = ["releases and from how many steps their runs paid for" if joint else "the release"]
    parts += ["an audit that read no record"] * asked.with_audit + ["the owner's words"] * (asked.fill is not None)
    alone = f"{parts[0]} alone" if len(parts) == 1 and not joint else ", and from ".join(parts)
    return f"may leave, since it is made from {alone}"


def _write(out: Path, text: str, *, is_private: bool) -> None:
    with whole_file(out) as file:
        # Privacy: closed to others before the first byte is in it.
        os.fchmod(file.fileno(), 0o600 if is_private else 0o644)
        file.write(text.encode())


def _tell_branches(released: Sequence[ReleasedRun], joint: Mapping[str, JointPrice]) -> None:
    together = Together.of(released, joint)
    if together is not None and together.branches:
        how = "what they share counted once" if together.is_priced_once else "added up: what they share is unknown"
        names = "; ".join(", ".join(group) for group in together.branches)
        print(
            f"Branches of one run: {names}. All releases together: epsilon {shown_epsilon(together.epsilon)} at delta "
            f"{together.delta:g}, {how}."
        )


def find_release(path: Path) -> Target:
    """Find the release at a path, by its folder alone or by the run around it.

    Raises:
        InputError: nothing there, or a run that has not ended.
        PrivacyError: a release of the zoo with another file in it.
    """
    if is_in_zoo(path):
        return Target(name=one_line(str(path)), release=resolved(path), run=None)
    if (path / GENERATOR).is_file():
        return Target(name=_name(path), release=path, run=None)
    folder = RunFolder(path)
    if folder.generator_file.is_file():
        return Target(name=_name(path), release=folder.release, run=folder)
    if folder.config_file.is_file():
        raise InputError(f"{path}: the training has not ended, so nothing is released yet; `gossamer resume {path}`")
    raise InputError(f"{path}: neither a run nor a release; name a run folder, or the folder with {GENERATOR}")


def read_release(target: Target) -> ReleasedRun:
    """Read the contents of a release, checked first as `gossamer verify` checks a release alone.

    Guarantee:
        Nothing but the release's own folder is read.

    Raises:
        PrivacyError: something claimed does not hold.
        InputError: a file that is needed cannot be read.
    """
    from gossamer.driving.examination import examine
    from gossamer.estimators import load_generator
    from gossamer.reports.page.released import ReleasedRun

    findings = [_without_manifest(finding, target.release) for finding in examine(target.release)]
    for verdict, error in ((Verdict.BROKEN, PrivacyError), (Verdict.UNREADABLE, InputError)):
        for finding in findings:
            if finding.verdict is verdict:
                raise error(
                    f"{target.release}: {finding.where}: {finding.what}; `gossamer verify` tells all, and there is "
                    "no report on such a release"
                )
    return ReleasedRun.read(target.name, target.release, load_generator(target.release / GENERATOR), findings)


def _without_manifest(finding: Finding, release: Path) -> Finding:
    """Let a release from before there were manifests be reported on. The page then names the missing files."""
    is_earlier = not (release / MANIFEST).exists() and finding.where in (MANIFEST, CARD)
    if is_earlier and finding.verdict is Verdict.UNREADABLE:
        return unchecked(finding.where, "this release was written before releases had one")
    return finding


def _name(path: Path) -> str:
    resolved = path.resolve()
    if resolved.name == "release":
        return one_line(resolved.parent.name)
    if resolved.parent.name == "checkpoints" and resolved.parent.parent.name == "release":
        return one_line(f"{resolved.parent.parent.parent.name}, {resolved.name.replace('-', ' ')}")
    return one_line(resolved.name) or "release"


# ---- where it is written -----------------------------------------------------------------------------------------


def _place(asked: Report, targets: Sequence[Target]) -> Path:
    out = asked.out or _default_place(asked, targets)
    if out.is_dir():
        raise InputError(f"--out {out}: is a folder; name a file, {out / REPORT} for instance")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}; make it, or name another file")
    for part in out.resolve().parents:
        if (part / STATEMENT).is_file() or ((part / MANIFEST).is_file() and (part / GENERATOR).is_file()):
            # Privacy: whatever else lies in a release would be taken for covered; its manifest names all that is.
            raise PrivacyError(f"--out {out}: lies in a release, which holds what its manifest names and nothing else")
    if asked.with_private and PRIVATE_WORD.lower() not in out.name.lower():
        raise PrivacyError(
            f"--out {out}: holds what no guarantee covers, so its name must say so: {out.stem}-{PRIVATE_WORD}.html"
        )
    if out.exists() and not _is_report(out, _ENTRY_MARK if asked.registry else _MARK):
        raise InputError(f"--out {out}: is there already and no report; name another file")
    return out


def _default_place(asked: Report, targets: Sequence[Target]) -> Path:
    run = targets[0].run
    if len(targets) > 1:
        raise InputError("a report on several runs belongs to none of their folders: name a file with --out")
    if asked.with_private:
        return _run_of(targets[0]).private / PRIVATE_REPORT
    name = REGISTRY if asked.registry else REPORT
    return Path(name) if run is None else run.path / name


def _is_report(path: Path, mark: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return mark in file.read(_HEAD_BYTES)


# ---- the private side --------------------------------------------------------------------------------------------


def _run_of(target: Target) -> RunFolder:
    """Return the run around a release.

    Raises:
        InputError: a release alone, or a run without its private side.
    """
    if target.run is None or not target.run.private.is_dir():
        raise InputError(
            f"{target.release}: no private/ beside it, so a private report has nothing to say; name a run folder, or "
            "leave --with-private out"
        )
    return target.run


def _kept(asked: Report, released: ReleasedRun, folder: RunFolder) -> KeptRun:
    """Read as much of the private side as possible. A sentence stands in the place of a part that cannot be read."""
    from gossamer.reports.page.kept import KeptRun, read_audits, read_evaluations

    lacks: list[str] = []
    found = _attempt(lambda: read_evaluations(folder), lacks)
    audits = _attempt(lambda: read_audits(folder, released.trade_off), lacks)
    ledger = _attempt(lambda: account(folder), lacks)
    real: tuple[Exhibit, ...] = ()
    if asked.data is not None:
        real = _real(asked, asked.data, folder, released.recipe.spec)
    else:
        lacks.append("Real records beside synthetic ones: name the data with --data")
    evaluation, checkpoints = (None, ()) if found is None else found
    return KeptRun(
        released=released,
        evaluation=evaluation,
        checkpoints=checkpoints,
        audits=audits or (),
        ledger=ledger,
        real=real,
        lacks=tuple(lacks),
    )


def _attempt(read: Callable[[], T], lacks: list[str]) -> T | None:
    try:
        return read()
    except (PrivacyError, InputError) as error:
        lacks.append(str(error))
    return None


def _real(asked: Report, data: str, folder: RunFolder, spec: Spec) -> tuple[Exhibit, ...]:
    """Return real records for the classes that are shown, held-out ones if there are any."""
    import torch

    from gossamer.reports.page.figures import exhibits

    job = TrainingJob.read(folder)
    data_dir = job.data_dir if asked.data_dir is None else str(asked.data_dir)
    found = dataclasses.replace(job, data=data, data_dir=data_dir).load(read_key(folder)).data
    records = found.train if found.test is None else found.test
    if records.spec.shape != spec.shape or records.spec.num_classes != spec.num_classes:
        raise InputError(f"--data {data}: records of another shape or of other classes than the run learnt from")
    # In an order drawn with seed 0, so that the first of each class are no neighbours in the file.
    chosen = torch.randperm(records.num_records, generator=torch.Generator().manual_seed(0))
    y = None if records.y is None else records.y[chosen].numpy()
    return exhibits(records.x[chosen].numpy(), y, spec, "real")
