"""The files of a release, each with its SHA-256, to check that a folder still holds these files and no others."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gossamer.errors import InputError
from gossamer.runs.files import read_json

FORMAT: Final = "gossamer-release-1"
MANIFEST: Final = "manifest.json"
MAX_FILES: Final = 100_000
"""The largest number of files that is looked through in a release. A hostile folder may hold more."""


def manifest_tree(digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of `manifest.json` for the SHA-256 of each file, hexadecimal, by path within the folder."""
    return {"format": FORMAT, "sha256": dict(sorted(digests.items()))}


def read_manifest(folder: Path) -> dict[str, str]:
    """Read the digests that a release was written with, by path within the folder.

    Raises:
        InputError: there is no manifest, or the manifest is none of gossamer's.
    """
    path = folder / MANIFEST
    tree = read_json(path)
    if not isinstance(tree, dict) or tree.get("format") != FORMAT or not isinstance(tree.get("sha256"), dict):
        raise InputError(f"{path}: not the manifest of a release; use the folder as it was written")
    digests = tree["sha256"]
    if not all(isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests.values()):
        raise InputError(f"{path}: holds something that is no SHA-256; use the folder as it was written")
    return digests


def file_digest(path: Path) -> str:
    """Compute SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: the file cannot be read, or is a link, a folder or a device.
    """
    try:
        # Opened without following a link and without waiting for the other end of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{path}: no plain file; use the folder as it was written")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None


def files_in(folder: Path) -> Iterator[str]:
    """List the paths, within a folder, of everything in it that is no folder. Links are not followed.

    Raises:
        InputError: there are more than `MAX_FILES`.
    """
    number = 0
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in (*files, *links):
            number += 1
            if number > MAX_FILES:
                raise InputError(
                    f"{folder}: holds more than {MAX_FILES} files; that is no release: name the folder that a "
                    "training wrote"
                )
            yield (Path(parent) / name).relative_to(folder).as_posix()
