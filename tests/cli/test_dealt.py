"""`evaluate` and `audit` in two real processes: jobs are dealt out, and the figures are those of one process."""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.auditing import mechanism
from gossamer.mechanisms.noise import DeterministicNoise

QUICKLY = ("--data", "digits", "--quick", "--num-samples", 600, "--json")  # more than are encoded at once
FEW = ("--num-games", 200, "--num-bits", 90, "--json")
PATIENCE_S = 120.0
HELPER = """
import functools, os, sys
from gossamer.auditing import mechanism, membership
from gossamer.cli.main import main
from gossamer.errors import InputError
from gossamer.evaluation import classifiers, downstream, encoder
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.scoring import bench

classifiers._MIN_UPDATES, classifiers._NUM_EPOCHS = 40, 1
mechanism.KeyedNoise = functools.partial(DeterministicNoise, 3)

def noted(job):
    def perform(*arguments):
        with open(sys.argv[2], "a") as file:
            file.write(job.__name__ + "\\n")
        return job(*arguments)
    return functools.wraps(job)(perform)

def die(*arguments):
    os._exit(9)

def refuse(*arguments):
    raise InputError("this cannot be judged")

what, where = sys.argv[1], sys.argv[3]
rooms = {"_perform": downstream, "_features_of": encoder, "_scores_of_draw": bench}
rooms |= {"_play_sums": mechanism, "_play_draws": mechanism}
rooms |= dict.fromkeys(["attack_by_distance", "attack_by_density_ratio"], membership)
for name, room in rooms.items():
    job = getattr(room, name)
    setattr(room, name, {"die": die, "refuse": refuse}[what] if name == where else noted(job))
sys.exit(main(["evaluate"]))
"""


class Second:
    """The second of two processes, and the jobs that it did."""

    def __init__(self, what: str, where: str, journal: Path, env: dict[str, str]) -> None:
        self._journal = journal
        self._process = subprocess.Popen(
            [sys.executable, "-c", HELPER, what, str(journal), where],
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def end(self) -> tuple[int, bytes]:
        """How it ended, and all that it said."""
        said, _ = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, said

    def kill(self) -> None:
        """End it, however it is."""
        self._process.kill()
        self._process.wait()

    @property
    def jobs(self) -> Counter[str]:
        """Kinds of jobs that it did, and how many."""
        return Counter(self._journal.read_text().splitlines() if self._journal.exists() else ())


@pytest.fixture
def second(monkeypatch: Any, tmp_path: Path) -> Iterator[Callable[..., Second]]:
    """Start a second process, and let this one be the first."""
    begun: list[Second] = []

    def begin(what: str = "work", where: str = "") -> Second:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
        for name, value in (common | {"RANK": "0"}).items():
            monkeypatch.setenv(name, value)
        begun.append(Second(what, where, tmp_path / "journal", common | {"RANK": "1"}))
        return begun[-1]

    yield begin
    for one in begun:
        one.kill()


@pytest.fixture(autouse=True)
def new_cache(bench_of_seconds: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Nothing is kept from another test."""
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run(finished: Path, tmp_path: Path, copy_run: Any) -> Path:
    return copy_run(finished, tmp_path / "run")


def test_two_processes_find_the_scores_of_one_bit_for_bit(
    gossamer: Any, run: Path, tmp_path: Path, second: Any, monkeypatch: Any
) -> None:
    alone = gossamer("evaluate", run, *QUICKLY, "--num-workers", 1)
    assert alone.code == 0, alone.err
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "another"))
    helper = second()
    both = gossamer("evaluate", run, *QUICKLY)
    assert both.code == 0, both.err
    assert json.loads(both.out) == json.loads(alone.out)
    assert helper.end() == (0, b"")
    # Two classifiers, each on real and on synthetic images; two halves of the features of either; the scores of either.
    assert 1 <= helper.jobs["_perform"] < 4
    assert 1 <= helper.jobs["_features_of"] <= 4
    assert 1 <= helper.jobs["_scores_of_draw"] <= 2


def test_two_processes_play_the_games_of_one_bit_for_bit(
    gossamer: Any, run: Path, second: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(mechanism, "KeyedNoise", functools.partial(DeterministicNoise, 3))
    alone = gossamer("audit", "mechanism", run, *FEW)
    assert alone.code == 0, alone.err
    helper = second()
    both = gossamer("audit", "mechanism", run, *FEW)
    assert (both.code, both.out) == (0, alone.out)
    assert helper.end() == (0, b"")
    assert helper.jobs["_play_sums"] + helper.jobs["_play_draws"] >= 1


def test_two_processes_attack_members_as_one_does(gossamer: Any, run: Path, second: Any) -> None:
    attack = ("audit", "membership", run, "--num-samples", 200, "--json")
    alone = gossamer(*attack)
    assert alone.code == 0, alone.err
    helper = second()
    both = gossamer(*attack)
    assert (both.code, both.out) == (0, alone.out)
    assert helper.end() == (0, b"")
    assert helper.jobs["attack_by_distance"] + helper.jobs["attack_by_density_ratio"] >= 1


@pytest.mark.parametrize("where", ["_features_of", "_scores_of_draw", "_perform"])
def test_one_that_dies_amid_a_job_ends_the_work_in_one_line(gossamer: Any, run: Path, second: Any, where: str) -> None:
    helper = second("die", where)
    said = gossamer("evaluate", run, *QUICKLY)
    assert said.code == 4
    assert said.err.splitlines()[-1].startswith("gossamer: another process cannot be reached or has ended")
    assert said.out == ""
    assert not (run / "private" / "evaluation").exists()
    assert helper.end()[0] == 9


def test_a_refusal_by_another_process_is_told_by_the_first(gossamer: Any, run: Path, second: Any) -> None:
    helper = second("refuse", "_perform")
    said = gossamer("evaluate", run, *QUICKLY)
    assert said.code == 2
    assert said.err.splitlines()[-1] == "gossamer: this cannot be judged"
    assert helper.end()[1] == b""


def test_workers_beside_processes_are_refused_and_nobody_is_left(gossamer: Any, run: Path, second: Any) -> None:
    helper = second()
    said = gossamer("evaluate", run, *QUICKLY, "--num-workers", 2)
    assert said.code == 2
    assert "--nproc-per-node" in said.err
    assert helper.end() == (0, b"")
