"""Sample grids, pixel by pixel, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gossamer.errors import InputError, ResourceError
from gossamer.reports.grid import class_grid, comparison_grid, image_grid, sample_grid, save_png


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
    with pytest.raises(ResourceError, match=r"grid\.png: cannot be written"):
        save_png(path, sample_grid(shades(1), columns=1, scale=1))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["grid.png"]


def test_a_folder_that_is_absent_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="make that folder"):
        save_png(tmp_path / "absent" / "grid.png", sample_grid(shades(1), columns=1, scale=1))


def found(page: Image.Image, grid: Image.Image) -> list[tuple[int, int]]:
    """Left upper corners where the grid stands in the page, pixel for pixel."""
    pixels, wanted = np.asarray(page), np.asarray(grid)
    height, width = wanted.shape
    room = pixels[: page.height - height + 1, : page.width - width + 1]
    likely = np.ones(room.shape, bool)
    for y, x in ((0, 0), (height - 1, width - 1), (9, 9), (height // 2, width // 2)):
        likely &= pixels[y : y + room.shape[0], x : x + room.shape[1]] == wanted[y, x]
    return [(x, y) for y, x in np.argwhere(likely).tolist() if (pixels[y:, x:][:height, :width] == wanted).all()]


def ink_above(page: Image.Image, grid: Image.Image) -> int:
    """Pixels that are not white over a grid, as far as it is wide."""
    ((left, top),) = found(page, grid)
    return int((np.asarray(page)[:top, left : left + grid.width] < 255).sum())


def test_compared_grids_stand_side_by_side_in_the_order_given_each_under_its_name() -> None:
    ours, theirs, labels = shades(6), 1 - shades(6), np.array([1, 0, 1, 0, 1, 0])
    page = comparison_grid([("ours", ours, None), ("theirs", theirs, labels), ("", ours[::-1], None)], 3, 8)
    grids = [sample_grid(ours, 3, 8), class_grid(theirs, labels, 3, 8), sample_grid(ours[::-1], 3, 8)]
    corners = [found(page, grid) for grid in grids]
    assert [len(places) for places in corners] == [1, 1, 1]
    assert len({top for ((_, top),) in corners}) == 1
    assert corners[0][0][0] + grids[0].width < corners[1][0][0] < corners[2][0][0] - grids[1].width
    assert ink_above(page, grids[0]) > 20
    assert ink_above(page, grids[1]) > 20
    assert ink_above(page, grids[2]) == 0


def test_grids_that_are_too_many_for_one_row_go_on_below() -> None:
    sets = [np.roll(shades(6), number, axis=0) for number in range(5)]
    page = comparison_grid([(str(number), images, None) for number, images in enumerate(sets)], 3, 40)
    corners = [found(page, sample_grid(images, 3, 40))[0] for images in sets]
    assert corners == sorted(corners, key=lambda corner: (corner[1], corner[0]))
    assert len({top for _, top in corners}) == 2
    assert page.width <= 1800


def test_a_grid_wider_than_the_page_stands_alone_and_whole() -> None:
    images = shades(24)
    page = comparison_grid([("a", images, None), ("b", images[::-1], None)], 24, 20)
    assert found(page, sample_grid(images[::-1], 24, 20))[0][1] > found(page, sample_grid(images, 24, 20))[0][1]


def test_a_long_name_stays_over_its_own_grid() -> None:
    black = np.zeros((1, 1, 4, 4))
    page = comparison_grid([("a name much longer than its grid", black, None), ("", black + 1, None)], 2, 8)
    assert ink_above(page, sample_grid(black, 2, 8)) > 20
    assert ink_above(page, sample_grid(black + 1, 2, 8)) == 0


def test_a_name_of_several_lines_stays_in_one() -> None:
    black = np.zeros((1, 1, 20, 20))
    one, two = (comparison_grid([(name, black, None)], 2, 8) for name in ("a?b", "a\nb"))
    assert np.array_equal(np.asarray(one), np.asarray(two))


def test_without_labels_a_compared_grid_has_as_many_rows_as_columns_at_most() -> None:
    assert comparison_grid([("a", shades(9), None)], 3, 8) == comparison_grid([("a", shades(200), None)], 3, 8)


@pytest.mark.parametrize("other", [shades(2, side=5), shades(2, channels=3)])
def test_images_of_several_shapes_are_not_compared(other: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"theirs: images of shape .* but ours has \(1, 4, 4\)"):
        comparison_grid([("ours", shades(2), None), ("theirs", other, None)], 2, 8)


def test_no_target_is_no_comparison() -> None:
    with pytest.raises(InputError, match="at least one target"):
        comparison_grid([], 2, 8)


def name_of_row(page: Image.Image, grid: Image.Image, row: int, num_rows: int) -> np.ndarray:
    """Pixels beside a row of a grid, where its name stands."""
    left = page.width - grid.width
    assert np.array_equal(np.asarray(page)[:, left:], np.asarray(grid))
    return np.asarray(page)[row * page.height // num_rows : (row + 1) * page.height // num_rows, :left]


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 300, 300), (1, 12, 200)])
def test_rows_of_classes_have_their_names_beside_them_at_any_size(shape: tuple[int, ...]) -> None:
    images, labels = np.full((6, *shape), 0.5), np.array([0, 2, 2, 0, 1, 1])
    names = ("one", "a much longer name that is never so long as the whole picture", "two")
    plain, named = image_grid(images, labels), image_grid(images, labels, names)
    ink = [(name_of_row(named, plain, row, 3) < 128).sum() for row in range(3)]
    assert all(count > 5 for count in ink), ink
    assert named.width - plain.width < 12 * max(14, plain.height / 3 / 6)


def test_the_name_of_a_class_stands_beside_its_own_row_though_others_are_absent() -> None:
    images = np.full((2, 1, 28, 28), 0.5)
    both = image_grid(images, np.array([0, 2]), ("zero", "one", "two"))
    plain = image_grid(images, np.array([0, 2]))
    alone = image_grid(images[:1], np.array([2]), ("zero", "one", "two"))
    row = name_of_row(alone, image_grid(images[:1], np.array([2])), 0, 1)
    beside = name_of_row(both, plain, 1, 2)
    assert (row < 128).sum() == (beside < 128).sum() != (name_of_row(both, plain, 0, 2) < 128).sum()


def test_grids_of_a_comparison_have_the_names_too() -> None:
    images, labels = shades(6), np.array([0, 0, 1, 1, 2, 2])
    named = [("ours", images, labels), ("theirs", images[::-1], labels)]
    grid = class_grid(images, labels, 2, 8)
    assert comparison_grid(named, 2, 8, ("a", "b", "c")).width > comparison_grid(named, 2, 8).width
    found(comparison_grid(named, 2, 8, ("a", "b", "c")), grid)
