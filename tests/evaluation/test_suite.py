"""All scores in one go: their names, how seeds are averaged, what classifiers are asked, and which way each moves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.evaluation import classifiers
from gossamer.evaluation.classifiers import SMALL_CNN, TWELVE
from gossamer.evaluation.comparison import headline
from gossamer.evaluation.downstream import LabelledImages, predict_all
from gossamer.evaluation.encoder import Encoded, Encoder, EncoderSettings, EncoderTraining
from gossamer.evaluation.listed import (
    Suite,
    SyntheticRecords,
    as_reference,
    average_over_seeds,
    names_of,
    needing,
    scores_of,
    set_name,
)
from gossamer.evaluation.score import Score
from gossamer.evaluation.suite import FULL, QUICK, SCORES, ImageFeatures, check_images, check_number
from gossamer.evaluation.use import REAL, TEST, ImageAnswers, Verdicts
from gossamer.evaluation.workers import Task, tasks_of

REQUIRED = (
    "inception_score", "frechet_distance", "precision", "recall", "density", "coverage", "cnn_accuracy",
    "mlp_accuracy", "avg12", "avg12_calibrated",
)  # fmt: skip


def train_encoder(x: NDArray, y: NDArray, num_classes: int, settings: EncoderSettings | None = None) -> Encoder:
    training = EncoderTraining(x, y, num_classes, settings)
    for _ in training:
        pass
    return training.encoder()


def score_names(suite: Suite) -> tuple[str, ...]:
    return names_of(suite.of(SCORES))


def downstream_tasks(suite: Suite, targets: tuple[str, ...], seeds: tuple[int, ...]) -> list[Task]:
    return tasks_of(suite, targets, seeds, train=REAL, test=TEST)


def score_features(draw: Encoded, real: Encoded, *, permit_few_samples: bool = False) -> dict[str, Score]:
    seen = ImageFeatures(draw=draw, real=real, seed=0, permit_few_samples=permit_few_samples)
    return scores_of(SCORES, [seen])


def score_downstream(
    suite: Suite, target: str, seeds: tuple[int, ...], sets: Mapping[str, LabelledImages], verdicts: Verdicts
) -> dict[str, Score]:
    return scores_of(suite.of(SCORES), [ImageAnswers.of(suite, target, seeds, sets, verdicts)])


def score(value: float, low: float, high: float, seed: int = 0) -> Score:
    return Score(
        name="recall", value=value, low=low, high=high, higher_is_better=True, num_synthetic=9, num_real=9,
        seeds=(seed,), source="made up",
    )  # fmt: skip


def test_the_ten_promised_scores_are_there_and_nothing_is_named_twice() -> None:
    names = score_names(FULL)
    assert set(REQUIRED) <= set(names)
    assert headline(SCORES) == REQUIRED
    assert len(names) == len(set(names))
    # Seven of features and the same of real images, the FID, memorisation, four for each classifier, four means.
    assert len(names) == 2 * 7 + 1 + 1 + 13 * 4 + 4


def test_a_quick_evaluation_leaves_out_the_costly_scores_alone() -> None:
    names = set(score_names(QUICK))
    assert names < set(score_names(FULL))
    assert set(REQUIRED) - names == {"avg12", "avg12_calibrated"}
    assert "memorisation" not in names
    assert not any(name.endswith("_real_to_synthetic") for name in names)


def test_averaging_keeps_what_seeds_share_and_adds_what_they_change() -> None:
    scores = [score(0.4, 0.3, 0.6, 3), score(0.6, 0.5, 0.7, 4)]
    mean = average_over_seeds(scores)
    between = 1.959963984540054**2 * 0.02 / 2
    assert mean.value == pytest.approx(0.5)
    assert mean.low == pytest.approx(0.5 - math.sqrt(0.01 + between))
    assert mean.high == pytest.approx(0.5 + math.sqrt((0.04 + 0.01) / 2 + between))
    assert mean.seeds == (3, 4)
    assert average_over_seeds(scores[:1]) is scores[0]


def test_averaging_holds_the_truth_as_often_as_it_says() -> None:
    """4,000 repetitions of 5 seeds, each off by a shared and by its own chance; 0.95 -+ 0.02 is 5 standard errors.

    A t quantile would be exact where seeds outweigh images, so these are made the smaller part. Intervals of one seed
    alone and those that pretend seeds are independent test images fall below.
    """
    rng = np.random.default_rng(0)
    shared, own = 1.0, 0.5

    def holds(add_seeds: bool) -> float:
        found = 0
        for _ in range(4000):
            values = shared * rng.standard_normal() + own * rng.standard_normal(5)
            half = 1.959963984540054 * shared
            if add_seeds:
                mean = average_over_seeds([score(v, v - half, v + half) for v in values])
                found += mean.low <= 0 <= mean.high
            else:
                found += abs(values.mean()) <= half / math.sqrt(5)
        return found / 4000

    assert holds(True) == pytest.approx(0.95, abs=0.02)
    assert holds(False) < 0.8


def test_every_classifier_learns_once_a_seed_from_real_images_and_from_each_target() -> None:
    tasks = downstream_tasks(FULL, ("a", "b"), (5, 6))
    asked = {(task.train, task.classifier.name, task.seed): task.tests for task in tasks}
    assert len(asked) == len(tasks) == 13 * 2 * (1 + 2)
    assert set_name("a", 5) in asked[REAL, "cnn", 5]
    assert set_name("b", 5) in asked[REAL, "cnn", 5]
    # Each seed's classifier judges the images of that seed.
    assert set_name("a", 6) not in asked[REAL, "cnn", 5]
    assert asked[set_name("b", 6), "lda", 6] == (TEST,)
    quick = downstream_tasks(QUICK, ("a",), (0,))
    assert {task.tests for task in quick} == {(TEST,)}


TRUE = np.arange(100) % 2
OWN = {7: np.arange(40) % 2, 8: (np.arange(40) + 1) % 2}


def right_for(true: NDArray, num_right: int) -> NDArray[np.int64]:
    """Predicted labels of which the first so many are right."""
    return np.where(np.arange(len(true)) < num_right, true, 1 - true)


def hand_made() -> tuple[dict[str, LabelledImages], dict[tuple[str, str, int], dict[str, NDArray]]]:
    def images(name: str, labels: NDArray) -> LabelledImages:
        return LabelledImages(name=name, images=np.zeros((len(labels), 1, 4, 4), np.float32), labels=labels)

    sets = {REAL: images(REAL, np.arange(60) % 2), TEST: images(TEST, TRUE)}
    sets |= {set_name("t", seed): images("t", labels) for seed, labels in OWN.items()}
    verdicts: dict[tuple[str, str, int], dict[str, NDArray]] = {}
    for place, one in enumerate((*TWELVE, SMALL_CNN)):
        for seed in OWN:
            verdicts[set_name("t", seed), one.name, seed] = {TEST: right_for(TRUE, 40 + place + (seed == 8) * 2)}
            own = right_for(OWN[seed], 30)
            verdicts[REAL, one.name, seed] = {TEST: right_for(TRUE, 80 + place), set_name("t", seed): own}
    return sets, verdicts


def test_verdicts_become_accuracies_and_their_means() -> None:
    sets, verdicts = hand_made()
    scores = score_downstream(FULL, "t", (7, 8), sets, verdicts)
    assert tuple(scores) == names_of(needing(SCORES, ImageAnswers))
    assert len(scores) == 13 * 4 + 4
    assert scores["logistic_regression_accuracy"].value == pytest.approx(0.41)
    assert scores["cnn_accuracy"].value == pytest.approx(0.53)
    assert scores["cnn_accuracy_real"].value == pytest.approx(0.92)
    synthetic, real = (np.arange(41, 53) / 100, np.arange(80, 92) / 100)
    assert scores["avg12"].value == pytest.approx(synthetic.mean())
    assert scores["avg12_real"].value == pytest.approx(real.mean())
    # The mean of ratios, not the ratio of means.
    assert scores["avg12_calibrated"].value == pytest.approx((synthetic / real).mean())
    assert (synthetic / real).mean() != pytest.approx(synthetic.mean() / real.mean(), abs=1e-6)
    assert all(found.name == name for name, found in scores.items())
    # Synthetic images are shown to the first seed's classifiers alone: the others need not be fitted anew.
    seeds = {name: (7,) if name.endswith("_real_to_synthetic") else (7, 8) for name in scores}
    assert {name: found.seeds for name, found in scores.items()} == seeds
    assert (scores["avg12"].num_synthetic, scores["avg12"].num_real) == (40, 100)
    assert scores["avg12_real"].num_synthetic == 0


def test_synthetic_images_are_judged_by_the_labels_they_were_drawn_with() -> None:
    sets, verdicts = hand_made()
    scores = score_downstream(FULL, "t", (7, 8), sets, verdicts)
    assert scores["avg12_real_to_synthetic"].value == pytest.approx(0.75)
    # The labels of another seed's images do not matter, those of its own do.
    first, second = set_name("t", 7), set_name("t", 8)
    swapped = dict(sets) | {second: sets[first]}
    assert score_downstream(FULL, "t", (7, 8), swapped, verdicts)["avg12_real_to_synthetic"].value == 0.75
    swapped = dict(sets) | {first: sets[second]}
    assert score_downstream(FULL, "t", (7, 8), swapped, verdicts)["avg12_real_to_synthetic"].value < 0.5


def test_an_interval_does_not_depend_on_which_other_scores_are_computed() -> None:
    sets, verdicts = hand_made()
    full, quick = (score_downstream(suite, "t", (7, 8), sets, verdicts) for suite in (FULL, QUICK))
    assert set(quick) < set(full)
    assert all(full[name] == quick[name] for name in quick)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [((3, 0, 1, 1), np.nan, "image 3"), ((2, 0, 0, 0), 1.5, "image 2"), ((4, 0, 0, 0), -0.1, "image 4")],
)
def test_a_value_that_is_no_pixel_is_refused_by_its_place(place: tuple[int, ...], value: float, message: str) -> None:
    x = np.random.default_rng(0).random((6, 1, 4, 4), dtype=np.float32)
    check_images("mine", SyntheticRecords(x=x, y=None), 10)
    x[place] = value
    with pytest.raises(InputError, match=f"mine: {message}"):
        check_images("mine", SyntheticRecords(x=x, y=None), 10)


def test_one_image_throughout_and_labels_outside_the_classes_are_refused() -> None:
    x = np.random.default_rng(0).random((6, 1, 4, 4), dtype=np.float32)
    with pytest.raises(InputError, match="all 6 images are the same"):
        check_images("mine", SyntheticRecords(x=np.repeat(x[:1], 6, axis=0), y=None), 10)
    with pytest.raises(InputError, match="all labels are of one class"):
        check_images("mine", SyntheticRecords(x=x, y=np.full(6, 3)), 10)
    for label in (-1, 10):
        y = np.array([0, 1, label, 2, 3, 4])
        with pytest.raises(InputError, match="label 2 is outside 0"):
            check_images("mine", SyntheticRecords(x=x, y=y), 10)


def test_too_few_images_are_refused_before_anything_is_computed_and_just_enough_are_not() -> None:
    rng = np.random.default_rng(0)
    encoder = train_encoder(
        rng.random((40, 1, 4, 4), dtype=np.float32), np.arange(40) % 3, 3,
        EncoderSettings(num_epochs=1, min_updates=2, width=2, num_features=8),
    )  # fmt: skip
    x = rng.random((40, 1, 4, 4), dtype=np.float32)
    for permit, least in ((False, 32), (True, 12)):
        check_number("mine", least, num_features=8, num_classes=3, permit_few_samples=permit)
        encoded = encoder.encode(x[:least])
        assert score_features(encoded, encoder.encode(x), permit_few_samples=permit)
        with pytest.raises(InputError, match=f"mine: {least - 1} images"):
            check_number("mine", least - 1, num_features=8, num_classes=3, permit_few_samples=permit)
        with pytest.raises(InputError):
            score_features(encoder.encode(x[: least - 1]), encoder.encode(x), permit_few_samples=permit)


def corrupted(x: NDArray[np.float32], y: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    noise = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    first = np.array([np.flatnonzero(y == label)[0] for label in range(10)])
    return {
        "as they are": x,
        "inverted": 1 - x,
        "noise 0.1": (x + np.float32(0.1) * noise).clip(0, 1),
        "noise 0.3": (x + np.float32(0.3) * noise).clip(0, 1),
        "one image a class": x[first[y]],
    }


def scored(
    train: RecordSet, test: RecordSet, encoder: Encoder, suite: Suite, num_taught: int, num_tested: int
) -> dict[str, Mapping[str, Score]]:
    """Real images and corrupted copies of them, as if they were synthetic; classifiers learn from some of them."""
    assert train.y is not None
    assert test.y is not None
    x, y, test_x, test_y = train.x.numpy(), train.y.numpy(), test.x.numpy()[:num_tested], test.y.numpy()[:num_tested]
    copies = corrupted(x, y)
    sets = {set_name(name, 0): LabelledImages(name=name, images=c[:num_taught], labels=y[:num_taught])
            for name, c in copies.items()}  # fmt: skip
    sets |= {TEST: LabelledImages(name=TEST, images=test_x, labels=test_y), REAL: sets[set_name("as they are", 0)]}
    real = encoder.encode(test_x)
    tasks = [task for task in downstream_tasks(suite, tuple(copies), (0,)) if task.train != REAL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifiers, "_MIN_UPDATES", 80)
        patch.setattr(classifiers, "_NUM_EPOCHS", 2)
        said = {
            (one.task.train, one.task.classifier.name, 0): one.labels for one in predict_all(tasks, sets, num_workers=1)
        }
    # The first copy is the real images themselves.
    said |= {(REAL, one.name, 0): said[set_name("as they are", 0), one.name, 0] for one in suite.classifiers}
    return {
        name: score_features(encoder.encode(copy), real) | score_downstream(suite, name, (0,), sets, said)
        for name, copy in copies.items()
    }


def is_worse(score: Score, than: Score) -> bool:
    """In its value."""
    return score.value < than.value if score.higher_is_better else score.value > than.value


def is_surely_worse(score: Score, than: Score) -> bool:
    """By more than both intervals."""
    return score.high < than.low if score.higher_is_better else score.low > than.high


FEATURE = {"inception_score", "frechet_distance", "frechet_distance_extrapolated", "precision", "recall", "density",
           "coverage"}  # fmt: skip
FRECHET = {"frechet_distance", "frechet_distance_extrapolated"}
ACCURACIES = {"cnn_accuracy", "mlp_accuracy", "cnn_macro_f1", "mlp_macro_f1"}
# Each copy is a real image, so precision must not react; every image is of a clear class and the classes are even, so
# the inception score cannot (on the digits it loses the little that ten images differ from the average of theirs).
BLIND_TO_COLLAPSE = {"precision"}


def test_every_score_moves_the_right_way_on_digits() -> None:
    data = load_records("digits")
    assert data.train.y is not None
    assert data.test is not None
    settings = EncoderSettings(num_epochs=3, min_updates=150)
    encoder = train_encoder(data.train.x.numpy(), data.train.y.numpy(), 10, settings)
    found = scored(data.train, data.test, encoder, QUICK, 700, 360)
    real = found["as they are"]
    references = as_reference({name: real[name] for name in FEATURE}, "")
    assert set(score_names(QUICK)) == set(real) | set(references) | {"fid_inception"}
    assert real["inception_score"].value > 8
    assert real["frechet_distance"].value < 1
    assert real["frechet_distance_extrapolated"].low < 0 < real["frechet_distance_extrapolated"].high
    assert min(real[name].value for name in ("precision", "recall", "density", "coverage", "mlp_accuracy")) > 0.85
    surely = {
        "inverted": FEATURE | ACCURACIES,
        # 64 pixels of 17 grey levels: a noise of 0.1 hardly hides a digit, and classifiers do not mind.
        "noise 0.1": {"inception_score", "density"},
        "noise 0.3": {"inception_score", "precision", "density", "coverage"} | FRECHET,
        "one image a class": {"recall", "coverage"} | FRECHET | ACCURACIES,
    }
    for corruption, names in surely.items():
        assert {name for name in names if not is_surely_worse(found[corruption][name], real[name])} == set(), corruption
    assert all(is_worse(found["noise 0.1"][name], real[name]) for name in ("frechet_distance", "precision"))
    assert all(is_worse(found["noise 0.3"][name], found["noise 0.1"][name]) for name in FEATURE - {"recall"})
    # Noise spreads the synthetic images and widens their balls: recall cannot see it, which is why density is there.
    assert not is_surely_worse(found["noise 0.3"]["recall"], real["recall"])
    assert not any(is_worse(found["one image a class"][name], real[name]) for name in BLIND_TO_COLLAPSE)


def test_every_score_moves_the_right_way_on_mnist(data_dir: Path) -> None:
    data = load_records("mnist", data_dir)
    assert data.train.y is not None
    assert data.test is not None
    settings = EncoderSettings(num_epochs=2, min_updates=80)
    encoder = train_encoder(data.train.x.numpy()[-4000:], data.train.y.numpy()[-4000:], 10, settings)
    part = dataclasses.replace(data.train, x=data.train.x[:1000], y=data.train.y[:1000])
    found = scored(part, data.test, encoder, QUICK, 500, 1000)
    real = found["as they are"]
    surely = {
        "inverted": FEATURE | ACCURACIES,
        # A noise of 0.1 shows where the background was black, not in whether an image is a digit.
        "noise 0.1": {"recall", "coverage"},
        "noise 0.3": {"inception_score", "recall", "density", "coverage"} | FRECHET,
        "one image a class": {"recall", "coverage"} | FRECHET | ACCURACIES,
    }
    for corruption, names in surely.items():
        assert {name for name in names if not is_surely_worse(found[corruption][name], real[name])} == set(), corruption
    assert all(is_worse(found["noise 0.1"][name], real[name]) for name in {"inception_score"} | FRECHET)
    assert all(is_worse(found["noise 0.3"][name], real[name]) for name in ACCURACIES | {"precision"})
    # It takes the ten images for as many clear classes: the inception score is blind to a collapse within classes.
    assert not is_surely_worse(found["one image a class"]["inception_score"], real["inception_score"])
