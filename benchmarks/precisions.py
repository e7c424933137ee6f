"""Scores of one recipe of GS-WGAN in float32 and in bfloat16: may the faster one be chosen?

    OMP_NUM_THREADS=1 GOSSAMER_DATA=FOLDER python benchmarks/precisions.py digits-cpu digits-trained --out rows.csv

Both learn from the same four fifths of the training records, with the same deterministic noise at epsilon 10, and are
scored on the fifth that is held out: the accuracy of a logistic regression that learns from synthetic images, and the
Frechet distance of images of seven or eight pixels a side. The two differ by rounding alone. All data is public.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from gossamer.data.catalogue import load_records
from gossamer.data.records import RecordSet
from gossamer.evaluation.frechet import frechet
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import find_method
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.training import RunContext
from gossamer.nn.devices import PrecisionName, find_precision
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import PublicSlots

NUM_DRAWN = 2000
LEARNT = 0.8
WORK = find_method("gs-wgan")


def main() -> None:
    """Train and score, and write a line for each training as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    said = parser.parse_args()
    with said.out.open("a", newline="") as file:
        for recipe in said.recipes:
            for seed in said.seeds:
                for precision in get_args(PrecisionName):
                    line = [recipe, seed, precision, *scores(recipe, seed, precision)]
                    csv.writer(file, lineterminator="\n").writerow(line)
                    file.flush()
                    print(*line, file=sys.stderr)


def scores(recipe: str, seed: int, precision: PrecisionName) -> list[str]:
    """Train once, and return accuracy, Frechet distance and CPU seconds."""
    learnt, held_out = parts(recipe.partition("-")[0])
    config, slots = WORK.find(recipe).config, PublicSlots(learnt.num_records)
    assert isinstance(config, GSWGANConfig)
    # As many records to a critic, and as large a part of the critics in a draw, as in the recipe.
    asked = config.critics_per_draw
    config = replace(
        config,
        seed=seed,
        num_critics=int(LEARNT * config.num_critics),
        critics_per_draw=None if asked is None else int(LEARNT * asked),
    )
    config = WORK.calibrate(config, slots, PrivacyBudget(epsilon=10.0, delta=1e-5))
    context = RunContext(delta=1e-5, slots=slots, key=UnitKey(bytes(32)), precision=find_precision(precision))
    began = time.process_time()
    training = WORK.start(config, learnt, DeterministicNoise(seed), context)
    for _ in training:
        pass
    seconds = time.process_time() - began
    x, y = training.trained().sample(NUM_DRAWN, seed=seed)
    assert y is not None
    assert held_out.y is not None
    learner = LogisticRegression(max_iter=1000).fit(x.flatten(start_dim=1).numpy(), y.numpy())
    accuracy = learner.score(held_out.x.flatten(start_dim=1).numpy(), held_out.y.numpy())
    distance = frechet(*moments(x), *moments(held_out.x))
    return [f"{accuracy:.3f}", f"{distance:.4f}", f"{seconds:.0f}"]


def parts(name: str) -> tuple[RecordSet, RecordSet]:
    """Return the training records that are learnt from, and those that are held out."""
    train = load_records(name, key=UnitKey(bytes(32))).train
    assert train.y is not None
    order = torch.randperm(train.num_records, generator=torch.Generator().manual_seed(0))
    learnt, held_out = order.split([int(LEARNT * len(order)), len(order) - int(LEARNT * len(order))])
    first, second = (
        RecordSet(name=name, spec=train.spec, x=train.x[rows], y=train.y[rows]) for rows in (learnt, held_out)
    )
    return first, second


def moments(images: Tensor) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return mean and covariance of images of 7x7 or 8x8 pixels, as arrays."""
    factor = images.shape[-1] // 7
    pixels = torch.nn.functional.avg_pool2d(images, factor).flatten(start_dim=1).double()
    return pixels.mean(dim=0).numpy(), pixels.T.cov().numpy()


if __name__ == "__main__":
    main()
