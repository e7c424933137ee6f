"""Runs that are killed, and the process that their lives are forked from."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import every

from gossamer.methods.catalogue import method_of
from gossamer.privacy.ledger import Ledger
from gossamer.privacy.restated import slots_of
from gossamer.privacy.statement import PrivacyStatement
from gossamer.runs.config_io import to_json_tree
from gossamer.runs.folder import RunFolder
from gossamer.runs.identity import moved_here
from gossamer.runs.ledger_file import read_ledger
from gossamer.runs.release import read_generator

LIVES = Path(__file__).with_name("lives.py")
RECORDS, DELTA, PATIENCE_S = 60, 1e-3, 120.0
TINY = every(lambda tiny: tiny.crashes)


@dataclass(frozen=True)
class Said:
    """What a process left behind: exit code, below zero for a signal; standard output, standard error."""

    code: int
    out: str
    err: str


class Nursery:
    """Forks lives of the command from one process that has imported everything, one life at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, str(LIVES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        self._prices = folder / "prices"
        self._prices.mkdir()
        self._rest = b""
        self._number = 0
        assert self._answer(PATIENCE_S) == {"ready": True}

    @property
    def pid(self) -> int:
        """Of the process that forks, whose mounts can be looked into under /proc."""
        return self._process.pid

    def begin(self, *words: object, **life: Any) -> int:
        """Fork a life, and return its process id. Keys as in lives.py."""
        self._number += 1
        self._said = {name: str(self._folder / f"{self._number}.{name}") for name in ("out", "err")}
        self._send({"words": [str(word) for word in words], "prices": str(self._prices)} | self._said | life)
        return self._answer(PATIENCE_S)["pid"]

    def end(self, patience_s: float = PATIENCE_S) -> Said | None:
        """How the life ended; None if it has not, after so many seconds."""
        answer = self._answer(patience_s)
        if answer is None:
            return None
        return Said(answer["code"], *(_text(Path(path)) for path in self._said.values()))

    def run(self, *words: object, **life: Any) -> Said:
        """A life to its end."""
        pid = self.begin(*words, **life)
        said = self.end()
        if said is None:
            os.kill(pid, signal.SIGKILL)
            pytest.fail(f"gossamer {' '.join(map(str, words))} did not end within {PATIENCE_S:.0f} s")
        return said

    def run_for(self, seconds: float, *words: object, **life: Any) -> Said:
        """A life that is killed when it has worked for so many seconds, however busy the machine is."""
        pid = self.begin(*words, **life)
        said = None
        while said is None and seconds_worked(pid) < seconds:
            said = self.end(0.002)
        if said is None:
            # Clocks of processes tick a hundred times a second: any moment of a tick.
            time.sleep(seconds % 0.01)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            said = self.end()
        assert said is not None
        return said

    def mount(self, kind: str, path: Path, size: str = "") -> str | None:
        """Mount something for lives alone; the reason where that is not permitted, else None."""
        self._send({"mount": kind, "path": str(path), "size": size})
        return self._answer(PATIENCE_S).get("refused")

    def close(self) -> None:
        """End the process, and with it what it mounted."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()

    def _send(self, tree: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(tree).encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self, patience_s: float) -> Any:
        assert self._process.stdout is not None
        end = time.monotonic() + patience_s
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return None
            self._rest += os.read(self._process.stdout.fileno(), 65536)
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def seconds_worked(pid: int) -> float:
    """Seconds that a process was on a processor; endless when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return float("inf")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="session")
def new_nursery(tmp_path_factory: Any) -> Iterator[Callable[[], Nursery]]:
    """Starts a process to fork lives from; ends it with the tests."""
    with contextlib.ExitStack() as all_of_them:

        def start() -> Nursery:
            nursery = Nursery(tmp_path_factory.mktemp("lives"))
            all_of_them.callback(nursery.close)
            return nursery

        yield start


@pytest.fixture(scope="session")
def nursery(new_nursery: Callable[[], Nursery]) -> Nursery:
    """The process that most lives are forked from."""
    return new_nursery()


