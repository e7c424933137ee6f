"""The modules that a command imports: most of the time of a short answer. Each command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gossamer

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


def imported(cache: Path, *words: str, before: str = "") -> set[str]:
    """Run a command without kept pages of help, and return the names of all modules that it imported."""
    environment = os.environ | {"GOSSAMER_CACHE": str(cache)}
    command = [sys.executable, "-c", before + ASK, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
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
        (("ledger", "--help"), (*PRICES, *SLOW, *EXTRAS)),
        (("train", "gs-wgan", "--help"), (*PRICES, *SLOW, *EXTRAS)),
    ],
)
def test_a_command_imports_nothing_slow_that_it_does_not_need(
    words: tuple[str, ...], absent: tuple[str, ...], tmp_path: Path
) -> None:
    # A page of help shows what is imported before any work is done.
    assert imported(tmp_path, *words) & set(absent) == set()


def test_drawing_from_a_release_computes_no_price(tmp_path: Path) -> None:
    release = Path(gossamer.__file__).parent / "zoo" / "digits-epsilon-1"
    found = imported(tmp_path, "sample", str(release), "--num-samples", "3", "--out", str(tmp_path / "three.npz"))
    assert "torch" in found
    assert found & {*PRICES, *SLOW, *EXTRAS} == set()


def test_a_package_that_is_not_deferred_is_noticed(tmp_path: Path) -> None:
    planted = "import gossamer.cli.main\ngossamer.cli.main.defer = lambda name: None\n"
    assert imported(tmp_path, *ACCOUNT, before=planted) >= set(SLOW[:1])
