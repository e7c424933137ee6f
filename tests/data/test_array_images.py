"""Images as MedMNIST, Keras and EMNIST save them, NPY files, a public white level, and keys that nobody reads."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gossamer.data import idx_sets, npz_keys
from gossamer.data.catalogue import load_records
from gossamer.data.image_choice import ImageChoice
from gossamer.data.images import ImageSpec
from gossamer.data.reading import SeriesReading
from gossamer.data.series import SeriesSpec
from gossamer.data.series_facts import SeriesFacts
from gossamer.errors import InputError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 8, 9, 3), dtype=np.uint8)
LABELS = np.arange(12) % 3


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return str(path)


def idx(path: Path, array: np.ndarray) -> None:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    content = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def med(**changes: Any) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for part, num in (("train", 12), ("val", 2), ("test", 5)):
        parts |= {f"{part}_images": COLOUR[:num], f"{part}_labels": LABELS[:num, None].astype(np.uint8)}
    return {key: value for key, value in (parts | changes).items() if value is not None}


def keras(**changes: Any) -> dict[str, Any]:
    parts = {"x_train": COLOUR, "y_train": LABELS, "x_test": COLOUR[:5], "y_test": LABELS[:5]}
    return {key: value for key, value in (parts | changes).items() if value is not None}


@pytest.mark.parametrize(("arrays", "key"), [(med(), "train_images"), (keras(), "x_train")], ids=["med", "keras"])
def test_the_part_called_train_is_learnt_from_and_test_is_the_test_set(tmp_path: Path, arrays: Any, key: str) -> None:
    data = load_records(saved(tmp_path / "a.npz", **arrays), num_classes=3)
    assert data.train.spec == ImageSpec(channels=3, height=8, width=9, class_names=("0", "1", "2"))
    np.testing.assert_array_equal(data.train.x.numpy(), np.moveaxis(COLOUR, -1, 1).astype(np.float32) / np.float32(255))
    assert data.test is not None
    assert (data.test.x == data.train.x[:5]).all()
    assert data.train.y is not None
    assert data.train.y.tolist() == LABELS.tolist()
    assert any(key in note and "as test images" in note for note in data.public_notes)
    assert data.unread == (("'val_images'", "'val_labels'") if key == "train_images" else ())


def test_gray_and_channels_second_are_decided_by_the_shape(tmp_path: Path) -> None:
    gray = {"train_images": COLOUR[..., 0], "test_images": None, "test_labels": None}
    assert load_records(saved(tmp_path / "a.npz", **med(**gray)), num_classes=3).train.spec.shape == (1, 8, 9)
    second = keras(x_train=np.moveaxis(COLOUR, -1, 1), x_test=np.moveaxis(COLOUR[:5], -1, 1))
    assert load_records(saved(tmp_path / "b.npz", **second), num_classes=3).train.spec.shape == (3, 8, 9)
    both = keras(x_train=np.zeros((12, 3, 8, 3), np.uint8), x_test=None, y_test=None)
    with pytest.raises(InputError, match="could have its channels second or last"):
        load_records(saved(tmp_path / "c.npz", **both), num_classes=3)


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        (med(train_images=np.zeros((12, 8, 8, 8), np.uint8)), "volumes are not read"),
        (med(train_labels=np.eye(12, 3, dtype=int)), r"argmax\(axis=1\).*several classes at once"),
        (med(test_labels=None), "labels of one part alone"),
        (med(test_images=COLOUR[:5, :7]), "another shape"),
        (med(person=np.arange(12)), "names people beside train_images"),
        (med(train_labels=LABELS[:, None] + 1), r"train_labels\[2\] is outside 0 .. 2.*--first-label 1"),
    ],
)
def test_a_file_of_parts_that_breaks_a_rule_is_refused(tmp_path: Path, arrays: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        load_records(saved(tmp_path / "a.npz", **arrays), num_classes=3)


def test_labels_that_begin_with_1_are_named_so_if_it_is_said(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=COLOUR[..., 0], y=LABELS + 1)
    data = load_records(path, num_classes=3, images=ImageChoice(first_label=1))
    assert data.train.spec.class_names == ("1", "2", "3")
    assert data.train.y is not None
    assert data.train.y.tolist() == LABELS.tolist()
    reading = SeriesReading(facts=SeriesFacts(class_names=("1", "2", "3")))
    with pytest.raises(InputError, match=r"class_names\[0\] is a number other than its label, 0.*--first-label 1"):
        load_records(path, reading=reading)
    said = load_records(path, reading=reading, images=ImageChoice(first_label=1))
    assert said.train.spec.class_names == ("1", "2", "3")


def test_names_of_classes_alone_do_not_make_series_of_images(tmp_path: Path) -> None:
    reading = SeriesReading(facts=SeriesFacts(class_names=("cat", "dog", "eel")))
    path = saved(tmp_path / "a.npz", x=COLOUR[..., 0] / 255, y=LABELS)
    assert load_records(path, reading=reading).train.spec == ImageSpec(
        channels=1, height=8, width=9, class_names=("cat", "dog", "eel")
    )


@pytest.mark.parametrize("key", ["labels", "label", "target", "targets", "Y"])
@pytest.mark.parametrize("facts", [{}, {"low": 0, "high": 255}], ids=["images", "series"])
def test_labels_under_another_usual_word_are_read_and_that_is_said(tmp_path: Path, key: str, facts: Any) -> None:
    arrays = {"x": COLOUR[..., 0], key: LABELS[:, None], "scanner": np.array("A")} | facts
    data = load_records(saved(tmp_path / "a.npz", **arrays), num_classes=3)
    assert isinstance(data.train.spec, SeriesSpec if facts else ImageSpec)
    assert data.train.y is not None
    assert data.train.y.tolist() == LABELS.tolist()
    assert any(f"'{key}'" in note for note in data.public_notes)
    assert data.unread == ("'scanner'",)


def test_labels_that_could_be_two_keys_or_are_no_integers_are_refused(tmp_path: Path) -> None:
    two = saved(tmp_path / "a.npz", x=COLOUR[..., 0], label=LABELS, targets=LABELS)
    with pytest.raises(InputError, match="'label' and 'targets' could both be the labels: save those meant as y"):
        load_records(two, num_classes=3)
    with pytest.raises(InputError, match=r"target has dtype '<f8'.*or leave target out if it holds no labels"):
        load_records(saved(tmp_path / "b.npz", x=COLOUR[..., 0], target=LABELS / 7), num_classes=3)
    data = load_records(saved(tmp_path / "c.npz", x=COLOUR[..., 0], y=LABELS, labels=LABELS[::-1]), num_classes=3)
    assert data.unread == ("'labels'",)


def test_labels_that_nobody_reads_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_keys, "_LABEL_WORDS", ())
    data = load_records(saved(tmp_path / "a.npz", x=COLOUR[..., 0], labels=LABELS))
    assert data.train.y is None


def test_an_npy_file_is_images_or_with_bounds_series(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, COLOUR)
    data = load_records(str(path))
    assert data.train.spec == ImageSpec(channels=3, height=8, width=9)
    np.testing.assert_allclose(data.train.x.numpy(), np.moveaxis(COLOUR, -1, 1) / 255, atol=1e-7)
    np.save(path, COLOUR[..., 0].astype(float))
    series = load_records(str(path), reading=SeriesReading(facts=SeriesFacts(low=(0.0,), high=(255.0,))))
    assert series.train.spec.shape == (8, 9)
    np.testing.assert_allclose(series.train.x.numpy(), COLOUR[..., 0] / 255, atol=1e-7)
    with pytest.raises(InputError, match=r"without labels, but classes were given.*x=x, y=y"):
        load_records(str(path), num_classes=3)
    np.save(path, COLOUR[..., 0, 0])
    with pytest.raises(InputError, match="series are known by their public bounds, --low and --high"):
        load_records(str(path))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match="header promises 96 bytes, 93 are there"):
        load_records(str(path))


def emnist(folder: Path, name: str, labels: np.ndarray, part: str = "train", ending: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    idx(folder / f"{name}{part}-images-idx3-ubyte{ending}", COLOUR[: len(labels), :, :8, 0])
    idx(folder / f"{name}{part}-labels-idx1-ubyte{ending}", labels)
    return folder / f"{name}{part}-images-idx3-ubyte{ending}"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_letters_of_emnist_stand_up_and_begin_with_1(tmp_path: Path, ending: str) -> None:
    letters = np.arange(1, 13)
    file = emnist(tmp_path / "set", "emnist-letters-", letters, ending=ending)
    emnist(tmp_path / "set", "emnist-letters-", letters[:4] + 22, part="test", ending=ending)
    for path in (file, file.parent):
        data = load_records(str(path), num_classes=26)
        assert data.train.spec.class_names == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        assert data.train.y is not None
        assert data.train.y.tolist() == list(range(12))
        np.testing.assert_allclose(data.train.x[:, 0].numpy(), COLOUR[..., :8, 0].swapaxes(1, 2) / 255, atol=1e-7)
        assert data.test is not None
        assert data.test.y is not None
        assert data.test.y.tolist() == [22, 23, 24, 25]
        assert sum("EMNIST" in note for note in data.public_notes) == 2
    with pytest.raises(InputError, match="EMNIST letters has 26 classes, and 10 were given"):
        load_records(str(file), num_classes=10)
    with pytest.raises(InputError, match="are turned upright"):
        load_records(str(file), images=ImageChoice(transpose=True))


def test_letters_read_as_any_other_set_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = emnist(tmp_path / "set", "emnist-letters-", np.arange(1, 13))
    monkeypatch.setattr(idx_sets, "emnist_of", lambda name: None)
    data = load_records(str(file), num_classes=26)
    assert data.train.y is not None
    assert data.train.y.tolist() == list(range(1, 13))
    assert not np.allclose(data.train.x[:, 0].numpy(), COLOUR[..., :8, 0].swapaxes(1, 2) / 255)


@pytest.mark.parametrize(("name", "num", "last"), [("byclass", 62, "z"), ("bymerge", 47, "t"), ("balanced", 47, "t")])
def test_other_sets_of_emnist_have_their_published_classes(tmp_path: Path, name: str, num: int, last: str) -> None:
    data = load_records(str(emnist(tmp_path / "set", f"emnist-{name}-", np.full(3, num - 1))))
    assert (data.train.spec.num_classes, data.train.spec.class_names[-1]) == (num, last)


def test_idx_files_of_ones_own(tmp_path: Path) -> None:
    file = emnist(tmp_path / "own", "", LABELS)
    upright = load_records(str(file.parent), num_classes=3)
    np.testing.assert_allclose(upright.train.x[:, 0].numpy(), COLOUR[..., :8, 0] / 255, atol=1e-7)
    turned = load_records(str(file), num_classes=3, images=ImageChoice(transpose=True))
    assert (turned.train.x == upright.train.x.transpose(2, 3)).all()
    assert "Rows and columns of each image were exchanged while it was read." in turned.public_notes
    emnist(tmp_path / "own", "second-", LABELS)
    with pytest.raises(InputError, match=r"IDX files of 2 sets \('', 'second-'\)"):
        load_records(str(file.parent), num_classes=3)
    assert load_records(str(file), num_classes=3).train.num_records == 12
    (file.parent / "train-labels-idx1-ubyte").rename(file.parent / "train-labels-idx2-int")
    with pytest.raises(InputError, match=r"train-labels-idx2-int' looks like the labels"):
        load_records(str(file), num_classes=3)
    (file.parent / "train-labels-idx2-int").unlink()
    assert "No file of labels lies beside the images." in load_records(str(file)).public_notes


def test_the_white_level_is_the_scale_of_pictures_and_arrays(tmp_path: Path) -> None:
    scans = RNG.integers(0, 4096, (5, 8, 9), dtype=np.uint16)
    scans[0, 0, 0] = 4097
    choice = ImageChoice(white_level=4095)
    right = np.minimum(scans / 4095, 1).astype(np.float32)
    (tmp_path / "scans").mkdir()
    for place, scan in enumerate(scans):
        Image.fromarray(scan).save(tmp_path / "scans" / f"{place}.png")
    for path in (str(tmp_path / "scans"), saved(tmp_path / "a.npz", x=scans)):
        data = load_records(path, images=choice)
        np.testing.assert_allclose(data.train.x[:, 0].numpy(), right, atol=1e-7)
        assert any("4095" in note and "by the user" in note for note in data.public_notes)
        assert data.ranges is not None
        assert data.ranges.above == (1 / scans.size,)
    assert load_records(str(tmp_path / "scans")).train.x.max() < 0.07
    with pytest.raises(InputError, match="16 bits: say the public value of white, --white-level 4095"):
        load_records(str(tmp_path / "a.npz"))
    masks = saved(tmp_path / "b.npz", x=(COLOUR[..., 0] > 99).astype(np.uint8))
    assert load_records(masks, images=ImageChoice(white_level=1)).train.x.unique().tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("x", "level", "word"),
    [
        (COLOUR[..., 0], 4095, "8 bits a value, up to 255: no pixel can reach the white level 4095"),
        (COLOUR[..., 0] / 255, 1, r"floats, which are in \[0, 1\]"),
        (COLOUR[..., 0] / 127.5 - 1, None, r"save \(x \+ 1\) / 2 for images in \[-1, 1\]"),
    ],
)
def test_a_white_level_that_does_not_fit_is_refused(tmp_path: Path, x: np.ndarray, level: Any, word: str) -> None:
    with pytest.raises(InputError, match=word):
        load_records(saved(tmp_path / "a.npz", x=x), images=ImageChoice(white_level=level))


def test_a_white_level_for_pixels_of_few_or_of_mixed_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR[0, ..., 0] > 99).save(tmp_path / "0.png")
    with pytest.raises(InputError, match="1 bits a pixel, which fill their range"):
        load_records(str(tmp_path), images=ImageChoice(white_level=1))
    Image.fromarray(COLOUR[0, ..., 0]).save(tmp_path / "0.png")
    Image.fromarray(COLOUR[1, ..., 0].astype(np.uint16)).save(tmp_path / "1.png")
    with pytest.raises(InputError, match="a white level is of one kind"):
        load_records(str(tmp_path), images=ImageChoice(white_level=200))


@pytest.mark.parametrize("choice", [{"white_level": 9}, {"transpose": True}, {"first_label": 1}])
@pytest.mark.parametrize("source", ["digits", "beats"])
def test_published_sets_and_series_have_no_white_level(choice: Any, source: str) -> None:
    with pytest.raises(InputError, match="--white-level, --transpose and --first-label are of a user's own images"):
        load_records(source, images=ImageChoice(**choice))


@pytest.mark.parametrize("level", [0, 65536, 1.5, True, "12"])
def test_a_white_level_that_is_none_is_refused(level: Any) -> None:
    with pytest.raises(InputError, match=r"white_level \(--white-level\) must be a whole number from 1 to 65535"):
        ImageChoice(white_level=level)


def test_values_without_a_kind_are_told_apart_from_objects(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"as bfloat16 is saved: save x.astype\('float32'\)"):
        load_records(saved(tmp_path / "a.npz", x=np.zeros((3, 8, 8), dtype="V2")))


def test_names_that_are_numbers_are_refused_whatever_the_key_of_the_labels(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", x=COLOUR[..., 0], labels=LABELS, low=0, high=255)
    with pytest.raises(InputError, match="labels"):
        load_records(path, reading=SeriesReading(facts=SeriesFacts(class_names=("1", "2", "3"))))
