"""Stand-ins: made-up records of a shape and its classes, to try a method on before anything private is read."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gossamer.data.images import ImageSpec
from gossamer.data.records import AbstractSpec, RecordSet
from gossamer.errors import InputError

_SEED: Final = 1879
_STROKES: Final = 3
_WAVES: Final = 4
_WIGGLES: Final = 6

Numbers = NDArray[np.float64]


def stand_ins(spec: AbstractSpec, num_records: int) -> RecordSet:
    """Draw made-up records of a shape and its classes, the same ones each time.

    An image holds a few soft strokes on a ground. Their places, widths and angles belong to the class, and vary a
    little from record to record. So do the brightness of ground and strokes, in each channel, over a wide spread. A
    series is a level of its channel and a few waves and bumps of its class, which vary likewise.

    Guarantee: a function of the public specification and number alone. No record of anybody is read.

    Args:
        spec: shape and classes.
        num_records: number of records, each with a person of its own. The classes come in turn.

    Returns:
        The records.

    Raises:
        InputError: fewer than one record.

    Example:
        >>> made = stand_ins(ImageSpec(channels=3, height=8, width=8, class_names=("a", "b")), 5)
        >>> made.x.shape, made.y.tolist()
        (torch.Size([5, 3, 8, 8]), [0, 1, 0, 1, 0])
    """
    import torch

    if num_records < 1:
        raise InputError(f"num_records must be at least 1, not {num_records}")
    labels = np.arange(num_records) % max(spec.num_classes, 1)
    draw = _images if isinstance(spec, ImageSpec) else _series
    x = np.concatenate([draw(spec.shape, part, first) for first, part in _parts(labels, spec)])
    return RecordSet(
        name="stand-ins",
        spec=spec,
        x=torch.from_numpy(np.clip(x, 0, 1).astype(np.float32)),
        y=torch.from_numpy(labels) if spec.num_classes else None,
        people=torch.arange(num_records),
    )


def _parts(labels: NDArray[np.int64], spec: AbstractSpec) -> list[tuple[int, NDArray[np.int64]]]:
    """Divide labels into parts of a few megabytes, each with the number of its first record."""
    size = max(1, 2**20 // math.prod(spec.shape))
    return [(first, labels[first : first + size]) for first in range(0, len(labels), size)]


def _images(shape: tuple[int, ...], labels: NDArray[np.int64], first: int) -> Numbers:
    """Draw images (records, channels, height, width)."""
    channels, height, width = shape
    rng, num = np.random.default_rng((_SEED, first)), len(labels)
    ofclass = np.stack([_strokes_of(int(label), channels) for label in labels])
    places = ofclass[:, :, :4] + rng.normal(0, 1, (num, _STROKES, 4)) * np.array([0.05, 0.05, 0.25, 0.15])
    row, column, angle, log_width = np.moveaxis(places, -1, 0)[..., None, None]
    down = (np.arange(height) + 0.5)[:, None] / height - row
    right = (np.arange(width) + 0.5)[None, :] / width - column
    along, across = right * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - right * np.sin(angle)
    strokes = np.exp(-((along / 0.28) ** 4) - (across / (0.09 * np.exp(log_width))) ** 2)
    ink = ofclass[:, :, 4:] * rng.uniform(0.4, 1.1, (num, 1, 1)) + rng.normal(0, 0.04, (num, _STROKES, channels))
    ground = 0.04 + 0.3 * rng.beta(1.2, 3, (num, 1)) * rng.uniform(0.7, 1.0, (num, channels))
    texture = 0.02 * rng.normal(0, 1, (num, channels, height, width))
    return ground[:, :, None, None] + np.einsum("nshw,nsc->nchw", strokes, ink) + texture


def _strokes_of(label: int, channels: int) -> Numbers:
    """Draw the strokes of a class: row, column, angle, logarithm of the width, and ink of each channel."""
    rng = np.random.default_rng((_SEED, 1, label))
    places = rng.uniform([0.25, 0.25, 0, -0.3], [0.75, 0.75, np.pi, 0.4], (_STROKES, 4))
    ink = rng.uniform(0.35, 0.85, (_STROKES, 1)) * (1 + 0.25 * rng.uniform(-1, 1, (_STROKES, channels)))
    return np.concatenate([places, ink], axis=1)


def _series(shape: tuple[int, ...], labels: NDArray[np.int64], first: int) -> Numbers:
    """Draw series (records, channels, length)."""
    channels, length = shape
    rng, num = np.random.default_rng((_SEED, 2, first)), len(labels)
    ofclass = np.stack([_waves_of(int(label), channels) for label in labels])
    height, rhythm, phase, level = np.moveaxis(ofclass, -1, 0)
    height = height * rng.lognormal(0, 0.25, (num, channels, _WAVES))
    phase = phase + rng.normal(0, 0.05, (num, 1, _WAVES))
    time = np.arange(length) / length
    waves = height[..., None] * np.sin(2 * np.pi * (rhythm[..., None] * time + phase[..., None]))
    own_level = level[..., 0] + rng.normal(0, 0.05, (num, channels))
    noise = rng.normal(0, 0.01, (num, channels, length))
    return own_level[..., None] + waves.sum(axis=2) + noise


def _waves_of(label: int, channels: int) -> Numbers:
    """Draw the waves of a class, (channels, waves, 4): height, periods in a series, phase, and level of the channel."""
    rng, of_channel = np.random.default_rng((_SEED, 3, label)), np.random.default_rng((_SEED, 4, channels))
    rhythm = rng.choice(np.arange(1, _WIGGLES + 1), _WAVES, replace=False) * np.ones((channels, 1))
    height = rng.uniform(0.3, 1.0, (channels, _WAVES)) * 0.16 / np.sqrt(rhythm)
    phase = rng.uniform(0, 1, (channels, _WAVES))
    level = of_channel.uniform(0.3, 0.7, (channels, 1)) * np.ones(_WAVES)
    return np.stack([height, rhythm, phase, level], axis=-1)
