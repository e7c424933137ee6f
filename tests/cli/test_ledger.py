"""`gossamer ledger`: what was planned, charged, lost and left, by process, in figures and in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def told(gossamer: Any, run: Path) -> dict[str, Any]:
    said = gossamer("ledger", run, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_a_finished_run_has_charged_its_plan_and_no_more(gossamer: Any, finished: Path) -> None:
    found = told(gossamer, finished)
    statement = json.loads((finished / "release" / "privacy.json").read_text())
    assert found["method"] == "gs-wgan"
    assert [found[f"num_{name}_steps"] for name in ("planned", "charged", "done", "lost", "left")] == [12, 12, 12, 0, 0]
    assert found["epsilon_charged"] == found["epsilon_planned"] == statement["epsilon"]
    assert found["delta"] == statement["delta"]
    assert found["one_shot"] == []
    assert found["processes"] == [
        {
            "process_index": 0, "first_step": 0, "end_step": 12, "num_blocks": 2, "num_charged_steps": 12,
            "num_lost_steps": 0,
        }
    ]  # fmt: skip
    words = gossamer("ledger", finished).out
    assert "12 of 12 planned steps are charged" in words
    assert "Epsilon charged so far: 9.185, of the 9.185" in words
    assert "Left: nothing" in words


def test_steps_lost_in_a_crash_are_told_by_process(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(0)
    assert train_tiny("digits", run, "--num-steps", 45).code == 130
    at_step.crash(13)
    with pytest.raises(ZeroDivisionError):
        gossamer("resume", run)
    found = told(gossamer, run)
    assert [found[f"num_{name}_steps"] for name in ("planned", "charged", "done", "lost", "left")] == [
        45, 20, 10, 10, 25,
    ]  # fmt: skip
    assert 0 < found["epsilon_charged"] < found["epsilon_planned"]
    assert "10 charged steps are in no checkpoint" in gossamer("ledger", run).out
    at_step.interrupt(20)
    assert gossamer("resume", run).code == 130
    found = told(gossamer, run)
    keys = ("process_index", "first_step", "end_step", "num_blocks", "num_charged_steps", "num_lost_steps")
    assert [[one[key] for key in keys] for one in found["processes"]] == [
        [0, 0, 10, 1, 10, 0],
        [1, 10, 20, 1, 10, 10],
        [2, 10, 30, 2, 20, 0],
    ]
    assert [found[f"num_{name}_steps"] for name in ("charged", "done", "lost", "left")] == [40, 30, 10, 5]
    assert gossamer("verify", run).code == 0


def test_a_run_that_was_only_warmed_up_has_charged_nothing(
    gossamer: Any, train_tiny: Any, at_step: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    at_step.interrupt(-1)
    assert train_tiny("digits", run).code == 130
    found = told(gossamer, run)
    assert (found["num_charged_steps"], found["epsilon_charged"], found["processes"]) == (0, 0.0, [])
    assert "0 of 12 planned steps are charged" in gossamer("ledger", run).out
    assert gossamer("verify", run).code == 0


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        ("no private", 2, "missing, and the ledger with it"),
        ("no slots", 2, "plan.json: no such file"),
        ("slots no number", 2, "plan.json: damaged"),
        ("more than planned", 3, "charges 1012 steps"),
        ("out of order", 3, "under one noise key"),
        ("no run", 2, "no run here"),
        ("fewer than done", 3, "ledger.jsonl: the ledger does not charge step 0"),
    ],
)
def test_what_is_no_ledger_of_a_run_gets_one_line(
    gossamer: Any, finished: Path, tmp_path: Path, damage: str, code: int, words: str
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    ledger = run / "private" / "ledger.jsonl"
    match damage:
        case "no private":
            shutil.rmtree(run / "private")
        case "fewer than done":
            ledger.unlink()
        case "no slots":
            (run / "private" / "plan.json").unlink()
        case "slots no number":
            (run / "private" / "plan.json").write_text('{"num_slots": true}')
        case "more than planned":
            ledger.write_text(ledger.read_text() + '{"first_step": 12, "num_steps": 1000, "process_index": 0}\n')
        case "out of order":
            ledger.write_text(ledger.read_text() + '{"first_step": 0, "num_steps": 1, "process_index": 0}\n')
        case _:
            (run / "config.json").unlink()
    said = gossamer("ledger", run)
    assert said.code == code
    assert words in said.err
    assert said.err.count("\n") == 1
