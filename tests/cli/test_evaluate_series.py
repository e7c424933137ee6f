"""`gossamer evaluate` and `compare` on time series: their own scores and pictures, by the same words as for images."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli import scoring
from gossamer.cli.scoring import ScoringChoice, load_real
from gossamer.data.catalogue import load_records
from gossamer.data.identities import digests_of_names
from gossamer.data.made_beats import NAMES
from gossamer.data.records import RecordData, RecordSet
from gossamer.data.series_choice import SeriesChoice
from gossamer.driving.job import data_digest
from gossamer.evaluation.listed import Suite, names_of, needing
from gossamer.evaluation.record import Evaluation
from gossamer.evaluation.series import networks
from gossamer.evaluation.series.suite import FULL, QUICK, SCORES
from gossamer.evaluation.series.use import SeriesAnswers
from gossamer.privacy.adjacency import Unit
from gossamer.scoring.evaluations import bench_for
from gossamer.scoring.findings import RealRecords
from gossamer.scoring.images import ImageBench
from gossamer.scoring.series import SeriesBench

QUICKLY = ("--data", "beats", "--quick", "--num-samples", 300, "--num-workers", 1)


def score_names(suite: Suite) -> set[str]:
    return set(names_of(suite.of(SCORES)))


@pytest.fixture(autouse=True, scope="module")
def bench_of_seconds(tmp_path_factory: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOSSAMER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(networks, "_MIN_UPDATES", 30)
        patch.setattr(networks, "_MAX_UPDATES", 30)
        yield


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: Any) -> Path:
    """300 real training beats, in millivolt, and the same noised, as if other programs had made them."""
    train = load_records("beats").train
    low, high = train.spec.low[0], train.spec.high[0]
    folder = tmp_path_factory.mktemp("theirs")
    x, y = train.x.numpy()[::8], train.y.numpy()[::8]
    noise = 0.1 * np.random.default_rng(0).standard_normal(x.shape)
    np.savez(folder / "real.npz", x=low + (high - low) * x, y=y)
    np.savez(folder / "noised.npz", x=low + (high - low) * (x + noise).clip(0, 1), y=y)
    np.savez(folder / "unlabelled.npz", x=low + (high - low) * x)
    return folder


def found(said: Any) -> dict[str, Any]:
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_series_get_the_scores_of_series_and_pictures_that_stay_private(
    gossamer: Any, theirs: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    out = tmp_path / "out"
    tree = found(gossamer("evaluate", theirs / "noised.npz", *QUICKLY, "--json", "--out", out))
    assert set(tree["scores"]) == score_names(QUICK)
    assert set(tree["skipped"]) == score_names(FULL) - score_names(QUICK)
    assert set(tree["skipped"].values()) == {"left out by --quick"}
    Evaluation.from_json(tree)
    scores = {name: score["value"] for name, score in tree["scores"].items()}
    for name in ("acf_distance", "mmd", "histogram_distance", "discriminative_score"):
        assert scores[name] > scores[f"{name}_real"], name
    assert scores["trtr_accuracy"] > 0.7
    # All test beats are of people of whom there is no training beat.
    assert scores["tstr_macro_f1_people"] == scores["tstr_macro_f1"]
    pictures = {
        f"{name}.{kind}"
        for name in ("samples", "spectra", "embedding", "confusions", "scores")
        for kind in ("png", "svg")
    }
    assert {path.name for path in out.iterdir()} == pictures | {"evaluation.json", "scores.csv"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700

    def never(*arguments: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(SeriesBench, "score", never)
    monkeypatch.setenv("COLUMNS", "80")
    said = gossamer("evaluate", theirs / "noised.npz", *QUICKLY, "--out", out)
    assert said.code == 0
    assert all(len(line.rstrip()) <= 80 and "…" not in line for line in said.out.partition("\n\nThese")[0].splitlines())
    assert re.search(
        rf"^tstr_macro_f1 +higher +{scores['tstr_macro_f1']:.3f} .* {scores['trtr_macro_f1']:.3f}$", said.out, re.M
    )
    assert re.search(r"^random_forest +\d", said.out, re.M)


def test_targets_stand_side_by_side_and_the_spoilt_one_is_never_best(gossamer: Any, theirs: Path) -> None:
    tree = found(gossamer("compare", theirs / "real.npz", theirs / "noised.npz", *QUICKLY, "--json"))
    assert "noised" not in {tree["best"][name] for name in ("acf_distance", "psd_distance", "mmd", "frechet_distance")}
    assert tree["best"]["histogram_distance"] == "real"


def test_series_without_labels_get_the_scores_that_need_none(gossamer: Any, theirs: Path) -> None:
    tree = found(gossamer("evaluate", theirs / "unlabelled.npz", *QUICKLY, "--json"))
    needy = set(names_of(needing(SCORES, SeriesAnswers)))
    assert not needy & set(tree["scores"])
    assert {tree["skipped"][name] for name in needy} == {"the series have no labels"}
    assert "mmd" in tree["scores"]


def test_a_target_of_another_shape_or_kind_is_refused_in_one_line(gossamer: Any, theirs: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "short.npz", x=np.zeros((40, 1, 50)), y=np.arange(40) % 3)
    np.savez(tmp_path / "few.npz", x=np.random.default_rng(0).random((40, 1, 96)), y=np.arange(40) % 3)
    for name, words in (("short.npz", "50"), ("few.npz", "40 series; .* want 256")):
        said = gossamer("evaluate", tmp_path / name, *QUICKLY)
        assert (said.code, said.err.count("\n"), said.out) == (2, 1, "")
        assert re.search(words, said.err), said.err


def test_the_kind_of_the_real_records_decides_alone() -> None:
    assert bench_for(load_records("beats").train.spec) is SeriesBench
    assert bench_for(load_records("digits").train.spec) is ImageBench


def test_people_have_one_number_in_both_sets() -> None:
    data = load_records("beats")
    real = RealRecords(train=data.train, test=data.test)
    assert isinstance(real.test, RecordSet)
    train, test = set(real.train.people.tolist()), set(real.test.people.tolist())
    assert (len(train), len(test), train | test) == (80, 20, set(range(100)))
    assert np.array_equal(real.train.person_digests, real.test.person_digests)
    assert np.array_equal(real.train.person_digests, digests_of_names(NAMES))


@pytest.fixture(scope="module")
def runs_of_people(tmp_path_factory: Any, gossamer: Any, shared_folders: Any) -> Path:
    """A folder with 900 series of 300 people, and two runs that hold out by keys of their own. Not to be changed."""
    folder = tmp_path_factory.mktemp("people")
    rng, person = np.random.default_rng(0), np.array([f"p{number % 300}" for number in range(900)])
    arrays = {"x": rng.random((900, 1, 24)), "y": np.arange(900) % 2, "person": person}
    np.savez(folder / "own.npz", **arrays, low=np.array(0.0), high=np.array(1.0), class_names=np.array(["a", "b"]))
    for name in ("one", "two"):
        words = ("--data", folder / "own.npz", "--split", "people", "--unit", "person", "--epsilon", 10)
        said = gossamer("train", "dp-mixture", *words, "--device", "cpu", "--out", folder / name)
        assert said.code == 0, said.err
    return shared_folders.add(folder)


def held_out_as(folder: Path, choice: ScoringChoice, *targets: str) -> str | None:
    """The run whose training records are those that scores would be computed beside."""
    train = data_digest(load_real(choice, [folder / target for target in targets]).train)
    runs = ((folder / name / "private" / "data.sha256").read_text() == train for name in ("one", "two"))
    return next((name for name, is_same in zip(("one", "two"), runs) if is_same), None)


def test_those_are_tested_on_whom_the_run_held_out(runs_of_people: Path, capsys: Any) -> None:
    own = ScoringChoice(data=str(runs_of_people / "own.npz"), series=SeriesChoice(split="people"))
    assert held_out_as(runs_of_people, own, "one", "two") == "one"
    assert held_out_as(runs_of_people, own, "two") == "two"
    assert held_out_as(runs_of_people, replace(own, key_of=runs_of_people / "two"), "one") == "two"
    assert held_out_as(runs_of_people, own, "own.npz", "two") == "two"
    assert capsys.readouterr().err == ""


def test_whoever_is_scored_on_another_division_is_told(runs_of_people: Path, capsys: Any) -> None:
    own = ScoringChoice(data=str(runs_of_people / "own.npz"), series=SeriesChoice(split="people"))
    assert held_out_as(runs_of_people, own, "own.npz") is None
    assert "test records are drawn anew" in capsys.readouterr().err
    assert held_out_as(runs_of_people, replace(own, series=SeriesChoice(split="random")), "one") is None
    assert "was trained with another --split" in capsys.readouterr().err


@pytest.fixture
def another_key(runs_of_people: Path) -> Iterator[Path]:
    """The file of the first run's key, with another key in it."""
    path = runs_of_people / "one" / "private" / "units.key"
    own = path.read_text()
    path.write_text("5a" * 32)
    yield path
    path.write_text(own)


