"""Downstream scores: classifiers trained on one set of images (synthetic, say) and tested on another (real).

Classifiers are fixed in advance and nothing in them is tuned on the test set. Predicted labels and scores on private
data are themselves private: choosing a model by them voids a guarantee.

First `predict_all` fits classifiers and names labels, the costly part; then plain functions turn arrays of predicted
labels into scores, so that predictions may be kept and scored again.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gossamer.errors import InputError, ResourceError
from gossamer.evaluation.bootstrap import NUM_RESAMPLES, mean_interval
from gossamer.evaluation.classifiers import Classifier, Estimator
from gossamer.evaluation.score import Score

# Images that differ by less than rounding are the same image: a variance of it would only be divided by.
_LEAST_RANGE = 1e-6
_MAX_SEED = 2**32 - 1

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledImages:
    """Images with a label each, checked.

    Args:
        name: what messages call them.
        images: (batch, channels, height, width) floats in [0, 1], at least one.
        labels: (batch,) integers, not necessarily dense.

    Raises:
        InputError: if images or labels are empty, not finite, out of range, or of unequal number.
    """

    name: str
    images: NDArray[np.floating]
    labels: NDArray[np.integer]

    def __post_init__(self) -> None:
        _check_images(self.name, self.images)
        _check_labels(self.name, self.labels, len(self.images))


@dataclass(frozen=True, kw_only=True)
class Task:
    """One classifier to fit once.

    Args:
        classifier: what is fitted.
        train: name of the set that it learns from.
        tests: names of the sets whose labels it then predicts, at least one.
        seed: 0 .. 2^32 - 1.

    Raises:
        InputError: no test set, or a seed out of range.
    """

    classifier: Classifier
    train: str
    tests: tuple[str, ...]
    seed: int

    def __post_init__(self) -> None:
        if not self.tests:
            raise InputError(f"{self.classifier.name}: name at least one set to test on")
        if not 0 <= self.seed <= _MAX_SEED:
            raise InputError(f"seed must lie in 0 .. 2^32 - 1, not {self.seed}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What one fitted classifier says of its test sets.

    Args:
        task: what was asked for.
        labels: name of test set -> (batch,) predicted labels, int64.
        fit_seconds: time that fitting took, measured, so never twice the same.
        note: empty, or why the classifier could not be fitted; its labels are then all the training set's commonest
            (the smallest of several).
    """

    task: Task
    labels: Mapping[str, NDArray[np.int64]]
    fit_seconds: float
    note: str


def fit_and_predict(
    classifier: Classifier,
    train_x: NDArray[np.floating],
    train_y: NDArray[np.integer],
    tests: Mapping[str, NDArray[np.floating]],
    *,
    seed: int,
) -> Predictions:
    """Fit one classifier to a set and predict the labels of others, on one thread, whatever was set before.

    A classifier that has no answer for these images (all the same; no spread within a class) counts as its best
    constant guess, and says so in `note`: a collapsed generator earns what it teaches, not an empty cell.

    Args:
        classifier: what to fit.
        train_x: (batch, channels, height, width) in [0, 1].
        train_y: (batch,) integers, at least two different ones; one that is absent is never predicted.
        tests: name -> (batch, channels, height, width) in [0, 1].
        seed: 0 .. 2^32 - 1; the same seed and images give the same labels.

    Raises:
        InputError: if images or labels are empty, not finite, out of range, of unequal shape, or of one class only.
    """
    train = LabelledImages(name="training images", images=train_x, labels=train_y)
    _check_classes(train)
    for name, images in tests.items():
        _check_images(name, images)
        _check_shapes(train, name, images)
    task = Task(classifier=classifier, train=train.name, tests=tuple(tests), seed=seed)
    return _perform(task, train, tests)


