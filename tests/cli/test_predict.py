"""`gossamer predict`: records of every reader, classified by the release alone, and nothing of them kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors
import safetensors.torch
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score

from gossamer.data.catalogue import load_records
from gossamer.estimators import load
from gossamer.methods.catalogue import METHODS
from gossamer.scoring.predictions import Predictions

DIGITS = load_records("digits")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: Any, gossamer: Any, shared_folders: Any) -> Path:
    """A run of dp-mixture on the digits. To be looked at, never to be changed."""
    path = tmp_path_factory.mktemp("learnt") / "run"
    said = gossamer("train", "dp-mixture", "--data", "digits", "--epsilon", 10, "--out", path)
    assert said.code == 0, said.err
    return shared_folders.add(path)


@pytest.fixture(scope="module")
def beats(tmp_path_factory: Any, gossamer: Any, shared_folders: Any) -> Path:
    """A run of dp-mixture on a table of series in their own units, with classes by name."""
    place = tmp_path_factory.mktemp("beats")
    table(place / "waves.csv")
    words = ("--class-column", "kind", "--class-names", "slow,fast", "--low", "-2", "--high", "2", "--sample-rate", 50)
    said = gossamer(
        "train", "dp-mixture", "--data", place / "waves.csv", *words, "--epsilon", 30, "--out", place / "run"
    )
    assert said.code == 0, said.err
    return shared_folders.add(place)


def table(path: Path, *, labelled: bool = True) -> np.ndarray:
    """Write 2,000 sines of two frequencies; return which."""
    rng, kind = np.random.default_rng(0), np.arange(2000) % 2
    x = np.sin(2 * np.pi * (1 + kind[:, None]) * np.arange(24) / 24) + rng.normal(0, 0.2, size=(2000, 24))
    frame = pd.DataFrame(x).rename(columns=lambda step: f"t{step}")
    if labelled:
        frame = frame.assign(kind=np.array(["slow", "fast"])[kind])
    frame.to_csv(path, index=False)
    return kind


def test_held_out_digits_are_named_and_scored(gossamer: Any, learnt: Path, tmp_path: Path) -> None:
    said = gossamer("predict", learnt, "--data", "digits", "--out", tmp_path / "found.csv", "--json")
    assert said.code == 0, said.err
    assert "360 records held out are classified" in said.err
    tree, found = json.loads(said.out), pd.read_csv(tmp_path / "found.csv")
    assert DIGITS.test is not None
    assert DIGITS.test.y is not None
    true = DIGITS.test.y.numpy()
    assert found["record"].tolist() == list(range(360))
    named = found["class"].to_numpy()
    assert np.array_equal(named, load(learnt).predict(DIGITS.test))
    assert tree["num_records"] == 360
    assert tree["counts"] == {str(digit): int((named == digit).sum()) for digit in range(10)}
    assert tree["scores"]["accuracy"]["value"] == pytest.approx((named == true).mean())
    assert tree["scores"]["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(true, named))
    assert tree["scores"]["macro_f1"]["value"] == pytest.approx(f1_score(true, named, average="macro"))
    assert tree["scores"]["accuracy"]["value"] > 0.7
    assert tree["scores"]["accuracy"]["low"] < tree["scores"]["accuracy"]["value"]


def test_it_says_scores_and_what_is_private(gossamer: Any, learnt: Path) -> None:
    said = gossamer("predict", learnt, "--data", "digits")
    assert said.code == 0
    for words in ("360 records of digits", "accuracy", "balanced_accuracy", "macro_f1", "Nothing was spent", "--out"):
        assert words in said.out


def test_the_release_alone_is_enough_and_nothing_is_written_beside_it(
    gossamer: Any, learnt: Path, tmp_path: Path
) -> None:
    shutil.copytree(learnt / "release", tmp_path / "release")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    np.savez(tmp_path.parent / "plain.npz", x=DIGITS.train.x[:20].numpy())
    said = gossamer("predict", tmp_path / "release", "--data", tmp_path.parent / "plain.npz", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["scores"] == {}
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    plain = gossamer("predict", tmp_path / "release", "--data", tmp_path.parent / "plain.npz")
    assert "no labels, so nothing tells how many are right" in plain.out


def older(path: Path, source: Path) -> Path:
    """Write the release as a version before offset, shares of classes and verdict did."""
    weights = safetensors.torch.load_file(source / "release" / "generator.safetensors")
    with safetensors.safe_open(source / "release" / "generator.safetensors", framework="pt") as file:
        header = dict(file.metadata())
    tree = json.loads(header["gossamer"])
    recipe = tree["recipe"]
    for name in ("class_shares", "verdict"):
        recipe.pop(name, None)
    del weights["offset"]
    safetensors.torch.save_file(weights, path, metadata={"gossamer": json.dumps(tree)})
    return path


def test_a_release_of_an_earlier_version_classifies_with_classes_alike(
    gossamer: Any, learnt: Path, tmp_path: Path
) -> None:
    file = older(tmp_path / "older.safetensors", learnt)
    said = gossamer("predict", file, "--data", "digits", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["evenness"] == 1.0
    refused = gossamer("predict", file, "--data", "digits", "--evenness", 0)
    assert refused.code == 2
    assert "without shares of classes" in refused.err


def test_a_table_of_series_is_read_between_the_bounds_of_the_release(
    gossamer: Any, beats: Path, tmp_path: Path
) -> None:
    kind = table(tmp_path / "new.csv")
    said = gossamer(
        "predict", beats / "run", "--data", tmp_path / "new.csv", "--class-column", "kind", "--out", tmp_path / "p.npz",
        "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert json.loads(said.out)["scores"]["accuracy"]["value"] > 0.98
    with np.load(tmp_path / "p.npz", allow_pickle=False) as found:
        assert found["class_names"].tolist() == ["slow", "fast"]
        assert (found["y"] == kind).mean() > 0.98
    table(tmp_path / "plain.csv", labelled=False)
    plain = gossamer("predict", beats / "run", "--data", tmp_path / "plain.csv", "--json")
    assert json.loads(plain.out)["counts"] == json.loads(said.out)["counts"]


def test_series_of_another_unit_are_told(gossamer: Any, beats: Path, tmp_path: Path) -> None:
    table(tmp_path / "mine.csv", labelled=False)
    (pd.read_csv(tmp_path / "mine.csv") * 1000).to_csv(tmp_path / "mine.csv", index=False)
    said = gossamer("predict", beats / "run", "--data", tmp_path / "mine.csv")
    assert said.code == 0
    assert "are they of the unit and scale" in said.err


def test_records_that_the_run_learnt_from_are_told(gossamer: Any, beats: Path, tmp_path: Path) -> None:
    said = gossamer("predict", beats / "run", "--data", beats / "waves.csv", "--class-column", "kind", "--json")
    assert said.code == 0, said.err
    assert "learnt from these very records" in said.err
    table(tmp_path / "new.csv")
    others = gossamer("predict", beats / "run", "--data", tmp_path / "new.csv", "--class-column", "kind", "--json")
    assert others.err == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--low", "-1", "--high", "1"), "bounds"),
        (("--sample-rate", "25"), "sample rates"),
        (("--class-column", "kind", "--class-names", "fast,other"), ""),
    ],
)
def test_series_read_otherwise_are_refused(
    gossamer: Any, beats: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    table(tmp_path / "new.csv", labelled="--class-column" in words)
    said = gossamer("predict", beats / "run", "--data", tmp_path / "new.csv", *words)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert told in said.err


def test_images_of_another_size_are_resized_if_that_is_said_and_else_refused(
    gossamer: Any, learnt: Path, tmp_path: Path
) -> None:
    x = DIGITS.train.x[:30].repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert DIGITS.train.y is not None
    np.savez(tmp_path / "large.npz", x=x.numpy(), y=DIGITS.train.y[:30].numpy())
    refused = gossamer("predict", learnt, "--data", tmp_path / "large.npz")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "(1, 16, 16), those of the release have (1, 8, 8)" in refused.err
    said = gossamer("predict", learnt, "--data", tmp_path / "large.npz", "--resize", "8x8", "--json")
    assert json.loads(said.out)["scores"]["accuracy"]["value"] > 0.7


def test_labels_of_other_classes_are_refused(gossamer: Any, learnt: Path, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "named.npz", x=DIGITS.train.x[:4].numpy(), y=np.arange(4) % 2, class_names=np.array(["cat", "dog"])
    )
    said = gossamer("predict", learnt, "--data", tmp_path / "named.npz")
    assert said.code == 2
    assert "its 2 classes are not the 10 of the release" in said.err


def test_methods_without_densities_say_which_have_them(gossamer: Any, finished: Path) -> None:
    said = gossamer("predict", finished, "--data", "digits")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "releases no classifier" in said.err
    assert ", ".join(method.name for method in METHODS if method.classifies) + " can classify" in said.err


def test_a_place_in_a_release_and_another_ending_are_refused(gossamer: Any, learnt: Path, tmp_path: Path) -> None:
    said = gossamer("predict", learnt, "--data", "digits", "--out", learnt / "release" / "found.csv")
    assert (said.code, said.err.count("\n")) == (3, 1)
    assert "must not leave" in said.err
    said = gossamer("predict", learnt, "--data", "digits", "--out", tmp_path / "found.txt")
    assert said.code == 2


def test_means_over_classes_are_over_those_that_occur_and_that_is_said(
    gossamer: Any, learnt: Path, tmp_path: Path
) -> None:
    assert DIGITS.test is not None
    assert DIGITS.test.y is not None
    kept, noise = DIGITS.test.y < 3, torch.randn(360, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x, true = (DIGITS.test.x + 0.3 * noise).clamp(0, 1)[kept], DIGITS.test.y[kept].numpy()
    np.savez(tmp_path / "few.npz", x=x.numpy(), y=true)
    words = ("predict", learnt, "--data", tmp_path / "few.npz", "--out", tmp_path / "found.csv")
    tree = json.loads(gossamer(*words, "--json").out)
    named = pd.read_csv(tmp_path / "found.csv")["class"].to_numpy()
    assert set(named) > {0, 1, 2}
    expected = f1_score(true, named, average="macro", labels=[0, 1, 2])
    assert tree["scores"]["macro_f1"]["value"] == pytest.approx(expected)
    assert f1_score(true, named, average="macro") < expected
    assert "7 classes occur in no record" in gossamer(*words).out
    assert "occur in no record" not in gossamer("predict", learnt, "--data", "digits").out


@pytest.fixture
def threes(gossamer: Any, tmp_path: Path) -> Path:
    """A run on digits 0, 1 and 2 with labels that begin with 1, rows and columns exchanged, a part held out."""
    assert DIGITS.train.y is not None
    kept = DIGITS.train.y < 3
    x, y = DIGITS.train.x[kept].mT.numpy(), DIGITS.train.y[kept].numpy()
    np.savez(tmp_path / "own.npz", x=x, y=y + 1)
    words = ("--num-classes", 3, "--first-label", 1, "--transpose", "--split", "random")
    said = gossamer(
        "train", "dp-mixture", "--data", tmp_path / "own.npz", *words, "--epsilon", 30, "--out", tmp_path / "run"
    )
    assert said.code == 0, said.err
    few = y < 2
    np.savez(tmp_path / "few.npz", x=x[few], y=y[few] + 1)
    return tmp_path


def test_labels_are_not_shifted_by_one_without_a_word(gossamer: Any, threes: Path) -> None:
    """The largest label is missing, so nothing is out of range."""
    said = gossamer("predict", threes / "run", "--data", threes / "few.npz", "--json")
    assert json.loads(said.out)["scores"]["accuracy"]["value"] > 0.95
    # All options of images are those of the run, and nothing is divided here, so there is nothing to say.
    assert said.err == ""
    refused = gossamer("predict", threes / "run" / "release", "--data", threes / "few.npz", "--transpose")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "other numbers for names (1, 2, 3)" in refused.err
    words = ("--transpose", "--first-label", 1)
    named = gossamer("predict", threes / "run" / "release", "--data", threes / "few.npz", *words, "--json")
    assert json.loads(named.out)["scores"] == json.loads(said.out)["scores"]


def test_options_of_the_run_that_are_said_in_part_are_told(gossamer: Any, threes: Path) -> None:
    words = ("--first-label", 1, "--resize", "8x8")
    said = gossamer("predict", threes / "run", "--data", threes / "few.npz", *words)
    assert said.code == 0
    assert "read its images with --transpose too" in said.err
    whole = gossamer("predict", threes / "run", "--data", threes / "few.npz", *words, "--transpose")
    assert whole.err == ""


def test_another_division_is_told_of_records_that_are_divided_here(gossamer: Any, threes: Path) -> None:
    undivided = gossamer("predict", threes / "run", "--data", threes / "own.npz", "--split", "none")
    assert "another --split" in undivided.err


def test_labels_without_names_are_told_to_be_taken_by_order(gossamer: Any, beats: Path, tmp_path: Path) -> None:
    kind = table(tmp_path / "new.csv")
    x = pd.read_csv(tmp_path / "new.csv").drop(columns="kind").to_numpy()[:, None]
    np.savez(tmp_path / "new.npz", x=x, y=kind)
    said = gossamer("predict", beats / "run", "--data", tmp_path / "new.npz")
    assert said.code == 0
    assert "taken for the classes in the order of the release: slow, fast" in said.err
    np.savez(tmp_path / "new.npz", x=x, y=kind, class_names=np.array(["slow", "fast"]))
    assert gossamer("predict", beats / "run", "--data", tmp_path / "new.npz").err == ""


@pytest.mark.parametrize("verb", ["predict", "sample"])
def test_records_are_not_written_over(gossamer: Any, beats: Path, tmp_path: Path, verb: str) -> None:
    table(tmp_path / "new.csv", labelled=False)
    (tmp_path / "link.csv").symlink_to(tmp_path / "new.csv")
    words = {"predict": ("--data", tmp_path / "new.csv"), "sample": ("--num-samples", 4)}[verb]
    outs = [beats / "waves.csv", *([tmp_path / "new.csv", tmp_path / "link.csv"] if verb == "predict" else [])]
    for out in outs:
        before = out.read_bytes()
        said = gossamer(verb, beats / "run", *words, "--out", out)
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "written over the records themselves" in said.err
        assert out.read_bytes() == before


HOSTILE: dict[str, Callable[[dict[str, torch.Tensor]], None]] = {
    "factors that are no numbers": lambda weights: weights["factors:lower"].fill_(torch.nan),
    "factors beyond all roots": lambda weights: weights["factors:lower"].fill_(1e30),
    "no share of any component": lambda weights: weights["shares"].zero_(),
    "a class without components": lambda weights: weights["shares"][3].zero_(),
    "a share below zero": lambda weights: weights["shares"].fill_(-1.0),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_releases_are_refused_in_one_line(gossamer: Any, learnt: Path, tmp_path: Path, case: str) -> None:
    source = learnt / "release" / "generator.safetensors"
    weights = safetensors.torch.load_file(source)
    with safetensors.safe_open(source, framework="pt") as file:
        header = dict(file.metadata())
    HOSTILE[case](weights)
    safetensors.torch.save_file(weights, tmp_path / "forged.safetensors", metadata=header)
    said = gossamer("predict", tmp_path / "forged.safetensors", "--data", "digits")
    assert said.code == 2, said.out
    refusal = [line for line in said.err.splitlines() if "held out are classified" not in line]
    assert len(refusal) == 1
    assert "fetch the file again" in refusal[0]


def test_classes_in_another_order_would_be_found(gossamer: Any, learnt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the classes of X are taken in another order than those of the release."""
    usual = Predictions.of

    def turned(*given: Any) -> Any:
        found = usual(*given)
        return Predictions(
            class_names=found.class_names,
            probabilities=found.probabilities[:, ::-1],
            true=found.true,
            evenness=found.evenness,
        )

    monkeypatch.setattr(Predictions, "of", turned)
    said = gossamer("predict", learnt, "--data", "digits", "--json")
    assert json.loads(said.out)["scores"]["accuracy"]["value"] < 0.3
