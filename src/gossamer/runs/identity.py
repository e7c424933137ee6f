"""The run of a folder, and the folder in which the run goes on: both reveal a copy or a restored backup."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy.claim import own_version
from gossamer.runs.files import read_bounded, strict_json, write_json
from gossamer.runs.folder import RunFolder

SCHEMA = 1
OLDER = (
    "begun by an older version of gossamer, so that this version cannot go on; finish it with the version that began "
    "it, or start a new run; CHANGELOG under Privacy says which releases are affected"
)
"""The remark on a run from before there were ids and keys."""
COPY = (
    "this folder is a copy of the run's folder, or was moved to another file system or restored from a backup; two "
    "copies that go on would each spend the budget"
)
"""The remark on a folder that is not the one remembered."""
_MAX_BYTES = 10_000
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OSError)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a folder: renaming it within its file system keeps both numbers, copying it does not.

    Attributes:
        device: number of the file system.
        inode: number of the folder in it.

    Raises:
        InputError: no numbers.
    """

    device: int
    inode: int

    def __post_init__(self) -> None:
        if any(type(number) is not int or number < 0 for number in (self.device, self.inode)):
            raise InputError("device and inode of a folder are whole numbers from 0 on")

    @classmethod
    def of(cls, folder: Path) -> Place:
        """Return the present place of a folder.

        Raises:
            InputError: the folder is not there.
        """
        try:
            found = folder.stat()
        except OSError:
            raise InputError(f"{folder}: missing; a run cannot go on without this folder, so start a new run") from None
        return cls(device=found.st_dev, inode=found.st_ino)


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """The identity of a run, kept in `private/run.json`.

    Attributes:
        run_id: 32 hexadecimal digits from the operating system. No secret: it stands in every statement of the run, and
            nothing of key or data is in it.
        gossamer_version: version that began the run.
        folder: place of the run folder.
        private: place of its `private/`.

    Raises:
        InputError: no such id or version.
    """

    run_id: str
    gossamer_version: str
    folder: Place
    private: Place

    def __post_init__(self) -> None:
        if not isinstance(self.run_id, str) or not _RUN_ID.fullmatch(self.run_id):
            raise InputError("the id of a run has 32 hexadecimal digits")
        if not isinstance(self.gossamer_version, str) or not self.gossamer_version.isprintable():
            raise InputError("the version that began a run is a text")

    def is_of(self, folder: RunFolder) -> bool:
        """Tell if the run folder and its `private/` are the ones remembered."""
        return (self.folder, self.private) == (Place.of(folder.path), Place.of(folder.private))

    def write(self, folder: RunFolder) -> None:
        """Write `private/run.json`."""
        write_json(folder.identity_file, {"schema": SCHEMA} | asdict(self))


def new_identity(folder: RunFolder) -> RunIdentity:
    """Give a new run its id, and remember the place of its folder."""
    identity = RunIdentity(
        run_id=os.urandom(16).hex(),
        gossamer_version=own_version(),
        folder=Place.of(folder.path),
        private=Place.of(folder.private),
    )
    identity.write(folder)
    return identity


def moved_here(folder: RunFolder) -> RunIdentity:
    """Remember that the run goes on in the present place of its folder."""
    before = read_identity(folder)
    identity = replace(before, folder=Place.of(folder.path), private=Place.of(folder.private))
    identity.write(folder)
    return identity


def read_identity(folder: RunFolder) -> RunIdentity:
    """Read the identity of a run.

    Raises:
        InputError: the identity is gone or damaged, or an older version began the run.
    """
    path = folder.identity_file
    if is_older(folder):
        raise InputError(f"{folder.path}: {OLDER}")
    if not path.is_file():
        raise InputError(
            f"{path}: missing; without it nobody can tell a copy of this run from the run itself: put the file back, "
            "or start a new run"
        )
    try:
        return _identity(strict_json(read_bounded(path, _MAX_BYTES)))
    except _DAMAGE:
        raise InputError(f"{path}: damaged; put the file back as the training wrote it, or start a new run") from None


def is_older(folder: RunFolder) -> bool:
    """Tell if the run began under a version that gave it neither an id nor a key."""
    return folder.private.is_dir() and not folder.identity_file.exists() and not folder.key_file.exists()


def check_goes_on_here(folder: RunFolder, identity: RunIdentity) -> None:
    """Refuse a copy of the run's folder.

    Raises:
        PrivacyError: the folder, or its `private/`, is not the one that was remembered.
    """
    if not identity.is_of(folder):
        # Privacy: noise is never used twice, so each branch is true; but both together cost more than either says.
        raise PrivacyError(
            f"{folder.path}: {COPY}; go on in one copy only, with `gossamer resume {folder.path} --only-copy`: every "
            "later statement then says so"
        )


def _identity(tree: Any) -> RunIdentity:
    if tree.pop("schema") != SCHEMA:
        raise ValueError("another schema")
    return RunIdentity(**tree | {name: Place(**tree[name]) for name in ("folder", "private")})
