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
from gossamer.methods.method import Plan
from gossamer.methods.protected import num_slots_of
from gossamer.privacy.adjacency import Unit
from gossamer.recipes.books import MethodConfig, book_of
from gossamer.runs.checkpoint import Origin
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.runs.files import read_json, whole_file, write_json
from gossamer.runs.folder import RunFolder


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
        num_people: public number of slots where people are protected; None for the number of people in the data.
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

    def load(self) -> RecordData:
        """The data, read again."""
        data_dir = None if self.data_dir is None else Path(self.data_dir)
        data = load_chosen(self.data, data_dir, self.num_classes, self.series)
        return protect(data, self.unit, self.num_people)

    def plan(self, num_slots: int) -> Plan:
        """Sampling, noise and price of the run, for its public number of slots."""
        return book_of(self.method).method.plan(self.method, num_slots, Unit(self.unit))

    def num_steps(self, data: RecordData) -> int:
        """Private steps of the whole run.

        Raises:
            InputError: a generator was to be saved after more of them.
        """
        num_steps = self.plan(num_slots_of(data.train, Unit(self.unit))).num_steps
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


def remember_start(folder: RunFolder, job: TrainingJob, images: RecordSet) -> None:
    """Keep digests of records and settings, in `private/`, so that a resumed run can tell that they are the same.

    And the public number of slots, so that what the run costs can be computed again without its records.
    """
    write_json(folder.plan_file, {"num_slots": num_slots_of(images, Unit(job.unit))})
    for name, digest in (("data.sha256", data_digest(images)), ("settings.sha256", settings_digest(job))):
        with whole_file(folder.private / name) as file:
            file.write(digest.encode())


def check_same_start(folder: RunFolder, job: TrainingJob, images: RecordSet) -> None:
    """Refuse to go on with other records or other settings than the run began with. Data may move, machines change.

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


def num_slots_kept(folder: RunFolder) -> int:
    """The public number of slots that `remember_start` kept.

    Raises:
        InputError: it is gone or damaged.
    """
    tree = read_json(folder.plan_file)
    found = tree.get("num_slots") if isinstance(tree, dict) else None
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise InputError(f"{folder.plan_file}: damaged; put the file back as the training wrote it")
    return found


def origin_of(job: TrainingJob, images: RecordSet) -> Origin:
    """What a checkpoint of a training is marked with."""
    return Origin(settings_sha256=settings_digest(job), data_sha256=data_digest(images))


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
    tree |= {"unit": job.unit, "num_people": job.num_people} if job.unit != "record" else {}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def data_digest(images: RecordSet) -> str:
    """SHA-256 of all records. Private: whoever has a candidate data set could confirm it."""
    digest = hashlib.sha256(images.x.numpy().tobytes())
    if images.y is not None:
        digest.update(images.y.numpy().tobytes())
    if images.people is not None:
        digest.update(images.people.numpy().tobytes())
    return digest.hexdigest()