def predict_all(
    tasks: Iterable[Task], sets: Mapping[str, LabelledImages], *, num_workers: int
) -> Iterator[Predictions]:
    """Fit and predict many tasks, the slowest first, on several processes with a thread each.

    Labels do not depend on `num_workers`; the order of results does. With one worker everything happens in this
    process. Images travel to the workers through pipes and never touch the disk. If the iterator is closed, an error
    is raised or Ctrl-C is pressed, the workers end at once.

    Args:
        tasks: what to fit; `train` and `tests` are keys of `sets`.
        sets: name -> labelled images, all of one shape.
        num_workers: processes, at least 1. Each holds a training set twice (8 bytes a pixel) and what it fits.

    Yields:
        Predictions as they are completed.

    Raises:
        InputError: a set that is missing, of another shape, or to be learnt from with one class only. All this is
            checked before anything is fitted.
        ResourceError: a worker died, most likely for want of memory.
    """
    ordered = sorted(tasks, key=lambda task: -_cost(task, sets))
    if num_workers < 1:
        raise InputError(f"num_workers must be at least 1, not {num_workers}")
    for task in ordered:
        _check_task(task, sets)
    if min(num_workers, len(ordered)) <= 1:
        return (_perform_in(task, sets) for task in ordered)
    arguments = ((task, {name: sets[name] for name in (task.train, *task.tests)}) for task in ordered)
    return in_processes(_perform_in, arguments, min(num_workers, len(ordered)))


def seconds_left(
    tasks: Iterable[Task], done: Iterable[Predictions], sets: Mapping[str, LabelledImages], *, elapsed: float
) -> float:
    """Time that the remaining tasks will take, if they go on as fast as those done; NaN before the first is done.

    Args:
        tasks: all of them.
        done: those completed.
        sets: as given to `predict_all`.
        elapsed: seconds since the start.

    References:
        The share done is measured in `Classifier.typical_seconds` times training images.
    """
    share_done = sum(_cost(each.task, sets) for each in done) / max(sum(_cost(task, sets) for task in tasks), 1e-9)
    return elapsed * (1 / share_done - 1) if share_done > 0 else math.nan


def _cost(task: Task, sets: Mapping[str, LabelledImages]) -> float:
    return task.classifier.typical_seconds * len(_set(task.train, sets).labels)


