"""Downstream scores: fitting and predicting on any number of processes, and scores of predicted labels."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score

from gossamer.errors import InputError
from gossamer.evaluation.classifiers import TWELVE, Classifier
from gossamer.evaluation.downstream import (
    LabelledImages,
    Task,
    accuracy_score,
    calibrated_accuracy,
    fit_and_predict,
    macro_f1_score,
    mean_accuracy,
    predict_all,
    seconds_left,
)

CLASSIFIERS: dict[str, Classifier] = {one.name: one for one in TWELVE}
QUICK = tuple(CLASSIFIERS[name] for name in ("gaussian_nb", "decision_tree", "bagging"))


@pytest.fixture(scope="module")
def sets() -> dict[str, LabelledImages]:
    data = load_digits()
    x, y = (data.data / 16).astype(np.float32).reshape(-1, 1, 8, 8), data.target
    slices = {"one": slice(0, 300), "two": slice(300, 600), "test": slice(600, 900)}
    return {name: LabelledImages(name=name, images=x[part], labels=y[part]) for name, part in slices.items()}


def tasks() -> tuple[Task, ...]:
    return tuple(
        Task(classifier=one, train=train, tests=("test", other), seed=seed)
        for one in QUICK
        for train, other in (("one", "two"), ("two", "one"))
        for seed in (0, 1)
    )


def labels_by_task(found: Any) -> dict[tuple[str, str, int], list[int]]:
    return {
        (each.task.classifier.name, each.task.train, each.task.seed): [
            *each.labels["test"].tolist(),
            *each.labels[each.task.tests[1]].tolist(),
        ]
        for each in found
    }


def test_labels_do_not_depend_on_the_number_of_workers(sets: dict[str, LabelledImages]) -> None:
    alone = labels_by_task(predict_all(tasks(), sets, num_workers=1))
    assert len(alone) == 12
    assert alone == labels_by_task(predict_all(reversed(tasks()), sets, num_workers=2))


def test_the_slowest_come_first_and_results_one_by_one(sets: dict[str, LabelledImages]) -> None:
    found = predict_all(tasks(), sets, num_workers=1)
    assert next(found).task.classifier.name in ("bagging", "decision_tree")
    costs = [each.task.classifier.typical_seconds for each in found]
    assert costs == sorted(costs, reverse=True)
    assert len(costs) == 11


def test_threads_are_left_as_they_were(sets: dict[str, LabelledImages]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        list(predict_all(tasks()[:1], sets, num_workers=1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


_ENDLESS = """
import numpy as np
from gossamer.evaluation.classifiers import TWELVE
from gossamer.evaluation.downstream import LabelledImages, Task, predict_all
rng = np.random.default_rng(0)
some = LabelledImages(name="some", images=rng.random((60, 1, 8, 8)), labels=rng.integers(2, size=60))
many = LabelledImages(name="many", images=rng.random((9_000, 1, 28, 28)), labels=rng.integers(10, size=9_000))
by_name = {one.name: one for one in TWELVE}
tasks = [Task(classifier=by_name["gbm"], train="many", tests=("many",), seed=0)]
tasks += [Task(classifier=by_name["bernoulli_nb"], train="some", tests=("some",), seed=seed) for seed in range(3)]
for found in predict_all(tasks, {"some": some, "many": many}, num_workers=2):
    print(found.task.classifier.name, flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_an_interrupt_ends_the_workers_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "bernoulli_nb\n"
            assert len(members(process.pid)) > 2
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
            assert process.returncode != 0
            assert "gbm" not in process.stdout.read()
            assert gone(process.pid)
        finally:
            if members(process.pid):
                os.killpg(process.pid, signal.SIGKILL)


def members(group: int) -> list[str]:
    """Processes of a group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if of_group == str(group) and state != "Z":
            found.append(stat.parent.name)
    return found


def gone(group: int) -> bool:
    deadline = time.monotonic() + 30
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not members(group)


def test_time_left_is_the_share_not_done(sets: dict[str, LabelledImages]) -> None:
    asked = tasks()
    assert math.isnan(seconds_left(asked, [], sets, elapsed=3.0))
    found = list(predict_all(asked, sets, num_workers=1))
    assert seconds_left(asked, found, sets, elapsed=3.0) == pytest.approx(0.0, abs=1e-9)
    cost = sum(task.classifier.typical_seconds for task in asked)
    left = seconds_left(asked, found[:1], sets, elapsed=3.0)
    assert left == pytest.approx(3.0 * (cost / found[0].task.classifier.typical_seconds - 1))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": "three"}, "no set 'three'"),
        ({"tests": ("three",)}, "no set 'three'"),
        ({"train": "one class"}, "one class only"),
        ({"tests": ("large",)}, "resize one"),
    ],
)
def test_bad_tasks_are_refused_before_anything_is_fitted(
    change: dict[str, Any], says: str, sets: dict[str, LabelledImages]
) -> None:
    constant = LabelledImages(name="one class", images=sets["one"].images[:5], labels=np.zeros(5, dtype=np.int64))
    large = LabelledImages(name="large", images=np.zeros((2, 1, 9, 9)), labels=np.arange(2))
    wrong = Task(**{"classifier": QUICK[0], "train": "one", "tests": ("test",), "seed": 0, **change})
    with pytest.raises(InputError, match=says):
        predict_all([*tasks(), wrong], {**sets, "one class": constant, "large": large}, num_workers=1)


@pytest.mark.parametrize("change", [{"seed": -1}, {"seed": 2**32}, {"tests": ()}])
def test_impossible_tasks_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Task(**{"classifier": QUICK[0], "train": "one", "tests": ("test",), "seed": 0, **change})


def test_no_worker_is_refused(sets: dict[str, LabelledImages]) -> None:
    with pytest.raises(InputError, match="num_workers"):
        predict_all(tasks(), sets, num_workers=0)


Spoil = Callable[[NDArray], NDArray]


def with_value(value: float) -> Spoil:
    def change(images: NDArray) -> NDArray:
        images[5, 0, 1, 1] = value
        return images

    return change


@pytest.mark.parametrize(
    ("place", "change", "says"),
    [
        (0, with_value(np.nan), "training images: image 5"),
        (2, with_value(np.inf), "test: image 5"),
        (0, with_value(-0.1), "training images: image 5"),
        (2, with_value(1.5), "test: image 5"),
        (0, lambda x: x[:0], "training images: shape"),
        (0, lambda x: x[:, 0], "training images: shape"),
        (0, lambda x: (x * 255).astype(np.uint8), "divide uint8 by 255"),
        (2, lambda x: x[..., :6], "resize"),
        (1, lambda y: y[:-1], "training images: labels of shape"),
        (1, lambda y: y.astype(float), "training images: labels of type"),
        (1, lambda y: np.full_like(y, 3), "one class only"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    place: int, change: Spoil, says: str, sets: dict[str, LabelledImages]
) -> None:
    arrays = [sets["one"].images.copy(), sets["one"].labels.copy(), sets["test"].images.copy()]
    arrays[place] = change(arrays[place])
    with pytest.raises(InputError) as error:
        fit_and_predict(QUICK[0], arrays[0], arrays[1], {"test": arrays[2]}, seed=0)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_inputs_are_left_as_they_were(sets: dict[str, LabelledImages]) -> None:
    kept = [array.copy() for each in sets.values() for array in (each.images, each.labels)]
    list(predict_all(tasks(), sets, num_workers=1))
    now = [array for each in sets.values() for array in (each.images, each.labels)]
    assert all(np.array_equal(a, b) for a, b in zip(kept, now, strict=True))


TRUE = np.random.default_rng(0).integers(10, size=400)


def guesses(*accuracies: float, seed: int = 1) -> NDArray:
    """Labels right with the given probabilities, (rows, images); easy images are easy for every row."""
    rng = np.random.default_rng(seed)
    ease = rng.random(len(TRUE))
    wrong = (TRUE + rng.integers(1, 10, size=(len(accuracies), len(TRUE)))) % 10
    return np.where(ease < np.array(accuracies)[:, None], TRUE, wrong)


def measure(score: Callable[..., Any], *labels: Any, num_seeds: int = 1, seed: int = 0) -> Any:
    return score(
        "a", *labels, num_synthetic=400, num_real=400, seeds=tuple(range(num_seeds)), source="a test",
        rng=np.random.default_rng(seed),
    )  # fmt: skip


def test_accuracy_is_the_share_of_right_labels() -> None:
    predicted = guesses(0.8, 0.6)
    score = measure(accuracy_score, predicted, TRUE, num_seeds=2)
    assert score.value == pytest.approx(np.mean(predicted == TRUE))
    assert (score.seeds, score.higher_is_better, score.num_real) == ((0, 1), True, 400)


def test_each_seed_may_have_test_images_of_its_own() -> None:
    true = np.stack([TRUE, TRUE[::-1]])
    predicted = guesses(0.7, 0.7)
    score = measure(accuracy_score, predicted, true, num_seeds=2)
    assert score.value == pytest.approx((np.mean(predicted[0] == TRUE) + np.mean(predicted[1] == TRUE[::-1])) / 2)
    assert measure(macro_f1_score, true, true, num_seeds=2).value == 1.0


def test_mean_accuracy_averages_classifiers_and_keeps_their_correlation() -> None:
    alike = guesses(0.7, 0.7, 0.7)[:, None]
    score = measure(mean_accuracy, alike, TRUE)
    assert score.value == pytest.approx(np.mean(alike == TRUE))
    # Were the three independent, the interval would be narrower by the square root of three.
    alone = measure(accuracy_score, alike[0], TRUE)
    assert score.high - score.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_macro_f1_agrees_with_scikit_learn_and_its_interval_with_resampling_by_hand() -> None:
    predicted = guesses(0.7)
    score = measure(macro_f1_score, predicted, TRUE)
    assert score.value == pytest.approx(f1_score(TRUE, predicted[0], average="macro"))
    rng = np.random.default_rng(5)
    drawn = [rng.integers(len(TRUE), size=len(TRUE)) for _ in range(250)]
    by_hand = [f1_score(TRUE[i], predicted[0][i], average="macro", labels=np.arange(10)) for i in drawn]
    # The ends of 250 and 1,000 resamples differ by a standard deviation of 0.0045, the width is 0.09: four of them.
    assert (score.low, score.high) == pytest.approx(np.quantile(by_hand, [0.025, 0.975]), abs=0.018)


def test_a_class_that_is_never_true_does_not_count_in_macro_f1_but_costs_precision_of_none() -> None:
    true, predicted = np.array([0, 0, 1, 1]), np.array([[0, 0, 1, 5]])
    assert measure(macro_f1_score, predicted, true).value == pytest.approx((1 + 2 / 3) / 2)


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


@pytest.mark.parametrize("score", [accuracy_score, macro_f1_score])
def test_seeds_that_disagree_widen_the_interval(score: Callable) -> None:
    alike = measure(score, guesses(0.7, 0.7, 0.7), TRUE, num_seeds=3)
    apart = measure(score, guesses(0.5, 0.7, 0.9), TRUE, num_seeds=3)
    assert apart.high - apart.low > 1.3 * (alike.high - alike.low)


def test_seeds_that_disagree_widen_the_calibrated_interval() -> None:
    real = guesses(0.8)[:, None]
    alike = measure(calibrated_accuracy, guesses(0.7, 0.7, 0.7)[None], real, TRUE, num_seeds=3)
    apart = measure(calibrated_accuracy, guesses(0.5, 0.7, 0.9)[None], real, TRUE, num_seeds=3)
    assert apart.high - apart.low > 1.3 * (alike.high - alike.low)


@pytest.mark.parametrize("score", [accuracy_score, macro_f1_score, mean_accuracy, calibrated_accuracy])
def test_labels_read_back_from_json_give_the_same_score(score: Callable) -> None:
    one = guesses(0.7)
    predicted = one if score in (accuracy_score, macro_f1_score) else one[None]
    arrays = (predicted, predicted, TRUE) if score is calibrated_accuracy else (predicted, TRUE)
    assert measure(score, *arrays) == measure(score, *(array.tolist() for array in arrays))


@pytest.mark.parametrize(
    ("score", "shapes", "says"),
    [
        (accuracy_score, [(1, 5), (4,)], "true labels of shape"),
        (accuracy_score, [(2, 5), (5,)], "predicted labels of shape"),
        (accuracy_score, [(5,), (5,)], "predicted labels of shape"),
        (accuracy_score, [(1, 0), (0,)], "predicted labels of shape"),
        (macro_f1_score, [(1, 5), (2, 5)], "true labels of shape"),
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
