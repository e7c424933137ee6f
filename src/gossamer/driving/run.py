"""A run: its folder, with the job, the records and the key that belong to it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gossamer.data.records import RecordSet
from gossamer.driving.job import Loaded, TrainingJob, data_digest, settings_digest
from gossamer.driving.processes import num_processes, process_number, wait_for_folder
from gossamer.errors import InputError
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.starting import FRESH, PublicStart
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.runs.checkpoint import Origin
from gossamer.runs.files import read_json, write_json, write_whole
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import check_goes_on_here, moved_here, new_identity, read_identity
from gossamer.runs.key_file import write_key
from gossamer.runs.ledger_file import declare_only_copy
from gossamer.runs.released_list import refuse_unlisted


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A run, ready to be driven.

    Attributes:
        folder: where it is written.
        job: its settings.
        loaded: its records, divided by its key. Private.
    """

    folder: RunFolder
    job: TrainingJob
    loaded: Loaded = field(repr=False)

    @functools.cached_property
    def plan(self) -> AbstractPlan:
        """Sampling, noise and price."""
        return self.job.plan(self.loaded.slots)

    @functools.cached_property
    def origin(self) -> Origin:
        """The mark of its checkpoints."""
        return Origin(
            settings_sha256=settings_digest(self.job),
            data_sha256=data_digest(self.loaded.data.train),
            key_sha256=self.loaded.key.digest,
        )

    def check_same_start(self) -> None:
        """Refuse to go on with other records or other settings than the run began with.

        Data may move, and machines may change.

        Raises:
            InputError: they differ.
        """
        folder, name, slots = self.folder, self.loaded.data.train.name, self.loaded.slots
        if _kept(folder, "data.sha256") != self.origin.data_sha256:
            raise InputError(
                f"{name}: not the records that this run began with; put them back, or start a new run elsewhere"
            )
        # Privacy: noise, number of critics or batch changed in mid-run would make the statement false.
        if _kept(folder, "settings.sha256") != self.origin.settings_sha256:
            raise InputError(
                f"{folder.config_file}: not the settings that this run began with; put them back, or start a new run"
            )
        # Privacy: rates follow from this number, which counts the part held out too, whose records no digest knows.
        # With another one the steps that are made already would be priced at a rate that they were not made at.
        if slots_kept(folder) != slots:
            raise InputError(
                f"{name}: the public number of {slots.unit.plural}, a part held out included, is not the one that "
                "this run began with; put data and settings back, or start a new run elsewhere"
            )

    def check_asked(self, asked: TrainingJob) -> None:
        """Refuse to go on if other settings are asked for than those of the run.

        Raises:
            InputError: they differ, or more earlier runs are declared than the run's statement would say.
        """
        if settings_digest(asked) != settings_digest(self.job):
            own, other = (vars(job) | vars(job.method) | {"method": job.of_method.name} for job in (self.job, asked))
            changed = (
                "method",
                "delta",
                "unit",
                "num_people",
                "num_records",
                "roster",
                "save_at_steps",
                "start",
                *vars(self.job.method),
            )
            wrong = [name for name in changed if own[name] != other.get(name)]
            raise InputError(
                f"{self.folder.path}: the run there began with another {', '.join(wrong)}; ask for the same, or name "
                "another folder"
            )
        if asked.num_tuning_runs > self.job.num_tuning_runs:
            # Privacy: the statement would say less than what is declared now.
            raise InputError(
                f"{self.folder.path}: the run there declares {self.job.num_tuning_runs} earlier runs, not "
                f"{asked.num_tuning_runs}; name another folder"
            )


