"""Work that several processes share: every piece once."""

from __future__ import annotations

from collections import Counter

import pytest

from gossamer.mechanisms.crew import Alone


class Rank(Alone):
    """One of several processes, as far as it takes its share of some work."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size  # type: ignore[misc]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("head_start", [0, 1, 3, 50])
def test_shares_are_together_all_pieces_once(size: int, head_start: int) -> None:
    shares = [list(Rank(rank, size).share(range(23), head_start)) for rank in range(size)]
    assert Counter(piece for share in shares for piece in share) == Counter(range(23))


def test_helpers_take_their_head_start_before_the_leader_takes_a_piece() -> None:
    shares = [list(Rank(rank, 3).share("abcdefghij", 2)) for rank in range(3)]
    assert shares == [["e", "h"], ["a", "c", "f", "i"], ["b", "d", "g", "j"]]


def test_alone_there_is_nobody_to_begin_before() -> None:
    assert list(Alone().share("abc", 2)) == ["a", "b", "c"]
