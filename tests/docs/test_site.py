"""The site's own extensions: navigation out of the index, formulas as MathML. `make docs` builds the whole."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

pytest.importorskip("sphinx", reason="the site is built by developers: pip install 'gossamer[dev]'")
pytest.importorskip("latex2mathml", reason="the site is built by developers: pip install 'gossamer[dev]'")
from docutils import nodes

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+(?:\n[^$\n]+)?)\$", re.DOTALL)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@cache
def extension(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def formulas(page: Path) -> list[str]:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    return [display or inline for display, inline in FORMULA.findall(text)]


@pytest.mark.parametrize("page", [page for page in PAGES if formulas(page)], ids=lambda page: page.stem)
def test_every_formula_becomes_mathml_without_a_word_left_over(page: Path) -> None:
    for tex in formulas(page):
        drawn = extension("mathml").to_mathml(nodes.math(tex, tex), "inline")
        root = ElementTree.fromstring(drawn)
        assert root.tag.endswith("math"), tex
        assert "\\" not in "".join(root.itertext()), tex


def test_the_navigation_has_every_page_once() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = extension("one_source").navigation(index)
    listed = re.findall(r"^([\w/-]+)$", trees, re.MULTILINE)
    assert sorted(listed) == sorted(str(page.relative_to(DOCS))[:-3] for page in PAGES if page.name != "index.md")


def test_a_name_of_a_method_is_kept_whole_in_text_and_never_within_a_tag() -> None:
    whole = extension("whole_names").whole
    assert whole('<a href="gs-wgan.html">GS-WGAN</a>') == '<a href="gs-wgan.html"><span class="name">GS-WGAN</span></a>'
    assert whole("gs-wgan-started,") == '<span class="name">gs-wgan-started</span>,'
    for other in ("dp-mixtures", "x-dp-mixture", "my_dp-merf", "mixture"):
        assert whole(other) == other


def test_files_of_the_root_link_as_seen_from_the_docs() -> None:
    seen = extension("one_source").from_root("# Title\n[a](docs/x.md) [b](LICENSE) [c](https://d.e) [f](#g)\n")
    assert seen == "[a](x.md) [b](../LICENSE) [c](https://d.e) [f](#g)\n"
