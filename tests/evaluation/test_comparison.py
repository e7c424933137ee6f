"""Side by side: every score in its place, and a mark only where the intervals leave no doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.errors import InputError
from gossamer.evaluation.comparison import compare, in_order
from gossamer.evaluation.score import Score

Interval = tuple[float, float]


def score(interval: Interval, name: str = "avg12", higher: bool = True, source: str = "s", count: int = 100) -> Score:
    low, high = interval
    return Score(
        name=name, value=(low + high) / 2, low=low, high=high, higher_is_better=higher,
        num_synthetic=count, num_real=100, seeds=(0,), source=source,
    )  # fmt: skip


def best(intervals: list[Interval | None], higher: bool = True) -> int | None:
    named = {
        str(number): {} if interval is None else {"avg12": score(interval, higher=higher)}
        for number, interval in enumerate(intervals)
    }
    return compare(named).rows[0].best


@pytest.mark.parametrize(
    ("intervals", "higher", "lower"),
    [
        ([(0.1, 0.2), (0.3, 0.4)], 1, 0),
        ([(0.1, 0.2), (0.3, 0.4), (0.35, 0.6)], None, 0),
        ([(0.1, 0.2), (0.15, 0.3), (0.5, 0.6)], 2, None),
        ([(0.1, 0.3), (0.3, 0.4)], None, None),
        ([(0.1, 0.2), (0.1, 0.2)], None, None),
        ([(0.5, 0.5), (0.5, 0.5)], None, None),
        ([(0.1, 0.9), (0.4, 0.5)], None, None),
        ([(0.1, 0.2)], None, None),
        ([(0.1, 0.2), None], None, None),
        ([None, (0.1, 0.2), (0.3, 0.4)], 2, 1),
    ],
)
def test_best_is_marked_where_no_interval_reaches_its_own(
    intervals: list[Interval | None], higher: int | None, lower: int | None
) -> None:
    assert best(intervals, higher=True) == higher
    assert best(intervals, higher=False) == lower


def test_the_highest_value_alone_earns_no_mark() -> None:
    wide, narrow = (0.2, 1.0), (0.4, 0.6)
    assert score(wide).value > score(narrow).value
    assert best([wide, narrow, (0.0, 0.1)]) is None


ends = st.lists(st.integers(0, 12), min_size=2, max_size=2).map(lambda pair: (min(pair) / 8, max(pair) / 8))


@given(st.lists(ends, min_size=2, max_size=5))
def test_a_marked_target_beats_every_value_in_every_other_interval_and_one_that_does_is_marked(
    intervals: list[Interval],
) -> None:
    beats_all = [
        index
        for index, (low, _) in enumerate(intervals)
        if all(low > high for place, (_, high) in enumerate(intervals) if place != index)
    ]
    assert [index for index in [best(intervals)] if index is not None] == beats_all


@given(st.lists(ends, min_size=1, max_size=4), st.data())
def test_another_target_never_gives_an_earlier_one_a_mark_it_had_not(
    intervals: list[Interval], data: st.DataObject
) -> None:
    more = best([*intervals, data.draw(ends)])
    assert len(intervals) == 1 or more is None or more in (best(intervals), len(intervals))


def test_rows_come_in_a_fixed_order_and_cells_in_that_of_the_targets() -> None:
    accuracy, precision, mine = score((0.1, 0.2)), score((0.3, 0.4), "precision"), score((0.5, 0.6), "mine")
    table = compare({"b": {"mine": mine, "avg12": accuracy}, "a": {"precision": precision, "mine": mine}})
    assert table.targets == ("b", "a")
    assert [row.name for row in table.rows] == ["precision", "avg12", "mine"]
    assert [row.cells for row in table.rows] == [(None, precision), (accuracy, None), (mine, mine)]


def test_order_does_not_depend_on_who_asks() -> None:
    names = ["zeta", "avg12", "coverage", "alpha", "inception_score"]
    assert in_order(names) == in_order(reversed(names)) == ("inception_score", "coverage", "avg12", "alpha", "zeta")


def test_a_target_without_scores_is_an_empty_column() -> None:
    assert compare({"a": {}, "b": {"avg12": score((0.1, 0.2))}}).rows[0].cells[0] is None
    assert compare({"a": {}}).rows == ()


def test_values_from_several_sources_or_sample_sizes_are_not_like_with_like() -> None:
    def alike(*cells: Score) -> bool:
        return compare({str(i): {"avg12": cell} for i, cell in enumerate(cells)}).rows[0].is_like_with_like

    assert alike(score((0.1, 0.2)), score((0.3, 0.4)))
    assert not alike(score((0.1, 0.2)), score((0.3, 0.4), source="other"))
    assert not alike(score((0.1, 0.2)), score((0.3, 0.4), count=99))


def test_targets_that_disagree_on_a_direction_are_refused() -> None:
    with pytest.raises(InputError, match="avg12: higher is better for one target"):
        compare({"a": {"avg12": score((0, 1))}, "b": {"avg12": score((0, 1), higher=False)}})


def test_a_score_under_the_name_of_another_is_refused() -> None:
    with pytest.raises(InputError, match="a: the score avg12 stands under the name recall"):
        compare({"a": {"recall": score((0, 1))}})


def test_no_target_is_no_comparison() -> None:
    with pytest.raises(InputError, match="at least one target"):
        compare({})
