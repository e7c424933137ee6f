"""`gossamer finish`: checkpoints, critics and warm starts of a run with a final release are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.runs.folder import RunFolder

if TYPE_CHECKING:
    from gossamer.driving.finishing import Leftovers

_MEGA = 1e6


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Delete checkpoints, critics and warm starts of a run with a final release. They saw records.

    Nothing needs them any more.

    Ledger, statement, release, key, scores and audits are kept, and `gossamer verify` still holds.

    Example: gossamer finish runs/mnist --dry-run

    Args:
        run: run folder
        dry_run: name the files that would be deleted, and stop
    """

    run: Annotated[Path, Mark.POSITIONAL]
    dry_run: bool = False


def run(arguments: Sequence[str]) -> int:
    """Finish a run."""
    asked = read_arguments(Finish, arguments, program="finish")
    from gossamer.driving.finishing import finish, leftovers

    folder = RunFolder.open(asked.run)
    found = leftovers(folder) if asked.dry_run else finish(folder)
    print(f"{asked.run}: {'would delete' if asked.dry_run else 'deleted'} {_counted(found)}.")
    if asked.dry_run:
        return 0
    print(f"Kept: the ledger {folder.ledger_file}, the release with its statement, the key that deals units, scores.")
    print(f"Still private: all of {folder.private}. The run cannot go on, and needs not.")
    print("Deleted files may live on in backups, snapshots and free blocks of the disk: those are in your hands.")
    return 0


def _counted(found: Leftovers) -> str:
    size = f"{found.num_bytes / _MEGA:.1f} MB"
    # A manifest stands beside every checkpoint, so files are counted and not states.
    return (
        f"{len(found.checkpoints)} files of checkpoints and {len(found.warm_starts)} of warm starts, {size}"
        if found.files
        else "nothing: no checkpoint and no warm start is there"
    )
