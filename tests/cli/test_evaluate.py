"""`gossamer evaluate`: every score with its interval, the same twice, kept in private, and bad input in one line."""

from __future__ import annotations

import csv
import json
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.evaluation.listed import Suite, names_of, needing
from gossamer.evaluation.record import Evaluation
from gossamer.evaluation.suite import FULL, QUICK, SCORES
from gossamer.evaluation.use import ImageAnswers
from gossamer.scoring.images import ImageBench

QUICKLY = ("--data", "digits", "--quick", "--num-samples", 256, "--num-workers", 1)
QUICK_HEADLINE = {
    "inception_score", "frechet_distance", "precision", "recall", "density", "coverage", "cnn_accuracy", "mlp_accuracy",
}  # fmt: skip


def score_names(suite: Suite) -> set[str]:
    """All but the one that wants a file of weights."""
    return {*names_of(suite.of(SCORES))} - {"fid_inception"}


@pytest.fixture(autouse=True)
def bench(bench_of_seconds: Path) -> Path:
    return bench_of_seconds


@pytest.fixture
def run(finished: Path, tmp_path: Path, copy_run: Any) -> Path:
    """A finished run of the test's own, to keep scores in."""
    return copy_run(finished, tmp_path / "run")


def found(said: Any) -> dict[str, Any]:
    assert said.code == 0, said.err
    return json.loads(said.out)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_refused(said: Any, code: int = 2) -> bool:
    return said.code == code and said.err.startswith("gossamer: ") and said.err.count("\n") == 1 and not said.out


def random_images(num_images: int = 256) -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).random((num_images, 1, 8, 8), dtype=np.float32)
    return {"x": x, "y": np.arange(num_images) % 10}


def test_a_run_is_scored_once_and_kept_in_private(gossamer: Any, run: Path, monkeypatch: Any) -> None:
    released = contents(run / "release")
    tree = found(gossamer("evaluate", run, *QUICKLY, "--json"))
    assert tree["covered_by_guarantee"] is False
    assert set(tree["scores"]) == score_names(QUICK) >= QUICK_HEADLINE
    for score in tree["scores"].values():
        assert score["low"] <= score["value"] <= score["high"]
        assert isinstance(score["higher_is_better"], bool)
    assert score_names(FULL) - score_names(QUICK) == set(tree["skipped"]) - {"fid_inception"}
    assert set(tree["skipped"].values()) == {"left out by --quick", "no --inception-weights given"}
    # Real digits teach a classifier; twelve steps of a tiny GAN do not.
    assert tree["scores"]["mlp_accuracy_real"]["value"] > 0.8
    assert tree["scores"]["mlp_accuracy"]["value"] < 0.6
    assert tree["claim"]["epsilon"] > 0
    Evaluation.from_json(tree)

    folder = run / "private" / "evaluation"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads((folder / "evaluation.json").read_text()) == tree
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json", "scores.csv", "samples.png", "scores.png", "scores.svg",
    }  # fmt: skip
    assert contents(run / "release") == released

    def never(*arguments: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(ImageBench, "score", never)
    assert found(gossamer("evaluate", run, *QUICKLY, "--json")) == tree
    with pytest.raises(AssertionError, match="computed again"):
        gossamer("evaluate", run, *QUICKLY, "--seed", 1)


def test_the_terminal_shows_whole_names_at_80_columns(gossamer: Any, run: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = gossamer("evaluate", run, *QUICKLY)
    assert said.code == 0
    table, note = said.out.split("\n\n", maxsplit=1)
    assert all(len(line.rstrip()) <= 80 and "…" not in line for line in table.splitlines())
    assert all(re.search(rf"^{name} +(higher|lower) ", table, re.MULTILINE) for name in QUICK_HEADLINE)
    assert re.search(r"^frechet_distance +lower ", table, re.MULTILINE)
    # A quick evaluation has no classifier that the headline lacks.
    assert "macro" not in table.split("left out by --quick")[0]
    assert "guarantee does not cover" in note
    assert str(run / "private" / "evaluation") in note


def test_what_is_damaged_in_the_cache_is_computed_again_to_the_same_numbers(
    gossamer: Any, real_digits: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "own"))
    words = ("evaluate", real_digits, *QUICKLY, "--num-seeds", 2, "--json")
    tree = found(gossamer(*words))
    assert tree["seeds"] == [0, 1]
    assert tree["scores"]["cnn_accuracy"]["seeds"] == tree["scores"]["recall"]["seeds"] == [0, 1]
    entries = [path for path in (tmp_path / "own" / "private").iterdir() if path.suffix in (".json", ".safetensors")]
    assert len(entries) == 3
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-20] + b"0" * 20)
    assert found(gossamer(*words)) == tree


