"""A training as the run folder remembers it: data, method, delta and machine settings."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer.cli.arguments import DeviceName, PrecisionName, UnitName
from gossamer.cli.protection import protect
from gossamer.cli.series_choice import NOTHING_SAID, SeriesChoice, load_chosen
from gossamer.data.records import RecordData, RecordSet
from gossamer.errors import InputError
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.catalogue import MethodConfig, book_of
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import CountSource, PublicSlots
from gossamer.runs.checkpoint import Origin
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.runs.files import read_json, whole_file, write_json
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import new_identity
from gossamer.runs.key_file import write_key


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What `gossamer train` was asked for, complete.

    Attributes:
        data: name, or absolute path of the user's own.
        data_dir: folder of published sets, or None.
        num_classes: public number of classes of the user's own data, or None.
        delta: of the statement.
        device: where to compute.
        precision: of the training of critics and generator.
        unit: whom the guarantee is for.
        num_people: public number of people where they are protected, as the user gave it; None where nothing was said.
        num_records: public number of records where they are protected, likewise.
        series: how series are read, as was asked for.
        num_tuning_runs: earlier runs on the same records, as declared.
        method: settings with a noise multiplier.
        save_at_steps: steps after which the generator is released as it is, in rising order.
    """

    data: str
    data_dir: str | None
    num_classes: int | None
    delta: float
    device: DeviceName
    precision: PrecisionName
    method: MethodConfig
    unit: UnitName = "record"
    num_people: int | None = None
    num_records: int | None = None
    series: SeriesChoice = NOTHING_SAID
    num_tuning_runs: int = 0
    save_at_steps: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, choices in (
            ("device", ("auto", "cpu", "cuda")),
            ("precision", ("fp32", "bf16")),
            ("unit", ("record", "person")),
        ):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}")
        if not all(before < after for before, after in itertools.pairwise((0, *self.save_at_steps))):
            raise InputError("save_at_steps must rise from 1 on; put config.json back as it was")

    def load(self, key: UnitKey) -> tuple[RecordData, PublicSlots]:
        """The data, read again and divided by the key of the run; and its public number of slots."""
        data_dir = None if self.data_dir is None else Path(self.data_dir)
        data = load_chosen(self.data, data_dir, self.num_classes, self.series, key, Unit(self.unit))
        return protect(data, self.unit, self.num_people, self.num_records)

    def plan(self, slots: PublicSlots) -> AbstractPlan:
        """Sampling, noise and price of the run, for its public number of slots."""
        return book_of(self.method).method.plan(self.method, slots)

    def num_steps(self, slots: PublicSlots) -> int:
        """Private steps of the whole run.

        Raises:
            InputError: a generator was to be saved after more of them.
        """
        num_steps = self.plan(slots).num_steps
        if max(self.save_at_steps, default=0) > num_steps:
            raise InputError(
                f"save_at_steps must lie within the {num_steps} steps of the run; put config.json back as it was"
            )
        return num_steps

    def write(self, folder: RunFolder) -> None:
        """Write `config.json`."""
        write_json(folder.config_file, to_json_tree(self))

    @classmethod
    def read(cls, folder: RunFolder) -> TrainingJob:
        """Read `config.json`.

        Raises:
            InputError: not one that gossamer wrote.
        """
        return from_json_tree(cls, read_json(folder.config_file), str(folder.config_file))


def end_step(plan: AbstractPlan, next_step: int, lost_steps: tuple[int, ...], delta: float) -> int:
    """How far a run may go that has done the first ``next_step`` steps and lost some that were paid for.

    Args:
        plan: of the run; one whose steps do not all cost the same ends as much earlier as what was lost costs.
        next_step: steps done.
        lost_steps: numbers of those lost, each as often as it was.
        delta: of the statement.
    """
    return plan.end_step(next_step, lost_steps)


