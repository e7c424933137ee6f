"""`fit(..., run=...)`: the same run folder as the command line writes, interrupted and gone on with."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.data.records import RecordData
from gossamer.data.splits import RandomSplit
from gossamer.driving import driver
from gossamer.driving.run import Run
from gossamer.errors import InputError, PrivacyError
from gossamer.estimators import GSWGAN, AbstractEstimator, DPMixture, as_images, load_series
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.training import Progress
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.folder import RunFolder
from gossamer.runs.ledger_file import read_ledger

STEPS = 25
TINY: dict[str, Any] = {"num_critics": 5, "num_steps": STEPS, "batch_size": 4, "draws_per_step": 4, "device": "cpu"}


def weights(model: AbstractEstimator) -> dict[str, torch.Tensor]:
    return model.released.trained.weights


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def interrupting(at: int) -> Callable[[Progress], None]:
    """A caller who presses Ctrl-C when so many updates of the generator are done."""

    def told(progress: Progress) -> None:
        if progress.part == "generator" and progress.num_done == at:
            os.kill(os.getpid(), signal.SIGINT)

    return told


@pytest.fixture
def npz(tmp_path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    np.savez(tmp_path / "own.npz", x=images[:, None], y=labels)
    return tmp_path / "own.npz"


@pytest.fixture
def known_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "KeyedNoise", lambda: DeterministicNoise(5))
    monkeypatch.setattr(UnitKey, "drawn", classmethod(lambda kind: kind(b"u" * 32)))


def interrupted(run: Path, x: Any, y: Any = None, **more: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        GSWGAN(num_classes=3, **TINY | more).fit(x, y, run=run, progress=interrupting(3))
    assert not (run / "release" / "generator.safetensors").exists()
    assert read_ledger(run / "private" / "ledger.jsonl").num_charged_steps == 10


@pytest.mark.usefixtures("known_noise")
def test_an_interrupted_fit_goes_on_and_equals_the_unbroken_one(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unbroken = GSWGAN(num_classes=3, **TINY).fit(images, labels, run=tmp_path / "unbroken")
    with caplog.at_level(logging.WARNING, "gossamer"):
        interrupted(tmp_path / "run", images, labels)
    assert "interrupted at step 10; go on with: fit(..., run=...) and the same records" in caplog.text
    again = GSWGAN(num_classes=3, **TINY).fit(images, labels, run=tmp_path / "run")
    for name, weight in weights(unbroken).items():
        assert torch.equal(weight, weights(again)[name]), name
    assert read_ledger(tmp_path / "run" / "private" / "ledger.jsonl").num_charged_steps == STEPS


def test_the_folder_is_that_of_the_command_line_and_passes_verify(gossamer: Any, npz: Path, tmp_path: Path) -> None:
    by_fit, by_train = tmp_path / "fit", tmp_path / "train"
    model = DPMixture(epsilon=2.0, num_classes=3, device="cpu").fit(npz, run=by_fit)
    words = ("--data", npz, "--num-classes", 3, "--epsilon", 2, "--device", "cpu", "--out", by_train)
    assert gossamer("train", "dp-mixture", *words).code == 0
    assert files(by_fit) == files(by_train)
    assert (by_fit / "config.json").read_text() == (by_train / "config.json").read_text()
    for run in (by_fit, by_train):
        said = gossamer("verify", run)
        assert said.code == 0, said.out
    assert model.statement.run_id == json.loads((by_fit / "private" / "run.json").read_text())["run_id"]
    # The one goes on with what the other began; here it has ended.
    assert DPMixture(epsilon=2.0, num_classes=3).fit(npz, run=by_train).statement.run_id != model.statement.run_id


def test_the_command_line_finishes_what_fit_began(gossamer: Any, npz: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupted(run, npz)
    said = gossamer("resume", run, "--plain")
    assert said.code == 0, said.err
    assert gossamer("verify", run).code == 0
    ledger = (run / "private" / "ledger.jsonl").read_bytes()
    model = GSWGAN(num_classes=3, **TINY).fit(npz, run=run)
    assert model.statement.to_markdown() == (run / "release" / "PRIVACY.md").read_text()
    assert (run / "private" / "ledger.jsonl").read_bytes() == ledger


def test_records_in_memory_are_verified_and_only_python_can_go_on(
    gossamer: Any, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    interrupted(run, images, labels)
    said = gossamer("resume", run)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "handed over in Python" in said.err
    GSWGAN(num_classes=3, **TINY).fit(images, labels, run=run)
    verified = gossamer("verify", run)
    assert verified.code == 0, verified.out


def test_a_crash_is_paid_for_and_told(
    images: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture, gossamer: Any
) -> None:
    def crash(progress: Progress) -> None:
        if progress.part == "generator" and progress.num_done == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        GSWGAN(**TINY).fit(images, run=tmp_path / "run", progress=crash)
    with caplog.at_level(logging.WARNING, "gossamer"):
        GSWGAN(**TINY).fit(images, run=tmp_path / "run")
    assert "10 steps were paid for and lost in a crash; 15 are left" in caplog.text
    assert gossamer("verify", tmp_path / "run").code == 0


CHANGED: list[tuple[dict[str, Any], str]] = [
    ({"epsilon": 9.0}, "noise_multiplier"),
    ({"delta": 1e-4}, "delta"),
    ({"seed": 4}, "another seed;"),
    ({"num_steps": STEPS + 1}, "num_steps"),
    ({"num_records": 95}, "public number of records"),
    ({"num_tuning_runs": 2}, "declares 0 earlier runs, not 2"),
]


@pytest.mark.parametrize(("settings", "line"), CHANGED)
def test_other_settings_are_refused_before_anything_is_spent(
    settings: dict[str, Any], line: str, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    interrupted(tmp_path / "run", images, labels)
    with pytest.raises(InputError, match=line):
        GSWGAN(num_classes=3, **TINY | settings).fit(images, labels, run=tmp_path / "run")
    assert read_ledger(tmp_path / "run" / "private" / "ledger.jsonl").num_charged_steps == 10


def test_another_method_and_other_records_are_refused(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    run = tmp_path / "run"
    DPMixture(num_classes=3).fit(images, labels, run=run)
    with pytest.raises(InputError, match="another method"):
        GSWGAN(num_classes=3, **TINY).fit(images, labels, run=run)
    with pytest.raises(InputError, match="not the records"):
        DPMixture(num_classes=3).fit(images, labels[::-1], run=run)
    with pytest.raises(InputError, match="exists and is not empty"):
        DPMixture().fit(images, run=tmp_path)


def test_settings_that_are_not_compared_would_pass_for_those_of_the_run(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DPMixture(epsilon=2.0).fit(images, run=tmp_path / "run")
    monkeypatch.setattr(Run, "check_asked", lambda self, asked: None)
    # What was asked for is an epsilon of 1, and what comes costs 2.
    assert DPMixture(epsilon=1.0).fit(images, run=tmp_path / "run").statement.epsilon > 1.9


def test_a_copy_that_has_not_ended_is_refused(images: np.ndarray, tmp_path: Path, copy_run: Any) -> None:
    run = tmp_path / "run"
    interrupted(run, images, np.arange(len(images)) % 3)
    run.rename(tmp_path / "moved")
    copied = copy_run(tmp_path / "moved", tmp_path / "copy")
    identity = RunFolder(tmp_path / "moved").identity_file.read_bytes()
    RunFolder(copied).identity_file.write_bytes(identity)
    with pytest.raises(PrivacyError, match="copy"):
        GSWGAN(num_classes=3, **TINY).fit(images, np.arange(len(images)) % 3, run=copied)


def test_earlier_runs_are_declared_once_each(images: np.ndarray, tmp_path: Path) -> None:
    model = DPMixture(num_tuning_runs=1)
    assert model.fit(images, run=tmp_path / "first").statement.num_tuning_runs == 1
    assert model.fit(images, run=tmp_path / "first").statement.num_tuning_runs == 1
    assert model.fit(images, run=tmp_path / "second").statement.num_tuning_runs == 2
    assert model.fit(images).statement.num_tuning_runs == 3
    other = DPMixture()
    other.fit(images, run=tmp_path / "third")
    assert DPMixture().fit(images, run=tmp_path / "third").fit(images).statement.num_tuning_runs == 1


def test_the_key_of_the_run_divides_the_records_again(tmp_path: Path) -> None:
    """Held out by a new key at each reading, other records would be learnt from than the run began with."""
    from gossamer.estimators import estimator

    seen: list[UnitKey] = []
    read = estimator.read_source

    def watched(*given: Any) -> RecordData:
        seen.append(given[5])
        return read(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimator, "read_source", watched)
        for _ in range(2):
            DPMixture().fit("digits", run=tmp_path / "run")
    assert seen[0].digest == seen[1].digest


def test_records_that_come_divided_go_on_with_the_same_division_alone(tmp_path: Path) -> None:
    rows = [",".join(f"{one:.3f}" for one in row) for row in np.random.default_rng(0).random((200, 6))]
    (tmp_path / "own.csv").write_text("\n".join([",".join(f"t{time}" for time in range(6)), *rows]))
    key = UnitKey.drawn()

    def read(key: UnitKey) -> RecordData:
        return load_series(tmp_path / "own.csv", split=RandomSplit(), key=key)

    first = DPMixture().fit(read(key), run=tmp_path / "run")
    assert DPMixture().fit(read(key), run=tmp_path / "run").statement == first.statement
    with pytest.raises(InputError, match="not the records"):
        DPMixture().fit(read(UnitKey.drawn()), run=tmp_path / "run")


def test_one_of_several_processes_is_refused(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="one process"):
        DPMixture().fit(images, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_people_are_protected_in_a_run_too(images: np.ndarray, tmp_path: Path, gossamer: Any) -> None:
    data = as_images(images, people=np.arange(len(images)) // 2)
    DPMixture(unit="person").fit(data, run=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "release" / "privacy.json").read_text())["unit"] == "person"
    assert gossamer("verify", tmp_path / "run").code == 0


def test_a_ledger_with_a_step_that_the_plan_does_not_have_is_refused_in_one_line(
    images: np.ndarray, tmp_path: Path
) -> None:
    def crash(progress: Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        DPMixture().fit(images, run=tmp_path / "run", progress=crash)
    ledger = RunFolder(tmp_path / "run").ledger_file
    later = read_ledger(ledger).next_process_index
    with ledger.open("a") as file:
        file.write(json.dumps({"first_step": 50, "num_steps": 1, "process_index": later, "tag": 1}) + "\n")
    charged = ledger.read_bytes()
    with pytest.raises(PrivacyError, match=r"ledger\.jsonl: the ledger charges .* step 50"):
        DPMixture().fit(images, run=tmp_path / "run")
    assert ledger.read_bytes() == charged
