"""`gossamer train`: from private images to a released generator."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from gossamer.cli.announcing import advise, announce, show_milestones
from gossamer.cli.arguments import Counts, Numbers, choose, read_arguments, read_known_arguments
from gossamer.cli.beforehand import DEFAULT_EPSILON, Begun, check_words, possible_settings, settings_in
from gossamer.cli.networks import AS_IN_RECIPE, NetworkChoice
from gossamer.cli.options import Mark
from gossamer.cli.series_options import AS_STORED, NOTHING_SAID, ImageOptions, SeriesOptions
from gossamer.data.catalogue import find_named
from gossamer.data.columns import is_table
from gossamer.data.records import RecordData
from gossamer.data.room import room_beside
from gossamer.data.roster import Roster
from gossamer.data.series_choice import load_chosen
from gossamer.driving.job import Loaded, TrainingJob, start_training, whole_path
from gossamer.driving.milestones import Milestone, find_milestones
from gossamer.driving.processes import num_processes, process_number, telling_the_first, wait_for_folder
from gossamer.driving.protection import check_roster, check_unit
from gossamer.driving.run import begin_run
from gossamer.errors import InputError
from gossamer.extras import need
from gossamer.mechanisms.plan import AbstractPlan
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.choosing import AUTO, AUTO_SUMMARY, PublicFacts, chosen
from gossamer.methods.method import FROM_FILE, Method, Recipe, TakenRecipe
from gossamer.nn.devices import DeviceName, PrecisionName, find_device, find_precision
from gossamer.privacy.adjacency import Unit, UnitName
from gossamer.privacy.budget import PrivacyBudget, chosen_delta
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.priceable import accountable, check_numbers
from gossamer.privacy.slots import PublicSlots
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

if TYPE_CHECKING:
    import torch

    from gossamer.driving.starting import PreparedStart
    from gossamer.methods.training import AbstractTraining

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """The records to learn from.

    Args:
        data: a name from `gossamer data list`, a file (NPZ, NPY, IDX, CSV, Parquet, .ts, EDF), or a folder (pictures,
            DICOM, IDX, WFDB, EDF)
        data_dir: folder of published sets. Default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        unit: whom to protect: one record, or all of one person or recording. Default: record, of windows
            the person or recording
        num_people: most people or recordings, public. Default: the published number, else a replacement alone is
            covered
        num_records: public number of records, at most. Default: likewise
        roster: public list of who may have records: a critic each
        recipe: settings to start from: a name, or the config.json of a run, edited or not. Default: by --data
        images: how images are read
        series: how series are read
        networks: networks in place of those of the recipe
    """

    data: str
    data_dir: Path | None = None
    num_classes: int | None = None
    unit: UnitName | None = None
    num_people: int | None = None
    num_records: int | None = None
    roster: Path | None = None
    recipe: str | None = None
    images: ImageOptions = AS_STORED
    series: SeriesOptions = NOTHING_SAID
    networks: Annotated[NetworkChoice, Mark.TAKEN_OVER] = AS_IN_RECIPE


@dataclass(frozen=True, kw_only=True)
class Train(Generic[C]):
    """Learn a generator within a privacy budget, and write the run folder.

    The noise follows from --epsilon. All else comes from the recipe and can be changed below. Ctrl-C stops in good
    order, and `gossamer resume OUT` goes on.

    Example: gossamer train METHOD --data mnist --epsilon 10 --out runs/mnist

    Example: gossamer train METHOD --data scans.npz --num-classes 3 --epsilon 10 --dry-run

    Args:
        choice: the records to learn from
        out: run folder to make, not needed with --dry-run
        key_of: an earlier run on the same records: hold out the same ones, so that scores of both can be compared
        epsilon: privacy budget. Default: 10
        delta: of the guarantee. Default: the power of ten at or below 1/(10 N)
        device: auto takes a GPU when there is one
        precision: bf16 for training critics and generator of gs-wgan. Critics answer in fp32 always
        num_tuning_runs: earlier runs on the same records, to declare in the statement. Their epsilon adds to this one
        save_at_epsilon: also release the generator as it is after the last step within each epsilon: 1,2,5,10
        save_at_step: also release the generator as it is after these steps: 500,1000
        start_from: public start: a released generator, or public records to train on first without noise
        start_steps: steps on these public records. Default: 500
        plain: a line now and then in place of the live panel
        tensorboard: write event files into private/tensorboard of the run
        dry_run: say the cost in privacy, time and memory, and stop
        method: settings of the method
    """

    choice: Annotated[DataChoice, Mark.TAKEN_OVER]
    out: Path | None = None
    key_of: Path | None = None
    epsilon: float | None = None
    delta: float | None = None
    device: DeviceName = "auto"
    precision: PrecisionName = "fp32"
    num_tuning_runs: int = 0
    save_at_epsilon: Numbers = ()
    save_at_step: Counts = ()
    start_from: str | None = None
    start_steps: int | None = None
    plain: bool = False
    tensorboard: bool = False
    dry_run: bool = False
    method: Annotated[C, Mark.TAKEN_OVER]


def run(arguments: Sequence[str]) -> int:
    """Train by a method."""
    summaries = {method.name: method.summary for method in METHODS} | {AUTO: AUTO_SUMMARY}
    name, rest = choose(arguments, summaries, program="train", what="method")
    if name == AUTO:
        return _train_chosen(rest)
    method, program = find_method(name), f"train {name}"
    if {"-h", "--help"} & set(rest):
        read_arguments(Train[method.config], rest, program=program, **_recipe_for_help(method, rest, program))
    choice = read_known_arguments(DataChoice, rest, program=program)
    begun = read_known_arguments(Begun, rest, program=program)
    is_series = choice.series != NOTHING_SAID or is_table(Path(choice.data))
    possible = map(choice.networks.on, possible_settings(method, choice.recipe, is_series=is_series))
    check_words(Train[method.config], possible, rest, program)
    begun.check()
    if choice.roster is not None:
        check_roster(method, choice.unit, choice.num_people)
    loaded = _load(choice, begun)
    recipe = _recipe(method, choice, loaded)
    usual = loaded.with_critics(choice.networks.on(recipe.config))
    asked = read_arguments(Train[method.config], rest, program=program, method=usual)
    return _train(asked, method, loaded, recipe.taken(asked.method))


@dataclass(frozen=True, kw_only=True)
class SettingsByPublicFacts:
    """Settings of a method that is not yet chosen: none can be changed."""


def _train_chosen(words: Sequence[str]) -> int:
    """Choose a method by public facts, say why, and train by it as if it had been named."""
    asked: Train[Any] = read_arguments(Train[SettingsByPublicFacts], words, program=f"train {AUTO}")
    choice = asked.choice
    if choice.roster is not None:
        raise InputError(f"--roster is of gs-wgan: name it in place of {AUTO}")
    if choice.recipe is not None or choice.networks != AS_IN_RECIPE:
        raise InputError(f"--recipe and networks are of one method: name the method in place of {AUTO}")
    begun = read_known_arguments(Begun, words, program=f"train {AUTO}")
    begun.check()
    loaded = _load(choice, begun)
    found = chosen(PublicFacts.of(loaded.data.train, loaded.slots, _target(asked), find_device(asked.device)))
    if process_number() == 0:
        for sentence in found.reasons:
            print(f"{AUTO}: {sentence}")
    recipe = _recipe(found.method, choice, loaded)
    return _train(dataclasses.replace(asked, method=recipe.config), found.method, loaded, recipe.taken(recipe.config))


def _find_key(begun: Begun) -> UnitKey:
    """Find the key of the run: new, that of an earlier one, or for torchrun's processes that of the first one."""
    # Privacy: a rank that dealt by another key would put a person into two shards.
    if process_number() > 0 and begun.out is not None:
        return read_key(wait_for_folder(begun.out))
    return UnitKey.drawn() if begun.key_of is None else read_key(RunFolder.open(begun.key_of))


