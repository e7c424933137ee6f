"""Identities of units as digests: of a person's name, or of the content of a record that has no name."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.row_names import RowNames
from gossamer.privacy.dealing import DIGEST_BYTES

if TYPE_CHECKING:
    from torch import Tensor


def digests_of_names(names: Iterable[str]) -> np.ndarray:
    """Compute the digests of names, as `data.names` writes them: uint8 (names, 32).

    The digests are private, since a guessed name can be confirmed by its digest.

    >>> digests_of_names(["7", "anna"]).shape
    (2, 32)
    """
    blake, found = hashlib.blake2b, bytearray()
    for name in names:
        found += blake(b"name " + name.encode(), digest_size=DIGEST_BYTES).digest()
    return np.frombuffer(found, dtype=np.uint8).reshape(-1, DIGEST_BYTES)


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedPeople:
    """The person of each record: a number for each person, and the digest of the name that it stands for. Private.

    Attributes:
        numbers: int32 (num_records,) in 0 .. num_people - 1. They only tell people apart.
        digests: uint8 (num_people, 32).
    """

    numbers: np.ndarray
    digests: np.ndarray

    @classmethod
    def of(cls, names: RowNames | np.ndarray, others: RowNames | np.ndarray | None = None) -> NamedPeople:
        """Return the people of these names, a name for each record.

        Args:
            names: Names (num_records,), as text or each distinct one once.
            others: More names, of people of whom there may be no record. None for none.
        """
        rows = RowNames.of(names)
        known = set() if others is None else set(rows.distinct)
        more = () if others is None else (name for name in RowNames.of(others).distinct if name not in known)
        # A number may be a place here, since only the equality of numbers is ever used.
        return cls(numbers=rows.numbers, digests=digests_of_names(itertools.chain(rows.distinct, more)))

    def of_records(self, kept: np.ndarray | slice = slice(None)) -> dict[str, Any]:
        """Return the arguments on people that a `RecordSet` of some of the records takes."""
        import torch

        numbers = torch.from_numpy(self.numbers[kept].astype(np.int64))
        return {"people": numbers, "num_people": len(self.digests), "person_digests": self.digests}


def digests_of_contents(x: Tensor, y: Tensor | None, room: AbstractRoom = MEMORY) -> np.ndarray:
    """Compute the digest of each record, of its values and its label: uint8 (records, 32). Private.

    A training reads nothing of a record but these.

    Args:
        x: float32 (records, ...).
        y: int64 (records,), or None.
        room: Place of the values.
    """
    labels = np.full(len(x), -1) if y is None else y.numpy()
    ends = labels.astype("<i8")[:, None].view(np.uint8)
    blake, found = hashlib.blake2b, bytearray()
    for rows in room.slices(x):
        values = np.ascontiguousarray(x[rows].numpy(), dtype="<f4").reshape(rows.stop - rows.start, -1)
        for row, end in zip(values, ends[rows], strict=True):
            found += blake(row.data, digest_size=DIGEST_BYTES, key=b"content", salt=end.tobytes()).digest()
    return np.frombuffer(found, dtype=np.uint8).reshape(-1, DIGEST_BYTES)
