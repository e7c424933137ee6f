"""Work for several processes, with a thread each: what they compute does not depend on how many there are."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from gossamer.errors import ResourceError

Result = TypeVar("Result")


def in_processes(
    perform: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], num_workers: int
) -> Iterator[Result]:
    """Call a function on many tuples of arguments, in several processes with a thread each; results as they come.

    Arguments travel through pipes and never touch the disk. If the iterator is closed, an error is raised or Ctrl-C is
    pressed, the workers end at once.

    Args:
        perform: a function of a module.
        arguments: taken one by one, as a worker becomes free.
        num_workers: processes, at least 2.

    Raises:
        ResourceError: a worker died, most likely for want of memory.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    # Privacy: without max_nbytes=None private images would be written into a temporary folder.
    parallel = Parallel(
        n_jobs=num_workers,
        backend="loky",
        return_as="generator_unordered",
        pre_dispatch="n_jobs",
        batch_size=1,
        max_nbytes=None,
        initializer=_leave_interrupts_to_the_parent,
    )
    results = parallel(delayed(perform)(*each) for each in arguments)
    try:
        yield from results
    except BrokenProcessPool as error:
        raise ResourceError(
            f"a worker of {num_workers} died, most likely for want of memory; use fewer workers or fewer images"
        ) from error
    finally:
        results.close()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def one_thread() -> Generator[None]:
    """One thread for torch and for the linear algebra of numpy, whatever was set before."""
    from threadpoolctl import threadpool_limits

    # Sums depend on the number of threads in their last digits, and trees on those.
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(num_threads)
