"""Independent jobs, dealt over the processes of a crew: the first hands them out one by one, and does its part."""

from __future__ import annotations

import io
import itertools
import pickle
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from gossamer.errors import GossamerError
from gossamer.mechanisms.crew import AbstractCrew
from gossamer.mechanisms.ranks import Ranks

Result = TypeVar("Result")


def perform_each(
    crew: AbstractCrew, perform: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[int, Result]]:
    """Perform a function on arguments, each by one process of a crew, which takes the next as soon as it is free.

    The first process calls this, and all others `serve` it. A result must follow from its own arguments alone: then
    all results are those of one process. They travel as pickles, private and not encrypted.

    Args:
        crew: the processes.
        perform: a function of a module, which every process can import.
        arguments: of each job, taken one by one.

    Yields:
        Number of a job, from 0 on, and its result, as they are completed.

    Raises:
        GossamerError: of a job.
        ResourceError: another process has ended.
    """
    jobs = _Jobs(perform, arguments)
    if isinstance(crew, Ranks):
        # The first does a job itself, so a single one, with all its records, goes to nobody.
        for rank in range(1, min(crew.size, jobs.number)):
            jobs.hand_out(crew, rank)
    try:
        yield from jobs.results()
    except BaseException:
        if isinstance(crew, Ranks):
            crew.close()  # helpers may be amid a job, and nobody waits for it
        raise


def perform_in_order(
    crew: AbstractCrew, perform: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]
) -> list[Result]:
    """Perform a function on arguments as `perform_each` does, and return the results in the order of the arguments."""
    found = dict(perform_each(crew, perform, arguments))
    return [found[number] for number in range(len(found))]


def perform_parts(
    crew: AbstractCrew, perform: Callable[..., Sequence[Result]], parts: Sequence[Any], *more: Any
) -> list[Result]:
    """Perform a function on parts of some work: each process of a crew takes one run of them, all about as long.

    So everything that all parts need travels to a process once. The sizes of the parts must not depend on the number
    of processes. Then results are the same to the last bit, however many there are.

    Args:
        crew: the processes.
        perform: a function of a module, from some of the parts and `more` to a result for each of them.
        parts: of the work.
        more: all else that it needs.

    Returns:
        The results, in the order of the parts.

    Raises:
        GossamerError: of a part.
        ResourceError: another process has ended.
    """
    ends = [len(parts) * rank // crew.size for rank in range(crew.size + 1)]
    shares = [parts[start:end] for start, end in itertools.pairwise(ends) if start < end]
    return [one for share in perform_in_order(crew, perform, [(share, *more) for share in shares]) for one in share]


def serve(crew: AbstractCrew) -> None:
    """Perform the jobs of the first process until it ends them. For helpers alone.

    Args:
        crew: the processes.

    Raises:
        ResourceError: the first process has ended otherwise.
    """
    assert isinstance(crew, Ranks)
    while (job := pickle.loads(crew.receive(0))) is not None:
        perform, arguments = job
        try:
            answer = perform(*arguments)
        except GossamerError as fault:
            answer = fault
        crew.send(_pickled(answer), 0)


def end_jobs(crew: AbstractCrew) -> None:
    """Let all helpers leave, none of which is amid a job."""
    if isinstance(crew, Ranks):
        for rank in range(1, crew.size):
            crew.send(_pickled(None), rank)


def _pickled(something: Any) -> memoryview:
    room = io.BytesIO()
    pickle.dump(something, room)
    return room.getbuffer()


class _Jobs:
    """Jobs that the threads of the first process take one by one: its own, and one for each helper."""

    def __init__(self, perform: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> None:
        self._perform = perform
        self._arguments = list(arguments)
        self._next_number = 0
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()

    @property
    def number(self) -> int:
        """Number of all jobs."""
        return len(self._arguments)

    def hand_out(self, crew: Ranks, rank: int) -> None:
        """Let a thread give jobs to a helper as long as there are any."""
        threading.Thread(target=self._keep_busy, args=(crew, rank), daemon=True).start()

    def results(self) -> Iterator[tuple[int, Any]]:
        """Perform jobs in this thread, and yield the results of all."""
        for _ in self._arguments:
            yield self._result()

    def _result(self) -> tuple[int, Any]:
        if self._answers.empty() and (number := self._take()) is not None:
            return number, self._perform(*self._arguments[number])
        number, answer = self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return number, answer

    def _keep_busy(self, crew: Ranks, rank: int) -> None:
        answer = None
        while not isinstance(answer, Exception) and (number := self._take()) is not None:
            try:
                crew.send(_pickled((self._perform, self._arguments[number])), rank)
                answer = pickle.loads(crew.receive(rank))
            except Exception as fault:  # of any kind: this thread has nobody else to tell
                answer = fault
            self._answers.put((number, answer))

    def _take(self) -> int | None:
        """Take the number of a job, None if all are taken."""
        with self._lock:
            number = self._next_number
            self._next_number += 1
        return number if number < len(self._arguments) else None
