"""The processes of one command: one alone, or several ranks of which the first leads and the others help.

The leader draws coins and noise, writes the ledger, and holds the generator. It sends orders, and each rank answers
with integers on a public grid, or with numbers beside zeros of the other ranks. Their sums are exact in any order, so
any number of ranks gives one release.
"""

from __future__ import annotations

import abc
import enum
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class Task(enum.IntEnum):
    """The kinds of work that a leader orders."""

    END = 0
    RELEASE = 1
    ENTER = 2
    WARM_UP = 3
    RENEW = 4
    COLLECT = 5
    RESTORE = 6
    FIT = 7
    DRAW = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Order:
    """An order of the leader.

    Attributes:
        task: kind of work.
        number: step or stage that it is of.
        tensors: all that the work needs beside records and settings. Coins among them are secret.
    """

    task: Task
    number: int
    tensors: tuple[Tensor | None, ...] = ()


class AbstractCrew(abc.ABC):
    """The processes of one training, as each of them sees them.

    Attributes:
        rank: number of this process. 0 leads.
        size: number of processes.
    """

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """True for the process that draws noise, writes the ledger and releases."""
        return self.rank == 0

    def share(self, work: Iterable[T], head_start: int = 0) -> Iterator[T]:
        """Yield every ``size``-th piece of work, from this process's own number on. Together the shares are all.

        Args:
            work: pieces, the same in all processes.
            head_start: pieces that each other process takes before the leader takes its first, the same in all.
        """
        pieces, others = iter(work), self.size - 1
        for number, piece in enumerate(itertools.islice(pieces, head_start * others)):
            if number % others == self.rank - 1:
                yield piece
        yield from itertools.islice(pieces, self.rank, None, self.size)

    def own(self, num_critics: int) -> Tensor:
        """Return the numbers of this process's own critics, every ``size``-th, int64. The rule is public."""
        import torch

        return torch.arange(self.rank, num_critics, self.size)

    def owns(self, critics: Tensor) -> Tensor:
        """Mark the critics, by their numbers, that are this process's own: bool."""
        return critics % self.size == self.rank

    @abc.abstractmethod
    def order(self, order: Order) -> None:
        """Send an order to all helpers. A helper, which obeys, sends nothing."""

    @abc.abstractmethod
    def orders(self) -> Iterator[Order]:
        """Yield the leader's orders until it ends the work. For helpers alone."""

    @abc.abstractmethod
    def total(self, part: Tensor) -> Tensor:
        """Add up the parts of all processes. The leader gets the sum, and a helper's result means nothing.

        Args:
            part: of this process, of the same shape and type in all. It may be overwritten.
        """

    @abc.abstractmethod
    def from_rank(self, rank: int, tensor: Tensor) -> Tensor:
        """Return the tensor of one process in all of them. The others hand over one of the same shape and type."""

    @abc.abstractmethod
    def collected(self, part: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Return the parts of all processes to the leader, on the CPU. A helper gets none.

        Args:
            part: of this process.
            sizes: length of the first axis of each process's part. The other axes are alike.
        """

    @abc.abstractmethod
    def dealt(self, parts: Sequence[Tensor], like: Tensor) -> Tensor:
        """Return its part to each process, on the CPU.

        Args:
            parts: of all processes, as the leader has them. Helpers hand over none.
            like: a tensor of the shape and type of this process's part.
        """


class Alone(AbstractCrew):
    """One process, which does all work."""

    rank, size = 0, 1

    def order(self, order: Order) -> None:
        """Do nothing: there is nobody to order."""

    def orders(self) -> Iterator[Order]:
        """Yield nothing."""
        yield from ()

    def total(self, part: Tensor) -> Tensor:
        """Return the part, which is all."""
        return part

    def from_rank(self, rank: int, tensor: Tensor) -> Tensor:
        """Return the tensor."""
        return tensor

    def collected(self, part: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Return the part, which is all."""
        return [part]

    def dealt(self, parts: Sequence[Tensor], like: Tensor) -> Tensor:
        """Return the only part."""
        return parts[0]


ALONE: Final = Alone()
