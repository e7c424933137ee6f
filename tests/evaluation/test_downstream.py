"""Downstream classifiers: they learn what is there, and nothing where nothing is."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from gossamer.errors import InputError
from gossamer.evaluation.downstream import cnn_accuracy, logistic_regression_accuracy
from gossamer.evaluation.score import Score

Sets = tuple[NDArray, NDArray, NDArray, NDArray]
Metric = Callable[..., Score]


def logistic(*sets: NDArray) -> Score:
    return logistic_regression_accuracy(*sets, rng_seed=0)


def cnn(*sets: NDArray) -> Score:
    return cnn_accuracy(*sets, rng=torch.Generator().manual_seed(0))


both = pytest.mark.parametrize("metric", [logistic, cnn])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> Sets:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, y = (data.data / 16).reshape(-1, 1, 8, 8)[order], data.target[order]
    return x[:1437], y[:1437], x[1437:], y[1437:]


def two_classes(channels: int, height: int, width: int, seed: int) -> tuple[NDArray, NDArray]:
    """Class 7 has a bright left half, class 3 a bright right half; labels are neither dense nor sorted."""
    rng = np.random.default_rng(seed)
    y = rng.choice([7, 3], size=24)
    x = rng.uniform(0.0, 0.4, size=(24, channels, height, width))
    x[y == 7, :, :, : width // 2] += 0.5
    x[y == 3, :, :, width // 2 :] += 0.5
    return x, y


@both
def test_real_digits_are_learnt(metric: Metric, digits: Sets) -> None:
    score = metric(*digits)
    assert score.value > 0.94
    assert score.num_samples == 360
    assert score.low < score.value < score.high


@both
def test_shuffled_labels_teach_nothing(metric: Metric, digits: Sets) -> None:
    # 360 test images at chance 0.1: accuracy above 0.2 has probability below 1e-8.
    train_x, train_y, test_x, test_y = digits
    shuffled = np.random.default_rng(1).permutation(train_y)
    assert metric(train_x, shuffled, test_x, test_y).value < 0.2


@both
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 5, 7), (3, 16, 16)])
def test_any_shape_and_any_integers_as_labels(metric: Metric, shape: tuple[int, int, int]) -> None:
    assert metric(*two_classes(*shape, seed=0), *two_classes(*shape, seed=1)).value > 0.95


@both
def test_a_class_never_seen_in_training_is_missed(metric: Metric) -> None:
    test_x, test_y = two_classes(1, 8, 8, seed=1)
    score = metric(*two_classes(1, 8, 8, seed=0), test_x, np.where(test_y == 7, 11, test_y))
    assert score.value <= np.mean(test_y == 3)


@both
def test_one_image_for_every_class_gives_a_finite_score(metric: Metric) -> None:
    test_x, test_y = two_classes(1, 8, 8, seed=1)
    score = metric(np.full((40, 1, 8, 8), 0.5), np.arange(40) % 2 * 4 + 3, test_x, test_y)
    assert 0 <= score.value <= 1


def test_same_stream_same_score_and_nothing_global_is_drawn() -> None:
    sets = (*two_classes(1, 8, 8, seed=0), *two_classes(1, 8, 8, seed=1))
    before = torch.get_rng_state()
    first = cnn_accuracy(*sets, rng=torch.Generator().manual_seed(5))
    assert first == cnn_accuracy(*sets, rng=torch.Generator().manual_seed(5))
    assert first.seed == 5
    assert torch.equal(before, torch.get_rng_state())


@both
def test_inputs_are_left_as_they_were(metric: Metric) -> None:
    sets = (*two_classes(1, 8, 8, seed=0), *two_classes(1, 8, 8, seed=1))
    kept = [array.copy() for array in sets]
    metric(*sets)
    assert all(np.array_equal(a, b) for a, b in zip(kept, sets, strict=True))


def spoilt(place: int, change: Callable[[NDArray], NDArray]) -> Sets:
    sets = [*two_classes(1, 8, 8, seed=0), *two_classes(1, 8, 8, seed=1)]
    sets[place] = change(sets[place].copy())
    return tuple(sets)


def with_value(value: float) -> Callable[[NDArray], NDArray]:
    def change(images: NDArray) -> NDArray:
        images[5, 0, 1, 1] = value
        return images

    return change


@both
@pytest.mark.parametrize(
    ("place", "change", "says"),
    [
        (0, with_value(np.nan), "train_x: image 5"),
        (2, with_value(np.inf), "test_x: image 5"),
        (0, with_value(-0.1), "train_x: image 5"),
        (2, with_value(1.5), "test_x: image 5"),
        (0, lambda x: x[:0], "train_x: shape"),
        (0, lambda x: x[:, 0], "train_x: shape"),
        (0, lambda x: (x * 255).astype(np.uint8), "divide uint8 by 255"),
        (2, lambda x: x[..., :6], "resize"),
        (1, lambda y: y[:-1], "train_y: shape"),
        (3, lambda y: y.astype(float), "test_y: values"),
        (1, lambda y: np.full_like(y, 3), "one class only"),
    ],
)
def test_bad_input_is_refused_in_one_line(metric: Metric, place: int, change: Callable, says: str) -> None:
    with pytest.raises(InputError) as error:
        metric(*spoilt(place, change))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def read_idx(path: Path, offset: int) -> NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=offset)


@pytest.mark.slow
def test_ten_thousand_mnist_images_teach_what_they_should(data_dir: Path) -> None:
    folder = data_dir / "mnist"
    sets = []
    for kind in ("train", "t10k"):
        images = read_idx(folder / f"{kind}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:10_000]
        sets += [images / np.float32(255), read_idx(folder / f"{kind}-labels-idx1-ubyte.gz", 8)[:10_000]]
    assert logistic(*sets).value > 0.90
    assert cnn(*sets).value > 0.97