def _load(choice: DataChoice, begun: Begun) -> Loaded:
    # Refused before the data is read. With windows, the data says first if it names people.
    known = choice.unit or ("record" if choice.series.window is None else None)
    check_unit(known, choice.num_people, choice.num_records)
    roster = None if choice.roster is None else Roster.read(choice.roster)
    unit = Unit.RECORD if choice.unit is None else Unit(choice.unit)
    key, room = _find_key(begun), room_beside(begun.out)
    with telling_the_first():
        read = load_chosen(
            choice.data, choice.data_dir, choice.num_classes, choice.series, key, unit, choice.images, room
        )
    return Loaded.of(read, key, roster, choice.unit, choice.num_people, choice.num_records)


def _recipe(method: Method[C], choice: DataChoice, loaded: Loaded) -> Recipe[C]:
    if choice.recipe is not None and choice.recipe.endswith(".json"):
        return Recipe(name=FROM_FILE, summary="settings of a file", config=settings_in(method, Path(choice.recipe)))
    # Privacy: sizes follow from the public number of slots, never from how many there are.
    return method.recipe_of(choice.recipe, loaded.data.train, loaded.slots.to_learn_from)


def _recipe_for_help(method: Method[C], rest: Sequence[str], program: str) -> dict[str, object]:
    """Find the settings that the help shows: of the recipe that was named, of MNIST's or of any, if there is one."""
    known = [word for word in rest if word not in ("-h", "--help")]
    choice = read_known_arguments(DataChoice, ["--data=mnist", *known], program=program)
    if choice.recipe is not None and choice.recipe.endswith(".json"):
        return {"method": choice.networks.on(settings_in(method, Path(choice.recipe)))}
    data = find_named(choice.data)
    recipe = method.named(choice.recipe, None if data is None else data.name, None)
    if recipe is None and method.recipes:
        recipe = method.find_for("mnist") or method.recipes[0]
    return {} if recipe is None else {"method": choice.networks.on(recipe.config)}


