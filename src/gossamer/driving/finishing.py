"""The end of a run with a final release: checkpoints, critics and warm starts are deleted, and the proof is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gossamer.driving.examination import examine
from gossamer.errors import InputError, PrivacyError, ResourceError
from gossamer.privacy.claim import own_version, today
from gossamer.runs.files import flush_folder, write_json
from gossamer.runs.findings import Verdict
from gossamer.runs.folder import RunFolder
from gossamer.runs.verification import num_done_steps


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Files of a run that nothing needs any more, once its release is final.

    Attributes:
        checkpoints: states to go on from, with critics and optimisers in them.
        warm_starts: critics that were warmed up.
        num_bytes: of all of them together.
    """

    checkpoints: tuple[Path, ...]
    warm_starts: tuple[Path, ...]
    num_bytes: int

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (*self.checkpoints, *self.warm_starts)


def leftovers(folder: RunFolder) -> Leftovers:
    """List the files that a final release leaves without use.

    Args:
        folder: of a run.

    Raises:
        InputError: the run has not ended, or has no private side.
        PrivacyError: the run does not hold its statement. Its files are then kept as evidence.
    """
    if not folder.generator_file.is_file():
        raise InputError(f"{folder.path}: the training has not ended, so nothing is final; `gossamer resume` ends it")
    if not folder.private.is_dir():
        raise InputError(f"{folder.private}: missing, so there is nothing to delete")
    broken = [one for one in examine(folder.path) if one.verdict in (Verdict.BROKEN, Verdict.UNREADABLE)]
    if broken:
        raise PrivacyError(
            f"{folder.path}: {broken[0].where}: {broken[0].what}; nothing is deleted while a check fails: `gossamer "
            "verify` tells all"
        )
    checkpoints, warm_starts = tuple(_files_in(folder.checkpoints)), tuple(_files_in(folder.warm_start))
    num_bytes = sum(path.stat().st_size for path in (*checkpoints, *warm_starts))
    return Leftovers(checkpoints=checkpoints, warm_starts=warm_starts, num_bytes=num_bytes)


def finish(folder: RunFolder) -> Leftovers:
    """Delete the files that a final release leaves without use. Ledger, statement, key, audits and scores stay.

    Guarantee:
        Nothing that a claim rests on is deleted. The number of steps done is written down first, so that ledger and
        steps can still be compared. A crash in between deletes a part, and another call the rest.

    Args:
        folder: of a run.

    Returns:
        The files that are gone.

    Raises:
        InputError: as `leftovers`.
        PrivacyError: as `leftovers`.
        ResourceError: another process works on the run, or a file cannot be deleted.
    """
    with folder.locked():
        found = leftovers(folder)
        num_done = num_done_steps(folder)
        tree = {"num_done_steps": num_done, "date": today(), "gossamer_version": own_version()}
        write_json(folder.finished_file, tree)
        for path in found.files:
            try:
                path.unlink()
            except OSError as error:
                raise ResourceError(
                    f"{path}: cannot be deleted ({error.strerror or type(error).__name__}); make private/ writable, "
                    "and finish again"
                ) from None
        for part in (folder.checkpoints, folder.warm_start):
            if part.is_dir():
                flush_folder(part)
    return found


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the files right in a folder, in order. A link is none: it could lead anywhere."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink())
