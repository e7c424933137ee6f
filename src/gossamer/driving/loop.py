"""A loop of the caller's own over a training in a run folder: ledger, checkpoints, release, and going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gossamer.driving.driver import Drive, Ending, forbid_core_dumps
from gossamer.driving.generator_file import load_generator
from gossamer.driving.interruption import Interruption
from gossamer.driving.listener import AbstractListener
from gossamer.driving.run import Run
from gossamer.errors import InputError
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractTraining, Progress


class RunLoop:
    """A training in a run folder, in the caller's own loop. Iterate over it, and take the generator at the end.

    The folder is held while the loop runs. Each step is charged to the ledger before it is taken. `stop` ends the loop
    at the next safe place, where a checkpoint is kept. ``break``, an error or a crash ends it at once. Steps that no
    checkpoint was kept after are then lost, and stay paid for. Started again with the same folder, settings and
    records, the loop goes on from the newest checkpoint.

    Guarantee: as of ``gossamer train`` and ``gossamer resume``: noise is never used twice, because each start draws a
    new key of it. The loop and its reports are private. The generator that `trained` returns has the privacy that its
    statement says.

    Args:
        run: begun or taken up.
        note: told in words of steps that were lost, and of interruptions.
    """

    def __init__(self, run: Run, note: Callable[[str], None]) -> None:
        self._run, self._note = run, note
        self._interruption = Interruption()
        self._training: AbstractTraining | None = None
        self._yielded: set[type] = set()

    def __iter__(self) -> Iterator[Any]:
        """Train to the release, and yield each report. A run that has ended yields none.

        Raises:
            InputError: the training diverged, or the folder holds files of another run.
            PrivacyError: ledger, checkpoints and statement do not fit together, or nothing is left to spend.
            ResourceError: the folder cannot be written, or another process or loop works on it.
            KeyboardInterrupt: Ctrl-C was pressed. The steps that were paid for are kept.
        """
        if self.has_ended:
            return
        forbid_core_dumps()
        self._interruption = Interruption()
        is_stopping = self._interruption
        with self._run.folder.locked(), is_stopping:
            leading = Drive(self._run, _Notes(self._note), is_stopping)
            self._training = leading.training
            for report in leading:
                self._yielded.add(type(report))
                yield report
        if leading.ending is not Ending.RELEASED and is_stopping.is_signalled:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Ask the loop to end at the next safe place. It may make a few more steps until then."""
        self._interruption.ask()

    @property
    def step(self) -> int:
        """Private steps done. 0 before the loop has begun."""
        return 0 if self._training is None else self._training.step

    @property
    def has_ended(self) -> bool:
        """True if the release is written."""
        return self._run.folder.generator_file.is_file()

    def progress(self, report: Any) -> Progress:
        """Tell the progress of the training after one of its reports.

        Raises:
            InputError: the loop has not begun, or yielded no such report.
        """
        if self._training is None or type(report) not in self._yielded:
            raise InputError("progress is that of a report which this loop has yielded: hand one over")
        return self._training.progress(report)

    def trained(self) -> TrainedGenerator:
        """Return the generator of the release.

        Raises:
            InputError: the run has not ended yet.
        """
        if not self.has_ended:
            raise InputError(
                "the run has not ended: iterate over the loop to its end, or start it again with the same records"
            )
        return load_generator(self._run.folder.path)


class _Notes(AbstractListener):
    """Listener that passes on notes alone: the caller sees the reports."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def note(self, line: str) -> None:
        """Pass on the line."""
        self._note(line)

    def hear(self, training: AbstractTraining, report: Any) -> None:
        """Do nothing."""