def _train(asked: Train[Any], method: Method[Any], loaded: Loaded, recipe: TakenRecipe) -> int:
    from gossamer.cli.following import follow
    from gossamer.cli.rehearsing import show_rehearsal
    from gossamer.cli.watching import Watching

    if asked.out is None and not asked.dry_run:
        raise InputError("--out is missing: name a folder for the run, for example --out runs/first")
    if asked.tensorboard:
        need("tensorboard", "--tensorboard")
    data, slots = loaded.data, loaded.slots
    delta = chosen_delta(asked.delta, slots.number)
    device = find_device(asked.device)
    with accountable():
        config = _with_noise(asked, method, slots, delta)
        training = _rehearse(asked, method, config, loaded, delta)
        milestones = _milestones(asked, method, training.plan, delta)
    prepared = _prepared_start(asked, method, config, data)
    if process_number() == 0:
        announce(training.statement, data, recipe)
        if training.sizes:
            print(f"sizes: {training.sizes}")
        for sentence in prepared.facts.sentences:
            print(f"public: {sentence}")
        if asked.epsilon is None and asked.method.noise_multiplier is None:
            print(f"epsilon: {DEFAULT_EPSILON:g}, the default, since --epsilon was not given")
        advise(training, data)
        if milestones:
            show_milestones(milestones)
    if asked.dry_run or asked.out is None:
        show_rehearsal(method, config, data.train.spec, slots, device, training.statement.epsilon)
        print("the time is being measured on random records: about 20 seconds at most", file=sys.stderr)
        print(method.cost(config, data.train.spec, slots, device))
        if asked.start_from is not None:
            print("The public start comes before that, and its time is not counted.")
        if data.train.published_name is None:
            # Privacy: the same words whatever the values are.
            print("`gossamer data describe` shows how your values fill their range, for your eyes alone.")
        return 0
    method.check_shares_work(num_processes())
    start = prepared.made(device)
    job = _job(asked, config, delta, device, milestones, loaded.roster)
    job = dataclasses.replace(job, start=start.facts, recipe=recipe, unit=slots.unit.value)
    return follow(begin_run(asked.out, job, loaded, start), Watching(plain=asked.plain, tensorboard=asked.tensorboard))


