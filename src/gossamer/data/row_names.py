"""The name of each row as a number, each distinct name kept once, since text would take more room than many values."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class RowNames:
    """The names of the rows of a column. Private.

    Args:
        distinct: Names, each once, and each of them the name of a row.
        numbers: int32 (num_rows,), the place in `distinct` of the name of each row.
    """

    distinct: tuple[str, ...] = field(repr=False)
    numbers: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, names: RowNames | Iterable[str]) -> RowNames:
        """Return names, a text for each row, in this form.

        >>> RowNames.of(["b", "a", "b"]).numbers.tolist()
        [0, 1, 0]
        """
        if isinstance(names, RowNames):
            return names
        running = RunningNames()
        running.add_texts(names.tolist() if isinstance(names, np.ndarray) else names)
        return running.names()

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: np.ndarray) -> RowNames:
        """Return the names of some rows, which are given by their numbers or as a mask."""
        used, numbers = np.unique(self.numbers[rows], return_inverse=True)
        distinct = tuple(self.distinct[number] for number in used.tolist())
        return RowNames(distinct=distinct, numbers=numbers.astype(np.int32))

    def tolist(self) -> list[str]:
        """Return the name of each row."""
        return [self.distinct[number] for number in self.numbers.tolist()]

    def texts(self) -> np.ndarray:
        """Return the name of each row as text (num_rows,)."""
        return np.array(self.distinct, dtype=str)[self.numbers]


class RunningNames:
    """The names of more and more rows of a column. Private."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        # One array that grows, since parts would lie in the memory beside the whole.
        self._numbers = array("i")

    def add(self, names: RowNames) -> None:
        """Add the names of the rows that follow."""
        places = np.fromiter(map(self._place, names.distinct), dtype=np.int32, count=len(names.distinct))
        self._numbers.frombytes(places[names.numbers].tobytes())

    def add_texts(self, names: Iterable[str]) -> None:
        """Add the names of the rows that follow, a text for each."""
        self._numbers.extend(map(self._place, names))

    def _place(self, name: str) -> int:
        # The number of names is taken before a new one is added, and so is its place.
        return self._places.setdefault(name, len(self._places))

    def names(self) -> RowNames:
        """Return the names of all rows, in the order in which they were added. No more may be added then."""
        return RowNames(distinct=tuple(self._places), numbers=np.frombuffer(self._numbers, dtype=np.int32))