def remember_start(folder: RunFolder, job: TrainingJob, images: RecordSet, slots: PublicSlots, key: UnitKey) -> None:
    """Keep the key, and digests of records and settings, in `private/`, so that a resumed run can tell that they are
    the same.

    And the public number of slots, so that what the run costs can be computed again without its records; and the id of
    the run and the place of its folder, so that a copy of it is told.
    """
    new_identity(folder)
    write_key(folder, key)
    write_json(
        folder.plan_file,
        {
            "num_slots": slots.number,
            "unit": slots.unit.value,
            "source": slots.source.value,
            "training_share": slots.training_share,
        },
    )
    for name, digest in (("data.sha256", data_digest(images)), ("settings.sha256", settings_digest(job))):
        with whole_file(folder.private / name) as file:
            file.write(digest.encode())


def check_same_start(folder: RunFolder, job: TrainingJob, images: RecordSet, slots: PublicSlots) -> None:
    """Refuse to go on with other records or other settings than the run began with. Data may move, machines change.

    Args:
        folder: of the run.
        job: as its settings are now.
        images: the training side, as read now.
        slots: the public number that follows from the data, a part held out included, and from the settings now.

    Raises:
        InputError: they differ.
    """
    if _kept(folder, "data.sha256") != data_digest(images):
        raise InputError(
            f"{images.name}: not the records that this run began with; put them back, or start a new run elsewhere"
        )
    # Privacy: noise, number of critics or batch changed in mid-run would make the statement false.
    if _kept(folder, "settings.sha256") != settings_digest(job):
        raise InputError(
            f"{folder.config_file}: not the settings that this run began with; put them back, or start a new run"
        )
    # Privacy: rates follow from this number, which counts the part held out too, whose records no digest knows. With
    # another one the steps that are made already would be priced at a rate that they were not made at.
    if slots_kept(folder) != slots:
        raise InputError(
            f"{images.name}: the public number of {slots.unit.plural}, a part held out included, is not the one that "
            "this run began with; put data and settings back, or start a new run elsewhere"
        )


def check_held_out(folder: RunFolder, train: RecordSet) -> None:
    """Refuse records as a run's training side that it did not begin with: others would pass for held out.

    Args:
        folder: the run.
        train: read again, and divided by the key that lies in `private/`.

    Raises:
        InputError: they differ.
    """
    if _kept(folder, "data.sha256") != data_digest(train):
        raise InputError(
            f"{folder.key_file}: by this key {train.name} has other training records than the run began with, so it "
            "may have learnt from those held out; put key and records back as they were"
        )


def slots_kept(folder: RunFolder) -> PublicSlots:
    """The public number of slots that `remember_start` kept.

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


def origin_of(job: TrainingJob, images: RecordSet, key: UnitKey) -> Origin:
    """What a checkpoint of a training is marked with."""
    return Origin(settings_sha256=settings_digest(job), data_sha256=data_digest(images), key_sha256=key.digest)


def _kept(folder: RunFolder, name: str) -> str:
    path = folder.private / name
    if not path.is_file():
        raise InputError(f"{path}: missing; a run whose private/ is not whole cannot go on, start a new one")
    return path.read_bytes().decode("ascii", errors="replace")


def settings_digest(job: TrainingJob) -> str:
    """SHA-256 of what the statement depends on: the method's settings, delta, and the steps fixed for saving."""
    # Read back once, so that a 6 that becomes 6.0 on its way through the file is no change.
    method = from_json_tree(MethodConfig, to_json_tree(job.method), "settings")
    tree: dict[str, Any] = {"delta": job.delta, "method": to_json_tree(method)}
    # Privacy: steps chosen in mid-run may have been chosen by looking. Absent where none is, as runs began before.
    tree |= {"save_at_steps": list(job.save_at_steps)} if job.save_at_steps else {}
    tree |= {"unit": job.unit, "num_people": job.num_people, "num_records": job.num_records}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def data_digest(images: RecordSet) -> str:
    """SHA-256 of all records. Private: whoever has a candidate data set could confirm it."""
    digest = hashlib.sha256(images.x.numpy().tobytes())
    if images.y is not None:
        digest.update(images.y.numpy().tobytes())
    if images.people is not None and images.person_digests is not None:
        digest.update(images.person_digests[images.people.numpy()].tobytes())
    return digest.hexdigest()
