"""Reports as HTML, before any browser: what is escaped, what is loaded, how it is built."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.errors import InputError, PrivacyError
from gossamer.methods.trained import TrainedGenerator
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.reports.page.figures import exhibits, num_per_class
from gossamer.reports.page.kept import KeptRun
from gossamer.reports.page.released import ReleasedRun
from gossamer.reports.page.rendering import private_page, release_page
from gossamer.reports.page.together import Together

KINDS = ("images", "series", "several", "private", "private of several")
VOID = {"meta", "link", "img", "br"}
HOSTILE_NAMES = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}")


class Page(HTMLParser):
    """Elements, attributes and text of a page, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(params=KINDS)
def html(request: pytest.FixtureRequest, pages: dict[str, str]) -> str:
    return pages[request.param]


@pytest.fixture
def page(html: str) -> Page:
    found = Page(html)
    assert not found.open
    return found


def test_what_a_release_says_is_text_and_never_markup(pages: dict[str, str]) -> None:
    for kind in ("images", "several", "private"):
        page = Page(pages[kind])
        assert not page.all("script", "iframe", "object", "em", "u", "i")
        assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
        assert all(name in page.text for name in HOSTILE_NAMES), "shown as it is"
        assert "<em>a note</em>" in page.text


def test_a_page_loads_nothing_and_its_own_policy_forbids_it(html: str, page: Page) -> None:
    links = {attributes[name] for _, attributes in page.elements for name in ("src", "href") if name in attributes}
    assert all(link.startswith(("data:", "#")) for link in links)
    assert not page.all("script", "base", "form", "video", "audio")
    assert not [attributes for _, attributes in page.elements if "style" in attributes]
    (policy,) = (one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "url(" not in style
    assert "@import" not in style


def test_headings_descend_a_level_at_a_time_from_one_title(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_links_lead_to_places_of_the_page_and_names_are_given_once(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes["href"][1:] for attributes in page.all("a")]
    assert targets
    assert set(targets) <= set(ids)
    named = {word for _, one in page.elements for word in one.get("aria-labelledby", "").split()}
    assert named <= set(ids)


def test_who_cannot_see_or_point_finds_the_way(html: str, page: Page) -> None:
    assert page.elements[0] == ("html", {"lang": "en"})
    assert all(len(page.all(tag)) == 1 for tag in ("header", "main", "footer", "head"))
    assert page.all("nav")[0]["aria-label"]
    assert page.all("a")[0]["class"] == "skip"
    assert all(image["alt"] for image in page.all("img"))
    assert all(picture.get("role") == "img" or picture.get("aria-hidden") == "true" for picture in page.all("svg"))
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))
    assert html.count("<table") == html.count("<caption")
    assert html.count("<figure") == html.count("<figcaption")


def test_pictures_are_pngs_of_the_samples_and_of_nothing_else(
    tmp_path: Path, make_released: Callable[..., ReleasedRun], make_generator: Callable[..., TrainedGenerator]
) -> None:
    spec = ImageSpec(channels=1, height=12, width=12, class_names=("a", "b"))
    run = make_released(tmp_path / "release", spec)
    images = Page(release_page([run], "a run")).all("img")
    generator = make_generator(spec, Unit.RECORD)
    drawn = [generator.sample(8, labels=torch.full((8,), label), seed=label)[0] for label in range(2)]
    assert [image["alt"] for image in images] == [
        "Eight synthetic images of class a",
        "Eight synthetic images of class b",
    ]
    for row, image in enumerate(images):
        with Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))) as strip:
            assert not strip.info
            pixels = np.asarray(strip)
        for place in range(8):
            tile = pixels[:, 13 * place : 13 * place + 12, 0]
            assert np.array_equal(tile, (drawn[row][place, 0] * 255).numpy().astype(np.uint8))


@pytest.mark.parametrize(("number", "alt"), [(1, "One real image of class a"), (9, "Eight real images of class a")])
def test_a_picture_is_described_as_what_is_seen(number: int, alt: str) -> None:
    spec = ImageSpec(channels=3, height=8, width=8, class_names=("a", "b"))
    found = exhibits(np.zeros((number, 3, 8, 8)), np.zeros(number, dtype=int), spec, "real")
    assert [one.alt for one in found] == [alt], "a class without records is not shown"


def test_large_records_are_drawn_few_at_a_time() -> None:
    largest = SeriesSpec(channels=256, length=2**16, low=(0.0,) * 256, high=(1.0,) * 256)
    assert num_per_class(largest) == 2
    assert num_per_class(ImageSpec(channels=3, height=1024, width=1024)) == 8


