"""The run folder: `release/` holds the files that the guarantee covers, `private/` everything else that saw data."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import platform
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gossamer.errors import InputError, ResourceError
from gossamer.runs.files import write_json

_VERSIONED = ("gossamer", "torch", "numpy", "scipy", "dp-accounting", "cryptography", "safetensors", "scikit-learn")


class _Part:
    """A path below that of a run folder."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __get__(self, folder: RunFolder, owner: type | None = None) -> Path:
        return folder.path / self._place


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    Attributes:
        path: the folder given by the user.
    """

    path: Path

    config_file = _Part("config.json")
    """Complete settings, public."""
    environment_file = _Part("environment.json")
    """Versions and machine, public."""
    release = _Part("release")
    """The folder of files that may leave."""
    generator_file = _Part("release/generator.safetensors")
    """The released generator."""
    saved = _Part("release/checkpoints")
    """Generators released during the training, a folder each."""
    private = _Part("private")
    """The folder of files that must stay."""
    checkpoints = _Part("private/checkpoints")
    """States to go on from."""
    warm_start = _Part("private/warm_start")
    """Finished chunks of warm-started critics."""
    ledger_file = _Part("private/ledger.jsonl")
    """The file of the charges."""
    plan_file = _Part("private/plan.json")
    """Public number of slots, with which the settings make a plan."""
    key_file = _Part("private/units.key")
    """Secret key by which units are dealt to shards and sides."""
    identity_file = _Part("private/run.json")
    """Id of the run, and the remembered place of its folder."""
    released_file = _Part("private/released.jsonl")
    """The list of releases, each written down before it appears."""
    num_released_file = _Part("released.json")
    """The file with the length of `released_file`, outside `private/`: an older list put back is shorter."""
    release_digest_file = _Part("private/release.sha256")
    """The file with the digest of the release, which reveals another release in its place."""
    start_file = _Part("private/start.safetensors")
    """Networks that the run began with, if it had a public start."""
    start_digest_file = _Part("private/start.sha256")
    """The file with their digest."""
    finished_file = _Part("private/finished.json")
    """The number of steps done, kept when the checkpoints of a run that has ended were deleted."""
    audits = _Part("private/audit")
    """The folder of this run's audits."""
    tensorboard = _Part("private/tensorboard")
    """Event files, if they were asked for."""
    plots = _Part("private/plots")
    """Curves of the training."""
    metrics_file = _Part("private/metrics.jsonl")
    """Losses and speeds, one JSON object a line."""

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make a new run folder.

        A folder that exists must be empty, or hold only the remains of a crash before its settings were written.

        Raises:
            InputError: something is there already.
            ResourceError: the folder cannot be made.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())) and not _is_unbegun(path):
            raise InputError(f"{path}: exists and is not empty; name another --out, or `gossamer resume {path}`")
        folder = cls(path)
        try:
            # `release/` comes first: it tells a folder that a crash left behind from a folder of somebody else.
            folder.release.mkdir(parents=True, exist_ok=True)
            folder.private.mkdir(exist_ok=True)
            folder._make_parts()
            folder.private.chmod(0o700)
        except OSError as error:
            raise ResourceError(f"{path}: cannot make a run folder ({error.strerror}); name another --out") from None
        write_json(folder.environment_file, environment())
        write_json(folder.num_released_file, {"num_released": 0})
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run folder.

        Raises:
            InputError: there is none.
        """
        folder = cls(path)
        if not folder.config_file.is_file():
            raise InputError(f"{path}: no run here (config.json is missing); `gossamer train` makes one")
        return folder

    def complete(self) -> None:
        """Make the missing folders of a run: some programs that copy leave out empty folders.

        Raises:
            ResourceError: a folder cannot be made.
        """
        try:
            self._make_parts()
        except OSError as error:
            raise ResourceError(
                f"{self.path}: a folder in it cannot be made ({error.strerror}); make the run writable, then resume it"
            ) from None

    def _make_parts(self) -> None:
        for part in (self.release, self.checkpoints, self.warm_start):
            part.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run: a second process is refused.

        Raises:
            InputError: private/ is gone, and with it all that is needed to go on, or private/ holds links or pipes.
            ResourceError: another process holds the run.
        """
        if not self.private.is_dir():
            raise InputError(f"{self.private}: missing; a run cannot go on without this folder, so start a new run")
        with contextlib.ExitStack() as held:
            try:
                # No link is followed, which could lead to any file, and no pipe is waited for.
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
                file = held.enter_context(os.fdopen(os.open(self.private / "lock", flags, 0o600), "w"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ResourceError(f"{self.path}: another process works on this run; wait for it to end") from None
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise ResourceError(
                    f"{self.path}: cannot be held ({reason}); a run needs a folder with the right to write and to lock"
                ) from None
            _check_plain(self.private)
            yield


def _check_plain(folder: Path) -> None:
    """Refuse links and pipes: a write must not go through a link, nor wait for the other end of a pipe."""
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # others who share the work may just have renamed it
            if not (stat.S_ISREG(path.lstat().st_mode) or path.is_dir()):
                raise InputError(f"{path}: neither a file nor a folder; a run holds nothing else, so remove it")


def _is_unbegun(path: Path) -> bool:
    """Tell if a folder holds the beginnings of a run without `config.json`, which comes last: nothing was spent."""
    folder, beginnings = RunFolder(path), ("environment.json", "released.json", "release", "private")
    if not folder.release.is_dir() or any(
        one.name not in beginnings and one.suffix != ".partial" for one in path.iterdir()
    ):
        return False
    files = [file for part in (folder.release, folder.private) for file in part.rglob("*") if not file.is_dir()]
    begun = ("lock", "plan.json", "units.key", "run.json")
    return all(file.suffix in (".sha256", ".partial") or file.name in begun for file in files)


def environment() -> dict[str, str]:
    """Return the versions that a result depends on, and the kind of machine: no host name, no path."""
    versions = {}
    for name in _VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # scikit-learn is of an extra
            versions[name] = importlib.metadata.version(name)
    return {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()} | versions
