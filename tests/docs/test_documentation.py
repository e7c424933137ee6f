"""What the documentation promises: commands run, flags exist, links lead somewhere, Python compiles and runs."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.cli.account import ACCOUNTS
from gossamer.cli.main import VERBS, main
from gossamer.evaluation.record import Claim, Evaluation
from gossamer.evaluation.score import Score
from gossamer.evaluation.series import suite as series
from gossamer.evaluation.suite import FEATURE_SCORES, FULL, score_names
from gossamer.recipes import gs_wgan as recipes
from gossamer.recipes.books import BOOKS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
METHODS = {
    "train": tuple(book.method.name for book in BOOKS),
    "account": tuple(ACCOUNTS),
    "data": ("list", "describe"),
    "encoder": ("train",),
    "audit": ("mechanism", "training", "membership"),
}
RUN_MARK = "<!-- test: run -->"
BLOCK = re.compile(r"^(?P<mark><!-- test: run -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    kind: str
    text: str
    is_run: bool

    @property
    def commands(self) -> list[list[str]]:
        """The words of each line that calls gossamer, continued lines joined, comments and prompts removed."""
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]
        return [command[1:] for command in words if command and command[0] == "gossamer"]


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page=page, kind=found["kind"], text=found["text"], is_run=found["mark"] is not None)
        for found in BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]
COMMANDS = [(block, command) for block in BLOCKS if block.kind == "console" for command in block.commands]
PYTHON = [block for block in BLOCKS if block.kind == "python"]


def name_of(value: Any) -> str:
    if isinstance(value, Path):
        return str(value.relative_to(ROOT))
    return str(value.page.relative_to(ROOT)) if isinstance(value, Block) else " ".join(value)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in that holds the file which the pages call scans.npz, and recipes of two steps."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, size=(300, 8, 8), dtype=np.uint8)
    np.savez_compressed(tmp_path / "scans.npz", x=x, y=rng.integers(0, 3, size=300))
    short = {"num_steps": 2, "num_critics": 30, "batch_size": 10, "draws_per_step": 10, "fork_steps": 1}
    digits = replace(recipes.DIGITS_CPU, **short)
    monkeypatch.setattr(recipes, "DIGITS_CPU", digits)
    named = tuple(
        replace(recipe, config=digits) if recipe.name == "digits-cpu" else recipe for recipe in recipes.RECIPES
    )
    monkeypatch.setattr(recipes, "RECIPES", named)
    return tmp_path


def verb_of(command: list[str]) -> list[str]:
    """The verb, with the method or action that it needs."""
    assert command, "a line that says gossamer and nothing else"
    assert command[0] in VERBS, f"no command {command[0]!r}"
    if command[0] not in METHODS:
        return command[:1]
    assert command[1] in METHODS[command[0]], f"gossamer {command[0]} knows no {command[1]!r}"
    return command[:2]


def test_there_are_pages_commands_and_python_to_test() -> None:
    assert len(PAGES) > 20
    assert len(COMMANDS) > 20
    assert len(PYTHON) > 4
    assert sum(len(block.commands) for block in BLOCKS if block.is_run) > 6


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_mark_stands_before_a_block_of_commands(page: Path) -> None:
    runnable = [block for block in blocks(page) if block.is_run]
    assert page.read_text(encoding="utf-8").count(RUN_MARK) == len(runnable)
    assert all(block.kind == "console" and block.commands for block in runnable)


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=name_of)
def test_verbs_and_flags_exist(block: Block, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    verb = verb_of(command)
    flags = {word.split("=")[0] for word in command[len(verb) :] if word.startswith("--")}
    if not flags:
        return
    assert main([*verb, "--help"]) == 0
    known = set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", capsys.readouterr().out))
    assert flags <= known, f"{block.page.name}: gossamer {' '.join(verb)} knows no {', '.join(sorted(flags - known))}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_named_in_the_text_exist(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"`(--[a-z][\w.-]*)`", text)) - {"--help"}
    if not named:
        return
    known: set[str] = set()
    for verb in VERBS:
        for method in METHODS.get(verb, ("",)):
            if (verb, method) != ("data", "list"):
                assert main([word for word in (verb, method, "--help") if word]) == 0
    known = set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", capsys.readouterr().out))
    assert named <= known, f"{page.name}: no command knows {', '.join(sorted(named - known))}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.is_run], ids=name_of)
def test_marked_commands_run(block: Block, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in block.commands:
        assert main(command) == 0, f"gossamer {' '.join(command)}: {capsys.readouterr().err}"
        assert capsys.readouterr().out.strip(), f"gossamer {' '.join(command)} said nothing"


@pytest.mark.parametrize("block", PYTHON, ids=name_of)
def test_python_runs_as_it_stands(block: Block, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block.text, str(block.page), "exec"), {"__name__": "documentation"})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, heading = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}, which does not exist"
        if heading:
            assert heading in headings(linked), f"{page.name} links to {target}, but there is no such heading"


def headings(page: Path) -> set[str]:
    """Headings of a page as they stand in links."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_of_the_docs_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\(([^)\s]+)\)", index.read_text(encoding="utf-8"))
    }
    missing = [page for page in ROOT.glob("docs/**/*.md") if page != index and page.resolve() not in linked]
    assert not missing


