"""The command `gossamer`: finds the verb, and turns errors into one line and an exit code."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from gossamer.cli.deferred import defer
from gossamer.cli.outputs import outlive_readers
from gossamer.errors import GossamerError, is_lack_of_memory

GROUPS = {
    "start": {
        "demo": "a whole run on digits that ship with scikit-learn, in two minutes",
        "zoo": "releases that come with the package, to draw from at once",
        "data": "list data sets, and describe your own as it is understood",
        "doctor": "a look at everything that is needed: versions, data, disk, a small self test",
        "completion": "a script with which bash, zsh or fish completes commands by the tab key",
    },
    "learn": {
        "account": "the epsilon of settings, or the noise that a budget asks for, without any data",
        "train": "learn a generator from private records, within a privacy budget",
        "resume": "go on with an interrupted training",
        "pretrain": "warm up a range of a run's critics on a node of its own",
        "federate": "train with other sites by files: records stay, and noisy sums leave",
        "ledger": "the steps that a run has paid for, and those that were lost",
    },
    "judge": {
        "evaluate": "how good synthetic images are: every score with its interval, over epsilon too",
        "compare": "several runs and files side by side",
        "encoder": "train the classifier in whose features images are scored",
        "audit": "the success of an adversary: at the mechanism, at whole trainings, at members",
    },
    "share": {
        "sample": "draw synthetic images or series from a released generator",
        "predict": "name the class of records by a released mixture, which spends nothing",
        "report": "one HTML page about a release, to hand over; or a private one with scores and audits",
        "verify": "compare a run, or a release alone, with its statement",
        "finish": "delete checkpoints and critics of a run whose release is final",
    },
}
VERBS = {verb: summary for verbs in GROUPS.values() for verb, summary in verbs.items()}
_MEANT = {
    "check": "verify", "classify": "predict", "describe": "data describe", "epsilon": "account", "fit": "train",
    "generate": "sample", "list": "data list", "score": "evaluate", "status": "ledger", "test": "evaluate",
}  # fmt: skip
_SHARED = ("train", "resume")
"""Verbs that several processes may share, each of which does its part of the whole."""
_DEALT = ("evaluate", "compare", "audit")
"""Verbs that the first of several processes runs, and deals jobs of to the others."""
INTERRUPTED = 130
NO_MEMORY = "out of memory; use fewer critics at once (--critics-at-once) or a smaller recipe, or draw fewer samples"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: without the program's name. Default: those of the process.

    Returns:
        Exit code: 0 done, 2 bad input, 3 refused for privacy, 4 lack of a resource, 130 interrupted.
    """
    if arguments is None:
        outlive_readers()
        defer("dp_accounting")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    match arguments:
        case []:
            return _guarded("welcome", lambda: _run("welcome", []))
        case ["-h" | "--help", *_] | ["help"]:
            print(_overview())
            return 0
        case ["-V" | "--version"]:
            print(_version())
            return 0
        case ["help", word] if word not in VERBS:
            return _explain(word)
        case ["help", *words]:
            arguments = [*words, "--help"]
    verb, *rest = arguments
    if verb not in VERBS:
        return _complain(_unknown(verb), 2)
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return _guarded(verb, lambda: _run(verb, rest))
    with _first_alone_speaks():
        if verb in _DEALT and os.environ.get("RANK", "0") != "0":
            return _guarded(verb, _help_with_jobs)
        if verb not in _SHARED + _DEALT:
            # Each process would do all of it, and a training within it would be spent once for each.
            return _complain(f"{verb} works in one process: start it without torchrun", 2)
        return _guarded(verb, lambda: _run(verb, rest))


def _help_with_jobs() -> int:
    from gossamer.driving.processes import help_with_jobs  # not at the beginning: no other command needs it

    help_with_jobs()
    return 0


def _guarded(verb: str, work: Callable[[], int]) -> int:
    try:
        with _terminated_as_interrupted():
            code = work()
            sys.stdout.flush()  # an answer that cannot be written must end with another exit code
            return code
    except GossamerError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has left, and nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename or verb}: {error.strerror or type(error).__name__}", 4)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not is_lack_of_memory(error):
            raise
        return _complain(NO_MEMORY, 4)


@contextlib.contextmanager
def _first_alone_speaks() -> Iterator[None]:
    """Let the first of several processes print, and no other one. The traceback of a fault is still printed."""
    # The libraries that join processes warn of the death of others, which is told in one line.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    number = os.environ.get("RANK", "0")
    # A word that is no number is refused, and whoever set it must hear of that.
    if not number.isdigit() or int(number) == 0:
        yield
        return
    with Path(os.devnull).open("w") as no, contextlib.redirect_stdout(no), contextlib.redirect_stderr(no):
        yield


def _run(verb: str, arguments: list[str]) -> int:
    try:
        return importlib.import_module(f"gossamer.cli.{verb}").run(arguments)
    except SystemExit as leaving:
        from gossamer.cli.help_page import HelpAsked  # not at the beginning: most of the time of `gossamer --help`

        if not isinstance(leaving, HelpAsked):
            raise
        print(leaving.text)
        return 0


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a terminal that is closed, end a command as Ctrl-C does.

    Workers, which may hold private images, end with it. A hang-up that the caller ignores, as nohup does, is ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    with contextlib.suppress(ValueError):  # not the main thread: the caller decides
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


def _unknown(verb: str) -> str:
    """Answer a word that is no command with the nearest one, if any is near."""
    near = _MEANT.get(verb) or next(iter(difflib.get_close_matches(verb.lower(), VERBS, n=1)), None)
    meant = "" if near is None else f"perhaps you meant `gossamer {near}`; "
    return f"no command {verb!r}; {meant}`gossamer --help` lists all"


def _explain(word: str) -> int:
    """Answer a word of another program with the command that does its work here."""
    from gossamer.cli.old_words import explain  # not at the beginning: no other answer needs it

    answer = explain(word)
    if answer is None:
        return _complain(_unknown(word), 2)
    print(answer)
    return 0


def _version() -> str:
    import importlib.metadata  # takes longer than all else that an answer without a verb needs

    return importlib.metadata.version("gossamer")


def _overview() -> str:
    width = max(map(len, VERBS))
    lines = ["gossamer: learn from private images and time series, and release a generator in their place,"]
    lines += ["under a differential privacy guarantee that is true.", "", "usage: gossamer COMMAND ..."]
    for group, verbs in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {verb:<{width}}  {summary}" for verb, summary in verbs.items())]
    return "\n".join(
        [*lines, "", "`gossamer COMMAND --help` has its options and an example, `gossamer` alone says what to do next."]
    )


if __name__ == "__main__":
    sys.exit(main())
