"""The ledger on disk: charged before it is spent, never refunded, never beyond the plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.errors import InputError, PrivacyError, ResourceError
from gossamer.runs.ledger_file import BLOCK, LedgerFile, declare_only_copy, read_ledger


def lines(path: Path) -> list[dict[str, int]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run_to(ledger: LedgerFile, first: int, end: int) -> None:
    for step in range(first, end):
        ledger.charge(step)


def test_a_block_is_on_the_disk_before_its_first_step_and_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = LedgerFile(path, num_planned_steps=25)
    assert not path.exists()
    ledger.charge(0)
    (line,) = lines(path)
    assert line.pop("tag") >= 0
    assert line == {"first_step": 0, "num_steps": BLOCK, "process_index": 0}
    run_to(ledger, 1, BLOCK)
    assert len(lines(path)) == 1
    assert [ledger.is_block_end(done) for done in (BLOCK - 1, BLOCK)] == [False, True]
    run_to(ledger, BLOCK, 25)
    assert [entry["num_steps"] for entry in lines(path)] == [10, 10, 5]
    assert read_ledger(path).num_charged_steps == 25


def test_steps_are_on_the_disk_even_when_the_next_line_of_code_never_runs(tmp_path: Path, monkeypatch: Any) -> None:
    flushed: list[str] = []
    monkeypatch.setattr("os.fsync", lambda number: flushed.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    ledger = LedgerFile(tmp_path / "ledger.jsonl", num_planned_steps=15)
    ledger.charge(0)
    # The file, and then its name in the folder: neither is worth anything without the other.
    assert flushed == [str(tmp_path / "ledger.jsonl"), str(tmp_path)]
    ledger.charge(10)
    assert flushed[2:] == [str(tmp_path / "ledger.jsonl")]


@given(
    num_planned=st.integers(1, 60),
    stops=st.lists(st.integers(1, 60), max_size=4),
)
def test_no_block_crosses_a_stop(tmp_path_factory: Any, num_planned: int, stops: list[int]) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    run_to(LedgerFile(path, num_planned_steps=num_planned, stops=tuple(stops)), 0, num_planned)
    ends = 0
    for entry in lines(path):
        assert entry["first_step"] == ends
        ends += entry["num_steps"]
        assert not any(entry["first_step"] < stop < ends for stop in stops)
    assert ends == num_planned


@settings(deadline=None)
@given(crashes=st.lists(st.integers(0, 29), max_size=12), num_planned=st.integers(1, 40))
def test_crashes_are_charged_again_and_the_total_never_exceeds_the_plan(
    tmp_path_factory: Any, crashes: list[int], num_planned: int
) -> None:
    """Without any checkpoint: each process begins at step 0 and dies after some steps."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    taken = 0
    for process, num_steps in enumerate(crashes):
        ledger = LedgerFile(path, num_planned_steps=num_planned)
        left = ledger.ledger.remaining_steps(num_planned)
        run_to(ledger, 0, min(num_steps, left))
        taken += min(num_steps, left)
        charged = read_ledger(path).num_charged_steps
        assert taken <= charged <= num_planned
        if charged == num_planned:
            with pytest.raises(PrivacyError, match="budget is spent"):
                LedgerFile(path, num_planned_steps=num_planned).charge(0)
        assert all(entry["process_index"] <= process for entry in (lines(path) if path.exists() else []))


def test_every_process_has_a_number_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for first in (0, 4, 8):
        LedgerFile(path, num_planned_steps=100).charge(first)
    assert [entry["process_index"] for entry in lines(path)] == [0, 1, 2]
    assert [entry["first_step"] for entry in lines(path)] == [0, 4, 8]


