"""The study: methods over epsilon by `gossamer train` and `gossamer compare`, one table beside the published figures.

    python examples/study.py FOLDER --size digits        a few minutes, and nothing to download
    python examples/study.py FOLDER --size two-cores     three CPU hours; what docs/study.md shows
    python examples/study.py FOLDER --size gpu           the published networks and numbers; never run whole by us

Everything lands under FOLDER, a table for each data set: digits.md. A run that is there already is kept, one that was
interrupted goes on, so the same command after a crash, or with one more method in it, does what is missing. --data does
one data set alone, --methods some methods, into a table and pictures without the others. All of FOLDER but the runs'
release/ is private in the sense of the contract: it saw real data, which here are public.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gossamer.data.catalogue import load_records
from gossamer.evaluation.published_scores import published_scores

DELTA = "1e-5"  # that of the published comparisons
SCORES = {"inception_score": "IS", "frechet_distance": "Frechet", "avg12": "avg12", "mlp_accuracy": "MLP",
          "cnn_accuracy": "CNN"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A method with its settings, and how often it is trained anew."""

    method: str
    options: tuple[str, ...] = ()
    num_seeds: int = 1


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a study is."""

    data: tuple[str, ...]
    epsilons: tuple[str, ...]
    contenders: tuple[Contender, ...]
    num_samples: int


SIZES = {
    "digits": Size(
        data=("digits",),
        epsilons=("1", "10"),
        contenders=(
            Contender(method="gs-wgan"),
            Contender(method="dp-cgan"),
            Contender(method="dp-merf", options=("--num-fit-steps", "500"), num_seeds=2),
            Contender(method="dp-mixture", num_seeds=2),
        ),
        num_samples=300,
    ),
    "two-cores": Size(
        data=("mnist", "fashion-mnist"),
        epsilons=("1", "2", "5", "10"),
        contenders=(
            Contender(method="dp-mixture", num_seeds=3),
            Contender(method="labelled-mixture", num_seeds=3),
            Contender(method="dp-merf", num_seeds=3),
            Contender(method="gs-wgan", num_seeds=3),
            Contender(method="dp-cgan", options=("--num-steps", "1000")),
        ),
        num_samples=2_000,
    ),
    "gpu": Size(
        data=("mnist", "fashion-mnist"),
        epsilons=("1", "2", "5", "10"),
        contenders=(
            Contender(method="dp-mixture", num_seeds=3),
            Contender(method="labelled-mixture", num_seeds=3),
            Contender(method="dp-merf", num_seeds=3),
            Contender(method="gs-wgan", options=("--recipe", "{data}-paper", "--device", "cuda")),
            Contender(method="dp-cgan", options=("--recipe", "{data}-published", "--device", "cuda")),
        ),
        num_samples=10_000,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of the study."""

    folder: Path
    data: str
    contender: Contender
    epsilon: str
    seed: int

    @property
    def is_released(self) -> bool:
        """Whether there is a generator to score."""
        return (self.folder / "release" / "generator.safetensors").is_file()

    def train(self) -> dict[str, float]:
        """Train it, or go on where it stopped, and say what that took."""
        options = [option.format(data=self.data) for option in self.contender.options]
        asked = ["--data", self.data, "--epsilon", self.epsilon, "--delta", DELTA, "--seed", str(self.seed), *options]
        is_begun = (self.folder / "private").is_dir()
        verb = ["resume", str(self.folder)] if is_begun else ["train", self.contender.method, *asked]
        begin, begin_cpu = time.monotonic(), children_cpu()
        gossamer(*verb, *([] if is_begun else ["--out", str(self.folder)]))
        return {"wall": time.monotonic() - begin, "cpu": children_cpu() - begin_cpu}


def main(folder: Path, size: Size) -> None:
    """Train what is missing, score everything, write the table."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in size.data:
        runs = list(planned(folder, data, size))
        times = train_all(folder / f"{data}-seconds.json", runs)
        kept = ["--data", data, "--num-samples", str(size.num_samples), "--num-seeds", "1"]
        # The twelve classifiers are dear: the first seed's runs alone are given to them. Their curves are the picture.
        firsts, others = ([run.folder for run in runs if (run.seed == 0) is is_first] for is_first in (True, False))
        real = real_images(folder, data)
        found = compare([real, *others], [*kept, "--quick"]) if others else {}
        found |= compare([real, *firsts], [*kept, "--out", folder / data])
        (folder / f"{data}.md").write_text(table(data, size, runs, times, found), encoding="utf-8")
        print(f"The table: {folder / data}.md; curves and grids in {folder / data}")


def only(size: Size, methods: Sequence[str]) -> Size:
    """Return a size with some methods alone, all if none is named."""
    kept = tuple(one for one in size.contenders if one.method in methods or not methods)
    return dataclasses.replace(size, contenders=kept)


def planned(folder: Path, data: str, size: Size) -> Iterator[Run]:
    """All trainings on one data set, the cheap ones first."""
    for contender in size.contenders:
        for epsilon in size.epsilons:
            for seed in range(contender.num_seeds):
                name = f"{data}-{contender.method}-eps{epsilon}-seed{seed}"
                yield Run(folder=folder / "runs" / name, data=data, contender=contender, epsilon=epsilon, seed=seed)


def train_all(file: Path, runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Train the runs that have not released anything; the seconds of all of them, kept in a file."""
    times = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for number, run in enumerate(runs):
        if not run.is_released:
            print(f"{number + 1} of {len(runs)}: {run.folder.name}", flush=True)
            before = times.get(run.folder.name, {"wall": 0.0, "cpu": 0.0})
            times[run.folder.name] = {name: before[name] + seconds for name, seconds in run.train().items()}
            file.write_text(json.dumps(times, indent=2), encoding="utf-8")
    return times


