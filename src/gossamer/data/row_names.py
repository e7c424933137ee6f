"""The name of each row as a number, each distinct name kept once, since text would take more room than many values."""

from __future__ import annotations

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
        self._parts: list[np.ndarray] = []

    def add(self, names: RowNames) -> None:
        """Add the names of the rows that follow."""
        self._parts.append(self._numbers(names.distinct)[names.numbers])

    def add_texts(self, names: Iterable[str]) -> None:
        """Add the names of the rows that follow, a text for each."""
        self._parts.append(self._numbers(names))

    def _numbers(self, names: Iterable[str]) -> np.ndarray:
        # The length is taken before a new name is added, and so is its place.
        return np.fromiter((self._places.setdefault(name, len(self._places)) for name in names), dtype=np.int32)

    def names(self) -> RowNames:
        """Return the names of all rows, in the order in which they were added."""
        numbers = np.concatenate([np.empty(0, dtype=np.int32), *self._parts])
        return RowNames(distinct=tuple(self._places), numbers=numbers)
