"""Use of synthetic series: classifiers learn from them and from real ones, and their verdicts are scored."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.listed import AbstractEvidence, Suite, average_over_seeds, set_name
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.classifiers import SeriesClassifier
from gossamer.evaluation.series.downstream import Verdict, downstream_scores
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.series.profiles import class_distance
from gossamer.evaluation.verdicts import Basis
from gossamer.evaluation.workers import Task, TaskKey, tasks_of

REAL = "real training series"
TEST = "real test series"
HALVES = (("half of the people", "the other half"), ("the other people", "the first half"))
"""Real training series of some people, and real test series of the others, both ways."""

Verdicts = Mapping[TaskKey, Mapping[str, Verdict]]
"""A fit -> verdicts by the name of a test set."""


def all_fits(
    suite: Suite[SeriesClassifier], targets: Sequence[str], seeds: Sequence[int], *, real_sets: Sequence[str]
) -> list[Task[SeriesClassifier]]:
    """List the fits of `tasks_of`, and those between the halves of the people, with the first seed alone.

    Args:
        suite: the classifiers.
        targets: names.
        seeds: one a repetition.
        real_sets: names of the real sets there are, to see if the halves are among them.
    """
    return tasks_of(suite, targets, seeds, train=REAL, test=TEST) + [
        Task(classifier=one, train=train, tests=(test,), seed=seeds[0])
        for one in suite.classifiers
        for train, test in HALVES
        if train in real_sets
    ]


def halves_by_person(
    train: tuple[SeriesSet, NDArray[np.integer]], test: tuple[SeriesSet, NDArray[np.integer]], *, seed: int
) -> dict[str, SeriesSet]:
    """Return real sets in which nobody is both learnt from and tested, for data that are not split between people.

    People are cut into two halves at random. The training series of either are learnt from, the test series of the
    other are tested.

    Args:
        train: training series, and the person of each.
        test: test series, and the person of each, numbered alike.
        seed: parts the people.

    Returns:
        Sets by the names in `HALVES`. Empty if a half would have one class alone or nobody to test.

    Raises:
        InputError: people that are not one for each series.
    """
    for series, people in (train, test):
        if people.shape != (len(series),):
            raise InputError(f"{series.name}: {people.shape} people for {len(series)} series; give one for each")
    everyone = np.random.default_rng(seed).permutation(np.unique(np.concatenate([train[1], test[1]])))
    first, second = np.array_split(everyone, 2)
    found: dict[str, SeriesSet] = {}
    for (learnt, tested), own, others in zip(HALVES, (first, second), (second, first)):
        rows, columns = (np.flatnonzero(np.isin(people, part)) for people, part in ((train[1], own), (test[1], others)))
        if len(rows) < 2 or len(columns) < 2 or train[0].y is None or len(np.unique(train[0].y[rows])) < 2:
            return {}
        found[learnt] = dataclasses.replace(train[0].chosen(rows), name=learnt)
        found[tested] = dataclasses.replace(test[0].chosen(columns), name=tested)
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesAnswers(AbstractEvidence):
    """Verdicts of all classifiers of a suite on real and on a target's series.

    Args:
        suite: the classifiers.
        target: its name.
        seeds: one a repetition.
        sets: the sets of `all_fits`, labelled.
        verdicts: of all those fits.
        is_new: (num_test,), true for test series of people of whom there is no training series. None if nobody says.
            With any, the names that end in ``_people`` are there, of those series alone. With none, those of real
            series, from the halves.
        num_classes: of the real data.
    """

    suite: Suite[SeriesClassifier]
    target: str
    seeds: tuple[int, ...]
    sets: Mapping[str, SeriesSet]
    verdicts: Verdicts
    is_new: NDArray[np.bool_] | None
    num_classes: int

    @functools.cached_property
    def scores(self) -> dict[str, Score]:
        """The scores of the classifiers, and the same of real series."""
        drawn, true = self._drawn[0][0], self._true
        num_made, num_learnt = len(self.sets[drawn]), len(self.sets[REAL])
        parts = [("", np.ones(len(true), dtype=bool), "real")]
        if self.is_new is not None and self.is_new.any():
            parts.append(("_people", self.is_new, "real series of people of whom there is no training series"))
        found = {}
        for suffix, chosen, words in parts:
            number, tested = int(chosen.sum()), [true[chosen]] * len(self.seeds)
            for way, trained, counts in (
                ("tstr", self._drawn, (num_made, number)), ("trtr", self._real, (0, num_learnt + number)),
            ):  # fmt: skip
                learnt = "synthetic" if way == "tstr" else "real"
                basis = _basis(*counts, self.seeds, f"trained on {learnt}, tested on {words}")
                rows = _part(self._rows(trained, TEST), chosen)
                found |= downstream_scores(way, suffix, rows, tested, basis)
        if self.suite.is_full:
            basis = _basis(num_made, num_learnt, self.seeds[:1], "trained on real, tested on synthetic")
            rows = self._rows(self._real[:1], drawn)
            found |= downstream_scores("trts", "", rows, [_labels(self.sets[drawn])], basis)
        return found | (self._of_halves() if HALVES[0][0] in self.sets else {})

    def class_distance(self) -> Score:
        """Score the distance of the target's shares of classes from the real ones."""
        terms = {"num_classes": self.num_classes}
        drawn = ((_labels(self.sets[name]), seed) for name, seed in self._drawn)
        return average_over_seeds([class_distance(y, self._true, seed=seed, **terms) for y, seed in drawn])

    def confusions(self) -> dict[str, NDArray[np.int64]]:
        """Count how often each true class was called which, over all classifiers and seeds, for pictures.

        Returns:
            ``tstr`` and ``trtr`` -> (num_classes, num_classes), true class by predicted.
        """
        found = {}
        for direction, trained in {"tstr": self._drawn, "trtr": self._real}.items():
            places = [self._true * self.num_classes + one.labels for row in self._rows(trained, TEST) for one in row]
            counts = np.bincount(np.concatenate(places), minlength=self.num_classes**2)
            found[direction] = counts.reshape(self.num_classes, self.num_classes)
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on classifiers that could not learn from the target."""
        own = {name for name, _ in self._drawn}
        notes = (one.note for key, by_test in self.verdicts.items() if key[0] in own for one in by_test.values())
        return tuple(dict.fromkeys(note for note in notes if note))

    @property
    def _drawn(self) -> list[tuple[str, int]]:
        return [(set_name(self.target, seed), seed) for seed in self.seeds]

    @property
    def _real(self) -> list[tuple[str, int]]:
        return [(REAL, seed) for seed in self.seeds]

    @property
    def _true(self) -> NDArray[np.integer]:
        return _labels(self.sets[TEST])

    def _rows(self, trained: Sequence[tuple[str, int]], test: str) -> list[list[Verdict]]:
        return [[self.verdicts[train, one.name, s][test] for one in self.suite.classifiers] for train, s in trained]

    def _of_halves(self) -> dict[str, Score]:
        """Score real on real between people: each half's test series judged by those who learnt from the other."""
        halves = [self._rows([(train, self.seeds[0])], test)[0] for train, test in HALVES]
        joined = [
            dataclasses.replace(one, probabilities=np.concatenate([one.probabilities, other.probabilities]))
            for one, other in zip(*halves)
        ]
        number = sum(len(self.sets[name]) for pair in HALVES for name in pair)
        words = "trained on real series of half of the people, tested on real ones of the other half, both ways"
        basis = _basis(0, number, self.seeds[:1], words)
        true = np.concatenate([_labels(self.sets[test]) for _, test in HALVES])
        return downstream_scores("trtr", "_people", [joined], [true], basis)


def _part(rows: Sequence[Sequence[Verdict]], chosen: NDArray[np.bool_]) -> list[list[Verdict]]:
    return [[dataclasses.replace(one, probabilities=one.probabilities[chosen]) for one in row] for row in rows]


def _basis(num_synthetic: int, num_real: int, seeds: tuple[int, ...], source: str) -> Basis:
    return Basis(num_synthetic=num_synthetic, num_real=num_real, seeds=seeds, source=source)


def _labels(series: SeriesSet) -> NDArray[np.integer]:
    if series.y is None:
        raise InputError(f"{series.name}: has no labels, and classifiers need them; name a --class-column, or add y")
    return series.y
