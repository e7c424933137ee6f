"""Several processes on one run: they meet, the first leads, and the others neither print nor write."""

from __future__ import annotations

import contextlib
import datetime
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from gossamer.cli.main import VERBS, main
from gossamer.driving import driver, processes
from gossamer.driving.run import Run
from gossamer.errors import GossamerError, InputError, PrivacyError, ResourceError
from gossamer.mechanisms import ranks
from gossamer.mechanisms.crew import Alone
from gossamer.mechanisms.ranks import Ranks, meet
from gossamer.runs.files import write_json
from gossamer.runs.folder import RunFolder
from gossamer.runs.key_file import read_key


@pytest.fixture
def as_process(monkeypatch: Any) -> Any:
    """Pretend to be one of several processes that torchrun started."""

    def pretend(number: int, of: int) -> None:
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setenv("WORLD_SIZE", str(of))

    return pretend


def content_of(run: Path) -> dict[str, bytes]:
    """Every file of a run."""
    return {str(path): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def test_a_helper_reads_the_key_of_the_first_and_prints_and_writes_nothing(
    train_tiny: Any, finished: Path, tmp_path: Path, monkeypatch: Any, as_process: Any
) -> None:
    run, keys = tmp_path / "run", []
    start = driver._training

    def spy(run: Run, **spent: Any) -> Any:
        keys.append((processes.process_number(), run.loaded.key.digest))
        return start(run, **spent)

    @contextlib.contextmanager
    def others_come(*given: Any) -> Iterator[Alone]:
        """Where the first waits, the second does its part, of which nothing is ordered here."""
        if processes.process_number() == 0:
            before = content_of(run)
            as_process(1, 2)
            said = train_tiny("digits", run)  # the key is that in the folder, whatever this process is told
            assert (said.code, said.out, said.err) == (0, "", "")
            assert content_of(run) == before
            as_process(0, 2)
        yield Alone()

    monkeypatch.setattr(driver, "_training", spy)
    monkeypatch.setattr(driver, "crew_of_run", others_come)
    as_process(0, 2)
    assert train_tiny("digits", run, "--key-of", finished).code == 0
    key = read_key(RunFolder(finished)).digest
    assert keys == [(1, key), (0, key)]


@pytest.mark.parametrize(("number", "of"), [("-1", "2"), ("2", "2"), ("x", "2"), ("", "2"), ("0", "0"), ("0", "1.0")])
def test_a_number_that_no_process_has_is_refused(
    train_tiny: Any, tmp_path: Path, monkeypatch: Any, number: str, of: str
) -> None:
    """It would lead without the checks and the lock of the first."""
    monkeypatch.setenv("RANK", number)
    monkeypatch.setenv("WORLD_SIZE", of)
    said = train_tiny("digits", tmp_path / "run")
    assert (said.code, said.out) == (2, "")
    # A helper is silent: it may be one of several that are told of one process too few.
    assert ("by torchrun" in said.err) == (number != "2")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", ["3", "-1", "x"])
def test_a_number_that_another_program_left_says_nothing_to_a_process_alone(monkeypatch: Any, number: str) -> None:
    monkeypatch.setenv("RANK", number)
    assert processes.process_number() == 0
    # The break: the number as it is.
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert number != "3" or processes.process_number() == 3


def test_a_helper_that_finds_other_settings_tells_the_first(
    train_tiny: Any, finished: Path, monkeypatch: Any, as_process: Any
) -> None:
    told: list[GossamerError] = []

    def telling(device: torch.device, fault: GossamerError) -> NoReturn:
        told.append(fault)
        raise fault

    monkeypatch.setattr("gossamer.mechanisms.ranks.Ranks", telling)
    as_process(1, 2)
    said = train_tiny("digits", finished, "--num-steps", 7)
    assert (said.code, said.out, said.err) == (2, "", "")
    assert "not the settings" in str(told[0])


def meeting(*faults: GossamerError | None, roundings: Sequence[str] = ("",) * 3) -> list[BaseException | None]:
    """Let processes meet, each with its fault and rounding; what each of them raised."""
    store, raised = torch.distributed.HashStore(), [None] * len(faults)

    def come(rank: int) -> None:
        try:
            meet(store, rank, len(faults), faults[rank], roundings[rank])
        except GossamerError as error:
            raised[rank] = error

    threads = [threading.Thread(target=come, args=(rank,)) for rank in range(len(faults))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return raised


def test_a_helper_that_cannot_read_the_records_tells_the_first(
    train_tiny: Any, finished: Path, monkeypatch: Any, as_process: Any
) -> None:
    """A disk without room for its copy of them, say. The first would wait for it, and hear of no reason."""
    told: list[GossamerError | None] = []

    def full(*given: Any) -> NoReturn:
        raise ResourceError("no room for the records")

    @contextlib.contextmanager
    def meeting(device: torch.device, fault: GossamerError | None = None) -> Iterator[Alone]:
        told.append(fault)
        yield Alone()

    monkeypatch.setattr("gossamer.cli.train.load_chosen", full)
    monkeypatch.setattr(processes, "crew_of_run", meeting)
    assert train_tiny("digits", finished).code == 4
    assert not told  # a process alone tells nobody
    as_process(1, 2)
    assert train_tiny("digits", finished).code == 4
    assert [str(fault) for fault in told] == ["no room for the records"]


def test_processes_that_are_ready_meet() -> None:
    assert meeting(None, None, None) == [None, None, None]


def test_the_first_refuses_for_one_that_is_not_ready() -> None:
    fault = ResourceError("no room here")
    first, second, third = meeting(None, None, fault)
    assert isinstance(first, InputError)
    assert str(first) == "process 2: no room here"
    assert (second, third) == (None, fault)


def test_a_process_that_rounds_otherwise_is_refused_by_the_first() -> None:
    """One unit more moves others to another process. Their float32 numbers must be the same there."""
    first, second, third = meeting(
        None, None, None, roundings=("AVX2, 1 threads", "AVX2, 1 threads", "AVX2, 4 threads")
    )
    assert isinstance(first, InputError)
    assert str(first).startswith("process 2 computes otherwise (AVX2, 4 threads) than the first (AVX2, 1 threads)")
    assert (second, third) == (None, None)


def test_threads_torch_and_the_processor_decide_how_a_process_rounds(monkeypatch: Any) -> None:
    cpu = torch.device("cpu")
    before = ranks.rounding_of(cpu)
    assert before == ranks.rounding_of(cpu)
    assert torch.__version__ in before
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert ranks.rounding_of(cpu) != before
    monkeypatch.undo()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "none")
    assert ranks.rounding_of(cpu) != before


def test_one_that_never_comes_is_told(monkeypatch: Any) -> None:
    monkeypatch.setattr(ranks, "_JOINING", datetime.timedelta(0))
    with pytest.raises(ResourceError, match="did not come"):
        meet(torch.distributed.HashStore(), 0, 2)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"train", "resume", "evaluate", "compare", "audit"}))
