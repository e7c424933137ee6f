"""A driver from settings to a release: ledger, checkpoints, orderly interrupts, and the statement at the end."""

from __future__ import annotations

import enum
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gossamer.driving.interruption import Interruption
from gossamer.driving.job import IN_MEMORY
from gossamer.driving.listener import AbstractListener
from gossamer.driving.milestones import describe_milestones
from gossamer.driving.processes import (
    crew_of_run,
    leaving_signals_to_the_first,
    num_processes,
    place_on_machine,
    process_number,
)
from gossamer.driving.releasing import Releases
from gossamer.driving.run import Run
from gossamer.driving.starting import kept_start
from gossamer.driving.training_plot import plot_if_possible
from gossamer.errors import GossamerError, PrivacyError
from gossamer.mechanisms.crew import AbstractCrew, Alone
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.methods.training import AbstractStepReport, AbstractTraining, RunContext
from gossamer.nn.devices import find_device, find_precision
from gossamer.nn.ensemble import Tensors
from gossamer.runs.checkpoint import load_checkpoint, load_tensors, save_checkpoint, save_tensors
from gossamer.runs.files import clear_partial_files, json_lines
from gossamer.runs.identity import read_identity
from gossamer.runs.ledger_file import LedgerFile

SECONDS_BETWEEN_CHECKPOINTS = 600.0


class Ending(enum.Enum):
    """The end of driving a run.

    ``RELEASED``: the release is written. ``INTERRUPTED``: in good order, and the run can go on. ``SHARED``: this
    process has done its part of the work of another one.
    """

    RELEASED = "released"
    INTERRUPTED = "interrupted"
    SHARED = "shared"


class FolderStore:
    """A store of pieces of a warm start in `private/warm_start/`, a file each, bound to the key of the run.

    Beside them may lie files that the training keeps for itself.

    Args:
        run: which.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def load(self, name: str) -> Tensors | None:
        """Return a piece, or None if it was not finished."""
        path = self._run.folder.warm_start / f"{name}.pt"
        return load_tensors(path, self._run.origin) if path.is_file() else None

    def save(self, name: str, tensors: Tensors) -> None:
        """Keep a finished piece."""
        save_tensors(self._run.folder.warm_start / f"{name}.pt", tensors, self._run.origin)

    def place(self, name: str) -> Path | None:
        """Return a path beside the pieces."""
        return self._run.folder.warm_start / name


def drive(run: Run, listener: AbstractListener) -> Ending:
    """Train from the newest checkpoint, or from the start, to the release.

    Raises:
        InputError: the training diverged, or the folder holds files of another run.
        PrivacyError: ledger, checkpoints and statement do not fit together, or nothing is left to spend.
        ResourceError: the folder cannot be written, or another process works on it.
    """
    forbid_core_dumps()
    if process_number() > 0:
        _help(run)
        return Ending.SHARED
    with run.folder.locked(), crew_of_run(_device(run)) as crew, Interruption() as interruption:
        leading = Drive(run, listener, interruption, crew)
        for _ in leading:
            pass
        return leading.ending


def _help(run: Run) -> None:
    """Do this process's part of the work that the first process orders."""
    fault = None
    try:
        run.check_same_start()
    except GossamerError as error:
        fault = error
    with crew_of_run(_device(run), fault) as crew, leaving_signals_to_the_first():
        _training(run, crew=crew, charge=_refuse).help()


def _refuse(step: int) -> None:
    # Privacy: only the leader draws, and only after it has written the ledger.
    raise PrivacyError(f"step {step} was taken by a process that does not lead")


def forbid_core_dumps() -> None:
    """Let a process that crashes leave no core."""
    # Privacy: the core of a process that crashed would hold the key of its noise, and records.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


