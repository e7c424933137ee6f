"""`private/released.jsonl`: the releases of a run, each written down before it appears, with the ledger's length then.

The list reveals a `private/` that was put back from a backup. The files in `release/` are then later than the list
says, or than the ledger charges. Released files may have left the folder since. So `released.json`, outside `private/`,
keeps the length of the list.
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
from gossamer.runs.files import append_durably, read_bounded, read_json, read_lines, strict_json, write_json
from gossamer.runs.findings import Finding, Verdict, broken, holds, refused
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerPosition, read_ledger
from gossamer.runs.release import GENERATOR, PARTS, SavedGenerator, generator_digest, read_generator, saved_folders
from gossamer.runs.verification import read_statement

MAX_LIST_BYTES = 2**24
"""Longest list that is read."""
_MAX_LINE_BYTES = 2000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PLACE = re.compile(rf"(checkpoints/step-[0-9]{{6,18}}/)?{re.escape(GENERATOR)}")
_PUT_BACK = "private/ was put back from a backup, or changed; put back the private/ of then, or start a new run"


@dataclass(frozen=True, kw_only=True)
class ReleasedEntry:
    """A generator that was released, or was about to be released when a crash came.

    Attributes:
        generator: its file within `release/`.
        content_sha256: of the content of that file (`generator_digest`).
        ledger: position of the ledger then.

    Raises:
        InputError: no path within a release, or no digest.
    """

    generator: str
    content_sha256: str
    ledger: LedgerPosition

    def __post_init__(self) -> None:
        if not isinstance(self.generator, str) or not _PLACE.fullmatch(self.generator):
            raise InputError("an entry of the released list must name a generator's file within the release")
        if not isinstance(self.content_sha256, str) or not _DIGEST.fullmatch(self.content_sha256):
            raise InputError("an entry of the released list must have a digest of 64 hexadecimal digits")

    @classmethod
    def from_json(cls, tree: Any) -> ReleasedEntry:
        """Read the tree that `asdict` gave.

        Raises:
            InputError, ValueError, TypeError, LookupError, AttributeError: any other tree.
        """
        return cls(**tree | {"ledger": LedgerPosition.from_json(tree["ledger"])})


def list_release(folder: RunFolder, path: Path, content_sha256: str, ledger: LedgerPosition) -> None:
    """Write the next release down, to the disk.

    Guarantee: the entry is written before anything of the generator appears in `release/`, so every file there is
    listed. A crash in between leaves an entry without a release, which does no harm.

    Args:
        folder: the run.
        path: future path of the generator's file.
        content_sha256: of the content of that file.
        ledger: position of the ledger.

    Raises:
        ResourceError: the entry cannot be written, and nothing may be released.
    """
    name = path.relative_to(folder.release).as_posix()
    entry = ReleasedEntry(generator=name, content_sha256=content_sha256, ledger=ledger)
    append_durably(folder.released_file, json.dumps(asdict(entry)).encode(), _entry, is_first=True)
    # Privacy: the number is written after the list and before the release. A crash in between leaves a longer list and
    # no release.
    write_json(folder.num_released_file, {"num_released": len(read_released(folder))})


def read_released(folder: RunFolder) -> tuple[ReleasedEntry, ...]:
    """Read all entries, oldest first, none if nothing was released yet. A last line that a crash cut off is no entry.

    Raises:
        InputError: a line before the last cannot be read.
    """
    path = folder.released_file
    content = read_bounded(path, MAX_LIST_BYTES) if path.exists() else b""
    refusal = "is none that gossamer wrote; put the file back as it was, or"
    return tuple(read_lines(path, content, _entry, refusal))


def check_released(folder: RunFolder) -> Iterator[Finding]:
    """Check that every generator in `release/` is listed, at a ledger that the present one goes on from, and charged.

    Args:
        folder: a run folder with its private side.

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
        # Privacy: samples and statement of a final release, after somebody took its generator away to go on once more.
        yield broken(_within(folder, beside[0]), f"not in private/released.jsonl, though it is released: {_PUT_BACK}")


def refuse_unlisted(folder: RunFolder) -> None:
    """Refuse to go on if `check_released` finds something broken.

    Raises:
        PrivacyError: `check_released` finds something broken.
        InputError: list, ledger or a statement cannot be read.
    """
    findings = list(check_released(folder))
    for verdict, error in ((Verdict.BROKEN, PrivacyError), (Verdict.UNREADABLE, InputError)):
        for finding in findings:
            if finding.verdict is verdict:
                raise error(f"{folder.path / finding.where}: {finding.what}")


def _as_many(folder: RunFolder, num_listed: int) -> Iterator[Finding]:
    """Check that the list names every generator ever released, also those that have left the folder since."""
    where, path = "private/released.jsonl", folder.num_released_file
    if not path.is_file():
        raise InputError(
            f"{path}: missing; without it nobody can tell if private/ was put back: put the file back, or start a "
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
    """Count the steps that the statement of a saved generator prices, 0 if it names none.

    Every time that a first step was lost counts.
    """
    said = dict(statement.parameters)
    num_steps, num_starts = said.get("num_steps", 0), said.get("times step 1 is paid for", 1)
    if not isinstance(num_steps, int) or not isinstance(num_starts, int):
        return 0
    return num_steps + num_starts - 1


def _files_beside_saved(folder: RunFolder) -> list[Path]:
    samples = (path for path in (folder.release / SAMPLES).glob("*") if not path.name.endswith(".partial"))
    return [path for path in (*(folder.release / name for name in PARTS), *sorted(samples)) if path.is_file()]


def _within(folder: RunFolder, path: Path) -> str:
    return path.relative_to(folder.path).as_posix()


def _entry(line: bytes) -> ReleasedEntry:
    if len(line) > _MAX_LINE_BYTES:
        raise ValueError("too long for an entry")
    return ReleasedEntry.from_json(strict_json(line))
