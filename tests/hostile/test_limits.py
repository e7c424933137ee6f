"""The limits that the page on files states are those of the code, and none is left out."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "files.md"
ROWS = re.findall(
    r"^\| [^|]+ \| ([0-9,]+) \| `([a-z_.]+)\.([A-Z_]+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
)
PACKAGES = ("data", "runs", "nn", "methods")


def module_of(name: str) -> ModuleType:
    """A module by the end of its name; the first package that has it."""
    if "." in name:
        return importlib.import_module(f"gossamer.{name}")
    for package in PACKAGES:
        if importlib.util.find_spec(f"gossamer.{package}.{name}") is not None:
            return importlib.import_module(f"gossamer.{package}.{name}")
    raise AssertionError(f"no module {name}")


@pytest.mark.parametrize(("value", "module", "constant"), ROWS, ids=lambda text: text)
def test_the_page_states_what_the_code_holds(value: str, module: str, constant: str) -> None:
    assert getattr(module_of(module), constant) == int(value.replace(",", ""))


@pytest.mark.parametrize("module", sorted({module for _, module, _ in ROWS}))
def test_every_public_limit_of_a_reader_stands_on_the_page(module: str) -> None:
    stated = {constant for _, other, constant in ROWS if other == module}
    own = re.findall(r"^(MAX_[A-Z_]+)\b.* = ", Path(str(module_of(module).__file__)).read_text(), re.MULTILINE)
    assert set(own) <= stated, "a limit that the page does not state"


def test_there_are_rows_to_compare() -> None:
    assert len(ROWS) > 30
