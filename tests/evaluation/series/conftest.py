"""Series of three classes with a direction in time, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gossamer.evaluation.series.matching import SeriesSet

LENGTH = 48


def steep_pulses(number: int, seed: int, channels: int = 1) -> SeriesSet:
    """A pulse that rises at once and falls slowly, on a wave whose frequency is the class; zeros from 40 on."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=number)
    times = np.arange(LENGTH)
    starts = rng.integers(8, 14, size=(number, channels, 1))
    pulse = np.where(times >= starts, np.exp(-(times - starts) / 6.0), 0.0)
    phase = 0.2 * rng.random((number, channels, 1))
    wave = np.sin(2 * np.pi * ((y[:, None, None] + 1) * times / 24 + phase))
    x = 0.3 + 0.5 * pulse + 0.12 * wave + 0.01 * rng.standard_normal((number, channels, LENGTH))
    x[:, :, 40:] = 0.0
    return SeriesSet(name=f"pulses {seed}", x=x.clip(0, 1).astype(np.float32), y=y)


@pytest.fixture(scope="session")
def pulses() -> Callable[..., SeriesSet]:
    """(number, seed, channels) -> series."""
    return steep_pulses


def _each_shuffled(x: NDArray[np.float32]) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    return np.stack([one[:, rng.permutation(x.shape[2])] for one in x])


def _collapsed(x: NDArray[np.float32]) -> NDArray[np.float32]:
    rng = np.random.default_rng(8)
    return (x[rng.integers(2, size=len(x))] + 0.002 * rng.random(x.shape)).clip(0, 1).astype(np.float32)


def _noised(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return (x + 0.08 * np.random.default_rng(9).standard_normal(x.shape)).clip(0, 1).astype(np.float32)


SPOILT: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "noised": _noised,
    "reversed": lambda x: np.ascontiguousarray(x[:, :, ::-1]),
    "collapsed": _collapsed,
    "shuffled": _each_shuffled,
}


@pytest.fixture(scope="session")
def spoil() -> Callable[[SeriesSet, str], SeriesSet]:
    """A set spoilt in one of four ways, with its labels."""
    return lambda series, how: SeriesSet(name=how, x=SPOILT[how](series.x), y=series.y)
