"""Classifiers trained on one set of images (synthetic, say) that name the labels of another (real).

Classifiers are fixed in advance and nothing in them is tuned on the test set. Predicted labels are themselves private
where the data are: choosing a model by them voids a guarantee.

This is the costly part of downstream scores. `verdicts` turns the labels into scores, so that they may be kept and
scored again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.classifiers import Estimator, Shares
from gossamer.evaluation.workers import Task, one_thread, perform_all
from gossamer.mechanisms.crew import ALONE, AbstractCrew

# Images that differ by less than rounding are the same image: a variance of it would only be divided by.
_LEAST_RANGE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledImages:
    """Images with a label each, checked.

    Args:
        name: of the images, for messages.
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
        if self.labels.shape != (len(self.images),):
            raise InputError(
                f"{self.name}: labels of shape {self.labels.shape} for {len(self.images)} images; give one label for "
                "each"
            )
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise InputError(f"{self.name}: labels of type {self.labels.dtype}; give integers")


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """The answers of one fitted classifier on its test sets.

    A classifier may have no answer for its images: all are the same, or a class has no spread. It then counts as its
    best constant guess, and says so in `note`. A collapsed generator so earns a score, and not an empty cell.

    Args:
        task: the task.
        labels: name of test set -> (batch,) predicted labels, int64.
        note: empty, or the reason why it could not be fitted. Its labels are then all the training set's commonest
            (the smallest of several).
    """

    task: Task
    labels: Mapping[str, NDArray[np.int64]]
    note: str


def predict_all(
    tasks: Iterable[Task], sets: Mapping[str, LabelledImages], *, num_workers: int, crew: AbstractCrew = ALONE
) -> Iterator[Predictions]:
    """Fit and predict many tasks, the slowest first, on several processes with a thread each.

    Labels do not depend on `num_workers`. The order of results does. With one worker everything happens in this
    process. Images travel to the workers through pipes and never touch the disk. If the iterator is closed, an error
    is raised or Ctrl-C is pressed, the workers end at once.

    Args:
        tasks: to perform. `train` and `tests` are keys of `sets`.
        sets: name -> labelled images, all of one shape.
        num_workers: processes, at least 1. Each holds a training set twice (8 bytes a pixel) and its classifier.
        crew: the processes of this command. If they are several, they are the workers.

    Yields:
        Predictions as they are completed.

    Raises:
        InputError: a set that is missing, of another shape, or to be learnt from with one class only. All this is
            checked before anything is fitted.
        ResourceError: a worker died, most likely for want of memory.
    """
    ordered = sorted(tasks, key=lambda task: -task.classifier.typical_seconds * len(_set(task.train, sets).labels))
    if num_workers < 1:
        raise InputError(f"num_workers must be at least 1, not {num_workers}")
    for task in ordered:
        _check_task(task, sets)
    return perform_all(_perform, ordered, sets, num_workers, crew)


def _perform(task: Task, sets: Mapping[str, LabelledImages]) -> Predictions:
    train = sets[task.train]
    classes, targets = np.unique(train.labels, return_inverse=True)
    with one_thread():
        estimator, note = _fitted(task, train, targets)
        labels = {name: classes[estimator.predict(sets[name].images)].astype(np.int64) for name in task.tests}
    return Predictions(task=task, labels=labels, note=note)


def _fitted(task: Task, train: LabelledImages, targets: NDArray[np.integer]) -> tuple[Estimator, str]:
    """Return the fitted estimator and an empty note, or the best constant guess and the reason."""
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
    guess = Shares()
    guess.fit(train.images, targets)
    return guess, f"{task.classifier.name} cannot learn from {train.name}: {reason}; its best constant guess counts"


def _check_task(task: Task, sets: Mapping[str, LabelledImages]) -> None:
    train = _set(task.train, sets)
    if len(np.unique(train.labels)) < 2:
        raise InputError(f"{train.name}: one class only; a classifier needs at least two, so train on more samples")
    for tested in (_set(name, sets) for name in task.tests):
        own, its = train.images.shape[1:], tested.images.shape[1:]
        if own != its:
            raise InputError(f"{tested.name}: images of shape {its}, but {train.name} has {own}; resize one")


def _set(name: str, sets: Mapping[str, LabelledImages]) -> LabelledImages:
    if name not in sets:
        raise InputError(f"there is no set {name!r}; the sets are {', '.join(sets)}")
    return sets[name]


def _check_images(name: str, images: NDArray[np.floating]) -> None:
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"{name}: shape {images.shape}; give at least one image as (batch, channels, height, width)")
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"{name}: values of type {images.dtype}; give floats in [0, 1] (divide uint8 by 255)")
    wrong = np.flatnonzero(~((images >= 0) & (images <= 1)).all(axis=(1, 2, 3)))
    if wrong.size:
        raise InputError(f"{name}: image {wrong[0]} has a value that is NaN or outside [0, 1]; mend or remove it")
