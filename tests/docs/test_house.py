"""The layout on the page of the house is that of the code: a row for each package, files that exist, layers as held."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gossamer"
HOUSE = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)/` \| (.*) \|$", HOUSE, re.MULTILINE))
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def missing(package: str, row: str) -> list[str]:
    """Files that a row names and that are neither in its package nor, with their folder, in the house."""
    named = re.findall(r"`((?:\w+/)*\w+\.py)`", row)
    return [name for name in named if not list(PACKAGE.glob(f"{package}/**/{name}")) and not (PACKAGE / name).is_file()]


def test_every_package_has_a_row() -> None:
    assert set(PACKAGES) <= set(ROWS)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_row_names_files_that_are_there(package: str) -> None:
    assert not missing(package, ROWS[package])


def test_the_layers_are_those_that_are_held() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    assert f"```text\n{' -> '.join(layers)}\n```" in HOUSE


def test_a_file_that_is_not_there_is_told() -> None:
    assert missing("privacy", "`slots.py`, `guess.py` and `nowhere/slots.py`") == ["guess.py", "nowhere/slots.py"]
