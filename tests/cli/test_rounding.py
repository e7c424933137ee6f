"""Every place that prints an epsilon prints one that is not below it; a floor is not above it."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gossamer.auditing.result import AuditResult
from gossamer.cli import account, announcing, audit
from gossamer.cli.following import _announce_release
from gossamer.cli.welcome import RunHere, State
from gossamer.driving import claims
from gossamer.driving.milestones import Milestone
from gossamer.driving.protection import describe_prospect
from gossamer.mechanisms.prospect import Prospect
from gossamer.methods.method import TakenRecipe
from gossamer.privacy import Adjacency, PrivacyStatement, Unit
from gossamer.privacy.events import GaussianPart
from gossamer.privacy.statement import shown_finely
from gossamer.reports.page import kept
from gossamer.reports.page.curves import _short
from gossamer.runs.folder import RunFolder

TRUE = 2.5000001
STATEMENT = PrivacyStatement(
    mechanism="sums", adjacency=Adjacency.SLOT, unit=Unit.RECORD, num_slots=100, epsilon=TRUE, delta=1e-3,
    epsilon_rdp=TRUE, noise_multiplier=1.0, clip_norm=None, parameters=(), accountants=(), num_tuning_runs=0,
    public_inputs=(), covered=(), not_covered=(), truncation_delta=0.0, is_secure=True,
    event=(GaussianPart(noise_multiplier=1.0, count=1),),
)  # fmt: skip
AUDIT = AuditResult(
    kind="games", lower_bound_epsilon=1.0009999, claimed_epsilon=TRUE, delta=1e-5, confidence=0.95, num_games=10
)


class NoNotes:
    public_notes: tuple[str, ...] = ()
    columns: None = None
    unread: tuple[str, ...] = ()


def said(show: Callable[..., Any], *what: Any) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show(*what)
    return out.getvalue()


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """The words of each place that speaks of `TRUE`."""
    folder = RunFolder(tmp_path)
    milestone = Milestone(step=3, epsilon=TRUE, asked=("step 3",))
    found = {"epsilon": {"pld": TRUE, "rdp": TRUE, "fixed_pair": 1.0009999}}
    tree = {"lower_bound_epsilon": 1.0009999, "claimed_epsilon": TRUE}
    row = kept._bound("games", "epsilon", tree, 0.95)
    assert row is not None
    here = RunHere(path=tmp_path, state=State.FINISHED, data="digits", reading="", epsilon=TRUE, age_key=0.0)
    return {
        "before a training": said(announcing.announce, STATEMENT, NoNotes(), TakenRecipe(name="own")),
        "after a training": said(_announce_release, SimpleNamespace(statement=STATEMENT, verdict=None), folder),
        "on the way": said(announcing.show_milestones, (milestone,)),
        "gossamer": str(here),
        "account": said(account._show, found),
        "audit": said(audit._show, (AUDIT,)),
        "verify": " ".join(str(one) for one in claims._epsilons(STATEMENT, (TRUE, TRUE), 1e-4)),
        "report of audits": f"{row.found} {row.claimed}",
        "report of curves": _short(TRUE),
        "statement": STATEMENT.to_markdown(),
    }


def test_what_is_printed_is_at_least_what_is_true(places: dict[str, str]) -> None:
    for place, words in places.items():
        figures = [float(figure) for figure in re.findall(r"\b2\.[45]\d*", words)]
        assert figures, place
        assert all(TRUE <= figure < TRUE + 0.0011 for figure in figures), (place, words)


def test_a_floor_is_rounded_down(places: dict[str, str]) -> None:
    for place in ("account", "audit", "report of audits"):
        assert re.search(r"\b1\.000\b", places[place]), place
        assert "1.001" not in places[place]


def test_the_second_figure_of_a_training_is_rounded_up_too(places: dict[str, str]) -> None:
    assert places["before a training"].count("2.501") == 2


def test_noise_for_a_budget_is_rounded_up_and_counts_stay_whole() -> None:
    text = said(account._show, {"noise_multiplier": {"pld": 0.81562012, "rdp": 1.0}, "num_steps": {"pld": 12}})
    assert "0.815621" in text
    assert re.search(r"num_steps .* 12 *\n", text)
    assert re.search(r"independent\) +1 *\n", text)


def test_a_large_epsilon_s_advice_is_not_rounded_down() -> None:
    prospect = Prospect(ratio=0.2, num_slots=47, num_slots_needed=235)
    assert "epsilon 1234.561" in describe_prospect(prospect, 1234.561, Unit.PERSON)


@pytest.mark.parametrize(
    ("adjacency", "words"),
    [
        (Adjacency.SLOT, "with it as without it, or with another in its place, up to"),
        (Adjacency.ADD_OR_REMOVE_ONE, "with it as without it, up to"),
        (Adjacency.REPLACE_ONE, "with it as with any other in its place, up to"),
    ],
)
def test_what_is_announced_is_what_the_adjacency_covers(tmp_path: Path, adjacency: Adjacency, words: str) -> None:
    trained = SimpleNamespace(statement=dataclasses.replace(STATEMENT, adjacency=adjacency), verdict=None)
    text = said(_announce_release, trained, RunFolder(tmp_path))
    assert words in text


SOURCE = Path(__file__).parents[2] / "src" / "gossamer"
ROUNDED_UP = ("shown_epsilon(", "shown_finely(", "round_up(", "math.ceil(")
FORMATTED = {
    # Words of whoever asked, given back to them: no price.
    "cli/account.py": {"max(asked.epsilon)", "budget.epsilon", "epsilon"},
    "driving/milestones.py": {"epsilon", "budget.epsilon"},
    "driving/protection.py": {"epsilon"},
    "methods/choosing.py": {"facts.epsilon", "best.epsilon", "row.epsilon"},
    "privacy/accounting.py": {"budget.epsilon"},
    # Of a public table, whose epsilons are 1, 3 and 10.
    "cli/rehearsing.py": {"row.epsilon"},
    # A floor, which is rounded down.
    "cli/audit.py": {"math.floor(result.lower_bound_epsilon * 1000) / 1000"},
    # A figure in print that does not hold; another digit would make every earlier PRIVACY.md another text.
    "privacy/statement.py": {"self.published_epsilon", "epsilon"},
}
"""Where a number with epsilon in its name is formatted and not rounded up, each with a reason."""


def formatted(source: str) -> set[str]:
    """Expressions with epsilon in their names that an f-string rounds to nearest."""
    values = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FormattedValue) and node.format_spec)
    texts = {ast.unparse(value.value) for value in values}
    is_number = re.compile(r"(?<!')\b\w*epsilon\b")
    return {text for text in texts if is_number.search(text) and not text.startswith(ROUNDED_UP)}


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_place_rounds_an_epsilon_to_nearest_unless_it_is_named_here(file: Path) -> None:
    assert formatted(file.read_text(encoding="utf-8")) <= FORMATTED.get(str(file.relative_to(SOURCE)), set())


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.j2")), ids=lambda file: file.name)
def test_no_page_rounds_an_epsilon_to_nearest(file: Path) -> None:
    shown = re.findall(r"{{[^}]*}}", file.read_text(encoding="utf-8"))
    assert [one for one in shown if re.search(r"epsilon\w*\|(?!epsilon|factor)|format\([^)]*epsilon", one)] == []


def test_a_planted_rounding_is_found() -> None:
    assert formatted('f"epsilon {claim.epsilon:.3f}"') == {"claim.epsilon"}
    assert formatted('f"epsilon {shown_epsilon(claim.epsilon):>9}"') == set()


@pytest.mark.parametrize("epsilon", [TRUE, 9.18, 1.0, 123456.7, 0.00123456001, 329.414999999, 1e-9])
def test_six_digits_are_never_below_and_hardly_above(epsilon: float) -> None:
    assert epsilon * (1 - 1e-12) <= float(shown_finely(epsilon)) <= epsilon * (1 + 1e-5) + 1e-15


def test_a_figure_that_is_no_price_is_shown_as_it_is() -> None:
    assert (shown_finely(math.inf), shown_finely(0.0)) == ("inf", "0")
