"""Matching: as many of either side, class by class; bad series in one line."""

from __future__ import annotations

import numpy as np
import pytest

from gossamer.errors import InputError
from gossamer.evaluation.series.matching import SeriesSet, at_most, drawn_like, match


def marked(labels: list[int] | None, number: int = 0, name: str = "a") -> SeriesSet:
    """Series whose first value is their row over a hundred."""
    number = number or len(labels or [])
    x = np.zeros((number, 1, 6), dtype=np.float32)
    x[:, 0, 0] = np.arange(number) / 100
    return SeriesSet(name=name, x=x, y=None if labels is None else np.array(labels))


def test_either_side_has_as_many_of_each_class_and_none_twice() -> None:
    made, real = marked([0] * 20 + [1] * 5 + [3] * 4), marked([0] * 3 + [1] * 30 + [2] * 9)
    pair = match(made, real, seed=0)
    assert pair.class_counts == ((0, 3), (1, 5))
    for side in (pair.synthetic, pair.real):
        assert side.y is not None
        assert np.bincount(side.y).tolist() == [3, 5]
        assert len(np.unique(side.x[:, 0, 0])) == 8
    # Labels travel with their series.
    assert pair.real.y is not None
    assert ((pair.real.x[:, 0, 0] >= 0.025) == (pair.real.y == 1)).all()


def test_without_labels_the_larger_side_is_cut() -> None:
    pair = match(marked(None, 9), marked([0, 1, 0, 1]), seed=0)
    assert (len(pair.synthetic), len(pair.real), pair.class_counts) == (4, 4, ())


def test_real_series_in_the_first_place_have_the_same_classes() -> None:
    pair = match(marked([0] * 4 + [1] * 2), marked([0] * 9 + [1] * 9), seed=0)
    beside = drawn_like(pair, marked([0] * 50 + [1] * 1), seed=0)
    assert beside.y is not None
    assert np.bincount(beside.y).tolist() == [4, 1]


def test_the_seed_decides_who_is_drawn() -> None:
    series = marked(None, 80)
    drawn = [at_most(series, 10, seed=seed).x[:, 0, 0].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert at_most(series, 80, seed=0) is series


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.zeros((3, 8)), None, r"give series as \(batch, channels, time\)"),
        (np.zeros((3, 1, 3)), None, "3 series of 3 values"),
        (np.zeros((1, 1, 8)), None, "1 series of 8 values"),
        (np.full((3, 1, 8), np.nan), None, "series 0 has a value that is NaN"),
        (np.concatenate([np.zeros((2, 1, 8)), np.full((1, 1, 8), 1.5)]), None, "series 2 has a value"),
        (np.zeros((3, 1, 8)), np.zeros(2, dtype=int), "labels of shape"),
    ],
)
def test_bad_series_are_refused_in_one_line(x: np.ndarray, y: np.ndarray | None, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        SeriesSet(name="mine", x=x, y=y)
    assert "\n" not in str(caught.value)


def test_sets_that_do_not_compare_are_refused() -> None:
    with pytest.raises(InputError, match="series of shape"):
        match(marked(None, 4), SeriesSet(name="b", x=np.zeros((4, 2, 6))), seed=0)
    with pytest.raises(InputError, match="fewer than two series of the classes"):
        match(marked([0, 0]), marked([1, 1]), seed=0)
