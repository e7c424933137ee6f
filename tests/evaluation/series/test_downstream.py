"""Use of series: verdicts in one process or several, areas under curves, and means over classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from gossamer.errors import InputError
from gossamer.evaluation.score import Basis
from gossamer.evaluation.series import networks
from gossamer.evaluation.series.classifiers import LOGISTIC_REGRESSION, RANDOM_FOREST, SERIES_CNN
from gossamer.evaluation.series.downstream import Verdict, auroc_score, downstream_scores, judge_all
from gossamer.evaluation.series.matching import SeriesSet
from gossamer.evaluation.workers import Task


@pytest.fixture(autouse=True, scope="module")
def few_updates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_MIN_UPDATES", 60)
        patch.setattr(networks, "_NUM_EPOCHS", 1)
        yield


def area(probabilities: np.ndarray, true: np.ndarray, seed: int = 0) -> object:
    return auroc_score("auroc", probabilities, true, Basis(num_synthetic=1, num_real=1, seeds=(seed,), source="a"))


def drawn(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes, and probabilities with ties that tell a little of them."""
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=number)
    logits = rng.normal(size=(number, 3)) + 1.0 * np.equal.outer(true, np.arange(3))
    return np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 2), true


def test_areas_agree_with_scikit_learn_and_ties_count_half() -> None:
    probabilities, true = drawn(300, 0)
    expected = np.mean([roc_auc_score(true == label, probabilities[:, label]) for label in range(3)])
    assert area(probabilities[None], true).value == pytest.approx(expected, abs=1e-12)
    # A class that is not tested has no area; what is said of it weighs nothing.
    wider = np.concatenate([probabilities, np.ones((300, 1))], axis=1)
    assert area(wider[None], true).value == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_an_area_holds_as_often_as_it_says() -> None:
    """200 sets against the area of 100,000: at least 178 of 190 expected (false alarm 1e-4); of half the width, fewer.

    Two equal classifiers err together: their mean is as uncertain as either.
    """
    truth = area(drawn(100_000, 1)[0][None], drawn(100_000, 1)[1]).value
    held, half_held = 0, 0
    for seed in range(200):
        probabilities, true = drawn(120, seed + 2)
        score = area(np.stack([probabilities, probabilities]), true)
        held += score.low <= truth <= score.high
        half_held += abs(score.value - truth) <= (score.high - score.low) / 4
    assert held >= 178 > half_held


def test_one_class_alone_has_no_curve() -> None:
    with pytest.raises(InputError, match="all of one class"):
        area(np.ones((1, 4, 2)), np.zeros(4, dtype=int))


def test_scores_are_means_over_classifiers_and_agree_with_scikit_learn() -> None:
    verdicts, labels = [], []
    for seed in (5, 6):
        pairs = [drawn(200, 10 * seed + place) for place in range(2)]
        labels.append(pairs[0][1])
        verdicts.append([Verdict(classifier=n, seed=seed, probabilities=p) for n, (p, _) in zip("ab", pairs)])
    seeds = tuple(row[0].seed for row in verdicts)
    basis = Basis(num_synthetic=7, num_real=200, seeds=seeds, source="way")
    found = downstream_scores("tstr", "", verdicts, labels, basis)
    assert set(found) == {
        "tstr_accuracy", "tstr_macro_f1", "tstr_auroc",
        "tstr_a_accuracy", "tstr_a_macro_f1", "tstr_b_accuracy", "tstr_b_macro_f1",
    }  # fmt: skip
    said = [[one.probabilities.argmax(axis=1) for one in row] for row in verdicts]
    for kind, measure in (
        ("accuracy", accuracy_score),
        ("macro_f1", lambda true, labels: f1_score(true, labels, average="macro")),
    ):
        each = np.array([[measure(true, one) for one in row] for true, row in zip(labels, said)])
        assert found[f"tstr_{kind}"].value == pytest.approx(each.mean())
        assert found[f"tstr_b_{kind}"].value == pytest.approx(each[:, 1].mean())
    assert found["tstr_macro_f1"].seeds == found["tstr_auroc"].seeds == (5, 6)
    assert found["tstr_macro_f1"].low < found["tstr_macro_f1"].value < found["tstr_macro_f1"].high


@pytest.mark.parametrize("one", [RANDOM_FOREST, LOGISTIC_REGRESSION, SERIES_CNN])
def test_every_classifier_learns_and_knows_which_classes_it_never_saw(one: object, pulses: Callable) -> None:
    train, test = pulses(400, 0), pulses(200, 1)
    assert train.y is not None
    moved = SeriesSet(name="moved", x=train.x, y=train.y + 1)
    (_, found), = judge_all([Task(classifier=one, train="a", tests=("b",), seed=0)], {"a": moved, "b": test},
                            num_classes=5, num_workers=1)  # fmt: skip
    verdict = found["b"]
    assert verdict.probabilities.shape == (200, 5)
    assert (verdict.probabilities[:, [0, 4]] == 0).all()
    assert np.mean(verdict.labels == test.y + 1) > 0.85
    assert verdict.note == ""


def test_verdicts_do_not_depend_on_the_number_of_processes(pulses: Callable) -> None:
    sets = {"a": pulses(60, 0), "b": pulses(30, 1)}
    fits = [Task(classifier=RANDOM_FOREST, train="a", tests=("b",), seed=seed) for seed in (0, 1)]
    tables = [
        {fit.seed: by["b"].probabilities for fit, by in judge_all(fits, sets, num_classes=3, num_workers=number)}
        for number in (1, 2)
    ]
    assert all((tables[0][seed] == tables[1][seed]).all() for seed in (0, 1))
    assert (tables[0][0] != tables[0][1]).any()


def test_constant_series_teach_the_shares_of_their_labels_and_it_is_said(pulses: Callable) -> None:
    flat = SeriesSet(name="flat", x=np.full((10, 1, 48), 0.5), y=np.repeat([0, 2], [7, 3]))
    fits = [Task(classifier=SERIES_CNN, train="flat", tests=("b",), seed=0)]
    (_, found), = judge_all(fits, {"flat": flat, "b": pulses(20, 1)}, num_classes=3, num_workers=1)  # fmt: skip
    assert found["b"].probabilities == pytest.approx(np.tile([0.7, 0, 0.3], (20, 1)))
    assert "can learn nothing from flat" in found["b"].note


def test_one_class_alone_teaches_nothing_and_is_refused(pulses: Callable) -> None:
    one = SeriesSet(name="one", x=pulses(9, 0).x, y=np.zeros(9, dtype=int))
    fits = [Task(classifier=RANDOM_FOREST, train="one", tests=("one",), seed=0)]
    with pytest.raises(InputError, match="labels of at least two classes"):
        list(judge_all(fits, {"one": one}, num_classes=3, num_workers=1))
