r"""The deal of units to shards and sides: each unit by itself, by a secret key and its own identity alone.

A label is a pseudorandom function of the identity. If one unit comes, leaves, changes under its name or is replaced, no
other unit's label moves. Before the key is known all labels are independent and alike, as the lemma of
docs/concepts/dealing.md demands. Labels by rank, place or count would move the labels of others. With a public map, a
unit that is replaced by another could change two shards.
"""

from __future__ import annotations

import enum
import hashlib
import os
from dataclasses import dataclass
from typing import Final

import numpy as np

from gossamer.errors import InputError, told
from gossamer.privacy.keystream import KEY_BYTES, Keystream, unit_interval

DIGEST_BYTES: Final = 32
"""Length of a digest that stands for a name or for the content of a record."""
_AT_ONCE: Final = 2**16


class Dealt(enum.Enum):
    """The meaning of a label. Each meaning has numbers of its own, so that one tells nothing of the other."""

    SIDE = "side of a split"
    SHARD = "shard"


@dataclass(frozen=True, kw_only=True, eq=False)
class Identities:
    """A digest for each unit, and the number of its copy among units with one digest. Private.

    Attributes:
        digests: uint8 (units, 32), of the name of a person or of the content of a record.
        copies: int64 (units,), 0, 1, ... among the units of one digest, in any order. Such units cannot be told apart.

    Raises:
        ValueError: arrays of other shapes.
    """

    digests: np.ndarray
    copies: np.ndarray

    def __post_init__(self) -> None:
        if self.digests.dtype != np.uint8 or self.digests.shape[1:] != (DIGEST_BYTES,):
            raise ValueError(f"digests must be uint8 (units, {DIGEST_BYTES}), not {self.digests.shape}")
        if self.copies.shape != self.digests.shape[:1]:
            raise ValueError("every unit needs the number of its copy")

    def __len__(self) -> int:
        """Return the number of units present. It is private if the number of slots was given."""
        return len(self.copies)

    @classmethod
    def of_digests(cls, digests: np.ndarray) -> Identities:
        """Return the units of these digests, copies numbered within each digest."""
        return cls(digests=digests, copies=_copies(digests))


class UnitKey:
    """The secret key that deals the units of a run. It is drawn once a run, kept in `private/`, and never released.

    Guarantee:
        Labels of different identities are independent and uniform, if AES-256 is a pseudorandom function. Two domains
        (`Dealt`) share no number. A label depends on the unit's own identity and the key, on nothing else.

    Args:
        secret: 32 bytes that nobody else knows.

    Raises:
        InputError: another number of bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes):
            raise InputError(f"the key that deals units must be {KEY_BYTES} bytes, not {told(secret)}")
        if len(secret) != KEY_BYTES:
            raise InputError(
                f"the key that deals units has {KEY_BYTES} bytes, not {len(secret)}: use the file as it was"
            )
        self._secret = secret

    @classmethod
    def drawn(cls) -> UnitKey:
        """Draw a new key from the operating system."""
        return cls(os.urandom(KEY_BYTES))

    @property
    def digest(self) -> str:
        """SHA-256 that binds checkpoints to this key. Private, as the key."""
        return hashlib.sha256(b"gossamer unit key " + self._secret).hexdigest()

    def to_hex(self) -> str:
        """Return the key itself, for the file in `private/` alone."""
        return self._secret.hex()

    def uniform(self, what: Dealt, units: Identities) -> np.ndarray:
        """Return a number in [0, 1) for each unit, float64 (units,), from the first word of its tag."""
        return unit_interval(self._tags(what, units)[:, 0])

    def deal(self, what: Dealt, units: Identities, num_labels: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a label for each unit, and an order of all units that no file decides.

        Some labels are more likely by one part in 2^20 or less. This does no harm: the lemma needs labels that are
        independent and of one law, and any law will do.

        Privacy: within a shard all units stand in this order, never in the order of the file. In the file, a unit that
        leaves would move the units behind it. Equal units are alike, so that their order makes no difference.

        Returns:
            int64 (units,) in 0 .. num_labels - 1, and int64 (units,), places of units in rising order.

        Raises:
            InputError: fewer than one label, or more than 2^33.
        """
        if not 1 <= num_labels <= 2**33:
            raise InputError(f"units can be dealt to 1 to {2**33} shards, not {num_labels}")
        tags = self._tags(what, units)
        labels = (unit_interval(tags[:, 0]) * num_labels).astype(np.int64)
        return labels, np.argsort(tags[:, 1], kind="stable")

    def by_roster(self, roster: np.ndarray) -> RosterKey:
        """Return this key with a public roster of people, each of whom it deals to a shard of their own.

        Args:
            roster: uint8 (K, 32), digests of all names that may come.
        """
        return RosterKey(self._secret, roster)

    def _tags(self, what: Dealt, units: Identities) -> np.ndarray:
        """Compute two 64-bit words a unit: CBC-MAC over its 48 bytes, a pseudorandom function at this fixed length."""
        stream = Keystream(hashlib.sha256(f"gossamer deals: {what.value} ".encode() + self._secret).digest())
        tags = np.empty((len(units), 2), dtype=np.uint64)
        for first in range(0, len(units), _AT_ONCE):
            rows = slice(first, first + _AT_ONCE)
            halves = np.ascontiguousarray(units.digests[rows]).view("<u8").reshape(-1, 4)
            copies = np.zeros((len(halves), 2), dtype=np.uint64)
            copies[:, 0] = units.copies[rows]
            chained = np.zeros_like(copies)
            for block in (halves[:, :2], halves[:, 2:], copies):
                mixed = chained ^ block
                chained = stream.words(mixed[:, 0], mixed[:, 1])
            tags[rows] = chained
        return tags

    def __repr__(self) -> str:
        return "UnitKey(hidden)"

    def __reduce__(self) -> tuple[()]:
        # Privacy: a pickle would carry the key to every reader of the pickle.
        raise TypeError("the key that deals units cannot be pickled or copied: it stays in private/")


