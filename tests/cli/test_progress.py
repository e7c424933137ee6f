"""Progress: bars for a person, a line now and then for a log, nothing private in either."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from gossamer.cli import progress
from gossamer.cli.progress import Bars, Lines
from gossamer.methods.gs_wgan import StepReport, WarmStartReport

REPORTS = [
    WarmStartReport(stage=0, num_ready=10, num_critics=20),
    WarmStartReport(stage=0, num_ready=20, num_critics=20),
    *(StepReport(step=step, stage=0, answer_norm=1.5, critic_loss=-0.123456) for step in range(4)),
]


def shown(watched: Any) -> str:
    err = io.StringIO()
    with contextlib.redirect_stderr(err), watched() as open_watched:
        for report in REPORTS:
            open_watched.show(report)
    return err.getvalue()


def test_bars_count_critics_and_steps_to_the_end() -> None:
    text = shown(lambda: Bars(4))
    for part in ("critics of stage 1", "20/20", "generator", "4/4"):
        assert part in text


def test_a_log_is_not_flooded() -> None:
    assert shown(lambda: Lines(4)) == ""


def test_a_log_gets_a_line_when_time_has_passed(monkeypatch: Any) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    lines = shown(lambda: Lines(4)).splitlines()
    assert lines[0].startswith("gossamer: critics of stage 1 20 of 20")
    assert lines[-1].startswith("gossamer: generator 4 of 4, about 0 min left")


@pytest.mark.parametrize("watched", [Bars, Lines])
def test_no_loss_on_real_data_is_shown(watched: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    assert "0.12" not in shown(lambda: watched(4))
