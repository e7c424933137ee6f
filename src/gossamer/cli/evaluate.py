"""`gossamer evaluate`: what classifiers learn from synthetic images, beside what they learn from real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from gossamer.cli.arguments import read_arguments
from gossamer.data.catalogue import load_images
from gossamer.data.images import ImageData, ImageSet
from gossamer.data.npz import load_npz
from gossamer.errors import InputError
from gossamer.estimators import load_generator
from gossamer.evaluation.downstream import cnn_accuracy, logistic_regression_accuracy
from gossamer.evaluation.score import Score

NOT_COVERED = (
    "These scores were computed on real data: the guarantee does not cover them, and choosing by them is tuning."
)


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Accuracy on real test images of classifiers trained on synthetic ones, and of the same trained on real ones.

    Example: gossamer evaluate runs/mnist --data mnist

    Args:
        target: run folder, generator.safetensors, or an NPZ of synthetic images with x and y
        data: the real data, with a test set: digits, mnist, fashion-mnist; or your own together with --test-data
        test_data: your own test images, where --data has none
        data_dir: folder of published sets; default: the environment variable GOSSAMER_DATA
        num_classes: public number of classes of your own labelled data
        num_samples: synthetic training images; as many real ones are taken, at most
        seed: of samples and classifiers
        json: print JSON
    """

    target: Annotated[Path, tyro.conf.Positional]
    data: str
    test_data: str | None = None
    data_dir: Path | None = None
    num_classes: int | None = None
    num_samples: int = 10_000
    seed: int = 0
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """Score a generator or a file of synthetic images."""
    asked = read_arguments(Evaluate, arguments, program="evaluate")
    real, test = _real(asked)
    synthetic = _synthetic(asked, real)
    scores = score_both(synthetic, real, test, num_samples=asked.num_samples, seed=asked.seed)
    if asked.json:
        print(json.dumps(as_json(scores), indent=2))
    else:
        show(scores)
    return 0


def _real(asked: Evaluate) -> tuple[ImageSet, ImageSet]:
    data: ImageData = load_images(asked.data, asked.data_dir, asked.num_classes)
    test = data.test
    if asked.test_data is not None:
        test = load_images(asked.test_data, asked.data_dir, asked.num_classes).train
    if test is None:
        raise InputError(f"{asked.data}: has no test images; name some with --test-data")
    if data.train.y is None or test.y is None:
        raise InputError(f"{asked.data}: has no labels, and classifiers need them")
    return data.train, test


def _synthetic(asked: Evaluate, real: ImageSet) -> tuple[np.ndarray, np.ndarray]:
    if asked.target.suffix.lower() == ".npz":
        images = load_npz(asked.target, num_classes=real.spec.num_classes).train
        x, y, shape = images.x, images.y, images.spec.shape
    else:
        trained = load_generator(asked.target)
        x, y = trained.sample(asked.num_samples, seed=asked.seed)
        shape = trained.recipe.spec.shape
    if y is None:
        raise InputError(f"{asked.target}: has no labels, and classifiers need them")
    if shape != real.spec.shape:
        raise InputError(f"{asked.target}: images of shape {shape}, but {real.name} has {real.spec.shape}")
    return x[: asked.num_samples].numpy(), y[: asked.num_samples].numpy()


def score_both(
    synthetic: tuple[np.ndarray, np.ndarray], real: ImageSet, test: ImageSet, *, num_samples: int, seed: int
) -> dict[str, Score]:
    """Both classifiers, trained on synthetic and on as many real images, tested on the real test images.

    Returns:
        name -> score; those trained on real images end in ``_real``.
    """
    assert real.y is not None
    assert test.y is not None
    chosen = torch.randperm(real.num_records, generator=torch.Generator().manual_seed(seed))[:num_samples]
    training = {"": synthetic, "_real": (real.x[chosen].numpy(), real.y[chosen].numpy())}
    tested = test.x.numpy(), test.y.numpy()
    scores = {}
    for suffix, (x, y) in training.items():
        scores[f"logistic_accuracy{suffix}"] = logistic_regression_accuracy(x, y, *tested, rng_seed=seed)
        scores[f"cnn_accuracy{suffix}"] = cnn_accuracy(x, y, *tested, rng=torch.Generator().manual_seed(seed))
    return scores


def as_json(scores: dict[str, Score]) -> dict[str, Any]:
    """Scores as plain JSON, with the warning that they are private."""
    return {"scores": {name: asdict(score) for name, score in scores.items()}, "note": NOT_COVERED}


def show(scores: dict[str, Score]) -> None:
    """A table: synthetic beside real."""
    table = Table("accuracy on real test images", "trained on synthetic", "trained on real", box=None, pad_edge=False)
    for name, what in (("logistic_accuracy", "logistic regression"), ("cnn_accuracy", "small CNN")):
        table.add_row(what, _figure(scores[name]), _figure(scores[f"{name}_real"]))
    Console().print(table)
    print(NOT_COVERED)


def _figure(score: Score) -> str:
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"
