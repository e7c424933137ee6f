"""The common part of all estimators: settings, calibration, a training driven to its end, and its generator."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, Unpack, cast, overload

import numpy as np

from gossamer.data.files import path_of
from gossamer.data.records import RecordData
from gossamer.data.room import MEMORY, AbstractRoom, room_beside
from gossamer.data.roster import Roster
from gossamer.driving.job import IN_MEMORY, Loaded, TrainingJob, start_training, whole_path
from gossamer.driving.loop import RunLoop
from gossamer.driving.processes import num_processes
from gossamer.driving.protection import check_unit
from gossamer.driving.run import Run, begin_run, take_up_run
from gossamer.driving.starting import PreparedStart, StartChoice, prepare_start
from gossamer.errors import InputError, told
from gossamer.estimators.advice import Starts, advice, count_start, of_noise, undeclared, warn
from gossamer.estimators.arguments import DEFAULTS, Arguments, is_chosen, shown
from gossamer.estimators.driven import LOG, driven
from gossamer.estimators.planned import PlannedTraining, verdict_of_rehearsal
from gossamer.estimators.real_records import HeldOut, read_real, read_test
from gossamer.estimators.records import Array, Source, read_source
from gossamer.estimators.released import Labels, ReleasedGenerator, claimed
from gossamer.estimators.scores import EvaluationScores, ScoringOptions, ScoringWords, evaluate_generator
from gossamer.estimators.tables import Said, is_path
from gossamer.mechanisms.noise import AbstractNoise, DeterministicNoise, KeyedNoise
from gossamer.methods.method import Method, Recipe, TakenRecipe
from gossamer.methods.starting import PublicStart
from gossamer.methods.training import AbstractTraining, Progress, RunContext
from gossamer.methods.verdict import Verdict
from gossamer.nn.devices import DeviceName
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.budget import PrivacyBudget, chosen_delta
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.priceable import accountable
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.config_io import from_json_tree, to_json_tree
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import read_identity
from gossamer.runs.key_file import read_key


class AbstractEstimator(abc.ABC):
    """A method by fit and sample: a generator of images or time series within a privacy budget.

    Guarantee:
        The results of `sample`, `statement`, `released` and `save` are (epsilon, delta)-differentially private, in the
        sense and on the assumptions that `statement` writes out. Each further `fit` or `start` on the same records is a
        release of its own: epsilons and deltas add up. The object declares its own earlier runs by itself, on any
        records. `num_tuning_runs` declares those of others.

    Args:
        epsilon: privacy budget, above 0. The noise follows from it. There is no default.
        delta: below one over the number of slots. Default: the largest power of ten at or below 1/(10 N).
        recipe: name of the settings to start from, ``mnist-cpu`` for instance. Default: by name or size of the data.
        unit: of protection: "record", or "person" with all records of that person. `fit` then needs the person of each
            record. Or "recording" with all its windows. Default: the record. For windows of recordings it is the
            person, or the recording if nobody says the person.
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
        roster: text file with the names of all people who may have records, one a line. Public, and made without a
            look at who has some. Of GSWGAN with unit "person": each of these people gets a critic, and nobody else.
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
        epsilon: float | None = None,
        delta: float | None = None,
        *,
        recipe: str | None = None,
        unit: UnitName | None = None,
        num_people: int | None = None,
        num_records: int | None = None,
        num_classes: int | None = None,
        num_tuning_runs: int = 0,
        roster: str | Path | None = None,
        device: DeviceName = "auto",
        seed: int = 0,
        start_from: str | Path | None = None,
        start_steps: int | None = None,
        **settings: Any,
    ) -> None:
        given = locals()
        self._given = {name: given[name] for name in DEFAULTS} | settings
        self._asked = Arguments.read(type(self).__name__, self.method, self._given)
        self._released: ReleasedGenerator | None = None
        self._starts = Starts()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments as they were given, as scikit-learn's `clone` and searches ask for them.

        A clone has learnt nothing, and knows nothing of the trainings of its original: ``num_tuning_runs`` declares
        those in its statement.

        Args:
            deep: of no effect, since no argument is an estimator.
        """
        return dict(self._given)

    def set_params(self, **params: Any) -> Self:
        """Change arguments by name, all of them or none. A generator that was learnt stays, with its statement.

        Raises:
            InputError: as the constructor.
            PrivacyError: as the constructor.
        """
        changed = self._given | params
        self._asked = Arguments.read(type(self).__name__, self.method, changed)
        self._given = changed
        return self

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
        is spent. If the verdict on the generator is noise, a `GossamerWarning` says so at the end.

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
                ``sample_rate``, ``channel_names``, ``units``, ``window`` and ``stride``, after which an array is one of
                series. And ``class_names``.

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
            trained = driven(self._taken_up(RunFolder(path_of(run, "run")), x, y, people, said), progress)
        else:
            training = self._started(x, y, people, said)
            for report in training:
                if progress is not None:
                    progress(training.progress(report))
            trained = training.trained()
            trained.check_finite()
        self._released = ReleasedGenerator(trained=trained)
        warn(of_noise(self._released.verdict))
        return self

    def plan(
        self, x: Source, y: Array | None = None, people: Array | None = None, **said: Unpack[Said]
    ) -> PlannedTraining:
        """Plan the training that `fit` would do: its price, noise, prospect, recipe and, when asked for, its time.

        Nothing is spent, nothing is learnt, and the plan counts as no run. Records are read for their public facts
        alone: shape, classes, and their number if none was given.

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
        measured = config, loaded.data.train.spec, loaded.slots, self._asked.device
        # The facts alone: a plan trains nothing, on public records neither.
        start = PublicStart(facts=self._prepared_start(x, config, loaded).facts)
        training = self._training(config, delta, loaded, KeyedNoise(), self._num_earlier, start)
        return PlannedTraining(
            method=self.method.title,
            statement=training.statement,
            recipe=self._recipe(loaded).name,
            config=config,
            prospect=training.prospect(),
            advice=self._advice(training, loaded),
            measure=functools.partial(self.method.cost, *measured),
            rehearse=functools.partial(verdict_of_rehearsal, self.method, *measured),
        )

    @overload
    def start(
        self, x: Source, y: Array | None = None, people: Array | None = None, *, run: None = None, **said: Unpack[Said]
    ) -> AbstractTraining: ...

    @overload
    def start(
        self, x: Source, y: Array | None = None, people: Array | None = None, *, run: str | Path, **said: Unpack[Said]
    ) -> RunLoop: ...

    def start(
        self,
        x: Source,
        y: Array | None = None,
        people: Array | None = None,
        *,
        run: str | Path | None = None,
        **said: Unpack[Said],
    ) -> AbstractTraining | RunLoop:
        """Start a training for a loop of your own, in place of `fit`. The estimator itself learns nothing by it.

        The training's `statement` is priced already, while nothing is spent before the first step of the loop. Iterate
        over the training to the end, and make ``ReleasedGenerator(trained=training.trained())``. With ``run`` the loop
        writes the run folder of `fit`, can be left, and goes on when it is started again.

        Guarantee: the generator that `trained` returns has the privacy that `statement` says. The training itself is
        private, and so may be the reports that it yields: they can hold losses on private records.

        Args:
            x: as for `fit`.
            y: as for `fit`.
            people: as for `fit`.
            run: as for `fit`: folder to write the run into, or to go on in.
            said: as for `fit`.

        Raises:
            InputError: as `fit`.
            PrivacyError: as `fit`.
        """
        if run is not None:
            return RunLoop(self._taken_up(RunFolder(path_of(run, "run")), x, y, people, said), LOG.warning)
        return self._started(x, y, people, said)

    @property
    def _num_earlier(self) -> int:
        # Privacy: earlier runs of this object may have learnt from the same records.
        return self._asked.num_tuning_runs + self._starts.number

    def _started(self, x: Source, y: Array | None, people: Array | None, said: Said) -> AbstractTraining:
        loaded = self._load(x, y, people, UnitKey.drawn(), said)
        config, delta = self._calibrated(loaded)
        start = self._prepared_start(x, config, loaded).made(self._asked.device)
        training = self._training(config, delta, loaded, KeyedNoise(), self._num_earlier, start)
        warn(self._advice(training, loaded))
        count_start(self._starts, None)
        return training

    def _training(
        self,
        config: Any,
        delta: float,
        loaded: Loaded,
        noise: AbstractNoise,
        num_tuning_runs: int,
        start: PublicStart,
    ) -> AbstractTraining:
        context = RunContext(
            delta=delta,
            slots=loaded.slots,
            key=loaded.key,
            device=self._asked.device,
            public_notes=(self._taken(loaded).note, *loaded.data.public_notes),
            num_tuning_runs=num_tuning_runs,
            start=start,
        )
        return start_training(self.method, config, loaded.data.train, noise, context)

    def _advice(self, training: AbstractTraining, loaded: Loaded) -> tuple[str, ...]:
        return (*advice(training, loaded.data), *undeclared(self._starts, self._asked.num_tuning_runs))

    def _taken_up(self, folder: RunFolder, x: Source, y: Array | None, people: Array | None, said: Said) -> Run:
        """Begin a run in a folder, or take it up. A warning comes before the folder is made."""
        if num_processes() > 1:
            # Privacy: each process would deal by a key of its own, and a person would lie in several shards.
            raise InputError("fit works in one process: start it without torchrun, or share the work by gossamer train")
        is_begun = folder.config_file.is_file()
        key = read_key(folder) if is_begun else UnitKey.drawn()
        loaded = self._load(x, y, people, key, said, room_beside(folder.private))
        data = IN_MEMORY if said or not is_path(x) else whole_path(str(x))
        job = self._job(data, loaded, self._asked.num_tuning_runs if is_begun else self._num_earlier)
        if is_begun:
            run = take_up_run(folder, LOG.warning, lambda _: loaded)
            # The source of a start is not read again: its facts and networks are those that the run keeps.
            is_same = self._start_choice(x).is_of(run.job.start)
            run.check_asked(replace(job, start=run.job.start) if is_same else job)
        else:
            prepared = self._prepared_start(x, job.method, loaded)
            said_start = PublicStart(facts=prepared.facts)
            rehearsal = self._training(
                job.method, job.delta, loaded, DeterministicNoise(0), job.num_tuning_runs, said_start
            )
            warn(self._advice(rehearsal, loaded))
            start = prepared.made(self._asked.device)
            run = begin_run(folder.path, replace(job, start=start.facts), loaded, start)
        count_start(self._starts, read_identity(folder).run_id)
        return run

    def _job(self, data: str, loaded: Loaded, num_tuning_runs: int) -> TrainingJob:
        config, delta = self._calibrated(loaded)
        return TrainingJob(
            data=data,
            data_dir=None,
            num_classes=self._asked.num_classes,
            delta=delta,
            device="cuda" if self._asked.device.type == "cuda" else "cpu",
            precision="fp32",
            method=config,
            unit=loaded.slots.unit.value,
            num_people=self._asked.num_people,
            num_records=self._asked.num_records,
            num_tuning_runs=num_tuning_runs,
            recipe=self._taken(loaded),
            roster=None if loaded.roster is None else loaded.roster.file,
        )

    def _start_choice(self, x: Source) -> StartChoice:
        data = str(x) if isinstance(x, str | Path) else None
        return StartChoice(source=self._asked.start_from, num_steps=self._asked.start_steps, data=data)

    def _prepared_start(self, x: Source, config: Any, loaded: Loaded) -> PreparedStart:
        return prepare_start(self._start_choice(x), self.method, config, loaded.data.train)

    def _load(
        self,
        x: Source,
        y: Array | None,
        people: Array | None,
        key: UnitKey,
        said: Said,
        room: AbstractRoom = MEMORY,
    ) -> Loaded:
        asked = self._asked
        if asked.unit is None and "window" not in said and not isinstance(x, RecordData):
            # Refused before the data is read. With windows, the data says first if it names people.
            check_unit("record", asked.num_people, asked.num_records)
        roster = None if asked.roster is None else Roster.read(asked.roster)
        data = read_source(x, y, people, asked.num_classes, asked.unit or Unit.RECORD, key, said, room)
        unit = None if asked.unit is None else asked.unit.value
        return Loaded.of(data, key, roster, unit, asked.num_people, asked.num_records)

    def _calibrated(self, loaded: Loaded) -> tuple[Any, float]:
        """Return the settings with their noise, and delta. All of it follows from public things."""
        slots = loaded.slots
        delta = chosen_delta(self._asked.delta, slots.number)
        config = self._config(loaded)
        with accountable():
            return self.method.calibrate(config, slots, PrivacyBudget(epsilon=self._asked.epsilon, delta=delta)), delta

    def _recipe(self, loaded: Loaded) -> Recipe[Any]:
        return self.method.recipe_of(self._asked.recipe, loaded.data.train, loaded.slots.to_learn_from)

    def _taken(self, loaded: Loaded) -> TakenRecipe:
        # Sizes that the method settles by the noise are no changes of the user's.
        return self._recipe(loaded).taken(self._config(loaded))

    def _config(self, loaded: Loaded) -> Any:
        """Return the recipe with the settings in place, every one of its own type."""
        usual = loaded.with_critics(self._recipe(loaded).config)
        changes = {"seed": self._asked.seed, **self._asked.settings}
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in changes.items()}
        try:
            config = replace(usual, **plain)
        except (TypeError, AttributeError) as error:
            raise InputError(f"{type(self).__name__}: a setting is of the wrong type ({error})") from None
        return from_json_tree(self.method.config, to_json_tree(config), type(self).__name__)

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

    @property
    def verdict(self) -> Verdict | None:
        """Verdict on the worth of the samples, as `ReleasedGenerator.verdict`."""
        return self.released.verdict

    def sample(
        self, num_samples: int, labels: Labels = None, *, evenness: float | None = None, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw synthetic records, classes in turn, as `ReleasedGenerator.sample`."""
        return self.released.sample(num_samples, labels, evenness=evenness, seed=seed)

    def predict(self, x: Source, *, evenness: float | None = None, **said: Unpack[Said]) -> np.ndarray:
        """Name the most probable class of each record, as `ReleasedGenerator.predict`."""
        return self.released.predict(x, evenness=evenness, **said)

    def predict_proba(self, x: Source, *, evenness: float | None = None, **said: Unpack[Said]) -> np.ndarray:
        """Return the probabilities of the classes of each record, as `ReleasedGenerator.predict_proba`."""
        return self.released.predict_proba(x, evenness=evenness, **said)

    def evaluate(
        self,
        x: Source,
        y: Array | None = None,
        people: Array | None = None,
        *,
        test: HeldOut = None,
        run: str | Path | None = None,
        **words: Unpack[ScoringWords],
    ) -> EvaluationScores:
        """Score samples beside real records, with the scores and the defaults of ``gossamer evaluate``.

        Guarantee:
            None. Every score is computed on real records and stays private. Choosing a model, a recipe or an epsilon by
            scores is tuning. Nothing is written but the private cache.

        Args:
            x: the records that were learnt from, as for `fit`.
            y: as for `fit`.
            people: as for `fit`.
            test: records that were not learnt from: (x, y), a frame, a data set or records. Default: those that come
                with x.
            run: folder of the run of `fit`, of which the key says who was held out. Needed if x is a name or a path
                that is split by a key.
            words: those of `ScoringOptions`, and the public facts of `fit`, such as ``label="kind"`` of a frame. Facts
                that the generator knows need not be said again. ``quick=True`` takes seconds to minutes, and the
                default hours.

        Raises:
            InputError: nothing was fitted yet, no test records, or records that cannot be scored.
        """
        trained = self.released.trained
        said = cast("Said", {name: value for name, value in words.items() if name in Said.__annotations__})
        options = cast("ScoringOptions", {name: value for name, value in words.items() if name not in said})
        data, lines = read_real(x, y, people, said, run, self._asked, self.released.spec)
        warn(lines)
        held_out = data.test if test is None else read_test(test, said, self._asked.num_classes, self.released.spec)
        return evaluate_generator(trained, data, held_out, **options)

    def save(self, path: str | Path) -> Path:
        """Write the generator to a file, as `ReleasedGenerator.save`."""
        return self.released.save(path)

    def __repr__(self) -> str:
        """Name the method with its arguments, and claim and verdict if something was learnt."""
        chosen = {name: value for name, value in self._given.items() if is_chosen(name, value)}
        arguments = ", ".join(f"{name}={shown(value)}" for name, value in chosen.items())
        learnt = "has learnt nothing yet" if self._released is None else f"fitted: {claimed(self.released.trained)}"
        return f"{type(self).__name__}({arguments}), {learnt}"
