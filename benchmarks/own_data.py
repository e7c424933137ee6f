"""Methods on data of one's own (`own_sets.py`), by `gossamer train METHOD --data FILE` and never by a recipe's name.

    python benchmarks/own_data.py FOLDER                           all of it, some twenty minutes on two cores
    python benchmarks/own_data.py FOLDER --sets shapes --methods dp-mixture --source old=OLD/src --source new=src

Everything lands under FOLDER: data, runs, results.json and tables.md. A figure that is there is kept if build, data and
options are the same, so that the same command goes on after an interruption. Each source is a folder that holds the
package `gossamer`, and the first is the one that the others are compared with. --docs PAGE puts the tables into a page,
between its two marks. The scores are those of `own_scores.py`. Everything is measured, nothing is asserted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from own_scores import real_scores, scores
from own_sets import SETS, OwnSet, Records

ROOT = Path(__file__).parents[1]
MARKS = ("<!-- own data: tables -->", "<!-- own data: end -->")
_WRITING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method as it is measured here.

    Attributes:
        on_images: options of its trainings on images, and `on_series` on series.
        on_series: see `on_images`.
        epsilons: at which alone it is measured, to save time; None for all.
        least_classes: of the sets that it can learn from.
    """

    on_images: tuple[str, ...] = ()
    on_series: tuple[str, ...] = ()
    epsilons: tuple[str, ...] | None = None
    least_classes: int = 0


# At their default lengths the two GANs take 6 to 37 minutes for one set of pictures.
SHORT = ("--num-steps", "300")
METHODS = {
    "dp-mixture": Method(),
    "labelled-mixture": Method(least_classes=2),
    "dp-merf": Method(),
    "gs-wgan": Method(on_images=SHORT, epsilons=("3", "10", "20")),
    "dp-cgan": Method(on_images=SHORT, on_series=SHORT, epsilons=("3", "10", "20")),
}


@dataclass(frozen=True, kw_only=True)
class Build:
    """A build of the package under a name of its own."""

    name: str
    folder: Path

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of all its Python files."""
        files = sorted((self.folder / "gossamer").rglob("*.py"))
        return digest_of(*(part for file in files for part in (file.name.encode(), file.read_bytes())))


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training with its scores."""

    build: Build
    data: OwnSet
    method: str
    epsilon: str

    @property
    def key(self) -> str:
        """Its name in the results, and that of its folder."""
        return f"{self.build.name}/{self.data.name}/{self.method}-eps{self.epsilon}"

    @property
    def options(self) -> tuple[str, ...]:
        """The options of its training beside data and folder."""
        method = METHODS[self.method]
        of_method = method.on_images if self.data.is_images else method.on_series
        return ("--epsilon", self.epsilon, *self.data.options, *of_method)


def main(folder: Path, jobs: Sequence[Job], num_workers: int) -> dict[str, Any]:
    """Measure what is missing, the sets one after the other, and return all results."""
    folder.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        job_files(folder, job.data)  # written once, before several jobs ask for them
    with ThreadPoolExecutor(num_workers) as workers:
        list(workers.map(lambda job: measure(folder, job), jobs))
    return load(folder)


def planned(builds: Sequence[Build], sets: Sequence[str], methods: Sequence[str], epsilons: Sequence[str]) -> list[Job]:
    """Return all trainings, builds next to each other so that they meet the same load."""
    return [
        Job(build=build, data=one, method=method, epsilon=epsilon)
        for one in SETS
        if one.name in sets
        for method in methods
        if len(one.classes) >= METHODS[method].least_classes
        for epsilon in epsilons or one.epsilons
        if epsilon in (METHODS[method].epsilons or [epsilon])
        for build in builds
    ]