def begin_run(path: Path, job: TrainingJob, loaded: Loaded, start: PublicStart = FRESH) -> Run:
    """Make a run folder with its settings in it. Processes that torchrun started beside share the first one's.

    Args:
        path: of the folder.
        job: settings, with the facts of the start in them.
        loaded: records, divided by the key.
        start: networks to begin with, kept in the folder.

    Raises:
        InputError: something is there already.
        ResourceError: the folder cannot be made.
    """
    from gossamer.runs.start_file import write_start

    if process_number() > 0:
        # Held against the folder once the first process can be told (`driver`).
        return Run(folder=wait_for_folder(path), job=job, loaded=loaded)
    run = Run(folder=RunFolder.create(path), job=job, loaded=loaded)
    with run.folder.locked():
        if run.folder.config_file.exists():
            raise InputError(f"{path}: another process has just begun a run here; name another --out")
        _remember_start(run)
        if start.networks:
            write_start(run.folder, start.networks)
        job.write(run.folder)
    return run


def _remember_start(run: Run) -> None:
    """Keep in `private/` the key, the id of the run and the place of its folder, and digests of records and settings.

    By the digests a resumed run tells that they are the same, by the place a copy is told. The public number of slots
    is kept too, so that the price can be computed again without the records.
    """
    folder, slots = run.folder, run.loaded.slots
    new_identity(folder)
    write_key(folder, run.loaded.key)
    tree = {"num_slots": slots.number, "unit": slots.unit.value, "source": slots.source.value}
    write_json(folder.plan_file, tree | {"training_share": slots.training_share})
    for name, digest in (("data", run.origin.data_sha256), ("settings", run.origin.settings_sha256)):
        write_whole(folder.private / f"{name}.sha256", digest.encode())


def take_up_run(
    folder: RunFolder, note: Callable[[str], None], load: Callable[[TrainingJob], Loaded], *, is_only_copy: bool = False
) -> Run:
    """Open a run that has begun, and refuse it if it has not ended and may not go on here.

    Args:
        folder: of the run.
        note: told of a needless option.
        load: its records, by its settings.
        is_only_copy: whether the user declares that no other copy of the folder goes on.

    Raises:
        InputError: a file that is needed is gone or damaged, or records or settings differ.
        PrivacyError: something is released that the folder has not paid for, or the folder is a copy.
    """
    identity, job = read_identity(folder), TrainingJob.read(folder)
    job.of_method.check_shares_work(num_processes())
    if process_number() == 0 and not folder.generator_file.is_file():
        with folder.locked():
            refuse_unlisted(folder)
            if not is_only_copy:
                check_goes_on_here(folder, identity)
            elif identity.is_of(folder):
                note(
                    f"{folder.path}: is the folder that the run began in, so --only-copy is not needed and says nothing"
                )
            else:
                # Privacy: declared before it counts as moved; a crash in between has it declared once more.
                declare_only_copy(folder.ledger_file)
                moved_here(folder)
    run = Run(folder=folder, job=job, loaded=load(job))
    if process_number() == 0:
        run.check_same_start()
    return run


def check_held_out(folder: RunFolder, train: RecordSet) -> None:
    """Refuse records as a run's training side that it did not begin with: others would pass for held out.

    Args:
        folder: the run.
        train: read again, and divided by the key that lies in `private/`.

    Raises:
        InputError: they differ.
    """
    if not has_begun_with(folder, train):
        raise InputError(
            f"{folder.key_file}: by this key {train.name} has other training records than the run began with, so it "
            "may have learnt from those held out; put key and records back as they were"
        )


def has_begun_with(folder: RunFolder, train: RecordSet) -> bool:
    """Return True if a run learns from these records, read as it reads them."""
    return _kept(folder, "data.sha256") == data_digest(train)


def slots_kept(folder: RunFolder) -> PublicSlots:
    """Return the public number of slots that a run keeps.

    Raises:
        InputError: it is gone or damaged.
    """
    tree = read_json(folder.plan_file)
    try:
        return PublicSlots(
            tree["num_slots"], Unit(tree["unit"]), CountSource(tree["source"]), float(tree["training_share"])
        )
    except (InputError, ValueError, TypeError, LookupError):
        raise InputError(f"{folder.plan_file}: damaged; put the file back as the training wrote it") from None


def _kept(folder: RunFolder, name: str) -> str:
    path = folder.private / name
    if not path.is_file():
        raise InputError(f"{path}: missing; a run whose private/ is not whole cannot go on, start a new one")
    return path.read_bytes().decode("ascii", errors="replace")
