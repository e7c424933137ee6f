"""The encoder of real images: synthetic ones are scored in its features. It is trained once, and kept in the cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import torch

from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import mean_interval
from gossamer.evaluation.encoder import ENCODER_FORMAT, Encoder, EncoderSettings, EncoderTraining
from gossamer.evaluation.inception_score import inception_score
from gossamer.evaluation.score import Basis, Score
from gossamer.runs.cache import CacheFolder, content_key
from gossamer.scoring.findings import Count

_KIND: Final = "encoder"
_HELD_OUT: Final = 10


def find_encoder(real: RecordSet, cache: CacheFolder, *, seed: int, count: Count = lambda *_: None) -> Encoder:
    """Find the encoder of some real images in the cache, or train it now and keep it there.

    Guarantee:
        None: it saw the real images.

    Args:
        real: the real *training* images, labelled.
        cache: where it is looked for and kept.
        seed: of its training.
        count: told how far a training is.

    Raises:
        InputError: the images have no labels, one class only, or sides that are too small.
        ResourceError: the cache cannot be written. It is said before anything is trained.
    """
    kept = load_encoder(real, cache, seed=seed)
    if kept is not None:
        return kept
    training = EncoderTraining(*_arrays(real), real.spec.num_classes, EncoderSettings(seed=seed))
    cache.prepare()
    for num_done in training:
        count("encoder", num_done, training.num_updates)
    encoder = training.encoder()
    cache.save_tensors(_KIND, _key(real, seed), encoder.weights, encoder.state_tree())
    return encoder


def load_encoder(real: RecordSet, cache: CacheFolder, *, seed: int) -> Encoder | None:
    """Return the encoder that was trained on just these images, or None if none is kept, or not whole.

    Raises:
        InputError: the images have no labels.
    """
    found = cache.load_tensors(_KIND, _key(real, seed))
    if found is None:
        return None
    try:
        return Encoder.from_state(*found)
    except InputError:
        return None


def encoder_file(real: RecordSet, cache: CacheFolder, *, seed: int) -> Path:
    """Return the file in which the encoder of these images is kept. It need not be there."""
    return cache.file(_KIND, _key(real, seed), ".safetensors")


def hold_out(images: RecordSet, *, seed: int) -> tuple[RecordSet, RecordSet]:
    """Part images at random into nine tenths to train on and one tenth to test on.

    Raises:
        InputError: fewer than ten images.
    """
    if images.num_records < _HELD_OUT:
        raise InputError(f"{images.name}: too few images to hold out a tenth; name test images with --test-data")
    order = torch.randperm(images.num_records, generator=torch.Generator().manual_seed(seed))
    num_held_out = images.num_records // _HELD_OUT

    def part(name: str, chosen: torch.Tensor) -> RecordSet:
        y = None if images.y is None else images.y[chosen]
        return RecordSet(name=name, spec=images.spec, x=images.x[chosen], y=y)

    held_out = part(f"{images.name} held out", order[:num_held_out])
    return part(images.name, order[num_held_out:]), held_out


def score_real(encoder: Encoder, test: RecordSet, *, seed: int, say: Callable[[str], None]) -> list[Score]:
    """Score an encoder on real test images: its accuracy and, if they are enough, their inception score.

    Args:
        encoder: to score.
        test: labelled images that it was not trained on.
        seed: draws the resamples of the intervals.
        say: told of a score that is left out.
    """
    x, y = _arrays(test)
    encoded = encoder.encode(x)
    is_right = (encoded.probabilities.argmax(axis=1) == y).astype(np.float64)
    source = "Accuracy of the encoder on real test images; the interval covers their choice, not its training."
    basis = Basis(num_synthetic=0, num_real=len(y), seeds=(seed,), source=source)
    interval = float(is_right.mean()), *mean_interval(is_right, np.random.default_rng(seed))
    accuracy = basis.score("encoder_accuracy", interval)
    try:
        score = inception_score(encoded.probabilities, seed=seed)
    except InputError as error:
        say(f"left out: {error}")
        return [accuracy]
    return [accuracy, dataclasses.replace(score, num_synthetic=0, num_real=len(y))]


def _arrays(images: RecordSet) -> tuple[np.ndarray, np.ndarray]:
    if images.y is None:
        raise InputError(f"{images.name}: has no labels, and an encoder learns from labels; add them as y")
    return images.x.numpy(), images.y.numpy()


def _key(real: RecordSet, seed: int) -> str:
    x, y = _arrays(real)
    settings = {
        "format": ENCODER_FORMAT,
        "num_classes": real.spec.num_classes,
        "settings": asdict(EncoderSettings(seed=seed)),
    }
    return content_key({"x": x, "y": y}, settings)
