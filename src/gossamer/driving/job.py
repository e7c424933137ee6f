"""A training as the run folder remembers it: data, method, delta and machine settings."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, get_args

import numpy as np

from gossamer.data.catalogue import is_named
from gossamer.data.image_choice import AS_STORED, ImageChoice
from gossamer.data.records import RecordData, RecordSet
from gossamer.data.room import MEMORY, AbstractRoom
from gossamer.data.roster import Roster, RosterFile
from gossamer.data.series_choice import NOTHING_SAID, SeriesChoice, load_chosen
from gossamer.driving.protection import protect
from gossamer.errors import InputError
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.catalogue import method_of, settings_types
from gossamer.methods.method import Method, TakenRecipe
from gossamer.methods.starting import FreshStart, StartFacts
from gossamer.nn.devices import DeviceName, PrecisionName
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.priceable import accountable
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.config_io import OneOf, from_json_tree, to_json_tree
from gossamer.runs.files import read_json, write_json
from gossamer.runs.folder import RunFolder

if TYPE_CHECKING:
    from gossamer.mechanisms.noise import AbstractNoise
    from gossamer.methods.training import AbstractTraining, RunContext

C = TypeVar("C")

_AT_ONCE: Final = 2**16
IN_MEMORY = "records handed over in Python"
"""The name of data that no name or path leads to."""
_ADDED: Mapping[str, Any] = {
    "critics_per_draw": None,
    "centre": {"type": "NoCentre"},
    "num_factors": 0,
    "factor_gain": 30.0,
    "contrast": 1.0,
    "truncation": 1.0,
    "remainder": 0.0,
}
"""Settings that earlier runs did not have, at any depth, with the value that stands for those runs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """The records of a run, divided by its key. Private, but for the number of slots.

    Attributes:
        data: training records, and those held out.
        slots: how many units there are, in public.
        key: deals units to sides and shards. Secret.
        roster: names of all people who may come, or None. Public.
    """

    data: RecordData
    slots: PublicSlots
    key: UnitKey
    roster: Roster | None = None

    @classmethod
    def of(
        cls,
        data: RecordData,
        key: UnitKey,
        roster: Roster | None,
        unit: UnitName | None,
        num_people: int | None,
        num_records: int | None,
    ) -> Loaded:
        """Return records as they were read, with the units to protect and the key that deals them.

        Args:
            data: as read, divided by the key.
            key: of the run.
            roster: names of all people who may come, each of whom gets a critic of their own, or None.
            unit: as of `protect`.
            num_people: as of `protect`, or None with a roster, which says it.
            num_records: as of `protect`.

        Raises:
            InputError: as `protect`, or somebody in the data is not on the roster.
            PrivacyError: as `protect`.
        """
        if roster is None:
            data, slots = protect(data, unit, num_people, num_records)
            return cls(data=data, slots=slots, key=key)
        roster.check_holds(data.train)
        data, slots = protect(data, unit, len(roster), num_records)
        noted = replace(data, public_notes=(*data.public_notes, roster.note))
        return cls(data=noted, slots=slots, key=key.by_roster(roster.digests), roster=roster)

    def with_critics(self, config: C) -> C:
        """Return settings with as many critics as people on the roster, or as they are if there is none."""
        num_people = {} if self.roster is None else {"num_critics": len(self.roster)}
        return replace(config, **num_people)  # pyrefly: ignore


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """The settings of a training, complete, as `gossamer train` or `fit` was asked for them.

    Attributes:
        data: name, or absolute path of the user's own, or `IN_MEMORY`.
        data_dir: folder of published sets, or None.
        num_classes: public number of classes of the user's own data, or None.
        delta: of the statement.
        device: where to compute.
        precision: of the training of critics and generator.
        unit: whom the guarantee is for.
        num_people: public number of people if they are protected, as the user gave it, or None.
        num_records: public number of records if they are protected, likewise.
        series: how series are read, as was asked for.
        num_tuning_runs: earlier runs on the same records, as declared.
        method: settings with a noise multiplier.
        save_at_steps: steps after which the generator is released as it is, in rising order.
        start: origin of the networks that the training begins with.
        images: how images are read, as was asked for.
        recipe: the settings' origin. None for a run that began before it was written down.
        roster: file with the names of all people who may come, or None.
    """

    data: str
    data_dir: str | None
    num_classes: int | None
    delta: float
    device: DeviceName
    precision: PrecisionName
    method: Annotated[Any, OneOf(settings_types)]
    unit: UnitName = "record"
    num_people: int | None = None
    num_records: int | None = None
    series: SeriesChoice = NOTHING_SAID
    num_tuning_runs: int = 0
    save_at_steps: tuple[int, ...] = ()
    start: StartFacts = field(default_factory=FreshStart)
    images: ImageChoice = AS_STORED
    recipe: TakenRecipe | None = None
    roster: RosterFile | None = None

    def __post_init__(self) -> None:
        for name, kind in (("device", DeviceName), ("precision", PrecisionName), ("unit", UnitName)):
            if getattr(self, name) not in get_args(kind):
                raise InputError(f"{name} must be one of {', '.join(get_args(kind))}")
        if not all(before < after for before, after in itertools.pairwise((0, *self.save_at_steps))):
            raise InputError("save_at_steps must rise from 1 on; put config.json back as it was")

    def load(self, key: UnitKey, room: AbstractRoom = MEMORY) -> Loaded:
        """Read the data again, and divide them by the key of the run.

        Args:
            key: of the run.
            room: place for the values.

        Raises:
            InputError: they are not there, do not fit the settings, or were handed over in Python.
            PrivacyError: people are protected, and their records were split one by one.
        """
        if self.data == IN_MEMORY:
            raise InputError(
                "the records of this run were handed over in Python: go on with fit(..., run=...) and the same records"
            )
        data_dir = None if self.data_dir is None else Path(self.data_dir)
        roster = None if self.roster is None else self.roster.read()
        data = load_chosen(self.data, data_dir, self.num_classes, self.series, key, Unit(self.unit), self.images, room)
        return Loaded.of(data, key, roster, self.unit, self.num_people, self.num_records)

    @property
    def recipe_notes(self) -> tuple[str, ...]:
        """Sentence for the statement on the recipe that was taken, or none if the run does not say."""
        return () if self.recipe is None else (self.recipe.note,)

    @property
    def of_method(self) -> Method[Any]:
        """The method that the settings are of."""
        return method_of(self.method)

    def plan(self, slots: PublicSlots) -> AbstractPlan:
        """Return sampling, noise and price of the run, for its public number of slots."""
        return self.of_method.plan(self.method, slots)

    def num_steps(self, slots: PublicSlots) -> int:
        """Return the number of private steps of the whole run.

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


def settings_digest(job: TrainingJob) -> str:
    """Return the SHA-256 of all that the statement depends on: settings, delta, start, and steps fixed for saving."""
    # Read back once, so that a 6 that becomes 6.0 on its way through the file is no change.
    method = from_json_tree(type(job.method), to_json_tree(job.method), "settings")
    tree: dict[str, Any] = {"delta": job.delta, "method": _as_before(to_json_tree(method))}
    # Privacy: steps chosen in mid-run may have been chosen by looking. Absent where none is, as runs began before.
    tree |= {"save_at_steps": list(job.save_at_steps)} if job.save_at_steps else {}
    # Privacy: the statement says the start. Absent where it is fresh, as runs began before.
    tree |= {} if isinstance(job.start, FreshStart) else {"start": to_json_tree(job.start)}
    tree |= {} if job.roster is None else {"roster": job.roster.sha256}
    tree |= {"unit": job.unit, "num_people": job.num_people, "num_records": job.num_records}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def _as_before(settings: Any) -> Any:
    """Return settings without those that earlier runs did not have, if they stand at the value that those runs had."""
    match settings:
        case dict():
            kept = (name for name, value in settings.items() if name not in _ADDED or value != _ADDED[name])
            return {name: _as_before(settings[name]) for name in kept}
        case list():
            return [_as_before(value) for value in settings]
        case _:
            return settings


def data_digest(records: RecordSet) -> str:
    """Return the SHA-256 of all records. Private: it would confirm a data set that somebody guessed."""
    # Read where they lie, since their bytes apart would take as much memory again.
    digest = hashlib.sha256()
    for rows in records.room.slices(records.x):
        digest.update(np.ascontiguousarray(records.x[rows].numpy()).reshape(-1).data)
    if records.y is not None:
        digest.update(np.ascontiguousarray(records.y.numpy()).data)
    if records.people is not None and records.person_digests is not None:
        for people in records.people.split(_AT_ONCE):
            digest.update(records.person_digests[people.numpy()].reshape(-1))
    return digest.hexdigest()


def whole_path(source: str) -> str:
    """Return the name of a published data set as it is, and any path from the root on."""
    return source if is_named(source) else str(Path(source).resolve())


def data_of_run(source: Path) -> tuple[str, ...]:
    """Return the name or path of the data that a run folder began with. Empty for a release alone, which tells none."""
    run = RunFolder(source)
    if run.config_file.is_file():
        with contextlib.suppress(InputError):
            return (TrainingJob.read(run).data,)
    return ()


def start_training(
    method: Method[C], config: C, records: RecordSet, noise: AbstractNoise, context: RunContext
) -> AbstractTraining:
    """Start a training, and say refusals of torch and of accountants in the words of this library.

    Raises:
        InputError: settings that do not fit, or that nothing can be computed with.
        PrivacyError: settings without an honest guarantee.
    """
    try:
        with accountable():
            return method.start(config, records, noise, context)
    except ValueError as error:  # torch's own word for a learning rate that is none
        raise InputError(str(error)) from None
