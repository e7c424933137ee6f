"""Train dp-mixture between sites on MNIST, dealt evenly or by class, beside the same training in one place.

    python benchmarks/sites.py runs/sites --sites 1 2 8 --epsilon 1 10

Every site has its own folder, ledger and noise, and spends the whole epsilon on its own records. One site is the
central training. A release that is there is scored again and not made again. The score is the accuracy of the small CNN
of `gossamer evaluate`, trained on 10,000 samples and tested on the test images, for each seed of samples and network.
Each training takes about a minute on one core, and each score as long.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch

from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordData, RecordSet
from gossamer.driving.federated.combining import combine, write_federated_release
from gossamer.driving.federated.contributing import contribute
from gossamer.driving.federated.plan import SiteWish, make_plan
from gossamer.driving.federated.rounds import Round
from gossamer.driving.generator_file import load_generator
from gossamer.evaluation.classifiers import SMALL_CNN
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import own_version
from gossamer.runs.release import find_generator

Dealt = Literal["evenly", "by class"]
DELTA = 1e-6
NUM_SAMPLES = 10_000


def dealt(records: RecordSet, num_sites: int, how: Dealt) -> dict[str, RecordSet]:
    """Deal records in turn, or each site the classes that are its own."""
    assert records.y is not None
    places = torch.arange(records.num_records) if how == "evenly" else records.y
    sites = {}
    for site in range(num_sites):
        mine = places % num_sites == site
        sites[f"site-{site + 1}"] = RecordSet(name="mnist", spec=records.spec, x=records.x[mine], y=records.y[mine])
    return {name: held for name, held in sites.items() if held.num_records}


def train(out: Path, sites: dict[str, RecordSet], epsilon: float) -> None:
    """Go through all rounds, and write the release."""
    spec = next(iter(sites.values())).spec
    assert isinstance(spec, ImageSpec)
    budget = PrivacyBudget(epsilon=epsilon, delta=DELTA)
    wishes = [SiteWish(name=name, num_slots=held.num_records, budget=budget) for name, held in sites.items()]
    recipe = DP_MIXTURE.find("mnist")
    plan = make_plan(recipe.config, spec, recipe.taken(recipe.config), Unit.RECORD, wishes, own_version())
    now = Round(plan=plan)
    with TemporaryDirectory() as folder:
        while not now.is_over:
            content = now.to_bytes()
            files = [(name, _answer(Path(folder) / name, content, name, held, epsilon)) for name, held in sites.items()]
            now = combine(content, files).round
    out.mkdir(parents=True)
    trained = write_federated_release(out, now, print)
    print(f"{out}: {len(sites)} sites, epsilon {trained.statement.epsilon:.3f} at each", flush=True)


def _answer(folder: Path, content: bytes, name: str, held: RecordSet, epsilon: float) -> bytes:
    return contribute(folder, content, name, lambda key: RecordData(train=held), cap=1.01 * epsilon).content


def accuracy(trained: TrainedGenerator, test: RecordSet, seed: int) -> float:
    """Return the accuracy on real images of a CNN that learnt from samples."""
    assert test.y is not None
    x, y = trained.sample(NUM_SAMPLES, seed=seed)
    assert y is not None
    network = SMALL_CNN.build(seed)
    network.fit(x.numpy(), y.numpy())
    return float((network.predict(test.x.numpy()) == test.y.numpy()).mean())


def main() -> int:
    """Train for each number of sites and each epsilon."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sites", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--epsilon", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--by-class", action="store_true", help="each site has classes of its own")
    parser.add_argument("--num-seeds", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = load_records("mnist", None, None)
    assert data.test is not None
    how: Dealt = "by class" if asked.by_class else "evenly"
    for epsilon in asked.epsilon:
        for number in asked.sites:
            out = asked.out / f"{number}-sites-epsilon-{epsilon:g}"
            if not out.exists():
                train(out, dealt(data.train, number, how), epsilon)
            trained = load_generator(find_generator(out))
            scores = [accuracy(trained, data.test, seed) for seed in range(asked.num_seeds)]
            print(f"{out}: CNN accuracy {', '.join(f'{score:.4f}' for score in scores)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