def test_other_commands_are_refused_in_several_processes_and_the_first_alone_says_so(
    number: int, verb: str, as_process: Any, capsys: Any
) -> None:
    as_process(number, 2)
    assert main([verb, "--help"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == ("" if number else f"gossamer: {verb} works in one process: start it without torchrun\n")


def test_a_folder_that_never_appears_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(processes, "PATIENCE_S", 0.0)
    with pytest.raises(ResourceError, match="the first process made no run"):
        processes.wait_for_folder(tmp_path / "run")


def test_a_folder_that_is_there_is_taken(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    with pytest.raises(InputError):
        RunFolder.open(folder.path)
    write_json(folder.config_file, {})
    assert processes.wait_for_folder(folder.path) == folder


def test_processes_that_cannot_reach_each_other_are_told_to_use_torchrun(monkeypatch: Any, as_process: Any) -> None:
    as_process(0, 2)
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ResourceError, match="torchrun") as caught:
        Ranks(torch.device("cpu"))
    assert "\n" not in str(caught.value)


def test_a_process_that_is_alone_joins_nobody(as_process: Any) -> None:
    as_process(0, 1)
    with processes.crew_of_run(torch.device("cpu")) as found:
        assert isinstance(found, Alone)
    assert not torch.distributed.is_initialized()


def test_a_step_is_never_taken_by_a_process_that_does_not_lead() -> None:
    with pytest.raises(PrivacyError, match="does not lead"):
        driver._refuse(3)
