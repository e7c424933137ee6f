"""Scores of predicted labels: accuracy, macro-F1, and both trainings side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score

from gossamer.errors import InputError
from gossamer.evaluation.score import Basis
from gossamer.evaluation.verdicts import (
    calibrated_accuracy,
    mean_accuracy,
    mean_balanced_accuracy,
    mean_macro_f1,
)

TRUE = np.random.default_rng(0).integers(10, size=400)


def guesses(*accuracies: float, seed: int = 1) -> NDArray:
    """Labels right with the given probabilities, (rows, images); easy images are easy for every row."""
    rng = np.random.default_rng(seed)
    ease = rng.random(len(TRUE))
    wrong = (TRUE + rng.integers(1, 10, size=(len(accuracies), len(TRUE)))) % 10
    return np.where(ease < np.array(accuracies)[:, None], TRUE, wrong)


def measure(score: Callable[..., Any], *labels: Any, num_seeds: int = 1, seed: int = 0) -> Any:
    return score(
        "a", *labels, Basis(num_synthetic=400, num_real=400, seeds=tuple(range(num_seeds)), source="a test"),
        np.random.default_rng(seed),
    )  # fmt: skip


def test_accuracy_is_the_share_of_right_labels() -> None:
    predicted = guesses(0.8, 0.6)
    score = measure(mean_accuracy, predicted[None], TRUE, num_seeds=2)
    assert score.value == pytest.approx(np.mean(predicted == TRUE))
    assert (score.seeds, score.higher_is_better, score.num_real) == ((0, 1), True, 400)


def test_each_seed_may_have_test_images_of_its_own() -> None:
    true = np.stack([TRUE, TRUE[::-1]])
    predicted = guesses(0.7, 0.7)
    score = measure(mean_accuracy, predicted[None], true, num_seeds=2)
    assert score.value == pytest.approx((np.mean(predicted[0] == TRUE) + np.mean(predicted[1] == TRUE[::-1])) / 2)
    assert measure(mean_macro_f1, true[None], true, num_seeds=2).value == 1.0


def test_mean_accuracy_averages_classifiers_and_keeps_their_correlation() -> None:
    alike = guesses(0.7, 0.7, 0.7)[:, None]
    score = measure(mean_accuracy, alike, TRUE)
    assert score.value == pytest.approx(np.mean(alike == TRUE))
    # Were the three independent, the interval would be narrower by the square root of three.
    alone = measure(mean_accuracy, alike[:1], TRUE)
    assert score.high - score.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_balanced_accuracy_is_the_mean_recall_of_scikit_learn() -> None:
    true = np.repeat([0, 1, 2], [300, 80, 20])
    predicted = np.where(np.random.default_rng(0).random(400) < 0.8, true, 0)
    score = measure(mean_balanced_accuracy, predicted[None, None], true)
    assert score.value == pytest.approx(balanced_accuracy_score(true, predicted))
    assert score.value < np.mean(predicted == true), "accuracy would hide the rare classes"
    assert score.low < score.value < score.high


def test_macro_f1_agrees_with_scikit_learn_and_its_interval_with_resampling_by_hand() -> None:
    predicted = guesses(0.7)
    score = measure(mean_macro_f1, predicted[None], TRUE)
    assert score.value == pytest.approx(f1_score(TRUE, predicted[0], average="macro"))
    rng = np.random.default_rng(5)
    drawn = [rng.integers(len(TRUE), size=len(TRUE)) for _ in range(250)]
    by_hand = [f1_score(TRUE[i], predicted[0][i], average="macro", labels=np.arange(10)) for i in drawn]
    # The ends of 250 and 1,000 resamples differ by a standard deviation of 0.0045, the width is 0.09: four of them.
    assert (score.low, score.high) == pytest.approx(np.quantile(by_hand, [0.025, 0.975]), abs=0.018)


def test_a_class_that_is_never_true_does_not_count_in_macro_f1_but_costs_precision_of_none() -> None:
    true, predicted = np.array([0, 0, 1, 1]), np.array([[0, 0, 1, 5]])
    assert measure(mean_macro_f1, predicted[None], true).value == pytest.approx((1 + 2 / 3) / 2)


def test_training_on_the_same_images_calibrates_to_one_without_doubt() -> None:
    predicted = guesses(0.8, 0.5)[:, None]
    score = measure(calibrated_accuracy, predicted, predicted, TRUE)
    assert (score.value, score.low, score.high) == (1.0, 1.0, 1.0)


def test_calibrated_is_the_mean_of_ratios_with_the_interval_of_resampling_both_alike() -> None:
    synthetic, real = guesses(0.6, 0.4)[:, None], guesses(0.8, 0.8)[:, None]
    score = measure(calibrated_accuracy, synthetic, real, TRUE)
    right = [(labels[:, 0] == TRUE).astype(float) for labels in (synthetic, real)]
    assert score.value == pytest.approx(np.mean(right[0].mean(axis=1) / right[1].mean(axis=1)))
    rng = np.random.default_rng(5)
    drawn = rng.integers(len(TRUE), size=(1_000, len(TRUE)))
    alike = [np.mean(right[0][:, i].mean(axis=1) / right[1][:, i].mean(axis=1)) for i in drawn]
    apart = [np.mean(right[0][:, i].mean(axis=1) / right[1][:, j].mean(axis=1)) for i, j in zip(drawn, drawn[::-1])]
    width = score.high - score.low
    low, high = np.quantile(alike, [0.025, 0.975])
    # Widths of 1,000 resamples scatter by 4 %: two of them by 5.7 %.
    assert width == pytest.approx(high - low, rel=0.23)
    low, high = np.quantile(apart, [0.025, 0.975])
    assert width < 0.9 * (high - low)


@pytest.mark.parametrize("score", [mean_accuracy, mean_macro_f1])
def test_seeds_that_disagree_widen_the_interval(score: Callable) -> None:
    alike = measure(score, guesses(0.7, 0.7, 0.7)[None], TRUE, num_seeds=3)
    apart = measure(score, guesses(0.5, 0.7, 0.9)[None], TRUE, num_seeds=3)
    assert apart.high - apart.low > 1.3 * (alike.high - alike.low)


def test_seeds_that_disagree_widen_the_calibrated_interval() -> None:
    real = guesses(0.8)[:, None]
    alike = measure(calibrated_accuracy, guesses(0.7, 0.7, 0.7)[None], real, TRUE, num_seeds=3)
    apart = measure(calibrated_accuracy, guesses(0.5, 0.7, 0.9)[None], real, TRUE, num_seeds=3)
    assert apart.high - apart.low > 1.3 * (alike.high - alike.low)


@pytest.mark.parametrize("score", [mean_accuracy, mean_macro_f1, calibrated_accuracy])
def test_labels_read_back_from_json_give_the_same_score(score: Callable) -> None:
    predicted = guesses(0.7)[None]
    arrays = (predicted, predicted, TRUE) if score is calibrated_accuracy else (predicted, TRUE)
    assert measure(score, *arrays) == measure(score, *(array.tolist() for array in arrays))


@pytest.mark.parametrize(
    ("score", "shapes", "says"),
    [
        (mean_accuracy, [(1, 1, 5), (4,)], "true labels of shape"),
        (mean_accuracy, [(1, 2, 5), (5,)], "predicted labels of shape"),
        (mean_accuracy, [(5,), (5,)], "predicted labels of shape"),
        (mean_accuracy, [(1, 1, 0), (0,)], "predicted labels of shape"),
        (mean_macro_f1, [(1, 1, 5), (2, 5)], "true labels of shape"),
        (mean_accuracy, [(1, 5), (5,)], "predicted labels of shape"),
        (calibrated_accuracy, [(2, 1, 5), (3, 1, 5), (5,)], "2 classifiers"),
        (calibrated_accuracy, [(2, 1, 5), (2, 5), (5,)], "predicted labels of shape"),
    ],
)
def test_labels_that_do_not_fit_are_refused(score: Callable, shapes: list[tuple[int, ...]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        measure(score, *(np.zeros(shape, dtype=np.int64) for shape in shapes))


def test_a_classifier_that_is_never_right_calibrates_nothing() -> None:
    with pytest.raises(InputError, match="never right"):
        measure(calibrated_accuracy, TRUE[None, None], (TRUE + 1)[None, None] % 10, TRUE)
