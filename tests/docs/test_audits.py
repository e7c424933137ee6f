"""The table of planted breaks and the auditor's walk name tests, files and functions that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "concepts" / "audits.md").read_text(encoding="utf-8")
WALK = (ROOT / "docs" / "audit-walk.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE + WALK)))
SUMS = (ROOT / "docs" / "concepts" / "sum-of-many.md").read_text(encoding="utf-8")
NAMED += [(f"tests/{path}", name) for path, name in re.findall(r"`(\w+/[\w/]+\.py)::(test_\w+)`", SUMS)]
ROWS = re.findall(r"^\| .*$", PAGE.partition("| planted break |")[2], re.MULTILINE)
PLACES = re.split(r"^## ", WALK, flags=re.MULTILINE)[1:]
PARTS = ("Read", "Check", "Breaks if", "Caught by", "Why")
NUM_PLACES = 20


@cache
def names_in(path: str) -> frozenset[str]:
    """Functions and classes of a file, those of a class also as `Class.function`."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    named = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    within = [
        f"{node.name}.{part.name}"
        for node in named
        if isinstance(node, ast.ClassDef)
        for part in node.body
        if isinstance(part, ast.FunctionDef)
    ]
    return frozenset([*(node.name for node in named), *within])


def parts_of(place: str) -> dict[str, str]:
    return dict(re.findall(r"^- \*\*(.+?):\*\* (.+)$", place, re.MULTILINE))


def read_at(place: str) -> list[tuple[str, str]]:
    """Files of a place, each with the functions that are named after it."""
    found = []
    for path, names in re.findall(r"`([\w/]+\.py)`: ((?:`[\w.]+`(?:, )?)+)", parts_of(place)["Read"]):
        found.extend((f"src/gossamer/{path}", name) for name in re.findall(r"`([\w.]+)`", names))
    return found


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: value)
def test_every_test_that_the_pages_name_exists(path: str, name: str) -> None:
    assert name in names_in(path)


def test_the_table_has_twelve_breaks_or_more_and_a_test_for_each() -> None:
    assert len(ROWS) >= 12
    assert all("test_" in row or "the same" in row for row in ROWS)


def test_the_walk_has_twenty_places_in_order() -> None:
    assert [int(place.partition(".")[0]) for place in PLACES] == list(range(1, NUM_PLACES + 1))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.partition("\n")[0])
def test_a_place_of_the_walk_says_all_and_names_what_is_there(place: str) -> None:
    parts = parts_of(place)
    assert tuple(parts) == PARTS
    assert re.search(r"`tests/[\w/]+\.py::test_\w+`", parts["Caught by"])
    assert re.search(r"\]\((concepts|how-to|reference)/", parts["Why"])
    named = read_at(place)
    assert len({path for path, _ in named}) == parts["Read"].count(".py`")
    for path, name in named:
        assert name in names_in(path), f"{path} has no {name}"


def test_a_test_or_a_function_that_is_not_there_is_told() -> None:
    assert "test_that_nobody_wrote" not in names_in("tests/docs/test_audits.py")
    assert "StepGate.give" not in names_in("src/gossamer/mechanisms/gate.py")
