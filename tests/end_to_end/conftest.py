"""One tiny run on images of a user's own, with every key of its noise overheard."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gossamer.cli.main import main
from gossamer.privacy.keystream import Keystream

FLAGS = shlex.split(
    "--num-classes 2 --num-critics 15 --num-steps 11 --batch-size 8 --draws-per-step 4 --renewals-per-step 5 "
    "--noise-multiplier 1.2 --delta 1e-3 --critic-batch-size 4 --pool-per-class 4 --fork-steps 1 --critics-at-once 5 "
    "--generator.hidden-sizes 16 --stages.0.critic.hidden-sizes 8 --stages.0.warm-start.num-updates 2 --device cpu"
)


@dataclass(frozen=True)
class Overheard:
    """A finished run, what it was trained on, and what was secret in it.

    Attributes:
        path: run folder.
        data: the user's file.
        records: uint8 (60, 1, 8, 8).
        labels: int64 (60,).
        drawn: what the operating system gave as key material.
        keys: keys of all streams of random words, the public ones too.
        out: standard output of the training.
    """

    path: Path
    data: Path
    records: np.ndarray
    labels: np.ndarray
    drawn: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    out: str


@pytest.fixture(scope="session")
def flags() -> tuple[str, ...]:
    """Settings of a run of a second or two on 60 images of two classes."""
    return tuple(FLAGS)


@pytest.fixture(scope="session")
def run(tmp_path_factory: Any, shared_folders: Any) -> Overheard:
    """Train once; every test of this folder looks at what is left, and changes nothing of it."""
    folder = tmp_path_factory.mktemp("ward-seven")
    rng = np.random.default_rng(3)
    records, labels = rng.integers(0, 256, (60, 1, 8, 8), dtype=np.uint8), np.arange(60) % 2
    np.savez(folder / "patients.npz", x=records, y=labels)
    drawn: list[bytes] = []
    keys: list[bytes] = []
    urandom, start = os.urandom, Keystream.__init__

    def overheard_urandom(size: int) -> bytes:
        drawn.append(urandom(size))
        return drawn[-1]

    def overheard_start(self: Keystream, key: bytes) -> None:
        keys.append(key)
        start(self, key)

    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", overheard_urandom)
        patch.setattr(Keystream, "__init__", overheard_start)
        words = ["train", "gs-wgan", "--data", folder / "patients.npz", "--out", folder / "run", *FLAGS]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            assert main([str(word) for word in words]) == 0
    return Overheard(
        path=shared_folders.add(folder / "run"),
        data=folder / "patients.npz",
        records=records,
        labels=labels,
        drawn=tuple(drawn),
        keys=tuple(keys),
        out=out.getvalue(),
    )
