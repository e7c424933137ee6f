"""A loop of one's own in a run folder: left, stopped, crashed and started again, it pays for each step and goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gossamer.driving import driver
from gossamer.driving.driver import Drive
from gossamer.driving.loop import RunLoop
from gossamer.errors import InputError, PrivacyError, ResourceError
from gossamer.estimators import GSWGAN, DPMixture, ReleasedGenerator
from gossamer.mechanisms.noise import DeterministicNoise
from gossamer.methods.training import AbstractStepReport
from gossamer.privacy.dealing import UnitKey
from gossamer.runs.ledger_file import read_ledger

STEPS = 25
TINY: dict[str, Any] = {"num_critics": 5, "num_steps": STEPS, "batch_size": 4, "draws_per_step": 4, "device": "cpu"}


def model(**more: Any) -> GSWGAN:
    return GSWGAN(epsilon=10.0, num_classes=3, **TINY | more)


def num_charged(run: Path) -> int:
    return read_ledger(run / "private" / "ledger.jsonl").num_charged_steps


@pytest.fixture
def known_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "KeyedNoise", lambda: DeterministicNoise(5))
    monkeypatch.setattr(UnitKey, "drawn", classmethod(lambda kind: kind(b"u" * 32)))


@pytest.fixture
def begun(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> RunLoop:
    return model().start(images, labels, run=tmp_path / "run")


def to_step(loop: RunLoop, step: int) -> None:
    """Iterate until so many steps are done, and leave the loop."""
    for report in loop:
        if isinstance(report, AbstractStepReport) and loop.step >= step:
            break


@pytest.mark.usefixtures("known_noise")
def test_a_loop_that_stops_and_is_started_again_equals_the_unbroken_fit(
    images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    unbroken = model().fit(images, labels, run=tmp_path / "unbroken")
    loop = model().start(images, labels, run=tmp_path / "run")
    for report in loop:
        done = loop.progress(report)
        if (done.part, done.num_done) == ("generator", 3):
            loop.stop()
    assert (loop.step, loop.has_ended, num_charged(tmp_path / "run")) == (10, False, 10)
    with pytest.raises(InputError, match="has not ended"):
        loop.trained()
    again = model().start(images, labels, run=tmp_path / "run")
    assert [again.progress(report).num_done for report in again][-1] == STEPS
    assert num_charged(tmp_path / "run") == STEPS
    released = ReleasedGenerator(trained=again.trained())
    for name, weight in unbroken.released.trained.weights.items():
        assert torch.equal(weight, released.trained.weights[name]), name
    assert list(again) == [], "nothing more is spent"
    assert model().fit(images, labels, run=tmp_path / "run").statement == released.statement


def test_nothing_is_spent_before_the_first_step_and_the_whole_run_is_verified(
    gossamer: Any, begun: RunLoop, tmp_path: Path
) -> None:
    assert (begun.step, begun.has_ended) == (0, False)
    assert num_charged(tmp_path / "run") == 0
    with pytest.raises(InputError, match="which this loop has yielded"):
        begun.progress(None)
    for _ in begun:
        pass
    assert begun.has_ended
    said = gossamer("verify", tmp_path / "run")
    assert said.code == 0, said.out


@pytest.mark.parametrize(("step", "kept"), [(3, 0), (10, 10), (13, 10)])
def test_steps_after_the_last_safe_place_are_lost_and_stay_paid(
    step: int, kept: int, begun: RunLoop, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    if kept and step > kept:
        to_step(begun, kept)
    to_step(begun, step)
    charged = num_charged(run)
    assert charged == (10 if step <= 10 else 20)
    again = model().start(images, labels, run=run)
    steps = [again.step for report in again if isinstance(report, AbstractStepReport)]
    lost = charged - kept
    # The plan pays for 25 steps in all, those that were lost among them.
    assert steps[0] == kept + 1
    assert steps[-1] == STEPS - lost
    assert num_charged(run) == STEPS
    assert again.trained().statement.epsilon <= 10


def test_each_start_has_noise_of_its_own(
    begun: RunLoop, images: np.ndarray, labels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    keyed = driver.KeyedNoise

    def spy() -> object:
        made.append(keyed())
        return made[-1]

    monkeypatch.setattr(driver, "KeyedNoise", spy)
    to_step(begun, 3)
    to_step(begun, 3)
    to_step(model().start(images, labels, run=tmp_path / "run"), 3)
    assert len(made) == 3
    assert len({id(one) for one in made}) == 3


def test_an_error_in_the_loop_lets_the_run_go_and_a_second_loop_waits_for_its_end(
    begun: RunLoop, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:

    def fails() -> None:
        for _ in begun:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    held = iter(begun)
    next(held)
    with pytest.raises(ResourceError, match="another process works on this run"):
        next(iter(begun))
    held.close()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="num_steps"):
        model(num_steps=STEPS + 1).start(images, labels, run=tmp_path / "run")
    with pytest.raises(InputError, match="not the records"):
        model().start(images, labels[::-1], run=tmp_path / "run")


def test_ctrl_c_is_granted_at_a_safe_place_and_then_raised(begun: RunLoop, tmp_path: Path) -> None:
    def interrupts() -> None:
        for _ in begun:
            if begun.step == 3:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupts()
    assert (begun.step, num_charged(tmp_path / "run")) == (10, 10)


def test_a_one_shot_method_keeps_each_release_before_it_is_reported(images: np.ndarray, tmp_path: Path) -> None:
    loop = DPMixture(epsilon=5.0).start(images, run=tmp_path / "run")
    to_step(loop, 1)
    again = DPMixture(epsilon=5.0).start(images, run=tmp_path / "run")
    for _ in again:
        pass
    assert num_charged(tmp_path / "run") == again.step == 3


def test_a_loop_that_forgot_its_lost_steps_would_be_seen(
    begun: RunLoop, images: np.ndarray, labels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_step(begun, 3)
    monkeypatch.setattr(Drive, "_lost_steps", lambda self, step: ())
    again = model().start(images, labels, run=tmp_path / "run")
    with pytest.raises(PrivacyError):
        list(again)