def measure(folder: Path, job: Job) -> None:
    """Train, sample and score, unless the figures are there, and keep them."""
    train, test = records_of(job.data)
    asked = asked_of(job)
    known = load(folder)["results"].get(job.key, {})
    if known.get("asked") == asked and "failed" not in known:
        return
    found: dict[str, Any]
    try:
        samples, seconds = train_and_sample(folder, job, len(train.x))
        found = {**seconds, **scores(job.data, samples, train, test)}
    except subprocess.CalledProcessError as error:
        found = {"failed": f"exit code {error.returncode}: {error.output}"}
    with _WRITING:
        results = load(folder)
        results["results"][job.key] = {"asked": asked, **found}
        if results["sets"].get(job.data.name, {}).get("data") != asked["data"]:
            results["sets"][job.data.name] = {"data": asked["data"], **real_scores(job.data, train, test)}
        results["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        save(folder, results)
    print(job.key, {name: value for name, value in found.items() if isinstance(value, (float, str))}, flush=True)


def asked_of(job: Job) -> dict[str, Any]:
    """Return all that a figure depends on, but for the noise."""
    data = digest_of(records_of(job.data)[0].x.tobytes())
    return {"build": job.build.digest, "data": data, "options": list(job.options)}


def train_and_sample(folder: Path, job: Job, number: int) -> tuple[Records, dict[str, float]]:
    """Run the two commands of a user, and return what they drew and the seconds of the first."""
    run = folder / "runs" / job.key
    shutil.rmtree(run, ignore_errors=True)
    run.parent.mkdir(parents=True, exist_ok=True)
    file = job_files(folder, job.data)
    seconds = gossamer(job.build, "train", job.method, "--data", str(file), *job.options, "--plain", "--out", str(run))
    samples = run.with_name(f"{run.name}.npz")
    gossamer(job.build, "sample", str(run), "--num-samples", str(number), "--out", str(samples))
    with np.load(samples) as drawn:
        return Records(x=drawn["x"], y=drawn["y"] if job.data.classes else None), seconds


def gossamer(build: Build, *arguments: str) -> dict[str, float]:
    """Run the command line of a build on one thread, and return its seconds."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "gossamer", *arguments]
    # Python puts the current folder first in the path: the build's own, so that no other package is found.
    surroundings = os.environ | {"PYTHONPATH": str(build.folder), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=build.folder, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read().strip().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output=said[-1] if said else "")
    # Seconds of the processor do not depend on the load of the machine, those of the clock do.
    return {"wall_seconds": time.monotonic() - begin, "cpu_seconds": used.ru_utime + used.ru_stime}


def job_files(folder: Path, one: OwnSet) -> Path:
    """Write both halves of a set unless they are there, and return the file or folder to learn from."""
    halves = records_of(one)
    place = folder / "data" / f"{one.name}-{digest_of(halves[0].x.tobytes())}"
    if not place.is_dir():
        part = place.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, half in zip(("train", "test"), halves):
            one.write(half, part / name)
        part.rename(place)
    return next(path for path in place.iterdir() if path.stem == "train").resolve()


@cache
def records_of(one: OwnSet) -> tuple[Records, Records]:
    """Return the two halves of a set."""
    return one.train(), one.test()


def digest_of(*parts: bytes) -> str:
    """Return twelve hexadecimal digits of the bytes."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def load(folder: Path) -> dict[str, Any]:
    """Return the results so far."""
    file = folder / "results.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"sets": {}, "results": {}}


def save(folder: Path, results: Mapping[str, Any]) -> None:
    """Replace the file of results at once, so that an interruption leaves the old one."""
    part = folder / "results.json.part"
    part.write_text(json.dumps(results, indent=1), encoding="utf-8")
    part.replace(folder / "results.json")


def tables(results: Mapping[str, Any], jobs: Sequence[Job]) -> str:
    """Return the tables in Markdown: scores of each set with classes, then the levels of all sets without."""
    names = dict.fromkeys(job.data.name for job in jobs if job.data.classes)
    parts = [table(results, [job for job in jobs if job.data.name == name]) for name in names]
    levels = [job for job in jobs if not job.data.classes]
    return "\n".join([*parts, *([level_table(results, levels)] if levels else [])])


def table(results: Mapping[str, Any], jobs: Sequence[Job]) -> str:
    """Return the table of one set, real records first."""
    one, baseline = jobs[0].data, jobs[0].build
    real = results["sets"][one.name]
    head = ["method", "epsilon", "build", "accuracy", "error ratio", "level error", "levels", "spreads",
            "moment distance", "CPU s"]  # fmt: skip
    rows = [
        ["real records", "", "", *cells(one, real, "")],
        ["real class means alone", "", "", f"{real['class_means_accuracy']:.3f}", "", "", "", "", "1", ""],
        ["guessing", "", "", f"{1 / len(one.classes):.3f}", "", "", "", "", "", ""],
    ]
    for job in jobs:
        found = results["results"][job.key]
        first = results["results"].get(replace(job, build=baseline).key, {})
        ratio = "" if job.build == baseline else error_ratio(found, first)
        rows.append([*name_of(job, jobs), *cells(one, found, ratio)])
    return "\n".join([f"### {one.name}", "", *grid(head, rows), ""])


def name_of(job: Job, jobs: Sequence[Job]) -> list[str]:
    """Return the first three cells of a row. The build is left out where all are of one."""
    return [f"`{job.method}`", job.epsilon, job.build.name if len({one.build for one in jobs}) > 1 else ""]


def cells(one: OwnSet, found: Mapping[str, Any], ratio: str) -> list[str]:
    """Return the figures of a training, levels and spreads one for each channel."""
    if "failed" in found:
        return [found["failed"], *[""] * 6]
    digits = 3 if one.is_images else 1
    each = [", ".join(f"{value:.{digits}f}" for value in found[name]) for name in ("level", "spread")]
    return [figure(found, "accuracy", 3), ratio, figure(found, "level_error", 3), *each,
            figure(found, "moment_distance", 2), figure(found, "cpu_seconds", 0)]  # fmt: skip


def level_table(results: Mapping[str, Any], jobs: Sequence[Job]) -> str:
    """Return the table of sets without classes: level and spread of the drawn records, a column a set."""
    names = [*dict.fromkeys(job.data.name for job in jobs)]
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for job in jobs:
        rows.setdefault(tuple(name_of(job, jobs)), {})[job.data.name] = level(results["results"][job.key])
    body = [[*first, *(found.get(name, "") for name in names)] for first, found in rows.items()]
    return "\n".join(["### grey", "", *grid(["method", "epsilon", "build", *names], body), ""])


def level(found: Mapping[str, Any]) -> str:
    """Return the level and the spread of one channel."""
    return found.get("failed") or f"{found['level'][0]:.3f} ± {found['spread'][0]:.3f}"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table, without the columns that are empty in every row."""
    kept = [place for place in range(len(head)) if any(one[place] for one in rows)]
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(one[place] for place in kept)} |" for one in lines]


def error_ratio(found: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """Return 1 - accuracy over that of the first build."""
    if "accuracy" not in found or "accuracy" not in first or first["accuracy"] == 1:
        return ""
    return f"{(1 - found['accuracy']) / (1 - first['accuracy']):.2f}"


def figure(found: Mapping[str, Any], name: str, digits: int) -> str:
    """Return a figure, empty if it is not there."""
    return f"{found[name]:.{digits}f}" if name in found else ""


def put_into(page: Path, text: str) -> None:
    """Replace all between the two marks of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not end:
        raise SystemExit(f"{page} does not hold {MARKS[0]} and then {MARKS[1]}, between which the tables go")
    page.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}", encoding="utf-8")


