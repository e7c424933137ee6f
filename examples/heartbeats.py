"""Methods on heartbeats by `gossamer train` and `gossamer compare`: every score, beat and person, 1-D and 14x14.

    python examples/heartbeats.py FOLDER --size beats        minutes, on made-up heartbeats; nothing to download
    python examples/heartbeats.py FOLDER --size two-cores    MIT-BIH, some CPU hours; what docs/heartbeats.md shows

Everything lands under FOLDER, the tables in tables.md, beats of all methods in beats.png. A run that is there is kept,
one that was interrupted goes on.
--methods trains and scores some methods alone.
All of FOLDER but the runs' release/ is private in the sense of the contract: it saw real data, which here are public.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from study import children_cpu, gossamer, row

import gossamer as library
from gossamer.reports.curves import COLOURS, drawing, save_png_of

_KINDS = ("accuracy", "macro_f1", "auroc", "random_forest_macro_f1", "logistic_regression_macro_f1", "cnn_macro_f1")
SCORES = (
    *(f"tstr_{kind}" for kind in _KINDS),
    "mmd", "acf_distance", "psd_distance", "histogram_distance", "padded_length_distance", "class_distance",
    "frechet_distance", "precision", "recall", "density", "coverage", "dtw_distance", "dtw_distance_to_synthetic",
    "predictive_score", "discriminative_score", "memorisation",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A method with its settings, and how unevenly its classes are drawn to be scored.

    Attributes:
        label: as tables call it.
        method: of `gossamer train`.
        options: of the training.
        evenness: of `gossamer compare`; None draws classes in turn.
    """

    label: str
    method: str
    options: tuple[str, ...] = ()
    evenness: tuple[str | None, ...] = (None,)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Trainings that are laid side by side.

    Attributes:
        name: of folders.
        title: above the table.
        data: as it is read, for trainings and scores alike.
        epsilons: each is a training.
        contenders: the columns.
        scoring: options of `gossamer compare`.
    """

    name: str
    title: str
    data: tuple[str, ...]
    epsilons: tuple[str, ...]
    contenders: tuple[Contender, ...]
    scoring: tuple[str, ...]


BOTH = (None, "0.5")
CHEAP = (
    Contender(label="dp-mixture", method="dp-mixture", evenness=BOTH),
    Contender(label="dp-merf", method="dp-merf", evenness=BOTH),
)
FEW = ("--num-samples", "2000", "--num-seeds", "1")
SHORT = ("--num-steps", "600")
FEW_CRITICS = ("--num-critics", "15", "--critics-per-draw", "3", "--critic-batch-size", "32")
MITDB = ("--data", "mitdb")
SIZES = {
    "beats": (
        Part(
            name="record",
            title="made-up beats, one record protected",
            data=("--data", "beats"),
            epsilons=("10",),
            contenders=(Contender(label="dp-mixture", method="dp-mixture", evenness=BOTH),),
            scoring=("--num-samples", "500", "--num-seeds", "1", "--quick"),
        ),
    ),
    "two-cores": (
        Part(
            name="record",
            title="one beat protected, split at random",
            data=MITDB,
            epsilons=("10", "1"),
            contenders=(
                *CHEAP,
                Contender(label="gs-wgan", method="gs-wgan"),
                Contender(label="dp-cgan", method="dp-cgan", options=("--num-steps", "500")),
            ),
            scoring=("--num-samples", "5000", "--num-seeds", "1"),
        ),
        Part(
            name="people",
            title="one beat protected, split between people",
            data=(*MITDB, "--split", "people"),
            epsilons=("10",),
            contenders=CHEAP,
            scoring=(*FEW, "--quick"),
        ),
        Part(
            name="person",
            title="one person protected, split between people",
            data=(*MITDB, "--split", "people"),
            epsilons=("10", "1"),
            contenders=(
                *(Contender(label=one.label, method=one.method, options=("--unit", "person")) for one in CHEAP),
                Contender(label="gs-wgan", method="gs-wgan", options=("--unit", "person", *FEW_CRITICS)),
            ),
            scoring=(*FEW, "--quick"),
        ),
        Part(
            name="layout",
            title="one dimension against 14x14, one beat protected",
            data=MITDB,
            epsilons=("10",),
            contenders=(
                Contender(label="1-D", method="gs-wgan", options=("--recipe", "mitdb-conv", *SHORT)),
                Contender(label="14x14", method="gs-wgan", options=("--recipe", "mitdb-14x14", *SHORT)),
            ),
            scoring=FEW,
        ),
    ),
}
# Rows of the picture: part, column and epsilon. Those that were not trained are left out.
PICTURE = (
    *(("record", label, "10") for label in ("dp-mixture", "dp-merf", "gs-wgan", "dp-cgan")),
    *(("layout", label, "10") for label in ("1-D", "14x14")),
    ("record", "dp-mixture", "1"),
    ("person", "dp-mixture", "10"),
)


def main(folder: Path, parts: Sequence[Part]) -> None:
    """Train what is missing, score everything, write the tables and a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    # All hold out the same beats as the first: scores compare, and what depends on real beats is computed once.
    first = run_folder(folder, parts[0], parts[0].contenders[0], parts[0].epsilons[0])
    for part in parts:
        for epsilon in part.epsilons:
            for contender in part.contenders:
                train(folder, part, contender, epsilon, first)
    tables = [table(part, epsilon, columns(folder, part, epsilon)) for part in parts for epsilon in part.epsilons]
    seconds = [f"- `{name}`: {spent:.0f}" for name, spent in load_seconds(folder).items()]
    tables.append("\n".join(["CPU seconds of each training:", "", *seconds, ""]))
    (folder / "tables.md").write_text("\n".join(tables), encoding="utf-8")
    drawn = {
        f"{label}, epsilon {epsilon}" + (", a person" if name == "person" else ""): run
        for name, label, epsilon in PICTURE
        if is_released(run := folder / "runs" / name / f"{label}-eps{epsilon}")
    }
    if drawn:
        picture(folder / "beats.png", drawn)
    print(f"The tables: {folder / 'tables.md'}; pictures beside them, a folder each")


