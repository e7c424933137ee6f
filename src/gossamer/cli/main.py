"""The command `gossamer`: finds the verb, turns errors into one line and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from gossamer.cli.outputs import outlive_readers
from gossamer.errors import GossamerError, is_lack_of_memory

VERBS = {
    "demo": "a whole run on digits that ship with scikit-learn, in under three minutes",
    "train": "learn a generator from private images, within a privacy budget",
    "resume": "go on with an interrupted training",
    "sample": "draw synthetic images from a released generator",
    "ledger": "what a run has paid for, and what was lost of it",
    "verify": "whether a run, or a release alone, is what its statement says",
    "audit": "what an adversary finds out: of the mechanism, of whole trainings, of members",
    "evaluate": "how good synthetic images are: every score with its interval, over epsilon too",
    "compare": "several runs and files side by side",
    "encoder": "train the classifier in whose features images are scored",
    "account": "what settings cost, or what noise a budget asks for, without any data",
    "data": "list and describe data sets",
}
INTERRUPTED = 130
NO_MEMORY = "out of memory; use fewer critics at once (--critics-at-once) or a smaller recipe, or draw fewer samples"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns:
        Exit code: 0 done, 2 bad input, 3 refused for privacy, 4 lack of a resource, 130 interrupted.
    """
    if arguments is None:
        outlive_readers()
        arguments = sys.argv[1:]
    arguments = list(arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(importlib.metadata.version("gossamer"))
        return 0
    return _guarded(arguments[0], arguments[1:])


def _guarded(verb: str, arguments: list[str]) -> int:
    if verb not in VERBS:
        return _complain(f"no command {verb!r}; the commands are {', '.join(VERBS)}", 2)
    try:
        with _terminated_as_interrupted():
            code = importlib.import_module(f"gossamer.cli.{verb}").run(arguments)
            sys.stdout.flush()  # where what was asked for cannot be written, the exit code must say so
            return code
    except GossamerError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has left; nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename or verb}: {error.strerror or type(error).__name__}", 4)
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        return _complain(NO_MEMORY, 4)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 2


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, end a command as Ctrl-C does.

    Workers, which may hold private images, end with it. A hang-up that the caller ignores, as nohup does, is ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    with contextlib.suppress(ValueError):  # not the main thread: whoever called us decides
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(message: str, code: int) -> int:
    print(f"gossamer: {' '.join(message.split())}", file=sys.stderr)
    return code


def _overview() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {what}" for verb, what in VERBS.items()]
    return "\n".join(
        [
            "gossamer: synthetic images from private ones, with a privacy guarantee that is true.",
            "",
            "usage: gossamer COMMAND ...     (gossamer COMMAND --help for its options)",
            "",
            *lines,
            "",
            "Start with: gossamer demo",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
