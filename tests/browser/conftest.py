"""Pages of reports, made of generators that were never trained, and a browser to look at them."""

from __future__ import annotations

import base64
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from two_sites import two_sites

from gossamer.data.images import ImageSpec
from gossamer.data.series import SeriesSpec
from gossamer.evaluation.record import Claim, Evaluation
from gossamer.evaluation.score import Score
from gossamer.methods.trained import GeneratorRecipe, Spec, TrainedGenerator
from gossamer.nn.images.settings import MLPGeneratorConfig
from gossamer.nn.latents import NormalLatent
from gossamer.nn.series.settings import SeriesConvGeneratorConfig
from gossamer.privacy.adjacency import Adjacency, Unit
from gossamer.privacy.statement import PrivacyStatement
from gossamer.reports.page.figures import exhibits
from gossamer.reports.page.kept import AuditRow, KeptRun
from gossamer.reports.page.owner import TITLES, OwnerWords
from gossamer.reports.page.released import ReleasedRun
from gossamer.reports.page.rendering import private_page, release_page
from gossamer.runs.findings import holds, unchecked

OWNED = "</q></dd><script>alert(1)</script> {{ 7 * 7 }} planted"
"""Words of an owner that must stay in their fields."""
OWNER = OwnerWords(
    **{name: OWNED for name in TITLES if name not in ("sector", "registry_authors", "public_scores")},
    sector="Healthcare",
    registry_authors=(OWNED,),
    public_scores=(OWNED,),
)
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "'; DROP TABLE--", "a" * 100)
"""Names of classes that a page must show and never obey."""


def image_spec(names: tuple[str, ...] = HOSTILE) -> ImageSpec:
    return ImageSpec(channels=1, height=12, width=12, class_names=names)


def series_spec() -> SeriesSpec:
    return SeriesSpec(
        channels=3, length=300, low=(-1.0,) * 3, high=(2.0,) * 3, sample_rate=100.0, class_names=("N", "V")
    )


def generator_of(spec: Spec, unit: Unit, *, is_secure: bool = True, note: str = "") -> TrainedGenerator:
    is_image = isinstance(spec, ImageSpec)
    recipe = GeneratorRecipe(
        network=MLPGeneratorConfig(hidden_sizes=(8,)) if is_image else SeriesConvGeneratorConfig(width=4),
        latent=NormalLatent(dim=4),
        spec=spec,
    )
    statement = PrivacyStatement(
        mechanism="dp-merf: a noisy sum", adjacency=Adjacency.SLOT, unit=unit, num_slots=1000, epsilon=3.7301,
        delta=1e-4, epsilon_rdp=4.2, noise_multiplier=1.2, clip_norm=None,
        parameters=(("num_releases", 1), ("<b>bold</b>", "<i>text</i>")), accountants=(("dp-accounting", "0.6.0"),),
        num_tuning_runs=0, public_inputs=("the number of slots", *((note,) if note else ())),
        covered=("the generator",), not_covered=("everything in private/",), truncation_delta=1e-20,
        is_secure=is_secure, published_epsilon=1.2, published_caveat="It does not hold: a reason.",
    )  # fmt: skip
    return TrainedGenerator(
        recipe=recipe,
        weights=dict(recipe.build(torch.Generator().manual_seed(3)).state_dict()),
        statement=statement,
    )


def released(folder: Path, spec: Spec, unit: Unit = Unit.RECORD, name: str = "a run", note: str = "") -> ReleasedRun:
    folder.mkdir(parents=True)
    (folder / "privacy.json").write_text("{}")
    findings = (holds("privacy.json", "is as it was"), unchecked(".", "a release alone"))
    return ReleasedRun.read(name, folder, generator_of(spec, unit, note=note), findings)


def of_two_sites(run: ReleasedRun) -> ReleasedRun:
    """The same release as if its records lay at two sites."""
    claims = two_sites(epsilon=3.7301, noise_multiplier=1.2)
    return dataclasses.replace(run, statement=dataclasses.replace(run.statement, sites=claims))


def score(name: str, value: float) -> Score:
    return Score(
        name=name, value=value, low=value - 0.02, high=value + 0.02, higher_is_better=name != "frechet_distance",
        num_synthetic=100, num_real=100, seeds=(0,), source="a test",
    )  # fmt: skip


