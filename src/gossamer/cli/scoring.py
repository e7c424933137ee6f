"""The options and the real data that `gossamer evaluate` and `gossamer compare` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gossamer.cli.outputs import say
from gossamer.cli.progress import progress
from gossamer.cli.series_options import AS_STORED, NOTHING_SAID, ImageOptions, SeriesOptions
from gossamer.data.catalogue import check_exists, is_named
from gossamer.data.image_choice import ImageChoice
from gossamer.data.records import AbstractSpec, RecordData
from gossamer.data.series_choice import load_beside, load_chosen
from gossamer.data.splits import WHOLE
from gossamer.driving.job import IN_MEMORY, TrainingJob, whole_path
from gossamer.driving.run import check_held_out, has_begun_with
from gossamer.errors import InputError
from gossamer.extras import need
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.privacy.adjacency import Unit
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key
from gossamer.runs.zoo import resolved

if TYPE_CHECKING:
    from gossamer.runs.cache import CacheFolder
    from gossamer.scoring.findings import RealRecords, Scored, Terms
    from gossamer.scoring.targets import Target, TargetFinder


@dataclass(frozen=True, kw_only=True)
class ScoringChoice:
    """Against which real images, how many times, and which scores.

    Args:
        data: the real data: digits, mnist5k, mnist, fashion-mnist, or your own together with --test-data
        test_data: your own test images, if --data has none
        data_dir: folder of published sets. Default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        images: how images are read. Default: as the run read its own that says who was held out
        series: how series are read, as in training
        key_of: run that held out the records to test on. Default: the first target that is a run
        num_samples: synthetic images, and real ones that classifiers learn from beside them, at most. Default: 10,000,
            with --quick 2,500. Scores of unequal numbers do not compare
        num_seeds: repetitions, each with new synthetic images and classifiers. Default: 3, with --quick 1
        seed: the first of them. The same command gives the same figures
        quick: feature scores, a CNN and an MLP alone. All that is left out is named
        allow_few_samples: Frechet distance also of fewer images than features, where it means little
        inception_weights: weights file of torch-fidelity's Inception network, for the usual FID
        num_workers: classifiers at a time. Default: one a core, or one a process of torchrun's
        evenness: draw a generator's classes between its released shares (0) and all alike (1). Default: in turn
        json: print JSON
    """

    data: str
    test_data: str | None = None
    data_dir: Path | None = None
    num_classes: int | None = None
    images: ImageOptions = AS_STORED
    series: SeriesOptions = NOTHING_SAID
    key_of: Path | None = None
    num_samples: int | None = None
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
        """Seeds, one a repetition."""
        from gossamer.scoring.terms import usual_seeds

        return usual_seeds(self.seed, self.num_seeds, is_quick=self.quick)

    def finder(self, real: AbstractSpec) -> TargetFinder:
        """Return the finder of targets to score against real records."""
        from gossamer.estimators import load_generator
        from gossamer.scoring.targets import TargetFinder

        return TargetFinder(real=real, load=load_generator, columns=self.series.columns(), evenness=self.evenness)

    def check(self) -> None:
        """Refuse numbers that ask for nothing.

        Raises:
            InputError: naming the option.
        """
        from gossamer.scoring.terms import check_numbers

        options = ("--num-samples", "--num-seeds", "--num-workers")
        check_numbers(options, self.num_samples, self.num_seeds, self.num_workers)
        if not 0 <= self.seed < 2**31:
            raise InputError("--seed must be between 0 and 2147483647")
        if self.evenness is not None and not 0 <= self.evenness <= 1:
            raise InputError("--evenness must be between 0, the released shares, and 1, all classes alike")


def load_real(choice: ScoringChoice, targets: Sequence[Path]) -> RealRecords:
    """Read training and test records, those held out by the key of the first target that is a run.

    Args:
        choice: the options.
        targets: paths of the targets.

    Raises:
        InputError: an option asks for nothing. Test images or labels are missing, or test images are of another shape
            or of other classes. The run began with another key or with other records.
    """
    from gossamer.scoring.evaluations import bench_for
    from gossamer.scoring.findings import RealRecords

    choice.check()
    need("evaluate", "scoring")
    data, choice = load_divided(choice, targets)
    test = data.test
    if choice.test_data is not None:
        beside = load_beside(choice.test_data, choice.data_dir, choice.num_classes, choice.series, None, choice.images)
        test = beside.train
    if test is None:
        raise InputError(
            f"{choice.data}: has no test records; name some that were held out with --test-data, or hold some out with "
            "--split, in the training and here"
        )
    if test.spec.shape != data.train.spec.shape:
        raise InputError(
            f"{choice.test_data}: images of shape {test.spec.shape}, --data has {data.train.spec.shape}; --resize HxW "
            "brings both to one size"
        )
    if test.spec.class_names != data.train.spec.class_names:
        raise InputError(
            f"{choice.test_data}: other classes than --data; where one has no image, make it an empty sub-folder"
        )
    real = RealRecords(train=data.train, test=test)
    bench_for(real.train.spec).check_real(choice.data, real)
    return real


def load_divided(choice: ScoringChoice, targets: Sequence[Path]) -> tuple[RecordData, ScoringChoice]:
    """Read the data of a choice, with those held out by the key of the first target that is a run.

    Args:
        choice: the options.
        targets: paths of the targets.

    Returns:
        The data, and the choice with all that the run said of its own.

    Raises:
        InputError: nothing there, or the run began with another key or with other records.
    """
    for path in (*targets, *([] if choice.test_data is None else [choice.test_data])):
        check_exists(resolved(Path(path)))
    run = _held_out_by(choice, targets)
    if run is not None:
        _tell_unsaid(run, choice.images)
        choice = _completed(choice, TrainingJob.read(run))
    key, unit = (None, Unit.RECORD) if run is None else (read_key(run), _unit_of(run, choice))
    data = load_chosen(choice.data, choice.data_dir, choice.num_classes, choice.series, key, unit, choice.images)
    if run is not None and data.is_split_by_key:
        _check_held_out(run, choice, data)
    if key is None and data.is_split_by_key:
        say("no run's key says who was held out: test records are drawn anew, and a training may have learnt from them")
    return data, choice


def _held_out_by(choice: ScoringChoice, targets: Sequence[Path]) -> RunFolder | None:
    """Return the run that was named, or the first target that is one: its key says who was held out."""
    if choice.key_of is not None:
        return RunFolder.open(choice.key_of)
    return next((run for run in map(RunFolder, targets) if run.key_file.is_file()), None)


def _unit_of(run: RunFolder, choice: ScoringChoice) -> Unit:
    """Return the unit that the run protects, for the usual split. Say so if the run learnt from another division."""
    job = TrainingJob.read(run)
    unit = Unit(job.unit)
    here = choice.series.reading(choice.data, unit=unit).split
    # Records that lie elsewhere, and are not divided here, are no side of a division.
    is_elsewhere = not is_named(choice.data) and job.data not in (IN_MEMORY, whole_path(choice.data))
    if is_elsewhere and here in (None, WHOLE):
        return unit
    if job.series.reading(job.data, unit=unit).split != here:
        say(f"{run.path} was trained with another --split than is scored here: it may have learnt from test records")
    return unit


def _completed(choice: ScoringChoice, job: TrainingJob) -> ScoringChoice:
    """Return the choice with the images read as the run read its own, and its split of a user's own data, if unsaid."""
    images = choice.images if choice.images != AS_STORED else job.images
    is_own = not is_named(choice.data) and whole_path(choice.data) == job.data
    if choice.test_data is not None or choice.series.split is not None or not is_own:
        return replace(choice, images=images)
    return replace(choice, images=images, series=replace(choice.series, split=job.series.split))


