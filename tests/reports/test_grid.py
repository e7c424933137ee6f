"""Sample grids, pixel by pixel, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer.errors import InputError
from gossamer.reports.grid import class_grid, sample_grid, save_png


def shades(count: int, channels: int = 1, side: int = 4) -> np.ndarray:
    """Image i is all i / 255, so that a place in the grid tells which image is there."""
    return np.ones((count, channels, side, side)) * np.arange(count)[:, None, None, None] / 255


def places(picture: Image.Image, side: int, scale: int) -> list[list[int]]:
    """The shade in the middle of each place; 128 is the grey of gutters and empty places."""
    pixels, cell = np.asarray(picture), side * scale + max(1, scale // 2)
    return pixels[cell // 2 :: cell, cell // 2 :: cell].tolist()


def test_images_stand_in_reading_order() -> None:
    assert places(sample_grid(shades(5), columns=3, scale=2), 4, 2) == [[0, 1, 2], [3, 4, 128]]


def test_class_grid_has_one_row_per_class_in_rising_order() -> None:
    labels = np.array([5, 2, 5, 2, 5, 9])
    assert places(class_grid(shades(6), labels, columns=2, scale=3), 4, 3) == [[1, 3], [0, 2], [5, 128]]


def test_every_pixel_becomes_a_square_and_keeps_its_value() -> None:
    image = np.random.default_rng(0).uniform(size=(1, 3, 5, 7))
    pixels = np.asarray(sample_grid(image, columns=1, scale=4))
    inside = pixels[2:-2, 2:-2]
    assert inside.shape == (20, 28, 3)
    for y, x in np.ndindex(20, 28):
        assert inside[y, x].tolist() == np.rint(image[0, :, y // 4, x // 4] * 255).tolist()


def test_gutters_are_grey_all_around() -> None:
    pixels = np.asarray(sample_grid(np.zeros((4, 1, 8, 8)), columns=2, scale=1))
    assert pixels.shape == (19, 19)
    assert (pixels[[0, 9, 18]] == 128).all()
    assert (pixels[:, [0, 9, 18]] == 128).all()
    assert (pixels == 0).sum() == 4 * 64


def test_modes_follow_channels() -> None:
    assert sample_grid(shades(2), columns=2, scale=1).mode == "L"
    assert sample_grid(shades(2, channels=3), columns=2, scale=1).mode == "RGB"


@pytest.mark.parametrize(
    ("images", "columns", "scale"),
    [
        (shades(0), 1, 1),
        (shades(2, channels=2), 1, 1),
        (shades(2)[0], 1, 1),
        (shades(2) + np.nan, 1, 1),
        (shades(2) + 1, 1, 1),
        (shades(2) - 0.5, 1, 1),
        (shades(2), 0, 1),
        (shades(2), 1, 0),
    ],
)
def test_bad_input_is_refused(images: np.ndarray, columns: int, scale: int) -> None:
    with pytest.raises(InputError):
        sample_grid(images, columns, scale)


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(InputError):
        class_grid(shades(3), np.array([0, 1]), columns=1, scale=1)


def test_saved_png_is_the_picture_and_nothing_else_is_left(tmp_path: Path) -> None:
    picture = sample_grid(shades(5), columns=3, scale=2)
    path = tmp_path / "grid.png"
    path.write_bytes(b"old")
    save_png(path, picture)
    with Image.open(path) as saved:
        assert saved.format == "PNG"
        assert np.array_equal(np.asarray(saved), np.asarray(picture))
    assert [entry.name for entry in tmp_path.iterdir()] == ["grid.png"]


def test_same_picture_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_png(tmp_path / name, sample_grid(shades(5), columns=3, scale=2))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grid.png"
    path.write_bytes(b"old")

    def half_a_file(self: Image.Image, file, format: str) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", half_a_file)
    with pytest.raises(OSError, match="disk full"):
        save_png(path, sample_grid(shades(1), columns=1, scale=1))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["grid.png"]