def test_images_of_other_programs_are_scored_whatever_their_form(gossamer: Any, tmp_path: Path) -> None:
    made = random_images()
    np.savez(tmp_path / "a.npz", **made)
    np.savez(tmp_path / "b.npz", data_x=np.moveaxis(made["x"], 1, -1), data_y=made["y"])
    ours, theirs = (found(gossamer("evaluate", tmp_path / name, *QUICKLY, "--json")) for name in ("a.npz", "b.npz"))
    assert ours["scores"] == theirs["scores"]
    assert (ours["target"], theirs["target"]) == ("a", "b")
    assert ours["claim"] is None
    for number, (image, label) in enumerate(zip(made["x"], made["y"])):
        # Class 9 is missing.
        folder = tmp_path / "folder" / str(label % 9)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(255 * image[0]).astype(np.uint8)).save(folder / f"{number:03d}.png")
    said = gossamer("evaluate", tmp_path / "folder", *QUICKLY)
    assert said.code == 0
    assert "Nothing was written" in said.out
    assert not (tmp_path / "private").exists()


def test_images_without_labels_get_the_scores_that_need_none(gossamer: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=random_images()["x"])
    tree = found(gossamer("evaluate", tmp_path / "a.npz", *QUICKLY, "--json"))
    assert "recall" in tree["scores"]
    needy = names_of(needing(SCORES, ImageAnswers))
    assert not set(tree["scores"]) & set(needy)
    assert all(tree["skipped"][name] == "the images have no labels" for name in needy)


def test_checkpoints_become_rows_and_curves(
    gossamer: Any, saved_on_the_way: Path, tmp_path: Path, copy_run: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run = copy_run(saved_on_the_way, tmp_path / "run")
    said = gossamer("evaluate", run, *QUICKLY, "--checkpoints")
    assert said.code == 0, said.err
    assert all(len(line.rstrip()) <= 80 and "…" not in line for line in said.out.split("\n\n")[0].splitlines())
    folder = run / "private" / "evaluation"
    tree = json.loads((folder / "evaluation.json").read_text())
    assert [one["claim"]["step"] for one in tree["checkpoints"]] == [3, 7, None]
    for step, one in zip(("3", "7", "final"), tree["checkpoints"]):
        assert re.search(rf"^ +\d\.\d{{3}} +{step} +{one['scores']['inception_score']['value']:.3f} ", said.out, re.M)
    with (folder / "scores.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["score"] == "recall"]
    assert [row["step"] for row in rows] == ["3", "7", ""]
    assert (folder / "curves.png").stat().st_size > 10_000
    drawing = (folder / "curves.svg").read_text()
    for name in QUICK_HEADLINE:
        assert drawing.split(f'<g id="{name}-run-0">')[1].split("</g>\n   <g")[0].count("<use ") == 3
    # The evaluation of the final generator alone takes the place of all that.
    assert gossamer("evaluate", run, *QUICKLY).code == 0
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json", "scores.csv", "samples.png", "scores.png", "scores.svg",
    }  # fmt: skip


def test_a_run_without_saved_generators_has_no_checkpoints(gossamer: Any, finished: Path) -> None:
    said = gossamer("evaluate", finished, *QUICKLY, "--checkpoints")
    assert is_refused(said)
    assert "--save-at-epsilon" in said.err


def test_a_release_takes_no_evaluation(gossamer: Any, run: Path) -> None:
    before = contents(run)
    for place in ("release", "release/scores"):
        assert is_refused(gossamer("evaluate", run, *QUICKLY, "--out", run / place), code=3)
    assert contents(run) == before
    assert not (run / "release" / "scores").exists()


def test_every_score_of_the_study_is_there(gossamer: Any, real_digits: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = ("evaluate", real_digits, "--data", "digits", "--num-samples", 256, "--num-seeds", 1, "--num-workers", 1)
    out = tmp_path / "out"
    said = gossamer(*words, "--out", out)
    assert said.code == 0, said.err
    tree = json.loads((out / "evaluation.json").read_text())
    assert set(tree["scores"]) == score_names(FULL)
    assert set(tree["skipped"]) == {"fid_inception"}
    # They are training images: as good as real ones, and copies.
    assert tree["scores"]["avg12"]["value"] > 0.75
    assert 0.9 < tree["scores"]["avg12_calibrated"]["value"] < 1.1
    assert tree["scores"]["memorisation"]["low"] > 0.5
    assert (out / "nearest-pairs.png").is_file()
    table = said.out.split("\nThese scores")[0]
    assert all(len(line.rstrip()) <= 80 and "…" not in line for line in table.splitlines())
    assert re.search(r"^logistic_regression +0\.\d{3} +0\.\d{3} +0\.\d{3} +0\.\d{3}$", table, re.MULTILINE)


def test_few_samples_are_scored_on_demand(gossamer: Any, tmp_path: Path) -> None:
    made = random_images(50)
    np.savez(tmp_path / "a.npz", **made)
    said = gossamer("evaluate", tmp_path / "a.npz", *QUICKLY)
    assert is_refused(said)
    assert "--allow-few-samples" in said.err
    assert set(
        found(gossamer("evaluate", tmp_path / "a.npz", *QUICKLY, "--allow-few-samples", "--json"))["scores"]
    ) == score_names(QUICK)
    np.savez(tmp_path / "b.npz", x=made["x"][:12], y=made["y"][:12])
    assert gossamer("evaluate", tmp_path / "b.npz", *QUICKLY, "--allow-few-samples").code == 0
    np.savez(tmp_path / "c.npz", x=made["x"][:11], y=made["y"][:11])
    assert is_refused(gossamer("evaluate", tmp_path / "c.npz", *QUICKLY, "--allow-few-samples"))


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x": np.full((256, 1, 14, 14), 0.5, np.float32)}, "(1, 14, 14)"),
        ({"y": np.arange(256) % 11}, "y[10]"),
        ({"y": np.arange(256) % 10 - 1}, "y[0]"),
        ({"x": np.full((256, 1, 8, 8), 0.5, np.float32)}, "all 256 images are the same"),
        ({"x": np.full((256, 1, 8, 8), np.nan, np.float32)}, "NaN"),
        ({"x": np.full((256, 1, 8, 8), 1.5, np.float32)}, "out of [0, 1]"),
        ({"x": None}, "no key 'x'"),
        ({"y": np.zeros(256, np.int64)}, "one class"),
    ],
)
def test_images_that_cannot_be_scored_get_one_line(
    gossamer: Any, tmp_path: Path, arrays: dict[str, Any], expected: str
) -> None:
    content = {name: array for name, array in (random_images() | arrays).items() if array is not None}
    np.savez(tmp_path / "a.npz", **content)
    said = gossamer("evaluate", tmp_path / "a.npz", *QUICKLY)
    assert is_refused(said), said.err
    assert expected in said.err