def test_large_images_become_small_pictures() -> None:
    spec = ImageSpec(channels=3, height=500, width=250)
    (one,) = exhibits(np.zeros((2, 3, 500, 250)), None, spec, "synthetic")
    assert one.alt == "Two synthetic images"
    assert one.picture.height == 96  # type: ignore[union-attr]


def test_a_release_report_says_the_guarantee_in_numbers_rounded_up(
    tmp_path: Path, make_released: Callable[..., ReleasedRun]
) -> None:
    run = make_released(tmp_path / "release", ImageSpec(channels=1, height=8, width=8))
    text = " ".join(Page(release_page([run], "a run")).text.split())
    shown = float(re.findall(r"Epsilon, by privacy loss distributions \(claimed\) ([\d.]+)", text)[0])
    assert run.statement.epsilon <= shown < run.statement.epsilon + 0.001
    gain = float(re.findall(r"they recognise at most ([\d.]+) %", text)[0])
    true = 100 * run.trade_off.largest_catch_rate(0.01)
    assert true <= gain < true + 0.1
    for sentences in (run.statement.not_covered, run.statement.voids(), run.statement.assumptions()):
        assert all(sentence[1:] in text for sentence in sentences)


def test_people_are_called_people_and_no_number_of_records_is_told(pages: dict[str, str]) -> None:
    text = " ".join(Page(pages["series"]).text.split())
    assert "One person with all records of that person" in text
    assert "1,000 people" in text
    assert "1,000 records" not in text


def test_several_releases_add_up_if_they_are_of_the_same_records(pages: dict[str, str]) -> None:
    text = " ".join(Page(pages["several"]).text.split())
    assert "Then their epsilons add up." in text
    assert "Whoever holds all 3 releases is bounded by epsilon" in text


def claims(tmp_path: Path, make_released: Callable[..., ReleasedRun], *kinds: tuple[Unit, Adjacency]) -> list[Any]:
    run = make_released(tmp_path / "release", ImageSpec(channels=1, height=8, width=8))
    return [
        dataclasses.replace(run, statement=dataclasses.replace(run.statement, unit=unit, adjacency=adjacency))
        for unit, adjacency in kinds
    ]


def test_a_sum_holds_for_the_weaker_of_its_claims_and_is_left_out_where_there_is_none(
    tmp_path: Path, make_released: Callable[..., ReleasedRun]
) -> None:
    slot, added = Adjacency.SLOT, Adjacency.ADD_OR_REMOVE_ONE
    person, record = Unit.PERSON, Unit.RECORD
    runs = claims(tmp_path, make_released, (record, slot), (record, added), (person, slot), (person, added))
    one, other, of_person, of_person_added = runs
    both = Together.of([one, other])
    assert both is not None
    assert both.epsilon == pytest.approx(2 * one.statement.epsilon)
    assert both.delta == pytest.approx(2e-4)
    assert (both.unit, both.adjacency) == (record, added)
    mixed = Together.of([one, of_person])
    assert mixed is not None
    assert (mixed.unit, mixed.adjacency) == (record, slot)
    people = Together.of([of_person, of_person_added])
    assert people is not None
    assert (people.unit, people.adjacency) == (person, added)
    # Taking out one record of a person is not taking out the person.
    assert Together.of([one, of_person_added]) is None
    assert "no one sum holds" in release_page([one, of_person_added], "two")


def test_a_claim_for_replacing_alone_is_added_to_those_that_cover_it_only(
    tmp_path: Path, make_released: Callable[..., ReleasedRun]
) -> None:
    slot, added, replaced = Adjacency.SLOT, Adjacency.ADD_OR_REMOVE_ONE, Adjacency.REPLACE_ONE
    person, record = Unit.PERSON, Unit.RECORD
    runs = claims(tmp_path, make_released, (record, slot), (record, added), (record, replaced), (person, replaced))
    of_slot, of_added, of_replaced, of_person = runs
    both = Together.of([of_slot, of_replaced])
    assert both is not None
    assert both.adjacency is replaced
    assert "one record, replaced by any other" in " ".join(release_page([of_slot, of_replaced], "two").split())
    mixed = Together.of([of_slot, of_person])
    assert mixed is not None
    assert (mixed.unit, mixed.adjacency) == (record, replaced)
    # Neither adding nor replacing covers the other.
    assert Together.of([of_added, of_replaced]) is None
    assert "no one sum holds" in release_page([of_added, of_replaced], "two")
    assert "one record is replaced by another" in release_page([of_replaced], "one")


