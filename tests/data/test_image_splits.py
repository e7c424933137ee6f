"""Splits of a user's own images: by a secret key and each record's content, whole people, never two test sets."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.data.catalogue import describe, load_records
from gossamer.data.layouts import WideColumns
from gossamer.data.reading import SeriesReading
from gossamer.data.records import RecordData
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.splits import AbstractSplit, PeopleSplit, RandomSplit
from gossamer.privacy.dealing import UnitKey

NUM = 60
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (NUM, 6, 8), dtype=np.uint8)
LABELS = np.arange(NUM) % 2
PEOPLE = np.array([f"p{number % 12}" for number in range(NUM)])
KEY = UnitKey(bytes(32))
AT_RANDOM = RandomSplit()


def folder_of(path: Path, pixels: np.ndarray = PIXELS) -> Path:
    for number, image in enumerate(pixels):
        place = path / ("cat", "dog")[number % 2] / f"{number:03}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)
    return path


def table_of(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(PIXELS):
        Image.fromarray(image).save(path / f"{number:03}.png")
    lines = [f"{number:03}.png,{LABELS[number]},{PEOPLE[number]}" for number in range(NUM)]
    (path / "metadata.csv").write_text("\n".join(["file_name,label,who", *lines]))
    return path


def npz_of(path: Path) -> Path:
    np.savez(path / "a.npz", x=PIXELS, y=LABELS)
    return path / "a.npz"


def npy_of(path: Path) -> Path:
    np.save(path / "a.npy", PIXELS)
    return path / "a.npy"


def idx_of(path: Path) -> Path:
    for name, array in (("images-idx3-ubyte", PIXELS), ("labels-idx1-ubyte", LABELS)):
        head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
        (path / f"train-{name}").write_bytes(head + array.astype(np.uint8).tobytes())
    return path / "train-images-idx3-ubyte"


def read(path: Path, key: UnitKey = KEY, split: AbstractSplit = AT_RANDOM, **said: Any) -> RecordData:
    return load_records(path, reading=SeriesReading(split=split, key=key), **said)


def contents(records: Any) -> set[bytes]:
    return {image.tobytes() for image in np.rint(records.x.numpy() * 255).astype(np.uint8)[:, 0]}


@pytest.mark.parametrize("make", [folder_of, npz_of, npy_of, idx_of])
def test_each_image_stands_on_one_side_by_the_key(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    data, again, other = read(path), read(path), read(path, UnitKey(bytes([1] * 32)))
    assert data.test is not None
    assert again.test is not None
    assert other.test is not None
    train, test = contents(data.train), contents(data.test)
    assert not train & test
    assert train | test == {image.tobytes() for image in PIXELS}
    assert contents(again.test) == test
    assert contents(other.test) != test
    assert (data.is_split_by_key, data.is_split_by_record, data.training_share) == (True, True, 0.8)
    assert "about 0.2 of the records was held out, each by itself, by a secret key" in data.public_notes[-1]
    if data.train.y is not None:
        by_content = {image.tobytes(): label for image, label in zip(PIXELS, LABELS, strict=True)}
        for side in (data.train, data.test):
            pixels = np.rint(side.x.numpy() * 255).astype(np.uint8)[:, 0]
            assert [by_content[image.tobytes()] for image in pixels] == side.y.tolist()
    assert describe(data)["private"]["values"][0]["greatest"] == 255


def moved_by_a_leaver(path: Path) -> int:
    """Count the images that change sides if the first one leaves."""
    sides = []
    for name, pixels in (("all.npy", PIXELS), ("less.npy", PIXELS[1:])):
        np.save(path / name, pixels)
        held_out = read(path / name).test
        assert held_out is not None
        sides.append(contents(held_out) - {PIXELS[0].tobytes()})
    return len(sides[0] ^ sides[1])


def test_an_image_that_leaves_moves_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert moved_by_a_leaver(tmp_path) == 0

    # The break: sides by place.
    def by_place(split: Any, rows: Any, key: UnitKey) -> np.ndarray:
        return (np.arange(len(rows.x)) % 5 == 0).astype(int)

    monkeypatch.setattr(RandomSplit, "sides", by_place)
    assert moved_by_a_leaver(tmp_path) > 0


def people_of(data: RecordData) -> tuple[set[int], set[int]]:
    assert data.train.people is not None
    assert data.test is not None
    assert data.test.people is not None
    return set(data.train.people.tolist()), set(data.test.people.tolist())


def with_people(tmp_path: Path) -> list[tuple[Path, SeriesReading]]:
    np.savez(tmp_path / "people.npz", x=PIXELS, y=LABELS, person=PEOPLE)
    columns = WideColumns(person="who")
    facts = SeriesFacts(class_names=("0", "1"))
    split = PeopleSplit()
    return [
        (tmp_path / "people.npz", SeriesReading(split=split, key=KEY)),
        (table_of(tmp_path / "table"), SeriesReading(split=split, key=KEY, columns=columns, facts=facts)),
    ]


def test_nobody_stands_on_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, reading in with_people(tmp_path):
        train, test = people_of(load_records(path, reading=reading))
        assert (train & test, train | test) == (set(), set(range(12)))
    # The break: records dealt one by one although people are known.
    monkeypatch.setattr(PeopleSplit, "sides", RandomSplit.sides)
    for path, reading in with_people(tmp_path):
        train, test = people_of(load_records(path, reading=reading))
        assert train & test


def test_a_split_by_record_is_refused_where_people_are_known(tmp_path: Path, refusal: Any) -> None:
    for path, reading in with_people(tmp_path):
        said = SeriesReading(split=RandomSplit(), columns=reading.columns, facts=reading.facts)
        assert "--split people holds whole people out" in refusal(load_records, path, reading=said)


def test_people_who_are_not_known_cannot_be_held_out(tmp_path: Path, refusal: Any) -> None:
    assert "nobody says who a record is of" in refusal(read, folder_of(tmp_path), split=PeopleSplit())


def test_there_are_never_two_test_sets(tmp_path: Path, refusal: Any) -> None:
    folder_of(tmp_path / "parts/train")
    folder_of(tmp_path / "parts/test", PIXELS[:4])
    np.savez(tmp_path / "keras.npz", x_train=PIXELS, y_train=LABELS, x_test=PIXELS, y_test=LABELS)
    idx_of(tmp_path)
    for name in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        (tmp_path / f"t10k-{name}").write_bytes((tmp_path / f"train-{name}").read_bytes())
    for path in ("parts", "keras.npz", "train-images-idx3-ubyte"):
        assert "comes with a test set: leave --split out" in refusal(read, tmp_path / path)
    # The way out holds: the part to learn from can be divided.
    assert read(tmp_path / "parts/train").test is not None


def test_pictures_of_mixed_sizes_are_divided_and_resized_in_reading(tmp_path: Path) -> None:
    for number in range(NUM):
        place = tmp_path / ("dark", "light")[number % 2] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10 + number, 70 - number), (number, 2 * number, 50)).save(place)
    data = read(tmp_path, resize=(8, 8), gray=True)
    assert data.test is not None
    assert data.train.spec.shape == data.test.spec.shape == (1, 8, 8)
    assert data.train.num_records + data.test.num_records == NUM


def test_named_images_keep_their_own_test_set(refusal: Any) -> None:
    assert "it holds images" in refusal(read, Path("digits"))


def test_nothing_changes_without_a_split(tmp_path: Path) -> None:
    for make in (folder_of, npz_of):
        data = load_records(make(tmp_path))
        assert (data.test, data.training_share, data.is_split_by_key) == (None, 1.0, False)
        assert not any("held out" in note for note in data.public_notes)
