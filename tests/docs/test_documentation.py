"""What the documentation promises beside its commands: links lead somewhere, tables have what the code has."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gossamer
from gossamer.cli.main import VERBS, main
from gossamer.evaluation.listed import names_of, needing
from gossamer.evaluation.record import Claim, Evaluation
from gossamer.evaluation.score import Score
from gossamer.evaluation.series import suite as series
from gossamer.evaluation.suite import FULL, SCORES, ImageFeatures
from gossamer.methods.catalogue import find_method

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^ *```\w*\n.*?^ *```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


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


def test_the_table_of_commands_and_the_headings_below_it_name_every_verb() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    table = text.partition("| command | purpose |")[2].partition("\n\n")[0]
    assert [verb for verb in VERBS if f"`gossamer {verb}" not in table] == []
    assert [verb for verb in VERBS if f"## gossamer {verb}" not in text] == []


def test_the_first_page_is_two_screens_with_one_table_and_one_picture() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") < 110
    assert len(re.findall(r"^\|---", text, re.MULTILINE)) == 1
    assert re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text) == ["docs/pictures/zoo-mnist.png"]


def test_the_picture_on_the_first_page_is_the_one_that_the_command_beside_it_draws(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\$ gossamer (sample .*) --out digits\.png$", text, re.MULTILINE)
    assert main([*line.split(), "--out", str(tmp_path / "digits.png")]) == 0
    drawn, kept = (
        np.asarray(Image.open(file), dtype=float)
        for file in (tmp_path / "digits.png", ROOT / "docs" / "pictures" / "zoo-mnist.png")
    )
    assert drawn.shape == kept.shape
    # Another processor may round a product otherwise, and no more than that.
    assert np.abs(drawn - kept).max() <= 2


def test_the_page_of_the_commands_names_every_recipe_of_its_methods() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    table = text.partition("| method | recipes |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]*) \|", table, re.MULTILINE))
    assert "gs-wgan" in rows
    for name, recipes in rows.items():
        assert re.findall(r"`([\w-]+)`", recipes) == [recipe.name for recipe in find_method(name).recipes]


def test_the_reference_of_the_statement_names_every_key() -> None:
    images = np.zeros((60, 8, 8), dtype=np.uint8)
    keys = gossamer.DPMixture(epsilon=10.0, num_classes=3).fit(images, np.arange(60) % 3).statement.to_json()
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
    features = [one.name for one in needing(SCORES, ImageFeatures)]
    named = {
        pattern.replace("CLASSIFIER", classifier).replace("FEATURE", feature)
        for pattern, classifier, feature in itertools.product(patterns, classifiers, features)
    }
    assert named == set(names_of(SCORES))
    assert classifiers == {one.name for one in FULL.classifiers}


def test_the_reference_of_evaluations_names_every_score_of_series_and_no_other() -> None:
    text = (ROOT / "docs" / "reference" / "evaluation-json.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("| name of a series score |")
    patterns, _, judges = rest.partition("## ")[0].partition("| judge | what |")
    words = {
        "LOOK": tuple(one.name for one in needing(series.SCORES, series.Look)),
        "JUDGE": tuple(names_in_first_column(judges)),
        "KIND": ("accuracy", "macro_f1", "auroc"),
        "RATE": ("accuracy", "macro_f1"),
    }
    named = names_in_first_column(patterns)
    for word, values in words.items():
        named = {pattern.replace(word, value) for pattern in named for value in values}
    assert named == set(names_of(series.SCORES))
    assert set(words["JUDGE"]) == {one.name for one in series.FULL.classifiers}


def names_in_first_column(text: str) -> set[str]:
    """Words in code type in the first column of a page's tables."""
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
