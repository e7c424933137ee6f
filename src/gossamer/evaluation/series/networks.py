"""The small networks that scores of series train: a classifier and a predictor of the next value, of fixed width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from gossamer.evaluation.classifiers import Dropout, learn

HIDDEN = 24
"""Channels of the predictor: fixed, whatever the series. The published score takes half the number of channels, which
is none for a single one."""
_APART = (1, 2, 4, 8)
CONTEXT = 1 + 2 * sum(_APART)
"""Values before the next one that the predictor sees."""

_BATCH_SIZE = 128
_NUM_EPOCHS = 8
_MIN_UPDATES = 600
_MAX_UPDATES = 1500
_POOLED_LENGTH = 8
_KERNEL_SIZE = 7
_AT_ONCE = 1000


class SeriesCNN:
    """A small convolutional classifier of series, with probabilities.

    Two convolutions in time (7 values, 32 and 64 channels), each with ReLU and max pooling by two. Average pooling to
    eight places, dropout of a quarter, a dense layer of 64, ReLU, a dense layer to the classes. Adam on cross-entropy
    in batches of 128, one cycle of the learning rate up to 3e-3, for 8 epochs, but 600 to 1,500 updates. Inputs are
    centred by 0.5: nothing is fitted to them.

    Args:
        seed: of initial weights, batches and dropout. Nothing is drawn from torch's global stream.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._network = nn.Sequential()

    def fit(self, x: NDArray[np.floating], y: NDArray[np.integer]) -> None:
        """Learn from series (batch, channels, time), time at least 4, and labels in 0 .. classes - 1."""
        rng = torch.Generator().manual_seed(self._seed)
        self._network = _classifier(x.shape[1], int(y.max()) + 1, rng)
        targets = torch.from_numpy(y.astype(np.int64))
        series = _tensor(x)
        _train(self._network, len(x), rng, lambda batch: F.cross_entropy(self._network(series[batch]), targets[batch]))

    def probabilities(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return class probabilities (batch, classes) of series (batch, channels, time)."""
        with torch.no_grad():
            parts = [self._network(part).double().softmax(dim=1) for part in _tensor(x).split(_AT_ONCE)]
        return torch.cat(parts).numpy()


class NextValue:
    """A predictor of each value of a series from the 31 before it.

    Four causal convolutions of width 24, with ReLU, of 3 values that lie 1, 2, 4 and 8 apart. So 31 values are in view.
    Their output is added to the value before: an untrained predictor repeats it. Adam on the mean absolute error,
    otherwise as `SeriesCNN`.

    Args:
        seed: of initial weights and batches.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._network = nn.Sequential()

    def fit(self, x: NDArray[np.floating]) -> None:
        """Learn from series (batch, channels, time), time at least 4."""
        rng = torch.Generator().manual_seed(self._seed)
        self._network = _predictor(x.shape[1], rng)
        series = _tensor(x)
        _train(self._network, len(x), rng, lambda batch: _errors(self._network, series[batch]).mean())

    def errors(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean absolute error (batch,) over channels and time of series (batch, channels, time)."""
        with torch.no_grad():
            parts = [_errors(self._network, part).double().mean(dim=(1, 2)) for part in _tensor(x).split(_AT_ONCE)]
        return torch.cat(parts).numpy()


class RandomConvolutions:
    """An untrained convolutional network: two convolutions with GELU, pooled to eight places, and a dense layer.

    Args:
        num_features: that come out.
        channels: of the series.
        seed: of the weights.
    """

    def __init__(self, num_features: int, channels: int, seed: int) -> None:
        self._network = nn.Sequential(
            _convolution(channels, 32),
            nn.GELU(),
            nn.AvgPool1d(2, ceil_mode=True),
            _convolution(32, 64),
            nn.GELU(),
            nn.AdaptiveAvgPool1d(_POOLED_LENGTH),
            nn.Flatten(),
            skip_init(nn.Linear, 64 * _POOLED_LENGTH, num_features, bias=False),
        )
        _initialise(self._network, torch.Generator().manual_seed(seed))

    def features(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Compute features (batch, num_features) of series (batch, channels, time)."""
        with torch.no_grad():
            return torch.cat([self._network(part) for part in _tensor(x).split(_AT_ONCE)]).double().numpy()


def _classifier(channels: int, num_classes: int, rng: torch.Generator) -> nn.Sequential:
    network = nn.Sequential(
        _convolution(channels, 32),
        nn.ReLU(),
        nn.MaxPool1d(2, ceil_mode=True),
        _convolution(32, 64),
        nn.ReLU(),
        nn.MaxPool1d(2, ceil_mode=True),
        nn.AdaptiveAvgPool1d(_POOLED_LENGTH),
        nn.Flatten(),
        Dropout(rng),
        skip_init(nn.Linear, 64 * _POOLED_LENGTH, 64),
        nn.ReLU(),
        skip_init(nn.Linear, 64, num_classes),
    )
    _initialise(network, rng)
    return network


def _convolution(num_in: int, num_out: int) -> nn.Module:
    return skip_init(nn.Conv1d, num_in, num_out, _KERNEL_SIZE, padding="same")


def _predictor(channels: int, rng: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    num_in = channels
    for apart in _APART:
        # Padded on the left alone: what comes out at a time depends on no later one.
        layers.append(nn.ConstantPad1d((2 * apart, 0), 0.0))
        layers += [skip_init(nn.Conv1d, num_in, HIDDEN, 3, dilation=apart), nn.ReLU()]
        num_in = HIDDEN
    network = nn.Sequential(*layers, skip_init(nn.Conv1d, HIDDEN, channels, 1))
    _initialise(network, rng)
    for parameter in network[-1].parameters():
        nn.init.zeros_(parameter)
    return network


def _errors(network: nn.Sequential, series: Tensor) -> Tensor:
    """Return absolute errors (batch, channels, time - 1) of predictions from all but the last value."""
    seen = series[:, :, :-1]
    return (seen + network(seen) - series[:, :, 1:]).abs()


def _initialise(network: nn.Module, rng: torch.Generator) -> None:
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=rng)
        else:
            nn.init.zeros_(parameter)


def _train(network: nn.Module, number: int, rng: torch.Generator, loss: Callable[[Tensor], Tensor]) -> None:
    num_updates = min(_MAX_UPDATES, max(_MIN_UPDATES, math.ceil(_NUM_EPOCHS * number / _BATCH_SIZE)))
    learn(network, _batches(number, num_updates, rng), num_updates, loss)


def _batches(number: int, num_updates: int, rng: torch.Generator) -> Iterator[Tensor]:
    waiting = torch.empty(0, dtype=torch.int64)
    size = min(_BATCH_SIZE, number)
    for _ in range(num_updates):
        if len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(number, generator=rng)])
        yield waiting[:size]
        waiting = waiting[size:]


def _tensor(x: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.asarray(x, dtype=np.float32)) - 0.5
