"""Which classifiers learn from which series, and what their verdicts come to: at random and between people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.score import Score
from gossamer.evaluation.series.downstream import Fit, Verdict, downstream_scores
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.series.profiles import class_distance
from gossamer.evaluation.series.suite import SeriesSuite
from gossamer.evaluation.suite import average_over_seeds, set_name

REAL = "real training series"
TEST = "real test series"
HALVES = (("half of the people", "the other half"), ("the other people", "the first half"))
"""Real training series of some people, and real test series of the others; both ways."""

Verdicts = Mapping[tuple[str, str, int], Mapping[str, Verdict]]
"""What a classifier was trained on, its name, its seed -> verdicts by the name of a test set."""


def all_fits(
    suite: SeriesSuite, targets: Sequence[str], seeds: Sequence[int], *, real_sets: Sequence[str]
) -> tuple[Fit, ...]:
    """What is to be fitted: every classifier, once a seed, to the real training series and to each target's.

    Args:
        suite: which classifiers, and whether those trained on real series are tested on synthetic ones.
        targets: names.
        seeds: one a repetition; halves of the people and synthetic series in the place of tests have the first alone.
        real_sets: names of the real sets there are, to see whether the halves are among them.
    """
    backwards = tuple(set_name(target, seeds[0]) for target in targets) if suite.has_both_ways else ()
    fits = []
    for one in suite.classifiers:
        for seed in seeds:
            tests = (TEST, *backwards) if seed == seeds[0] else (TEST,)
            fits.append(Fit(classifier=one, train=REAL, tests=tests, seed=seed))
            fits += [Fit(classifier=one, train=set_name(target, seed), tests=(TEST,), seed=seed) for target in targets]
        fits += [
            Fit(classifier=one, train=train, tests=(test,), seed=seeds[0])
            for train, test in HALVES
            if train in real_sets
        ]
    return tuple(fits)


def halves_by_person(
    train: tuple[SeriesSet, NDArray[np.integer]], test: tuple[SeriesSet, NDArray[np.integer]], *, seed: int
) -> dict[str, SeriesSet]:
    """Real sets in which nobody is both learnt from and tested, for data whose split is not between people.

    People are cut into two halves at random. The training series of either are learnt from, the test series of the
    other are tested.

    Args:
        train: training series, and the person of each.
        test: test series, and the person of each, numbered alike.
        seed: parts the people.

    Returns:
        Sets by the names in `HALVES`; empty where a half would have one class alone or nobody to test.

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


def score_use(
    suite: SeriesSuite,
    target: str,
    seeds: tuple[int, ...],
    sets: Mapping[str, SeriesSet],
    verdicts: Verdicts,
    *,
    is_new: NDArray[np.bool_] | None,
    num_classes: int,
) -> dict[str, Score]:
    """What classifiers tell of a target, beside the same of real series, and the distance of its shares of classes.

    Args:
        suite: which classifiers.
        target: its name.
        seeds: one a repetition.
        sets: the sets of `all_fits`, labelled.
        verdicts: of all those fits.
        is_new: (num_test,), which test series are of people of whom there is no training series; None where nobody
            says. With any, the names that end in ``_people`` are there, of those series alone; with none, those of real
            series, from the halves.
        num_classes: of the real data.
    """
    draws = [set_name(target, seed) for seed in seeds]
    tstr = _rows(suite, list(zip(draws, seeds)), TEST, verdicts)
    trtr = _rows(suite, [(REAL, seed) for seed in seeds], TEST, verdicts)
    true, num_made, num_learnt = _labels(sets[TEST]), len(sets[draws[0]]), len(sets[REAL])
    shares = [
        class_distance(_labels(sets[draw]), true, num_classes=num_classes, seed=seed)
        for draw, seed in zip(draws, seeds)
    ]
    found = {"class_distance": average_over_seeds(shares)}
    parts = [("", np.ones(len(true), dtype=bool), "real")]
    if is_new is not None and is_new.any():
        parts.append(("_people", is_new, "real series of people of whom there is no training series"))
    for suffix, chosen, what in parts:
        tested = [true[chosen]] * len(seeds)
        found |= downstream_scores(
            "tstr", suffix, _part(tstr, chosen), tested,
            num_synthetic=num_made, num_real=int(chosen.sum()), what=f"trained on synthetic, tested on {what}",
        )  # fmt: skip
        found |= downstream_scores(
            "trtr", suffix, _part(trtr, chosen), tested,
            num_synthetic=0, num_real=num_learnt + int(chosen.sum()), what=f"trained on real, tested on {what}",
        )  # fmt: skip
    if suite.has_both_ways:
        found |= downstream_scores(
            "trts", "", _rows(suite, [(REAL, seeds[0])], draws[0], verdicts), [_labels(sets[draws[0]])],
            num_synthetic=num_made, num_real=num_learnt, what="trained on real, tested on synthetic",
        )  # fmt: skip
    return found | (_of_halves(suite, seeds[0], sets, verdicts) if HALVES[0][0] in sets else {})


def confusion_counts(
    suite: SeriesSuite,
    target: str,
    seeds: Sequence[int],
    sets: Mapping[str, SeriesSet],
    verdicts: Verdicts,
    *,
    num_classes: int,
) -> dict[str, NDArray[np.int64]]:
    """How often each true class was called which, over all classifiers and seeds, for pictures.

    Returns:
        ``tstr`` and ``trtr`` -> (num_classes, num_classes), true class by predicted.
    """
    trained = {"tstr": [(set_name(target, seed), seed) for seed in seeds], "trtr": [(REAL, seed) for seed in seeds]}
    true = _labels(sets[TEST])
    found = {}
    for direction, each in trained.items():
        places = [true * num_classes + one.labels for row in _rows(suite, each, TEST, verdicts) for one in row]
        counts = np.bincount(np.concatenate(places), minlength=num_classes**2)
        found[direction] = counts.reshape(num_classes, num_classes)
    return found


def _of_halves(suite: SeriesSuite, seed: int, sets: Mapping[str, SeriesSet], verdicts: Verdicts) -> dict[str, Score]:
    """Real on real between people: each half's test series judged by those who learnt from the other."""
    halves = [_rows(suite, [(train, seed)], test, verdicts)[0] for train, test in HALVES]
    joined = [
        dataclasses.replace(one, probabilities=np.concatenate([one.probabilities, other.probabilities]))
        for one, other in zip(*halves)
    ]
    return downstream_scores(
        "trtr", "_people", [joined], [np.concatenate([_labels(sets[test]) for _, test in HALVES])],
        num_synthetic=0, num_real=sum(len(sets[name]) for pair in HALVES for name in pair),
        what="trained on real series of half of the people, tested on real ones of the other half, both ways",
    )  # fmt: skip


def _rows(suite: SeriesSuite, trained: Sequence[tuple[str, int]], test: str, verdicts: Verdicts) -> list[list[Verdict]]:
    return [[verdicts[train, one.name, seed][test] for one in suite.classifiers] for train, seed in trained]


def _part(rows: Sequence[Sequence[Verdict]], chosen: NDArray[np.bool_]) -> list[list[Verdict]]:
    return [[dataclasses.replace(one, probabilities=one.probabilities[chosen]) for one in row] for row in rows]


def _labels(series: SeriesSet) -> NDArray[np.integer]:
    if series.y is None:
        raise InputError(f"{series.name}: has no labels, and classifiers need them; name a --class-column, or add y")
    return series.y
