"""Drives a training to its release: progress, checkpoints, orderly interrupts, and the statement at the end."""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import time
from dataclasses import asdict
from types import FrameType
from typing import Any

from rich.console import Console

from gossamer.cli.arguments import find_device, find_precision
from gossamer.cli.event_files import EventFiles
from gossamer.cli.job import TrainingJob, end_step, origin_of
from gossamer.cli.milestones import describe_milestones
from gossamer.cli.panel import Panel
from gossamer.cli.processes import num_processes, process_number, wait_for_all
from gossamer.cli.progress import Lines, progress
from gossamer.cli.releasing import MilestoneReleases, release, say
from gossamer.cli.training_plot import plot_if_possible
from gossamer.cli.watching import AbstractWatcher, Plain, Watch, Watching, can_show_panel
from gossamer.data.catalogue import find_named
from gossamer.data.records import RecordData
from gossamer.errors import InputError, PrivacyError
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.mechanisms.one_shot.plan import OneShotPlan
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.catalogue import book_of
from gossamer.methods.gs_wgan.training import GSWGANConfig, GSWGANTraining
from gossamer.methods.method import AbstractStepReport, AbstractTraining, RunContext
from gossamer.nn.ensemble import Tensors
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.checkpoint import Origin, load_checkpoint, load_tensors, save_checkpoint, save_tensors
from gossamer.runs.files import clear_partial_files, json_lines
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import read_identity
from gossamer.runs.ledger_file import LedgerFile

INTERRUPTED = 130
SECONDS_BETWEEN_CHECKPOINTS = 600.0


class FolderStore:
    """Keeps warm-started critics in `private/warm_start/`, one file a chunk, each bound to the key that dealt units.

    Args:
        folder: the run.
        origin: settings, records and key of the run.
    """

    def __init__(self, folder: RunFolder, origin: Origin) -> None:
        self._folder = folder.warm_start
        self._origin = origin

    def load(self, name: str) -> Tensors | None:
        """Return a piece; None if it was not finished."""
        path = self._folder / f"{name}.pt"
        return load_tensors(path, self._origin) if path.is_file() else None

    def save(self, name: str, tensors: Tensors) -> None:
        """Keep a finished piece."""
        save_tensors(self._folder / f"{name}.pt", tensors, self._origin)


