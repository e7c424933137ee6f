"""Reports as Chromium shows and prints them: nothing fails, nothing overflows, all can be read in both schemes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest

KINDS = ("images", "series", "several", "private", "private of several")
SCHEMES = ("light", "dark")
Look = Callable[..., Any]

CONTRASTS = """
const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : Math.pow((c + 0.055) / 1.055, 2.4);
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const parsed = s => { const n = s.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
const over = (top, below) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]).concat(1);
const behind = element => {
  const layers = [];
  for (let one = element; one; one = one.parentElement) layers.push(parsed(getComputedStyle(one).backgroundColor));
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0, 1] : [255, 255, 255, 1];
  return layers.reverse().reduce((below, top) => over(top, below), canvas);
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
  if (!text || !element.checkVisibility() || element.closest("title, desc")) continue;
  const style = getComputedStyle(element), below = behind(element);
  const ink = over(parsed(element.closest("svg") ? style.fill : style.color), below);
  const [a, b] = [light(ink), light(below)];
  found.push([text.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
}
return found;
"""
SIDEWAYS = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
PICTURES = "return [...document.images].map(image => image.complete && image.naturalWidth)"
REQUESTS = "return performance.getEntriesByType('resource').map(one => one.name).filter(name => !/^data:/.test(name))"
CUT = """
return [...document.querySelectorAll("p, li, td, th, dt, dd, h1, h2, h3, h4, h5, figcaption, caption, code")].filter(
  one => one.checkVisibility() && !one.closest(".scroll") && one.getBoundingClientRect().right > innerWidth + 1
).map(one => one.textContent.slice(0, 40))
"""


def worst(driver: Any) -> tuple[str, float]:
    """The text that is hardest to read, and its contrast."""
    found = driver.execute_script(CONTRASTS)
    assert len(found) > 50
    return min(((text, float(ratio)) for text, ratio in found), key=lambda one: one[1])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_opens_without_a_complaint_and_all_of_it_can_be_read(
    pages: dict[str, str], look: Look, kind: str, scheme: str
) -> None:
    driver = look(pages[kind], scheme=scheme)
    assert driver.get_log("browser") == []
    assert driver.execute_script(REQUESTS) == []
    shown = driver.execute_script(PICTURES)
    assert all(width > 0 for width in shown)
    assert bool(shown) == (kind != "series")
    text, ratio = worst(driver)
    assert ratio >= 4.5, text


@pytest.mark.parametrize("width", [1280, 380, 320])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_must_be_scrolled_sideways_and_nothing_is_cut_off(
    pages: dict[str, str], look: Look, kind: str, width: int
) -> None:
    driver = look(pages[kind], width=width)
    needed, there = driver.execute_script(SIDEWAYS)
    assert needed <= there
    assert driver.execute_script(CUT) == []


def test_a_page_that_breaks_these_promises_is_caught(pages: dict[str, str], look: Look) -> None:
    page = pages["images"]
    pale = "document.body.querySelector('p').style.color = '#bbbbbb'"
    driver = look(page)
    driver.execute_script(pale)
    assert worst(driver)[1] < 4.5
    driver = look(page, width=380)
    driver.execute_script("document.querySelector('h1').style.width = '500px'")
    needed, there = driver.execute_script(SIDEWAYS)
    assert needed > there
    driver = look(page.replace("<main", "<script>console.error(1)</script><img src='https://localhost:9/x.png'><main"))
    said = " ".join(entry["message"] for entry in driver.get_log("browser"))
    assert "Content Security Policy" in said, "a script and a picture from elsewhere are both refused by the page"
    assert not all(width > 0 for width in driver.execute_script(PICTURES))


@pytest.mark.parametrize("kind", KINDS)
def test_links_within_a_page_lead_to_what_they_name(pages: dict[str, str], look: Look, kind: str) -> None:
    driver = look(pages[kind])
    for link in driver.execute_script(
        "return [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
    ):
        driver.execute_script("document.querySelector(`nav a[href='${arguments[0]}']`).click()", link)
        place = driver.execute_script(
            "const box = document.querySelector(location.hash).getBoundingClientRect(); return [location.hash, box.top]"
        )
        assert place[0] == link
        assert place[1] < 800, "in view"


def test_a_keyboard_reaches_the_content_first_and_every_focus_is_seen(pages: dict[str, str], look: Look) -> None:
    from selenium.webdriver.common.keys import Keys

    driver = look(pages["private"], width=380)
    body = driver.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    first = driver.switch_to.active_element
    assert first.get_attribute("href").endswith("#main")
    assert driver.execute_script("return arguments[0].getBoundingClientRect().left", first) >= 0
    seen = set()
    for _ in range(12):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        one = driver.switch_to.active_element
        seen.add(one.tag_name)
        width = driver.execute_script("return getComputedStyle(arguments[0]).outlineWidth", one)
        assert float(width.removesuffix("px")) >= 2
    assert {"a", "div"} <= seen, "links, and tables that scroll"


def drawn_on(pdf: bytes) -> list[int]:
    """How many pieces of text each sheet of a PDF shows."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    plain = []
    for stream in streams:
        try:
            plain.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return [len(re.findall(rb"\bT[jJ]\b", text)) for text in plain if b" Tf" in text]


@pytest.mark.parametrize("kind", ["several", "private"])
def test_a_page_prints(pages: dict[str, str], look: Look, print_pdf: Callable[[], bytes], kind: str) -> None:
    look(pages[kind])
    pdf = print_pdf()
    assert pdf.startswith(b"%PDF")
    assert 3 <= len(drawn_on(pdf)) <= 20


@pytest.mark.parametrize("kind", ["images", "series", "filled", "two sites"])
def test_a_report_of_one_release_prints_on_two_sheets_of_a4(
    pages: dict[str, str], look: Look, print_pdf: Callable[[], bytes], kind: str
) -> None:
    look(pages[kind])
    pdf = print_pdf()
    assert len(drawn_on(pdf)) == 2
    sides = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert {(round(float(width)), round(float(height))) for width, height in sides} <= {(595, 842), (596, 842)}


def test_nothing_that_a_signature_rests_on_is_left_off_the_paper(pages: dict[str, str], look: Look) -> None:
    driver = look(pages["filled"], media="print")
    shown = driver.execute_script("return document.body.innerText")
    for words in ("Epsilon", "What is not covered", "What would void it", "Singling out", "Signature"):
        assert words in shown
    headings = "[...document.querySelectorAll('main h2')]"
    hidden = driver.execute_script(
        f"return {headings}.filter(one => !one.checkVisibility()).map(one => one.textContent)"
    )
    assert hidden == ["Synthetic samples", "How it was made", "How to draw from it", "Files and checks"]


def test_every_printed_sheet_of_a_private_report_says_so(
    pages: dict[str, str], look: Look, print_pdf: Callable[[], bytes]
) -> None:
    driver = look(pages["private"])
    marked = drawn_on(print_pdf())
    driver.execute_script("document.querySelector('.mark-of-sheet').style.visibility = 'hidden'")
    bare = drawn_on(print_pdf())
    assert len(marked) == len(bare) >= 3, (marked, bare)
    assert all(more > less for more, less in zip(marked, bare, strict=True)), (marked, bare)


def test_print_is_black_on_white_whatever_the_scheme(pages: dict[str, str], look: Look) -> None:
    driver = look(pages["images"], scheme="dark", media="print")
    style = "const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
    assert driver.execute_script(style) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert not driver.execute_script("return document.querySelector('nav').checkVisibility()")
