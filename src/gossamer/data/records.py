"""Records as tensors in [0, 1], with a public specification and, if the data names them, the people behind them."""

from __future__ import annotations

import abc
import copy
import functools
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Final

import numpy as np

from gossamer.data.columns_read import ColumnsRead
from gossamer.data.identities import digests_of_contents, digests_of_names
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.value_ranges import ValueRanges
from gossamer.errors import InputError, told
from gossamer.privacy.adjacency import Unit

if TYPE_CHECKING:
    from torch import Tensor

MAX_CLASSES: Final = 1000
"""Largest number of classes."""
MAX_NAME_LENGTH: Final = 100
"""Longest class name, in characters."""
MAX_VALUES: Final = 2**31
"""Largest number of values in one set: 8 GiB as float32."""
DEFAULT_NUM_CLASSES: Final = 10
"""Number of classes of labelled data if its owner names none. It is a constant, so that no label decides it."""


@dataclass(frozen=True, kw_only=True)
class AbstractSpec(abc.ABC):
    """Shape and classes of a set of records.

    Guarantee:
        Every field is a *public input*, given by the user or by the format, and none is fitted on private values or
        labels. Networks, label laws and statements may therefore depend on it without paying for it.

    Args:
        class_names: One name per class, in the order of the labels 0, 1, ... and empty for records without labels.
        are_classes_named: False if nobody named the classes, so that their numbers stand in `class_names`. Such numbers
            are never compared with names. Two specifications that differ in it alone are equal.

    Raises:
        InputError: A name is empty, unprintable, too long or given twice.
    """

    class_names: tuple[str, ...] = ()
    are_classes_named: bool = field(default=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_class_names(self.class_names)
        check_kind("are_classes_named", self.are_classes_named, bool)
        if not self.are_classes_named and self.class_names != numbered(len(self.class_names)):
            raise InputError("are_classes_named is False, but class_names are not the numbers 0, 1, ...: say True")

    @property
    def num_classes(self) -> int:
        """Number of classes, 0 for records without labels."""
        return len(self.class_names)

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one record, channels first."""

    def as_written(self, x: Tensor) -> Tensor:
        """Return values in [0, 1], (batch, *shape), as the format can hold them: unchanged if it sets no rule."""
        return x


def numbered(num_classes: int) -> tuple[str, ...]:
    """Return the numbers of classes that nobody named, as they stand in `AbstractSpec.class_names`.

    >>> numbered(3)
    ('0', '1', '2')
    """
    return tuple(map(str, range(num_classes)))


def check_class_names(names: tuple[str, ...]) -> None:
    """Refuse public names of classes that could not stand in a table, a file name or one line of a statement.

    Raises:
        InputError: Naming the index of the first name that breaks a rule.
    """
    check_kind("class_names", names, tuple)
    if len(names) > MAX_CLASSES:
        raise InputError(f"class_names has {len(names)} names: at most {MAX_CLASSES} classes are supported")
    check_names("class_names", names)


def check_kind(name: str, value: object, kind: type | UnionType) -> None:
    """Refuse a value of another kind, without a word of its content.

    Args:
        name: Name of the argument.
        value: Anything.
        kind: One type, or several.

    Raises:
        InputError: Naming the argument and the two kinds.
    """
    if not isinstance(value, kind):
        wanted = getattr(kind, "__name__", str(kind))
        raise InputError(f"{name} must be of the kind {wanted}, not {told(value)}")


def check_names(where: str, names: tuple[str, ...]) -> None:
    """Refuse public names that are empty, unprintable, too long or given twice.

    Args:
        where: Beginning of the message, the things that are named.
        names: Public names.

    Raises:
        InputError: Naming the index of the first name that breaks a rule.
    """
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
            raise InputError(
                f"{where}[{index}] must be 1 to {MAX_NAME_LENGTH} printable characters: choose another name"
            )
        # An accent may be written in two ways, and folders of two machines then hold one class twice.
        same = unicodedata.normalize("NFC", name).strip()
        if same in seen:
            raise InputError(f"{where}[{index}] repeats an earlier name: each needs a name of its own")
        seen.add(same)


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordSet:
    """Records of one data set and, if there are any, their labels and their people. Private, unlike its `spec`.

    Args:
        name: Name for messages, public.
        spec: Public shape and classes.
        x: Values, float32 (num_records, ...) in [0, 1].
        y: Labels, int64 (num_records,) in 0 .. num_classes - 1. None if and only if the spec has no classes.
        people: Person of each record, int64 (num_records,) in 0 .. num_people - 1, or None if people are unknown. The
            numbers only tell people apart: nothing may be computed from them but the sameness of two people.
        num_people: Number of people that `people` may name, those without a record included. 0 for the largest number
            plus one. Private if people are protected: `PublicSlots` says how many slots there are.
        person_digests: uint8 (num_people, 32), the identity of each person (`data.identities`). None if the numbers in
            `people` are their names.
        owners: Unit that `people` tells apart, people or recordings. Public. Recordings are told apart if records are
            windows of recordings of which nobody says the person.
        room: Place of the values, and of all that is computed of each of them.

    Attributes:
        published_name: Public name of the published set that a reader read these records from, as it was published.
            None for a user's own, and for a copy that `dataclasses.replace` made with other records.

    Raises:
        InputError: Naming the first record that breaks a rule (never its value).
    """

    name: str
    spec: AbstractSpec
    # Privacy: a notebook or a log shows an object's fields. Records and their number must not appear there.
    x: Tensor = field(repr=False)
    y: Tensor | None = field(default=None, repr=False)
    people: Tensor | None = field(default=None, repr=False)
    num_people: int = field(default=0, repr=False)
    person_digests: np.ndarray | None = field(default=None, repr=False)
    owners: Unit = Unit.PERSON
    room: AbstractRoom = field(default=MEMORY, repr=False)
    published_name: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        import torch

        check_kind("name", self.name, str)
        check_names("name", (self.name,))
        check_kind("spec", self.spec, AbstractSpec)
        for name, array in (("x", self.x), ("y", self.y), ("people", self.people)):
            check_kind(name, array, torch.Tensor if name == "x" else torch.Tensor | None)
        check_kind("num_people", self.num_people, int)
        check_kind("person_digests", self.person_digests, np.ndarray | None)
        check_kind("room", self.room, AbstractRoom)
        self._check_values()
        if self.y is not None:
            self._check_labels(self.y)
        elif self.spec.num_classes:
            raise InputError(f"{self.name}: the specification has classes but there are no labels y")
        if self.people is not None:
            self._check_people(self.people)
        elif self.num_people or self.person_digests is not None:
            raise InputError(f"{self.name}: num_people was given but people was not: hand over both, or neither")

    def _check_values(self) -> None:
        import torch

        if self.x.dtype != torch.float32 or tuple(self.x.shape[1:]) != self.spec.shape:
            raise InputError(
                f"{self.name}: x must be float32 (num_records, {', '.join(map(str, self.spec.shape))}), "
                f"not {self.x.dtype} {tuple(self.x.shape)}"
            )
        if self.x.shape[0] == 0:
            raise InputError(f"{self.name}: x holds 0 records; at least 1 is needed")
        for rows in self.room.slices(self.x):
            part = self.x[rows].detach()
            low, high = torch.aminmax(part)
            if not (low >= 0 and high <= 1):  # a NaN makes both comparisons false
                index = rows.start + int((~((part >= 0) & (part <= 1))).flatten(1).any(dim=1).nonzero()[0])
                raise InputError(f"{self.name}: x[{index}] has a value that is not a number in [0, 1]")

    def _check_labels(self, y: Tensor) -> None:
        import torch

        if y.dtype != torch.int64 or y.shape != self.x.shape[:1]:
            raise InputError(
                f"{self.name}: y must be int64 ({self.num_records},), one label per record, "
                f"not {y.dtype} {tuple(y.shape)}"
            )
        outside = ((y < 0) | (y >= self.spec.num_classes)).nonzero()
        if len(outside):
            raise InputError(
                f"{self.name}: y[{int(outside[0])}] is outside 0 .. num_classes - 1 for "
                f"{self.spec.num_classes} classes: correct the label or the number of classes"
            )

    def _check_people(self, people: Tensor) -> None:
        import torch

        if people.dtype != torch.int64 or people.shape != self.x.shape[:1]:
            raise InputError(
                f"{self.name}: people must be int64 ({self.num_records},), one slot per record, "
                f"not {people.dtype} {tuple(people.shape)}"
            )
        if self.num_people == 0:
            object.__setattr__(self, "num_people", int(people.max()) + 1)
        outside = ((people < 0) | (people >= self.num_people)).nonzero()
        if len(outside):
            raise InputError(
                f"{self.name}: people[{int(outside[0])}] is outside 0 .. num_people - 1 for {self.num_people} people: "
                "correct the slot or the number of people"
            )
        if self.person_digests is None:
            object.__setattr__(self, "person_digests", digests_of_names(map(str, range(self.num_people))))
        elif len(self.person_digests) != self.num_people:
            raise InputError(
                f"{self.name}: person_digests must hold one digest for each of the {self.num_people} people"
            )

    @property
    def num_records(self) -> int:
        """Number of records, at least 1. Private if people are protected."""
        return self.x.shape[0]

    @functools.cached_property
    def content_digests(self) -> np.ndarray:
        """Digest of each record, of its values and its label: uint8 (num_records, 32). Private, and computed once."""
        return digests_of_contents(self.x, self.y, self.room)

    def as_published(self, name: str) -> RecordSet:
        """Return the same records under the name of a published set. Readers of published sets alone may do this."""
        named = copy.copy(self)
        object.__setattr__(named, "published_name", name)
        return named


@dataclass(frozen=True, kw_only=True)
class PublishedCounts:
    """Largest number of units of a published set by its format, whatever lies on the disk. Public.

    Args:
        num_records: Records before any split by a key, or None if unknown.
        num_people: People, or None if unknown.
    """

    num_records: int | None = None
    num_people: int | None = None


NOTHING_PUBLISHED: Final = PublishedCounts()
"""The counts of a user's own data, which only the user or the data can tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordData:
    """Private training records, real test records if any, and the assumed public inputs, as a loader returns them.

    Args:
        train: Records that a method is trained on.
        test: Records for scores on real data, or None if the owner gave no split. A person has one number in both sets.
        public_notes: Sentences on the public inputs that were assumed. They belong into the privacy statement and hold
            no number of records.
        published: Numbers of records and people by the format.
        training_share: Expected share of the units in `train`, below 1 if a secret key has held some out.
        is_split_by_key: True if a secret key, and not a public list, decides which records stand in `test`.
        is_split_by_record: True if a key may have put two records of one person on different sides.
        usual_unit: Unit of protection if the user names none. It is that of `train.owners` if records are windows.
        columns: The meaning of the columns of the table that the records were read from, or None without a table.
        left_out: Reason -> number of things that the reader left out for it. Private, unlike the reasons.
        unread: Names of parts of the source that no reader took, such as keys. For the owner, and in no release.
        ranges: Range of the values as they were read to learn from, before any was clipped. Private. None if the reader
            does not keep it.

    Raises:
        InputError: Train and test differ in their specification.
    """

    train: RecordSet
    test: RecordSet | None = None
    public_notes: tuple[str, ...] = ()
    published: PublishedCounts = NOTHING_PUBLISHED
    training_share: float = 1.0
    is_split_by_key: bool = False
    is_split_by_record: bool = False
    usual_unit: Unit = Unit.RECORD
    columns: ColumnsRead | None = None
    # Privacy: how many were left out is a fact about private records.
    left_out: Mapping[str, int] = field(default_factory=dict, repr=False)
    unread: tuple[str, ...] = field(default=(), repr=False)
    ranges: ValueRanges | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_kind("train", self.train, RecordSet)
        check_kind("test", self.test, RecordSet | None)
        check_kind("public_notes", self.public_notes, tuple)
        check_kind("published", self.published, PublishedCounts)
        check_kind("training_share", self.training_share, float | int)
        if self.test is not None and self.test.spec != self.train.spec:
            raise InputError(f"{self.train.name}: the train and the test records differ in shape or classes")


def check_num_classes(num_classes: int) -> None:
    """Refuse a public number of classes, given by the user, that no data set here can have.

    Raises:
        InputError: The number is below 1 or above 1000.
    """
    is_whole = isinstance(num_classes, int) and not isinstance(num_classes, bool)
    if not is_whole or not 1 <= num_classes <= MAX_CLASSES:
        raise InputError(f"num_classes (--num-classes) must be between 1 and {MAX_CLASSES}, not {told(num_classes)}")


def check_num_values(where: str, num_values: int) -> None:
    """Refuse a set of so many values, records times values of a record, that do not fit a usual machine's memory.

    Raises:
        InputError: There are more than 2**31 values.
    """
    if num_values > MAX_VALUES:
        raise InputError(f"{where}: {num_values} values; at most {MAX_VALUES} fit: use fewer or smaller records")
