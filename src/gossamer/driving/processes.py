"""Several processes on one run, as torchrun starts them: the first leads, and the others help."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from gossamer.errors import GossamerError, ResourceError
from gossamer.mechanisms.crew import AbstractCrew, Alone, Order, Ranks, Task
from gossamer.runs.folder import RunFolder

PATIENCE_S = 600.0


def process_number() -> int:
    """Return the number of this process, 0 when it is alone."""
    return int(os.environ.get("RANK", "0"))


def num_processes() -> int:
    """Count the processes that work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def place_on_machine() -> int:
    """Return the number of this process among those on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


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


@contextlib.contextmanager
def crew_of_run(device: torch.device, fault: GossamerError | None = None) -> Iterator[AbstractCrew]:
    """Join the processes that torchrun started, until the work ends. A process that is alone joins nobody.

    Args:
        device: of this process.
        fault: for which this process refuses the work, told to the first. None if it is ready.

    Raises:
        InputError: another process refuses.
        ResourceError: they cannot reach each other.
    """
    if num_processes() == 1:
        yield Alone()
        return
    crew = Ranks(device, fault)
    try:
        yield crew
        with contextlib.suppress(ResourceError):  # the work is done, whoever has left before
            crew.order(Order(task=Task.END, number=0))
    finally:
        crew.close()


@contextlib.contextmanager
def leaving_signals_to_the_first() -> Iterator[None]:
    """Ignore interrupts in a helper. The first process ends the work in good order, or leaves, which ends helpers."""
    with contextlib.ExitStack() as kept:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ValueError):  # not the main thread: nobody can interrupt it but its owner
                kept.callback(signal.signal, number, signal.signal(number, signal.SIG_IGN))
        yield
