"""Scores targets against real data: what `gossamer evaluate` and `gossamer compare` share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossamer.cli.bench import Findings, RealRecords, Terms, versions
from gossamer.cli.kinds import AbstractKind, kind_of
from gossamer.cli.outputs import say
from gossamer.cli.progress import progress
from gossamer.cli.series_options import NOTHING_SAID, SeriesOptions
from gossamer.cli.targets import Target
from gossamer.data.catalogue import is_named
from gossamer.data.series import SeriesSpec
from gossamer.data.series_choice import load_chosen
from gossamer.driving.job import TrainingJob
from gossamer.driving.run import check_held_out
from gossamer.errors import InputError
from gossamer.evaluation.inception import WEIGHTS_NAME, WEIGHTS_VARIABLE, find_inception_weights
from gossamer.evaluation.record import Claim, Evaluation
from gossamer.evaluation.suite import SyntheticRecords
from gossamer.extras import need
from gossamer.privacy.adjacency import Unit
from gossamer.runs.cache import CacheFolder, content_key
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key

SCORING_FORMAT = 1
"""Part of every key of a kept evaluation: changes when equal images no longer mean equal scores."""
FULL_NUM_SEEDS = 3
QUICK_NUM_SEEDS = 1
_MOST_SEEDS = 1000
_KIND = "evaluation"


@dataclass(frozen=True, kw_only=True)
class ScoringChoice:
    """Against which real images, how many times, and which scores.

    Args:
        data: the real data: digits, mnist, fashion-mnist; or your own together with --test-data
        test_data: your own test images, where --data has none
        data_dir: folder of published sets; default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        series: how series are read, as in training
        key_of: run whose held-out records are tested on; default: the first target that is a run
        num_samples: synthetic images, and real ones that classifiers learn from beside them, at most
        num_seeds: repetitions, each with new synthetic images and classifiers; default: 3, with --quick 1
        seed: the first of them; the same command gives the same figures
        quick: feature scores, a CNN and an MLP alone; says what it leaves out
        allow_few_samples: Frechet distance also of fewer images than features, where it means little
        inception_weights: weights file of torch-fidelity's Inception network, for the usual FID
        num_workers: classifiers at a time; default: one a core
        evenness: draw a generator's classes between its released shares (0) and all alike (1); default: in turn
        json: print JSON
    """

    data: str
    test_data: str | None = None
    data_dir: Path | None = None
    num_classes: int | None = None
    series: SeriesOptions = NOTHING_SAID
    key_of: Path | None = None
    num_samples: int = 10_000
    num_seeds: int | None = None
    seed: int = 0
    quick: bool = False
    allow_few_samples: bool = False
    inception_weights: Path | None = None
    num_workers: int | None = None
    evenness: float | None = None
    json: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """One a repetition."""
        default = QUICK_NUM_SEEDS if self.quick else FULL_NUM_SEEDS
        number = default if self.num_seeds is None else self.num_seeds
        return tuple(range(self.seed, self.seed + number))

    def check(self) -> None:
        """Refuse numbers that ask for nothing.

        Raises:
            InputError: naming the option.
        """
        for option, value in (
            ("--num-samples", self.num_samples),
            ("--num-seeds", self.num_seeds),
            ("--num-workers", self.num_workers),
        ):
            if value is not None and value < 1:
                raise InputError(f"{option} must be at least 1, not {value}")
        if (self.num_seeds or 1) > _MOST_SEEDS:
            raise InputError(f"--num-seeds must be at most {_MOST_SEEDS}; 3 are usual")
        if not 0 <= self.seed < 2**31:
            raise InputError("--seed must be between 0 and 2147483647")
        if self.evenness is not None and not 0 <= self.evenness <= 1:
            raise InputError("--evenness must be between 0, the released shares, and 1, all classes alike")


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """A target with its scores.

    Attributes:
        target: what was scored.
        evaluation: the record.
        images: the first seed's draw, images or series.
        findings: what the bench found out, with what only pictures show.
    """

    target: Target
    evaluation: Evaluation
    images: SyntheticRecords
    findings: Findings


def load_real(choice: ScoringChoice, targets: Sequence[Path]) -> RealRecords:
    """Training and test images, those held out by the key of the first target that is a run.

    Args:
        choice: what was asked for.
        targets: paths of what is scored.

    Raises:
        InputError: an option that asks for nothing; no test images, no labels, or test images of another shape or of
            other classes; another key or other records than those that the run began with.
    """
    choice.check()
    need("evaluate", "scoring")
    run = _held_out_by(choice, targets)
    key, unit = (None, Unit.RECORD) if run is None else (read_key(run), _unit_of(run, choice))
    data = load_chosen(choice.data, choice.data_dir, choice.num_classes, choice.series, key, unit)
    if run is not None and data.is_split_by_key and _is_data_of(run, choice):
        check_held_out(run, data.train)
    if key is None and data.is_split_by_key:
        say("no run's key says who was held out: test records are drawn anew, and a training may have learnt from them")
    test = data.test
    if choice.test_data is not None:
        test = load_chosen(choice.test_data, choice.data_dir, choice.num_classes, choice.series).train
    if test is None:
        or_split = ", or hold some out with --split" if isinstance(data.train.spec, SeriesSpec) else ""
        raise InputError(f"{choice.data}: has no test records; name some that were held out with --test-data{or_split}")
    if test.spec.shape != data.train.spec.shape:
        raise InputError(
            f"{choice.test_data}: images of shape {test.spec.shape}, --data has {data.train.spec.shape}; resize them"
        )
    if test.spec.class_names != data.train.spec.class_names:
        raise InputError(
            f"{choice.test_data}: other classes than --data; where one has no image, make it an empty sub-folder"
        )
    real = RealRecords(train=data.train, test=test)
    kind_of(real.train.spec).check_real(choice.data, real)
    return real


def _held_out_by(choice: ScoringChoice, targets: Sequence[Path]) -> RunFolder | None:
    """The run that was named, or the first target that is one: its key says who was held out. None without any."""
    if choice.key_of is not None:
        return RunFolder.open(choice.key_of)
    return next((run for run in map(RunFolder, targets) if run.key_file.is_file()), None)


def _unit_of(run: RunFolder, choice: ScoringChoice) -> Unit:
    """Whom the run protects, on which the usual split depends; says so where it learnt from another division."""
    job = TrainingJob.read(run)
    unit = Unit(job.unit)
    if job.series.reading(job.data, unit=unit).split != choice.series.reading(choice.data, unit=unit).split:
        say(f"{run.path} was trained with another --split than is scored here: it may have learnt from test records")
    return unit


def _is_data_of(run: RunFolder, choice: ScoringChoice) -> bool:
    """Whether a run learnt from this data, read and divided alike: its training side is known by its digest then."""
    job = TrainingJob.read(run)
    unit, source = Unit(job.unit), choice.data if is_named(choice.data) else str(Path(choice.data).resolve())
    is_same_source = (source, choice.num_classes) == (job.data, job.num_classes)
    return is_same_source and choice.series.reading(source, unit=unit) == job.series.reading(job.data, unit=unit)


def score_targets(choice: ScoringChoice, targets: Sequence[Target], real: RealRecords) -> list[Scored]:
    """Score all targets. What depends on real images alone is computed once; what is in the cache is not again.

    Raises:
        InputError: images that cannot be scored.
    """
    cache = CacheFolder.default()
    kind = kind_of(real.train.spec)
    terms = _terms(choice, kind, targets, cache)
    kind.check_number(f"{real.test.name} (the real test records)", real.test.num_records, terms, real)
    draws = {target.name: _draws(terms, kind, target, real) for target in targets}
    num_beside = min(real.train.num_records, terms.num_samples)
    kind.check_number(f"{real.train.name} (the real training records)", num_beside, terms, real)
    keys = _keys(terms, draws, real)
    kept = {name: _kept(cache, key) for name, key in keys.items()}
    found = {name: findings for name, findings in kept.items() if findings is not None}
    missing = {name: images for name, images in draws.items() if name not in found}
    if missing:
        say(f"{terms.suite} scores of {', '.join(missing)}; what depends on {real.train.name} alone comes first")
        with progress() as watched:
            fresh = kind.prepare(terms, real, cache, watched.count).score(missing, watched.count)
        for name, findings in fresh.items():
            cache.save_json(_KIND, keys[name], findings.to_json())
        found |= fresh
    return [_scored(terms, kind, target, draws[target.name][0], found[target.name], real) for target in targets]


def _draws(terms: Terms, kind: AbstractKind, target: Target, real: RealRecords) -> list[SyntheticRecords]:
    draws = []
    for seed in terms.seeds:
        draw = target.draw(terms.num_samples, seed)
        kind.check_draw(target.name, draw, real)
        kind.check_number(target.name, len(draw.x), terms, real)
        draws.append(draw)
    return draws


def _terms(choice: ScoringChoice, kind: AbstractKind, targets: Sequence[Target], cache: CacheFolder) -> Terms:
    num_workers = os.cpu_count() or 1 if choice.num_workers is None else choice.num_workers
    if num_workers < 1:
        raise InputError("--num-workers must be at least 1; leave it out for one a core")
    # As many of every target, and of real images beside them: scores of unequal numbers do not compare.
    sizes = [target.num_images for target in targets if target.num_images is not None]
    return Terms(
        suite=kind.suite_name(quick=choice.quick),
        seeds=choice.seeds,
        num_samples=min([choice.num_samples, *sizes]),
        permit_few_samples=choice.allow_few_samples,
        inception_weights=_weights(choice, cache),
        num_workers=num_workers,
    )


def _weights(choice: ScoringChoice, cache: CacheFolder) -> Path | None:
    """The Inception network's file if one is named, or lies where it is looked for."""
    is_named = choice.inception_weights is not None or bool(os.environ.get(WEIGHTS_VARIABLE))
    if not is_named and not (cache.path / WEIGHTS_NAME).is_file():
        return None
    return find_inception_weights(choice.inception_weights, cache.path)


