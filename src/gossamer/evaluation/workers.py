"""Work of classifiers for several processes, with a thread each: results do not depend on how many there are."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from gossamer.errors import InputError, ResourceError
from gossamer.evaluation.listed import Judge, Suite, set_name
from gossamer.mechanisms.crew import AbstractCrew
from gossamer.mechanisms.jobs import perform_each

Result = TypeVar("Result")
TaskKey = tuple[str, str, int]
"""The set that a classifier was trained on, its name, its seed."""
_MAX_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class Task(Generic[Judge]):
    """One classifier to fit once.

    Args:
        classifier: to be fitted.
        train: name of the set that it learns from.
        tests: names of the sets that it then judges, at least one.
        seed: 0 .. 2^32 - 1. The same seed and records give the same answers.

    Raises:
        InputError: no test set, or a seed out of range.
    """

    classifier: Judge
    train: str
    tests: tuple[str, ...]
    seed: int

    def __post_init__(self) -> None:
        if not self.tests:
            raise InputError(f"{self.train}: name at least one set to test on")
        if not 0 <= self.seed <= _MAX_SEED:
            raise InputError(f"seed must lie in 0 .. 2^32 - 1, not {self.seed}")

    @property
    def key(self) -> TaskKey:
        """The task among those of other sets, classifiers and seeds."""
        return self.train, self.classifier.name, self.seed


def tasks_of(
    suite: Suite[Judge], targets: Sequence[str], seeds: Sequence[int], *, train: str, test: str
) -> list[Task[Judge]]:
    """List the fits: every classifier, once a seed, to the real training records and to each target's.

    Tasks that are trained and tested on real records alone are the same for every target, and can be kept. Synthetic
    records are shown to the classifiers of the first seed alone, which must be fitted anew.

    Args:
        suite: the classifiers. In a full one, those trained on real records are tested on synthetic ones, too.
        targets: names.
        seeds: one a repetition.
        train: name of the set of real training records.
        test: name of the set of real test records.
    """
    backwards = tuple(set_name(target, seeds[0]) for target in targets) if suite.is_full else ()
    each = [(one, seed) for one in suite.classifiers for seed in seeds]
    on_real = [
        Task(classifier=one, train=train, tests=(test, *backwards) if seed == seeds[0] else (test,), seed=seed)
        for one, seed in each
    ]
    return on_real + [
        Task(classifier=one, train=set_name(target, seed), tests=(test,), seed=seed)
        for target in targets
        for one, seed in each
    ]


def perform_all(
    perform: Callable[..., Result],
    tasks: Sequence[Task[Any]],
    sets: Mapping[str, Any],
    num_workers: int,
    crew: AbstractCrew,
    *more: Any,
) -> Iterator[Result]:
    """Perform tasks, results as they come, with one worker in this process, else in several with a thread each.

    Arguments travel through pipes and never touch the disk. If the iterator is closed, an error is raised or Ctrl-C is
    pressed, the workers end at once. The processes of a crew are the workers, if there are several.

    Args:
        perform: a function of a module: task, its sets by name, and more, to a result.
        tasks: taken in this order, one by one, as a worker becomes free.
        sets: all sets by name.
        num_workers: processes, at least 1, for a process that is alone.
        crew: the processes of this command.
        more: further arguments.

    Raises:
        ResourceError: a worker died, most likely for want of memory, or another process of the crew has ended.
    """
    arguments = ((task, {name: sets[name] for name in (task.train, *task.tests)}, *more) for task in tasks)
    if crew.size > 1:
        return (result for _, result in perform_each(crew, perform, arguments))
    if min(num_workers, len(tasks)) <= 1:
        return (perform(*each) for each in arguments)
    return _in_processes(perform, arguments, min(num_workers, len(tasks)))


def _in_processes(
    perform: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], num_workers: int
) -> Iterator[Result]:
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
    """Give one thread to torch and to the linear algebra of numpy, whatever was set before."""
    from threadpoolctl import threadpool_limits

    # Sums depend on the number of threads in their last digits, and trees on those.
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(num_threads)
