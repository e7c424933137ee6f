"""`predict` and `predict_proba`: records in every form that `fit` takes, read as those of the release."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

from gossamer.errors import GossamerWarning, InputError
from gossamer.estimators import GSWGAN, DPMixture, ReleasedGenerator, as_images, as_series, classifying, load
from gossamer.nn.densities import SURENESS

NUM = 2400
RNG = np.random.default_rng(0)
Y = np.arange(NUM) % 3
X = np.clip(RNG.normal(0.2, 0.05, size=(NUM, 8, 8)) + (np.arange(8) // 3 == Y[:, None])[:, None] * 0.6, 0, 1)
X = X.astype(np.float32)


@pytest.fixture(scope="module")
def model() -> DPMixture:
    """Stripes in one of three places, learnt under little noise."""
    return DPMixture(epsilon=30.0, num_classes=3).fit(X, Y)


@pytest.fixture(scope="module")
def series() -> DPMixture:
    """Sines of three frequencies in two channels, with named classes, in their own units."""
    records = as_series(waves(), Y, low=(-2.0, 0.0), high=(2.0, 100.0), sample_rate=50.0, class_names=["a", "b", "c"])
    return DPMixture(epsilon=30.0).fit(records)


def waves() -> np.ndarray:
    time, rng = np.arange(24) / 24, np.random.default_rng(1)
    sines = np.sin(2 * np.pi * (1 + Y[:, None]) * time) + rng.normal(0, 0.2, size=(NUM, 24))
    return np.stack([sines, 50 + 20 * sines], axis=1)


def test_classes_that_are_far_apart_are_named_rightly(model: DPMixture, series: DPMixture) -> None:
    named = model.predict(X)
    assert named.dtype == np.int64
    assert (named == Y).mean() > 0.98
    words = series.predict(waves(), low=(-2, 0), high=(2, 100))
    assert words.dtype.kind == "U"
    assert (words == np.array(["a", "b", "c"])[Y]).mean() > 0.98


def test_probabilities_are_of_the_classes_in_their_order(model: DPMixture) -> None:
    found = model.predict_proba(X)
    assert (found.shape, found.dtype) == ((NUM, 3), np.float64)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.array_equal(found.argmax(axis=1), model.predict(X))


def test_a_generator_that_was_saved_says_the_same(model: DPMixture, tmp_path: Path) -> None:
    again = load(model.save(tmp_path / "g.safetensors"))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(again.predict(X[:5]), model.released.predict(X[:5]))


def test_every_form_of_records_gives_the_same(model: DPMixture, tmp_path: Path) -> None:
    expected = model.predict(X)
    np.savez(tmp_path / "x.npz", x=X)
    np.savez(tmp_path / "labelled.npz", x=X, y=Y)
    frame = pd.DataFrame(X.reshape(NUM, 64)).rename(columns=str)
    frame.to_csv(tmp_path / "x.csv", index=False)
    forms: dict[str, tuple[Any, dict[str, Any]]] = {
        "tensor": (torch.from_numpy(X), {}),
        "channels": (X[:, None], {}),
        "records": (as_images(X, Y, num_classes=3), {}),
        "data set": (TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), {}),
        "frame": (frame, {"low": 0, "high": 1}),
        "frame with labels": (frame.assign(kind=["x", "y", "z"] * (NUM // 3)), {"low": 0, "high": 1, "label": "kind"}),
        "file": (tmp_path / "x.npz", {}),
        "file with labels": (str(tmp_path / "labelled.npz"), {}),
        "table": (tmp_path / "x.csv", {"low": 0, "high": 1}),
    }
    for name, (x, said) in forms.items():
        assert np.array_equal(model.predict(x, **said), expected), name


def test_series_of_a_frame_are_read_between_the_bounds_of_the_release(series: DPMixture) -> None:
    expected = series.predict(as_series(waves(), low=(-2.0, 0.0), high=(2.0, 100.0), sample_rate=50.0))
    long = pd.DataFrame(
        {
            "who": np.repeat(np.arange(NUM), 24),
            "t": np.tile(np.arange(24) / 50, NUM),
            "one": waves()[:, 0].ravel(),
            "two": waves()[:, 1].ravel(),
            "kind": np.repeat(Y, 24),
        }
    )
    found = series.predict(long, person="who", time="t", label="kind")
    assert np.array_equal(found, expected)


def test_bounds_taken_from_elsewhere_would_be_found(series: DPMixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the bounds of the release are forgotten, so values would be clipped between 0 and 1."""
    monkeypatch.setattr(classifying, "facts_of_series", lambda spec, is_long: {})
    with pytest.raises(InputError, match="bounds"):
        series.predict(as_series(waves() * 0))


