"""Several processes on one run: each warms its own part of the critics, once, and the first goes on alone."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.cli.main import VERBS, main
from gossamer.driving import driver, processes
from gossamer.driving.driver import FolderStore
from gossamer.driving.job import TrainingJob
from gossamer.driving.run import Run
from gossamer.errors import InputError, ResourceError
from gossamer.runs.checkpoint import load_tensors
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


def tensors_of(run: Path, name: str) -> dict[str, torch.Tensor]:
    """What a run keeps of one chunk of its critics, by its own settings, records and key."""
    folder = RunFolder.open(run)
    job = TrainingJob.read(folder)
    return load_tensors(folder.warm_start / name, Run(folder=folder, job=job, loaded=job.load(read_key(folder))).origin)


def test_two_processes_share_the_warm_start_and_it_comes_out_as_with_one(
    train_tiny: Any, finished: Path, tmp_path: Path, monkeypatch: Any, as_process: Any
) -> None:
    run, saved = tmp_path / "run", []
    save = FolderStore.save

    def spy(self: FolderStore, name: str, critics: Any) -> None:
        saved.append((processes.process_number(), int(name.split("-")[3])))
        save(self, name, critics)

    def others_come() -> None:
        """Where the first waits, the second does its part: one after the other in place of side by side."""
        if processes.process_number() == 0:
            as_process(1, 2)
            # The first process's key is taken from its folder, whatever the second is told.
            assert train_tiny("digits", run).code == 0
            as_process(0, 2)

    monkeypatch.setattr(FolderStore, "save", spy)
    monkeypatch.setattr(driver, "wait_for_all", others_come)
    as_process(0, 2)
    assert train_tiny("digits", run, "--key-of", finished).code == 0
    assert saved == [(0, 0), (0, 20), (1, 10)]
    assert (run / "release" / "generator.safetensors").is_file()
    for path in (finished / "private" / "warm_start").iterdir():
        alone, shared = tensors_of(finished, path.name), tensors_of(run, path.name)
        assert all(torch.equal(tensor, shared[name]) for name, tensor in alone.items())


def test_a_helper_in_the_folder_of_another_run_is_refused(train_tiny: Any, finished: Path, as_process: Any) -> None:
    as_process(1, 2)
    said = train_tiny("digits", finished, "--num-steps", 7)
    assert said.code == 2
    assert "not the settings" in said.err


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"train", "resume"}))
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
    as_process(0, 1)
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ResourceError, match="torchrun") as caught:
        processes.wait_for_all()
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_processes_that_have_all_come_go_on(monkeypatch: Any, as_process: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    as_process(0, 1)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    processes.wait_for_all()
    assert not torch.distributed.is_initialized()
