"""The public name of records: a reader of a published set gives it, and nothing that changes the records keeps it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gossamer.data.beats import WindowLayout
from gossamer.data.catalogue import load_records
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData
from gossamer.data.wfdb_records import NamedLeads


@pytest.mark.parametrize("name", ["digits", "beats"])
def test_both_sides_of_a_published_set_have_its_name(name: str) -> None:
    data = load_records(name)
    assert data.test is not None
    assert (data.train.published_name, data.test.published_name) == (name, name)


def test_own_records_have_none_whatever_their_file_is_called(tmp_path: Path) -> None:
    digits = load_records("digits").train
    np.savez(tmp_path / "digits.npz", x=digits.x.numpy(), y=digits.y.numpy())
    assert load_records(str(tmp_path / "digits.npz"), num_classes=10).train.published_name is None


def test_records_in_the_place_of_the_published_ones_have_none() -> None:
    data = load_records("digits")
    fewer = dataclasses.replace(data.train, x=data.train.x[:100], y=data.train.y[:100])
    assert fewer.published_name is None
    # While a sentence more on the same records changes nothing of them.
    assert dataclasses.replace(data, public_notes=()).train.published_name == "digits"
    assert RecordData(train=data.train).train.published_name == "digits"


def test_recordings_cut_in_another_way_have_none(data_dir: Path) -> None:
    assert load_records("mitdb", data_dir).train.published_name == "mitdb"
    for other in (SeriesReading(layout=WindowLayout()), SeriesReading(leads=NamedLeads(names=("V5",)))):
        try:
            read = load_records("mitdb", data_dir, reading=other)
        except ValueError:  # some recordings lack the lead
            continue
        assert read.train.published_name is None
