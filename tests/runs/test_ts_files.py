"""Synthetic series as .ts files: what is written reads back as it was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gossamer.data.catalogue import load_records
from gossamer.data.reading import SeriesReading
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.ts_file import read_ts
from gossamer.errors import InputError
from gossamer.runs.series_files import in_own_units
from gossamer.runs.ts_files import write_ts

SPEC = SeriesSpec(
    channels=2, length=5, low=(-1.0, 0.0), high=(1.0, 1e-3), sample_rate=50.0,
    channel_names=("left", "right"), class_names=("walk", "Run"),
)  # fmt: skip
X = np.random.default_rng(0).random((7, 2, 5)).astype(np.float32)
Y = np.arange(7) % 2


def test_it_reads_back_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "drawn.ts"
    write_ts(path, X, Y, SPEC)
    found = read_ts(path)
    assert np.array_equal(np.stack(found.values).astype(np.float32), in_own_units(X, SPEC))
    assert found.words == [SPEC.class_names[label] for label in Y]
    facts = SeriesFacts(low=SPEC.low, high=SPEC.high, sample_rate=50.0, channel_names=("left", "right"))
    back = load_records(str(path), reading=SeriesReading(facts=facts)).train
    assert back.spec == SPEC
    np.testing.assert_allclose(back.x.numpy(), X, atol=1e-6)
    assert back.y is not None
    assert back.y.tolist() == Y.tolist()


def test_series_without_classes_and_of_one_channel(tmp_path: Path) -> None:
    spec = SeriesSpec(channels=1, length=5, low=(0.0,), high=(1.0,))
    write_ts(tmp_path / "drawn.ts", X[:, :1], None, spec)
    back = load_records(str(tmp_path / "drawn.ts"), reading=SeriesReading(facts=SeriesFacts())).train
    assert (back.spec, back.y) == (spec, None)
    np.testing.assert_allclose(back.x.numpy(), X[:, :1], atol=1e-6)


@pytest.mark.parametrize("name", ["a b", "a:b", "a,b"])
def test_a_name_that_cannot_stand_in_the_header_is_refused(tmp_path: Path, name: str) -> None:
    spec = SeriesSpec(channels=1, length=5, low=(0.0,), high=(1.0,), class_names=("x", name))
    with pytest.raises(InputError, match=r"class_names\[1\] holds a space"):
        write_ts(tmp_path / "drawn.ts", X[:, :1], Y, spec)
    assert not (tmp_path / "drawn.ts").exists()