def _keys(terms: Terms, draws: dict[str, list[SyntheticRecords]], real: RealRecords) -> dict[str, str]:
    """A digest of all that the scores of a target depend on, for each target."""
    records = {"train": real.train, "test": real.test}
    parts = {f"{name}_{part}": getattr(one, part) for name, one in records.items() for part in ("x", "y", "people")}
    arrays = {name: part.numpy() for name, part in parts.items() if part is not None}
    settings = {
        "format": SCORING_FORMAT,
        "real": content_key(arrays, None),
        "suite": terms.suite,
        "seeds": list(terms.seeds),
        "num_samples": terms.num_samples,
        "permit_few_samples": terms.permit_few_samples,
        "inception_weights": None if terms.inception_weights is None else _file_digest(terms.inception_weights),
        "versions": versions(),
    }
    return {name: content_key(_arrays(images), settings) for name, images in draws.items()}


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arrays(images: Sequence[SyntheticRecords]) -> dict[str, np.ndarray]:
    arrays = {f"x{number}": draw.x for number, draw in enumerate(images)}
    return arrays | {f"y{number}": draw.y for number, draw in enumerate(images) if draw.y is not None}


def _kept(cache: CacheFolder, key: str) -> Findings | None:
    tree = cache.load_json(_KIND, key)
    try:
        return None if tree is None else Findings.from_json(tree)
    except InputError:
        return None


def _scored(
    terms: Terms, kind: AbstractKind, target: Target, images: SyntheticRecords, findings: Findings, real: RealRecords
) -> Scored:
    statement = target.statement
    claim = None
    if statement is not None:
        claim = Claim(mechanism=statement.mechanism, epsilon=statement.epsilon, delta=statement.delta, step=target.step)
    evaluation = Evaluation(
        target=target.name,
        claim=claim,
        data=real.train.name,
        suite=terms.suite,
        num_samples=len(images.x),
        seeds=terms.seeds,
        scores=findings.scores,
        skipped=kind.skipped(terms, images, findings),
        notes=findings.notes + target.notes,
    )
    return Scored(target=target, evaluation=evaluation, images=images, findings=findings)
