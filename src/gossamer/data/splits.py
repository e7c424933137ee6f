"""Splits into training and test records: at random, between people, or by lists of recordings; all of them public."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from gossamer.data.records import AbstractSpec, RecordData, RecordSet
from gossamer.errors import InputError

TRAIN: Final = 0
TEST: Final = 1
LEFT_OUT: Final = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Records before they are split. Private, unlike `spec`.

    Args:
        name: Name for messages; public.
        spec: Public shape and classes.
        x: float32 (num_records, channels, length) in [0, 1].
        y: Labels, int64 (num_records,), or None.
        people: Any name of the person a record is of, (num_records,), or None.
        recordings: Name of the recording that a record was cut from, (num_records,), or None.
    """

    name: str
    spec: AbstractSpec
    x: np.ndarray
    y: np.ndarray | None = None
    people: np.ndarray | None = None
    recordings: np.ndarray | None = None


class AbstractSplit(abc.ABC):
    """Says for each record whether it is for training, for testing or left out, without looking at it."""

    @abc.abstractmethod
    def sides(self, rows: Rows) -> np.ndarray:
        """`TRAIN`, `TEST` or `LEFT_OUT` for each record, (num_records,).

        Raises:
            InputError: The records cannot be split in this way.
        """

    @property
    @abc.abstractmethod
    def note(self) -> str:
        """One sentence for the statement."""


@dataclass(frozen=True, kw_only=True)
class Whole(AbstractSplit):
    """No split: every record is for training."""

    def sides(self, rows: Rows) -> np.ndarray:
        """Where each record goes."""
        return np.full(len(rows.x), TRAIN)

    @property
    def note(self) -> str:
        """One sentence for the statement."""
        return "No record was held out."


WHOLE: Final = Whole()
"""No split."""


@dataclass(frozen=True, kw_only=True)
class RandomSplit(AbstractSplit):
    """Records at random, by a public seed: a person's records stand on both sides.

    The records are sorted by the raw 64-bit outputs of PCG64, a stream that numpy guarantees not to change.

    Args:
        test_share: Share of the records for testing, above 0 and below 1.
        seed: Public.

    Raises:
        InputError: A number is out of range.
    """

    test_share: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self.test_share, self.seed)

    def sides(self, rows: Rows) -> np.ndarray:
        """Where each record goes."""
        if len(rows.x) < 2:
            raise InputError(f"{rows.name}: 1 record cannot be split: leave --split out")
        return _random_sides(len(rows.x), self.test_share, self.seed)

    @property
    def note(self) -> str:
        """One sentence for the statement."""
        return f"A share of {self.test_share:g} of the records, drawn by the public seed {self.seed}, was held out."


@dataclass(frozen=True, kw_only=True)
class PeopleSplit(AbstractSplit):
    """People at random, by a public seed: nobody stands on both sides.

    Args:
        test_share: Share of the people for testing, above 0 and below 1; at least one.
        seed: Public.

    Raises:
        InputError: A number is out of range.
    """

    test_share: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self.test_share, self.seed)

    def sides(self, rows: Rows) -> np.ndarray:
        """Where each record goes."""
        if rows.people is None:
            raise InputError(f"{rows.name}: nobody says who a record is of: name a --person-column, or split at random")
        names, slots = np.unique(rows.people, return_inverse=True)
        if len(names) < 2:
            raise InputError(f"{rows.name}: one person cannot be split between people: use --split random")
        return _random_sides(len(names), self.test_share, self.seed)[slots]

    @property
    def note(self) -> str:
        """One sentence for the statement."""
        return f"A share of {self.test_share:g} of the people, drawn by the public seed {self.seed}, was held out."


@dataclass(frozen=True, kw_only=True)
class RecordingLists(AbstractSplit):
    """Recordings by name; those in neither list are left out.

    Args:
        title: What the lists are known as.
        train: Recordings for training.
        test: Recordings for testing.
    """

    title: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def sides(self, rows: Rows) -> np.ndarray:
        """Where each record goes."""
        if rows.recordings is None:
            raise InputError(f"{rows.name}: its records have no recordings to split by: use --split random or people")
        sides = np.full(len(rows.x), LEFT_OUT)
        sides[np.isin(rows.recordings, self.train)] = TRAIN
        sides[np.isin(rows.recordings, self.test)] = TEST
        for side, names in ((TRAIN, self.train), (TEST, self.test)):
            if not (sides == side).any():
                raise InputError(
                    f"{rows.name}: holds none of the recordings {', '.join(names[:3])}, ... of this split: use "
                    "--split random or people"
                )
        return sides

    @property
    def note(self) -> str:
        """One sentence for the statement."""
        return f"Recordings were split as published: {self.title}."


def divide(rows: Rows, split: AbstractSplit, notes: tuple[str, ...]) -> RecordData:
    """Records as training and test sets.

    Args:
        rows: All records.
        split: Which record goes where.
        notes: Sentences on public inputs.

    Returns:
        The sets. People of the training set have slots 0, 1, ... in the order of their sorted names; in the test set
        they keep these, and people of the test set alone follow.

    Raises:
        InputError: The records cannot be split in this way.
    """
    sides = split.sides(rows)
    is_test = sides == TEST
    slots = None if rows.people is None else _slots(rows.people, sides == TRAIN)
    return RecordData(
        train=_side(rows, rows.name, sides == TRAIN, slots),
        test=_side(rows, f"{rows.name} test", is_test, slots) if is_test.any() else None,
        public_notes=(*notes, split.note),
    )


def _slots(people: np.ndarray, is_train: np.ndarray) -> np.ndarray:
    """A slot for each person, (num_records,): those of whom there are training records come first."""
    names, places = np.unique(people, return_inverse=True)
    is_known = np.isin(np.arange(len(names)), places[is_train])
    order = np.argsort(~is_known, kind="stable")
    return np.argsort(order)[places]


def _side(rows: Rows, name: str, kept: np.ndarray, slots: np.ndarray | None) -> RecordSet:
    people = None if slots is None else slots[kept].astype(np.int64)
    return RecordSet(
        name=name,
        spec=rows.spec,
        x=torch.from_numpy(rows.x[kept]),
        y=None if rows.y is None else torch.from_numpy(rows.y[kept]),
        people=None if people is None else torch.from_numpy(people),
    )


def _random_sides(number: int, test_share: float, seed: int) -> np.ndarray:
    order = np.argsort(np.random.PCG64(seed).random_raw(number), kind="stable")
    num_test = min(max(round(test_share * number), 1), number - 1)
    sides = np.full(number, TRAIN)
    sides[order[number - num_test :]] = TEST
    return sides


def _check(test_share: float, seed: int) -> None:
    if not 0 < test_share < 1:
        raise InputError(f"test_share must be above 0 and below 1, not {test_share}")
    if seed < 0:
        raise InputError(f"the seed of a split must be 0 or more, not {seed}")
