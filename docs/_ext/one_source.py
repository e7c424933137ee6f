"""Pages that read well as plain Markdown and as a site: navigation, pages of the root, and docstrings, put in here."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
ROOT_PAGES = {"changes": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}
"""Pages of the site that show a file of the root: page -> file."""
SITE_PAGES = {"README": "index", **{file.removesuffix(".md"): page for page, file in ROOT_PAGES.items()}}
LINK = re.compile(r"\]\((?P<page>[^)\s#:]+)\.md(?:#[^)\s]*)?\)")


def write_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Complete what is read of a page: navigation for the index, their file for pages of the root, docstrings."""
    text = source[0]
    if name in ROOT_PAGES:
        text += "\n" + from_root((ROOT / ROOT_PAGES[name]).read_text(encoding="utf-8"))
    if name == "index":
        text += navigation(text)
    if name == "reference/python":
        text = with_docstrings(text)
    source[0] = re.sub(
        r"\]\(((?:\.\./)+)(README|CHANGELOG|CONTRIBUTING)\.md",
        lambda found: f"]({found[1].removeprefix('../')}{SITE_PAGES[found[2]]}.md",
        text,
    )


def from_root(text: str) -> str:
    """Return a file of the root without its title, its links as they are seen from docs/."""
    _, _, body = text.partition("\n")
    return re.sub(r"\]\((?!https?:|#)(docs/)?", lambda found: "](" if found[1] else "](../", body)


def navigation(index: str) -> str:
    """Return a hidden table of contents for each section of the index: the pages that it is the first to link to."""
    seen: set[str] = set()
    trees = []
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        pages = dict.fromkeys(found["page"] for found in LINK.finditer(section) if found["page"] not in seen)
        seen.update(pages)
        title, _, _ = section.partition("\n")
        trees.append("\n".join(["", "```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```", ""]))
    return "".join(trees)


def with_docstrings(text: str) -> str:
    """Put the docstrings of the names in a table behind it, section by section."""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return "".join(
        section + "".join(map(directive, re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE)))
        for section in sections
    )


def directive(name: str) -> str:
    """Return the directive that shows the docstring of a public name, for example of privacy.epsilon_by_pld."""
    module, _, last = f"gossamer.{name}".rpartition(".")
    found = getattr(importlib.import_module(module), last)
    kind = "function"
    if inspect.isclass(found):
        kind = "exception" if issubclass(found, BaseException) else "class"
    return f"\n```{{eval-rst}}\n.. auto{kind}:: {module}.{last}\n```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the reading of every page."""
    app.connect("source-read", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
