"""A run followed on the terminal: driven to its end, shown on its way, and said in plain words."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console

from gossamer.cli.event_files import EventFiles
from gossamer.cli.outputs import say
from gossamer.cli.panel import Panel
from gossamer.cli.progress import Lines, progress
from gossamer.cli.watching import AbstractWatcher, Plain, Watch, Watching, can_show_panel
from gossamer.cli.worth import show_worth
from gossamer.driving.driver import Ending, drive
from gossamer.driving.generator_file import load_generator
from gossamer.driving.listener import AbstractListener
from gossamer.driving.run import Run
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractTraining
from gossamer.methods.verdict import Verdict
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.statement import round_up, shown_epsilon
from gossamer.runs.folder import RunFolder
from gossamer.runs.release import saved_generators

INTERRUPTED = 130


def follow(run: Run, watching: Watching) -> int:
    """Drive a run to its end, and say how it ended.

    Returns:
        Exit code: 0 when the release is written, 130 when interrupted in good order.
    """
    ending = drive(run, _Terminal(run, watching))
    if ending is Ending.RELEASED:
        trained = load_generator(run.folder.path)
        show_worth(trained, is_plain=watching.plain)
        _announce_release(trained, run.folder)
    return INTERRUPTED if ending is Ending.INTERRUPTED else 0


class _Terminal(AbstractListener):
    """A person at a terminal, or a log."""

    def __init__(self, run: Run, watching: Watching) -> None:
        self._run, self._watching = run, watching

    def note(self, line: str) -> None:
        """Say a line on standard error."""
        say(line)

    def hear(self, training: AbstractTraining, report: Any) -> None:
        """Show a report."""
        self._watch.show(training, report)

    @contextlib.contextmanager
    def listening(self, is_stopping: Callable[[], bool]) -> Iterator[None]:
        """Open the panel, bars or lines, and event files if they are wanted."""
        with _watch(self._run, self._watching, is_stopping).opened() as self._watch:
            yield


def _watch(run: Run, watching: Watching, is_stopping: Callable[[], bool]) -> Watch:
    """Open the watchers that a person asked for and the terminal can show.

    Raises:
        InputError: event files are wanted, and TensorBoard is not installed.
    """
    console, folder = Console(stderr=True), run.folder
    seen: AbstractWatcher
    if watching.plain:
        seen = Plain(Lines())
    elif sys.stderr.isatty() and can_show_panel(console):  # FORCE_COLOR makes no terminal of a log
        seen = Panel(f"{run.job.of_method.name}: {folder.path}", console, is_stopping)
    else:
        seen = Plain(progress())
    # A run that was begun with event files goes on with them.
    has_events = watching.tensorboard or folder.tensorboard.is_dir()
    return Watch([seen, EventFiles(folder.tensorboard)] if has_events else [seen])


def _announce_release(trained: TrainedGenerator, folder: RunFolder) -> None:
    statement = trained.statement
    epsilon, num_saved = round_up(statement.epsilon), len(saved_generators(folder))
    # Privacy: a replacement is two changes where one is a record added or removed, and costs more; and where the number
    # of units was counted in the data, a replacement is all that is covered.
    without = {
        Adjacency.SLOT: "without it, or with another in its place",
        Adjacency.ADD_OR_REMOVE_ONE: "without it",
        Adjacency.REPLACE_ONE: "with any other in its place",
    }[statement.adjacency]
    factor = f"{math.ceil(math.exp(epsilon)):,}" if epsilon < 30 else f"more than {math.floor(math.exp(30)):,}"
    saved = f"Saved on the way: {num_saved} generators in {folder.saved}, at no further cost.\n" if num_saved else ""
    print(
        f"\nReleased: {folder.release}\n"
        f"Protected: {statement.unit.protected}, whichever of the {statement.num_slots} it is. Whatever is computed "
        f"from the release is at most e^epsilon\n  times as likely with it as {without}, up to a "
        f"probability of delta: epsilon = {shown_epsilon(statement.epsilon)}, a factor of {factor}; "
        f"delta = {statement.delta:g}.\n"
        f"{_sharing(trained.verdict, folder)}\n"
        f"{saved}"
        f"Keep to yourself: {folder.private}, which saw the data.\n"
        f"What is assumed, and what is not covered: {folder.release / 'PRIVACY.md'}\n"
        f"Next: {_next(trained.verdict, folder)}"
    )


def _next(verdict: Verdict | None, folder: RunFolder) -> str:
    """Say what to do with a release: draw from it, or look before noise is drawn."""
    if verdict is not None and verdict.advice is not None:
        return f"gossamer report {folder.path}, to see what the noise has left"
    return f"gossamer sample {folder.path} --num-samples 1000 --out samples.npz"


def _sharing(verdict: Verdict | None, folder: RunFolder) -> str:
    """Say that all of a release may be shared, or that a release of noise is not worth it."""
    if verdict is not None and verdict.advice is not None:
        return (
            f"Share: rather nothing. {folder.release} {verdict.advice}. More records, or a larger epsilon, which adds "
            "to this one, would show more."
        )
    return f"Share: everything in {folder.release}, and as many samples as you like."
