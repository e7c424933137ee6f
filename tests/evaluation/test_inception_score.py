"""Inception score: the formula of its paper, its bounds, and what it must and must not notice."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gossamer.errors import InputError
from gossamer.evaluation.inception_score import inception_score


def certain(num_images: int, num_classes: int, certainty: float = 1.0) -> NDArray[np.float64]:
    """All classes equally often, each image of its class with that probability."""
    rest = (1 - certainty) / (num_classes - 1)
    table = np.full((num_images, num_classes), rest)
    table[np.arange(num_images), np.arange(num_images) % num_classes] = certainty
    return table


def drawn(num_images: int, num_classes: int = 10, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(num_classes, 0.2), size=num_images)


def score_by_loops(table: NDArray[np.float64]) -> float:
    num_images, num_classes = table.shape
    marginal = [sum(table[:, k]) / num_images for k in range(num_classes)]
    divergences = [sum(p * math.log(p / q) for p, q in zip(row, marginal) if p > 0) for row in table]
    return math.exp(sum(divergences) / num_images)


@pytest.mark.parametrize("num_classes", [2, 5, 10])
def test_certain_and_balanced_images_score_the_number_of_classes(num_classes: int) -> None:
    score = inception_score(certain(400 * num_classes, num_classes), num_splits=1, seed=0)
    assert score.value == pytest.approx(num_classes, rel=1e-12)
    assert score.low <= score.value <= score.high <= num_classes


@pytest.mark.parametrize("row", [np.full(10, 0.1), np.eye(10)[3]])
def test_images_that_all_look_alike_score_one(row: NDArray[np.float64]) -> None:
    score = inception_score(np.tile(row, (500, 1)), seed=0)
    assert (score.low, score.value, score.high) == pytest.approx((1, 1, 1))


def test_the_value_is_that_of_the_papers_formula() -> None:
    table = drawn(700)
    assert inception_score(table, num_splits=1, seed=0).value == pytest.approx(score_by_loops(table), rel=1e-12)


def test_splits_are_shuffled_by_the_seed_and_averaged() -> None:
    table = drawn(1005)
    shuffled = table[np.random.default_rng(7).permutation(1005)]
    expected = np.mean([score_by_loops(part) for part in np.array_split(shuffled, 10)])
    assert inception_score(table, seed=7).value == pytest.approx(expected, rel=1e-12)


# torchmetrics warns of the memory that its buffer takes.
@pytest.mark.usefixtures("torch_fidelity")
@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save all extracted features:UserWarning")
def test_torchmetrics_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    class LogProbabilities(torch.nn.Module):
        """Stands for the Inception network: the images are the probabilities already."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).log()

    table = drawn(600)
    # Its shuffle is ours; 600 images part evenly.
    monkeypatch.setattr(torch, "randperm", lambda n: torch.from_numpy(np.random.default_rng(7).permutation(n)))
    metric = importlib.import_module("torchmetrics.image.inception").InceptionScore(LogProbabilities(), splits=10)
    metric.update(torch.from_numpy(table))
    assert inception_score(table, seed=7).value == pytest.approx(float(metric.compute()[0]), rel=1e-6)


def test_less_certain_images_and_missing_classes_score_less() -> None:
    scores = [inception_score(certain(2000, 10, certainty), seed=0).value for certainty in (1.0, 0.9, 0.5)]
    assert scores == sorted(scores, reverse=True)
    fewer = certain(2000, 10)
    fewer[fewer[:, 9] == 1] = np.eye(10)[0]
    assert inception_score(fewer, seed=0).value < 9.5 < scores[0]


def test_one_image_of_each_class_repeated_is_not_noticed() -> None:
    """The known limit: said in the docstring, so that nobody reads the score alone."""
    table = drawn(2000)
    best = table[[table[:, k].argmax() for k in range(10)]]
    assert inception_score(np.repeat(best, 200, axis=0), seed=0).value > inception_score(table, seed=0).value


def test_equal_seeds_give_equal_numbers_and_others_give_others() -> None:
    table = drawn(1000)
    assert inception_score(table, seed=3) == inception_score(table, seed=3)
    assert inception_score(table, seed=3).value != inception_score(table, seed=4).value


def test_the_interval_covers_the_score_of_many_images() -> None:
    truth = inception_score(drawn(100_000, seed=1), num_splits=100, seed=0).value
    # As many images in a split as there, hence the same bias.
    scores = [inception_score(drawn(1000, seed=100 + seed), num_splits=1, seed=seed) for seed in range(60)]
    misses = np.array([abs(score.value - truth) / ((score.high - score.low) / 2) for score in scores])
    # Binomial(60, 0.95): fewer than 48 with probability 2e-5.
    assert np.sum(misses <= 1) >= 48
    # Counter-test: intervals of a quarter of the width cover about 0.38.
    assert np.sum(misses <= 0.25) < 48


def test_it_says_what_it_is() -> None:
    score = inception_score(drawn(1000), seed=5)
    assert (score.name, score.higher_is_better, score.seeds) == ("inception_score", True, (5,))
    assert (score.num_synthetic, score.num_real) == (1000, 0)
    assert "encoder" in score.source
    assert "interval covers" in score.source


@pytest.mark.parametrize(
    ("table", "num_splits", "says"),
    [
        (drawn(99), 10, "need at least 100; draw more"),
        (drawn(0), 1, "inception score of 0 images"),
        (drawn(500)[:, 0], 1, "shape (500,)"),
        (np.ones((500, 1)), 1, "classes 2 or more"),
        (drawn(500), 0, "num_splits"),
        (drawn(500) * 2, 1, "image 0 are not"),
        (np.vstack([drawn(20), np.full((1, 10), np.nan), drawn(20)]), 1, "image 20 are not"),
        (np.vstack([drawn(20), np.array([[2.0, -1.0] + [0.0] * 8]), drawn(20)]), 1, "image 20 are not"),
    ],
)
def test_what_is_no_table_of_probabilities_gets_one_line(
    table: NDArray[np.float64], num_splits: int, says: str
) -> None:
    with pytest.raises(InputError) as error:
        inception_score(table, num_splits=num_splits, seed=0)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
