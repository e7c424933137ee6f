"""`gossamer encoder`: the classifier of real images in whose features synthetic ones are scored."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from gossamer.cli.arguments import choose, read_arguments
from gossamer.cli.outputs import say
from gossamer.cli.progress import progress
from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordSet
from gossamer.errors import InputError
from gossamer.evaluation.bootstrap import mean_interval
from gossamer.evaluation.encoder import ENCODER_FORMAT, Encoder, EncoderSettings, EncoderTraining
from gossamer.evaluation.inception_score import inception_score
from gossamer.evaluation.score import Score
from gossamer.runs.cache import CacheFolder, content_key

NOT_COVERED: Final = (
    "The encoder was trained on the real images: no guarantee covers it, nor what is computed with it. Never share it."
)
ACTIONS: Final = {"train": "train it on real images, and keep it in the private cache"}
_KIND: Final = "encoder"
_HELD_OUT: Final = 10

Count = Callable[[str, int, int], None]
"""Shows progress: what, how many are done, of how many."""


@dataclass(frozen=True, kw_only=True)
class TrainEncoder:
    """Train the classifier whose features and class probabilities the scores are made of, and keep it for them.

    Example: gossamer encoder train --data mnist

    Args:
        data: the real data: digits, mnist, fashion-mnist; or your own
        test_data: your own test images, where --data has none; without them a tenth of --data is held out
        data_dir: folder of published sets; default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        seed: of weights and batches, and of the images that are held out
        json: print JSON
    """

    data: str
    test_data: str | None = None
    data_dir: Path | None = None
    num_classes: int | None = None
    seed: int = 0
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Train an encoder, or find the one that was trained before."""
    _, rest = choose(arguments, ACTIONS, program="encoder", what="action")
    asked = read_arguments(TrainEncoder, rest, program="encoder train")
    real, test, notes = _split(asked)
    cache, began = CacheFolder.default(), time.monotonic()
    was_kept = load_encoder(real, cache, seed=asked.seed) is not None
    with progress() as watched:
        encoder = find_encoder(real, cache, seed=asked.seed, count=watched.count)
    found = {
        "data": real.name,
        "num_real": real.num_records,
        "file": str(encoder_file(real, cache, seed=asked.seed)),
        "was_kept": was_kept,
        "seconds": 0.0 if was_kept else round(time.monotonic() - began, 1),
        "scores": {score.name: asdict(score) for score in score_real(encoder, test, seed=asked.seed)},
        "notes": [*notes, NOT_COVERED],
    }
    print(json.dumps(found, indent=2)) if asked.json else _show(found)
    return 0


def find_encoder(real: RecordSet, cache: CacheFolder, *, seed: int, count: Count = lambda *_: None) -> Encoder:
    """The encoder of some real images: out of the cache, or trained now and kept there.

    Guarantee:
        None: it saw the real images.

    Args:
        real: the real *training* images, labelled.
        cache: where it is looked for and kept.
        seed: of its training.
        count: told how far a training is.

    Raises:
        InputError: the images have no labels, one class only, or sides that are too small.
        ResourceError: the cache cannot be written; said before anything is trained.
    """
    kept = load_encoder(real, cache, seed=seed)
    if kept is not None:
        return kept
    training = EncoderTraining(*_arrays(real), real.spec.num_classes, EncoderSettings(seed=seed))
    cache.prepare()
    for report in training:
        count("encoder", report.num_done, report.num_updates)
    encoder = training.encoder()
    cache.save_tensors(_KIND, _key(real, seed), encoder.weights, encoder.state_tree())
    return encoder


def load_encoder(real: RecordSet, cache: CacheFolder, *, seed: int) -> Encoder | None:
    """The encoder that was trained on just these images, or None if none is kept, or not whole.

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
    """Where the encoder of these images is kept, whether or not it is there."""
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


def score_real(encoder: Encoder, test: RecordSet, *, seed: int) -> list[Score]:
    """What the encoder makes of real test images: its accuracy and, where they are enough, their inception score."""
    x, y = _arrays(test)
    encoded = encoder.encode(x)
    is_right = (encoded.probabilities.argmax(axis=1) == y).astype(np.float64)
    low, high = mean_interval(is_right, np.random.default_rng(seed))
    scores = [
        Score(
            name="encoder_accuracy",
            value=float(is_right.mean()),
            low=low,
            high=high,
            higher_is_better=True,
            num_synthetic=0,
            num_real=len(y),
            seeds=(seed,),
            source="Accuracy of the encoder on real test images; the interval covers their choice, not its training.",
        )
    ]
    try:
        score = inception_score(encoded.probabilities, seed=seed)
    except InputError as error:
        say(f"left out: {error}")
    else:
        scores.append(dataclasses.replace(score, num_synthetic=0, num_real=len(y)))
    return scores


def _split(asked: TrainEncoder) -> tuple[RecordSet, RecordSet, list[str]]:
    data = load_records(asked.data, asked.data_dir, asked.num_classes)
    if asked.test_data is not None:
        test = load_records(asked.test_data, asked.data_dir, asked.num_classes).train
        if test.spec.shape != data.train.spec.shape:
            raise InputError(
                f"{test.name}: images of shape {test.spec.shape}, not {data.train.spec.shape}; resize them"
            )
        return data.train, test, []
    if data.test is not None:
        return data.train, data.test, []
    train, test = hold_out(data.train, seed=asked.seed)
    note = f"A tenth of {data.train.name}, {test.num_records} images, was held out by --seed and not trained on."
    return train, test, [note]


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


def _show(found: dict[str, Any]) -> None:
    how = "found, trained before" if found["was_kept"] else f"trained in {found['seconds']:.0f} s"
    print(f"encoder of {found['num_real']} images of {found['data']}: {how}")
    names = {
        "encoder_accuracy": "accuracy on real test images",
        "inception_score": "inception score of real test images",
    }
    for name, score in found["scores"].items():
        tested = f"{score['num_real']} images"
        print(f"{names[name]}: {score['value']:.4f} ({score['low']:.4f} to {score['high']:.4f}, {tested})")
    print(f"kept: {found['file']}")
    for note in found["notes"]:
        print(note)
