"""The modules that a command imports: most of the time of a short answer. Each command in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_of

import gossamer
from gossamer.methods.catalogue import METHODS

EXTRAS = ("pandas", "matplotlib", "sklearn", "xgboost", "jinja2", "sympy")
SLOW = ("scipy.stats", "scipy.signal", "dp_accounting.pld", "dp_accounting.mechanism_calibration")
PRICES = ("scipy.special", "scipy.optimize", "dp_accounting.rdp")
ASK = """
import sys
from gossamer.cli.main import main
code = main()
print(code, *sys.modules, file=sys.stderr)
"""


ACCOUNT = ("account", "gs-wgan", "--num-critics", "9", "--noise-multiplier", "2", "--num-steps", "3")


def imported(*words: str, before: str = "") -> set[str]:
    """Run a command, and return the names of all modules that it imported."""
    done = subprocess.run([sys.executable, "-c", before + ASK, *words], capture_output=True, text=True)
    code, *names = done.stderr.strip().splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(names)


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (("--help",), ("numpy", "rich", "torch", "dp_accounting.dp_event", *PRICES, *SLOW, *EXTRAS)),
        (("account", "--help"), ("torch", *PRICES, *SLOW, *EXTRAS)),
        (ACCOUNT, ("torch", *SLOW, *EXTRAS)),
        (
            ("account", "dp-cgan", "--num-slots", "99999", "--noise-multiplier", "9", "--num-steps", "3"),
            ("torch", *SLOW, *EXTRAS),
        ),
        (("account", "dp-merf", "--noise-multiplier", "9"), ("torch", *SLOW, *EXTRAS)),
        (("ledger", "--help"), ("torch", *PRICES, *SLOW, *EXTRAS)),
        (("train", "gs-wgan", "--help"), ("torch", *PRICES, *SLOW, *EXTRAS)),
    ],
)
def test_a_command_imports_nothing_slow_that_it_does_not_need(words: tuple[str, ...], absent: tuple[str, ...]) -> None:
    # A page of help shows what is imported before any work is done.
    assert imported(*words) & set(absent) == set()


EVERY = """
import contextlib, importlib, io, sys
from gossamer.cli.help_page import HelpAsked
from gossamer.cli.main import VERBS

asked = []
waiting = [(verb,) for verb in VERBS]
while waiting:
    verb, *rest = words = waiting.pop()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module(f"gossamer.cli.{verb}").run([*rest, "--help"])
    except HelpAsked as page:
        waiting += [(*words, choice) for choice in page.choices]
    asked.append(" ".join(words))
    if "torch" in sys.modules:
        sys.exit(f"torch: gossamer {asked[-1]} --help")
print(*asked, sep="\\n")
"""


def every_help(before: str = "") -> subprocess.CompletedProcess[str]:
    """Ask for the help of every command, and of every word that may follow one, until torch is imported."""
    return subprocess.run([sys.executable, "-c", before + EVERY], capture_output=True, text=True)


def test_no_help_imports_torch() -> None:
    done = every_help()
    assert done.returncode == 0, done.stderr
    asked = done.stdout.splitlines()
    assert {"sample", "evaluate", "audit mechanism", "federate plan gs-wgan"} <= set(asked)
    assert {f"train {method.name}" for method in METHODS} <= set(asked)


def test_a_help_that_imports_torch_is_named() -> None:
    planted = "import gossamer.cli.verify, sys\ngossamer.cli.verify.run = lambda words: __import__('torch')\n"
    done = every_help(planted)
    assert (done.returncode, done.stderr.strip()) == (1, "torch: gossamer verify --help")


@pytest.mark.parametrize("method", [method.name for method in METHODS])
def test_the_ledger_of_a_run_is_told_without_torch(method: str, gossamer: Any, tmp_path: Path) -> None:
    tiny = tiny_of(method)
    assert gossamer("train", method, "--data", "digits", "--out", tmp_path / "run", *tiny.words).code == 0
    found = imported("ledger", str(tmp_path / "run"))
    assert found & {"torch", "safetensors.torch", *EXTRAS} == set()


def test_drawing_from_a_release_computes_no_price(tmp_path: Path) -> None:
    release = Path(gossamer.__file__).parent / "zoo" / "digits-epsilon-1"
    found = imported("sample", str(release), "--num-samples", "3", "--out", str(tmp_path / "three.npz"))
    assert "torch" in found
    assert found & {*PRICES, *SLOW, *EXTRAS} == set()


def test_a_package_that_is_not_deferred_is_noticed() -> None:
    planted = "import gossamer.cli.main\ngossamer.cli.main.defer = lambda name: None\n"
    assert imported(*ACCOUNT, before=planted) >= set(SLOW[:1])
