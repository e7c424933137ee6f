"""A public roster: the names of all people who may have records, one a line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gossamer.data.files import damage_refused, open_regular, shown
from gossamer.data.identities import digests_of_names
from gossamer.data.names import names_of_texts
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.privacy.dealing import places_on

_MAX_BYTES: Final = 2**26


@dataclass(frozen=True, kw_only=True)
class RosterFile:
    """The file of a roster, and a digest of the people on it, in any order.

    Attributes:
        path: Absolute path.
        sha256: Of the people.
    """

    path: str
    sha256: str

    def read(self) -> Roster:
        """Read the roster again.

        Raises:
            InputError: It is not there, or has other people on it.
        """
        roster = Roster.read(Path(self.path))
        if roster.file.sha256 != self.sha256:
            raise InputError(
                f"{shown(Path(self.path))}: not the people that this run began with; put the roster back, or start a "
                "new run"
            )
        return roster


@dataclass(frozen=True, kw_only=True, eq=False)
class Roster:
    """The people who may have records. Public: it must have been fixed without a look at who has some.

    Attributes:
        file: That it was read from.
        digests: uint8 (people, 32), of their names.
    """

    file: RosterFile
    digests: np.ndarray

    def __len__(self) -> int:
        """Return the number of people on it, which is public."""
        return len(self.digests)

    @classmethod
    def read(cls, path: Path) -> Roster:
        """Read a file with a name a line, by the one rule for names, so that 7 and 7.0 are one person.

        Raises:
            InputError: It is not there, is no text, is empty or too long, or a line is no name or names a person again.
        """
        where = shown(path)
        with open_regular(path) as file, damage_refused(where):
            content = file.read(_MAX_BYTES + 1)
            lines = content.decode("utf-8-sig").splitlines() if len(content) <= _MAX_BYTES else []
        if len(content) > _MAX_BYTES:
            raise InputError(f"{where}: longer than {_MAX_BYTES} bytes, so no list of names; name the list")
        names = names_of_texts(lines, lambda index: f"{where}: line {index + 1}").tolist()
        if not names:
            raise InputError(f"{where}: has no name in it: write one a line, of all people who may have records")
        firsts: dict[str, int] = {}
        for index, name in enumerate(names):
            if firsts.setdefault(name, index) != index:
                raise InputError(f"{where}: line {index + 1} names the person of line {firsts[name] + 1}: keep one")
        digests = digests_of_names(sorted(names))
        sha256 = hashlib.sha256(digests.tobytes()).hexdigest()
        return cls(file=RosterFile(path=str(path.resolve()), sha256=sha256), digests=digests)

    def check_holds(self, records: RecordSet) -> None:
        """Refuse records of somebody who is not on it, without a word of who or how many.

        Raises:
            InputError: there is somebody.
        """
        # Privacy: a name, a row or a count would tell of private records. A line of the roster would tell who has none.
        if records.person_digests is not None and places_on(self.digests, records.person_digests) is None:
            raise InputError(
                f"{records.name}: somebody in the data is not on the roster {shown(Path(self.file.path))}: a roster "
                "lists all people who may have records, under the names that the data has for them"
            )

    @property
    def note(self) -> str:
        """The sentence for the statement."""
        number = len(self)
        people, critics = ("people are those", "critics") if number > 1 else ("person is the one", "critic")
        return (
            f"The {number} {people} on a list of names, which the user says is public and was made without a look at "
            f"who has records. A secret key matches these names with {number} {critics}, one to one. Who of them has "
            "records is not public. Nobody else can come, and what is on the list is not protected."
        )
