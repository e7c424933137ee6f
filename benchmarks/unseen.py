"""Methods on data that took no part in any choice: series that two packages ship, learnt from as a user's own.

    pip download --no-deps aeon seglearn && unzip -d FOLDER '*.whl'
    python benchmarks/unseen.py FOLDER --out unseen.csv

Settings are those by shape and number (`own`). Classifiers learn from as many synthetic records as there are real ones
to learn from, and are tested on the records held out, once for each training. The macro-F1 is the mean of that of an
MLP and of a forest. Bounds of values are round numbers, not fitted. Noise is the deterministic one of tests: all
data is public. The price is for one record replaced by another, since numbers are counted.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from sklearn.neural_network import MLPClassifier

from gossamer.data.records import RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import find_method
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.slots import CountSource, PublicSlots

WINDOW = 100
"""Samples of a window of the watch, two seconds at 50 Hz."""
HELD_OUT_PEOPLE = (9, 10)


def main() -> None:
    """Measure, and write a line for each training as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--methods", nargs="*", default=["dp-mixture", "labelled-mixture", "dp-merf"])
    parser.add_argument("--epsilons", nargs="*", type=float, default=[1.0, 10.0])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    with asked.out.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for line in lines(asked):
            writer.writerow(line)
            file.flush()
            print(*line, file=sys.stderr)


def lines(asked: argparse.Namespace) -> Iterator[list[object]]:
    """Yield set, method, epsilon, seed, macro-F1 and CPU seconds."""
    for name in asked.sets:
        train, test = SETS[name](asked.folder)
        assert train.y is not None
        yield [name, "real", "", "", f"{taught(train.x, train.y, test):.3f}", train.num_records, test.num_records]
        for method in asked.methods:
            for epsilon in asked.epsilons:
                for seed in asked.seeds:
                    began = time.process_time()
                    x, y = drawn(method, train, epsilon, seed)
                    seconds = time.process_time() - began
                    yield [name, method, f"{epsilon:g}", seed, f"{taught(x, y, test):.3f}", f"{seconds:.1f}"]


def drawn(method: str, train: RecordSet, epsilon: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Train with settings for own records, and draw as many records, the classes in turn."""
    work, slots = find_method(method), PublicSlots(train.num_records, Unit.RECORD, CountSource.READ)
    usual: Any = work.settings_for(train.spec, slots.number)
    config = work.calibrate(usual, slots, PrivacyBudget(epsilon=epsilon, delta=1e-5))
    context = RunContext(delta=1e-5, slots=slots)
    training = work.start(replace(config, seed=seed), train, DeterministicNoise(seed), context)
    for _ in training:
        pass
    x, y = training.trained().sample(train.num_records, seed=seed)
    assert y is not None
    return x, y


def taught(x: torch.Tensor, y: torch.Tensor, test: RecordSet) -> float:
    """Return the mean macro-F1 of two classifiers that learnt from these records, on those held out."""
    assert test.y is not None
    models = MLPClassifier((100,), max_iter=100, random_state=0), RandomForestClassifier(random_state=0)
    seen, true, found = test.x.flatten(1).numpy(), test.y.numpy(), []
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x.flatten(1).numpy(), y.numpy())
        found.append(f1_score(true, model.predict(seen), average="macro", zero_division=0))
    return float(np.mean(found))


def italy_power(folder: Path) -> tuple[RecordSet, RecordSet]:
    """Return ItalyPowerDemand of the UCR archive: days of 24 hours, winter or summer, every fifth of them held out."""
    data = folder / "aeon" / "datasets" / "data" / "ItalyPowerDemand"
    rows = [
        line.rsplit(":", 1)
        for side in ("TRAIN", "TEST")
        for line in (data / f"ItalyPowerDemand_{side}.ts").read_text().splitlines()
        if line and line[0] not in "#@"
    ]
    x = np.array([[float(value) for value in values.split(",")] for values, _ in rows])[:, None]
    y = np.array([int(label) - 1 for _, label in rows])
    spec = SeriesSpec(channels=1, length=24, low=(-4.0,), high=(4.0,), class_names=("winter", "summer"))
    return held_out("italy-power", spec, x, y, np.arange(len(y)) % 5 == 4)


def watch(folder: Path) -> tuple[RecordSet, RecordSet]:
    """Return windows of exercises of the shoulder by a smart watch, seven classes. Two of ten people are held out."""
    data = np.load(folder / "seglearn" / "data" / "watch_dataset.npy", allow_pickle=True).item()
    parts, labels, people = [], [], []
    for recording, label, person in zip(data["X"], data["y"], data["subject"], strict=True):
        number = len(recording) // WINDOW
        parts.append(recording[: number * WINDOW].reshape(number, WINDOW, 6).transpose(0, 2, 1))
        labels += [int(label)] * number
        people += [int(person)] * number
    bounds = (4.0,) * 3 + (10.0,) * 3
    spec = SeriesSpec(
        channels=6,
        length=WINDOW,
        low=tuple(-bound for bound in bounds),
        high=bounds,
        class_names=tuple(data["y_labels"]),
    )
    return held_out("watch", spec, np.concatenate(parts), np.array(labels), np.isin(people, HELD_OUT_PEOPLE))


def held_out(
    name: str, spec: SeriesSpec, x: NDArray[np.float64], y: NDArray[np.int64], is_held_out: NDArray[np.bool_]
) -> tuple[RecordSet, RecordSet]:
    """Return records to learn from and records held out, with values within their bounds, on the scale of 0 to 1."""
    low, high = np.array(spec.low)[:, None], np.array(spec.high)[:, None]
    scaled = torch.from_numpy(((x - low) / (high - low)).clip(0, 1).astype(np.float32))
    sides = [
        RecordSet(name=name, spec=spec, x=scaled[chosen], y=torch.from_numpy(y[chosen].astype(np.int64)))
        for chosen in (~is_held_out, is_held_out)
    ]
    return sides[0], sides[1]


SETS = {"italy-power": italy_power, "watch": watch}


if __name__ == "__main__":
    main()
