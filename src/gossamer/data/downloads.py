"""Downloads of published files: verified by size and SHA-256 before they get their name."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gossamer.data.files import CHUNK_BYTES, shown
from gossamer.errors import InputError

TIMEOUT_SECONDS: Final = 10.0
"""Longest silence of the other side, in seconds."""
MAX_SECONDS: Final = 600.0
"""Longest duration of the download of one file, in seconds."""


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A public file as its publisher made it.

    Args:
        name: File name, appended to the publisher's address.
        num_bytes: Its size.
        sha256: Its SHA-256, in hexadecimal.
    """

    name: str
    num_bytes: int
    sha256: str


def download(home: str, file: PublishedFile, folder: Path) -> Path:
    """Fetch a published file into a folder.

    Nothing is written unless size and SHA-256 are right. The file is written under a temporary name and then renamed.
    So the name never stands for half a file, even if two processes download at once.

    Args:
        home: Address that the file name is appended to.
        file: The expected file.
        folder: Folder of the file, made if absent.

    Returns:
        Path of the file.

    Raises:
        InputError: No connection, another content than the published one, or the folder cannot be written.
    """
    url = home + file.name
    content = _fetch(url, file.num_bytes)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise InputError(f"the download of {url} is not the published file (its size or SHA-256 differs); try again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _store(content, folder / file.name)
    except OSError as error:
        raise InputError(
            f"{shown(folder)} cannot be written for a download ({_reason(error)}); set GOSSAMER_CACHE or --data-dir "
            "to a folder of yours"
        ) from None


def _store(content: bytes, path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(content)
        return temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _fetch(url: str, num_bytes: int) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            return _read_at_most(response, num_bytes + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"the download of {url} failed (HTTP {error.code})") from None
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"the download of {url} failed ({_reason(error)})") from None


def _read_at_most(response: BinaryIO, limit: int) -> bytes:
    content, deadline = bytearray(), time.monotonic() + MAX_SECONDS
    while len(content) < limit and (chunk := response.read(min(CHUNK_BYTES, limit - len(content)))):
        if time.monotonic() > deadline:
            raise TimeoutError(f"slower than {MAX_SECONDS:.0f} seconds")
        content += chunk
    return bytes(content)


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return " ".join(text.split())[:200] or type(reason).__name__
