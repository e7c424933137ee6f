"""The catalogue: names, paths, and a description that JSON can hold."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from gossamer.data import NAMED_DATA, describe, load_records


def test_the_four_published_sets_are_listed_and_cannot_be_changed() -> None:
    assert [data.name for data in NAMED_DATA] == ["digits", "mnist5k", "mnist", "fashion-mnist"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        NAMED_DATA[0].name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", [data.name for data in NAMED_DATA])
def test_what_is_listed_is_what_is_loaded(data_dir, name) -> None:
    listed = {data.name: data for data in NAMED_DATA}[name]
    loaded = load_records(name, data_dir)
    assert loaded.test is not None
    assert loaded.train.spec == listed.spec
    assert (loaded.train.num_records, loaded.test.num_records) == (listed.num_train, listed.num_test)


def test_a_path_is_read_by_what_lies_there(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 8, 8)), y=np.array([0, 0, 2, 0, 2]))
    assert load_records(str(tmp_path / "a.npz"), num_classes=3).train.spec.num_classes == 3
    (tmp_path / "pngs").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "pngs/1.png")
    assert load_records(str(tmp_path / "pngs")).train.spec.num_classes == 0


def test_a_published_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "digits").mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "digits/1.png")
    monkeypatch.chdir(tmp_path)
    assert load_records("digits").train.spec.height == 8
    assert load_records("./digits").train.spec.height == 9


@pytest.mark.parametrize("source", ["", "mnits", "absent.npz", "a\nb", "a\0b", "x" * 5000, "digits/absent"])
def test_an_unknown_source_is_refused_with_the_names_and_the_rule(refusal, source) -> None:
    message = refusal(load_records, source)
    for part in ("digits", "mnist", "fashion-mnist", "NPZ", "folder"):
        assert part in message


def test_another_number_of_classes_than_the_published_one_is_refused(refusal) -> None:
    assert "10 classes" in refusal(load_records, "digits", num_classes=3)
    assert load_records("digits", num_classes=10).train.num_records == 1437


def test_a_description_keeps_counts_of_labels_under_private(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 8, 8)), y=np.array([0, 0, 2, 0, 2]))
    description = json.loads(json.dumps(describe(load_records(str(tmp_path / "a.npz"), num_classes=3))))
    assert description["private"]["class_counts"] == {"0": 3, "1": 0, "2": 2}
    assert "your eyes alone" in description["private"]["note"]
    assert (description["num_records"], description["num_test_records"]) == (5, None)
    assert description["shape"] == [1, 8, 8]
    assert description["classes"] == {"0": 3, "1": 0, "2": 2}
    assert description["num_people"] is None
    assert "The number of classes, 3, was given by the user." in description["public"]
    assert not any("5" in sentence for sentence in description["public"])


def test_unlabelled_images_are_described_without_classes(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 3, 8, 8)))
    description = describe(load_records(str(tmp_path / "a.npz")))
    assert description["classes"] == {}
    assert description["private"]["class_counts"] == {}
