"""The encoder: it learns real images, sees synthetic ones as they are, and is the same when trained again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crews import linked
from numpy.typing import NDArray

from gossamer.data.catalogue import load_records
from gossamer.errors import InputError
from gossamer.evaluation.encoder import Encoder, EncoderSettings, EncoderTraining
from gossamer.evaluation.inception_score import inception_score

QUICK = EncoderSettings(num_epochs=1, min_updates=30, batch_size=32, width=4, num_features=8)


def train_encoder(x: NDArray, y: NDArray, num_classes: int, settings: EncoderSettings | None = None) -> Encoder:
    training = EncoderTraining(x, y, num_classes, settings)
    for _ in training:
        pass
    return training.encoder()


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray, NDArray, NDArray, NDArray]:
    data = load_records("digits")
    assert data.test is not None
    assert data.train.y is not None
    assert data.test.y is not None
    return data.train.x.numpy(), data.train.y.numpy(), data.test.x.numpy(), data.test.y.numpy()


@pytest.fixture(scope="module")
def encoder(digits: tuple[NDArray, ...]) -> Encoder:
    """With the settings that everybody gets."""
    return train_encoder(digits[0], digits[1], 10)


def halves(channels: int = 1, height: int = 8, width: int = 8, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Class 0 has a bright left half, class 1 a bright right half."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(60) % 2)
    x = rng.uniform(0.0, 0.4, size=(60, channels, height, width)).astype(np.float32)
    x[y == 0, :, :, : width // 2] += 0.5
    x[y == 1, :, :, width // 2 :] += 0.5
    return x, y


def accuracy(encoder: Encoder, x: NDArray, y: NDArray) -> float:
    return float(np.mean(encoder.encode(x).probabilities.argmax(axis=1) == y))


def test_real_digits_are_learnt(encoder: Encoder, digits: tuple[NDArray, ...]) -> None:
    assert accuracy(encoder, *digits[2:]) > 0.95


def test_shuffled_labels_teach_nothing(digits: tuple[NDArray, ...]) -> None:
    # 360 test images at chance 0.1: accuracy above 0.2 has probability below 1e-8.
    x, y, test_x, test_y = digits
    taught = train_encoder(x, np.random.default_rng(1).permutation(y), 10, QUICK)
    assert accuracy(taught, test_x, test_y) < 0.2


def test_features_span_all_their_dimensions(encoder: Encoder, digits: tuple[NDArray, ...]) -> None:
    """The Frechet distance needs a covariance of full rank: no feature is dead, or a copy of others."""
    features = encoder.encode(digits[0]).features
    variances = np.linalg.eigvalsh(np.cov(features, rowvar=False))
    assert features.shape == (1437, 64)
    assert variances[0] > 1e-5 * variances[-1]
    assert features.std(axis=0).min() > 0.01


def test_probabilities_are_laws_and_come_from_the_features(encoder: Encoder, digits: tuple[NDArray, ...]) -> None:
    encoded = encoder.encode(digits[2])
    assert encoded.features.dtype == encoded.probabilities.dtype == np.float64
    np.testing.assert_allclose(encoded.probabilities.sum(axis=1), 1, atol=1e-12)
    weight, bias = (encoder.weights[f"head.{name}"].double().numpy() for name in ("weight", "bias"))
    odds = np.exp(encoded.features @ weight.T + bias)
    np.testing.assert_allclose(encoded.probabilities, odds / odds.sum(axis=1, keepdims=True), atol=1e-4)


def test_an_image_is_encoded_alike_alone_and_in_company(encoder: Encoder, digits: tuple[NDArray, ...]) -> None:
    x = np.concatenate([digits[0], digits[2]])
    together = encoder.encode(x).features
    alone = np.concatenate([encoder.encode(x[index : index + 1]).features for index in (0, 499, 500, 1796)])
    np.testing.assert_allclose(together[[0, 499, 500, 1796]], alone, atol=1e-4)


def test_processes_share_the_images_and_encode_them_to_the_same_bits(encoder: Encoder) -> None:
    x = np.random.default_rng(0).random((2700, 1, 8, 8), dtype=np.float32)  # six parts, which no two sizes cut alike
    alone = encoder.encode(x)
    for size in (2, 3, 4):
        with linked(size) as ranks:
            shared = encoder.encode(x, ranks[0])
        assert sum(rank.num_received for rank in ranks) > 0
        assert np.array_equal(shared.features, alone.features)
        assert np.array_equal(shared.probabilities, alone.probabilities)


def test_real_images_score_high_and_inverted_strokes_do_not(encoder: Encoder, digits: tuple[NDArray, ...]) -> None:
    real = inception_score(encoder.encode(digits[2]).probabilities, num_splits=1, seed=0)
    inverted = inception_score(encoder.encode(1 - digits[2]).probabilities, num_splits=1, seed=0)
    assert real.value > 9
    assert inverted.high < real.low


def test_images_are_never_rescaled_in_silence(encoder: Encoder, digits: tuple[NDArray, ...]) -> None:
    """An overflow once inverted the strokes of the images behind published distances; here 0 .. 255 is refused."""
    with pytest.raises(InputError, match=r"image 0 has a value that is NaN or outside \[0, 1\]"):
        encoder.encode(digits[2] * 255)
    with pytest.raises(InputError, match="divide uint8 by 255, once"):
        encoder.encode((digits[2] * 255).astype(np.uint8))
    # What was divided once too often is in [0, 1] still, and looks like black images: the score falls.
    dark = inception_score(encoder.encode(digits[2] / 255).probabilities, num_splits=1, seed=0)
    assert dark.value < 1.5


def test_equal_seeds_give_equal_weights_and_nothing_global_is_drawn() -> None:
    before = torch.get_rng_state()
    shifting = replace(QUICK, max_shift=0.125)
    first, again, other = (train_encoder(*halves(), 2, replace(shifting, seed=seed)).weights for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 4, 9), (3, 16, 16), (1, 33, 30), (3, 72, 64)])
@pytest.mark.parametrize("max_shift", [0.0, 0.1])
def test_any_shape_is_learnt(shape: tuple[int, int, int], max_shift: float) -> None:
    taught = train_encoder(*halves(*shape), 2, replace(QUICK, max_shift=max_shift))
    assert accuracy(taught, *halves(*shape, seed=1)) > 0.9
    assert taught.encode(halves(*shape)[0]).features.shape == (60, 8)


def test_shifted_images_are_the_same_images_moved() -> None:
    x, y = halves()
    training = EncoderTraining(x, y, 2, replace(QUICK, max_shift=0.125))
    moved = training._shifted(torch.from_numpy(x)).numpy()
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    variants = np.stack([padded[:, :, down : down + 8, right : right + 8] for down in range(3) for right in range(3)])
    is_variant = (variants == moved).all(axis=(2, 3, 4))
    assert is_variant.any(axis=0).all()
    # Nine equally likely ones and 60 images: one of them never drawn has probability below 0.01, fixed by the seed.
    assert is_variant.any(axis=1).all()


@pytest.mark.parametrize("num_images", [2, 3, 33, 60])
def test_progress_comes_to_its_end_whatever_the_number_of_images(num_images: int) -> None:
    x, y = halves()
    x, y = x[:num_images], np.arange(num_images) % 2
    training = EncoderTraining(x, y, 2, QUICK)
    assert list(training) == list(range(1, 31))
    assert training.num_updates == 30
    assert np.isfinite(training.encoder().encode(x).features).all()


def test_every_image_is_used_equally_often_in_an_epoch() -> None:
    training = EncoderTraining(*halves(), 2, replace(QUICK, batch_size=20, num_epochs=2, min_updates=1))
    drawn = torch.cat(list(training._batches()))
    assert torch.bincount(drawn).tolist() == [2] * 60


def test_classes_that_are_absent_are_given_no_image() -> None:
    x, y = halves()
    assert set(train_encoder(x, y * 3, 5, QUICK).encode(x).probabilities.argmax(axis=1)) == {0, 3}


def test_constant_images_give_finite_numbers() -> None:
    taught = train_encoder(np.full((40, 1, 8, 8), 0.5, dtype=np.float32), np.arange(40) % 2, 2, QUICK)
    encoded = taught.encode(halves()[0])
    assert np.isfinite(encoded.features).all()
    assert np.isfinite(encoded.probabilities).all()


def test_inputs_are_left_as_they_were() -> None:
    x, y = halves()
    kept = x.copy(), y.copy()
    train_encoder(x, y, 2, QUICK).encode(x)
    assert np.array_equal(x, kept[0])
    assert np.array_equal(y, kept[1])


def test_an_encoder_comes_back_from_its_state() -> None:
    x, y = halves()
    taught = train_encoder(x, y, 2, replace(QUICK, seed=9))
    back = Encoder.from_state(taught.weights, json.loads(json.dumps(taught.state_tree())))
    assert (back.settings, back.image_shape, back.num_classes) == (taught.settings, (1, 8, 8), 2)
    assert np.array_equal(back.encode(x).features, taught.encode(x).features)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda weights, tree: (weights, None),
        lambda weights, tree: (weights, {}),
        lambda weights, tree: (weights, tree | {"format": 0}),
        lambda weights, tree: (weights, tree | {"image_shape": [1, 8]}),
        lambda weights, tree: (weights, tree | {"num_classes": 3}),
        lambda weights, tree: (weights, tree | {"num_classes": "2"}),
        lambda weights, tree: (weights, tree | {"settings": tree["settings"] | {"width": 5}}),
        lambda weights, tree: (weights, tree | {"settings": {"surprise": 1}}),
        lambda weights, tree: ({}, tree),
        lambda weights, tree: (weights | {"head.bias": weights["head.bias"] * torch.nan}, tree),
    ],
)
def test_a_foreign_state_is_refused_in_one_line(spoil: Callable[..., tuple[Any, Any]]) -> None:
    taught = train_encoder(*halves(), 2, replace(QUICK, min_updates=1))
    with pytest.raises(InputError, match="train it again") as error:
        Encoder.from_state(*spoil(taught.weights, taught.state_tree()))
    assert "\n" not in str(error.value)


def changed(array: NDArray, index: tuple[int, ...], value: float) -> NDArray:
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x, y: (changed(x, (5, 0, 1, 1), np.nan), y), "image 5 has"),
        (lambda x, y: (changed(x, (5, 0, 1, 1), np.inf), y), "image 5 has"),
        (lambda x, y: (changed(x, (7, 0, 1, 1), 1.5), y), "image 7 has"),
        (lambda x, y: (changed(x, (7, 0, 1, 1), -0.1), y), "image 7 has"),
        (lambda x, y: (x[:0], y[:0]), "at least one"),
        (lambda x, y: (x[:, 0], y), "(batch, channels, height, width)"),
        (lambda x, y: (x[..., :3], y), "at least 4 pixels"),
        (lambda x, y: ((x * 255).astype(np.uint8), y), "divide uint8 by 255"),
        (lambda x, y: (x, y[:-1]), "labels of shape (59,)"),
        (lambda x, y: (x, y.astype(float)), "labels of shape (60,) and type float64"),
        (lambda x, y: (x, changed(y, (4,), 2)), "label 4 is outside 0 .. 1"),
        (lambda x, y: (x, changed(y, (4,), -1)), "label 4 is outside 0 .. 1"),
        (lambda x, y: (x, np.zeros_like(y)), "one class"),
    ],
)
def test_what_cannot_be_learnt_gets_one_line(change: Callable[..., tuple[NDArray, NDArray]], says: str) -> None:
    with pytest.raises(InputError) as error:
        EncoderTraining(*change(*halves()), 2, QUICK)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_single_class_is_no_task() -> None:
    x, y = halves()
    with pytest.raises(InputError, match="1 classes"):
        EncoderTraining(x, np.zeros_like(y), 1, QUICK)


@pytest.mark.parametrize("x", [halves(1, 8, 9)[0], halves(3)[0], halves()[0][:0], halves()[0][0]])
def test_images_of_another_shape_are_not_encoded(x: NDArray) -> None:
    taught = train_encoder(*halves(), 2, replace(QUICK, min_updates=1))
    with pytest.raises(InputError, match="images of shape"):
        taught.encode(x)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_features": 1}, {"width": 0}, {"num_epochs": 0}, {"min_updates": 0}, {"batch_size": 1},
        {"peak_learning_rate": 0.0}, {"peak_learning_rate": float("nan")}, {"max_shift": 0.5}, {"max_shift": -0.1},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        EncoderSettings(**settings)


def test_a_few_thousand_mnist_images_teach_what_they_should(data_dir: Path) -> None:
    data = load_records("mnist", data_dir)
    assert data.train.y is not None
    assert data.test is not None
    assert data.test.y is not None
    settings = EncoderSettings(num_epochs=1, min_updates=200, batch_size=64)
    taught = train_encoder(data.train.x[:6000].numpy(), data.train.y[:6000].numpy(), 10, settings)
    test_x, test_y = data.test.x[:2000].numpy(), data.test.y[:2000].numpy()
    assert accuracy(taught, test_x, test_y) > 0.95
    real, inverted = (inception_score(taught.encode(x).probabilities, seed=0) for x in (test_x, 1 - test_x))
    assert real.value > 7.5
    assert inverted.high < real.low
