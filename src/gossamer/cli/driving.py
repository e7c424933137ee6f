"""Drives a training to its release: progress, checkpoints, orderly interrupts, and the statement at the end."""

from __future__ import annotations

import contextlib
import math
import resource
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from rich.console import Console

from gossamer.cli.arguments import find_device, find_precision
from gossamer.cli.event_files import EventFiles
from gossamer.cli.handing_over import card_facts, write_picture, write_records
from gossamer.cli.job import TrainingJob, origin_of
from gossamer.cli.milestones import describe_milestones, round_up
from gossamer.cli.panel import Panel
from gossamer.cli.processes import num_processes, process_number, wait_for_all
from gossamer.cli.progress import Lines, progress
from gossamer.cli.training_plot import plot_if_possible
from gossamer.cli.watching import AbstractWatcher, Plain, Watch, Watching, can_show_panel
from gossamer.data.catalogue import NamedData, find_named
from gossamer.data.records import AbstractSpec, RecordData
from gossamer.errors import InputError, PrivacyError
from gossamer.extras import MissingExtra
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.methods.gs_wgan import GSWGANConfig, GSWGANTraining
from gossamer.methods.method import AbstractStepReport, AbstractTraining, Circumstances
from gossamer.methods.started_gs_wgan import ReleaseReport, StartedGSWGANConfig
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.warm_start import WarmStartChunk
from gossamer.nn.ensemble import Tensors
from gossamer.privacy.adjacency import Adjacency
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots
from gossamer.privacy.statement import PrivacyStatement, shown_epsilon
from gossamer.recipes.books import MethodConfig, book_of
from gossamer.runs.cards import model_card
from gossamer.runs.checkpoint import Origin, load_checkpoint, load_tensors, save_checkpoint, save_tensors
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.drawn import SAMPLES, SAMPLES_FILE, write_sample_cards
from gossamer.runs.files import clear_partial_files, json_lines
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import LedgerFile
from gossamer.runs.release import clear_unfinished, saved_generators, saved_path, write_release, write_saved_generator

INTERRUPTED = 130
SECONDS_BETWEEN_CHECKPOINTS = 600.0
NUM_RELEASED_SAMPLES = 1000


class FolderStore:
    """Keeps warm-started critics in `private/warm_start/`, one file a chunk, each bound to the key that dealt units.

    Args:
        folder: the run.
        origin: settings, records and key of the run.
    """

    def __init__(self, folder: RunFolder, origin: Origin) -> None:
        self._folder = folder.warm_start
        self._origin = origin

    def load(self, chunk: WarmStartChunk) -> Tensors | None:
        """The chunk's critics, or None if it was not finished."""
        path = self._path(chunk)
        return load_tensors(path, self._origin) if path.is_file() else None

    def save(self, chunk: WarmStartChunk, critics: Tensors) -> None:
        """Keep a finished chunk."""
        save_tensors(self._path(chunk), critics, self._origin)

    def _path(self, chunk: WarmStartChunk) -> Path:
        return self._folder / f"stage-{chunk.stage}-critics-{chunk.first:06d}-{chunk.last:06d}.pt"