def test_an_insecure_release_is_refused(tmp_path: Path, make_generator: Callable[..., TrainedGenerator]) -> None:
    trained = make_generator(ImageSpec(channels=1, height=8, width=8), Unit.RECORD, is_secure=False)
    with pytest.raises(PrivacyError, match="nothing is guaranteed"):
        ReleasedRun.read("a run", tmp_path, trained, ())


def test_a_report_on_nothing_is_refused() -> None:
    for make in (release_page, private_page):
        with pytest.raises(InputError, match="name at least one run"):
            make([], "nothing")


def test_the_owners_words_stay_in_their_fields(pages: dict[str, str]) -> None:
    html = pages["filled"]
    fields = re.findall(r"<q>(.*?)</q>", html)
    assert len(fields) == 9, "eight fields, and one score on public data"
    assert all("&lt;script&gt;alert(1)&lt;/script&gt;" in field for field in fields)
    assert html.count("planted") == len(fields)
    assert html.index("neither wrote nor checked") < html.index("planted")
    assert "<script" not in html
    assert "49 planted" not in html
    assert "planted" not in pages["images"]
    assert pages["images"].count("not filled in") == 8


def test_a_page_of_two_sites_trusts_no_single_curator(pages: dict[str, str]) -> None:
    text = Page(pages["two sites"]).text
    assert "2 sites (north, south)" in text
    assert "One curator" not in text


def test_a_page_has_the_questions_of_the_law_and_no_score(pages: dict[str, str]) -> None:
    text = Page(pages["series"]).text
    for words in ("Singling out", "Linkability", "Inference", "No score on private data", "shared the machine"):
        assert words in text
    assert "Passed: one kind of game." in Page(pages["filled"]).text
    assert "Passed:" not in text


def test_a_private_page_says_so_first_and_shows_what_was_found(pages: dict[str, str]) -> None:
    page = Page(pages["private"])
    text = " ".join(page.text.partition("</style>")[0].split())
    assert "PRIVATE: Kept" in text
    assert "PRIVATE · computed on real data, covered by no guarantee · do not hand on" in text
    for shown in (
        "CNN accuracy",
        "0.680 to 0.720",
        "Chen et al. 2020",
        "at least 0.5",
        "NO: share nothing",
        "1.000 of 1.000",
    ):
        assert shown in text, shown
    assert len([one for one in page.all("img") if "real image" in one["alt"]]) == 5
    curves = [one["aria-label"] for one in page.all("svg") if "over epsilon" in one.get("aria-label", "")]
    assert (
        "CNN accuracy over epsilon: 0.600 at epsilon 1; 0.650 at epsilon 2; 0.680 at epsilon 5; 0.690 at epsilon 10"
        in curves
    )


def test_a_release_page_cannot_be_made_of_private_findings(
    tmp_path: Path, make_released: Callable[..., ReleasedRun], make_kept: Callable[[ReleasedRun], KeptRun]
) -> None:
    run = make_released(tmp_path / "release", ImageSpec(channels=1, height=8, width=8, class_names=("a", "b")))
    with pytest.raises(Exception, match="statement"):
        release_page([make_kept(run)], "kept")  # type: ignore[list-item]
    paths = [field.name for field in dataclasses.fields(ReleasedRun) if "Path" in str(field.type)]
    assert paths == []


def test_a_panel_of_series_has_its_time_its_bounds_and_its_channels() -> None:
    usual = {"channels": 2, "length": 21, "channel_names": ("pulse", "oxygen")}
    alike = SeriesSpec(low=(-1.0, -1.0), high=(2.0, 2.0), sample_rate=10.0, **usual)
    (one,) = exhibits(np.zeros((3, 2, 21)), None, alike, "synthetic")
    assert (one.picture.end, one.picture.bounds, one.picture.channels) == ("2 s", ("-1", "2"), ("pulse", "oxygen"))
    own = SeriesSpec(low=(30.0, 70.0), high=(200.0, 100.0), **usual)
    (one,) = exhibits(np.zeros((3, 2, 21)), None, own, "synthetic")
    assert (one.picture.end, one.picture.bounds) == ("20 samples", ())
    assert one.picture.channels == ("pulse, 30 to 200", "oxygen, 70 to 100")
    (one,) = exhibits(np.zeros((3, 1, 21)), None, SeriesSpec(channels=1, length=21, low=(0.0,), high=(1.0,)), "real")
    assert one.picture.channels == ()
