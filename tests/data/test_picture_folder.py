"""Folders of pictures as people have them: machines' files, train and test, tables beside the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer.data import folder_layout
from gossamer.data.catalogue import load_records
from gossamer.data.folder import load_picture_folder
from gossamer.data.layouts import WideColumns
from gossamer.data.machines import MACHINE_NAMES
from gossamer.data.picture_table import PictureWords
from gossamer.data.reading import SeriesReading
from gossamer.data.series_facts import SeriesFacts
from gossamer.data.wfdb_folder import is_wfdb_folder


def save(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), shade).save(path)
    return path


def shades(x) -> list[int]:
    return np.rint(x.numpy()[:, 0, 0, 0] * 255).astype(int).tolist()


@pytest.mark.parametrize("name", sorted({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found", *MACHINE_NAMES}))
def test_what_machines_leave_is_no_class_and_is_said(tmp_path: Path, name: str) -> None:
    save(tmp_path / "cat/1.png")
    if name.endswith((".db", ".ini", ".DS_Store", ".ds_store", ".directory")):
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / "cat" / name).write_bytes(b"x")
    else:
        save(tmp_path / name / "._1.png")
    data = load_picture_folder(tmp_path)
    assert data.train.spec.class_names == ("cat",)
    assert any(name in note for note in data.public_notes)


def test_the_break_of_keeping_machines_folders_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_layout, "is_left_out", lambda name: name.startswith("."))
    with pytest.raises(AssertionError):
        test_what_machines_leave_is_no_class_and_is_said(tmp_path, "__MACOSX")


def test_a_folder_mixes_formats(tmp_path: Path) -> None:
    for shade, ending in enumerate(("png", "bmp", "tiff", "jpg", "pgm", "tif"), start=1):
        save(tmp_path / f"{shade}.{ending}", shade)
    assert shades(load_picture_folder(tmp_path).train.x) == [1, 2, 3, 4, 5, 6]


def test_train_and_test_are_parts_and_no_classes(tmp_path: Path) -> None:
    for part, first in (("train", 10), ("test", 20), ("val", 30)):
        save(tmp_path / part / "cat/1.png", first)
        save(tmp_path / part / "dog/1.png", first + 1)
    data = load_picture_folder(tmp_path)
    assert data.train.spec.class_names == ("cat", "dog")
    assert data.test is not None
    assert data.train.y is not None
    assert data.test.y is not None
    assert (shades(data.train.x), data.train.y.tolist()) == ([10, 11], [0, 1])
    assert (shades(data.test.x), data.test.y.tolist()) == ([20, 21], [0, 1])
    assert any("val was left out" in note for note in data.public_notes)


def test_the_break_of_parts_as_classes_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(path: Path, root: Path) -> folder_layout.Parts:
        return folder_layout.Parts(train=path, test=None, notes=())

    monkeypatch.setattr("gossamer.data.folder.parts_of", whole)
    with pytest.raises(Exception, match="one level"):
        test_train_and_test_are_parts_and_no_classes(tmp_path)


def test_parts_without_classes_are_parts_too(tmp_path: Path) -> None:
    save(tmp_path / "Training/1.png", 1)
    save(tmp_path / "validation/1.png", 2)
    data = load_picture_folder(tmp_path)
    assert data.train.y is None
    assert data.test is not None
    assert (shades(data.train.x), shades(data.test.x)) == ([1], [2])


def test_a_class_called_train_beside_others_is_a_class(tmp_path: Path) -> None:
    for name in ("bus", "train"):
        save(tmp_path / name / "1.png")
    assert load_picture_folder(tmp_path).train.spec.class_names == ("bus", "train")


def test_classes_of_the_test_part_are_matched_by_name(tmp_path: Path, refusal) -> None:
    for path in ("train/ant/1.png", "train/bee/1.png", "test/bee/1.png"):
        save(tmp_path / path)
    data = load_picture_folder(tmp_path)
    assert data.test is not None
    assert data.test.y is not None
    assert data.test.y.tolist() == [1]
    save(tmp_path / "test/cow/1.png")
    assert "'cow'" in refusal(load_picture_folder, tmp_path)


def test_parts_that_are_not_clear_are_refused(tmp_path: Path, refusal) -> None:
    save(tmp_path / "a/test/1.png")
    save(tmp_path / "a/val/1.png")
    assert "one train and one test" in refusal(load_picture_folder, tmp_path / "a")
    save(tmp_path / "b/train/1.png")
    save(tmp_path / "b/training/1.png")
    assert "one train and one test" in refusal(load_picture_folder, tmp_path / "b")
    save(tmp_path / "c/train/1.png")
    save(tmp_path / "c/2.png")
    assert "files beside it" in refusal(load_picture_folder, tmp_path / "c")


def write_table(folder: Path, *lines: str, name: str = "metadata.csv") -> None:
    (folder / name).write_text("\n".join(lines) + "\n")


def test_a_table_beside_pictures_has_classes_and_people(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", number)
    write_table(tmp_path, "file_name,label,who,ward", "2.png,dog,anna,x", "0.png,cat,7,x", "1.png,dog,7.0,x")
    words = PictureWords(person="who", class_names=("cat", "dog"))
    data = load_picture_folder(tmp_path, words=words)
    assert data.train.y is not None
    assert data.train.people is not None
    assert (shades(data.train.x), data.train.y.tolist()) == ([2, 0, 1], [1, 0, 1])
    assert data.train.people.tolist() == [0, 1, 1]
    assert any("not read: 'ward'" in note for note in data.public_notes)
    reading = SeriesReading(facts=SeriesFacts(class_names=("cat", "dog")), columns=WideColumns(person="who"))
    again = load_records(tmp_path, reading=reading)
    assert again.train.people is not None
    assert (again.train.x == data.train.x).all()


def test_lines_of_json_say_the_same(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / f"cat/{number}.png", number)
    rows = ('{"file_name": "cat/1.png", "label": 0}', '{"file_name": "cat/0.png", "label": 1}')
    write_table(tmp_path, *rows, name="metadata.jsonl")
    data = load_picture_folder(tmp_path, num_classes=2)
    assert data.train.y is not None
    assert (shades(data.train.x), data.train.y.tolist()) == ([1, 0], [0, 1])
    assert not data.train.spec.are_classes_named


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (("file_name,label", "0.png,0"), "has no row"),
        (("file_name,label", "0.png,0", "1.png,0", "2.png,0"), "row 3 is not there"),
        (("file_name,label", "0.png,0", "0.png,0"), "one file"),
        (("file_name,label", "../0.png,0", "1.png,0"), "inside the folder"),
        (("file_name,label", "0.png,secret", "1.png,0"), "public classes"),
        (("file,label", "0.png,0", "1.png,0"), "file_name"),
        (("file_name,label", "0.png", "1.png,0"), "cells"),
        (("file_name",), "no row"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_without_its_cells(tmp_path: Path, refusal, lines, word: str) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.png")
    write_table(tmp_path, *lines)
    message = refusal(load_picture_folder, tmp_path, num_classes=2)
    assert word in message
    assert "secret" not in message


def test_words_on_a_table_that_is_not_there_are_refused(tmp_path: Path, refusal) -> None:
    save(tmp_path / "cat/1.png")
    assert "metadata.csv" in refusal(load_picture_folder, tmp_path, words=PictureWords(label="kind"))
    assert "metadata.csv" in refusal(load_picture_folder, tmp_path, words=PictureWords(person="who"))


def test_transparency_in_a_folder_mixes_with_plain_pictures_on_a_ground(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 9)
    Image.new("LA", (8, 6), (9, 0)).save(tmp_path / "2.png")
    data = load_records(tmp_path, alpha="white")
    assert shades(data.train.x) == [9, 255]
    assert any("white" in note for note in data.public_notes)


def test_folders_of_machines_hold_no_recordings(tmp_path: Path) -> None:
    save(tmp_path / "cat/1.png")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX/100.hea").write_text("100 1 360 10\n")
    assert not is_wfdb_folder(tmp_path)
    assert load_records(tmp_path).train.spec.class_names == ("cat",)