def test_the_prior_may_be_even(tmp_path: Path) -> None:
    y = np.where(np.arange(NUM) < 2000, 0, 1)
    x = np.clip(0.5 + 0.02 * y[:, None, None] + RNG.normal(0, 0.05, size=(NUM, 8, 8)), 0, 1)
    model = DPMixture(epsilon=30.0, num_classes=2).fit(x, y)
    usual, even = model.predict_proba(x), model.predict_proba(x, evenness=1.0)
    shares = np.array(model.released.trained.recipe.class_shares)
    turned = usual / shares**SURENESS
    assert np.allclose(turned / turned.sum(axis=1, keepdims=True), even, atol=1e-9)
    assert even[:, 1].mean() > usual[:, 1].mean()


def test_records_of_another_unit_are_not_clipped_without_a_word(series: DPMixture, model: DPMixture) -> None:
    with pytest.warns(GossamerWarning, match="are they of the unit and scale") as caught:
        series.predict(1000 * waves(), sample_rate=50)
    assert len(caught) == 1
    with pytest.warns(GossamerWarning, match="are they of the unit and scale"):
        model.predict((X > 0.5).astype(np.uint8))  # masks of 0 and 1, for which white_level=1 would be right
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series.predict(waves(), sample_rate=50)
        model.predict((X > 0.5).astype(np.uint8), white_level=1)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "another size": (np.zeros((3, 9, 9)), {}, r"shape \(1, 9, 9\), those of the release have \(1, 8, 8\)"),
    "series": (np.zeros((3, 2, 24)), {"low": 0, "high": 1}, "series, and the release is of images"),
    "values out of range": (np.full((3, 8, 8), 73.5), {}, r"x\[0\] has a value that is not a number in \[0, 1\]"),
    "a list": ([[0.0] * 8] * 8, {}, "x must be a numpy array"),
    "divided records": ("digits", {}, "divided in two"),
    "a word that is none": (X, {"limits": 3}, "takes no 'limits'"),
    "an evenness that is none": (X, {"evenness": "even"}, "evenness must be a number from 0 to 1"),
    "an evenness above one": (X, {"evenness": 2}, "evenness must lie between 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_records_that_do_not_fit_are_refused_without_a_value(case: str, model: DPMixture) -> None:
    x, said, words = REFUSED[case]
    with pytest.raises(InputError, match=words) as caught:
        model.predict(x, **said)
    assert "73.5" not in str(caught.value)


def test_other_bounds_or_rates_of_series_are_refused(series: DPMixture) -> None:
    for said, words in (({"low": 0, "high": 100}, "bounds"), ({"sample_rate": 60}, "sample rates")):
        with pytest.raises(InputError, match=words):
            series.predict(waves(), **({"low": (-2, 0), "high": (2, 100)} | said))


def test_methods_without_densities_and_releases_without_classes_are_refused(fitted: GSWGAN) -> None:
    with pytest.raises(InputError, match=r"releases no classifier.*dp-mixture.* can classify"):
        fitted.predict(X)
    without = DPMixture(epsilon=10.0).fit(X)
    with pytest.raises(InputError, match="learnt without classes"):
        without.predict(X)
    with pytest.raises(InputError, match="has learnt nothing yet"):
        DPMixture(epsilon=1.0).predict(X)


def test_nothing_of_the_records_is_kept(model: DPMixture) -> None:
    before = {name: one.clone() for name, one in model.released.trained.weights.items()}
    kept = dict(vars(model.released))
    model.predict(X)
    assert dict(vars(model.released)) == kept
    assert isinstance(model.released, ReleasedGenerator)
    after = model.released.trained.weights
    assert all(torch.equal(before[name], after[name]) for name in before)