@pytest.mark.parametrize("torn", [b'{"first_step": 10, "num', b"{", b"\xff\xfe", b"3"])
def test_a_last_line_cut_off_by_a_crash_was_never_relied_on(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    LedgerFile(path, num_planned_steps=40).charge(0)
    with path.open("ab") as file:
        file.write(torn)
    assert read_ledger(path).num_charged_steps == BLOCK
    # What comes after it stands on a line of its own, for this process and for the next.
    LedgerFile(path, num_planned_steps=40).charge(0)
    LedgerFile(path, num_planned_steps=40).charge(0)
    assert [entry["process_index"] for entry in lines(path)] == [0, 1, 2]


def test_a_last_line_without_its_end_stays_charged_when_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    LedgerFile(path, num_planned_steps=40).charge(0)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert read_ledger(path).num_charged_steps == BLOCK
    LedgerFile(path, num_planned_steps=40).charge(0)
    assert [entry["process_index"] for entry in lines(path)] == [0, 1]


@pytest.mark.parametrize(
    "line", ["torn", "[]", "3", '{"first_step": 0}', '{"first_step": 0, "num_steps": 0, "process_index": 0}',
             '{"first_step": 0, "num_steps": 1.5, "process_index": 0}', "[" * 100_000]
)  # fmt: skip
def test_a_bad_line_before_the_last_stops_the_run(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    LedgerFile(path, num_planned_steps=40).charge(0)
    path.write_text(line + "\n" + path.read_text())
    with pytest.raises(InputError, match="line 1"):
        read_ledger(path)


def test_a_ledger_put_together_from_two_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    LedgerFile(path, num_planned_steps=40).charge(0)
    path.write_text(2 * path.read_text())
    with pytest.raises(PrivacyError, match="edited or copied"):
        read_ledger(path)


def test_a_step_whose_charge_cannot_be_written_must_not_be_taken(tmp_path: Path, monkeypatch: Any) -> None:
    ledger = LedgerFile(tmp_path / "ledger.jsonl", num_planned_steps=40)

    def refuse(_: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(ResourceError, match="No space left"):
        ledger.charge(0)
    monkeypatch.undo()
    assert ledger.ledger.num_charged_steps == 0
    # What may have reached the disk stays charged for the next process; what that one charges comes on top.
    following = LedgerFile(tmp_path / "ledger.jsonl", num_planned_steps=40)
    reached = following.ledger.num_charged_steps
    following.charge(0)
    assert read_ledger(tmp_path / "ledger.jsonl").num_charged_steps == reached + BLOCK


@given(
    num_planned=st.integers(1, 60),
    marks=st.lists(st.integers(1, 60), max_size=4),
    lives=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3),
)
def test_the_charge_stands_still_at_every_mark_whatever_was_lost(
    tmp_path_factory: Any, num_planned: int, marks: list[int], lives: list[tuple[int, int]]
) -> None:
    """A life: so many steps are taken, and of these so many are kept by the checkpoint that the next one begins at."""
    path, step = tmp_path_factory.mktemp("ledger") / "ledger.jsonl", 0
    for taken, kept in [*lives, (num_planned, 0)]:
        ledger = LedgerFile(path, num_planned_steps=num_planned, marks=tuple(marks))
        last = min(step + taken, step + ledger.ledger.remaining_steps(num_planned))
        run_to(ledger, step, last)
        step = min(step + kept, last)
    paid, stood_at = 0, {0}
    for entry in lines(path):
        paid += entry["num_steps"]
        stood_at.add(paid)
    assert paid == num_planned
    assert {mark for mark in marks if mark <= num_planned} <= stood_at


def test_no_block_reaches_beyond_the_end_of_the_training(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = LedgerFile(path, num_planned_steps=100)
    ledger.end_at(23)
    run_to(ledger, 0, 23)
    assert [entry["num_steps"] for entry in lines(path)] == [10, 10, 3]


# ---- copies ------------------------------------------------------------------------------------------------------


def test_a_declaration_is_a_line_of_its_own_kind_and_no_step(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    declare_only_copy(path)
    assert path.read_text() == '{"only_copy": 1, "process_index": 0}\n'
    ledger = LedgerFile(path, num_planned_steps=25)
    assert (ledger.ledger.num_only_copies, ledger.ledger.num_charged_steps) == (1, 0)
    ledger.charge(0)
    before = ledger.position()
    with path.open("ab") as file:
        file.write(b'{"first_step": 10, "nu')
    declare_only_copy(path)
    before.check(path)
    found = read_ledger(path)
    assert (found.num_only_copies, found.num_charged_steps) == (2, 10)
    assert json.loads(path.read_text().splitlines()[-1]) == {"only_copy": 1, "process_index": 1}
    assert LedgerFile(path, num_planned_steps=25).ledger == found


@pytest.mark.parametrize(
    "line",
    [
        '{"only_copy": 2, "process_index": 0}',
        '{"only_copy": 1}',
        '{"only_copy": 1, "process_index": -1}',
        '{"only_copy": true, "process_index": 0}',
        '{"only_copy": 1, "process_index": 0, "first_step": 0}',
        '{"first_step": 0, "num_steps": 1, "process_index": 0, "tag": -1}',
        '{"first_step": 0, "num_steps": 1, "process_index": 0, "tag": "a"}',
        '{"first_step": 0, "num_steps": null, "process_index": 0}',
    ],
)
def test_a_line_of_no_kind_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match="line 1 is no ledger entry"):
        read_ledger(path)


def test_lines_of_before_there_were_tags_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"first_step": 0, "num_steps": 10, "process_index": 0}\n')
    assert [entry.tag for entry in read_ledger(path).entries] == [None]
    LedgerFile(path, num_planned_steps=25).charge(10)
    assert read_ledger(path).num_charged_steps == 20


def test_two_processes_that_charge_the_same_are_told_apart(tmp_path: Path) -> None:
    tags = set()
    for name in ("one", "other"):
        LedgerFile(tmp_path / name, num_planned_steps=25).charge(0)
        tags |= {entry.tag for entry in read_ledger(tmp_path / name).entries}
    assert len(tags) == 2
