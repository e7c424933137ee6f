"""The glossary defines each word once and truly, and pages link a word to its entry where they use it first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("concepts/*.md"), *DOCS.glob("how-to/*.md")])
EVERYDAY = "Also an everyday word."
NO_PROSE = re.compile(
    r"^ *```.*?^ *```$|^## References\n.*\Z|^#+ [^\n]*|^ *\|[^\n]*|^    [^\n]*|<!--.*?-->|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$"
    r"|!?\[[^\]]*\]\([^)]*\)",
    re.MULTILINE | re.DOTALL,
)
"""Code, formulas, headings, tables, comments, titles of papers, and links."""
LINK = re.compile(r"\[([^\]]*)\]\(\.\./glossary\.md#([\w-]+)\)")


@dataclass(frozen=True)
class Entry:
    """A word of the glossary."""

    word: str
    text: str

    @property
    def anchor(self) -> str:
        return self.word.lower().replace(" ", "-")

    @property
    def uses(self) -> re.Pattern[str]:
        """The word and its plural."""
        stem = re.escape(self.word.removesuffix("y")).replace(r"\ ", r"[\s-]+")
        ending = "(?:y|ies)" if self.word.endswith("y") else "(?:s|es)?"
        return re.compile(rf"(?<![\w-]){stem}{ending}(?![\w-])", re.IGNORECASE)


def entries_of(text: str) -> list[Entry]:
    return [Entry(*part.split("\n", 1)) for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]]


ENTRIES = entries_of((DOCS / "glossary.md").read_text(encoding="utf-8"))


def prose_of(text: str, entry: Entry | None = None) -> str:
    """The text of the same length with blanks for all that is no prose; links to an entry stay if it is given."""

    def blank(found: re.Match[str]) -> str:
        link = LINK.fullmatch(found[0])
        if entry is not None and link is not None and link[2] == entry.anchor:
            return found[0]
        return re.sub(r"[^\n]", " ", found[0])

    return NO_PROSE.sub(blank, text)


def is_linked_first(text: str, entry: Entry) -> bool:
    """Tell whether the first use of a word in prose is a link to its entry; so is a page that never uses it."""
    prose = prose_of(text, entry)
    first = entry.uses.search(prose)
    return first is None or any(link.start() <= first.start() < link.end() for link in LINK.finditer(prose))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/index.md"])
def test_glossary_and_walk_are_linked_from_the_front_pages(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.search(r"\]\((docs/)?glossary\.md\)", text)
    assert re.search(r"\]\((docs/)?audit-walk\.md\)", text)


def test_every_word_is_defined_once() -> None:
    words = [entry.word.lower() for entry in ENTRIES]
    assert len(words) >= 40
    assert sorted(set(words)) == sorted(words)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.word)
def test_an_entry_has_a_definition_the_fields_term_a_file_and_a_page(entry: Entry) -> None:
    definition, _, rest = entry.text.partition(" In the field: ")
    assert 1 <= len(re.findall(r"[.?](?: |$)", definition)) <= 2, definition
    assert rest
    paths = re.findall(r"Code: `([\w/.]+)`\.", rest)
    assert len(paths) == 1
    assert (ROOT / "src" / "gossamer" / paths[0]).is_file()
    assert re.search(r"More: \[[^\]]+\]\([^)]+\)\.", rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_links_a_word_where_it_uses_it_first(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    words = [entry.word for entry in ENTRIES if EVERYDAY not in entry.text and not is_linked_first(text, entry)]
    assert not words, f"{page.name} uses these first without a link to the glossary: {', '.join(words)}"


@pytest.mark.parametrize("entry", [one for one in ENTRIES if EVERYDAY in one.text], ids=lambda entry: entry.word)
def test_an_everyday_word_is_linked_by_a_page_that_means_the_narrower_one(entry: Entry) -> None:
    assert any(f"glossary.md#{entry.anchor})" in page.read_text(encoding="utf-8") for page in PAGES)


def test_a_first_use_without_a_link_and_a_link_to_another_entry_are_told() -> None:
    coin, fork = Entry("Coin", ""), Entry("Fork", "")
    assert is_linked_first("`coin`, then a [coin](../glossary.md#coin) and a coin", coin)
    assert not is_linked_first("Coins, and then a [coin](../glossary.md#coin)", coin)
    assert not is_linked_first("a [coin](../glossary.md#fork) and a coin", coin)
    assert is_linked_first("## Coins\n\n| coin |\n", coin)
    assert not is_linked_first("a fork", fork)
    assert not is_linked_first("# Title\n\n| coin |\n\n```\ncode\n```\n\nA coin.\n", coin)
    assert not is_linked_first("two adjacencies", Entry("Adjacency", ""))


def test_a_word_that_is_defined_twice_is_told() -> None:
    twice = entries_of("### Coin\nA.\n\n### Coin\nB.\n")
    assert len({entry.word for entry in twice}) < len(twice)
