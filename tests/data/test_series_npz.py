"""Series in NPZ files: public facts in the file or from the user, and every way in which one can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.data import array_stream
from gossamer.data.catalogue import load_records
from gossamer.data.images import ImageSpec
from gossamer.data.npz import load_npz
from gossamer.data.reading import SeriesReading
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.series_npz import load_series_npz

X = np.linspace(-2, 2, 5 * 2 * 7).reshape(5, 2, 7)
WHOLE_FILE = {
    "x": X,
    "y": np.array([0, 1, 1, 0, 1]),
    "person": np.array(["b", "a", "b", "c", "a"]),
    "low": np.array(-2.0),
    "high": np.array([2.0, 4.0]),
    "sample_rate": np.array(125.0),
    "class_names": np.array(["cat", "dog"]),
    "channel_names": np.array(["left", "right"]),
}


def save(path: Path, **changes: Any) -> Path:
    """The file above with other arrays; None leaves one out."""
    np.savez(path, **{key: value for key, value in (WHOLE_FILE | changes).items() if value is not None})
    return path


def test_a_file_that_says_it_holds_series_is_read_as_series(tmp_path, are_of) -> None:
    data = load_records(str(save(tmp_path / "a.npz")))
    assert data.train.spec == SeriesSpec(
        channels=2, length=7, low=(-2.0, -2.0), high=(2.0, 4.0), sample_rate=125.0,
        channel_names=("left", "right"), class_names=("cat", "dog"),
    )  # fmt: skip
    np.testing.assert_allclose(data.train.x[:, 0].numpy(), (X[:, 0] + 2) / 4, atol=1e-6)
    np.testing.assert_allclose(data.train.x[:, 1].numpy(), (X[:, 1] + 2) / 6, atol=1e-6)
    assert are_of(data.train, ["b", "a", "b", "c", "a"])


def test_what_the_user_says_wins_over_the_file(tmp_path) -> None:
    facts = SeriesFacts(low=(0.0,), high=(1.0,), sample_rate=10.0, channel_names=("u", "v"), class_names=("x", "y"))
    spec = load_series_npz(save(tmp_path / "a.npz"), facts).train.spec
    assert spec == SeriesSpec(
        channels=2, length=7, low=(0.0, 0.0), high=(1.0, 1.0), sample_rate=10.0, channel_names=("u", "v"),
        class_names=("x", "y"),
    )  # fmt: skip


def test_a_plain_file_is_images_unless_the_user_says_it_holds_series(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 8, 9)))
    assert isinstance(load_records(str(tmp_path / "a.npz")).train.spec, ImageSpec)
    reading = SeriesReading(facts=SeriesFacts(sample_rate=5.0))
    assert load_records(str(tmp_path / "a.npz"), reading=reading).train.spec.shape == (8, 9)


def test_one_channel_may_be_left_out_of_the_shape(tmp_path) -> None:
    path = save(tmp_path / "a.npz", x=np.zeros((5, 9)), channel_names=None, high=np.array(2.0))
    assert load_records(str(path)).train.x.shape == (5, 1, 9)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"x": None}, "no key 'x'"),
        ({"x": np.full((5, 2, 7), np.nan)}, "series 0, channel 0, time 0 is NaN"),
        ({"x": np.zeros((5, 2, 7, 1))}, "(batch, channels, time)"),
        ({"x": np.zeros((0, 2, 7))}, "at least 1"),
        ({"x": np.array([["a", "b"]])}, "must be numbers"),
        ({"y": np.array([0, 1, 2, 0, 1])}, "y[2]"),
        ({"y": None}, "has no labels"),
        ({"person": np.array(["a"])}, "one person for each"),
        ({"person": np.zeros(5, complex)}, "numbers or text"),
        ({"people": np.zeros(5, int)}, "'people'"),
        ({"low": None}, "belong together"),
        ({"low": np.array(3.0)}, "low below high"),
        ({"high": np.ones(3)}, "3 numbers for 2 channels"),
        ({"high": np.array(["a"])}, "must be a number"),
        ({"sample_rate": np.array([1.0, 2.0])}, "one number"),
        ({"sample_rate": np.array(-1.0)}, "sample_rate"),
        ({"channel_names": np.array(["left"])}, "1 names for 2 channels"),
        ({"channel_names": np.array(["left", "left"])}, "channel_names[1]"),
        ({"x": np.array([None, 1])}, "Python objects"),
    ],
)
def test_a_wrong_array_is_refused(tmp_path, refusal, changes, word) -> None:
    assert word in refusal(load_records, str(save(tmp_path / "a.npz", **changes)))


def test_bounds_that_nobody_gave_are_not_taken_from_the_values(tmp_path, refusal) -> None:
    path = save(tmp_path / "a.npz", low=None, high=None)
    assert "--low, --high" in refusal(load_records, str(path))


@pytest.mark.parametrize("cut", range(0, 1500, 150))
def test_a_file_cut_short_is_read_or_refused_in_one_line(tmp_path, read_or_refused, cut) -> None:
    path = save(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-cut] if cut else b"")
    read_or_refused(load_records, str(path))


def test_images_may_name_people_too(tmp_path, refusal, are_of) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 8, 8)), person=np.array([7, 3, 7]))
    assert are_of(load_npz(tmp_path / "a.npz").train, ["7", "3", "7"])
    np.savez(tmp_path / "b.npz", x=np.zeros((3, 8, 8)), person=np.array([7, 3, 7]), people=np.array([7, 3, 7]))
    assert "'people'" in refusal(load_npz, tmp_path / "b.npz")


@pytest.mark.parametrize("at_once", [3, 10, 2**18])
@pytest.mark.parametrize("kind", ["<f8", ">f4", "<i2"])
def test_an_array_in_fortran_order_is_the_same_series(monkeypatch, tmp_path: Path, kind: str, at_once: int) -> None:
    monkeypatch.setattr(array_stream, "_VALUES_AT_ONCE", at_once)
    x = np.arange(5 * 2 * 3).reshape(5, 2, 3).astype(kind)
    facts = SeriesFacts(low=(0.0, 1.0), high=(20.0, 40.0))
    found = []
    for order in "CF":
        np.savez(tmp_path / f"{order}.npz", x=np.asarray(x, order=order))  # pyrefly: ignore
        found.append(load_series_npz(tmp_path / f"{order}.npz", facts))
    assert torch.equal(found[0].train.x, found[1].train.x)
    assert torch.allclose(found[0].train.x[:, 1], torch.tensor((x[:, 1].astype(float) - 1) / 39).float().clip(0, 1))
    assert found[0].ranges is not None
    assert found[0].ranges.as_plain() == found[1].ranges.as_plain()


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_missing_value_is_told_by_its_place_in_either_order(refusal, tmp_path: Path, order: str) -> None:
    x = np.zeros((5, 2, 3))
    x[3, 1, 2] = np.nan
    np.savez(tmp_path / "a.npz", x=np.asarray(x, order=order))  # pyrefly: ignore
    assert "series 3, channel 1, time 2" in refusal(load_series_npz, tmp_path / "a.npz", SeriesFacts())
