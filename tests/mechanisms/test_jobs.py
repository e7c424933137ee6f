"""Jobs are dealt over processes, and their results are those of one process, in order."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
import pytest
from crews import linked

from gossamer.errors import InputError
from gossamer.mechanisms.crew import ALONE
from gossamer.mechanisms.jobs import perform_in_order, perform_parts


def lengths(parts: Sequence[str], times: int) -> list[tuple[int, int]]:
    """Length of each part, beside the number of parts that came together."""
    return [(times * len(part), len(parts)) for part in parts]


def refuse(number: int) -> int:
    if number == 3:
        raise InputError("three is refused")
    return number


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_results_come_in_the_order_of_the_arguments(size: int) -> None:
    with linked(size) as ranks:
        assert perform_in_order(ranks[0], operator.mul, [(n, n) for n in range(40)]) == [n * n for n in range(40)]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_parts_go_to_processes_in_shares_that_differ_by_one_at_most(size: int) -> None:
    parts = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg"]
    with linked(size) as ranks:
        found = perform_parts(ranks[0], lengths, parts, 2)
    assert [length for length, _ in found] == [2, 4, 6, 8, 10, 12, 14]
    assert {share for _, share in found} <= {len(parts) // size, -(-len(parts) // size)}
    assert perform_parts(ALONE, lengths, parts, 2) == [(length, len(parts)) for length, _ in found]


def test_fewer_parts_than_processes_leave_some_without_work() -> None:
    with linked(4) as ranks:
        assert perform_parts(ranks[0], lengths, ["a", "bb"], 1) == [(1, 1), (2, 1)]
        assert perform_parts(ranks[0], lengths, [], 1) == []


def test_a_single_job_stays_with_the_first() -> None:
    """It would send all records of the job away, and wait."""
    with linked(3) as ranks:
        assert perform_in_order(ranks[0], np.sum, [(np.arange(5),)]) == [10]
        assert [rank.num_received for rank in ranks] == [0, 0, 0]


def test_a_hundred_parts_are_three_messages_to_three_processes_at_most() -> None:
    with linked(3) as ranks:
        assert len(perform_parts(ranks[0], lengths, ["a"] * 100, 1)) == 100
        assert sum(rank.num_received for rank in ranks[1:]) <= 3


def test_a_refusal_of_any_job_is_raised() -> None:
    with pytest.raises(InputError, match="three is refused"), linked(3) as ranks:
        perform_in_order(ranks[0], refuse, [(n,) for n in range(6)])
