"""`fit` on tables and text labels: the words of the command line, by keyword, and samples back as they came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gossamer.errors import InputError
from gossamer.estimators import DPMixture, as_images, load, load_series
from gossamer.estimators.records import read_source

NUM = 60
SAID: dict[str, Any] = {
    "person": "patient",
    "label": "kind",
    "time": "second",
    "low": [20, 50],
    "high": [220, 100],
    "length": 4,
    "sample_rate": 1.0,
    "class_names": ["well", "ill"],
}


def vitals() -> pd.DataFrame:
    """A series for each of 60 people: pulse and oxygen at four seconds; a third of them is ill."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "patient": f"p{person}",
            "second": second,
            "pulse": 80 + rng.normal(),
            "oxygen": 96.0,
            "kind": ("ill", "well", "well")[person % 3],
        }
        for person in range(NUM)
        for second in range(4)
    ]
    return pd.DataFrame(rows)


def wide() -> pd.DataFrame:
    values = np.random.default_rng(0).random((NUM, 16))
    return pd.DataFrame(values).rename(columns=str).assign(kind=["cat", "dog"] * (NUM // 2))


@pytest.fixture(scope="module")
def of_vitals() -> DPMixture:
    return DPMixture(epsilon=5.0, unit="person", num_people=100).fit(vitals(), **SAID)


def test_a_long_table_goes_in_by_words_and_comes_back_in_its_layout_and_units(of_vitals: DPMixture) -> None:
    assert of_vitals.statement.unit.value == "person"
    frame = of_vitals.released.to_frame(5)
    assert list(frame.columns) == ["patient", "second", "pulse", "oxygen", "kind"]
    assert frame["patient"].tolist() == [person for person in range(5) for _ in range(4)]
    assert frame["second"].tolist() == [0.0, 1.0, 2.0, 3.0] * 5
    assert frame["pulse"].between(20, 220).all()
    assert frame["oxygen"].between(50, 100).all()
    x, y = of_vitals.sample(5)
    assert np.array_equal(frame["pulse"].to_numpy().reshape(5, 4), x[:, 0])
    assert y is not None
    assert frame["kind"].tolist() == [("well", "ill")[label] for label in y for _ in range(4)]


def test_both_layouts_can_be_asked_for_and_pass_through_a_file(of_vitals: DPMixture, tmp_path: Path) -> None:
    again = load(of_vitals.save(tmp_path / "vitals.safetensors"))
    assert again.spec.table == of_vitals.released.spec.table
    assert again.to_frame(2).equals(of_vitals.released.to_long_frame(2))
    side_by_side = again.to_wide_frame(3)
    assert side_by_side.shape == (3, 9)
    assert list(side_by_side.columns[[0, 4, 8]]) == ["pulse_t0", "oxygen_t0", "kind"]


def test_what_came_as_an_array_comes_back_wide_and_can_be_long(of_series: DPMixture) -> None:
    assert of_series.released.to_frame(3).shape == (3, 25)
    frame = of_series.released.to_long_frame(3)
    assert list(frame.columns) == ["series", "time", "II", "flow", "class"]
    assert frame["time"].tolist() == list(range(12)) * 3


def test_images_are_never_long(fitted: Any) -> None:
    with pytest.raises(InputError, match="these samples are images"):
        fitted.released.to_long_frame(2)
    assert fitted.released.to_wide_frame(2).equals(fitted.released.to_frame(2))


def test_the_words_of_fit_are_those_of_load_series_and_of_a_file(tmp_path: Path) -> None:
    vitals().to_csv(tmp_path / "vitals.csv", index=False)
    words = {"low": [20, 50], "high": [220, 100], "length": 4, "sample_rate": 1.0, "class_names": ["well", "ill"]}
    columns = dict.fromkeys(("series_column", "person_column"), "patient")
    columns |= {"time_column": "second", "class_column": "kind"}
    expected = load_series(tmp_path / "vitals.csv", **words, **columns).train  # type: ignore[arg-type]
    for source in (vitals(), tmp_path / "vitals.csv", str(tmp_path / "vitals.csv")):
        found = read_source(source, None, None, None, said=SAID).train  # type: ignore[arg-type]
        assert torch.equal(found.x, expected.x)
        assert torch.equal(found.y, expected.y)
        assert np.array_equal(found.person_digests, expected.person_digests)
        assert (found.spec, found.spec.table) == (expected.spec, expected.spec.table)


def test_a_run_of_a_table_with_words_cannot_be_read_again_by_its_path(tmp_path: Path) -> None:
    wide().drop(columns="kind").to_csv(tmp_path / "mine.csv", index=False)
    DPMixture(epsilon=5.0).fit(tmp_path / "mine.csv", low=0, high=1, run=tmp_path / "run")
    assert "handed over in Python" in (tmp_path / "run" / "private" / ".." / "config.json").read_text(encoding="utf-8")


def test_a_row_is_an_image_if_a_shape_was_said(tmp_path: Path) -> None:
    words: Any = {"label": "kind", "shape": (4, 4), "class_names": ["cat", "dog"]}
    data = read_source(wide(), None, None, None, said=words)
    assert data.train.spec.shape == (1, 4, 4)
    assert data.train.y is not None
    assert data.train.y.tolist() == [0, 1] * (NUM // 2)
    wide().to_csv(tmp_path / "mine.csv", index=False)
    assert torch.equal(read_source(tmp_path / "mine.csv", None, None, None, said=words).train.x, data.train.x)


def test_an_array_is_one_of_series_if_bounds_were_said() -> None:
    x = np.random.default_rng(0).random((NUM, 2, 12)) * 300
    said: Any = {"low": 0, "high": 300, "channel_names": ["a", "b"], "class_names": ["cat", "dog"]}
    data = read_source(x, np.array(["dog", "cat"] * (NUM // 2)), None, None, said=said)
    assert (data.train.spec.shape, data.train.spec.class_names) == ((2, 12), ("cat", "dog"))
    assert data.train.y is not None
    assert data.train.y.tolist() == [1, 0] * (NUM // 2)


@pytest.mark.parametrize(
    ("x", "given", "line"),
    [
        (wide(), {"num_classes": 2}, "give num_classes where the model is made, beside epsilon"),
        (wide(), {"lable": "kind"}, "fit takes no 'lable' beside records: it takes person, label"),
        (wide(), {"label": "kind"}, "none of the 10 public classes"),
        (wide(), {"label": "kind", "class_names": ["cat"]}, "the class of record 1 is none of the 1"),
        (wide(), {"label": 3}, "label must be the name of a column, not 3"),
        (wide(), {"time": "0"}, "belong together"),
        (wide(), {"shape": 4}, "shape must be"),
        (wide(), {"shape": (4, 4), "person": "0", "time": "1"}, "shape is of images"),
        (vitals(), SAID | {"length": None}, "give --length"),
        (vitals(), SAID | {"pad_shorter": "yes"}, "pad_shorter must be True or False"),
        (np.zeros((9, 8, 8)), {"label": "kind"}, "an array has no columns"),
        ("digits.csv", {"shape": (8, 8)}, "does not exist"),
        (as_images(np.zeros((9, 8, 8))), {"label": "kind"}, "go with a table or an array"),
    ],
)
def test_words_that_do_not_fit_are_refused_in_one_line(x: Any, given: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        DPMixture(10.0).fit(x, **given)
    assert str(caught.value).isprintable()


def test_labels_beside_a_table_are_refused() -> None:
    with pytest.raises(InputError, match=r"of a table they are columns, label= and person="):
        DPMixture(10.0).fit(wide(), np.zeros(NUM, dtype=np.int64))
