"""Fixtures that every part of the suite may use."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from gossamer.cli.main import main
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import moved_here

# The same examples at every run, and no clock: a busy machine must not fail a test.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
# Tiny tensors gain nothing from threads, and lose much on a machine that is busy; fixtures of whole modules, too.
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def few_objects() -> None:
    """Leave out of collections all that is there before a file's tests: libraries and tests, half a second a time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Whatever a test before has set."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def heard_signals() -> Iterator[None]:
    """Started by nohup, or in the background of a script, the suite ignores these, and so would every command in it."""
    heard = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real data, from GOSSAMER_DATA; without it the test is skipped, or fails if data are required."""
    value = os.environ.get("GOSSAMER_DATA")
    if value:
        return Path(value)
    if os.environ.get("GOSSAMER_REQUIRE_DATA") == "1":
        pytest.fail("GOSSAMER_REQUIRE_DATA=1, but GOSSAMER_DATA names no folder of real data")
    pytest.skip("needs real data: set GOSSAMER_DATA")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, for processes that they start, too: that of the user is never touched."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOSSAMER_CACHE", str(path))
        yield path


class SharedFolders:
    """Folders and files that several tests look at, and that no test may change.

    A test that changes one would decide what the tests after it find, and those are others in every worker.
    """

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, str]] = {}

    def add(self, path: Path) -> Path:
        """Hold a folder or file to its present content. Return its path."""
        self._known[path] = self._content(path)
        return path

    def changed(self) -> list[str]:
        """Return the paths that were added, changed or removed since the last call."""
        found: list[str] = []
        for path, before in self._known.items():
            now = self._content(path)
            found += [f"{path}/{name}" for name in sorted(before.keys() | now) if before.get(name) != now.get(name)]
            self._known[path] = now  # so that the tests after it are not blamed, too
        return found

    @staticmethod
    def _content(path: Path) -> dict[str, str]:
        """Mode and digest of everything in a folder, by its path there."""
        return {
            str(part.relative_to(path)): f"{part.lstat().st_mode:o} "
            + (hashlib.sha256(part.read_bytes()).hexdigest() if part.is_file() else "")
            for part in [path, *path.rglob("*")]
        }


@pytest.fixture(scope="session")
def shared_folders() -> SharedFolders:
    """Folders of fixtures that outlive a test; whoever makes such a folder adds it."""
    return SharedFolders()


@pytest.fixture(autouse=True)
def nothing_shared_is_changed(shared_folders: SharedFolders) -> Iterator[None]:
    """Fail the test that changes what other tests look at."""
    yield
    assert shared_folders.changed() == [], "other tests look at these: change a copy of your own"


@dataclass(frozen=True)
class Said:
    """What a command left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def gossamer() -> Callable[..., Said]:
    """Run the command line on some words, in this process."""

    def run(*arguments: object) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Said(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def copy_run() -> Callable[[Path, Path], Path]:
    """Copies a run to be changed by a test; the copy takes itself for the run and not for a copy."""

    def copy(run: Path, to: Path) -> Path:
        shutil.copytree(run, to)
        moved_here(RunFolder(to))
        return to

    return copy
