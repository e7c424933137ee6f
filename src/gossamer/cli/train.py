"""`gossamer train`: from private images to a released generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro
from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import (
    Counts,
    DeviceName,
    Numbers,
    PrecisionName,
    accountable,
    check_accountable,
    choose,
    find_device,
    find_precision,
    read_arguments,
    read_known_arguments,
)
from gossamer.cli.driving import drive
from gossamer.cli.estimate import estimate_cost
from gossamer.cli.job import TrainingJob, check_same_start, remember_start
from gossamer.cli.milestones import Milestone, find_milestones, round_up, show_milestones
from gossamer.cli.processes import num_processes, process_number, wait_for_folder
from gossamer.data.catalogue import NAMED_DATA, load_images
from gossamer.data.images import ImageData, ImageSet
from gossamer.errors import InputError
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.gs_wgan import GSWGANConfig
from gossamer.methods.method import Circumstances, Method, Plan
from gossamer.privacy.budget import PrivacyBudget, check_delta, default_delta
from gossamer.privacy.statement import PrivacyStatement
from gossamer.recipes.books import BOOKS, find_book
from gossamer.recipes.recipe import RecipeBook
from gossamer.runs.config_io import from_json_tree
from gossamer.runs.files import read_json
from gossamer.runs.folder import RunFolder

C = TypeVar("C")

DEFAULT_EPSILON = 10.0


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """Which records to learn from.

    Args:
        data: digits, mnist, fashion-mnist, an NPZ file, or a folder of PNGs
        data_dir: folder of published sets; default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        recipe: settings to start from: a name, or the config.json of a run, edited or not; default: by --data
    """

    data: str
    data_dir: Path | None = None
    num_classes: int | None = None
    recipe: str | None = None


@dataclass(frozen=True, kw_only=True)
class Train(Generic[C]):
    """Learn a generator within a privacy budget, and write the run folder.

    The noise follows from --epsilon; every other setting comes from the recipe and can be changed below. Ctrl-C
    stops in good order; `gossamer resume OUT` goes on.

    Example: gossamer train gs-wgan --data mnist --epsilon 10 --out runs/mnist

    Args:
        choice: which records to learn from
        out: run folder to make; not needed with --dry-run
        epsilon: privacy budget; 10 unless --noise-multiplier is given
        delta: of the guarantee; default: the power of ten at or below 1/(10 N)
        device: auto takes a GPU when there is one
        precision: bf16 for training critics and generator of gs-wgan; critics answer in fp32 always
        num_tuning_runs: earlier runs on the same records, to declare in the statement; their epsilon adds to this one
        save_at_epsilon: also release the generator as it is after the last step within each epsilon: 1,2,5,10
        save_at_step: also release the generator as it is after these steps: 500,1000
        dry_run: say what it would cost in privacy, time and memory, and stop
        method: settings of the method
    """

    choice: Annotated[DataChoice, tyro.conf.arg(name="")]
    out: Path | None = None
    epsilon: float | None = None
    delta: float | None = None
    device: DeviceName = "auto"
    precision: PrecisionName = "fp32"
    num_tuning_runs: int = 0
    save_at_epsilon: Numbers = ()
    save_at_step: Counts = ()
    dry_run: bool = False
    method: Annotated[C, tyro.conf.arg(name="")]


def run(arguments: Sequence[str]) -> int:
    """Train by a method."""
    name, rest = choose(arguments, tuple(book.method.name for book in BOOKS), program="train", what="method")
    book, program = find_book(name), f"train {name}"
    if {"-h", "--help"} & set(rest):
        choice, data = _choice_for_help(rest, program), None
        config = _named_recipe(book, choice) or book.find_for("mnist").config
    else:
        choice = read_known_arguments(DataChoice, rest, program=program)
        data = load_images(choice.data, choice.data_dir, choice.num_classes)
        config = _settings(book, choice, data)
    asked = read_arguments(
        Train[book.method.config], rest, program=program, default=Train(choice=choice, method=config)
    )
    assert data is not None
    return _train(asked, book.method, data)


def _settings(book: RecipeBook[C], choice: DataChoice, data: ImageData) -> C:
    return _named_recipe(book, choice) or book.for_own(data.train.spec, data.train.num_records).config


def _named_recipe(book: RecipeBook[C], choice: DataChoice) -> C | None:
    if choice.recipe is not None and choice.recipe.endswith(".json"):
        return _settings_of(book.method, Path(choice.recipe))
    if choice.recipe is not None:
        return book.find(choice.recipe).config
    if choice.data in {named.name for named in NAMED_DATA}:
        return book.find_for(choice.data).config
    return None


def _settings_of(method: Method[C], file: Path) -> C:
    """The method's settings in a run's `config.json`, without the noise: that follows from the budget."""
    tree = read_json(file)
    settings: Any = from_json_tree(method.config, tree.get("method") if isinstance(tree, dict) else None, str(file))
    return dataclasses.replace(settings, noise_multiplier=None)


def _choice_for_help(rest: Sequence[str], program: str) -> DataChoice:
    """The help shows the settings of the recipe that was named, if one was."""
    known = [word for word in rest if word not in ("-h", "--help")]
    known += [] if any(word.partition("=")[0] == "--data" for word in known) else ["--data", "mnist"]
    return read_known_arguments(DataChoice, known, program=program)


def _train(asked: Train[Any], method: Method[Any], data: ImageData) -> int:
    if asked.out is None and not asked.dry_run:
        raise InputError("--out is missing: name a folder for the run, for example --out runs/first")
    num_slots = data.train.num_records
    delta = default_delta(num_slots) if asked.delta is None else asked.delta
    check_delta(delta, num_slots)
    device = find_device(asked.device)
    with accountable():
        config = _with_noise(asked, method, num_slots, delta)
        statement = _rehearse(asked, method, config, data.train, delta)
        milestones = _milestones(asked, method, method.plan(config, num_slots), delta)
    if process_number() == 0:
        _announce(statement, data)
        if milestones:
            show_milestones(milestones)
    if asked.dry_run or asked.out is None:
        print(estimate_cost(method, config, data.train.spec, num_slots, device))
        return 0
    if num_processes() > 1 and not isinstance(config, GSWGANConfig):
        raise InputError(f"{method.name} works in one process: start it without torchrun")
    job = TrainingJob(
        data=_whole_path(asked.choice.data),
        data_dir=None if asked.choice.data_dir is None else str(asked.choice.data_dir.resolve()),
        num_classes=asked.choice.num_classes,
        delta=delta,
        device="cuda" if device.type == "cuda" else "cpu",
        precision=asked.precision,
        method=config,
        num_tuning_runs=asked.num_tuning_runs,
        save_at_steps=tuple(milestone.step for milestone in milestones),
    )
    folder = _claim(asked.out, job, data)
    return drive(job, folder, data)


def _claim(path: Path, job: TrainingJob, data: ImageData) -> RunFolder:
    """A new run folder with its settings in it. Processes that torchrun started beside share the first one's."""
    if process_number() > 0:
        folder = wait_for_folder(path)
        check_same_start(folder, job, data.train)
        return folder
    folder = RunFolder.create(path)
    remember_start(folder, job, data.train)
    job.write(folder)
    return folder


