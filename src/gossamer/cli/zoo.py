"""`gossamer zoo`: the releases that come with the package, and the way to train each of them again."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gossamer.cli import evaluate, train
from gossamer.cli.arguments import Names, read_arguments
from gossamer.cli.outputs import say
from gossamer.cli.scoring import load_real, score_targets
from gossamer.errors import InputError
from gossamer.privacy.statement import shown_epsilon
from gossamer.runs.files import write_whole
from gossamer.runs.folder import RunFolder
from gossamer.runs.zoo import PREFIX, Zoo, ZooEntry, own_zoo

DIFFERENCES = "differences.txt"
_ALL = "all"
_READING = """Epsilon and delta are of one record. All were trained on public data. The score is that of
classifiers which learnt from samples alone: a CNN's accuracy on real images, or the mean
macro-F1 of three on real heartbeats. --json has all scores."""
_FIRST = {"cnn_accuracy": "CNN", "tstr_macro_f1": "F1"}


@dataclass(frozen=True, kw_only=True)
class ShowZoo:
    """List the releases that come with the package, trained on public data, or train them again.

    `zoo:NAME` stands wherever a release does: for sample, verify, evaluate, compare, report, predict, gossamer.load and
    --start-from. Every file is compared with its digest first, and no code in it is run.

    Example: gossamer sample zoo:digits-epsilon-1 --num-samples 100 --out digits.png

    Example: gossamer zoo --rebuild digits-epsilon-1 --out zoo

    Args:
        rebuild: names to train again, or all. The noise is new, and so are the weights
        out: with --rebuild: folder of a zoo for the new releases, with a file of all that differs
        data_dir: with --rebuild: where published data sets lie
        with_scores: with --rebuild: also score each on the public test data, by the quick suite
        json: print JSON
    """

    rebuild: Names = ()
    out: Path | None = None
    data_dir: Path | None = None
    with_scores: bool = False
    json: bool = False


def run(arguments: Sequence[str]) -> int:
    """List the zoo, or rebuild some of it."""
    asked = read_arguments(ShowZoo, arguments, program="zoo")
    zoo = own_zoo()
    if asked.rebuild:
        return _rebuild(asked, zoo)
    if asked.out is not None or asked.data_dir is not None or asked.with_scores:
        raise InputError("--out, --data-dir and --with-scores are of --rebuild: name the releases to train again")
    if asked.json:
        print(json.dumps([_told(zoo, entry) for entry in zoo.entries], indent=2))
        return 0
    _show(zoo)
    return 0


# ---- the list ------------------------------------------------------------------------------------------------------


def _told(zoo: Zoo, entry: ZooEntry) -> dict[str, Any]:
    """Return all that is known of an entry, as plain types."""
    from gossamer.driving.generator_file import load_generator

    found: dict[str, Any] = {"name": f"{PREFIX}{entry.name}", "train": list(entry.words), "scores": dict(entry.scores)}
    if entry.manifest_sha256 is None:
        return found | {"is_here": False, "cpu_seconds": entry.cpu_seconds}
    trained = load_generator(zoo.checked(entry))
    statement, verdict = trained.statement, trained.verdict
    return found | {
        "is_here": True,
        "epsilon": statement.epsilon,
        "delta": statement.delta,
        "unit": statement.unit.value,
        "verdict": None if verdict is None else verdict.grade.value,
        "manifest_sha256": entry.manifest_sha256,
    }


def _show(zoo: Zoo) -> None:
    told = [_told(zoo, entry) for entry in zoo.entries]
    table = Table(
        "release", "method", "epsilon", "delta", "verdict", "score", box=None, pad_edge=False, collapse_padding=True
    )
    for column in (*table.columns[:2], table.columns[-1]):
        column.no_wrap = True
    for entry, one in zip(zoo.entries, told, strict=True):
        if one["is_here"]:
            price = (shown_epsilon(one["epsilon"]), f"{one['delta']:g}", one["verdict"] or "none")
            table.add_row(one["name"], entry.method, *price, _first_score(entry.scores))
    Console().print(table)
    print(f"\n{_READING}")
    print(f"Draw: gossamer sample {PREFIX}{zoo.entries[0].name} --num-samples 100 --out samples.png")
    absent = [one["name"].removeprefix(PREFIX) for one in told if not one["is_here"]]
    if absent:
        print(f"Known, but not in the package (`gossamer zoo --rebuild NAME --out zoo` trains it): {', '.join(absent)}")


def _first_score(scores: Mapping[str, float]) -> str:
    """Return the one score of the table: that of a classifier that learnt from the samples."""
    for name, title in _FIRST.items():
        if name in scores:
            return f"{title} {scores[name]:.3f}"
    return "none"


def _scores(scores: Mapping[str, float]) -> str:
    from gossamer.evaluation.comparison import title_and_unit

    if not scores:
        return "not scored"
    return ", ".join(f"{title_and_unit(name)[0]} {value:.3g}" for name, value in scores.items())


# ---- trained again ---------------------------------------------------------------------------------------------------


def _rebuild(asked: ShowZoo, zoo: Zoo) -> int:
    from gossamer.driving.zoo_building import adopt, differences

    if asked.out is None:
        raise InputError("--rebuild: name a folder for the new releases with --out, for instance --out zoo")
    names = [entry.name for entry in zoo.entries] if asked.rebuild == (_ALL,) else list(asked.rebuild)
    entries = [zoo.find(name.removeprefix(PREFIX)) for name in names]
    said: list[str] = []
    for entry in entries:
        with tempfile.TemporaryDirectory(prefix="gossamer-zoo-") as place:
            run = RunFolder(Path(place) / entry.name)
            code = _trained(asked, entry, run)
            if code:
                return code
            scores = _scored(asked, entry, run) if asked.with_scores else {}
            before = None if entry.manifest_sha256 is None else zoo.checked(entry)
            said += [f"{entry.name}: {one}" for one in differences(before, run, entry, scores)]
            new = adopt(run, entry, asked.out, scores)
        print(f"{entry.name}: {asked.out / entry.name}; {_scores(new.scores)}", flush=True)
    write_whole(asked.out / DIFFERENCES, "".join(f"{one}\n" for one in said).encode())
    how_many = "1 release" if len(entries) == 1 else f"{len(entries)} releases"
    print(f"{how_many}: {asked.out}; all that differs: {asked.out / DIFFERENCES}")
    return 0


def _trained(asked: ShowZoo, entry: ZooEntry, run: RunFolder) -> int:
    """Train an entry again, and return the exit code. Its own words name a folder that goes: they are dropped.

    Progress, advice and errors go to the standard error, and stay.
    """
    say(f"{entry.name}: trained again, in about {entry.cpu_seconds:.0f} s of processor time")
    with contextlib.redirect_stdout(io.StringIO()):
        return train.run([*entry.words, *_data_dir(asked), "--out", str(run.path), "--plain"])


def _data_dir(asked: ShowZoo) -> list[str]:
    return [] if asked.data_dir is None else ["--data-dir", str(asked.data_dir)]


def _scored(asked: ShowZoo, entry: ZooEntry, run: RunFolder) -> dict[str, float]:
    """Return the scores that stand first, on the test records of a public data set."""
    from gossamer.evaluation.comparison import headline

    words = [str(run.path), "--data", entry.data, *_data_dir(asked), "--quick", "--out", str(run.path / "scores")]
    choice = read_arguments(evaluate.Evaluate, words, program="evaluate").choice
    real = load_real(choice, (run.path,))
    (scored,) = score_targets(choice, (choice.finder(real.train.spec).find(run.path),), real)
    found = scored.evaluation.scores
    return {name: round(found[name].value, 4) for name in headline() if name in found}
