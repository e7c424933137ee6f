"""What every method teaches classifiers on public data: rows of the table by which `gossamer train auto` chooses.

    GOSSAMER_DATA=FOLDER python benchmarks/measured.py mnist fashion-mnist --methods dp-merf --out rows.csv

Every set is learnt from as if it were a user's own, with the settings by shape and number. The number is taken as
counted, so that every method is priced for one record replaced. An MLP learns from 5,000 synthetic records, or as many
as there are slots if they are fewer, and is tested on real ones. The rows go into
`src/gossamer/methods/measured.csv`, beside those that stand in docs/study.md, docs/heartbeats.md and
docs/how-to/choose-a-method.md. Seeds are fixed, and the noise is the deterministic one of tests: all data is public.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from sklearn.neural_network import MLPClassifier

from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordSet
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.catalogue import METHODS, find_method
from gossamer.methods.measured import OWN
from gossamer.methods.training import RunContext
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.budget import PrivacyBudget
from gossamer.privacy.dealing import UnitKey
from gossamer.privacy.slots import CountSource, PublicSlots

SETS: dict[str, tuple[int, ...]] = {
    "digits": (1437,),
    "mnist": (1000, 10_000),
    "fashion-mnist": (1000, 10_000),
    "colour-fashion": (2000, 20_000),
    "beats": (2400,),
    "mitdb": (20_000,),
}
"""Public sets, each with the numbers of records that are learnt from."""
BY_NAME = ("beats",)
"""Sets that are learnt from by name as well, because no page has a table of them."""
MOST = 5000


def main() -> None:
    """Measure, and write a line for each training as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--methods", nargs="*", default=[method.name for method in METHODS])
    parser.add_argument("--epsilons", nargs="*", type=float, default=[1.0, 10.0])
    parser.add_argument("--numbers", nargs="*", type=int)
    parser.add_argument("--out", required=True)
    asked = parser.parse_args()
    with Path(asked.out).open("a", newline="") as file:
        for name in asked.sets:
            train, test = records(name)
            for number in asked.numbers or SETS[name]:
                for epsilon in asked.epsilons:
                    for method in asked.methods:
                        for by_name in [False, True] if name in BY_NAME else [False]:
                            line = row(name, train, test, number, epsilon, method, by_name=by_name)
                            csv.writer(file, lineterminator="\n").writerow(line)
                            file.flush()
                            print(*line, file=sys.stderr)


def records(name: str) -> tuple[RecordSet, RecordSet]:
    """Return training and test records of a public set."""
    data = load_records("fashion-mnist" if name == "colour-fashion" else name, key=UnitKey(bytes(32)))
    assert data.test is not None
    return (coloured(data.train, 1), coloured(data.test, 2)) if name == "colour-fashion" else (data.train, data.test)


def coloured(clothes: RecordSet, seed: int) -> RecordSet:
    """Return Fashion-MNIST at 32x32 in colour: each article in a light colour of its own on a dark one."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.nn.functional.pad(clothes.x, (2, 2, 2, 2))
    ink = 0.5 + 0.5 * torch.rand(len(x), 3, 1, 1, generator=rng)
    ground = 0.3 * torch.rand(len(x), 3, 1, 1, generator=rng)
    spec = ImageSpec(channels=3, height=32, width=32, class_names=clothes.spec.class_names)
    return RecordSet(name="colour-fashion", spec=spec, x=(ground * (1 - x) + ink * x).clamp(0, 1), y=clothes.y)


def row(
    name: str, train: RecordSet, test: RecordSet, number: int, epsilon: float, method: str, *, by_name: bool
) -> list[object]:
    """Train once, and return the line."""
    order = np.random.default_rng(0).permutation(train.num_records)[:number]
    assert train.y is not None
    part = RecordSet(name=name, spec=train.spec, x=train.x[order], y=train.y[order])
    slots, work = PublicSlots(len(order), Unit.RECORD, CountSource.READ), find_method(method)
    recipe = work.find_for(name, train.spec.shape) if by_name else None
    usual: Any = work.settings_for(train.spec, slots.number) if recipe is None else recipe.config
    began = time.process_time()
    config = work.calibrate(usual, slots, PrivacyBudget(epsilon=epsilon, delta=1e-5))
    training = work.start(replace(config, seed=0), part, DeterministicNoise(0), RunContext(delta=1e-5, slots=slots))
    for _ in training:
        pass
    seconds = time.process_time() - began
    x, y = training.trained().sample(min(MOST, len(order)))
    said = OWN if not by_name else "by-shape" if recipe is None else recipe.name
    classes, shape = train.spec.num_classes, "x".join(map(str, train.spec.shape))
    values = [taught(x, y, test), taught(part.x[:MOST], part.y[:MOST] if part.y is not None else None, test)]
    score, guess = ("macro-F1 of an MLP", 1 / classes) if name in ("beats", "mitdb") else ("accuracy of an MLP", 0.1)
    found = [f"{value:.3f}" for value in (*values, guess)]
    head = [name, shape, classes, slots.number, "record", f"{epsilon:g}", method, said, score]
    return [*head, *found, max(1, round(seconds)), "benchmarks/measured.py"]


def taught(x: torch.Tensor, y: torch.Tensor | None, test: RecordSet) -> float:
    """Return the score of an MLP that learnt from these records, on real ones."""
    assert y is not None
    assert test.y is not None
    if x.dim() == 4 and x.shape[2] > 28:
        x, seen = torch.nn.functional.avg_pool2d(x, 2), torch.nn.functional.avg_pool2d(test.x[:MOST], 2)
    else:
        seen = test.x[:MOST]
    # As many updates for few records as for many: otherwise an MLP would not learn all that they teach.
    learner = MLPClassifier((100,), max_iter=max(1, 30 * MOST // len(x)), random_state=0)
    learner.fit(x.flatten(1).numpy(), y.numpy())
    told, true = learner.predict(seen.flatten(1).numpy()), test.y[:MOST].numpy()
    if x.dim() == 3:
        return float(f1_score(true, told, average="macro", zero_division=0))
    return float(accuracy_score(true, told))


if __name__ == "__main__":
    main()
