"""Several processes on one run, as torchrun starts them: the first leads, all share the warm start."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
import torch.distributed

from gossamer.errors import ResourceError
from gossamer.runs.folder import RunFolder

PATIENCE_S = 600.0


def process_number() -> int:
    """Return the number of this process, 0 when it is alone."""
    return int(os.environ.get("RANK", "0"))


def num_processes() -> int:
    """Count the processes that work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def wait_for_folder(path: Path) -> RunFolder:
    """Wait for the run folder that the first process makes.

    Raises:
        ResourceError: it did not appear.
    """
    end = time.monotonic() + PATIENCE_S
    while not RunFolder(path).config_file.is_file():
        if time.monotonic() > end:
            raise ResourceError(f"{path}: the first process made no run here within {PATIENCE_S:.0f} s")
        time.sleep(0.2)
    return RunFolder.open(path)


def wait_for_all() -> None:
    """Return when every process has come here.

    Raises:
        ResourceError: they cannot reach each other.
    """
    try:
        torch.distributed.init_process_group("gloo")
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ResourceError(f"the processes cannot reach each other ({reason}); start them with torchrun") from None