def real_images(folder: Path, data: str) -> Path:
    """Real training images as a file to score beside the synthetic ones: what could be hoped for at most."""
    train = load_records(data).train
    file = folder / "real" / f"{data}-real.npz"
    file.parent.mkdir(exist_ok=True)
    chosen = np.random.default_rng(0).permutation(train.num_records)[:10_000]
    assert train.y is not None
    np.savez_compressed(file, x=train.x.numpy()[chosen], y=train.y.numpy()[chosen])
    return file


def compare(targets: Sequence[Path], options: Sequence[str | Path]) -> dict[str, dict[str, Any]]:
    """Scores of every target by name, of `gossamer compare`."""
    said = gossamer("compare", *map(str, targets), *map(str, options), "--json")
    return {name: one["scores"] for name, one in json.loads(said)["targets"].items()}


def gossamer(*arguments: str) -> str:
    """The command line; its progress is shown, its result returned."""
    command = [sys.executable, "-m", "gossamer", *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def children_cpu() -> float:
    """Seconds of computing of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(data: str, size: Size, runs: Sequence[Run], times: dict[str, Any], found: dict[str, Any]) -> str:
    """One data set's table in Markdown: real images, each method at each epsilon, and the published figures."""
    head = ["method", "epsilon", "training seeds", *SCORES.values(), "CPU min"]
    lines = [f"## {data}", "", row(head), row(["---"] * len(head))]
    real = found[f"{data}-real"]
    lines.append(row(["real training images", "", "", *(figure([real], name) for name in SCORES), ""]))
    for contender in size.contenders:
        for epsilon in size.epsilons:
            same = [run.folder.name for run in runs if (run.contender, run.epsilon) == (contender, epsilon)]
            scores = [found[name] for name in same]
            cells = [f"`{' '.join((contender.method, *contender.options))}`", epsilon, str(len(same))]
            lines.append(row([*cells, *(figure(scores, name) for name in SCORES), minutes(times, same)]))
    return "\n".join([*lines, "", *published(data), ""])


def minutes(times: dict[str, Any], names: Sequence[str]) -> str:
    """Mean minutes of computing of some trainings, without those that were cut off before their time was kept."""
    known = [times[name]["cpu"] for name in names if name in times]
    return f"{statistics.mean(known) / 60:.1f}" if known else ""


def figure(scores: Sequence[dict[str, Any]], name: str) -> str:
    """Mean of a score, with the least and the greatest of several trainings in brackets."""
    values = [one[name]["value"] for one in scores if name in one]
    digits = 2 if name in ("inception_score", "frechet_distance") else 3
    if not values:
        return ""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def published(data: str) -> list[str]:
    """What was published for a data set, with the epsilon claimed and the one that it costs."""
    rows = published_scores(data)
    if not rows:
        return []
    head = ["published", "claimed epsilon", "what it costs", "IS", "avg12", "MLP", "CNN", "source"]
    lines = [row(head), row(["---"] * len(head))]
    for one in rows:
        scores = (
            str(one.scores.get(name, "")) for name in ("inception_score", "avg12", "mlp_accuracy", "cnn_accuracy")
        )
        lines.append(row([one.method, one.claimed, one.really, *scores, one.source]))
    return lines


def row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train, score and tabulate all methods over epsilon.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="digits")
    parser.add_argument("--data", help="one data set of that size alone; default: all")
    names = ("dp-mixture", "labelled-mixture", "dp-merf", "gs-wgan", "dp-cgan")
    parser.add_argument("--methods", nargs="+", choices=names, default=[], help="some methods alone; default: all")
    asked = parser.parse_args()
    size = only(SIZES[asked.size], asked.methods)
    if asked.data is not None and asked.data not in size.data:
        parser.error(f"--data {asked.data}: this size has {', '.join(size.data)}")
    size = size if asked.data is None else dataclasses.replace(size, data=(asked.data,))
    try:
        main(asked.folder, size)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
