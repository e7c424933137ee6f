"""Progress: bars for a person, a line now and then for a log."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from gossamer.cli import progress
from gossamer.cli.progress import Bars, Lines
from gossamer.methods.training import Progress

REPORTS = [
    *(Progress(part="critics of stage 1", num_done=done, num_all=20) for done in (10, 20)),
    *(Progress(part="generator", num_done=done, num_all=4) for done in (1, 2, 3, 4)),
]


def shown(watched: Any) -> str:
    err = io.StringIO()
    with contextlib.redirect_stderr(err), watched() as open_watched:
        for report in REPORTS:
            open_watched.count(report.part, report.num_done, report.num_all)
    return err.getvalue()


def test_bars_count_critics_and_steps_to_the_end() -> None:
    text = shown(Bars)
    for part in ("critics of stage 1", "20/20", "generator", "4/4"):
        assert part in text


def test_a_log_is_not_flooded() -> None:
    assert shown(Lines) == ""


def test_a_log_gets_a_line_when_time_has_passed(monkeypatch: Any) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    lines = shown(Lines).splitlines()
    assert lines[0].startswith("gossamer: critics of stage 1 20 of 20")
    assert lines[-1].startswith("gossamer: generator 4 of 4, about 0 min left")
