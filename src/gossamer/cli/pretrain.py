"""`gossamer pretrain`: a range of a run's critics is warmed up on a node of its own, for the training to take up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from gossamer.cli.arguments import read_arguments
from gossamer.cli.options import Mark
from gossamer.errors import InputError
from gossamer.runs.folder import RunFolder

_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """Warm up a range of the critics of a run that has begun. Nothing is released, and nothing is spent.

    The finished critics lie in private/warm_start of the run. Bring the files together there, and `gossamer resume`
    takes them up.

    Example: gossamer pretrain runs/mnist --critics 0..99

    Args:
        run: run folder, or a copy of it on another node with its private/
        critics: first and last critic, 0..99, whole chunks of as many as are computed at once
    """

    run: Annotated[Path, Mark.POSITIONAL]
    critics: str


def run(arguments: Sequence[str]) -> int:
    """Warm up critics."""
    asked = read_arguments(Pretrain, arguments, program="pretrain")
    from gossamer.driving.warming import CriticRange, warm_up

    found = _RANGE.fullmatch(asked.critics.strip())
    if found is None:
        raise InputError(f"--critics {asked.critics[:40]}: give the first and the last critic, for instance 0..99")
    critics = CriticRange(first=int(found[1]), last=int(found[2]))
    folder = RunFolder.open(asked.run)
    for num_ready in warm_up(folder, critics):
        print(f"critics up to {num_ready - 1} are warm", flush=True)
    print(f"Kept in {folder.warm_start}, which is private: it saw the data. `gossamer resume {asked.run}` takes it up.")
    return 0
