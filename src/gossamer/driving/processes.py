"""Several processes on one command, as torchrun starts them: the first leads, and the others help."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gossamer.errors import GossamerError, InputError, ResourceError
from gossamer.mechanisms.crew import AbstractCrew, Alone, Order, Task
from gossamer.runs.folder import RunFolder

if TYPE_CHECKING:
    import torch

PATIENCE_S = 600.0
_MOST: Final = 2**20


def process_number() -> int:
    """Return the number of this process, 0 when it is alone.

    Raises:
        InputError: a number that is none of those that work together.
    """
    size = num_processes()
    # Privacy: a number beyond them would be neither the first, which checks and locks the folder, nor a helper.
    # Alone, a number that another program left in the environment says nothing.
    return 0 if size == 1 else _told("RANK", 0, range(size))


def num_processes() -> int:
    """Count the processes that work together.

    Raises:
        InputError: a number below 1, or none.
    """
    return _told("WORLD_SIZE", 1, range(1, _MOST))


def place_on_machine() -> int:
    """Return the number of this process among those on its machine.

    Raises:
        InputError: a number that is none of those that work together.
    """
    return _told("LOCAL_RANK", 0, range(num_processes()))


def _told(name: str, otherwise: int, allowed: range) -> int:
    """Read a number that torchrun puts into the environment."""
    word = os.environ.get(name, str(otherwise))
    if not word.isascii() or not word.isdigit() or int(word) not in allowed:
        raise InputError(
            f"the environment variable {name} is no number from {allowed.start} to {allowed.stop - 1}: "
            f"start all processes by torchrun, or unset {name} and WORLD_SIZE"
        )
    return int(word)


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
    from gossamer.mechanisms.ranks import Ranks

    crew = Ranks(device, fault)
    try:
        yield crew
        with contextlib.suppress(ResourceError):  # the work is done, whoever has left before
            crew.order(Order(task=Task.END, number=0))
    finally:
        crew.close()


@contextlib.contextmanager
def telling_the_first() -> Iterator[None]:
    """Let a helper that fails before it joins the others tell the first process why, which then refuses for all.

    Without this the first would wait for the helper, and end by the signal of torchrun without a word of the reason.
    """
    try:
        yield
    except GossamerError as fault:
        if process_number() > 0:
            import torch

            with crew_of_run(torch.device("cpu"), fault):  # raises the fault once the first has heard of it
                pass
        raise


@contextlib.contextmanager
def crew_of_jobs() -> Iterator[AbstractCrew]:
    """Join the processes that torchrun started, which perform jobs of the first one until it leaves.

    Raises:
        ResourceError: they cannot reach each other.
    """
    if num_processes() == 1:
        yield Alone()
        return
    import torch

    from gossamer.mechanisms.jobs import end_jobs
    from gossamer.mechanisms.ranks import Ranks

    crew = Ranks(torch.device("cpu"))
    try:
        yield crew
    finally:
        # Whatever the end, also a refusal: nobody needs the others any longer.
        with contextlib.suppress(ResourceError):
            end_jobs(crew)
        crew.close()


def help_with_jobs() -> None:
    """Perform jobs of the first process until it leaves. For a helper alone.

    Raises:
        ResourceError: the first process has ended otherwise, or cannot be reached.
    """
    import torch

    from gossamer.mechanisms.jobs import serve
    from gossamer.mechanisms.ranks import Ranks

    process_number()  # one that is none of those that work together is refused
    with leaving_signals_to_the_first():
        crew = Ranks(torch.device("cpu"))
        try:
            serve(crew)
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
