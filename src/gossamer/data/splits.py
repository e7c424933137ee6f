"""Splits into training and test records, each record or person by itself by a secret key, or by public lists."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from gossamer.data.identities import NamedPeople, digests_of_contents
from gossamer.data.records import NOTHING_PUBLISHED, AbstractSpec, PublishedCounts, RecordData, RecordSet
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.row_names import RowNames
from gossamer.data.value_ranges import ValueRanges
from gossamer.errors import InputError
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import Dealt, Identities, UnitKey

TRAIN: Final = 0
TEST: Final = 1
LEFT_OUT: Final = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Records before they are split. Private, unlike `spec`.

    Args:
        name: Name for messages, public.
        spec: Public shape and classes.
        x: float32 (num_records, channels, length) in [0, 1].
        y: Labels, int64 (num_records,), or None.
        people: Name of the person a record is of, (num_records,), as text or each distinct one once. Or the people
            that such names told apart. Or None.
        recordings: Name of the recording that a record was cut from, (num_records,), or None.
        others: More names of people, of whom there may be no record, or None.
        owners: Unit that `people` names, people or recordings. Public.
        usual_unit: Unit of protection if the user names none. Public.
        left_out: Reason -> number of things that the reader left out for it.
        unread: Names of parts of the source that no reader took. For the owner.
        ranges: Range of the values before any was clipped, private, or None.
        notes: Sentences for the statement on the rule by which records were made.
        room: Place of the values.
    """

    name: str
    spec: AbstractSpec
    x: np.ndarray
    y: np.ndarray | None = None
    people: NamedPeople | RowNames | np.ndarray | None = None
    recordings: np.ndarray | None = None
    others: RowNames | np.ndarray | None = None
    owners: Unit = Unit.PERSON
    usual_unit: Unit = Unit.RECORD
    left_out: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    ranges: ValueRanges | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    room: AbstractRoom = MEMORY


class AbstractSplit(abc.ABC):
    """A rule that decides for each record if it is for training, for testing or left out.

    Guarantee:
        The side of a record is a function of its own content or person, of public lists and of a secret key. It never
        depends on the record's place or on the number of other records. Otherwise a record that leaves would move
        others to the other side.
    """

    @abc.abstractmethod
    def sides(self, rows: Rows, key: UnitKey) -> np.ndarray:
        """Return `TRAIN`, `TEST` or `LEFT_OUT` for each record, (num_records,).

        Raises:
            InputError: The records cannot be split in this way.
        """

    @property
    @abc.abstractmethod
    def training_share(self) -> float:
        """Expected share of the units for training, in (0, 1]."""

    @property
    def is_by_key(self) -> bool:
        """True if the key decides anything."""
        return True

    @property
    def is_by_record(self) -> bool:
        """True if two records of one person may fall on different sides by the key."""
        return False

    @abc.abstractmethod
    def note(self, owners: Unit) -> str:
        """Return the sentence for the statement.

        Args:
            owners: Unit that names of people stand for, people or recordings.
        """


@dataclass(frozen=True, kw_only=True)
class Whole(AbstractSplit):
    """The absence of a split: every record is for training."""

    def sides(self, rows: Rows, key: UnitKey) -> np.ndarray:
        """Put every record on the side of training."""
        return np.full(len(rows.x), TRAIN, dtype=np.int8)

    @property
    def is_by_key(self) -> bool:
        """False, since nothing is drawn."""
        return False

    @property
    def training_share(self) -> float:
        """All of the units, 1."""
        return 1.0

    def note(self, owners: Unit) -> str:
        """Return the sentence for the statement."""
        return "No record was held out."


WHOLE: Final = Whole()
"""The absence of a split."""


@dataclass(frozen=True, kw_only=True)
class AbstractDrawnSplit(AbstractSplit):
    """A split of each unit by itself, by a secret key.

    A share of about `test_share` is held out. The number of held-out units is itself drawn.

    Args:
        test_share: Probability with which a unit is for testing, above 0 and below 1.

    Raises:
        InputError: A number is out of range.
    """

    test_share: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise InputError(f"test_share must be above 0 and below 1, not {self.test_share}")

    @property
    def training_share(self) -> float:
        """Share of the units that are not for testing."""
        return 1 - self.test_share

    def _drawn(self, digests: np.ndarray, key: UnitKey) -> np.ndarray:
        """Draw the side of each unit by its digest."""
        is_test = key.uniform(Dealt.SIDE, Identities.of_digests(digests)) < self.test_share
        return np.where(is_test, np.int8(TEST), np.int8(TRAIN))


@dataclass(frozen=True, kw_only=True)
class RandomSplit(AbstractDrawnSplit):
    """A split of each record by itself, by a secret key and its content: a person's records stand on both sides."""

    def sides(self, rows: Rows, key: UnitKey) -> np.ndarray:
        """Draw the side of each record."""
        import torch

        y = None if rows.y is None else torch.from_numpy(rows.y)
        return _checked(self._drawn(digests_of_contents(torch.from_numpy(rows.x), y, rows.room), key), rows, "record")

    @property
    def is_by_record(self) -> bool:
        """True, since each record is drawn by itself."""
        return True

    def note(self, owners: Unit) -> str:
        """Return the sentence for the statement."""
        return f"A share of about {self.test_share:g} of the records was held out, each by itself, by a secret key."


