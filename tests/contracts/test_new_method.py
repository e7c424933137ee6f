"""The house's "A new method", executed: a method made of its code blocks works wherever any method does.

Everything runs in a copy of the house, so that nothing of the method is in the house itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
NAME = "noisy-means"
BLOCK = re.compile(r"^```(?P<kind>\w+)\n# (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("src", "docs", "tests/contracts", "tests/shared", "tests/docs", "tests/conftest.py", "pyproject.toml")
COPIED += ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
IN_TURN = """
import contextlib, io, json, os, signal, sys
from gossamer.cli.main import main
from gossamer.methods.noisy_means.training import NoisyMeansTraining

progress = NoisyMeansTraining.progress
def interrupted(training, report):
    NoisyMeansTraining.progress = progress
    os.kill(os.getpid(), signal.SIGINT)
    return progress(training, report)
NoisyMeansTraining.progress = interrupted

told = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words.split())
    told.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(told))
"""
"""Runs commands one after the other in one process; the first training is interrupted after its first step."""
COMMANDS = {
    "train": "train noisy-means --data digits --epsilon 10 --device cpu --out run",
    "ledger": "ledger run",
    "resume": "resume run",
    "spent": "ledger run",
    "verify": "verify run",
    "verify alone": "verify run/release",
    "sample": "sample run --num-samples 30 --out samples.npz",
    "report": "report run/release --out report.html",
    "account": "account noisy-means --epsilon 1",
    "dry run": "train noisy-means --data digits --dry-run",
    "methods": "train --help",
    "accounts": "account --help",
    "help": "train noisy-means --help",
    "help of account": "account noisy-means --help",
    "completion": "completion bash",
}


def rooms() -> dict[str, tuple[str, str]]:
    """Kind and text of each block of the section, by the path on its first line."""
    page = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
    section = page.partition("## A new method\n")[2].partition("\n## ")[0]
    return {found["path"]: (found["kind"], found["text"]) for found in BLOCK.finditer(section)}


def patched(text: str, difference: str) -> str:
    """The text with each line that begins with + behind the line that stands above it."""
    lines, at = text.splitlines(), -1
    for line in difference.splitlines():
        if line.startswith("+"):
            at += 1
            lines.insert(at, line[1:])
        else:
            at = lines.index(line[1:], at + 1)
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class House:
    """A copy of the house with the method in it."""

    path: Path

    def python(self, *words: str, told: str = "") -> str:
        """What Python says that does what it was asked for."""
        environment = os.environ | {"PYTHONPATH": str(self.path / "src"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.path,
            env=environment,
            input=told,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    place = tmp_path_factory.mktemp("house")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, place / name)
    for path, (kind, text) in rooms().items():
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(patched(target.read_text(), text) if kind == "diff" else text)
    return House(place)


@pytest.fixture(scope="module")
def said(house: House) -> dict[str, tuple[int, str, str]]:
    """Exit code, standard output and standard error of each command, done in turn."""
    told = json.loads(house.python("-c", IN_TURN, told=json.dumps(list(COMMANDS.values()))))
    return {name: tuple(one) for name, one in zip(COMMANDS, told, strict=True)}


def test_the_page_has_a_file_for_each_room() -> None:
    tops = {path.partition("/")[0] for path in rooms()}
    assert tops == {"src", "tests", "docs", "noisy_means.py"}
    lists = [path for path, (kind, _) in rooms().items() if kind == "diff"]
    assert lists == ["src/gossamer/methods/catalogue.py", "docs/index.md"]


def test_every_command_does_what_it_was_asked_for(said: dict[str, tuple[int, str, str]]) -> None:
    assert {name: code for name, (code, _, _) in said.items() if code} == {"train": 130}, said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ledger", "1 of 2 planned steps are charged"),
        ("spent", "2 of 2 planned steps are charged"),
        ("verify", "checks hold"),
        ("verify alone", "checks hold"),
        ("account", "3.73"),
        ("dry run", "time: about"),
        ("methods", "\n  noisy-means       records drawn about the noisy mean of their class"),
        ("accounts", "\n  noisy-means       a few noisy sums"),
        ("help", "--num-sums INT"),
        ("help of account", "gossamer account noisy-means --epsilon 1"),
        ("completion", "'train noisy-means --recipe'"),
    ],
)
def test_it_stands_wherever_methods_are(said: dict[str, tuple[int, str, str]], name: str, words: str) -> None:
    assert words in said[name][1]


def test_card_samples_and_report_are_written(house: House, said: dict[str, tuple[int, str, str]]) -> None:
    card = (house.path / "run" / "release" / "README.md").read_text()
    assert f"trained by `{NAME}`" in card
    assert "the method:" not in card  # no paper
    with np.load(house.path / "samples.npz") as samples:
        assert samples["x"].shape == (30, 1, 8, 8)
    assert "Noisy means" in (house.path / "report.html").read_text()


def test_it_fits_in_python(house: House) -> None:
    house.python("noisy_means.py")


def test_it_passes_the_contracts_and_its_page_can_be_reached(house: House) -> None:
    suites = (f"tests/contracts/test_{name}.py" for name in ("methods", "people", "series", "statements", "levels"))
    chosen = f"{NAME} or every_method or index"
    told = house.python("-m", "pytest", "-q", *suites, "tests/docs/test_documentation.py", "-k", chosen)
    found = re.search(r"(\d+) passed", told)
    assert found is not None
    assert int(found[1]) > 35


def test_a_method_that_is_in_no_list_is_known_to_nobody(gossamer: Any) -> None:
    assert gossamer("train", NAME, "--help").code == 2
    assert gossamer("account", NAME, "--epsilon", 1).code == 2
