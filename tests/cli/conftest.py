"""The command in this process, and one small finished run that several tests look at."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from tiny import tiny_of

from gossamer.cli.watching import Glimpse, Plain
from gossamer.data.catalogue import load_records
from gossamer.evaluation import classifiers
from gossamer.evaluation.encoder import EncoderSettings
from gossamer.methods.training import AbstractTraining
from gossamer.scoring import encoder

TINY = (*tiny_of("gs-wgan").words, "--device", "cpu")


@pytest.fixture(scope="session")
def train_tiny(gossamer: Callable[..., Any]) -> Callable[..., Any]:
    """Train a tiny GS-WGAN; the words after the folder are added to the settings."""

    def train(data: object, out: Path, *more: object) -> Any:
        return gossamer("train", "gs-wgan", "--data", data, "--out", out, *TINY, *more)

    return train


@pytest.fixture(scope="session")
def finished(tmp_path_factory: Any, train_tiny: Any, shared_folders: Any) -> Path:
    """A finished tiny run on the digits. To be looked at, never to be changed."""
    path = tmp_path_factory.mktemp("finished") / "run"
    assert train_tiny("digits", path).code == 0
    return shared_folders.add(path)


@pytest.fixture(scope="session")
def saved_on_the_way(tmp_path_factory: Any, train_tiny: Any, shared_folders: Any) -> Path:
    """A finished tiny run that saved its generator after 3 and after 7 steps. To be looked at, never to be changed."""
    path = tmp_path_factory.mktemp("saved") / "run"
    assert train_tiny("digits", path, "--save-at-step", "3,7").code == 0
    return shared_folders.add(path)


@pytest.fixture(scope="module")
def bench_of_seconds(tmp_path_factory: Any) -> Iterator[Path]:
    """An encoder and a CNN that learn for a moment, and a cache in which nothing else is found."""
    cache = tmp_path_factory.mktemp("cache")
    quick = functools.partial(EncoderSettings, num_epochs=1, min_updates=60, width=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOSSAMER_CACHE", str(cache))
        patch.setattr(encoder, "EncoderSettings", quick)
        patch.setattr(classifiers, "_MIN_UPDATES", 40)
        patch.setattr(classifiers, "_NUM_EPOCHS", 1)
        yield cache / "private"


@pytest.fixture(scope="session")
def real_digits(tmp_path_factory: Any, shared_folders: Any) -> Path:
    """An NPZ of 300 real training images, as if another program had made them."""
    train = load_records("digits").train
    assert train.y is not None
    path = tmp_path_factory.mktemp("theirs") / "real.npz"
    np.savez(path, x=train.x[:300].numpy(), y=train.y[:300].numpy())
    return shared_folders.add(path)


@dataclass(frozen=True)
class AtStep:
    """Lets something happen right after a step of a training, once; step -1 is the first report of all."""

    monkeypatch: pytest.MonkeyPatch

    def __call__(self, step: int, happen: Callable[[], None]) -> None:
        pending = [happen]
        show = Plain.show

        def spy(watcher: Plain, training: AbstractTraining, report: Any, glimpse: Glimpse | None) -> None:
            show(watcher, training, report, glimpse)
            progress = training.progress(report)
            if pending and (progress.num_done == step + 1 if progress.part == "generator" else step < 0):
                pending.pop()()

        self.monkeypatch.setattr(Plain, "show", spy)

    def interrupt(self, step: int) -> None:
        """As Ctrl-C does."""
        self(step, lambda: os.kill(os.getpid(), signal.SIGINT))

    def crash(self, step: int) -> None:
        """With an error that nobody catches."""

        def happen() -> NoReturn:
            raise ZeroDivisionError("the power went")

        self(step, happen)


@pytest.fixture(scope="session")
def new_at_step() -> type[AtStep]:
    """For fixtures that live longer than a test."""
    return AtStep


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> AtStep:
    return AtStep(monkeypatch)


@pytest.fixture
def own_npz(tmp_path: Path) -> Callable[..., Path]:
    """An NPZ of a user's own: random images with two classes, arrays replaced or left out (None) by name."""

    def write(**arrays: Any) -> Path:
        rng = np.random.default_rng(0)
        content = {"x": rng.random((60, 1, 8, 8), dtype=np.float32), "y": np.arange(60) % 2} | arrays
        path = tmp_path / "own.npz"
        np.savez(path, **{name: array for name, array in content.items() if array is not None})
        return path

    return write


@pytest.fixture(scope="session")
def uneven(tmp_path_factory: Any, gossamer: Callable[..., Any], shared_folders: Any) -> Path:
    """A finished release that carries shares of classes, three of four the first. Not to be changed."""
    folder = tmp_path_factory.mktemp("uneven")
    x = np.random.default_rng(0).random((2000, 1, 8, 8), dtype=np.float32)
    np.savez(folder / "data.npz", x=x, y=np.arange(2000) % 4 // 3)
    told = gossamer(
        *("train", "dp-mixture", "--data", folder / "data.npz", "--num-classes", 2, "--epsilon", 10),
        *("--out", folder / "run"),
    )
    assert told.code == 0, told.err
    return shared_folders.add(folder / "run")