def test_the_tables_of_exit_codes_and_commands_name_every_verb() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "reference" / "cli.md"):
        text = page.read_text(encoding="utf-8")
        assert all(f"gossamer {verb}" in text for verb in VERBS), page


def test_the_reference_of_the_statement_names_every_key(place: Path) -> None:
    from gossamer import GSWGAN

    keys = GSWGAN(num_classes=3).fit("scans.npz").statement.to_json()
    text = (ROOT / "docs" / "reference" / "privacy-json.md").read_text(encoding="utf-8")
    assert all(f"| `{key}` |" in text for key in keys)
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(keys)


def test_the_reference_of_evaluations_names_every_key_and_every_score() -> None:
    score = Score(
        name="recall", value=0.5, low=0.4, high=0.6, higher_is_better=True, num_synthetic=9, num_real=9, seeds=(0,),
        source="example",
    )  # fmt: skip
    claim = Claim(mechanism="example", epsilon=1.0, delta=1e-5, step=3)
    record = Evaluation(
        target="a", claim=claim, data="b", suite="full", num_samples=9, seeds=(0,), scores={"recall": score}, skipped={}
    ).to_json()
    text = (ROOT / "docs" / "reference" / "evaluation-json.md").read_text(encoding="utf-8")
    keys, *_ = text.partition("## Several targets")
    expected = {*record, *record["claim"], *record["scores"]["recall"], "checkpoints"}
    assert names_in_first_column(keys) == expected - {"name"}


def test_the_reference_of_evaluations_names_no_score_that_is_not_there() -> None:
    text = (ROOT / "docs" / "reference" / "evaluation-json.md").read_text(encoding="utf-8")
    scores, _, rest = text.partition("## Names of scores\n")[2].partition("| classifier | what |")
    classifiers = names_in_first_column(rest.partition("## ")[0])
    patterns = names_in_first_column(scores)
    named = {
        pattern.replace("CLASSIFIER", classifier).replace("FEATURE", feature)
        for pattern, classifier, feature in itertools.product(patterns, classifiers, FEATURE_SCORES)
    }
    assert named == {*score_names(FULL), "fid_inception"}
    assert classifiers == {one.name for one in FULL.classifiers}


def test_the_reference_of_evaluations_names_every_score_of_series_and_no_other() -> None:
    text = (ROOT / "docs" / "reference" / "evaluation-json.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("| name of a series score |")
    patterns, _, judges = rest.partition("## ")[0].partition("| judge | what |")
    words = {
        "LOOK": series.look_names(series.FULL),
        "JUDGE": tuple(names_in_first_column(judges)),
        "KIND": ("accuracy", "macro_f1", "auroc"),
        "RATE": ("accuracy", "macro_f1"),
    }
    named = names_in_first_column(patterns)
    for word, values in words.items():
        named = {pattern.replace(word, value) for pattern in named for value in values}
    assert named == set(series.score_names(series.FULL))
    assert set(words["JUDGE"]) == {one.name for one in series.FULL.classifiers}


def names_in_first_column(text: str) -> set[str]:
    """Words in code type in the first column of a page's tables."""
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_a_planted_wrong_flag_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    planted = Block(page=ROOT / "README.md", kind="console", text="$ gossamer sample RUN --number 3\n", is_run=False)
    with pytest.raises(AssertionError, match="--number"):
        test_verbs_and_flags_exist(planted, planted.commands[0], capsys)