class Interruption:
    """Turns the first SIGINT or SIGTERM into a wish that is granted at the next safe place; the second is at once.

    So does a terminal that is closed (SIGHUP), which says so twice where a shell passes it on: that one is never at
    once, and where the caller ignores it, as nohup does, it stays ignored.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        with contextlib.suppress(ValueError):  # not the main thread: nobody can interrupt it but its owner
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked and number != signal.SIGHUP:
            raise KeyboardInterrupt
        self.is_asked = True


def drive(
    job: TrainingJob, folder: RunFolder, data: RecordData, slots: PublicSlots, key: UnitKey, watching: Watching
) -> int:
    """Train from the newest checkpoint, or from the start, to the release.

    Returns:
        Exit code: 0 when the release is written, 130 when interrupted in good order.
    """
    _forbid_core_dumps()
    if process_number() > 0:
        folder.complete()
        _share_warm_start(_training(job, folder, data, slots, key, None, None))
        return 0
    with folder.locked(), Interruption() as interruption:
        # Privacy: before the first charge; steps that cannot be kept afterwards would be paid for and lost.
        folder.complete()
        clear_partial_files(folder.checkpoints, folder.release, *([] if num_processes() > 1 else [folder.warm_start]))
        origin = origin_of(job, data.train, key)
        state = load_checkpoint(folder.checkpoints, origin, folder.ledger_file)
        ledger = LedgerFile(
            folder.ledger_file,
            num_planned_steps=job.num_steps(slots),
            stops=_stops(job, slots),
            marks=job.save_at_steps,
        )
        training = _training(job, folder, data, slots, key, state, ledger)
        if num_processes() > 1:
            _share_warm_start(training)
        source = find_named(job.data)
        milestones = MilestoneReleases(job.save_at_steps, folder, source)
        ledger.end_at(training.end_step)
        watch = _watch(job, folder, watching, interruption)
        begin = time.monotonic()
        if not _train(training, ledger, folder, milestones, interruption, origin, watch):
            say(f"interrupted at step {training.step}; go on with: gossamer resume {folder.path}")
            return INTERRUPTED
        seconds = time.monotonic() - begin
        release(training.trained(), training.plan, ledger, folder, source)
        hindrance = plot_if_possible(folder, training.plan, job.delta, seconds)
        if hindrance is not None:
            say(f"no plot in {folder.plots}: {hindrance}")
    return 0


def _forbid_core_dumps() -> None:
    # Privacy: the core of a process that crashed would hold the key of its noise, and records.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _training(
    job: TrainingJob,
    folder: RunFolder,
    data: RecordData,
    slots: PublicSlots,
    key: UnitKey,
    state: dict[str, Any] | None,
    ledger: LedgerFile | None,
) -> AbstractTraining:
    spending: dict[str, Any] = {}
    num_steps = job.num_steps(slots)
    if ledger is not None:
        step = 0 if state is None else int(state["step"])
        spending = {"lost_steps": _lost_steps(job.plan(slots), job.delta, ledger, step), "charge": ledger.charge}
    circumstances = RunContext(
        delta=job.delta,
        slots=slots,
        key=key,
        device=find_device(job.device),
        precision=find_precision(job.precision),
        store=FolderStore(folder, origin_of(job, data.train, key)),
        public_notes=(*data.public_notes, *describe_milestones(job.save_at_steps, num_steps)),
        num_tuning_runs=job.num_tuning_runs,
        run_id=read_identity(folder).run_id,
        num_only_copies=0 if ledger is None else ledger.ledger.num_only_copies,
        state=state,
        **spending,
    )
    return book_of(job.method).method.start(job.method, data.train, KeyedNoise(), circumstances)


def _stops(job: TrainingJob, slots: PublicSlots) -> tuple[int, ...]:
    """Steps that no block of the ledger crosses: what is kept there is whole."""
    match job.method:
        case GSWGANConfig():
            return job.method.stage_starts()
    plan = job.plan(slots)
    # Privacy: what a crash loses is priced by its own share, so a block names one release of a one-shot method alone.
    return tuple(range(1, plan.num_steps + 1)) if isinstance(plan, OneShotPlan) else ()


def _lost_steps(plan: AbstractPlan, delta: float, ledger: LedgerFile, step: int) -> tuple[int, ...]:
    """Steps that were charged beside those of the checkpoint at ``step`` and lost in a crash: they stay paid.

    Raises:
        PrivacyError: the ledger knows of fewer steps than the checkpoint, or everything was lost.
    """
    try:
        lost = ledger.ledger.lost_steps(step)
    except PrivacyError as error:
        raise PrivacyError(f"{ledger.path}: {error}") from None
    left = end_step(plan, step, lost, delta) - step
    if lost and not step and left <= 0:
        raise PrivacyError(
            f"{ledger.path}: all {len(lost)} steps were paid for and lost in crashes, so none are left to train with; "
            "start a new run, whose epsilon adds to this one's"
        )
    if lost:
        say(f"{len(lost)} steps were paid for and lost in a crash; {left} are left")
    return lost


def _share_warm_start(training: AbstractTraining) -> None:
    """Every process does its part of the chunks, then all wait for each other.

    Raises:
        InputError: a method that has nothing to share out.
    """
    if not isinstance(training, GSWGANTraining):
        raise InputError("this method works in one process: start it without torchrun")
    for report in training.warm_start_part(process_number(), num_processes()):
        say(f"process {process_number()}: critics up to {report.num_ready} of {report.num_critics} ready")
    wait_for_all()


def _watch(job: TrainingJob, folder: RunFolder, watching: Watching, interruption: Interruption) -> Watch:
    """Whatever a person asked for and the terminal can show.

    Raises:
        InputError: event files are wanted, and TensorBoard is not installed.
    """
    console = Console(stderr=True)
    seen: AbstractWatcher
    if watching.plain:
        seen = Plain(Lines())
    elif sys.stderr.isatty() and can_show_panel(console):  # FORCE_COLOR makes no terminal of a log
        title = f"{book_of(job.method).method.name}: {folder.path}"
        seen = Panel(title, console, lambda: interruption.is_asked)
    else:
        seen = Plain(progress())
    # A run that was begun with event files goes on with them.
    has_events = watching.tensorboard or folder.tensorboard.is_dir()
    return Watch([seen, EventFiles(folder.tensorboard)] if has_events else [seen])


def _train(
    training: AbstractTraining,
    ledger: LedgerFile,
    folder: RunFolder,
    milestones: MilestoneReleases,
    interruption: Interruption,
    origin: Origin,
    watch: Watch,
) -> bool:
    """Go to the end of the plan, or to the first safe place after an interruption (then False)."""
    saved, was_spent, kept_step = time.monotonic(), training.step >= training.end_step, training.step
    # One that a crash left unwritten is due at once.
    milestones.release_due(training, ledger)
    with watch.opened(), json_lines(folder.metrics_file) as note:
        for report in training:
            watch.show(training, report)
            if isinstance(report, AbstractStepReport):
                note(asdict(report))
                milestones.release_due(training, ledger)
            is_late = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS
            # What was paid for is kept at once where the rest costs time alone, or where it is one dear step.
            is_spent = training.step >= training.end_step
            is_dear = isinstance(training.plan, OneShotPlan) and training.step > kept_step
            is_wanted = interruption.is_asked or is_late or is_dear or (is_spent and not was_spent)
            if is_wanted and not training.is_over and (is_spent or ledger.is_block_end(training.step)):
                save_checkpoint(folder.checkpoints, training.step, training.state_dict(), origin, ledger.position())
                saved, kept_step = time.monotonic(), training.step
                if interruption.is_asked:
                    return False
            was_spent = is_spent
    save_checkpoint(folder.checkpoints, training.step, training.state_dict(), origin, ledger.position())
    return True
