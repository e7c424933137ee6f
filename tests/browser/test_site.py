"""The site as Chromium shows it, narrow and wide: no page is wider than the screen, tables scroll, names stay whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.methods.catalogue import METHODS

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build" / "docs"
SOURCES = ("docs/**/*.md", "docs/**/*.css", "docs/**/*.py", "docs/**/*.png", "*.md")
WIDTHS = (380, 1280)
NAMES = sorted({word for method in METHODS for word in (method.name, method.title)})

FAULTS = """
const [names] = arguments;
const found = [], page = document.documentElement;
const shown = one => one.checkVisibility({opacityProperty: true, visibilityProperty: true});
const scrolls = one => { for (; one && one !== document.body; one = one.parentElement)
  if (/auto|scroll|hidden/.test(getComputedStyle(one).overflowX)) return true; return false; };
if (page.scrollWidth > page.clientWidth) found.push(`the page is ${page.scrollWidth} wide`);
for (const one of document.querySelectorAll("article *")) {
  if (shown(one) && one.getBoundingClientRect().right > page.clientWidth + 1 && !scrolls(one))
    found.push(`cut: ${one.tagName} ${one.textContent.slice(0, 50)}`);
}
for (const table of document.querySelectorAll("article table")) {
  const frame = table.closest(".table-wrapper");
  if (!frame || getComputedStyle(frame).overflowX !== "auto")
    found.push(`no scrolling: ${table.textContent.slice(0, 50)}`);
}
const range = document.createRange();
const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, parent = node.parentElement;
  if (!parent.closest("code, td, th") || parent.closest("pre") || !shown(parent)) continue;
  for (const name of names) for (let at = node.data.indexOf(name); at >= 0; at = node.data.indexOf(name, at + 1)) {
    range.setStart(node, at); range.setEnd(node, at + name.length);
    const lines = new Set([...range.getClientRects()].map(one => Math.round(one.top)));
    if (lines.size > 1) found.push(`broken: ${name} in ${node.data.slice(0, 50)}`);
  }
}
return [...new Set(found)];
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site: that of `make docs` if nothing has changed since, or one that is built here."""
    index = BUILT / "index.html"
    sources = [path.stat().st_mtime for pattern in SOURCES for path in ROOT.glob(pattern)]
    if index.is_file() and index.stat().st_mtime > max(sources):
        return BUILT
    pytest.importorskip("sphinx", reason="the site is built by developers: pip install 'gossamer[dev]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(ROOT / "docs"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def wide(driver: Any) -> Iterator[Any]:
    """Set the width of the browser, and take it back after the last page."""

    def resize(width: int) -> Any:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        return driver

    yield resize
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def faults(driver: Any) -> list[str]:
    """What is wrong with the page that is open."""
    return [str(one) for one in driver.execute_script(FAULTS, NAMES)]


def test_no_page_is_wider_than_the_screen_and_names_of_methods_stay_whole(site: Path, wide: Any) -> None:
    pages = [page for page in sorted(site.rglob("*.html")) if page.name not in ("genindex.html", "search.html")]
    assert len(pages) > 60
    found: dict[str, list[str]] = {}
    for page in pages:
        wide(WIDTHS[0]).get(page.as_uri())
        for width in WIDTHS:
            found[f"{page.relative_to(site)}, {width} pixels"] = faults(wide(width))
    assert not {page: said for page, said in found.items() if said}


TABLE = '<div class="table-wrapper"><table><tr><td><code>{}</code></td></tr></table></div>'
PLANTED = {
    "the page is": '<article><p style="width: 2000px">wide</p></article>',
    "cut: P": '<article style="position: fixed"><p style="width: 2000px">wide</p></article>',
    "no scrolling": "<article><table><tr><td>1</td></tr></table></article>",
    "broken: dp-mixture": f'<article style="width: 1px">{TABLE.format("dp-mixture")}</article>',
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(wide: Any, tmp_path: Path, fault: str) -> None:
    page = tmp_path / "page.html"
    style = "<style>.table-wrapper { overflow-x: auto } body { margin: 0 }</style>"
    page.write_text(f"<!doctype html><meta charset=utf-8>{style}{PLANTED[fault]}", encoding="utf-8")
    wide(380).get(page.as_uri())
    assert any(one.startswith(fault) for one in faults(wide(380)))
