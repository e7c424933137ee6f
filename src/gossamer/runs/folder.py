"""The run folder: `release/` holds what the guarantee covers, `private/` everything else that saw data."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gossamer.errors import InputError, ResourceError
from gossamer.runs.files import write_json

_VERSIONED = ("gossamer", "torch", "numpy", "scipy", "dp-accounting", "cryptography", "safetensors", "scikit-learn")


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    Attributes:
        path: the folder given by the user.
    """

    path: Path

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """A new run folder; one that exists must be empty.

        Raises:
            InputError: something is there already.
            ResourceError: it cannot be made.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(f"{path}: exists and is not empty; name another --out, or `gossamer resume {path}`")
        folder = cls(path)
        try:
            for part in (folder.release, folder.private, folder.checkpoints, folder.warm_start):
                part.mkdir(parents=True, exist_ok=True)
            folder.private.chmod(0o700)
        except OSError as error:
            raise ResourceError(f"{path}: cannot make a run folder ({error.strerror}); name another --out") from None
        write_json(folder.environment_file, environment())
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run folder.

        Raises:
            InputError: there is none.
        """
        folder = cls(path)
        if not folder.config_file.is_file():
            raise InputError(f"{path}: no run here (config.json is missing); `gossamer train` makes one")
        return folder

    @property
    def config_file(self) -> Path:
        """Complete settings, public."""
        return self.path / "config.json"

    @property
    def environment_file(self) -> Path:
        """Versions and machine, public."""
        return self.path / "environment.json"

    @property
    def release(self) -> Path:
        """What may leave."""
        return self.path / "release"

    @property
    def generator_file(self) -> Path:
        """The released generator."""
        return self.release / "generator.safetensors"

    @property
    def saved(self) -> Path:
        """Generators released as they were on the way, a folder each."""
        return self.release / "checkpoints"

    @property
    def private(self) -> Path:
        """What must stay."""
        return self.path / "private"

    @property
    def checkpoints(self) -> Path:
        """States to go on from."""
        return self.private / "checkpoints"

    @property
    def warm_start(self) -> Path:
        """Finished chunks of warm-started critics."""
        return self.private / "warm_start"

    @property
    def ledger_file(self) -> Path:
        """What was charged."""
        return self.private / "ledger.jsonl"

    @property
    def metrics_file(self) -> Path:
        """Losses and speeds, one JSON object a line."""
        return self.private / "metrics.jsonl"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run: a second process is refused.

        Raises:
            InputError: private/ is gone, and with it all that is needed to go on.
            ResourceError: another process holds it.
        """
        if not self.private.is_dir():
            raise InputError(f"{self.private}: missing; without it a run cannot go on, start a new one")
        with (self.private / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ResourceError(f"{self.path}: another process works on this run; wait for it to end") from None
            yield


def environment() -> dict[str, str]:
    """Versions of what a result depends on, and the kind of machine: no host name, no path."""
    versions = {name: importlib.metadata.version(name) for name in _VERSIONED}
    return {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()} | versions
