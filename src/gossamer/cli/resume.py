"""`gossamer resume`: go on with an interrupted training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.cli.outputs import say
from gossamer.data.room import room_beside
from gossamer.driving.processes import telling_the_first
from gossamer.driving.run import take_up_run
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on from the last checkpoint, with a new key of the noise. Steps lost in a crash stay paid for.

    Example: gossamer resume runs/mnist

    Args:
        run: run folder
        only_copy: go on in a folder that was copied, moved to another file system or restored. You declare that no
            other copy of it goes on. Every later statement says so
        plain: a line now and then in place of the live panel
        tensorboard: write event files into private/tensorboard. A run begun so goes on so by itself
    """

    run: Annotated[Path, Mark.POSITIONAL]
    only_copy: bool = False
    plain: bool = False
    tensorboard: bool = False


def run(arguments: Sequence[str]) -> int:
    """Resume a run, unless it has ended."""
    asked = read_arguments(Resume, arguments, program="resume")
    from gossamer.cli.following import follow
    from gossamer.cli.watching import Watching

    folder = RunFolder.open(asked.run)
    if folder.generator_file.is_file():
        say(f"{asked.run}: this run has ended; its release is in {folder.release}")
        return 0
    room = room_beside(folder.private)
    with telling_the_first():
        run = take_up_run(folder, say, lambda job: job.load(read_key(folder), room), is_only_copy=asked.only_copy)
    return follow(run, Watching(plain=asked.plain, tensorboard=asked.tensorboard))
