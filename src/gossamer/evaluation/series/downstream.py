"""Use of synthetic series: classifiers that learn from one side and are tested on the other."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import NORMAL_QUANTILE_975
from gossamer.evaluation.classifiers import Shares
from gossamer.evaluation.listed import average_over_seeds
from gossamer.evaluation.score import Basis, Score
from gossamer.evaluation.series.classifiers import SeriesClassifier
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.verdicts import mean_accuracy, mean_macro_f1
from gossamer.evaluation.workers import Task, one_thread, perform_all
from gossamer.mechanisms.crew import ALONE, AbstractCrew

_LEAST_RANGE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """The verdict of one fitted classifier on a test set.

    Attributes:
        classifier: its name.
        seed: its seed.
        probabilities: (num_tested, num_classes). A class that it never saw has 0.
        note: empty, or the reason why it could learn nothing. It then gives the shares of the training labels.
    """

    classifier: str
    seed: int
    probabilities: NDArray[np.float64]
    note: str = ""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The most probable class of each."""
        return self.probabilities.argmax(axis=1)


def judge_all(
    fits: Sequence[Task[SeriesClassifier]],
    sets: Mapping[str, SeriesSet],
    *,
    num_classes: int,
    num_workers: int,
    crew: AbstractCrew = ALONE,
) -> Iterator[tuple[Task[SeriesClassifier], dict[str, Verdict]]]:
    """Fit and judge, on several processes with a thread each. The verdicts do not depend on their number.

    Args:
        fits: to perform. `train` and `tests` are keys of `sets`.
        sets: name -> labelled series, all of one shape.
        num_classes: of the real data.
        num_workers: processes, at least 1. With one everything happens in this process.
        crew: the processes of this command. If they are several, they are the workers.

    Yields:
        A fit and its verdicts by the name of each test set, as they are completed.

    Raises:
        InputError: a set to learn from that has no labels, or of one class only.
        ResourceError: a worker died, most likely for want of memory.
    """
    for fit in fits:
        labels = sets[fit.train].y
        if labels is None or len(np.unique(labels)) < 2:
            raise InputError(f"{fit.train}: a classifier needs labels of at least two classes; give more series")
    return perform_all(_judge, fits, sets, num_workers, crew, num_classes)


def _judge(
    fit: Task[SeriesClassifier], sets: Mapping[str, SeriesSet], num_classes: int
) -> tuple[Task[SeriesClassifier], dict[str, Verdict]]:
    train = sets[fit.train]
    assert train.y is not None
    classes, targets = np.unique(train.y, return_inverse=True)
    # Constant series teach nothing, and some classifiers fail on them.
    is_constant = float(np.ptp(train.x, axis=0).max()) < _LEAST_RANGE
    note = f"{fit.classifier.name} can learn nothing from {fit.train}: all series are the same" if is_constant else ""
    found = {}
    with one_thread():
        estimator = Shares() if is_constant else fit.classifier.build(fit.seed)
        estimator.fit(train.x, targets)
        for name in fit.tests:
            probabilities = np.zeros((len(sets[name]), num_classes))
            probabilities[:, classes] = estimator.probabilities(sets[name].x)
            found[name] = Verdict(classifier=fit.classifier.name, seed=fit.seed, probabilities=probabilities, note=note)
    return fit, found


