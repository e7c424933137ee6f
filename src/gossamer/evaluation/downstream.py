"""Downstream accuracy: a classifier trained on one set of images (synthetic, say) and tested on another (real).

Both classifiers are fixed in advance and nothing in them is tuned on the test set. Scores on private data are
themselves private: choosing a model by them voids a guarantee.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from gossamer.errors import InputError
from gossamer.evaluation.score import Score, proportion_score

_LOGISTIC_PENALTY = 0.01
_LOGISTIC_TOLERANCE = 1e-3
_LOGISTIC_MAX_ITERATIONS = 5_000
# A collapsed generator may give one image for everything; real images must not then be divided by nothing.
_LEAST_SCALE = 1e-3
_BATCH_SIZE = 128
_MIN_EPOCHS = 4
_MIN_UPDATES = 800
_PEAK_LEARNING_RATE = 3e-3
_TEST_BATCH_SIZE = 500


def logistic_regression_accuracy(
    train_x: NDArray[np.floating],
    train_y: NDArray[np.integer],
    test_x: NDArray[np.floating],
    test_y: NDArray[np.integer],
    *,
    rng_seed: int,
) -> Score:
    """Test accuracy of a multinomial logistic regression on pixels.

    The mean training image is taken away and all pixels are divided by one number, the standard deviation of the
    training pixels, at least 0.001 (one number per pixel would blow up pixels that hardly vary). Minimised by L-BFGS::

        mean cross-entropy + 0.005 |weights|^2

    Args:
        train_x: (batch, channels, height, width) in [0, 1].
        train_y: (batch,) integers, at least two different ones.
        test_x: (batch, channels, height, width) in [0, 1].
        test_y: (batch,) integers; a class that is absent from `train_y` is always missed.
        rng_seed: handed to the solver, which is deterministic, and kept in the score.

    Returns:
        The accuracy with Wilson's 95 % interval over the test set (see `proportion_score` for what it covers).

    Raises:
        InputError: if images or labels are empty, not finite, out of range, of unequal shape, or of one class only.
    """
    from sklearn.linear_model import LogisticRegression

    _check_sets(train_x, train_y, test_x, test_y)
    mean = train_x.mean(axis=0, dtype=np.float64)
    scale = max(float(np.sqrt(np.mean((train_x - mean) ** 2))), _LEAST_SCALE)
    classifier: Any = LogisticRegression(
        C=1.0 / (_LOGISTIC_PENALTY * len(train_x)),
        tol=_LOGISTIC_TOLERANCE,
        max_iter=_LOGISTIC_MAX_ITERATIONS,
        random_state=rng_seed,
    )
    classifier.fit(_flat((train_x - mean) / scale), train_y)
    predicted = classifier.predict(_flat((test_x - mean) / scale))
    num_right = int(np.count_nonzero(predicted == test_y))
    return proportion_score("logistic regression accuracy", num_right, len(test_y), seed=rng_seed)


def cnn_accuracy(
    train_x: NDArray[np.floating],
    train_y: NDArray[np.integer],
    test_x: NDArray[np.floating],
    test_y: NDArray[np.integer],
    *,
    rng: torch.Generator,
) -> Score:
    """Test accuracy of a small convolutional network.

    Two convolutions (3x3, 16 and 32 channels), each with ReLU and 2x2 max pooling, a dense layer of 64, ReLU, a
    dense layer to the classes. Adam on cross-entropy in batches of 128, learning rate up to 3e-3 and down again in one
    cycle, for 4 epochs or 800 updates, whichever is more.

    Args:
        train_x: (batch, channels, height, width) in [0, 1], sides at least 4.
        train_y: (batch,) integers, at least two different ones.
        test_x: (batch, channels, height, width) in [0, 1].
        test_y: (batch,) integers; a class that is absent from `train_y` is always missed.
        rng: draws initial weights and batches (on the CPU); its initial seed is kept in the score.

    Returns:
        The accuracy with Wilson's 95 % interval over the test set (see `proportion_score` for what it covers).

    Raises:
        InputError: if images or labels are empty, not finite, out of range, of unequal shape, too small, or of one
            class only.
    """
    _check_sets(train_x, train_y, test_x, test_y)
    if min(train_x.shape[2:]) < 4:
        raise InputError(f"train_x: {train_x.shape[2]} x {train_x.shape[3]} pixels; sides must be at least 4")
    classes, targets = np.unique(train_y, return_inverse=True)
    network = _network(train_x.shape[1:], len(classes), rng)
    _train(network, _tensor(train_x), torch.from_numpy(targets), rng)
    predicted = classes[_predict(network, _tensor(test_x))]
    num_right = int(np.count_nonzero(predicted == test_y))
    return proportion_score("CNN accuracy", num_right, len(test_y), seed=rng.initial_seed())


def _network(image_shape: tuple[int, ...], num_classes: int, rng: torch.Generator) -> nn.Sequential:
    channels, height, width = image_shape
    network = nn.Sequential(
        skip_init(nn.Conv2d, channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        skip_init(nn.Conv2d, 16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        skip_init(nn.Linear, 32 * (height // 4) * (width // 4), 64),
        nn.ReLU(),
        skip_init(nn.Linear, 64, num_classes),
    )
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=rng)
        else:
            nn.init.zeros_(parameter)
    return network


def _train(network: nn.Sequential, images: Tensor, targets: Tensor, rng: torch.Generator) -> None:
    batches_per_epoch = math.ceil(len(images) / _BATCH_SIZE)
    num_epochs = max(_MIN_EPOCHS, math.ceil(_MIN_UPDATES / batches_per_epoch))
    optimizer = torch.optim.Adam(network.parameters(), lr=_PEAK_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=_PEAK_LEARNING_RATE, total_steps=num_epochs * batches_per_epoch
    )
    for batch in _batches(len(images), num_epochs, rng):
        optimizer.zero_grad()
        F.cross_entropy(network(images[batch]), targets[batch]).backward()
        optimizer.step()
        schedule.step()


def _batches(num_images: int, num_epochs: int, rng: torch.Generator) -> Iterator[Tensor]:
    for _ in range(num_epochs):
        yield from torch.randperm(num_images, generator=rng).split(_BATCH_SIZE)


def _predict(network: nn.Sequential, images: Tensor) -> NDArray[np.integer]:
    with torch.no_grad():
        return torch.cat([network(part).argmax(dim=1) for part in images.split(_TEST_BATCH_SIZE)]).numpy()


def _tensor(images: NDArray[np.floating]) -> Tensor:
    # Channels last is a third faster on a CPU.
    return torch.from_numpy(np.array(images, dtype=np.float32)).contiguous(memory_format=torch.channels_last)


def _flat(images: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.ascontiguousarray(images.reshape(len(images), -1), dtype=np.float64)


def _check_sets(
    train_x: NDArray[np.floating],
    train_y: NDArray[np.integer],
    test_x: NDArray[np.floating],
    test_y: NDArray[np.integer],
) -> None:
    _check_images("train_x", train_x)
    _check_images("test_x", test_x)
    _check_labels("train_y", train_y, len(train_x))
    _check_labels("test_y", test_y, len(test_x))
    if train_x.shape[1:] != test_x.shape[1:]:
        raise InputError(f"test_x: images of shape {test_x.shape[1:]}, but train_x has {train_x.shape[1:]}; resize one")
    if len(np.unique(train_y)) < 2:
        raise InputError("train_y: one class only; a classifier needs at least two, so train on more samples")


def _check_images(name: str, images: NDArray[np.floating]) -> None:
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"{name}: shape {images.shape}; give at least one image as (batch, channels, height, width)")
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"{name}: values of type {images.dtype}; give floats in [0, 1] (divide uint8 by 255)")
    wrong = np.flatnonzero(~((images >= 0) & (images <= 1)).all(axis=(1, 2, 3)))
    if wrong.size:
        raise InputError(f"{name}: image {wrong[0]} has a value that is NaN or outside [0, 1]; mend or remove it")


def _check_labels(name: str, labels: NDArray[np.integer], num_images: int) -> None:
    if labels.shape != (num_images,):
        raise InputError(f"{name}: shape {labels.shape}, but there are {num_images} images; give one label for each")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{name}: values of type {labels.dtype}; give integers")