def _tell_unsaid(run: RunFolder, images: ImageChoice) -> None:
    """Say so if the run read its images by options that are not said here beside others, and so do not hold here."""
    own = TrainingJob.read(run).images
    words = [
        f"--{one.name.replace('_', '-')}"
        for one in fields(ImageChoice)
        if getattr(own, one.name) != one.default and getattr(images, one.name) == one.default
    ]
    if words and images != AS_STORED:
        say(
            f"{run.path} read its images with {', '.join(words)} too, which does not hold here because other options "
            "of images are said: say all of them, or none"
        )


def _check_held_out(run: RunFolder, choice: ScoringChoice, data: RecordData) -> None:
    """Refuse other training records than a run learnt from, or say so if its data are read in another way here.

    Raises:
        InputError: Data that are read alike have other records on the side of training.
    """
    job, source = TrainingJob.read(run), whole_path(choice.data)
    if source != job.data:
        return
    own, here = (said.reading(source, unit=Unit(job.unit)) for said in (job.series, choice.series))
    if (job.num_classes, job.images, own) == (choice.num_classes, choice.images, here):
        check_held_out(run, data.train)
    elif data.is_split_by_record and own.split == here.split and not has_begun_with(run, data.train):
        # Values and labels as they are read decide the side of a record. `_unit_of` tells of another split.
        say(
            f"{run.path} read {choice.data} in another way than it is read here (classes, bounds or size), so other "
            "records are held out here, and it may have learnt from them: give the options of the training"
        )


def score_targets(
    choice: ScoringChoice, targets: Sequence[Target], real: RealRecords, crew: AbstractCrew = ALONE
) -> list[Scored]:
    """Score all targets, and say how far that is. Scores in the cache are not computed again.

    Raises:
        InputError: records that cannot be scored.
    """
    from gossamer.runs.cache import CacheFolder
    from gossamer.scoring.evaluations import Scoring

    cache = CacheFolder.default()
    scoring = Scoring.begin(_terms(choice, targets, cache, crew), targets, real, cache)
    if scoring.lacking:
        first = f"what depends on {real.train.name} alone comes first"
        say(f"{scoring.bench.suite.name} scores of {', '.join(scoring.lacking)}; {first}")
        with progress() as watched:
            scoring = scoring.completed(watched.count)
    return scoring.scored()


def _terms(choice: ScoringChoice, targets: Sequence[Target], cache: CacheFolder, crew: AbstractCrew) -> Terms:
    from gossamer.scoring.terms import usual_terms

    if crew.size > 1 and choice.num_workers is not None:
        raise InputError("--num-workers: processes of torchrun take a classifier each; say its --nproc-per-node")
    return usual_terms(
        targets,
        cache,
        is_quick=choice.quick,
        seeds=choice.seeds,
        num_samples=choice.num_samples,
        permit_few_samples=choice.allow_few_samples,
        inception_weights=choice.inception_weights,
        num_workers=choice.num_workers,
        crew=crew,
    )
