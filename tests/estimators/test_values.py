"""Labels by name, in and out: the classes are those that were named in public."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gossamer.errors import InputError, told
from gossamer.estimators import DPMixture, as_images, as_series
from gossamer.estimators.values import labels_of, numbers_to_draw

X = np.random.default_rng(0).random((12, 8, 8))
NAMES = ["dog", "cat", "cat"] * 4


@pytest.mark.parametrize(
    "y",
    [
        np.array(NAMES),
        np.array(NAMES, dtype=object),
        NAMES,
        pd.Series(NAMES),
        pd.Categorical(NAMES),
        np.array(NAMES, "S"),
    ],
)
def test_labels_may_be_the_names_of_the_classes(y: Any) -> None:
    for data in (as_images(X, y, class_names=["cat", "dog"]), as_series(X[:, 0], y, class_names=["cat", "dog"])):
        assert data.train.y is not None
        assert data.train.y.tolist() == [1, 0, 0] * 4
        assert data.train.spec.class_names == ("cat", "dog")


def test_names_are_never_read_from_the_labels() -> None:
    for y in (np.array(NAMES), pd.Categorical(NAMES)):
        for given in ({}, {"num_classes": 2}):
            with pytest.raises(InputError, match=r"state them in public, class_names=") as caught:
                as_images(X, y, **given)  # type: ignore[arg-type]
            assert "categories too" in str(caught.value)
    with pytest.raises(InputError, match="the class of record 0 is none of the 2 public classes"):
        as_images(X, np.array(NAMES), class_names=["cat", "mouse"])


def test_a_number_that_may_be_a_name_or_a_place_is_refused() -> None:
    y = np.array([0, 1, 1] * 4)
    with pytest.raises(InputError, match=r"class_names.0. is a number other than 0"):
        as_images(X, y, class_names=["1", "0"])
    by_name = as_images(X, y.astype(str), class_names=["1", "0"]).train.y
    assert by_name is not None
    assert by_name.tolist() == [1, 0, 0] * 4
    assert as_images(X, y, class_names=["0", "1"]).train.num_records == 12


@pytest.mark.parametrize("x", [X * 2 - 1, X * 255, np.where(X > 0.5, np.nan, X)])
def test_images_that_were_normalised_get_one_line(x: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"x\[0\] has a value .* undo the normalisation .\(x \+ 1\) / 2") as caught:
        as_images(x)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("labels", "drawn"),
    [
        (None, None),
        ("dog", [1, 1, 1]),
        (1, [1, 1, 1]),
        (np.int64(1), [1, 1, 1]),
        (["dog", "cat", "dog"], [1, 0, 1]),
        (np.array(["dog", "cat", "dog"]), [1, 0, 1]),
        (pd.Series(["dog", "cat", "dog"]), [1, 0, 1]),
        ([1, 0, 1], [1, 0, 1]),
        (np.array([1, 0, 1], dtype=np.int8), [1, 0, 1]),
        (torch.tensor([1, 0, 1]), [1, 0, 1]),
    ],
)
def test_classes_are_drawn_by_number_or_by_name(labels: Any, drawn: list[int] | None) -> None:
    found = numbers_to_draw(labels, 3, ("cat", "dog"))
    assert (None if found is None else found.tolist()) == drawn


@pytest.mark.parametrize(
    ("labels", "names", "line"),
    [
        ("cow", ("cat", "dog"), "labels: word 1 is no class of this generator; its classes are 'cat', 'dog'"),
        ("cow", (), "it has none, so leave labels out"),
        (["cat", "cow"], ("cat", "dog"), "labels: word 2 is no class of this generator; its classes are 'cat', 'dog'"),
        ([0.5, 1.5], ("cat", "dog"), "whole numbers"),
        (["cat", "7"], ("cat", "dog"), "word 2 is no class"),
        (True, ("cat", "dog"), "whole numbers"),
        (1, ("1", "2", "3"), "hand labels over as text"),
        ([0, 1], ("1", "2", "3"), "hand labels over as text"),
    ],
)
def test_a_class_that_is_none_is_refused_with_those_that_there_are(labels: Any, names: Any, line: str) -> None:
    with pytest.raises(InputError, match=line):
        numbers_to_draw(labels, 2, names)


def test_samples_are_drawn_by_name_and_in_the_released_shares() -> None:
    model = DPMixture(epsilon=50.0).fit(
        X.repeat(10, axis=0), np.array(["cat"] * 90 + ["dog"] * 30), class_names=["cat", "dog"]
    )
    for drawn in (model.sample(4, "dog"), model.released.sample(4, "dog"), model.sample(4, 1)):
        assert drawn[1] is not None
        assert drawn[1].tolist() == [1] * 4
    assert model.released.to_frame(4, "dog")["class"].tolist() == ["dog"] * 4
    counts = [np.bincount(model.sample(400, evenness=evenness)[1]) for evenness in (0, 1)]
    assert counts[1].tolist() == [200, 200]
    assert counts[0][0] == pytest.approx(300, abs=15)
    with pytest.raises(InputError, match="both say which classes"):
        model.sample(4, "dog", evenness=0)


def test_a_message_shows_numbers_and_short_names_and_of_all_else_the_kind() -> None:
    shown = [told(value) for value in (None, True, 7, 0.5, "a", "a\nb", "a" * 101, b"a", [1], {"a": 1}, np.zeros(3))]
    assert shown == [
        "None", "True", "7", "0.5", "'a'", "a text of several lines", "a text of more than 100 characters", "a bytes",
        "a list", "a dict", "a ndarray",
    ]  # fmt: skip
    assert "digits" in told(10**200)


@pytest.mark.parametrize("kind", ["float64", "float32", "int8", "str"])
def test_labels_of_every_kind_of_number_are_one(kind: str) -> None:
    found = labels_of(np.array([1, 0, 1]).astype(kind), ("cat", "dog"), are_named=True)
    assert found is not None
    assert found.tolist() == [1, 0, 1]


@pytest.mark.parametrize("wrong", [[0.5, 1.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_labels_that_are_no_whole_numbers_are_refused(wrong: list[float]) -> None:
    with pytest.raises(InputError, match="whole numbers"):
        labels_of(np.array(wrong), ("cat", "dog"), are_named=True)


def test_the_advice_on_text_labels_works() -> None:
    y = np.array(["cat", "dog"] * 60)
    x = np.random.default_rng(0).random((120, 8, 8))
    with pytest.raises(InputError, match=r"class_names=\['cat', 'dog'\]"):
        DPMixture(epsilon=50.0).fit(x, y)
    drawn = DPMixture(epsilon=50.0).fit(x, y, class_names=["cat", "dog"]).sample(2, "dog")[1]
    assert drawn is not None
    assert drawn.tolist() == [1, 1]


def test_a_text_that_is_a_name_and_a_number_is_the_name() -> None:
    found = numbers_to_draw("1", 2, ("1", "2", "3"))
    assert found is not None
    assert found.tolist() == [0, 0]


def test_the_advice_on_names_of_classes_works() -> None:
    x, names = np.random.default_rng(0).random((120, 8, 8)), ["dog", "cat", "cat"] * 40
    for y in (names, np.array(names), pd.Categorical(names), pd.Series(names, dtype="string")):
        with pytest.raises(InputError, match=r"class_names=\['cat', 'dog'\]"):
            DPMixture(epsilon=50.0).fit(x, y)  # type: ignore[arg-type]
        model = DPMixture(epsilon=50.0).fit(x, y, class_names=["cat", "dog"])  # type: ignore[arg-type]
        assert model.released.spec.class_names == ("cat", "dog")
