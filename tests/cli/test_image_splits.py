"""Images that a run holds out: evaluated by its own key, size and split, without a word of them said again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.cli import scoring
from gossamer.cli.scoring import ScoringChoice, load_real
from gossamer.data.image_choice import ImageChoice
from gossamer.data.series_choice import SeriesChoice
from gossamer.driving.run import data_digest
from gossamer.errors import InputError

NUM = 120


@pytest.fixture(scope="module")
def photos(tmp_path_factory: Any, gossamer: Any, shared_folders: Any) -> Path:
    """A folder with photographs of mixed sizes, and a run that held some out. Not to be changed."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(NUM):
        place = folder / "photos" / ("dark", "light")[number % 2] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 100, size=(*rng.integers(20, 60, size=2), 3)) + 120 * (number % 2)
        Image.fromarray(noise.astype(np.uint8)).save(place)
    words = ("--data", folder / "photos", "--resize", "8x8", "--gray", "--split", "random", "--epsilon", 10)
    said = gossamer("train", "dp-mixture", *words, "--delta", 1e-3, "--out", folder / "run", "--plain")
    assert said.code == 0, said.err
    return shared_folders.add(folder)


def is_held_out(folder: Path, choice: ScoringChoice) -> bool:
    """Tell if scores are computed beside what the run learnt from, and on all the others."""
    real = load_real(choice, [folder / "run"])
    is_same = data_digest(real.train) == (folder / "run" / "private" / "data.sha256").read_text()
    return is_same and real.train.num_records + real.test.num_records == NUM


def test_an_evaluation_tests_on_what_the_run_held_out(photos: Path, monkeypatch: Any, capsys: Any) -> None:
    choice = ScoringChoice(data=str(photos / "photos"))
    assert is_held_out(photos, choice)
    said = replace(choice, images=ImageChoice(resize="8x8", gray=True), series=SeriesChoice(split="random"))
    assert is_held_out(photos, said)
    assert capsys.readouterr().err == ""
    # The break: a key of its own.
    monkeypatch.setattr(scoring, "read_key", lambda run: None)
    monkeypatch.setattr(scoring, "check_held_out", lambda run, train: None)
    assert not is_held_out(photos, choice)


def test_an_evaluation_that_reads_the_pictures_in_another_way_says_that_others_are_held_out(
    photos: Path, capsys: Any
) -> None:
    # Labels decide the side of a record, and so does their order.
    turned = SeriesChoice(split="random", class_names=("light", "dark"))
    assert not is_held_out(photos, ScoringChoice(data=str(photos / "photos"), series=turned))
    assert "it may have learnt from them: give the options of the training" in capsys.readouterr().err
    alike = SeriesChoice(split="random", class_names=("dark", "light"))
    assert is_held_out(photos, ScoringChoice(data=str(photos / "photos"), series=alike))
    assert capsys.readouterr().err == ""


def test_pictures_that_are_named_are_tested_on_whole(photos: Path) -> None:
    choice = ScoringChoice(data=str(photos / "photos"), test_data=str(photos / "photos"))
    assert load_real(choice, [photos / "run"]).test.num_records == NUM
    divided = replace(choice, series=SeriesChoice(split="random"))
    assert load_real(divided, [photos / "run"]).test.num_records == NUM


def test_without_a_run_the_way_to_test_pictures_is_told(photos: Path) -> None:
    choice = ScoringChoice(data=str(photos / "photos"), images=ImageChoice(resize="8x8", gray=True))
    with pytest.raises(InputError, match="were held out with --test-data, or hold some out with --split"):
        load_real(choice, [photos / "photos"])


def test_describe_and_a_rehearsal_know_the_split(gossamer: Any, photos: Path) -> None:
    words = (photos / "photos", "--resize", "8x8", "--gray", "--split", "random")
    said = gossamer("data", "describe", *words)
    assert said.code == 0, said.err
    assert "num_test_records" in said.out
    assert "none: evaluate needs others" not in said.out
    started = ("--data", *words, "--start-from", "digits", "--epsilon", 10, "--dry-run", "--num-classes", 2)
    refused = gossamer("train", "dp-mixture", *started)
    assert "it holds images" not in refused.err