def downstream_scores(
    prefix: str, suffix: str, verdicts: Sequence[Sequence[Verdict]], true: Sequence[NDArray[np.integer]], basis: Basis
) -> dict[str, Score]:
    """Score accuracy, macro-F1 and AUROC, mean over the classifiers, and the first two of each classifier.

    Args:
        prefix: first word of the names, ``tstr``, ``trtr`` or ``trts``.
        suffix: end of the names, empty or ``_people``.
        verdicts: for each seed, those of all classifiers, in one order.
        true: for each seed, the labels of the series that were tested.
        basis: counts, seeds, and as its source the direction in words.

    Returns:
        ``tstr_accuracy``, ``tstr_macro_f1``, ``tstr_auroc``, and ``tstr_CLASSIFIER_accuracy`` and so on. The last for
        test sets of two classes at least.

    References:
        Esteban, Hyland, Rätsch, "Real-valued (medical) time series generation with recurrent conditional GANs", 2017
        (train on synthetic, test on real, and the reverse). Hand, Till, Machine Learning 45, 2001 (AUROC, several
        classes). Here one class against all others.
    """
    names = [one.classifier for one in verdicts[0]]
    labels = np.stack([np.stack([row[place].labels for row in verdicts]) for place in range(len(names))])
    truth = np.stack(list(true))
    scores: dict[str, Score] = {}
    groups = {"": labels} | {f"{name}_": labels[place : place + 1] for place, name in enumerate(names)}
    for group, said in groups.items():
        for kind, measure in (("accuracy", mean_accuracy), ("macro_f1", mean_macro_f1)):
            name = f"{prefix}_{group}{kind}{suffix}"
            who = group.rstrip("_") or f"mean of {_listed(names)}"
            source = f"{who}, {basis.source}; interval: bootstrap over tested series and seeds"
            rng = np.random.default_rng([zlib.crc32(name.encode()), *basis.seeds])
            scores[name] = measure(name, said, truth, dataclasses.replace(basis, source=source), rng)
    if all(len(np.unique(row)) > 1 for row in truth):
        name = f"{prefix}_auroc{suffix}"
        table = [np.stack([one.probabilities for one in row]) for row in verdicts]
        source = (
            f"mean of {_listed(names)}, {basis.source}; one class against all others, mean over classes; interval: "
            "DeLong over tested series, and seeds"
        )
        each = [
            auroc_score(name, said, row, dataclasses.replace(basis, seeds=(seed,), source=source))
            for said, row, seed in zip(table, truth, basis.seeds)
        ]
        scores[name] = average_over_seeds(each)
    return scores


def auroc_score(name: str, probabilities: NDArray[np.floating], true: NDArray[np.integer], basis: Basis) -> Score:
    """Score the area under the ROC curve of each class against all others, mean over occurring classes and classifiers.

    Let a class have P series and let there be N others. An area is the share of pairs in the right order, with ties
    counted half::

        A = 1 / (P N) sum over i of it, j of others of  1[p_i > p_j] + 1/2 1[p_i = p_j]

    In [0, 1]. 0.5 is chance, and 1 best. It asks for the right order of the series alone and so forgives wrong shares
    of the classes in training, which accuracy does not.

    The interval is the value -+ 1.96 standard deviations, from each series' part in all the areas (DeLong). Areas of
    several classes and classifiers on the same series are not independent, and are not taken to be.

    Args:
        name: of the score.
        probabilities: (num_classifiers, num_tested, num_classes).
        true: (num_tested,) labels, of at least two classes.
        basis: counts, seed and source of the score.

    Raises:
        InputError: one class only.

    References:
        DeLong, DeLong, Clarke-Pearson, Biometrics 44, 1988.
    """
    occurring = np.unique(true)
    if len(occurring) < 2:
        raise InputError(f"{name}: the tested series are all of one class; a ROC curve needs two")
    areas, parts = [], np.zeros(len(true))
    tables = [(said[:, label], true == label) for said in probabilities for label in occurring]
    for values, is_it in tables:
        area, part = _area(values, is_it)
        areas.append(area)
        parts += part / len(tables)
    value, half = float(np.mean(areas)), NORMAL_QUANTILE_975 * float(np.sqrt(np.sum(parts**2)))
    return basis.score(name, (value, max(0.0, value - half), min(1.0, value + half)))


def _area(values: NDArray[np.floating], is_it: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
    """Return the area, and each series' deviation over the number of its side: their squares sum to the variance."""
    from scipy.stats import rankdata

    ranks = rankdata(values)
    num_it, num_others = int(is_it.sum()), int((~is_it).sum())
    # The share of others below a series of the class, and of the class above one of the others.
    below = (ranks[is_it] - rankdata(values[is_it])) / num_others
    above = 1 - (ranks[~is_it] - rankdata(values[~is_it])) / num_it
    area = float(below.mean())
    parts = np.empty(len(values))
    parts[is_it] = (below - area) / num_it
    parts[~is_it] = (above - area) / num_others
    return area, parts


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
