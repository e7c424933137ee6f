"""Crews of threads: all ranks of a command in one process, so that a test may compare any numbers of them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gossamer.mechanisms.crew import AbstractCrew, Order, Task
from gossamer.mechanisms.jobs import end_jobs, serve
from gossamer.mechanisms.ranks import Ranks


class Table:
    """What threads pass to each other, in lockstep."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=60)
        self.laid: list[Any] = [None] * size

    def exchange(self, rank: int, value: Any) -> list[Any]:
        """Lay a value down, and take all of them up."""
        self.laid[rank] = value
        self.barrier.wait()
        taken = list(self.laid)
        self.barrier.wait()
        return taken


class Threads(AbstractCrew):
    """One rank of a crew of threads."""

    def __init__(self, table: Table, rank: int) -> None:
        self._table, self.rank, self.size = table, rank, table.size

    def order(self, order: Order) -> None:
        if self.leads:
            self._table.exchange(self.rank, order)

    def orders(self) -> Iterator[Order]:
        while True:
            order = self._table.exchange(self.rank, None)[0]
            if order.task is Task.END:
                return
            tensors = tuple(None if one is None else one.detach().clone() for one in order.tensors)
            yield Order(task=order.task, number=order.number, tensors=tensors)

    def total(self, part: Tensor) -> Tensor:
        return torch.stack(self._table.exchange(self.rank, part.clone())).sum(dim=0)

    def from_rank(self, rank: int, tensor: Tensor) -> Tensor:
        return self._table.exchange(self.rank, tensor.clone())[rank].clone()

    def collected(self, part: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        parts = self._table.exchange(self.rank, part.clone())
        assert [len(one) for one in parts] == list(sizes)
        return parts if self.leads else []

    def dealt(self, parts: Sequence[Tensor], like: Tensor) -> Tensor:
        own = self._table.exchange(self.rank, list(parts))[0][self.rank].clone()
        assert (own.shape, own.dtype) == (like.shape, like.dtype)
        return own

    def abort(self) -> None:
        """Let nobody wait for this rank."""
        self._table.barrier.abort()


def together(size: int, lead: Callable[[AbstractCrew], Any], assist: Callable[[AbstractCrew], None]) -> Any:
    """Run a leader and its helpers side by side, and return what the leader returns."""
    table, failures = Table(size), []

    def run(rank: int) -> None:
        crew = Threads(table, rank)
        try:
            assist(crew)
        except BaseException as error:
            failures.append(error)
            crew.abort()

    helpers = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(1, size)]
    for helper in helpers:
        helper.start()
    crew = Threads(table, 0)
    try:
        result = lead(crew)
        crew.order(Order(task=Task.END, number=0))
    except threading.BrokenBarrierError:
        raise failures[0] from None
    except BaseException:
        crew.abort()
        raise
    for helper in helpers:
        helper.join(timeout=60)
    if failures:
        raise failures[0]
    return result


class Linked(Ranks):
    """One rank of several in one process, which hands jobs over as pickles, and keeps how many it was sent."""

    def __init__(self, rank: int, size: int, lines: dict[tuple[int, int], queue.Queue[memoryview]]) -> None:
        self.rank, self.size, self._lines, self.num_received = rank, size, lines, 0

    def send(self, message: memoryview, rank: int) -> None:
        self._lines[self.rank, rank].put(message)

    def receive(self, rank: int) -> memoryview:
        message = self._lines[rank, self.rank].get(timeout=60)
        self.num_received += 1
        return message

    def close(self) -> None:
        """Let all helpers leave, also those amid a job."""
        end_jobs(self)


@contextlib.contextmanager
def linked(size: int) -> Iterator[list[Linked]]:
    """Begin helpers that serve the first of some ranks."""
    pairs = [(one, other) for one in range(size) for other in range(size)]
    lines: dict[tuple[int, int], queue.Queue[memoryview]] = {pair: queue.Queue() for pair in pairs}
    ranks = [Linked(rank, size, lines) for rank in range(size)]
    helpers = [threading.Thread(target=serve, args=(rank,), daemon=True) for rank in ranks[1:]]
    for helper in helpers:
        helper.start()
    yield ranks
    end_jobs(ranks[0])
    for helper in helpers:
        helper.join(timeout=60)
        assert not helper.is_alive()
