"""`gossamer encoder`: trained once, kept in private, and honest about what it saw."""

from __future__ import annotations

import functools
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.data.catalogue import load_records
from gossamer.errors import InputError, ResourceError
from gossamer.evaluation.encoder import EncoderSettings
from gossamer.runs.cache import CacheFolder
from gossamer.scoring import encoder
from gossamer.scoring.encoder import encoder_file, find_encoder, hold_out, load_encoder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: Any) -> CacheFolder:
    """A cache of the test's own, and a training of seconds."""
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    quick = functools.partial(EncoderSettings, num_epochs=1, min_updates=60, width=8, num_features=16)
    monkeypatch.setattr(encoder, "EncoderSettings", quick)
    return CacheFolder(tmp_path / "cache" / "private")


def test_it_is_trained_once_and_found_again(gossamer: Any) -> None:
    first, again = (json.loads(gossamer("encoder", "train", "--data", "digits", "--json").out) for _ in range(2))
    assert (first["was_kept"], again["was_kept"]) == (False, True)
    assert again["scores"] == first["scores"]
    assert first["seconds"] > 0
    assert set(first["scores"]) == {"encoder_accuracy", "inception_score"}
    accuracy = first["scores"]["encoder_accuracy"]
    assert 0.5 < accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert (accuracy["num_real"], accuracy["num_synthetic"]) == (360, 0)
    other = json.loads(gossamer("encoder", "train", "--data", "digits", "--seed", 1, "--json").out)
    assert not other["was_kept"]
    assert other["scores"] != first["scores"]


def test_it_is_kept_in_private_and_said_so(gossamer: Any, cache: CacheFolder) -> None:
    said = gossamer("encoder", "train", "--data", "digits")
    assert said.code == 0
    assert "accuracy on real test images: 0." in said.out
    assert "inception score of real test images: " in said.out
    assert "no guarantee covers it" in said.out
    assert "Never share it" in said.out
    assert str(cache.path) in said.out
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o700


def test_a_damaged_encoder_is_trained_again(gossamer: Any) -> None:
    words = ("encoder", "train", "--data", "digits", "--json")
    found = json.loads(gossamer(*words).out)
    file = Path(found["file"])
    file.write_bytes(file.read_bytes()[:-100])
    again, once_more = (json.loads(gossamer(*words).out) for _ in range(2))
    assert (again["was_kept"], once_more["was_kept"]) == (False, True)
    assert found["scores"] == again["scores"] == once_more["scores"]


def test_evaluations_get_the_same_encoder(gossamer: Any, cache: CacheFolder) -> None:
    real = load_records("digits").train
    assert load_encoder(real, cache, seed=0) is None
    counted: list[tuple[str, int, int]] = []
    trained = find_encoder(real, cache, seed=0, count=lambda *report: counted.append(report))
    assert counted[0] == ("encoder", 1, 60)
    assert counted[-1] == ("encoder", 60, 60)
    counted.clear()
    found = find_encoder(real, cache, seed=0, count=lambda *report: counted.append(report))
    assert counted == []
    assert np.array_equal(found.encode(real.x.numpy()).features, trained.encode(real.x.numpy()).features)
    assert json.loads(gossamer("encoder", "train", "--data", "digits", "--json").out)["was_kept"]
    assert encoder_file(real, cache, seed=0).is_file()
    assert load_encoder(real, cache, seed=1) is None


def own(tmp_path: Path, name: str, num_images: int, seed: int, side: int = 8) -> Path:
    """Two classes that any classifier can tell apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(num_images) % 2
    x = (rng.random((num_images, 1, side, side)) * 0.4 + 0.5 * y[:, None, None, None]).astype(np.float32)
    np.savez(tmp_path / name, x=x, y=y)
    return tmp_path / name


def test_without_test_images_a_tenth_is_held_out_and_said_so(gossamer: Any, tmp_path: Path) -> None:
    data = own(tmp_path, "own.npz", 305, seed=0)
    found = json.loads(gossamer("encoder", "train", "--data", data, "--num-classes", 2, "--json").out)
    assert found["num_real"] == 275
    assert found["scores"]["encoder_accuracy"]["num_real"] == 30
    assert "30 images, was held out" in found["notes"][0]


def test_held_out_images_are_no_training_images() -> None:
    digits = load_records("digits").train
    rest, held_out = hold_out(digits, seed=0)
    assert (rest.num_records, held_out.num_records) == (1294, 143)
    everything = {image.tobytes() for image in digits.x.numpy()}
    parts = [{image.tobytes() for image in part.x.numpy()} for part in (rest, held_out)]
    # The digits hold no image twice.
    assert parts[0] | parts[1] == everything
    assert not parts[0] & parts[1]


def test_own_test_images_are_used(gossamer: Any, tmp_path: Path) -> None:
    data, test = own(tmp_path, "own.npz", 60, seed=0), own(tmp_path, "test.npz", 40, seed=1)
    words = ("encoder", "train", "--data", data, "--test-data", test, "--num-classes", 2)
    found = json.loads(gossamer(*words, "--json").out)
    assert found["num_real"] == 60
    assert found["scores"]["encoder_accuracy"]["num_real"] == 40
    assert found["scores"]["encoder_accuracy"]["value"] > 0.9


def test_too_few_test_images_leave_the_inception_score_out_and_say_so(gossamer: Any, tmp_path: Path) -> None:
    data = own(tmp_path, "own.npz", 60, seed=0)
    said = gossamer("encoder", "train", "--data", data, "--num-classes", 2, "--json")
    assert said.code == 0
    assert set(json.loads(said.out)["scores"]) == {"encoder_accuracy"}
    assert "left out: inception score of 6 images" in said.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("train", 2, "--data"),
        ("learn --data digits", 2, "name the action first"),
        ("", 2, "name the action first"),
        ("train --data absent", 2, "neither a known name"),
        ("train --data bare.npz", 2, "no labels"),
        ("train --data few.npz --num-classes 2", 2, "too few images to hold out"),
        ("train --data one.npz --num-classes 2", 2, "one class"),
        ("train --data digits --test-data large.npz --num-classes 10", 2, "resize"),
    ],
)
def test_what_cannot_be_learnt_gets_one_line(
    gossamer: Any, tmp_path: Path, monkeypatch: Any, words: str, code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("bare.npz", x=np.zeros((30, 1, 8, 8), dtype=np.float32))
    np.savez("one.npz", x=np.zeros((30, 1, 8, 8), dtype=np.float32), y=np.zeros(30, dtype=np.int64))
    own(tmp_path, "few.npz", 9, seed=0)
    own(tmp_path, "large.npz", 30, seed=0, side=12)
    said = gossamer("encoder", *words.split())
    assert said.code == code
    assert said.out == ""
    assert said.err.startswith("gossamer: ")
    assert said.err.count("\n") == 1
    assert says in said.err


def test_a_cache_that_cannot_be_written_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    counted: list[tuple[str, int, int]] = []
    real = load_records("digits").train
    with pytest.raises(ResourceError, match="GOSSAMER_CACHE"):
        find_encoder(real, CacheFolder(tmp_path / "file" / "x"), seed=0, count=lambda *report: counted.append(report))
    assert counted == []


def test_unlabelled_images_have_no_encoder(tmp_path: Path, cache: CacheFolder) -> None:
    np.savez(tmp_path / "bare.npz", x=np.zeros((30, 1, 8, 8), dtype=np.float32))
    with pytest.raises(InputError, match="no labels"):
        find_encoder(load_records(str(tmp_path / "bare.npz")).train, cache, seed=0)