class RosterKey(UnitKey):
    """A secret key with a public roster of K people, each of whom it deals to one of K shards, and nobody else to it.

    The shard of a name is the rank of its tag among the tags of all names of the roster, with or without records.

    Guarantee:
        Names are matched with shards one to one, all K! ways alike, if AES-256 is a pseudorandom function. The match
        follows from the key and the public roster alone. So the lemma of docs/concepts/dealing.md holds. It is about a
        person of the roster who comes, leaves, changes, or is replaced by another one of it.

    Args:
        secret: 32 bytes that nobody else knows.
        roster: uint8 (K, 32), digests of all names that may come, each once.
    """

    def __init__(self, secret: bytes, roster: np.ndarray) -> None:
        super().__init__(secret)
        self._roster = np.unique(roster, axis=0)

    def deal(self, what: Dealt, units: Identities, num_labels: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the shard of each unit, and the units in the order of their shards, as `UnitKey.deal` does.

        Raises:
            InputError: another number of shards than of people on the roster, or somebody who is not on it.
        """
        num_people = len(self._roster)
        if num_labels != num_people:
            raise InputError(
                f"num_critics is {num_labels}, and the roster has {num_people} people: one critic for each of them, so "
                "leave num_critics out"
            )
        places = places_on(self._roster, units.digests)
        if places is None:
            raise InputError("somebody in the data is not on the roster")
        tags = self._tags(what, Identities(digests=self._roster, copies=np.zeros(num_people, dtype=np.int64)))
        shards = np.empty(num_people, dtype=np.int64)
        shards[np.lexsort((tags[:, 1], tags[:, 0]))] = np.arange(num_people)
        labels = shards[places]
        return labels, np.argsort(labels)


def places_on(roster: np.ndarray, digests: np.ndarray) -> np.ndarray | None:
    """Return the place of each digest among those of a roster, int64 (digests,), None if one is not on it.

    Args:
        roster: uint8 (K, 32), each digest once.
        digests: uint8 (digests, 32).
    """
    known = {digest.tobytes(): place for place, digest in enumerate(roster)}
    places = [known.get(digest.tobytes()) for digest in digests]
    return None if None in places else np.array(places, dtype=np.int64)


def _copies(digests: np.ndarray) -> np.ndarray:
    """Assign each unit its number among the units of its digest."""
    words = np.ascontiguousarray(digests).view("<u8").reshape(len(digests), 4)
    copies = np.zeros(len(digests), dtype=np.int64)
    # Few units share even their first word: only those are compared in full.
    ranked = np.argsort(words[:, 0], kind="stable")
    first = words[ranked, 0]
    is_shared = np.zeros(len(ranked), dtype=bool)
    is_shared[1:] = first[1:] == first[:-1]
    is_shared[:-1] |= is_shared[1:]
    shared = np.sort(ranked[is_shared])
    order = shared[np.lexsort(words[shared].T)]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (words[order[1:]] != words[order[:-1]]).any(axis=1)
    places = np.arange(len(order))
    copies[order] = places - np.maximum.accumulate(np.where(is_new, places, 0))
    return copies
