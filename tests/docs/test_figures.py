"""Figures and names on the pages are those of the code: published claims, attackers' gains, pitfalls, errors."""

from __future__ import annotations

import ast
import importlib.util
import math
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from scipy.stats import norm

import gossamer
from gossamer.privacy import (
    PrivacyBudget,
    calibrate_noise_multiplier,
    gaussian_event,
    one_of_many_event,
    sum_of_many_event,
)
from gossamer.privacy.tradeoff import TradeOff

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PITFALLS = (DOCS / "concepts" / "pitfalls.md").read_text(encoding="utf-8")
SYSTEMS = (DOCS / "concepts" / "published-systems.md").read_text(encoding="utf-8")
SUMS = (DOCS / "concepts" / "sum-of-many.md").read_text(encoding="utf-8")
EPSILONS = (DOCS / "how-to" / "choose-epsilon.md").read_text(encoding="utf-8")
ERRORS = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
NAMED_TESTS = sorted(set(re.findall(r"`(\w+/[\w/]+\.py)::(test_\w+)`", PITFALLS)))
NAMED_FILES = sorted(set(re.findall(r"`([a-z_]+/\w+\.py)`", PITFALLS + SYSTEMS)))


def cells(text: str, head: str) -> list[list[str]]:
    """Rows of the table whose first line begins with these words."""
    _, found, rest = text.partition(f"| {head}")
    assert found, f"no table that begins with {head!r}"
    table = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


@cache
def published_claims() -> ModuleType:
    spec = importlib.util.spec_from_file_location("published_claims", ROOT / "examples" / "published_claims.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


@pytest.mark.parametrize("system", ["gs_wgan", "dp_cgan", "heartbeats"])
def test_the_page_on_published_systems_has_the_figures_that_its_script_computes(system: str) -> None:
    function = getattr(published_claims(), system)
    rows = cells(SYSTEMS, function.__doc__.rstrip("."))
    assert [row[:2] for row in rows] == [[what, f"{value:,.3f}"] for what, value in function().items()]


def attackers_gain(epsilon: float, delta: float) -> list[str]:
    """A row of the table of what an attacker gains, in per cent, rounded up; of a Gaussian the curve is known."""
    budget = PrivacyBudget(epsilon=epsilon, delta=delta)
    noise = calibrate_noise_multiplier(lambda noise: gaussian_event(noise_multiplier=noise), budget).noise_multiplier
    caught = [float(norm.cdf(norm.ppf(rate) + 1 / noise)) for rate in (0.01, 0.001)]
    alone = TradeOff(points=((epsilon, delta),)).largest_catch_rate(0.01)
    shares = (*caught, float(norm.cdf(1 / (2 * noise))), alone)
    return [f"{math.ceil(1000 * share - 1e-6) / 10:.1f} %".replace("100.0", "100") for share in shares]


@pytest.mark.parametrize("row", cells(EPSILONS, "epsilon, delta 1e-5"), ids=lambda row: row[0])
def test_the_page_on_epsilon_has_what_an_attacker_gains(row: list[str]) -> None:
    assert row[1:] == attackers_gain(float(row[0]), 1e-5)


def noise_of(epsilon: float, per_draw: int | None) -> str:
    """Noise for a signal of one answer in the last setting of the page on sums, of one of K or of a sum."""
    settings = {"num_critics": 2000, "num_steps": 320_000, "batch_size": 1, "draws_per_step": 1}
    more = {} if per_draw is None else {"critics_per_draw": per_draw}
    event_of = one_of_many_event if per_draw is None else sum_of_many_event
    found = calibrate_noise_multiplier(
        lambda noise: event_of(noise_multiplier=noise, **settings, **more), PrivacyBudget(epsilon=epsilon, delta=1e-6)
    )
    return f"{found.noise_multiplier / (per_draw or 1):.3f}"


@pytest.mark.parametrize("row", cells(SUMS, "critics, draws")[-3:], ids=lambda row: row[1])
def test_the_page_on_sums_has_the_noise_of_a_setting_that_no_recipe_has(row: list[str]) -> None:
    assert row[2:] == [noise_of(float(row[1]), per_draw) for per_draw in (None, 1, 2, 4)]


def test_the_quality_of_an_epsilon_is_that_of_the_study() -> None:
    study = (DOCS / "study.md").read_text(encoding="utf-8")
    mnist, _, clothes = study.partition("## Fashion-MNIST")
    for text, head in ((mnist, "MNIST: real"), (clothes, "Fashion-MNIST: real")):
        measured = {(row[0], row[1]): row[7].split(" ")[0] for row in cells(text, "method | epsilon")[1:]}
        for row in cells(EPSILONS, head):
            (method,) = re.findall(r"`([\w-]+)`", row[0])
            found = {epsilon: value for (name, epsilon), value in measured.items() if name.startswith(f"`{method}")}
            assert row[1:] == [found[epsilon] for epsilon in ("1", "2", "5", "10")]


@pytest.mark.parametrize(("path", "name"), NAMED_TESTS, ids=lambda value: value)
def test_every_test_that_stands_against_a_pitfall_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_pitfall_says_how_bad_it_is_and_what_stands_against_it() -> None:
    rows = [row for table in PITFALLS.split("| pitfall |")[1:] for row in cells(f"| pitfall |{table}", "pitfall |")]
    assert len(rows) > 45
    for pitfall, severity, here, test in rows:
        assert severity.split(" ")[0].strip(",:") in ("void", "high", "moderate", "misleading"), pitfall
        assert here
        assert "::test_" in test or test in ("the same", "none: it is how the suite is built", "none: it is said")


@pytest.mark.parametrize("path", NAMED_FILES)
def test_every_file_that_is_named_against_a_finding_exists(path: str) -> None:
    assert (ROOT / "src" / "gossamer" / path).is_file() or (ROOT / "tests" / path).is_file()


def test_every_error_on_the_page_of_errors_is_one_of_the_source() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    quoted = re.findall(r"^\| `([^`]+)` \| ", ERRORS.partition("## The ones")[2], re.MULTILINE)
    assert len(quoted) > 15
    assert [words for words in quoted if words not in source] == []
    assert "no error says this" not in source


def test_the_page_of_python_has_every_public_name_and_no_other() -> None:
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert named == set(gossamer.__all__)
