"""The zoo: releases that come with the package, trained on public data, each a folder with its digests checked first.

`zoo.json` names the entries, the words that train each again, and the SHA-256 of each one's manifest. The manifest has
the SHA-256 of every file. A release of the zoo is read as any other: tensors alone, and no code.
"""

from __future__ import annotations

import difflib
import importlib.resources
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from gossamer.errors import InputError, PrivacyError
from gossamer.runs.files import read_json
from gossamer.runs.manifest import MANIFEST, file_digest, files_in, read_manifest

PREFIX: Final = "zoo:"
"""Beginning of the name of a release of the zoo, in the place of a path."""
INDEX: Final = "zoo.json"
FORMAT: Final = "gossamer-zoo-1"
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_AGAIN: Final = "install the package again, or train the release anew: `gossamer zoo --rebuild`"


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """One release of the zoo, or one that is still to be trained.

    Attributes:
        name: the word after ``zoo:``.
        words: of `gossamer train` without the run folder, which train it again.
        cpu_seconds: processor time of that training, about.
        manifest_sha256: of its manifest, None if it is not in the package.
        scores: on public test data, by name. Empty if nobody has scored it.

    Raises:
        InputError: a value of another form.
    """

    name: str
    words: tuple[str, ...]
    cpu_seconds: float
    manifest_sha256: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_named = isinstance(self.name, str) and _NAME.fullmatch(self.name)
        is_trained = self.manifest_sha256 is None or _DIGEST.fullmatch(self.manifest_sha256)
        if not (is_named and is_trained and self.words and all(isinstance(word, str) for word in self.words)):
            raise InputError(f"an entry of {INDEX} is damaged; {_AGAIN}")

    @property
    def data(self) -> str:
        """Name of the public data set."""
        return self.words[self.words.index("--data") + 1]

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.words[0]

    def to_json(self) -> dict[str, Any]:
        """Return plain types, which `Zoo.read` reads back."""
        return asdict(self) | {"words": list(self.words), "scores": dict(self.scores)}


@dataclass(frozen=True, kw_only=True)
class Zoo:
    """A folder with releases and their index.

    Attributes:
        folder: with `zoo.json` in it.
        entries: all of them, trained or not.
    """

    folder: Path
    entries: tuple[ZooEntry, ...]

    @classmethod
    def read(cls, folder: Path) -> Zoo:
        """Read the index.

        Raises:
            InputError: there is none, or it is damaged.
        """
        tree = read_json(folder / INDEX)
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise InputError(f"{folder / INDEX}: not the index of a zoo; {_AGAIN}")
        try:
            entries = tuple(ZooEntry(**one | {"words": tuple(one["words"])}) for one in tree["entries"])
        except (TypeError, KeyError, ValueError, AttributeError):
            raise InputError(f"{folder / INDEX}: an entry is damaged; {_AGAIN}") from None
        return cls(folder=folder, entries=entries)

    def find(self, name: str) -> ZooEntry:
        """Return the entry of a name.

        Raises:
            InputError: there is none.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        near = difflib.get_close_matches(name, [entry.name for entry in self.entries], n=1)
        meant = f"perhaps {PREFIX}{near[0]} was meant; " if near else ""
        raise InputError(f"no release {PREFIX}{name[:60]} in the zoo; {meant}`gossamer zoo` lists all")

    def checked(self, entry: ZooEntry) -> Path:
        """Return the folder of a release, after every file in it was compared with its digest.

        Raises:
            InputError: the entry is not trained, or a file cannot be read.
            PrivacyError: a file is another one, or one too many.
        """
        if entry.manifest_sha256 is None:
            raise InputError(
                f"{PREFIX}{entry.name} is not in the package; `gossamer zoo --rebuild {entry.name} --out zoo` trains "
                f"it in about {entry.cpu_seconds:.0f} s of processor time"
            )
        folder = self.folder / entry.name
        digests = {MANIFEST: entry.manifest_sha256}
        if file_digest(folder / MANIFEST) == entry.manifest_sha256:
            digests |= read_manifest(folder)
        wrong = [name for name, digest in digests.items() if file_digest(folder / name) != digest]
        # Privacy: whatever else lay there would be taken for covered.
        wrong += sorted(set(files_in(folder)) - set(digests))
        if wrong:
            raise PrivacyError(f"{folder / wrong[0]}: not the file that the zoo was made with; {_AGAIN}")
        return folder


def own_zoo() -> Zoo:
    """Return the zoo of this package.

    Raises:
        InputError: its index is not there, or damaged.
    """
    return Zoo.read(Path(str(importlib.resources.files("gossamer").joinpath("zoo"))))


def is_in_zoo(path: Path | str) -> bool:
    """Tell if a path is a name of the zoo."""
    return str(path).startswith(PREFIX)


def resolved(path: Path) -> Path:
    """Return the checked folder of ``zoo:NAME``, and any other path as it is.

    Raises:
        InputError: no such release.
        PrivacyError: one of its files is another one.
    """
    if not is_in_zoo(path):
        return path
    zoo = own_zoo()
    return zoo.checked(zoo.find(str(path).removeprefix(PREFIX)))
