"""`gossamer resume`: go on with an interrupted training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from gossamer.cli.arguments import read_arguments
from gossamer.cli.driving import drive
from gossamer.cli.job import TrainingJob, check_same_start
from gossamer.cli.options import Mark
from gossamer.cli.processes import process_number
from gossamer.cli.releasing import say
from gossamer.cli.watching import Watching
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import RunIdentity, check_goes_on_here, moved_here, read_identity
from gossamer.runs.key_file import read_key
from gossamer.runs.ledger_file import declare_only_copy
from gossamer.runs.released_list import refuse_unlisted


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on from the last checkpoint, with a new key of the noise. Steps lost in a crash stay paid for.

    Example: gossamer resume runs/mnist

    Args:
        run: run folder
        only_copy: go on in a folder that was copied, moved to another file system or restored, and declare that no
            other copy of it goes on; every later statement says so
        plain: a line now and then in place of the live panel
        tensorboard: write event files into private/tensorboard; a run begun so goes on so by itself
    """

    run: Annotated[Path, Mark.POSITIONAL]
    only_copy: bool = False
    plain: bool = False
    tensorboard: bool = False


def run(arguments: Sequence[str]) -> int:
    """Resume a run, unless it has ended."""
    asked = read_arguments(Resume, arguments, program="resume")
    folder = RunFolder.open(asked.run)
    if folder.generator_file.is_file():
        say(f"{asked.run}: this run has ended; its release is in {folder.release}")
        return 0
    identity = read_identity(folder)
    job = TrainingJob.read(folder)
    if process_number() == 0:
        with folder.locked():
            _check_goes_on(folder, identity, is_only_copy=asked.only_copy)
    key = read_key(folder)
    data, slots = job.load(key)
    check_same_start(folder, job, data.train, slots)
    return drive(job, folder, data, slots, key, Watching(plain=asked.plain, tensorboard=asked.tensorboard))


def _check_goes_on(folder: RunFolder, identity: RunIdentity, *, is_only_copy: bool) -> None:
    """Refuse a `private/` that was put back, and a copy that is not said to be the only one that goes on.

    Raises:
        InputError: what is needed to tell is gone or damaged.
        PrivacyError: something is released that this folder has not paid for; or the folder is a copy.
    """
    refuse_unlisted(folder)
    if not is_only_copy:
        check_goes_on_here(folder, identity)
    elif identity.is_of(folder):
        say(f"{folder.path}: is the folder that the run began in, so --only-copy is not needed and says nothing")
    else:
        # Privacy: declared before it counts as moved; a crash in between has it declared once more.
        declare_only_copy(folder.ledger_file)
        moved_here(folder)