def only(parts: Sequence[Part], methods: Sequence[str]) -> list[Part]:
    """Return the parts with some methods alone, all if none is named, and no part without any."""
    kept = [replace(part, contenders=tuple(one for one in part.contenders if one.method in methods)) for part in parts]
    return [part for part in kept if part.contenders] if methods else list(parts)


def run_folder(folder: Path, part: Part, contender: Contender, epsilon: str) -> Path:
    """Where a training lands; its name is its column's."""
    return folder / "runs" / part.name / f"{contender.label}-eps{epsilon}"


def is_released(run: Path) -> bool:
    """Whether a training has come to its end."""
    return (run / "release" / "generator.safetensors").is_file()


def train(folder: Path, part: Part, contender: Contender, epsilon: str, first: Path) -> None:
    """Train one run with the key of the first, or go on where it stopped, unless it has released its generator."""
    run = run_folder(folder, part, contender, epsilon)
    if is_released(run):
        return
    print(f"{part.name}: {run.name}", flush=True)
    before = children_cpu()
    if (run / "private").is_dir():
        gossamer("resume", str(run))
    else:
        shared = [] if run == first else ["--key-of", str(first)]
        options = [*part.data, "--epsilon", epsilon, *contender.options, *shared, "--out", str(run)]
        gossamer("train", contender.method, *options)
    seconds = load_seconds(folder)
    name = f"{part.name}/{run.name}"
    seconds[name] = seconds.get(name, 0.0) + children_cpu() - before
    (folder / "seconds.json").write_text(json.dumps(seconds, indent=2), encoding="utf-8")