@pytest.fixture(scope="session")
def lives() -> Any:
    """The module that lives run."""
    spec = importlib.util.spec_from_file_location("gossamer_lives", LIVES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- runs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A run folder that lives work on, and the words that begin it."""

    path: Path
    words: tuple[object, ...]
    journal: Path

    @property
    def next_words(self) -> tuple[object, ...]:
        """What a person would type now."""
        return ("resume", self.path) if (self.path / "config.json").is_file() else self.words

    @property
    def ledger(self) -> Ledger:
        """What is charged."""
        return read_ledger(self.path / "private" / "ledger.jsonl")

    def lines(self) -> list[dict[str, Any]]:
        """What lives drew and charged."""
        return [json.loads(line) for line in self.journal.read_text().splitlines()] if self.journal.exists() else []

    def states(self) -> dict[int, Any]:
        """The states of the finished checkpoints, by step."""
        found = sorted((self.path / "private" / "checkpoints").glob("step-*.pt"))
        states = {}
        for path in found:
            if path.with_suffix(".json").exists():
                states[int(path.stem.partition("-")[2])] = torch.load(path, weights_only=True)["state"]
        return states


@pytest.fixture(scope="session")
def own_data(tmp_path_factory: Any) -> Path:
    """60 random images of three classes."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "own.npz"
    np.savez(path, x=rng.random((RECORDS, 1, 8, 8), dtype=np.float32), y=np.arange(RECORDS) % 3)
    return path


@pytest.fixture(scope="session")
def new_run(tmp_path_factory: Any, own_data: Path) -> Callable[..., Run]:
    """A run of a method that has not begun yet, on images of a user's own or on ``data``."""

    def make(method: str, *more: object, settings: Any = None, data: Any = None, name: str = "run") -> Run:
        settings = settings or TINY[method]
        place = tmp_path_factory.mktemp(name)
        recipe = place / "recipe.json"
        recipe.write_text(json.dumps({"method": to_json_tree(settings)}))
        chosen = ("digits",) if data == "digits" else (data or own_data, "--num-classes", 3)
        words = (
            *("train", method, "--data", *chosen, "--recipe", recipe, "--device", "cpu"),
            *("--noise-multiplier", settings.noise_multiplier),
            *(("--delta", DELTA) if data != "digits" else ()),
            *("--out", place / "folder", *more),
        )
        return Run(path=place / "folder", words=words, journal=place / "journal.jsonl")

    return make


@pytest.fixture(scope="session")
def reference(nursery: Nursery) -> Callable[[Run], Any]:
    """Digests of the states of an unbroken training with the deterministic noise, of a run that has begun."""

    def compute(run: Run) -> Any:
        result = run.path.parent / "reference.json"
        said = nursery.run(reference=str(run.path), result=str(result))
        assert said.code == 0, said.err
        tree = json.loads(result.read_text())
        return {int(step): digests for step, digests in tree["states"].items()}, tree["weights"]

    return compute


@pytest.fixture(scope="session")
def priced() -> Callable[[Run, int], float]:
    """Epsilon of the first steps of a run's plan."""

    def price(run: Run, num_steps: int) -> float:
        from gossamer.driving.job import TrainingJob

        job = TrainingJob.read(RunFolder(run.path))
        statement = json.loads((run.path / "release" / "privacy.json").read_text())
        plan = method_of(job.method).plan(job.method, slots_of(PrivacyStatement.from_json(statement)))
        return plan.first_steps(num_steps).budget_at(job.delta).epsilon

    return price


@pytest.fixture(scope="session", name="tiny")
def tiny_settings() -> dict[str, Any]:
    """Settings by the name of their method."""
    return TINY


@pytest.fixture(scope="session", name="seconds_worked")
def worked() -> Callable[[int], float]:
    """See `seconds_worked`."""
    return seconds_worked


@pytest.fixture(scope="session")
def at_point(nursery: Nursery, new_run: Callable[..., Run]) -> Callable[..., dict[str, Any]]:
    """Where to crash: the first call of a life that is such a one, found by letting a copy of the run live."""

    def find(run: Run, is_it: Callable[[str, str], bool], **life: Any) -> dict[str, Any]:
        lines = points_of(nursery, run, **life)
        number = next(number for number, line in enumerate(lines) if is_it(*line.split(" ", 1)))
        return {"inside": str(run.path), "at": number, "how": "before"}

    return find


@pytest.fixture(scope="session", name="points_of")
def points() -> Callable[..., list[str]]:
    """See `points_of`."""
    return points_of


def points_of(nursery: Nursery, run: Run, **life: Any) -> list[str]:
    """What the next life of a run does to the disk, call by call. It is a copy that lives it."""
    kept, told = run.path.with_name("kept"), run.path.with_name("points")
    if run.path.exists():
        shutil.copytree(run.path, kept)
    life = {key: value for key, value in life.items() if key != "journal"}
    crash = {"inside": str(run.path), "at": None, "how": "before", "said_in": str(told)}
    said = nursery.run(*run.next_words, crash=crash, **life)
    assert said.code == 0, said.err
    shutil.rmtree(run.path)
    if kept.exists():
        kept.rename(run.path)
        remember_place(run.path)
    lines = told.read_text().splitlines()
    told.unlink()
    return lines


def remember_place(path: Path) -> None:
    """Let a copy of a run's folder take itself for the run."""
    folder = RunFolder(path)
    if folder.identity_file.is_file():
        moved_here(folder)


@pytest.fixture(scope="session", name="remember_place")
def remembering() -> Callable[[Path], None]:
    """See `remember_place`."""
    return remember_place


# ---- what must hold ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def check_books() -> Callable[[Run], None]:
    """Whatever was drawn was charged before, by its own process, and once; nothing beyond the plan."""
    return _check_books


def _check_books(run: Run) -> None:
    charged = {
        (entry.process_index, step) for entry in run.ledger.entries for step in range(entry.first_step, entry.end_step)
    }
    promised: dict[int, dict[int, int]] = {}
    drawn: set[tuple[int, int]] = set()
    digests: set[str] = set()
    for line in run.lines():
        mine = promised.setdefault(line["life"], {})
        match line:
            case {"charged": step, "process": process}:
                mine[step] = process
            case {"drawn": step, "digest": digest}:
                assert step in mine, f"step {step} was drawn and not charged before"
                assert (mine[step], step) in charged, f"step {step} is not charged in the ledger"
                assert digest not in digests, f"noise of step {step} was drawn twice"
                digests.add(digest)
                drawn.add((line["life"], step))
            case {"released": num_steps}:
                # Privacy: what leaves on the way states a price of so many steps; no more may have been drawn.
                assert len(drawn) <= num_steps, f"{len(drawn)} steps were drawn, {num_steps} are stated"
    assert len(drawn) <= run.ledger.num_charged_steps


@pytest.fixture(scope="session")
def weights_of() -> Callable[[Run], dict[str, Any]]:
    """The released weights."""
    return lambda run: read_generator(run.path / "release" / "generator.safetensors")[0]


@pytest.fixture(scope="session")
def check_release() -> Callable[[Run], None]:
    """A release is whole, says what the plan costs, and no half of a file is left of any crash."""
    return _check_release


def _check_release(run: Run) -> None:
    release = run.path / "release"
    assert not list(run.path.rglob("*.partial"))
    for folder in (release, *(release / "checkpoints").glob("*")):
        _, _, statement = read_generator(folder / "generator.safetensors")
        assert json.loads((folder / "privacy.json").read_text()) == statement
        assert (folder / "PRIVACY.md").stat().st_size > 0
        if folder != release:
            said = statement["parameters"]
            num_paid = said["num_steps"] + said.get("times step 1 is paid for", 1) - 1
            assert num_paid == int(folder.name.partition("-")[2])
    with np.load(release / "samples" / "samples.npz") as samples:
        assert len(samples["x"]) == 1000
    assert (release / "samples" / "grid.png").stat().st_size > 0
