"""`--start-from` on the command line: said before and after, shared by processes, audited, and never silent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.driving import driver, processes, starting
from gossamer.driving.job import TrainingJob
from gossamer.mechanisms.crew import Alone
from gossamer.methods.starting import PublicStart, StartFromRecords
from gossamer.runs.folder import RunFolder


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Made-up records in the shape of the digits."""
    x = np.random.default_rng(0).random((40, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "public.npz", x=x, y=np.arange(40) % 10)
    return tmp_path / "public.npz"


@pytest.fixture
def started(public: Path, train_tiny: Any, tmp_path: Path) -> Path:
    said = train_tiny("digits", tmp_path / "run", "--start-from", public, "--start-steps", 3)
    assert said.code == 0
    assert "public: the start of the networks: 3 steps without noise on records" in said.out
    return tmp_path / "run"


def test_statement_card_and_report_say_the_start(started: Path, gossamer: Callable[..., Any]) -> None:
    release = started / "release"
    assert gossamer("report", started).code == 0
    for page in (release / "PRIVACY.md", release / "README.md", started / "report.html"):
        assert "3 steps without noise on records" in page.read_text(encoding="utf-8"), page.name
    assert gossamer("verify", started).code == 0


def test_a_started_run_is_audited_from_its_start(
    started: Path, gossamer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[bool] = []
    honest = PublicStart.put_into

    def watched(self: PublicStart, network: torch.nn.Module, name: str) -> None:
        put.append(name in self.networks)
        honest(self, network, name)

    monkeypatch.setattr(PublicStart, "put_into", watched)
    assert gossamer("audit", "training", started, "--num-bits", 20).code == 0
    assert True in put


def test_a_release_starts_a_run_and_a_dry_run_writes_nothing(
    finished: Path, train_tiny: Any, gossamer: Callable[..., Any], tmp_path: Path
) -> None:
    said = train_tiny("digits", tmp_path / "run", "--start-from", finished, "--dry-run")
    assert said.code == 0
    assert "public: the start of the generator: a released generator (sha256 " in said.out
    assert "its time is not counted" in said.out
    assert not (tmp_path / "run").exists()


def test_a_dry_run_trains_on_no_public_record(
    public: Path, train_tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting.PreparedStart, "made", lambda *given: pytest.fail("networks were made"))
    assert train_tiny("digits", tmp_path / "run", "--start-from", public, "--dry-run").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--start-steps", 3), "goes with --start-from"),
        (("--start-from", "digits"), "names the private records themselves"),
        (("--start-from", "nowhere.safetensors"), "no released generator here"),
    ],
)
def test_a_start_that_cannot_be_is_refused_in_a_line(
    words: tuple[Any, ...], said: str, train_tiny: Any, tmp_path: Path
) -> None:
    found = train_tiny("digits", tmp_path / "run", *words)
    assert found.code == 2
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_second_of_two_processes_takes_the_start_of_the_first(
    public: Path, train_tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, words, read = tmp_path / "run", ("--start-from", public, "--start-steps", 3), []
    load = starting.load_beside

    def spied(*given: Any, **more: Any) -> Any:
        read.append(processes.process_number())
        return load(*given, **more)

    @contextlib.contextmanager
    def others_come(*given: Any) -> Iterator[Alone]:
        if processes.process_number() == 0:
            monkeypatch.setenv("RANK", "1")
            assert train_tiny("digits", run, *words).code == 0
            monkeypatch.setenv("RANK", "0")
        yield Alone()

    monkeypatch.setattr(starting, "load_beside", spied)
    monkeypatch.setattr(driver, "crew_of_run", others_come)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert train_tiny("digits", run, *words).code == 0
    assert read == [0]
    assert isinstance(TrainingJob.read(RunFolder(run)).start, StartFromRecords)
