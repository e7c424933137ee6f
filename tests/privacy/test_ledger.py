"""The ledger: never refunded, never beyond the plan, never the same step twice under one key."""

from __future__ import annotations

import pytest

from gossamer.errors import InputError, PrivacyError
from gossamer.privacy import Ledger, LedgerEntry


def block(first: int, num: int, process: int = 0) -> LedgerEntry:
    return LedgerEntry(first_step=first, num_steps=num, process_index=process)


def test_steps_lost_in_a_crash_are_charged_again() -> None:
    ledger = Ledger()
    for entry in (block(0, 50), block(50, 50), block(50, 50, process=1)):
        ledger = ledger.charge(entry, num_planned_steps=200)
    assert ledger.num_charged_steps == 150
    assert ledger.remaining_steps(200) == 50
    assert ledger.remaining_steps(100) == 0
    assert (Ledger().next_process_index, ledger.next_process_index) == (0, 2)


def test_the_step_that_would_exceed_the_plan_is_refused() -> None:
    ledger = Ledger().charge(block(0, 90), num_planned_steps=100)
    with pytest.raises(PrivacyError, match="budget is spent"):
        ledger.charge(block(90, 11), num_planned_steps=100)
    assert ledger.charge(block(90, 10), num_planned_steps=100).remaining_steps(100) == 0


@pytest.mark.parametrize("entry", [block(40, 10), block(0, 1)])
def test_a_step_is_never_run_twice_under_one_key(entry: LedgerEntry) -> None:
    with pytest.raises(PrivacyError, match="one noise key"):
        Ledger().charge(block(0, 50), num_planned_steps=100).charge(entry, num_planned_steps=100)


def test_an_earlier_process_never_comes_back() -> None:
    with pytest.raises(PrivacyError, match="one noise key"):
        Ledger(entries=(block(0, 10), block(10, 10, process=1), block(20, 10)))


@pytest.mark.parametrize("numbers", [(-1, 1, 0), (0, 0, 0), (0, 1, -1)])
def test_entries_out_of_range_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(InputError):
        block(*numbers)


def whole() -> Ledger:
    """Two processes; the first lost what it charged after step 10."""
    return Ledger(entries=(block(0, 10), block(10, 10), block(10, 7, process=1), block(17, 3, process=1)))


def test_a_ledger_as_it_was_written_has_no_gap() -> None:
    assert whole().find_gap(20) is None
    assert Ledger().find_gap(0) is None


def test_every_missing_block_is_found() -> None:
    entries = whole().entries
    found = [Ledger(entries=entries[:n] + entries[n + 1 :]).find_gap(20) for n in range(len(entries))]
    assert found[0] == "no block charges step 0"
    # Without the lost block the next process still takes the run up where it is charged: only a checkpoint can tell.
    assert found[1] is None
    assert found[2] == "no block charges step 17" or found[2] is None
    assert found[3] == "no block charges step 17"
    assert Ledger(entries=entries[2:]).find_gap(20) == "no block is of process 0"


def test_steps_beyond_what_is_charged_are_a_gap() -> None:
    assert whole().find_gap(21) == "no block charges step 20"
    assert Ledger().find_gap(1) == "no block charges step 0"


def test_lost_steps_are_those_charged_beside_the_ones_done_each_as_often_as_it_was() -> None:
    ledger = Ledger(entries=(block(0, 10), block(4, 3, process=1), block(4, 2, process=2)))
    assert ledger.lost_steps(10) == (4, 4, 5, 5, 6)
    assert ledger.lost_steps(5) == (4, 4, 5, 5, 5, 6, 6, 7, 8, 9)
    assert ledger.lost_steps(0)[:4] == (0, 1, 2, 3)
    assert Ledger().lost_steps(0) == ()
    for done in range(11):
        assert len(ledger.lost_steps(done)) + done == ledger.num_charged_steps


def test_a_step_that_is_done_and_was_never_charged_is_refused() -> None:
    with pytest.raises(PrivacyError, match="does not charge step 3"):
        Ledger(entries=(block(0, 3), block(5, 5))).lost_steps(4)
    with pytest.raises(PrivacyError, match="does not charge step 0"):
        Ledger().lost_steps(1)