def evaluation(epsilon: float, shift: float) -> Evaluation:
    found = {
        "inception_score": 7.0, "inception_score_real": 9.0, "frechet_distance": 14.0, "cnn_accuracy": 0.7,
        "cnn_accuracy_real": 0.9, "tree_macro_f1": 0.4,
    }  # fmt: skip
    return Evaluation(
        target="run", claim=Claim(mechanism="gs-wgan", epsilon=epsilon, delta=1e-5, step=3), data="mnist", suite="full",
        num_samples=100, seeds=(0,), scores={name: score(name, value - shift) for name, value in found.items()},
        skipped={}, notes=("<i>a note</i>",),
    )  # fmt: skip


def kept(run: ReleasedRun) -> KeptRun:
    x = np.random.default_rng(0).random((40, *run.recipe.spec.shape), dtype=np.float32)
    audits = (
        AuditRow(
            audit="mechanism", figure="epsilon", found="at least 0.5", claimed="2.0", confidence=0.95, is_within=True
        ),
        AuditRow(audit="<b>", figure="epsilon", found="at least 9", claimed="2.0", confidence=0.95, is_within=False),
    )
    ledger: dict[str, Any] = {"num_planned_steps": 20, "num_charged_steps": 20, "num_lost_steps": 0}
    ledger |= {"epsilon_charged": 1.0, "epsilon_planned": 1.0, "processes": [{}]}
    return KeptRun(
        released=run,
        evaluation=evaluation(10.0, 0.0),
        checkpoints=tuple(evaluation(10.0 / part, 0.01 * part) for part in (1, 2, 5, 10)),
        audits=audits,
        ledger=ledger,
        real=exhibits(x, np.arange(40) % max(1, run.recipe.spec.num_classes), run.recipe.spec, "real"),
        lacks=("<u>nothing</u> else",),
    )


@pytest.fixture(scope="session")
def make_released() -> Callable[..., ReleasedRun]:
    """A release of a generator that learnt nothing, in a new folder."""
    return released


@pytest.fixture(scope="session")
def make_generator() -> Callable[..., TrainedGenerator]:
    """A generator that learnt nothing."""
    return generator_of


@pytest.fixture(scope="session")
def make_kept() -> Callable[[ReleasedRun], KeptRun]:
    """Scores, audits and a ledger for a release, all made up."""
    return kept


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every kind of page by its name."""
    folder = tmp_path_factory.mktemp("pages")
    images = released(folder / "images", image_spec(), name=HOSTILE[0], note="<em>a note</em>")
    series = released(folder / "series", series_spec(), Unit.PERSON, "series of people")
    plain = released(folder / "plain", image_spec(()))
    return {
        "images": release_page([images], HOSTILE[0]),
        "series": release_page([series], "Series of people"),
        "filled": release_page([images], "A picture set", owner=OWNER, audits=["Passed: one kind of game."]),
        "two sites": release_page([of_two_sites(images)], "Two sites"),
        "several": release_page([images, series, plain], "Three releases"),
        "private": private_page([kept(images)], "Kept"),
        "private of several": private_page([kept(images), kept(plain)], "Kept"),
    }


# ---- a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Chromium without a window; without one the tests are skipped, or fail if a browser is required."""
    places = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in places:
        lack = "needs Debian's packages chromium and chromium-driver"
        if os.environ.get("GOSSAMER_REQUIRE_BROWSER") == "1":
            pytest.fail(f"GOSSAMER_REQUIRE_BROWSER=1, but the browser {lack}")
        pytest.skip(lack)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(places[0])
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(str(places[1])))
    yield found
    found.quit()


@pytest.fixture
def look(driver: Any, tmp_path: Path) -> Callable[..., Any]:
    """Open a page at a width and in a colour scheme."""

    def open_page(html: str, *, width: int = 1280, scheme: str = "light", media: str = "") -> Any:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(file.as_uri())
        return driver

    return open_page


@pytest.fixture
def print_pdf(driver: Any) -> Callable[[], bytes]:
    """The page that is open as PDF, as a person would print it."""
    return lambda: base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
