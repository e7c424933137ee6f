"""Train between sites on MNIST or MIT-BIH, dealt evenly, by class or by person, beside the same training in one place.

    python benchmarks/sites.py runs/sites --sites 1 2 8 --epsilon 1 10
    python benchmarks/sites.py runs/gan --method gs-wgan --num-steps 500 --num-rounds 10 --sites 1 2 --epsilon 10
    python benchmarks/sites.py runs/turns --method gs-wgan --num-steps 500 --num-rounds 10 --in-turn --sites 2
    python benchmarks/sites.py runs/labelled --method labelled-mixture --sites 1 2
    python benchmarks/sites.py runs/beats --data mitdb --deal "by person" --sites 1 2
    python benchmarks/sites.py runs/beats-gan --data mitdb --deal "by person" --method gs-wgan --num-rounds 10

Every site has its own folder, ledger and noise, and spends the whole epsilon on its own records. One site is the
central training. A release that is there is scored again and not made again. The score is the accuracy of the small CNN
of `gossamer evaluate`, trained on 10,000 samples and tested on the test images, for each seed of samples and network.
If a method releases a classifier, its accuracy on them stands beside that.
Each training of dp-mixture takes about a minute on one core, and each score as long. GS-WGAN takes much longer with all
of its steps. Its critics, and those that a draw asks, are in proportion to the slots of a site. With fewer steps the
moving average is as short in proportion. With --in-turn a round asks one site alone, which goes on from the networks of
the one before. Each site takes as many steps as it does otherwise, and the generator learns from all of them. Of
heartbeats the scores are the macro F1 and the AUROC, a mean over classes, of a random forest on the people of DS2, in
place of the accuracy of the CNN, and a unit is a beat.

With --hold-out so many training images take no part, and are the test images of the score.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.metrics import f1_score, roc_auc_score

from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.data.mitdb import BETWEEN_PEOPLE
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData, RecordSet
from gossamer.data.series import SeriesSpec
from gossamer.driving.federated.asking import AllAtOnce, InTurn
from gossamer.driving.federated.combining import combine, write_federated_release
from gossamer.driving.federated.contributing import contribute
from gossamer.driving.federated.planning import SiteWish, make_plan
from gossamer.driving.federated.rounds import Round
from gossamer.driving.generator_file import load_generator
from gossamer.evaluation.classifiers import SMALL_CNN, TWELVE
from gossamer.methods.catalogue import find_method
from gossamer.methods.classifier import ReleasedClassifier
from gossamer.methods.gs_wgan.settings import GSWGANConfig
from gossamer.methods.labelled_mixture.settings import LabelledMixtureConfig
from gossamer.methods.method import Method, TakenRecipe
from gossamer.methods.trained import TrainedGenerator
from gossamer.nn.classifying import AbstractClassifyingGenerator
from gossamer.privacy import PrivacyBudget
from gossamer.privacy.adjacency import Unit
from gossamer.privacy.claim import own_version
from gossamer.runs.release import find_generator

Dealt = Literal["evenly", "by class", "by person"]
DELTA = 1e-6
FOREST = next(one for one in TWELVE if one.name == "random_forest")
NUM_SAMPLES = 10_000
TakenSettings = tuple[Any, TakenRecipe]
_RECIPES = {
    ("dp-mixture", "mnist"): "mnist",
    ("gs-wgan", "mnist"): "mnist-cpu",
    ("dp-cgan", "mnist"): "mnist-revisited",
    ("labelled-mixture", "mnist"): "mnist",
    ("dp-mixture", "mitdb"): "mitdb",
    ("gs-wgan", "mitdb"): "mitdb-cpu",
}


def dealt(records: RecordSet, num_sites: int, how: Dealt) -> dict[str, RecordSet]:
    """Deal records in turn, or each site the classes or the people that are its own."""
    assert records.y is not None
    match how:
        case "evenly":
            places = torch.arange(records.num_records)
        case "by class":
            places = records.y
        case "by person":
            assert records.people is not None
            places = records.people
    sites = {}
    for site in range(num_sites):
        mine = places % num_sites == site
        held = RecordSet(name=records.name, spec=records.spec, x=records.x[mine], y=records.y[mine])
        sites[f"site-{site + 1}"] = held
    return {name: held for name, held in sites.items() if held.num_records}


def held_out(records: RecordSet, number: int) -> tuple[RecordSet, RecordSet]:
    """Divide records: the last ones take no part in the training."""
    assert records.y is not None
    parts = slice(None, -number), slice(-number, None)
    first, last = (replace(records, x=records.x[part], y=records.y[part]) for part in parts)
    return first, last


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The training: method and data, for networks its steps and rounds, None for the usual ones, and turns."""

    method: Method[Any]
    data: str
    num_steps: int | None
    num_rounds: int | None
    turns: AllAtOnce | InTurn


