"""`gossamer sample`: from the release alone, to a file that anybody can read."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer import LabelledMixture
from gossamer.cli import progress
from gossamer.data.folder import load_picture_folder
from gossamer.methods import trained
from gossamer.methods.trained import TrainedGenerator


def images(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as found:
        return found["x"], found["y"]


def test_an_npz_has_images_and_balanced_labels(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    said = gossamer("sample", finished, "--num-samples", 25, "--out", tmp_path / "x.npz")
    assert said.code == 0
    # Twelve steps with secret noise: hardly ever anything but noise, and then a line says so.
    assert said.err == "" or ("nothing in it to share" in said.err and said.err.count("\n") == 1)
    x, y = images(tmp_path / "x.npz")
    assert x.dtype == np.float32
    assert x.shape == (25, 1, 8, 8)
    assert 0 <= x.min() <= x.max() <= 1
    assert sorted(np.bincount(y, minlength=10)) == [2] * 5 + [3] * 5


def test_labels_are_those_that_were_asked_for(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    said = gossamer("sample", finished, "--num-samples", 5, "--labels", 7, 3, "--out", tmp_path / "x.npz")
    assert said.code == 0
    assert images(tmp_path / "x.npz")[1].tolist() == [7, 3, 7, 3, 7]


@pytest.mark.parametrize(("evenness", "shares"), [(0, (300, 100)), (0.5, (254, 146)), (1, (200, 200))])
def test_classes_are_as_uneven_as_asked(
    gossamer: Any, uneven: Path, tmp_path: Path, evenness: float, shares: tuple[int, int]
) -> None:
    said = gossamer("sample", uneven, "--num-samples", 400, "--evenness", evenness, "--out", tmp_path / "x.npz")
    assert said.code == 0
    # The shares are released under noise.
    assert np.bincount(images(tmp_path / "x.npz")[1]) == pytest.approx(shares, abs=3)


def test_equal_seeds_give_equal_files_and_others_give_others(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        gossamer("sample", finished, "--num-samples", 12, "--seed", seed, "--out", tmp_path / f"{name}.npz")
    a, b, c = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("number", [3, 40, 300])
def test_a_png_is_one_picture(gossamer: Any, finished: Path, tmp_path: Path, number: int) -> None:
    assert gossamer("sample", finished, "--num-samples", number, "--out", tmp_path / "x.png").code == 0
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 8


def test_a_folder_has_a_picture_for_each_sample_under_its_class(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    assert gossamer("sample", finished, "--num-samples", 20, "--out", f"{tmp_path}/out/").code == 0
    names = [*(str(digit) for digit in range(10)), "README.md", "croissant.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert len(list((tmp_path / "out").rglob("*.png"))) == 20


def test_a_folder_for_dpimagebench_has_the_file_that_it_reads(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "exp.dpimagebench"
    said = gossamer("sample", finished, "--num-samples", 40, "--out", out)
    assert said.code == 0, said.err
    assert "55,000" in said.out
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    assert found == ["README.md", "croissant.json", "gen", "gen/gen.npz"]
    # As its eval.py does, of January 2026: two arrays, channels first, floats that it spreads to [-1, 1] itself.
    with np.load(out / "gen" / "gen.npz", allow_pickle=False) as read:
        x, y = read["x"], read["y"]
    assert (x.dtype, x.ndim, y.dtype, y.shape) == (np.float32, 4, np.int64, (40,))
    assert 0 <= x.min() < x.max() <= 1
    assert len(set(y)) == 10
    assert "gen/gen.npz" in (out / "README.md").read_text()


def test_the_release_alone_is_enough(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    shutil.rmtree(run / "private")
    shutil.copy(finished / "release" / "generator.safetensors", tmp_path / "alone.safetensors")
    for number, source in enumerate((finished, run, tmp_path / "alone.safetensors")):
        said = gossamer("sample", source, "--num-samples", 12, "--out", tmp_path / f"{number}.npz")
        assert said.code == 0
    files = [(tmp_path / f"{number}.npz").read_bytes() for number in range(3)]
    assert files[0] == files[1] == files[2]


def test_samples_can_be_trained_on_again_as_own_images(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    for out in (tmp_path / "x.npz", tmp_path / "folder"):
        assert gossamer("sample", finished, "--num-samples", 20, "--out", out).code == 0
        assert gossamer("data", "describe", out).code == 0


@pytest.mark.parametrize(
    ("more", "code", "said_of_it"),
    [
        ("--num-samples 0 --out x.npz", 2, "num_samples"),
        ("--num-samples -3 --out x.npz", 2, "num_samples"),
        ("--num-samples many --out x.npz", 2, "--num-samples"),
        ("--num-samples 3", 2, "--out"),
        ("--out x.npz", 2, "--num-samples"),
        ("--num-samples 3 --out x.jpg", 2, ".jpg"),
        ("--num-samples 3 --out x.npz --labels", 2, "--labels"),
        ("--num-samples 3 --out x.npz --labels 10", 2, "--labels"),
        ("--num-samples 3 --out x.npz --labels -1", 2, "--labels"),
        ("--num-samples 3 --out x.npz --labels 99999999999999999999999", 2, "--labels"),
        ("--num-samples 3 --out x.npz --labels two", 2, "--labels"),
        ("--num-samples 3 --out x.npz --surprise", 2, "--surprise"),
        ("--num-samples 3 --out absent/x.npz", 4, "absent/x.npz"),
        ("--num-samples 3 --out absent/x.png", 4, "absent"),
        ("--num-samples 3 --out .", 2, "not empty"),
    ],
)
def test_what_cannot_be_drawn_or_written_gets_one_line(
    gossamer: Any, finished: Path, tmp_path: Path, monkeypatch: Any, more: str, code: int, said_of_it: str
) -> None:
    (tmp_path / "mine").write_text("mine")
    monkeypatch.chdir(tmp_path)
    said = gossamer("sample", finished, *more.split())
    assert said.code == code
    assert said.out == ""
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
    assert said_of_it in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("source", ["absent", "absent.safetensors", ".", "file.npz"])
def test_what_is_no_generator_gets_one_line(gossamer: Any, tmp_path: Path, monkeypatch: Any, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "file.npz", x=np.zeros(3))
    said = gossamer("sample", source, "--num-samples", 3, "--out", "x.npz")
    assert said.code == 2
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "x.npz").exists()


def test_a_folder_of_pictures_carries_its_cards_and_is_read_back_without_them(
    gossamer: Any, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pictures"
    assert gossamer("sample", finished, "--num-samples", 20, "--out", out).code == 0
    card = (out / "README.md").read_text()
    statement = json.loads((finished / "release" / "privacy.json").read_text())
    assert "20 synthetic images: grey images of 8 x 8 pixels in 10 classes" in card
    assert f"({math.ceil(statement['epsilon'] * 1000) / 1000:.3f}, " in card
    assert json.loads((out / "croissant.json").read_text())["distribution"][0]["includes"] == "*/*.png"
    assert load_picture_folder(out).train.num_records == 20


def test_a_file_alone_carries_no_card(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    assert gossamer("sample", finished, "--num-samples", 20, "--out", tmp_path / "x.npz").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_what_the_model_card_says_of_drawing_works_beside_it(
    gossamer: Any, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished / "release", tmp_path / "release")
    monkeypatch.chdir(tmp_path / "release")
    card = (tmp_path / "release" / "README.md").read_text()
    (console,) = re.findall(r"```console\n\$ gossamer (.*?)\n```", card)
    assert gossamer(*console.split()).code == 0
    assert images(tmp_path / "release" / "synthetic.npz")[0].shape == (1000, 1, 8, 8)
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    drawn: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), drawn)
    assert drawn["records"].shape == (1000, 1, 8, 8)
    assert drawn["labels"].max() == 9


def test_classes_may_be_named(gossamer: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((60, 1, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(60) % 3, class_names=np.array(["cat", "dog", "0"]))
    run = tmp_path / "run"
    assert gossamer("train", "dp-mixture", "--data", tmp_path / "own.npz", "--epsilon", 10, "--out", run).code == 0
    # The name 0 is a number, too: it is taken for the name, and no number for a place.
    for words, labels in ((["dog", "cat"], [1, 0, 1]), (["dog,0"], [1, 2, 1]), (["0"], [2, 2, 2])):
        said = gossamer("sample", run, "--num-samples", 3, "--labels", *words, "--out", tmp_path / "x.npz")
        assert said.code == 0, said.err
        assert images(tmp_path / "x.npz")[1].tolist() == labels
    said = gossamer("sample", run, "--num-samples", 3, "--labels", "eel", "--out", tmp_path / "y.npz")
    assert said.code == 2
    assert "its classes are 'cat', 'dog', '0'" in said.err


def test_a_long_table_goes_in_and_comes_out(gossamer: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"s{walk},{step},{rng.random():.3f},{'ab'[walk % 2]}" for walk in range(60) for step in range(4)]
    (tmp_path / "gait.csv").write_text("\n".join(["walk,step,x,kind", *rows]), encoding="utf-8")
    words = ("--series-column", "walk", "--time-column", "step", "--class-column", "kind", "--class-names", "a,b")
    data = ("--data", tmp_path / "gait.csv", *words, "--length", 4)
    run = tmp_path / "run"
    assert gossamer("train", "dp-mixture", *data, "--epsilon", 5, "--out", run).code == 0
    heads = {
        "as-came": '"walk","step","x","kind"',
        "long": '"walk","step","x","kind"',
        "wide": '"t0","t1","t2","t3","kind"',
    }
    for name, head in heads.items():
        table = () if name == "as-came" else ("--table", name)
        out = tmp_path / f"{name}.csv"
        said = gossamer("sample", run, "--num-samples", 6, "--out", out, *table)
        assert said.code == 0
        assert "classes were drawn in turn, as many of each" in said.out
        assert "--evenness 0 draws them in the shares that were released" in said.out
        lines = out.read_text(encoding="utf-8").splitlines()
        assert (lines[0], len(lines)) == (head, 7 if name == "wide" else 25)
    said = gossamer("sample", run, "--num-samples", 6, "--out", tmp_path / "x.npz", "--table", "long")
    assert said.code == 2
    assert "--table is of series as X.csv or X.parquet" in said.err


def test_classes_that_were_asked_for_need_no_word_on_their_shares(
    gossamer: Any, finished: Path, tmp_path: Path
) -> None:
    turn = gossamer("sample", finished, "--num-samples", 4, "--out", tmp_path / "a.npz")
    assert "this method released no shares, so --labels is the way" in turn.out
    asked = gossamer("sample", finished, "--num-samples", 4, "--labels", 7, "--out", tmp_path / "b.npz")
    assert "in turn" not in asked.out


def test_soft_labels_of_a_teacher_stand_beside_the_hard_ones(gossamer: Any, finished: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((90, 8, 8), dtype=np.float32)
    model = LabelledMixture(epsilon=9.0, num_classes=3, teacher_steps=2).fit(x, np.arange(90) % 3)
    file = model.released.save(tmp_path / "mine.safetensors")
    words = ("--num-samples", 9, "--seed", 4, "--soft-labels", "--out")
    assert gossamer("sample", file, *words, tmp_path / "x.npz").code == 0
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        soft = found["probabilities"]
        assert sorted(found) == ["probabilities", "x", "y"]
        assert (soft.shape, soft.dtype) == ((9, 3), np.float32)
        assert soft.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-5)
        assert np.array_equal(model.released.soft_labels(9, seed=4), soft)
        assert np.array_equal(found["y"], np.arange(9) % 3)
    for source, out, word in (
        (file, tmp_path / "pictures", "NPZ file alone"),
        (finished, tmp_path / "y.npz", "no teacher"),
    ):
        said = gossamer("sample", source, *words, out)
        assert said.code == 2
        assert word in said.err
        assert not out.exists()


def test_many_samples_are_counted_and_an_interrupted_draw_leaves_nothing(
    gossamer: Any, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gossamer("sample", finished, "--num-samples", 1200, "--out", tmp_path / "whole.npz")
    monkeypatch.setattr(trained, "PIECE_VALUES", 1)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    pieces = gossamer("sample", finished, "--num-samples", 1200, "--out", tmp_path / "pieces.npz")
    assert (whole.code, pieces.code) == (0, 0)
    assert "samples 1000 of 1200" in pieces.err
    assert "samples" not in whole.err.replace("of these samples", "")
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "pieces.npz").read_bytes()

    def interrupted(self: TrainedGenerator, piece: Any) -> Any:
        drawn.append(piece)
        if len(drawn) == 2:
            raise KeyboardInterrupt
        return piece

    drawn: list[Any] = []
    monkeypatch.setattr(TrainedGenerator, "_checked", interrupted)
    (tmp_path / "other").mkdir()
    for name in ("drawn.npz", "drawn"):
        drawn.clear()
        said = gossamer("sample", finished, "--num-samples", 1200, "--out", tmp_path / "other" / name)
        assert said.code == 130
        assert list((tmp_path / "other").iterdir()) == []
