"""Fitting classifiers and naming labels, on any number of processes."""

from __future__ import annotations

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

from gossamer.errors import InputError
from gossamer.evaluation.classifiers import TWELVE, Classifier
from gossamer.evaluation.downstream import LabelledImages, predict_all
from gossamer.evaluation.workers import Task

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


def predicted(x: NDArray, y: NDArray, tested: NDArray) -> None:
    train = LabelledImages(name="training images", images=x, labels=y)
    test = LabelledImages(name="test", images=tested, labels=np.zeros(len(tested), dtype=int))
    task = Task(classifier=QUICK[0], train="train", tests=("test",), seed=0)
    list(predict_all([task], {"train": train, "test": test}, num_workers=1))


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
        predicted(*arrays)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_inputs_are_left_as_they_were(sets: dict[str, LabelledImages]) -> None:
    kept = [array.copy() for each in sets.values() for array in (each.images, each.labels)]
    list(predict_all(tasks(), sets, num_workers=1))
    now = [array for each in sets.values() for array in (each.images, each.labels)]
    assert all(np.array_equal(a, b) for a, b in zip(kept, now, strict=True))