@dataclass(frozen=True, kw_only=True)
class PeopleSplit(AbstractDrawnSplit):
    """A split of each person, by a secret key and the person's name: no person stands on both sides.

    Where nobody says the people of recordings that are cut in windows, it is a split of each recording.
    """

    def sides(self, rows: Rows, key: UnitKey) -> np.ndarray:
        """Draw the side of each person, and return that of each record."""
        if rows.people is None:
            raise InputError(
                f"{rows.name}: nobody says who a record is of: name the people (a "
                "--person-column of a table, the key person of an NPZ file), or split at random"
            )
        people = _people_of(rows)
        return _checked(self._drawn(people.digests, key)[people.numbers], rows, rows.owners.value)

    def note(self, owners: Unit) -> str:
        """Return the sentence for the statement."""
        # Privacy: nobody says who recordings are of, so one person may stand on both sides.
        who = owners.plural
        return f"A share of about {self.test_share:g} of the {who} was held out, each by itself, by a secret key."


@dataclass(frozen=True, kw_only=True)
class RecordingLists(AbstractSplit):
    """A split of recordings by name, from public lists. A recording in neither list is left out.

    Args:
        title: Name of the lists.
        train: Recordings for training.
        test: Recordings for testing.
    """

    title: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def sides(self, rows: Rows, key: UnitKey) -> np.ndarray:
        """Look the side of each record up, by its recording."""
        if rows.recordings is None:
            raise InputError(f"{rows.name}: its records have no recordings to split by: use --split random or people")
        sides = np.full(len(rows.x), LEFT_OUT, dtype=np.int8)
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
    def is_by_key(self) -> bool:
        """False, since the lists are public."""
        return False

    @property
    def training_share(self) -> float:
        """Share of the listed recordings that are for training."""
        return len(self.train) / (len(self.train) + len(self.test))

    def note(self, owners: Unit) -> str:
        """Return the sentence for the statement."""
        return f"Recordings were split as published: {self.title}."


def divide(
    rows: Rows,
    split: AbstractSplit,
    notes: tuple[str, ...],
    key: UnitKey | None = None,
    published: PublishedCounts = NOTHING_PUBLISHED,
) -> RecordData:
    """Divide records into training and test sets.

    Args:
        rows: All records.
        split: Rule that decides the side of each record.
        notes: Sentences on public inputs.
        key: Secret of the run that learns from the records. None for a new key, so that another call divides anew.
        published: Numbers of records and people by the format.

    Returns:
        The sets. A person has one number in both.

    Raises:
        InputError: The records cannot be split in this way.
    """
    sides = split.sides(rows, key or UnitKey.drawn())
    is_test = sides == TEST
    people = None if rows.people is None else _people_of(rows)
    return RecordData(
        train=_side(rows, rows.name, sides == TRAIN, people),
        test=_side(rows, f"{rows.name} test", is_test, people) if is_test.any() else None,
        public_notes=(*notes, *rows.notes, split.note(rows.owners)),
        published=published,
        training_share=split.training_share,
        is_split_by_key=split.is_by_key,
        is_split_by_record=split.is_by_record,
        usual_unit=rows.usual_unit,
        left_out=rows.left_out,
        unread=rows.unread,
        ranges=rows.ranges,
    )


def check_image_split(where: str, split: AbstractSplit, *, has_test: bool, has_people: bool) -> None:
    """Refuse a split of images that would part a person's images, or leave two test sets.

    Args:
        where: Beginning of the message.
        split: Rule that was asked for.
        has_test: True if the images come with a test set.
        has_people: True if it is known which person an image is of.

    Raises:
        InputError: Always then.
    """
    if has_test:
        raise InputError(
            f"{where} comes with a test set: leave --split out, or name the part to learn from alone and divide that"
        )
    if has_people and split.is_by_record:
        raise InputError(
            f"{where} says the person of each image, and a person's images would stand on both sides: --split people "
            "holds whole people out"
        )


def _people_of(rows: Rows) -> NamedPeople:
    assert rows.people is not None
    return rows.people if isinstance(rows.people, NamedPeople) else NamedPeople.of(rows.people, rows.others)


def _side(rows: Rows, name: str, kept: np.ndarray, people: NamedPeople | None) -> RecordSet:
    import torch

    # All of the records are the array itself, since a copy of it would take as much memory again.
    chosen, x = (slice(None), rows.x) if kept.all() else (kept, rows.room.kept(rows.x, kept))
    return RecordSet(
        name=name,
        spec=rows.spec,
        x=torch.from_numpy(x),
        y=None if rows.y is None else torch.from_numpy(rows.y[chosen]),
        room=rows.room,
        **({} if people is None else people.of_records(chosen) | {"owners": rows.owners}),
    )


def _checked(sides: np.ndarray, rows: Rows, unit: str) -> np.ndarray:
    """Return the sides, if each has at least one record on it."""
    for side, name in ((TRAIN, "training"), (TEST, "testing")):
        if not (sides == side).any():
            raise InputError(
                f"{rows.name}: no {unit} fell on the side for {name}, by the key of this run: a new run draws a new "
                "key; with so few, hold nobody out (--split none)"
            )
    return sides
