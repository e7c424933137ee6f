"""What a machine can do to a run: full disks, no permission, no memory, signals, closed outputs, a clock set back.

Whatever it is, checkpoint and ledger stay as they were, one line says what is wrong, the exit code is the documented
one, and the run goes on when the machine is well again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gossamer.nn.images.settings import MLPGeneratorConfig

LONG = {"noise": "deterministic", "often": True}


def is_one_line(said: Any, word: str, code: int = 4) -> None:
    """The last line says it; lines before it can only be about progress."""
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    assert "Exception ignored" not in said.err
    lines = said.err.splitlines()
    assert all(line.startswith("gossamer: ") for line in lines), said.err
    assert word in lines[-1]


@pytest.fixture
def begun(nursery: Any, new_run: Any) -> Any:
    """A run that was stopped in good order after the first block of its 13 steps."""
    run = new_run("dp-cgan")
    assert nursery.run(*run.words, **LONG, signals=after(1, signal.SIGTERM)).code == 130
    assert run.ledger.num_charged_steps == max(run.states()) == 10
    return run


def after(num_lines: int, *numbers: int) -> dict[str, Any]:
    """Signals that a life sends to itself when so many of its steps are done."""
    return {"after": num_lines, "numbers": [int(number) for number in numbers]}


def seen(run: Any) -> dict[str, bytes]:
    """All files but those that say how far it is."""
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name not in ("lock", "metrics.jsonl")]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in files}


# ---- disks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(nursery: Any, tmp_path: Path) -> Path:
    """A disk of 1 MB that lives see under its path, and this process under /proc."""
    place = tmp_path / "disk"
    place.mkdir()
    refused = nursery.mount("tmpfs", place, "1m")
    if refused is not None:
        pytest.skip(f"a disk cannot be mounted here: {refused}")
    return place


def test_on_a_disk_of_one_megabyte_a_run_stops_in_one_line_and_goes_on_when_there_is_space(
    nursery: Any, new_run: Any, reference: Any, lives: Any, small_disk: Path
) -> None:
    there = Path(f"/proc/{nursery.pid}/root{small_disk}")
    run = new_run("gs-wgan", "--save-at-step", "4")
    words = [small_disk / "run" if word == run.path else word for word in run.words]
    ballast, codes = there / "ballast", set()
    for free in (0, 16_384, 65_536, 131_072, 196_608):
        fill(ballast, free)
        is_begun = (there / "run" / "config.json").exists()
        said = nursery.run(*(("resume", small_disk / "run") if is_begun else words), **LONG)
        codes.add(said.code)
        if said.code:
            is_one_line(said, "No space left on device")
        ballast.unlink()
    assert 4 in codes
    said = nursery.run("resume", small_disk / "run", **LONG)
    assert said.code == 0, said.err
    assert (there / "run" / "release" / "generator.safetensors").is_file()
    assert not list((there / "run").rglob("*.partial"))


def fill(ballast: Path, free: int) -> None:
    """Leave so many bytes of a disk free."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with ballast.open("ab") as file:
        file.truncate(max(0, ballast.stat().st_size - free))


@pytest.mark.parametrize("file_size", [0, 300, 2_000, 9_000])
def test_where_files_may_not_grow_a_run_stops_in_one_line_and_goes_on_elsewhere(
    nursery: Any, begun: Any, file_size: int
) -> None:
    """A limit of the system in place of a full disk, where nothing can be mounted: it spares nothing either."""
    before = seen(begun)
    said = nursery.run(*begun.next_words, **LONG, file_size=file_size, err=os.devnull, out=os.devnull)
    assert said.code == 4
    after = seen(begun)
    assert {name: after[name] for name in before if name.endswith((".pt", ".json"))}.items() <= after.items()
    assert after["private/ledger.jsonl"].startswith(before["private/ledger.jsonl"])
    assert nursery.run(*begun.next_words, **LONG).code == 0
    assert begun.ledger.num_charged_steps == 13


def test_a_read_only_run_folder_is_refused_and_left_as_it_is(nursery: Any, begun: Any) -> None:
    refused = nursery.mount("read-only", begun.path)
    if refused is not None:
        pytest.skip(f"a folder cannot be mounted here: {refused}")
    before = seen(begun)
    is_one_line(nursery.run("resume", begun.path, **LONG), "Read-only file system")
    assert seen(begun) == before


def test_without_permission_a_run_is_refused_and_left_as_it_is(nursery: Any, begun: Any) -> None:
    """By a user who may look and not write; root, who may all, gives that up for it."""
    before = seen(begun)
    with only_to_be_read(begun.path):
        said = nursery.run("resume", begun.path, **LONG, is_plain=True)
        is_one_line(said, "Permission denied")
        assert seen(begun) == before