class Drive:
    """The driving of a run by its leading process, which holds the folder. Iterate over it to the end.

    Attributes:
        training: that is driven. Private.
        ending: the end that it took. ``INTERRUPTED`` until the release is written.

    Args:
        run: to be driven.
        listener: called back.
        interruption: a wish to stop.
        crew: the processes that share the work. Default: this one alone.
    """

    def __init__(
        self, run: Run, listener: AbstractListener, interruption: Interruption, crew: AbstractCrew | None = None
    ) -> None:
        self._run, self._listener, self._interruption = run, listener, interruption
        folder, job = run.folder, run.job
        # Privacy: before the first charge; steps that cannot be kept afterwards would be paid for and lost.
        folder.complete()
        clear_partial_files(folder.checkpoints, folder.release, folder.warm_start)
        state = load_checkpoint(folder.checkpoints, run.origin, folder.ledger_file)
        self._ledger = LedgerFile(
            folder.ledger_file,
            num_planned_steps=job.num_steps(run.loaded.slots),
            stops=job.of_method.stops(job.method, run.loaded.slots),
            marks=job.save_at_steps,
        )
        lost = self._lost_steps(0 if state is None else int(state["step"]))
        num_copies = self._ledger.ledger.num_only_copies
        self.training = _training(
            run,
            state=state,
            lost_steps=lost,
            charge=self._ledger.charge,
            num_only_copies=num_copies,
            crew=Alone() if crew is None else crew,
        )
        self.ending, self._is_stopped = Ending.INTERRUPTED, False
        self._saved, self._kept_step = time.monotonic(), self.training.step
        self._was_spent = self.training.step >= self.training.end_step
        self._releases = Releases(run, self._ledger, listener.note)
        self._ledger.end_at(self.training.end_step)

    def __iter__(self) -> Iterator[Any]:
        """Train and release, or stop in good order, and yield each report once all that is due is written.

        A caller who leaves the iteration stops at once. A step that no checkpoint could be kept after stays paid for,
        and is lost.
        """
        begin = time.monotonic()
        folder, training = self._run.folder, self.training
        yield from self._train()
        if self._is_stopped:
            in_python = self._run.job.data == IN_MEMORY
            way = "fit(..., run=...) and the same records" if in_python else f"gossamer resume {folder.path}"
            self._listener.note(f"interrupted at step {training.step}; go on with: {way}")
            return
        seconds = time.monotonic() - begin
        self._releases.release(training.trained())
        hindrance = plot_if_possible(folder, training.plan, self._run.job.delta, seconds)
        if hindrance is not None:
            self._listener.note(f"no plot in {folder.plots}: {hindrance}")
        self.ending = Ending.RELEASED

    def _lost_steps(self, step: int) -> tuple[int, ...]:
        """Return the steps that a crash lost after the checkpoint at ``step`` was kept. They stay paid.

        Raises:
            PrivacyError: the ledger has fewer steps than the checkpoint or other steps than the plan, or all were lost.
        """
        ledger = self._ledger
        try:
            # A step that the plan does not have is refused before it is looked up in the plan.
            self._run.plan.spent_by(ledger.ledger)
            lost = ledger.ledger.lost_steps(step)
        except PrivacyError as error:
            raise PrivacyError(f"{ledger.path}: {error}") from None
        left = self._run.plan.end_step(step, lost) - step
        if lost and not step and left <= 0:
            raise PrivacyError(
                f"{ledger.path}: all {len(lost)} steps were paid for and lost in crashes, so none are left to train "
                "with; start a new run, whose epsilon adds to this one's"
            )
        if lost:
            self._listener.note(f"{len(lost)} steps were paid for and lost in a crash; {left} are left")
        return lost

    def _train(self) -> Iterator[Any]:
        """Go to the end of the plan, or to the first safe place after an interruption."""
        training, listener, interruption = self.training, self._listener, self._interruption
        # One that a crash left unwritten is due at once.
        self._releases.release_due(training)
        with listener.listening(lambda: interruption.is_asked), json_lines(self._run.folder.metrics_file) as note:
            for report in training:
                listener.hear(training, report)
                if isinstance(report, AbstractStepReport):
                    note(asdict(report))
                    self._releases.release_due(training)
                self._keep_if_due()
                if self._is_stopped:
                    return
                try:
                    yield report
                except GeneratorExit:
                    self._keep_if_possible()
                    raise
                if interruption.is_asked and self._keep_if_possible():  # the caller may just have asked
                    self._is_stopped = True
                    return
        self._save()

    def _keep_if_due(self) -> None:
        training = self.training
        is_late = time.monotonic() - self._saved > SECONDS_BETWEEN_CHECKPOINTS
        # Paid steps are kept at once if the rest costs time alone, or if each is dear.
        is_spent = training.step >= training.end_step
        is_dear = bool(training.plan.step_names) and training.step > self._kept_step
        if self._interruption.is_asked or is_late or is_dear or (is_spent and not self._was_spent):
            kept = self._keep_if_possible()
            self._is_stopped = kept and self._interruption.is_asked
        self._was_spent = is_spent

    def _keep_if_possible(self) -> bool:
        """Keep a checkpoint if this is a place to go on from: the end of a block, or after the last private step."""
        training = self.training
        is_spent = training.step >= training.end_step
        if training.is_over or not (is_spent or self._ledger.is_block_end(training.step)):
            return False
        self._save()
        self._saved, self._kept_step = time.monotonic(), training.step
        return True

    def _save(self) -> None:
        training, run = self.training, self._run
        state, position = training.state_dict(), self._ledger.position()
        save_checkpoint(run.folder.checkpoints, training.step, state, run.origin, position)


def _training(run: Run, **spent: Any) -> AbstractTraining:
    job, loaded = run.job, run.loaded
    context = RunContext(
        delta=job.delta,
        slots=loaded.slots,
        key=loaded.key,
        device=_device(run),
        precision=find_precision(job.precision),
        store=FolderStore(run),
        public_notes=(
            *job.recipe_notes,
            *loaded.data.public_notes,
            *describe_milestones(job.save_at_steps, run.plan.num_steps),
        ),
        num_tuning_runs=job.num_tuning_runs,
        run_id=read_identity(run.folder).run_id,
        start=kept_start(run.folder, job.start),
        **spent,
    )
    return job.of_method.start(job.method, loaded.data.train, KeyedNoise(), context)


def start_again(run: Run) -> AbstractTraining:
    """Start the training of a run anew, as it was before its first step. No step is taken, and none is charged."""
    return _training(run)


def _device(run: Run) -> torch.device:
    """Find the device of this process: of several on a machine with as many GPUs, each takes its own."""
    device = find_device(run.job.device)
    return torch.device("cuda", place_on_machine()) if device.type == "cuda" and num_processes() > 1 else device