def _with_noise(asked: Train[C], method: Method[C], num_slots: int, delta: float) -> C:
    """The settings with the noise multiplier that was given, or that the budget asks for."""
    config: Any = asked.method
    is_gs_wgan = isinstance(config, GSWGANConfig)
    check_accountable(
        num_critics=config.num_critics if is_gs_wgan else 1,
        answers=config.num_steps * config.batch_size if is_gs_wgan else method.plan(config, num_slots).num_steps,
        noise_multiplier=config.noise_multiplier,
        epsilon=asked.epsilon,
    )
    if config.noise_multiplier is not None:
        if asked.epsilon is not None:
            raise InputError("--epsilon and --noise-multiplier exclude each other: give one")
        return config
    return method.calibrate(config, num_slots, PrivacyBudget(epsilon=_target(asked), delta=delta))


def _target(asked: Train[Any]) -> float:
    return DEFAULT_EPSILON if asked.epsilon is None else asked.epsilon


def _milestones(asked: Train[Any], method: Method[Any], plan: Plan, delta: float) -> tuple[Milestone, ...]:
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


def _announce(statement: PrivacyStatement, data: ImageData) -> None:
    """What will be claimed, before anything is spent: the figures of the statement itself."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("epsilon by PLD (claimed)", f"{round_up(statement.epsilon):.3f}")
    if statement.epsilon_rdp is not None:
        table.add_row("epsilon by RDP (looser)", f"{statement.epsilon_rdp:.3f}")
    if statement.published_epsilon is not None:
        published = f"{statement.published_epsilon:.3f} (does not hold for the published system)"
        table.add_row("epsilon by the published formula", published)
    slots = f"one over the number of slots: {1 / statement.num_slots:.2g}"
    table.add_row("delta", f"{statement.delta:g} ({slots})")
    table.add_row("noise multiplier", f"{statement.noise_multiplier:.5g}")
    table.add_row("slots", str(statement.num_slots))
    for name, value in statement.parameters:
        table.add_row(name.replace("_", " "), f"{value:g}" if isinstance(value, float) else str(value))
    Console().print(table)
    for sentence in data.public_notes:
        print(f"public: {sentence}")


def _rehearse(asked: Train[C], method: Method[C], config: C, images: ImageSet, delta: float) -> PrivacyStatement:
    """Refuse now what would be refused later, and make the statement. Nothing is trained and nothing is written."""
    precision = find_precision(asked.precision)
    circumstances = Circumstances(delta=delta, precision=precision, num_tuning_runs=asked.num_tuning_runs)
    try:
        return method.start(config, images, DeterministicNoise(0), circumstances).statement
    except ValueError as error:  # torch's own word for a learning rate that is none
        raise InputError(str(error)) from None


def _whole_path(source: str) -> str:
    if source in {named.name for named in NAMED_DATA}:
        return source
    return str(Path(source).resolve())
