"""The common part of all estimators: settings, calibration, a training driven to its end, and its generator."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable
from dataclasses import fields, replace
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, Final, Self, Unpack

import numpy as np
import torch

from gossamer.data.files import path_of
from gossamer.data.records import check_num_classes
from gossamer.driving.driver import Ending, drive
from gossamer.driving.generator_file import load_generator
from gossamer.driving.job import IN_MEMORY, Loaded, TrainingJob, start_training, whole_path
from gossamer.driving.listener import AbstractListener
from gossamer.driving.processes import num_processes
from gossamer.driving.protection import check_unit, protect
from gossamer.driving.run import begin_run, take_up_run
from gossamer.driving.starting import PreparedStart, StartChoice, prepare_start
from gossamer.errors import InputError, told
from gossamer.estimators.records import Array, Source, read_source, whole
from gossamer.estimators.released import Labels, ReleasedGenerator
from gossamer.estimators.tables import Said, is_path
from gossamer.estimators.values import check_setting
from gossamer.mechanisms.noise import KeyedNoise
from gossamer.methods.method import Method, Recipe
from gossamer.methods.trained import TrainedGenerator
from gossamer.methods.training import AbstractTraining, Progress, RunContext
from gossamer.nn.devices import DeviceName, find_device
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.budget import PrivacyBudget, chosen_delta
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.priceable import accountable
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import read_identity
from gossamer.runs.key_file import read_key

_LOG: Final = logging.getLogger("gossamer")
_NUMBERS: Final = ("num_people", "num_records", "num_classes", "num_tuning_runs")


class AbstractEstimator(abc.ABC):
    """A method by fit and sample: a generator of images or time series within a privacy budget.

    Guarantee:
        The results of `sample`, `statement`, `released` and `save` are (epsilon, delta)-differentially private, in the
        sense and on the assumptions that `statement` writes out. Each further `fit` or `start` on the same records is a
        release of its own: epsilons and deltas add up. The object declares its own earlier runs by itself, on any
        records. `num_tuning_runs` declares those of others.

    Args:
        epsilon: privacy budget, above 0. The noise follows from it.
        delta: below one over the number of slots. Default: the largest power of ten at or below 1/(10 N).
        recipe: name of the settings to start from, ``mnist-cpu`` for instance. Default: by name or size of the data.
        unit: of protection: "record", or "person" with all records of that person. `fit` then needs the person of each
            record.
        num_people: public upper bound on the number of people, a part held out included. Default: the published number,
            or else the number of people in the data. A number from the data covers one person replaced by another, and
            not one who comes or leaves.
        num_records: public upper bound on the number of records. Default: likewise. A number that you would know
            without the data makes the claim wider.
        device: to compute on. auto takes a GPU if there is one.
        seed: public. Initial weights and latents follow from it, noise and shards never: two fits differ.
        num_classes: public number of classes of your own labelled data. 10 is assumed if it is left out, since reading
            it from private labels would reveal something.
        num_tuning_runs: earlier runs on the same records, to declare in the statement. Their epsilons add to this one.
        start_from: public start: the file or folder of a released generator, or name or path of public records. On
            these the networks are trained first, without noise. The statement says so.
        start_steps: steps on these public records. Default: 500.
        settings: fields of the method's configuration in place of the recipe's, ``num_steps=2000`` for instance.

    Raises:
        InputError: an unknown recipe or setting, or a number out of range.
        PrivacyError: a delta outside (0, 1).
    """

    method: ClassVar[Method[Any]]
    """The method. ``model.method.recipes`` lists its recipes."""

    def __init__(
        self,
        epsilon: float = 10.0,
        delta: float | None = None,
        *,
        recipe: str | None = None,
        unit: UnitName = "record",
        device: DeviceName = "auto",
        seed: int = 0,
        start_from: str | Path | None = None,
        start_steps: int | None = None,
        **settings: Any,
    ) -> None:
        for name, value in (("epsilon", epsilon), ("delta", delta)):
            if isinstance(value, bool) or not isinstance(value, Real | None):
                raise InputError(f"{name} must be a number, not {type(value).__name__}")
        self.seed = whole("seed", seed)
        self.start_from = None if start_from is None else str(start_from)
        self.start_steps = None if start_steps is None else whole("start_steps", start_steps)
        self._start_choice("")
        numbers = {name: settings.pop(name, None) for name in _NUMBERS[:3]}
        self.num_people, self.num_records, self.num_classes = (
            None if value is None else whole(name, value) for name, value in numbers.items()
        )
        self.num_tuning_runs = whole("num_tuning_runs", settings.pop("num_tuning_runs", 0))
        # A budget with a delta that is always valid, so that epsilon is refused here and not after the data were read.
        PrivacyBudget(epsilon=epsilon, delta=0.5 if delta is None else delta)
        self._check_settings(settings)
        if recipe is not None:
            self.method.find(recipe)
        if self.num_classes is not None:
            check_num_classes(self.num_classes)
        if self.num_tuning_runs < 0:
            raise InputError(f"num_tuning_runs must be 0 or more, not {self.num_tuning_runs}")
        self.epsilon = float(epsilon)
        self.delta = None if delta is None else float(delta)
        self.recipe = recipe
        check_unit(unit, self.num_people, self.num_records)
        self.unit = Unit(unit)
        self.device: torch.device = find_device(device)
        self.settings = settings
        self._released: ReleasedGenerator | None = None
        self._num_started = 0
        self._run_ids: set[str] = set()

    def fit(
        self,
        x: Source,
        y: Array | None = None,
        people: Array | None = None,
        *,
        run: str | Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        **said: Unpack[Said],
    ) -> Self:
        """Learn a generator from private records.

        The training takes as many threads as torch is set to (`torch.set_num_threads`). Without ``run`` nothing is
        written to the disk. With ``run`` a run folder is written as ``gossamer train`` writes one, with key, ledger,
        checkpoints and release. Called again with the same folder, settings and records, the run goes on from its
        interruption. Steps lost in a crash stay paid for. A run that has ended gives its generator again, and nothing
        is spent.

        Args:
            x: images (records, height, width) or (records, channels, height, width), floats in [0, 1] or uint8. Or
                records from `as_images`, `as_series`, `load_series` or `load_records`, time series among them. Or a
                name or path that `load_records` knows. Or a table: a data frame, or the path of one with words beside
                it. Or a data set or loader of torch, read once.
            y: labels (records,) beside an array, whole numbers, or names of classes with ``class_names``. None for
                images without classes.
            people: numbers or text (records,) beside an array: any name of the person of a record.
            run: folder to write the run into, or to go on in. It holds private things.
            progress: called now and then with the progress of the training, and told nothing private.
            said: public facts by name. Of a table: the columns ``person``, ``label``, ``time``, ``series`` and
                ``values``, ``length`` of a long one, ``shape`` of images. Of any series: ``low``, ``high``,
                ``sample_rate`` and ``channel_names``, after which an array is one of series. And ``class_names``.

        Returns:
            The estimator itself.

        Raises:
            InputError: records or labels that break a rule, or too few for the settings. Or records without people
                though people are to be protected. Or settings that do not fit, or a training that diverged. Or a run
                began with other settings or other records.
            PrivacyError: delta is one over the number of records or people, or more. Or the run is a copy, or was
                changed.
            ResourceError: the run cannot be written, or another process works on it.
            KeyboardInterrupt: the training was interrupted. A run has kept the steps that were paid for.
        """
        if progress is not None and not callable(progress):
            raise InputError(f"progress must be a function that takes a Progress, not {told(progress)}")
        if run is not None:
            trained = self._fit_in(RunFolder(path_of(run, "run")), x, y, people, progress, said)
        else:
            training = self.start(x, y, people, **said)
            for report in training:
                if progress is not None:
                    progress(training.progress(report))
            trained = training.trained()
            trained.check_finite()
        self._released = ReleasedGenerator(trained=trained)
        return self

    def start(
        self, x: Source, y: Array | None = None, people: Array | None = None, **said: Unpack[Said]
    ) -> AbstractTraining:
        """Start a training for a loop of your own, in place of `fit`. The estimator itself learns nothing by it.

        The training's `statement` is priced already, while nothing is spent before the first step of the loop. Iterate
        over the training to the end, and make ``ReleasedGenerator(trained=training.trained())``.

        Guarantee: the generator that `trained` returns has the privacy that `statement` says. The training itself is
        private, and so may be the reports that it yields: they can hold losses on private records.

        Args:
            x: as for `fit`.
            y: as for `fit`.
            people: as for `fit`.
            said: as for `fit`.

        Raises:
            InputError: as `fit`.
            PrivacyError: as `fit`.
        """
        loaded = self._load(x, y, people, UnitKey.drawn(), said)
        config, delta = self._calibrated(loaded)
        prepared = self._prepared_start(x, config, loaded)
        context = RunContext(
            delta=delta,
            slots=loaded.slots,
            key=loaded.key,
            device=self.device,
            public_notes=(self._recipe(loaded).taken(config).note, *loaded.data.public_notes),
            # Privacy: earlier runs of this object may have learnt from the same records.
            num_tuning_runs=self.num_tuning_runs + self._num_started,
            start=prepared.made(self.device),
        )
        training = start_training(self.method, config, loaded.data.train, KeyedNoise(), context)
        self._num_started += 1
        return training

    def _fit_in(
        self,
        folder: RunFolder,
        x: Source,
        y: Array | None,
        people: Array | None,
        progress: Callable[[Progress], None] | None,
        said: Said,
    ) -> TrainedGenerator:
        if num_processes() > 1:
            # Privacy: each process would deal by a key of its own, and a person would lie in several shards.
            raise InputError("fit works in one process: start it without torchrun, or share the work by gossamer train")
        is_begun = folder.config_file.is_file()
        loaded = self._load(x, y, people, read_key(folder) if is_begun else UnitKey.drawn(), said)
        # Privacy: earlier runs of this object may have learnt from the same records.
        num_tuning_runs = self.num_tuning_runs + (0 if is_begun else self._num_started)
        job = self._job(IN_MEMORY if said or not is_path(x) else whole_path(str(x)), loaded, num_tuning_runs)
        if is_begun:
            run = take_up_run(folder, _LOG.warning, lambda _: loaded)
            # The source of a start is not read again: its facts and networks are those that the run keeps.
            is_same = self._start_choice(x).is_of(run.job.start)
            run.check_asked(replace(job, start=run.job.start) if is_same else job)
        else:
            start = self._prepared_start(x, job.method, loaded).made(self.device)
            run = begin_run(folder.path, replace(job, start=start.facts), loaded, start)
        run_id = read_identity(folder).run_id
        self._num_started += run_id not in self._run_ids
        self._run_ids.add(run_id)
        if not folder.generator_file.is_file() and drive(run, _Caller(progress)) is not Ending.RELEASED:
            raise KeyboardInterrupt
        return load_generator(folder.path)

    def _job(self, data: str, loaded: Loaded, num_tuning_runs: int) -> TrainingJob:
        config, delta = self._calibrated(loaded)
        return TrainingJob(
            data=data,
            data_dir=None,
            num_classes=self.num_classes,
            delta=delta,
            device="cuda" if self.device.type == "cuda" else "cpu",
            precision="fp32",
            method=config,
            unit=self.unit.value,
            num_people=self.num_people,
            num_records=self.num_records,
            num_tuning_runs=num_tuning_runs,
            recipe=self._recipe(loaded).taken(config),
        )

    def _start_choice(self, x: Source) -> StartChoice:
        data = str(x) if isinstance(x, str | Path) else None
        return StartChoice(source=self.start_from, num_steps=self.start_steps, data=data)

    def _prepared_start(self, x: Source, config: Any, loaded: Loaded) -> PreparedStart:
        return prepare_start(self._start_choice(x), self.method, config, loaded.data.train.spec)

    def _load(self, x: Source, y: Array | None, people: Array | None, key: UnitKey, said: Said) -> Loaded:
        data = read_source(x, y, people, self.num_classes, self.unit, key, said)
        data, slots = protect(data, self.unit.value, self.num_people, self.num_records)
        return Loaded(data=data, slots=slots, key=key)

    def _calibrated(self, loaded: Loaded) -> tuple[Any, float]:
        """Return the settings with their noise, and delta. All of it follows from public things."""
        slots = loaded.slots
        delta = chosen_delta(self.delta, slots.number)
        config = self._config(loaded)
        with accountable():
            return self.method.calibrate(config, slots, PrivacyBudget(epsilon=self.epsilon, delta=delta)), delta

    def _recipe(self, loaded: Loaded) -> Recipe[Any]:
        return self.method.recipe_of(self.recipe, loaded.data.train, loaded.slots.to_learn_from)

    def _config(self, loaded: Loaded) -> Any:
        """Return the recipe with the settings in place, every one of its own type."""
        usual = self._recipe(loaded).config
        changes = {"seed": self.seed} | self.settings
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in changes.items()}
        try:
            config = replace(usual, **plain)
        except TypeError as error:
            raise InputError(f"{type(self).__name__}: a setting is of the wrong type ({error})") from None
        return from_json_tree(self.method.config, to_json_tree(config), type(self).__name__)

    def _check_settings(self, settings: dict[str, Any]) -> None:
        if "noise_multiplier" in settings:
            raise InputError("noise_multiplier follows from epsilon here: leave it out")
        known = {field.name for field in fields(self.method.config)} - {"noise_multiplier", "seed"}
        for setting in sorted(settings.keys() - known):
            names = ", ".join(sorted([*known, *_NUMBERS]))
            raise InputError(f"{type(self).__name__} has no setting {told(setting)}; the settings are {names}")
        for setting, value in settings.items():
            check_setting(setting, value)

    @property
    def released(self) -> ReleasedGenerator:
        """Generator alone, the only part of this object that may be shared.

        Raises:
            InputError: nothing was fitted yet.
        """
        if self._released is None:
            raise InputError(f"this {type(self).__name__} has learnt nothing yet: call fit(x, y) first")
        return self._released

    @property
    def statement(self) -> PrivacyStatement:
        """Statement of the generator, as `ReleasedGenerator.statement`."""
        return self.released.statement

    def sample(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw synthetic records, classes in turn, as `ReleasedGenerator.sample`."""
        return self.released.sample(num_samples, labels, evenness=evenness, seed=seed)

    def save(self, path: str | Path) -> Path:
        """Write the generator to a file, as `ReleasedGenerator.save`."""
        return self.released.save(path)

    def __repr__(self) -> str:
        """Name the method with its budget, and the claim if something was learnt."""
        learnt = "has learnt nothing yet" if self._released is None else f"fitted: {self.statement.claim}"
        return f"{type(self).__name__}(epsilon={self.epsilon:g}), {learnt}"


class _Caller(AbstractListener):
    """Listener that tells the caller of `fit` the progress, and logs notes."""

    def __init__(self, progress: Callable[[Progress], None] | None) -> None:
        self._progress = progress

    def note(self, line: str) -> None:
        """Log the line."""
        _LOG.warning(line)

    def hear(self, training: AbstractTraining, report: Any) -> None:
        """Tell the caller the progress."""
        if self._progress is not None:
            self._progress(training.progress(report))
