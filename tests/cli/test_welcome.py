"""`gossamer` alone: what is here, how far it has come, and commands that can be pasted."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from gossamer.cli import welcome
from gossamer.cli.main import VERBS
from gossamer.cli.welcome import RunHere, State, find_runs
from gossamer.data.catalogue import NAMED_DATA, NAMED_SERIES
from gossamer.data.series_choice import SeriesChoice


def make_run(folder: Path, *, settings: Any = None, is_finished: bool = False, is_evaluated: bool = False) -> Path:
    (folder / "private").mkdir(parents=True)
    (folder / "release").mkdir()
    (folder / "config.json").write_text(json.dumps({"data": "digits"} if settings is None else settings))
    if is_finished:
        (folder / "release" / "generator.safetensors").write_bytes(b"")
        (folder / "release" / "privacy.json").write_text('{"epsilon": 9.9999}')
    if is_evaluated:
        (folder / "private" / "evaluation").mkdir()
        (folder / "private" / "evaluation" / "evaluation.json").write_text("{}")
    return folder


def commands(out: str) -> list[list[str]]:
    lines = out.partition("Next:")[2].splitlines()
    return [shlex.split(line[line.index("gossamer ") :]) for line in lines if "gossamer " in line]


def test_where_nothing_is_the_demo_comes_first(gossamer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    said = gossamer()
    assert said.code == 0
    assert said.err == ""
    assert commands(said.out)[0] == ["gossamer", "demo"]
    assert ["gossamer", "doctor"] in commands(said.out)
    assert not any(tmp_path.iterdir())


def test_each_state_is_told_with_what_brings_it_further(gossamer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs" / "cut short")
    make_run(tmp_path / "runs" / "done", is_finished=True)
    make_run(tmp_path / "runs" / "known", is_finished=True, is_evaluated=True)
    said = gossamer()
    assert "runs/cut short: digits, interrupted" in said.out
    assert "runs/done: digits, epsilon 10.000, finished, not evaluated" in said.out
    assert "runs/known: digits, epsilon 10.000, finished and evaluated" in said.out
    found = commands(said.out)
    assert ["gossamer", "resume", "runs/cut short"] in found
    assert ["gossamer", "evaluate", "runs/done", "--data", "digits", "--quick"] in found
    assert ["gossamer", "sample", "runs/known", "--num-samples", "1000", "--out", "samples.npz"] in found
    assert all(command[1] in {*VERBS, "--help"} for command in found)


def test_a_run_that_is_at_work_is_not_called_interrupted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    with (run / "private" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert [one.state for one in find_runs(tmp_path)] == [State.AT_WORK]
        assert find_runs(tmp_path)[0].next_steps == []
    assert [one.state for one in find_runs(tmp_path)] == [State.INTERRUPTED]


def test_looking_leaves_the_lock_free(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    lock = run / "private" / "lock"
    lock.touch()
    find_runs(tmp_path)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_newest_come_first_and_the_others_are_counted(gossamer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(welcome.NUM_SHOWN + 3):
        run = make_run(tmp_path / "runs" / f"r{number}", is_finished=True)
        os.utime(run / "release", (number, number))
    out = gossamer().out
    assert out.index("runs/r7:") < out.index("runs/r6:")
    assert "and 3 more" in out
    assert "runs/r0:" not in out


def test_what_an_evaluation_needs_is_taken_from_the_settings(tmp_path: Path) -> None:
    settings = {
        "data": "/data/my scans.csv", "data_dir": None, "num_classes": 3,
        "series": {"type": "SeriesChoice", "class_column": "kind", "low": [-2.5], "high": [2.5], "pad_shorter": True,
                   "split": None, "split_seed": 0, "channel_names": []},
    }  # fmt: skip
    make_run(tmp_path / "run", settings=settings, is_finished=True)
    ((_, command),) = find_runs(tmp_path)[0].next_steps
    words = shlex.split(command)
    assert words[3:] == [
        "--data", "/data/my scans.csv", "--test-data", "HELD-OUT", "--num-classes", "3",
        "--class-column", "kind", "--low=-2.5", "--high", "2.5", "--pad-shorter", "--quick",
    ]  # fmt: skip
    known = {name.replace("_", "-") for name in SeriesChoice.__dataclass_fields__}
    assert {word[2:].partition("=")[0] for word in words[9:-1] if word.startswith("--")} <= known


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b'{"data": 3}', b"\xff\xfe", b'{"data": null}', b"[" * 100_000], ids=repr
)
def test_what_cannot_be_read_is_passed_over(gossamer: Any, tmp_path: Path, monkeypatch: Any, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "runs" / "odd")
    (run / "config.json").write_bytes(content)
    said = gossamer()
    assert said.code == 0
    assert "odd" not in said.out


def test_a_hostile_run_cannot_write_to_the_terminal(gossamer: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs" / "run", settings={"data": "a\x1b[2J\nb; rm -rf x"}, is_finished=True)
    out = gossamer().out
    assert "\x1b" not in out
    assert not any(line.startswith("b; rm") for line in out.splitlines())
    evaluate = next(command for command in commands(out) if command[1] == "evaluate")
    assert "rm" not in evaluate  # quoted, one word


def test_the_names_are_those_of_the_catalogue() -> None:
    assert set(welcome._NAMED) == {data.name for data in (*NAMED_DATA, *NAMED_SERIES)}


def test_it_is_quick_with_many_runs(tmp_path: Path, monkeypatch: Any) -> None:
    for number in range(100):
        make_run(tmp_path / "runs" / str(number), is_finished=True)
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    assert len(find_runs(Path("runs"))) == 100
    assert time.process_time() - began < 1


def test_a_state_shows_its_words() -> None:
    run = RunHere(path=Path("runs/a"), state=State.FINISHED, data="/x/y.npz", reading="", epsilon=None, age_key=0.0)
    assert str(run) == "runs/a: y.npz, finished, not evaluated"
