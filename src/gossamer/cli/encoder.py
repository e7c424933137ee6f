"""`gossamer encoder`: the classifier of real images, by the features of which synthetic ones are scored."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from gossamer.cli.arguments import choose, read_arguments
from gossamer.cli.outputs import say
from gossamer.cli.progress import progress
from gossamer.cli.series_options import AS_STORED, NOTHING_SAID, ImageOptions
from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordSet
from gossamer.data.series_choice import load_beside
from gossamer.errors import InputError

NOT_COVERED: Final = (
    "The encoder was trained on the real images: no guarantee covers it, nor what is computed with it. Never share it."
)
ACTIONS: Final = {"train": "train it on real images, and keep it in the private cache"}


@dataclass(frozen=True, kw_only=True)
class TrainEncoder:
    """Train the classifier that gives the scores their features and class probabilities, and keep it for them.

    Example: gossamer encoder train --data mnist

    Args:
        data: the real data: digits, mnist5k, mnist, fashion-mnist, or your own
        test_data: your own test images, if --data has none. Without them a tenth of --data is held out
        data_dir: folder of published sets. Default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        images: how images are read, as in training
        seed: of weights and batches, and of the images that are held out
        json: print JSON
    """

    data: str
    test_data: str | None = None
    data_dir: Path | None = None
    num_classes: int | None = None
    images: ImageOptions = AS_STORED
    seed: int = 0
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Train an encoder, or find the one that was trained before."""
    _, rest = choose(arguments, ACTIONS, program="encoder", what="action")
    asked = read_arguments(TrainEncoder, rest, program="encoder train")
    from gossamer.runs.cache import CacheFolder
    from gossamer.scoring.encoder import encoder_file, find_encoder, load_encoder, score_real

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
        "scores": {score.name: asdict(score) for score in score_real(encoder, test, seed=asked.seed, say=say)},
        "notes": [*notes, NOT_COVERED],
    }
    print(json.dumps(found, indent=2)) if asked.json else _show(found)
    return 0


def _split(asked: TrainEncoder) -> tuple[RecordSet, RecordSet, list[str]]:
    from gossamer.scoring.encoder import hold_out

    data = load_records(asked.data, asked.data_dir, asked.num_classes, images=asked.images)
    if asked.test_data is not None:
        beside = load_beside(asked.test_data, asked.data_dir, asked.num_classes, NOTHING_SAID, None, asked.images)
        test = beside.train
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