def read_build(text: str) -> Build:
    """Return the build that NAME=FOLDER names."""
    name, _, folder = text.rpartition("=")
    place = Path(folder).resolve()
    if not name or not (place / "gossamer" / "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=FOLDER with the package gossamer in FOLDER")
    return Build(name=name, folder=place)


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure methods on data of one's own.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=read_build, action="append", metavar="NAME=FOLDER")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--sets", nargs="+", choices=[one.name for one in SETS], default=[one.name for one in SETS])
    parser.add_argument("--epsilons", nargs="+", default=[], help="default: those of each set")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument(
        "--tables", action="store_true", help="measure nothing: the tables of the figures that are there"
    )
    parser.add_argument("--docs", type=Path, metavar="PAGE", help="put the tables into this page")
    return parser.parse_args()


if __name__ == "__main__":
    asked = read_arguments()
    folder = asked.folder.resolve()  # builds run in folders of their own
    builds = asked.source or [Build(name="now", folder=ROOT / "src")]
    jobs = planned(builds, asked.sets, asked.methods, asked.epsilons)
    results = load(folder) if asked.tables else main(folder, jobs, asked.workers)
    text = tables(results, [job for job in jobs if results["results"].get(job.key, {}).get("asked") == asked_of(job)])
    (folder / "tables.md").write_text(text, encoding="utf-8")
    if asked.docs is not None:
        put_into(asked.docs, text)
    print(text)