def test_another_key_does_not_pass_training_records_for_held_out_ones(
    gossamer: Any, runs_of_people: Path, another_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs_of_people)
    own = ("--data", "own.npz", "--split", "people", "--quick")
    for words in (
        ("evaluate", "one", *own),
        ("evaluate", "two", *own, "--key-of", "one"),
        ("audit", "membership", "one"),
    ):
        said = gossamer(*words)
        assert (said.code, said.err.count("\n")) == (2, 1), said.err
        assert "units.key: by this key own has other training records than the run began with" in said.err


def test_other_data_and_another_split_are_scored_whatever_the_key_says(
    runs_of_people: Path, another_key: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "others.npz"
    copy.write_bytes((runs_of_people / "own.npz").read_bytes())
    others = ScoringChoice(data=str(copy), series=SeriesChoice(split="people"))
    assert held_out_as(runs_of_people, others, "one") is None
    random = ScoringChoice(data=str(runs_of_people / "own.npz"), series=SeriesChoice(split="random"))
    assert held_out_as(runs_of_people, random, "one") is None


def test_a_public_list_needs_no_key(capsys: Any) -> None:
    assert load_real(ScoringChoice(data="beats"), []).test.num_records == 600
    assert capsys.readouterr().err == ""


def test_the_usual_split_is_that_of_the_unit_that_the_run_protects(
    runs_of_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Unit] = []

    def spy(*arguments: Any) -> RecordData:
        asked.append(next(one for one in arguments if isinstance(one, Unit)))
        return load_records("beats")

    monkeypatch.setattr(scoring, "load_chosen", spy)
    load_real(ScoringChoice(data="mitdb"), [runs_of_people / "one"])
    load_real(ScoringChoice(data="mitdb"), [runs_of_people / "own.npz"])
    assert asked == [Unit.PERSON, Unit.RECORD]
