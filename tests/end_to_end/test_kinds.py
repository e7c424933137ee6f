"""What is said of series is true of series, and what is said of images of images: every word that a method releases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_of

from gossamer.cli.main import main
from gossamer.data.records import RecordData
from gossamer.driving.driver import Ending, drive
from gossamer.driving.job import IN_MEMORY, Loaded, TrainingJob
from gossamer.driving.listener import AbstractListener
from gossamer.driving.protection import protect
from gossamer.driving.run import begin_run
from gossamer.estimators import as_images, as_series
from gossamer.mechanisms import plan
from gossamer.methods.catalogue import METHODS
from gossamer.methods.method import OWN, TakenRecipe
from gossamer.nn.series.settings import SeriesMixtureGeneratorConfig
from gossamer.privacy.dealing import UnitKey

TEXTS = (".md", ".json", ".txt", ".html", ".hea", ".csv")
OF_IMAGES = re.compile(r"image|grey|gray|pixel|\[0, 1\]|brightness|posture", re.IGNORECASE)
OF_SERIES = re.compile(r"series|channel of|bounds of each channel|\bHz\b|own units|heart", re.IGNORECASE)
NAMES = [method.name for method in METHODS]
every_method = pytest.mark.parametrize("name", NAMES)


class Deaf(AbstractListener):
    def note(self, line: str) -> None:
        pass

    def hear(self, training: Any, report: Any) -> None:
        pass


def series() -> RecordData:
    rng = np.random.default_rng(0)
    x = rng.uniform((40.0, 85.0), (160.0, 100.0), (60, 24, 2)).transpose(0, 2, 1)
    return as_series(
        x, np.arange(60) % 3, low=[30, 70], high=[200, 100], sample_rate=0.5, channel_names=["heart rate", "oxygen"],
        class_names=["a", "b", "c"],
    )  # fmt: skip


def images() -> RecordData:
    x = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    return as_images(x, np.arange(60) % 3, class_names=["a", "b", "c"])


def release(name: str, kind: str, path: Path) -> Path:
    """Train a method in the tiny, with a report beside the release."""
    read = series() if kind == "series" else images()
    data, slots = protect(read, "record", None, None)
    job = TrainingJob(
        data=IN_MEMORY, data_dir=None, num_classes=None, delta=1e-3, device="cpu", precision="fp32",
        method=getattr(tiny_of(name), kind), recipe=TakenRecipe(name=OWN, changed=("num_steps",)),
    )  # fmt: skip
    run = begin_run(path, job, Loaded(data=data, slots=slots, key=UnitKey.drawn()))
    assert drive(run, Deaf()) is Ending.RELEASED
    assert main(["report", str(path)]) == 0
    return path


def told(path: Path) -> dict[str, str]:
    """Return each text of a release, and its report as a reader sees it: without styles and letters of pictures."""
    found = {
        str(file.relative_to(path)): file.read_text()
        for file in (*(path / "release").rglob("*"), path / "report.html")
        if file.suffix in TEXTS
    }
    # Letters of a picture may make up any short word.
    hidden = r"<style>.*?</style>|base64,[A-Za-z0-9+/=]*"
    found["report.html"] = re.sub(hidden, "", found["report.html"], flags=re.DOTALL)
    return found


def wrong_words(path: Path, words: re.Pattern[str]) -> list[str]:
    return [f"{name}: {one}" for name, text in told(path).items() for one in words.findall(text)]


@every_method
def test_a_release_of_series_says_nothing_of_images(name: str, tmp_path: Path, capsys: Any) -> None:
    path = release(name, "series", tmp_path / "run")
    assert wrong_words(path, OF_IMAGES) == []
    assert {"release/README.md", "release/PRIVACY.md", "release/privacy.json"} <= told(path).keys()
    assert main(["verify", str(path)]) == 0


@every_method
def test_a_release_of_images_says_nothing_of_series(name: str, tmp_path: Path, capsys: Any) -> None:
    path = release(name, "images", tmp_path / "run")
    assert wrong_words(path, OF_SERIES) == []
    assert OF_IMAGES.search(told(path)["release/README.md"])
    assert main(["verify", str(path)]) == 0


@pytest.mark.parametrize("broken", ["range", "facts"])
def test_the_words_of_before_are_caught(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    if broken == "range":
        monkeypatch.setattr(plan, "BOUNDS", plan.BOUNDS_BEFORE)
    else:
        before = "the brightness of even grey and the posture of images"
        monkeypatch.setattr(SeriesMixtureGeneratorConfig, "public_facts", before)
    path = release("dp-mixture", "series", tmp_path / "run")
    found = wrong_words(path, OF_IMAGES)
    assert {one.partition(":")[0] for one in found} >= {"release/PRIVACY.md", "release/privacy.json", "report.html"}
    # A release of then is still in keeping with its settings.
    monkeypatch.undo()
    assert main(["verify", str(path)]) == 0


def test_every_statement_names_the_recipe_that_was_taken(tmp_path: Path, capsys: Any) -> None:
    said = told(release("dp-merf", "series", tmp_path / "run"))
    sentence = (
        "The settings follow from the shape of the records and the public number of slots (recipe own), with changes "
        "(num_steps)."
    )
    for name in ("release/README.md", "release/PRIVACY.md", "release/privacy.json", "report.html"):
        assert sentence in said[name], name