class MilestoneReleases:
    """Releases the generator as it is at the steps that were fixed before the training, each once.

    Steps lost in a crash count: a milestone is reached when so many steps are paid for, and no block of the ledger
    crosses one, so what is charged there is what the milestone's statement says, whatever was lost on the way.

    Args:
        steps: of the milestones.
        folder: the run.
        source: the published set that is learnt from, None for a user's own.
    """

    def __init__(self, steps: tuple[int, ...], folder: RunFolder, source: NamedData | None) -> None:
        self._steps = steps
        self._source = source
        self._folder = folder
        clear_unfinished(folder)

    def release_due(self, training: AbstractTraining, ledger: LedgerFile) -> None:
        """Write the generator if a milestone is reached that has none yet.

        Raises:
            InputError: the training diverged.
            PrivacyError: the ledger has charged another number of steps than the statement would say.
        """
        paid = training.num_paid_steps
        if paid not in self._steps or saved_path(self._folder, paid).exists():
            return
        if training.step == 0:
            say(f"no generator is saved at step {paid}: all steps until then were lost in a crash")
            return
        # Privacy: the price stated is the price on the disk.
        if ledger.ledger.num_charged_steps != paid:
            raise PrivacyError(
                f"{ledger.path}: not {paid} steps are charged, so nothing is released after as many; `gossamer "
                "ledger` shows what was charged"
            )
        trained = training.trained_so_far()
        _check_finite(trained)
        statement = trained.statement
        saved = write_saved_generator(
            self._folder,
            paid,
            weights=trained.weights,
            recipe=to_json_tree(trained.recipe),
            statement=statement.to_json(),
            text=statement.to_markdown(),
            card=model_card(card_facts(trained, self._source)),
        )
        say(f"epsilon {shown_epsilon(statement.epsilon)} at step {paid}: generator saved in {saved.path}")


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
        _share_warm_start(_training(job, folder, data, slots, key, None, None))
        return 0
    with folder.locked(), Interruption() as interruption:
        clear_partial_files(folder.checkpoints, folder.release, *([] if num_processes() > 1 else [folder.warm_start]))
        origin = origin_of(job, data.train, key)
        state = load_checkpoint(folder.checkpoints, origin, folder.ledger_file)
        ledger = LedgerFile(
            folder.ledger_file,
            num_planned_steps=job.num_steps(slots),
            stops=_stops(job.method),
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
        release(training.trained(), folder, source)
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
        spending = {"lost_steps": _lost_steps(num_steps, ledger, step), "charge": ledger.charge}
    circumstances = Circumstances(
        delta=job.delta,
        slots=slots,
        key=key,
        device=find_device(job.device),
        precision=find_precision(job.precision),
        store=FolderStore(folder, origin_of(job, data.train, key)),
        public_notes=(*data.public_notes, *describe_milestones(job.save_at_steps, num_steps)),
        num_tuning_runs=job.num_tuning_runs,
        state=state,
        **spending,
    )
    return book_of(job.method).method.start(job.method, data.train, KeyedNoise(), circumstances)


def _stops(config: MethodConfig) -> tuple[int, ...]:
    """Steps that no block of the ledger crosses: what is kept there is whole."""
    match config:
        case GSWGANConfig():
            return config.stage_starts()
        case StartedGSWGANConfig():
            return tuple(1 + step for step in config.gs_wgan.stage_starts())
        case _:
            return ()


def _lost_steps(num_steps: int, ledger: LedgerFile, step: int) -> tuple[int, ...]:
    """Steps that were charged beside those of the checkpoint at ``step`` and lost in a crash: they stay paid.

    Raises:
        PrivacyError: the ledger knows of fewer steps than the checkpoint, or everything was lost.
    """
    try:
        lost = ledger.ledger.lost_steps(step)
    except PrivacyError as error:
        raise PrivacyError(f"{ledger.path}: {error}") from None
    left = num_steps - step - len(lost)
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


def release(trained: TrainedGenerator, folder: RunFolder, source: NamedData | None) -> None:
    """Write what leaves, and say in plain words what it is.

    Args:
        trained: what leaves.
        folder: the run.
        source: the published set that was learnt from, None for a user's own.

    Raises:
        InputError: the training diverged, so there is nothing to release.
    """
    _check_finite(trained)
    statement = trained.statement
    samples = folder.release / SAMPLES
    samples.mkdir(exist_ok=True)
    images, labels = trained.sample(NUM_RELEASED_SAMPLES)
    x, y = images.numpy(), None if labels is None else labels.numpy()
    facts = card_facts(trained, source)
    write_records(samples / SAMPLES_FILE, x, y, trained.recipe.spec)
    pictured = _pictured(samples / "grid.png", x, y, trained.recipe.spec)
    drawn = (samples / SAMPLES_FILE, *pictured, *write_sample_cards(samples, facts))
    # The generator comes last: where it is, the release is whole and the run has ended.
    write_release(
        folder,
        weights=trained.weights,
        recipe=to_json_tree(trained.recipe),
        statement=statement.to_json(),
        text=statement.to_markdown(),
        card=model_card(facts),
        samples=drawn,
    )
    _announce_release(statement, folder)


def _pictured(path: Path, x: np.ndarray, y: np.ndarray | None, spec: AbstractSpec) -> tuple[Path, ...]:
    """The picture of samples; without what draws it there is none, which is no reason to end without a release."""
    try:
        write_picture(path, x, y, spec)
    except MissingExtra as missing:
        say(f"the release has no {path.name}: {missing}")
        return ()
    return (path,)


def _check_finite(trained: TrainedGenerator) -> None:
    if not trained.is_finite:
        raise InputError(
            "the training diverged: a weight of the generator is no number; start a new run with a smaller "
            "--generator-adam.learning-rate (its epsilon adds to this one's)"
        )


def _announce_release(statement: PrivacyStatement, folder: RunFolder) -> None:
    epsilon, num_saved = round_up(statement.epsilon), len(saved_generators(folder))
    # Privacy: a replacement is two changes where one is a record added or removed, and costs up to twice as much.
    compared = {
        Adjacency.SLOT: "without it, or with another in its place",
        Adjacency.ADD_OR_REMOVE_ONE: "without it",
        Adjacency.REPLACE_ONE: "with another in its place",
    }[statement.adjacency]
    factor = f"{math.ceil(math.exp(epsilon)):,}" if epsilon < 30 else f"more than {math.floor(math.exp(30)):,}"
    saved = f"Saved on the way: {num_saved} generators in {folder.saved}, at no further cost.\n" if num_saved else ""
    print(
        f"\nReleased: {folder.release}\n"
        f"Protected: {statement.unit.protected}, whichever of the {statement.num_slots} it is. Whatever is computed "
        f"from the release is at most e^epsilon\n  times as likely with it as {compared}, up to a "
        f"probability of delta: epsilon = {shown_epsilon(statement.epsilon)}, a factor of {factor}; "
        f"delta = {statement.delta:g}.\n"
        f"Share: everything in {folder.release}, and as many samples as you like.\n"
        f"{saved}"
        f"Keep to yourself: {folder.private}, which saw the data.\n"
        f"What is assumed, and what is not covered: {folder.release / 'PRIVACY.md'}\n"
        f"Next: gossamer sample {folder.path} --num-samples 1000 --out samples.npz"
    )


def say(line: str) -> None:
    """A line about progress, on standard error."""
    print(f"gossamer: {line}", file=sys.stderr)


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
    saved, was_spent = time.monotonic(), training.step >= training.end_step
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
            is_dear = isinstance(report, ReleaseReport)
            is_wanted = interruption.is_asked or is_late or is_dear or (is_spent and not was_spent)
            if is_wanted and not training.is_over and (is_spent or ledger.is_block_end(training.step)):
                save_checkpoint(folder.checkpoints, training.step, training.state_dict(), origin, ledger.position())
                saved = time.monotonic()
                if interruption.is_asked:
                    return False
            was_spent = is_spent
    save_checkpoint(folder.checkpoints, training.step, training.state_dict(), origin, ledger.position())
    return True
