"""Checks that the files on the disk fit together: release, statement, manifest, checkpoints, ledger, audits."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gossamer.errors import InputError
from gossamer.privacy.claim import own_version
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.cards import CARD, MAX_CARD_BYTES, CardFacts, model_card, without_license
from gossamer.runs.checkpoint import Origin, find_checkpoints, is_as_written, read_manifest
from gossamer.runs.croissant import CROISSANT
from gossamer.runs.drawn import SAMPLES, sample_cards
from gossamer.runs.files import read_json
from gossamer.runs.findings import Finding, broken, holds, of_error, refused, unchecked, unreadable
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerPosition
from gossamer.runs.manifest import MANIFEST, file_digest, files_in
from gossamer.runs.manifest import read_manifest as read_release_manifest
from gossamer.runs.release import STATEMENT, TEXT

MAX_TEXT_BYTES = 10_000_000
"""Longest statement that is read."""
FIRST_FORMAT = "an older version released this, whose statements say less and in other words"
"""The remark on a release with a text that cannot be compared."""


def read_statement(folder: Path) -> PrivacyStatement:
    """Read the statement of a release, and check it.

    Raises:
        InputError: the statement is absent or damaged.
        PrivacyError: its delta is none that may be claimed.
    """
    path = folder / STATEMENT
    _check_size(path)
    tree = read_json(path)
    if not isinstance(tree, dict):
        raise InputError(f"{path}: not a privacy statement; use the file as it was written")
    try:
        return PrivacyStatement.from_json(tree)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def check_manifest(folder: Path, run: RunFolder | None) -> Iterator[Finding]:
    """Check that every file of a release has the digest that it was written with, and that there is no other file.

    Args:
        folder: with the manifest in it.
        run: the run with this final release, to compare the manifest's digest with the one kept in `private/`. None if
            the run is not known.

    Raises:
        InputError: no manifest, or one that cannot be read.
    """
    _check_size(folder / MANIFEST)
    digests = read_release_manifest(folder)
    found = set(files_in(folder)) - {MANIFEST}
    wrong = sorted(name for name in found & set(digests) if file_digest(folder / name) != digests[name])
    licensed = [name for name in wrong if _is_licensed(folder / name, digests[name])]
    wrong = [name for name in wrong if name not in licensed]
    for name in licensed:
        yield holds(name, "its publisher has filled in a license; the rest is as it was released")
    for name in wrong:
        yield broken(name, f"not the file that was released: its SHA-256 is not that of {MANIFEST}")
    for name in sorted(set(digests) - found):
        yield broken(name, f"missing, though {MANIFEST} names it")
    for name in sorted(found - set(digests)):
        # Privacy: any other file in a release would be taken for covered.
        yield broken(name, f"not of this release, so that no guarantee covers it ({MANIFEST} does not name it)")
    if not wrong and found == set(digests):
        yield holds(MANIFEST, f"{len(found)} files have the SHA-256 that they were written with, and there is no other")
    if run is not None and run.release_digest_file.is_file():
        if run.release_digest_file.read_bytes().strip() == file_digest(folder / MANIFEST).encode():
            yield holds(MANIFEST, "is the one that this run wrote")
        else:
            yield broken(MANIFEST, f"not the one that this run wrote: its SHA-256 is not in {run.release_digest_file}")


def _is_licensed(path: Path, digest: str) -> bool:
    """Tell if a file is a card that differs from the released one by its license alone."""
    if path.name != CARD or path.stat().st_size > MAX_CARD_BYTES:
        return False
    return hashlib.sha256(without_license(path.read_bytes())).hexdigest() == digest


def check_statement(folder: Path, statement: PrivacyStatement) -> Iterator[Finding]:
    """Check that the text agrees with the numbers, and that the noise was secret."""
    path = folder / TEXT
    _check_size(path)
    if statement.is_secure:
        yield holds(STATEMENT, "made with secret noise, at a delta below one over the number of slots")
    else:
        yield broken(STATEMENT, "stamped insecure: made with deterministic test noise, so nothing is guaranteed")
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    if statement.is_of_first_format:
        yield unchecked(TEXT, FIRST_FORMAT)
    elif text == statement.to_markdown().encode():
        yield holds(TEXT, f"says what {STATEMENT} says")
    else:
        yield broken(TEXT, f"does not say what {STATEMENT} says, word for word")


def check_cards(folder: Path, facts: Sequence[CardFacts]) -> Iterator[Finding]:
    """Check that the cards agree with the statement, but for a license that the publisher has filled in.

    Args:
        folder: with the release in it.
        facts: the facts that the cards may have been written from: of the known data set, or of each with a name.

    Raises:
        InputError: a card, or the samples beside one, cannot be read.
    """
    try:
        named = read_release_manifest(folder)
    except InputError:  # a finding of its own already
        return
    if CARD not in named and not (folder / CARD).exists():
        yield unchecked(CARD, "no card: a version that wrote none released this")
        return
    writer = facts[0].statement.gossamer_version
    yield _card(folder / CARD, CARD, [model_card(one) for one in facts], writer)
    drawn = folder / SAMPLES
    if f"{SAMPLES}/{CARD}" in named:
        wanted = sample_cards(drawn, facts)
        yield _card(drawn / CARD, f"{SAMPLES}/{CARD}", [card for card, _ in wanted], writer)
        yield _card(drawn / CROISSANT, f"{SAMPLES}/{CROISSANT}", [metadata for _, metadata in wanted], writer)


def _card(path: Path, where: str, wanted: Sequence[str], writer: str | None) -> Finding:
    _check_size(path)
    if without_license(path.read_bytes()) in [text.encode() for text in wanted]:
        return holds(where, f"says what {STATEMENT} says")
    if writer != own_version():
        return unchecked(where, f"of gossamer {writer}, whose cards may have had other words")
    return broken(where, f"does not say what {STATEMENT} says, word for word")


def check_checkpoints(
    run: RunFolder, settings_sha256: str | None, data_sha256: str | None, key_sha256: str | None
) -> Iterator[Finding]:
    """Check that each checkpoint is whole, of these settings, records and key, and fits the ledger's beginning.

    Args:
        run: a run folder with its private side.
        settings_sha256: digest of the settings as they are now, None if they cannot be read.
        data_sha256: digest of the records that the run began with, as kept, None if it is gone.
        key_sha256: digest of the key that lies there, None if the key is gone or damaged.

    Raises:
        InputError: another version wrote a checkpoint.
    """
    if run.finished_file.is_file():
        yield holds(
            "private/finished.json", f"checkpoints were deleted after {_num_when_finished(run.finished_file)} steps"
        )
    for path in find_checkpoints(run.checkpoints):
        where, manifest = f"private/checkpoints/{path.name}", read_manifest(path)
        if manifest is None:
            yield unreadable(where, "no manifest, or a damaged one, stands beside it")
            continue
        if not is_as_written(path, manifest):
            yield unreadable(where, "damaged: its SHA-256 is not that of its manifest; resume takes the one before")
            continue
        yield holds(where, f"whole, {manifest.step} steps done")
        if manifest.origin is not None:
            yield from _origin(where, manifest.origin, settings_sha256, data_sha256, key_sha256)
        if manifest.ledger is not None:
            yield from refused("private/ledger.jsonl", _position(manifest.ledger, run))


def _origin(
    where: str, origin: Origin, settings_sha256: str | None, data_sha256: str | None, key_sha256: str | None
) -> Iterator[Finding]:
    if settings_sha256 not in (None, origin.settings_sha256):
        yield broken(where, "of a run with other settings than config.json")
    if data_sha256 not in (None, origin.data_sha256):
        yield broken(where, "of a run on other records than private/data.sha256 names")
    # Privacy: under another key training records pass for held-out records, and units change their shards.
    if key_sha256 not in (None, origin.key_sha256):
        yield broken(where, "of a run with another key than private/units.key; put that key back")


def _position(position: LedgerPosition, run: RunFolder) -> Iterator[Finding]:
    position.check(run.ledger_file)
    yield holds("private/ledger.jsonl", f"begins with the {position.num_charged_steps} steps charged by then")


def num_done_steps(run: RunFolder) -> int:
    """Return the number of private steps of the newest whole checkpoint, or that of a finished run. Else 0.

    Raises:
        InputError: another version wrote a checkpoint, or the number of a finished run is damaged.
    """
    for path in reversed(find_checkpoints(run.checkpoints)):
        manifest = read_manifest(path)
        if manifest is not None and is_as_written(path, manifest):
            return manifest.step
    return _num_when_finished(run.finished_file)


def _num_when_finished(path: Path) -> int:
    """Return the steps that were done when the checkpoints were deleted, 0 if they were not."""
    if not path.is_file():
        return 0
    tree = read_json(path)
    number = tree.get("num_done_steps") if isinstance(tree, dict) else None
    if type(number) is not int or not 0 <= number < 2**63:
        raise InputError(f"{path}: damaged; put the file back as `gossamer finish` wrote it")
    return number


def check_ledger(ledger: Ledger, num_done: int, num_planned: int | None, *, is_released: bool) -> Iterator[Finding]:
    """Check that every step taken is charged, that no block is missing, and that no more is charged than planned.

    Args:
        ledger: as read.
        num_done: steps that were taken for certain.
        num_planned: steps of the plan, None if the plan is not known.
        is_released: True if the run has ended.
    """
    where, charged = "private/ledger.jsonl", ledger.num_charged_steps
    gap = ledger.find_gap(num_done)
    if gap is not None:
        yield broken(where, f"a block is missing, {gap}, though {num_done} steps were done: the ledger was changed")
    else:
        yield holds(where, f"{len(ledger.entries)} blocks without a gap charge {charged} steps, {num_done} are done")
    if num_planned is None:
        return
    if charged > num_planned:
        yield broken(where, f"{charged} steps are charged and {num_planned} planned: the budget is exceeded")
    elif is_released and not ledger.entries:
        yield broken(where, "nothing is charged, though a generator is released: the ledger was changed or removed")
    else:
        yield holds(where, f"{charged} steps are charged, at most the {num_planned} planned")


def check_audits(folder: Path) -> Iterator[Finding]:
    """Check that no audit found a larger epsilon, or a larger mu of Gaussian differential privacy, than is claimed.

    Args:
        folder: with a JSON file for each audit. It may be absent.
    """
    found = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not found:
        yield unchecked("private/audit", "no audit was made")
    for path in found:
        yield _audit(path)


def _audit(path: Path) -> Finding:
    where = f"private/audit/{path.name}"
    try:
        _check_size(path)
        tree = read_json(path)
        pairs = [(name, _bound(tree, f"lower_bound_{name}"), _bound(tree, f"claimed_{name}")) for name in _AUDITED]
    except InputError as error:
        return of_error(where, error)
    compared = [(name, low, claim) for name, low, claim in pairs if low is not None and claim is not None]
    for name, low, claim in compared:
        if low > claim:
            sure = tree.get("confidence")
            return broken(where, f"{name} is above {low:g} with confidence {sure!r}, and {claim:g} was claimed")
    if not compared:
        return unchecked(where, "says nothing about a claim")
    return holds(where, "; ".join(f"{name} at least {low:g}, {claim:g} claimed" for name, low, claim in compared))


_AUDITED = ("epsilon", "mu")


def _bound(tree: Any, name: str) -> float | None:
    """Read a figure of an audit, None if the audit gives none."""
    if not isinstance(tree, dict):
        raise InputError("not the result of an audit")
    value = tree.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(f"{name} is no number of at least 0")
    return value


def _check_size(path: Path) -> None:
    """Refuse a path that is no plain file, and a file far longer than the one that belongs there."""
    try:
        is_plain, size = path.is_file(), path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    if not is_plain or size > MAX_TEXT_BYTES:
        raise InputError(f"{path}: no plain file, or longer than {MAX_TEXT_BYTES} bytes")