def in_processes(
    perform: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], num_workers: int
) -> Iterator[Result]:
    """Call a function on many tuples of arguments, in several processes with a thread each; results as they come.

    Arguments travel through pipes and never touch the disk. If the iterator is closed, an error is raised or Ctrl-C is
    pressed, the workers end at once.

    Args:
        perform: a function of a module.
        arguments: taken one by one, as a worker becomes free.
        num_workers: processes, at least 2.

    Raises:
        ResourceError: a worker died, most likely for want of memory.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    # Privacy: without max_nbytes=None private images would be written into a temporary folder.
    parallel = Parallel(
        n_jobs=num_workers,
        backend="loky",
        return_as="generator_unordered",
        pre_dispatch="n_jobs",
        batch_size=1,
        max_nbytes=None,
        initializer=_leave_interrupts_to_the_parent,
    )
    results = parallel(delayed(perform)(*each) for each in arguments)
    try:
        yield from results
    except BrokenProcessPool as error:
        raise ResourceError(
            f"a worker of {num_workers} died, most likely for want of memory; use fewer workers or fewer images"
        ) from error
    finally:
        results.close()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _perform_in(task: Task, sets: Mapping[str, LabelledImages]) -> Predictions:
    return _perform(task, sets[task.train], {name: sets[name].images for name in task.tests})


def _perform(task: Task, train: LabelledImages, tests: Mapping[str, NDArray[np.floating]]) -> Predictions:
    classes, targets = np.unique(train.labels, return_inverse=True)
    with one_thread():
        start = time.perf_counter()
        estimator, note = _fitted(task, train, targets)
        seconds = time.perf_counter() - start
        labels = {name: classes[estimator.predict(images)].astype(np.int64) for name, images in tests.items()}
    return Predictions(task=task, labels=labels, fit_seconds=seconds, note=note)


def _fitted(task: Task, train: LabelledImages, targets: NDArray[np.integer]) -> tuple[Estimator, str]:
    """The fitted estimator and an empty note, or the best constant guess and the reason."""
    reason = "all images are the same"
    if np.ptp(train.images, axis=0).max() >= _LEAST_RANGE:
        try:
            estimator = task.classifier.build(task.seed)
            estimator.fit(train.images, targets)
            return estimator, ""
        except InputError:
            raise
        except ValueError as error:
            reason = str(error).split("\n")[0].rstrip(".")
    guess = _ConstantGuess(int(np.bincount(targets).argmax()))
    return guess, f"{task.classifier.name} cannot learn from {train.name}: {reason}; its best constant guess counts"


@dataclass(frozen=True)
class _ConstantGuess:
    target: int

    def fit(self, images: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """There is nothing to learn."""

    def predict(self, images: NDArray[np.floating]) -> NDArray[np.integer]:
        return np.full(len(images), self.target)


@contextmanager
def one_thread() -> Generator[None]:
    """One thread for torch and for the linear algebra of numpy, whatever was set before."""
    from threadpoolctl import threadpool_limits

    # Sums depend on the number of threads in their last digits, and trees on those.
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(num_threads)


def accuracy_score(
    name: str,
    predicted: NDArray[np.integer],
    true: NDArray[np.integer],
    *,
    num_synthetic: int,
    num_real: int,
    seeds: tuple[int, ...],
    source: str,
    rng: np.random.Generator,
) -> Score:
    """Share of images whose label is right, the mean over seeds.

    Args:
        name: of the score.
        predicted: (num_seeds, num_images) labels.
        true: (num_images,) labels, or (num_seeds, num_images) if each seed has test images of its own.
        num_synthetic: synthetic images behind the value, 0 if it tells of real ones alone.
        num_real: real images behind the value.
        seeds: one for each repetition.
        source: where the definition comes from and with which classifier.
        rng: draws the resamples of the interval, which covers the choice of images and of seeds (`mean_interval`).

    Raises:
        InputError: if the shapes do not fit.

    >>> predicted, true = np.array([[1, 0, 2, 2]]), np.array([1, 0, 2, 0])
    >>> print(accuracy_score("accuracy", predicted, true, num_synthetic=0, num_real=4, seeds=(0,), source="an example",
    ...                      rng=np.random.default_rng(0)))
    accuracy 0.750 (95 % interval 0.250 to 1.000)
    """
    return mean_accuracy(
        name,
        np.asarray(predicted)[None],
        true,
        num_synthetic=num_synthetic,
        num_real=num_real,
        seeds=seeds,
        source=source,
        rng=rng,
    )


def mean_accuracy(
    name: str,
    predicted: NDArray[np.integer],
    true: NDArray[np.integer],
    *,
    num_synthetic: int,
    num_real: int,
    seeds: tuple[int, ...],
    source: str,
    rng: np.random.Generator,
) -> Score:
    """Accuracy averaged over classifiers (avg12: over twelve) and seeds.

    Classifiers err on the same images, so an image is resampled together with the verdicts of all of them; the
    classifiers themselves are fixed.

    Args:
        name: of the score.
        predicted: (num_classifiers, num_seeds, num_images) labels.
        true: (num_images,) labels, or (num_seeds, num_images) if each seed has test images of its own.
        num_synthetic: synthetic images behind the value, 0 if it tells of real ones alone.
        num_real: real images behind the value.
        seeds: one for each repetition.
        source: where the definition comes from and with which classifier.
        rng: draws the resamples of the interval, which covers the choice of images and of seeds (`mean_interval`).

    Raises:
        InputError: if the shapes do not fit.
    """
    right = _right(name, predicted, true, len(seeds)).mean(axis=0)
    interval = float(right.mean()), *mean_interval(right, rng)
    return _score(name, interval, num_synthetic, num_real, seeds, source)


def macro_f1_score(
    name: str,
    predicted: NDArray[np.integer],
    true: NDArray[np.integer],
    *,
    num_synthetic: int,
    num_real: int,
    seeds: tuple[int, ...],
    source: str,
    rng: np.random.Generator,
) -> Score:
    """F1 averaged over the classes that occur in `true`, then over seeds::

        F1(class) = 2 (rightly predicted) / (predicted + true), and 0 where a class is neither

    Args:
        name: of the score.
        predicted: (num_seeds, num_images) labels.
        true: (num_images,) labels, or (num_seeds, num_images) if each seed has test images of its own.
        num_synthetic: synthetic images behind the value, 0 if it tells of real ones alone.
        num_real: real images behind the value.
        seeds: one for each repetition.
        source: where the definition comes from and with which classifier.
        rng: draws the resamples of the interval, a percentile bootstrap over images and seeds.

    Raises:
        InputError: if the shapes do not fit.

    References:
        Opitz, Burst, "Macro F1 and Macro F1", 2019: this is the mean of F1, not the F1 of means.
    """
    return mean_macro_f1(
        name,
        np.asarray(predicted)[None],
        true,
        num_synthetic=num_synthetic,
        num_real=num_real,
        seeds=seeds,
        source=source,
        rng=rng,
    )


def mean_macro_f1(
    name: str,
    predicted: NDArray[np.integer],
    true: NDArray[np.integer],
    *,
    num_synthetic: int,
    num_real: int,
    seeds: tuple[int, ...],
    source: str,
    rng: np.random.Generator,
) -> Score:
    """Macro-F1 averaged over classifiers, too; an image is resampled together with the verdicts of all of them.

    Args:
        name: of the score.
        predicted: (num_classifiers, num_seeds, num_images) labels.
        true: (num_images,) labels, or (num_seeds, num_images) if each seed has test images of its own.
        num_synthetic: synthetic images behind the value, 0 if it tells of real ones alone.
        num_real: real images behind the value.
        seeds: one for each repetition.
        source: where the definition comes from and with which classifier.
        rng: draws the resamples of the interval, as in `macro_f1_score`.

    Raises:
        InputError: if the shapes do not fit.
    """
    right = _right(name, predicted, true, len(seeds))
    predicted, true = np.asarray(predicted), np.broadcast_to(true, right.shape[1:])
    weights, (predicted, true) = _resampled((predicted, true), rng)
    classes = np.unique(true)
    f1 = np.stack(
        [
            np.mean([_mean_f1(weights, said[s], true[s], classes) for said in predicted], axis=0)
            for s in range(len(seeds))
        ],
        axis=1,
    )
    interval = _percentiles((f1 * _drawn_seeds(len(seeds), rng)).sum(axis=1))
    return _score(name, interval, num_synthetic, num_real, seeds, source)


def calibrated_accuracy(
    name: str,
    predicted_synthetic: NDArray[np.integer],
    predicted_real: NDArray[np.integer],
    true: NDArray[np.integer],
    *,
    num_synthetic: int,
    num_real: int,
    seeds: tuple[int, ...],
    source: str,
    rng: np.random.Generator,
) -> Score:
    """Accuracy after training on synthetic images over that after training on real ones, averaged over classifiers::

        mean over classifiers of  accuracy(trained on synthetic) / accuracy(trained on real)

    Both are tested on the same real images, and a resample of these serves both, so that images which are hard after
    either training do not widen the interval. Above 1 where synthetic images teach more.

    Args:
        name: of the score.
        predicted_synthetic: (num_classifiers, num_seeds, num_images) labels after training on synthetic images; for
            one classifier alone (1, num_seeds, num_images).
        predicted_real: (num_classifiers, num_real_seeds, num_images) labels after training on real images, in the same
            order of classifiers.
        true: (num_images,) labels.
        num_synthetic: synthetic images behind the value, 0 if it tells of real ones alone.
        num_real: real images behind the value.
        seeds: one for each repetition of the synthetic training.
        source: where the definition comes from and with which classifier.
        rng: draws the resamples of the interval, a percentile bootstrap over images and, independently, the seeds of
            either training.

    Raises:
        InputError: if the shapes do not fit, or a classifier trained on real images is never right.
    """
    synthetic = _right(name, predicted_synthetic, true, len(seeds))
    real = _right(name, predicted_real, true, np.shape(predicted_real)[1] if np.ndim(predicted_real) == 3 else 0)
    if len(real) != len(synthetic):
        raise InputError(f"{name}: {len(synthetic)} classifiers trained on synthetic images, but {len(real)} on real")
    if not real.any(axis=(1, 2)).all():
        raise InputError(f"{name}: a classifier trained on real images is never right; nothing can be measured by it")
    weights, (synthetic, real) = _resampled((synthetic, real), rng)
    # A resample in which nothing is right would divide by nothing.
    least = 1 / np.shape(true)[-1]
    ratios = _accuracies(weights, synthetic, rng) / np.maximum(_accuracies(weights, real, rng), least)
    return _score(name, _percentiles(ratios.mean(axis=1)), num_synthetic, num_real, seeds, source)


def _score(
    name: str,
    interval: tuple[float, float, float],
    num_synthetic: int,
    num_real: int,
    seeds: tuple[int, ...],
    source: str,
) -> Score:
    value, low, high = interval
    return Score(
        name=name,
        value=value,
        low=low,
        high=high,
        higher_is_better=True,
        num_synthetic=num_synthetic,
        num_real=num_real,
        seeds=seeds,
        source=source,
    )


def _right(name: str, predicted: NDArray[np.integer], true: NDArray[np.integer], num_seeds: int) -> NDArray[np.bool_]:
    """Which labels are right, (num_classifiers, num_seeds, num_images), after a look at the shapes."""
    predicted, true = np.asarray(predicted), np.asarray(true)
    if predicted.ndim != 3 or predicted.shape[1] != num_seeds or predicted.size == 0:
        raise InputError(f"{name}: predicted labels of shape {predicted.shape} for {num_seeds} seeds; check the axes")
    if true.shape not in (predicted.shape[2:], predicted.shape[1:]):
        raise InputError(f"{name}: true labels of shape {true.shape}, but predicted ones of {predicted.shape[1:]}")
    return predicted == true


def _resampled(
    tables: tuple[NDArray, ...], rng: np.random.Generator
) -> tuple[NDArray[np.float64], tuple[NDArray, ...]]:
    """Bootstrap weights of images, and the tables with equal columns (images) made one.

    Returns:
        (1 + resamples, patterns) shares that sum to one, the first row those of the images themselves; and the tables,
        (..., patterns).
    """
    num_images = tables[0].shape[-1]
    rows = np.concatenate([table.reshape(-1, num_images) for table in tables])
    patterns, counts = np.unique(rows, axis=1, return_counts=True)
    drawn = rng.multinomial(num_images, counts / num_images, size=NUM_RESAMPLES)
    parts = np.split(patterns, np.cumsum([math.prod(table.shape[:-1]) for table in tables])[:-1])
    shaped = tuple(part.reshape(*table.shape[:-1], -1) for part, table in zip(parts, tables))
    return np.concatenate([counts[None], drawn]) / num_images, shaped


def _drawn_seeds(num_seeds: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Weights (1 + resamples, seeds) of seeds drawn with replacement; in the first row all are equal."""
    drawn = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=NUM_RESAMPLES)
    return np.concatenate([np.ones((1, num_seeds)), drawn]) / num_seeds