def _prepared_start(asked: Train[Any], method: Method[Any], config: Any, data: RecordData) -> PreparedStart:
    """Read the public start, or take it from the first of torchrun's processes."""
    from gossamer.driving.starting import StartChoice, prepare_start, start_of_first

    if process_number() > 0 and asked.out is not None:
        return start_of_first(RunFolder.open(asked.out))
    choice = StartChoice(
        source=asked.start_from,
        num_steps=asked.start_steps,
        data=asked.choice.data,
        data_dir=asked.choice.data_dir,
        series=asked.choice.series,
        images=asked.choice.images,
    )
    return prepare_start(choice, method, config, data.train)


def _job(
    asked: Train[Any],
    config: Any,
    delta: float,
    device: torch.device,
    milestones: Sequence[Milestone],
    roster: Roster | None,
) -> TrainingJob:
    choice = asked.choice
    return TrainingJob(
        data=whole_path(choice.data),
        data_dir=None if choice.data_dir is None else str(choice.data_dir.resolve()),
        num_classes=choice.num_classes,
        images=choice.images,
        series=choice.series,
        delta=delta,
        device="cuda" if device.type == "cuda" else "cpu",
        precision=asked.precision,
        method=config,
        num_people=choice.num_people,
        num_records=choice.num_records,
        num_tuning_runs=asked.num_tuning_runs,
        save_at_steps=tuple(milestone.step for milestone in milestones),
        roster=None if roster is None else roster.file,
    )


def _with_noise(asked: Train[C], method: Method[C], slots: PublicSlots, delta: float) -> C:
    config: Any = asked.method
    noise = config.noise_multiplier
    # Counts are checked whatever the noise is.
    noisy = method.plan(dataclasses.replace(config, noise_multiplier=1.0), slots)
    check_numbers(noisy.event, noise, asked.epsilon)
    if noise is None:
        return method.calibrate(config, slots, PrivacyBudget(epsilon=_target(asked), delta=delta))
    if asked.epsilon is not None:
        raise InputError("--epsilon and --noise-multiplier exclude each other: give one")
    return method.sized(config, slots)


def _target(asked: Train[Any]) -> float:
    return DEFAULT_EPSILON if asked.epsilon is None else asked.epsilon


def _milestones(asked: Train[Any], method: Method[Any], plan: AbstractPlan, delta: float) -> tuple[Milestone, ...]:
    if (asked.save_at_epsilon or asked.save_at_step) and not method.saves_on_the_way:
        raise InputError(
            f"{method.name} has no generator before its last release: leave --save-at-epsilon and --save-at-step out, "
            "and train a run for each epsilon"
        )
    return find_milestones(
        plan,
        delta,
        at_epsilon=asked.save_at_epsilon,
        at_step=asked.save_at_step,
        target_epsilon=_target(asked) if asked.method.noise_multiplier is None else None,
    )


def _rehearse(asked: Train[C], method: Method[C], config: C, loaded: Loaded, delta: float) -> AbstractTraining:
    """Refuse now all that would be refused later. Nothing is trained and nothing is written."""
    from gossamer.mechanisms.noise import DeterministicNoise
    from gossamer.methods.training import RunContext

    context = RunContext(
        delta=delta,
        slots=loaded.slots,
        key=loaded.key,
        precision=find_precision(asked.precision),
        num_tuning_runs=asked.num_tuning_runs,
    )
    return start_training(method, config, loaded.data.train, DeterministicNoise(0), context)