@pytest.mark.parametrize("option", ["--num-samples", "--num-seeds", "--num-workers", "--seed"])
def test_numbers_that_ask_for_nothing_get_one_line(gossamer: Any, real_digits: Path, option: str) -> None:
    said = gossamer("evaluate", real_digits, *QUICKLY, option, -1 if option == "--seed" else 0)
    assert is_refused(said)
    assert option in said.err


@pytest.mark.parametrize("case", ["absent.npz", "absent", "empty", "text.npz", "text.txt", "half", "unknown data"])
def test_what_is_no_target_gets_one_line(gossamer: Any, tmp_path: Path, real_digits: Path, case: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npz").write_text("dear")
    (tmp_path / "text.txt").write_text("dear")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    words = (tmp_path / case, *QUICKLY)
    if case == "unknown data":
        words = (real_digits, "--data", "unheard-of")
    assert is_refused(gossamer("evaluate", *words))


def test_own_images_need_test_images_of_the_same_classes(gossamer: Any, tmp_path: Path, own_npz: Any) -> None:
    data = own_npz(x=random_images(300)["x"], y=np.arange(300) % 2)
    words = ("evaluate", data, *QUICKLY[2:], "--data", data, "--num-classes", 2, "--json")
    said = gossamer(*words)
    assert is_refused(said)
    assert "--test-data" in said.err
    assert set(found(gossamer(*words, "--test-data", data))["scores"]) == score_names(QUICK)
    with np.load(data) as file:
        np.savez(tmp_path / "other.npz", x=file["x"], y=file["y"], class_names=np.array(["a", "b"]))
        np.savez(tmp_path / "unlabelled.npz", x=file["x"])
    said = gossamer(*words, "--test-data", tmp_path / "other.npz")
    assert is_refused(said)
    assert "other classes" in said.err
    words = ("evaluate", data, *QUICKLY[2:], "--data", tmp_path / "unlabelled.npz")
    assert is_refused(gossamer(*words, "--test-data", tmp_path / "unlabelled.npz"))