def load_seconds(folder: Path) -> dict[str, float]:
    """CPU seconds by run."""
    file = folder / "seconds.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def columns(folder: Path, part: Part, epsilon: str) -> dict[str, dict[str, Any]]:
    """Scores by column: every contender, drawn in turn and, where it releases shares of classes, unevenly."""
    found: dict[str, dict[str, Any]] = {}
    for evenness in BOTH:
        drawn = {
            run_folder(folder, part, one, epsilon): one.label for one in part.contenders if evenness in one.evenness
        }
        if drawn:
            suffix, law = ("in-turn", "") if evenness is None else (f"evenness-{evenness}", f", {evenness}")
            out = folder / "scores" / f"{part.name}-eps{epsilon}-{suffix}"
            scored = scores(out, tuple(drawn), part, evenness)
            found |= {f"{label}{law}": scored[run.name] for run, label in drawn.items()}
    return found


def scores(out: Path, runs: Sequence[Path], part: Part, evenness: str | None) -> dict[str, Any]:
    """Scores by run, those of an earlier call if they are there; pictures lie beside them."""
    file = out / "evaluation.json"
    if not file.is_file():
        begin = time.monotonic()
        law = [] if evenness is None else ["--evenness", evenness]
        verb = "evaluate" if len(runs) == 1 else "compare"
        gossamer(verb, *map(str, runs), *part.data, *part.scoring, *law, "--out", str(out), "--json")
        print(f"scored {out.name} in {time.monotonic() - begin:.0f} s", flush=True)
    tree = json.loads(file.read_text(encoding="utf-8"))
    return {name: one["scores"] for name, one in tree.get("targets", {runs[0].name: tree}).items()}


def table(part: Part, epsilon: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """One table in Markdown: a line a score, a column a generator, real training series first."""
    first = next(iter(found.values()))
    head = ["score", "better", "real", *found]
    lines = [f"## epsilon {epsilon}: {part.title}", "", row(head), row(["---"] * len(head))]
    for name in SCORES:
        beside = f"trtr_{name.removeprefix('tstr_')}" if name.startswith("tstr_") else f"{name}_real"
        known = [one[key] for one in found.values() for key in (name, beside) if key in one]
        if known:
            better = "higher" if known[0]["higher_is_better"] else "lower"
            cells = [figure(first, beside), *(figure(one, name) for one in found.values())]
            lines.append(row([f"`{name}`", better, *cells]))
    return "\n".join([*lines, ""])


def figure(found: Mapping[str, Any], name: str) -> str:
    """A score to three places, never -0.000, empty where it was left out."""
    return f"{round(found[name]['value'], 3) + 0.0:.3f}" if name in found else ""


def picture(file: Path, runs: Mapping[str, Path]) -> None:
    """Draw the first two beats of each class, a row for each run; all are synthetic."""
    with drawing(11.0, 0.85 * len(runs) + 0.4) as figure:
        for place, (name, run) in enumerate(runs.items()):
            generator = library.load(run)
            names = [name for name in generator.spec.class_names for _ in range(2)]
            series, _ = generator.sample(len(names), labels=names)
            for column, one in enumerate(series[:, 0]):
                axes = figure.add_subplot(len(runs), len(names), place * len(names) + column + 1)
                axes.plot(one, color=COLOURS[0], linewidth=0.8)
                axes.set(xticks=[], yticks=[], ylim=(-0.03, 1.03))
                if place == 0:
                    axes.set_title(names[column], fontsize=8)
                if column == 0:
                    axes.set_ylabel(name.replace(", ", "\n"), fontsize=7, rotation=0, ha="right", va="center")
    save_png_of(figure, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train, score and tabulate methods on heartbeats.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="beats")
    names = ("dp-mixture", "dp-merf", "gs-wgan", "dp-cgan")
    parser.add_argument("--methods", nargs="+", choices=names, default=[], help="some methods alone; default: all")
    asked = parser.parse_args()
    try:
        main(asked.folder, only(SIZES[asked.size], asked.methods))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
