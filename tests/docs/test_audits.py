"""The table of planted breaks names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "concepts" / "audits.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))
ROWS = re.findall(r"^\| .*$", PAGE.partition("| planted break |")[2], re.MULTILINE)


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: value)
def test_every_test_that_the_page_names_exists(path: str, name: str) -> None:
    assert name in names_in(path)


def test_the_table_has_twelve_breaks_or_more_and_a_test_for_each() -> None:
    assert len(ROWS) >= 12
    assert all("test_" in row or "the same" in row for row in ROWS)


def test_a_test_that_is_not_there_is_told() -> None:
    assert "test_that_nobody_wrote" not in names_in("tests/docs/test_audits.py")
