"""`gossamer resume`: go on with an interrupted training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gossamer.cli.arguments import read_arguments
from gossamer.cli.driving import drive, say
from gossamer.cli.job import TrainingJob, check_same_start
from gossamer.cli.watching import Watching
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on from the last checkpoint, with a new key of the noise. Steps lost in a crash stay paid for.

    Example: gossamer resume runs/mnist

    Args:
        run: run folder
        plain: a line now and then in place of the live panel
        tensorboard: write event files into private/tensorboard; a run begun so goes on so by itself
    """

    run: Annotated[Path, tyro.conf.Positional]
    plain: bool = False
    tensorboard: bool = False


def run(arguments: Sequence[str]) -> int:
    """Resume a run, unless it has ended."""
    asked = read_arguments(Resume, arguments, program="resume")
    folder = RunFolder.open(asked.run)
    if folder.generator_file.is_file():
        say(f"{asked.run}: this run has ended; its release is in {folder.release}")
        return 0
    job = TrainingJob.read(folder)
    key = read_key(folder)
    data, slots = job.load(key)
    check_same_start(folder, job, data.train)
    return drive(job, folder, data, slots, key, Watching(plain=asked.plain, tensorboard=asked.tensorboard))