def _accuracies(
    weights: NDArray[np.float64], right: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Accuracy (1 + resamples, classifiers) of `right` (classifiers, seeds, patterns)."""
    num_classifiers, num_seeds, num_patterns = right.shape
    each = weights @ right.reshape(-1, num_patterns).T.astype(np.float64)
    return np.einsum("rcs,rs->rc", each.reshape(-1, num_classifiers, num_seeds), _drawn_seeds(num_seeds, rng))


def _mean_f1(
    weights: NDArray[np.float64], predicted: NDArray[np.integer], true: NDArray[np.integer], classes: NDArray
) -> NDArray[np.float64]:
    """Macro F1 of every row of weights (rows, patterns) over labels (patterns,)."""
    is_predicted, is_true = (np.equal.outer(labels, classes).astype(np.float64) for labels in (predicted, true))
    right = weights @ (is_predicted * is_true)
    either = weights @ (is_predicted + is_true)
    return np.divide(2 * right, either, out=np.zeros_like(right), where=either > 0).mean(axis=1)


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """The first value, and the 2.5 and 97.5 % points of the others, moved so that the first lies between them."""
    value = float(values[0])
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return value, min(float(low), value), max(float(high), value)


def _check_task(task: Task, sets: Mapping[str, LabelledImages]) -> None:
    train = _set(task.train, sets)
    _check_classes(train)
    for name in task.tests:
        tested = _set(name, sets)
        _check_shapes(train, tested.name, tested.images)


def _set(name: str, sets: Mapping[str, LabelledImages]) -> LabelledImages:
    if name not in sets:
        raise InputError(f"there is no set {name!r}; the sets are {', '.join(sets)}")
    return sets[name]


def _check_classes(train: LabelledImages) -> None:
    if len(np.unique(train.labels)) < 2:
        raise InputError(f"{train.name}: one class only; a classifier needs at least two, so train on more samples")


def _check_shapes(train: LabelledImages, name: str, images: NDArray[np.floating]) -> None:
    if train.images.shape[1:] != images.shape[1:]:
        raise InputError(
            f"{name}: images of shape {images.shape[1:]}, but {train.name} has {train.images.shape[1:]}; resize one"
        )


def _check_images(name: str, images: NDArray[np.floating]) -> None:
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"{name}: shape {images.shape}; give at least one image as (batch, channels, height, width)")
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"{name}: values of type {images.dtype}; give floats in [0, 1] (divide uint8 by 255)")
    wrong = np.flatnonzero(~((images >= 0) & (images <= 1)).all(axis=(1, 2, 3)))
    if wrong.size:
        raise InputError(f"{name}: image {wrong[0]} has a value that is NaN or outside [0, 1]; mend or remove it")


def _check_labels(name: str, labels: NDArray[np.integer], num_images: int) -> None:
    if labels.shape != (num_images,):
        raise InputError(f"{name}: labels of shape {labels.shape} for {num_images} images; give one label for each")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{name}: labels of type {labels.dtype}; give integers")
