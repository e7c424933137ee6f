"""The range of private values: exact, counted before any value is clipped, and told to nobody but the owner."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gossamer.cli.main import main
from gossamer.data import pixel_scale, series_facts
from gossamer.data.catalogue import describe, load_records
from gossamer.data.image_choice import ImageChoice
from gossamer.data.range_tally import RangeTally, ranges_of_records
from gossamer.data.reading import SeriesReading
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts
from gossamer.estimators import DPMixture, as_images, as_series, load_series

X = np.random.default_rng(0).normal(size=(40, 2, 9))
FACTS = SeriesFacts(low=(-1.0, -9.0), high=(1.0, 9.0))


def values_of(data: Any) -> list[dict[str, Any]]:
    return describe(data)["private"]["values"]


def is_exact(found: list[dict[str, Any]]) -> bool:
    right = [
        (X[:, channel].min(), X[:, channel].max(), X[:, channel].mean(), (X[:, channel] < low).mean(), over)
        for channel, (low, over) in enumerate(((-1, (X[:, 0] > 1).mean()), (-9, 0.0)))
    ]
    keys = ("least", "greatest", "mean", "share_below", "share_above")
    return all(
        np.allclose([each[key] for key in keys], wanted, atol=1e-12) for each, wanted in zip(found, right, strict=True)
    )


def test_series_are_counted_before_they_are_clipped(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X)
    np.save(tmp_path / "a.npy", X)
    for name in ("a.npz", "a.npy"):
        assert is_exact(values_of(load_records(str(tmp_path / name), reading=SeriesReading(facts=FACTS))))
    assert is_exact(values_of(as_series(X, low=[-1, -9], high=[1, 9])))


def test_tables_are_counted_before_they_are_clipped(tmp_path: Path) -> None:
    wide = pd.DataFrame(X.reshape(len(X), -1), columns=[f"{name}_t{time}" for name in "ab" for time in range(9)])
    times = [{"id": record, "t": time, "a": a, "b": b} for record, x in enumerate(X) for time, (a, b) in enumerate(x.T)]
    facts = {"low": [-1, -9], "high": [1, 9]}
    names = {"channel_names": ["a", "b"]}
    wide.to_parquet(tmp_path / "a.parquet")
    wide.to_csv(tmp_path / "a.csv", index=False)
    for table in (wide, tmp_path / "a.parquet", tmp_path / "a.csv"):
        assert is_exact(values_of(load_series(table, **facts, **names)))
    long = load_series(pd.DataFrame(times), series_column="id", time_column="t", length=9, **facts)
    assert is_exact(values_of(long))


def test_windows_are_counted_before_they_are_clipped() -> None:
    found = values_of(as_series(X, low=[-1, -9], high=[1, 9], window=3))
    assert is_exact(found)


def test_counts_of_clipped_values_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = RangeTally.add
    monkeypatch.setattr(RangeTally, "add", lambda tally, block: usual(tally, np.clip(block, -1, 1)))
    assert not is_exact(values_of(as_series(X, low=[-1, -9], high=[1, 9])))


def test_a_tally_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = values_of(as_series(X, low=[-1, -9], high=[1, 9]))
    monkeypatch.setattr(series_facts, "_VALUES_AT_ONCE", 50)
    assert is_exact(values_of(as_series(X, low=[-1, -9], high=[1, 9])))
    assert is_exact(whole)


def test_pixels_are_told_in_the_units_of_the_file(tmp_path: Path) -> None:
    scans = np.random.default_rng(1).integers(0, 4096, (20, 8, 9), dtype=np.uint16)
    np.savez(tmp_path / "a.npz", x=scans)
    (found,) = values_of(load_records(str(tmp_path / "a.npz"), images=ImageChoice(white_level=2000, resize="4x4")))
    assert (found["channel"], found["low"], found["high"]) == ("gray", 0.0, 2000.0)
    assert (found["least"], found["greatest"]) == (scans.min(), scans.max())
    assert found["mean"] == pytest.approx(scans.mean())
    assert found["share_above"] == (scans > 2000).mean()


def test_a_reader_that_keeps_no_tally_leaves_the_clipped_part_open() -> None:
    spec = SeriesSpec(channels=1, length=4, low=(-2.0,), high=(2.0,))
    (found,) = ranges_of_records(torch.tensor([[[0.0, 0.25, 0.5, 1.0]]]), spec).as_plain()
    assert (found["least"], found["greatest"], found["mean"]) == (-2.0, 2.0, pytest.approx(-0.25))
    assert found["share_below"] is None
    (made,) = values_of(load_records("digits"))
    assert (made["least"], made["greatest"], made["share_above"]) == (0.0, 1.0, None)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (lambda: as_images(np.eye(8, dtype=np.uint8)[None]), "at most a quarter of 0 to 255.*--white-level"),
        (lambda: as_series(X, low=-100, high=100), "at most a quarter of their bounds, of the channels channel 0, ch"),
        (lambda: as_series(X, low=[-1, -9], high=[1, 9]), "More than 5% .* of the channels channel 0: are bounds"),
    ],
)
def test_the_owner_is_warned_in_a_line(data: Any, word: str) -> None:
    (said,) = describe(data())["private"]["warnings"]
    assert re.search(word, said)
    assert "\n" not in said


@pytest.mark.parametrize(
    "data",
    [lambda: as_images(np.eye(8, dtype=np.uint8)[None], white_level=1), lambda: as_series(X, low=-4, high=4)],
)
def test_nobody_is_warned_of_values_that_fill_their_range(data: Any) -> None:
    assert describe(data())["private"]["warnings"] == []


def test_the_command_shows_them_as_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", x=np.full((6, 8, 8), 7, dtype=np.uint8), labels=np.arange(6) % 2, scanner=np.arange(6))
    told = ["data", "describe", str(tmp_path / "a.npz"), "--num-classes", "2"]
    assert main(told) == 0
    said = capsys.readouterr().out
    assert "gray (private)" in said
    assert "7 to 7, mean 7" in said
    assert "not read: 'scanner'" in said
    assert "private: The pixels fill at most a quarter" in said
    assert main([*told, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["private"]["values"][0]["greatest"] == 7
    assert found["not_read"] == ["'scanner'"]


def test_no_range_leaves_with_a_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.full((40, 8, 8), 0.03125)
    x[0] = 0.8271604938
    data = as_images(x)
    assert data.ranges is not None
    assert "0.827" not in repr(data) + repr(data.ranges)
    np.savez(tmp_path / "a.npz", x=x, secretive=np.zeros(3))
    run = tmp_path / "run"
    told = ["train", "dp-mixture", "--data", str(tmp_path / "a.npz"), "--epsilon", "9", "--out", str(run), "--plain"]
    assert main(told) == 0
    assert "0.827" not in capsys.readouterr().out
    public = [path for path in (run / "release").rglob("*") if path.is_file()]
    assert public
    for path in public:
        content = path.read_bytes()
        assert b"secretive" not in content
        assert b"0.827" not in content


def test_a_scale_by_the_data_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def dim_and_bright() -> torch.Tensor:
        x = np.full((2, 8, 8), 9, dtype=np.uint16)
        alone = as_images(x, white_level=90).train.x[0]
        x[1] = 90
        return alone - as_images(x, white_level=90).train.x[0]

    assert (dim_and_bright() == 0).all()
    monkeypatch.setattr(
        pixel_scale.PixelScale, "in_unit_range", lambda scale, block, _=0: (block / block.max()).astype(np.float32)
    )
    assert (dim_and_bright() != 0).all()


def test_an_estimator_says_what_was_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).random((40, 8, 8)), scanner=np.arange(3))
    with pytest.warns(UserWarning, match="not read: 'scanner'"):
        DPMixture(epsilon=9.0).fit(str(tmp_path / "a.npz"))
