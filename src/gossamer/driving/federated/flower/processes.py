"""Processes of Flower: started in silence, stopped with us, and never allowed to run code that was sent to them."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gossamer.errors import ResourceError

PURPOSE: Final = "a training between sites by Flower"
"""The work that needs the extra, for messages."""
SILENCE: Final[Mapping[str, str]] = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_LOG_LEVEL": "WARNING",
}
"""Environment in which Flower sends nothing to those who make it."""
LOOPBACK: Final = "127.0.0.1"
_STOPPING: Final = 5.0
_STARTING: Final = 60.0
# `flower-superlink` and `flower-supernode` by the Python that runs, so that no PATH decides which Flower is meant. The
# monitor ends the process when we are killed.
_STARTER: Final = """
import sys
from flwr.supercore.app_utils import start_parent_process_monitor
start_parent_process_monitor(int(sys.argv.pop(1)))
from flwr.{module} import {function}
{function}()
"""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of Flower's processes.

    Attributes:
        name: of the command.
        module: that has it, within the package of Flower.
        function: that runs it.
    """

    name: str
    module: str
    function: str


SUPERLINK: Final = Kind(name="flower-superlink", module="superlink.cli", function="flower_superlink")
SUPERNODE: Final = Kind(name="flower-supernode", module="supernode.cli", function="flower_supernode")


def be_silent() -> None:
    """Switch off telemetry and the search for updates of Flower, here and in processes that are started from here."""
    os.environ.update(SILENCE)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A temporary folder of Flower's processes, readable by us alone.

    Attributes:
        path: of the folder.
        secret: a process that hands out tasks gives them to those who know it.
    """

    path: Path
    secret: bytes

    @property
    def secret_file(self) -> Path:
        """The file of the secret."""
        return self.path / "secret"

    @classmethod
    @contextlib.contextmanager
    def made(cls) -> Iterator[Workplace]:
        """Make the folder, and remove it in the end."""
        with tempfile.TemporaryDirectory(prefix="gossamer-flower-") as path:
            place = cls(path=Path(path), secret=secrets.token_bytes(32))
            place.secret_file.write_bytes(place.secret)
            yield place


@dataclass(frozen=True, kw_only=True)
class Started:
    """A process of Flower that runs.

    Attributes:
        kind: of the process.
        process: itself.
        log: file of its messages.
    """

    kind: Kind
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_running(self) -> bool:
        """False if it has ended."""
        return self.process.poll() is None

    def check(self) -> None:
        """Refuse to go on without the process.

        Raises:
            ResourceError: it has ended, with the last line that it wrote.
        """
        if not self.is_running:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
            raise ResourceError(f"{self.kind.name} has ended: {lines[-1][:500]}")

    def wait_for(self, port: int) -> None:
        """Wait until the process listens at a port of this machine.

        Raises:
            ResourceError: it ends, or does not listen within a minute.
        """
        end = time.monotonic() + _STARTING
        while time.monotonic() < end:
            self.check()
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                return
            time.sleep(0.1)
        raise ResourceError(f"{self.kind.name} does not listen at port {port} after {_STARTING:g} s; see {self.log}")


@contextlib.contextmanager
def running(kind: Kind, options: Sequence[str], place: Workplace) -> Iterator[Started]:
    """Start a process of Flower, and stop it in the end.

    It hands out tasks and carries messages. With ``--isolation process`` it starts no application.

    Args:
        kind: of the process.
        options: of its command line.
        place: its folder.
    """
    log = place.path / f"{kind.name}.log"
    starter = _STARTER.format(module=kind.module, function=kind.function)
    # Privacy: by default Flower runs the bundle of code that comes with a message.
    words = ["--isolation", "process", "--superexec-auth-secret-file", str(place.secret_file), *options]
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", starter, str(os.getpid()), *words],
            env={**os.environ, **SILENCE, "FLWR_HOME": str(place.path / "home")},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Started(kind=kind, process=process, log=log)
    finally:
        process.terminate()
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port of this machine that nobody listens at now."""
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])
