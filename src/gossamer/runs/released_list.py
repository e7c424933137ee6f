"""`private/released.jsonl`: what a run has released, written before it appears, and how far the ledger was then.

With it a `private/` that was put back from a backup is told: what lies in `release/` is then later than its list says,
or than its ledger charges. What was released may have left the folder since, so `released.json`, outside `private/`,
keeps how long the list is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.drawn import SAMPLES
from gossamer.runs.files import LINE_DAMAGE, append_durably, read_bounded, read_json, strict_json, write_json
from gossamer.runs.findings import Finding, Verdict, broken, holds, refused
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerPosition, read_ledger
from gossamer.runs.release import (
    GENERATOR,
    PARTS,
    SavedGenerator,
    generator_digest,
    read_generator,
    saved_folders,
)
from gossamer.runs.verification import read_statement

MAX_LIST_BYTES = 2**24
"""Longest list that is read."""
_MAX_LINE_BYTES = 2000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PLACE = re.compile(rf"(checkpoints/step-[0-9]{{6,18}}/)?{re.escape(GENERATOR)}")
_PUT_BACK = "private/ was put back from a backup, or changed; put back the private/ of then, or start a new run"


@dataclass(frozen=True, kw_only=True)
class ReleasedEntry:
    """A generator that was released, or was about to be when a crash came.

    Attributes:
        generator: its file within `release/`.
        content_sha256: of what that file says (`generator_digest`).
        ledger: how far the ledger was.

    Raises:
        InputError: no path within a release, or no digest.
    """

    generator: str
    content_sha256: str
    ledger: LedgerPosition

    def __post_init__(self) -> None:
        if not isinstance(self.generator, str) or not _PLACE.fullmatch(self.generator):
            raise InputError("what is listed as released is a generator's file within the release")
        if not isinstance(self.content_sha256, str) or not _DIGEST.fullmatch(self.content_sha256):
            raise InputError("what is listed as released has a digest of 64 hexadecimal digits")

    @classmethod
    def from_json(cls, tree: Any) -> ReleasedEntry:
        """What `asdict` gave.

        Raises:
            InputError, ValueError, TypeError, LookupError, AttributeError: anything else.
        """
        return cls(**tree | {"ledger": LedgerPosition.from_json(tree["ledger"])})


def list_release(folder: RunFolder, path: Path, content_sha256: str, ledger: LedgerPosition) -> None:
    """Write down, to the disk, what is released next.

    Guarantee: called before anything of the generator appears in `release/`, so whatever is there is listed; a crash in
    between leaves an entry without a release, which does no harm.

    Args:
        folder: the run.
        path: where the generator's file will stand.
        content_sha256: of what that file will say.
        ledger: how far the ledger is.

    Raises:
        ResourceError: it cannot be written, and nothing may be released.
    """
    name = path.relative_to(folder.release).as_posix()
    entry = ReleasedEntry(generator=name, content_sha256=content_sha256, ledger=ledger)
    append_durably(folder.released_file, json.dumps(asdict(entry)).encode(), _entry, is_first=True)
    # Privacy: after the list and before the release: a crash in between leaves a list that is longer, and no release.
    write_json(folder.num_released_file, {"num_released": len(read_released(folder))})


def read_released(folder: RunFolder) -> tuple[ReleasedEntry, ...]:
    """All entries, oldest first; none where nothing was released yet. A last line that a crash cut off counts for none.

    Raises:
        InputError: a line before the last cannot be read.
    """
    path = folder.released_file
    lines = read_bounded(path, MAX_LIST_BYTES).split(b"\n") if path.exists() else []
    entries = []
    for number, line in enumerate(lines):
        if line:
            try:
                entries.append(_entry(line))
            except LINE_DAMAGE:
                if number < len(lines) - 1:
                    raise InputError(
                        f"{path}: line {number + 1} is none that gossamer wrote; put the file back as it was, or start "
                        "a new run, whose epsilon adds to this one's"
                    ) from None
    return tuple(entries)


def check_released(folder: RunFolder) -> Iterator[Finding]:
    """Whatever lies in `release/` is listed, at a ledger that the present one goes on from, and is charged there.

    Args:
        folder: whose private side is there.

    Raises:
        InputError: list or ledger cannot be read.
    """
    entries, ledger = read_released(folder), read_ledger(folder.ledger_file)
    yield from refused("private/released.jsonl", _as_many(folder, len(entries)))
    for entry in entries:
        yield from refused("private/ledger.jsonl", _position(entry, folder))
    for saved in saved_folders(folder):
        yield from refused(_within(folder, saved.path / GENERATOR), _listed(folder, saved.path / GENERATOR, entries))
        yield from refused(_within(folder, saved.path), _charged(folder, saved, ledger))
    beside = _files_beside_saved(folder)
    if folder.generator_file in beside:
        yield from refused(_within(folder, folder.generator_file), _listed(folder, folder.generator_file, entries))
    elif beside and not any(entry.generator == GENERATOR for entry in entries):
        # Privacy: samples and statement of a final release, whose generator somebody took away to go on once more.
        yield broken(_within(folder, beside[0]), f"not in private/released.jsonl, though it is released: {_PUT_BACK}")


def refuse_unlisted(folder: RunFolder) -> None:
    """Refuse to go on where `check_released` finds something broken.

    Raises:
        PrivacyError: it does.
        InputError: list, ledger or a statement cannot be read.
    """
    findings = list(check_released(folder))
    for verdict, error in ((Verdict.BROKEN, PrivacyError), (Verdict.UNREADABLE, InputError)):
        for finding in findings:
            if finding.verdict is verdict:
                raise error(f"{folder.path / finding.where}: {finding.what}")


def _as_many(folder: RunFolder, num_listed: int) -> Iterator[Finding]:
    """The list names as many as were ever released, those included that have left the folder since."""
    where, path = "private/released.jsonl", folder.num_released_file
    if not path.is_file():
        raise InputError(
            f"{path}: missing; without it nobody can tell whether private/ was put back: put the file back, or start a "
            "new run"
        )
    tree = read_json(path)
    number = tree.get("num_released") if isinstance(tree, dict) else None
    if type(number) is not int or number < 0:
        raise InputError(f"{path}: damaged; put the file back as the training wrote it, or start a new run")
    if number > num_listed:
        yield broken(where, f"lists {num_listed} generators and {number} were released: {_PUT_BACK}")
    else:
        yield holds(where, f"lists all {number} generators that were released")


def _position(entry: ReleasedEntry, folder: RunFolder) -> Iterator[Finding]:
    entry.ledger.check(folder.ledger_file, f"{entry.generator} was released")
    yield holds("private/ledger.jsonl", f"begins as it did when {entry.generator} was released")


def _listed(folder: RunFolder, generator: Path, entries: tuple[ReleasedEntry, ...]) -> Iterator[Finding]:
    name, where = generator.relative_to(folder.release).as_posix(), _within(folder, generator)
    digests = [entry.content_sha256 for entry in entries if entry.generator == name]
    if not digests:
        yield broken(where, f"not in private/released.jsonl, though it is released: {_PUT_BACK}")
    elif not generator.is_file() or generator_digest(*read_generator(generator)) in digests:
        yield holds(where, "listed in private/released.jsonl before it was released")
    else:
        yield broken(where, f"not the generator that private/released.jsonl lists: it was exchanged, or {_PUT_BACK}")


def _charged(folder: RunFolder, saved: SavedGenerator, ledger: Ledger) -> Iterator[Finding]:
    """The steps that a saved generator's statement prices are charged."""
    num_priced = max(saved.step, num_steps_priced(read_statement(saved.path)))
    if num_priced > ledger.num_charged_steps:
        yield broken(
            _within(folder, saved.path),
            f"its statement prices {num_priced} steps and private/ledger.jsonl charges {ledger.num_charged_steps}: "
            f"{_PUT_BACK}",
        )
    else:
        yield holds(_within(folder, saved.path), f"the {num_priced} steps that it prices are charged")


def num_steps_priced(statement: PrivacyStatement) -> int:
    """Steps that the statement of a saved generator prices, each time that a first one was lost included; 0 where it
    names none."""
    said = dict(statement.parameters)
    num_steps, num_starts = said.get("num_steps", 0), said.get("times step 1 is paid for", 1)
    if not isinstance(num_steps, int) or not isinstance(num_starts, int):
        return 0
    return num_steps + num_starts - 1


def _files_beside_saved(folder: RunFolder) -> list[Path]:
    """Files of the final release."""
    samples = (path for path in (folder.release / SAMPLES).glob("*") if not path.name.endswith(".partial"))
    return [path for path in (*(folder.release / name for name in PARTS), *sorted(samples)) if path.is_file()]


def _within(folder: RunFolder, path: Path) -> str:
    return path.relative_to(folder.path).as_posix()


def _entry(line: bytes) -> ReleasedEntry:
    if len(line) > _MAX_LINE_BYTES:
        raise ValueError("too long for an entry")
    return ReleasedEntry.from_json(strict_json(line))
