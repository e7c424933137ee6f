"""The secret key by which a run deals its units, kept in `private/` so that it deals them once."""

from __future__ import annotations

import os
from typing import Final

from gossamer.errors import InputError
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.files import read_bounded, whole_file
from gossamer.runs.folder import RunFolder

_MAX_BYTES: Final = 1000


def write_key(folder: RunFolder, key: UnitKey) -> None:
    """Keep the key of a new run, closed to others before the first byte is in it."""
    with whole_file(folder.key_file) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(key.to_hex().encode())


def read_key(folder: RunFolder) -> UnitKey:
    """Read the key that a run began with.

    Raises:
        InputError: the key is gone or damaged, so that units would be dealt anew, or an older version began the run.
    """
    path = folder.key_file
    if not path.is_file():
        raise InputError(
            f"{path}: missing; without the key that it began with a run cannot go on, and its held-out records are "
            "unknown: put the file back, or start a new run"
        )
    try:
        return UnitKey(bytes.fromhex(read_bounded(path, _MAX_BYTES).decode("ascii").strip()))
    except ValueError:
        raise InputError(f"{path}: damaged; put the file back as the training wrote it") from None
