"""A private cache: results computed from real data once, found again by a digest of everything they came from."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from gossamer.errors import InputError, ResourceError
from gossamer.runs.files import whole_file

FORMAT: Final = "gossamer-cache-1"
_VERSIONED: Final = ("gossamer", "torch")
_README: Final = """Private: everything in this folder was computed from real, maybe private, data.

No privacy guarantee covers it. Never share it, never publish it, keep it out of backups that others can read.
It may be deleted at any time: what is missing is computed again.
"""


@dataclass(frozen=True)
class CacheFolder:
    """Results kept between commands, each a file named by its kind and by a digest of its sources.

    Guarantee:
        None. Everything in it was computed from real, maybe private, data. Even a file's name is a digest: it could
        confirm a candidate data set. The folder is open to its owner alone, and nothing in it may be released.

    A file that is damaged, or that another program or version wrote, counts as absent: it is computed again, never
    trusted. No code is run by reading.

    Attributes:
        path: the folder, made when something is saved.
    """

    path: Path

    @classmethod
    def default(cls) -> CacheFolder:
        """Choose the folder ``private`` in $GOSSAMER_CACHE, else $XDG_CACHE_HOME/gossamer, else ~/.cache/gossamer.

        It is a folder of its own, since public downloads may be kept beside it.
        """
        given, shared = os.environ.get("GOSSAMER_CACHE"), os.environ.get("XDG_CACHE_HOME")
        home = Path(given) if given else Path(shared or "~/.cache") / "gossamer"
        return cls(home.expanduser() / "private")

    def prepare(self) -> None:
        """Make the folder, closed to others, with a note on its purpose. Call this before a long computation, too.

        Raises:
            ResourceError: the folder cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Privacy: the mode is set even if the folder was there before, or if the umask was in the way.
            self.path.chmod(0o700)
            if not (self.path / "README").is_file():
                (self.path / "README").write_text(_README, encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error.strerror or type(error).__name__) from None

    def file(self, kind: str, key: str, suffix: str) -> Path:
        """Return the path of an entry, present or not.

        Args:
            kind: name of the kind of result, in small letters and hyphens.
            key: digest from `content_key`.
            suffix: ``.json`` or ``.safetensors``.

        Raises:
            InputError: a kind or a key that is no plain name.
        """
        if not (re.fullmatch(r"[a-z][a-z-]*", kind) and re.fullmatch(r"[0-9a-f]{64}", key)):
            raise InputError(
                f"cache entry {kind!r}: a kind has small letters and hyphens, a key comes from content_key"
            )
        return self.path / f"{kind}-{key}{suffix}"

    def save_json(self, kind: str, key: str, tree: Any) -> Path:
        """Keep plain JSON.

        Raises:
            InputError: the tree holds something that JSON cannot (NaN, an array).
            ResourceError: the folder cannot be written.
        """
        text = _canonical(tree)
        envelope = _label(kind, key) | {"sha256": hashlib.sha256(text.encode()).hexdigest(), "tree": text}
        return self._write(self.file(kind, key, ".json"), json.dumps(envelope).encode())

    def load_json(self, kind: str, key: str) -> Any | None:
        """Load the tree that `save_json` kept, None if there is nothing whole."""
        try:
            envelope = json.loads(self.file(kind, key, ".json").read_bytes())
            text = envelope.pop("tree")
            expected = _label(kind, key) | {"sha256": hashlib.sha256(text.encode()).hexdigest()}
            return json.loads(text) if envelope == expected else None
        except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            return None

    def save_tensors(self, kind: str, key: str, tensors: Mapping[str, Tensor], tree: Any) -> Path:
        """Keep tensors, with plain JSON about them in the header of the same file.

        Raises:
            InputError: the tree holds something that JSON cannot.
            ResourceError: the folder cannot be written.
        """
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        text = _canonical(tree)
        header = _label(kind, key) | {"tree": text, "sha256": _digest(_arrays(whole), text)}
        return self._write(
            self.file(kind, key, ".safetensors"),
            safetensors.torch.save(whole, metadata={"gossamer": _canonical(header)}),
        )

    def load_tensors(self, kind: str, key: str) -> tuple[dict[str, Tensor], Any] | None:
        """Load tensors and tree that `save_tensors` kept, None if there is nothing whole."""
        path = self.file(kind, key, ".safetensors")
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                header = dict(file.metadata() or {})
                # Several names, as earlier versions wrote them, had no order. One makes equal files of equal content.
                header = json.loads(header["gossamer"]) if set(header) == {"gossamer"} else header
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = header.pop("tree")
            expected = _label(kind, key) | {"sha256": _digest(_arrays(tensors), text)}
            return (tensors, json.loads(text)) if header == expected else None
        except (
            safetensors.SafetensorError,
            OSError,
            ValueError,
            LookupError,
            AttributeError,
            TypeError,
            RecursionError,
        ):
            return None

    def _write(self, path: Path, content: bytes) -> Path:
        self.prepare()
        # The file has a name of its own until it is whole: two commands may compute the same result at the same time.
        own = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            with whole_file(own) as file:
                file.write(content)
            own.replace(path)
        except (ResourceError, OSError):
            own.unlink(missing_ok=True)
            raise self._unwritable("disk full or read-only") from None
        return path

    def _unwritable(self, reason: str) -> ResourceError:
        return ResourceError(
            f"{self.path}: the cache cannot be written ({reason}); set GOSSAMER_CACHE to a folder of yours"
        )


def content_key(arrays: Mapping[str, NDArray[Any]], tree: Any) -> str:
    """Compute SHA-256 of records and settings, and of the versions of gossamer and torch that compute with them.

    Guarantee:
        None: it could confirm a candidate data set. Keep it as private as the records.

    Args:
        arrays: records by name (``{"x": ..., "y": ...}``), of numbers. Names, types, shapes and bytes count.
        tree: settings as plain JSON.

    Returns:
        64 hexadecimal digits, equal if and only if all of that is equal.

    Raises:
        InputError: the tree holds something that JSON cannot, or an array holds Python objects.

    >>> one, other = (content_key({"x": np.zeros(3)}, {"seed": seed}) for seed in (0, 1))
    >>> len(one), one == other
    (64, False)
    """
    versions = {name: metadata.version(name) for name in _VERSIONED}
    return _digest(arrays, _canonical({"format": FORMAT, "versions": versions, "settings": tree}))


def _digest(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        if array.dtype.hasobject:
            raise InputError(f"{name}: holds Python objects; give an array of numbers")
        # A header of known length keeps one array's end from being read as the next one's beginning.
        header = json.dumps([name, array.dtype.str, array.shape]).encode()
        digest.update(len(header).to_bytes(8, "big") + header)
        digest.update(np.ascontiguousarray(array).data)
    digest.update(text.encode())
    return digest.hexdigest()


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _label(kind: str, key: str) -> dict[str, str]:
    return {"format": FORMAT, "kind": kind, "key": key}


def _canonical(tree: Any) -> str:
    try:
        return json.dumps(tree, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"not plain JSON with finite numbers, so it cannot be cached ({error})") from None
