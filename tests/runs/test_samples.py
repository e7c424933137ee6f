"""Synthetic images as files that anybody can read."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer.data.folder import load_picture_folder
from gossamer.data.folder_names import class_name_of
from gossamer.data.picture_table import PictureWords
from gossamer.errors import InputError, ResourceError
from gossamer.runs.samples import as_picture, write_image_folder, write_npz, write_png_folder

GRAY = np.linspace(0, 1, 6 * 4 * 5, dtype=np.float32).reshape(6, 1, 4, 5)
LABELS = np.array([0, 1, 0, 1, 0, 1])


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def test_an_npz_is_read_without_pickle(tmp_path: Path) -> None:
    write_npz(tmp_path / "x.npz", GRAY, LABELS)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert set(found) == {"x", "y"}
        assert np.array_equal(found["x"], GRAY)
        assert np.array_equal(found["y"], LABELS)


def test_without_labels_an_npz_holds_x_alone(tmp_path: Path) -> None:
    write_npz(tmp_path / "x.npz", GRAY, None)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert set(found) == {"x"}


def test_a_folder_has_a_sub_folder_for_each_class(tmp_path: Path) -> None:
    write_png_folder(tmp_path / "out", GRAY, LABELS, ("cat", "a dog"))
    assert names(tmp_path / "out") == [
        "a dog/000001.png", "a dog/000003.png", "a dog/000005.png",
        "cat/000000.png", "cat/000002.png", "cat/000004.png",
    ]  # fmt: skip
    pixels = np.asarray(Image.open(tmp_path / "out" / "a dog" / "000003.png"))
    assert np.array_equal(pixels, np.rint(GRAY[3, 0] * 255))


def test_without_labels_the_pictures_lie_in_the_folder_itself(tmp_path: Path) -> None:
    write_png_folder(tmp_path / "out", GRAY[:2], None, ())
    assert names(tmp_path / "out") == ["000000.png", "000001.png"]


def test_three_channels_become_colour() -> None:
    image = np.zeros((3, 4, 5), dtype=np.float32)
    image[0] = 1.0
    picture = as_picture(image)
    assert picture.mode == "RGB"
    assert picture.size == (5, 4)
    assert picture.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("name", ["a/b", "..", ".", "/etc", "a\0b", ".hidden", "T-shirt/top", "50%", "%2F", "end."])
def test_a_class_name_that_no_folder_can_have_stays_inside_and_is_read_back(tmp_path: Path, name: str) -> None:
    write_png_folder(tmp_path / "out", GRAY, LABELS, ("cat", name))
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert sorted(map(class_name_of, folders)) == sorted(("cat", name))
    assert not any(folder.startswith(".") or "/" in folder for folder in folders)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(InputError, match="not empty"):
        write_png_folder(tmp_path, GRAY, LABELS, ("cat", "dog"))
    with pytest.raises(InputError, match="not empty"):
        write_png_folder(tmp_path / "mine", GRAY, LABELS, ("cat", "dog"))


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        write_png_folder(tmp_path / "file" / "out", GRAY, None, ())


# The library leaves the table open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_image_folder_is_loaded_by_the_library_it_is_for(tmp_path, monkeypatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    out = tmp_path / "out.imagefolder"
    write_image_folder(out, GRAY, LABELS, ("T-shirt/top", "a, dog"))
    found = datasets.load_dataset("imagefolder", data_dir=str(out), cache_dir=str(tmp_path / "cache"))["train"]
    gc.collect()  # The table is closed here, and not in the middle of another test.
    names = ["T-shirt/top", "a, dog"]
    assert found["label"] == [names[label] for label in LABELS]
    for image, expected in zip(found["image"], GRAY, strict=True):
        np.testing.assert_array_equal(np.asarray(image), np.rint(expected[0] * 255))
    again = load_picture_folder(out, words=PictureWords(class_names=("T-shirt/top", "a, dog"))).train
    assert again.y is not None
    assert again.y.tolist() == LABELS.tolist()
