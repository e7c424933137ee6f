"""Paths with words beside them in Python: each kind of file or folder is read as what it is, and never as a table."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyedflib
import pytest
from PIL import Image

import gossamer
from gossamer.data.records import RecordData
from gossamer.errors import InputError
from gossamer.estimators import records
from gossamer.estimators.arguments import DEFAULTS, Arguments
from gossamer.estimators.real_records import read_real
from gossamer.estimators.records import read_source
from gossamer.estimators.tables import Said
from gossamer.methods.dp_mixture import DP_MIXTURE
from gossamer.privacy.adjacency import Unit

Made = tuple[Path, dict[str, Any], tuple[int, ...], tuple[str, ...]]
"""A path, the words beside it, and the right shape and classes."""


def pictures(folder: Path) -> Made:
    for number in range(30):
        place = folder / "pets" / ("cat", "dog")[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 6), 10 + 100 * (number % 2)).save(place)
    return folder / "pets", {"class_names": ["dog", "cat"]}, (1, 6, 8), ("dog", "cat")


def beats(folder: Path) -> Made:
    place = folder / "wfdb"
    place.mkdir()
    peaks, times = np.arange(200, 3400, 300), np.arange(3600)
    values = sum(1000 * np.exp(-0.5 * ((times - peak) / 2) ** 2) for peak in peaks)
    (place / "m.hea").write_text("m 1 360 3600\nm.dat 16 1000(0)/mV 16 0 0 0 0 II\n")
    np.rint(values).astype("<i2").tofile(place / "m.dat")
    steps = np.diff(peaks, prepend=0).tolist()
    words = [bytes([0, 59 << 2, step >> 16 & 255, step >> 24, step & 255, step >> 8 & 255, 0, 4]) for step in steps]
    (place / "m.atr").write_bytes(b"".join(words) + bytes(2))
    return place, {"channel_names": ["II"]}, (1, 187), ("N", "S", "V", "F", "Q")


def nights(folder: Path) -> Made:
    (folder / "edf").mkdir()
    signal = {
        "label": "EEG", "dimension": "uV", "sample_frequency": 100.0, "physical_min": -200.0, "physical_max": 200.0,
        "digital_min": -32768, "digital_max": 32767, "prefilter": "", "transducer": "",
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pyedflib.EdfWriter(str(folder / "edf/a.edf"), 1, pyedflib.FILETYPE_EDFPLUS) as file:
            file.setSignalHeaders([signal])
            file.writeSamples([np.arange(400, dtype=np.int32)], digital=True)
            file.writeAnnotation(0, 2, "rest")
            file.writeAnnotation(2, 2, "work")
    said = {"class_names": ["rest", "work"], "low": -100, "high": 100, "window": 50}
    return folder / "edf", said, (1, 50), ("rest", "work")


def archive(folder: Path) -> Made:
    head = "@problemName a\n@univariate true\n@classLabel true up down\n@data\n"
    lines = [f"{number},1,2,3:{('up', 'down')[number % 2]}" for number in range(20)]
    (folder / "a.ts").write_text(head + "\n".join(lines) + "\n")
    return folder / "a.ts", {"class_names": ["down", "up"], "low": 0, "high": 20}, (1, 4), ("down", "up")


KINDS = pytest.mark.parametrize("make", [pictures, beats, nights, archive])


def read(path: Path, said: dict[str, Any]) -> RecordData:
    return read_source(path, None, None, None, said=cast("Said", said))


@KINDS
def test_a_path_with_words_is_read_as_its_kind(make: Any, tmp_path: Path) -> None:
    path, said, shape, classes = make(tmp_path)
    for source in (path, str(path)):
        spec = read(source, said).train.spec
        assert (spec.shape, spec.class_names) == (shape, classes)


@KINDS
def test_records_are_read_again_beside_a_model_with_the_same_words(make: Any, tmp_path: Path) -> None:
    path, said, *_ = make(tmp_path)
    first = read(path, said).train
    asked = Arguments.read("DPMixture", DP_MIXTURE, {**DEFAULTS, "epsilon": 5.0})
    again, _ = read_real(path, None, None, cast("Said", said), None, asked, first.spec)
    assert again.train.spec == first.spec
    assert (again.train.x == first.x).all()


def test_named_classes_are_those_of_the_sub_folders_in_their_own_order(tmp_path: Path) -> None:
    path, said, *_ = pictures(tmp_path)
    train = read(path, said).train
    assert train.y is not None
    assert ((train.x[:, 0, 0, 0] > 0.3).int() == 1 - train.y).all()
    model = gossamer.fit(path, epsilon=10, delta=1e-3, **said)
    assert model.released.spec.class_names == ("dog", "cat")


@pytest.mark.parametrize("names", [["cat"], ["cat", "eel"], ["cat", "dog", "eel"]])
def test_other_names_than_those_of_the_sub_folders_are_refused(names: list[str], tmp_path: Path) -> None:
    path, *_ = pictures(tmp_path)
    with pytest.raises(InputError, match="has 2 sub-folders, one per class, and --class-names"):
        read(path, {"class_names": names})


def test_people_of_a_name_with_words_are_not_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(records, "read_said", lambda *words: seen.append(words[3]))
    for unit in (Unit.RECORD, Unit.PERSON):
        read_source("mitdb", None, None, None, unit, said={"channel_names": ["MLII"]})
    assert seen[0] is None
    assert seen[1].is_by_record is False
