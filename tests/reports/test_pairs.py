"""Nearest pairs: who stands beside whom, and in which order."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gossamer.errors import InputError
from gossamer.reports.pairs import pairs_picture


def shades(values: list[int], channels: int = 1) -> np.ndarray:
    return np.ones((len(values), channels, 20, 20)) * np.array(values)[:, None, None, None] / 255


def pairs_in(picture: Image.Image, shades_shown: range) -> list[tuple[int, int]]:
    """Pairs in reading order: the shades left and right of each gutter that stands between two even squares."""
    pixels = np.asarray(picture)
    seen = []
    for y, x in np.ndindex(pixels.shape[0] - 40, pixels.shape[1] - 81):
        left, right = pixels[y, x], pixels[y, x + 41]
        if left in shades_shown and right in shades_shown:
            squares = pixels[y : y + 40, x : x + 40], pixels[y : y + 40, x + 41 : x + 81]
            if (squares[0] == left).all() and (squares[1] == right).all():
                seen.append((int(left), int(right)))
    return seen


def test_synthetic_is_left_its_record_right_and_the_closest_pair_first() -> None:
    picture = pairs_picture(shades([11, 12, 13]), shades([21, 22, 23]), np.array([3.0, 1.0, 2.0]), columns=2)
    assert pairs_in(picture, range(10, 30)) == [(12, 22), (13, 23), (11, 21)]


def test_a_row_holds_as_many_pairs_as_there_are_columns() -> None:
    one, two = (pairs_picture(shades([1] * 4), shades([2] * 4), np.arange(4.0), columns=c, scale=9) for c in (1, 2))
    assert two.width - 12 == 2 * (one.width - 12)
    assert two.height < one.height


def test_the_distance_is_written_below() -> None:
    pictures = [np.asarray(pairs_picture(shades([1]), shades([2]), np.array([d]))) for d in (1.0, 2.0)]
    different = np.flatnonzero((pictures[0] != pictures[1]).any(axis=1))
    squares = np.flatnonzero((pictures[0] == 1).sum(axis=1) >= 40)
    assert different.size > 0
    assert different.min() > squares.max()


def test_captions_of_small_pairs_do_not_run_into_each_other() -> None:
    distances = np.array([0.12345, 0.23456, 0.34567])
    picture = np.asarray(pairs_picture(shades([1] * 3)[..., :4, :4], shades([2] * 3)[..., :4, :4], distances, scale=1))
    below = picture[2 * 18 + 6 :, 6:] < 255
    empty = ~below.any(axis=0)
    gaps = np.diff(np.flatnonzero(np.diff(empty.astype(int))))[1::2]
    assert (gaps >= 8).sum() == 2


def test_colour_stays_colour() -> None:
    assert pairs_picture(shades([1], 3), shades([2], 3), np.array([0.0])).mode == "RGB"


@pytest.mark.parametrize(
    ("synthetic", "real", "distances", "columns"),
    [
        (shades([]), shades([]), np.array([]), 1),
        (shades([1]), shades([1, 2]), np.array([0.0]), 1),
        (shades([1]), shades([1], 3), np.array([0.0]), 1),
        (shades([1]), shades([1]), np.array([0.0, 1.0]), 1),
        (shades([1]), shades([1]), np.array([np.nan]), 1),
        (shades([1]), shades([1]), np.array([-1.0]), 1),
        (shades([1]), shades([1]), np.array([0.0]), 0),
        (shades([1]), shades([1]) + np.nan, np.array([0.0]), 1),
    ],
)
def test_bad_input_is_refused(synthetic: np.ndarray, real: np.ndarray, distances: np.ndarray, columns: int) -> None:
    with pytest.raises(InputError):
        pairs_picture(synthetic, real, distances, columns=columns)
