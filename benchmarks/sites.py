"""Train dp-mixture between sites on MNIST, dealt evenly or by class, beside the same training in one place.

    python benchmarks/sites.py runs/sites --sites 1 2 8 --epsilon 1 10
    gossamer compare runs/sites/* --data mnist --quick --num-samples 10000

Every site has its own folder, ledger and noise, and spends the whole epsilon on its own records. One site is the
central training. Each training takes about a minute on one core.
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
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import own_version

Dealt = Literal["evenly", "by class"]
DELTA = 1e-6


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


def main() -> int:
    """Train for each number of sites and each epsilon."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sites", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--epsilon", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--by-class", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    records = load_records("mnist", None, None).train
    how: Dealt = "by class" if asked.by_class else "evenly"
    for epsilon in asked.epsilon:
        for number in asked.sites:
            train(asked.out / f"{number}-sites-epsilon-{epsilon:g}", dealt(records, number, how), epsilon)
    return 0


if __name__ == "__main__":
    sys.exit(main())
