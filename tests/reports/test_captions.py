"""Names in pictures: one line, no longer than there is room, with both ends kept."""

from __future__ import annotations

import pytest

from gossamer.reports.captions import caption


@pytest.mark.parametrize("room", range(5, 30))
def test_a_long_name_keeps_beginning_and_end_and_uses_the_room(room: int) -> None:
    shown = caption("abcdefghijklmnopqrstuvwxyz0123456789", lambda text: len(text) <= room)
    beginning, end = shown.split("...")
    assert len(shown) == room
    assert "abcdefghijklmnopqrstuvwxyz0123456789".startswith(beginning)
    assert "abcdefghijklmnopqrstuvwxyz0123456789".endswith(end)
    assert 0 <= len(beginning) - len(end) <= 1


def test_a_name_that_fits_is_left_alone() -> None:
    assert caption("runs/ä = 漢", lambda _: True) == "runs/ä = 漢"


def test_without_any_room_something_short_comes_back() -> None:
    assert caption("abcdef", lambda _: False) == "a..."
    assert caption("", lambda _: False) == "..."


def test_what_cannot_be_printed_is_a_question_mark() -> None:
    assert caption("a\nb\x00c\x1bd\u202ee\udcff", lambda _: True) == "a?b?c?d?e?"