def settings(wanted: Wanted, sizes: list[int]) -> TakenSettings:
    """Return the settings of the recipe for the data, with the critics of one site of several, of so many slots."""
    recipe = wanted.method.find(_RECIPES[wanted.method.name, wanted.data])
    config, num_steps = recipe.config, wanted.num_steps
    if isinstance(config, GSWGANConfig):
        assert config.critics_per_draw is not None
        steps = config.num_steps if num_steps is None else num_steps
        config = replace(
            config,
            num_steps=steps,
            moving_average=1 - (1 - config.moving_average) * config.num_steps / steps,
            num_critics=min(config.num_critics // len(sizes), min(sizes)),
            critics_per_draw=config.critics_per_draw // len(sizes),
        )
    return config, recipe.taken(config)


def train(out: Path, sites: dict[str, RecordSet], epsilon: float, wanted: Wanted) -> None:
    """Go through all rounds, and write the release."""
    spec = next(iter(sites.values())).spec
    assert isinstance(spec, ImageSpec | SeriesSpec)
    budget = PrivacyBudget(epsilon=epsilon, delta=DELTA)
    wishes = [SiteWish(name=name, num_slots=held.num_records, budget=budget) for name, held in sites.items()]
    config, taken = settings(wanted, [held.num_records for held in sites.values()])
    steps = -(-_network_steps(config) // wanted.num_rounds) if wanted.num_rounds else None
    plan = make_plan(config, spec, taken, Unit.RECORD, wishes, own_version(), steps_per_round=steps, turns=wanted.turns)
    now = Round(plan=plan)
    with TemporaryDirectory() as folder:
        while not now.is_over:
            content = now.to_bytes()
            files = [(name, _answer(Path(folder) / name, content, name, sites[name], epsilon)) for name in now.asked]
            now = combine(content, files).round
            print(f"{out}: round {now.number} of {plan.num_rounds}", flush=True)
    out.mkdir(parents=True)
    trained = write_federated_release(out, now, print)
    print(f"{out}: {len(sites)} sites, epsilon {trained.statement.epsilon:.3f} at each", flush=True)


def _network_steps(config: Any) -> int:
    """Return the private steps that train networks."""
    return config.teacher_steps if isinstance(config, LabelledMixtureConfig) else config.num_steps


def _answer(folder: Path, content: bytes, name: str, held: RecordSet, epsilon: float) -> bytes:
    return contribute(folder, content, name, lambda key: RecordData(train=held), cap=1.01 * epsilon).content


def score(trained: TrainedGenerator, test: RecordSet, seed: int) -> str:
    """Return the score on real records of a classifier that learnt from samples."""
    assert test.y is not None
    x, y = trained.sample(NUM_SAMPLES, seed=seed)
    assert y is not None
    of_images = isinstance(test.spec, ImageSpec)
    classifier: Any = (SMALL_CNN if of_images else FOREST).build(seed)
    classifier.fit(x.numpy(), y.numpy())
    found, true = classifier.predict(test.x.numpy()), test.y.numpy()
    if of_images:
        return f"{(found == true).mean():.4f}"
    odds = classifier.probabilities(test.x.numpy())
    areas = [roc_auc_score(true == one, odds[:, place]) for place, one in enumerate(np.unique(y.numpy()))]
    return f"F1 {f1_score(true, found, average='macro'):.4f} AUROC {np.mean(areas):.4f}"


def named(trained: TrainedGenerator, test: RecordSet) -> str:
    """Say the part of real records that a release classifies right, for a method that releases a classifier."""
    if (
        test.y is None
        or not trained.recipe.spec.num_classes
        or not isinstance(trained.network(), AbstractClassifyingGenerator)
    ):
        return ""
    found = ReleasedClassifier.of(trained).probabilities(test.x).argmax(dim=1)
    return f", released classifier {float((found == test.y).float().mean()):.4f}"


def main() -> int:
    """Train for each number of sites and each epsilon."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sites", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--epsilon", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--deal", choices=get_args(Dealt), default="evenly")
    parser.add_argument("--data", choices=["mnist", "mitdb"], default="mnist")
    parser.add_argument("--num-seeds", type=int, default=2)
    parser.add_argument("--method", choices=sorted({method for method, _ in _RECIPES}), default="dp-mixture")
    parser.add_argument("--num-steps", type=int, help="of gs-wgan, in place of those of its recipe")
    parser.add_argument("--num-rounds", type=int, help="of networks at each site, in place of those of a plan")
    parser.add_argument("--in-turn", action="store_true", help="a round asks one site alone")
    parser.add_argument("--hold-out", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    split = BETWEEN_PEOPLE if asked.data == "mitdb" else None
    data = load_records(asked.data, reading=SeriesReading(split=split))
    assert data.test is not None
    train_set, test_set = data.train, data.test
    if asked.hold_out:
        train_set, test_set = held_out(data.train, asked.hold_out)
    wanted = Wanted(
        method=find_method(asked.method),
        data=asked.data,
        num_steps=asked.num_steps,
        num_rounds=asked.num_rounds,
        turns=InTurn() if asked.in_turn else AllAtOnce(),
    )
    for epsilon in asked.epsilon:
        for number in asked.sites:
            out = asked.out / f"{number}-sites-epsilon-{epsilon:g}"
            if not out.exists():
                train(out, dealt(train_set, number, asked.deal), epsilon, wanted)
            trained = load_generator(find_generator(out))
            scores = [score(trained, test_set, seed) for seed in range(asked.num_seeds)]
            print(f"{out}: score {', '.join(scores)}{named(trained, test_set)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
