"""Help pages kept on this machine: the options of a training are read from settings that import torch, for seconds."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_WORD: Final = re.compile(r"[a-z][a-z-]*")
_PACKAGE: Final = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class KeptHelp:
    """The page that answers ``gossamer WORDS --help`` at one width of the terminal, made by this very program.

    Name, size and time of every file of the package are part of the key. So a page is written anew after any change of
    the program. Pages are public, and may be deleted at any time.

    Attributes:
        file: of the page, present or not.
    """

    file: Path

    @classmethod
    def of(cls, arguments: Sequence[str]) -> KeptHelp | None:
        """Return the place of the page, None if the words ask for no page, or for one that files may decide."""
        *words, last = arguments or [""]
        if last not in ("-h", "--help") or len(words) > 2 or not all(map(_WORD.fullmatch, words)):
            return None
        digest = hashlib.sha256(repr((list(arguments), shutil.get_terminal_size().columns, sys.version)).encode())
        for line in _files(_PACKAGE):
            digest.update(line.encode())
        return cls(file=_folder() / f"{digest.hexdigest()[:32]}.txt")

    def read(self) -> str | None:
        """Return the page, None if it is not kept."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return self.file.read_text(encoding="utf-8") or None
        return None

    def write(self, page: str) -> None:
        """Keep the page. A folder that cannot be written is no reason to say anything."""
        own = self.file.with_suffix(f".{secrets.token_hex(8)}")
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(page, encoding="utf-8")
            own.replace(self.file)


def _files(folder: Path) -> Iterator[str]:
    """Yield a line for every file of Python below a folder, in one order."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _files(Path(entry.path))
        elif entry.name.endswith((".py", ".csv")):
            found = entry.stat()
            yield f"{entry.path} {found.st_size} {found.st_mtime_ns}\n"


def _folder() -> Path:
    given, shared = os.environ.get("GOSSAMER_CACHE"), os.environ.get("XDG_CACHE_HOME")
    home = Path(given) if given else Path(shared or "~/.cache") / "gossamer"
    return home.expanduser() / "help"