@contextlib.contextmanager
def only_to_be_read(folder: Path) -> Iterator[None]:
    """Take the right to write from a folder and all that is in it."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def test_a_second_process_on_a_run_is_refused_by_name(nursery: Any, begun: Any) -> None:
    before = seen(begun)
    with (begun.path / "private" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = nursery.run("resume", begun.path, **LONG)
    is_one_line(said, f"{begun.path}: another process works on this run")
    assert seen(begun) == before


def test_a_second_training_into_a_folder_is_refused_by_name(nursery: Any, begun: Any) -> None:
    before = seen(begun)
    is_one_line(nursery.run(*begun.words, **LONG), "exists and is not empty", code=2)
    assert seen(begun) == before


# ---- signals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_in_good_order_and_loses_nothing(
    nursery: Any, new_run: Any, check_books: Any, number: int
) -> None:
    run = new_run("dp-cgan")
    life = {"noise": "keyed", "journal": str(run.journal)}
    said = nursery.run(*run.words, **life, signals=after(3, number))
    is_one_line(said, f"gossamer resume {run.path}", code=130)
    assert run.ledger.num_charged_steps == max(run.states()) == 10
    said = nursery.run(*run.next_words, **life)
    assert said.code == 0
    assert "lost" not in said.err
    assert run.ledger.num_charged_steps == max(run.states()) == 13
    check_books(run)


def test_a_closed_terminal_that_says_so_twice_loses_nothing(nursery: Any, new_run: Any) -> None:
    """The system tells it, and a shell passes it on; nobody can be told anything any more."""
    run = new_run("dp-cgan")
    said = nursery.run(*run.words, **LONG, signals=after(3, signal.SIGHUP, signal.SIGHUP), err=None, out=None)
    assert said.code == 130
    assert run.ledger.num_charged_steps == max(run.states()) == 10


def test_a_closed_terminal_that_the_caller_ignores_stops_nothing(nursery: Any, new_run: Any) -> None:
    run = new_run("dp-cgan")
    life = {"signals": after(3, signal.SIGHUP, signal.SIGHUP), "deaf": int(signal.SIGHUP)}
    assert nursery.run(*run.words, **LONG, **life).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_stop_at_once_and_what_is_on_the_disk_stays_whole(nursery: Any, begun: Any, number: int) -> None:
    """In the middle of a block: its steps are lost then, and stay paid; the checkpoint is the one of before."""
    before = seen(begun)
    said = nursery.run(*begun.next_words, **LONG, signals=after(2, number, number))
    is_one_line(said, "interrupted", code=130)
    assert {name: content for name, content in seen(begun).items() if "ledger" not in name} == {
        name: content for name, content in before.items() if "ledger" not in name
    }
    assert begun.ledger.num_charged_steps == 13
    said = nursery.run(*begun.next_words, **LONG)
    assert said.code == 0, said.err
    assert "3 steps were paid for and lost in a crash; 0 are left" in said.err


# ---- outputs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [("out",), ("err",), ("out", "err")])
def test_a_training_outlives_whoever_reads_it(
    nursery: Any, new_run: Any, check_release: Any, closed: tuple[str, ...]
) -> None:
    run = new_run("dp-cgan")
    said = nursery.run(*run.words, **LONG, **dict.fromkeys(closed))
    assert said.code == 0
    assert said.err == ""
    check_release(run)


def test_on_a_full_disk_of_its_log_a_training_goes_on(nursery: Any, begun: Any, check_release: Any) -> None:
    assert nursery.run(*begun.next_words, **LONG, err="/dev/full").code == 0
    check_release(begun)


def test_what_was_asked_for_and_cannot_be_written_is_an_error(nursery: Any) -> None:
    is_one_line(nursery.run("data", "list", out="/dev/full"), "No space left on device")


def test_a_pipe_whose_reader_leaves_is_no_error() -> None:
    words = f"{sys.executable} -m gossamer data list | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def test_an_output_that_was_closed_from_the_start_is_no_error() -> None:
    words = f"{sys.executable} -m gossamer --version 0<&- >&-"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr == ""


# ---- memory and clock ----------------------------------------------------------------------------------------------


def test_without_memory_a_run_stops_in_one_line_and_goes_on_when_there_is_some(
    nursery: Any, new_run: Any, tiny: Any, check_books: Any, check_release: Any
) -> None:
    """A wide network, and limits from none at all to enough: memory gives out in one place or another."""
    wide = MLPGeneratorConfig(hidden_sizes=(2400, 2400))
    run = new_run("dp-cgan", settings=replace(tiny["dp-cgan"], num_steps=16, generator=wide))
    life = {"noise": "keyed", "journal": str(run.journal)}
    assert nursery.run(*run.words, **life, signals=after(1, signal.SIGTERM)).code == 130
    codes = []
    for memory in (0, 2**20, 2**22, 2**24, 2**26, 2**30):
        before = run.states()
        said = nursery.run(*run.next_words, **life, often=True, memory=memory)
        codes.append(said.code)
        if said.code:
            is_one_line(said, "out of memory")
            assert max(run.states()) >= max(before)
        check_books(run)
    assert codes.count(4) >= 2
    assert codes[-1] == 0
    check_release(run)


def test_a_network_that_no_memory_holds_is_told_in_one_line(nursery: Any, new_run: Any) -> None:
    run = new_run("dp-cgan")
    said = nursery.run(*run.words, "--generator.hidden-sizes", 30_000, 30_000, **LONG, memory=2**29)
    is_one_line(said, "out of memory")
    assert not (run.path / "private" / "ledger.jsonl").exists()


@pytest.mark.parametrize("seconds", [3_600.0, 2e9])
def test_a_clock_that_was_set_back_changes_nothing(
    nursery: Any, new_run: Any, at_point: Any, check_release: Any, seconds: float
) -> None:
    """By an hour, or to the time when such clocks began; files are then younger than now."""
    run = new_run("dp-cgan")
    crash = at_point(run, lambda name, path: name == "replace" and path.endswith(".step-00000013.pt.partial"), **LONG)
    assert nursery.run(*run.words, crash=crash, **LONG).code == -signal.SIGKILL
    assert nursery.run(*run.next_words, **LONG, clock=seconds).code == 0
    check_release(run)


@pytest.fixture(autouse=True)
def no_core_files() -> Iterator[None]:
    """Nothing of a killed process is to be written anywhere."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)
