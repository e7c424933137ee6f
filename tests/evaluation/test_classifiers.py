"""The classifiers: the published settings, the same answers for the same seed, and an answer to everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from gossamer.data.catalogue import load_records
from gossamer.errors import InputError
from gossamer.evaluation import classifiers
from gossamer.evaluation.classifiers import SMALL_CNN, TWELVE, Classifier, SmallCNN
from gossamer.evaluation.downstream import LabelledImages, Predictions, predict_all
from gossamer.evaluation.workers import Task

THIRTEEN = (*TWELVE, SMALL_CNN)
each_classifier = pytest.mark.parametrize("classifier", THIRTEEN, ids=lambda one: one.name)
Images = tuple[NDArray, NDArray]


@pytest.fixture(scope="module")
def digits() -> Images:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))[:500]
    return (data.data / 16).astype(np.float32).reshape(-1, 1, 8, 8)[order], data.target[order].astype(np.int64)


@pytest.fixture
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "_MIN_UPDATES", 100)


def fit_and_predict(classifier: Classifier, x: NDArray, y: NDArray, tested: NDArray, seed: int = 0) -> Predictions:
    train = LabelledImages(name="training images", images=x, labels=y)
    test = LabelledImages(name="test", images=tested, labels=np.zeros(len(tested), dtype=int))
    task = Task(classifier=classifier, train="train", tests=("test",), seed=seed)
    (found,) = predict_all([task], {"train": train, "test": test}, num_workers=1)
    return found


def predict(classifier: Classifier, x: NDArray, y: NDArray, tested: NDArray, seed: int = 0) -> NDArray:
    found = fit_and_predict(classifier, x, y, tested, seed)
    assert found.note == ""
    return found.labels["test"]


def accuracy(classifier: Classifier, train: Images, test: Images) -> float:
    return float(np.mean(predict(classifier, *train, test[0]) == test[1]))


def test_the_twelve_are_those_of_the_study() -> None:
    assert [one.name for one in TWELVE] == [
        "logistic_regression",
        "random_forest",
        "gaussian_nb",
        "bernoulli_nb",
        "linear_svc",
        "decision_tree",
        "lda",
        "adaboost",
        "mlp",
        "bagging",
        "gbm",
        "xgboost",
    ]
    assert SMALL_CNN.name == "cnn"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("logistic_regression", {"solver": "lbfgs", "max_iter": 5000, "C": 1.0}),
        ("random_forest", {"n_estimators": 100, "class_weight": "balanced"}),
        ("gaussian_nb", {"priors": None, "var_smoothing": 1e-9}),
        ("bernoulli_nb", {"binarize": 0.5, "alpha": 1.0}),
        ("linear_svc", {"loss": "hinge", "tol": 1e-8, "C": 1.0}),
        ("decision_tree", {"criterion": "gini", "class_weight": "balanced"}),
        ("lda", {"solver": "eigen", "shrinkage": 0.5}),
        ("adaboost", {"n_estimators": 100, "learning_rate": 1.0}),
        ("mlp", {"hidden_layer_sizes": (100,), "max_iter": 200}),
        ("bagging", {"n_estimators": 20, "max_samples": 0.1}),
        ("gbm", {"n_estimators": 50, "subsample": 0.1}),
        ("xgboost", {"n_estimators": 50, "colsample_bytree": 0.1}),
    ],
)
def test_settings_are_the_published_ones_seeded_and_on_one_thread(name: str, settings: dict[str, Any]) -> None:
    [classifier] = [one for one in TWELVE if one.name == name]
    found = cast(Any, classifier.build(3)).estimator.get_params()
    assert {key: found[key] for key in settings} == settings
    assert found.get("random_state", None) in (3, None)
    if name not in ("gaussian_nb", "bernoulli_nb", "lda"):
        assert found["random_state"] == 3
    if name in ("random_forest", "bagging", "xgboost"):
        assert found["n_jobs"] == 1


@each_classifier
def test_digits_are_learnt_and_no_global_stream_is_drawn_from(
    classifier: Classifier, digits: Images, short_training: None
) -> None:
    x, y = digits
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert accuracy(classifier, (x[:250], y[:250]), (x[250:], y[250:])) > 0.5
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("name", ["logistic_regression", "gaussian_nb", "lda", "decision_tree", "cnn"])
def test_shuffled_labels_teach_nothing(name: str, digits: Images, short_training: None) -> None:
    # 250 test images at chance 0.1: accuracy above 0.2 has probability below 1e-6.
    [classifier] = [one for one in THIRTEEN if one.name == name]
    x, y = digits
    shuffled = np.random.default_rng(1).permutation(y[:250])
    assert accuracy(classifier, (x[:250], shuffled), (x[250:], y[250:])) < 0.2


@each_classifier
def test_same_seed_same_labels(classifier: Classifier, digits: Images, short_training: None) -> None:
    x, y = digits[0][:120], digits[1][:120]
    first, again = (predict(classifier, x, y, digits[0][120:], seed=4) for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", ["random_forest", "bagging", "cnn"])
def test_another_seed_is_another_classifier(name: str, digits: Images, short_training: None) -> None:
    [classifier] = [one for one in THIRTEEN if one.name == name]
    x, y = digits[0][:120], digits[1][:120]
    first, other = (predict(classifier, x, y, digits[0][120:], seed=seed) for seed in (4, 5))
    assert not np.array_equal(first, other)


def two_classes(num_images: int, shape: tuple[int, int, int] = (1, 8, 8)) -> Images:
    """Class 7 has a bright left half, class 3 a bright right half; labels are neither dense nor sorted."""
    rng = np.random.default_rng(num_images)
    y = np.where(np.arange(num_images) % 2 == 0, 7, 3)
    x = rng.uniform(0.0, 0.4, size=(num_images, *shape)).astype(np.float32)
    half = shape[2] // 2
    x[y == 7, :, :, :half] += 0.5
    x[y == 3, :, :, half:] += 0.5
    return x, y


@each_classifier
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 5, 7)])
def test_any_shape_and_any_integers_as_labels(
    classifier: Classifier, shape: tuple[int, int, int], short_training: None
) -> None:
    assert accuracy(classifier, two_classes(120, shape), two_classes(60, shape)) > 0.8


@each_classifier
def test_one_image_for_everything_counts_as_a_constant_guess_with_the_reason(classifier: Classifier) -> None:
    x, y = np.full((9, 1, 8, 8), 0.5), np.array([3, 7, 7, 3, 3, 7, 7, 5, 5])
    found = fit_and_predict(classifier, x, y, two_classes(10)[0])
    assert (found.labels["test"] == 7).all()
    assert classifier.name in found.note
    assert "all images are the same" in found.note


@each_classifier
def test_one_image_a_class_gives_an_answer(classifier: Classifier, digits: Images, short_training: None) -> None:
    x, y = digits
    classes, first = np.unique(y, return_index=True)
    found = fit_and_predict(classifier, np.repeat(x[first], 12, axis=0), np.repeat(classes, 12), x)
    assert set(found.labels["test"]) <= set(classes)
    assert bool(found.note) == (classifier.name == "lda")
    assert bool(found.note) == (len(set(found.labels["test"])) == 1)


def test_xgboost_takes_the_published_objective_by_itself(digits: Images) -> None:
    import xgboost

    x, y = digits[0].reshape(500, -1), digits[1]
    published = xgboost.XGBClassifier(
        n_estimators=50, colsample_bytree=0.1, objective="multi:softprob", n_jobs=1, random_state=0
    )
    expected = published.fit(x[:250], y[:250]).predict(x[250:])
    [ours] = [one for one in TWELVE if one.name == "xgboost"]
    assert np.array_equal(predict(ours, digits[0][:250], y[:250], digits[0][250:]), expected)


@each_classifier
@pytest.mark.parametrize("num_images", [2, 5])
def test_a_handful_of_images_gives_an_answer(classifier: Classifier, num_images: int, short_training: None) -> None:
    found = fit_and_predict(classifier, *two_classes(num_images), two_classes(10)[0])
    assert set(found.labels["test"]) <= {3, 7}
    assert "\n" not in found.note


@each_classifier
def test_classes_missing_in_training_are_never_predicted(
    classifier: Classifier, digits: Images, short_training: None
) -> None:
    x, y = digits
    kept = (y[:250] % 2 == 0) & (y[:250] > 0)
    assert set(predict(classifier, x[:250][kept], y[:250][kept], x[250:])) == {2, 4, 6, 8}


def test_images_too_small_for_the_cnn_are_refused() -> None:
    with pytest.raises(InputError, match="sides must be at least 4"):
        fit_and_predict(SMALL_CNN, *two_classes(10, (1, 3, 8)), two_classes(10, (1, 3, 8))[0])


@pytest.mark.parametrize(("name", "seconds"), [("", 1.0), ("a", 0.0), ("a", -1.0), ("a", float("nan"))])
def test_impossible_classifiers_are_refused(name: str, seconds: float) -> None:
    with pytest.raises(InputError):
        Classifier(name=name, build=SmallCNN, typical_seconds=seconds)


def test_naive_bayes_is_quick_and_boosting_is_slow() -> None:
    slow = {one.name for one in TWELVE if one.typical_seconds > 10}
    assert {"adaboost", "gbm", "xgboost"} <= slow
    assert not {"gaussian_nb", "bernoulli_nb", "lda", "decision_tree"} & slow


def real_sets(name: str, folder: Path, num_train: int, num_test: int) -> tuple[Images, Images]:
    data = load_records(name, folder, None)
    assert data.test is not None
    parts = ((data.train, num_train), (data.test, num_test))
    train, test = ((cast(Any, part).x[:count].numpy(), cast(Any, part).y[:count].numpy()) for part, count in parts)
    return train, test


@pytest.mark.slow
def test_1500_mnist_images_teach_the_twelve_something(data_dir: Path) -> None:
    train, test = real_sets("mnist", data_dir, 1_500, 1_000)
    accuracies = {one.name: accuracy(one, train, test) for one in TWELVE}
    assert min(accuracies.values()) > 0.4
    assert accuracies["random_forest"] > 0.85
    assert accuracies["logistic_regression"] > 0.8
    assert np.mean(list(accuracies.values())) > 0.7


@pytest.mark.slow
@pytest.mark.parametrize(("name", "floor"), [("mnist", 0.98), ("fashion-mnist", 0.875)])
def test_10000_images_teach_the_cnn_what_they_should(name: str, floor: float, data_dir: Path) -> None:
    train, test = real_sets(name, data_dir, 10_000, 10_000)
    assert accuracy(SMALL_CNN, train, test) > floor
