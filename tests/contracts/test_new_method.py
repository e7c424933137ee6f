"""The house's "A new method", executed: a method made of its code blocks works wherever any method does.

Everything runs in a copy of the house, so that nothing of the method is in the house itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = "noisy-means"
BLOCK = re.compile(r"^```(?P<kind>\w+)\n# (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("src", "docs", "tests/contracts", "tests/shared", "tests/docs", "tests/conftest.py", "pyproject.toml")
COPIED += ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
INTERRUPTED = """
import os, signal, sys
from gossamer.cli.main import main
from gossamer.methods.noisy_means.training import NoisyMeansTraining

progress = NoisyMeansTraining.progress
def interrupted(training, report):
    if report.step == 0:
        os.kill(os.getpid(), signal.SIGINT)
    return progress(training, report)
NoisyMeansTraining.progress = interrupted
sys.exit(main(sys.argv[1:]))
"""


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

    def python(self, *words: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.path / "src"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *map(str, words)]
        return subprocess.run(command, cwd=self.path, env=environment, capture_output=True, text=True, check=False)

    def gossamer(self, *words: object) -> str:
        """What a command says that does what it was asked for."""
        done = self.python("-m", "gossamer", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pytest(self, *words: str) -> str:
        done = self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *words)
        assert done.returncode == 0, done.stdout[-3000:]
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
def run(house: House) -> Path:
    """A run that was interrupted after its first step and taken up again."""
    (house.path / "interrupted.py").write_text(INTERRUPTED)
    words = ("train", NAME, "--data", "digits", "--epsilon", 10, "--device", "cpu", "--out", "run")
    stopped = house.python("interrupted.py", *words)
    assert stopped.returncode == 130, stopped.stderr
    assert not (house.path / "run" / "release" / "generator.safetensors").exists()
    house.gossamer("resume", "run")
    return house.path / "run"


def test_the_page_has_a_file_for_each_room() -> None:
    tops = {path.partition("/")[0] for path in rooms()}
    assert tops == {"src", "tests", "docs", "noisy_means.py"}
    assert [path for path, (kind, _) in rooms().items() if kind == "diff"] == [
        "src/gossamer/methods/catalogue.py",
        "docs/index.md",
    ]


def test_it_is_listed_and_helped_wherever_methods_are(house: House) -> None:
    for verb in ("train", "account"):
        assert f"\n  {NAME} " in house.gossamer(verb, "--help")
        assert "--noise-multiplier" in house.gossamer(verb, NAME, "--help")
    assert "records drawn about the noisy mean" in house.gossamer("train", "--help")
    assert f"'train {NAME} --recipe'" in house.gossamer("completion", "bash")


def test_it_is_accounted_for(house: House) -> None:
    assert "3.73" in house.gossamer("account", NAME, "--epsilon", 1)


def test_it_says_what_it_will_take(house: House) -> None:
    assert "time: about" in house.gossamer("train", NAME, "--data", "digits", "--dry-run")


def test_it_is_interrupted_and_resumed_to_a_release(house: House, run: Path) -> None:
    assert "2 of 2 planned steps are charged" in house.gossamer("ledger", "run")
    card = (run / "release" / "README.md").read_text()
    assert f"trained by `{NAME}`" in card
    assert "the method:" not in card


def test_it_is_verified_sampled_and_reported(house: House, run: Path) -> None:
    assert "checks hold" in house.gossamer("verify", "run")
    assert "checks hold" in house.gossamer("verify", "run/release")
    house.gossamer("sample", "run", "--num-samples", 30, "--out", "samples.npz")
    assert (house.path / "samples.npz").stat().st_size > 30 * 64
    house.gossamer("report", "run/release", "--out", "report.html")
    assert "Noisy means" in (house.path / "report.html").read_text()


def test_it_fits_in_python(house: House) -> None:
    done = house.python("noisy_means.py")
    assert done.returncode == 0, done.stderr


def test_it_passes_the_contracts(house: House) -> None:
    suites = (f"tests/contracts/test_{name}.py" for name in ("methods", "people", "series"))
    said = house.pytest(*suites, "-k", f"{NAME} or every_method")
    found = re.search(r"(\d+) passed", said)
    assert found is not None
    assert int(found[1]) > 30


def test_its_page_can_be_reached(house: House) -> None:
    house.pytest("tests/docs/test_documentation.py", "-k", "noisy-means or index")


def test_a_method_that_is_not_in_the_list_is_unknown(house: House) -> None:
    catalogue = house.path / "src" / "gossamer" / "methods" / "catalogue.py"
    with_it = catalogue.read_text()
    catalogue.write_text((ROOT / catalogue.relative_to(house.path)).read_text())
    try:
        done = house.python("-m", "gossamer", "train", NAME, "--help")
    finally:
        catalogue.write_text(with_it)
    assert done.returncode == 2
